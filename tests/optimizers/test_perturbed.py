"""Perturbed gradient descent against a plain implementation, and its noise."""

import math

import numpy as np
import pytest

from lib import problems
from lib.optimizers import ball_noise, perturbed_gradient_descent

WELL = problems.double_well(0.3)
LADDER = problems.saddle_ladder(3)


def plain_perturbed(problem, x, rate, steps, noise, small, interval, drop):
    """Jin et al. (2017), Algorithm 2, step by step."""
    path, shaken_at, before = [x], [], None
    for t in range(steps + 1):
        if shaken_at and t - shaken_at[-1] == interval:
            if problem.value(x) - problem.value(before) > -drop:
                return np.array([*path, before]), shaken_at, "converged"
        if t == steps:
            return np.array(path), shaken_at, "max_iter"
        rested = not shaken_at or t - shaken_at[-1] > interval
        if rested and math.sqrt(sum(problem.gradient(x) ** 2)) <= small:
            before = x
            x = x + noise[len(shaken_at)]
            shaken_at.append(t)
        x = x - rate * problem.gradient(x)
        path.append(x)


@pytest.mark.parametrize(
    ("problem", "x0", "steps", "interval", "small"),
    [
        (WELL, [0.0, 0.0], 500, 50, 1e-3),
        (WELL, [1.3, -0.4], 500, 20, 1e-2),
        (WELL, [0.0, 0.0], 3, 50, 1e-3),
        (WELL, [0.7, 0.2], 40, 1, 0.5),
        (LADDER, [0.1, 0.05, -0.2], 900, 50, 1e-3),
        (WELL, [0.0, 0.0], 120, 10, 10.0),
    ],
)
def test_equals_the_plain_algorithm(problem, x0, steps, interval, small):
    noise = ball_noise(steps // (interval + 1) + 1, problem.dimension, 0.02, 5)
    path, shaken_at, status = plain_perturbed(
        problem, np.array(x0), 0.2, steps, noise, small, interval, 1e-5
    )
    run = perturbed_gradient_descent(
        problem,
        x0,
        learning_rate=0.2,
        max_iter=steps,
        radius=0.02,
        gradient_threshold=small,
        perturbation_interval=interval,
        decrease_threshold=1e-5,
        seed=5,
    )
    assert run.status == status
    assert run.perturbed_at.tolist() == shaken_at
    np.testing.assert_allclose(run.path, path, rtol=0, atol=1e-12)


def test_leaves_a_saddle_and_reports_a_minimizer():
    run = perturbed_gradient_descent(WELL, [0.0, 0.0], seed=3)
    assert run.status == "converged"
    assert run.perturbed_at[0] == 0
    assert min(np.linalg.norm(run.x - c.x) for c in WELL.critical_points[1:]) < 2e-3
    assert run.value == WELL.value(run.x)


def test_returned_point_is_the_one_before_the_last_noise():
    run = perturbed_gradient_descent(WELL, [0.0, 0.0], seed=3)
    last = run.perturbed_at[-1]
    np.testing.assert_array_equal(run.x, run.path[last])
    np.testing.assert_array_equal(run.x, run.path[-1])
    assert run.iterations[-2] == last + 50


def test_never_two_perturbations_close_together():
    run = perturbed_gradient_descent(
        WELL,
        [2.0, 2.0],
        learning_rate=1e-3,
        max_iter=200,
        radius=1e-5,
        perturbation_interval=7,
        gradient_threshold=1e9,
    )
    assert run.perturbed_at.size > 15
    assert (np.diff(run.perturbed_at) == 8).all()


def test_seed_decides():
    ends = [perturbed_gradient_descent(WELL, [0.0, 0.0], seed=s).path for s in (1, 1, 2)]
    np.testing.assert_array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0][:5], ends[2][:5])


def test_longer_run_continues_the_shorter_one():
    short = perturbed_gradient_descent(WELL, [0.0, 0.0], max_iter=60, seed=1)
    long = perturbed_gradient_descent(WELL, [0.0, 0.0], max_iter=600, seed=1)
    assert short.status == "max_iter"
    np.testing.assert_array_equal(short.path, long.path[:61])


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_noise_is_uniform_in_the_ball(dimension):
    noise = ball_noise(20_000, dimension, 0.5, 0)
    sizes = np.linalg.norm(noise, axis=1)
    assert noise.shape == (20_000, dimension)
    assert sizes.max() <= 0.5
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.012)
    for share in (0.2, 0.5, 0.9):
        assert (sizes <= 0.5 * share ** (1 / dimension)).mean() == pytest.approx(share, abs=0.012)


def test_noise_does_not_depend_on_how_much_is_drawn():
    np.testing.assert_array_equal(ball_noise(3, 2, 0.1, 4), ball_noise(30, 2, 0.1, 4)[:3])


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("radius", 0.0, "radius must be a finite number above 0"),
        ("gradient_threshold", -1.0, "gradient_threshold must be a finite number above 0"),
        ("perturbation_interval", 0, "perturbation_interval must be a whole number at least 1"),
        ("perturbation_interval", 10**30, "perturbation_interval must be .* at most 1e"),
        ("decrease_threshold", 0.0, "decrease_threshold must be a finite number above 0"),
        ("seed", -1, "seed must be a whole number at least 0"),
    ],
)
def test_options_are_named(option, value, message):
    with pytest.raises(ValueError, match=message):
        perturbed_gradient_descent(WELL, [0.0, 0.0], **{option: value})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 2, 0.1, 0), "n must be a whole number at least 1"),
        ((3, 0, 0.1, 0), "dimension must be a whole number at least 1"),
        ((3, 2, -0.1, 0), "radius must be a finite number above 0"),
        ((3, 2, 0.1, -1), "seed must be a whole number at least 0"),
    ],
)
def test_noise_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ball_noise(*arguments)
