"""Pages opened in a browser as a reader does, and everything that goes wrong on them."""

import functools
import http.server
import json
from contextlib import suppress
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = [TOC["root"]] + [
    chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]
]
PAGES = [f"{name}.html" for name in CHAPTERS]
CDN = "https://cdn.jsdelivr.net/npm/mathjax@3.2.2/"
WIDTHS = (1280, 390)
WAIT = 20_000


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serve a folder without a line of log per request."""

    def log_message(self, format, *arguments):
        """Say nothing."""


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
        from playwright.sync_api import TimeoutError

        if self.page.locator("article .math").count() == 0:
            return
        try:
            self.page.wait_for_function(
                "document.querySelectorAll('.math mjx-container').length ==="
                " document.querySelectorAll('.math').length",
                timeout=WAIT,
            )
        except TimeoutError:
            self.problems.append("a formula is not typeset")
        self.page.evaluate("MathJax.startup.promise.then(() => null)")
        errors = self.page.locator("mjx-merror").count()
        if errors:
            self.problems.append(f"{errors} formulas have errors")
        text = self.page.evaluate(PROSE)
        if r"\(" in text or r"\[" in text:
            self.problems.append("raw TeX is left in the text")
        if ":::" in text or "```" in text:
            self.problems.append("a box is not closed where it should be")

    def check_theme(self, theme):
        """The page must follow the theme of the reader's system."""
        shown = self.page.locator("html").get_attribute("data-theme")
        if shown != theme:
            self.problems.append(f"the theme is {shown}, not {theme}")

    def check_width(self, width):
        """The page must not be wider than the window."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.wait_for_timeout(100)
        wide = self.page.evaluate(WIDE_ELEMENTS)
        if wide:
            self.problems.append(f"wider than {width} px: {wide}")

    def check_no_problems(self):
        """Nothing may have gone wrong since the page was opened."""
        assert not self.problems, "\n".join(self.problems)

    def check_access(self):
        """Axe must find nothing serious, a moment after the page was made or resized."""
        from playwright.sync_api import TimeoutError

        with suppress(TimeoutError):  # axe then says what cannot be reached by keyboard
            self.page.wait_for_function(SCROLLABLE_BY_KEYBOARD, timeout=3000)
        self.page.evaluate(axe_source(self.vendor))
        self.page.evaluate(THIN_CODE)
        self.page.evaluate(EMPTY_FORMULAS)
        violations = self.page.evaluate(RUN_AXE)["violations"]
        self.page.evaluate(REFILL_FORMULAS)
        for violation in violations:
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


# In code that is shown, one token of each look (its own colors, and the grounds of all that it
# stands on, in both themes) tells whether it can be read. The others become plain text, which
# halves what axe has to look at; so do those that are folded away, which axe does not look at.
THIN_CODE = """{
  const html = document.documentElement;
  const shown = html.dataset.theme;
  const tokens = [...document.querySelectorAll(".highlight pre span[class]")];
  const looks = tokens.map(token => token.checkVisibility() ? "" : null);
  for (const theme of ["light", "dark"]) {
    html.dataset.theme = theme;
    const grounds = new Map([[null, ""]]);
    const ground = e => {
      if (!grounds.has(e)) {
        const {backgroundColor, opacity} = getComputedStyle(e);
        grounds.set(e, [backgroundColor, opacity, ground(e.parentElement)].join(" "));
      }
      return grounds.get(e);
    };
    tokens.forEach((token, i) => {
      if (looks[i] === null) return;
      const {color, fontSize, fontWeight} = getComputedStyle(token);
      looks[i] += [color, fontSize, fontWeight, ground(token)].join(" ");
    });
  }
  html.dataset.theme = shown;
  const seen = new Set();
  tokens.forEach((token, i) => {
    if (looks[i] === null || seen.has(looks[i])) token.replaceWith(...token.childNodes);
    seen.add(looks[i]);
  });
}"""

# The theme sees to this, but not at once.
SCROLLABLE_BY_KEYBOARD = """() => [...document.querySelectorAll(
  "pre, .cell_output > .output, .pst-scrollable-table-container")].every(e => e.tabIndex === 0
  || (e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight))"""


# The thousands of elements inside a formula are MathJax's, and hidden from screen readers; axe
# takes half of its time to walk through them even if they are excluded. Its rule "region" is slow
# as well, and never serious.
EMPTY_FORMULAS = """for (const e of document.querySelectorAll("mjx-container")) {
  e.inside = [...e.childNodes];
  e.replaceChildren();
}"""

REFILL_FORMULAS = """for (const e of document.querySelectorAll("mjx-container")) {
  e.replaceChildren(...e.inside);
}"""

RUN_AXE = """axe.run(
  {exclude: ["mjx-container"]},
  {preload: false, resultTypes: ["violations"], rules: {region: {enabled: false}}}
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


def search_and_follow(opened):
    """Follow the first result of a search for "saddle", and find the word on its page."""
    result = opened.page.locator("#search-results li a").first
    result.wait_for(timeout=WAIT)
    opened.page.wait_for_load_state("networkidle")  # online, the results are quoted as well
    result.click()
    opened.page.wait_for_load_state()
    assert "saddle" in opened.page.locator("article").inner_text().lower()
    opened.check_no_problems()
