"""Small repairs of the finished pages, for readers who use a screen reader or no network.

Some buttons of the theme have a label that hides the words shown in them, which the guidelines
for accessible pages forbid (a person who says "click Search Ctrl K" is not understood). The labels
are removed where words are shown, and the words where only a symbol is shown. Entries of the
bibliography become items of their list; the role that docutils gives them is not allowed in one.
"""

from __future__ import annotations

import re
from pathlib import Path

REPAIRS = (
    # The search field's name is the text inside it.
    (
        re.compile(r'(<button class="[^"]*search-button-field[^"]*") title="\w+" aria-label="\w+"'),
        r"\1",
    ),
    # The colour switch is named by its label; its three symbols need no names of their own.
    (
        re.compile(r'(<i class="theme-switch [^"]*" data-mode="\w+") +title="[^"]*"'),
        r'\1 aria-hidden="true"',
    ),
    # So is the fold of a hidden cell: "Show code cell source".
    (re.compile(r'<summary aria-label="Toggle hidden content">'), "<summary>"),
    (re.compile(r'role="doc-biblioentry"'), 'role="listitem"'),
)


def repair(html: str) -> str:
    """Return a page's HTML with the buttons' labels put right; doing it twice changes nothing."""
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


def setup(app):
    """Connect the extension to Sphinx."""
    app.connect("build-finished", repair_pages)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
