"""Newton's method against NumPy, closed forms, and its known failures."""

import math

import numpy as np
import pytest

from lib._jit import kernel
from lib.ensembles import run_many
from lib.optimizers.newton import _solve, newton
from lib.problems import Problem
from lib.problems.base import frozen

# x^T H x / 2 + sum q_i/4 x_i^4 + c sum sqrt(1 + x_i^2) with p = [c, q, H row by row]: one kernel
# for every test, because each is compiled into the method anew.


@kernel
def mixed_value(x, p):
    d = x.size
    total = 0.0
    for i in range(d):
        total += 0.25 * p[1 + i] * x[i] ** 4 + p[0] * math.sqrt(1.0 + x[i] * x[i])
        for j in range(d):
            total += 0.5 * p[1 + d + i * d + j] * x[i] * x[j]
    return total


@kernel
def mixed_gradient(x, p, out):
    d = x.size
    for i in range(d):
        out[i] = p[1 + i] * x[i] ** 3 + p[0] * x[i] / math.sqrt(1.0 + x[i] * x[i])
        for j in range(d):
            out[i] += p[1 + d + i * d + j] * x[j]


@kernel
def mixed_hvp(x, v, p, out):
    d = x.size
    for i in range(d):
        root = math.sqrt(1.0 + x[i] * x[i])
        out[i] = (3.0 * p[1 + i] * x[i] ** 2 + p[0] / (root * root * root)) * v[i]
        for j in range(d):
            out[i] += p[1 + d + i * d + j] * v[j]


def mixed(H, q=0.0, c=0.0):
    H = np.atleast_2d(H)
    d = len(H)
    p = frozen(np.concatenate([[c], np.full(d, q), H.ravel()]))
    return Problem("mixed", d, mixed_value, mixed_gradient, mixed_hvp, p)


ROOT = mixed(0.0, c=1.0)
WELL = mixed(np.diag([1.0, -1.0]), q=[0.0, 1.0])  # the double well: minimizers at (0, +-1)


def symmetric(d, seed, definite=False):
    M = np.random.default_rng(seed).standard_normal((d, d))
    return M @ M.T + 0.1 * np.eye(d) if definite else M + M.T


# --- the step -------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 5, 12])
@pytest.mark.parametrize("definite", [True, False])
def test_linear_equations_are_solved(d, definite):
    H = symmetric(d, d, definite)
    g = np.random.default_rng(1).standard_normal(d)
    v = np.zeros((d + 2, d))
    v[:d] = np.triu(H)
    v[d], v[d + 1] = g, np.diag(H)
    assert _solve(v, 0) == 0.0
    np.testing.assert_allclose(v[d], np.linalg.solve(H, g), rtol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_quadratics_take_one_step(d):
    """Wherever the Hessian is invertible, its sign does not matter."""
    start = np.random.default_rng(2).standard_normal(d)
    for seed in range(5):
        run = newton(mixed(symmetric(d, seed)), start, tol=1e-9)
        assert (run.status, run.n_iter) == ("converged", 1)
        np.testing.assert_allclose(run.x, np.zeros(d), atol=1e-10)


def test_a_zero_on_the_diagonal_needs_row_exchanges():
    run = newton(mixed([[0.0, 1.0], [1.0, 0.0]]), [3.0, -2.0])
    assert (run.status, run.n_iter) == ("converged", 1)
    np.testing.assert_array_equal(run.x, [0.0, 0.0])


@pytest.mark.parametrize("options", [{}, {"learning_rate": 0.5}, {"regularization": 2.0}])
def test_iterates_are_those_of_the_plain_formula(options):
    problem = mixed(symmetric(4, 3), q=1.0)
    rate, added = options.get("learning_rate", 1.0), options.get("regularization", 0.0)
    x = np.random.default_rng(4).standard_normal(4)
    run = newton(problem, x, max_iter=6, **options)
    for k in range(6):
        np.testing.assert_allclose(run.path[k], x, rtol=1e-7, atol=1e-9)
        H = problem.hessian(x) + added * np.eye(4)
        x = x - rate * np.linalg.solve(H, problem.gradient(x))
    assert (run.trace["shift"][1:] == added).all()
    assert (run.trace["step_size"][1:] == rate).all()
    assert all(np.isnan(column[0]) for column in run.trace.values())


def test_decrement_is_the_length_of_the_step_in_its_own_norm():
    problem = mixed(symmetric(3, 5, definite=True), q=1.0)
    run = newton(problem, [1.0, -2.0, 0.5], damping=True)
    assert run.status == "converged"
    for x, decrement in zip(run.path[:-1], run.trace["decrement"][1:], strict=True):
        g = problem.gradient(x)
        wanted = math.sqrt(g @ np.linalg.solve(problem.hessian(x), g))
        assert decrement == pytest.approx(wanted, rel=1e-9)


# --- how fast, how far ----------------------------------------------------------------------


def test_errors_are_squared():
    """Along the valley the step is y -> 2 y^3 / (3 y^2 - 1): e+ / e^2 tends to 3/2."""
    run = newton(WELL, [0.5, 1.3], tol=0.0, max_iter=5)
    y = run.path[:, 1]
    np.testing.assert_allclose(y[1:], 2 * y[:-1] ** 3 / (3 * y[:-1] ** 2 - 1), rtol=1e-12)
    errors = np.abs(y - 1.0)[:5]
    ratios = errors[1:] / errors[:-1] ** 2
    assert ratios[-1] == pytest.approx(1.5, rel=0.01)
    assert errors[-2] < 2e-3 and errors[-1] < 1e-5


@pytest.mark.parametrize("x0", [0.9, -0.5, 1.2])
def test_the_map_of_the_root_is_minus_the_cube(x0):
    """For sqrt(1 + x^2) a unit step takes x to -x^3: it converges below 1 and diverges above."""
    run = newton(ROOT, [x0], tol=1e-12, max_iter=60)
    x = run.path[:, 0]
    np.testing.assert_allclose(x[1:4], -(x[:3] ** 3), rtol=1e-11, atol=1e-14)
    assert run.status == ("converged" if abs(x0) < 1 else "diverged")


def test_damping_makes_the_root_converge_from_everywhere():
    for x0 in (1.2, 30.0, -1e4):
        run = newton(ROOT, [x0], damping=True)
        assert run.status == "converged"
        assert abs(run.x[0]) < 1e-7
        assert (np.diff(run.values) <= 1e-14 * run.values[:-1]).all()
        assert run.trace["step_size"][1] < 1.0
        assert run.trace["step_size"][-1] == 1.0


def test_damped_steps_are_the_first_that_satisfy_armijo():
    run = newton(ROOT, [5.0], damping=True, sufficient_decrease=0.3, shrink=0.6, max_iter=8)
    for x, ahead, step in zip(run.path[:-1], run.path[1:], run.trace["step_size"][1:], strict=True):
        f, g = ROOT.value(x), ROOT.gradient(x)
        s = -g / ROOT.hessian(x)[0, 0]
        assert ahead == pytest.approx(x + step * s)
        trials = 0.6 ** np.arange(60)
        ok = [ROOT.value(x + a * s) <= f + 0.3 * a * (g @ s) + 1e-14 * f for a in trials]
        assert step == pytest.approx(trials[ok.index(True)])


def test_rounding_does_not_stop_a_damped_run():
    """Near the minimizer the value cannot be seen to fall any more, but the gradient can.

    Without an allowance for it, half of these runs go on in ever shorter steps.
    """
    starts = np.random.default_rng(0).uniform(-3.0, 3.0, (60, 8))
    problem = mixed(symmetric(8, 7), q=1.0)
    runs = run_many(problem, starts, method="newton", damping=True, tol=1e-12, max_iter=60)
    assert (runs.status == "converged").all()


# --- where the Hessian is not positive definite ---------------------------------------------


@pytest.mark.parametrize("indefinite", [None, "solve"])
@pytest.mark.parametrize(("x0", "uphill"), [([0.2, 0.1], False), ([0.01, 0.3], True)])
def test_pure_newton_goes_to_the_saddle(indefinite, x0, uphill):
    run = newton(WELL, x0, indefinite=indefinite)
    assert run.status == "converged"
    np.testing.assert_allclose(run.x, [0.0, 0.0], atol=1e-8)
    g = WELL.gradient(x0)
    squared = g @ np.linalg.solve(WELL.hessian(x0), g)
    assert (squared < 0) == uphill == (run.values[1] > run.values[0])
    wanted = math.nan if uphill else math.sqrt(squared)
    assert run.trace["decrement"][1] == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize("damping", [True, False])
def test_regularized_newton_goes_downhill(damping):
    problem = mixed(symmetric(5, 7), q=1.0)
    run = newton(problem, 0.1 * np.ones(5), indefinite="regularize", damping=damping)
    assert run.status == "converged"
    assert np.linalg.eigvalsh(problem.hessian(run.x))[0] > 0
    shifts = run.trace["shift"][1:]
    assert shifts[0] > 0 == shifts[-1]
    for x, ahead, shift, step in zip(
        run.path[:-1], run.path[1:], shifts, run.trace["step_size"][1:], strict=True
    ):
        H = problem.hessian(x)
        lowest = np.linalg.eigvalsh(H)[0]
        s = -np.linalg.solve(H + shift * np.eye(5), problem.gradient(x))
        np.testing.assert_allclose(ahead, x + step * s, rtol=1e-7, atol=1e-10)
        if shift > 0:
            doublings = math.log2(shift / (1e-3 * np.linalg.norm(H)))
            assert doublings == pytest.approx(round(doublings), abs=1e-9)
            assert -lowest < shift and (round(doublings) == 0 or shift / 2 <= -lowest * (1 + 1e-9))
        else:
            assert lowest > 0


def test_stopping_where_the_hessian_is_indefinite():
    run = newton(WELL, [1.0, 0.4], indefinite="stop")
    assert (run.status, run.n_iter) == ("breakdown", 0)
    assert run.n_hvp == 2
    away = newton(WELL, [0.05, 1.05], indefinite="stop")
    assert away.status == "converged"


def test_a_damped_step_must_lead_downhill():
    run = newton(WELL, [0.0, 0.5], damping=True, indefinite="solve")
    assert (run.status, run.n_iter) == ("line_search_failed", 0)
    assert newton(WELL, [0.0, 0.5], damping=True).status == "converged"


@pytest.mark.parametrize("indefinite", ["solve", "stop"])
def test_singular_hessians_break_down(indefinite):
    run = newton(mixed(np.ones((3, 3))), [1.0, 2.0, 4.0], indefinite=indefinite)
    assert (run.status, run.n_iter) == ("breakdown", 0)
    np.testing.assert_array_equal(run.x, [1.0, 2.0, 4.0])


def test_hessians_that_no_multiple_of_the_identity_helps():
    broken = mixed([[np.nan, 0.0], [0.0, 1.0]])
    for indefinite in ("solve", "regularize", "stop"):
        assert newton(broken, [1.0, 1.0], indefinite=indefinite).status == "breakdown"
    flat = np.zeros((4, 2))
    flat[2] = 1.0
    for choice in range(3):
        assert _solve(flat, choice) == -1.0


def test_nearly_singular_is_not_positive_definite():
    """Rounding errors may leave a tiny positive pivot in a singular matrix."""
    for seed in range(30):
        a = np.random.default_rng(seed).standard_normal((2, 3))
        run = newton(mixed(a.T @ a), np.ones(3), indefinite="stop")
        assert run.status == "breakdown"
    spread = np.diag([1.0, 1e-12])
    assert newton(mixed(spread), [1.0, 1.0], indefinite="stop", tol=1e-20).status == "converged"


# --- counts and ensembles -------------------------------------------------------------------


@pytest.mark.parametrize("damping", [False, True])
def test_counts(damping):
    run = newton(WELL, [1.0, 0.4], damping=damping)
    assert run.n_hvp == 2 * run.n_iter
    assert run.n_gradient == run.n_iter + 1
    assert run.oracle_calls == (run.n_value - run.n_recording[0] + run.n_gradient + 4 * run.n_iter)
    if not damping:
        assert run.n_value == run.n_recording[0] == run.n_iter + 1
    short = newton(WELL, [1.0, 0.4], max_evaluations=11, damping=damping, tol=0.0)
    calls = [
        newton(WELL, [1.0, 0.4], max_iter=k, damping=damping, tol=0.0).oracle_calls
        for k in range(5)
    ]
    used = [count >= 11 for count in calls].index(True)
    assert (short.status, short.n_iter) == ("budget", used)


@pytest.mark.parametrize("options", [{}, {"damping": True}, {"indefinite": "stop"}])
def test_ensembles_agree_with_single_runs(options):
    starts = np.random.default_rng(3).uniform(-2.0, 2.0, (40, 2))
    many = run_many(WELL, starts, method="newton", max_iter=60, tol=1e-9, **options)
    for i, start in enumerate(starts[:12]):
        one = newton(WELL, start, max_iter=60, tol=1e-9, **options)
        np.testing.assert_array_equal(many.x[i], one.x)
        assert (many.status[i], many.n_iter[i]) == (one.status, one.n_iter)
        assert many.evaluations[i, 2] == one.n_hvp


def test_basins_of_newton_hold_the_saddle():
    """A set of positive measure is led to the saddle, as gradient descent's never is."""
    starts = np.random.default_rng(3).uniform(-2.0, 2.0, (400, 2))
    many = run_many(WELL, starts, method="newton", max_iter=100)
    assert (many.status == "converged").all()
    ends = many.x[:, 1].round(6)
    assert set(ends) == {-1.0, 0.0, 1.0}
    # y = sqrt(1/5) is a point of period two, and starts nearer to the saddle are led to it.
    y = starts[:, 1]
    assert (ends[np.abs(y) < math.sqrt(1 / 5)] == 0.0).all()
    assert (ends[y > math.sqrt(1 / 3)] == 1.0).all()
    assert (ends[y < -math.sqrt(1 / 3)] == -1.0).all()


# --- wrong input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be .* above 0"),
        ({"indefinite": "flip"}, ValueError, "indefinite must be one of 'solve', 'regularize'"),
        ({"regularization": -1.0}, ValueError, "regularization must be .* at least 0"),
        ({"regularization": "auto"}, TypeError, "regularization must be a number"),
        ({"damping": 0.5}, TypeError, "damping must be True or False"),
        ({"sufficient_decrease": 1.0}, ValueError, "sufficient_decrease must be .* below 1"),
        ({"shrink": 0.0}, ValueError, "shrink must be .* above 0"),
        ({"max_trials": 0}, ValueError, "max_trials must be .* at least 1"),
    ],
)
def test_wrong_input_is_named(options, error, message):
    with pytest.raises(error, match=message):
        newton(WELL, [1.0, 0.4], **options)
