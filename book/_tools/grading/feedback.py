"""A page for each student: the marks, what the checks said, comments; no hidden check."""

from __future__ import annotations

import html
import re

from exercise_source import exercise_number, exercises, name_of
from nbgrader.api import Gradebook

from grading import execute, marks, pages, release, settings


def titles(set_name):
    """Return the titles of a set's exercises by number."""
    source = release.read(settings.source(set_name))
    return {each.number: each.title for each in exercises(source)}


def grades(book, set_name, student):
    """Return a submission's grades by cell: points, most points, and whether marking is due."""
    notebook = book.find_submission_notebook(set_name, set_name, student)
    return {
        g.name: (g.score or 0.0, g.max_score, bool(g.needs_manual_grade)) for g in notebook.grades
    }


def write(set_name, place):
    """Write a page for each student.

    Parameters
    ----------
    set_name : str
    place : callable
        Returns the path of the page for a student's id.

    Returns
    -------
    list of str
        The ids of the students.
    """
    students = []
    with Gradebook(marks.database()) as book:
        for student, notebook in marks.autograded(set_name):
            text = student_page(book, set_name, student, notebook)
            execute.write_whole(place(student), text)
            students.append(student)
    return students


def mark(score, most, due):
    """Return points as HTML."""
    if due:
        return '<span class="mark">not marked yet</span>'
    kind = "full" if score == most else "none" if score == 0 else ""
    return f'<span class="mark {kind}">{pages.points(score)} of {pages.points(most)}</span>'


def student_page(book, set_name, student, notebook):
    """Return one student's page."""
    given, names = grades(book, set_name, student), titles(set_name)
    sums = {}
    for name, (score, most, due) in given.items():
        number = int(re.match(r"q(\d+)", name)[1])
        total = sums.setdefault(number, [0.0, 0.0, False])
        total[0], total[1], total[2] = total[0] + score, total[1] + most, total[2] or due
    score, most = (sum(total[k] for total in sums.values()) for k in (0, 1))
    due = any(total[2] for total in sums.values())
    body = [f"<h1>{html.escape(set_name.replace('_', ' ')).capitalize()}: your marks</h1>"]
    body.append(f"<p>{html.escape(student)} · {mark(score, most, False)} points")
    body.append(", some answers are not marked yet</p>" if due else "</p>")
    submission = book.find_submission(set_name, student)
    if submission.total_seconds_late > 0:
        late = submission.total_seconds_late / 3600
        body.append(f"<p>Handed in {late:.1f} hours after the deadline.</p>")
    rows = [
        (f'<a href="#exercise-{n}">{n} · {html.escape(names.get(n, ""))}</a>', mark(*sums[n]))
        for n in sorted(sums)
    ]
    body.append(pages.table(("Exercise", "Points"), rows, numbers=(1,)))
    if notebook.metadata.get("course", {}).get("events"):
        body.append("<p>While your notebook was graded:</p><ul>")
        shown = [e for e in notebook.metadata["course"]["events"] if "the check itself" not in e]
        body += [f"<li>{html.escape(text)}</li>" for text in shown]
        body.append("</ul>")
    current = None
    for cell in notebook.cells:
        number = exercise_number(cell)
        if number is not None and number != current:
            current = number
            title = html.escape(names.get(number, ""))
            body.append(f'<h2 id="exercise-{number}">{number} · {title}</h2>')
        if number is not None:
            body += cell_parts(book, set_name, student, cell, given)
    return pages.page(f"{set_name}: {student}", "\n".join(body))


def cell_parts(book, set_name, student, cell, given):
    """Return the HTML of one cell of an exercise: an answer, or what a check said."""
    name = name_of(cell)
    data, parts = cell.metadata["nbgrader"], []
    if data.get("solution"):
        parts.append(pages.answer(cell))
        comment = book.find_comment(name, set_name, set_name, student).comment
        if data.get("grade"):
            parts.append(f"<p>{mark(*given[name])}</p>")
        if comment:
            parts.append(f'<div class="comment">{pages.markdown(comment)}</div>')
    elif data.get("grade"):
        what = "Further check" if "HIDDEN TESTS" in cell.source else "Check"
        parts.append(f"<p>{what}: {mark(*given[name])}</p>")
        parts += [pages.output(item) for item in cell.outputs]
    return parts
