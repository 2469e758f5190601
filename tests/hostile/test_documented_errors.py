"""Every error that a docstring announces is raised, and says which argument is wrong."""

import importlib
import inspect
import re

import numpy as np
import pytest
from documented_errors import EXAMPLES
from hostile_calls import CALLS

from lib import claims, curvature, ensembles, optimizers, problems
from lib.problems.two_layer import TwoLayerData

CLASSES = {
    kind.__name__: kind
    for kind in (
        *(problems.Problem, TwoLayerData, optimizers.Schedule, optimizers.Result),
        *(claims.Claim, ensembles.Ensemble, ensembles.Tournament),
    )
}

# So many eigenvalues that the whole Hessian is not formed, the smallest too close together for the
# iteration.
LONG = problems.quadratic_saddle(np.logspace(-8, 0, 4097))
DEFICIENT = problems.two_layer_regression(np.ones((3, 2)), np.ones((1, 3)), [0.5], 0.6)

BY_HAND = {
    ("TwoLayerData.singular_values", ValueError): (
        DEFICIENT.data.singular_values,
        "A1 must have full column rank",
    ),
    ("lib.curvature.extreme_eigenvalues", ArithmeticError): (
        lambda: curvature.extreme_eigenvalues(LONG, np.zeros(LONG.dimension), max_steps=20),
        "did not settle",
    ),
    ("lib.curvature.negative_curvature_direction", ArithmeticError): (
        lambda: curvature.negative_curvature_direction(LONG, np.zeros(LONG.dimension)),
        "did not settle",
    ),
    ("lib.curvature.is_second_order_stationary", ArithmeticError): (
        lambda: curvature.is_second_order_stationary(LONG, np.zeros(LONG.dimension), 0.1),
        "did not settle",
    ),
}


def documented(key):
    """Return the names of the errors in the docstring of a public function or method."""
    if key.startswith("lib."):
        module, _, name = key.rpartition(".")
        thing = getattr(importlib.import_module(module), name)
    else:
        owner, _, name = key.partition(".")
        thing = getattr(CLASSES[owner], name)
    text = inspect.getdoc(thing) or ""
    section = re.search(r"Raises\n-+\n(.*?)(?=\n\n[A-Z]\w+\n-+\n|\Z)", text, re.DOTALL)
    lines = section[1].split("\n") if section else []
    return {word.strip() for line in lines if line[:1].strip() for word in line.split(",")}


def test_every_documented_error_has_an_example():
    shown = {(key, error.__name__) for key, error, *_ in EXAMPLES}
    shown |= {(key, error.__name__) for key, error in BY_HAND}
    wanted = {(key, error) for key in CALLS for error in documented(key)}
    assert len(wanted) > 250
    assert wanted - shown == set()


@pytest.mark.parametrize(
    ("key", "error", "argument", "value", "message"),
    EXAMPLES,
    ids=[f"{key}-{error.__name__}" for key, error, *_ in EXAMPLES],
)
def test_the_error_is_raised(key, error, argument, value, message):
    call = CALLS[key]
    with pytest.raises(error, match=re.escape(message)) as caught:
        call.function(**{**call.good, argument: value})
    assert type(caught.value) is error


@pytest.mark.parametrize(("key", "error"), BY_HAND, ids=[key for key, _ in BY_HAND])
def test_the_error_of_a_special_case_is_raised(key, error):
    function, message = BY_HAND[key, error]
    with pytest.raises(error, match=message):
        function()
