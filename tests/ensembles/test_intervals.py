"""Clopper-Pearson intervals: against scipy, and by counting every outcome."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from lib.ensembles import Proportion, proportion_interval

careful = settings(deadline=None, derandomize=True, max_examples=50)
levels = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.9999])


@careful
@given(st.data(), st.integers(2, 10**6), levels)
def test_two_sided_interval_is_scipys(data, n, level):
    k = data.draw(st.integers(1, n - 1))
    wanted = binomtest(k, n).proportion_ci(confidence_level=level, method="exact")
    interval = proportion_interval(k, n, level)
    np.testing.assert_allclose([interval.low, interval.high], wanted, rtol=1e-7, atol=1e-10)
    assert interval.low < interval.estimate == k / n < interval.high


@careful
@given(st.integers(1, 10**9), levels)
def test_zero_and_all_are_one_sided(n, level):
    bound = -np.expm1(np.log1p(-level) / n)
    none, every = proportion_interval(0, n, level), proportion_interval(n, n, level)
    assert (none.low, every.high) == (0.0, 1.0)
    np.testing.assert_allclose([none.high, 1 - every.low], bound, rtol=1e-7)


def test_rule_of_three():
    assert proportion_interval(0, 1000).high == pytest.approx(3 / 1000, rel=5e-3)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 2, 5, 13, 40])
def test_coverage_by_counting_every_outcome(n, level):
    intervals = [proportion_interval(k, n, level) for k in range(n + 1)]
    low, high = np.array([[i.low, i.high] for i in intervals]).T
    ends = np.concatenate([low, high])
    probabilities = np.concatenate([np.linspace(0.001, 0.999, 400), ends - 1e-9, ends + 1e-9])
    miss = 1 - level
    for p in probabilities[(probabilities > 0) & (probabilities < 1)]:
        weights = binom.pmf(np.arange(n + 1), n, p)
        below, above = weights[high < p], weights[low > p]
        assert below.sum() <= miss + 1e-9
        assert above.sum() <= miss + 1e-9
        # Where the one-sided end and a two-sided one meet, half a miss more is possible.
        assert below.sum() + above.sum() <= 1.5 * miss + 1e-9


def test_higher_confidence_is_wider():
    narrow, wide = proportion_interval(7, 30, 0.9), proportion_interval(7, 30, 0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_symmetry():
    few, many = proportion_interval(3, 50), proportion_interval(47, 50)
    np.testing.assert_allclose([few.low, few.high], [1 - many.high, 1 - many.low], rtol=1e-12)


def test_result_says_it_in_words():
    assert "below 0.003" in str(proportion_interval(0, 1000))
    assert "above 0.997" in str(proportion_interval(1000, 1000))
    text = str(proportion_interval(30, 1000, 0.99))
    assert "30 of 1000" in text and "99 % confidence" in text and "0.03" in text
    interval = proportion_interval(np.int64(3), np.int64(10))
    assert isinstance(interval, Proportion)
    assert (interval.k, interval.n, interval.confidence) == (3, 10, 0.95)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((-1, 10), ValueError, "k must be a whole number at least 0 and at most 10; got -1"),
        ((11, 10), ValueError, "k must be a whole number at least 0 and at most 10; got 11"),
        ((0.5, 10), TypeError, "k must be a whole number"),
        ((0, 0), ValueError, "n must be a whole number at least 1"),
        ((0, 10.0), TypeError, "n must be a whole number"),
        ((0, 10, 0.0), ValueError, "confidence must be a finite number above 0 and below 1"),
        ((0, 10, 1.0), ValueError, "confidence must be a finite number above 0 and below 1"),
        ((0, 10, np.nan), ValueError, "confidence must be a finite number"),
        ((0, 10, "high"), TypeError, "confidence must be a number"),
    ],
)
def test_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        proportion_interval(*arguments)
