"""The box stays closed from inside, as root as for anybody, and its limits are kept."""

import sys
import time

import nbformat
import pytest
from students import ROOT, blank, cell_of, solved, source

pytest.importorskip("nbgrader")

from grading import kernel, release, restore, sandbox, session, settings  # noqa: E402

BOXED = not sandbox.warning()
pytestmark = pytest.mark.skipif(not BOXED, reason="bubblewrap does not work on this machine")


def printed(box, code, seconds=30):
    """Return what code prints in the box."""
    outputs, problem = box.run(code, seconds)
    assert problem == ""
    assert [o for o in outputs if o.output_type == "error"] == []
    return "".join(o.text for o in outputs if o.output_type == "stream")


def test_nothing_may_be_done_that_only_root_may(box):
    said = printed(box, "print(open('/proc/self/status').read())")
    rights = [line.split()[1] for line in said.splitlines() if line.startswith("Cap")]
    assert len(rights) == 5 and {int(each, 16) for each in rights} == {0}


def test_library_stays_read_only(box):
    code = f"""
import ctypes, os
library = {str(ROOT / "lib")!r}
call = ctypes.CDLL(None, use_errno=True)
for place in (library, "/usr"):
    print(call.mount(None, place.encode(), None, 32 | 4096, None), ctypes.get_errno())
    print(call.umount2(place.encode(), 2), os.access(place, os.W_OK))
"""
    assert printed(box, code).split("\n")[:-1] == ["-1 1", "-1 False"] * 2


@pytest.mark.parametrize(
    "call",
    [
        "unshare(0x10000000)", "setns(0, 0)", "ptrace(16, 1, 0, 0)", "chroot(b'/tmp')",
        "memfd_create(b'x', 0)", "shmget(0, 4096, 0o1600)", "syscall(keyctl, 0, -4, 0)",
        "process_vm_readv(1, 0, 0, 0, 0, 0)", "fork()",
    ],
)  # fmt: skip
def test_dangerous_system_calls_are_refused(box, call):
    code = "import ctypes, platform\nc = ctypes.CDLL(None, use_errno=True)\n"
    code += "keyctl = 250 if platform.machine() == 'x86_64' else 219\n"
    code += f"print(c.{call}, ctypes.get_errno())"
    assert printed(box, code) == "-1 1\n"


def test_no_variable_of_the_instructor_is_seen(monkeypatch):
    monkeypatch.setenv("COURSE_SECRET_FOR_TEST", "a token")
    one = kernel.StudentKernel(None, True)
    one.start()
    code = (
        "import glob\nfor p in glob.glob('/proc/[0-9]*/environ'):\n    print(open(p, 'rb').read())"
    )
    said = printed(one, code)
    one.stop()
    assert said and "COURSE_SECRET_FOR_TEST" not in said and "a token" not in said


def test_memory_in_files_is_limited(box):
    code = f"""
import shutil
for place in ("/tmp", "/dev/shm", {sandbox.HOME!r}):
    print(shutil.disk_usage(place).total)
try:
    open("/dev/x", "w")
except OSError as error:
    print(error.errno)
"""
    *sizes, error = printed(box, code).split()
    assert max(map(int, sizes)) <= 2**28 and error == "30"


def ask_nothing(one, code, seconds=5):
    """Run code that should neither hang nor crash the grader; return the problem."""
    return one.run(code, seconds)[1]


def test_forged_questions_do_not_hang_the_grader():
    one = kernel.StudentKernel(None, True)
    one.start()
    code = """
import sys
import time
k = get_ipython().kernel
parent, ident = k.get_parent("shell"), k._parent_ident["shell"]
for n in range(9000):
    content = {"prompt": "x", "password": False}
    k.session.send(k.stdin_socket, "input_request", content, parent, ident=ident)
time.sleep(60)
"""
    assert ask_nothing(one, code) != ""
    one.stop()


@pytest.mark.parametrize(
    "code",
    [
        "get_ipython().display_pub.publish({'text/plain': 5})",
        "get_ipython().display_pub.publish({'image/png': [1]})",
        "k = get_ipython().kernel\n"
        "k.session.send(k.iopub_socket, 'stream', {'name': 'x', 'text': None}, k.get_parent())",
        "k = get_ipython().kernel\n"
        "k.session.send(k.iopub_socket, 'error', {'traceback': 5}, k.get_parent())",
        "k = get_ipython().kernel\nk.session.send(k.iopub_socket, 'stream', {}, k.get_parent())",
        "raise ValueError('\\ud800')",
        "print('\\ud800')",
    ],
)
def test_odd_messages_are_survived(box, code):
    outputs, _ = box.run(code, 20)
    for output in outputs:
        str(output).encode()
    assert printed(box, "print(6 * 7)") == "42\n"


def run(notebook, monkeypatch, seconds):
    monkeypatch.setattr(session, "SUBMISSION_SECONDS", seconds)
    whole, _ = restore.restore(notebook, release.master(source(), "primer"), "primer")
    work = session.Session(whole, "ada", None, True)
    return work, work.run(), whole


def test_replaying_keeps_to_the_time(monkeypatch):
    notebook = solved("ada", q2="import os\n\ndef descend(*a):\n    os._exit(0)")
    place = notebook.cells.index(cell_of(notebook, "q2"))
    for n in range(12):
        cell = nbformat.v4.new_code_cell(f"import time\ntime.sleep(2)  # {n}", id=f"slow-{n}")
        notebook.cells.insert(place, cell)
    begin = time.monotonic()
    _, events, _ = run(notebook, monkeypatch, 30)
    assert "its time was up: the rest was not run" in events
    assert time.monotonic() - begin < 50


def test_files_without_number_are_noticed():
    one = kernel.StudentKernel(None, True)
    one.start()
    code = """
import os, time
place = os.environ["NUMBA_CACHE_DIR"]
for n in range(60_000):
    os.close(os.open(f"{place}/{n}", os.O_CREAT))
time.sleep(20)
"""
    assert "files" in ask_nothing(one, code, 30)
    assert not one.alive


def test_deep_folders_are_noticed_and_removed():
    one = kernel.StudentKernel(None, True)
    one.start()
    folder = one.folder
    code = """
import os, time
os.chdir(os.environ["NUMBA_CACHE_DIR"])
for n in range(3000):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
time.sleep(20)
"""
    assert ask_nothing(one, code, 30) != ""
    one.stop()
    assert not folder.exists()


def test_pictures_are_bounded_by_the_notebook(monkeypatch):
    notebook = blank()
    cell_of(notebook, "student").source = "student_id = 'ada'"
    code = (
        "from IPython.display import display\n"
        "for n in range(12):\n    display({'image/png': 'A' * 3_900_000}, raw=True)"
    )
    place = notebook.cells.index(cell_of(notebook, "q1"))
    for n in range(6):
        notebook.cells.insert(place, nbformat.v4.new_code_cell(code, id=f"big-{n}"))
    _, _, whole = run(notebook, monkeypatch, 60)
    assert len(nbformat.writes(whole)) < 25_000_000


def test_a_reply_is_read_without_evaluating_it():
    one = kernel.StudentKernel(None, True)
    one.start()
    one.run(
        "import course_agent\n"
        "class Odd:\n    def __repr__(self):\n        return '[' + '1,' * 1_000_000 + ']'\n"
        "course_agent.reply = lambda *a: Odd()",
        20,
    )
    with pytest.raises(kernel.course_codec.Unreadable):
        one.ask("x", 20, lambda text: "")
    one.stop()


def test_a_python_around_the_course_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(ROOT))
    with pytest.raises(settings.CannotGrade, match="the folder of this Python"):
        sandbox.warning()


def test_an_older_bubblewrap_is_not_asked_for_what_it_lacks(monkeypatch):
    monkeypatch.setattr(sandbox, "_knows", lambda program, option: False)
    assert "--disable-userns" not in sandbox.command(ROOT, ["true"])
    assert sandbox.warning() == ""
