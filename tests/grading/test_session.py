"""Answers stay in their kernel, checks outside: what passes between is plain data."""

import collections
import json

import nbformat
import numpy as np
import pytest
from students import blank, cell_of, solved, source

pytest.importorskip("nbgrader")

from grading import kernel, release, restore, sandbox, session  # noqa: E402
from grading.inside import course_codec  # noqa: E402

from lib import checks  # noqa: E402

BOXED = not sandbox.warning()


def roundtrip(value):
    return course_codec.decode(course_codec.encode(value, lambda function: "f"))


@pytest.mark.parametrize(
    "value",
    [
        None, ..., True, False, 0, -7, 10**50, 1.5, -0.0, 1e-320, 2 + 3j, "é\u2028\ud800", "",
        [], (), [1, (2, [3.5])], {"a": 1, (1, 2): [None]},
    ],
)  # fmt: skip
def test_plain_data_comes_back(value):
    back = roundtrip(value)
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, np.float64(0.1), np.int32(7)])
def test_numbers_come_back(value):
    np.testing.assert_array_equal(roundtrip(value), value)
    assert type(roundtrip(value)) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0).reshape(2, 3)[:, ::2], np.zeros(0), np.zeros((0, 3)), np.array(1.0),
        np.array([True, False]), np.arange(3, dtype=">i2"), np.ones(2, complex),
    ],
)  # fmt: skip
def test_arrays_come_back(value):
    back = roundtrip(value)
    assert back.dtype == value.dtype and back.shape == value.shape
    assert np.array_equal(back, value)


def test_other_things_are_only_names():
    assert isinstance(roundtrip(abs), course_codec.Function)
    assert roundtrip(object()).kind == "object"
    assert roundtrip(np.array([None])).kind == "array of object"
    assert "object" in repr(roundtrip({1: object()})[1])


def test_what_is_nearly_plain_is_sent_as_such():
    class Wrapped:
        def __array__(self, dtype=None, copy=None):
            return np.arange(3.0)

    assert roundtrip(range(3)) == roundtrip(collections.deque([0, 1, 2])) == [0, 1, 2]
    assert roundtrip(Wrapped()).tolist() == [0, 1, 2]


def nested():
    value = []
    for _ in range(100):
        value = [value]
    return value


@pytest.mark.parametrize("value", [nested(), 10**400, np.zeros(10**7)])
def test_too_much_is_refused(value):
    with pytest.raises(course_codec.Unreadable):
        course_codec.encode(value, lambda function: "")


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "[" * 10_000, "7", '["q"]', '["a", "O", [1], ""]', '["a", "f8", [2], "AAAA"]',
        '["a", "f8", [-1], ""]', '["i", "seven"]', '["f", "x"]', '["d", [[["l", []], ["i", "1"]]]]',
        '["c", "Evil"]', '{"__reduce__": 1}', '["a", "V8", [1], "AAAAAAAAAAA="]',
        '["a", "f8", [1000000000, 2, 0], ""]', '["a", "f8", [1,1,1,1,1,1,1,0], ""]',
        '["l", [' + '["l", []],' * 900_000 + '["l", []]]]',
    ],
)  # fmt: skip
def test_forged_data_is_refused(text):
    with pytest.raises(course_codec.Unreadable):
        course_codec.decode(text)


def run(notebook, student="ada"):
    """Restore and run a notebook; return the session's events and the outputs by cell."""
    restored, events = restore.restore(notebook, release.master(source(), "primer"), "primer")
    events += session.Session(restored, student, None, BOXED).run()
    cells = {release_name(c): c for c in restored.cells if c.cell_type == "code"}
    return events, {name: cell.outputs for name, cell in cells.items()}


def release_name(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id") or cell.id


def test_model_answers_pass_and_draw():
    events, outputs = run(solved("ada"))
    assert events == []
    for name in ("q1-check", "q1-hidden", "q2-check", "q2-hidden", "q3-check", "q3-hidden"):
        assert outputs[name] == [], name
    assert any("image/png" in output.get("data", {}) for output in outputs["q4"])


def test_messages_reach_the_student_without_code():
    events, outputs = run(solved("ada", q1="border = 0.9 * 2 / max(curvatures)\nbest = None"))
    (output,) = outputs["q1-check"]
    assert output.ename == "CheckFailed" and "still converges" in output.evalue
    assert output.traceback == [f"CheckFailed: {output.evalue}"]
    assert "best is missing" in outputs["q1-hidden"][0].evalue


def test_stub_is_told_from_a_wrong_answer():
    _, outputs = run(blank())
    assert "is missing" in outputs["q1-check"][0].evalue
    assert "not written yet" in outputs["q2-check"][0].evalue


def test_numbers_are_the_true_students():
    _, outputs = run(solved("bob"), student="ada")
    assert outputs["q1-check"] != [] and outputs["q2-check"] == []


def test_changes_of_an_argument_are_seen():
    in_place = (
        "def descend(gradient, start, learning_rate, n_steps):\n    start += 1\n    return start"
    )
    _, outputs = run(solved("ada", q2=in_place))
    assert "changes an array" in outputs["q2-check"][0].evalue


def test_errors_in_callbacks_and_answers_keep_their_type():
    class Work(session.Session):
        def probe(self):
            self.end = float("inf")
            self.kernel.start()
            code = "def f(g):\n    return g(2.0)\ndef bad(x):\n    raise KeyError('k')\n"
            code += "def odd():\n    class Odd(Exception): pass\n    raise Odd('o')"
            self.kernel.run(code, 30)
            try:
                assert self.call("f", (lambda x: x + 1,), {}) == 3.0

                def refuses(x):
                    raise ZeroDivisionError("no")

                with pytest.raises(ZeroDivisionError, match="no"):
                    self.call("f", (refuses,), {})
                with pytest.raises(KeyError):
                    self.call("bad", (1,), {})
                with pytest.raises(session.StudentError, match="Odd: o"):
                    self.call("odd", (), {})
                with pytest.raises(session.AnswerMissing, match="nowhere is not defined"):
                    self._fetch("nowhere")
            finally:
                self.kernel.stop()

    Work(nbformat.v4.new_notebook(), "ada", None, BOXED).probe()


def test_kernel_survives_and_ends():
    one = kernel.StudentKernel(None, BOXED)
    one.start()
    folder, process = one.folder, one.process
    outputs, problem = one.run("x = 1\nprint(x)", 30)
    assert problem == "" and outputs[0].text == "1\n"
    outputs, problem = one.run("while True: pass", 2)
    assert problem == "too slow" and one.alive
    assert one.run("x", 30)[0][0].data["text/plain"] == "1"
    one.stop()
    assert process.poll() is not None and not folder.exists() and not one.alive


def test_outputs_that_a_browser_would_run_are_dropped():
    one = kernel.StudentKernel(None, BOXED)
    one.start()
    code = (
        "from IPython.display import HTML, Javascript\ndisplay(HTML('<b>x</b>'), Javascript('1'))"
    )
    outputs, _ = one.run(code, 30)
    one.stop()
    assert all(set(output.data) <= {"text/plain", "image/png"} for output in outputs)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filter_of_system_calls_is_whole(machine):
    rules = sandbox.call_filter(machine)
    assert len(rules) % 8 == 0
    assert sandbox.call_filter("vax") is None
    jumps = [(rules[k + 2], rules[k + 3]) for k in range(0, len(rules), 8)]
    for k, pair in enumerate(jumps):
        assert all(k + 1 + jump < len(jumps) or jump == 0 for jump in pair)


def test_without_the_box_there_is_a_loud_warning(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert sandbox.warning().startswith("WARNING: bubblewrap (bwrap) is not installed")


def test_answers_are_graded_without_the_box():
    notebook, _ = restore.restore(solved("ada"), release.master(source(), "primer"), "primer")
    work = session.Session(notebook, "ada", None, boxed=False)
    assert work.run() == []
    assert cell_of(notebook, "q3-hidden").outputs == []


def test_every_cell_comes_back_where_it_was():
    notebook = solved("ada")
    extra = nbformat.v4.new_code_cell("helper = 1", id="helper")
    notebook.cells.insert(notebook.cells.index(cell_of(notebook, "q2")), extra)
    restored, events = restore.restore(notebook, release.master(source(), "primer"), "primer")
    assert events == []
    sources = [cell.source for cell in restored.cells]
    place = sources.index("helper = 1")
    assert sources[place + 1].startswith("def descend")


def test_a_notebook_of_another_set_is_refused():
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
    with pytest.raises(restore.NotThisSet):
        restore.restore(other, release.master(source(), "primer"), "primer")
    other = blank()
    other.metadata["course"]["set"] = "minimizers"
    with pytest.raises(restore.NotThisSet, match="minimizers"):
        restore.restore(other, release.master(source(), "primer"), "primer")


def test_outputs_are_json():
    _, outputs = run(solved("ada"))
    assert json.loads(json.dumps(outputs))


def ask(box, code, question):
    """Run code in a student's kernel, and call a function of it as a check would."""
    cell = nbformat.v4.new_code_cell(code)
    work = session.Session(nbformat.v4.new_notebook(cells=[cell]), "ada", None, BOXED)
    work.kernel = box
    work.end = session.time.monotonic() + 60
    work._run(0, cell)
    assert [o for o in cell.outputs if o.output_type == "error"] == []
    return question(work._fetch("f"))


def test_an_error_of_ones_own_is_known_by_its_base(box):
    code = "class Dependent(ValueError):\n    pass\n"
    code += "def f(x):\n    raise Dependent('columns')"
    ask(box, code, lambda f: checks.refuses(f, 1.0))


@pytest.mark.parametrize("result", ["np.zeros(10**6)", "[" * 30 + "]" * 30])
def test_what_cannot_be_sent_is_no_refusal(box, result):
    code = f"import numpy as np\ndef f(x):\n    return {result}"
    with pytest.raises(checks.CheckFailed, match="must raise ValueError"):
        ask(box, code, lambda f: checks.refuses(f, 1.0))


def test_functions_of_the_checks_take_names(box):
    code = "def f(g):\n    return g(x=2.0)"
    assert ask(box, code, lambda f: f(lambda x: 2 * x)) == 4.0


@pytest.mark.parametrize("shape", [(10**17, 2, 0), (3000, 3000), (200_000,), (1, 1, 1)])
def test_points_of_an_odd_shape_are_refused_at_once(box, shape):
    code = f"import numpy as np\ndef f(g):\n    return g(np.zeros({shape}, 'i1'))"
    with pytest.raises(Exception, match="odd shape|no input|too large|Unreadable|not plain"):
        ask(box, code, lambda f: f(lambda x: x))


def test_commands_for_the_machine_are_skipped(box):
    code = "!pip install tqdm\n%pip install tqdm\n%matplotlib widget\nfound = !ls\n"
    code += "def f(x):\n    return [x, found]"
    assert ask(box, code, lambda f: f(1.0)) == [1.0, []]
