"""Hostile calls of the problems and of everything about Hessians."""

import inspect

from hostile_run import CALLS, ENSEMBLES, FIGURES, METHODS, attacks_on, group

ELSEWHERE = METHODS + FIGURES + ENSEMBLES
KEYS = [key for key in group(("",)) if not key.startswith(ELSEWHERE)]

test_a_result_or_a_clear_error, test_enough_calls_were_made = attacks_on(KEYS, 70_000)


def test_what_may_return_nan_says_so():
    for key, call in CALLS.items():
        if call.nan:
            owner = getattr(call.function, "__self__", None)
            text = f"{inspect.getdoc(call.function)} {inspect.getdoc(type(owner))}"
            assert "NaN" in text, key
