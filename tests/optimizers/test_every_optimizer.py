"""What all optimizers share: arguments, records, counters, statuses."""

import dataclasses
import inspect
import math

import numpy as np
import pytest

from lib import optimizers
from lib._jit import kernel
from lib.optimizers import METHODS, minimize
from lib.problems import Problem

X0 = [1.0, 0.4]


# A double well that counts its evaluations in p[:3]; with p[3] = 0 it is a quadratic saddle.


@kernel
def counting_value(x, p):
    p[0] += 1.0
    return 0.5 * x[0] ** 2 + 0.25 * p[3] * x[1] ** 4 - 0.5 * x[1] ** 2


@kernel
def counting_gradient(x, p, out):
    p[1] += 1.0
    out[0] = x[0]
    out[1] = p[3] * x[1] ** 3 - x[1]


@kernel
def counting_hvp(x, v, p, out):
    p[2] += 1.0
    out[0] = v[0]
    out[1] = (3.0 * p[3] * x[1] ** 2 - 1.0) * v[1]


@kernel
def counting_bound(t, p):
    return 2.0 + 6.0 * p[3] * math.sqrt(max(t + 0.25, 0.0))


def counting(quartic):
    p = np.array([0.0, 0.0, 0.0, quartic])
    kernels = counting_value, counting_gradient, counting_hvp
    return Problem("counting", 2, *kernels, p, rho1_kernel=counting_bound)


WELL = counting(1.0)
HOME = np.array([0.0, 1.0])


# What each method needs to converge on the double well, and to converge fast.
STOCHASTIC = "sgd momentum_sgd nesterov_sgd adagrad rmsprop adam amsgrad adamax nadam".split()
OPTIONS = {name: {"learning_rate": 0.1, "tol": 1e-8} for name in STOCHASTIC} | {
    "momentum_sgd": {"learning_rate": 0.05, "momentum": 0.5, "tol": 1e-8},
    "nesterov_sgd": {"learning_rate": 0.05, "momentum": 0.5, "tol": 1e-8},
    "proximal_point": {"max_inner": 300},
    "restarted_sgd": {"learning_rate": 0.1, "batch_size": None, "ball_radius": 0.3, "stay": 100},
}
# Methods that need more of a problem than the double well has are tested in files of their own.
ELSEWHERE = {"approximate_newton", "stochastic_hessian_scaled"}
# Methods whose step is a fixed multiple of the gradient: they run away where it is too long.
PLAIN = ("gradient_descent", "perturbed_gradient_descent", "proximal_point")
RUNAWAYS = (*PLAIN, "heavy_ball", "nesterov", "sgd")
# Methods that may end at a point with a small gradient instead of at tol.
LOOSE = {"perturbed_gradient_descent": 1e-3, "restarted_sgd": 0.1}


@pytest.fixture(params=[name for name in METHODS if name not in ELSEWHERE])
def method(request):
    return request.param


def takes(method, option):
    return option in inspect.signature(METHODS[method]).parameters


def options(method, **further):
    """Return the method's options and those of the further ones that it takes."""
    further = {name: value for name, value in further.items() if takes(method, name)}
    return OPTIONS.get(method, {}) | further


def solve(problem, x0, method, **further):
    return minimize(problem, x0, method, **options(method, **further))


@pytest.mark.parametrize(
    ("x0", "max_iter", "stride"),
    [
        ([1.0, 0.4], 1000, 1),
        ([1.0, 0.4], 1000, 7),
        ([1.0, 0.4], 33, 4),
        ([1.0, 0.4], 32, 4),
        ([1.0, 0.4], 3, 100),
        ([1.0, 0.4], 0, 1),
        ([0.0, 0.0], 300, 1),
        ([1.0, 60.0], 100, 3),
    ],
)
def test_counters_are_exact(method, x0, max_iter, stride):
    problem = counting(quartic=1.0)
    run = solve(problem, x0, method, max_iter=max_iter, record_every=stride)
    assert [run.n_value, run.n_gradient, run.n_hvp] == problem.parameters[:3].tolist()
    assert run.n_iter <= max_iter
    assert run.oracle_calls <= run.n_value + run.n_gradient + 2 * run.n_hvp


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(
    ("x0", "max_iter", "stride", "status"),
    [
        ([1.0, 0.4], 1000, 1, {"converged"}),
        ([1.0, 0.4], 1000, 7, {"converged"}),
        ([1.0, 0.4], 33, 4, {"max_iter"}),
        ([1.0, 0.4], 32, 4, {"max_iter"}),
        ([1.0, 0.4], 3, 100, {"max_iter"}),
        ([1.0, 0.4], 0, 1, {"max_iter"}),
        ([0.0, 0.0], 300, 1, {"converged"}),
        ([1.0, 60.0], 100, 3, {"diverged", "inner_failed"}),
    ],
)
def test_statuses(name, x0, max_iter, stride, status):
    run = solve(counting(1.0), x0, name, learning_rate=0.1, max_iter=max_iter, record_every=stride)
    assert run.status in status


def test_gradient_descent_evaluates_one_gradient_a_step():
    run = optimizers.gradient_descent(WELL, X0)
    assert run.n_gradient == run.n_iter + 1
    assert run.n_value == len(run.path)


REWINDING = ("perturbed_gradient_descent", "restarted_sgd")


@pytest.mark.parametrize("stride", [2, 7, 1000])
def test_records(method, stride):
    if method in STOCHASTIC:  # with tol they stop at recorded iterates only
        full = solve(WELL, X0, method, tol=0.0, max_iter=100)
        sparse = solve(WELL, X0, method, tol=0.0, max_iter=100, record_every=stride)
    else:
        full = solve(WELL, X0, method)
        sparse = solve(WELL, X0, method, record_every=stride)
    kept = [k for k in range(0, full.n_iter + 1, stride)]
    if kept[-1] != full.n_iter or (method in REWINDING and full.status == "converged"):
        kept.append(full.n_iter)
    assert sparse.iterations.tolist() == kept
    np.testing.assert_array_equal(sparse.path[:-1], full.path[kept[:-1]])
    np.testing.assert_array_equal(sparse.path[-1], full.path[-1])
    assert (sparse.n_iter, sparse.status) == (full.n_iter, full.status)


def test_recorded_numbers_belong_to_the_path(method):
    run = solve(WELL, X0, method, record_every=3)
    np.testing.assert_array_equal(run.path[0], X0)
    np.testing.assert_array_equal(run.path[-1], run.x)
    np.testing.assert_allclose(run.values, WELL.value(run.path), rtol=1e-15)
    sizes = [np.linalg.norm(WELL.gradient(x)) for x in run.path]
    np.testing.assert_allclose(run.gradient_norms, sizes, rtol=1e-14, atol=1e-30)
    assert (run.value, run.gradient_norm) == (run.values[-1], run.gradient_norms[-1])
    assert run.method == method
    assert run.status in repr(run) and run.message


def test_convergence_keeps_its_promise(method):
    run = solve(WELL, X0, method, max_iter=3000)
    assert run.status == "converged"
    assert run.gradient_norm <= LOOSE.get(method, 1e-8)
    for name, column in run.trace.items():
        assert column.shape == run.iterations.shape, name


def test_start_at_a_minimizer(method):
    run = solve(WELL, HOME, method, tol=1e-8)
    assert run.status == "converged"
    np.testing.assert_array_equal(run.x, HOME)


def test_no_steps(method):
    run = solve(WELL, X0, method, max_iter=0)
    assert (run.status, run.n_iter) == ("max_iter", 0)
    np.testing.assert_array_equal(run.path, [X0])


@pytest.mark.parametrize("radius", [1e8, 20.0])
def test_divergence_is_a_status_and_keeps_the_path(method, radius):
    saddle = counting(quartic=0.0)
    run = solve(
        saddle, [0.5, 1.0], method, learning_rate=0.5, divergence_radius=radius, max_iter=200
    )
    if run.status == "diverged":
        assert "divergence_radius" in run.message
        assert run.n_iter == len(run.path) - 1 == run.iterations[-1]
    assert np.isfinite(run.path).all() and np.isfinite(run.values).all()
    assert np.abs(run.path).max() <= radius


@pytest.mark.parametrize("radius", [1e8, 20.0])
@pytest.mark.parametrize("name", RUNAWAYS)
def test_runaways_are_noticed(name, radius):
    saddle = counting(quartic=0.0)
    run = solve(saddle, [0.5, 1.0], name, learning_rate=0.5, divergence_radius=radius, max_iter=200)
    assert run.status == "diverged"
    if name in PLAIN:
        assert np.abs(run.path).max() <= radius < 2 * np.abs(run.x[1])


def test_overflow_is_divergence():
    run = optimizers.gradient_descent(WELL, [0.0, -1e30], divergence_radius=1e300)
    assert run.status == "diverged"
    assert np.isfinite(run.path).all()


def test_inputs_of_any_kind_give_the_same_run(method):
    wanted = solve(WELL, [1.0, 2.0], method, max_iter=50)
    read_only = np.array([1.0, 2.0])
    read_only.setflags(write=False)
    for x0 in (
        (1, 2),
        np.array([1, 2]),
        np.float32([1, 2]),
        np.array([2.0, 1.0])[::-1],
        np.array([[1.0, 2.0]] * 3).T[:, 1],
        read_only,
    ):
        again = solve(WELL, x0, method, max_iter=50)
        np.testing.assert_array_equal(again.path, wanted.path)


def test_start_is_not_changed(method):
    x0 = np.array(X0)
    run = solve(WELL, x0, method)
    np.testing.assert_array_equal(x0, X0)
    run.path[:] = 0.0
    assert run.x.any() and x0.any()


def test_result_is_frozen(method):
    with pytest.raises(dataclasses.FrozenInstanceError):
        solve(WELL, X0, method, max_iter=1).status = "fine"


def test_minimize_calls_the_method_of_that_name(method):
    by_name = solve(WELL, X0, method, max_iter=20)
    directly = METHODS[method](WELL, X0, **options(method, max_iter=20))
    np.testing.assert_array_equal(by_name.path, directly.path)
    assert METHODS[method] is getattr(optimizers, method)


def test_default_method_is_gradient_descent():
    assert minimize(WELL, X0).method == "gradient_descent"


@pytest.mark.parametrize("name", ["bfgs", "", 3, None])
def test_unknown_method(name):
    with pytest.raises(ValueError, match="method must be one of .*'gradient_descent', "):
        minimize(WELL, X0, name)


BAD = [
    (lambda x: 0.0, X0, {}, TypeError, "problem must be a Problem .* got function"),
    (None, X0, {}, TypeError, "problem must be a Problem .* got NoneType"),
    (WELL, [1.0], {}, ValueError, r"x0 must have shape \(2,\).* got shape \(1,\)"),
    (WELL, [[1.0, 2.0]], {}, ValueError, r"x0 must have shape \(2,\)"),
    (WELL, 1.0, {}, ValueError, r"x0 must have shape \(2,\).* got shape \(\)"),
    (WELL, [1.0, np.nan], {}, ValueError, r"x0 must be finite; entry \(1,\) is nan"),
    (WELL, [np.inf, 0.0], {}, ValueError, r"x0 must be finite; entry \(0,\) is inf"),
    (WELL, ["a", "b"], {}, TypeError, "x0 must be an array of real numbers"),
    (WELL, [1e9, 0.0], {}, ValueError, r"x0 must lie inside divergence_radius = 1e\+08"),
    (WELL, X0, {"learning_rate": 0.0}, ValueError, "learning_rate must be .* above 0"),
    (WELL, X0, {"learning_rate": -0.1}, ValueError, "learning_rate must be .* above 0"),
    (WELL, X0, {"learning_rate": np.nan}, ValueError, "learning_rate must be a finite"),
    (WELL, X0, {"learning_rate": None}, TypeError, "learning_rate must be a number"),
    (WELL, X0, {"learning_rate": "0.1"}, TypeError, "learning_rate must be a number"),
    (WELL, X0, {"max_iter": -1}, ValueError, "max_iter must be a whole number at least 0"),
    (WELL, X0, {"max_iter": 10.0}, TypeError, "max_iter must be a whole number"),
    (WELL, X0, {"max_iter": 10**10}, ValueError, "max_iter must be .* at most 1e"),
    (WELL, X0, {"record_every": 0}, ValueError, "record_every must be .* at least 1"),
    (WELL, X0, {"divergence_radius": 0}, ValueError, "divergence_radius must be .* above 0"),
]


@pytest.mark.parametrize(
    ("method", "problem", "x0", "changes", "error", "message"),
    [
        (name, *case)
        for name in METHODS
        if name not in ELSEWHERE
        for case in BAD
        if all(takes(name, option) for option in case[2])
    ],
)
def test_bad_arguments_are_named(method, problem, x0, changes, error, message):
    with pytest.raises(error, match=message):
        minimize(problem, x0, method, **OPTIONS.get(method, {}) | changes)


@pytest.mark.parametrize("name", ["gradient_descent", "proximal_point"])
def test_negative_tolerance(name):
    with pytest.raises(ValueError, match="tol must be a finite number at least 0"):
        minimize(WELL, X0, name, tol=-1.0)


def test_unknown_option(method):
    with pytest.raises(TypeError, match="acceleration"):
        minimize(WELL, X0, method, acceleration=0.9)
