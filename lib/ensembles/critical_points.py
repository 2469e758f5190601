"""Where the gradient vanishes in a box: Newton's idea, from many starts."""

import numpy as np

from lib import _validation as check
from lib._vectors import norm
from lib.ensembles.runs import uniform_starts
from lib.problems import Problem, critical_point

MOST = 100  # critical points that are told apart; more are a curve of them
STEPS, POLISH = 100, 8
EIGENVALUE_TOL, ROUGH_TOL = 1e-9, 1e-5  # of the largest; where gradients are differences
WIDEST = 1e8
NUDGE = 1e-3  # of the largest curvature: the first shift


def find_critical_points(problem, low, high, n_starts=200, tol=1e-8, distance=1e-3, seed=0):
    r"""Look for the critical points of a function in a box.

    From random starts, :math:`\|\nabla f\|` is brought down by damped Newton steps
    :math:`s=-(H^2+\mu^2I)^{-1}Hg` (Levenberg and Marquardt's method for the equations
    :math:`\nabla f=0`), which come to saddles as readily as to minimizers.

    Parameters
    ----------
    problem : Problem
        The function, of at most 100 coordinates.
    low, high : float or array_like, shape (d,)
        Corners of the box.
    n_starts : int
        Number of random starts.
    tol : float
        Above 0, at most 1. A point counts as critical if its gradient norm is at most `tol` times
        the median of the norms at the starts, and a Newton step from it is short.
    distance : float
        Above 0, at most 1. What short is, as a share of the box's diagonal; points nearer to each
        other than that are one.
    seed : int
        Seed of the starts.

    Returns
    -------
    tuple of CriticalPoint
        At most 100, the lowest first, each with its kind; points outside the box are left out. An
        eigenvalue of the Hessian counts as zero below a billionth of the largest one, or below
        what differences cannot resolve. What no start leads to is missed: a list can be
        incomplete, and more starts find more.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles, problems
    >>> found = ensembles.find_critical_points(problems.himmelblau(), -5, 5)
    >>> [point.kind for point in found].count("minimizer"), len(found)
    (4, 9)

    Notes
    -----
    Used in "Try it on your own function".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    d = problem.dimension
    if d > 100:
        raise ValueError(f"problem must have at most 100 coordinates; {problem.name} has {d}")
    largest = check.number(tol, "tol", low=0.0, high=1.0, open_low=True)
    apart = check.number(distance, "distance", low=0.0, high=1.0, open_low=True)
    count = check.size(n_starts, "n_starts", each=d)
    starts = uniform_starts(count, low, high, d, seed)
    low, high = (np.broadcast_to(check.floats(c, n), d) for c, n in ((low, "low"), (high, "high")))
    if max(np.abs(low).max(), np.abs(high).max()) > WIDEST:
        raise ValueError(f"low and high must be at most {WIDEST:g}: use other units")
    with np.errstate(all="ignore"):  # the box may reach where the function overflows
        norms = [float(norm(problem.gradient(x))) for x in starts]
        usual = float(np.median([size for size in norms if np.isfinite(size)] or [0.0]))
        exact = gradient_source(problem) != "differences"
        return search(problem, starts, low, high, exact, usual, largest, apart)


def search(problem, starts, low, high, exact, usual, tol=1e-8, apart=1e-3):
    """Return the critical points that are found from the starts.

    `exact` tells whether the gradient is, and `usual` is how large it usually is in the box.
    """
    largest = tol * usual if usual > 0.0 else tol
    slack = 1e-6 * (high - low)
    reach, found, kept = apart * float(np.linalg.norm(high - low)), [], []
    for x in starts:
        end, size = _polished(problem, *_descend_norm(problem, x))
        inside = ((low - slack <= end) & (end <= high + slack)).all()
        if size <= largest and inside and _is_near(problem, end, reach):
            found.append((float(problem.value(end)), end))
    found.sort(key=lambda pair: pair[0])
    for value, x in found:
        if all(np.linalg.norm(x - other) > reach for _, other in kept):
            kept.append((value, x))
        if len(kept) == MOST:
            break
    return tuple(
        critical_point(x, _kind(problem, x, exact), value)
        for value, x in kept
        if np.isfinite(value)
    )


def _descend_norm(problem, x):
    """Return where damped Newton steps for a zero gradient end, and the gradient's norm there."""
    x, g = x.copy(), problem.gradient(x)
    size, shift = norm(g), None
    for _ in range(STEPS):
        if not size > 0.0:  # also where it is not a number
            break
        hessian = problem.hessian(x)
        if not np.isfinite(hessian).all():
            break
        curvatures, directions = np.linalg.eigh(hessian)
        largest = np.abs(curvatures).max()
        if largest == 0.0:
            break
        shift = NUDGE * largest if shift is None else shift
        slopes = directions.T @ g
        moved = False
        for _ in range(30):
            floor = max(shift, 1e-15 * largest)
            step = directions @ (slopes * curvatures / (curvatures**2 + floor**2))
            ahead = problem.gradient(x - step)
            if norm(ahead) < size:
                moved = True
                break
            shift = 4.0 * floor
        if not moved:
            break
        x, g, size = x - step, ahead, norm(ahead)
        shift *= 0.2
    return x, float(size)


def _polished(problem, x, size):
    """Return where some plain Newton steps lead, if the gradient is not longer there."""
    end = x
    for _ in range(POLISH):
        hessian, g = problem.hessian(end), problem.gradient(end)
        if not (np.isfinite(hessian).all() and np.isfinite(g).all()):
            return x, size
        end = end - np.linalg.lstsq(hessian, g, rcond=1e-13)[0]
    ahead = float(norm(problem.gradient(end))) if np.isfinite(end).all() else np.inf
    return (end, ahead) if ahead <= size else (x, size)


def _is_near(problem, x, reach):
    """Tell whether Newton steps from here are short, and get shorter: a critical point is near."""
    first = _newton_step(problem, x)
    length = np.linalg.norm(first)
    if not length <= reach:
        return False
    return length <= 1e-9 * reach or np.linalg.norm(_newton_step(problem, x - first)) < 0.9 * length


def _newton_step(problem, x):
    """Return the step to the critical point of the model of second order."""
    hessian = problem.hessian(x)
    if not np.isfinite(hessian).all():
        return np.full(x.size, np.inf)
    curvatures, directions = np.linalg.eigh(hessian)
    slopes = directions.T @ problem.gradient(x)
    seen = np.abs(curvatures) > 1e-13 * np.abs(curvatures).max()
    return directions[:, seen] @ (slopes[seen] / curvatures[seen])


def _kind(problem, x, exact):
    """Return the kind of a critical point; eigenvalues that are not resolved count as zero."""
    columns = np.array([problem.hvp(x, e) for e in np.eye(x.size)])
    eigenvalues = np.linalg.eigvalsh((columns + columns.T) / 2)
    largest = np.abs(eigenvalues).max()
    zero = (EIGENVALUE_TOL if exact else ROUGH_TOL) * largest
    zero = max(zero, 10 * np.abs(columns - columns.T).max())
    low, high = eigenvalues[0], eigenvalues[-1]
    if low > zero:
        return "minimizer"
    if high < -zero:
        return "maximizer"
    return "strict saddle" if low < -zero else "degenerate"


def gradient_source(problem):
    """Return where a problem's gradient comes from: "complex steps", "differences" or "given"."""
    name = getattr(problem.gradient_kernel, "__name__", "")
    if name.startswith("complex_gradient"):
        return "complex steps"
    return "differences" if name.startswith("difference_gradient") else "given"
