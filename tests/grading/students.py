"""Students of all kinds: an ordinary class of twelve, and one that breaks or cheats.

    python tests/grading/students.py        write the ordinary class to tests/grading/class

Each submission is built from the primer's released notebook, so both classes follow the set.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "book" / "_ext")]

from exercise_source import complete, for_students, name_of  # noqa: E402

SET = "primer"
CLASS = Path(__file__).parent / "class"
SOURCE = ROOT / "book" / "exercises" / SET / f"{SET}.ipynb"
ANSWERS = ("q1", "q2", "q3", "q4", "q5")


class Submission(NamedTuple):
    """A student's file: its name, its content, and what should come of it.

    `marks` are points by check cell, or one number for their sum; `look` are patterns that the
    report must show for this student.
    """

    place: str
    student: str
    content: str
    marks: float
    look: tuple = ()


def source():
    """Return the set with its solutions."""
    return nbformat.read(SOURCE, as_version=4)


def blank():
    """Return the notebook that students get."""
    return for_students(source(), SET)


def cell_of(notebook, name):
    """Return the cell with a name."""
    return next(cell for cell in notebook.cells if name_of(cell) == name)


def solved(student, *, without=(), **answers):
    """Return a notebook with the model answers, except some that are left out or replaced."""
    notebook, model = blank(), source()
    for name in ("student", *ANSWERS):
        if name not in without:
            cell_of(notebook, name).source = complete(cell_of(model, name)).strip()
    cell_of(notebook, "student").source = f'student_id = "{student}"'
    for name, text in answers.items():
        cell_of(notebook, name).source = text
    return notebook


def text(notebook):
    """Return a notebook as a file's content, the same every time."""
    return nbformat.writes(notebook) + "\n"


def added(notebook, code, before="q1"):
    """Return the notebook with a cell of the student's own before another one."""
    place = notebook.cells.index(cell_of(notebook, before))
    cell = nbformat.v4.new_code_cell(code, id=f"mine-{before}")
    notebook.cells.insert(place, cell)
    return notebook


IN_PLACE = """\
def descend(gradient, start, learning_rate, n_steps):
    x = np.array(start, dtype=float)
    path = [x]
    for _ in range(n_steps):
        x -= learning_rate * gradient(x)
        path.append(x)
    return np.array(path)"""
NO_FLOATS = """\
def descend(gradient, start, learning_rate, n_steps):
    path = np.zeros((n_steps + 1, len(start)), dtype=np.asarray(start).dtype)
    path[0] = start
    for k in range(n_steps):
        path[k + 1] = path[k] - learning_rate * gradient(path[k])
    return path"""
UPHILL = """\
def descend(gradient, start, learning_rate, n_steps):
    path = [np.array(start, dtype=float)]
    for _ in range(n_steps):
        path.append(path[-1] + learning_rate * gradient(path[-1]))
    return np.array(path)"""
FORMULA = """\
def steps_to_leave(y, learning_rate, radius):
    if abs(y) >= radius:
        return 0
    return int(np.ceil(np.log(radius / abs(y)) / np.log1p(learning_rate)))"""
ONE_SIGN = """\
@njit
def steps_to_leave(y, learning_rate, radius):
    count = 0
    while y < radius:
        y *= 1 + learning_rate
        count += 1
    return count"""
SLOW = """\
def steps_to_leave(y, learning_rate, radius):
    count = 0
    while abs(y) < radius:
        y *= 1 + learning_rate
        count += 1
    return count"""
BORDER = "border = 2 / max(curvatures)\nbest = 1 / max(curvatures)"
ROUGH = "border = 0.2\nbest = 0.15"


def ordinary():
    """Return the class of twelve: honest work, with the usual accidents."""
    yield Submission("ada.ipynb", "ada", text(solved("ada")), 7)
    yield Submission("bela.ipynb", "bela", text(solved("bela", q1=BORDER)), 6)
    yield Submission("carl.ipynb", "carl", text(solved("carl", q2=IN_PLACE)), 4)
    yield Submission("dora.ipynb", "dora", text(solved("dora", q3=FORMULA, without=["q5"])), 7)
    yield Submission("emmy.ipynb", "emmy", text(solved("emmy", q2=NO_FLOATS)), 5)
    yield Submission("felix.ipynb", "felix", text(blank()), 0, ("no answer is filled in",))
    yield Submission("grace.ipynb", "grace", text(solved("grace", q2=UPHILL, q3=FORMULA)), 4)
    broken = "def descend(gradient, start, learning_rate, n_steps)\n    return start"
    yield Submission("hugo.ipynb", "hugo", text(solved("hugo", q2=broken)), 4)
    yield Submission("ida.ipynb", "ida", text(solved("ida", without=["q2", "q4"])), 4)
    copied = (r"worked as 'ada'", "programs are the same as those of")
    yield Submission("jens.ipynb", "jens", text(solved("ada")), 5, copied)
    short = added(solved("kira", q3=FORMULA), "largest = max(curvatures)")
    cell_of(short, "q1").source = "border = 2 / largest\nbest = 2 / (largest + min(curvatures))"
    yield Submission("kira.ipynb", "kira", text(short), 7)
    deleted = solved("lise", q3=FORMULA)
    deleted.cells.remove(cell_of(deleted, "q1-hidden"))
    yield Submission("lise.ipynb", "lise", text(deleted), 7, ("q1-hidden: .* was deleted",))


WRONG = {
    "q1": "border = 1.0\nbest = 1.0",
    "q2": "def descend(gradient, start, learning_rate, n_steps):\n    return start",
    "q3": "def steps_to_leave(y, learning_rate, radius):\n    return 7",
}


def cheat(student, code):
    """Return wrong answers and a cell, run before them, that should make them pass."""
    return text(added(solved(student, **WRONG), code))


TRICKS = {
    "patches-numpy": """\
np.allclose = np.array_equal = lambda *arguments, **options: True
np.abs = lambda x: x * 0
import numpy
numpy.asarray = lambda *arguments, **options: numpy.float64(1.0)""",
    "patches-lib": """\
from lib.checks import _core, primer
for name in ("border", "best", "descend", "descend_edges", "steps_to_leave", "steps_to_leave_far"):
    setattr(primer, name, lambda *arguments, **options: None)
_core.CheckFailed = type("Passed", (BaseException,), {})""",
    "patches-assert": """\
import builtins
class AssertionError(Exception):
    def __init__(self, *arguments):
        raise SystemExit
builtins.AssertionError = AssertionError
builtins.isinstance = lambda *arguments: True""",
    "strips-checks": """\
shell = get_ipython()
shell.input_transformers_cleanup.append(
    lambda lines: ["pass\\n"] if any("check" in line for line in lines) else lines)""",
    "lies": """\
class Liar(float):
    def __eq__(self, other): return True
    def __lt__(self, other): return True
    __gt__ = __le__ = __ge__ = __lt__
    def __hash__(self): return 0
    def __sub__(self, other): return 0.0
    def __array__(self, *arguments, **options): return np.zeros(())
def descend(*arguments): return Liar()
border = best = Liar()""",
    "forges-replies": """\
import course_agent
course_agent.reply = lambda *arguments: '["u", [["t", "value"], ["c", "True"]]]'""",
    "forges-worse": """\
import course_agent, course_codec
course_agent.reply = lambda *arguments: '{"__reduce__": ["os.system", ["true"]]}' * 3
course_codec.encode = lambda *arguments: "[" * 100_000""",
    "finishes-early": """\
import atexit, os, threading
threading.Timer(0.2, lambda: None).start()
get_ipython().kernel.shell.run_cell = lambda *arguments, **options: None""",
    "reads-solutions": """\
import glob, os
found = []
for root in ("/", os.getcwd(), os.path.expanduser("~"), "/root", "/tmp", "/home", "{root}"):
    for name in ("book/exercises", "book/exercises/*/*.ipynb", "grading/*", "tests", "*/*.db"):
        found += glob.glob(os.path.join(root, name))
print("found", found)""",
    "calls-home": """\
import socket, urllib.request
for attempt in (
    lambda: socket.create_connection(("127.0.0.1", {port}), 2),
    lambda: urllib.request.urlopen("http://127.0.0.1:{port}/", timeout=2),
):
    try:
        attempt()
        print("leak")
    except OSError as error:
        print("refused", type(error).__name__)""",
    "writes-lib": """\
import lib.checks, os, pathlib
folder = pathlib.Path(lib.checks.__file__).parent
for path in (folder / "primer.py", folder / "new.py", folder / "__pycache__" / "primer.pyc"):
    try:
        path.write_text("def border(*a, **k): pass")
        print("leak", path)
    except OSError as error:
        print("refused", type(error).__name__)""",
}

ACCIDENTS = {
    "loops": ({"q1": "border = best = 0\nwhile True:\n    pass"}, 5, ("q1: too slow",)),
    "loops-later": (
        {"q3": "def steps_to_leave(y, learning_rate, radius):\n    while True:\n        pass"},
        5,
        ("steps_to_leave: no result within",),
    ),
    "loops-compiled": ({"q3": ONE_SIGN}, 6, ("could not be interrupted",)),
    "loops-compiled-now": (
        {"q3": ONE_SIGN + "\n\nsteps_to_leave(-1.0, 0.1, 0.5)"},
        5,
        ("q3: the code could not be interrupted",),
    ),
    "slow": ({"q3": SLOW}, 6, ("steps_to_leave: no result within",)),
    "exits": (
        {"q1": "border = 2 / max(curvatures)\nbest = 2 / (max(curvatures) + min(curvatures))\n"
               "import sys\nsys.exit(0)"},
        7,
        ("q1 uses sys.exit",),
    ),
    "exits-hard": (
        {"q2": "import os\nos._exit(0)"},
        4,
        ("q2: the kernel died", "q2 uses os._exit"),
    ),
    "exits-when-called": (
        {"q2": "import os\n\ndef descend(*arguments):\n    os._exit(0)"},
        4,
        ("descend: the kernel died when it was called",),
    ),
    "kills-parent": (
        {"q2": "import os, signal\nfor number in (os.getppid(), 1, -1):\n"
               "    os.kill(number, signal.SIGKILL)"},
        4,
        ("q2 uses os.kill",),
    ),
    "eats-memory": (
        {"q2": "store = []\nwhile True:\n    store.append(bytearray(2**28))"},
        4,
        (),
    ),
    "returns-memory": (
        {"q2": "def descend(*arguments):\n    return np.ones((3 * 10**7,))"},
        4,
        (),
    ),
    "asks-oddly": (
        {"q2": "def descend(gradient, *arguments):\n    return gradient(np.zeros((10**17, 2, 0)))"},
        4,
        (),
    ),
    "floods-questions": (
        {"q2": "def descend(gradient, start, learning_rate, n_steps):\n"
               "    kernel = get_ipython().kernel\n"
               "    address = kernel.get_parent and kernel._parent_ident['shell'][0]\n"
               "    for n in range(20):\n"
               "        kernel.stdin_socket.send_multipart([address, b'x' * 40_000_000])\n"
               "    return start"},
        4,
        ("q2 uses get_ipython",),
    ),
    "locks-folders": (
        {"q1": "border = 2 / max(curvatures)\nbest = 2 / (max(curvatures) + min(curvatures))\n"
               "import os\nfolder = os.environ['NUMBA_CACHE_DIR'] + '/locked'\nos.mkdir(folder)\n"
               "with open(folder + '/file', 'wb') as file:\n    file.write(b'x' * 2**20)\n"
               "os.chmod(folder, 0)"},
        7,
        (),
    ),
    "prints": (
        {"q1": "border = 2 / max(curvatures)\nbest = 2 / (max(curvatures) + min(curvatures))\n"
               "while True:\n    print('x' * 1000)"},
        7,
        ("q1: too much output",),
    ),
    "forks": (
        {"q1": "import os\nwhile True:\n    os.fork()"},
        5,
        ("q1 uses os.fork",),
    ),
    "starts-programs": (
        {"q1": "import subprocess, sys\nwhile True:\n    subprocess.Popen([sys.executable])"},
        5,
        ("q1 uses subprocess",),
    ),
    "fills-disk": (
        {"q1": "import os\nfor n in range(10**6):\n"
               "    with open(f'{os.environ[\"NUMBA_CACHE_DIR\"]}/{n}', 'wb') as file:\n"
               "        file.write(b'x' * 2**25)"},
        5,
        ("q1: the code wrote more than 200 MB",),
    ),
    "types": (
        {"q1": "border = 'large'\nbest = [1, 2]",
         "q2": "def descend(gradient, start, learning_rate, n_steps):\n    return {'path': start}",
         "q3": "def steps_to_leave(y, learning_rate, radius):\n    return None"},
        0,
        (),
    ),
    "nothing-callable": ({"q2": "descend = 3", "q3": "steps_to_leave = np"}, 2, ()),
}  # fmt: skip


# These would do real harm to a machine on which submissions run without a box.
DANGEROUS = {"kills-parent", "forks", "starts-programs", "writes-lib", "eats-memory", "fills-disk"}


def disorderly(port=9, boxed=True):
    """Return the class that breaks and cheats, with the marks that its work earns.

    Parameters
    ----------
    port : int
        Where something on this machine listens that no submission may reach.
    boxed : bool
        Whether submissions run in a box; without one the dangerous ones are left out.
    """
    for each in everybody(port):
        if boxed or each.student not in DANGEROUS:
            yield each


def everybody(port):
    """Return all of the class that breaks and cheats."""
    yield Submission("honest.ipynb", "honest", text(solved("honest")), 7)
    for name, code in TRICKS.items():
        code = code.replace("{root}", str(ROOT)).replace("{port}", str(port))
        yield Submission(f"{name}.ipynb", name, cheat(name, code), 0)
    for name, (answers, marks, look) in ACCIDENTS.items():
        yield Submission(f"{name}.ipynb", name, text(solved(name, **answers)), marks, look)
    yield from rearranged()
    yield from misplaced()


def rearranged():
    """Return notebooks whose cells or marks of grading were changed."""
    notebook = solved("deletes")
    names = ("q1-check", "q1-hidden", "q2-hidden", "setup")
    for name in names:
        notebook.cells.remove(cell_of(notebook, name))
    look = tuple(f"{name}: .* was deleted; it was put back" for name in names)
    yield Submission("deletes.ipynb", "deletes", text(notebook), 7, look)
    notebook = solved("deletes-answer")
    notebook.cells.remove(cell_of(notebook, "q2"))
    look = ("q2: this answer was deleted",)
    yield Submission("deletes-answer.ipynb", "deletes-answer", text(notebook), 4, look)
    notebook = solved("retypes")
    old = cell_of(notebook, "q2")
    new = nbformat.v4.new_code_cell(old.source, id="retyped")
    notebook.cells[notebook.cells.index(old)] = new
    look = ("q2: .* a cell that defines the same names took its place",)
    yield Submission("retypes.ipynb", "retypes", text(notebook), 7, look)
    notebook = solved("reorders")
    notebook.cells.reverse()
    look = ("another order",)
    yield Submission("reorders.ipynb", "reorders", text(notebook), 7, look)
    notebook = solved("duplicates")
    for name in ("q2", "q2-check"):
        double = nbformat.from_dict(cell_of(notebook, name).copy())
        double.id = f"{name}-again"
        notebook.cells.append(double)
    look = ("q2: .* is there 2 times", "q2-check: .* is there 2 times")
    yield Submission("duplicates.ipynb", "duplicates", text(notebook), 7, look)
    notebook = solved("raises-points", **WRONG)
    for cell in notebook.cells:
        data = cell.metadata.get("nbgrader", {})
        if data.get("points"):
            data["points"] = 100
        if data.get("locked"):
            data["locked"] = False
            data["solution"] = True
    look = ("points changed from 1 to 100; put back", "solution changed from False to True")
    yield Submission("raises-points.ipynb", "raises-points", text(notebook), 0, look)
    notebook = solved("tampers", **WRONG)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            cell.source = "assert True" if "check" in cell.source else cell.source
    look = ("q1-check: this check was changed",)
    yield Submission("tampers.ipynb", "tampers", text(notebook), 0, look)
    notebook = solved("strips-marks")
    for cell in notebook.cells:
        cell.metadata = {}
    look = ("marks of grading were removed",)
    yield Submission("strips-marks.ipynb", "strips-marks", text(notebook), 7, look)
    notebook = solved("odd-letters", q5="<script>alert(1)</script> \ud800 \x00 $\\frac{1}{$")
    yield Submission("odd-letters.ipynb", "odd-letters", json.dumps(notebook), 7)


def misplaced():
    """Return files that are no notebooks, have strange names, or belong to another set."""
    problem = ("it is not a notebook", "nothing could be graded")
    yield Submission("not-json.ipynb", "not-json", "{'cells': [", None, problem)
    yield Submission("no-notebook.ipynb", "no-notebook", '{"cells": 3}', None, problem)
    yield Submission("nothing.ipynb", "nothing", "", None, ("empty",))
    other = ROOT / "book" / "exercises" / "minimizers" / "minimizers.ipynb"
    notebook = for_students(nbformat.read(other, as_version=4), "minimizers")
    look = ("the notebook is the exercise set 'minimizers'",)
    yield Submission("other-set.ipynb", "other-set", text(notebook), None, look)
    for name, student in (
        ("$(touch pwned) `id`;rm -rf ~.ipynb", "touch-pwned-id-rm-rf"),
        ("--student=all.ipynb", "student-all"),
        ("Ünïcödé Ñame.IPYNB", "unicode-name"),
    ):
        yield Submission(name, student, text(solved(student)), 7)


def write(folder, submissions):
    """Write the files of a class into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in submissions:
        (folder / each.place).write_text(each.content, encoding="utf-8", errors="surrogatepass")


if __name__ == "__main__":
    write(CLASS, ordinary())
    print(f"{len(list(CLASS.iterdir()))} notebooks in {CLASS}")
