"""Plain data as text and back: what passes between a student's kernel and the checks.

Both sides use this file. Nothing but numbers, texts, arrays and containers of them comes out of
`decode`, whatever the text says; a function is only a name. So a reply can be wrong, but it cannot
run anything, nor pretend to be equal to everything.
"""

import base64
import collections
import json
import math

import numpy as np

KINDS = "biufc"
DEEPEST = 20
MOST_BYTES = 4_000_000
MOST_PAIRS = 200
MOST_TEXT = 8_000_000  # characters of a value as text
MOST_AXES = 6


class Unreadable(ValueError):
    """Data that is not plain, too deep, or too large."""


class Foreign:
    """Stands for an object that is not plain data; only its type's name is known."""

    def __init__(self, kind):
        self.kind = kind

    def __repr__(self):
        return f"<{self.kind}>"


class Function:
    """Stands for a function on the other side."""

    def __init__(self, key):
        self.key = key


def encode(value, name_function):
    """Return a value as JSON text.

    Parameters
    ----------
    value : object
        Anything. What is not plain data goes as the name of its type.
    name_function : callable
        Gives a function the key by which the other side asks for it.

    Returns
    -------
    str

    Raises
    ------
    Unreadable
        If the data is nested too deeply or too large.
    """
    return json.dumps(_packed(value, name_function, 0))


def _packed(value, name_function, depth):
    """Return a value as lists that begin with a letter for the kind."""
    if depth > DEEPEST:
        raise Unreadable("nested too deeply")
    if value is None or value is True or value is False:
        return ["c", {None: "None", True: "True", False: "False"}[value]]
    if value is ...:
        return ["c", "Ellipsis"]
    kind = type(value)
    if isinstance(value, (np.ndarray, np.generic)):
        plain = np.asarray(value)
        if plain.dtype.kind not in KINDS:
            return ["o", f"array of {plain.dtype}"[:80]]
        if plain.nbytes > MOST_BYTES:
            raise Unreadable(f"an array of {plain.nbytes} bytes is too large")
        data = base64.b64encode(np.ascontiguousarray(plain).tobytes()).decode()
        letter = "a" if isinstance(value, np.ndarray) else "s"
        return [letter, plain.dtype.str, list(plain.shape), data]
    if isinstance(value, int):
        if abs(value) > 10**300:
            raise Unreadable("a whole number of more than 300 digits")
        return ["i", str(int(value))]
    if isinstance(value, float):
        return ["f", float(value).hex()]
    if isinstance(value, complex):
        return ["z", value.real.hex(), value.imag.hex()]
    if isinstance(value, str):
        if len(value) > MOST_BYTES:
            raise Unreadable("a text of more than four million letters")
        return ["t", str(value)]
    if isinstance(value, (range, collections.deque)):
        value = list(value)
    if isinstance(value, (list, tuple)):
        letter = "l" if isinstance(value, list) else "u"
        return [letter, [_packed(each, name_function, depth + 1) for each in value]]
    if isinstance(value, dict):
        if len(value) > MOST_PAIRS:
            raise Unreadable(f"a dictionary of more than {MOST_PAIRS} entries")
        pairs = [
            [_packed(part, name_function, depth + 1) for part in pair] for pair in value.items()
        ]
        return ["d", pairs]
    if callable(value) and not isinstance(value, type):
        return ["n", name_function(value)]
    if hasattr(value, "__array__") and not isinstance(value, type):
        plain = np.asarray(value)
        if type(plain) is np.ndarray and plain.dtype.kind in KINDS:
            return _packed(plain, name_function, depth)
    return ["o", str(kind.__name__)[:80]]


def decode(text, make_function=Function):
    """Return the value that a JSON text stands for.

    Parameters
    ----------
    text : str
    make_function : callable
        Makes of a function's key something to call.

    Returns
    -------
    object
        Plain data, with `Foreign` in the place of what is not.

    Raises
    ------
    Unreadable
        If the text is not what `encode` writes.
    """
    try:
        if len(text) > MOST_TEXT:
            raise Unreadable("too long")
        return _unpacked(json.loads(text), make_function, 0)
    except Unreadable:
        raise
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError) as error:
        raise Unreadable(f"not plain data: {type(error).__name__}") from None


def _unpacked(packed, make_function, depth):
    """Return the value of one packed list."""
    if depth > DEEPEST + 2:
        raise Unreadable("nested too deeply")
    kind, *rest = packed
    if kind == "c":
        return {"None": None, "True": True, "False": False, "Ellipsis": ...}[rest[0]]
    if kind in ("a", "s"):
        dtype, shape, data = np.dtype(str(rest[0])), tuple(map(int, rest[1])), rest[2]
        if dtype.kind not in KINDS or dtype.hasobject:
            raise Unreadable("an array of another kind")
        size = math.prod(max(n, 1) for n in shape)  # an empty array may be long, too
        if len(shape) > MOST_AXES or min(shape, default=0) < 0 or size > MOST_BYTES:
            raise Unreadable("an array of an odd shape")
        if len(data) > 2 * MOST_BYTES:
            raise Unreadable("a large array")
        flat = np.frombuffer(base64.b64decode(data, validate=True), dtype)
        value = flat.reshape(shape).copy()
        return value if kind == "a" else value[()]
    if kind == "i":
        return int(rest[0])
    if kind == "f":
        return float.fromhex(rest[0])
    if kind == "z":
        return complex(float.fromhex(rest[0]), float.fromhex(rest[1]))
    if kind == "t":
        return str(rest[0])
    if kind in ("l", "u"):
        values = [_unpacked(each, make_function, depth + 1) for each in rest[0]]
        return values if kind == "l" else tuple(values)
    if kind == "d":
        if len(rest[0]) > MOST_PAIRS:
            raise Unreadable(f"a dictionary of more than {MOST_PAIRS} entries")
        return {
            _unpacked(key, make_function, depth + 1): _unpacked(value, make_function, depth + 1)
            for key, value in rest[0]
        }
    if kind == "n":
        return make_function(str(rest[0]))
    if kind == "o":
        return Foreign(str(rest[0])[:80])
    raise Unreadable("an unknown kind")
