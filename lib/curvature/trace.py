"""Trace and diagonal of a Hessian from a few Hessian-vector products."""

import math
from dataclasses import dataclass

import numpy as np

from lib import _validation as check
from lib.curvature.hvp import generator, product_at

DISTRIBUTIONS = ("rademacher", "gaussian")


@dataclass(frozen=True, eq=False)
class Estimate:
    """A random estimate with its error bar.

    Attributes
    ----------
    value : float or ndarray, shape (d,)
        The unbiased estimate.
    standard_error : float or ndarray, shape (d,)
        Its estimated standard deviation.
    n_hvp : int
        Hessian-vector products spent.

    Notes
    -----
    Returned by `hutchinson_trace`, `hutchinson_diagonal` and `hutch_plus_plus`. Used in no
    chapter; it is there for problems of your own.
    """

    value: float | np.ndarray
    standard_error: float | np.ndarray
    n_hvp: int


def hutchinson_trace(problem, x, n_vectors=30, distribution="rademacher", seed=0):
    r"""Estimate the trace of the Hessian by Hutchinson's method.

    The mean of :math:`v^\top Hv` over random vectors v with independent entries of mean 0 and
    variance 1.

    Parameters
    ----------
    problem : Problem
        The function.
    x : array_like, shape (d,)
        The point.
    n_vectors : int
        Number of vectors, one Hessian-vector product each; at least 2.
    distribution : str
        "rademacher" (random signs) or "gaussian".
    seed : int
        Seed of the vectors.

    Returns
    -------
    Estimate
        The trace with its standard error.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import curvature, problems
    >>> bowl = problems.quadratic_saddle([1.0, 2.0, 3.0])
    >>> curvature.hutchinson_trace(bowl, [0.0, 0.0, 0.0]).value
    6.0

    Notes
    -----
    The variance of one term is :math:`2\|H\|_F^2` for normal entries, and
    :math:`2\sum_{i\ne j}H_{ij}^2` for signs: never more, and zero for a diagonal matrix. Used in
    no chapter; it is there for problems of your own.
    """
    product = product_at(problem, x)
    count = check.size(n_vectors, "n_vectors", low=2, each=problem.dimension)
    check.choice(distribution, "distribution", DISTRIBUTIONS)
    rng = generator(seed)
    if distribution == "rademacher":
        vectors = _signs(rng, (count, problem.dimension))
    else:
        vectors = rng.standard_normal((count, problem.dimension))
    return _mean(np.array([v @ product(v) for v in vectors]), count)


def hutchinson_diagonal(problem, x, n_vectors=30, seed=0):
    r"""Estimate the diagonal of the Hessian by Hutchinson's method.

    The mean of :math:`v\circ Hv`, entry by entry, over vectors v of random signs.

    Parameters
    ----------
    problem : Problem
        The function.
    x : array_like, shape (d,)
        The point.
    n_vectors : int
        Number of vectors, one Hessian-vector product each; at least 2.
    seed : int
        Seed of the vectors.

    Returns
    -------
    Estimate
        The diagonal with the standard error of each entry.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import curvature, problems
    >>> bowl = problems.quadratic_saddle([1.0, 2.0, 3.0])
    >>> curvature.hutchinson_diagonal(bowl, [0.0, 0.0, 0.0]).value.tolist()
    [1.0, 2.0, 3.0]

    Notes
    -----
    The variance of one term for entry i is :math:`\sum_{j\ne i}H_{ij}^2`. Used in no chapter; it
    is there for problems of your own.
    """
    product = product_at(problem, x)
    count = check.size(n_vectors, "n_vectors", low=2, each=problem.dimension)
    rng = generator(seed)
    vectors = _signs(rng, (count, problem.dimension))
    return _mean(np.array([v * product(v) for v in vectors]), count)


def hutch_plus_plus(problem, x, n_products=30, seed=0):
    r"""Estimate the trace of the Hessian by Hutch++, which splits off the largest eigenvalues.

    A third of the products finds a subspace Q that holds most of the large eigenvalues, a third
    gives the trace on it exactly, and the rest estimates the trace on its complement by
    Hutchinson's method.

    Parameters
    ----------
    problem : Problem
        The function.
    x : array_like, shape (d,)
        The point.
    n_products : int
        Number of Hessian-vector products, at least 4.
    seed : int
        Seed of the vectors.

    Returns
    -------
    Estimate
        The trace with its standard error, which comes from the complement alone.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import curvature, problems
    >>> bowl = problems.quadratic_saddle([1.0, 2.0, 3.0])
    >>> round(curvature.hutch_plus_plus(bowl, [0.0, 0.0, 0.0]).value, 12)
    6.0

    Notes
    -----
    Where the eigenvalues decay fast, the error falls like 1/n with the number n of products
    instead of :math:`1/\sqrt n`; where they do not, a third of the products does the work and
    plain Hutchinson is better. Used in no chapter; it is there for problems of your own.
    """
    product = product_at(problem, x)
    d = problem.dimension
    count = check.size(n_products, "n_products", low=4, each=d)
    rng = generator(seed)
    size = min(count // 3, d)
    images = np.array([product(v) for v in _signs(rng, (size, d))])
    rows = np.ascontiguousarray(np.linalg.qr(images.T)[0].T)
    inside = sum(float(q @ product(q)) for q in rows)
    vectors = _signs(rng, (count - 2 * size, d))
    vectors -= (vectors @ rows.T) @ rows
    outside = _mean(np.array([v @ product(v) for v in vectors]), count)
    return Estimate(inside + outside.value, outside.standard_error, count)


def _signs(rng, shape):
    return 2.0 * rng.integers(0, 2, shape) - 1.0


@np.errstate(over="ignore", invalid="ignore")  # an error bar may be infinite
def _mean(samples, n_hvp):
    """Return the mean of the samples along the first axis with its standard error."""
    value = samples.mean(axis=0)
    error = samples.std(axis=0, ddof=1) / math.sqrt(samples.shape[0])
    if samples.ndim == 1:
        value, error = value.item(), error.item()
    return Estimate(value, error, n_hvp)
