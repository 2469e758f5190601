"""A class that breaks and cheats is graded for real: everybody gets what the work has earned."""

import csv
import hashlib
import html
import json
import re
import socket
import threading

import pytest
from grading import sandbox, settings
from students import ROOT, SET, disorderly, write

nbgrader = pytest.importorskip("nbgrader")

BOXED = not sandbox.warning()
CLASS = list(disorderly(boxed=BOXED))
LIMITS = {
    "COURSE_CELL_SECONDS": "8",
    "COURSE_CALL_SECONDS": "8",
    "COURSE_SUBMISSION_SECONDS": "80",
}


def fingerprint(folder):
    """Return a hash of all files that may not change while submissions run."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Graded:
    """What came out of grading a class."""

    def __init__(self, folder, said, calls):
        self.folder, self.said, self.calls = folder, said, calls
        self.report = (folder / "report" / f"{SET}.html").read_text(encoding="utf-8")

    def notebook(self, student):
        path = self.folder / "autograded" / student / SET / f"{SET}.ipynb"
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def marks(self, student):
        """Return the points that the checks gave, from the gradebook."""
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{self.folder}/gradebook.db") as book:
            notebook = book.find_submission_notebook(SET, SET, student)
            return sum(grade.auto_score or 0 for grade in notebook.grades)

    def looks(self, student):
        """Return what the report says of a student."""
        rows = re.findall(r"<tr><td>(?:<a [^>]*>)?([^<]*)(.*?)</tr>", self.report, re.DOTALL)
        return html.unescape(dict(rows)[student])


@pytest.fixture(scope="module")
def graded(tmp_path_factory, grade):
    """Grade the disorderly class, with something on this machine that it must not reach."""
    folder = tmp_path_factory.mktemp("hostile")
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen():
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                calls.append(address)
                connection.close()

        threading.Thread(target=listen, daemon=True).start()
        write(folder / "in", disorderly(server.getsockname()[1], BOXED))
        before = fingerprint(ROOT / "lib")
        grade(folder / "class", "release", SET)
        grade(folder / "class", "collect", SET, "--from", str(folder / "in"))
        (folder / "t").mkdir()
        places = {"TMPDIR": str(folder / "t")}
        said = grade(folder / "class", "grade", SET, "--jobs", "2", **LIMITS, **places)
        assert fingerprint(ROOT / "lib") == before
    return Graded(folder / "class", said, calls)


def test_there_are_enough_tricks():
    assert len(CLASS) >= (40 if BOXED else 34)
    assert len({each.student for each in CLASS}) == len(CLASS)


@pytest.mark.parametrize("each", CLASS, ids=lambda each: each.student)
def test_marks_are_what_the_work_earned(graded, each):
    if each.marks is None:
        assert graded.notebook(each.student) is None
    else:
        assert graded.marks(each.student) == each.marks


@pytest.mark.parametrize("each", CLASS, ids=lambda each: each.student)
def test_the_report_says_what_happened(graded, each):
    said = graded.looks(each.student)
    for pattern in each.look:
        assert re.search(pattern, said), f"{pattern!r} is not in {said!r}"


@pytest.mark.parametrize("each", CLASS, ids=lambda each: each.student)
def test_nothing_that_was_handed_in_is_lost(graded, each):
    content = each.content.encode("utf-8", "surrogatepass")
    kept = (graded.folder / "received" / SET / each.student).glob("*.ipynb")
    if each.student == "calls-home":  # its port is chosen when the test runs
        assert len(list(kept)) == 1
    else:
        assert content in [path.read_bytes() for path in kept]


needs_box = pytest.mark.skipif(not BOXED, reason="bubblewrap does not work on this machine")


@needs_box
@pytest.mark.parametrize("student", ["reads-solutions", "calls-home", "writes-lib"])
def test_the_box_is_closed(graded, student):
    cells = json.loads(graded.notebook(student))["cells"]
    printed = [o["text"] for c in cells for o in c.get("outputs", ()) if "text" in o]
    text = json.dumps(printed)
    assert "leak" not in text
    assert "found []" in text or "refused" in text


@needs_box
def test_nobody_called_home(graded):
    assert graded.calls == []


@needs_box
@pytest.mark.parametrize("student", ["forks", "starts-programs"])
def test_no_process_can_be_made(graded, student):
    assert "Operation not permitted" in graded.notebook(student)


def test_no_program_is_left_running(graded):
    psutil = pytest.importorskip("psutil")
    place = str(graded.folder.parent / "t")
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert [line for line in lines if any(place in part for part in line)] == []
    assert list((graded.folder.parent / "t").iterdir()) == []


def test_strange_names_run_nothing(graded):
    assert not (ROOT / "pwned").exists()
    assert not list(graded.folder.rglob("pwned"))


def test_what_is_not_a_notebook_counts_nothing_but_is_listed(graded, grade):
    grade(graded.folder, "feedback", SET, "--partial")
    with (graded.folder / "grades.csv").open(newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {each.student for each in CLASS}
    assert float(rows["not-json"]["score"]) == 0 == float(rows["other-set"]["score"])
    assert float(rows["honest"]["score"]) == 7


def test_feedback_shows_no_hidden_check_and_runs_nothing(graded, grade):
    grade(graded.folder, "feedback", SET, "--partial")
    pages = sorted(graded.folder.glob("feedback/*/*/*.html"))
    assert len(pages) == sum(each.marks is not None for each in CLASS)
    for path in pages:
        page = path.read_text(encoding="utf-8")
        assert "steps_to_leave_far" not in page and "HIDDEN" not in page
        assert "descend_edges" not in page or "setattr" in page  # written by the student there
        assert "<script" not in page
        assert re.findall(r"""(?:src|href)="(?!#|data:)[^"]*|url\([^)]*|@import.*""", page) == []


def test_grading_again_changes_nothing(graded, grade):
    database = graded.folder / "gradebook.db"
    before = {each.student: graded.notebook(each.student) for each in CLASS}
    dump = database.read_bytes()
    said = grade(graded.folder, "grade", SET, **LIMITS)
    assert said.count("(as before)") == sum(each.marks is not None for each in CLASS)
    assert {each.student: graded.notebook(each.student) for each in CLASS} == before
    assert database.read_bytes() == dump


def test_a_class_of_another_year_is_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_GRADING", str(tmp_path))
    assert settings.grading_folder() == tmp_path
