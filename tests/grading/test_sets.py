"""Every exercise set is complete: its form, its solutions, its release, its checks."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import exercise_source
import nbformat
import numpy as np
import pytest

from lib import checks

ROOT = Path(__file__).resolve().parents[2]
SETS = list(checks.SETS)
PARTS = SETS[1:]


def source(name):
    """Return the source of a set."""
    return nbformat.read(ROOT / "book" / "exercises" / name / f"{name}.ipynb", as_version=4)


def by_exercise(notebook):
    """Return the cells of grading of each exercise."""
    found = {}
    for cell in notebook.cells:
        number = exercise_source.exercise_number(cell)
        if number is not None:
            found.setdefault(number, []).append(cell)
    return found


def is_check(cell):
    """Tell whether a cell holds checks."""
    return cell.metadata.get("nbgrader", {}).get("grade") and not exercise_source.is_answer(cell)


@pytest.mark.parametrize("name", SETS)
def test_headings_and_points(name):
    found = exercise_source.exercises(source(name))
    assert [each.number for each in found] == list(range(1, len(found) + 1))
    assert sum(each.points for each in found) == (20 if name in PARTS else 10)
    assert found[0].kind == "Derive" and found[0].minutes <= 20
    assert all((ROOT / "book/exercises" / name / each.path).is_file() for each in found)
    assert {each.kind for each in found} == {"Derive", "Code", "Explore", "Explain"}
    if name in PARTS:
        assert len(found) >= 6
        assert 180 <= sum(each.minutes for each in found) <= 270


@pytest.mark.parametrize("name", SETS)
def test_every_exercise_has_its_cells(name):
    notebook = source(name)
    rubrics = {
        cell.metadata["course"]["of"]
        for cell in notebook.cells
        if exercise_source.role(cell) == "rubric"
    }
    hands = set()
    for number, cells in by_exercise(notebook).items():
        answers = [cell for cell in cells if exercise_source.is_answer(cell)]
        assert answers, f"exercise {number} has no answer cell"
        for cell in answers:
            assert "BEGIN SOLUTION" in cell.source
            assert exercise_source.solution_of(cell).strip()
        by_code = [c for c in answers if not c.metadata["nbgrader"]["grade"]]
        hands |= {exercise_source.name_of(c) for c in answers if c not in by_code}
        tests = [c for c in cells if is_check(c)]
        if by_code:
            hidden = [cell for cell in tests if "BEGIN HIDDEN TESTS" in cell.source]
            assert hidden, f"exercise {number} has no hidden check"
            assert len(hidden) < len(tests), f"exercise {number} has no visible check"
            for cell in hidden:
                assert exercise_source.without_hidden(cell.source).startswith("# When you hand in")
    assert hands == rubrics and len(hands) >= 2


@pytest.mark.parametrize("name", SETS)
def test_checks_are_calls_with_plain_arguments(name):
    """Checks run apart from the answers, so they may only hand them to functions of `checks`."""
    for cells in by_exercise(source(name)).values():
        for cell in cells:
            if not is_check(cell):
                continue
            for line in ast.parse(cell.source).body:
                call = line.value
                assert isinstance(call, ast.Call)
                assert ast.unparse(call.func).startswith(f"checks.{name}.")
                for value in [*call.args, *(k.value for k in call.keywords)]:
                    assert isinstance(value, (ast.Name, ast.Constant)), ast.unparse(value)


@pytest.mark.parametrize("name", SETS)
def test_rubrics_add_up(name):
    notebook = source(name)
    points = {
        exercise_source.name_of(cell): cell.metadata.get("nbgrader", {}).get("points")
        for cell in notebook.cells
    }
    for cell in notebook.cells:
        if exercise_source.role(cell) == "rubric":
            given = re.findall(r"^- ([\d.]+) points?:", cell.source, re.M)
            assert sum(map(float, given)) == points[cell.metadata["course"]["of"]]


@pytest.mark.parametrize("name", SETS)
def test_students_get_no_solution(name):
    notebook = source(name)
    released = exercise_source.for_students(notebook, name)
    text = nbformat.writes(released)
    for word in ("SOLUTION", "HIDDEN", "Common wrong answers", '"role"', "](../"):
        assert word not in text
    for cell in notebook.cells:
        if exercise_source.is_answer(cell) and exercise_source.exercise_number(cell):
            number = exercise_source.exercise_number(cell)
            stub = exercise_source.stub(cell)
            if cell.cell_type == "code":
                assert f'raise NotImplementedError("exercise {number}:' in stub
            else:
                assert stub == exercise_source.TEXT_STUB
    assert released.metadata["course"]["set"] == name
    nbformat.validate(released)


@pytest.mark.parametrize("name", SETS)
def test_solutions_pass_and_releases_fail(name, tmp_path):
    validator = pytest.importorskip("nbgrader.validator")
    results = {}
    for kind in ("source", "release"):
        notebook = source(name)
        if kind == "release":
            notebook = exercise_source.for_students(notebook, name)
        path = tmp_path / f"{kind}.ipynb"
        nbformat.write(notebook, path)
        judge = validator.Validator(ignore_checksums=True)
        judge.config.Execute.timeout = 120
        results[kind] = judge.validate(str(path))
    assert results["source"] == {}
    visible = [c for c in source(name).cells if is_check(c) and "BEGIN HIDDEN" not in c.source]
    assert len(results["release"]["failed"]) >= len(visible)


def check_functions(name):
    """Return the checks of a set: its public functions without those that give numbers."""
    module = importlib.import_module(f"lib.checks.{name}")
    public = {k: f for k, f in vars(module).items() if inspect.isfunction(f) and k[0] != "_"}
    own = {k: f for k, f in public.items() if f.__module__ == module.__name__}
    return {k: f for k, f in own.items() if k not in module.GIVEN}


class Sulky:
    """An object that refuses everything."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __array__(self, *arguments, **options):
        raise MemoryError

    def __repr__(self):
        raise OSError


def gives(value):
    """Return a function that returns a value, whatever it is called with."""
    return lambda *arguments, **options: value


def fails(*arguments, **options):
    """Raise an error of an unusual kind."""
    raise SystemExit("stop")


PLAIN = [
    None, ..., True, "2", b"2", float("nan"), float("inf"), -1e300, 10**400, 1j, (), [], {}, set(),
    [[1], [1, 2]], np.zeros(0), np.full((3, 3), np.nan), np.array(["a"]), np.array([None]),
    np.zeros((2, 2, 2)), object(), Sulky(), int, np,
]  # fmt: skip
GARBAGE = [*PLAIN, fails, *map(gives, PLAIN)]


@pytest.mark.parametrize(
    ("name", "check"), [(name, check) for name in SETS for check in check_functions(name)]
)
def test_garbage_is_refused_with_a_message(name, check):
    function = check_functions(name)[check]
    parameters = inspect.signature(function).parameters.values()
    answers = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    options = {"student_id": "ada"} if any(p.name == "student_id" for p in parameters) else {}
    for value in GARBAGE:
        with pytest.raises(checks.CheckFailed) as caught:
            function(*[value] * len(answers), **options)
        assert str(caught.value)


@pytest.mark.parametrize("name", SETS)
def test_every_check_is_used_and_documented(name):
    text = "\n".join(cell.source for cell in source(name).cells)
    module = importlib.import_module(f"lib.checks.{name}")
    for each in [*check_functions(name), *module.GIVEN]:
        assert f"checks.{name}.{each}(" in text
        described = inspect.getdoc(getattr(module, each))
        for section in ("Parameters", "Raises", "Notes", "Used in"):
            assert section in described, f"{each}: {section}"


def test_individual_numbers_differ():
    drawn = {tuple(checks.primer.curvatures(f"student{k}")) for k in range(200)}
    assert len(drawn) > 190


@pytest.mark.parametrize("bad", [None, ..., 7, "", "  ", "Ann Lee", "é", "-x", "a" * 65, "a\n"])
def test_ids_are_checked(bad):
    if bad == "a\n":
        assert checks.student(bad) == "a"
        return
    with pytest.raises(checks.CheckFailed, match="id"):
        checks.student(bad)


def test_the_cover_counts_the_exercises():
    cover = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    assert sum(len(exercise_source.exercises(source(name))) for name in SETS) == 45
    assert "Forty-five exercises" in cover
