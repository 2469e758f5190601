"""Stamped kernels: never stale, never confused, and compiled as seldom as can be."""

import gc
import importlib
import json
import math
import os
import pickle
import pkgutil
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import numpy as np
import pytest
from numba import njit, vectorize
from numba.core.dispatcher import Dispatcher

import lib
from lib import _jit, curvature, ensembles, optimizers, problems
from lib._jit import Slot, fingerprint, kernel, stamp

ROOT = Path(__file__).resolve().parents[1]

inner = Slot("inner")
first = Slot("first")
second = Slot("second")
third = Slot("third")


@kernel
def double(x):
    return 2.0 * x


@kernel
def square(x):
    return x * x


def apply_inner(x):
    """Apply what is in the slot."""
    return inner(x) + 1.0


def three_calls(x):
    return first(x) + second(x) * third(x)


def new_during(action, problem):
    """Name the kernels that get machine code for new types, compiled or loaded, in `action`."""

    def ready():
        own = problem.value_kernel, problem.gradient_kernel, problem.hvp_kernel
        kernels = {*own, *_jit._stamped.values()}
        return {(k.py_func.__qualname__, s) for k in kernels for s in k.signatures}

    before = ready()
    action()
    return sorted({name.partition("__")[0] for name, _ in ready() - before})


def made(source, **names):
    """Define the function ``f`` of `source` with the given globals."""
    scope = dict(names)
    exec(textwrap.dedent(source), scope)
    return scope["f"]


# --- stamping ---------------------------------------------------------------------------------


def test_stampings_of_one_template_are_not_confused():
    assert stamp(apply_inner, inner=double)(5.0) == 11.0
    assert stamp(apply_inner, inner=square)(5.0) == 26.0
    assert stamp(apply_inner, inner=double)(5.0) == 11.0


def test_stamping_is_memoised():
    assert stamp(apply_inner, inner=double) is stamp(apply_inner, inner=double)
    assert stamp(apply_inner, inner=double) is not stamp(apply_inner, inner=square)
    one = stamp(three_calls, first=double, second=square, third=double)
    assert one is stamp(three_calls, third=double, second=square, first=double)


def test_stamped_kernel_keeps_name_and_docstring():
    stamped = _jit.python_function(stamp(apply_inner, inner=double))
    assert stamped.__name__ == "apply_inner"
    assert stamped.__doc__ == "Apply what is in the slot."
    assert stamped.__module__ == apply_inner.__module__


def test_unbound_slot_is_an_error():
    with pytest.raises(NameError, match="the slot 'inner' is not bound"):
        stamp(apply_inner)
    with pytest.raises(NameError, match="the slot 'second' is not bound"):
        stamp(three_calls, first=double, third=double)
    with pytest.raises(NameError, match="the slot 'inner' is not bound"):
        kernel(apply_inner)


def test_calling_a_template_is_an_error():
    with pytest.raises(RuntimeError, match="the slot 'inner' of a template was called"):
        apply_inner(1.0)


def test_kernels_are_recognized():
    assert _jit.is_kernel(double)
    assert _jit.is_kernel(stamp(apply_inner, inner=double))
    assert not _jit.is_kernel(len) and not _jit.is_kernel(3)
    assert _jit.python_function(double)(3.0) == 6.0
    assert _jit.python_function(len) is len


def test_lane_is_a_column():
    block = np.arange(12.0).reshape(3, 4)

    @njit
    def add_to_column(block, j):
        column = _jit.lane(block, j)
        for i in range(column.size):
            column[i] += 100.0

    add_to_column(block, 2)
    np.testing.assert_array_equal(block[:, 2], [102, 106, 110])
    np.testing.assert_array_equal(block[:, [0, 1, 3]], np.arange(12).reshape(3, 4)[:, [0, 1, 3]])


@kernel
def dot_of(a, x):
    return _jit.dot(a, x)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 8, 31, 100])
def test_dot_is_the_same_sum_in_every_form(size):
    """In a register, one number at a time, and in plain Python."""
    rng = np.random.default_rng(size)
    a, x = rng.standard_normal((2, size)) * 10.0 ** rng.integers(-8, 8, (2, size))
    plain = _jit.dot(a, x)
    assert dot_of(a, x) == plain
    assert dot_of(np.repeat(a, 2)[::2], x) == plain
    assert dot_of(a, x * (1.0 + 0.0j)).real == plain
    np.testing.assert_allclose(plain, math.fsum(a * x), rtol=1e-12, atol=1e-12 * abs(a * x).sum())


def test_dot_of_a_read_only_part_of_an_array():
    whole = np.arange(11.0)
    whole.flags.writeable = False
    assert dot_of(whole[3:8], whole[1:6]) == np.dot(whole[3:8], whole[1:6])


def test_dot_passes_on_what_is_not_a_number():
    assert math.isnan(dot_of(np.array([0.0, 1.0, np.inf, 1.0, 2.0]), np.zeros(5)))


# --- fingerprints -----------------------------------------------------------------------------


def with_closure(value):
    def f(x):
        return x + value

    return f


F = "def f(x): return x + c"
CALL = "def f(x): return g(x)"

CHANGES = {
    "constant": (made("def f(x): return x + 1"), made("def f(x): return x + 2")),
    "type of a constant": (made("def f(x): return x + 1"), made("def f(x): return x + 1.0")),
    "sign of zero": (made("def f(x): return x + 0.0"), made("def f(x): return x + -0.0")),
    "operator": (made("def f(x): return x + 1"), made("def f(x): return x - 1")),
    "global": (made(F, c=1.0), made(F, c=1.5)),
    "array": (made(F, c=np.zeros(3)), made(F, c=np.array([0.0, 0.0, 1e-9]))),
    "type of an array": (made(F, c=np.zeros(2)), made(F, c=np.zeros(2, dtype=np.float32))),
    "tuple": (made(F, c=(1, (2, 3))), made(F, c=((1, 2), 3))),
    "closure": (with_closure(1.0), with_closure(2.0)),
    "default": (made("def f(x, y=1): return x + y"), made("def f(x, y=2): return x + y")),
    "keyword default": (
        made("def f(x, *, y=1): return x + y"),
        made("def f(x, *, y=2): return x + y"),
    ),
    "callee": (made(CALL, g=double), made(CALL, g=square)),
    "callee's global": (made(CALL, g=njit(made(F, c=1))), made(CALL, g=njit(made(F, c=2)))),
    "callee's options": (
        made(CALL, g=njit(made(F, c=1))),
        made(CALL, g=njit(fastmath=True)(made(F, c=1))),
    ),
    "function of a module": (made("def f(x): return m.sin(x)", m=np), made(CALL, g=np.sin)),
    "inner function": (
        made("def f(x):\n    def g(y): return y + 1\n    return g(x)"),
        made("def f(x):\n    def g(y): return y + 2\n    return g(x)"),
    ),
    "attribute": (made("def f(x): return x.real"), made("def f(x): return x.imag")),
}


@pytest.mark.parametrize("pair", CHANGES.values(), ids=CHANGES)
def test_fingerprint_sees_the_change(pair):
    one, other = map(fingerprint, pair)
    assert one is not None and other is not None
    assert one != other


@pytest.mark.parametrize("pair", CHANGES.values(), ids=CHANGES)
def test_fingerprint_of_the_same_is_the_same(pair):
    for function in pair:
        assert fingerprint(function) == fingerprint(function)


def test_fingerprint_sees_which_of_two_functions_is_called_again():
    one = stamp(three_calls, first=double, second=square, third=double)
    other = stamp(three_calls, first=double, second=square, third=square)
    assert one.py_func.__qualname__ != other.py_func.__qualname__
    assert (one(5.0), other(5.0)) == (10 + 25 * 10, 10 + 25 * 25)


def test_fingerprint_sees_inside_modules():
    module = types.ModuleType("helpers")
    module.factor, module.helper = 2.0, double
    scale = made("def f(x): return x * m.factor", m=module)
    call = made("def f(x): return m.helper(x)", m=module)
    before = fingerprint(scale), fingerprint(call)
    module.factor, module.helper = 3.0, square
    after = fingerprint(scale), fingerprint(call)
    for one, other in zip(before, after, strict=True):
        assert one is None or one != other


def test_recursive_functions_have_a_fingerprint():
    f = made("def f(n): return 1 if n < 2 else n * f(n - 1)")
    assert fingerprint(f) is not None


def test_unhashable_global_is_compiled_without_cache():
    class Thing:
        pass

    assert fingerprint(made("def f(x): return x + c", c=Thing())) is None


# --- what compiles, and when ------------------------------------------------------------------


def use_everything(problem, x, rate, **options):
    optimizers.gradient_descent(problem, x, rate, max_iter=5, **options)
    optimizers.perturbed_gradient_descent(problem, x, rate, max_iter=5, **options)
    optimizers.proximal_point(problem, x, rate, max_iter=5, **options)
    optimizers.inverse_gradient_map(problem, [0.1, 0.1], rate)
    ensembles.run_many(problem, [x], rate, max_iter=5)
    ensembles.escape_times(problem, [x], rate, max_iter=5)
    ensembles.orbit_tail(problem, x, [rate, 2 * rate], 2, 3)
    ensembles.lyapunov_exponent(problem, x, rate, n_iter=5)
    ensembles.stable_manifold(problem, [0.0, 0.0], [0.1], rate, max_iter=50)
    curvature.classify(problem, x)
    problem.value(x), problem.gradient(x), problem.hvp(x, x)


def test_a_slider_move_never_compiles():
    well = problems.double_well()
    use_everything(well, [0.1, 0.2], 0.1)
    moves = [
        lambda: use_everything(problems.double_well(0.7), [0.1, 0.2], 0.1),
        lambda: use_everything(problems.double_well(), (-1, 0), 0.05, record_every=2),
        lambda: use_everything(problems.double_well(), np.float32([0.1, 0.2]), np.float64(0.3)),
        lambda: use_everything(problems.double_well(), np.array([[0.1, 9], [0.2, 9]])[:, 0], 0.2),
    ]
    assert [new_during(move, well) for move in moves] == [[], [], [], []]


def test_a_known_critical_point_as_start_compiles_nothing():
    well = problems.double_well()
    use_everything(well, [0.1, 0.2], 0.1)
    saddle = well.critical_points[0].x
    assert new_during(lambda: use_everything(well, saddle, 0.1), well) == []


def test_a_problem_sent_to_another_process_compiles_nothing():
    well = problems.double_well()
    use_everything(well, [0.1, 0.2], 0.1)
    arrived = pickle.loads(pickle.dumps(well))
    assert new_during(lambda: use_everything(arrived, [0.1, 0.2], 0.1), well) == []


def test_dimension_compiles_nothing():
    plane, space = problems.quadratic_saddle(), problems.quadratic_saddle([1.0, 2.0, -1.0])
    ensembles.escape_times(plane, [[0.1, 0.2]], max_iter=5)
    new = new_during(lambda: ensembles.escape_times(space, [[0.1, 0.2, 0.3]], max_iter=5), plane)
    assert new == []


# --- the cache across processes ---------------------------------------------------------------

CALLEE = """
from lib._jit import kernel

@kernel
def slope(x):
    return 3.0 * x
"""

CALLER = """
from lib._jit import Slot, kernel, stamp
from mini.callee import slope

which = Slot("which")

@kernel
def shifted(x):
    return slope(x) + 0.5

@kernel
def negative(x):
    return -x if x in {1.0, 2.0, 3.0} else -x

def template(x):
    return which(x) * 10.0

def results():
    return [
        shifted(2.0),
        stamp(template, which=slope)(2.0),
        stamp(template, which=shifted)(2.0),
        stamp(template, which=negative)(2.0),
    ]
"""

REPORT = """
import json
from numba.core import event
from lib._jit import fingerprint
from mini import caller
with event.install_recorder("numba:compile") as recorder:
    values = caller.results()
marks = [fingerprint(caller.negative), fingerprint(caller.shifted)]
print(json.dumps([values, sum(e.is_start for _, e in recorder.buffer), marks]))
"""


@pytest.fixture
def mini(tmp_path):
    """Write a package of two files, in which kernels of one call a kernel of the other."""
    package = tmp_path / "mini"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "callee.py").write_text(CALLEE)
    (package / "caller.py").write_text(CALLER)
    seeds = iter("1234567")

    def report():
        result = subprocess.run(
            [sys.executable, "-c", REPORT],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)]),
                "PYTHONHASHSEED": next(seeds),
                "PYTHONDONTWRITEBYTECODE": "1",
                "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
            },
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return package, report


def test_cache_is_hit_in_the_next_process_and_never_stale(mini):
    package, report = mini
    values, compiled, marks = report()
    assert values == [6.5, 60.0, 65.0, -20.0]
    assert compiled >= 4

    assert report() == [values, 0, marks]

    (package / "callee.py").write_text(CALLEE.replace("3.0", "7.0"))
    changed, compiled, new_marks = report()
    assert changed == [14.5, 140.0, 145.0, -20.0]
    assert compiled >= 3
    assert new_marks[0] == marks[0] and new_marks[1] != marks[1]


def test_clear_cache_removes_compiled_files_only(tmp_path, monkeypatch):
    monkeypatch.setattr(_jit, "__file__", str(tmp_path / "_jit.py"))
    for name in ("a.py", "sub/__pycache__/b.nbi", "sub/__pycache__/b.1.nbc", "sub/b.pyc"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    assert _jit.clear_cache() == 2
    assert sorted(f.name for f in tmp_path.rglob("*.*")) == ["a.py", "b.pyc"]
    assert _jit.clear_cache() == 0


def test_a_vectorized_function_is_never_taken_for_another():
    if not _jit.JIT:
        pytest.skip("without the compiler there is nothing to cache")
    double = vectorize(lambda x: 2.0 * x)
    assert _jit.fingerprint(double_caller(double)) is None
    assert _jit.fingerprint(double_caller(np.sqrt)) is not None


def double_caller(function):
    def call(x):
        return function(x)

    return call


def dispatchers():
    """Return every compiled function of the package that exists by now."""
    for module in pkgutil.walk_packages(lib.__path__, "lib."):
        importlib.import_module(module.name)
    well = problems.double_well(0.2)
    for name, method in optimizers.METHODS.items():
        on_data = name in ("stochastic_hessian_scaled", "restarted_sgd", "approximate_newton")
        problem = problems.CATALOGUE["logistic_regression"]() if on_data else well
        method(problem, np.full(problem.dimension, 0.1), max_iter=1)
    ensembles.run_many(well, [[0.1, 0.2]], 0.1, max_iter=2, check_every=2)
    kernels = [thing for thing in gc.get_objects() if issubclass(type(thing), Dispatcher)]
    return [kernel for kernel in kernels if str(kernel.py_func.__module__).startswith("lib.")]


@pytest.mark.skipif(not _jit.JIT, reason="nothing is compiled")
def test_no_kernel_forgets_what_is_not_a_number():
    """No flag that lets the compiler assume that there are no NaN or that zeros have no sign."""
    found = [kernel.targetoptions.get("fastmath", False) for kernel in dispatchers()]
    assert len(found) > 200
    flags = [set(getattr(flag, "flags", flag)) for flag in found if flag]
    assert flags and all(flag <= {"contract"} for flag in flags)


@pytest.mark.parametrize("every", [1, 8])
def test_divergence_is_seen_and_dead_neurons_do_not_move(every):
    runs = ensembles.run_many(
        problems.quartic(), [[30.0], [0.5]], 0.1, max_iter=64, check_every=every
    )
    assert runs.status.tolist() == ["diverged", "max_iter"] and np.isfinite(runs.x).all()
    network = problems.relu_network((1, 3, 1), [0.0, 0.5, 1.0], [0.0, 1.0, 0.0])
    theta = problems.pack([([[1], [-1], [2]], [0.1, -0.2, -3.0]), ([[1, 1, -1]], [0.0])])
    frozen = ensembles.frozen_parameters(network, theta)
    assert frozen.sum() == 6
    last = ensembles.run_many(network, theta[None], 0.05, max_iter=64, check_every=every).x[0]
    assert (last[frozen] - theta[frozen] == 0.0).all() and (last[~frozen] != theta[~frozen]).any()
    assert (np.signbit(last[frozen]) == np.signbit(theta[frozen])).all()
