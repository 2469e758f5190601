"""How many steps it takes to leave the neighborhood of a saddle."""

import math
from functools import partial

import numpy as np

from lib import _validation as check
from lib._jit import Slot, lane, stamp
from lib.ensembles._chunks import map_chunks, pieces
from lib.ensembles.runs import CHUNK, WIDTH, _starts

gradient = Slot("gradient")

NOT_ESCAPED = -1


def escape_times(
    problem,
    starts,
    learning_rate=0.1,
    radius=0.5,
    direction=None,
    center=None,
    max_iter=100_000,
    executor=None,
):
    r"""Count the steps of gradient descent until each run is `radius` away from `center`.

    Parameters
    ----------
    problem : Problem
        The function.
    starts : array_like, shape (n, d)
        One start per row, such as a saddle plus `lib.optimizers.ball_noise`.
    learning_rate : float
        The step size :math:`\alpha`, positive.
    radius : float
        The distance R that counts as escaped, positive.
    direction : array_like, shape (d,), optional
        Measure the distance along this direction only, :math:`|\langle v,x-c\rangle|/\|v\|`.
        Default: the Euclidean distance.
    center : array_like, shape (d,), optional
        The saddle c. Default: the origin.
    max_iter : int
        Give up after so many steps.
    executor : object with a ``submit`` or ``map`` method, optional
        As for `run_many`.

    Returns
    -------
    ndarray of int, shape (n,)
        The first step at which the distance is at least `radius` (0 if it is at the start), or
        -1 where that did not happen within `max_iter` steps.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles, problems
    >>> saddle = problems.quadratic_saddle([1.0, -1.0])
    >>> ensembles.escape_times(saddle, [[0.0, 1e-10], [1.0, 0.0]], direction=[0, 1]).tolist()
    [235, -1]

    Notes
    -----
    Measured along the only direction of negative curvature, :math:`-\gamma`, of a quadratic saddle,
    the answer is :math:`\lceil\log(R/|y_0|)/\log(1+\alpha\gamma)\rceil`. Here :math:`y_0` is the
    coordinate of the start in that direction. Coordinates that have shrunk below 1e-307 or so slow
    the processor tenfold and more; in very long runs let the others have curvature
    :math:`1/\alpha`, which leaves only rounding errors after one step and exactly 0 within about
    20. Used in "The stable manifold", "Escape time", "Escaping without smoothness" and "Five
    results, one picture".
    """
    starts = _starts(problem, starts)
    d = problem.dimension
    if direction is None:
        unit = np.zeros(d)
    else:
        unit = check.point(direction, d, "direction")
        if not unit.any():
            raise ValueError("direction must not be the zero vector")
        unit /= np.abs(unit).max()  # of the largest numbers not even the squares are finite
        unit /= np.linalg.norm(unit)
    work = partial(
        _escape_chunk,
        problem,
        rate=check.positive(learning_rate, "learning_rate"),
        radius=check.positive(radius, "radius"),
        unit=unit,
        center=np.zeros(d) if center is None else check.point(center, d, "center"),
        max_iter=check.integer(max_iter, "max_iter", low=0, high=10**9),
    )
    chunks = (starts[first:stop] for first, stop in pieces(len(starts), CHUNK))
    return map_chunks(work, chunks, len(starts), executor)[0]


def _escape_chunk(problem, starts, rate, radius, unit, center, max_iter):
    times = np.empty(len(starts), dtype=np.int64)
    run = stamp(_escape_all, gradient=problem.gradient_kernel)
    run(starts, problem.parameters, rate, radius, unit, bool(unit.any()), center, max_iter, times)
    return (times,)


def _escape_all(starts, p, rate, radius, unit, along, center, max_iter, times):
    """Run blocks of WIDTH starts side by side, as in `lib.ensembles.runs`."""
    n, d = starts.shape
    x = np.empty((d, WIDTH))
    g = np.empty((d, WIDTH))
    away = np.empty(WIDTH)
    found = np.empty(WIDTH)
    for first in range(0, n, WIDTH):
        for j in range(WIDTH):
            row = min(first + j, n - 1)
            found[j] = NOT_ESCAPED
            for i in range(d):
                x[i, j] = starts[row, i]
        for k in range(max_iter + 1):
            for j in range(WIDTH):
                away[j] = 0.0
            for i in range(d):
                if along and unit[i] == 0.0:  # not even where the gap is infinite
                    continue
                for j in range(WIDTH):
                    gap = x[i, j] - center[i]
                    away[j] += unit[i] * gap if along else gap * gap
            waiting = 0
            for j in range(WIDTH):
                distance = abs(away[j]) if along else math.sqrt(away[j])
                reached = distance >= radius
                found[j] = k if reached and found[j] < 0.0 else found[j]
                waiting += 1 if found[j] < 0.0 else 0
            if waiting == 0:
                break
            for j in range(WIDTH):
                gradient(lane(x, j), p, lane(g, j))
            for i in range(d):
                for j in range(WIDTH):
                    x[i, j] -= rate * g[i, j]
        for j in range(min(WIDTH, n - first)):
            times[first + j] = int(found[j])
