"""The data makers do what they say, number by number."""

import numpy as np
import pytest

from lib.problems.datasets import least_squares_data, logistic_data, sigmoid_data
from lib.problems.linear_models import least_squares
from lib.problems.sigmoid_least_squares import sigmoid_least_squares


def test_logistic_data_as_documented():
    A, labels = logistic_data(40, 5, scale_exponent=1.5, seed=3)
    rng = np.random.default_rng(3)
    G, w, u = rng.standard_normal((40, 5)), rng.standard_normal(5), rng.uniform(size=40)
    np.testing.assert_allclose(A, G * 10 ** np.array([0, 0.375, 0.75, 1.125, 1.5]), rtol=1e-14)
    np.testing.assert_array_equal(labels, np.where(u < 1 / (1 + np.exp(-3 * G @ w)), 1.0, -1.0))


def test_scaling_the_features_keeps_the_labels():
    plain, labels = logistic_data(60, 4)
    for exponent in (-2.0, 0.5, 3.0):
        scaled, same = logistic_data(60, 4, scale_exponent=exponent)
        np.testing.assert_array_equal(labels, same)
        np.testing.assert_array_equal(scaled[:, 0], plain[:, 0])
        np.testing.assert_allclose(scaled[:, -1], plain[:, -1] * 10**exponent, rtol=1e-14)


def test_least_squares_data_as_documented():
    A, b = least_squares_data(30, 4, noise=0.2, seed=5)
    rng = np.random.default_rng(5)
    G, w, e = rng.standard_normal((30, 4)), rng.standard_normal(4), rng.standard_normal(30)
    np.testing.assert_allclose((A**2).sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(A, G / np.linalg.norm(G, axis=1)[:, None], rtol=1e-14)
    np.testing.assert_allclose(b, A @ w + 0.2 * e, rtol=1e-13)
    raw, c = least_squares_data(30, 4, noise=0.2, unit_rows=False, seed=5)
    np.testing.assert_array_equal(raw, G)
    np.testing.assert_allclose(c, G @ w + 0.2 * e, rtol=1e-13)


def test_without_noise_the_system_is_consistent():
    problem = least_squares(*least_squares_data(50, 6, noise=0.0))
    assert 0 <= problem.constants["infimum"] < 1e-28


def test_sigmoid_data_as_documented():
    A, targets = sigmoid_data(30, 4, seed=6)
    rng = np.random.default_rng(6)
    G, w, e = rng.standard_normal((30, 4)), rng.standard_normal(4), rng.standard_normal(30)
    np.testing.assert_array_equal(A, G)
    np.testing.assert_allclose(targets, 1 / (1 + np.exp(-G @ w)) + e / 10, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("make", [logistic_data, least_squares_data, sigmoid_data])
def test_seeds(make):
    first, again, other = make(20, 3, seed=1), make(20, 3, seed=1), make(20, 3, seed=2)
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert (one != different).any()
    np.testing.assert_array_equal(make(20, 3)[0], make(20, 3, seed=0)[0])


@pytest.mark.parametrize("make", [logistic_data, least_squares_data, sigmoid_data])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 0, "d": 2}, ValueError, "n must be a whole number at least 1"),
        ({"n": 2, "d": 0}, ValueError, "d must be a whole number at least 1"),
        ({"n": 2.0, "d": 2}, TypeError, "n must be a whole number"),
        ({"n": 2, "d": "2"}, TypeError, "d must be a whole number"),
        ({"n": 2, "d": 2, "seed": -1}, ValueError, "seed must be a whole number at least 0"),
    ],
)
def test_bad_sizes(make, arguments, error, message):
    with pytest.raises(error, match=message):
        make(**arguments)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: logistic_data(5, 2, scale_exponent=np.nan), ValueError, "scale_exponent must be"),
        (lambda: logistic_data(5, 2, scale_exponent=200), ValueError, "scale_exponent must be"),
        (lambda: least_squares_data(5, 2, noise=-1), ValueError, "noise must be .* at least 0"),
        (lambda: least_squares_data(5, 2, unit_rows=1), TypeError, "unit_rows must be True or Fa"),
    ],
)
def test_bad_options(make, error, message):
    with pytest.raises(error, match=message):
        make()


def condition_number(A, labels, l2):
    """Return that of the Hessian of logistic regression at its minimizer, by Newton's method."""
    n, d = A.shape

    def value(x):
        return np.logaddexp(0, -labels * (A @ x)).mean() + l2 / 2 * x @ x

    x = np.zeros(d)
    for _ in range(40):
        share = np.exp(-np.logaddexp(0, labels * (A @ x)))
        gradient = -A.T @ (labels * share) / n + l2 * x
        hessian = (A.T * (share * (1 - share))) @ A / n + l2 * np.eye(d)
        if np.linalg.norm(gradient) < 1e-8:
            return np.linalg.cond(hessian)
        step = np.linalg.solve(hessian, gradient)
        while value(x - step) > value(x):
            step = step / 2
        x = x - step
    raise AssertionError("Newton's method did not converge")


def test_scaled_features_make_logistic_regression_ill_conditioned():
    medians = []
    for exponent in (0.0, 0.5, 1.0, 1.5):
        data = [logistic_data(500, 20, scale_exponent=exponent, seed=seed) for seed in range(9)]
        medians.append(np.median([condition_number(*one, l2=1e-4) for one in data]))
    assert 50 < medians[0] < 150
    for low, high in zip(medians, medians[1:], strict=False):
        assert 3 < high / low < 12


def test_sigmoid_data_make_a_nonconvex_problem_with_a_good_fit():
    for seed in range(3):
        A, targets = sigmoid_data(300, 20, seed=seed)
        problem = sigmoid_least_squares(A, targets)
        start = np.random.default_rng(100 + seed).standard_normal(20)
        assert np.linalg.eigvalsh(problem.hessian(start))[0] < -1e-3
        w = np.random.default_rng(seed)
        w.standard_normal((300, 20))
        assert problem.value(w.standard_normal(20)) < 0.02 < 0.05 < problem.value(start)
