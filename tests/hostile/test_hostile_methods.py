"""Hostile calls of the methods, figures and claims."""

import pytest
from hostile_run import FIGURES, METHODS, TALLIES, group, report, survives

KEYS = group(METHODS + FIGURES)


@pytest.mark.parametrize("key", KEYS)
def test_a_result_or_a_clear_error(key):
    survives(key)


def test_enough_calls_were_made():
    if not TALLIES.keys() >= set(KEYS):
        pytest.skip("only some of the functions were attacked")
    report(KEYS, 35_000)
