"""Pages that need nothing but a browser: cells as HTML, formulas as MathML, pictures inside."""

from __future__ import annotations

import html
import re
from functools import cache

import bleach
import latex2mathml.converter
from nbconvert.filters import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import Python3Lexer

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #f3f4f6; --line: #c9ced6;
  --good: #1a6b35; --bad: #a4262c; --accent: #1f4e8c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --paper: #16191d; --soft: #22262c; --line: #454c56; --good: #7bd197;
    --bad: #ff9a9f; --accent: #8ab8f5; }
  img { background: #fff; } }
* { box-sizing: border-box; }
body { font: 1rem/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 52rem; margin: 0 auto; padding: 1rem; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.25; } h2 { margin-top: 2.2rem; border-top: 1px solid var(--line);
  padding-top: 1rem; }
a { color: var(--accent); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; } td.number, th.number { text-align: right; white-space: nowrap; }
pre { background: var(--soft); padding: .7rem .9rem; overflow-x: auto; border-radius: .3rem;
  font-size: .9rem; line-height: 1.4; }
.message { border-left: .3rem solid var(--bad); padding: .3rem .8rem; background: var(--soft); }
.comment { border-left: .3rem solid var(--accent); padding: .3rem .8rem; background: var(--soft); }
.mark { font-weight: 600; } .full { color: var(--good); } .none { color: var(--bad); }
.scroll { overflow-x: auto; } img { max-width: 100%; height: auto; } math { font-size: 1.05em; }
@media print { body { max-width: none; } pre { white-space: pre-wrap; } }
"""


LONGEST = 30_000  # letters of an answer on a page
TEXT_TAGS = (
    "a blockquote br code del div em h1 h2 h3 h4 h5 h6 hr li ol p pre span strong table tbody "
    "td th thead tr ul"
)
MATH_TAGS = (
    "math menclose mfrac mi mn mo mover mpadded mphantom mroot mrow mspace msqrt mstyle msub "
    "msubsup msup mtable mtd mtext mtr munder munderover"
)
MATH_ATTRIBUTES = (
    "accent accentunder columnalign columnspacing depth display fence form height largeop "
    "linebreak linethickness lspace mathsize mathvariant maxsize minsize movablelimits "
    "notation rowspacing rspace scriptlevel separator stretchy symmetric width xmlns"
)


def allowed(tag, name, value):
    """Tell whether an attribute may stay: nothing that runs, fetches or covers the page."""
    if tag == "a":
        return name == "href"
    return name == "class" if tag in TEXT_TAGS.split() else name in MATH_ATTRIBUTES.split()


def formula(source, block):
    """Return a formula as MathML; one that cannot be read stays as it was written."""
    try:
        return latex2mathml.converter.convert(source, display="block" if block else "inline")
    except Exception:  # the converter raises errors of many kinds on what students may write
        mark = "$$" if block else "$"
        return f"<code>{html.escape(mark + source + mark)}</code>"


class Renderer(IPythonRenderer):
    """Markdown as HTML, formulas as MathML, and the student's own HTML as text."""

    def inline_math(self, body):
        """Return a formula in a line."""
        return formula(body.strip("$"), block=False)

    def block_math(self, body):
        """Return a formula on a line of its own."""
        return f'<div class="scroll">{formula(body.strip("$").strip(), block=True)}</div>'

    def image(self, text, url, title=None):
        """Return a picture's name: a page must not fetch anything."""
        return f"<em>[picture: {html.escape(text or url)}]</em>"


def markdown(source):
    """Return Markdown as HTML that runs nothing and fetches nothing."""
    return bleach.clean(
        MarkdownWithMath(renderer=Renderer(escape=True)).render(shortened(source)),
        tags={*TEXT_TAGS.split(), *MATH_TAGS.split()},
        attributes=allowed,
        protocols=("http", "https", "mailto"),
    )


def shortened(source):
    """Return a source of reasonable length; what is left out is said."""
    if len(source) <= LONGEST:
        return source
    return f"{source[:LONGEST]}\n\n[{len(source) - LONGEST} more characters are in the notebook]"


@cache
def code_style():
    """Return the colors of code for light and dark screens."""
    light = HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(".code")
    dark = HtmlFormatter(style="a11y-high-contrast-dark").get_style_defs(".code")
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}"


def code(source):
    """Return Python code as HTML."""
    return highlight(shortened(source), Python3Lexer(), HtmlFormatter(cssclass="code"))


def output(item):
    """Return one output of a cell as HTML: texts and pictures only."""
    if item["output_type"] == "stream":
        return f"<pre>{html.escape(shortened(strip_ansi(item['text'])))}</pre>"
    if item["output_type"] == "error":
        name = "" if item["ename"] == "CheckFailed" else f"{item['ename']}: "
        last = strip_ansi(name + item["evalue"])
        return f'<p class="message">{html.escape(last)}</p>'
    picture = item["data"].get("image/png")
    if picture and re.fullmatch(r"[A-Za-z0-9+/=\s]+", picture):
        return f'<img alt="picture drawn by the cell" src="data:image/png;base64,{picture}">'
    return f"<pre>{html.escape(item['data'].get('text/plain', ''))}</pre>"


def answer(cell):
    """Return an answer, written or programmed, with its outputs."""
    if cell.cell_type == "markdown":
        return markdown(cell.source)
    return code(cell.source) + "".join(output(item) for item in cell.outputs)


def points(number):
    """Return points without needless digits."""
    return f"{number:g}"


def table(header, rows, numbers=()):
    """Return a table; cells are HTML, columns in `numbers` are aligned to the right."""

    def line(cells, tag):
        parts = []
        for k, cell in enumerate(cells):
            kind = ' class="number"' if k in numbers else ""
            parts.append(f"<{tag}{kind}>{cell}</{tag}>")
        return f"<tr>{''.join(parts)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    head = f"<thead>{line(header, 'th')}</thead>"
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def page(title, body):
    """Return a whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title>"
        f"<style>{STYLE}{code_style()}</style></head><body>{body}</body></html>\n"
    )
