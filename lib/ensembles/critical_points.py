"""Where the gradient vanishes in a box: Newton's idea, from many starts."""

import numpy as np

from lib import _validation as check
from lib._vectors import norm
from lib.ensembles.runs import uniform_starts
from lib.problems import Problem, critical_point, rescaled

MOST = 100  # critical points that are told apart; more are a curve of them
STEPS, POLISH = 100, 8
# Curvatures below these shares of the largest are rounding, with an exact gradient and without.
RESOLVED, ROUGHLY_RESOLVED = 1e-13, 1e-5
EIGENVALUE_TOL = 1e-9  # of the largest: what counts as zero, with an exact gradient
HESSIAN_STEP, ROUGH_HESSIAN_STEP = 6e-6, 1e-3  # of the differences in lib.problems.custom
FINEST, WIDEST = 1e-3, 1e8
UNEVEN = 10.0  # widths of a box beyond which each coordinate gets a unit of its own
GOOD_ENOUGH = 1e-14  # of the usual gradient
FAR = 10  # times the size of the box
NUDGE = 1e-3  # of the largest curvature: the first shift
FIVE_POINTS = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([1.0, -8.0, 8.0, -1.0]) / 12.0


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
        Corners of the box, within 1e8 of the origin; where derivatives are differences, its edges
        must be longer than a thousandth of 1 plus the largest coordinate.
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
        the error of the differences that it is made of. What no start leads to is missed: a list
        can be incomplete, and more starts find more.

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
    original = problem
    apart = check.number(distance, "distance", low=0.0, high=1.0, open_low=True)
    count = check.size(n_starts, "n_starts", each=d)
    starts = uniform_starts(count, low, high, d, seed)
    low, high = box(problem, low, high)
    half = (high - low) / 2
    if half.max() > UNEVEN * half.min():
        problem, starts, low, high = rescaled(problem, half), starts / half, low / half, high / half
    else:
        half = np.ones(d)
    with np.errstate(all="ignore"):  # the box may reach where the function overflows
        norms = [float(norm(problem.gradient(x))) for x in starts]
        usual = float(np.median([size for size in norms if np.isfinite(size)] or [0.0]))
        exact = gradient_source(original) != "differences"
        found = search(problem, starts, low, high, exact, usual, half, largest, apart)
    return tuple(critical_point(p.x * half, p.kind, p.value) for p in found)


def box(problem, low, high):
    """Return the corners of a box in which differences make sense."""
    d = problem.dimension
    low, high = (np.broadcast_to(np.asarray(corner, float), d) for corner in (low, high))
    if max(np.abs(low).max(), np.abs(high).max()) > WIDEST:
        raise ValueError(f"low and high must be at most {WIDEST:g}: use other units")
    least = FINEST * (1.0 + max(np.abs(low).max(), np.abs(high).max()))
    if _by_differences(problem) and (high - low).min() < least:
        raise ValueError(
            f"low and high must be at least {least:.2g} apart in every coordinate, a thousandth of "
            "the size of x: the derivatives are differences whose steps are fixed. Measure x in "
            "other units, in the function (x = 1e-6 * x as its first line, say), or give gradient "
            "and hvp"
        )
    return low, high


def _by_differences(problem):
    """Tell whether some derivative is made of differences."""
    made = getattr(problem.hvp_kernel, "__name__", "").startswith(("difference", "wide_difference"))
    return made or gradient_source(problem) == "differences"


def search(problem, starts, low, high, exact, usual, units, tol=1e-8, apart=1e-3):
    """Return the critical points that are found from the starts.

    `exact` tells whether the gradient is, `usual` how large it usually is in the box, and `units`
    in what units of the original problem the coordinates are.
    """
    largest = tol * usual if usual > 0.0 else tol
    slack = 1e-6 * (high - low)
    reach, found, kept = apart * float(np.linalg.norm(high - low)), [], []
    for x in starts:
        if any(np.linalg.norm(x - end) <= reach for _, end in found):
            continue
        enough = GOOD_ENOUGH * usual
        end, size = _polished(problem, *_descend_norm(problem, x, low, high, enough), exact, reach)
        inside = ((low - slack <= end) & (end <= high + slack)).all()
        if size <= largest and inside and is_near(problem, end, exact, usual, reach):
            found.append((float(problem.value(end)), end))
    found.sort(key=lambda pair: pair[0])
    for value, x in found:
        if all(np.linalg.norm(x - other) > reach for _, other in kept):
            kept.append((value, x))
        if len(kept) == MOST:
            break
    return tuple(
        critical_point(x, _kind(problem, x, exact, units, reach), value)
        for value, x in kept
        if np.isfinite(value)
    )


def _descend_norm(problem, x, low, high, enough):
    """Return where damped Newton steps for a zero gradient end, and the gradient's norm there.

    They end where the norm is small enough, far outside the box, or where they stop falling.
    """
    middle, far = (low + high) / 2, FAR * (high - low) / 2
    x, g = x.copy(), problem.gradient(x)
    size, shift = norm(g), NUDGE
    for _ in range(STEPS):
        if not size > enough or (np.abs(x - middle) > far).any():  # also where it is no number
            break
        largest, curvatures, directions = _spectrum(problem, x)
        if not 0.0 < largest < np.inf:
            break
        slopes = directions.T @ (g / largest)
        moved = False
        for _ in range(30):
            shift = max(shift, 1e-15)
            ahead = x - directions @ (slopes * curvatures / (curvatures**2 + shift**2))
            pulls = problem.gradient(ahead) if np.isfinite(ahead).all() else np.inf
            if norm(np.atleast_1d(pulls)) < size:
                moved = True
                break
            shift *= 4.0
        if not moved:
            break
        x, g, size = ahead, pulls, norm(pulls)
        shift *= 0.2
    return x, float(size)


def _polished(problem, x, size, exact, reach):
    """Return where some plain Newton steps lead, if the gradient is not longer there."""
    end = x
    for _ in range(POLISH):
        step = _newton_step(problem, end, exact)[0]
        end = end - step
        if not np.isfinite(end).all():
            return x, size
        if np.linalg.norm(step) <= 1e-9 * reach:
            break
    ahead = float(norm(problem.gradient(end)))
    return (end, ahead) if ahead <= size else (x, size)


def is_near(problem, x, exact, usual, reach):
    """Tell whether a critical point is near.

    Newton steps from here must be short and get shorter, and along directions without curvature
    the value must not change.
    """
    step, blind = _newton_step(problem, x, exact)
    length = np.linalg.norm(step)
    if not length <= reach:
        return False
    if length > 1e-4 * reach:
        ahead = np.linalg.norm(_newton_step(problem, x - step, exact)[0])
        if not ahead < 0.9 * length:
            return False
    width = 0.5 * reach
    for direction in blind.T:
        values = problem.value(x + width * FIVE_POINTS[0][:, None] * direction)
        rounding = 100 * np.finfo(float).eps * np.abs(values).max() / width
        if not abs(FIVE_POINTS[1] @ values) / width <= rounding + 1e-12 * usual:
            return False
    return True


def _newton_step(problem, x, exact):
    """Return the step to the model's critical point, and the directions that it leaves alone."""
    largest, curvatures, directions = _spectrum(problem, x)
    if not largest < np.inf:
        return np.full(x.size, np.inf), directions[:, :0]
    seen = np.abs(curvatures) > (RESOLVED if exact else ROUGHLY_RESOLVED)
    seen &= largest > 0.0
    slopes = directions.T @ problem.gradient(x)
    step = directions[:, seen] @ (slopes[seen] / curvatures[seen])
    return (step / largest if seen.any() else step), directions[:, ~seen]


def _spectrum(problem, x):
    """Return the largest curvature in size, all as shares of it, and their directions."""
    hessian = problem.hessian(x)
    if not np.isfinite(hessian).all():
        return np.inf, np.zeros(x.size), np.eye(x.size)
    curvatures, directions = np.linalg.eigh(hessian)
    largest = float(np.abs(curvatures).max())
    return largest, curvatures / (largest or 1.0), directions


def _kind(problem, x, exact, units, reach):
    """Return the kind of a critical point; eigenvalues that are not resolved count as zero."""
    columns = np.array([problem.hvp(x, e) for e in np.eye(x.size)])
    eigenvalues, directions = np.linalg.eigh((columns + columns.T) / 2)
    relative = EIGENVALUE_TOL if exact else ROUGHLY_RESOLVED
    zero = max(relative * np.abs(eigenvalues).max(), 10 * np.abs(columns - columns.T).max())
    width = 100 * reach  # a tenth of the box
    scale = (1.0 + np.abs(x * units).max()) / np.min(units)  # of steps in the original's units
    step = scale * (HESSIAN_STEP if exact else ROUGH_HESSIAN_STEP)
    pulls = np.abs(directions.T @ problem.gradient(x))
    signs = []
    for value, v, pull in zip(eigenvalues, directions.T, pulls, strict=True):
        # Third and fourth derivative along v tell how far off the curvature is: by the error of
        # the place, and by that of a difference.
        ahead, behind = (v @ problem.hvp(x + side * width * v, v) for side in (1.0, -1.0))
        third, fourth = abs(ahead - behind) / (2 * width), abs(ahead + behind - 2 * value)
        if not exact:
            pull += (HESSIAN_STEP * scale) ** 2 / 6 * third
        error = 10 * (step / width) ** 2 / 6 * fourth + 3 * np.sqrt(2 * third * pull)
        limit = max(zero, error) if np.isfinite(error) else zero
        signs.append(int(value > limit) - int(value < -limit))
    if min(signs) > 0:
        return "minimizer"
    if max(signs) < 0:
        return "maximizer"
    return "strict saddle" if min(signs) < 0 else "degenerate"


def gradient_source(problem):
    """Return where a problem's gradient comes from: "complex steps", "differences" or "given"."""
    name = getattr(problem.gradient_kernel, "__name__", "")
    if name.startswith("complex_gradient"):
        return "complex steps"
    return "differences" if name.startswith("difference_gradient") else "given"
