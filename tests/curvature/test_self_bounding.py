"""Measured ratios of derivatives to their bounds by the value."""

import dataclasses
import math

import numpy as np
import pytest

from lib import problems
from lib.curvature import l0_l1_bound, self_bounding_ratios


def cloud(d, n, seed=0, spread=2.0):
    """Random points of very different sizes, some of them far out."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.exp(spread * rng.standard_normal((n, 1)))


def test_norms_of_phase_retrieval():
    problem = problems.phase_retrieval(4)
    points = cloud(4, 40)
    ratios = self_bounding_ratios(problem, points)
    np.testing.assert_allclose(ratios.values, problem.value(points), rtol=1e-14)
    slopes = [np.linalg.norm(problem.gradient(w)) for w in points]
    np.testing.assert_allclose(ratios.gradient_norms, slopes, rtol=1e-13)
    norms = [np.abs(np.linalg.eigvalsh(problem.hessian(w))).max() for w in points]
    np.testing.assert_allclose(ratios.hessian_norms, norms, rtol=1e-13)
    lengths = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(ratios.third_derivative_norms, 18 * lengths, rtol=2e-6, atol=1e-8)
    t = ratios.values
    rho1, rho2 = 8 + 6 * np.sqrt(3 * t), 18 * np.sqrt(1 + np.sqrt(4 * t / 3))
    np.testing.assert_allclose(ratios.hessian_ratios, norms / rho1, rtol=1e-12)
    np.testing.assert_allclose(
        ratios.third_derivative_ratios, 18 * lengths / rho2, rtol=2e-6, atol=1e-9
    )
    squares = np.square(slopes)
    np.testing.assert_allclose(ratios.gradient_ratios, squares / (2 * rho1 * t), rtol=1e-12)
    integral = 8 * t + 4 * math.sqrt(3) * t**1.5
    np.testing.assert_allclose(
        ratios.gradient_integral_ratios, squares / (2 * integral), rtol=1e-12
    )


SHARP = {
    "phase retrieval": (problems.phase_retrieval(3), cloud(3, 60)),
    "phase retrieval, signal of norm 3": (
        problems.phase_retrieval(signal=[2.0, -2.0, 1.0]),
        cloud(3, 60),
    ),
    "matrix PCA": (problems.matrix_pca([[2.0, 0.3, 0], [0.3, 1, 0], [0, 0, 0.5]]), cloud(3, 60)),
    "quartic": (problems.quartic(2), cloud(2, 20)),
    "double well": (
        problems.double_well(0.3),
        np.vstack([cloud(2, 40), np.outer([1.5, 3.0, 50.0], [-math.sin(0.3), math.cos(0.3)])]),
    ),
    "growth": (problems.exponential_growth(1.0, 2.0), np.linspace(-12, 12, 61)[:, None]),
}


@pytest.mark.parametrize("name", SHARP)
def test_bounds_hold_and_are_sharp(name):
    problem, points = SHARP[name]
    ratios = self_bounding_ratios(problem, points, n_starts=2)
    assert 0.999 < ratios.largest_hessian_ratio <= 1 + 1e-9
    assert 0.999 < ratios.largest_third_derivative_ratio <= 1 + 1e-6
    assert ratios.largest_gradient_ratio <= 1 + 1e-7
    assert 0.999 < ratios.largest_gradient_integral_ratio <= 1 + 1e-7


@pytest.mark.parametrize("problem", [problems.double_well(), problems.double_well(-2.0)])
def test_bounds_of_the_double_well(problem):
    assert problem.constants["infimum"] == -0.25
    rng = np.random.default_rng(0)
    points = rng.uniform(-6, 6, (5000, 2))
    c, s = problem.parameters
    y = c * points[:, 1] - s * points[:, 0]
    t = problem.value(points) + 0.25
    rho1 = 2 + 6 * np.sqrt(t)
    rho2 = 6 * np.sqrt(1 + 2 * np.sqrt(t))
    np.testing.assert_allclose([problem.rho1(u - 0.25) for u in t[:99]], rho1[:99], rtol=1e-12)
    np.testing.assert_allclose([problem.rho2(u - 0.25) for u in t[:99]], rho2[:99], rtol=1e-12)
    assert 0.999 < (np.maximum(1, np.abs(3 * y**2 - 1)) / rho1).max() <= 1.0
    assert 0.999 < (np.abs(6 * y) / rho2).max() <= 1.0
    assert problem.rho1(-0.25) == problem.rho1(-0.25 - 1e-17) == 2.0
    assert problem.rho2(-0.25) == 6.0


def test_third_derivative_with_several_local_maxima():
    """A sum over coordinates: the search has to find the largest of the third derivatives."""
    problem = problems.egg_carton(3)
    points = np.random.default_rng(0).uniform(-3, 3, (30, 3))
    found = self_bounding_ratios(problem, points, n_starts=8).third_derivative_norms
    np.testing.assert_allclose(found, np.abs(np.sin(points)).max(axis=1), rtol=1e-8)
    fewer = self_bounding_ratios(problem, points, n_starts=1).third_derivative_norms
    assert (fewer <= found * (1 + 1e-8)).all()


def test_problem_without_bounds_has_norms_only():
    points = [[s, 1 / s] for s in (1.0, 2.0, 4.0, 8.0)]
    ratios = self_bounding_ratios(problems.product_valley(), points)
    np.testing.assert_allclose(ratios.values, 0.0, atol=1e-30)
    np.testing.assert_allclose(ratios.hessian_norms, [2, 4.25, 16.0625, 64.015625], rtol=1e-14)
    assert ratios.hessian_ratios is None and ratios.largest_hessian_ratio is None
    assert ratios.third_derivative_ratios is None and ratios.gradient_ratios is None
    assert ratios.largest_third_derivative_ratio is None
    assert ratios.gradient_integral_ratios is None and ratios.largest_gradient_ratio is None


def test_minimizers_give_no_gradient_ratio():
    well = problems.double_well()
    ratios = self_bounding_ratios(well, [[0.0, 1.0], [1e-9, 1.0]])
    assert np.isnan(ratios.gradient_ratios).all() and np.isnan(ratios.largest_gradient_ratio)
    assert ratios.largest_hessian_ratio == 1.0
    ratios = self_bounding_ratios(well, [[0.0, 1.0], [0.0, 2.0]])
    assert np.isnan(ratios.gradient_ratios).tolist() == [True, False]
    assert ratios.largest_gradient_ratio == ratios.gradient_ratios[1]


def test_zero_is_within_a_bound_of_zero():
    ratios = self_bounding_ratios(problems.quartic(2), [[0.0, 0.0], [1.0, 0.0]])
    assert ratios.hessian_ratios.tolist() == [0.0, 1.0]
    assert ratios.third_derivative_norms[0] < 1e-4


def test_wrong_bound_is_refuted():
    growth, quartic = problems.exponential_growth(1.0, 2.0), problems.quartic()
    problem = dataclasses.replace(growth, rho1_kernel=quartic.rho1_kernel, rho2_kernel=None)
    ratios = self_bounding_ratios(problem, [[-5.0], [1.0]])
    wanted = [math.exp(abs(x)) / 6 / math.sqrt(problem.value([x / 2])) for x in (-10.0, 2.0)]
    np.testing.assert_allclose(ratios.hessian_ratios, wanted, rtol=1e-13)
    assert ratios.largest_hessian_ratio == ratios.hessian_ratios.max() > 10
    assert ratios.largest_third_derivative_ratio is None


def test_chunks_change_nothing(monkeypatch):
    module = __import__("lib.curvature.self_bounding", fromlist=["BLOCK"])
    problem, points = problems.double_well(), cloud(2, 23)
    whole = self_bounding_ratios(problem, points)
    monkeypatch.setattr(module, "BLOCK", 20)
    parts = self_bounding_ratios(problem, points)
    for name in ("values", "hessian_norms", "third_derivative_norms"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_seed_makes_it_repeatable_and_result_is_frozen():
    problem, points = problems.double_well(), cloud(2, 5)
    one, two = (self_bounding_ratios(problem, points, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.third_derivative_norms, two.third_derivative_norms)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.values = None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, [[0.0]]), TypeError, "problem must be a Problem"),
        ((problems.double_well(), [0.0, 1.0]), ValueError, r"points must have shape \(n, 2\)"),
        ((problems.double_well(), [[0.0, np.inf]]), ValueError, "points must be finite"),
        ((problems.double_well(), [[0.0, 1.0]], 0), ValueError, "n_starts must be .* at least 1"),
        ((problems.double_well(), [[0.0, 1.0]], 1, -1), ValueError, "seed must be .* at least 0"),
        (
            (problems.double_well(), [[0.0, 1.0], [0.0, 1e200]]),
            ValueError,
            r"derivatives are finite; they are not at points\[1\]",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        self_bounding_ratios(*arguments)


# --- (L0, L1)-smooth functions --------------------------------------------------------------


def test_l0_l1_bound():
    assert l0_l1_bound(1, 2, 3) == pytest.approx(1 + 2 * math.sqrt(6) + 12, rel=1e-15)
    assert l0_l1_bound(1, 2, 3) == pytest.approx(17.899, abs=5e-4)
    assert l0_l1_bound(5.0, 0.0, 7.0) == 5.0
    t = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 1e6]])
    wanted = 0.5 + 3 * np.sqrt(t) + 9 * t
    np.testing.assert_allclose(l0_l1_bound(0.5, 3.0, t), wanted, rtol=1e-15)
    assert l0_l1_bound(1, 1, []).shape == (0,)
    problem = problems.exponential_growth(0.5, 3.0)
    assert problem.rho1(2.0) == l0_l1_bound(0.5, 3.0, 2.0)
    assert problem.rho2(2.0) == 3 * l0_l1_bound(0.5, 3.0, 2.0)


def test_inequality_behind_the_bound():
    """u - log(1 + u) = s implies u <= s + sqrt(2 s)."""
    u = np.logspace(-3, 6, 200)
    s = u - np.log1p(u)
    assert (u <= s + np.sqrt(2 * s)).all()
    assert (u / (s + np.sqrt(2 * s))).max() > 0.999


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0.0, 1.0, 1.0), ValueError, "L0 must be a finite number above 0"),
        ((1.0, -1.0, 1.0), ValueError, "L1 must be a finite number at least 0"),
        ((1.0, 1.0, -1.0), ValueError, "t must be finite and at least 0"),
        ((1.0, 1.0, [1.0, np.nan]), ValueError, "t must be finite and at least 0"),
        ((1.0, 1.0, "a"), TypeError, "t must be an array of real numbers"),
    ],
)
def test_bound_names_its_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        l0_l1_bound(*arguments)
