"""Adaptive, clipped, backtracking, accelerated and coordinate descent against plain loops."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

import lib
from lib import ensembles, optimizers, problems

WELL = problems.double_well(0.3)
X0 = np.array([1.0, 0.4])
BOWL = problems.quadratic_saddle(np.geomspace(1.0, 100.0, 20))


GROWTH = problems.exponential_growth()
QUARTIC = problems.quartic()


def loop(step, steps, x0=X0):
    """Return the path of x <- step(k, x, history)."""
    path = [np.array(x0, dtype=float)]
    for k in range(steps):
        path.append(step(k, path[-1], path))
    return np.array(path)


def test_clipped_against_a_loop():
    def step(k, x, path):
        g = WELL.gradient(x)
        return x - min(0.2, 0.05 / np.linalg.norm(g)) * g

    run = optimizers.clipped_gradient_descent(WELL, X0, 0.2, 0.05, max_iter=60)
    np.testing.assert_allclose(run.path, loop(step, 60), rtol=1e-11)
    moves = np.linalg.norm(np.diff(run.path, axis=0), axis=1)
    assert moves.max() == pytest.approx(0.05) and moves.min() < 0.04
    sizes = run.gradient_norms[:-1] * run.trace["step_size"][1:]
    np.testing.assert_allclose(sizes, moves, rtol=1e-8)


def test_heavy_ball_against_a_loop():
    def step(k, x, path):
        return x - 0.1 * WELL.gradient(x) + (0.7 * (x - path[-2]) if k > 0 else 0.0)

    run = optimizers.heavy_ball(WELL, X0, 0.1, 0.7, max_iter=60)
    np.testing.assert_allclose(run.path, loop(step, 60), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("momentum", [None, 0.0, 0.6])
def test_nesterov_against_a_loop(momentum):
    z = [X0]

    def step(k, x, path):
        z.append(x - 0.1 * WELL.gradient(x))
        beta = k / (k + 3) if momentum is None else momentum
        return z[-1] + beta * (z[-1] - z[-2])

    run = optimizers.nesterov(WELL, X0, 0.1, momentum, max_iter=60, tol=0)
    np.testing.assert_allclose(run.path, loop(step, 60), rtol=1e-9, atol=1e-12)


def test_no_momentum_is_gradient_descent():
    plain = optimizers.gradient_descent(WELL, X0)
    np.testing.assert_array_equal(optimizers.heavy_ball(WELL, X0, momentum=0).path, plain.path)
    np.testing.assert_array_equal(optimizers.nesterov(WELL, X0, momentum=0).path, plain.path)


def test_rates_of_the_heavy_ball_and_of_nesterov():
    """Per step: sqrt(momentum) for the heavy ball, at most 1 - 1/sqrt(kappa) for f, Nesterov."""
    x0 = np.ones(20)
    heavy = optimizers.heavy_ball(BOWL, x0, **optimizers.heavy_ball_parameters(100, 1), tol=1e-13)
    late = heavy.gradient_norms[60:140]
    assert (late[-1] / late[0]) ** (1 / 79) == pytest.approx(9 / 11, abs=0.02)
    fast = optimizers.nesterov(BOWL, x0, **optimizers.nesterov_parameters(100, 1), tol=1e-13)
    assert (fast.values[120] / fast.values[20]) ** (1 / 100) <= 1 - 1 / math.sqrt(100)
    slow = optimizers.gradient_descent(BOWL, x0, 1 / 100, tol=1e-13, max_iter=10_000)
    assert slow.n_iter > 5 * max(heavy.n_iter, fast.n_iter)


def test_constants_by_hand():
    assert optimizers.heavy_ball_parameters(9, 1) == {"learning_rate": 0.25, "momentum": 0.25}
    assert optimizers.nesterov_parameters(9, 1) == {"learning_rate": 1 / 9, "momentum": 0.5}
    with pytest.raises(ValueError, match="strong_convexity must be at most smoothness = 1"):
        optimizers.heavy_ball_parameters(1, 2)
    with pytest.raises(ValueError, match="strong_convexity must be a finite number above 0"):
        optimizers.nesterov_parameters(1, 0)


@pytest.mark.parametrize("order", ["cyclic", "greedy"])
def test_coordinate_descent_against_a_loop(order):
    def step(k, x, path):
        g = WELL.gradient(x)
        i = k % 2 if order == "cyclic" else int(np.argmax(np.abs(g)))
        return x - 0.3 * g * (np.arange(2) == i)

    run = optimizers.coordinate_descent(WELL, X0, 0.3, order, max_iter=60)
    np.testing.assert_allclose(run.path, loop(step, 60), rtol=1e-11)


def test_random_coordinates():
    run = optimizers.coordinate_descent(BOWL, np.ones(20), 1e-3, "random", seed=4, max_iter=2000)
    moved = (np.diff(run.path, axis=0) != 0).sum(axis=1)
    assert (moved == 1).all()
    chosen = np.argmax(np.diff(run.path, axis=0) != 0, axis=1)
    assert np.bincount(chosen, minlength=20).min() > 60
    other = optimizers.coordinate_descent(BOWL, np.ones(20), 1e-3, "random", seed=5, max_iter=2000)
    assert (other.path != run.path).any()


def test_backtracking_against_a_loop():
    for growth_factor in (None, 1.0, 2.0):
        last = [None]

        def step(k, x, path, growth_factor=growth_factor, last=last):
            g = WELL.gradient(x)
            alpha = 1.0 if k == 0 or growth_factor is None else growth_factor * last[0]
            while WELL.value(x - alpha * g) > WELL.value(x) - 0.5 * alpha * g @ g:
                alpha *= 0.5
            last[0] = alpha
            return x - alpha * g

        run = optimizers.backtracking_gradient_descent(
            WELL, [2.0, -3.0], growth=growth_factor, max_iter=12
        )
        expected = loop(step, run.n_iter, [2.0, -3.0])
        np.testing.assert_allclose(run.path[:8], expected[:8], rtol=1e-10)


@pytest.mark.parametrize(("first", "growth"), [(4.0, None), (1e-3, None), (2.0, 2.0), (1e-3, 2.0)])
def test_backtracking_keeps_its_promises(first, growth):
    run = optimizers.backtracking_gradient_descent(
        GROWTH, [10.0], first_step=first, growth=growth, tol=1e-3, max_iter=100_000
    )
    steps = run.trace["step_size"][1:]
    drops = -np.diff(run.values)
    assert (drops >= 0.5 * steps * run.gradient_norms[:-1] ** 2).all()
    safe = np.array([1 / (2 * GROWTH.rho1(t)) for t in run.values[:-1]])
    trials = np.full(steps.size, first)
    if growth is not None:
        trials[1:] = growth * steps[:-1]
    assert (steps >= np.minimum(trials, safe)).all()
    assert (steps >= min(first, safe[0])).all()
    assert (steps < trials).any()


def test_warm_start_may_climb_slowly():
    """A first trial that is far too small is accepted, although 1/(2 rho) would be safe."""

    def value(x):  # f'(0) = 1 and f'' = 1 + 99 clip(x / 1e-3, 0, 1)
        y = max(x[0], 0.0)
        near, far = min(y, 1e-3), max(y - 1e-3, 0.0)
        bend = near**3 / 6e-3 + 5e-4 * far + 0.5 * far**2
        return x[0] + 0.5 * x[0] ** 2 + 99.0 * bend

    def gradient(x):
        y = max(x[0], 0.0)
        near, far = min(y, 1e-3), max(y - 1e-3, 0.0)
        return np.array([1.0 + x[0] + 99.0 * (near**2 / 2e-3 + far)])

    method = lib.scipy_method(
        "backtracking_gradient_descent", first_step=0.01, growth=2.0, max_iter=2
    )
    run = minimize(value, [0.02], jac=gradient, method=method).run
    steps = run.trace["step_size"][1:]
    assert steps[0] == 0.01 and steps[1] == 0.02
    assert steps[1] < 0.5  # 1 / (2 rho) where the second derivative is 1
    assert run.path[1, 0] < 0


def test_adaptive_step_is_linear_on_the_quartic():
    run = optimizers.adaptive_gradient_descent(QUARTIC, [10.0], tol=0, max_iter=60)
    assert run.x[0] == pytest.approx(10.0 * (2 / 3) ** 60, rel=1e-12)
    assert 10.0 * (2 / 3) ** 60 == pytest.approx(2.7197e-10, rel=1e-4)
    counts = []
    for tol in (1, 0.1, 0.01, 0.001):
        counts.append(optimizers.adaptive_gradient_descent(QUARTIC, [10.0], tol=tol).n_iter)
    assert counts == [6, 8, 10, 12]
    fixed = []
    rate = optimizers.safe_learning_rate(QUARTIC, [10.0])
    assert rate == pytest.approx(1 / 300)
    for tol in (1, 0.1, 0.01, 0.001):
        run = optimizers.gradient_descent(
            QUARTIC, [10.0], rate, tol=tol, max_iter=20_000, record_every=20_000
        )
        fixed.append(run.n_iter)
    assert fixed == [145, 690, 3225, 14992]


@pytest.mark.parametrize("rate", [0.1, 0.01])
def test_no_fixed_step_serves_the_whole_quartic(rate):
    edge = math.sqrt(2 / rate)
    inside = optimizers.gradient_descent(QUARTIC, [0.999 * edge], rate, max_iter=100_000, tol=1e-3)
    outside = optimizers.gradient_descent(QUARTIC, [1.001 * edge], rate, max_iter=100_000)
    assert (inside.status, outside.status) == ("converged", "diverged")


def test_fixed_step_of_each_start():
    rate = optimizers.safe_learning_rate(QUARTIC, [10.0], 0.9)
    plain = optimizers.gradient_descent(QUARTIC, [10.0], rate, max_iter=50)
    run = optimizers.adaptive_gradient_descent(QUARTIC, [10.0], 0.9, fixed=True, max_iter=50)
    np.testing.assert_array_equal(run.path, plain.path)
    assert (run.trace["step_size"][1:] == rate).all()
    assert run.oracle_calls == plain.oracle_calls + 1  # the value at the start
    many = ensembles.run_many(
        QUARTIC,
        [[10.0], [-0.5], [3.0]],
        method="adaptive_gradient_descent",
        safety=0.9,
        fixed=True,
        max_iter=50,
    )
    for x0, x in zip((10.0, -0.5, 3.0), many.x, strict=True):
        rate = optimizers.safe_learning_rate(QUARTIC, [x0], 0.9)
        assert x == optimizers.gradient_descent(QUARTIC, [x0], rate, max_iter=50).x


def test_safe_step_lowers_the_value_from_everywhere():
    """Where a common step of 0.1 diverges from a quarter of the square."""
    well = problems.double_well()
    starts = ensembles.grid_starts((-6, 6), (-6, 6), (12, 12))
    for x0 in starts:
        run = optimizers.adaptive_gradient_descent(well, x0, 0.999, fixed=True, max_iter=5000)
        steps, slopes = run.trace["step_size"][1:], run.gradient_norms[:-1]
        assert (np.diff(run.values) <= -0.5 * steps * slopes**2 + 1e-15).all()
        assert abs(abs(run.x[1]) - 1) < 1e-6 and abs(run.x[0]) < 1e-6
    column = ensembles.grid_starts((0, 1), (-6, 6), (1200, 1))
    away = ensembles.basins(well, column, learning_rate=0.1).counts[-1] / 1200
    assert away == pytest.approx(1 - math.sqrt(21) / 6, abs=1 / 600)
    assert away == pytest.approx(0.237, abs=2e-3)


@pytest.mark.parametrize(("size", "times"), [(1, 11.9), (3, 6.64), (30, 6.0)])
def test_safe_step_of_phase_retrieval(size, times):
    """From 200 starts of a sphere; the largest step that does not diverge is longer by a factor."""
    problem = problems.phase_retrieval(5)
    starts = np.random.default_rng(size).standard_normal((200, 5))
    starts *= size / np.linalg.norm(starts, axis=1)[:, None]
    largest = []
    for i, x0 in enumerate(starts):
        rate = optimizers.safe_learning_rate(problem, x0)
        run = optimizers.gradient_descent(problem, x0, rate, max_iter=100)
        wanted = 0.5 * rate * run.gradient_norms[:-1] ** 2
        assert (-np.diff(run.values) >= wanted * (1 - 1e-12) - 1e-16 * run.values[:-1]).all()
        if i < 3:
            low, high = 2.0, 20.0
            while high > 1.01 * low:
                middle = math.sqrt(low * high)
                run = optimizers.gradient_descent(problem, x0, middle * rate, max_iter=300)
                low, high = (low, middle) if run.status == "diverged" else (middle, high)
            largest.append(low)
    assert np.mean(largest) == pytest.approx(times, rel=0.05)


def test_exponential_growth_asks_for_an_adaptive_step():
    rate = optimizers.safe_learning_rate(GROWTH, [10.0])
    fixed = optimizers.gradient_descent(
        GROWTH, [10.0], rate, tol=1e-3, max_iter=10**6, record_every=10**6
    )
    adaptive = optimizers.adaptive_gradient_descent(GROWTH, [10.0], tol=1e-3)
    clipped = optimizers.clipped_gradient_descent(GROWTH, [10.0], 0.5, 0.5, tol=1e-3)
    searched = optimizers.backtracking_gradient_descent(
        GROWTH, [10.0], first_step=2.0, growth=2.0, tol=1e-3
    )
    assert fixed.n_iter == 153_547
    assert (adaptive.n_iter, clipped.n_iter, searched.n_iter) == (14, 28, 22)
    assert searched.n_value == 46  # 45 trials and the value at the start
    safe = np.array([1 / (2 * GROWTH.rho1(t)) for t in searched.values[:-1]])
    assert (searched.trace["step_size"][1:] >= safe).all()
    threshold = 2 * 10.0 / GROWTH.gradient([10.0])[0]
    assert threshold == pytest.approx(9.08e-4, rel=1e-3)
    for factor, status in ((0.99, "converged"), (1.01, "diverged")):
        run = optimizers.gradient_descent(
            GROWTH, [10.0], factor * threshold, max_iter=10**5, tol=1e-3, record_every=10**5
        )
        assert run.status == status


def test_methods_that_need_more_say_so():
    with pytest.raises(ValueError, match="problem must carry self-bounding constants; egg carton"):
        optimizers.adaptive_gradient_descent(problems.egg_carton(), [1.0, 1.0])
    with pytest.raises(ValueError, match="problem must carry self-bounding constants"):
        optimizers.safe_learning_rate(problems.egg_carton(), [1.0, 1.0])
    with pytest.raises(ValueError, match="x0 must be a point where rho1 is positive"):
        optimizers.safe_learning_rate(QUARTIC, [0.0])
    with pytest.raises(ValueError, match="x0 must be a point where the value is finite; it is inf"):
        optimizers.safe_learning_rate(GROWTH, [800.0])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, where nothing is compiled
@pytest.mark.parametrize("x0", [1e-82, 1e80])  # the value, and so the bound, is 0 or infinite
def test_step_that_is_not_defined(x0):
    run = optimizers.adaptive_gradient_descent(QUARTIC, [x0], tol=0, divergence_radius=1e100)
    assert (run.status, run.n_iter) == ("breakdown", 0)


def test_line_search_gives_up():
    method = lib.scipy_method("backtracking_gradient_descent", max_trials=20)
    uphill = minimize(lambda x: x[0] ** 4 / 4, [1.0], jac=lambda x: -(x**3), method=method)
    run = uphill.run
    assert (run.status, run.n_iter, run.n_value) == ("line_search_failed", 0, 21)
    assert "search direction" in run.message


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("clipped_gradient_descent", {"max_step": 0}, "max_step must be .* above 0"),
        ("heavy_ball", {"momentum": 1.0}, "momentum must be .* below 1"),
        ("nesterov", {"momentum": -0.1}, "momentum must be .* at least 0"),
        ("backtracking_gradient_descent", {"shrink": 1.0}, "shrink must be .* below 1"),
        ("backtracking_gradient_descent", {"growth": 0.5}, "growth must be .* at least 1"),
        (
            "backtracking_gradient_descent",
            {"sufficient_decrease": 0.0},
            "sufficient_decrease must be .* above 0",
        ),
        ("coordinate_descent", {"order": "best"}, "order must be one of 'cyclic', 'random'"),
    ],
)
def test_bad_options(method, options, message):
    with pytest.raises(ValueError, match=message):
        optimizers.minimize(WELL, X0, method, **options)
