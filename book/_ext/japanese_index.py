"""The directive ``{japanese-index}``: the glossary's entries by their Japanese terms.

An entry of the glossary on the same page begins with its Japanese terms in brackets:
``[臨界点、停留点] A point …``. The index has a line for each of these terms, with a link to the
entry, in the order of the syllabary (五十音順); what begins with a Latin letter comes last.

Kanji do not tell how they are read. So the directive's content gives readings in hiragana, one a
line: ``臨界点 りんかいてん``. The build warns of a term without one, and of a reading for no term.
"""

from __future__ import annotations

import re
import unicodedata

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

JAPANESE = re.compile(r"\[([^\]]*)\]")
ROWS = {
    "あ": "あいうえお", "か": "かきくけこ", "さ": "さしすせそ", "た": "たちつてと",
    "な": "なにぬねの", "は": "はひふへほ", "ま": "まみむめも", "や": "やゆよ",
    "ら": "らりるれろ", "わ": "わをん",
}  # fmt: skip
LATIN = "A–Z"


class JapaneseIndexPlace(nodes.General, nodes.Element):
    """The place of the index; `readings` maps terms to hiragana."""


class JapaneseIndex(SphinxDirective):
    """Put the index of the Japanese terms here."""

    has_content = True

    def run(self):
        """Return the placeholder with the readings."""
        readings = dict(line.rsplit(maxsplit=1) for line in self.content if line.strip())
        place = JapaneseIndexPlace(readings=readings)
        self.set_source_info(place)
        return [place]


def plain(text: str) -> str:
    """Return the key of a reading or a term in kana: hiragana without voicing marks.

    Examples
    --------
    >>> plain("バイアス"), plain("がくしゅうりつ")
    ('はいあす', 'かくしゆうりつ')
    """
    small = str.maketrans("ぁぃぅぇぉっゃゅょゎ", "あいうえおつやゆよわ")
    hiragana = "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヴ" else c for c in text)
    marks = unicodedata.normalize("NFD", hiragana)
    return "".join(c for c in marks if "ぁ" <= c <= "ん").translate(small)


def needs_reading(term: str) -> bool:
    """Tell whether a term begins with a kanji."""
    return "CJK UNIFIED IDEOGRAPH" in unicodedata.name(term[0], "")


def row_of(key: str) -> str:
    """Return the row of the syllabary, ``"あ"`` to ``"わ"``, or ``"A–Z"`` without any kana."""
    return next((row for row, kana in ROWS.items() if key[:1] and key[0] in kana), LATIN)


def japanese_terms(document) -> list[tuple[str, str]]:
    """Return pairs of a Japanese term and the entry of the glossary that it belongs to."""
    found = []
    for glossary in document.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            term = next(item.findall(nodes.term)).astext()
            match = JAPANESE.match(next(item.findall(nodes.definition)).astext())
            found += [(word, term) for word in (match[1].split("、") if match else [])]
    return found


def sorted_terms(pairs, readings) -> dict[str, list[tuple[str, str]]]:
    """Return the pairs of each row of the syllabary, in order."""

    def key(pair):
        word = pair[0]
        begins_latin = word[0].isascii()
        return "" if begins_latin else plain(readings.get(word, word))

    rows = {row: [] for row in (*ROWS, LATIN)}
    for pair in sorted(pairs, key=lambda pair: (key(pair), pair[0].casefold(), pair[1])):
        rows[row_of(key(pair))].append(pair)
    return {row: found for row, found in rows.items() if found}


class FillJapaneseIndex(SphinxTransform):
    """Replace the placeholder by the lists."""

    default_priority = 500

    def apply(self, **kwargs):
        """Fill in every index of the page."""
        for place in list(self.document.findall(JapaneseIndexPlace)):
            pairs, readings = japanese_terms(self.document), place["readings"]
            words = {word for word, _ in pairs}
            missing = [w for w in words if needs_reading(w) and w not in readings]
            for word in sorted(missing):
                logger.warning("Japanese index: %s has no reading", word, location=place)
            for word in sorted(set(readings) - words):
                logger.warning("Japanese index: no entry has the term %s", word, location=place)
            index = nodes.container(classes=["japanese-index"])
            for row, found in sorted_terms(pairs, readings).items():
                index += nodes.paragraph("", "", nodes.strong("", row))
                index += nodes.bullet_list("", *(self.item(*pair) for pair in found))
            place.replace_self(index)

    def item(self, word, term):
        """Return a line: the Japanese term, and a link to the entry."""
        link = addnodes.pending_xref(
            "", nodes.inline("", term), refdomain="std", reftype="term", reftarget=term,
            refdoc=self.env.docname, refexplicit=True, refwarn=True,
        )  # fmt: skip
        return nodes.list_item("", nodes.paragraph("", "", nodes.Text(f"{word} "), link))


def setup(app):
    """Connect the extension to Sphinx."""
    app.add_node(JapaneseIndexPlace)
    app.add_directive("japanese-index", JapaneseIndex)
    app.add_transform(FillJapaneseIndex)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
