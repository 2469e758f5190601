"""Run a restored submission: the answers in the student's kernel, the checks here.

A check never runs beside the student's code. Its cell is run in this process; names that only the
student defines are fetched as plain data, and his functions become `Remote` functions, which send
their arguments to his kernel and get plain data back. So nothing that a submission does to numpy,
to `lib`, to `assert` or to IPython changes what is required of it.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import time
import traceback

import nbformat
import numpy as np

from grading import kernel
from grading.inside import course_codec

CELL_SECONDS = 60
CALL_SECONDS = 20
SUBMISSION_SECONDS = 400
MOST_STARTS = 15  # of a submission's kernel
MOST_NUMBERS = 100_000  # in an array that a student's function gives to one of the checks


class StudentError(Exception):
    """An error of a type that is not Python's own, raised by a student's function."""


class AnswerMissing(Exception):
    """A name that a check needs is not there, or what it stands for cannot be read."""


def kind_of(cell):
    """Return what a cell is to grading: "check", "given", "answer" or "" for anything else."""
    data = cell.metadata.get("nbgrader", {})
    if cell.cell_type != "code":
        return ""
    if data.get("solution"):
        return "answer"
    if data.get("grade"):
        return "check"
    return "given" if data.get("locked") else ""


def error_output(name, message):
    """Return an output that says what is wrong, without showing any code."""
    message = kernel.clean(message, 2000)
    return nbformat.v4.new_output(
        "error", ename=name, evalue=message, traceback=[f"{name}: {message}"]
    )


class Session:
    """One submission being run.

    Parameters
    ----------
    notebook : NotebookNode
        As `grading.restore.restore` returns it. Its outputs are replaced.
    student : str
        The student's id: individual numbers are this student's, whatever the notebook says.
    cache : Path or None
        See `grading.kernel.StudentKernel`.
    boxed : bool
        Whether bubblewrap is there.
    """

    def __init__(self, notebook, student, cache=None, boxed=True):
        self.notebook, self.student = notebook, student
        self.kernel = kernel.StudentKernel(cache, boxed)
        self.done, self.deadly, self.starts = [], set(), 0
        self.events, self.size = [], 0
        self.namespace = {"__name__": "__checks__"}

    def run(self):
        """Run all code cells in order.

        Returns
        -------
        events : list of str
            What happened that an instructor may want to know.
        """
        self.end = time.monotonic() + SUBMISSION_SECONDS
        try:
            count = 0
            for index, cell in enumerate(self.notebook.cells):
                if cell.cell_type != "code":
                    continue
                count += 1
                cell.execution_count = count
                if kind_of(cell) == "check":
                    cell.outputs = self._check(cell)
                else:
                    if kind_of(cell) == "given":
                        self._give(cell)
                    cell.outputs = self._run(index, cell)
        finally:
            self.kernel.stop()
        return self.events

    def _note(self, text):
        """Remember something for the report, once."""
        if text not in self.events:
            self.events.append(text)

    def _name(self, cell):
        """Return how the report calls a cell."""
        data = cell.metadata.get("nbgrader", {})
        return data.get("grade_id") or f"cell {cell.execution_count}"

    def _give(self, cell):
        """Run a locked cell for the checks, too; its data are the true student's."""
        self.namespace["student_id"] = self.student
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(cell.source, self._name(cell), "exec"), self.namespace)

    def _seconds(self, most):
        """Return how long something may take."""
        left = self.end - time.monotonic()
        if left < 1:
            self._note("its time was up: the rest was not run")
        return min(most, left)

    def _start(self):
        """Start the kernel unless that was done too often; return whether it runs."""
        if self.starts == MOST_STARTS:
            self._note(f"it ended its kernel {MOST_STARTS} times: the rest was not run")
            return False
        self.starts += 1
        self.kernel.start()
        return True

    def _revive(self):
        """Start the kernel, and run again what ran before, without the cells that end it."""
        if self.kernel.alive or not self._start():
            return
        waiting = list(self.done)
        while waiting:
            index = waiting.pop(0)
            if index in self.deadly:
                continue
            seconds = self._seconds(CELL_SECONDS)
            if seconds < 1:
                return  # the next request says so
            _, problem = self.kernel.run(self.notebook.cells[index].source, seconds)
            if not self.kernel.alive:
                self.deadly.add(index)
                self._note(f"{self._name(self.notebook.cells[index])}: {problem}")
                if not self._start():
                    return
                waiting = list(self.done)

    def _run(self, index, cell):
        """Run a cell in the student's kernel and return its outputs."""
        if self._seconds(CELL_SECONDS) < 1:
            return [error_output("TimeoutError", "the time for the whole notebook was up")]
        self._revive()
        if not self.kernel.alive:
            return [error_output("Stopped", "the kernel ended too often, or there was no time")]
        outputs, problem = self.kernel.run(cell.source, max(1, self._seconds(CELL_SECONDS)))
        self.size += sum(len(str(output)) for output in outputs)
        if self.size > kernel.MOST_ALL_OUTPUT:
            outputs, problem = [], problem or "too much output in all; it is not kept"
        self.done.append(index)
        if not self.kernel.alive:
            self.deadly.add(index)
        if problem:
            self._note(f"{self._name(cell)}: {problem}")
            outputs.append(error_output("Stopped", problem))
        return outputs

    def _check(self, cell):
        """Run a cell of checks here and return its outputs: none, or an error."""
        if self._seconds(CALL_SECONDS) < 1:
            return [error_output("TimeoutError", "the time for the whole notebook was up")]
        tree = ast.parse(cell.source)
        namespace = dict(self.namespace)
        names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        try:
            for name in sorted(names - set(namespace) - set(vars(builtins))):
                namespace[name] = self._fetch(name)
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(tree, self._name(cell), "exec"), namespace)
        except AnswerMissing as error:
            return [error_output("CheckFailed", str(error))]
        except AssertionError as error:
            return [error_output(type(error).__name__, str(error))]
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            self._note(f"{self._name(cell)}: the check itself raised {text[-1500:]}")
            return [error_output(type(error).__name__, "the check could not be finished")]
        return []

    def _fetch(self, name):
        """Return the student's value of a name; a function as one to be called there."""
        try:
            kind, value = self._ask("value", name, (), {})
        except (TimeoutError, RuntimeError) as error:
            raise AnswerMissing(f"{name} cannot be read: {error}") from None
        if kind == "missing":
            raise AnswerMissing(f"{name} is not defined: its cell is not filled in, or it failed")
        if kind != "value":
            raise AnswerMissing(f"{name} cannot be read: it is too large or nested too deeply")
        if isinstance(value, course_codec.Function):
            return Remote(self, name)
        return value

    def _ask(self, kind, name, arguments, options):
        """Send a request to the student's kernel and return the reply."""
        callbacks = {}

        def key_of(function):
            key = str(len(callbacks))
            callbacks[key] = function
            return key

        def answer(text):
            return _answer_callback(callbacks, text)

        request = course_codec.encode((kind, name, arguments, options), key_of)
        seconds = self._seconds(CALL_SECONDS)
        if seconds < 1:
            raise TimeoutError("the time for the whole notebook was up")
        self._revive()
        if not self.kernel.alive:
            raise RuntimeError("the kernel ended too often, or there was no time")
        seconds = max(1, self._seconds(CALL_SECONDS))
        try:
            reply = self.kernel.ask(request, seconds, answer)
        except kernel.TooSlow:
            self._note(f"{name}: no result within {CALL_SECONDS} s")
            raise TimeoutError(f"no result within {CALL_SECONDS} s") from None
        except kernel.KernelDied as death:
            self._note(f"{name}: {death} when it was called")
            if str(death) == "the code could not be interrupted":
                raise TimeoutError(f"no result within {CALL_SECONDS} s") from None
            raise RuntimeError(str(death)) from None
        except course_codec.Unreadable as error:
            self._note(f"{name}: its reply could not be read ({error})")
            raise AnswerMissing(f"{name} gives something that is not plain data") from None
        if not (isinstance(reply, tuple) and len(reply) == 2 and isinstance(reply[0], str)):
            raise AnswerMissing(f"{name} gives something that is not plain data")
        return reply

    def call(self, name, arguments, options):
        """Call a student's function in his kernel."""
        kind, value = self._ask("call", name, arguments, options)
        if kind == "unsendable":
            raise AnswerMissing(f"{name} returns something that is too large or nested too deeply")
        if kind == "error" and isinstance(value, tuple) and len(value) == 2:
            raise _error(*value)
        if kind != "result" or not isinstance(value, tuple) or len(value) != 2:
            raise AnswerMissing(f"{name} gives something that is not plain data")
        result, after = value
        for before, now in zip(arguments, after if isinstance(after, list) else (), strict=False):
            same = isinstance(before, np.ndarray) and isinstance(now, np.ndarray)
            if same and before.shape == now.shape and before.dtype == now.dtype:
                before[...] = now
        return result


def _error(names, message):
    """Return the error that a student's function raised: of the first kind that we know."""
    names = [str(name) for name in names] if isinstance(names, list) and names else ["Error"]
    for name in names:
        known = np.linalg.LinAlgError if name == "LinAlgError" else vars(builtins).get(name)
        if isinstance(known, type) and issubclass(known, Exception):
            text = str(message) if name == names[0] else f"{names[0]}: {message}"
            try:
                return known(text) if known is not Exception else StudentError(text)
            except TypeError:  # such as UnicodeDecodeError, which wants more
                continue
    return StudentError(f"{names[0]}: {message}")


class Remote:
    """A student's function: calling it calls it in his kernel."""

    def __init__(self, session, name):
        self._session, self.__name__ = session, name

    def __call__(self, *arguments, **options):
        return self._session.call(self.__name__, arguments, options)

    def __repr__(self):
        return f"<function {self.__name__}>"


def _answer_callback(callbacks, text):
    """Return, as text, the value of a function that a check passed to a student's function."""
    try:
        key, arguments, options = course_codec.decode(text)
        for each in (*arguments, *options.values()):
            if isinstance(each, np.ndarray) and (each.size > MOST_NUMBERS or each.ndim > 2):
                raise ValueError(f"an array of shape {each.shape} is no input for this function")
        value = callbacks[key](*arguments, **options)
        return course_codec.encode(("value", value), lambda function: "")
    except Exception as error:
        reply = ("error", (type(error).__name__, str(error)[:500]))
        return course_codec.encode(reply, lambda function: "")
