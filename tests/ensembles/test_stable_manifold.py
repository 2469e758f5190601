"""Tracing the stable manifold: the predicted curve, and what lies on either side of it."""

import numpy as np
import pytest

from lib import problems
from lib.ensembles import basins, stable_manifold

ORIGIN = [0.0, 0.0]


@pytest.mark.parametrize("beta", [0.5, -0.3])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.6])
def test_curve_has_the_predicted_coefficient(beta, rate):
    traced = stable_manifold(problems.curved_saddle(beta), ORIGIN, [0.01, -0.02], rate)
    coefficients = traced.heights / traced.offsets**2
    np.testing.assert_allclose(coefficients, beta / (3 - rate), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("rate", "seen"), [(0.05, 0.16946), (0.3, 0.18515), (0.6, 0.20830)])
def test_coefficient_measured_further_out(rate, seen):
    traced = stable_manifold(problems.curved_saddle(0.5), ORIGIN, [0.05], rate)
    assert traced.heights[0] / 0.05**2 == pytest.approx(seen, abs=1e-5)


def test_points_on_either_side_part():
    problem = problems.curved_saddle(0.4)
    traced = stable_manifold(problem, ORIGIN, np.linspace(-0.5, 0.5, 9), 0.1)
    assert np.isfinite(traced.heights).all()
    above = basins(problem, traced.points + 1e-6 * traced.unstable, 0.1).labels
    below = basins(problem, traced.points - 1e-6 * traced.unstable, 0.1).labels
    assert (above == 1).all()
    assert (below == 2).all()


def test_manifold_of_the_double_well_is_the_axis():
    traced = stable_manifold(problems.double_well(), ORIGIN, np.linspace(-2, 2, 11), 0.1)
    np.testing.assert_array_equal(traced.heights, 0)
    np.testing.assert_array_equal(traced.stable, [1.0, 0.0])
    np.testing.assert_array_equal(traced.unstable, [0.0, 1.0])
    np.testing.assert_allclose(traced.points, np.column_stack([traced.offsets, np.zeros(11)]))


def test_turned_double_well():
    problem = problems.double_well(0.3)
    traced = stable_manifold(problem, ORIGIN, np.linspace(-1, 1, 5), 0.1)
    np.testing.assert_allclose(traced.stable, [np.cos(0.3), np.sin(0.3)], atol=1e-12)
    np.testing.assert_allclose(traced.unstable, [-np.sin(0.3), np.cos(0.3)], atol=1e-12)
    np.testing.assert_allclose(traced.heights, 0, atol=1e-12)


def test_saddle_away_from_the_origin():
    problem = problems.curved_saddle(0.3)
    saddle = problem.critical_points[3].x
    traced = stable_manifold(problem, saddle, [-0.1, 0.0, 0.1], 0.1, exit_distance=0.3)
    np.testing.assert_allclose(traced.points[1], saddle, atol=1e-12)
    curvature = problem.hessian(saddle)
    assert (
        traced.stable @ curvature @ traced.stable
        > 0
        > (traced.unstable @ curvature @ traced.unstable)
    )
    np.testing.assert_allclose(
        traced.points - saddle,
        np.outer([-0.1, 0, 0.1], traced.stable) + np.outer(traced.heights, traced.unstable),
        atol=1e-15,
    )
    assert 0 < np.abs(traced.heights[[0, 2]]).max() < 0.02


def test_search_line_that_misses_the_manifold_gives_nan():
    traced = stable_manifold(problems.curved_saddle(0.5), ORIGIN, [0.01, 0.4], 0.3, half_width=0.01)
    assert np.isfinite(traced.heights[0])
    assert np.isnan(traced.heights[1]) and np.isnan(traced.points[1]).all()


def test_too_few_steps_give_nan_and_not_a_number_that_is_wrong():
    problem = problems.curved_saddle(0.5)
    (height,) = stable_manifold(problem, ORIGIN, [0.3], 0.3).heights
    for steps in (1, 5, 20, 50, 80, 100):
        (found,) = stable_manifold(problem, ORIGIN, [0.3], 0.3, max_iter=steps).heights
        assert np.isnan(found) or abs(found - height) < 1e-9
        assert np.isnan(found) == (steps < 90)


def test_manifold_that_leaves_the_search_line_gives_nan():
    traced = stable_manifold(problems.curved_saddle(0.4), ORIGIN, [-1.5, 1.4, 1.5], 0.9)
    assert np.isnan(traced.heights).tolist() == [True, False, True]
    assert 0.3 < traced.heights[1] < 0.5


WELL = problems.double_well()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: stable_manifold(3, ORIGIN, [0.1]), TypeError, "problem must be a Problem"),
        (
            lambda: stable_manifold(problems.saddle_line(), [0.5] * 3, [0.1]),
            ValueError,
            "problem must have dimension 2; it has 3",
        ),
        (lambda: stable_manifold(WELL, [0.0], [0.1]), ValueError, r"saddle must have shape \(2"),
        (lambda: stable_manifold(WELL, [0, 1], [0.1]), ValueError, "saddle must be a critical"),
        (lambda: stable_manifold(WELL, [0.1, 0], [0.1]), ValueError, "saddle must be a critical"),
        (lambda: stable_manifold(WELL, ORIGIN, 0.1), ValueError, "offsets must be a one-dim"),
        (lambda: stable_manifold(WELL, ORIGIN, [np.nan]), ValueError, "offsets must be finite"),
        (lambda: stable_manifold(WELL, ORIGIN, [0.1], 0), ValueError, "learning_rate must be"),
        (lambda: stable_manifold(WELL, ORIGIN, [0.1], 2), ValueError, "learning_rate .* below 2"),
        (
            lambda: stable_manifold(WELL, ORIGIN, [0.1], half_width=0),
            ValueError,
            "half_width must be",
        ),
        (
            lambda: stable_manifold(WELL, ORIGIN, [0.1], exit_distance=-1),
            ValueError,
            "exit_distance must be",
        ),
        (lambda: stable_manifold(WELL, ORIGIN, [0.1], max_iter=0), ValueError, "max_iter must"),
    ],
)
def test_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
