"""Checks of arguments: each error names the argument and says what was expected."""

import operator

import numpy as np


def point(x, dimension, name):
    """Return `x` as a contiguous float array of shape (dimension,), all entries finite."""
    array = floats(x, name)
    if array.shape != (dimension,):
        raise ValueError(
            f"{name} must have shape ({dimension},), one entry per coordinate; "
            f"got shape {array.shape}"
        )
    return _finite(array, name)


def points(x, dimension, name):
    """Return `x` as a contiguous float array of shape (n, dimension), all entries finite."""
    array = floats(x, name)
    if array.ndim != 2 or array.shape[1] != dimension:
        raise ValueError(
            f"{name} must have shape (n, {dimension}), one start per row; got shape {array.shape}"
        )
    if array.shape[0] == 0:
        raise ValueError(f"{name} must hold at least one start; got none")
    return _finite(array, name)


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
    array = np.asarray(x)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be an array of whole numbers; got {x!r}")
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"{name} must be one-dimensional with at least one entry; got shape {array.shape}"
        )
    if array.min() < 0 or array.max() >= count:
        raise ValueError(f"{name} must hold numbers from 0 to {count - 1}; got {x!r}")
    return np.array(array, dtype=np.int64)


def number(x, name, low=None, high=None, open_low=False, open_high=False):
    """Return `x` as a finite float inside the given interval."""
    try:
        if isinstance(x, (str, bytes)):
            raise TypeError
        value = float(x)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number; got {x!r}") from None
    wanted = _interval(low, high, open_low, open_high)
    outside = (
        not np.isfinite(value)
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
        raise TypeError(f"{name} must be a whole number; got {x!r}") from None
    if (low is not None and value < low) or (high is not None and value > high):
        wanted = _interval(low, high, False, False)
        raise ValueError(f"{name} must be a whole number{wanted}; got {value}")
    return value


def flag(x, name):
    """Return `x` as True or False."""
    if not isinstance(x, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {x!r}")
    return bool(x)


def choice(x, name, options):
    """Return `x` if it is one of `options`."""
    if not isinstance(x, (str, int, np.integer, type(None))) or x not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}; got {x!r}")
    return x


def instance(x, name, kind, wanted):
    """Return `x` if it is an instance of `kind`; `wanted` says in words what that is."""
    if not isinstance(x, kind):
        raise TypeError(f"{name} must be {wanted}; got {type(x).__name__}")
    return x


def floats(x, name):
    """Return `x` as a new contiguous float array; a kernel is compiled for writeable ones only."""
    try:
        array = np.asarray(x)
        if array.dtype.kind not in "fiub":
            raise TypeError
        return np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of real numbers; got {x!r}") from None


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
