"""Random streams: known generator, uniform, independent, the same compiled and as plain Python."""

import numpy as np
import pytest
from scipy import stats

from lib import _random as random
from lib._jit import python_function

MASK = 0xFFFFFFFF


def reference(state, n):
    """Return n outputs of sfc32, with Python's unbounded whole numbers."""
    a, b, c, counter = state
    out = []
    for _ in range(n):
        t = (a + b + counter) & MASK
        counter = (counter + 1) & MASK
        a = b ^ (b >> 9)
        b = (c + (c << 3)) & MASK
        c = ((c << 21 | c >> 11) + t) & MASK
        out.append(t)
    return out


def test_bits_are_those_of_the_generator():
    state = random.stream(3, number=2**40 + 5)
    expected = reference(state.tolist(), 1000)
    assert [random.bits(state) for _ in range(1000)] == expected


def test_plain_python_gives_the_same_stream():
    ours, plain = random.stream(11), random.stream(11)
    compiled = np.empty(7)
    random.normals(ours, compiled)
    by_hand = np.empty(7)
    python_function(random.normals)(plain, by_hand)
    np.testing.assert_array_equal(compiled, by_hand)
    np.testing.assert_array_equal(ours, plain)


def test_streams_differ():
    starts = {tuple(random.stream(seed, number)) for seed in range(30) for number in range(300)}
    assert len(starts) == 9000


def test_uniform_numbers():
    state = random.stream(0)
    u = np.array([random.uniform(state) for _ in range(20_000)])
    assert 0 <= u.min() and u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 4 / np.sqrt(u.size)


def test_first_numbers_of_successive_streams_are_uniform():
    u = np.array([random.uniform(random.stream(5, number)) for number in range(5000)])
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 4 / np.sqrt(u.size)


def test_whole_numbers_below():
    state = random.stream(1)
    counts = np.bincount([random.below(state, 7) for _ in range(14_000)], minlength=7)
    assert counts.size == 7
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("size", [1, 2, 5])
def test_normal_numbers(size):
    state = random.stream(2)
    draws = np.empty((4000, size))
    for line in draws:
        random.normals(state, line)
    assert stats.kstest(draws.ravel(), "norm").pvalue > 1e-3
    if size > 1:
        assert abs(np.corrcoef(draws[:, 0], draws[:, 1])[0, 1]) < 4 / np.sqrt(len(draws))


@pytest.mark.parametrize("dimension", [1, 3])
def test_points_in_the_ball(dimension):
    state = random.stream(4)
    points = np.empty((4000, dimension))
    for point in points:
        random.ball(state, 2.0, point)
    radii = np.linalg.norm(points, axis=1) / 2.0
    assert radii.max() <= 1
    assert stats.kstest(radii**dimension, "uniform").pvalue > 1e-3
    assert abs((points[:, 0] > 0).mean() - 0.5) < 2 / np.sqrt(len(points))


def test_seed_is_checked():
    with pytest.raises(ValueError, match="seed must be a whole number at least 0"):
        random.stream(-1)
