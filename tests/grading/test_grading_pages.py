"""Pages for students and instructors show what was written, and run and fetch nothing."""

import re

import pytest
from students import blank, cell_of, solved, source

pytest.importorskip("nbgrader")

from grading import marks, pages, release, report, restore  # noqa: E402


@pytest.mark.parametrize(
    "text",
    [
        r"$\text{<script>alert(1)</script>}$",
        "```mermaid\n<img src=x onerror=alert(1)>\n```",
        "[x](javascript:alert(1))",
        "[x]\n\n[x]: javascript:alert(1)",
        "<javascript:alert(1)>",
        r"$\href{javascript:alert(1)}{x}$",
        r"$\style{position:fixed;background:url(http://example.org/x)}{x}$",
        "<img src=http://example.org/x onerror=alert(1)>",
        "![p](http://example.org/x.png)",
        "<style>body{display:none}</style><iframe src=x></iframe>",
    ],
)
def test_markdown_runs_and_fetches_nothing(text):
    page = pages.markdown(text)
    assert not re.search(r"<(script|img|style|iframe|svg|object)", page)
    assert not re.search(r"<[^>]*(javascript:|onerror|style=|src=)", page)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"$\frac12$", "<mfrac>"),
        (r"$$\sum_{i=1}^n x_i$$", "<munderover>"),
        ("**bold** and `code`", "<strong>bold</strong> and <code>code</code>"),
        ("[link](https://example.org)", 'href="https://example.org"'),
        ("a < b", "a &lt; b"),
        (r"$\frac{$", "<code>"),
    ],
)
def test_markdown_is_shown(text, wanted):
    assert wanted in pages.markdown(text)


def test_long_answers_are_cut_and_said_to_be():
    assert "70000 more characters are in the notebook" in pages.markdown("x" * 100_000)


@pytest.mark.parametrize("text", ["\x1b[38m", "\x1b[1m" * 1000, "<b>x</b>", "\x00"])
def test_printed_text_is_only_text(text):
    page = pages.output({"output_type": "stream", "name": "stdout", "text": text})
    assert page.startswith("<pre>") and "<b>" not in page and "\x1b[1m" not in page


HARD = [
    "-" * 100_000 + "1",
    "not " * 50_000 + "1",
    "np." * 20_000,
    "x='\\ud800'",
    "x=1\0",
    "(" * 999,
]


@pytest.mark.parametrize("code", HARD, ids=range(len(HARD)))
@pytest.mark.timeout(90)
def test_odd_code_is_compared_and_searched(code):
    notebook = blank()
    cell_of(notebook, "q2").source = code
    cell_of(notebook, "student").source = "\n" * 50_000 + code
    whole, _ = restore.restore(notebook, release.master(source(), "primer"), "primer")
    report.own_work(whole, marks.blank_answers("primer"))
    report.unusual(whole)
    assert report.declared(whole) is None


def test_spaces_are_no_answer():
    notebook = solved("ada", without=["q4", "q5"])
    for name in ("q4", "q5"):
        cell_of(notebook, name).source += "\n \n"
    master = release.master(source(), "primer")
    whole, _ = restore.restore(notebook, master, "primer")
    for name in ("q4", "q5"):
        assert cell_of(whole, name).source == cell_of(master, name).source
