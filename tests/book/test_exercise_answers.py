"""The numbers in the folded solutions, computed anew; each test names the exercise's label."""

import math

import numpy as np
import pytest

from lib import ensembles, optimizers, problems


def well_step(y, alpha):
    return (1 + alpha) * y - alpha * y**3


def test_ex_primer_plateau():
    counts = []
    for y in (1e-4, 1e-10):
        run = optimizers.gradient_descent(
            problems.double_well(), [1.6, y], 0.1, max_iter=400, tol=0
        )
        counts.append(int(np.argmax(run.values <= -0.2)))
    assert counts[1] - counts[0] == 145 == round(6 * math.log(10) / math.log(1.1))


def test_ex_primer_border():
    assert well_step(21**0.5, 0.1) == pytest.approx(-(21**0.5))
    assert 21**0.5 == pytest.approx(4.5826, abs=5e-5)


def test_ex_saddles_preimages():
    once, twice = 3**0.5, 2.1477635
    assert well_step(once, 0.5) == pytest.approx(0, abs=1e-12)
    assert abs(well_step(twice, 0.5)) == pytest.approx(once, abs=1e-6)
    assert well_step(well_step(twice, 0.5), 0.5) == pytest.approx(0, abs=1e-6)


def test_ex_saddles_runs():
    assert math.log(0.05) / math.log(1 - 1e-4) == pytest.approx(29955.8, abs=0.05)
    assert ensembles.proportion_interval(0, 29_956).high <= 1e-4
    assert ensembles.proportion_interval(0, 29_955).high > 1e-4
    assert ensembles.proportion_interval(0, 300).high == pytest.approx(0.0099, abs=1e-4)


def test_ex_another_bend():
    mu, beta, alpha = 2, 0.5, 0.3
    a = beta / (1 + 2 * mu - alpha * mu**2)
    assert a == pytest.approx(0.131579, abs=1e-6)
    assert (1 + alpha) * a - alpha * beta == pytest.approx(a * (1 - alpha * mu) ** 2)


def test_ex_tolerance():
    problem = problems.step_size_counterexample()
    starts = ensembles.uniform_starts(1_000_000, -8, 8, seed=0)
    share = {}
    for tol in (1e-2, 1e-10):
        runs = ensembles.run_many(problem, starts, 0.999, tol=tol)
        stopped = (runs.status == "converged") & (np.linalg.norm(runs.x, axis=1) < 0.1)
        share[tol] = stopped.mean()
    assert share[1e-2] == pytest.approx(0.505, abs=2e-3)
    assert share[1e-10] == 0


def test_ex_halves():
    times = []
    for angle in np.linspace(0.05, 1.5, 59):
        c, s = math.cos(angle), math.sin(angle)
        well, start = problems.double_well(angle), [[0.7 * c, 0.7 * s]]
        times.append(ensembles.escape_times(well, start, 0.5, direction=[-s, c])[0])
    short, long = [t for t in times if t < 1000], [t for t in times if t >= 1000]
    assert len(short) > 10 and np.median(short) == pytest.approx(95, abs=5)
    assert len(long) > 10 and np.median(long) == pytest.approx(2860, abs=30)
    assert (math.log(0.5) - math.log(5e-324)) / math.log(1.5) == pytest.approx(1834, abs=1)


def test_ex_slow_minimum():
    y, alpha, steps = 0.9, 0.1, 100_000
    for _ in range(steps):
        y -= alpha * y**3
    assert y * math.sqrt(2 * alpha * steps) == pytest.approx(0.99993, abs=2e-5)


def test_ex_escape_tail():
    q = 1.1
    assert 5 * q**-60 == pytest.approx(0.0164, abs=5e-5)
    for ratio, m, mean in ((5, 17, 27.88), (50, 42, 52.04)):
        assert m == math.ceil(math.log(ratio) / math.log(q))
        assert m + ratio * q**-m / (1 - 1 / q) == pytest.approx(mean, abs=5e-3)


def test_ex_escape_well():
    b, mean = 0.5, 0.0
    for _ in range(2000):
        mean += min(1.0, b / 0.1)
        c = b
        for _ in range(60):
            c = (b + 0.1 * c**3) / 1.1
        b = c
    assert mean == pytest.approx(29.17, abs=5e-5)


def test_ex_escape_failure():
    ladder = problems.saddle_ladder(5)
    starts = ensembles.uniform_starts(100_000, -0.25, 0.25, dimension=5, seed=0)
    runs = ensembles.run_many(
        ladder, starts, 0.2, max_iter=3000, method="perturbed_gradient_descent"
    )
    lost = ~(np.abs(np.abs(runs.x) - 1) < 0.05).all(axis=1)
    assert lost.sum() == 21
    assert set(runs.status[lost]) == {"converged"}
    interval = ensembles.proportion_interval(21, 100_000)
    assert interval.low == pytest.approx(1.3e-4, abs=5e-6)
    assert interval.high == pytest.approx(3.2e-4, abs=5e-6)
