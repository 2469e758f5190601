"""Where gradient descent ends: what the theorem and our derivations predict, measured."""

import math

import numpy as np
import pytest

from lib import problems
from lib.ensembles import basins, proportion_interval, run_many, uniform_starts

WELL = problems.double_well()
N = 20_000


def assert_probability(k, n, predicted):
    """Ask for agreement within an interval that fails once in ten thousand."""
    interval = proportion_interval(int(k), n, 0.9999)
    assert interval.low <= predicted <= interval.high


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.5])
def test_random_starts_end_at_minimizers(rate):
    counts = basins(WELL, uniform_starts(N, -2, 2), rate).counts
    assert set(counts) == {1, 2}
    assert_probability(counts[1], N, 0.5)


def test_globally_smooth_function_follows_the_theorem_word_for_word():
    runs = run_many(problems.egg_carton(), uniform_starts(N, -50, 50), 0.9)
    assert (runs.status == "converged").all()
    np.testing.assert_allclose(np.cos(runs.x), -1, atol=1e-12)


@pytest.mark.parametrize(
    ("rate", "box", "diverging"),
    [
        (0.95, 1.2, 0.0),
        (0.95, 2.0, 1 - math.sqrt(2.95 / 0.95) / 2),
        (0.9, 2.0, 1 - math.sqrt(2.9 / 0.9) / 2),
        (0.1, 6.0, 1 - math.sqrt(21) / 6),
    ],
)
def test_minimizers_attract_below_one(rate, box, diverging):
    counts = basins(WELL, uniform_starts(N, -box, box, seed=1), rate).counts
    assert set(counts) <= {-1, 1, 2}
    assert_probability(counts.get(-1, 0), N, diverging)


def test_share_at_point_95_is_881_in_a_thousand():
    labels = basins(WELL, uniform_starts(N, -2, 2, seed=2), 0.95).labels
    assert_probability((labels > 0).sum(), N, 0.881)


@pytest.mark.parametrize("rate", [1.05, 1.2, 1.5])
def test_minimizers_repel_beyond_one(rate):
    counts = basins(WELL, uniform_starts(2000, -1.2, 1.2), rate, max_iter=3000).counts
    assert counts == {-2: 2000}


def test_at_one_the_approach_is_slow():
    k = 100_000
    end = run_many(WELL, [[0.3, 0.4], [0.1, -1.1]], 1.0, max_iter=k, tol=0.0)
    distance = np.abs(np.abs(end.x[:, 1]) - 1)
    np.testing.assert_allclose(distance * math.sqrt(16 * k), 1, atol=0.02)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_divergence_threshold(rate):
    edge = math.sqrt((2 + rate) / rate)
    starts = [[0.3, 0.999 * edge], [0.3, 1.001 * edge], [0.3, -0.999 * edge], [0.3, -1.001 * edge]]
    labels = basins(WELL, starts, rate).labels
    assert (labels[[0, 2]] > 0).all()
    assert (labels[[1, 3]] == -1).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_further_preimages_of_the_saddle(sign):
    height = sign * math.sqrt((1 + 0.5) / 0.5)
    ends = run_many(WELL, [[0.0, height], [0.0, sign * 2.1477635]], 0.5, max_iter=3, tol=1e-5)
    assert np.abs(ends.x[:, 1]).max() < 1e-5


def test_half_of_all_starts_reach_the_saddle_at_rate_one():
    counts = basins(problems.step_size_counterexample(), uniform_starts(N, -8, 8), 1.0).counts
    assert set(counts) == {0, 1, 2}
    assert_probability(counts[0], N, 0.5)


@pytest.mark.parametrize("rate", [0.6, 0.66, 0.7, 0.9, 0.999])
def test_none_reaches_the_saddle_at_other_rates(rate):
    counts = basins(problems.step_size_counterexample(), uniform_starts(N, -8, 8), rate).counts
    assert set(counts) == {1, 2}


def test_half_of_all_starts_approach_the_degenerate_saddle():
    starts = uniform_starts(4000, -1, 1)
    runs = run_many(problems.degenerate_saddle(), starts, 0.1, max_iter=5000)
    stays = runs.status != "diverged"
    assert_probability(stays.sum(), 4000, 0.5)
    assert np.abs(runs.x[stays]).max() < 1e-2


@pytest.mark.parametrize(("k", "mean"), [(1000, 0.9515), (10_000, 0.9931), (100_000, 0.9992)])
def test_approach_to_the_degenerate_saddle_is_like_one_over_k(k, mean):
    starts = np.column_stack([np.zeros(160), (np.arange(160) + 0.5) / 160])
    ends = run_many(problems.degenerate_saddle(), starts, 0.1, max_iter=k, tol=0.0).x[:, 1]
    assert (0.1 * k * ends).mean() == pytest.approx(mean, abs=4e-3)


def test_stable_set_of_the_degenerate_saddle_ends_at_one_over_the_rate():
    starts = [[0.0, 10.0], [0.0, 10.1], [0.0, 9.9], [0.0, -1e-3]]
    runs = run_many(problems.degenerate_saddle(), starts, 0.1, max_iter=50_000)
    assert runs.status.tolist() == ["converged", "diverged", "max_iter", "diverged"]
    assert runs.x[0].tolist() == [0.0, 0.0]
    assert 0 < runs.x[2, 1] < 1e-3


def test_monkey_saddle_attracts_nobody():
    runs = run_many(problems.monkey_saddle(), uniform_starts(N, -1, 1), 0.1, max_iter=20_000)
    assert (runs.status == "diverged").all()


def test_stable_segments_of_the_monkey_saddle():
    rate = 0.1
    ray = np.array([1.0, 0.0])
    runs = run_many(
        problems.monkey_saddle(),
        [0.999 / (3 * rate) * ray, 1.001 / (3 * rate) * ray],
        rate,
        max_iter=20_000,
        tol=1e-6,
    )
    assert runs.status.tolist() == ["converged", "diverged"]
