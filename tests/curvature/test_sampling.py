"""Leverage scores, row samples and the Gram matrices made of them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from lib.curvature.approximation import newton_contraction, predicted_contraction, spectral_error
from lib.curvature.sampling import (
    SCHEMES,
    RowSample,
    gram,
    leverage_scores,
    sample_rows,
    sampled_gram,
    sampling_probabilities,
)

careful = settings(deadline=None, derandomize=True, max_examples=40)


def rows_of(n=3000, d=10, tail=None, seed=0):
    """Draw normal rows; with a tail, as heavy as Student's with so many degrees of freedom."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d))
    return A if tail is None else A / np.sqrt(rng.chisquare(tail, (n, 1)) / tail)


def naive_gram(A, weights):
    total = np.zeros((A.shape[1], A.shape[1]))
    for a, weight in zip(A, weights, strict=True):
        total += weight * np.outer(a, a)
    return total


# --- the exact Gram matrix ------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 7, 1024, 1025, 2500])
@pytest.mark.parametrize("kind", ["none", "positive", "signed", "negative", "zero"])
def test_gram_is_the_weighted_sum_of_outer_products(n, kind):
    A = rows_of(n, 3)
    rng = np.random.default_rng(1)
    weights = {
        "none": np.ones(n),
        "positive": rng.random(n),
        "signed": rng.standard_normal(n),
        "negative": -rng.random(n),
        "zero": np.zeros(n),
    }[kind]
    found = gram(A, None if kind == "none" else weights)
    np.testing.assert_allclose(found, naive_gram(A, weights), rtol=1e-12, atol=1e-11)
    np.testing.assert_array_equal(found, found.T)


def test_gram_of_rows_of_any_kind():
    A = rows_of(50, 4)
    weights = np.random.default_rng(1).standard_normal(50)
    wanted = naive_gram(A, weights)
    frozen = A.copy()
    frozen.setflags(write=False)
    for same in (
        A.tolist(),
        np.asfortranarray(A),
        np.repeat(A, 2, axis=0)[::2],
        frozen,
        sparse.csr_array(A),
        sparse.csc_matrix(A),
        sparse.coo_array(A),
    ):
        found = gram(same, weights)
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(found, found.T)
        np.testing.assert_allclose(gram(same), A.T @ A, rtol=1e-12, atol=1e-12)
    whole = np.arange(12).reshape(4, 3)
    np.testing.assert_array_equal(gram(whole, [1, 2, 3, 4]), naive_gram(whole, [1, 2, 3, 4]))
    np.testing.assert_allclose(gram(np.float32(A)), A.T @ A, rtol=1e-5, atol=1e-5)


# --- leverage scores ------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [None, 1.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_exact_scores_are_the_diagonal_of_the_projection(tail, weighted):
    A = rows_of(2100, 6, tail)
    weights = np.random.default_rng(1).random(2100) if weighted else None
    B = A if weights is None else np.sqrt(weights)[:, None] * A
    wanted = np.einsum("ij,ji->i", B, np.linalg.pinv(B))
    for same in (A, sparse.csr_array(A)):
        scores = leverage_scores(same, weights)
        np.testing.assert_allclose(scores, wanted, rtol=1e-9)
        assert scores.sum() == pytest.approx(6, rel=1e-12)
        assert scores.max() <= 1.0


def test_scores_add_up_to_the_rank():
    A = rows_of(300, 4)
    tall = A @ np.random.default_rng(1).standard_normal((4, 7))
    np.testing.assert_allclose(leverage_scores(tall), leverage_scores(A), rtol=1e-10)
    np.testing.assert_allclose(leverage_scores(rows_of(5, 9)), np.ones(5), rtol=1e-12)
    np.testing.assert_array_equal(leverage_scores(np.zeros((4, 2))), np.zeros(4))
    np.testing.assert_array_equal(leverage_scores(np.zeros((4, 2)), method="sketched"), 0.0)


def test_scores_do_not_depend_on_the_basis():
    A = rows_of(200, 3)
    skew = A @ np.array([[1.0, 5.0, 0.0], [0.0, 1e-3, 2.0], [0.0, 0.0, 1e4]])
    np.testing.assert_allclose(leverage_scores(skew), leverage_scores(A), rtol=1e-7)


def test_scores_survive_bad_conditioning():
    """Where the Gram matrix has lost all digits the triangular factor has not."""
    A = rows_of(400, 5) * np.logspace(0, -9, 5)
    wanted = (np.linalg.qr(A)[0] ** 2).sum(axis=1)
    np.testing.assert_allclose(leverage_scores(A), wanted, rtol=1e-5)
    assert np.linalg.cond(A.T @ A) > 1e15


@pytest.mark.parametrize("tail", [None, 1.5])
def test_sketched_scores_come_near_the_exact_ones(tail):
    A = rows_of(3000, 10, tail)
    exact = leverage_scores(A)
    error = {}
    for count in (12, 200):
        ratios = [
            leverage_scores(A, method="sketched", n_projections=count, seed=seed) / exact
            for seed in range(5)
        ]
        error[count] = np.median(np.abs(np.array(ratios) - 1.0))
        assert np.min(ratios) > 0.01
    assert error[12] < 0.45
    assert error[200] < 0.7 * error[12]
    sharp = leverage_scores(A, method="sketched", oversampling=200, n_projections=3000)
    np.testing.assert_allclose(sharp, exact, rtol=0.35)


def test_a_lost_direction_gives_scores_that_are_too_large():
    """Two rows that alone span two directions fall into one bucket: neither may vanish."""
    A = rows_of(500, 3)
    A[:, 1:] = 0.0
    A[0], A[1] = [0.0, 7.0, 0.0], [0.0, 0.0, 9.0]
    for seed in range(40):
        scores = leverage_scores(A, method="sketched", oversampling=1, seed=seed)
        assert min(scores[:2]) > 0.05
        assert scores.max() <= 1.0


def test_heavy_rows_have_leverage():
    """How much the largest score exceeds the mean score d/n decides whether uniform draws work."""
    assert leverage_scores(rows_of()).max() < 5 * 10 / 3000
    assert leverage_scores(rows_of(tail=1.5)).max() > 100 * 10 / 3000


# --- probabilities --------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("as_sparse", [False, True])
def test_probabilities(scheme, as_sparse):
    A = rows_of(400, 3, tail=2.0)
    A[rows_of(400, 1)[:, 0] > 1.0, 1] = 0.0
    weights = np.random.default_rng(1).standard_normal(400)
    p = sampling_probabilities(sparse.csr_array(A) if as_sparse else A, weights, scheme, seed=3)
    assert p.sum() == pytest.approx(1.0, rel=1e-12)
    size = np.abs(weights)
    if scheme == "uniform":
        np.testing.assert_array_equal(p, 1 / 400)
    elif scheme == "row_norm":
        norms = size * (A**2).sum(axis=1)
        np.testing.assert_allclose(p, norms / norms.sum(), rtol=1e-12)
    else:
        method = "exact" if scheme == "leverage" else "sketched"
        scores = leverage_scores(A, size, method, seed=3)
        np.testing.assert_allclose(p, scores / scores.sum(), rtol=1e-9)


# --- samples --------------------------------------------------------------------------------


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_estimates_have_no_bias(scheme, replacement):
    """The mean of many estimates is the matrix, within five standard errors."""
    A = rows_of(40, 2, tail=2.0)
    weights = np.random.default_rng(1).standard_normal(40)
    draws = np.random.default_rng(5)
    estimates = np.array(
        [
            sampled_gram(A, sample_rows(A, weights, 12, scheme, draws, replacement))
            for _ in range(1000)
        ]
    )
    error = estimates.std(axis=0) / np.sqrt(len(estimates))
    assert (np.abs(estimates.mean(axis=0) - gram(A, weights)) < 5 * error + 1e-12).all()
    assert (error > 0).all()


@careful
@given(
    st.integers(1, 60),
    st.integers(1, 3),
    st.floats(0.0, 1.0),
    st.sampled_from(SCHEMES),
    st.booleans(),
    st.integers(0, 100),
)
def test_what_a_sample_holds(n, d, share, scheme, replacement, seed):
    count = max(1, round(share * n))
    A = rows_of(n, d, tail=1.0, seed=seed)
    weights = np.random.default_rng(seed).standard_normal(n)
    sample = sample_rows(A, weights, count, scheme, seed, replacement)
    assert (np.diff(sample.indices) > 0).all()
    assert 0 <= sample.indices[0] and sample.indices[-1] < n
    np.testing.assert_allclose(sample.weights, weights[sample.indices] * sample.factors)
    if replacement:
        times = sample.factors * count * sample.probabilities
        np.testing.assert_allclose(times, times.round(), rtol=1e-9)
        assert times.sum() == pytest.approx(count) and times.min() > 0.5
    else:
        assert sample.indices.size == count
        np.testing.assert_allclose(sample.factors * sample.probabilities, 1.0)
        assert sample.probabilities.max() <= 1.0


def test_inclusion_without_replacement_follows_the_scheme():
    A = rows_of(60, 3, tail=1.5)
    every = sampling_probabilities(A)
    drawn = np.zeros(60)
    chances = np.full(60, np.nan)
    source = np.random.default_rng(2)
    for _ in range(1000):
        sample = sample_rows(A, None, 20, "leverage", source, replacement=False)
        drawn[sample.indices] += 1 / 1000
        chances[sample.indices] = sample.probabilities
    assert np.nansum(chances) == pytest.approx(20, rel=1e-9)
    np.testing.assert_allclose(drawn, chances, atol=5 * np.sqrt(0.25 / 1000))
    free = chances < 1.0
    assert 0 < free.sum() < 60
    scale = chances[free] / every[free]
    np.testing.assert_allclose(scale, scale[0], rtol=1e-9)
    assert (every[~free] * scale[0] >= 1.0 - 1e-12).all()


def test_systematic_samples_start_and_lie_anywhere():
    source = np.random.default_rng(3)

    def draw(squares, count):
        A = np.sqrt(np.array(squares))[:, None]
        return tuple(sample_rows(A, None, count, "row_norm", source, replacement=False).indices)

    singles = [draw([2.0, 1.0, 1.0], 1) for _ in range(2000)]
    assert singles.count((0,)) / 2000 == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(2000))
    pairs = [draw([1.0, 1.0, 1.0, 1.0], 2) for _ in range(600)]
    assert all(pairs.count((i, j)) > 50 for i in range(4) for j in range(i + 1, 4))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_rows_without_replacement_are_exact(scheme):
    A = rows_of(100, 4, tail=1.5)
    weights = np.random.default_rng(1).random(100)
    sample = sample_rows(A, weights, 100, scheme, replacement=False)
    np.testing.assert_array_equal(sample.factors, np.ones(100))
    np.testing.assert_array_equal(sampled_gram(A, sample), gram(A, weights))


def test_n_draws_with_replacement_are_not_exact():
    """Newton's method contracts by sqrt((d - 1) / n) then, .0548 here, and not by 0."""
    A = rows_of()
    H = gram(A)
    found = [
        newton_contraction(H, sampled_gram(A, sample_rows(A, None, 3000, seed=seed)), average=True)
        for seed in range(12)
    ]
    assert np.mean(found) == pytest.approx(predicted_contraction(10, 3000), rel=0.1)
    assert spectral_error(H, sampled_gram(A, sample_rows(A, None, 3000, replacement=False))) < 1e-12


def test_zero_rows_are_never_needed():
    A = np.vstack([np.zeros((50, 2)), np.eye(2), np.zeros((50, 2))])
    for replacement in (True, False):
        sample = sample_rows(A, None, 20, "leverage", replacement=replacement)
        assert set(sample.indices) <= {50, 51}
    np.testing.assert_array_equal(sampled_gram(A, sample), np.eye(2))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_seeds(scheme):
    A = rows_of(200, 3)

    def draw(seed):
        return sample_rows(A, None, 20, scheme, seed)

    np.testing.assert_array_equal(draw(4).indices, draw(4).indices)
    np.testing.assert_array_equal(draw(4).weights, draw(4).weights)
    assert draw(4).indices.tolist() != draw(5).indices.tolist()
    source = np.random.default_rng(0)
    assert draw(source).indices.tolist() != draw(source).indices.tolist()


def test_sketched_gram_of_sparse_rows():
    A = rows_of(300, 4)
    A[np.abs(A) < 0.8] = 0.0
    sample = sample_rows(sparse.csr_array(A), None, 60, "leverage", 1)
    np.testing.assert_allclose(
        sampled_gram(sparse.csr_array(A), sample), sampled_gram(A, sample), rtol=1e-12
    )


def test_arguments_are_not_changed():
    A, weights = rows_of(50, 3), np.linspace(-1, 1, 50)
    duplicates = sparse.csr_array((np.ones(3), np.array([1, 0, 1]), np.array([0, 3])), shape=(1, 2))
    kept = A.copy(), weights.copy()
    for scheme in SCHEMES:
        sampled_gram(A, sample_rows(A, weights, 20, scheme))
    gram(A, weights)
    np.testing.assert_array_equal(A, kept[0])
    np.testing.assert_array_equal(weights, kept[1])
    np.testing.assert_array_equal(gram(duplicates), [[1.0, 2.0], [2.0, 4.0]])
    p = sampling_probabilities(sparse.vstack([duplicates] * 2, "csr"), scheme="row_norm")
    np.testing.assert_array_equal(p, [0.5, 0.5])
    assert duplicates.data.size == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample_rows(A, weights, 20).indices = None


# --- wrong input ----------------------------------------------------------------------------

A0 = rows_of(6, 2)
SAMPLE = RowSample(np.array([7]), np.ones(1), np.ones(1), np.ones(1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gram([1.0, 2.0]), ValueError, r"A must be a matrix .* got shape \(2,\)"),
        (lambda: gram(np.zeros((0, 2))), ValueError, "A must be a matrix with at least one row"),
        (lambda: gram("rows"), TypeError, "A must be an array of real numbers"),
        (lambda: gram(sparse.eye_array(2) * 1j), TypeError, "A must hold real numbers"),
        (lambda: gram([[1.0, np.nan]]), ValueError, "A must be finite"),
        (lambda: gram([[1e200]]), ValueError, "A must be finite"),
        (lambda: gram(A0, np.ones(5)), ValueError, r"weights must have shape \(6,\)"),
        (lambda: gram(A0, [np.inf] * 6), ValueError, "weights must be finite"),
        (lambda: leverage_scores(A0, -np.ones(6)), ValueError, "weights must not be negative"),
        (lambda: leverage_scores(A0, method="best"), ValueError, "method must be one of 'exact'"),
        (lambda: leverage_scores([[np.inf]]), ValueError, "A must be finite"),
        (lambda: leverage_scores(A0 * 1e-310), ValueError, "A must not be so small"),
        (
            lambda: leverage_scores(A0 * 1e-310, method="sketched"),
            ValueError,
            "A must not be so small",
        ),
        (
            lambda: sampling_probabilities(A0 * 1e-200, scheme="row_norm"),
            ValueError,
            "not zero, even when squared",
        ),
        (
            lambda: leverage_scores(A0, method="sketched", oversampling=0),
            ValueError,
            "oversampling must be a whole number at least 1",
        ),
        (
            lambda: leverage_scores(A0, method="sketched", n_projections=1.5),
            TypeError,
            "n_projections must be a whole number",
        ),
        (
            lambda: leverage_scores(A0, method="sketched", seed=-1),
            ValueError,
            "seed must be a whole number at least 0",
        ),
        (lambda: sampling_probabilities(A0, scheme="all"), ValueError, "scheme must be one of"),
        (
            lambda: sampling_probabilities(np.zeros((3, 1))),
            ValueError,
            "A and weights must have a row that is not zero",
        ),
        (
            lambda: sampling_probabilities([[np.nan]], scheme="row_norm"),
            ValueError,
            "A must be finite",
        ),
        (lambda: sample_rows(A0, None, 0), ValueError, "n_samples must be .* at least 1"),
        (
            lambda: sample_rows(A0, None, 7, replacement=False),
            ValueError,
            "n_samples must be .* at most 6",
        ),
        (lambda: sample_rows(A0, None, 2, "all"), ValueError, "scheme must be one of 'uniform'"),
        (
            lambda: sample_rows(A0, None, 2, replacement=1),
            TypeError,
            "replacement must be True or False",
        ),
        (lambda: sampled_gram(A0, [1, 2]), TypeError, "sample must be a RowSample"),
        (lambda: sampled_gram(A0, SAMPLE), ValueError, "sample must be of rows of A, 0 to 5"),
    ],
)
def test_wrong_input_is_named(call, error, message):
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(error, match=message):
        call()
