"""The directive ``{page-picture}``: a picture from another page of the book, as this build drew it.

Its argument is the page, as in the table of contents. The options say which figure with a slider
(``:figure:``, from 0) and which of its pictures (``:frame:``, from 0; without it the one that the
page shows first). The picture brings its description along.
"""

from __future__ import annotations

import html
import json
import re

from claims_ledger import executed
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

FIGURE = re.compile(
    r'<figure class="explore" [^>]*data-frame="(?P<first>\d+)".*?'
    r'<script type="application/json" class="explore-frames">(?P<frames>.*?)</script>',
    re.DOTALL,
)


class PagePictureNode(nodes.General, nodes.Element):
    """The place of a picture, filled in when the page is written."""


class PagePicture(SphinxDirective):
    """Put the picture here."""

    required_arguments = 1
    option_spec = {
        "figure": directives.nonnegative_int,
        "frame": directives.nonnegative_int,
    }

    def run(self):
        """Return the placeholder and remember the page."""
        pages = getattr(self.env, "page_pictures_pages", set())
        self.env.page_pictures_pages = pages | {self.env.docname}
        return [PagePictureNode("", page=self.arguments[0], **self.options)]


def figures_in(notebook):
    """Return the figures of an executed notebook: of each the first frame's number, and all frames.

    Parameters
    ----------
    notebook : NotebookNode or dict
        A notebook with outputs.

    Returns
    -------
    list of (int, list of dict)
        Frames have the keys "src" and "alt".
    """
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    texts = [output.get("data", {}).get("text/html", "") for output in outputs]
    found = [match for text in texts for match in FIGURE.finditer("".join(text))]
    return [(int(match["first"]), json.loads(match["frames"])) for match in found]


def picture(env, page, figure=0, frame=None):
    """Return the HTML of a picture; the error says what there is to choose from."""
    if page not in env.found_docs:
        raise ExtensionError(f"page-picture: the book has no page {page}")
    figures = figures_in(executed(env, page))
    if figure >= len(figures):
        raise ExtensionError(
            f"page-picture: {page} has {len(figures)} figures with sliders, so none numbered "
            f"{figure}; the first is 0"
        )
    first, frames = figures[figure]
    number = first if frame is None else frame
    if number >= len(frames):
        raise ExtensionError(
            f"page-picture: figure {figure} of {page} has {len(frames)} pictures, so none "
            f"numbered {number}; the first is 0"
        )
    source, alt = (html.escape(frames[number][key]) for key in ("src", "alt"))
    return f'<img class="page-picture" src="{source}" alt="{alt}">'


class FillPagePictures(SphinxPostTransform):
    """Replace the placeholders by pictures."""

    default_priority = 7
    formats = ("html",)

    def run(self, **kwargs):
        """Fill in every placeholder of the page."""
        for place in list(self.document.findall(PagePictureNode)):
            shown = picture(self.env, place["page"], place.get("figure", 0), place.get("frame"))
            place.replace_self(nodes.raw("", shown, format="html"))


def refresh(app, env):
    """Have pages with pictures of other pages written by every build."""
    return sorted(getattr(env, "page_pictures_pages", set()) & env.found_docs)


def setup(app):
    """Connect the extension to Sphinx."""
    app.setup_extension("myst_nb")
    app.add_node(PagePictureNode)
    app.add_directive("page-picture", PagePicture)
    app.add_post_transform(FillPagePictures)
    app.connect("env-updated", refresh)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
