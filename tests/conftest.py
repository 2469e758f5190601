"""Settings of the whole test run."""

import os
import shutil
import signal
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# The notebooks run as in a reader's kernel, also when the tests are started from a book's build.
os.environ.pop("COURSE_STATIC", None)
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")

# What a shell starts in the background ignores Ctrl-C, and so do its children. Some tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Run the notebooks first, then one file of pages, and the others that need the book last.

    Two processes share the files in this order (`make test`): the first file of pages builds the
    book, which takes longest, while the other process runs the library's tests instead of waiting.
    Playwright keeps an event loop running until its process ends, and nbval's kernel clients do
    not work beside it: no process may come to a notebook after a browser.
    """
    needs = defaultdict(set)
    for item in items:
        needs[item.path].update(getattr(item, "fixturenames", ()))

    def turn(item):
        if item.path.suffix == ".ipynb":
            return 0
        if "html_folder" not in needs[item.path]:
            return 2
        return 1 if item.path.name == "test_pages.py" else 3

    items.sort(key=turn)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """Start the system's Chromium, without its background traffic."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        reason = f"no browser is installed ({', '.join(BROWSERS)})"
        if os.environ.get("COURSE_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    switches = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    return {**browser_type_launch_args, "executable_path": executable, "args": switches}
