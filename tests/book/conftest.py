"""The built book, the offline copy, a browser to open them, and tiny books to try the build on."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock
from visits import WIDTHS, QuietHandler, Visit

ROOT = Path(__file__).resolve().parents[2]

# The same in all processes of one test run, and in no other run.
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()} {time.time()}")


def run_build(root, *arguments, **environment):
    """Run a book's build script; return the finished process with its output as text."""
    command = [sys.executable, str(root / "book/_tools/build.py"), *arguments, "--no-open"]
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1100,
    )


def needs_npm():
    """Skip, or fail where everything must be tested, if npm is missing."""
    if shutil.which("npm") is None:
        reason = "npm is not installed: no MathJax for the offline copy and the browser tests"
        if os.environ.get("COURSE_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)


def built(target, folder):
    """Build the book or its offline copy as `make` does, and return the folder of its pages.

    Each is built once in a test run: a build writes style sheets anew, even where nothing has
    changed, and another process of the run may have a page open that is waiting for them.
    """
    stamp = ROOT / "_build" / f"tested-{target}.txt"
    with FileLock(ROOT / "_build.lock"):
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != RUN:
            build = run_build(ROOT, target)
            if build.returncode:
                pytest.fail(f"`make {target}` failed:\n{build.stdout[-6000:]}", pytrace=False)
            stamp.write_text(RUN, encoding="utf-8")
    return ROOT / "_build" / folder


@pytest.fixture(scope="session")
def html_folder():
    """The book as published."""
    return built("book", "html")


@pytest.fixture(scope="session")
def offline_folder(html_folder):
    """The copy for offline reading."""
    needs_npm()
    return built("offline", "offline")


@pytest.fixture(scope="session")
def vendor_folder(offline_folder):
    """Where npm has put MathJax and axe."""
    return ROOT / "_build" / "vendor" / "node_modules"


@pytest.fixture(scope="module")
def site(html_folder):
    """The published book on a local server; the value is its address."""
    handler = functools.partial(QuietHandler, directory=html_folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def visit(browser):
    """A function that opens a page; its window is closed after the test."""
    contexts = []

    def open_page(address, allowed, vendor, **options):
        options.setdefault("viewport", {"width": WIDTHS[0], "height": 900})
        contexts.append(browser.new_context(**options))
        return Visit(contexts[-1], address, allowed, vendor)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def published(visit, site, vendor_folder):
    """A function that opens a published page and checks all that a reader relies on.

    It looks at the page on a desktop in the light theme, then on a phone in the dark one. That is
    one visit: formulas take longer to typeset than everything else takes to look at.
    """

    def check(name):
        opened = visit(site + name, site, vendor_folder, color_scheme="light")
        opened.check_theme("light")
        opened.check_maths()
        opened.check_access()
        opened.check_sliders()
        opened.check_width(WIDTHS[0])
        opened.page.emulate_media(color_scheme="dark")
        opened.check_width(WIDTHS[1])
        opened.check_theme("dark")
        opened.check_access()
        opened.check_no_problems()

    return check


class TinyBook:
    """A book of one text page, one notebook and a ledger, with the real settings and extensions.

    The notebook and the text page note each time they are executed, see `runs`.
    """

    def __init__(self, root):
        self.root = root
        for name in ("_ext", "_static", "_tools"):
            shutil.copytree(
                ROOT / "book" / name, root / "book" / name,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        shutil.copyfile(ROOT / "_config.yml", root / "_config.yml")
        chapters = "".join(f"  - file: book/{name}\n" for name in ("notebook", "ledger"))
        self.write("_toc.yml", f"format: jb-book\nroot: book/index\nchapters:\n{chapters}")
        self.write("lib/__init__.py", "ANSWER = 42\n")
        self.write("book/references.bib", "")
        self.write("book/index.md", RUNNING_PAGE)
        self.write("book/ledger.md", "# Ledger\n\n```{claims-ledger}\n```\n")
        self.write_notebook()

    def write(self, name, text):
        """Write a file of the book."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def write_notebook(self, *sources, claims=None, text="A notebook."):
        """Write the notebook: it measures the claims and has further cells."""
        bundles = [{"text/html": f'<div id="claim-{c["id"]}">{c["id"]}</div>',
                    "application/vnd.gradient-course.claim+json": c,
                    "text/plain": c["id"]} for c in (CLAIMS if claims is None else claims)]
        count = "with open('../runs.txt', 'a') as runs:\n    print('run', file=runs)"
        show = f"from IPython.display import display\nfor bundle in {bundles!r}:\n" \
               "    display(bundle, raw=True)"
        notebook = nbformat.v4.new_notebook(metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
        notebook.cells = [nbformat.v4.new_markdown_cell(f"# Notebook\n\n{text}")]
        notebook.cells += [nbformat.v4.new_code_cell(s) for s in (count, show, *sources)]
        self.write("book/notebook.ipynb", json.dumps(notebook))

    def build(self, **environment):
        """Build the book."""
        return run_build(self.root, "book", **environment)

    def page(self, name):
        """Return a built page."""
        return (self.root / "_build/html/book" / f"{name}.html").read_text(encoding="utf-8")

    @property
    def runs(self):
        """How often the notebook and the page that runs code were executed."""
        logs = [self.root / "runs.txt", self.root / "page_runs.txt"]
        return [len(log.read_text().splitlines()) for log in logs if log.is_file()]


RUNNING_PAGE = """\
---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3}
---
# A tiny book

A page in Markdown that runs code.

```{code-cell}
with open("../page_runs.txt", "a") as runs:
    print("run", file=runs)
```
"""

CLAIMS = [
    {"id": "one", "statement": "One $x^2$", "source": "A", "predicted": "1", "measured": "1.0",
     "interval": "[0.9, 1.1]", "verdict": "agrees"},
    {"id": "two", "statement": "Two", "source": "B", "predicted": 2, "measured": 3,
     "interval": None, "verdict": "differs, explained", "reason": "because"},
]


@pytest.fixture(scope="module")
def tiny_book(tmp_path_factory):
    """A tiny book, built once for the module."""
    book = TinyBook(tmp_path_factory.mktemp("tiny"))
    book.first_build = book.build()
    assert book.first_build.returncode == 0, book.first_build.stdout
    return book
