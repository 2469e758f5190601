"""What may happen to a hostile call: a result that says what it is, or a clear refusal."""

import copy
import dataclasses
import functools
import inspect
import numbers
import random
import re
import time
import traceback
import warnings
from collections import Counter

import numpy as np
from hostile_values import (
    COMPLEX,
    FRACTION,
    MASKED,
    NAN,
    OBJECT,
    RECORD,
    TEXT,
    TIME,
    OwnError,
    hostile,
)

from lib._jit import JIT
from lib.optimizers import Result
from lib.problems import Problem

# What a number, a whole number or an array may not be made of.
NO_NUMBERS = {COMPLEX, TEXT, OBJECT, TIME, RECORD, MASKED}
LONG = 5.0  # seconds that no small call may take


@dataclasses.dataclass(frozen=True)
class Call:
    """A small call of a public function that works, and what a hostile one may do.

    Attributes
    ----------
    function : callable
        Called with `good` as keywords.
    good : dict
        Valid arguments by name; all of them are replaced in turn.
    tries : int
        How many hostile calls to make by default.
    fixed : tuple of str
        Arguments that are never replaced.
    slow : dict
        The largest valid number to be tried for an argument that only sets how long it takes;
        or that and the largest valid number, where it is above 10^10.
    accepts : dict
        Tags that are not refused for an argument whose good value looks like a number.
    named : dict
        Further words by which a message may name an argument.
    errors : tuple
        Exceptions beside TypeError and ValueError that the docstring names.
    nan : bool
        Whether NaN in the result is what the docstring says.
    shown : str
        Name under which the function is public, where it differs from the key.
    """

    function: object
    good: dict
    tries: int = 700
    fixed: tuple = ()
    slow: dict = dataclasses.field(default_factory=dict)
    accepts: dict = dataclasses.field(default_factory=dict)
    named: dict = dataclasses.field(default_factory=dict)
    errors: tuple = ()
    nan: bool = False

    @functools.cached_property
    def optional(self):
        """The arguments that may be None."""
        known = inspect.signature(self.function).parameters.values()
        return {parameter.name for parameter in known if parameter.default is None}


@dataclasses.dataclass
class Tally:
    """How many hostile calls were made, and how they ended."""

    tried: int = 0
    returned: int = 0
    refused: int = 0
    own: int = 0
    failures: list = dataclasses.field(default_factory=list)


def _is_number(good):
    return isinstance(good, (int, float)) and not isinstance(good, bool)


def _forbidden(call, name, good, tags):
    """Return the tags for which a call must not return."""
    if _is_number(good) or isinstance(good, np.ndarray):
        banned = NO_NUMBERS | {NAN}
        if isinstance(good, int):
            banned = banned | {FRACTION}
        return (banned - set(call.accepts.get(name, ()))) & tags
    return set()


def nans(thing, seen=None):
    """Tell where in a result there is a NaN, or return None."""
    seen = set() if seen is None else seen
    if id(thing) in seen or len(seen) > 2000:
        return None
    seen.add(id(thing))
    if isinstance(thing, Result):
        parts = {"x": thing.x, "path": thing.path}
    elif isinstance(thing, Problem):
        parts = {"parameters": thing.parameters, **thing.constants}
    elif isinstance(thing, (float, np.floating)):
        return "" if np.isnan(thing) else None
    elif isinstance(thing, np.ndarray):
        if thing.dtype.names:
            return None
        return "" if thing.dtype.kind in "fc" and np.isnan(thing).any() else None
    elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        parts = {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing)}
    elif isinstance(thing, dict):
        parts = thing
    elif isinstance(thing, (tuple, list)):
        parts = dict(enumerate(thing))
    else:
        return None
    for name, part in parts.items():
        where = nans(part, seen)
        if where is not None:
            return f".{name}{where}"
    return None


def _same(array, before):
    return array.tobytes() == before


def _named(message, names):
    return any(re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", message) for name in names)


def judge(call, arguments, replaced):
    """Make one call; return how it ended ("returned", "refused", "own") and what is wrong."""
    watched = [
        (name, thing.value, thing.value.tobytes())
        for name, thing in replaced.items()
        if type(thing.value) is np.ndarray
        and 0 < thing.value.size < 10_000
        and thing.value.dtype != object
    ]
    tags = {name: thing.tags for name, thing in replaced.items()}
    wrong = None
    began = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if not JIT:  # as plain Python the kernels themselves warn where they overflow
                warnings.simplefilter("ignore", RuntimeWarning)
            result = call.function(**arguments)
        ended = "returned"
    except OwnError:
        return "own", None
    except call.errors as error:
        ended, said = "refused", str(error)
    except (TypeError, ValueError) as error:
        ended, said = "refused", str(error)
        if type(error) not in (TypeError, ValueError):
            wrong = f"{type(error).__name__}: {said[:200]} {_place(error)}"
    except Exception as error:
        ended = "refused"
        said = str(error)
        wrong = f"{type(error).__name__}: {said[:200]} {_place(error)}"
    took = time.perf_counter() - began
    if took > LONG:
        began = time.process_time()
        try:
            call.function(**arguments)
        except Exception:  # judged above; only the time counts, now that all is compiled
            pass
        if time.process_time() - began > LONG:  # whatever else the machine has to do
            wrong = f"took {took:.1f} s"
    if ended == "refused" and any(_is_called(call, n, t.value) for n, t in replaced.items()):
        return ended, None
    if wrong is None and ended == "refused":
        names = set(replaced) | {w for name in replaced for w in call.named.get(name, ())}
        if any(isinstance(call.good[name], Problem) for name in replaced):
            names |= set(call.good)
        if not _named(said, names):
            wrong = f"names no argument of {sorted(names)}: {said[:200]}"
        elif len(said) > 1000:
            wrong = f"a message of {len(said)} characters: {said[:100]}"
    if wrong is None and ended == "returned":
        for name in replaced:
            if replaced[name].value is None and name in call.optional:
                continue
            banned = _forbidden(call, name, call.good[name], tags[name])
            if banned:
                wrong = f"{name} was accepted, though it is {', '.join(sorted(banned))}"
        where = nans(result)
        if wrong is None and where is not None and not call.nan:
            wrong = f"NaN in the result at {where or 'the top'}"
    for name, array, before in watched:
        if not _same(array, before):
            wrong = f"{name} was changed in place"
    return ended, wrong


def _is_called(call, name, value):
    """Tell whether the caller's own function was called, whose errors are the caller's."""
    wanted = callable(call.good[name]) or name in ("alt", "callback", "hess", "hessp", "executor")
    return wanted and callable(value)


def _place(error):
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        f"{f.filename.rpartition('/lib/')[2]}:{f.lineno}" for f in frames if "/lib/" in f.filename
    ]
    return "at " + " < ".join(ours[-3:][::-1])


def _too_slow(call, name, value):
    """Tell whether the value is a valid one that only asks for a long run."""
    limit = call.slow.get(name)
    top = 10**10
    if isinstance(limit, tuple):
        limit, top = limit
    known = limit is not None and isinstance(value, numbers.Real)
    return known and limit < value <= top


def replacements(draw, call):
    """Draw hostile values for one argument or two; None where they only ask for a long run."""
    names = [name for name in call.good if name not in call.fixed]
    chosen = draw.sample(names, 2 if len(names) > 1 and draw.random() < 0.15 else 1)
    replaced = {name: hostile(draw, call.good[name]) for name in chosen}
    if any(_too_slow(call, name, thing.value) for name, thing in replaced.items()):
        replaced = {chosen[0]: hostile(draw, None)}
        if _too_slow(call, chosen[0], replaced[chosen[0]].value):
            return None
    return replaced


def called_with(call, replaced):
    """Make the call with some arguments replaced; see `judge`."""
    arguments = {**call.good, **{name: thing.value for name, thing in replaced.items()}}
    return judge(call, arguments, replaced)


def attack(key, call, factor=1):
    """Make hostile calls of one function, the same ones each time; return the tally."""
    draw = random.Random(key)
    tally = Tally()
    before = copy.deepcopy({k: v for k, v in call.good.items() if isinstance(v, np.ndarray)})
    kinds = Counter()
    for _ in range(round(call.tries * factor)):
        replaced = replacements(draw, call)
        if replaced is None:
            continue
        ended, wrong = called_with(call, replaced)
        tally.tried += 1
        setattr(tally, ended, getattr(tally, ended) + 1)
        if wrong is not None:
            kind = re.sub(r"[\d.]+", "#", wrong[:60])
            kinds[kind] += 1
            if kinds[kind] <= 2 and len(tally.failures) < 12:
                given = ", ".join(f"{name} = {thing.label}" for name, thing in replaced.items())
                tally.failures.append(f"{key}({given}): {wrong}")
    for name, array in before.items():
        if array.tobytes() != call.good[name].tobytes():
            tally.failures.append(f"{key}: the good {name} was changed in place")
    return tally


def parameters(function):
    return set(inspect.signature(function).parameters)
