"""Rank-one matrix PCA: derivatives, critical points, bounds by the value."""

import math

import numpy as np
import pytest

from lib import curvature, problems


def covariance(d, seed, rank=None):
    factor = np.random.default_rng(seed).standard_normal((d, rank or d))
    return factor @ factor.T


# The example with a repeated eigenvalue: 2, 1 and eighteen times 1/2.
GAPS = np.diag([2.0, 1.0] + 18 * [0.5])


def naive(M):
    return lambda w: np.sum((np.outer(w, w) - M) ** 2) / 2


@pytest.fixture(params=[(1, None), (3, None), (6, None), (5, 2)], ids=str)
def case(request):
    d, rank = request.param
    M = covariance(d, seed=d, rank=rank)
    points = np.random.default_rng(0).standard_normal((10, d)) * 2
    return problems.matrix_pca(M), M, points


def test_value_and_derivatives(case):
    problem, M, points = case
    f = naive(M)
    for w, v in zip(points, points[::-1], strict=True):
        assert problem.value(w) == pytest.approx(f(w), rel=1e-13)
        slopes = [f(w + 1e-30j * e).imag / 1e-30 for e in np.eye(w.size)]
        scale = np.abs(problem.hessian(w)).max()
        np.testing.assert_allclose(problem.gradient(w), slopes, rtol=1e-12, atol=1e-13 * scale)
        square = w @ w
        hessian = 2 * (square * np.eye(w.size) + 2 * np.outer(w, w) - M)
        np.testing.assert_allclose(problem.hvp(w, v), hessian @ v, atol=1e-13 * scale)
        h = 1e-5
        change = (problem.gradient(w + h * v) - problem.gradient(w - h * v)) / (2 * h)
        np.testing.assert_allclose(problem.hvp(w, v), change, atol=1e-8 * scale)


def test_kernels_take_complex_numbers():
    problem = problems.matrix_pca(covariance(3, seed=1))
    assert curvature.check_derivatives(problem, [1.0, -2.0, 0.5], "complex_step", tol=1e-12).passed


def test_third_derivative(case):
    problem, _, points = case
    h = 1e-4
    for w, u in zip(points, points[::-1], strict=True):
        cubic = u @ (problem.hvp(w + h * u, u) - problem.hvp(w - h * u, u)) / (2 * h)
        assert cubic == pytest.approx(12 * (w @ u) * (u @ u), rel=1e-6)


def test_critical_points(case):
    problem, M, _ = case
    eigenvalues, vectors = np.linalg.eigh(M)
    scale = eigenvalues[-1] ** 1.5
    rank = np.linalg.matrix_rank(M)
    assert len(problem.critical_points) == 1 + 2 * rank
    for known in problem.critical_points:
        assert np.abs(problem.gradient(known.x)).max() < 1e-13 * scale
        assert problem.value(known.x) == pytest.approx(known.value, rel=1e-12, abs=1e-13)
    origin, *others = problem.critical_points
    assert not origin.x.any()
    for i, (one, other) in enumerate(zip(others[::2], others[1::2], strict=True)):
        top = eigenvalues[-1 - i]
        np.testing.assert_array_equal(one.x, -other.x)
        assert one.x[np.abs(one.x).argmax()] > 0
        assert one.x @ one.x == pytest.approx(top, rel=1e-12)
        assert abs(one.x @ vectors[:, -1 - i]) == pytest.approx(math.sqrt(top), rel=1e-12)
        assert one.kind == other.kind == ("minimizer" if i == 0 else "strict saddle")
        assert curvature.classify(problem, one.x).kind == one.kind
        spectrum = np.linalg.eigvalsh(problem.hessian(one.x))
        along = 2 * (top - np.delete(eigenvalues, len(eigenvalues) - 1 - i))
        np.testing.assert_allclose(
            spectrum, np.sort([*along, 4 * top]), atol=1e-12 * eigenvalues[-1]
        )


def test_kind_of_the_origin():
    kinds = {
        "maximizer": covariance(4, seed=0),
        "strict saddle": covariance(4, seed=0, rank=2),
        "minimizer": np.zeros((3, 3)),
    }
    for kind, M in kinds.items():
        problem = problems.matrix_pca(M)
        origin = problem.critical_points[0]
        assert origin.kind == kind
        np.testing.assert_array_equal(problem.hessian(origin.x), -2 * (M + M.T) / 2)


def test_infimum_is_attained_at_the_minimizer(case):
    problem, M, points = case
    wanted = np.sum(np.linalg.eigvalsh(M)[:-1] ** 2) / 2
    assert problem.constants["infimum"] == pytest.approx(wanted, rel=1e-12, abs=1e-20)
    assert problem.critical_points[1].value == problem.constants["infimum"]
    assert (problem.value(points) > problem.constants["infimum"]).all()


def test_repeated_eigenvalues_are_not_listed():
    problem = problems.matrix_pca(GAPS)
    assert len(problem.critical_points) == 5
    assert [known.kind for known in problem.critical_points[1:]] == 2 * ["minimizer"] + 2 * [
        "strict saddle"
    ]
    flat = problems.matrix_pca(np.eye(3))
    assert [known.kind for known in flat.critical_points] == ["maximizer"]
    assert flat.constants["infimum"] == 1.0


def test_constants_of_the_example():
    problem = problems.matrix_pca(GAPS)
    saddle = problem.critical_points[3]
    np.testing.assert_array_equal(saddle.x, np.eye(20)[1])
    assert saddle.value - problem.constants["infimum"] == pytest.approx(1.5, rel=1e-14)
    assert problem.rho1(saddle.value + 1) == pytest.approx(41.94, abs=0.005)
    assert problem.rho2(saddle.value + 1) == pytest.approx(30.17, abs=0.005)


def test_bounds_hold_and_are_sharp():
    M = covariance(5, seed=3)
    problem = problems.matrix_pca(M)
    size, top = np.linalg.norm(M), np.linalg.eigvalsh(M)[-1]
    rng = np.random.default_rng(0)
    points = rng.standard_normal((2000, 5)) * np.exp(2 * rng.standard_normal((2000, 1)))
    squares = np.sum(points**2, axis=1)
    hessians = 2 * (
        squares[:, None, None] * np.eye(5) + 2 * points[:, :, None] * points[:, None] - M
    )
    norms = np.abs(np.linalg.eigvalsh(hessians)).max(axis=1)
    values = problem.value(points)
    rho1 = 6 * np.sqrt(2 * values) + 6 * size + 2 * top
    rho2 = 12 * np.sqrt(np.sqrt(2 * values) + size)
    np.testing.assert_allclose([problem.rho1(t) for t in values[:50]], rho1[:50], rtol=1e-13)
    np.testing.assert_allclose([problem.rho2(t) for t in values[:50]], rho2[:50], rtol=1e-13)
    assert 0.999 < (norms / rho1).max() <= 1.0
    assert (norms <= rho1 - 2 * top).all()  # the docstring's remark
    assert 0.999 < (12 * np.sqrt(squares) / rho2).max() <= 1.0


def test_exact_data_is_not_changed_and_nearly_symmetric_is_enough():
    M = covariance(3, seed=0)
    M[0, 1] *= 1 + 1e-15
    before = M.copy()
    problem = problems.matrix_pca(M)
    np.testing.assert_array_equal(M, before)
    v = np.array([1.0, 2.0, 3.0])
    assert v @ problem.hvp([0, 0, 0], [1, 0, 0]) == pytest.approx(-2 * v @ M[:, 0], rel=1e-14)


@pytest.mark.parametrize(
    ("M", "error", "message"),
    [
        ([1.0, 2.0], ValueError, "M must be a matrix"),
        ([[1.0, 2.0]], ValueError, r"M must be square; got shape \(1, 2\)"),
        ([[1.0, 2.0], [0.0, 1.0]], ValueError, "M must be symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], ValueError, "M must be positive semidefinite; .* is -1"),
        ([[1.0, np.nan], [0.0, 1.0]], ValueError, "M must be finite"),
        ([[1e200]], ValueError, "M must have entries so small that squares do not overflow"),
        ("no", TypeError, "M must be an array of real numbers"),
    ],
)
def test_arguments_are_named(M, error, message):
    with pytest.raises(error, match=message):
        problems.matrix_pca(M)
