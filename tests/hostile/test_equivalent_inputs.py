"""The same numbers in another type or memory layout give the same result, to the last bit."""

import dataclasses

import numpy as np
import pytest
from hostile_calls import CALLS

from lib.problems import Problem


def misaligned(x):
    room = np.zeros(x.nbytes + 1, dtype=np.uint8)
    shifted = room[1:].view(x.dtype).reshape(x.shape)
    shifted[...] = x
    return shifted


def read_only(x):
    copy = x.copy()
    copy.setflags(write=False)
    return copy


def backwards(x):
    return x[..., ::-1].copy()[..., ::-1]


def every_second(x):
    return np.repeat(x, 2, axis=-1)[..., ::2]


def inner(x):
    """Return `x` as a part of a larger array in Fortran order."""
    whole = np.zeros(tuple(n + 2 for n in x.shape), order="F")
    part = whole[tuple(slice(1, -1) for _ in x.shape)]
    part[...] = x
    return part


class Vector(np.ndarray):
    """A subclass of arrays that changes nothing."""


SAME = {
    "list": lambda x: x.tolist(),
    "float32": lambda x: x.astype(np.float32),
    "longdouble": lambda x: x.astype(np.longdouble),
    "Fortran order": np.asfortranarray,
    "other byte order": lambda x: x.astype(">f8"),
    "misaligned": misaligned,
    "read-only": read_only,
    "backwards": backwards,
    "every second": every_second,
    "part of a whole": inner,
    "subclass": lambda x: x.view(Vector),
    "masked, nothing hidden": lambda x: np.ma.array(x, mask=np.zeros(x.shape, dtype=bool)),
}


def bits(result):
    """Return everything that is a number in a result as bytes."""
    if isinstance(result, np.ndarray):
        return result.dtype.str, result.shape, result.tobytes()
    if isinstance(result, (float, np.floating)):
        return np.float64(result).tobytes()
    if isinstance(result, Problem):
        return bits((result.parameters, result.constants, result.critical_points))
    if dataclasses.is_dataclass(result):
        return bits([getattr(result, f.name) for f in dataclasses.fields(result)])
    if isinstance(result, dict):
        return [(key, bits(value)) for key, value in result.items()]
    if isinstance(result, (tuple, list)):
        return [bits(part) for part in result]
    return None if callable(result) else str(result)


ARRAYS = [
    (key, name)
    for key, call in CALLS.items()
    if call.tries
    for name, good in call.good.items()
    if isinstance(good, np.ndarray) and not key.startswith("lib.plotting")
]


@pytest.mark.parametrize(("key", "name"), ARRAYS, ids=[f"{key} {name}" for key, name in ARRAYS])
def test_the_same_numbers_give_the_same_result(key, name):
    """Of whole numbers also the same as unsigned, shorter and Python integers."""
    call = CALLS[key]
    good = call.good[name]
    whole = good.dtype.kind in "iu"
    base = good if whole else good.astype(np.float32).astype(np.float64)
    if key.endswith(("cumulant", "decomposition")) and name == "f":
        base = good
    wanted = bits(call.function(**{**call.good, name: base}))
    kinds = SAME | {
        "integers": lambda x: x.astype(np.int64),
        "short integers": lambda x: x.astype(np.int8),
    }
    tried = 0
    for word, change in kinds.items():
        if whole and word in ("float32", "longdouble", "other byte order", "part of a whole"):
            continue
        if "integers" in word and not (base == np.round(base)).all():
            continue
        given = change(base)
        np.testing.assert_array_equal(np.asarray(given, dtype=np.float64), base)
        assert bits(call.function(**{**call.good, name: given})) == wanted, word
        tried += 1
    assert tried >= 7


NUMBERS = [
    (key, name)
    for key, call in CALLS.items()
    if call.tries and not key.startswith(("lib.plotting", "lib.claims", "lib.explore"))
    for name, good in call.good.items()
    if type(good) is float
]


@pytest.mark.parametrize(("key", "name"), NUMBERS, ids=[f"{key} {name}" for key, name in NUMBERS])
def test_a_number_may_come_in_any_type(key, name):
    call = CALLS[key]
    good = call.good[name]
    for value in (np.float64(good), np.array(good), np.longdouble(good)):
        assert bits(call.function(**{**call.good, name: value})) == bits(call.function(**call.good))
