"""Checks of arguments: each error names the argument and says what was expected."""

import math
import operator

import numpy as np

ROOM = 2**29  # the most numbers that one call may put into memory: 4 GiB
EXACT = 2**53  # whole numbers beyond are not all exact as floats
SQUARABLE = 1e150
SHOWN = 200  # characters of a refused value in a message
TEXTS = (str, bytes, bytearray, memoryview)  # float() would read a number in them


def point(x, dimension, name):
    """Return `x` as a contiguous float array of shape (dimension,), all entries finite."""
    array = _real(x, name)
    if array.shape != (dimension,):
        raise ValueError(
            f"{name} must have shape ({dimension},), one entry per coordinate; "
            f"got shape {array.shape}"
        )
    return _finite(_plain(array, name), name)


def points(x, dimension, name):
    """Return `x` as a contiguous float array of shape (n, dimension), all entries finite."""
    array = _real(x, name)
    if array.ndim != 2 or array.shape[1] != dimension:
        raise ValueError(
            f"{name} must have shape (n, {dimension}), one start per row; got shape {array.shape}"
        )
    if array.shape[0] == 0:
        raise ValueError(f"{name} must hold at least one start; got none")
    return _finite(_plain(array, name), name)


def vector(x, name):
    """Return `x` as a contiguous one-dimensional float array with at least one finite entry."""
    array = floats(x, name)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"{name} must be a one-dimensional sequence of numbers, at least one; "
            f"got shape {array.shape}"
        )
    return _finite(array, name)


def matrix(x, name):
    """Return `x` as a contiguous two-dimensional float array, not empty, all entries finite."""
    array = floats(x, name)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"{name} must be a matrix with at least one row and column; got shape {array.shape}"
        )
    return _finite(array, name)


def indices(x, count, name):
    """Return `x` as a contiguous int64 vector with entries 0 to count - 1, at least one."""
    array = array_of(x, name, "an array of whole numbers", "iu")
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"{name} must be one-dimensional with at least one entry; got shape {array.shape}"
        )
    if array.min() < 0 or array.max() >= count:
        raise ValueError(f"{name} must hold numbers from 0 to {count - 1}; got {shown(x)}")
    return np.array(array, dtype=np.int64)


def whole_numbers(x, name, low=0):
    """Return a whole number, or an array of them, of any shape as floats."""
    array = array_of(x, name, "a whole number or an array of them", "iu")
    if array.size and array.min() < low:
        raise ValueError(f"{name} must be at least {low}; got {shown(x)}")
    return _plain(array, name)


def number(x, name, low=None, high=None, open_low=False, open_high=False):
    """Return `x` as a finite float inside the given interval."""
    value = x if type(x) is float else _float(x, name)
    wanted = _interval(low, high, open_low, open_high)
    outside = (
        not math.isfinite(value)
        or (low is not None and (value <= low if open_low else value < low))
        or (high is not None and (value >= high if open_high else value > high))
    )
    if outside:
        raise ValueError(f"{name} must be a finite number{wanted}; got {value!r}")
    return value


def positive(x, name):
    """Return `x` as a finite float above zero."""
    return number(x, name, low=0.0, open_low=True)


def integer(x, name, low=None, high=None):
    """Return `x` as an int inside the given closed interval."""
    try:
        if isinstance(x, (bool, np.bool_)):
            raise TypeError
        value = operator.index(x)
    except TypeError:
        raise TypeError(f"{name} must be a whole number; got {shown(x)}") from None
    if (low is not None and value < low) or (high is not None and value > high):
        wanted = _interval(low, high, False, False)
        raise ValueError(f"{name} must be a whole number{wanted}; got {shown(value)}")
    return value


def count(x, name, low=0):
    """Return `x` as a whole number that kernels and formulas can use: exact as a float."""
    return integer(x, name, low=low, high=EXACT)


def size(x, name, low=1, each=1):
    """Return `x` as a number of things, of `each` numbers, that are put into memory at once."""
    return integer(x, name, low=low, high=max(low, ROOM // max(1, each)))


def flag(x, name):
    """Return `x` as True or False."""
    if not isinstance(x, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {shown(x)}")
    return bool(x)


def choice(x, name, options):
    """Return `x` if it is one of `options`."""
    if not isinstance(x, (str, int, np.integer, type(None))) or x not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}; got {shown(x)}")
    return x


def instance(x, name, kind, wanted):
    """Return `x` if it is an instance of `kind`; `wanted` says in words what that is."""
    if not isinstance(x, kind):
        raise TypeError(f"{name} must be {wanted}; got {type(x).__name__}")
    return x


def floats(x, name, wanted="an array of real numbers"):
    """Return `x` as a new contiguous float array; a kernel is compiled for writeable ones only."""
    return _plain(array_of(x, name, wanted, "fiub"), name)


def sequence(x, name, wanted, most=10_000):
    """Return the entries of a list, tuple or array, at most so many, as a list."""
    try:
        length = len(x)
        if isinstance(x, (*TEXTS, dict, set, frozenset)):
            raise TypeError
        entries = list(x) if length <= most else []
    except (TypeError, ValueError, OverflowError, IndexError):
        raise TypeError(f"{name} must be a sequence of {wanted}; got {shown(x)}") from None
    if length > most:
        raise ValueError(f"{name} must hold at most {most} {wanted}; got {length}")
    return entries


def squarable(array, name):
    """Return `array` if sums of the squares of its entries do not overflow."""
    if np.abs(array).max() > SQUARABLE:
        raise ValueError(
            f"{name} must be at most {SQUARABLE:g} in absolute value, so that squares do not "
            f"overflow; got {np.abs(array).max():g}"
        )
    return array


def room(count, name):
    """Refuse a call that would put `count` numbers into memory at once."""
    if count > ROOM:
        raise ValueError(
            f"{name} must be smaller: {count} numbers would be put into memory, of {ROOM} at most"
        )


def shown(x):
    """Return `x` as a message shows it, cut off where it is long."""
    try:
        text = repr(x)
    except Exception:  # whatever its own __repr__ raises; of a whole number it may be too long
        return f"an object of type {type(x).__name__}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _real(x, name):
    return array_of(x, name, "an array of real numbers", "fiub")


def array_of(x, name, wanted, kinds):
    """Return `x` as an array of one of the kinds of dtype, not copied if it is one."""
    try:
        array = np.asarray(x)
        if array.dtype.kind not in kinds or isinstance(x, bytearray) or np.ma.is_masked(x):
            raise TypeError
    except (TypeError, ValueError, OverflowError, MemoryError):
        raise TypeError(f"{name} must be {wanted}; got {shown(x)}") from None
    return array


def _plain(array, name):
    """Return a contiguous float64 copy; what is too large becomes infinite."""
    room(array.size, name)
    with np.errstate(over="ignore"):
        return np.array(array, dtype=np.float64, order="C")


def _float(x, name):
    """Return `x`, a number of any kind or an array of no axes, as a float."""
    try:
        kind = x.dtype.kind if hasattr(x, "dtype") else "f"
        if kind not in "fiub" or getattr(x, "ndim", 0) or isinstance(x, TEXTS) or x is np.ma.masked:
            raise TypeError
        with np.errstate(over="ignore"):
            return float(x)
    except OverflowError:
        raise ValueError(f"{name} must be a finite number; got {shown(x)}") from None
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number; got {shown(x)}") from None


def _finite(array, name):
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} must be finite; entry {where} is {array[where]}")
    return array


def _interval(low, high, open_low, open_high):
    parts = []
    if low is not None:
        parts.append(f"{'above' if open_low else 'at least'} {low:g}")
    if high is not None:
        parts.append(f"{'below' if open_high else 'at most'} {high:g}")
    return " " + " and ".join(parts) if parts else ""
