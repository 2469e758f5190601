"""A race counts what each method really spent until it reached the goal."""

import numpy as np
import pytest

from lib import ensembles, optimizers, problems

BOWL = problems.quadratic([[10.0, 0.0], [0.0, 1.0]])
STARTS = np.array([[1.0, 1.0], [0.5, -2.0]])


@pytest.mark.parametrize("measure", ["value", "gradient_norm"])
def test_calls_are_those_of_the_first_iterate_at_the_goal(measure):
    entries = {"gradient_descent": {"learning_rate": "1/L"}}
    found = ensembles.race(BOWL, STARTS, 1e-6, measure, 10.0, entries=entries)
    for start, calls in zip(STARTS, found.calls[0], strict=True):
        run = optimizers.gradient_descent(BOWL, start, 0.1, tol=0, max_iter=500)
        sizes = run.values if measure == "value" else run.gradient_norms
        first = int(np.argmax(sizes <= 1e-6))
        alone = optimizers.gradient_descent(BOWL, start, 0.1, tol=0, max_iter=first)
        assert calls == alone.oracle_calls
    assert (found.status == "goal").all()


def test_what_is_not_reached_is_infinite():
    found = ensembles.race(BOWL, STARTS, -1.0, smoothness=10.0, max_evaluations=50)
    assert np.isinf(found.calls).all() and "goal" not in found.status
    assert found.values.shape == (8, 2) and len(found.options) == len(found.methods) == 8


def test_each_start_may_have_its_goal():
    entries = {"newton": {}}
    found = ensembles.race(BOWL, STARTS, [1e-9, -1.0], smoothness=10.0, entries=entries)
    assert np.isfinite(found.calls[0]).tolist() == [True, False]


def test_the_best_of_several_learning_rates_counts():
    entries = {"gradient_descent": {"learning_rate": (1e-4, 0.1, 5.0)}}
    found = ensembles.race(BOWL, STARTS, 1e-6, entries=entries)
    assert found.options[0] == {"learning_rate": 0.1}
    assert np.isfinite(found.calls).all()


def test_unknown_methods_are_named():
    with pytest.raises(ValueError, match="got 'teleport'"):
        ensembles.race(BOWL, STARTS, 1.0, entries={"teleport": {}})
