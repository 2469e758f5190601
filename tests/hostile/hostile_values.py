"""Hostile values: what no reader means to hand over, and some do."""

import itertools
import random
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
from scipy import sparse

# What a value is, for the rule that nothing is silently cast.
COMPLEX, TEXT, OBJECT, TIME, RECORD, MASKED, FRACTION, NAN = (
    "complex",
    "text",
    "object",
    "time",
    "record",
    "masked",
    "fraction",
    "nan",
)

WIDE = np.longdouble("1e4000") if np.finfo(np.longdouble).max > 1e300 else np.longdouble(1e300)
LARGEST = np.finfo(np.float64).max
FLOATS = (
    *(0.0, -0.0, 5e-324, -5e-324, 1e-308, 1e-300, 1e-162, 1e-100, 1e-16, 1e-8, 1e8, 1e16, 1e100),
    *(1e154, -1e154, 1e300, 1e308, -1e308, LARGEST, -LARGEST, -1.0, -0.5, 2.5, 1.0 + 1e-15),
)
WHOLE = (-(10**30), -(2**63), -(2**31), -7, -1, 0, 1, 2, 3, 5, 8, 2**31, 2**40, 2**53 + 1, 2**62)
WHOLE = (*WHOLE, 2**63 - 1, 2**63, 2**64, 10**30, 10**400, -(10**400), 10**5000)


class OwnError(Exception):
    """What a hostile object raises itself: that may pass through."""


@dataclass(frozen=True)
class Hostile:
    """A value, what to call it in a report, and what it is."""

    label: str
    value: object
    tags: frozenset = frozenset()


class Odd:
    """An object with a few special methods."""

    def __init__(self, **methods):
        self.methods = methods

    def __repr__(self):
        return f"Odd({', '.join(self.methods)})"


def _odd(**methods):
    """Make an object whose special methods do what the functions say."""
    body = {f"__{name}__": function for name, function in methods.items()}
    return type("Odd", (Odd,), body)(**methods)


def _raises(error):
    def method(self, *arguments, **named):
        raise error("a hostile object says no")

    return method


class Yes:
    """An object that has every attribute, can be called and is empty."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *arguments, **named):
        return self

    def __repr__(self):
        return "Yes()"


class Vector(np.ndarray):
    """A subclass of arrays that changes nothing."""


# Objects that are no numbers, and ways to make those that are used up.
OBJECTS = (
    None,
    "",
    "0.5",
    "nan",
    "exact",
    "ä" * 400,
    b"1",
    bytearray(b"2"),
    memoryview(b"3"),
    np.str_("1.0"),
    {},
    {"x": 1.0},
    {0: 1, 1: 2},
    {1.0, 2.0},
    frozenset((1, 2)),
    lambda: None,
    lambda *a, **k: None,
    lambda x: x,
    len,
    int,
    float,
    Odd,
    object(),
    ...,
    NotImplemented,
    slice(None),
    random,
    ValueError("a value"),
    Yes(),
    _odd(float=lambda self: "1"),
    _odd(float=_raises(TypeError)),
    _odd(float=_raises(OverflowError)),
    _odd(float=_raises(OwnError)),
    _odd(float=lambda self: float("nan"), index=lambda self: "2"),
    _odd(index=_raises(OwnError)),
    _odd(index=lambda self: -(10**30)),
    _odd(len=lambda self: -1),
    _odd(len=lambda self: 2, getitem=_raises(OwnError)),
    _odd(len=lambda self: 10**18, getitem=_raises(IndexError)),
    _odd(iter=_raises(OwnError)),
    _odd(array=lambda self, *a, **k: np.array([None, 1.0])),
    _odd(array=lambda self, *a, **k: 3.0),
    _odd(array=_raises(OwnError)),
    _odd(eq=_raises(OwnError), hash=lambda self: 0),
    _odd(eq=lambda self, other: np.array([True, False]), hash=lambda self: 0),
    _odd(bool=_raises(OwnError)),
    _odd(repr=_raises(OwnError)),
    np.ma.masked,
    [None],
    [[1.0], [2.0, 3.0]],
    [[]],
    [],
    (),
    [[[[[[1.0]]]]]],
    ["a", 1.0],
    [1.0, "2"],
    [1.0, 2j],
    [10**400, 1],
    [Fraction(1, 2), Fraction(3, 4)],
    sparse.csr_array(np.eye(2)),
    sparse.coo_matrix(np.array([[np.nan, 0.0], [0.0, 1.0]])),
)
USED_UP = (
    lambda: (i for i in range(3)),
    lambda: iter([1.0, 2.0]),
    lambda: itertools.count(),
    lambda: itertools.repeat(1.0),
    lambda: map(float, "12"),
)


def _numbers(draw):
    """Return a number of some kind."""
    kind = draw.randrange(12)
    x = draw.choice(FLOATS)
    if kind < 3:
        return Hostile(f"{x!r}", x, frozenset((FRACTION,)))
    if kind < 6:
        n = draw.choice(WHOLE)
        return Hostile(f"whole {n.bit_length()} bits", n)
    if kind == 6:
        bad = draw.choice(
            (np.nan, -np.nan, np.float32("nan"), Decimal("NaN"), np.longdouble("nan"))
        )
        return Hostile("nan", bad, frozenset((NAN, FRACTION)))
    if kind == 7:
        bad = draw.choice((np.inf, -np.inf, WIDE, -WIDE, Decimal("1e400"), Fraction(10**400, 3)))
        return Hostile("infinite", bad, frozenset((NAN, FRACTION)))
    if kind == 8:
        z = draw.choice((1j, complex(1.0, 0.0), np.complex64(2.0), np.complex128(1 + 1j)))
        return Hostile(f"complex {z!r}", z, frozenset((COMPLEX,)))
    if kind == 9:
        t = draw.choice(
            (np.datetime64("2020-01-01"), np.timedelta64(3, "s"), np.timedelta64("NaT"))
        )
        return Hostile(f"time {t!r}", t, frozenset((TIME,)))
    if kind == 10:
        part = draw.choice((Fraction(1, 3), Decimal("0.1"), np.float16(1.5), np.longdouble("0.1")))
        return Hostile(f"{part!r}", part, frozenset((FRACTION,)))
    whole = draw.choice((True, False, np.True_, np.int8(-128), np.uint64(2**64 - 1), np.array(2)))
    return Hostile(f"{whole!r}", whole)


def _shapes(draw, good):
    """Return the entries of `good` in a shape that does not fit, or seldom does."""
    flat = good.ravel()
    longer = np.concatenate([flat, flat[:1] if flat.size else [1.0]])
    width = good.shape[-1] if good.ndim else 1
    return draw.choice(
        (
            lambda: flat[0] if flat.size else np.array(1.0),
            lambda: np.array(0.5),
            lambda: flat[:0],
            lambda: np.empty((0, width)),
            lambda: np.empty((3, 0)),
            lambda: np.empty((0, 0)),
            lambda: np.empty((0, width, 2)),
            lambda: good[None],
            lambda: good[..., None],
            lambda: flat,
            lambda: longer,
            lambda: flat[:-1],
            lambda: flat[:1],
            lambda: np.tile(flat, (2, 1)),
            lambda: np.zeros((1,) * 33 if np.__version__ >= "2" else (1,) * 30),
            lambda: np.broadcast_to(1.0, (2**40,)),
            lambda: np.broadcast_to(1.0, (2**40, width)),
            lambda: flat.tolist(),
        )
    )()


def _typed(draw, good):
    """Return `good` in another type, and what it then is."""
    pick = draw.randrange(16)
    with np.errstate(all="ignore"):
        if pick < 6:
            kind = ("int8", "int64", "uint64", "bool", "float16", "float32")[pick]
            return good.astype(kind), ()
        if pick == 6:
            return good.astype(np.longdouble) * WIDE, (NAN,) if good.any() else ()
        if pick == 7:
            return good + 0j, (COMPLEX,)
        if pick == 8:
            return good * 1j, (COMPLEX,)
        if pick == 9:
            return good.astype(object), (OBJECT,)
        if pick == 10:
            return good.astype(str), (TEXT,)
        if pick == 11:
            return good.astype("S"), (TEXT,)
        if pick == 12:
            return good.astype("int64").astype("datetime64[s]"), (TIME,)
        if pick == 13:
            return np.array(good, dtype=[("x", float)]), (RECORD,)
        if pick == 14:
            mask = np.ones(good.shape, dtype=bool)
            return np.ma.array(good, mask=mask), (MASKED,) if good.size else ()
        return np.asarray(good, dtype=float).view(Vector), ()


def _laid_out(draw, good):
    """Return the entries of `good`, or some of them, in another memory layout."""
    pick = draw.randrange(8)
    if pick == 0:
        return good[::-1]
    if pick == 1:
        return good.T
    if pick == 2:
        return np.repeat(good, 2, axis=-1)[..., ::2] if good.ndim else good
    if pick == 3:
        return np.asfortranarray(good)
    if pick == 4:
        fixed = good.copy()
        fixed.setflags(write=False)
        return fixed
    if pick == 5:
        return good.astype(good.dtype.newbyteorder())
    if pick == 6:
        room = np.zeros(good.nbytes + 1, dtype=np.uint8)
        shifted = room[1:].view(good.dtype).reshape(good.shape)
        shifted[...] = good
        return shifted
    return np.broadcast_to(good.ravel()[:1].reshape((1,) * good.ndim), good.shape)


def _valued(draw, good):
    """Return `good` with hostile entries, and what it then is."""
    changed = np.array(good, dtype=float)
    x = draw.choice((np.nan, np.inf, -np.inf, *FLOATS, *FLOATS))
    if draw.random() < 0.4 or not changed.size:
        changed[...] = x
    else:
        changed.ravel()[draw.randrange(changed.size)] = x
    return changed, () if np.isfinite(changed).all() else (NAN,)


def hostile(draw, good):
    """Return a hostile value in place of `good`, drawn from the `random.Random` `draw`."""
    chance = draw.random()
    if isinstance(good, np.ndarray) and chance < 0.75:
        kind = draw.randrange(4)
        if kind == 0:
            value, tags = _shapes(draw, good), ()
        elif kind == 1:
            value, tags = _typed(draw, good)
        elif kind == 2:
            value, tags = _laid_out(draw, good), ()
        else:
            value, tags = _valued(draw, good)
        text = " ".join(np.array2string(np.asarray(value), threshold=8).split())
        names = ("shape", "type", "layout", "values")
        return Hostile(f"{names[kind]} {text[:80]}", value, frozenset(tags))
    if isinstance(good, (bool, str)) or good is None or callable(good):
        chance = 0.2 + 0.8 * chance
    if chance < 0.7 and not isinstance(good, np.ndarray):
        return _numbers(draw)
    if chance < 0.78:
        return _numbers(draw)
    place = draw.randrange(len(OBJECTS) + len(USED_UP))
    thing = OBJECTS[place] if place < len(OBJECTS) else USED_UP[place - len(OBJECTS)]()
    tags = frozenset(() if _is_array_like(thing) else (OBJECT,))
    return Hostile(f"object {type(thing).__name__}", thing, tags)


def _is_array_like(thing):
    if sparse.issparse(thing) or isinstance(thing, memoryview) or hasattr(type(thing), "__index__"):
        return True
    try:
        return isinstance(thing, (list, tuple)) and np.asarray(thing).dtype.kind in "fiu"
    except ValueError:
        return False
