"""Hostile calls of the ensembles."""

import pytest
from hostile_run import ENSEMBLES, TALLIES, group, report, survives

KEYS = group(ENSEMBLES)


@pytest.mark.parametrize("key", KEYS)
def test_a_result_or_a_clear_error(key):
    survives(key)


def test_enough_calls_were_made():
    if not TALLIES.keys() >= set(KEYS):
        pytest.skip("only some of the functions were attacked")
    report(KEYS, 13_000)
