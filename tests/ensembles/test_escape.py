"""Escape times: exact counts, tails, and the effect of rounding."""

import math

import numpy as np
import pytest

from lib import problems
from lib.ensembles import escape_times, proportion_interval, uniform_starts
from lib.optimizers import ball_noise

SADDLE = problems.quadratic_saddle()
WELL = problems.double_well(0.3)


def plain_escape_time(problem, x, rate, radius, max_iter, measure):
    for k in range(max_iter + 1):
        if measure(x) >= radius:
            return k
        x = x - rate * problem.gradient(x)
    return -1


@pytest.mark.parametrize("n", [1, 70])
def test_equals_the_plain_loop(n):
    starts = uniform_starts(n, -0.6, 0.6, seed=n)
    center, direction = np.array([0.1, -0.05]), np.array([3.0, 4.0])
    radial = escape_times(WELL, starts, 0.2, radius=0.5, max_iter=12)
    along = escape_times(WELL, starts, 0.2, 0.5, direction, center, max_iter=12)
    for x, t_radial, t_along in zip(starts, radial, along, strict=True):
        assert t_radial == plain_escape_time(WELL, x, 0.2, 0.5, 12, lambda y: math.hypot(*y))
        wanted = plain_escape_time(
            WELL, x, 0.2, 0.5, 12, lambda y: abs(direction @ (y - center)) / 5
        )
        assert t_along == wanted


@pytest.mark.parametrize(
    ("rate", "gamma", "height", "steps"),
    [
        (0.1, 1.0, 1e-10, 242),
        (0.5, 1.0, 1e-10, 57),
        (0.1, 0.1, 1e-10, 2315),
        (0.1, 1.0, 1e-300, 7248),
    ],
)
def test_quadratic_saddle_takes_the_predicted_number_of_steps(rate, gamma, height, steps):
    problem = problems.quadratic_saddle([1.0, -gamma])
    assert steps == math.ceil(math.log(1 / height) / math.log(1 + rate * gamma))
    assert escape_times(problem, [[0.0, height]], rate, radius=1.0).tolist() == [steps]


def test_tail_and_mean():
    n = 100_000
    starts = uniform_starts(n, [-1, -0.1], [1, 0.1], seed=1)
    times = escape_times(SADDLE, starts, 0.1, radius=0.5, direction=[0, 1])
    for k in (10, 40, 60, 80, 100):
        interval = proportion_interval(int((times > k).sum()), n, 0.9999)
        assert interval.low <= min(1.0, 5 * 1.1**-k) <= interval.high
    exact = sum(min(1.0, 5 * 1.1**-k) for k in range(1000))
    assert exact == pytest.approx(27.8815, abs=1e-4)
    assert abs(times.mean() - exact) < 4 * times.std() / math.sqrt(n)
    formula = (math.log(5) + 1) / math.log(1.1) + 0.5
    assert formula == pytest.approx(27.8784, abs=1e-4)
    assert abs(times.mean() - formula) < 0.2


def test_nonlinear_saddle_takes_a_little_longer():
    starts = uniform_starts(50_000, [-1, -0.1], [1, 0.1], seed=2)
    times = escape_times(problems.double_well(), starts, 0.1, radius=0.5, direction=[0, 1])
    assert times.mean() == pytest.approx(29.17, abs=0.25)


@pytest.mark.parametrize(("rate", "seen"), [(0.05, 777), (0.1, 410), (0.5, 95)])
def test_rounding_leaves_the_turned_stable_axis(rate, seen):
    c, s = math.cos(0.3), math.sin(0.3)
    times = escape_times(WELL, [[0.7 * c, 0.7 * s]], rate, 0.5, direction=[-s, c])
    assert abs(times[0] - seen) <= 10
    assert times[0] == pytest.approx(math.log(0.5 / 1e-17) / math.log(1 + rate), rel=0.05)


@pytest.mark.parametrize(("epsilon", "steps"), [(1e-1, 294.0), (1e-2, 920.0)])
def test_weaker_curvature_takes_longer(epsilon, steps):
    """From noise of radius 1e-3 to 0.5, along the one of 100 directions that curves downwards."""
    saddle = problems.quadratic_saddle([-math.sqrt(epsilon)])
    noise = ball_noise(300, 100, 1e-3, seed=1)
    times = escape_times(saddle, noise[:, :1], 0.1, radius=0.5)
    constant = math.log(math.sqrt(100) * 500) + (np.euler_gamma + math.log(2)) / 2
    predicted = constant / math.log(1 + 0.1 * math.sqrt(epsilon)) + 0.5
    assert predicted == pytest.approx(steps, abs=0.6)
    assert abs(times.mean() - predicted) < 4 * times.std() / math.sqrt(300)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.5])
def test_exact_zero_stays_on_the_axis_forever(rate):
    times = escape_times(
        problems.double_well(), [[0.7, 0.0]], rate, 0.5, direction=[0, 1], max_iter=20_000
    )
    assert times.tolist() == [-1]


def test_at_the_start_already():
    assert escape_times(SADDLE, [[0.0, 0.5], [0.0, -0.7]], radius=0.5).tolist() == [0, 0]


def test_length_of_the_direction_does_not_matter():
    starts = uniform_starts(50, -0.1, 0.1)
    short = escape_times(WELL, starts, direction=[1e-3, 2e-3])
    np.testing.assert_array_equal(short, escape_times(WELL, starts, direction=[-1e3, -2e3]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": 0.0}, "radius must be a finite number above 0"),
        ({"direction": [0.0, 0.0]}, "direction must not be the zero vector"),
        ({"direction": [1.0]}, r"direction must have shape \(2,\)"),
        ({"direction": [np.nan, 1.0]}, "direction must be finite"),
        ({"center": [0.0]}, r"center must have shape \(2,\)"),
    ],
)
def test_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        escape_times(SADDLE, [[0.0, 0.1]], **options)
