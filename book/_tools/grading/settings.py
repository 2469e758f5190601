"""Where things are, and how long they may take."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "book" / "exercises"
DEFAULT_GRADING = ROOT / "grading"


class CannotGrade(Exception):
    """Something the instructor has to put right; the message says what."""


def grading_folder():
    """Return the folder of a class: ``grading``, or what COURSE_GRADING says."""
    return Path(os.environ.get("COURSE_GRADING") or DEFAULT_GRADING).resolve()


def sets():
    """Return the names of the exercise sets, in the order of the book."""
    from lib import checks

    there = {path.stem for path in SOURCES.glob("*/*.ipynb") if path.stem == path.parent.name}
    return [name for name in checks.SETS if name in there] + sorted(there - set(checks.SETS))


def source(set_name):
    """Return the path of a set's source; the error names the sets there are."""
    path = SOURCES / set_name / f"{set_name}.ipynb"
    if not set_name or not path.is_file():
        raise CannotGrade(f"SET must be one of {', '.join(sets())}; got {set_name!r}")
    return path


def seconds(name, default):
    """Return a limit, which an environment variable can change."""
    text = os.environ.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise CannotGrade(f"{name} must be a positive number of seconds; got {text!r}")
    return value


def printable(text):
    """Return a text without control characters, which a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
