"""The claims ledger shows what the notebooks measured, and refuses to be empty or ambiguous."""

import re

import claims_ledger
import pytest

CARD = re.compile(r'<div [^>]*\bid="claim-([^"]+)"')

CLAIM = {
    "id": "a",
    "statement": "S",
    "source": "P",
    "predicted": 1,
    "measured": 0,
    "interval": None,
    "verdict": "differs",
}

LEDGER = """\
# Ledger

See {{claim}}`two, one`.

```{{claims-tally}}
```

```{{claims-ledger}} {pages}
```
"""


def test_table_links_every_claim_to_its_measurement(tiny_book):
    page = tiny_book.page("ledger")
    for name in ("one", "two"):
        assert f'href="notebook.html#claim-{name}"' in page
        assert f'id="claim-{name}"' in tiny_book.page("notebook")
    assert "2 claims measured by this build: 1 × agrees, 1 × differs, explained." in page
    assert 'class="verdict verdict-differs-explained"' in page
    assert '<span class="ledger-reason">Why: because</span>' in page
    assert r"\(x^2\)" in page and "tex-chtml.js" in page


def test_ledger_shows_some_pages_and_counts_verdicts(tiny_book):
    before = (tiny_book.root / "book/ledger.md").read_text()
    tiny_book.write("book/ledger.md", LEDGER.format(pages="book/note"))
    try:
        built = tiny_book.build()
        assert built.returncode == 0, built.stdout
        page = tiny_book.page("ledger")
        assert 'id="ledger-one"' in page and "2 claims measured" in page
        said = re.search(r"<p>See (.*?)\.</p>", page)[1]
        assert re.sub(r"<[^>]*>", "", said) == "agrees: 1; differs, explained: 2"
        assert 'href="#ledger-two"' in said
        tally = re.search(r'<table class="[^"]*claims-tally.*?</table>', page, re.S)[0]
        rows = [re.findall(r"<p>(.*?)</p>", row) for row in tally.split("<tr")[2:]]
        assert rows == [["", *"21100"], ["The whole book", *"21100"]]
    finally:
        tiny_book.write("book/ledger.md", before)


def test_verdicts_on_another_page_link_to_the_measurement(tiny_book):
    before = (tiny_book.root / "book/index.md").read_text()
    tiny_book.write("book/index.md", before + "\nSee {claim}`two`.\n")
    try:
        built = tiny_book.build()
        assert built.returncode == 0, built.stdout
        assert 'href="notebook.html#claim-two">2</a>' in tiny_book.page("index")
    finally:
        tiny_book.write("book/index.md", before)


@pytest.mark.parametrize(
    ("ledger", "complaint"),
    [
        ("```{claims-ledger} book/other/\n```", "no claims on pages book/other/"),
        ("```{claims-ledger} book/other/\n```", "the claim 'one' is in no table of this page"),
        ("```{claims-ledger}\n```\n\n{claim}`one, three`", "there is no claim 'three'"),
    ],
)
def test_ledger_that_loses_claims_fails_the_build(tiny_book, ledger, complaint):
    before = (tiny_book.root / "book/ledger.md").read_text()
    tiny_book.write("book/ledger.md", f"# Ledger\n\n{ledger}\n")
    try:
        failed = tiny_book.build()
        assert failed.returncode != 0
        assert complaint in failed.stdout
    finally:
        tiny_book.write("book/ledger.md", before)


def test_ledger_follows_the_notebook_and_survives_cached_builds(tiny_book):
    one = {**CLAIM, "id": "fresh", "statement": "A fresh claim"}
    tiny_book.write_notebook(claims=[one])
    for _ in range(2):
        built = tiny_book.build()
        assert built.returncode == 0, built.stdout
        page = tiny_book.page("ledger")
        assert "A fresh claim" in page and "#claim-one" not in page
    (tiny_book.root / "_build/.doctrees/environment.pickle").unlink()
    assert tiny_book.build().returncode == 0
    assert "A fresh claim" in tiny_book.page("ledger")


@pytest.mark.parametrize(
    ("claims", "complaint"),
    [
        ([], "no notebook of the book measures a claim"),
        ([CLAIM, CLAIM], "the claim id 'a' is used 2 times"),
        ([{**CLAIM, "verdict": ""}], "the claim 'a' has no verdict"),
    ],
)
def test_bad_ledger_fails_the_build(tiny_book, claims, complaint):
    tiny_book.write_notebook(claims=claims)
    failed = tiny_book.build()
    assert failed.returncode != 0
    assert complaint in failed.stdout


@pytest.mark.parametrize(
    ("interval", "text"),
    [(None, "–"), ("", "–"), ([0.1, 0.2], "[0.1, 0.2]"), ("[1, 2]", "[1, 2]")],
)
def test_show_interval(interval, text):
    assert claims_ledger.show_interval(interval) == text


def test_inline_text_keeps_formulas_apart():
    kinds = [type(node).__name__ for node in claims_ledger.inline_text(r"so $a$ and \(b\).")]
    assert kinds == ["Text", "math", "Text", "math", "Text"]
    assert claims_ledger.inline_text("5 $")[0].astext() == "5 $"


def test_exponents_do_not_break():
    assert claims_ledger.number_text("[0, 2.996e-6]")[0].astext() == "[0, 2.996e\N{MINUS SIGN}6]"
    assert claims_ledger.number_text("take-off")[0].astext() == "take-off"


def test_ledger_of_the_book_shows_every_claim_of_its_notebooks(html_folder):
    page = (html_folder / "book/synthesis/ledger.html").read_text(encoding="utf-8")
    cards = [
        name
        for path in sorted(html_folder.glob("book/**/*.html"))
        for name in CARD.findall(path.read_text(encoding="utf-8"))
    ]
    assert cards and len(set(cards)) == len(cards), sorted(cards)
    missing = [name for name in cards if f"#claim-{name}" not in page]
    assert missing == []


def test_no_row_of_the_ledger_is_unexplained(html_folder):
    page = (html_folder / "book/synthesis/ledger.html").read_text(encoding="utf-8")
    tables = re.findall(r'<table class="[^"]*claims-ledger.*?</table>', page, re.S)
    rows = [row for table in tables for row in table.split("<tr")[2:]]
    assert len(rows) == len(set(re.findall(r'<tr [^>]*id="ledger-([^"]+)"', page)))
    for row in rows:
        verdict = re.search(r'class="verdict [^>]*>([^<]*)</span>', row)[1]
        reason = re.search(r'class="ledger-reason">Why: (.*?)</span>', row)
        assert verdict != "differs" and (verdict == "agrees" or len(reason[1]) > 20), row
