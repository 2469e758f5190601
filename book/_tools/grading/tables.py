"""Tables as spreadsheets save them: commas, semicolons or tabs, UTF-8 or Windows' letters."""

from __future__ import annotations

import csv
import io


def read(path):
    """Return the rows of a table as dictionaries, without empty ones.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of dict
        Texts by column name; a cell that is missing is an empty text.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    first = text.lstrip("\n\r").partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = []
    for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter):
        plain = {(k or "").strip(): v or "" for k, v in row.items() if isinstance(k, str)}
        if any(value.strip() for value in plain.values()):
            rows.append(plain)
    return rows


def harmless(text):
    """Return a text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and text[1:] else text
