"""The glossary is in order, has a Japanese term for each entry, and an index of these."""

import re
from pathlib import Path

import japanese_index
import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "book/glossary.md").read_text(encoding="utf-8")
BODY = SOURCE.split("```{glossary}\n")[1].split("\n```\n")[0]
ENTRIES = re.findall(r"^(\S.*)\n  (.*(?:\n  .*)*)", BODY, re.M)
SCRIPT = re.compile(r"[぀-ヿ㐀-鿿]")


def test_terms_are_in_alphabetical_order():
    terms = [term for term, _ in ENTRIES]
    assert len(terms) > 150 and terms == sorted(terms, key=str.casefold)


@pytest.mark.parametrize(("term", "text"), ENTRIES, ids=[term for term, _ in ENTRIES])
def test_entry_has_a_japanese_term_and_a_short_definition(term, text):
    words, definition = re.fullmatch(r"\[([^\]]*)\] (.*)", text, re.S).groups()
    assert SCRIPT.search(words), f"{term}: {words}"
    assert definition.endswith((".", ")")) and len(definition.split()) < 75


def test_order_of_the_syllabary():
    pairs = [
        ("鞍点", "a"),
        ("バイアス", "b"),
        ("幅", "c"),
        ("Adam", "d"),
        ("がく", "e"),
        ("かこ", "f"),
    ]
    rows = japanese_index.sorted_terms(pairs, {"鞍点": "あんてん", "幅": "はば"})
    assert rows == {
        "あ": [("鞍点", "a")],
        "か": [("がく", "e"), ("かこ", "f")],
        "は": [("バイアス", "b"), ("幅", "c")],
        "A–Z": [("Adam", "d")],
    }


PAGE = """\
# Page

```{glossary}
critical point
  [臨界点、停留点] A point.

Adam
  [Adam] A method.
```

```{japanese-index}
臨界点 りんかいてん
鞍点 あんてん
```
"""


def test_index_links_entries_and_misses_readings(tmp_path):
    from io import StringIO

    from sphinx.application import Sphinx

    (tmp_path / "index.md").write_text(PAGE, encoding="utf-8")
    warnings = StringIO()
    app = Sphinx(
        tmp_path, None, tmp_path / "out", tmp_path / "doctrees", "html", status=None,
        warning=warnings,
        confoverrides={"extensions": ["myst_nb", "japanese_index"], "nb_execution_mode": "off"},
    )  # fmt: skip
    app.build()
    html = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    index = html[html.index("japanese-index") :]
    assert re.search(r'臨界点 <a [^>]*href="#term-critical-point"', index)
    assert index.index("Adam") > index.index("臨界点")
    said = warnings.getvalue()
    assert "停留点 has no reading" in said and "no entry has the term 鞍点" in said


def test_index_of_the_book_is_complete(html_folder):
    html = (html_folder / "book/glossary.html").read_text(encoding="utf-8")
    index = html[html.index("japanese-index") :]
    items = re.findall(r"<li><p>(.*?) <a ", index)
    words = [word for _, text in ENTRIES for word in text[1:].split("]")[0].split("、")]
    assert sorted(items) == sorted(words)
