"""Hessian-vector products: three methods against each other and against the theory of errors."""

import dataclasses
import math

import numpy as np
import pytest
from numba import njit

from lib import problems
from lib._jit import JIT, Slot, kernel, stamp
from lib.curvature.hvp import complex_step_kernel, finite_difference_kernel, hvp
from lib.problems import Problem

product = Slot("product")

CASES = {
    "double well": (problems.double_well(0.3), 2.5),
    "egg carton": (problems.egg_carton(6), 7.0),
    "counterexample": (problems.step_size_counterexample(), 6.0),
    "ladder": (problems.saddle_ladder(4), 1.3),
}
CARTON = problems.egg_carton(6)
WELL = problems.double_well(0.3)


def relative(measured, wanted):
    return np.linalg.norm(measured - wanted) / np.linalg.norm(wanted)


# --- accuracy ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_complex_step_is_exact(name):
    problem, box = CASES[name]
    for x, v in np.random.default_rng(7).uniform(-box, box, (20, 2, problem.dimension)):
        wanted = problem.hvp(x, v)
        scale = np.abs(problem.hessian(x)).max() * np.linalg.norm(v)
        measured = hvp(problem, x, v, "complex_step")
        np.testing.assert_allclose(measured, wanted, rtol=1e-14, atol=1e-14 * scale)


def test_central_differences_have_nine_digits():
    for x, v in np.random.default_rng(7).uniform(-7, 7, (50, 2, 6)):
        measured = hvp(CARTON, x, v, "finite_difference")
        assert 1e-14 < relative(measured, CARTON.hvp(x, v)) < 3e-9


def test_forward_differences_have_seven_digits():
    for x, v in np.random.default_rng(7).uniform(-7, 7, (50, 2, 6)):
        measured = hvp(CARTON, x, v, "finite_difference", scheme="forward")
        assert 1e-13 < relative(measured, CARTON.hvp(x, v)) < 5e-7


def test_analytic_is_the_problems_own():
    for x, v in np.random.default_rng(3).normal(size=(5, 2, 2)):
        np.testing.assert_array_equal(hvp(WELL, x, v), WELL.hvp(x, v))


def errors(scheme, steps):
    """Median relative error over points and directions, for each step."""
    pairs = np.random.default_rng(11).normal(size=(31, 2, 6))
    found = [
        [
            relative(
                hvp(CARTON, x, v, "finite_difference", step=h, scheme=scheme), CARTON.hvp(x, v)
            )
            for x, v in pairs
        ]
        for h in steps
    ]
    return np.median(found, axis=1)


def test_valley_of_the_forward_error():
    steps = 10.0 ** np.arange(-13, 0)
    error = errors("forward", steps)
    best = error.argmin()
    assert steps[best] == pytest.approx(1e-8)
    assert 5e-10 < error[best] < 1e-7
    np.testing.assert_allclose(error[-4:-1] / error[-5:-2], 10, rtol=0.2)
    np.testing.assert_allclose(error[:4] / error[1:5], 10, rtol=0.6)


def test_valley_of_the_central_error():
    steps = 10.0 ** np.arange(-11, 0)
    error = errors("central", steps)
    best = error.argmin()
    assert 1e-6 < steps[best] < 1e-4
    assert 5e-13 < error[best] < 1e-10
    np.testing.assert_allclose(error[-3:-1] / error[-4:-2], 100, rtol=0.2)
    np.testing.assert_allclose(error[:4] / error[1:5], 10, rtol=0.6)


def test_errors_are_those_of_the_docstring():
    # For the egg carton the third derivative along v is sin(x) v^2, the fourth cos(x) v^3.
    rng = np.random.default_rng(5)
    x, v = rng.normal(size=6), rng.normal(size=6)
    u = v / np.linalg.norm(v)
    exact = CARTON.hvp(x, u)
    forward = hvp(CARTON, x, u, "finite_difference", step=1e-4, scheme="forward")
    np.testing.assert_allclose(forward - exact, 1e-4 / 2 * np.sin(x) * u**2, rtol=0.01, atol=1e-11)
    central = hvp(CARTON, x, u, "finite_difference", step=1e-2)
    np.testing.assert_allclose(central - exact, 1e-4 / 6 * np.cos(x) * u**3, rtol=0.01, atol=1e-13)


@pytest.mark.parametrize("step", [1e-300, 1e-100, 1e-30, 1e-12])
def test_no_step_is_too_small_for_the_complex_step(step):
    x, v = np.random.default_rng(2).normal(size=(2, 6))
    assert relative(hvp(CARTON, x, v, "complex_step", step=step), CARTON.hvp(x, v)) < 1e-14


def test_a_long_complex_step_has_a_quadratic_error():
    x, v = np.random.default_rng(2).normal(size=(2, 6))
    found = [
        relative(hvp(CARTON, x, v, "complex_step", step=h), CARTON.hvp(x, v)) for h in (0.1, 0.01)
    ]
    assert found[0] / found[1] == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize("method", ["finite_difference", "complex_step"])
@pytest.mark.parametrize("scale", [1e-290, 1e-150, -1e-6, 1e150, 1e290])
def test_length_of_the_direction_does_not_matter(method, scale):
    x, v = [0.7, -1.3], np.array([2.0, 0.5])
    expected = hvp(WELL, x, v, method) * scale
    np.testing.assert_allclose(hvp(WELL, x, scale * v, method), expected, rtol=1e-8)
    np.testing.assert_array_equal(hvp(WELL, x, [0.0, 0.0], method), [0.0, 0.0])


# --- kernels ----------------------------------------------------------------------------------


def naive(problem, x, v, scheme, h):
    u = v / np.linalg.norm(v)
    if scheme == "central":
        slope = (problem.gradient(x + h * u) - problem.gradient(x - h * u)) / (2 * h)
    else:
        slope = (problem.gradient(x + h * u) - problem.gradient(x)) / h
    return slope * np.linalg.norm(v)


@pytest.mark.parametrize("scheme", ["central", "forward"])
def test_difference_kernels(scheme):
    x, v, out = np.array([0.7, -1.3]), np.array([2.0, 0.5]), np.full(2, np.nan)
    work = np.full((2, 2), np.nan)
    inner = finite_difference_kernel(WELL, scheme, workspace=True)
    inner(x, v, WELL.parameters, out, 1e-3, work)
    np.testing.assert_allclose(out, naive(WELL, x, v, scheme, 1e-3), rtol=1e-11)
    inner(x, v, WELL.parameters, out, 0.0, work)
    own = np.full(2, np.nan)
    finite_difference_kernel(WELL, scheme)(x, v, WELL.parameters, own)
    np.testing.assert_array_equal(own, out)
    np.testing.assert_array_equal(hvp(WELL, x, v, "finite_difference", scheme=scheme), out)
    power = 1 / 3 if scheme == "central" else 1 / 2
    h = np.finfo(float).eps ** power * (1 + np.linalg.norm(x))
    np.testing.assert_allclose(out, naive(WELL, x, v, scheme, h), rtol=1e-6)


def test_complex_kernels():
    x, v, out = np.array([0.7, -1.3]), np.array([2.0, 0.5]), np.full(2, np.nan)
    work = np.full((2, 2), np.nan, dtype=complex)
    complex_step_kernel(WELL, workspace=True)(x, v, WELL.parameters, out, 0.0, work)
    np.testing.assert_allclose(out, WELL.hvp(x, v), rtol=1e-14, atol=1e-14)
    complex_step_kernel(WELL)(x, v, WELL.parameters, out)
    np.testing.assert_array_equal(out, hvp(WELL, x, v, "complex_step"))


def curvature_along(x, v, p, out):
    product(x, v, p, out)
    total = 0.0
    for i in range(v.size):
        total += v[i] * out[i]
    return total


@pytest.mark.parametrize("make", [finite_difference_kernel, complex_step_kernel])
def test_kernels_are_called_from_kernels_with_strided_vectors(make):
    block = np.random.default_rng(0).normal(size=(2, 3))
    out = np.empty(2)
    along = stamp(curvature_along, product=make(WELL))
    measured = along(block[:, 0], block[:, 1], WELL.parameters, out)
    x, v = block[:, 0].copy(), block[:, 1].copy()
    assert measured == pytest.approx(v @ WELL.hvp(x, v), rel=1e-8)


def test_a_problem_without_its_hessian():
    blind = dataclasses.replace(WELL, hvp_kernel=finite_difference_kernel(WELL))
    np.testing.assert_allclose(blind.hessian([0.7, -1.3]), WELL.hessian([0.7, -1.3]), atol=1e-9)


def test_gradients_are_counted_right():
    calls = []

    def gradient(x, p, out):
        calls.append(x.copy())
        out[:] = 3 * x

    def value(x, p):
        return 1.5 * x @ x

    bowl = Problem("bowl", 3, value, gradient, None, np.empty(0))
    for scheme, step in (("central", 1e-3), ("forward", 1e-3)):
        calls.clear()
        finite_difference_kernel(bowl, scheme, workspace=True)(
            np.ones(3), np.eye(3)[0], bowl.parameters, np.empty(3), step, np.empty((2, 3))
        )
        assert len(calls) == 2
        assert (calls[0] == 1).all() == (scheme == "forward")


def test_kernels_are_made_once():
    assert finite_difference_kernel(WELL) is finite_difference_kernel(problems.double_well(1.0))
    assert finite_difference_kernel(WELL) is not finite_difference_kernel(WELL, "forward")
    assert complex_step_kernel(WELL) is complex_step_kernel(WELL)


# --- functions that take no complex numbers ---------------------------------------------------


@njit
def nothing(x):
    return 0.0


@njit
def with_math(x):
    return math.sin(x[0]), x[1]


@njit
def with_float(x):
    return float(x[0]), x[1]


@njit
def with_real_array(x):
    out = np.zeros(2)
    out[0] = 2.0 * x[0]
    out[1] = x[1]
    return out


@njit
def with_comparison(x):
    return (x[0] if x[0] > 0.0 else -x[0]), x[1]


@njit
def with_maximum(x):
    return max(x[0], 0.0), x[1]


@njit
def with_power(x):
    return x[0] ** 3, x[1]


@njit
def with_numpy(x):
    return np.sin(x[0]) * np.exp(x[1]), -np.cos(x[0]) * np.exp(x[1])


@pytest.mark.parametrize("gradient", [with_math, with_float, with_real_array])
def test_refusal_of_complex_numbers_is_explained(gradient):
    problem = problems.custom(nothing, gradient, 2, name="my own")
    with pytest.raises(
        ValueError, match="problem must have a gradient that takes complex .*my own"
    ):
        hvp(problem, [0.5, 1.0], [1.0, 0.0], "complex_step")


@pytest.mark.parametrize("gradient", [with_comparison, with_maximum])
def test_numpys_complex_numbers_can_be_compared_but_compiled_ones_cannot(gradient):
    problem = problems.custom(nothing, gradient, 2)
    if JIT:
        with pytest.raises(ValueError, match="takes complex numbers"):
            hvp(problem, [0.5, 1.0], [1.0, 0.0], "complex_step")
    else:
        assert hvp(problem, [0.5, 1.0], [1.0, 0.0], "complex_step").tolist() == [1.0, 0.0]


def test_compiled_powers_of_negative_numbers_are_caught():
    problem = problems.custom(nothing, with_power, 2)
    np.testing.assert_allclose(
        hvp(problem, [1.3, 1.0], [1.0, 0.0], "complex_step"), [3 * 1.3**2, 0.0], rtol=1e-14
    )
    if JIT:
        with pytest.raises(ValueError, match=r"real at real points .* x\*x\*x"):
            hvp(problem, [-1.3, 1.0], [1.0, 0.0], "complex_step")
    else:
        measured = hvp(problem, [-1.3, 1.0], [1.0, 0.0], "complex_step")
        np.testing.assert_allclose(measured, [3 * 1.3**2, 0.0], rtol=1e-14)


def test_a_readers_own_function():
    problem = problems.custom(nothing, with_numpy, 2)
    x, v = np.array([0.4, -0.8]), np.array([1.0, 2.0])
    e, s, c = np.exp(-0.8), np.sin(0.4), np.cos(0.4)
    wanted = np.array([[c * e, s * e], [s * e, -c * e]]) @ v
    np.testing.assert_allclose(hvp(problem, x, v, "complex_step"), wanted, rtol=1e-14)


def test_errors_of_the_function_itself_are_not_renamed():
    @kernel
    def broken(x, p, out):
        raise ValueError("no such place")

    problem = Problem("broken", 2, None, broken, None, np.empty(0))
    with pytest.raises(ValueError, match="no such place"):
        hvp(problem, [0.5, 1.0], [1.0, 0.0], "complex_step")


# --- arguments --------------------------------------------------------------------------------


def test_inputs_of_any_kind():
    wanted = hvp(WELL, [1.0, 2.0], [3.0, 1.0], "finite_difference")
    read_only = np.array([1.0, 2.0])
    read_only.setflags(write=False)
    for x in ((1, 2), np.float32([1, 2]), np.array([[1.0, 2.0]] * 3).T[:, 1], read_only):
        np.testing.assert_array_equal(hvp(WELL, x, np.int8([3, 1]), "finite_difference"), wanted)
    assert read_only.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"problem": len}, TypeError, "problem must be a Problem"),
        ({"x": [1.0]}, ValueError, r"x must have shape \(2,\)"),
        ({"v": [1.0, np.nan]}, ValueError, "v must be finite"),
        ({"v": "up"}, TypeError, "v must be an array of real numbers"),
        ({"x": [1j, 0.0]}, TypeError, "x must be an array of real numbers"),
        ({"method": "exact"}, ValueError, "method must be one of 'analytic', "),
        ({"scheme": "backward"}, ValueError, "scheme must be one of 'central', 'forward'"),
        ({"step": 0.0}, ValueError, "step must be a finite number above 0"),
        ({"step": "small"}, TypeError, "step must be a number"),
        ({"step": 0.1, "method": "analytic"}, ValueError, "step must be None for .*analytic"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    given = {"problem": WELL, "x": [1.0, 2.0], "v": [1.0, 0.0], "method": "finite_difference"}
    with pytest.raises(error, match=message):
        hvp(**{**given, **changes})


def test_bad_arguments_of_the_kernel_makers():
    with pytest.raises(TypeError, match="problem must be a Problem"):
        finite_difference_kernel(len)
    with pytest.raises(TypeError, match="problem must be a Problem"):
        complex_step_kernel(None)
    with pytest.raises(ValueError, match="scheme must be one of"):
        finite_difference_kernel(WELL, "both")
    with pytest.raises(TypeError, match="workspace must be True or False"):
        finite_difference_kernel(WELL, workspace=1)
    with pytest.raises(TypeError, match="workspace must be True or False"):
        complex_step_kernel(WELL, workspace=1)
