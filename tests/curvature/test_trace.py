"""Traces and diagonals from random vectors: unbiased, with honest error bars."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import ortho_group

from lib import problems
from lib.curvature.trace import hutch_plus_plus, hutchinson_diagonal, hutchinson_trace

WELL = problems.double_well()
X = [0.0, 1.0]
SEEDS = range(200)


Q = ortho_group.rvs(100, random_state=0)
FLAT = Q @ np.diag(np.linspace(-1.0, 2.0, 100)) @ Q.T
DECAYING = Q @ np.diag(np.arange(1.0, 101.0) ** -2) @ Q.T
ORIGIN = np.zeros(100)


@pytest.fixture
def rms(dense):
    """Return root mean square error over the seeds, the errors and the standard errors."""

    def measure(estimator, matrix, **options):
        problem, _ = dense(matrix)
        found = [estimator(problem, ORIGIN, seed=seed, **options) for seed in SEEDS]
        errors = np.array([e.value for e in found]) - np.trace(matrix)
        return np.sqrt(np.mean(errors**2)), errors, np.array([e.standard_error for e in found])

    return measure


def test_trace_by_hand(dense):
    problem, calls = dense(FLAT)
    found = hutchinson_trace(problem, ORIGIN, n_vectors=1000, seed=4)
    assert found.n_hvp == len(calls) == 1000
    assert abs(found.value - np.trace(FLAT)) < 3 * found.standard_error
    off_diagonal = FLAT - np.diag(np.diag(FLAT))
    wanted = np.sqrt(2 * (off_diagonal**2).sum() / 1000)
    assert found.standard_error == pytest.approx(wanted, rel=0.1)


@pytest.mark.parametrize("distribution", ["rademacher", "gaussian"])
def test_trace_is_unbiased_with_the_predicted_variance(distribution, rms):
    error, errors, bars = rms(hutchinson_trace, FLAT, n_vectors=25, distribution=distribution)
    square = (FLAT**2).sum() - (distribution == "rademacher") * (np.diag(FLAT) ** 2).sum()
    wanted = np.sqrt(2 * square / 25)
    assert error == pytest.approx(wanted, rel=0.15)
    assert abs(errors.mean()) < 3 * wanted / np.sqrt(len(SEEDS))
    # Student's t with 24 degrees of freedom: 95 percent within 2.06 standard errors.
    assert 0.90 < np.mean(np.abs(errors) <= 2.06 * bars) < 0.99


def test_signs_are_exact_for_diagonal_matrices_and_normal_numbers_are_not():
    bowl = problems.quadratic_saddle(np.arange(1.0, 51.0))
    found = hutchinson_trace(bowl, np.zeros(50), n_vectors=2)
    assert (found.value, found.standard_error) == (1275.0, 0.0)
    assert hutchinson_trace(bowl, np.zeros(50), 20, "gaussian").standard_error > 1.0


def test_diagonal(dense):
    problem, calls = dense(FLAT)
    found = hutchinson_diagonal(problem, ORIGIN, n_vectors=400, seed=1)
    assert found.n_hvp == len(calls) == 400
    assert found.value.shape == found.standard_error.shape == (100,)
    hits = np.abs(found.value - np.diag(FLAT)) <= 1.97 * found.standard_error
    assert 0.88 <= hits.mean() <= 1.0
    off_diagonal = FLAT - np.diag(np.diag(FLAT))
    wanted = np.sqrt((off_diagonal**2).sum(axis=1) / 400)
    np.testing.assert_allclose(found.standard_error, wanted, rtol=0.2)
    bowl = problems.quadratic_saddle([1.0, -2.0, 3.0])
    assert hutchinson_diagonal(bowl, np.zeros(3)).value.tolist() == [1.0, -2.0, 3.0]


def test_hutch_plus_plus_wins_where_the_spectrum_decays(rms):
    plain, _, _ = rms(hutchinson_trace, DECAYING, n_vectors=30)
    better, errors, bars = rms(hutch_plus_plus, DECAYING, n_products=30)
    assert better < plain / 8
    assert abs(errors.mean()) < 3 * better / np.sqrt(len(SEEDS))
    assert 0.90 < np.mean(np.abs(errors) <= 2.26 * bars) < 0.99  # 9 degrees of freedom
    # Four times the products: the plain error falls by 2, the other by more than 4.
    assert rms(hutch_plus_plus, DECAYING, n_products=120)[0] < better / 4
    assert rms(hutchinson_trace, DECAYING, n_vectors=120)[0] == pytest.approx(plain / 2, rel=0.2)


def test_hutch_plus_plus_loses_where_it_does_not(rms):
    assert rms(hutch_plus_plus, FLAT, n_products=30)[0] > rms(hutchinson_trace, FLAT)[0]


@pytest.mark.parametrize("n_products", [4, 5, 6, 29, 30, 31])
def test_hutch_plus_plus_spends_its_budget(n_products, dense):
    problem, calls = dense(FLAT)
    found = hutch_plus_plus(problem, ORIGIN, n_products)
    assert found.n_hvp == len(calls) == n_products


@pytest.mark.parametrize("n_products", [300, 333])
def test_hutch_plus_plus_is_exact_with_three_times_d_products(n_products, dense):
    found = hutch_plus_plus(dense(FLAT)[0], ORIGIN, n_products)
    assert found.value == pytest.approx(np.trace(FLAT), rel=1e-12)
    assert found.standard_error < 1e-12


def test_hutch_plus_plus_is_exact_for_low_rank(dense):
    matrix = Q[:, :5] @ np.diag([5.0, -4.0, 3.0, 2.0, 1.0]) @ Q[:, :5].T
    found = hutch_plus_plus(dense(matrix)[0], ORIGIN, 18)
    assert found.value == pytest.approx(7.0, rel=1e-12)
    assert hutch_plus_plus(dense(np.zeros((9, 9)))[0], np.zeros(9)).value == 0.0


def test_data_of_the_same_seed_do_no_harm(dense):
    # The rows of A are what default_rng(0) gives first, and so might the random vectors be.
    A = np.random.default_rng(0).standard_normal((30, 100))
    for distribution in ("gaussian", "rademacher"):
        found = hutchinson_trace(dense(A.T @ A)[0], ORIGIN, 30, distribution)
        assert abs(found.value - np.trace(A.T @ A)) < 4 * found.standard_error


@pytest.mark.parametrize("function", [hutchinson_trace, hutchinson_diagonal, hutch_plus_plus])
def test_seeds_and_inputs(function, dense):
    carton = problems.egg_carton(6)
    bent = dataclasses.replace(carton, hvp_kernel=dense(FLAT[:6, :6])[0].hvp_kernel)
    one, again, other = (function(bent, np.ones(6), 10, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.value, again.value)
    assert np.any(one.value != other.value)
    np.testing.assert_array_equal(function(bent, (1,) * 6, 10, seed=3).value, one.value)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.value = 0.0


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        (hutchinson_trace, (len, X), TypeError, "problem must be a Problem"),
        (hutchinson_trace, (WELL, [0.0]), ValueError, r"x must have shape \(2,\)"),
        (hutchinson_trace, (WELL, X, 1), ValueError, "n_vectors must be .* at least 2"),
        (hutchinson_trace, (WELL, X, 2, "normal"), ValueError, "distribution must be one of"),
        (hutchinson_trace, (WELL, X, 2, "gaussian", -1), ValueError, "seed must be"),
        (hutchinson_trace, (WELL, [0.0, 1e200]), ValueError, "x must lie where the Hessian"),
        (hutchinson_diagonal, (None, X), TypeError, "problem must be a Problem"),
        (hutchinson_diagonal, (WELL, X, 2.5), TypeError, "n_vectors must be a whole number"),
        (hutch_plus_plus, (WELL, [np.nan, 0.0]), ValueError, "x must be finite"),
        (hutch_plus_plus, (WELL, X, 3), ValueError, "n_products must be .* at least 4"),
    ],
)
def test_bad_arguments_are_named(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(*arguments)
