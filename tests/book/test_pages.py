"""The built book and its offline copy, opened in a browser as a reader does."""

import functools
import html.parser
import http.server
import json
import re
import threading
import urllib.parse
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = [TOC["root"]] + [
    chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]
]
PAGES = [f"{name}.html" for name in CHAPTERS]
CDN = "https://cdn.jsdelivr.net/npm/mathjax@3.2.2/"
WIDTHS = (1280, 390)
LARGEST_PAGE = 2_000_000
WAIT = 20_000


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


def test_offline_copy_is_zipped(offline_folder):
    archives = list(offline_folder.parent.glob("*.zip"))
    assert len(archives) == 1 and archives[0].stat().st_size > 1_000_000


# In the browser -----------------------------------------------------------------------------------


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serve a folder without a line of log per request."""

    def log_message(self, format, *arguments):
        """Say nothing."""


@pytest.fixture(scope="module")
def site(html_folder):
    """The published book on a local server; the value is its address."""
    handler = functools.partial(QuietHandler, directory=html_folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Visit:
    """A page open in the browser, and everything that went wrong on it."""

    def __init__(self, context, address, allowed, vendor):
        self.problems = []
        context.set_default_timeout(WAIT)
        self.page = context.new_page()
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda error: self.problems.append(f"script error: {error}"))
        self.page.on("requestfailed", lambda asked: self.problems.append(f"failed: {asked.url}"))
        self.page.on("response", self.answered)
        self.allowed, self.vendor = allowed, vendor
        context.route(lambda url: not url.startswith((allowed, "data:")), self.outside)
        self.page.goto(address)

    def heard(self, message):
        """Note an error message of the console."""
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def answered(self, response):
        """Note an answer that is an error."""
        if response.status >= 400:
            self.problems.append(f"answer {response.status}: {response.url}")

    def outside(self, route):
        """Serve MathJax from npm's copy, so that its hash is really checked; refuse all else."""
        url = route.request.url
        file = self.vendor / "mathjax" / url.removeprefix(CDN) if self.vendor else None
        if file and url.startswith(CDN) and file.is_file():
            route.fulfill(path=file, headers={"access-control-allow-origin": "*"})
        else:
            self.problems.append(f"request to the outside: {url}")
            route.abort()

    def check_maths(self):
        """Every formula must be typeset."""
        if self.page.locator("article .math").count() == 0:
            return
        try:
            self.page.wait_for_function(
                "document.querySelectorAll('.math mjx-container').length ==="
                " document.querySelectorAll('.math').length",
                timeout=WAIT,
            )
        except self.timeout_error:
            self.problems.append("a formula is not typeset")
        self.page.evaluate("MathJax.startup.promise.then(() => null)")
        errors = self.page.locator("mjx-merror").count()
        if errors:
            self.problems.append(f"{errors} formulas have errors")
        text = self.page.evaluate(PROSE)
        if r"\(" in text or r"\[" in text:
            self.problems.append("raw TeX is left in the text")

    def check_width(self, width):
        """The page must not be wider than the window."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.wait_for_timeout(100)
        wide = self.page.evaluate(WIDE_ELEMENTS)
        if wide:
            self.problems.append(f"wider than {width} px: {wide}")

    def check_access(self):
        """Axe must find nothing serious."""
        self.page.evaluate(axe_source(self.vendor))
        for violation in self.page.evaluate(RUN_AXE)["violations"]:
            if violation["impact"] in ("serious", "critical"):
                places = [node["html"][:160] for node in violation["nodes"][:3]]
                self.problems.append(f"accessibility: {violation['id']}: {places}")

    def check_sliders(self):
        """Move each slider to both ends by keyboard and compare picture and description."""
        for figure in self.page.locator(".explore").all():
            frames = json.loads(figure.locator("script.explore-frames").text_content())
            sliders = figure.locator("input[type=range]").all()
            for slider in sliders:
                seen = [self.frame_after(figure, sliders, slider, key) for key in ("Home", "End")]
                for shown, wanted in seen:
                    if shown != {**frames[wanted], "frame": str(wanted)}:
                        self.problems.append(f"slider {slider.get_attribute('id')}: wrong picture")
                first, last = (shown for shown, _ in seen)
                for part in ("src", "alt"):
                    if first[part] == last[part]:
                        name = slider.get_attribute("id")
                        self.problems.append(f"slider {name}: {part} is the same at both ends")

    @staticmethod
    def frame_after(figure, sliders, slider, key):
        """Press a key on a slider; return what is shown, and the number of the frame expected."""
        slider.press(key)
        wanted = 0
        for other in sliders:
            value, last = other.evaluate("x => [+x.value, +x.max]")
            wanted = wanted * (last + 1) + value
        picture = figure.locator("img")
        shown = picture.evaluate("x => ({src: x.getAttribute('src'), alt: x.alt})")
        return {**shown, "frame": figure.get_attribute("data-frame")}, wanted


# The thousands of elements inside a formula are MathJax's, and hidden from screen readers.
RUN_AXE = """axe.run(
  {exclude: ["mjx-container"]}, {preload: false, resultTypes: ["violations"]}
)"""

PROSE = """() => {
  const article = document.querySelector("article").cloneNode(true);
  article.querySelectorAll("pre, code, script, style").forEach(e => e.remove());
  return article.textContent;
}"""

WIDE_ELEMENTS = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return "";
  return [...document.querySelectorAll("article *")]
    .filter(e => e.getBoundingClientRect().right > width + 1).slice(0, 3)
    .map(e => e.outerHTML.slice(0, 120)).join(" | ") || "something outside of the article";
}"""


@functools.cache
def axe_source(vendor):
    """Return the script of axe."""
    return (vendor / "axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def visit(browser):
    """A function that opens a page; its window is closed after the test."""
    from playwright.sync_api import TimeoutError

    Visit.timeout_error = TimeoutError
    contexts = []

    def open_page(address, allowed, vendor, **options):
        options.setdefault("viewport", {"width": WIDTHS[0], "height": 900})
        contexts.append(browser.new_context(**options))
        return Visit(contexts[-1], address, allowed, vendor)

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize("name", [*PAGES, "search.html", "genindex.html"])
def test_published_page(name, theme, width, visit, site, vendor_folder):
    window = {"viewport": {"width": width, "height": 900}, "color_scheme": theme}
    opened = visit(site + name, site, vendor_folder, **window)
    assert opened.page.locator("html").get_attribute("data-theme") == theme
    opened.check_maths()
    opened.check_access()
    if theme == "light":
        opened.check_sliders()
    for each in sorted(WIDTHS, reverse=width == WIDTHS[0]):
        opened.check_width(each)
    assert not opened.problems, "\n".join(opened.problems)


@pytest.mark.parametrize("name", [*PAGES, "search.html", "index.html"])
def test_offline_page(name, visit, offline_folder):
    folder = offline_folder.as_uri() + "/"
    opened = visit(folder + name, folder, None, offline=True)
    opened.check_maths()
    opened.check_sliders()
    assert not opened.problems, "\n".join(opened.problems)


@pytest.mark.parametrize("copy", ["published", "offline"])
def test_search_finds_pages(copy, visit, site, offline_folder, vendor_folder):
    base = site if copy == "published" else offline_folder.as_uri() + "/"
    opened = visit(base + "search.html?q=saddle", base, vendor_folder)
    result = opened.page.locator("#search-results li a").first
    result.wait_for(timeout=WAIT)
    opened.page.wait_for_load_state("networkidle")  # online, the results are quoted as well
    result.click()
    opened.page.wait_for_load_state()
    assert "saddle" in opened.page.locator("article").inner_text().lower()
    assert not opened.problems, "\n".join(opened.problems)


def test_a_changed_mathjax_would_be_refused(visit, site, vendor_folder, tmp_path):
    """The published pages name MathJax by its hash: a tampered file must not run."""
    script = tmp_path / "mathjax/es5/tex-chtml.js"
    script.parent.mkdir(parents=True)
    original = vendor_folder / "mathjax/es5/tex-chtml.js"
    script.write_text(original.read_text(encoding="utf-8") + "\n//", encoding="utf-8")
    opened = visit(site + PAGES[2], site, tmp_path)
    assert any("integrity" in problem for problem in opened.problems)
    assert opened.page.locator("mjx-container").count() == 0


def test_start_page_leads_into_the_book(visit, offline_folder):
    folder = offline_folder.as_uri() + "/"
    opened = visit(folder + "index.html", folder, None, offline=True)
    opened.page.wait_for_url(folder + PAGES[0])
    assert not opened.problems, "\n".join(opened.problems)
