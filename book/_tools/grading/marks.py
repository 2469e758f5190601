"""Marks given by hand: a page to read the answers side by side, a table to write the points into.

``make grade`` writes ``grading/marks/SET.html`` and ``grading/marks/SET.csv``. The instructor fills
in the columns points and comment with any spreadsheet; ``make feedback`` takes them over into the
gradebook. What is filled in already is kept when grading runs again, except where the student has
handed in another answer since: then the row says so.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io

from exercise_source import complete, exercise_number, exercises, name_of, role
from nbgrader.api import Gradebook, MissingEntry

from grading import execute, pages, release, settings, tables

COLUMNS = ("student", "exercise", "most", "points", "comment", "answer", "note")


def csv_path(set_name):
    """Return where the table of a set is."""
    return settings.grading_folder() / "marks" / f"{set_name}.csv"


def database():
    """Return the address of the gradebook."""
    return f"sqlite:///{settings.grading_folder()}/gradebook.db"


def autograded(set_name):
    """Yield the students whose notebooks have been graded, with the notebooks."""
    folder = settings.grading_folder() / "autograded"
    for path in sorted(folder.glob(f"*/{set_name}/{set_name}.ipynb")):
        yield path.parts[-3], release.read(path)


def hand_marked(set_name):
    """Return the names of the cells that are marked by hand, with most points and rubric."""
    cells = release.read(settings.source(set_name)).cells
    rubrics = {c.metadata["course"]["of"]: c.source for c in cells if role(c) == "rubric"}
    found = {}
    for cell in cells:
        data = cell.metadata.get("nbgrader", {})
        if data.get("grade") and data.get("solution"):
            name = data["grade_id"]
            found[name] = (data["points"], cell, rubrics.get(name, ""))
    return found


def is_unchanged(cell, blank):
    """Tell whether an answer is still what the student was given."""
    return "".join(cell.source.split()) == "".join(blank.get(name_of(cell), "").split())


def blank_answers(set_name):
    """Return the sources of the answer cells as students get them."""
    student = release.student_version(release.read(settings.source(set_name)), set_name)
    return {name_of(cell): cell.source for cell in student.cells if name_of(cell)}


def digest(cell):
    """Return a short hash of an answer, by which a changed one is noticed."""
    mark = hashlib.sha256(cell.source.encode(errors="surrogatepass")).hexdigest()
    return f"answer-{mark[:12]}"  # a text, also for a spreadsheet


def read_rows(set_name):
    """Return the rows of the table by student and exercise.

    Raises
    ------
    CannotGrade
        If the table has other columns.
    """
    path = csv_path(set_name)
    if not path.is_file():
        return {}
    rows = tables.read(path)
    missing = {"student", "exercise", "points", "comment"} - set(rows[0] if rows else COLUMNS)
    if missing:
        raise settings.CannotGrade(f"{path} has no column {', '.join(sorted(missing))}")
    ids = {student for student, _ in autograded(set_name)}
    short = {student.lstrip("0"): student for student in ids}  # spreadsheets drop zeros
    for row in rows:
        student = row["student"].strip().lower()
        row["student"] = student if student in ids else short.get(student.lstrip("0"), student)
    return {(row["student"], row["exercise"].strip()): row for row in rows}


def write(set_name):
    """Write the table and the page for marking by hand, keeping what is filled in.

    Returns
    -------
    int
        How many answers still have to be marked.
    """
    old, blank, cells = read_rows(set_name), blank_answers(set_name), hand_marked(set_name)
    rows, answers = [], {name: [] for name in cells}
    for student, notebook in autograded(set_name):
        for cell in notebook.cells:
            name = name_of(cell)
            if name not in cells or is_unchanged(cell, blank):
                continue
            row = {"student": student, "exercise": name, "most": pages.points(cells[name][0])}
            row |= {"points": "", "comment": "", "answer": digest(cell), "note": ""}
            before = old.get((student, name))
            if before:
                row |= {key: before[key] or "" for key in ("points", "comment")}
                if before.get("answer") not in (row["answer"], None):
                    row["note"] = (
                        f"another answer than the one given {row['points'] or 'no'} points"
                    )
                    row["points"] = ""
                else:
                    row["note"] = before.get("note") or ""
            rows.append(row)
            answers[name].append((student, row, cell))
    forget_marks(set_name, old, {(row["student"], row["exercise"]): row for row in rows})
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    execute.write_whole(csv_path(set_name), "\ufeff" + out.getvalue())
    execute.write_whole(
        csv_path(set_name).with_suffix(".html"), marking_page(set_name, cells, answers)
    )
    return sum(1 for row in rows if not row["points"].strip())


def forget_marks(set_name, old, new):
    """Take marks by hand out of the gradebook where they were for another answer than the present.

    Parameters
    ----------
    set_name : str
    old, new : dict
        Rows of the table by student and exercise, before and now.
    """
    with Gradebook(database()) as book:
        for (student, name), before in old.items():
            now = new.get((student, name))
            if now and before.get("answer") in (now["answer"], None):
                continue
            try:
                grade = book.find_grade(name, set_name, set_name, student)
            except MissingEntry:
                continue
            grade.manual_score, grade.needs_manual_grade = None, now is not None
        book.db.commit()


def marked_elsewhere(set_name, place):
    """Tell whether the gradebook has a mark by hand already, from nbgrader's own page."""
    with Gradebook(database()) as book:
        grade = book.find_grade(place[1], set_name, set_name, place[0])
        return grade.manual_score is not None and not grade.needs_manual_grade


def marking_page(set_name, cells, answers):
    """Return the page with all answers to each exercise, and its rubric and model answer."""
    source = release.read(settings.source(set_name))
    names = {each.number: f"{each.number} · {each.title}" for each in exercises(source)}
    body = [f"<h1>{html.escape(set_name)}: answers to be marked by hand</h1>"]
    body.append(
        f"<p>Write points and comments into <code>{csv_path(set_name).name}</code> beside this "
        "page, then run <code>make feedback</code>.</p>"
    )
    for name, (most, model, rubric) in cells.items():
        title = html.escape(names.get(exercise_number(model), ""))
        body.append(f"<h2>{title}</h2><p>{name}, {pages.points(most)} point{'s' * (most != 1)}</p>")
        body.append(f"<h3>Rubric</h3>{pages.markdown(rubric)}")
        shown = complete(model)
        body.append("<details><summary>Model answer</summary>")
        body.append(pages.markdown(shown) if model.cell_type == "markdown" else pages.code(shown))
        body.append("</details>")
        for student, row, cell in answers[name]:
            state = f"{row['points']} of {row['most']}" if row["points"] else "not marked"
            body.append(f"<h3>{html.escape(student)} · {html.escape(state)}</h3>")
            body.append(pages.answer(cell))
    return pages.page(f"{set_name}: marking by hand", "\n".join(body))


def take_over(set_name, partial=False):
    """Put the marks of the table into the gradebook.

    Parameters
    ----------
    set_name : str
    partial : bool
        Go on although some answers have no points yet.

    Returns
    -------
    missing : list of str
        Answers without points.

    Raises
    ------
    CannotGrade
        If points are no number between 0 and the most there are, a row belongs to no answer, or
        points are missing and `partial` is false.
    """
    rows, cells, wrong, missing, marks = read_rows(set_name), hand_marked(set_name), [], [], []
    answers = {
        (student, name_of(cell)): cell
        for student, notebook in autograded(set_name)
        for cell in notebook.cells
    }
    for (student, name), row in rows.items():
        place = f"{student}, {name}"
        if name not in cells or (student, name) not in answers:
            wrong.append(f"{place}: there is no such answer")
            continue
        text = (row["points"] or "").strip().replace(",", ".")
        if not text:
            if not marked_elsewhere(set_name, (student, name)):
                missing.append(place)
            continue
        try:
            given = float(text)
        except ValueError:
            given = -1.0
        if not 0 <= given <= cells[name][0]:
            most = pages.points(cells[name][0])
            wrong.append(f"{place}: points must be a number from 0 to {most}; got {text!r}")
            continue
        marks.append((student, name, given, (row["comment"] or "").strip()))
    if wrong:
        raise settings.CannotGrade(f"{csv_path(set_name)}:\n  " + "\n  ".join(wrong))
    if missing and not partial:
        raise settings.CannotGrade(
            f"{csv_path(set_name)} has no points yet for\n  "
            + "\n  ".join(missing)
            + "\nFill them in, or add PARTIAL=1 to return what is marked."
        )
    with Gradebook(database()) as book:
        for student, name, given, comment in marks:
            grade = book.find_grade(name, set_name, set_name, student)
            grade.manual_score, grade.needs_manual_grade = given, False
            book.find_comment(name, set_name, set_name, student).manual_comment = comment or None
        book.db.commit()
    return missing


def write_grades(path):
    """Write the table of all grades of a class, with the columns of nbgrader's own export."""
    columns = ("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name")
    columns += ("email", "raw_score", "late_submission_penalty", "score", "max_score")
    out = io.StringIO()
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    with Gradebook(database()) as book:
        for assignment in book.assignments:
            for student in sorted(book.students, key=lambda each: each.id):
                row = {"assignment": assignment.name, "duedate": assignment.duedate or ""}
                row |= {"student_id": student.id}
                for key in ("last_name", "first_name", "email"):
                    row[key] = tables.harmless(getattr(student, key) or "")
                row |= {"timestamp": "", "raw_score": 0.0, "late_submission_penalty": 0.0}
                row |= {"score": 0.0, "max_score": assignment.max_score}
                try:
                    submission = book.find_submission(assignment.name, student.id)
                except MissingEntry:
                    writer.writerow(row)  # nothing handed in
                    continue
                penalty = submission.late_submission_penalty or 0.0
                row |= {"timestamp": submission.timestamp or "", "raw_score": submission.score}
                row |= {"late_submission_penalty": penalty}
                row |= {"score": max(0.0, submission.score - penalty)}
                writer.writerow(row)
    execute.write_whole(path, out.getvalue())
