"""Small repairs of the pages.

* Some elements of the theme have a label that hides the words shown in them, which the guidelines
  for accessible pages forbid: a person who says "click Search" is not understood. Labels are
  removed where words are shown, and the words where only a symbol is shown. Entries of the
  bibliography become items of their list; the role docutils gives them is not allowed in one.
* The line ``# NBVAL_CHECK_OUTPUT``, a mark for the tests, is not shown to readers.
"""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes

MARK = re.compile(r"\A# NBVAL_\w+[^\n]*\n")
REPAIRS = (
    # The search field's name is the text inside it.
    (
        re.compile(r'(<button class="[^"]*search-button-field[^"]*") title="\w+" aria-label="\w+"'),
        r"\1",
    ),
    # So is the name of a hidden cell: "Show code cell source".
    (re.compile(r'<summary aria-label="Toggle hidden content">'), "<summary>"),
    # The color switch is named by its label; its three symbols need no names of their own.
    (
        re.compile(r'(<i class="theme-switch [^"]*" data-mode="\w+") +title="[^"]*"'),
        r'\1 aria-hidden="true"',
    ),
    (re.compile(r'role="doc-biblioentry"'), 'role="listitem"'),
)


def repair(html: str) -> str:
    """Return a page's HTML with its labels put right; doing it twice changes nothing."""
    for pattern, replacement in REPAIRS:
        html = pattern.sub(replacement, html)
    return html


def repair_pages(app, exception):
    """Repair all pages of a finished HTML build."""
    if exception or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        repaired = repair(html)
        if repaired != html:
            path.write_text(repaired, encoding="utf-8")


def hide_marks(app, doctree):
    """Take the tests' marks out of the code that a page shows."""
    for block in doctree.findall(nodes.literal_block):
        code = MARK.sub("", block.astext())
        if code != block.astext():
            block.rawsource = code
            block.children = []
            block += nodes.Text(code)


def setup(app):
    """Connect the extension to Sphinx."""
    app.connect("doctree-read", hide_marks)
    app.connect("build-finished", repair_pages)
    return {"version": "1.1", "parallel_read_safe": True, "parallel_write_safe": True}
