"""Sketches: a few random combinations of many rows that keep the Gram matrix on average."""

import numpy as np
import scipy

from lib import _validation as check
from lib._jit import kernel
from lib.curvature.hvp import generator

BLOCK = 1024  # rows at a time
CACHED = 2**15  # entries that stay in the fast part of the cache


@np.errstate(over="ignore", invalid="ignore")  # what overflows is told below
def gaussian_sketch(R, size, seed=0):
    r"""Multiply by a matrix of independent normal numbers of variance 1/size.

    Parameters
    ----------
    R : array_like or sparse array, shape (n, d)
        The rows.
    size : int
        Rows of the sketch, at least 1.
    seed : int or numpy.random.Generator
        Seed, at least 0; or where to draw from.

    Returns
    -------
    ndarray, shape (size, d)
        The sketch :math:`SR`, with :math:`\mathbb E[(SR)^\top SR]=R^\top R`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import curvature
    >>> curvature.gaussian_sketch(np.ones((1000, 3)), 40).shape
    (40, 3)

    Notes
    -----
    Costs size times the entries of `R`. The sketch of the Newton sketch (Pilanci and Wainwright,
    2017). Used in "How much Hessian is enough".
    """
    rows = as_rows(R, "R")
    size = check.size(size, "size", each=max(rows.shape[1], BLOCK))
    draws = source(seed)
    out = np.zeros((rows.shape[1], size))
    for first in range(0, rows.shape[0], BLOCK):
        block = rows[first : first + BLOCK]
        out += block.T @ draws.standard_normal((block.shape[0], size))
    return _checked(np.ascontiguousarray(out.T) / np.sqrt(size), "R")


def count_sketch(R, size, seed=0):
    r"""Add each row, with a random sign, to one random row of the sketch.

    Parameters
    ----------
    R : array_like or sparse array, shape (n, d)
        The rows.
    size : int
        Rows of the sketch, at least 1.
    seed : int or numpy.random.Generator
        Seed, at least 0; or where to draw from.

    Returns
    -------
    ndarray, shape (size, d)
        The sketch :math:`SR`, with :math:`\mathbb E[(SR)^\top SR]=R^\top R`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import curvature
    >>> np.abs(curvature.count_sketch(np.eye(5), 3)).sum(axis=0).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]

    Notes
    -----
    One pass over the entries of `R`, whatever the size. Used in "How much Hessian is enough".
    """
    rows = as_rows(R, "R")
    size = check.size(size, "size", each=rows.shape[1])
    return _checked(scatter(rows, None, size, source(seed)), "R")


def hadamard_sketch(R, size, seed=0):
    r"""Mix all rows by random signs and a Hadamard matrix, then keep a few of the mixtures.

    The subsampled randomized Hadamard transform: with n padded by zero rows to N, a power of
    two, :math:`S=\sqrt{N/m}\,P\,(H/\sqrt N)\,D` where D holds random signs, H is the Hadamard
    matrix and P picks m rows without replacement.

    Parameters
    ----------
    R : array_like or sparse array, shape (n, d)
        The rows. A sparse `R` is made dense: the mixtures are.
    size : int
        Rows m of the sketch, from 1 to N. For m = N the Gram matrix is exact.
    seed : int or numpy.random.Generator
        Seed, at least 0; or where to draw from.

    Returns
    -------
    ndarray, shape (size, d)
        The sketch :math:`SR`, with :math:`\mathbb E[(SR)^\top SR]=R^\top R`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import curvature
    >>> R = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> S_R = curvature.hadamard_sketch(R, 4)
    >>> (S_R.T @ S_R).round(10).tolist() == (R.T @ R).tolist()
    True

    Notes
    -----
    Costs :math:`O(dN\log N)`, by the fast Walsh-Hadamard transform. Used in "How much Hessian is
    enough".
    """
    rows = as_rows(R, "R")
    n, d = rows.shape
    height = padded(n)
    size = check.integer(size, "size", low=1, high=height)
    draws = source(seed)
    check.room(height * d, "R")
    mixed = np.zeros((height, d))
    mixed[:n] = rows.toarray() if scipy.sparse.issparse(rows) else rows
    mixed[:n] *= _signs(n, draws)[:, None]
    _transform(mixed)
    kept = np.sort(draws.choice(height, size, replace=False, shuffle=False))
    return _checked(mixed[kept] / np.sqrt(size), "R")


SKETCHES = {"gaussian": gaussian_sketch, "count": count_sketch, "hadamard": hadamard_sketch}


def padded(n):
    """Return the smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()


def source(seed):
    """Return `seed` if it is a generator of random numbers, else a new one of that seed."""
    return seed if isinstance(seed, np.random.Generator) else generator(seed)


def as_rows(A, name):
    """Return `A` as a two-dimensional float array or CSR array; without a copy if it is one.

    Entries are not looked at: what is made of them is tested to be finite, which is quicker.
    """
    if scipy.sparse.issparse(A):
        if A.dtype.kind not in "fiub":
            raise TypeError(f"{name} must hold real numbers; got dtype {A.dtype}")
        rows = scipy.sparse.csr_array(A).astype(np.float64, copy=False)
    else:
        rows = A
        if type(A) is not np.ndarray or A.dtype != np.float64:
            rows = check.floats(A, name)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(
            f"{name} must be a matrix with at least one row and column; got shape {rows.shape}"
        )
    check.room(rows.nnz if scipy.sparse.issparse(rows) else rows.size, name)
    return rows


def scatter(rows, scale, size, draws):
    """Return the count sketch of diag(scale) times `rows` (see `as_rows`)."""
    n, d = rows.shape
    out = np.zeros((size, d))
    buckets = draws.integers(size, size=n)
    signs = _signs(n, draws)
    if scale is not None:
        signs *= scale
    if scipy.sparse.issparse(rows):
        _scatter_sparse(rows.data, rows.indices, rows.indptr, buckets, signs, out)
    else:
        _scatter_dense(np.ascontiguousarray(rows), buckets, signs, out)
    return out


def _signs(n, draws):
    return 2.0 * draws.integers(2, size=n) - 1.0


def _checked(sketch, name):
    if not np.isfinite(sketch).all():
        raise ValueError(f"{name} must be finite, and small enough not to overflow")
    return sketch


@kernel
def _scatter_dense(rows, buckets, signs, out):
    for i in range(rows.shape[0]):
        bucket = buckets[i]
        sign = signs[i]
        for j in range(rows.shape[1]):
            out[bucket, j] += sign * rows[i, j]


@kernel
def _scatter_sparse(data, columns, ends, buckets, signs, out):
    for i in range(buckets.size):
        bucket = buckets[i]
        sign = signs[i]
        for k in range(ends[i], ends[i + 1]):
            out[bucket, columns[k]] += sign * data[k]


@kernel
def _levels(block, first, last, low, high):
    """Do the butterflies of width `low` to `high` on some of the rows."""
    half = low
    while half < high:
        for start in range(first, last, 2 * half):
            for i in range(start, start + half):
                for j in range(block.shape[1]):
                    a = block[i, j]
                    b = block[i + half, j]
                    block[i, j] = a + b
                    block[i + half, j] = a - b
        half *= 2


@kernel
def _transform(block):
    """Multiply `block` by the Hadamard matrix in place; its number of rows is a power of two."""
    n, d = block.shape
    chunk = 1
    while 2 * chunk <= n and 2 * chunk * d <= CACHED:
        chunk *= 2
    for first in range(0, n, chunk):
        _levels(block, first, first + chunk, 1, chunk)
    _levels(block, 0, n, chunk, n)
