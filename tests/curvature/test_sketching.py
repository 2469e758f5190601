"""Sketches of many rows, against dense matrices built in the plainest way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, sparse

from lib.curvature.approximation import newton_contraction, predicted_contraction
from lib.curvature.sketching import (
    SKETCHES,
    count_sketch,
    gaussian_sketch,
    hadamard_sketch,
    scatter,
)

careful = settings(deadline=None, derandomize=True, max_examples=30)


def rows_of(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def matrix_of(sketch, n, size, seed):
    """Return S: what the sketch makes of the identity."""
    return SKETCHES[sketch](np.eye(n), size, seed)


@pytest.mark.parametrize("sketch", SKETCHES)
@pytest.mark.parametrize(("n", "size"), [(1, 1), (5, 3), (37, 20), (64, 64), (150, 7)])
def test_a_sketch_is_linear_and_depends_on_the_seed_only(sketch, n, size):
    R = rows_of(n, 3)
    S = matrix_of(sketch, n, size, seed=4)
    found = SKETCHES[sketch](R, size, seed=4)
    np.testing.assert_allclose(found, S @ R, rtol=1e-9, atol=1e-11)
    R[np.abs(R) < 0.7] = 0.0
    for kind in (sparse.csr_array, sparse.csc_matrix):
        again = SKETCHES[sketch](kind(R), size, seed=4)
        assert type(again) is np.ndarray
        np.testing.assert_allclose(again, S @ R, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("sketch", SKETCHES)
def test_the_gram_matrix_is_right_on_average(sketch):
    """The mean over many seeds is R^T R, within five standard errors."""
    R = rows_of(11, 2) * [1.0, 3.0]
    draws = np.random.default_rng(1)
    sketches = [SKETCHES[sketch](R, 6, draws) for _ in range(2000)]
    products = np.array([S.T @ S for S in sketches])
    error = products.std(axis=0) / np.sqrt(len(products))
    assert (np.abs(products.mean(axis=0) - R.T @ R) < 5 * error).all()
    assert (error > 0).all()


def test_more_rows_than_a_block_holds():
    R = rows_of(2500, 2)
    S = matrix_of("gaussian", 2500, 3, seed=4)
    np.testing.assert_allclose(gaussian_sketch(R, 3, seed=4), S @ R, rtol=1e-9, atol=1e-11)


def test_gaussian_entries_have_variance_one_over_size():
    S = matrix_of("gaussian", 2500, 40, seed=1)
    assert S.shape == (40, 2500)
    assert S.var() == pytest.approx(1 / 40, rel=0.02)
    assert abs(S.mean()) < 5 / np.sqrt(40 * S.size)
    assert np.mean(S**4) == pytest.approx(3 / 40**2, rel=0.05)


def test_gaussian_sketch_contracts_as_predicted():
    R = rows_of(400, 10)
    H = R.T @ R
    squares = []
    for seed in range(250):
        S_R = gaussian_sketch(R, 40, seed)
        squares.append(newton_contraction(H, S_R.T @ S_R, average=True) ** 2)
    wanted = predicted_contraction(10, 40, "gaussian")
    assert np.sqrt(np.mean(squares)) == pytest.approx(wanted, rel=0.12)


def test_a_sketch_does_not_draw_the_numbers_that_data_are_made_of():
    """A row of S that equals the only column of R would give its squared norm, 1000."""
    R = np.random.default_rng(0).standard_normal((1000, 1))
    assert abs(gaussian_sketch(R, 1, seed=0)[0, 0]) < 5 * np.linalg.norm(R)


def test_count_sketch_has_one_sign_per_row():
    S = matrix_of("count", 600, 12, seed=2)
    assert set(np.unique(S)) == {-1.0, 0.0, 1.0}
    np.testing.assert_array_equal(np.abs(S).sum(axis=0), np.ones(600))
    assert abs(S.sum()) < 5 * np.sqrt(600)
    np.testing.assert_allclose(np.abs(S).sum(axis=1), 50, atol=5 * np.sqrt(50))


def test_count_sketch_of_scaled_rows():
    R = rows_of(40, 3)
    scale = np.linspace(0.0, 2.0, 40)
    source = [np.random.default_rng(7) for _ in range(3)]
    wanted = scatter(scale[:, None] * R, None, 9, source[0])
    np.testing.assert_allclose(scatter(R, scale, 9, source[1]), wanted, rtol=1e-12)
    np.testing.assert_allclose(
        scatter(sparse.csr_array(R), scale, 9, source[2]), wanted, rtol=1e-12
    )


@pytest.mark.parametrize(("n", "d"), [(1, 2), (2, 1), (8, 5), (64, 1), (256, 130)])
def test_hadamard_mixtures_are_those_of_scipy(n, d):
    """With all mixtures kept, S is the Hadamard matrix with signed columns."""
    S = matrix_of("hadamard", n, n, seed=3)
    signs = np.sign(S[0])  # the first row of a Hadamard matrix is all ones
    np.testing.assert_allclose(S * signs, linalg.hadamard(n) / np.sqrt(n), atol=1e-13)
    R = rows_of(n, d)
    found = hadamard_sketch(R, n, seed=3)
    np.testing.assert_allclose(found, S @ R, rtol=1e-9, atol=1e-12)


def test_signs_spread_what_the_hadamard_matrix_would_gather():
    """Without them all of a constant column would be in a single mixture."""
    for seed in range(20):
        found = hadamard_sketch(np.ones((64, 1)), 16, seed)
        assert 0.2 < (found**2).sum() / 64 < 2.5


def test_hadamard_keeps_different_mixtures():
    S = matrix_of("hadamard", 100, 50, seed=1)
    np.testing.assert_allclose(np.abs(S), 1 / np.sqrt(50), rtol=1e-12)
    assert np.linalg.matrix_rank(S) == 50


@careful
@given(st.integers(1, 70), st.integers(1, 4), st.integers(0, 1000))
def test_all_mixtures_keep_the_gram_matrix(n, d, seed):
    R = rows_of(n, d, seed)
    S_R = hadamard_sketch(R, 1 << (n - 1).bit_length(), seed)
    np.testing.assert_allclose(S_R.T @ S_R, R.T @ R, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("sketch", SKETCHES)
def test_seeds_and_arguments(sketch):
    make = SKETCHES[sketch]
    R = rows_of(30, 2)
    kept = R.copy()
    one = make(R, 8, seed=5)
    np.testing.assert_array_equal(make(R, 8, seed=5), one)
    assert (make(R, 8, seed=6) != one).any()
    source = np.random.default_rng(0)
    assert (make(R, 8, source) != make(R, 8, source)).any()
    R.setflags(write=False)
    for same in (R, R.tolist(), np.asfortranarray(R), np.repeat(R, 2, axis=0)[::2]):
        np.testing.assert_allclose(make(same, 8, seed=5), one, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(R, kept)


@pytest.mark.parametrize("sketch", SKETCHES)
@pytest.mark.parametrize(
    ("R", "size", "seed", "error", "message"),
    [
        ([1.0, 2.0], 2, 0, ValueError, r"R must be a matrix .* got shape \(2,\)"),
        ([["a"]], 2, 0, TypeError, "R must be an array of real numbers"),
        ([[np.nan, 1.0], [1.0, 1.0]], 1, 0, ValueError, "R must be finite"),
        ([[1.0], [2.0]], 0, 0, ValueError, "size must be a whole number at least 1"),
        ([[1.0], [2.0]], 1.0, 0, TypeError, "size must be a whole number"),
        ([[1.0], [2.0]], 1, -1, ValueError, "seed must be a whole number at least 0"),
        ([[1.0], [2.0]], 1, None, TypeError, "seed must be a whole number"),
    ],
)
def test_wrong_input_is_named(sketch, R, size, seed, error, message):
    with pytest.raises(error, match=message):
        SKETCHES[sketch](R, size, seed)


def test_too_many_mixtures():
    with pytest.raises(ValueError, match="size must be .* at least 1 and at most 64"):
        hadamard_sketch(rows_of(33, 2), 65)
    assert count_sketch(rows_of(33, 2), 65).shape == (65, 2)
