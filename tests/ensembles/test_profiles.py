"""Profiles count by hand-computed examples, ties and failures included."""

import numpy as np
import pytest

from lib import ensembles

NEVER = np.inf
CALLS = np.array([[10, 30, NEVER, NEVER], [20, 10, 50, NEVER]])


def test_a_performance_profile_by_hand():
    profile = ensembles.performance_profile(CALLS, [1, 2, 3, 100])
    assert profile.shares.tolist() == [[0.25, 0.25, 0.5, 0.5], [0.5, 0.75, 0.75, 0.75]]


def test_the_stairs_are_the_ratios_that_occur():
    assert ensembles.performance_profile(CALLS).at.tolist() == [1.0, 2.0, 3.0]
    assert ensembles.data_profile(CALLS).at.tolist() == [10.0, 20.0, 30.0, 50.0]


def test_a_data_profile_by_hand():
    profile = ensembles.data_profile(CALLS, [9.9, 10, 25, 60])
    assert profile.shares.tolist() == [[0, 0.25, 0.25, 0.5], [0, 0.25, 0.5, 0.75]]


def test_ties_count_for_both():
    assert ensembles.performance_profile([[5, 7], [5, 9]], [1]).shares.tolist() == [[1.0], [0.5]]


def test_what_nobody_solves_counts_for_nobody():
    profile = ensembles.performance_profile([[NEVER], [NEVER]])
    assert profile.at.tolist() == [1.0] and (profile.shares == 0).all()
    assert ensembles.data_profile([[NEVER], [NEVER]]).shares.shape == (2, 0)


def test_nobody_falls_when_a_method_leaves():
    calls = np.random.default_rng(0).uniform(1, 100, (6, 50))
    at = np.geomspace(1, 30, 20)
    for gone in range(6):
        before = np.delete(ensembles.performance_profile(calls, at).shares, gone, axis=0)
        after = ensembles.performance_profile(np.delete(calls, gone, axis=0), at).shares
        assert (after >= before).all()


def test_the_order_of_the_losers_may_change():
    calls = np.array([[10, 10, 90], [15, 15, 30], [40, 40, 20]])
    _, second, third = ensembles.performance_profile(calls, [1]).shares[:, 0]
    alone = ensembles.performance_profile(calls[1:], [1]).shares[:, 0]
    assert second < third and alone[0] > alone[1]


@pytest.mark.parametrize("calls", [[1.0, 2.0], [[0.0, 1.0]], [[np.nan, 1.0]], np.empty((0, 3))])
def test_calls_have_to_be_positive_and_a_table(calls):
    with pytest.raises(ValueError, match="calls must"):
        ensembles.performance_profile(calls)


@pytest.mark.parametrize("factors", [[0.5, 1.0], [2.0, 1.0]])
def test_factors_ascend_from_one(factors):
    with pytest.raises(ValueError, match="factors must ascend"):
        ensembles.performance_profile(CALLS, factors)
