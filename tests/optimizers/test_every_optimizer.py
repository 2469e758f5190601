"""What all optimizers share: arguments, records, counters, statuses."""

import dataclasses

import numpy as np
import pytest

from lib import optimizers, problems
from lib._jit import kernel
from lib.optimizers import METHODS, minimize
from lib.problems import Problem

WELL = problems.double_well(0.3)
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


def counting(quartic):
    p = np.array([0.0, 0.0, 0.0, quartic])
    return Problem("counting", 2, counting_value, counting_gradient, counting_hvp, p)


@pytest.fixture(params=METHODS)
def method(request):
    return request.param


def options(method):
    return {"max_inner": 300} if method == "proximal_point" else {}


@pytest.mark.parametrize(
    ("x0", "rate", "max_iter", "stride", "status"),
    [
        ([1.0, 0.4], 0.1, 1000, 1, "converged"),
        ([1.0, 0.4], 0.1, 1000, 7, "converged"),
        ([1.0, 0.4], 0.1, 33, 4, "max_iter"),
        ([1.0, 0.4], 0.1, 32, 4, "max_iter"),
        ([1.0, 0.4], 0.1, 3, 100, "max_iter"),
        ([1.0, 0.4], 0.1, 0, 1, "max_iter"),
        ([0.0, 0.0], 0.1, 300, 1, "converged"),
        ([1.0, 60.0], 0.1, 100, 3, "fails"),
    ],
)
def test_counters_are_exact(method, x0, rate, max_iter, stride, status):
    problem = counting(quartic=1.0)
    run = minimize(
        problem,
        x0,
        method,
        learning_rate=rate,
        max_iter=max_iter,
        record_every=stride,
        **options(method),
    )
    failures = {"diverged", "inner_failed"}
    assert run.status == status if status != "fails" else run.status in failures
    assert [run.n_value, run.n_gradient, run.n_hvp] == problem.parameters[:3].tolist()


def test_gradient_descent_evaluates_one_gradient_a_step():
    run = optimizers.gradient_descent(WELL, X0)
    assert run.n_gradient == run.n_iter + 1
    assert run.n_value == len(run.path)


@pytest.mark.parametrize("stride", [2, 7, 1000])
def test_records(method, stride):
    full = minimize(WELL, X0, method)
    sparse = minimize(WELL, X0, method, record_every=stride)
    kept = [k for k in range(0, full.n_iter + 1, stride)]
    if kept[-1] != full.n_iter or method == "perturbed_gradient_descent":
        kept.append(full.n_iter)
    assert sparse.iterations.tolist() == kept
    np.testing.assert_array_equal(sparse.path[:-1], full.path[kept[:-1]])
    np.testing.assert_array_equal(sparse.path[-1], full.path[-1])
    assert (sparse.n_iter, sparse.status) == (full.n_iter, full.status)


def test_recorded_numbers_belong_to_the_path(method):
    run = minimize(WELL, X0, method, record_every=3)
    np.testing.assert_array_equal(run.path[0], X0)
    np.testing.assert_array_equal(run.path[-1], run.x)
    np.testing.assert_allclose(run.values, WELL.value(run.path), rtol=1e-15)
    sizes = [np.linalg.norm(WELL.gradient(x)) for x in run.path]
    np.testing.assert_allclose(run.gradient_norms, sizes, rtol=1e-14, atol=1e-30)
    assert (run.value, run.gradient_norm) == (run.values[-1], run.gradient_norms[-1])
    assert run.method == method
    assert run.status in repr(run) and run.message


def test_convergence_keeps_its_promise(method):
    run = minimize(WELL, X0, method)
    assert run.status == "converged"
    assert run.gradient_norm <= (1e-3 if method == "perturbed_gradient_descent" else 1e-8)


def test_start_at_a_minimizer(method):
    run = minimize(WELL, WELL.critical_points[1].x, method)
    assert run.status == "converged"
    np.testing.assert_array_equal(run.x, WELL.critical_points[1].x)


def test_no_steps(method):
    run = minimize(WELL, X0, method, max_iter=0)
    assert (run.status, run.n_iter) == ("max_iter", 0)
    np.testing.assert_array_equal(run.path, [X0])


@pytest.mark.parametrize("radius", [1e8, 20.0])
def test_divergence_is_a_status_and_keeps_the_path(method, radius):
    saddle = counting(quartic=0.0)
    run = minimize(
        saddle, [0.5, 1.0], method, learning_rate=0.5, divergence_radius=radius, max_iter=200
    )
    assert run.status == "diverged"
    assert "divergence_radius" in run.message
    assert np.isfinite(run.path).all() and np.isfinite(run.values).all()
    assert np.abs(run.path).max() <= radius < 2 * np.abs(run.x[1])
    assert run.n_iter == len(run.path) - 1 == run.iterations[-1]


def test_overflow_is_divergence():
    run = optimizers.gradient_descent(WELL, [0.0, -1e30], divergence_radius=1e300)
    assert run.status == "diverged"
    assert np.isfinite(run.path).all()


def test_inputs_of_any_kind_give_the_same_run(method):
    wanted = minimize(WELL, [1.0, 2.0], method)
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
        np.testing.assert_array_equal(minimize(WELL, x0, method).path, wanted.path)


def test_start_is_not_changed(method):
    x0 = np.array(X0)
    run = minimize(WELL, x0, method)
    np.testing.assert_array_equal(x0, X0)
    run.path[:] = 0.0
    assert run.x.any() and x0.any()


def test_result_is_frozen(method):
    with pytest.raises(dataclasses.FrozenInstanceError):
        minimize(WELL, X0, method, max_iter=1).status = "fine"


def test_minimize_calls_the_method_of_that_name(method):
    by_name = minimize(WELL, X0, method, learning_rate=0.05)
    directly = METHODS[method](WELL, X0, learning_rate=0.05)
    np.testing.assert_array_equal(by_name.path, directly.path)
    assert METHODS[method] is getattr(optimizers, method)


def test_default_method_is_gradient_descent():
    assert minimize(WELL, X0).method == "gradient_descent"


@pytest.mark.parametrize("name", ["newton", "", 3, None])
def test_unknown_method(name):
    with pytest.raises(ValueError, match="method must be one of 'gradient_descent', "):
        minimize(WELL, X0, name)


@pytest.mark.parametrize(
    ("problem", "x0", "changes", "error", "message"),
    [
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
    ],
)
def test_bad_arguments_are_named(method, problem, x0, changes, error, message):
    with pytest.raises(error, match=message):
        minimize(problem, x0, method, **changes)


@pytest.mark.parametrize("name", ["gradient_descent", "proximal_point"])
def test_negative_tolerance(name):
    with pytest.raises(ValueError, match="tol must be a finite number at least 0"):
        minimize(WELL, X0, name, tol=-1.0)


def test_unknown_option(method):
    with pytest.raises(TypeError, match="momentum"):
        minimize(WELL, X0, method, momentum=0.9)
