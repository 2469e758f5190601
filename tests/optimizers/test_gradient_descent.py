"""Gradient descent against ten plain lines, and the rates that the theory predicts."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import problems
from lib.optimizers import gradient_descent

WELL = problems.double_well(0.3)
QUADRATIC = problems.quadratic_saddle([2.0, 0.5, -1.0])

careful = settings(deadline=None, derandomize=True, max_examples=40)


def plain_gradient_descent(problem, x, rate, steps, tol):
    path = [np.array(x, dtype=float)]
    while True:
        gradient = problem.gradient(path[-1])
        if math.sqrt(sum(gradient**2)) <= tol:
            return np.array(path), "converged"
        if len(path) > steps:
            return np.array(path), "max_iter"
        ahead = path[-1] - rate * gradient
        if np.abs(ahead).max() > 1e8:
            return np.array(path), "diverged"
        path.append(ahead)


@careful
@given(st.floats(-4, 4), st.floats(-4, 4), st.floats(0.01, 1.9))
def test_equals_the_plain_loop_bit_for_bit(x, y, rate):
    run = gradient_descent(WELL, [x, y], rate, max_iter=60, tol=1e-6)
    path, status = plain_gradient_descent(WELL, [x, y], rate, 60, 1e-6)
    np.testing.assert_array_equal(run.path, path)
    assert (run.status, run.n_iter) == (status, len(path) - 1)


@careful
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.floats(0.01, 0.9))
def test_quadratic_has_a_closed_form(x0, rate):
    run = gradient_descent(QUADRATIC, x0, rate, max_iter=25, tol=0.0)
    k = np.arange(run.n_iter + 1)[:, None]
    wanted = (1 - rate * np.array([2.0, 0.5, -1.0])) ** k * x0
    np.testing.assert_allclose(run.path, wanted, rtol=1e-11, atol=1e-280)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3, 0.5, 0.6, 0.9, 0.99])
def test_rate_at_the_minimizer(rate):
    run = gradient_descent(problems.double_well(), [0.5, 0.9], rate, max_iter=4000, tol=1e-13)
    errors = np.linalg.norm(run.path - [0.0, 1.0], axis=1)
    window = errors[(errors > 1e-11) & (errors < 1e-4)]
    measured = (window[-1] / window[0]) ** (1 / (len(window) - 1))
    assert measured == pytest.approx(max(abs(1 - rate), abs(1 - 2 * rate)), abs=1e-4)


def test_best_rate_is_one_third():
    run = gradient_descent(problems.double_well(), [0.5, 0.9], 2 / 3, max_iter=200, tol=1e-14)
    errors = np.linalg.norm(run.path - [0.0, 1.0], axis=1)
    window = errors[(errors > 1e-12) & (errors < 1e-2)]
    np.testing.assert_allclose(window[1:] / window[:-1], 1 / 3, atol=2e-3)


def test_tolerance_zero_stops_only_at_a_gradient_of_exactly_zero():
    tiny = gradient_descent(QUADRATIC, [0.0, 0.0, 1e-170], 0.1, max_iter=10, tol=0.0)
    assert (tiny.status, tiny.n_iter) == ("max_iter", 10)
    origin = gradient_descent(QUADRATIC, [0.0, 0.0, 0.0], 0.1, max_iter=10, tol=0.0)
    assert (origin.status, origin.n_iter) == ("converged", 0)


def test_start_on_the_stable_axis_stays_there():
    run = gradient_descent(problems.double_well(), [0.7, 0.0], 0.1, max_iter=2000, tol=1e-12)
    assert run.status == "converged"
    assert (run.path[:, 1] == 0).all()
    assert abs(run.x[0]) < 1e-12
