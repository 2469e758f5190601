"""The built book: its links, pictures and sizes, and every second page opened in a browser.

The other pages are opened by test_other_pages.py.
"""

import functools
import html.parser
import re
import urllib.parse

import pytest
from visits import PAGES, search_and_follow

LARGEST_PAGE = 2_000_000


# Reading the files ------------------------------------------------------------------------------


class PageReader(html.parser.HTMLParser):
    """Collect a page's anchors, links, pictures and text outside of scripts."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.images, self.text, self.hidden = set(), [], [], [], 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.add(attributes.get("id"))
        if tag == "a" and attributes.get("name"):
            self.ids.add(attributes["name"])
        for key in ("href", "src"):
            if key in attributes:
                self.links.append(attributes[key] or "")
        if tag == "img":
            self.images.append(attributes)
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden:
            self.text.append(data)


@functools.cache
def read_page(path):
    """Return a page as read by `PageReader`."""
    return PageReader(path)


def broken_links(path):
    """Return a page's links within the site that lead to no file or no anchor."""
    broken = []
    for link in read_page(path).links:
        parts = urllib.parse.urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = path.parent / urllib.parse.unquote(parts.path) if parts.path else path
        if not target.is_file():
            broken.append(link)
        elif parts.fragment and target.suffix == ".html":
            if urllib.parse.unquote(parts.fragment) not in read_page(target.resolve()).ids:
                broken.append(link)
    return broken


def test_every_chapter_is_built(html_folder):
    assert [page for page in PAGES if not (html_folder / page).is_file()] == []


@pytest.mark.parametrize("copy", ["published", "offline"])
def test_links_and_anchors_lead_somewhere(copy, request):
    folder = request.getfixturevalue("html_folder" if copy == "published" else "offline_folder")
    broken = {
        path.relative_to(folder).as_posix(): links
        for path in sorted(folder.rglob("*.html"))
        if "_static" not in path.parts  # the theme's templates
        if (links := broken_links(path.resolve()))
    }
    assert broken == {}


def test_every_picture_is_described(html_folder):
    bare = []
    for page in PAGES:
        for image in read_page((html_folder / page).resolve()).images:
            alt = (image.get("alt") or "").strip()
            if not alt or re.search(r"\.(png|svg|webp|jpe?g)$", alt):
                bare.append((page, image.get("src", "")[:80], alt))
    assert bare == []


def test_every_page_is_light(html_folder):
    heavy = {}
    for page in PAGES:
        path = html_folder / page
        own = {path, html_folder / "_static/course.css"}
        for image in read_page(path.resolve()).images:
            if not image.get("src", "").startswith("data:"):
                own.add((path.parent / image["src"]).resolve())
        size = sum(file.stat().st_size for file in own)
        if size > LARGEST_PAGE:
            heavy[page] = size
    assert heavy == {}


# In the browser -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PAGES[::2], "search.html", "genindex.html"])
def test_page_on_a_desktop_and_on_a_phone(name, published):
    published(name)


def test_search_finds_pages(visit, site, vendor_folder):
    search_and_follow(visit(site + "search.html?q=saddle", site, vendor_folder))


def test_a_changed_mathjax_would_be_refused(visit, site, vendor_folder, tmp_path):
    """The published pages name MathJax by its hash: a tampered file must not run."""
    script = tmp_path / "mathjax/es5/tex-chtml.js"
    script.parent.mkdir(parents=True)
    original = vendor_folder / "mathjax/es5/tex-chtml.js"
    script.write_text(original.read_text(encoding="utf-8") + "\n//", encoding="utf-8")
    opened = visit(site + PAGES[2], site, tmp_path)
    assert any("integrity" in problem for problem in opened.problems)
    assert opened.page.locator("mjx-container").count() == 0


CODE = """<div class="highlight" style="{}">
<pre><span class="k" style="color: {}">if</span></pre></div>"""


def test_barriers_are_seen(visit, vendor_folder, tmp_path):
    """What the checks above rely on: axe reports a nameless button and pale text, also in code."""
    (tmp_path / "page.html").write_text(
        '<!doctype html><html lang="en"><title>Page</title><main><h1>Page</h1>'
        '<p style="color: #ccc; background: #fff">Pale <mjx-container>x</mjx-container></p>'
        "<button></button>"
        + CODE.format("display: none", "#333")
        + CODE.format("background: #fff", "#333")
        + CODE.format("background: #444", "#333")
        + "</main></html>",
        encoding="utf-8",
    )
    folder = tmp_path.as_uri() + "/"
    opened = visit(folder + "page.html", folder, vendor_folder)
    opened.check_access()
    button, contrast = sorted(opened.problems)
    assert "button-name" in button
    assert "color-contrast" in contrast and "Pale" in contrast
    # Of the code, alike but for its ground: not what is hidden, not what can be read.
    assert contrast.count("<span") == 1
