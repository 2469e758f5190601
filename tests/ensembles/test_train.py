"""Networks trained side by side: as alone, up to rounding, and whoever the neighbors are."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lib import problems
from lib._jit import ACTIVATED, JIT, LANES, MASKED, PLAIN_SUM, kernel, lane_products
from lib.ensembles import frozen_parameters, run_many, runs
from lib.optimizers import Schedule

METHODS = (
    ("sgd", {}),
    ("momentum_sgd", {}),
    ("nesterov_sgd", {"convention": "paper"}),
    ("adagrad", {}),
    ("rmsprop", {"centered": True, "momentum": 0.5}),
    ("adam", {}),
    ("amsgrad", {}),
    ("adamax", {}),
    ("nadam", {}),
)
SHAPES = (
    ((1, 3, 1), 0.0),
    ((2, 5, 7, 3), 0.1),
    ((3, 2), 0.0),
    ((1, 4, 4, 4, 4, 1), 1.0),
    ((4, 11, 1, 6, 2), 0.01),
)
SAMPLINGS = (
    {"batch_size": 5},
    {"batch_size": 7, "sampling": "without_replacement"},
    {"batch_size": 19},
    {},
)


def network(widths, slope=0.0, n_samples=19):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(n_samples, widths[0])), rng.normal(size=(n_samples, widths[-1]))
    return problems.relu_network(widths, x, y, slope=slope)


def initial(widths, n, seed=1):
    thetas = problems.initialize(widths, n=n, law="he", seed=seed)
    return thetas + 0.1 * np.random.default_rng(seed).normal(size=thetas.shape)


def both(problem, thetas, every=3, **options):
    options = {"learning_rate": 1e-2, "max_iter": 7, "tol": 0.0, "seed": 5} | options
    return run_many(problem, thetas, **options), run_many(
        problem, thetas, check_every=every, **options
    )


def assert_same_up_to_rounding(exact, fast):
    np.testing.assert_allclose(fast.x, exact.x, rtol=1e-9, atol=1e-11)
    assert fast.status.tolist() == exact.status.tolist()
    for name in ("n_iter", "evaluations", "sample_evaluations"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(exact, name))


@pytest.mark.parametrize(("method", "options"), METHODS, ids=[name for name, _ in METHODS])
def test_every_method_does_what_it_does_alone(method, options):
    for (widths, slope), size in zip(SHAPES, (1, 5, 18, 19, 7), strict=True):
        thetas = initial(widths, LANES + 3)
        pair = both(network(widths, slope), thetas, method=method, batch_size=size, **options)
        assert_same_up_to_rounding(*pair)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize(("widths", "slope"), SHAPES)
def test_every_shape_and_sampling(widths, slope, sampling):
    problem, thetas = network(widths, slope, 70), initial(widths, 2)
    size = {"batch_size": 3 * sampling["batch_size"]} if sampling else {}  # several blocks
    decay = {"weight_decay": 0.1, "decoupled_weight_decay": bool(size)}
    schedule = Schedule.cosine(7)
    for every in (2, 100):
        pair = both(problem, thetas, every, method="sgd", schedule=schedule, **decay, **sampling)
        assert_same_up_to_rounding(*pair)
    assert_same_up_to_rounding(*both(problem, thetas, method="sgd", **(sampling | size)))


def test_neighbors_chunks_and_executors_change_nothing(monkeypatch):
    widths = (1, 3, 5, 1)
    problem, thetas = network(widths), initial(widths, 3 * LANES + 5)
    options = {"max_iter": 40, "tol": 0.0, "method": "adam", "batch_size": 4, "check_every": 9}
    whole = run_many(problem, thetas, **options)
    for size in (1, 3, LANES, 10_000):
        monkeypatch.setattr(runs, "RUNS", size)
        with ThreadPoolExecutor(2) as pool:
            for executor in (None, pool):
                x = run_many(problem, thetas, executor=executor, **options).x
                assert x.tobytes() == whole.x.tobytes()
    thetas[1] = 1e9
    others = np.arange(len(thetas)) != 1
    again = run_many(problem, thetas, **options)
    assert again.x[others].tobytes() == whole.x[others].tobytes()
    assert again.status[1] == "diverged"


def test_networks_that_leave_the_region_are_trained_again():
    widths = (1, 4, 1)
    problem, thetas = network(widths), initial(widths, LANES + 2)
    thetas[2] *= 50.0
    thetas[5] = np.full(thetas.shape[1], 1e7)
    for sampling in SAMPLINGS:
        exact, fast = both(
            problem, thetas, method="sgd", learning_rate=0.02, max_iter=60, **sampling
        )
        assert {"diverged", "max_iter"} == set(exact.counts)
        gone = exact.status == "diverged"
        assert fast.x[gone].tobytes() == exact.x[gone].tobytes()
        assert_same_up_to_rounding(exact, fast)
    exact, fast = both(problem, thetas[5:6], method="sgd", learning_rate=1e300, max_iter=60)
    assert fast.counts == exact.counts == {"diverged": 1}


def test_a_tile_that_is_lost_early_counts_for_itself_only():
    problem, thetas = network((1, 4, 1)), initial((1, 4, 1), 2 * LANES)
    thetas[LANES:] *= 1e6
    exact, fast = both(problem, thetas, every=2, method="sgd", batch_size=5, max_iter=40)
    assert set(exact.status[:LANES]) == {"max_iter"} and set(exact.status[LANES:]) == {"diverged"}
    np.testing.assert_array_equal(fast.sample_evaluations, exact.sample_evaluations)


def test_the_tolerance_is_looked_at_before_and_after():
    x = np.linspace(-1.0, 1.0, 9)
    problem = problems.relu_network((1, 2, 1), x, abs(x))
    thetas = np.array(
        [[1.0, -1, 0, 0, 1, 1, 0], [1.0, -1, 0, 0, 1, 1, 0.01], [1, -1, 0, 0, 2, 1, 1]]
    )
    for sampling in ({}, {"batch_size": 9, "sampling": "without_replacement"}):
        options = {"method": "sgd", "learning_rate": 0.05, "max_iter": 50, "tol": 1e-2}
        exact, fast = both(problem, thetas, **options, **sampling)
        assert fast.status.tolist() == ["converged", "converged", "max_iter"]
        assert fast.n_iter.tolist() == [0, 50, 50]
        assert_same_up_to_rounding(exact, fast)
    exact, fast = both(problem, thetas, method="sgd", max_iter=0)
    assert_same_up_to_rounding(exact, fast)


@pytest.mark.parametrize(("method", "options"), METHODS, ids=[name for name, _ in METHODS])
def test_dead_neurons_do_not_move(method, options):
    widths = (1, 3, 3, 1)
    problem, thetas = network(widths), problems.initialize(widths, n=60, law="he", seed=2)
    still = frozen_parameters(problem, thetas)
    options = {"max_iter": 60, "tol": 0.0, "batch_size": 4, "check_every": 7} | options
    moved = run_many(problem, thetas, 0.01, method=method, **options).x - thetas
    assert still.any(axis=1).sum() > 10
    assert (moved[still] == 0.0).all()
    assert (moved[~still] != 0.0).mean() > 0.7


def test_large_networks_are_trained_one_by_one(monkeypatch):
    monkeypatch.setattr(runs, "MOST", 9)
    exact, fast = both(network((1, 3, 1)), initial((1, 3, 1), 3), method="adam", batch_size=4)
    assert fast.x.tobytes() == exact.x.tobytes()


def test_where_the_rules_must_be_looked_at_in_each_step():
    problem, thetas = network((1, 3, 3, 1)), initial((1, 3, 3, 1), 2)
    x, y = problem.data.inputs, problem.data.targets
    others = [
        problems.relu_network((1, 3, 3, 1), x, y, skip="residual"),
        problems.relu_network((1, 3, 3, 1), x, y, layer_norm=True),
    ]
    for other in others:
        with pytest.raises(ValueError, match="check_every must be 1 for method 'adam': ReLU netw"):
            run_many(other, thetas, method="adam", check_every=2)
    with pytest.raises(ValueError, match="check_every must be 1 .* max_evaluations .*; got 3"):
        run_many(problem, thetas, method="sgd", check_every=3, max_evaluations=5)
    with pytest.raises(ValueError, match="check_every must be 1 for method 'heavy_ball'.*; got 2"):
        run_many(problem, thetas, method="heavy_ball", check_every=2)


@pytest.mark.parametrize("kind", [PLAIN_SUM, ACTIVATED, MASKED])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (7, 6, 3), (4, 9, 0), (2, 3, 11)])
def test_products_of_lanes(kind, sizes):
    rows, columns, steps = sizes
    rng = np.random.default_rng(4)
    a, b, init, mask = (
        rng.normal(size=(*shape, LANES))
        for shape in ((steps, rows), (steps, columns), (rows,), (rows, columns))
    )
    total = init[:, None] + np.einsum("kil,kjl->ijl", a, b)
    chosen = {PLAIN_SUM: np.ones(total.shape), ACTIVATED: total, MASKED: mask}[kind]
    wanted = np.where(chosen > 0.0, total, 0.25 * total)
    to = np.zeros(total.size)
    multiply[kind](
        (to, 0, columns, 1),
        (init.ravel(), 0, 1, 0),
        (a.ravel(), 0, 1, rows),
        (b.ravel(), 0, columns, 1),
        sizes,
        0.25,
        (mask.ravel(), 0, columns, 1),
    )
    np.testing.assert_allclose(to.reshape(total.shape), wanted, rtol=1e-12, atol=1e-14)


def multiplier(kind):
    @kernel
    def call(to, init, a, b, sizes, slope, mask):
        lane_products(kind, to, init, a, b, sizes, slope, mask)

    return call


multiply = {kind: multiplier(kind) for kind in (PLAIN_SUM, ACTIVATED, MASKED)}

PLAIN = """
import sys
import numpy as np
from lib import problems
from lib.ensembles import run_many
problem = problems.relu_network((2, 3, 2, 1), [[0.5, 1], [-1, 2], [0, 0.3]], [1, 2, 0.5], slope=0.1)
thetas = problems.initialize((2, 3, 2, 1), n=9, law="he", seed=1)
options = {"max_iter": 4, "tol": 0.0, "check_every": 3, "batch_size": 2}
for method in ("adam", "nesterov_sgd"):
    for sampling in ("with_replacement", "without_replacement"):
        x = run_many(problem, thetas, 0.01, method=method, sampling=sampling, **options).x
        print(*x.ravel().tolist())
"""


@pytest.mark.skipif(not JIT, reason="both would be without the compiler")
def test_without_the_compiler():
    found = []
    for disabled in ("0", "1"):
        environment = os.environ | {"NUMBA_DISABLE_JIT": disabled}
        done = subprocess.run(
            [sys.executable, "-c", PLAIN], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        found.append(np.array(done.stdout.split(), dtype=float))
    np.testing.assert_allclose(*found, rtol=1e-10, atol=1e-12)
