"""Many runs at once: the same as one by one, whoever runs the chunks."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from lib import problems
from lib.ensembles import (
    basins,
    escape_times,
    grid_starts,
    proportion_interval,
    run_many,
    uniform_starts,
)
from lib.ensembles.runs import CHUNK, RUNS, WIDTH
from lib.optimizers import gradient_descent

WELL = problems.double_well(0.3)
EGGS = problems.egg_carton()


class OneByOne:
    """The smallest executor."""

    def map(self, work, chunks):
        return map(work, chunks)


class LastFirst:
    """Runs the chunks backwards and returns the results in order."""

    def map(self, work, chunks):
        return reversed([work(chunk) for chunk in reversed(chunks)])


def assert_same(one, other):
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.n_iter, other.n_iter)
    np.testing.assert_array_equal(one.status, other.status)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.97])
@pytest.mark.parametrize("n", [1, WIDTH - 1, WIDTH, 3 * WIDTH + 5])
def test_equals_single_runs_bit_for_bit(rate, n):
    starts = uniform_starts(n, -2.5, 2.5, seed=n)
    many = run_many(WELL, starts, rate, max_iter=120, tol=1e-6)
    for i, x0 in enumerate(starts):
        one = gradient_descent(WELL, x0, rate, max_iter=120, tol=1e-6)
        np.testing.assert_array_equal(many.x[i], one.x)
        assert (many.n_iter[i], many.status[i]) == (one.n_iter, one.status)


def test_all_statuses_occur():
    many = run_many(WELL, [[0.1, 0.2], [0.0, 0.0], [50.0, 50.0]], 0.2, max_iter=5)
    assert many.status.tolist() == ["max_iter", "converged", "diverged"]
    assert many.n_iter.tolist() == [5, 0, many.n_iter[2]]
    assert np.isfinite(many.x).all()


@pytest.mark.parametrize("executor", [OneByOne(), LastFirst()], ids=["in order", "backwards"])
def test_result_does_not_depend_on_the_executor(executor):
    starts = uniform_starts(2 * CHUNK + 77, -2, 2)
    threads = run_many(WELL, starts, 0.3, max_iter=40)
    assert len(threads.x) == len(starts)
    assert_same(threads, run_many(WELL, starts, 0.3, max_iter=40, executor=executor))
    by_threads = escape_times(WELL, starts, 0.3, max_iter=40)
    other = escape_times(WELL, starts, 0.3, max_iter=40, executor=executor)
    np.testing.assert_array_equal(by_threads, other)


@pytest.mark.parametrize(("budget", "max_iter"), [(1, 9), (4, 9), (4, 3), (4, 2), (900, 900)])
def test_budget_is_that_of_single_runs(budget, max_iter):
    starts = [[1.0, 0.4], [0.0, 0.0]]
    limits = {"max_iter": max_iter, "max_evaluations": budget, "tol": 1e-8}
    many = run_many(WELL, starts, 0.3, **limits)
    for i, x0 in enumerate(starts):
        one = gradient_descent(WELL, x0, 0.3, **limits)
        assert (many.status[i], many.n_iter[i]) == (one.status, one.n_iter)
        assert many.evaluations[i].tolist() == [0, one.n_gradient, 0]


def test_what_an_ensemble_says_of_itself():
    many = run_many(WELL, [[0.1, 0.2], [0.0, 0.0], [0.3, 0.2], [50.0, 50.0]], 0.2, max_iter=5)
    assert many.counts == {"max_iter": 2, "converged": 1, "diverged": 1}
    assert repr(many) == "Ensemble(n=4, counts={'converged': 1, 'diverged': 1, 'max_iter': 2})"
    assert many.sample_evaluations.tolist() == [[0, 0]] * 4


def test_progress_counts_the_runs(capsys, monkeypatch):
    monkeypatch.setattr("lib.ensembles.runs.CHUNK", 20)
    starts = uniform_starts(47, -2, 2)
    shown = run_many(WELL, starts, 0.3, max_iter=3, progress=True)
    assert "47/47" in capsys.readouterr().err
    assert_same(shown, run_many(WELL, starts, 0.3, max_iter=3))
    assert capsys.readouterr().err == ""


def test_options_of_another_method_are_refused():
    with pytest.raises(TypeError, match="gradient_descent has no option 'lr' in an ensemble"):
        run_many(WELL, [[0.0, 0.0]], lr=0.1)
    with pytest.raises(TypeError, match="adam has no option 'callback' in an ensemble; its own"):
        run_many(WELL, [[0.0, 0.0]], method="adam", callback=print)
    with pytest.raises(TypeError, match="hessian_scaled has no option 'learning_rate'"):
        basins(WELL, [[0.0, 0.0]], 0.1, method="hessian_scaled")
    with pytest.raises(ValueError, match="max_evaluations must be a whole number at least 1"):
        run_many(WELL, [[0.0, 0.0]], max_evaluations=0)
    with pytest.raises(TypeError, match="progress must be True or False"):
        run_many(WELL, [[0.0, 0.0]], progress="yes")


def test_processes_and_threads_agree():
    starts = uniform_starts(CHUNK + 77, -2, 2)
    wanted = run_many(WELL, starts, 0.3, max_iter=40)
    with ThreadPoolExecutor(3) as pool:
        assert_same(wanted, run_many(WELL, starts, 0.3, max_iter=40, executor=pool))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert_same(wanted, run_many(WELL, starts, 0.3, max_iter=40, executor=pool))


def test_chunks_do_not_show():
    starts = uniform_starts(CHUNK + 40, -2, 2)
    whole = run_many(WELL, starts, 0.3, max_iter=40)
    part = run_many(WELL, starts[CHUNK - 20 :], 0.3, max_iter=40)
    np.testing.assert_array_equal(whole.x[CHUNK - 20 :], part.x)


def test_chunks_of_a_stochastic_method_do_not_show(monkeypatch):
    x = np.linspace(-1.0, 1.0, 9)
    network = problems.relu_network((1, 3, 1), x, np.abs(x))
    starts = problems.initialize((1, 3, 1), n=2 * RUNS + 5)
    options = {"method": "adam", "batch_size": 2, "max_iter": 20, "seed": 3}
    wanted = run_many(network, starts, 0.05, **options)
    assert_same(wanted, run_many(network, starts, 0.05, executor=LastFirst(), **options))
    monkeypatch.setattr("lib.ensembles.runs.RUNS", 100)
    assert_same(wanted, run_many(network, starts, 0.05, **options))


def test_tolerance_zero_stops_only_at_a_gradient_of_zero():
    well = problems.double_well()
    many = run_many(well, [[0.0, 1e-160], [0.0, 0.0]], 0.1, max_iter=10, tol=0.0)
    assert many.n_iter.tolist() == [10, 0]
    assert many.status.tolist() == ["max_iter", "converged"]


def test_inputs_of_any_kind_give_the_same_runs():
    wanted = run_many(WELL, [[1.0, 2.0], [0.0, -1.0]], 0.1)
    whole = np.array([[1, 2], [0, -1]])
    read_only = whole.astype(float)
    read_only.setflags(write=False)
    for starts in (
        whole,
        whole.tolist(),
        whole.astype(np.float32),
        np.asfortranarray(whole, dtype=float),
        np.repeat(whole, 2, axis=0)[::2],
        read_only,
    ):
        assert_same(wanted, run_many(WELL, starts, 0.1))


def test_starts_are_not_changed():
    starts = uniform_starts(10, -1, 1)
    before = starts.copy()
    run_many(WELL, starts)
    np.testing.assert_array_equal(starts, before)


def test_basins_label_every_way_to_end():
    found = basins(
        problems.double_well(),
        [[0.3, 1.2], [0.3, -0.2], [0.3, 0.0], [9.0, 9.0], [0.3, 0.5]],
        learning_rate=0.1,
        max_iter=400,
    )
    assert found.labels.tolist() == [1, 2, 0, -1, 1]
    assert found.counts == {-1: 1, 0: 1, 1: 2, 2: 1}
    hasty = basins(problems.double_well(), [[0.3, 0.5]], max_iter=3)
    assert hasty.labels.tolist() == [-2]
    assert hasty.counts == {-2: 1}


def test_basins_of_another_method():
    starts = uniform_starts(200, -2, 2)
    found = basins(WELL, starts, method="perturbed_gradient_descent", tol=1e-6, seed=3)
    ends = run_many(
        WELL, starts, method="perturbed_gradient_descent", tol=1e-6, max_iter=10_000, seed=3
    )
    np.testing.assert_array_equal(found.n_iter, ends.n_iter)
    sides = np.array([point.x @ [-np.sin(0.3), np.cos(0.3)] for point in WELL.critical_points])
    np.testing.assert_allclose(sides[found.labels], ends.x @ [-np.sin(0.3), np.cos(0.3)], atol=1e-3)


def test_basins_need_the_end_to_be_near_a_listed_point():
    elsewhere = basins(EGGS, [[3 * np.pi + 0.1, np.pi + 0.1]], 0.9)
    assert elsewhere.labels.tolist() == [-2]
    generous = basins(EGGS, [[3 * np.pi + 0.1, np.pi + 0.1]], 0.9, distance=7.0)
    assert EGGS.critical_points[generous.labels[0]].kind == "minimizer"


def test_basins_need_critical_points():
    unknown = problems.custom(WELL.value_kernel, WELL.gradient_kernel, 2, parameters=[1.0, 0.0])
    with pytest.raises(ValueError, match="problem must list critical points"):
        basins(unknown, [[0.0, 0.0]])


def test_uniform_starts_fill_the_box():
    starts = uniform_starts(20_000, [-1, 2], [3, 2.5], seed=4)
    assert starts.shape == (20_000, 2)
    assert (starts.min(axis=0) >= [-1, 2]).all() and (starts.max(axis=0) <= [3, 2.5]).all()
    for column, middle in ((0, 1.0), (1, 2.25)):
        below = proportion_interval(int((starts[:, column] < middle).sum()), 20_000, 0.9999)
        assert below.low < 0.5 < below.high
    np.testing.assert_array_equal(starts, uniform_starts(20_000, [-1, 2], [3, 2.5], seed=4))
    np.testing.assert_array_equal(starts[:50], uniform_starts(50, [-1, 2], [3, 2.5], seed=4))
    assert not np.array_equal(starts, uniform_starts(20_000, [-1, 2], [3, 2.5], seed=5))
    assert uniform_starts(3, 0, 1, dimension=5).shape == (3, 5)
    assert uniform_starts(3, 0, [1, 2, 3]).shape == uniform_starts(3, [0, 0, 0], 1).shape == (3, 3)
    assert uniform_starts(3, 0, 1).shape == (3, 2)


def test_grid_starts_are_cell_centers():
    grid = grid_starts((0, 4), (-1, 1), (2, 4))
    assert grid.shape == (8, 2)
    np.testing.assert_allclose(grid[:4, 0], [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_allclose(grid[::4, 1], [-0.5, 0.5])
    np.testing.assert_allclose(grid.reshape(2, 4, 2)[1, :, 1], 0.5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: uniform_starts(0, 0, 1), ValueError, "n must be a whole number at least 1"),
        (lambda: uniform_starts(2.5, 0, 1), TypeError, "n must be a whole number"),
        (lambda: uniform_starts(2, 1, 1), ValueError, "low must be below high"),
        (lambda: uniform_starts(2, [0, 2], 1), ValueError, "low must be below high"),
        (lambda: uniform_starts(2, [0, 0], [1, 1, 1]), ValueError, "low must have shape"),
        (lambda: uniform_starts(2, [0, 0, 0], 1, 2), ValueError, "low must have shape"),
        (lambda: uniform_starts(2, 0, [1, 1, 1], 2), ValueError, "high must have shape"),
        (lambda: uniform_starts(2, [], 1), ValueError, "dimension must be"),
        (lambda: uniform_starts(2, 0, np.inf), ValueError, "high must be finite"),
        (lambda: uniform_starts(2, "a", 1), TypeError, "low must be an array of real"),
        (lambda: uniform_starts(2, 0, 1, dimension=0), ValueError, "dimension must be"),
        (lambda: uniform_starts(2, 0, 1, seed=-1), ValueError, "seed must be"),
        (lambda: uniform_starts(2, 0, 1, seed=None), TypeError, "seed must be"),
        (lambda: grid_starts((0, 1), (0, 1), (0, 3)), ValueError, "shape must"),
        (lambda: grid_starts((0, 1), (0, 1), (2,)), ValueError, "shape must"),
        (lambda: grid_starts((0, 1), (0, 1), 4), (TypeError, ValueError), "shape must"),
        (lambda: grid_starts((0, 1), (0, 1), (2.0, 2)), TypeError, "shape must"),
        (lambda: grid_starts(3, (0, 1), (2, 2)), (TypeError, ValueError), "x_range must"),
        (lambda: grid_starts((0, 1), (0, np.nan), (2, 2)), ValueError, "y_range must"),
        (lambda: grid_starts((1, 0), (0, 1), (2, 2)), ValueError, "x_range"),
    ],
)
def test_arguments_of_starts_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("ensemble", [run_many, basins, escape_times])
@pytest.mark.parametrize(
    ("problem", "starts", "changes", "error", "message"),
    [
        (len, [[0, 0]], {}, TypeError, "problem must be a Problem"),
        (WELL, [0.0, 0.0], {}, ValueError, r"starts must have shape \(n, 2\)"),
        (WELL, [[0.0]], {}, ValueError, r"starts must have shape \(n, 2\)"),
        (WELL, np.empty((0, 2)), {}, ValueError, "starts must hold at least one start"),
        (WELL, [[0.0, np.nan]], {}, ValueError, r"starts must be finite; entry \(0, 1\)"),
        (WELL, [["a", "b"]], {}, TypeError, "starts must be an array of real numbers"),
        (WELL, [[0, 0]], {"learning_rate": -1}, ValueError, "learning_rate must be"),
        (WELL, [[0, 0]], {"learning_rate": [1]}, TypeError, "learning_rate must be"),
        (WELL, [[0, 0]], {"max_iter": -1}, ValueError, "max_iter must be"),
        (WELL, [[0, 0]], {"max_iter": 1.5}, TypeError, "max_iter must be"),
        (WELL, [[0, 0]], {"executor": 3}, TypeError, "executor must"),
    ],
)
def test_arguments_of_ensembles_are_named(ensemble, problem, starts, changes, error, message):
    with pytest.raises(error, match=message):
        ensemble(problem, starts, **changes)


@pytest.mark.parametrize("ensemble", [run_many, basins])
def test_tolerance_and_radius_are_named(ensemble):
    with pytest.raises(ValueError, match="tol must be a finite number at least 0"):
        ensemble(WELL, [[0, 0]], tol=-1)
    with pytest.raises(ValueError, match="divergence_radius must be a finite number above 0"):
        ensemble(WELL, [[0, 0]], divergence_radius=0)
    with pytest.raises(ValueError, match="distance must be a finite number above 0"):
        basins(WELL, [[0, 0]], distance=0)
