"""Trace the stable manifold of a saddle in the plane by bisection."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from lib import _validation as check
from lib._jit import Slot, stamp
from lib.ensembles._chunks import map_chunks, pieces
from lib.problems import Problem

gradient = Slot("gradient")

LINES = 64  # offsets that one thread traces at a time


@dataclass(frozen=True, eq=False)
class StableManifold:
    """A traced stable manifold.

    Attributes
    ----------
    offsets : ndarray, shape (n,)
        Coordinate along the stable eigenvector.
    heights : ndarray, shape (n,)
        Coordinate along the unstable eigenvector; NaN where the search line holds none.
    points : ndarray, shape (n, 2)
        The traced points.
    stable, unstable : ndarray, shape (2,)
        The unit eigenvectors of the Hessian at the saddle, largest entry positive.

    Notes
    -----
    Used in "The stable manifold".
    """

    offsets: np.ndarray = field(repr=False)
    heights: np.ndarray = field(repr=False)
    points: np.ndarray = field(repr=False)
    stable: np.ndarray
    unstable: np.ndarray


def stable_manifold(
    problem,
    saddle,
    offsets,
    learning_rate=0.1,
    half_width=0.5,
    exit_distance=0.5,
    max_iter=10_000,
    executor=None,
):
    """Find, at each offset along the stable direction, the height that leads into the saddle.

    Starts just above the stable manifold leave the saddle on one side, starts just below on the
    other. Bisection on the side finds the height to the last bit.

    Parameters
    ----------
    problem : Problem
        A problem in the plane.
    saddle : array_like, shape (2,)
        A strict saddle with one negative and one positive eigenvalue.
    offsets : array_like, shape (n,)
        Coordinates along the stable eigenvector, relative to the saddle.
    learning_rate : float
        The step size, positive and below 2 over the positive eigenvalue: beyond that the saddle
        repels in every direction. The manifold depends on it.
    half_width : float
        The search line reaches so far to both sides along the unstable eigenvector.
    exit_distance : float
        A run has left when its unstable coordinate is this far from the saddle.
    max_iter : int
        Largest number of steps a run.
    executor : object with a ``submit`` or ``map`` method, optional
        As for `run_many`.

    Returns
    -------
    StableManifold
        Heights and points; NaN where the search line holds no crossing: its two ends leave on the
        same side, or all between them does. NaN also where `max_iter` is too small to tell: a run
        neither left nor came to the saddle, and the height was not yet known to a relative
        1e-9 of `half_width`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range, or `saddle` is not such a saddle.

    Examples
    --------
    That of the double well is the first axis:

    >>> from lib import ensembles, problems
    >>> traced = ensembles.stable_manifold(problems.double_well(), [0, 0], [-1.0, 0.0, 1.0])
    >>> abs(traced.points[:, 1]).max().item() < 1e-12, traced.points[:, 0].tolist()
    (True, [-1.0, 0.0, 1.0])

    Notes
    -----
    Computes a piece of the set whose measure Lee et al. (2016) show to be zero. Used in "The
    stable manifold".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    if problem.dimension != 2:
        raise ValueError(f"problem must have dimension 2; it has {problem.dimension}")
    center = check.point(saddle, 2, "saddle")
    along = check.vector(offsets, "offsets")
    eigenvalues, vectors = np.linalg.eigh(problem.hessian(center))
    if not eigenvalues[0] < 0 < eigenvalues[1] or np.linalg.norm(problem.gradient(center)) > 1e-6:
        raise ValueError(
            "saddle must be a critical point with one negative and one positive eigenvalue; "
            f"its eigenvalues are {eigenvalues}"
        )
    rate = check.positive(learning_rate, "learning_rate")
    check.number(rate, "learning_rate", high=2.0 / eigenvalues[1], open_high=True)
    unstable, stable = (v * np.sign(v[np.abs(v).argmax()]) for v in vectors.T)
    limits = (
        rate,
        check.positive(half_width, "half_width"),
        check.positive(exit_distance, "exit_distance"),
        check.integer(max_iter, "max_iter", low=1, high=10**9),
    )
    work = partial(_trace_chunk, problem, center, stable, unstable, limits)
    chunks = (along[first:stop] for first, stop in pieces(along.size, LINES))
    (heights,) = map_chunks(work, chunks, along.size, executor)
    points = center + along[:, None] * stable + heights[:, None] * unstable
    return StableManifold(along, heights, points, stable, unstable)


def _trace_chunk(problem, center, stable, unstable, limits, offsets):
    heights = np.empty(offsets.size)
    trace = stamp(_bisect, side=stamp(_side, gradient=problem.gradient_kernel))
    trace(center, stable, unstable, offsets, problem.parameters, *limits, heights)
    return (heights,)


side = Slot("side")


SETTLED = 1e-9
UNKNOWN = 2


def _side(x, center, unstable, p, rate, distance, max_iter):
    """Follow a run; return +1 or -1 for the side on which it leaves, 0 if it ends at the saddle."""
    g = np.empty(2)
    for _ in range(max_iter):
        out = unstable[0] * (x[0] - center[0]) + unstable[1] * (x[1] - center[1])
        if out >= distance:
            return 1
        if out <= -distance:
            return -1
        gradient(x, p, g)
        x[0] -= rate * g[0]
        x[1] -= rate * g[1]
    if abs(x[0] - center[0]) + abs(x[1] - center[1]) <= SETTLED * distance:
        return 0
    return UNKNOWN


def _bisect(center, stable, unstable, offsets, p, rate, width, distance, max_iter, heights):
    x = np.empty(2)
    for n in range(offsets.size):
        low = -width
        high = width
        parted = True
        for end in (low, high):
            for i in range(2):
                x[i] = center[i] + offsets[n] * stable[i] + end * unstable[i]
            where = side(x, center, unstable, p, rate, distance, max_iter)
            parted = parted and where == (1 if end > 0 else -1)
        if not parted:
            heights[n] = np.nan
            continue
        while True:
            middle = 0.5 * (low + high)
            if middle == low or middle == high:
                break
            for i in range(2):
                x[i] = center[i] + offsets[n] * stable[i] + middle * unstable[i]
            where = side(x, center, unstable, p, rate, distance, max_iter)
            if where == 0 or where == UNKNOWN:
                known = where == 0 or high - low <= SETTLED * width
                low = middle if known else np.nan
                high = low
                break
            if where > 0:
                high = middle
            else:
                low = middle
        heights[n] = 0.5 * (low + high) if low > -width and high < width else np.nan
