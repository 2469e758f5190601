"""What the files of hostile calls share."""

import os

import pytest
from hostile_calls import CALLS
from hostile_oracle import attack

FACTOR = float(os.environ.get("HOSTILE_FACTOR", "1"))  # 10 makes ten times as many calls
FEWEST = 200  # tries for each function
TALLIES = {}

METHODS = ("lib.optimizers", "Schedule", "lib.scipy")
ENSEMBLES = ("lib.ensembles", "Ensemble")
FIGURES = ("lib.plotting", "lib.explore", "lib.claims", "Claim")


def group(prefixes):
    """Return the calls that are attacked and whose names begin with one of the words."""
    return [key for key, call in CALLS.items() if call.tries and key.startswith(prefixes)]


def survives(key):
    """Attack one function, note how it went, and fail with what went wrong."""
    call = CALLS[key]
    call.function(**call.good)
    tally = TALLIES[key] = attack(key, call, FACTOR)
    assert tally.tried >= 0.9 * FEWEST * FACTOR
    assert not tally.failures, "\n".join(tally.failures)


def report(keys, wanted):
    """Print how many calls of each function were tried, and ask for enough of them in all."""
    total = sum(TALLIES[key].tried for key in keys)
    print(f"\n{'tried':>8}{'returned':>10}{'refused':>9}{'own error':>11}")
    for key in keys:
        t = TALLIES[key]
        print(f"{t.tried:8}{t.returned:10}{t.refused:9}{t.own:11}  {key}")
    print(f"{total:8}  in all")
    assert total >= wanted * FACTOR


def attacks_on(keys, wanted):
    """Return two tests: that the functions survive, and that they had `wanted` calls in all."""

    @pytest.mark.parametrize("key", keys)
    def test_each(key):
        survives(key)

    def test_enough():
        if not TALLIES.keys() >= set(keys):
            pytest.skip("only some of the functions were attacked")
        report(keys, wanted)

    return test_each, test_enough
