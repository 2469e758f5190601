"""The gradient map, its inverse, and the proximal point method."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import problems
from lib.optimizers import gradient_descent, gradient_map, inverse_gradient_map, proximal_point

EGGS = problems.egg_carton()
WELL = problems.double_well(0.3)
QUADRATIC = problems.quadratic_saddle([2.0, 0.5, -1.0])

careful = settings(deadline=None, derandomize=True, max_examples=60)
plane = st.tuples(st.floats(-10, 10), st.floats(-10, 10))


@careful
@given(plane, st.floats(0.01, 0.9))
def test_inverse_undoes_the_gradient_map(x, rate):
    there = gradient_map(EGGS, x, rate)
    np.testing.assert_allclose(inverse_gradient_map(EGGS, there, rate), x, rtol=0, atol=1e-12)
    back = inverse_gradient_map(EGGS, x, rate)
    np.testing.assert_allclose(gradient_map(EGGS, back, rate), x, rtol=0, atol=1e-12)


def test_gradient_map_is_one_step():
    run = gradient_descent(WELL, [1.2, 0.3], 0.2, max_iter=1)
    np.testing.assert_array_equal(gradient_map(WELL, [1.2, 0.3], 0.2), run.x)


def test_inverse_fails_loudly_beyond_one_over_l():
    with pytest.raises(ArithmeticError, match="did not settle at learning_rate = 3"):
        inverse_gradient_map(EGGS, [1.0, 2.0], 3.0, max_iter=1000)
    with pytest.raises(ArithmeticError, match="did not settle"):
        inverse_gradient_map(WELL, [5.0, 2.0], 1.0)


def test_inverse_leaves_its_argument_alone():
    y = np.array([1.0, 2.0])
    inverse_gradient_map(EGGS, y, 0.5)
    np.testing.assert_array_equal(y, [1.0, 2.0])


@pytest.mark.parametrize("rate", [0.02, 0.08])
def test_each_step_solves_its_inner_problem(rate):
    problem = WELL
    run = proximal_point(problem, [1.4, -1.1], rate, max_iter=100)
    assert run.n_iter > 50
    trials = np.random.default_rng(0).standard_normal((50, 2))
    for x, ahead in zip(run.path[:-1], run.path[1:], strict=True):
        residual = ahead + rate * problem.gradient(ahead) - x
        np.testing.assert_allclose(residual, 0, atol=1e-12)
        best = problem.value(ahead) + sum((ahead - x) ** 2) / (2 * rate)
        for z in ahead + 0.1 * trials[:10]:
            assert problem.value(z) + sum((z - x) ** 2) / (2 * rate) >= best - 1e-14


def test_quadratic_has_a_closed_form():
    x0, rate = np.array([0.3, -0.8, 1e-3]), 0.4
    run = proximal_point(QUADRATIC, x0, rate, max_iter=15, tol=0.0)
    k = np.arange(16)[:, None]
    wanted = x0 / (1 + rate * np.array([2.0, 0.5, -1.0])) ** k
    np.testing.assert_allclose(run.path, wanted, rtol=0, atol=1e-12)


def test_its_map_inverts_gradient_ascent():
    upside_down = problems.quadratic_saddle([-2.0, -0.5, 1.0])
    x = np.array([0.3, -0.8, 0.5])
    step = proximal_point(QUADRATIC, x, 0.4, max_iter=1).x
    np.testing.assert_allclose(inverse_gradient_map(upside_down, x, 0.4), step, atol=1e-13)


def test_avoids_the_saddle():
    run = proximal_point(WELL, [0.3, 1e-9], 0.05, max_iter=5000)
    assert run.status == "converged"
    assert min(np.linalg.norm(run.x - c.x) for c in WELL.critical_points[1:]) < 1e-7


@pytest.mark.parametrize("max_inner", [1, 10_000])
def test_inner_failure_is_a_status(max_inner):
    run = proximal_point(WELL, [1.0, 1.0], 5.0, max_inner=max_inner)
    assert run.status == "inner_failed"
    assert "learning_rate below 1/L" in run.message
    np.testing.assert_array_equal(run.x, [1.0, 1.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gradient_map(3, [0.0], 0.1), TypeError, "problem must be a Problem"),
        (lambda: gradient_map(EGGS, [0.0], 0.1), ValueError, r"x must have shape \(2,\)"),
        (lambda: gradient_map(EGGS, [0, 0], -1), ValueError, "learning_rate must be .* above 0"),
        (lambda: inverse_gradient_map(3, [0.0], 0.1), TypeError, "problem must be a Problem"),
        (lambda: inverse_gradient_map(EGGS, [0.0], 0.1), ValueError, r"y must have shape \(2,\)"),
        (lambda: inverse_gradient_map(EGGS, [0, 0], 0), ValueError, "learning_rate must be"),
        (lambda: inverse_gradient_map(EGGS, [0, 0], 0.1, tol=0), ValueError, "tol must be"),
        (
            lambda: inverse_gradient_map(EGGS, [0, 0], 0.1, max_iter=0),
            ValueError,
            "max_iter must be a whole number at least 1",
        ),
        (lambda: proximal_point(WELL, [0, 0], inner_tol=0), ValueError, "inner_tol must be"),
        (lambda: proximal_point(WELL, [0, 0], max_inner=0), ValueError, "max_inner must be"),
    ],
)
def test_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
