"""Sampled Hessians: which rows to keep, and how much weight to give each of them."""

from dataclasses import dataclass, field

import numpy as np
import scipy

from lib import _validation as check
from lib.curvature.sketching import BLOCK, as_rows, scatter, source

SCHEMES = ("uniform", "row_norm", "leverage", "sketched_leverage")
LOST = 1e-8  # relative singular value below which a sketch knows nothing of a direction


@dataclass(frozen=True, eq=False)
class RowSample:
    """Rows that stand for all rows.

    Attributes
    ----------
    indices : ndarray of int, shape (k,)
        Numbers of the rows, ascending, each once.
    weights : ndarray, shape (k,)
        Their weights in the estimate: the row's own weight times its factor.
    factors : ndarray, shape (k,)
        How much each row counts for: with replacement, the times it was drawn over the times
        expected; without, one over its probability.
    probabilities : ndarray, shape (k,)
        With replacement, the probability of the row in each draw; without, the probability that
        it is in the sample.

    Notes
    -----
    Returned by `sample_rows`. Used in "How much Hessian is enough".
    """

    indices: np.ndarray = field(repr=False)
    weights: np.ndarray = field(repr=False)
    factors: np.ndarray = field(repr=False)
    probabilities: np.ndarray = field(repr=False)


@np.errstate(over="ignore", invalid="ignore")  # what overflows is told below
def gram(A, weights=None):
    r"""Form the weighted Gram matrix :math:`A^\top DA`.

    Parameters
    ----------
    A : array_like or sparse array, shape (n, d)
        The rows.
    weights : array_like, shape (n,), optional
        The diagonal of D, of any sign. Default: all 1.

    Returns
    -------
    ndarray, shape (d, d)
        The matrix, exactly symmetric.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape or is not finite; the message names it.

    Examples
    --------
    >>> from lib import curvature
    >>> curvature.gram([[1.0, 2.0], [3.0, 4.0]], [1.0, -1.0]).tolist()
    [[-8.0, -10.0], [-10.0, -12.0]]

    Notes
    -----
    Blocks of rows go to the BLAS routine for symmetric products. Used in "How much Hessian is
    enough".
    """
    rows = as_rows(A, "A")
    weights = _weights(weights, rows.shape[0])
    total = (_sparse_gram if scipy.sparse.issparse(rows) else _dense_gram)(rows, weights)
    if not np.isfinite(total).all():
        raise ValueError("A must be finite, and with its weights small enough not to overflow")
    return total


@np.errstate(over="ignore", invalid="ignore")  # what overflows is told below
def leverage_scores(A, weights=None, method="exact", oversampling=8, n_projections=12, seed=0):
    r"""Compute how much each row matters for the Gram matrix :math:`A^\top DA`.

    The score of row i is :math:`\ell_i=D_{ii}\,a_i^\top(A^\top DA)^+a_i`, the squared norm of
    row i of an orthonormal basis of the range of :math:`D^{1/2}A`. Scores lie between 0 and 1;
    they add up to the rank.

    Parameters
    ----------
    A : array_like or sparse array, shape (n, d)
        The rows.
    weights : array_like, shape (n,), optional
        The diagonal of D, not negative. Default: all 1.
    method : str
        "exact", by an orthogonal factorization; or "sketched", by that of a count sketch, with
        the norms estimated from a few random projections.
    oversampling : int
        Rows of the count sketch for each column of `A`, at least 1 (sketched only).
    n_projections : int
        Number of projections, at least 1; the relative error of a score is about
        :math:`\sqrt{2/n}` for n of them (sketched only).
    seed : int or numpy.random.Generator
        Seed of the sketch and the projections, at least 0; or where to draw from.

    Returns
    -------
    ndarray, shape (n,)
        The scores.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import curvature
    >>> A = [[1.0, 0.0], [1.0, 0.0], [0.0, 5.0]]
    >>> curvature.leverage_scores(A).round(6).tolist()
    [0.5, 0.5, 1.0]

    Notes
    -----
    The exact scores cost several times as much as the Gram matrix itself: sampling by leverage
    pays where the scores are sketched or used again. In exact scores a row's relative error is
    about the machine's precision times the condition number of :math:`D^{1/2}A`. A direction in
    which the sketch lost the rows to a collision gives scores that are too large, never zero,
    and scores are cut off at 1. Used in "How much Hessian is enough".
    """
    rows = as_rows(A, "A")
    weights = _weights(weights, rows.shape[0])
    if weights is not None and (weights < 0).any():
        raise ValueError(f"weights must not be negative; the smallest is {weights.min():g}")
    root = None if weights is None else np.sqrt(weights)
    draws = source(seed)
    if check.choice(method, "method", ("exact", "sketched")) == "exact":
        whitener = _whitener(rows, root)
    else:
        d = rows.shape[1]
        size = check.size(oversampling, "oversampling", each=d * d) * d
        count = check.size(n_projections, "n_projections", each=max(d, BLOCK))
        whitener = _sketched_whitener(rows, root, size, count, draws)
    scores = np.empty(rows.shape[0])
    for first, block in _blocks(rows, None, BLOCK):
        part = block @ whitener
        if root is not None:
            part *= root[first : first + BLOCK, None]
        scores[first : first + BLOCK] = np.einsum("ij,ij->i", part, part)
    return np.minimum(scores, 1.0)


@np.errstate(over="ignore", invalid="ignore")  # what overflows is told below
def sampling_probabilities(A, weights=None, scheme="leverage", seed=0):
    r"""Compute the probability with which a scheme draws each row.

    Parameters
    ----------
    A : array_like or sparse array, shape (n, d)
        The rows.
    weights : array_like, shape (n,), optional
        The diagonal of D. Default: all 1. Of a negative weight the absolute value counts.
    scheme : str
        "uniform"; "row_norm", in proportion to :math:`|D_{ii}|\,\|a_i\|^2`; "leverage" or
        "sketched_leverage", in proportion to the leverage scores of :math:`|D|^{1/2}A`.
    seed : int or numpy.random.Generator
        Seed of the sketch, at least 0; or where to draw from.

    Returns
    -------
    ndarray, shape (n,)
        Numbers that add up to 1.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range, or all rows are zero.

    Examples
    --------
    >>> from lib import curvature
    >>> curvature.sampling_probabilities([[1.0], [3.0]], scheme="row_norm").tolist()
    [0.1, 0.9]

    Notes
    -----
    Used in "How much Hessian is enough".
    """
    rows = as_rows(A, "A")
    n = rows.shape[0]
    weights = _weights(weights, n)
    size = None if weights is None else np.abs(weights)
    draws = source(seed)
    if check.choice(scheme, "scheme", SCHEMES) == "uniform":
        return np.full(n, 1.0 / n)
    if scheme == "row_norm":
        scores = _squared_norms(rows) if size is None else size * _squared_norms(rows)
    elif scheme == "leverage":
        scores = leverage_scores(rows, size)
    else:
        scores = leverage_scores(rows, size, "sketched", seed=draws)
    total = scores.sum()
    if not np.isfinite(total):
        raise ValueError("A must be finite, and with its weights small enough not to overflow")
    if total == 0.0:
        raise ValueError("A and weights must have a row that is not zero, even when squared")
    return scores / total


def sample_rows(A, weights=None, n_samples=1, scheme="leverage", seed=0, replacement=True):
    r"""Draw rows and weigh them so that the estimate of :math:`A^\top DA` has no bias.

    Parameters
    ----------
    A : array_like or sparse array, shape (n, d)
        The rows.
    weights : array_like, shape (n,), optional
        The diagonal of D. Default: all 1. A negative weight keeps its sign in the estimate.
    n_samples : int
        Number of draws, at least 1; without replacement at most n.
    scheme : str
        How rows are drawn, as for `sampling_probabilities`.
    seed : int or numpy.random.Generator
        Seed, at least 0; or where to draw from.
    replacement : bool
        With replacement the draws are independent. Without, the sample has exactly `n_samples`
        rows, each in it with a probability in proportion to the scheme's but at most 1; the
        estimate from all n rows is exact.

    Returns
    -------
    RowSample
        Rows, their weights in the estimate, and their probabilities.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import curvature
    >>> A = np.arange(20.0).reshape(10, 2)
    >>> sample = curvature.sample_rows(A, n_samples=4, scheme="uniform", replacement=False)
    >>> sample.indices.size, sample.factors.tolist()
    (4, [2.5, 2.5, 2.5, 2.5])

    Notes
    -----
    With replacement, n draws out of n rows do not give the exact matrix: the error falls like
    one over the square root of the number of draws, forever. Without replacement, rows are taken
    at equal distances along a line on which they lie in random order, each as long as its
    probability (systematic sampling), except for uniform draws. A scheme draws rows with
    probability zero only where they contribute nothing. Used in "How much Hessian is enough".
    """
    rows = as_rows(A, "A")
    n = rows.shape[0]
    weights = _weights(weights, n)
    alone = not check.flag(replacement, "replacement")
    count = check.integer(n_samples, "n_samples", low=1, high=n if alone else check.ROOM)
    draws = source(seed)
    if check.choice(scheme, "scheme", SCHEMES) == "uniform":
        if alone:
            indices = np.sort(draws.choice(n, count, replace=False, shuffle=False))
            factors = np.full(count, n / count)
        else:
            indices, times = np.unique(draws.integers(n, size=count), return_counts=True)
            factors = times * (n / count)
        chances = np.full(indices.size, count / n if alone else 1.0 / n)
    else:
        every = sampling_probabilities(rows, weights, scheme, draws)
        if alone:
            every = _inclusion(every, count)
            indices = _systematic(every, draws)
            chances = every[indices]
            factors = 1.0 / chances
        else:
            drawn = draws.choice(n, count, p=every)
            indices, times = np.unique(drawn, return_counts=True)
            chances = every[indices]
            factors = times / (count * chances)
    scaled = factors.copy() if weights is None else weights[indices] * factors
    return RowSample(indices, scaled, factors, chances)


def sampled_gram(A, sample):
    r"""Form the estimate :math:`A^\top\tilde DA` from a sample of the rows.

    Parameters
    ----------
    A : array_like or sparse array, shape (n, d)
        The rows.
    sample : RowSample
        What `sample_rows` drew.

    Returns
    -------
    ndarray, shape (d, d)
        The estimate.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import curvature
    >>> A = np.eye(2)[[0, 1, 0, 1]]
    >>> all_of_them = curvature.sample_rows(A, n_samples=4, replacement=False)
    >>> curvature.sampled_gram(A, all_of_them).round(10).tolist()
    [[2.0, 0.0], [0.0, 2.0]]

    Notes
    -----
    Used in "How much Hessian is enough".
    """
    rows = as_rows(A, "A")
    check.instance(sample, "sample", RowSample, "a RowSample (see lib.curvature.sample_rows)")
    if sample.indices[-1] >= rows.shape[0]:
        raise ValueError(f"sample must be of rows of A, 0 to {rows.shape[0] - 1}; got others")
    return gram(rows[sample.indices], sample.weights)


def _weights(weights, n):
    if weights is None:
        return None
    weights = check.vector(weights, "weights")
    if weights.size != n:
        raise ValueError(
            f"weights must have shape ({n},), one entry per row of A; got shape {weights.shape}"
        )
    return weights


def _dense_gram(rows, weights):
    """Add up the products of blocks; rows of negative weight are subtracted."""
    d = rows.shape[1]
    lower = np.zeros((d, d), order="F")
    dsyrk = scipy.linalg.blas.dsyrk
    if weights is None:
        for first in range(0, rows.shape[0], BLOCK):
            block = rows[first : first + BLOCK]
            lower = dsyrk(1.0, block.T, 1.0, lower, lower=1, overwrite_c=1)
    else:
        root = np.sqrt(np.abs(weights))
        signed = (weights < 0).any()
        for first, block in _blocks(rows, root, BLOCK):
            taken = weights[first : first + BLOCK] < 0
            if signed and taken.any():
                lower = dsyrk(-1.0, block[taken].T, 1.0, lower, lower=1, overwrite_c=1)
                block = block[~taken]
            if block.shape[0]:
                lower = dsyrk(1.0, block.T, 1.0, lower, lower=1, overwrite_c=1)
    return lower + np.tril(lower, -1).T


def _sparse_gram(rows, weights):
    scaled = rows if weights is None else scipy.sparse.diags_array(weights) @ rows
    total = (rows.T @ scaled).toarray()
    return (total + total.T) / 2


def _blocks(rows, root, height):
    """Yield (first row, dense block) of diag(root) times `rows`; a block lives until the next."""
    n, d = rows.shape
    buffer = np.empty((min(height, n), d))
    for first in range(0, n, height):
        block = rows[first : first + height]
        if scipy.sparse.issparse(block):
            block = block.toarray()
        if root is not None:
            scale = root[first : first + height, None]
            block = np.multiply(block, scale, out=buffer[: block.shape[0]])
        yield first, block


def _squared_norms(rows):
    if scipy.sparse.issparse(rows):
        return np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    return np.einsum("ij,ij->i", rows, rows)


def _whitener(rows, root):
    """Return a matrix that turns diag(root) times `rows` into an orthonormal basis of its range."""
    n, d = rows.shape
    triangle = np.empty((0, d))
    for _, block in _blocks(rows, root, max(BLOCK, 4 * d)):
        stacked = np.vstack([triangle, block])
        triangle = scipy.linalg.qr(stacked, mode="r", overwrite_a=True, check_finite=False)[0][:d]
    sizes, axes = _singular(triangle)
    kept = sizes > np.finfo(float).eps * max(n, d) * sizes[0]
    return _divided(axes[:, kept], sizes[kept])


def _sketched_whitener(rows, root, size, count, draws):
    """Return such a matrix for the sketched rows, times random projections."""
    sizes, axes = _singular(scatter(rows, root, size, draws))
    if sizes[0] == 0.0:
        return np.zeros((rows.shape[1], count))
    axes = _divided(axes, np.maximum(sizes, LOST * sizes[0]))
    return axes @ draws.standard_normal((axes.shape[1], count)) / np.sqrt(count)


def _singular(matrix):
    """Return singular values and right singular vectors, in columns."""
    if not np.isfinite(matrix).all():
        raise ValueError("A must be finite, and small enough not to overflow")
    _, sizes, rows = scipy.linalg.svd(matrix, full_matrices=False, check_finite=False)
    return sizes, rows.T


def _divided(axes, sizes):
    with np.errstate(over="ignore", divide="ignore"):
        quotient = axes / sizes
    if not np.isfinite(quotient).all():
        raise ValueError("A must not be so small that its inverse overflows")
    return quotient


def _inclusion(probabilities, count):
    """Return min(1, c p) for each of the probabilities p, with c such that the sum is `count`."""
    positive = probabilities > 0
    if count >= positive.sum():
        return positive.astype(float)
    sure = np.zeros(positive.size, dtype=bool)
    chances = count * probabilities
    while (chances[~sure] >= 1.0).any():
        sure |= chances >= 1.0
        rest = probabilities[~sure].sum()
        chances = np.where(sure, 1.0, (count - sure.sum()) * probabilities / rest)
    return chances


def _systematic(chances, draws):
    """Draw a sample that holds each row with its own probability."""
    sure = np.flatnonzero(chances >= 1.0)
    order = draws.permutation(np.flatnonzero((chances > 0.0) & (chances < 1.0)))
    if order.size == 0:
        return sure
    ends = np.cumsum(chances[order])
    count = round(ends[-1])
    marks = (draws.random() + np.arange(count)) * (ends[-1] / max(count, 1))
    found = np.searchsorted(ends, marks, side="right").clip(max=order.size - 1)
    return np.sort(np.concatenate([sure, order[found]]))
