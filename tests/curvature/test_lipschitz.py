"""Measured Lipschitz constants: never above the true ones, and close to them."""

import math

import numpy as np
import pytest
from scipy.stats import ortho_group

from lib import problems
from lib.curvature.lipschitz import armijo_threshold, gradient_lipschitz, hessian_lipschitz
from lib.problems import Problem

WELL = problems.double_well(0.3)
CARTON = problems.egg_carton(3)


def on_the_line(slope, curvature):
    """Return a problem in one variable with these derivatives."""

    def gradient(x, p, out):
        out[0] = slope(x[0])

    def hvp(x, v, p, out):
        out[0] = curvature(x[0]) * v[0]

    return Problem("line", 1, None, gradient, hvp, np.empty(0))


def quadratic(matrix):
    def gradient(x, p, out):
        out[:] = matrix @ x

    def hvp(x, v, p, out):
        out[:] = matrix @ v

    return Problem("quadratic", len(matrix), None, gradient, hvp, np.empty(0))


def sampled(problem, box, n=300):
    return np.random.default_rng(1).uniform(-box, box, (n, problem.dimension))


# --- gradient ---------------------------------------------------------------------------------


def test_gradient_constant_of_a_quadratic_is_exact():
    q = ortho_group.rvs(30, random_state=0)
    problem = quadratic(q @ np.diag(np.r_[-9.0, np.linspace(-1.0, 5.0, 29)]) @ q.T)
    assert gradient_lipschitz(problem, np.zeros((1, 30))) == pytest.approx(9.0, rel=1e-12)


def test_high_dimension_gives_a_close_lower_bound():
    q = ortho_group.rvs(150, random_state=0)
    problem = quadratic(q @ np.diag(np.linspace(0.0, 5.0, 150)) @ q.T)
    bound = gradient_lipschitz(problem, np.zeros((2, 150)), n_pairs=0)
    assert 4.99 < bound <= 5.0 + 1e-12


def test_gradient_constant_of_the_egg_carton_is_one():
    points = sampled(CARTON, 7.0)
    assert 0.9999 < gradient_lipschitz(CARTON, points) <= 1.0


def test_gradient_constant_on_a_box():
    # The Hessian of the double well has the eigenvalues 1 and 3 y^2 - 1.
    well = problems.double_well()
    corners = [[0.0, 2.0], [0.0, -2.0], [2.0, 0.0]]
    assert gradient_lipschitz(well, corners) == pytest.approx(11.0, rel=1e-12)
    assert 10.0 < gradient_lipschitz(well, sampled(well, 2.0)) < 11.0


def test_pairs_see_what_lies_between_the_points():
    # The slope jumps around the origin, where no point is.
    problem = on_the_line(lambda t: math.tanh(50 * t), lambda t: 50 / math.cosh(50 * t) ** 2)
    points = [[-0.2], [0.2]]
    assert gradient_lipschitz(problem, points, n_pairs=0) < 1e-5
    with_pairs = gradient_lipschitz(problem, points, n_pairs=20)
    assert with_pairs == pytest.approx(math.tanh(10) / 0.2, rel=1e-12)


def test_one_point_has_no_pairs():
    assert gradient_lipschitz(WELL, [[0.0, 0.0]]) == pytest.approx(1.0, rel=1e-14)
    assert gradient_lipschitz(WELL, [[0.0, 0.0]] * 3) == pytest.approx(1.0, rel=1e-14)


# --- Hessian ----------------------------------------------------------------------------------


def test_hessian_constant_of_a_cubic_is_exact():
    # x^3 - 3 x y^2 has the same third derivative everywhere: a trilinear form of norm 6.
    monkey = problems.monkey_saddle()
    for seed in range(5):
        measured = hessian_lipschitz(monkey, [[0.3, -2.0]], seed=seed)
        assert measured == pytest.approx(6.0, rel=1e-8)


def test_hessian_constant_of_the_double_well():
    well = problems.double_well()
    points = np.c_[np.linspace(-1, 1, 41), np.linspace(-2, 2, 41)]
    assert hessian_lipschitz(well, points) == pytest.approx(12.0, rel=1e-8)
    assert 11.5 < hessian_lipschitz(well, sampled(well, 2.0)) < 12.0 + 1e-3


def test_rounds_improve_the_direction():
    # T(u, u, u) = sum of c_i u_i^3 has the norm max |c_i|; a random direction sees less.
    sizes = np.r_[1.0, np.full(19, 0.2)]

    def hvp(x, v, p, out):
        out[:] = sizes * x * v

    problem = Problem("cubes", 20, None, None, hvp, np.empty(0))
    found = [hessian_lipschitz(problem, np.zeros((1, 20)), 1, rounds) for rounds in (1, 2, 4)]
    assert found[0] < found[1] <= found[2] * (1 + 1e-9) <= 1.0 + 1e-6
    assert hessian_lipschitz(problem, np.zeros((1, 20)), 20) == pytest.approx(1.0, rel=1e-8)


def test_quadratics_have_a_constant_hessian():
    assert hessian_lipschitz(problems.quadratic_saddle([5.0, -3.0, 2.0]), np.ones((4, 3))) == 0.0


def test_constant_of_the_sigmoid_example():
    # n = 2, d = m = 1, A1 = (1, 0), A2 = (1, 0), b = 1, squared weight .1: f = (p, 1 - p).
    def parts(t):
        p = 1 / (1 + math.exp(-t))
        return p, p * (1 - p)

    def slope(t):
        p, q = parts(t)
        return (p - 1) * q + 0.1 * t

    def curvature(t):
        p, q = parts(t)
        return q**2 + (p - 1) * q * (1 - 2 * p) + 0.1

    problem = on_the_line(slope, curvature)
    grid = np.linspace(-8, 8, 4001)[:, None]
    assert hessian_lipschitz(problem, grid, 1, 1) == pytest.approx(0.101012, abs=1e-6)
    assert gradient_lipschitz(problem, grid) <= max(abs(curvature(t)) for t in grid[:, 0])


@pytest.mark.parametrize(
    ("beta", "smoothness", "third"),
    [(10, 2.13, 12.3), (1e2, 24.6, 987), (1e3, 250, 9.65e4), (1e4, 2500, 9.62e6)],
)
def test_a_softened_kink_has_constants_that_grow(beta, smoothness, third):
    # Half the square of softplus(z) - 1; to three digits.
    def unit(z):
        t = beta * z
        value = (max(t, 0.0) + math.log1p(math.exp(-abs(t)))) / beta
        rise = 1 / (1 + math.exp(-t)) if t >= 0 else math.exp(t) / (1 + math.exp(t))
        return value, rise, beta * rise * (1 - rise)

    def slope(z):
        value, rise, _ = unit(z)
        return (value - 1) * rise

    def curvature(z):
        value, rise, bend = unit(z)
        return rise**2 + (value - 1) * bend

    problem = on_the_line(slope, curvature)
    grid = np.r_[np.linspace(-12, 12, 1601) / beta, np.linspace(-1, 3, 401)][:, None]
    measured = gradient_lipschitz(problem, grid, n_pairs=0)
    assert measured == pytest.approx(smoothness, rel=3e-3)
    step = 1e-3 / beta
    assert hessian_lipschitz(problem, grid, 1, 1, step) == pytest.approx(third, rel=3e-3)


def test_lower_bounds_never_exceed_the_constant():
    # For the egg carton both constants are 1, in every region that contains the right points.
    for seed in range(3):
        points = sampled(CARTON, 3.0, 40)
        assert gradient_lipschitz(CARTON, points, seed=seed) <= 1.0 + 1e-12
        measured = hessian_lipschitz(CARTON, points, seed=seed)
        assert 0.98 < measured <= 1.0 + 1e-9


def test_step_is_half_the_distance():
    # The second derivative of t^4 is 12 t^2: the quotient over x -+ h is 24 x, whatever h is;
    # that of |t|^3 is 6 |t|, which a long step across the kink averages.
    line = on_the_line(lambda t: 3 * t * abs(t), lambda t: 6 * abs(t))
    assert hessian_lipschitz(line, [[0.5]], step=0.1) == pytest.approx(6.0)
    assert hessian_lipschitz(line, [[0.5]], step=1.0) == pytest.approx(6.0 * 0.5)


def test_seeds():
    points = sampled(WELL, 2.0, 5)
    for function in (gradient_lipschitz, hessian_lipschitz):
        assert function(WELL, points, seed=1) == function(WELL, points, seed=1)
        assert function(WELL, points.tolist()) == function(WELL, np.asfortranarray(points))


# --- threshold --------------------------------------------------------------------------------


def test_threshold_of_the_exercise():
    assert armijo_threshold(sigma=0.5, rho=0.25, hessian_lipschitz=2.0) == 0.1875
    assert armijo_threshold(0.5, 0.25, 0.0) == math.inf


@pytest.mark.parametrize("rho", [1e-4, 0.25, 0.45])
def test_threshold_is_sharp(rho):
    # f(t) = -G t + sigma t^2 / 2 + L2 t^3 / 6 from 0, where the step is G / sigma.
    sigma, constant = 0.3, 1.7
    threshold = armijo_threshold(sigma, rho, constant)
    for factor, accepted in ((0.999, True), (1.001, False)):
        slope = factor * threshold
        t = slope / sigma
        change = -slope * t + sigma * t**2 / 2 + constant * t**3 / 6
        assert (change <= -rho * slope * t) == accepted


# --- arguments --------------------------------------------------------------------------------

POINTS = [[0.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("function", "arguments", "options", "error", "message"),
    [
        (gradient_lipschitz, (len, POINTS), {}, TypeError, "problem must be a Problem"),
        (gradient_lipschitz, (WELL, [0.0, 1.0]), {}, ValueError, r"points must have shape \(n, 2"),
        (gradient_lipschitz, (WELL, np.empty((0, 2))), {}, ValueError, "points must .* at least"),
        (gradient_lipschitz, (WELL, [[0, np.nan]]), {}, ValueError, "points must be finite"),
        (gradient_lipschitz, (WELL, [[0, 1e200]]), {}, ValueError, "points must lie where the H"),
        (gradient_lipschitz, (WELL, POINTS, -1), {}, ValueError, "n_pairs must be .* at least 0"),
        (gradient_lipschitz, (WELL, POINTS), {"seed": "a"}, TypeError, "seed must be a whole"),
        (hessian_lipschitz, (None, POINTS), {}, TypeError, "problem must be a Problem"),
        (hessian_lipschitz, (WELL, 3.0), {}, ValueError, "points must have shape"),
        (hessian_lipschitz, (WELL, [[0, 1e200]]), {}, ValueError, "points must lie where the H"),
        (hessian_lipschitz, (WELL, POINTS, 0), {}, ValueError, "n_directions must be"),
        (hessian_lipschitz, (WELL, POINTS, 1, 0), {}, ValueError, "n_rounds must be"),
        (hessian_lipschitz, (WELL, POINTS), {"step": 0.0}, ValueError, "step must be .* above 0"),
        (hessian_lipschitz, (WELL, POINTS), {"step": 1e-30}, ValueError, "step must be larger"),
        (armijo_threshold, (0.0, 0.25, 2.0), {}, ValueError, "sigma must be .* above 0"),
        (armijo_threshold, (0.5, 0.5, 2.0), {}, ValueError, "rho must be .* below 0.5"),
        (armijo_threshold, (0.5, 0.0, 2.0), {}, ValueError, "rho must be .* above 0"),
        (armijo_threshold, (0.5, 0.25, -1.0), {}, ValueError, "hessian_lipschitz must be .* at"),
        (armijo_threshold, (0.5, "x", 2.0), {}, TypeError, "rho must be a number"),
    ],
)
def test_bad_arguments_are_named(function, arguments, options, error, message):
    with pytest.raises(error, match=message):
        function(*arguments, **options)
