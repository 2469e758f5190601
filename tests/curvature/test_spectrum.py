"""Eigenvalues without the matrix: against numpy, closed theory and counted products."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.linalg import eigvalsh_tridiagonal
from scipy.stats import norm, ortho_group

from lib import problems
from lib.curvature.hvp import generator
from lib.curvature.spectrum import (
    extreme_eigenvalues,
    is_second_order_stationary,
    lanczos,
    negative_curvature_direction,
    spectral_density,
)

WELL = problems.double_well()
CARTON = problems.egg_carton(6)


def rotated(eigenvalues, seed=0):
    q = ortho_group.rvs(len(eigenvalues), random_state=seed)
    return q @ np.diag(eigenvalues) @ q.T


def diagonal(eigenvalues):
    return problems.quadratic_saddle(eigenvalues), np.zeros(len(eigenvalues))


MATRIX = rotated(np.r_[-3.0, np.linspace(-1.0, 2.0, 117), 4.0, 7.0])


# --- Lanczos ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_steps", [1, 2, 30, 120, 500])
def test_lanczos_factorises(n_steps, dense):
    problem, calls = dense(MATRIX)
    alphas, betas, basis = lanczos(problem, np.ones(120), n_steps, seed=3)
    m = min(n_steps, 120)
    assert (alphas.shape, betas.shape, basis.shape) == ((m,), (m - 1,), (120, m))
    assert len(calls) == m
    tridiagonal = np.diag(alphas) + np.diag(betas, 1) + np.diag(betas, -1)
    np.testing.assert_allclose(basis.T @ basis, np.eye(m), atol=1e-13)
    np.testing.assert_allclose(basis.T @ MATRIX @ basis, tridiagonal, atol=1e-12)
    rest = MATRIX @ basis - basis @ tridiagonal
    assert np.abs(rest[:, :-1]).max(initial=0.0) < 1e-12
    assert (betas > 0).all()


def test_all_steps_find_all_eigenvalues(dense):
    problem, _ = dense(MATRIX)
    alphas, betas, _ = lanczos(problem, np.zeros(120), 120)
    wanted = np.linalg.eigvalsh(MATRIX)
    np.testing.assert_allclose(eigvalsh_tridiagonal(alphas, betas), wanted, atol=1e-12)


def test_extreme_ritz_values_come_first(dense):
    problem, _ = dense(MATRIX)
    alphas, betas, _ = lanczos(problem, np.zeros(120), 25)
    ritz = eigvalsh_tridiagonal(alphas, betas)
    np.testing.assert_allclose(ritz[[0, -2, -1]], [-3.0, 4.0, 7.0], atol=1e-5)
    assert -3.0 - 1e-12 < ritz.min() and ritz.max() < 7.0 + 1e-12


def test_start_is_taken(dense):
    problem, _ = dense(MATRIX)
    start = np.arange(120.0)
    _, _, basis = lanczos(problem, np.zeros(120), 3, start=start)
    np.testing.assert_allclose(basis[:, 0], start / np.linalg.norm(start), rtol=1e-15)
    _, _, krylov = lanczos(problem, np.zeros(120), 3, start=-7.0 * start)
    np.testing.assert_allclose(abs(krylov.T @ basis), np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("eigenvalues", "distinct"),
    [([1.0] * 60 + [-2.0] * 40, 2), ([5.0] * 80, 1), ([1.0] * 50 + [2.0] * 30 + [1e-9] * 20, 3)],
)
def test_invariant_subspace_ends_the_iteration(eigenvalues, distinct, dense):
    for matrix in (np.diag(eigenvalues), rotated(eigenvalues)):
        problem, calls = dense(matrix)
        alphas, betas, _ = lanczos(problem, np.zeros(len(eigenvalues)), 50)
        assert alphas.size == len(calls) == distinct
        found = eigvalsh_tridiagonal(alphas, betas)
        np.testing.assert_allclose(found, sorted(set(eigenvalues)), atol=1e-13)


def test_zero_hessian(dense):
    problem, _ = dense(np.zeros((9, 9)))
    alphas, betas, basis = lanczos(problem, np.zeros(9), 5)
    assert (alphas.tolist(), betas.tolist(), basis.shape) == ([0.0], [], (9, 1))


def test_seeds():
    one, again, other = (lanczos(CARTON, np.arange(6.0), 4, seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


# --- extreme eigenvalues ----------------------------------------------------------------------


def agrees(found, matrix, wanted, accuracy):
    np.testing.assert_allclose(found.values, wanted, atol=accuracy)
    m = len(wanted)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(m), atol=1e-9)
    rest = matrix @ found.vectors - found.vectors * found.values
    np.testing.assert_allclose(found.residuals, np.linalg.norm(rest, axis=0), atol=1e-12)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("which", ["both", "smallest", "largest"])
@pytest.mark.parametrize("d", [60, 400])
def test_extremes(d, which, k, dense):
    rng = np.random.default_rng(d)
    matrix = rng.normal(size=(d, d)) / np.sqrt(2 * d)
    matrix = matrix + matrix.T
    problem, calls = dense(matrix)
    found = extreme_eigenvalues(problem, np.zeros(d), k, which)
    every = np.linalg.eigvalsh(matrix)
    wanted = {"both": np.r_[every[:k], every[-k:]], "smallest": every[:k], "largest": every[-k:]}
    agrees(found, matrix, wanted[which], 1e-10)
    assert found.residuals.max() <= 1e-8 * np.abs(every).max()
    assert found.n_hvp == len(calls) <= 300


@pytest.mark.parametrize("k", [1, 2, 5, 6])
def test_small_dimensions(k):
    x = np.linspace(0.2, 3.0, 6)
    found = extreme_eigenvalues(CARTON, x, k)
    matrix = np.diag(-np.cos(x))
    every = np.sort(-np.cos(x))
    wanted = np.sort(np.r_[every[:k], every[6 - k :]])
    np.testing.assert_allclose(found.values, wanted, atol=1e-15)
    rest = matrix @ found.vectors - found.vectors * found.values
    np.testing.assert_allclose(rest, 0.0, atol=1e-15)
    line = problems.quadratic_saddle([2.0])
    assert extreme_eigenvalues(line, [0.0]).values.tolist() == [2.0, 2.0]


def test_eigenvalues_near_zero_settle(dense):
    problem, x = diagonal(np.r_[1e-12, np.linspace(1.0, 2.0, 299)])
    found = extreme_eigenvalues(problem, x)
    np.testing.assert_allclose(found.values, [1e-12, 2.0], atol=1e-13)
    assert found.n_hvp < 200
    found = extreme_eigenvalues(*diagonal(np.full(300, 3.0)), k=2)
    np.testing.assert_allclose(found.values, 3.0, rtol=1e-14)
    problem, _ = dense(np.zeros((300, 300)))
    np.testing.assert_array_equal(extreme_eigenvalues(problem, x).values, 0.0)


@pytest.mark.parametrize("scale", [1e-200, 1e-100, 1e100, 1e200])
def test_units_do_not_matter(scale, dense):
    eigenvalues = np.r_[-1.0, np.linspace(1.0, 2.0, 298), 5.0]
    found = extreme_eigenvalues(*diagonal(scale * eigenvalues))
    np.testing.assert_allclose(found.values, [-scale, 5 * scale], rtol=1e-9)
    assert found.residuals.max() < 1e-7 * scale
    problem, _ = dense(scale * MATRIX)
    alphas, betas, basis = lanczos(problem, np.zeros(120), 6)
    exact = lanczos(dense(MATRIX)[0], np.zeros(120), 6)
    np.testing.assert_allclose(alphas / scale, exact[0], rtol=1e-9)
    np.testing.assert_allclose(betas / scale, exact[1], rtol=1e-9)
    np.testing.assert_allclose(basis, exact[2], atol=1e-10)
    grid = np.linspace(-3.0, 7.0, 9)
    there, here = (
        spectral_density(dense(unit * MATRIX)[0], np.zeros(120), 20, 4, 0.5 * unit, unit * grid)
        for unit in (scale, 1.0)
    )
    np.testing.assert_allclose(there.density * scale, here.density, atol=1e-6)
    np.testing.assert_allclose(there.standard_error * scale, here.standard_error, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_start_of_any_length(scale):
    problem, x = diagonal(np.linspace(1.0, 2.0, 4))
    wanted = lanczos(problem, x, 4, start=[1.0, 2.0, 3.0, 4.0])
    found = lanczos(problem, x, 4, start=scale * np.array([1.0, 2.0, 3.0, 4.0]))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_multiple_eigenvalues():
    found = extreme_eigenvalues(*diagonal([-1.0] * 150 + [2.0] * 150), k=3)
    np.testing.assert_allclose(found.values, [-1, -1, -1, 2, 2, 2], rtol=1e-12)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(6), atol=1e-12)


def test_badly_scaled_hessians_fall_back_on_the_whole_matrix():
    problem, x = diagonal(np.logspace(-8, 0, 300))
    found = extreme_eigenvalues(problem, x)
    np.testing.assert_allclose(found.values, [1e-8, 1.0], rtol=1e-6)
    assert found.n_hvp == 1300
    assert extreme_eigenvalues(problem, x, max_steps=10).n_hvp == 310


def test_failure_in_high_dimension_is_an_error():
    problem, x = diagonal(np.logspace(-8, 0, 4097))
    with pytest.raises(ArithmeticError, match="did not settle to tol = 1e-08 .* max_steps = 100"):
        extreme_eigenvalues(problem, x, which="smallest", max_steps=100)


def test_seed_of_the_extremes():
    problem, x = diagonal(np.linspace(1.0, 2.0, 300))
    one, again = (extreme_eigenvalues(problem, x, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.vectors, again.vectors)


# --- density ----------------------------------------------------------------------------------


def test_density_integrates_to_one_and_has_the_moments(dense):
    problem, _ = dense(MATRIX)
    found = spectral_density(problem, np.zeros(120), n_steps=15, n_vectors=8, seed=2)
    assert trapezoid(found.density, found.grid) == pytest.approx(1.0, abs=1e-7)
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-13)
    assert (found.density >= 0).all() and found.n_hvp == 8 * 15 == found.nodes.size
    # Gauss: the quadrature is exact up to degree 2 * 15 - 1 for the same random vectors.
    vectors = generator(2).standard_normal((8, 120))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for degree in (1, 2, 5, 29):
        power = np.linalg.matrix_power(MATRIX, degree)
        wanted = np.mean([v @ power @ v for v in vectors])
        assert found.weights @ found.nodes**degree == pytest.approx(wanted, rel=1e-10)
    # Smoothing adds sigma^2 to the second moment and leaves the first.
    moments = [trapezoid(found.grid**j * found.density, found.grid) for j in (1, 2)]
    assert moments[0] == pytest.approx(found.weights @ found.nodes, abs=1e-6)
    wanted = found.weights @ found.nodes**2 + found.sigma**2
    assert moments[1] == pytest.approx(wanted, rel=1e-6)


def test_density_of_a_random_matrix_is_the_semicircle(dense):
    # The same seed for matrix and vectors must do no harm.
    matrix = np.random.default_rng(0).normal(size=(600, 600)) / np.sqrt(2 * 600)
    problem, _ = dense(matrix + matrix.T)
    grid = np.linspace(-1.5, 1.5, 7)
    found = spectral_density(problem, np.zeros(600), sigma=0.1, grid=grid, n_vectors=40)
    np.testing.assert_allclose(found.density, np.sqrt(4 - grid**2) / (2 * math.pi), atol=0.02)
    moments = [found.weights @ found.nodes**j for j in range(1, 5)]
    np.testing.assert_allclose(moments, [0.0, 1.0, 0.0, 2.0], atol=0.05)


def test_density_error_bars_cover(dense):
    eigenvalues = np.linalg.eigvalsh(MATRIX)
    problem, _ = dense(MATRIX)
    grid = np.linspace(-2.5, 6.5, 19)
    exact = norm.pdf(grid[:, None], eigenvalues, 0.5).mean(axis=1)
    hits = []
    for seed in range(40):
        found = spectral_density(
            problem, np.zeros(120), n_steps=40, sigma=0.5, grid=grid, n_vectors=12, seed=seed
        )
        hits.append(np.abs(found.density - exact) <= 2.2 * found.standard_error)
    assert 0.88 < np.mean(hits) < 0.99  # Student's t with 11 degrees of freedom: 0.95


def test_density_defaults(dense):
    problem, x = diagonal(np.linspace(1.0, 2.0, 300))
    found = spectral_density(problem, x)
    assert found.sigma == pytest.approx(0.01, rel=0.02)
    assert np.diff(found.grid).max() <= found.sigma / 4 * (1 + 1e-12)
    assert found.grid[0] == pytest.approx(found.nodes.min() - 6 * found.sigma)
    constant = spectral_density(*diagonal(np.full(50, 4.0)))
    assert constant.sigma == pytest.approx(4e-3) and constant.n_hvp == 10
    assert trapezoid(constant.density, constant.grid) == pytest.approx(1.0, abs=1e-7)
    zero = spectral_density(dense(np.zeros((9, 9)))[0], np.zeros(9))
    assert zero.sigma == 1e-3 and zero.density.max() == pytest.approx(norm.pdf(0, 0, 1e-3))


# --- negative curvature, second-order stationarity ---------------------------------------------


@pytest.mark.parametrize("d", [60, 400])
def test_negative_curvature(d, dense):
    matrix = rotated(np.r_[-0.5, np.linspace(0.1, 2.0, d - 1)], seed=1)
    problem, _ = dense(matrix)
    x = np.random.default_rng(0).normal(size=d)
    direction, down = negative_curvature_direction(problem, x)
    assert down == pytest.approx(-0.5, abs=1e-9)
    assert np.linalg.norm(direction) == pytest.approx(1.0, abs=1e-12)
    assert direction @ matrix @ direction == pytest.approx(down, abs=1e-12)
    assert problem.gradient(x) @ direction < 0
    assert problem.value(x + 0.1 * direction) < problem.value(x)


def test_no_negative_curvature():
    assert negative_curvature_direction(WELL, [0.3, 1.0]) is None
    slight = problems.quadratic_saddle([1.0, -1e-3])
    assert negative_curvature_direction(slight, [0.0, 0.0], tol=1e-2) is None
    direction, down = negative_curvature_direction(slight, [0.0, 0.0])
    assert (direction.tolist(), down) == ([0.0, 1.0], -1e-3)


def test_second_order_stationarity():
    # Curvature -rho epsilon is the border: here -0.25 = -sqrt(rho * 0.01) at rho = 6.25.
    problem, x = diagonal([1.0, -0.25])
    assert is_second_order_stationary(problem, x, 0.01, 6.26)
    assert not is_second_order_stationary(problem, x, 0.01, 6.24)
    assert is_second_order_stationary(problem, [0.0099, 0.0], 0.01, 7.0)
    assert not is_second_order_stationary(problem, [0.0101, 0.0], 0.01, 7.0)
    minimizers = [c.x for c in CARTON.critical_points if c.kind == "minimizer"]
    saddles = [c.x for c in CARTON.critical_points if c.kind != "minimizer"]
    assert all(is_second_order_stationary(CARTON, x, 1e-3) for x in minimizers)
    assert not any(is_second_order_stationary(CARTON, x, 1e-3) for x in saddles[:50])
    assert isinstance(is_second_order_stationary(WELL, [0.0, 0.0], 0.1), bool)


# --- arguments --------------------------------------------------------------------------------

X = [0.0, 1.0]


@pytest.mark.parametrize(
    ("function", "arguments", "options", "error", "message"),
    [
        (lanczos, (len, X, 3), {}, TypeError, "problem must be a Problem"),
        (lanczos, (WELL, [1.0], 3), {}, ValueError, r"x must have shape \(2,\)"),
        (lanczos, (WELL, X, 0), {}, ValueError, "n_steps must be .* at least 1"),
        (lanczos, (WELL, X, 3), {"seed": 1.5}, TypeError, "seed must be a whole number"),
        (lanczos, (WELL, X, 3), {"start": [0.0, 0.0]}, ValueError, "start must not be the zero"),
        (lanczos, (WELL, X, 3), {"start": [1.0]}, ValueError, r"start must have shape \(2,\)"),
        (lanczos, (WELL, [0.0, 1e200], 3), {}, ValueError, "x must lie where the Hessian"),
        (extreme_eigenvalues, (None, X), {}, TypeError, "problem must be a Problem"),
        (extreme_eigenvalues, (WELL, X, 0), {}, ValueError, "k must be .* at least 1"),
        (extreme_eigenvalues, (WELL, X, 3), {}, ValueError, "k must be .* at most 2"),
        (extreme_eigenvalues, (WELL, X, 1, "LM"), {}, ValueError, "which must be one of 'both'"),
        (extreme_eigenvalues, (WELL, X), {"tol": 0}, ValueError, "tol must be a finite number ab"),
        (extreme_eigenvalues, (WELL, X), {"max_steps": 0}, ValueError, "max_steps must be"),
        (extreme_eigenvalues, (WELL, [0.0, 1e200]), {}, ValueError, "x must lie where the Hess"),
        (spectral_density, (WELL, X), {"n_steps": 0}, ValueError, "n_steps must be"),
        (spectral_density, (WELL, X), {"n_vectors": 1}, ValueError, "n_vectors must .* least 2"),
        (spectral_density, (WELL, X), {"sigma": 0.0}, ValueError, "sigma must be .* above 0"),
        (spectral_density, (WELL, X), {"sigma": 1e-12}, ValueError, "sigma must be at .* a grid"),
        (spectral_density, (WELL, X), {"grid": [[1.0]]}, ValueError, "grid must be a one-dim"),
        (negative_curvature_direction, (WELL, X), {"tol": 0.0}, ValueError, "tol must be"),
        (negative_curvature_direction, (WELL, 1.0), {}, ValueError, r"x must have shape \(2,\)"),
        (is_second_order_stationary, (WELL, X, 0.0), {}, ValueError, "epsilon must be .* above 0"),
        (is_second_order_stationary, (WELL, X, 0.1, 0.0), {}, ValueError, "hessian_lipschitz must"),
    ],
)
def test_bad_arguments_are_named(function, arguments, options, error, message):
    with pytest.raises(error, match=message):
        function(*arguments, **options)


def test_results_are_frozen():
    for result in (extreme_eigenvalues(WELL, X), spectral_density(WELL, X)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            result.n_hvp = 0
