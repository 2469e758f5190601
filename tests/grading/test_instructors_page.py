"""The instructor's page is followed word for word, on a copy of the repository, to the marks."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from students import CLASS, ROOT, SET, ordinary

pytest.importorskip("nbgrader")

PAGE = (ROOT / "book" / "instructors" / "grading.md").read_text(encoding="utf-8")
BLOCKS = [block.strip() for block in re.findall(r"^```\n(.+?)^```", PAGE, re.M | re.S)]
HAND = {  # points and comments by hand: (exercise, points, comment)
    "q4": ("0.5", "Which curve is which?"),
    "q5": ("1,5", "Good; what does *one* number cost?"),
}
EXPECTED = {each.student: each.marks for each in ordinary()}


def commands(word):
    """Return the commands of the page that begin with a word."""
    return [block for block in BLOCKS if block.startswith(word)]


class Office:
    """A fresh copy of the repository, with an environment in which nothing is missing."""

    def __init__(self, folder):
        self.root = folder / "course"
        self.root.mkdir()
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT, capture_output=True, check=True, text=True,
        ).stdout  # fmt: skip
        for name in filter(None, listed.split("\0")):
            if not (ROOT / name).is_file():
                continue
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.root / name)
        bin = folder / "venv" / "bin"
        bin.mkdir(parents=True)
        (bin / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (bin / "python").chmod(0o755)
        for stamp in ("book", "grading"):
            (bin.parent / f".{stamp}-installed").touch()
        self.environment = dict(os.environ, MAKEFLAGS=f"VENV={bin.parent}")
        self.environment.pop("COURSE_GRADING", None)

    def run(self, command, code=0):
        """Run a command as it stands on the page."""
        done = subprocess.run(
            command, shell=True, cwd=self.root, env=self.environment,
            capture_output=True, text=True,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    def fill_in(self):
        """Write points and comments into the table, as a spreadsheet would save it."""
        path = self.root / "grading" / "marks" / f"{SET}.csv"
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        rows = list(csv.DictReader(lines, delimiter=";" if ";" in lines[0] else ","))
        for row in rows:
            row["points"], row["comment"] = HAND[row["exercise"]]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0], delimiter=";")
            writer.writeheader()
            writer.writerows(rows)
        return {(row["student"], row["exercise"]) for row in rows}


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """Follow the page up to the marking by hand."""
    place = Office(tmp_path_factory.mktemp("office"))
    place.said = {}
    for word in ("cp -r", "make release", "make collect", "make grade"):
        (command,) = commands(word)
        place.said[word] = place.run(command)
    return place


def test_the_page_has_every_command():
    assert [block.split()[0] for block in BLOCKS if not block.startswith("id,")] == [
        "make", "make", "make", "make", "cp",
    ]  # fmt: skip


def test_the_class_is_what_its_program_writes():
    files = {path.name: path.read_text(encoding="utf-8") for path in CLASS.iterdir()}
    assert files == {each.place: each.content for each in ordinary()}
    assert len(files) == 12


def test_released_notebook_has_no_solutions(office):
    path = office.root / "grading" / "release" / SET / f"{SET}.ipynb"
    text = path.read_text(encoding="utf-8")
    for word in ("SOLUTION", "HIDDEN", "descend_edges", "steps_to_leave_far", "rubric"):
        assert word not in text
    nbformat.validate(nbformat.read(path, as_version=4))


def test_grading_lists_everybody(office):
    for student in EXPECTED:
        assert re.search(rf"^{student}: ", office.said["make grade"], re.M)
    assert "worked as 'ada'" in office.said["make grade"]
    for each in ordinary():
        _, _, told = office.said["make grade"].partition(f"\n{each.student}: ")
        for pattern in each.look:
            assert re.search(pattern, re.split(r"\n\S", told)[0])


def test_links_of_the_report_lead_somewhere(office):
    report = office.root / "grading" / "report" / f"{SET}.html"
    links = re.findall(r'href="([^"]*)"', report.read_text(encoding="utf-8"))
    assert len(links) == 2 * len(EXPECTED)
    assert all((report.parent / link).is_file() for link in links)


def test_marks_end_in_the_table(office):
    page = office.root / "grading" / "marks" / f"{SET}.html"
    assert "Rubric" in page.read_text(encoding="utf-8")
    (command,) = commands("make feedback")
    refused = office.run(command, code=2)
    assert "no points yet" in refused and "ada, q4" in refused
    by_hand = office.fill_in()
    assert ("felix", "q4") not in by_hand and ("ida", "q5") in by_hand
    office.run(command)
    with (office.root / "grading" / "grades.csv").open(newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert rows.keys() == EXPECTED.keys()
    points = {"q4": 0.5, "q5": 1.5}
    for student, marks in EXPECTED.items():
        hand = sum(points[name] for name in points if (student, name) in by_hand)
        assert float(rows[student]["score"]) == marks + hand, student
        assert float(rows[student]["max_score"]) == 10
        assert rows[student]["duedate"].startswith("2027-03-01")


def test_feedback_tells_the_student(office):
    page = office.root / "grading" / "feedback" / "bela" / SET / f"{SET}.html"
    office.fill_in()
    office.run(commands("make feedback")[0])
    text = page.read_text(encoding="utf-8")
    assert "vanishes at once" in text  # what the hidden check says about 1 / max
    assert "what does <em>one</em> number cost?" in text
    assert "checks.primer.best" not in text
    assert "data:image/png" in text


def test_a_changed_source_must_be_released_again(office):
    path = office.root / "book" / "exercises" / SET / f"{SET}.ipynb"
    before = path.read_bytes()
    try:
        path.write_bytes(before.replace(b"Flat, and then?", b"Flat, and now?"))
        said = office.run(commands("make grade")[0], code=2)
    finally:
        path.write_bytes(before)
    assert "make release SET=primer again" in said


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("make release", "SET must be one of primer, minimizers"),
        ("make release SET=prime", "got 'prime'"),
        ('make release SET=primer DUE="soon"', 'such as "2026-12-01 18:00"'),
        ("make collect SET=primer", "FROM must be a folder or a zip file"),
        ("make collect SET=primer FROM=nowhere", "got 'nowhere'"),
        ("make grade SET=minimizers", "release the set first"),
        ("make grade SET=primer STUDENT=nobody", "STUDENT=nobody"),
        ("make feedback SET=minimizers", "nothing is graded yet"),
    ],
)
def test_mistakes_are_explained(office, command, message):
    assert message in office.run(command, code=2)


def test_points_must_be_possible(office):
    office.fill_in()
    path = office.root / "grading" / "marks" / f"{SET}.csv"
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("ada;q4;1;0.5", "ada;q4;1;7", 1), encoding="utf-8")
    said = office.run(commands("make feedback")[0], code=2)
    path.write_text(good, encoding="utf-8")
    assert "ada, q4: points must be a number from 0 to 1; got '7'" in said


def test_python_of_the_office_is_this_one(office):
    script = Path(office.environment["MAKEFLAGS"].removeprefix("VENV=")) / "bin" / "python"
    assert sys.executable in script.read_text()
