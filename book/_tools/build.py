"""Build the book, the copy for offline reading, or open what was built.

    python book/_tools/build.py [book | offline | open | clean] [--no-open]

Uses nothing but the standard library and the packages of requirements.txt in the environment of
the Python that runs it. Without make (on Windows, say):

    py -3.12 -m venv .venv
    .venv\\Scripts\\pip install -r requirements.txt -c requirements.lock
    .venv\\Scripts\\python book\\_tools\\build.py book
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import webbrowser
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "_build"
HTML = BUILD / "html"
OFFLINE = BUILD / "offline"
VENDOR = BUILD / "vendor"
NPM_FILES = Path(__file__).resolve().parent / "offline"
ARCHIVE_NAME = "gradient-methods-course"

# What of MathJax a page can ask for: the program, its fonts, and TeX extensions loaded on demand.
MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")
MATHJAX_TAG = re.compile(
    r'<script\b[^>]*\bsrc="https://cdn\.jsdelivr\.net/npm/mathjax@[^"]*/tex-chtml\.js"[^>]*>'
)
OUTSIDE_TAG = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["'](?:https?:)?//[^>]*>"""
    r"""|<link\b(?![^>]*\brel=["'](?:canonical|author|license)["'])"""
    r"""[^>]*\bhref=["'](?:https?:)?//[^>]*>""",
    re.IGNORECASE,
)
OUTSIDE_CSS = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^)"';]*""", re.IGNORECASE)


class BuildError(Exception):
    """The build cannot go on; the message says why and what to do."""


def run(command, **options):
    """Run a command and raise a BuildError if it fails."""
    result = subprocess.run([str(part) for part in command], **options)
    if result.returncode:
        shown = Path(str(command[0])).name
        raise BuildError(f"{shown} ended with exit code {result.returncode}; see its output above.")


def build_book():
    """Execute the notebooks that changed and build the pages in ``_build/html``.

    Where the list of chapters changed, all pages are written anew, because all show it. Every
    warning, broken reference and failing notebook cell is an error.

    Returns
    -------
    Path
        The page to start from.
    """
    environment = dict(os.environ, COURSE_STATIC="1", PYDEVD_DISABLE_FILE_VALIDATION="1")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment.setdefault(name, "1")
    jupyter_book = "from jupyter_book.cli.main import main; main()"
    options = ["-W", "-n", "--keep-going"]
    chapters, stamp = (ROOT / "_toc.yml").read_bytes(), BUILD / "built-toc.yml"
    if not stamp.is_file() or stamp.read_bytes() != chapters:
        options.append("--all")
    run([sys.executable, "-c", jupyter_book, "build", ROOT, *options], cwd=ROOT, env=environment)
    stamp.write_bytes(chapters)
    return HTML / "index.html"


def install_vendor():
    """Fetch MathJax (and the test tool axe) with npm into ``_build/vendor``, once.

    The versions and their hashes are in ``book/_tools/offline/package-lock.json``.

    Returns
    -------
    Path
        The folder of the installed packages.
    """
    modules, stamp = VENDOR / "node_modules", VENDOR / "installed-lock.json"
    lock = (NPM_FILES / "package-lock.json").read_bytes()
    if stamp.is_file() and stamp.read_bytes() == lock and modules.is_dir():
        return modules
    npm = shutil.which("npm")
    if npm is None:
        raise BuildError("The offline copy needs npm, which comes with Node.js: nodejs.org")
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(NPM_FILES / name, VENDOR / name)
    run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=VENDOR)
    stamp.write_bytes(lock)
    return modules


def localize_page(html, depth):
    """Return a page's HTML with MathJax taken from the book's own folder.

    Parameters
    ----------
    html : str
        The published page.
    depth : int
        How many folders below the book's top folder the page is.
    """
    script = f'<script defer="defer" src="{"../" * depth}_static/mathjax/tex-chtml.js">'
    return MATHJAX_TAG.sub(script, html)


def outside_addresses(text, suffix):
    """Return the places in a page or style sheet that make a browser load something from outside.

    Parameters
    ----------
    text : str
        The file's content.
    suffix : str
        ``".html"`` or ``".css"``.
    """
    pattern = OUTSIDE_CSS if suffix == ".css" else OUTSIDE_TAG
    return pattern.findall(text)


def build_offline():
    """Make ``_build/offline``, a copy of the book that loads nothing from outside, and zip it.

    The notebooks are not run again: the copy is made from the pages in ``_build/html``.

    Returns
    -------
    Path
        The page to start from.
    """
    build_book()
    mathjax = install_vendor() / "mathjax"
    if OFFLINE.exists():
        shutil.rmtree(OFFLINE)
    ignore = shutil.ignore_patterns(".buildinfo", "objects.inv", "reports")
    shutil.copytree(HTML, OFFLINE, ignore=ignore)
    target = OFFLINE / "_static" / "mathjax"
    for part in MATHJAX_PARTS:
        source, copy = mathjax / "es5" / part, target / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy)
        else:
            shutil.copyfile(source, copy)
    shutil.copyfile(mathjax / "LICENSE", target / "LICENSE")

    for page in sorted(OFFLINE.rglob("*.html")):
        depth = len(page.relative_to(OFFLINE).parts) - 1
        html = localize_page(page.read_text(encoding="utf-8"), depth)
        page.write_text(html, encoding="utf-8")
    # From a file, a browser may not read other pages to quote from them: list titles only.
    options = OFFLINE / "_static" / "documentation_options.js"
    script = options.read_text(encoding="utf-8")
    titles_only = script.replace(
        "SHOW_SEARCH_SUMMARY: true", 'SHOW_SEARCH_SUMMARY: location.protocol !== "file:"'
    )
    if titles_only == script:
        raise BuildError(f"{options.name} has no SHOW_SEARCH_SUMMARY: has the theme changed?")
    options.write_text(titles_only, encoding="utf-8")

    for path in sorted([*OFFLINE.rglob("*.html"), *OFFLINE.rglob("*.css")]):
        outside = outside_addresses(path.read_text(encoding="utf-8"), path.suffix)
        if outside:
            raise BuildError(f"{path.relative_to(OFFLINE)} loads from outside: {outside[0]}")
    zip_folder(OFFLINE, BUILD / f"{ARCHIVE_NAME}.zip")
    return OFFLINE / "index.html"


def zip_folder(folder, archive):
    """Zip a folder's content under one top folder named like the archive."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                zipped.write(path, f"{archive.stem}/{path.relative_to(folder).as_posix()}")


def has_desktop(environment, platform):
    """Tell whether a browser window can be opened here; never so in continuous integration."""
    if environment.get("CI"):
        return False
    if platform in ("darwin", "win32"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def show(page, may_open):
    """Say where a page is, and open it where there is a desktop."""
    print(f"\nThe book is in {page.parent}\nOpen {page.as_uri()}")
    if may_open and has_desktop(os.environ, sys.platform):
        webbrowser.open(page.as_uri())


def main(arguments=None):
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "command", nargs="?", default="book", choices=("book", "offline", "open", "clean")
    )
    parser.add_argument("--no-open", action="store_true", help="do not open a browser")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    try:
        if options.command == "clean":
            shutil.rmtree(BUILD, ignore_errors=True)
            return 0
        if options.command == "open":
            page = HTML / "index.html"
            if not page.is_file():
                raise BuildError("There is no book yet: run the command `book` first.")
        else:
            page = build_offline() if options.command == "offline" else build_book()
            print(f"\nDone in {time.monotonic() - start:.0f} s.")
        show(page, not options.no_open)
    except BuildError as error:
        print(f"\nThe build failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
