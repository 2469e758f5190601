"""Whoever runs the chunks: threads, processes, a dask cluster; the same bits, and no loss."""

import inspect
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lib import ensembles, problems
from lib._jit import kernel
from lib.ensembles import _chunks
from lib.ensembles.runs import CHUNK, RUNS, _drive_chunk

ROOT = Path(__file__).resolve().parents[2]
X = np.linspace(-1.0, 1.0, 9)
WIDTHS = (1, 3, 3, 1)
NETWORK = problems.relu_network(WIDTHS, X, np.abs(X))
THETAS = problems.initialize(WIDTHS, n=2 * RUNS + 5)
WELL = problems.double_well(0.3)
STARTS = ensembles.uniform_starts(CHUNK + 77, -2, 2)
ADAM = {"method": "adam", "learning_rate": 0.05, "batch_size": 2, "max_iter": 20, "seed": 3}


def of_ensemble(runs):
    return [runs.x, runs.n_iter, runs.status, runs.evaluations, runs.sample_evaluations]


def of_basins(found):
    return [found.labels, found.n_iter]


# Every function that takes an executor, on several chunks.
CASES = {
    "run_many": lambda e: of_ensemble(
        ensembles.run_many(WELL, STARTS, 0.3, max_iter=30, executor=e)
    ),
    "run_many, adam": lambda e: of_ensemble(
        ensembles.run_many(NETWORK, THETAS, executor=e, **ADAM)
    ),
    "basins": lambda e: of_basins(ensembles.basins(WELL, STARTS, 0.3, max_iter=30, executor=e)),
    "escape_times": lambda e: [
        ensembles.escape_times(WELL, STARTS / 10, 0.3, max_iter=30, executor=e)
    ],
    "orbit_tail": lambda e: [
        ensembles.orbit_tail(WELL, [0.1, 0.4], np.linspace(0.1, 2.0, 150), 40, 3, executor=e)
    ],
    "stable_manifold": lambda e: [
        ensembles.stable_manifold(
            problems.double_well(), [0, 0], np.linspace(-1, 1, 150), executor=e
        ).heights
    ],
    "inactive_neurons": lambda e: ensembles.inactive_neurons(NETWORK, THETAS, executor=e),
    "dead_layers": lambda e: [ensembles.dead_layers(NETWORK, THETAS, strict=True, executor=e)],
    "frozen_parameters": lambda e: [ensembles.frozen_parameters(NETWORK, THETAS, executor=e)],
    "death_probability_cube": lambda e: [
        ensembles.death_probability_cube(2, n=5000, seed=1, executor=e).k
    ],
    "simulate_width_law": lambda e: [ensembles.simulate_width_law(3, n=5000, executor=e).k],
    "simulate_depth_law": lambda e: [
        ensembles.simulate_depth_law(3, 4, X, n=2000, seed=9, executor=e).k
    ],
}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr("lib.ensembles.dead_neurons.NETWORKS", 100)
    monkeypatch.setattr("lib.ensembles.dead_neurons.DRAWN", 6000)


class SubmitOnly:
    """Does the work when the result is asked for, in a random order."""

    def __init__(self):
        self.open = []
        self.most = 0

    def submit(self, work, chunk):
        future = Future()
        self.open.append((future, work, chunk))
        self.most = max(self.most, len(self.open))
        future.result = partial(self.result, future)
        return future

    def result(self, wanted):
        random.Random(4).shuffle(self.open)
        for future, work, chunk in self.open:
            future.set_result(work(chunk))
        self.open.clear()
        return Future.result(wanted)


class MapOnly:
    def map(self, work, chunks):
        return reversed([work(chunk) for chunk in reversed(chunks)])


def two_clusters(processes):
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(processes=processes, **settings) as cluster:
        with distributed.Client(cluster) as client:
            yield client


@pytest.fixture(scope="module")
def client():
    yield from two_clusters(processes=True)


@pytest.fixture(scope="module")
def threads_of_dask():
    yield from two_clusters(processes=False)


@pytest.fixture(scope="module")
def process_pool():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def pool_of(n):
    @pytest.fixture(scope="module", name=f"threads_{n}")
    def pool():
        with ThreadPoolExecutor(n) as threads:
            yield threads

    return pool


threads_1, threads_2, threads_5 = map(pool_of, (1, 2, 5))


@pytest.fixture
def submit_only():
    return SubmitOnly()


@pytest.fixture
def map_only():
    return MapOnly()


@pytest.fixture
def nobody():
    return None


@pytest.fixture(scope="module")
def executor_of_dask(client):
    with client.get_executor() as pool:
        yield pool


@pytest.fixture(scope="module")
def wanted():
    """What each case gives on one thread."""
    found = {}

    def of(name):
        if name not in found:
            with ThreadPoolExecutor(1) as one:
                found[name] = CASES[name](one)
        return found[name]

    return of


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "executor",
    [
        "nobody",
        "threads_2",
        "threads_5",
        "process_pool",
        "submit_only",
        "map_only",
        "client",
        "executor_of_dask",
        "threads_of_dask",
    ],
)
def test_the_executor_does_not_show(case, executor, wanted, request):
    for one, other in zip(
        wanted(case), CASES[case](request.getfixturevalue(executor)), strict=True
    ):
        np.testing.assert_array_equal(one, other, strict=True)


def test_every_function_with_an_executor_is_a_case():
    takes = {
        name
        for name in ensembles.__all__
        if inspect.isfunction(function := getattr(ensembles, name))
        and "executor" in inspect.signature(function).parameters
    }
    assert takes == {name.partition(",")[0] for name in CASES}


def test_the_cases_have_several_chunks(wanted):
    for name, case in CASES.items():
        seen = SubmitOnly()
        case(seen)
        assert seen.most > 1, name


# --- random streams ---------------------------------------------------------------------------


def test_the_first_chunk_of_a_simulation_has_the_seed_itself(monkeypatch):
    """So that whoever stays below a chunk finds the numbers of `initialize`."""
    monkeypatch.setattr("lib.ensembles.dead_neurons.DRAWN", 60_000)
    theta = problems.initialize((1, 3), n=10_000, seed=7)
    peaks = np.maximum(-theta[:, :3], theta[:, :3]) + theta[:, 3:]
    first = ensembles.simulate_width_law(3, n=10_000, seed=7)
    assert first.k == (peaks <= 0).any(axis=1).sum()


def test_the_chunks_of_a_simulation_are_independent_of_each_other():
    seeds = [_chunks._seed(seed, number) for seed in (0, 1, 2**40) for number in range(200)]
    assert len(set(seeds)) == len(seeds)
    assert _chunks._seed(5, 0) == 5 and 0 <= _chunks._seed(5, 1) < 2**128
    counts = []
    chunks = ((1000, _chunks._seed(3, number)) for number in range(300))
    work = partial(count_low, p=0.25)
    _chunks.each_chunk(work, chunks, None, counts.append)
    # 300 independent counts with variance 187.5: their mean square lies within 25 % of it (3 sd).
    assert abs(np.var(counts) / 187.5 - 1) < 0.25
    assert abs(np.corrcoef(counts[:-1], counts[1:])[0, 1]) < 0.2


def count_low(chunk, p):
    n, seed = chunk
    return int((np.random.default_rng(seed).random(n) < p).sum())


def test_a_simulation_longer_than_a_chunk_keeps_to_the_law():
    share = ensembles.simulate_width_law(3, n=200_000)
    share = ensembles.proportion_interval(share.k, share.n, 0.9999)
    assert share.low < ensembles.width_law(3, 0.25) < share.high
    share = ensembles.simulate_depth_law(3, 10, n=100_000)
    share = ensembles.proportion_interval(share.k, share.n, 0.9999)
    assert share.low < ensembles.depth_law(3, 10) < share.high


# --- the window -------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", [SubmitOnly(), MapOnly()], ids=["submit", "map"])
def test_chunks_are_made_when_their_turn_comes(executor, monkeypatch):
    monkeypatch.setattr(_chunks, "IN_FLIGHT", 4)
    made, taken, ahead = [], [], []

    def chunks():
        for i in range(23):
            made.append(i)
            ahead.append(len(made) - len(taken))
            yield i

    _chunks.each_chunk(str, chunks(), executor, taken.append)
    assert taken == [str(i) for i in range(23)]
    assert 4 <= max(ahead) <= 5


def test_one_chunk_needs_no_thread(monkeypatch):
    monkeypatch.setattr(_chunks, "ThreadPoolExecutor", None)
    ensembles.run_many(WELL, STARTS[:9])


# --- what goes wrong --------------------------------------------------------------------------


@kernel
def steep(x):
    if x[0] > 3.0:
        raise ValueError("too far out")
    return (x[0],)


@kernel
def half_square(x):
    return 0.5 * x[0] * x[0]


STEEP = problems.custom(half_square, steep, 1)


@pytest.mark.parametrize("executor", ["nobody", "process_pool", "client", "map_only"])
def test_a_failing_chunk_is_not_lost(executor, request):
    starts = np.full((3 * CHUNK, 1), 0.5)
    starts[-CHUNK - 1] = 4.0
    with pytest.raises(ValueError, match="too far out") as caught:
        ensembles.escape_times(
            STEEP, starts, max_iter=2, radius=9, executor=request.getfixturevalue(executor)
        )
    if executor != "map_only":
        assert any("chunk 1" in note for note in caught.value.__notes__)


def test_chunks_that_have_not_begun_are_cancelled():
    before, begun, gate = threading.active_count(), [], threading.Event()

    def work(i):
        begun.append(i)
        if i == 0:
            raise ValueError("first")
        gate.wait(20)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 0.05)
        with pytest.raises(ValueError, match="first"):
            _chunks.each_chunk(work, range(500), pool, print)
        gate.set()
    assert len(begun) <= 3
    begun.clear()
    with pytest.raises(ValueError, match="first"):
        _chunks.each_chunk(work, range(500), None, print)
    assert len(begun) < 500
    for _ in range(100):
        if threading.active_count() == before:
            break
        time.sleep(0.05)
    assert threading.active_count() == before


@pytest.mark.parametrize("results", [[], [1], [1, 2, 3, 4]])
def test_as_many_results_as_chunks(results):
    class Careless:
        def map(self, work, chunks):
            return results

    with pytest.raises(RuntimeError, match="executor must return one result for each chunk; it go"):
        _chunks.each_chunk(str, [1, 2, 3], Careless(), print)


def test_an_executor_has_submit_or_map():
    with pytest.raises(TypeError, match="executor must have a submit or a map method.*got int"):
        ensembles.simulate_width_law(3, executor=3)


@pytest.mark.parametrize("executor", ["process_pool", "client"])
def test_what_cannot_be_sent_is_said(executor, request):
    locked = problems.custom(half_square, steep, 1, data=threading.Lock())
    with pytest.raises(TypeError) as caught:
        ensembles.run_many(locked, [[0.1]], executor=request.getfixturevalue(executor))
    told = "".join(traceback.format_exception(caught.value))  # dask puts it behind its own error
    assert "problem must be made of functions that can be pickled" in told


def test_a_killed_process_is_an_error():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        with pytest.raises(BrokenProcessPool):
            _chunks.each_chunk(os._exit, [1, 2, 3], pool, print)  # dies of its first chunk
        with pytest.raises(BrokenProcessPool):
            ensembles.run_many(NETWORK, THETAS, executor=pool, **ADAM)


def test_a_killed_worker_of_dask_changes_nothing(client, wanted):
    """Dask gives its chunks to another worker."""
    victim = next(iter(client.run(os.getpid).values()))
    killed = []

    class Dangerous:
        def submit(self, work, chunk):
            future = client.submit(work, chunk, pure=False)
            if len(killed) < 3:
                killed.append(chunk)
                if len(killed) == 3:
                    os.kill(victim, signal.SIGKILL)
            return future

    for one, other in zip(
        wanted("run_many, adam"), CASES["run_many, adam"](Dangerous()), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    client.wait_for_workers(2, timeout=60)
    assert victim not in client.run(os.getpid).values()


# --- what is sent -----------------------------------------------------------------------------


def sent(problem):
    return _chunks.Packed(partial(_drive_chunk, problem, "adam", {}, 1, None, 0.0, 1.0))


def test_a_problem_of_the_library_goes_by_name():
    first, second = (pickle.dumps(sent(NETWORK)) for _ in range(2))
    assert first == second and len(first) < 5000
    arrived = pickle.loads(first)
    assert pickle.loads(second) is arrived
    problem = arrived.work.args[0]
    assert problem.gradient_kernel is NETWORK.gradient_kernel
    np.testing.assert_array_equal(problem.parameters, NETWORK.parameters)


def test_work_is_pickled_once(monkeypatch):
    work, calls = sent(NETWORK), []
    monkeypatch.setattr(problems.Problem, "__getstate__", lambda p: calls.append(1) or vars(p))
    for _ in range(5):
        pickle.dumps(work)
    assert len(calls) == 1


NOTEBOOK = """
import sys
sys.modules["cloudpickle"] = None
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import numpy as np
from lib import ensembles, problems
from lib._jit import kernel
scale = 2.0
@kernel
def value(x):
    return scale * x[0] ** 2
@kernel
def gradient(x):
    return (2.0 * scale * x[0],)
mine = problems.custom(value, gradient, 1)
starts = ensembles.uniform_starts(40, -1, 1, 1)
here = ensembles.escape_times(mine, starts, max_iter=5, radius=0.5)
with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
    there = ensembles.escape_times(mine, starts, max_iter=5, radius=0.5, executor=pool)
print(np.array_equal(here, there))
"""


def test_functions_of_a_notebook_go_with_their_code():
    """Also where cloudpickle is not installed; the tests above have it."""
    assert run(NOTEBOOK) == "True"


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
from lib import ensembles, problems
x = np.linspace(-1, 1, 9)
network = problems.relu_network((1, 3, 3, 1), x, abs(x))
thetas = problems.initialize((1, 3, 3, 1), n=256)
options = {"method": "adam", "learning_rate": 0.01, "max_iter": 500}
ensembles.run_many(network, thetas[:2], **options)
start = time.monotonic()
ensembles.run_many(network, thetas, **options)
chunk = time.monotonic() - start
threading.Timer(chunk, os.kill, [os.getpid(), signal.SIGINT]).start()
start = time.monotonic()
try:
    ensembles.run_many(network, np.tile(thetas, (400, 1)), **options)
except KeyboardInterrupt:
    print("stopped after", (time.monotonic() - start) / chunk)
"""


def test_control_c_ends_the_run():
    """At once, though hundreds of chunks wait; the process ends with the chunks then running."""
    start = time.monotonic()
    words = run(INTERRUPTED).split()
    assert words[:2] == ["stopped", "after"]
    assert float(words[2]) < 20
    assert time.monotonic() - start < 60


def run(code):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
