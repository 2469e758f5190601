"""Mini-batches: epochs are permutations, draws are uniform, seeds decide."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lib import problems
from lib._random import stream
from lib.optimizers._batches import sampler, with_replacement, without_replacement

WELL = problems.double_well()


def batches(draw, n, size, count, seed=0, number=0):
    """Return the first so many batches."""
    memory = np.zeros(n + 1 if draw is without_replacement else size, dtype=np.int64)
    state = stream(seed, number)
    found = []
    for _ in range(count):
        first, last = draw(n, size, memory, state)
        found.append(memory[first:last].tolist())
    return found


@pytest.mark.parametrize(("n", "size"), [(1, 1), (7, 1), (7, 3), (8, 4), (10, 10), (23, 6)])
def test_an_epoch_is_a_permutation(n, size):
    each = math.ceil(n / size)
    found = batches(without_replacement, n, size, 5 * each)
    for epoch in range(5):
        parts = found[epoch * each : (epoch + 1) * each]
        assert [len(part) for part in parts[:-1]] == [size] * (each - 1)
        assert len(parts[-1]) == n - size * (each - 1)
        assert sorted(sum(parts, [])) == list(range(n))


def test_epochs_differ():
    found = batches(without_replacement, 30, 30, 3)
    assert found[0] != found[1] != found[2] != list(range(30))


def test_every_order_is_equally_likely():
    """Also in a later epoch, which begins with the order the one before has left."""
    for epoch in (0, 2):
        orders = Counter(
            tuple(sum(batches(without_replacement, 4, 3, 6, number=i)[2 * epoch :][:2], []))
            for i in range(2400)
        )
        assert len(orders) == 24
        assert stats.chisquare(list(orders.values())).pvalue > 1e-3


def test_with_replacement_is_uniform():
    found = np.array(batches(with_replacement, 13, 5, 2600))
    assert found.shape == (2600, 5)
    assert stats.chisquare(np.bincount(found.ravel(), minlength=13)).pvalue > 1e-3
    pairs = np.bincount(found[:, 0] * 13 + found[:, 1], minlength=169)
    assert stats.chisquare(pairs).pvalue > 1e-3
    repeats = np.mean([len(set(batch)) < 5 for batch in found.tolist()])
    wanted = 1 - 12 * 11 * 10 * 9 / 13**4
    assert repeats == pytest.approx(wanted, abs=4 * math.sqrt(wanted * (1 - wanted) / 2600))


def test_endless_samples():
    """Numbers up to 2**53 are drawn from the whole range."""
    found = np.array(batches(with_replacement, 2**53, 50, 40)).ravel()
    assert found.min() >= 0 and found.max() < 2**53
    assert stats.kstest(found / 2.0**53, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("draw", [with_replacement, without_replacement])
def test_seed_decides(draw):
    assert batches(draw, 50, 8, 20, seed=3) == batches(draw, 50, 8, 20, seed=3)
    assert batches(draw, 50, 8, 20, seed=3) != batches(draw, 50, 8, 20, seed=4)
    assert batches(draw, 50, 8, 20, seed=3) != batches(draw, 50, 8, 20, seed=3, number=1)


def finite_sum(n):
    """Return a problem that says it is a mean over n samples."""
    return replace(WELL, n_samples=n, batch_gradient_kernel=WELL.gradient_kernel)


def test_sampler():
    assert sampler(WELL, None, "with_replacement") == (None, 0, 0)
    assert sampler(finite_sum(9), None, "without_replacement") == (None, 0, 0)
    assert sampler(finite_sum(9), 4, "with_replacement") == (with_replacement, 4, 4)
    assert sampler(finite_sum(9), 4, "without_replacement") == (without_replacement, 4, 10)
    assert sampler(finite_sum(2**53), 4, "with_replacement") == (with_replacement, 4, 4)


@pytest.mark.parametrize(
    ("problem", "size", "sampling", "error", "message"),
    [
        (WELL, 4, "with_replacement", ValueError, "batch_size must be None, .* no mean over"),
        (finite_sum(9), 0, "with_replacement", ValueError, "batch_size must be .* at least 1"),
        (finite_sum(9), 10, "with_replacement", ValueError, "batch_size must be .* at most 9"),
        (finite_sum(9), 2.0, "with_replacement", TypeError, "batch_size must be a whole number"),
        (finite_sum(9), 4, "bootstrap", ValueError, "sampling must be one of 'with_replacement'"),
        (
            finite_sum(2**53),
            4,
            "without_replacement",
            ValueError,
            "sampling must be 'with_replacement' for double well",
        ),
    ],
)
def test_bad_arguments_are_named(problem, size, sampling, error, message):
    with pytest.raises(error, match=message):
        sampler(problem, size, sampling)
