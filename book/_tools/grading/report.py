"""What the instructor should know after grading: marks, what happened, and where to look."""

from __future__ import annotations

import ast
import hashlib
import html
import json
import re

from exercise_source import name_of
from nbgrader.api import Gradebook

from grading import collect, execute, feedback, marks, pages, sandbox, session, settings
from grading.restore import shortened

# Words that an answer to these exercises does not need.
UNUSUAL = re.compile(
    r"\b(?:get_ipython|input_transformers?\w*|builtins|__import__|importlib|ctypes|_thread|sys\.exit|"
    r"sys\.modules|os\._exit|os\.kill|os\.system|os\.fork|subprocess|socket|urllib|requests|"
    r"gradebook|glob|_core|lib\.checks|checks\.\w{1,40}\._\w{1,40}|course_agent|course_codec|CheckFailed|__class__|__eq__|"
    r"(?:open|exec|eval|setattr|globals|write_text|write_bytes)(?=\()|"
    r"(?:checks|np|numpy|lib)(?:\.\w{1,40}){1,4}(?= {0,3}=(?!=)))"
)


def unusual(notebook):
    """Return the unusual words in a student's own code, with the cells they are in."""
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and session.kind_of(cell) not in ("check", "given"):
            for word in UNUSUAL.findall(cell.source):
                found.setdefault(name_of(cell) or "an added cell", {})[word] = None
    return [f"{name} uses {', '.join(words)}" for name, words in found.items()]


def own_work(notebook, blank):
    """Return a hash of a student's programmed answers, or None if there are hardly any.

    Names of variables count, layout and comments do not.
    """
    texts = []
    for cell in notebook.cells:
        if session.kind_of(cell) != "answer" or marks.is_unchanged(cell, blank):
            continue
        if name_of(cell) == "student":
            continue
        try:
            texts.append(ast.dump(ast.parse(cell.source)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            texts.append(cell.source)
    joined = "\n".join(texts)
    return hashlib.sha256(joined.encode()).hexdigest() if len(joined) > 1500 else None


def is_blank(notebook, blank):
    """Tell whether a notebook has no answer at all."""
    return all(
        marks.is_unchanged(cell, blank)
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("solution") and name_of(cell) != "student"
    )


def declared(notebook):
    """Return the id that a notebook was worked with, or None if it cannot be told."""
    for cell in notebook.cells:
        if name_of(cell) == "student":
            found = re.findall(
                r"^[ \t]{0,20}student_id *= *[\"']([^\"'\n]*)[\"']", cell.source, re.M
            )
            return found[-1].strip().lower() if found else None
    return None


def findings(set_name):
    """Return what there is to say of each student, in the order of importance.

    Returns
    -------
    dict
        By student: a dictionary with points, most, due, late, seconds, and the lists "look" (to
        be looked at by a person) and "events" (for information).
    """
    log, blank, work = collect.load_log(set_name), marks.blank_answers(set_name), {}
    latest = collect.choose(set_name, log)
    result = {}
    with Gradebook(marks.database()) as book:
        graded = dict(marks.autograded(set_name))
        for student in sorted({*latest, *graded}):
            entry = {"points": 0.0, "most": 0.0, "due": False, "late": 0.0, "seconds": 0.0}
            entry |= {"look": [], "events": []}
            result[student] = entry
            problems = [e for e in log["files"] if e["student"] == student and e["problem"]]
            entry["look"] += [f"{e['place']!r}: {e['problem']}" for e in problems]
            others = [e for e in log["files"] if e["student"] == student and not e["problem"]]
            if len(others) > 1:
                entry["events"].append(f"handed in {len(others)} times; the latest counts")
            if student not in graded:
                entry["look"].append("nothing could be graded")
                continue
            notebook = graded[student]
            if is_blank(notebook, blank):
                entry["look"].append("no answer is filled in")
            for score, most, due in feedback.grades(book, set_name, student).values():
                entry["points"] += score
                entry["most"] += most
                entry["due"] |= due
            entry["late"] = max(0.0, book.find_submission(set_name, student).total_seconds_late)
            stored = execute.run_path(set_name, student)
            if stored.is_file():
                entry["seconds"] = json.loads(stored.read_text(encoding="utf-8"))["seconds"]
            for text in notebook.metadata.get("course", {}).get("events", []):
                entry["look"].append(text)
            name = declared(notebook)
            if name and name != student:
                text = (
                    f"the notebook was worked as {name!r}, graded with the numbers of {student!r}"
                )
                entry["look"].append(text)
            entry["look"] += unusual(notebook)
            mark = own_work(notebook, blank)
            if mark:
                work.setdefault(mark, []).append(student)
        if any(s not in graded for s in result) and graded:
            most = max(result[s]["most"] for s in graded)
            for student in result:
                result[student]["most"] = result[student]["most"] or most
    for group in work.values():
        for student in group if len(group) > 1 else ():
            others = shortened([s for s in group if s != student])
            result[student]["look"].append(f"all programs are the same as those of {others}")
    return result


def write(set_name):
    """Write the report of a set, ``grading/report/SET.html``, and return what it says as text.

    Beside it, in a folder of the set's name, is a page for each notebook, with marks and messages.
    """
    found, log = findings(set_name), collect.load_log(set_name)
    folder = settings.grading_folder() / "report"
    graded = set(feedback.write(set_name, lambda student: folder / set_name / f"{student}.html"))
    lines, warning = [], sandbox.warning()
    if warning:
        lines.append(warning)
    for student, entry in found.items():
        state = ", marking due" if entry["due"] else ""
        lines.append(
            f"{student}: {pages.points(entry['points'])} of {pages.points(entry['most'])}{state}"
        )
        lines += [f"    look at: {text}" for text in entry["look"]]
    lines += [f"look at: {text}" for texts in log["notes"].values() for text in texts]
    body = [f"<h1>{html.escape(set_name)}: report for the instructor</h1>"]
    if warning:
        body.append(f'<p class="message">{html.escape(warning)}</p>')
    look = [s for s in found if found[s]["look"]]
    body.append(f"<p>{len(found)} students, {len(look)} submissions to look at.</p>")
    rows = []
    for student, entry in found.items():
        late = f"{entry['late'] / 3600:.1f} h" if entry["late"] else ""
        notes = [*entry["look"], *entry["events"]]
        listed = "".join(f"<li>{html.escape(text)}</li>" for text in notes)
        marked = pages.points(entry["points"]) + (" + marking due" if entry["due"] else "")
        page, notebook = html.escape(student), ""
        if student in graded:
            page = f'<a href="{set_name}/{page}.html">{page}</a>'
            path = f"../autograded/{student}/{set_name}/{set_name}.ipynb"
            notebook = f'<a href="{html.escape(path)}">ipynb</a>'
        notes = f"<ul>{listed}</ul>" if notes else ""
        rows.append((page, marked, late, f"{entry['seconds']:.0f} s", notebook, notes))
    header = ("Student", "Points", "Late", "Run", "Notebook", "What happened")
    body.append(pages.table(header, rows, numbers=(1, 2, 3)))
    body += [f"<p>{html.escape(text)}</p>" for texts in log["notes"].values() for text in texts]
    execute.write_whole(
        folder / f"{set_name}.html", pages.page(f"{set_name}: report", "\n".join(body))
    )
    return [settings.printable(line) for line in lines]
