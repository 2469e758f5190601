"""A submission that ends or holds up the process that runs it does not touch the others."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from students import ROOT, SET, solved, text

pytest.importorskip("nbgrader")
psutil = pytest.importorskip("psutil")

from grading import execute, workers  # noqa: E402


@pytest.fixture
def course(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_GRADING", str(tmp_path / "class"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(workers.tempfile, "tempdir", str(tmp_path))
    return tmp_path


def task(folder, student, code):
    """Return the arguments that run a notebook with some code in its first answer."""
    path = folder / f"{student}.ipynb"
    path.write_text(text(solved(student, q1=code)))
    return SET, student, str(path), False


def worker_processes():
    """Return the processes of workers."""
    return [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]


def test_slow_ones_are_ended_and_others_run(course):
    tasks = {
        "slow": task(course, "slow", "import time\ntime.sleep(50)"),
        "known": task(course, "known", "border = best = 1"),
    }
    execute.give_up(*tasks["known"][:3], "ended")  # it has been run, so it takes no time now
    found = {student: (how, what) for student, how, what in workers.run_all(tasks, 1, 20)}
    assert found["slow"] == ("slow", None)
    assert found["known"][0] == "done" and found["known"][1]["stored"]
    assert not worker_processes() and not list(course.glob("g-*"))


def test_a_process_that_dies_is_told_of(course):
    tasks = {"dies": task(course, "dies", "import time\ntime.sleep(50)")}
    run = workers.run_all(tasks, 1, 60)

    def kill(number, frame):
        for process in worker_processes():
            process.kill()

    before = signal.signal(signal.SIGALRM, kill)
    signal.alarm(5)
    try:
        assert list(run) == [("dies", "ended", None)]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_errors_come_back_as_text(course):
    tasks = {"nobody": (SET, "nobody", str(course / "none.ipynb"), False)}
    ((student, how, what),) = workers.run_all(tasks, 1, 60)
    assert (student, how) == ("nobody", "failed") and "FileNotFoundError" in what


def test_what_is_given_up_counts_nothing_and_is_not_run_again(course):
    arguments = task(course, "ada", "border = best = 1")
    assert execute.give_up(*arguments[:3], "slow") == "the checks did not end"
    again = execute.run_submission(*arguments)
    assert again["stored"] and again["events"] == [
        "it could not be run: the checks did not end on what it returned"
    ]
    notebook, _ = execute.restored(SET, arguments[2])
    outputs = execute.stored_run(notebook, SET, "ada")["outputs"]
    names = [o["ename"] for cell in outputs for o in map(nbformat.from_dict, cell)]
    assert names == ["Stopped"] * 6


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_memory_of_the_process_is_limited(course):
    code = "from grading import sandbox\nsandbox.limit_memory()\nbytearray(5 * 2**30)"
    path = os.pathsep.join([str(ROOT), str(ROOT / "book" / "_tools"), str(ROOT / "book" / "_ext")])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env=dict(os.environ, PYTHONPATH=path),
    )  # fmt: skip
    assert "MemoryError" in done.stderr


def test_interrupting_ends_what_does_not_end_by_itself(course):
    tasks = {"slow": task(course, "slow", "import time\ntime.sleep(50)")}
    run = workers.run_all(tasks, 1, 60)

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(5)
    begin = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(run)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begin < 20
    assert not worker_processes() and not list(course.glob("g-*"))
