"""Everything public has a valid call and so is attacked; the oracle notices what is wrong."""

import importlib
import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hostile_calls import CALLS
from hostile_oracle import Call, attack

from lib import claims, optimizers, problems

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    *("lib", "lib.problems", "lib.optimizers", "lib.curvature", "lib.ensembles", "lib.plotting"),
    *("lib.explore", "lib.claims", "lib.problems.datasets", "lib.problems.softmax_calculus"),
)


def public_names():
    """Yield the name of every public callable, and of everything on the pages of the reference."""
    for name in MODULES:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]:
            thing = getattr(module, public)
            if callable(thing) and getattr(thing, "__module__", "").startswith("lib"):
                yield f"{name}.{public}" if thing is not problems.Problem else "Problem.value"
    for path in [ROOT / "book/api.md", *sorted((ROOT / "book/api").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        # Checks refuse rubbish in their own way, see tests/checks/test_core.py.
        yield from re.findall(r"autofunction:: (?!lib\.checks\.)([\w.]+)$", text, re.MULTILINE)


def public_methods():
    from lib.problems.two_layer import TwoLayerData

    kinds = (problems.Problem, TwoLayerData, optimizers.Result, optimizers.Schedule, claims.Claim)
    for kind in kinds:
        for name, thing in vars(kind).items():
            called = inspect.isfunction(thing) or isinstance(thing, (property, staticmethod))
            if called and not name.startswith("_"):
                yield f"{kind.__name__}.{name}"


def test_everything_public_has_a_valid_call():
    missing = {name for name in [*public_names(), *public_methods()] if name not in CALLS}
    assert missing == set()


@pytest.mark.parametrize("key", CALLS)
def test_the_valid_call_works_and_names_every_argument(key):
    call = CALLS[key]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call.function(**call.good)
    parameters = inspect.signature(call.function).parameters.values()
    if call.tries and all(p.kind is not p.VAR_KEYWORD for p in parameters):
        assert call.good.keys() >= {p.name for p in parameters if p.kind is not p.VAR_POSITIONAL}


def lies(x):
    return np.nan if np.ndim(x) else 1.0


def cuts(x):
    return int(x)


def changes(x):
    x[...] = 0.0


def crashes(x):
    return [1.0][np.size(x)]


def mumbles(x):
    raise ValueError("something is wrong")


def warns(x):
    return np.log(np.asarray(x, dtype=float) * 0.0)


@pytest.mark.parametrize("function", [lies, cuts, changes, crashes, mumbles, warns])
def test_the_oracle_notices(function):
    good = 2 if function is cuts else np.array([1.0, 2.0])
    tally = attack("x", Call(function, {"x": good}, tries=300))
    assert tally.tried == 300 and tally.failures
