"""Grading that was interrupted goes on with the rest, and late work is dated.

The tests are the chapters of one story and follow each other.
"""

import csv
import os
import re
import signal
import subprocess
import sys

import pytest
from students import ROOT, SET, ordinary, solved, text, write

pytest.importorskip("nbgrader")

CLASS = list(ordinary())[:4]


NAMES = """\
id,name
ada,Ada Lovelace
bela,"Bartók, Béla"
carl,
dora,Dora
zeno,Zeno of Elea
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory, grade):
    """Return a class whose submissions are collected, half of them late, but not graded."""
    folder = tmp_path_factory.mktemp("resume")
    write(folder / "in", CLASS)
    last = folder / "in" / CLASS[-1].place  # is still running whenever grading is interrupted
    slow = last.read_text().replace("border = 2", '__import__(\\"time\\").sleep(5)\\nborder = 2')
    last.write_text(slow)
    for number, each in enumerate(CLASS):
        time_in = 1_800_000_000 + 7200 * (number % 2)
        os.utime(folder / "in" / each.place, (time_in, time_in))
    (folder / "class").mkdir()
    (folder / "class" / "students.csv").write_text(NAMES, encoding="utf-8")
    grade(folder / "class", "release", SET, "--due", "2027-01-15 09:00 UTC")
    grade(folder / "class", "collect", SET, "--from", str(folder / "in"))
    return folder / "class"


def test_interrupted_grading_goes_on(course, grade):
    environment = dict(os.environ, COURSE_GRADING=str(course), PYTHONUNBUFFERED="1")
    command = [sys.executable, str(ROOT / "book/_tools/grade.py"), "grade", SET, "--jobs", "1"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    )  # fmt: skip
    first = process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    said, complaints = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "interrupted; run make grade again" in complaints
    assert "Traceback" not in complaints
    assert re.match(r" +1 of 4: \w+ \(\d+ s\)", first), first + said
    assert not list(course.glob("autograded/*"))
    said = grade(course, "grade", SET, "--jobs", "1")
    assert 1 <= said.count("(as before)") < 4
    for each in CLASS:
        assert re.search(rf"^{each.student}: {each.marks:g} of 10", said, re.M)


def test_late_work_is_dated(course):
    report = (course / "report" / f"{SET}.html").read_text(encoding="utf-8")
    rows = dict(re.findall(r"<tr><td><a [^>]*>(\w+)</a></td>(.*?)</tr>", report))
    for number, each in enumerate(CLASS):
        assert ("1.0 h" in rows[each.student]) == bool(number % 2)


def test_one_student_alone_and_again(course, grade):
    said = grade(course, "grade", SET, "--student", "ada", "--again")
    assert "1 of 1: ada (" in said and "as before" not in said


def test_marks_by_hand_survive_grading_again(course, grade):
    table = course / "marks" / f"{SET}.csv"
    text = table.read_text(encoding="utf-8-sig")
    table.write_text(text.replace("ada,q4,1,,", "ada,q4,1,0.5,all curves alike"), encoding="utf-8")
    grade(course, "grade", SET, "--again")
    assert "ada,q4,1,0.5,all curves alike" in table.read_text(encoding="utf-8-sig")
    grade(course, "feedback", SET, "--partial")
    page = (course / "feedback" / "ada" / SET / f"{SET}.html").read_text(encoding="utf-8")
    assert "all curves alike" in page and "0.5 of 1" in page


def test_a_new_answer_must_be_marked_anew(course, grade, tmp_path):
    table = course / "marks" / f"{SET}.csv"
    write(tmp_path, CLASS[:1])
    path = tmp_path / CLASS[0].place
    path.write_text(path.read_text().replace("(2, 4, 6, 8)", "(2, 5, 8)"))
    os.utime(path, (1_800_100_000, 1_800_100_000))
    grade(course, "collect", SET, "--from", str(tmp_path))
    grade(course, "grade", SET)
    row = next(r for r in table.read_text("utf-8-sig").splitlines() if r.startswith("ada,q4"))
    assert row.startswith("ada,q4,1,,all curves alike") and "another answer than the one" in row


def test_table_has_names_and_those_who_are_missing(course):
    with (course / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"ada", "bela", "carl", "dora", "zeno"}
    assert rows["ada"]["last_name"] == "Lovelace" and rows["zeno"]["first_name"] == "Zeno of"
    assert (rows["bela"]["first_name"], rows["bela"]["last_name"]) == ("Béla", "Bartók")
    assert float(rows["zeno"]["score"]) == 0 and rows["zeno"]["timestamp"] == ""
    assert float(rows["dora"]["score"]) >= 7


def test_a_blank_answer_loses_the_mark_for_the_one_before(course, grade, tmp_path):
    from nbgrader.api import Gradebook

    table = course / "marks" / f"{SET}.csv"
    rows = table.read_text(encoding="utf-8-sig").splitlines()
    rows = [
        ",".join([*r.split(",")[:3], "0.5", *r.split(",")[4:]]) if "q4" in r else r for r in rows
    ]
    table.write_text("\n".join(rows), encoding="utf-8")
    grade(course, "feedback", SET, "--partial")
    path = tmp_path / "dora.ipynb"
    path.write_text(text(solved("dora", without=["q4", "q5"])))
    os.utime(path, (1_800_200_000, 1_800_200_000))
    grade(course, "collect", SET, "--from", str(tmp_path))
    grade(course, "grade", SET)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        left = book.find_grade("q4", SET, SET, "dora")
        assert left.manual_score is None and left.score == 0 and not left.needs_manual_grade
        assert book.find_grade("q4", SET, SET, "bela").manual_score == 0.5


def test_marks_given_in_nbgraders_page_count(course, grade):
    from nbgrader.api import Gradebook

    table = course / "marks" / f"{SET}.csv"
    waiting = [r.split(",")[:2] for r in table.read_text("utf-8-sig").splitlines()[1:]]
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        for student, name in waiting:
            grade_cell = book.find_grade(name, SET, SET, student)
            grade_cell.manual_score, grade_cell.needs_manual_grade = 0.25, False
        book.db.commit()
    rows = table.read_text("utf-8-sig").splitlines()
    cleared = [",".join([*r.split(",")[:3], "", *r.split(",")[4:]]) for r in rows[1:]]
    table.write_text("\n".join([rows[0], *cleared]), encoding="utf-8")
    grade(course, "feedback", SET)
