"""Keep the outputs in the book honest.

Jupyter Book's execution cache looks at the notebooks only: after a change in ``lib`` or of an
installed package it would go on showing the old results. This extension takes a fingerprint of
both, and when it changes it empties the cache and has every notebook read, and so run, again.

It also

* sets the environment that the notebooks run in (``COURSE_STATIC=1`` makes ``lib.explore`` render
  sliders that work without a kernel);
* forgets the parsed pages after a build with warnings. Sphinx reports a page's warnings only when
  it reads the page, so otherwise a second build would call the same broken book fine;
* offers the directive ``{package-versions}``, a table of what the book was built with.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

# A change of one of these packages can change a number or a picture in the book.
PACKAGES = ("numpy", "scipy", "numba", "matplotlib", "ipywidgets", "scikit-learn")
BUILDERS = ("jupyter-book", "sphinx", "myst-nb")
ENVIRONMENT = {
    "COURSE_STATIC": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
STAMP = "course-fingerprint.txt"
# Kernels of the build use this profile instead of the reader's own, whose start-up files could
# change the results. The level keeps a warning about unencrypted local sockets off the screen.
KERNEL_SETTINGS = """\
c = get_config()
c.IPKernelApp.log_level = "ERROR"
c.HistoryManager.enabled = False
"""


def installed_version(package: str) -> str:
    """Return the installed version of a package, or ``"not installed"``."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def fingerprint(root: Path) -> str:
    """Return a hash of every Python file below ``root/lib`` and of the packages it computes with.

    Parameters
    ----------
    root : Path
        The folder that holds ``lib``.

    Returns
    -------
    str
        A hexadecimal digest. It depends on the files' names and contents, not on their dates.
    """
    digest = hashlib.sha256()
    for path in sorted((root / "lib").rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    digest.update(platform.python_version().encode())
    for package in PACKAGES:
        digest.update(f"{package}={installed_version(package)}\0".encode())
    return digest.hexdigest()


def set_environment(app, config):
    """Set the variables that kernels started by this build inherit."""
    os.environ["COURSE_STATIC"] = ENVIRONMENT["COURSE_STATIC"]
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    profile = Path(app.outdir).parent / ".ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL_SETTINGS, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(profile.parent)


def drop_stale_outputs(app):
    """Empty the execution cache unless it was made with the present library and packages."""
    cache = Path(app.env.mystnb_config.execution_cache_path)
    stamp = cache / STAMP
    current = fingerprint(Path(app.srcdir))
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == current:
        return
    if cache.is_dir():
        logger.info("The library or its packages changed: every notebook will run again.")
        shutil.rmtree(cache)
    cache.mkdir(parents=True)
    stamp.write_text(current, encoding="utf-8")


def is_executed(env, docname: str) -> bool:
    """Tell whether a page was made by running code, be it from ``.ipynb`` or from Markdown."""
    return bool(getattr(env, "nb_metadata", {}).get(docname, {}).get("exec_data"))


def find_stale_pages(app, env, added, changed, removed):
    """Name the pages that run code when they were made with another library or packages."""
    current = fingerprint(Path(app.srcdir))
    previous = getattr(env, "course_fingerprint", None)
    env.course_fingerprint = current
    if previous == current:
        return []
    return [docname for docname in env.found_docs if is_executed(env, docname)]


def forget_after_warnings(app, exception):
    """Remove the saved environment of a build that warned, so that the next one warns too."""
    if app._warncount or exception:
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)


class PackageVersions(SphinxDirective):
    """A table of Python and the packages this build used."""

    def run(self):
        """Return the table."""
        rows = [("Python", platform.python_version())]
        rows += [(name, installed_version(name)) for name in (*PACKAGES, *BUILDERS)]
        self.env.note_reread()
        return [simple_table(("Package", "Version"), rows, classes=["package-versions"])]


def simple_table(header, rows, classes=()):
    """Return a docutils table.

    Parameters
    ----------
    header : sequence of str
        The column titles.
    rows : iterable of sequences
        The cells: strings or lists of inline nodes.
    classes : sequence of str
        CSS classes of the table.
    """

    def make_row(cells):
        row = nodes.row()
        for cell in cells:
            children = [nodes.Text(cell)] if isinstance(cell, str) else cell
            row += nodes.entry("", nodes.paragraph("", "", *children))
        return row

    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in header), cols=len(header))
    group += nodes.thead("", make_row(header))
    group += nodes.tbody("", *(make_row(row) for row in rows))
    return nodes.table("", group, classes=list(classes))


def setup(app):
    """Connect the extension to Sphinx."""
    app.setup_extension("myst_nb")
    app.connect("config-inited", set_environment)
    app.connect("builder-inited", drop_stale_outputs, priority=600)
    app.connect("env-get-outdated", find_stale_pages)
    app.connect("build-finished", forget_after_warnings)
    app.add_directive("package-versions", PackageVersions)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
