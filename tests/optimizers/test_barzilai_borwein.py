"""Barzilai and Borwein's step sizes against the textbook, and against the scalings they delay."""

import numpy as np
import pytest

from lib import problems
from lib.ensembles import run_many
from lib.optimizers.barzilai_borwein import barzilai_borwein
from lib.optimizers.gradient_descent import gradient_descent
from lib.optimizers.hessian_scaled import scalings
from lib.problems.base import Problem, frozen

WELL = problems.double_well(0.3)


def plain(gradient, dimension=1):
    """Return a problem of plain Python functions; only its gradient is used."""

    def fill(x, p, out):
        out[:] = gradient(x)

    return Problem("plain", dimension, lambda x, p: 0.0, fill, None, frozen([]))


def textbook(problem, x, variant, first, steps, rule="ratio"):
    """Return path and step sizes of the formulas with s and y."""
    path, sizes = [x], []
    for k in range(steps):
        g = problem.gradient(x)
        step = first
        if k > 0:
            s, y = x - path[-2], g - problem.gradient(path[-2])
            bb1, bb2 = s @ s / (s @ y), (s @ y) / (y @ y)
            kept = np.linalg.norm(s) / np.linalg.norm(y) if rule == "ratio" else sizes[-1]
            step = kept if s @ y <= 0 else (bb1, bb2)[variant - 1]
        sizes.append(step)
        x = x - step * g
        path.append(x)
    return np.array(path), np.array(sizes)


@pytest.mark.parametrize("variant", [1, 2])
@pytest.mark.parametrize("rule", ["ratio", "keep"])
@pytest.mark.parametrize("x0", [[1.0, 0.4], [-0.5, 1.7], [0.01, 0.05]])
def test_equals_the_textbook(variant, rule, x0):
    path, sizes = textbook(WELL, np.array(x0), variant, 1e-2, 6, rule)
    run = barzilai_borwein(
        WELL, x0, variant=variant, first_step=1e-2, negative_curvature=rule, max_iter=6
    )
    np.testing.assert_allclose(run.path, path, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(run.trace["step_size"][1:], sizes, rtol=1e-6)
    assert np.isnan(run.trace["step_size"][0])


@pytest.mark.parametrize(("variant", "name"), [(1, "cg"), (2, "mr")])
def test_is_the_scaling_of_the_step_before_on_a_quadratic(variant, name):
    curvatures = np.geomspace(1, 100, 6)
    problem = problems.quadratic_saddle(curvatures)
    run = barzilai_borwein(problem, np.ones(6), variant=variant, max_iter=30, tol=0.0)
    gradients = curvatures * run.path
    delayed = [getattr(scalings(g, curvatures * g), name) for g in gradients[:-2]]
    np.testing.assert_allclose(run.trace["step_size"][2:], delayed, rtol=1e-9)


@pytest.mark.parametrize("variant", [1, 2])
@pytest.mark.parametrize(("kappa", "elsewhere"), [(10, (39, 41)), (100, (123, 131))])
def test_steps_against_the_condition_number(variant, kappa, elsewhere):
    """Median over five starts of the steps that reduce the gradient 1e10 times."""
    problem = problems.quadratic_saddle(np.geomspace(1, kappa, 50))
    counts = []
    for x0 in np.random.default_rng(0).standard_normal((5, 50)):
        tol = 1e-10 * np.linalg.norm(problem.gradient(x0))
        run = barzilai_borwein(problem, x0, variant=variant, tol=tol)
        assert run.status == "converged"
        counts.append(run.n_iter)
    assert np.median(counts) == pytest.approx(elsewhere[variant - 1], rel=0.2)


def test_values_need_not_fall():
    problem = problems.quadratic_saddle(np.geomspace(1, 100, 50))
    run = barzilai_borwein(problem, np.ones(50))
    assert run.status == "converged" and (np.diff(run.values) > 0).any()


def test_negative_curvature():
    start, options = [1e-4, 1e-3], {"first_step": 0.1}
    well = problems.double_well()  # concave along the second axis near the origin
    kept = barzilai_borwein(well, start, negative_curvature="keep", max_iter=20, **options)
    fixed = gradient_descent(well, start, learning_rate=0.1, max_iter=20)
    np.testing.assert_array_equal(kept.path, fixed.path)
    assert (kept.trace["step_size"][1:] == 0.1).all()
    ratio = barzilai_borwein(well, start, **options)
    assert ratio.trace["step_size"][2] == pytest.approx(1.0, abs=1e-5)
    assert ratio.status == "converged" and ratio.value == pytest.approx(-0.25)
    stopped = barzilai_borwein(well, start, negative_curvature="stop", **options)
    assert (stopped.status, stopped.n_iter) == ("breakdown", 1)


@pytest.mark.parametrize("rule", ["ratio", "keep"])
def test_gradient_that_does_not_change(rule):
    run = barzilai_borwein(
        plain(lambda x: np.ones(1)), [0.0], first_step=0.5, negative_curvature=rule, max_iter=8
    )
    assert (run.status, run.x[0]) == ("max_iter", -4.0)


def test_long_steps_go_around_in_circles_where_short_ones_converge():
    valley = plain(
        lambda x: np.array(
            [-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)]
        ),
        2,
    )
    for rule in ("ratio", "keep"):
        options = {"negative_curvature": rule, "max_iter": 3000, "tol": 1e-6}
        long = barzilai_borwein(valley, [-1.2, 1.0], **options)
        assert long.status == "max_iter"
        np.testing.assert_allclose(long.path[-5:], long.path[-10:-5], rtol=1e-9)
        assert np.abs(np.diff(long.path[-6:], axis=0)).max(axis=1).min() > 1e-3
        short = barzilai_borwein(valley, [-1.2, 1.0], variant=2, **options)
        assert short.status == "converged"
        np.testing.assert_allclose(short.x, [1.0, 1.0], atol=1e-5)


def test_a_step_that_overflows_breaks_the_run_down():
    slopes = iter([1e-305 * (1 - 1e-9 * k) for k in range(1000)])
    run = barzilai_borwein(plain(lambda x: next(slopes)), [0.0], tol=0.0, first_step=1e300)
    assert (run.status, run.n_iter) == ("breakdown", 1)


@pytest.mark.parametrize("size", [1e-250, 1e-170, 1e150, 1e200])
def test_tiny_and_huge_gradients(size):
    problem = problems.quadratic_saddle([4.0, 1.0])
    options = {"max_iter": 4, "tol": 0.0, "divergence_radius": 1e300}
    run = barzilai_borwein(problem, [size, 2 * size], **options)
    wanted = barzilai_borwein(problem, [1.0, 2.0], **options)
    np.testing.assert_allclose(run.path / size, wanted.path, rtol=1e-9, atol=1e-12)


def test_a_step_costs_one_gradient():
    run = barzilai_borwein(WELL, [1.0, 0.4])
    assert run.status == "converged"
    assert (run.n_gradient, run.n_hvp) == (run.n_iter + 1, 0)
    assert run.oracle_calls == run.n_iter + 1


def test_ensembles_equal_single_runs():
    starts = np.random.default_rng(0).uniform(-2, 2, (25, 2))
    options = {"variant": 2, "first_step": 0.1, "max_iter": 80, "tol": 1e-9}
    many = run_many(WELL, starts, method="barzilai_borwein", **options)
    for i, x0 in enumerate(starts):
        one = barzilai_borwein(WELL, x0, **options)
        np.testing.assert_array_equal(many.x[i], one.x)
        assert (many.n_iter[i], many.status[i]) == (one.n_iter, one.status)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"variant": 3}, ValueError, "variant must be one of 1, 2; got 3"),
        ({"variant": "1"}, ValueError, "variant must be one of 1, 2"),
        ({"first_step": 0.0}, ValueError, "first_step must be a finite number above 0"),
        ({"first_step": "a"}, TypeError, "first_step must be a number"),
        ({"negative_curvature": "go"}, ValueError, "negative_curvature must be one of 'ratio', "),
    ],
)
def test_options_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        barzilai_borwein(WELL, [1.0, 0.0], **changes)
