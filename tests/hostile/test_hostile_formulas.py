"""Hostile calls of the problems and of everything about Hessians."""

import inspect

import pytest
from hostile_run import CALLS, ENSEMBLES, FIGURES, METHODS, TALLIES, group, report, survives

ELSEWHERE = METHODS + FIGURES + ENSEMBLES
KEYS = [key for key in group(("",)) if not key.startswith(ELSEWHERE)]


@pytest.mark.parametrize("key", KEYS)
def test_a_result_or_a_clear_error(key):
    survives(key)


def test_enough_calls_were_made():
    if not TALLIES.keys() >= set(KEYS):
        pytest.skip("only some of the functions were attacked")
    report(KEYS, 70_000)


def test_what_may_return_nan_says_so():
    for key, call in CALLS.items():
        if call.nan:
            owner = getattr(call.function, "__self__", None)
            text = f"{inspect.getdoc(call.function)} {inspect.getdoc(type(owner))}"
            assert "NaN" in text, key
