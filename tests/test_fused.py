"""Kernels made for speed: the same formulas, rounded differently, and NaN beyond their range."""

import threading

import numpy as np
import pytest

from lib import problems
from lib._jit import FAR, JIT, cos, fused, kernel, sin, stamp
from lib.ensembles import run_many, uniform_starts
from lib.ensembles._descend import descend

needs_compiler = pytest.mark.skipif(not JIT, reason="without the compiler nothing is fused")


@kernel
def waves(x, out):
    for i in range(x.size):
        out[2 * i] = sin(x[i])
        out[2 * i + 1] = cos(x[i])


@kernel
def cube(x):
    return x * x * x - x


@kernel
def calls_cube(x):
    return cube(x) + x


def both(x):
    out = np.empty(2 * x.size)
    fused(waves)(x, out)
    return out[::2], out[1::2]


@needs_compiler
@pytest.mark.parametrize("size", [1e-300, 1e-3, 1.0, 10.0, 1e3, FAR])
def test_sines_are_good_to_three_units_in_the_last_place(size):
    x = np.random.default_rng(3).uniform(-size, size, 50_000)
    for found, function in zip(both(x), (np.sin, np.cos), strict=True):
        exact = function(x.astype(np.longdouble))
        error = abs(found - exact) / np.spacing(abs(exact).astype(float))
        assert error.max() < 3.0


@needs_compiler
def test_sines_at_special_points():
    sines, cosines = both(np.array([0.0, np.pi / 2, np.pi, -np.pi / 2, 1e4 * np.pi]))
    np.testing.assert_allclose(sines, [0, 1, np.sin(np.pi), -1, np.sin(1e4 * np.pi)], rtol=1e-9)
    np.testing.assert_allclose(cosines[[0, 2, 4]], [1, -1, 1], rtol=1e-15)
    beyond = np.array([np.nextafter(FAR, np.inf), -1e300, np.inf, np.nan])
    assert np.isnan(both(beyond)).all()


@needs_compiler
def test_callees_are_fused_too():
    x = np.random.default_rng(1).uniform(-2, 2, 1000)
    exact = [calls_cube(t) for t in x]
    fast = [fused(calls_cube)(t) for t in x]
    assert exact != fast
    np.testing.assert_allclose(fast, exact, rtol=1e-14, atol=1e-15)
    assert fused(calls_cube) is fused(calls_cube)


@needs_compiler
def test_names_in_the_cache_tell_how_a_kernel_was_compiled():
    gradient = problems.double_well().gradient_kernel
    kernels = [stamp(descend, gradient=gradient), stamp(descend, fuse=True, gradient=gradient)]
    assert len({made.py_func.__qualname__ for made in kernels}) == 2


@needs_compiler
def test_threads_that_ask_at_once_get_one_kernel():
    @kernel
    def own(x):
        return x * x - x

    found = []
    ready = threading.Barrier(8)

    def ask():
        ready.wait()
        found.append(fused(own))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1 and found[0] is not own


def test_plain_python_stays_as_it_is():
    assert fused(len) is len


CASES = [
    (problems.double_well(), 0.3),
    (problems.double_well(0.4), 0.3),
    (problems.himmelblau(), 0.01),
    (problems.egg_carton(), 0.5),
    (problems.rosenbrock(5), 1e-3),
]


@pytest.mark.parametrize(("problem", "rate"), CASES, ids=[case[0].name for case in CASES])
@pytest.mark.parametrize("every", [2, 7, 40, 1000])
def test_rare_looks_lead_to_the_same_points(problem, rate, every):
    starts = uniform_starts(100, -1.5, 1.5, dimension=problem.dimension, seed=4)
    exact = run_many(problem, starts, rate, max_iter=40, tol=0.0)
    fast = run_many(problem, starts, rate, max_iter=40, tol=0.0, check_every=every)
    np.testing.assert_allclose(fast.x, exact.x, rtol=1e-9, atol=1e-9)
    going_on = (fast.status == "max_iter") & (exact.status == "max_iter")
    assert going_on.mean() > 0.7 and set(fast.counts) <= {"max_iter", "converged"}
    assert (fast.evaluations[going_on] == exact.evaluations[going_on]).all()


def test_a_run_stops_at_the_first_look_after_it_could():
    problem = problems.quadratic_saddle([1.0, 2.0])
    starts = uniform_starts(70, -2, 2, seed=1)
    exact = run_many(problem, starts, 0.3, tol=1e-6)
    fast = run_many(problem, starts, 0.3, tol=1e-6, check_every=8)
    assert set(fast.status) == {"converged"}
    np.testing.assert_array_equal(fast.n_iter, -(-exact.n_iter // 8) * 8)
    assert abs(fast.x).max() < 1e-6


def test_a_diverged_run_is_where_it_was_at_the_look_before():
    problem = problems.double_well()
    runs = run_many(problem, [[0.1, 0.2], [0.0, 9.0]], 0.2, max_iter=10, tol=0.0, check_every=4)
    assert runs.status.tolist() == ["max_iter", "diverged"]
    assert runs.n_iter.tolist() == [10, 0]
    assert runs.x[1].tolist() == [0.0, 9.0]
    assert runs.evaluations[:, 1].tolist() == [11, 4]


def test_beyond_the_range_of_the_sines_the_exact_kernel_runs():
    problem = problems.egg_carton()
    starts = [[3e5, 1.0], [0.5, 0.5]]
    exact = run_many(problem, starts, 0.5, max_iter=30, tol=0.0)
    fast = run_many(problem, starts, 0.5, max_iter=30, tol=0.0, check_every=30)
    assert fast.status.tolist() == ["max_iter", "max_iter"]
    assert fast.x[0].tolist() == exact.x[0].tolist()
    np.testing.assert_allclose(fast.x[1], exact.x[1], atol=1e-12)


def test_check_every_needs_a_kernel_of_its_own():
    problem = problems.double_well()
    with pytest.raises(ValueError, match="check_every must be 1 for method 'adam': .*; got 2"):
        run_many(problem, [[0.1, 0.2]], method="adam", check_every=2)
    with pytest.raises(ValueError, match="check_every must be a whole number at least 1"):
        run_many(problem, [[0.1, 0.2]], check_every=0)
