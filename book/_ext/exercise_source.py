"""Read an exercise set: what students get of it, its solutions, and its exercises one by one.

A set is one notebook with solutions and hidden checks, in the form of nbgrader. A cell's metadata
``course.role`` is "hint", "solution" or "rubric" where the cell is that. Students get the hints,
folded; solutions and rubrics are taken out, answers become stubs, and of a hidden check only the
comment above it stays.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import nbformat

LABEL = re.compile(r"^\([a-z0-9-]+\)=\n", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\((?:\.\./)+[\w/]+\.(?:ipynb|md)(?:#[\w-]+)?\)")
HEADING = re.compile(
    r"\((?P<label>[a-z0-9-]+)\)=\n## (?P<number>\d+) · (?P<title>.+)\n\n"
    r"\*\*(?P<kind>Derive|Code|Explore|Explain)\*\* · (?P<minutes>\d+) minutes · "
    r"(?P<points>\d+) points? · after \[(?P<page>[^\]]+)\]\((?P<path>[^)]+)\)\n\n"
    r"\*\*Goal\.\*\* (?P<goal>.+?)(?=\n\n|\Z)",
    re.DOTALL,
)
SOLUTION = ("BEGIN SOLUTION", "END SOLUTION")
HIDDEN = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
TEXT_STUB = "*Write your answer here, in place of this line.*"


class Exercise(NamedTuple):
    """One exercise as its heading describes it."""

    label: str
    number: int
    title: str
    kind: str
    minutes: int
    points: float
    page: str
    path: str
    goal: str
    by_hand: float


def is_exercise_set(notebook):
    """Tell whether a notebook is an exercise set."""
    return any("nbgrader" in cell.metadata for cell in notebook.cells)


def role(cell):
    """Return a cell's role in the source: "hint", "solution", "rubric" or ""."""
    return cell.metadata.get("course", {}).get("role", "")


def name_of(cell):
    """Return the name that grading knows a cell by, or None."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def is_answer(cell):
    """Tell whether a cell is for the student to fill in."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def exercise_number(cell):
    """Return the number of the exercise that a cell of grading belongs to, or None."""
    found = re.match(r"q(\d+)", name_of(cell) or "")
    return int(found[1]) if found else None


def regions(source, marks):
    """Split a source at its marked regions.

    Parameters
    ----------
    source : str
    marks : tuple of str
        What the first and the last line of a region contain.

    Returns
    -------
    list of (bool, list of str)
        Pieces in order: whether they are inside a region, and their lines.

    Raises
    ------
    ValueError
        If a region does not end, or begins in another one.
    """
    pieces = [(False, [])]
    for line in source.split("\n"):
        if marks[0] in line:
            if pieces[-1][0]:
                raise ValueError(f"a region begins inside another one: {source[:80]!r}")
            pieces.append((True, []))
        elif marks[1] in line:
            pieces.append((False, []))
        else:
            pieces[-1][1].append(line)
    if pieces[-1][0]:
        raise ValueError(f"a region does not end: {source[:80]!r}")
    return pieces


def without_hidden(source):
    """Return a check's source without what is hidden from students."""
    lines = [line for inside, lines in regions(source, HIDDEN) for line in lines if not inside]
    return "\n".join(lines).rstrip()


def solution_of(cell):
    """Return the solution in an answer cell, without the marks around it."""
    pieces = regions(cell.source, SOLUTION)
    return "\n".join(line for inside, lines in pieces for line in lines if inside)


def complete(cell):
    """Return an answer cell's source with its solution, without marks and the dots it replaces."""
    kept = [line for _, lines in regions(cell.source, SOLUTION) for line in lines]
    return "\n".join(line for line in kept if not re.fullmatch(r"\w+ = \.\.\.( *#.*)?", line))


def stub(cell):
    """Return an answer cell's source as students get it."""
    if cell.cell_type == "markdown":
        mark = TEXT_STUB
    else:
        number = exercise_number(cell)
        which = "fill this in" if number is None else f"exercise {number}: answer it"
        mark = f'raise NotImplementedError("{which}, then delete this line")'
    lines = []
    for inside, piece in regions(cell.source, SOLUTION):
        if inside:
            first = next((line for line in piece if line.strip()), "")
            lines.append(first[: len(first) - len(first.lstrip())] + mark)
        else:
            lines += piece
    return "\n".join(lines).rstrip()


def for_students(notebook, set_name, hidden=False):
    """Return the notebook that students get.

    Parameters
    ----------
    notebook : NotebookNode
        The source.
    set_name : str
    hidden : bool
        Whether to keep hidden checks, which grading needs.

    Returns
    -------
    NotebookNode
    """
    cells = []
    for old in notebook.cells:
        if role(old) in ("solution", "rubric"):
            continue
        cell = nbformat.from_dict(old.copy())
        cell.metadata = nbformat.from_dict(dict(old.metadata))
        if is_answer(cell):
            cell.source = stub(old)
        elif cell.cell_type == "markdown":
            cell.source = LINK.sub(r"*\1*", LABEL.sub("", old.source))
            if role(old) == "hint":
                cell.source = f"<details><summary>Hint</summary>\n\n{cell.source}\n\n</details>"
            cell.metadata.pop("course", None)
        elif not hidden:
            cell.source = without_hidden(old.source)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        cells.append(cell)
    metadata = {
        "course": {"set": set_name},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    result = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    result.nbformat_minor = max(5, notebook.nbformat_minor)
    return result


def exercises(notebook):
    """Return the exercises of a set in order.

    Raises
    ------
    ValueError
        If a heading is not of the form that all have.
    """
    points, hands = {}, {}
    for cell in notebook.cells:
        data, number = cell.metadata.get("nbgrader", {}), exercise_number(cell)
        if number is not None and data.get("grade"):
            points[number] = points.get(number, 0) + data["points"]
            hands[number] = hands.get(number, 0) + (data["points"] if data["solution"] else 0)
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "markdown" or not re.search(r"^## ", cell.source, re.MULTILINE):
            continue
        match = HEADING.match(cell.source)
        if match is None:
            raise ValueError(f"the heading is not of the usual form: {cell.source[:200]!r}")
        parts = match.groupdict()
        number = int(parts["number"])
        if points.get(number) != int(parts["points"]):
            raise ValueError(f"exercise {number} says {parts['points']} points, not {points}")
        goal = " ".join(parts["goal"].split())
        found.append(
            Exercise(
                parts["label"], number, parts["title"], parts["kind"], int(parts["minutes"]),
                points[number], parts["page"], parts["path"], goal, hands[number],
            )
        )  # fmt: skip
    return found
