"""Every source is cited on a page, and every citation has its source."""

import json
import re
from pathlib import Path

BOOK = Path(__file__).resolve().parents[2] / "book"
CITATION = re.compile(r"\{cite(?::[a-z]+)?\}`([^`]+)`")
KEY = re.compile(r"^@\w+\{([^,\s]+),", re.M)


def page_texts():
    """Return the text of each page but the bibliography."""
    for path in sorted(BOOK.rglob("*.md")):
        if path.name != "bibliography.md":
            yield path.read_text(encoding="utf-8")
    for path in sorted(BOOK.rglob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        yield "\n".join("".join(cell["source"]) for cell in cells)


def test_sources_and_citations_match():
    keys = KEY.findall((BOOK / "references.bib").read_text(encoding="utf-8"))
    found = [name for text in page_texts() for names in CITATION.findall(text) for name in
             re.split(r"[,\s]+", names)]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert set(found) == set(keys)


def test_bibliography_says_how_the_five_papers_were_read():
    text = (BOOK / "bibliography.md").read_text(encoding="utf-8")
    entries = re.findall(r"^\*\*Part (\d), \{cite:t\}`(\w+)`\.\*\*(.*?)(?=\n\n)", text, re.M | re.S)
    assert [part for part, _, _ in entries] == list("12345")
    for _, key, entry in entries:
        assert f"{{cite:t}}`{key}` |" in text
        assert all(f"*{word}:*" in entry for word in ("Read", "Taken from it", "Ours", "Look up"))
