"""A first look at a function that nobody has described: what is there, and what may go wrong."""

import math
import textwrap
from dataclasses import dataclass

import numpy as np

from lib import _validation as check
from lib.ensembles.critical_points import find_critical_points
from lib.ensembles.runs import run_many, uniform_starts
from lib.problems import CriticalPoint, Problem, critical_point

SAMPLES = 1000  # random points at which the function is looked at
RUNS = 200  # of backtracking gradient descent
EPSILON = np.finfo(float).eps
DIFFERENCE = 6e-6  # the usual step of a central difference
KINK = 1e-6  # of the coordinates: the step across a kink
FAR = 3  # times the size of the box
WIDTH = 78  # characters of a printed line
SMALLEST = 1e-12  # what is printed as another number than 0
ROUGH = 1000  # times the rounding of the values
ILL_CONDITIONED = 1e4
MANY = 10  # critical points of one value: they are not isolated
PER_DIGIT = math.log(10)


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane in which a function is drawn.

    Attributes
    ----------
    origin : ndarray, shape (d,)
        The point at (0, 0) of the picture.
    directions : ndarray, shape (2, d)
        What the two axes of the picture are: the coordinates, if there are two; with more, the
        directions of the smallest and the largest curvature at the lowest minimizer; with one,
        the second axis is nothing.
    xlim, ylim : tuple of two floats
        The window.
    names : tuple of two str
        Of the axes.
    critical_points : tuple of CriticalPoint
        Those that lie in the plane, with their coordinates in it.

    Notes
    -----
    Part of a `Survey`. Used in "Try it on your own function".
    """

    origin: np.ndarray
    directions: np.ndarray
    xlim: tuple
    ylim: tuple
    names: tuple
    critical_points: tuple

    def points(self, flat):
        """Return the points of an array of shape (..., 2), in all d coordinates."""
        return self.origin + np.asarray(flat) @ self.directions

    def heights(self, problem):
        """Return the function that gives a problem's values in the plane, for `contours`."""
        return lambda flat: problem.value(self.points(flat))

    def coordinates(self, x):
        """Return the coordinates of points in the plane, or of what is nearest to them in it."""
        return (np.asarray(x) - self.origin) @ self.directions.T


@dataclass(frozen=True, eq=False)
class Survey:
    """What a first look at a function found.

    Attributes
    ----------
    critical_points : tuple of CriticalPoint
        Those found in the box, the lowest first.
    minimum : CriticalPoint or None
        The lowest minimizer among them.
    eigenvalues : ndarray or None
        Smallest and largest eigenvalue of the Hessian there.
    largest_curvature : float
        Largest eigenvalue, in absolute value, of the Hessians at 100 random points of the box and
        at the critical points: a guess from below of the smoothness constant L in the box.
    flat : float
        Share of random points where the gradient is zero.
    noise : float
        By how much values of neighboring points differ in an irregular way.
    ends : dict
        How many of 200 runs of backtracking gradient descent ended with which status.
    plane : Plane
        Where to draw the function.
    remarks : tuple of str
        What one should know before one trusts a method on this function, in sentences.

    Notes
    -----
    Returned by `survey`. Used in "Try it on your own function".
    """

    critical_points: tuple
    minimum: CriticalPoint | None
    eigenvalues: np.ndarray | None
    largest_curvature: float
    flat: float
    noise: float
    ends: dict
    plane: Plane
    remarks: tuple

    @property
    def condition_number(self):
        """Largest by smallest curvature at the lowest minimizer; NaN without one."""
        if self.eigenvalues is None:
            return math.nan
        low, high = self.eigenvalues
        return float(high / low) if low > 0 else math.inf

    def __str__(self):
        lines = []
        if self.ends:
            kinds = [point.kind for point in self.critical_points]
            each = [f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds)]
            lines.append(f"critical points found: {', '.join(each) or 'none'}")
        if self.critical_points:
            best = self.critical_points[0] if self.minimum is None else self.minimum
            name = "lowest minimizer" if self.minimum else f"lowest one, {best.kind}"
            where = np.array2string(np.round(best.x, 10) + 0.0, precision=4, suppress_small=True)
            value = best.value if abs(best.value) > SMALLEST else 0.0
            lines.append(f"{name}: value {value:.6g} at {where}")
        if self.minimum is not None:
            lines.append(f"condition number there: {self.condition_number:.3g}")
        wrap = textwrap.TextWrapper(WIDTH, subsequent_indent="  ")
        return "\n".join([*lines, *(wrap.fill(f"- {remark}") for remark in self.remarks)])


def survey(problem, low, high, seed=0):
    """Look at a function in a box, and say what is there and what may go wrong.

    Parameters
    ----------
    problem : Problem
        The function, of at most 100 coordinates; see `lib.problems.custom` for your own.
    low, high : float or array_like, shape (d,)
        Corners of the box.
    seed : int
        Seed of the random points.

    Returns
    -------
    Survey
        Critical points, condition number, smoothness, and remarks. Printing it shows the most
        important.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles, problems
    >>> print(ensembles.survey(problems.double_well(), -2, 2))
    critical points found: 2 minimizer, 1 strict saddle
    lowest minimizer: value -0.25 at [ 0. -1.]
    condition number there: 2

    Notes
    -----
    Everything is estimated from random points and runs: a remark is a reason to look, its absence
    no proof. The noise is estimated from a table of differences, after Moré and Wild (2011). Used
    in "Try it on your own function".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    points = uniform_starts(SAMPLES, low, high, problem.dimension, seed)
    plane = _plane(problem, low, high, (), None)
    with np.errstate(all="ignore"):
        values = problem.value(points)
        finite = np.isfinite(values)
        if not finite.any():
            text = (
                "At none of 1000 random points of this box is the value a finite number. Choose "
                "another box, or look for a division by zero or a root of a negative number."
            )
            return Survey((), None, None, math.nan, 0.0, 0.0, {}, plane, (text,))
        remarks = []
        if not finite.all():
            remarks.append(
                f"At {SAMPLES - finite.sum()} of {SAMPLES} random points of the box the value is "
                "not a finite number; a run that comes there ends as diverged."
            )
        points, values = points[finite], values[finite]
        again = problem.value(points)
        if not np.array_equal(again, values):
            change = float(np.max(np.abs(again - values)))
            remarks.append(
                "Computed again at the same point, the value changes, by up to "
                f"{change:.2g}. That is no function but a random number: every gradient made of "
                "it is noise. Draw the random numbers once, before, and use the same ones always; "
                "or write a mean over samples and give its batch_gradient."
            )
            return Survey((), None, None, math.nan, 0.0, change, {}, plane, tuple(remarks))
        size = float(np.max(np.abs(values)))
        norms = np.array([np.linalg.norm(problem.gradient(x)) for x in points])
        steps = np.ptp(points, axis=0).max()
        flat = float(np.mean(norms <= 1e-13 * max(size, 1e-300) / steps))
        noise = _noise(problem, points[:20], steps, seed)
        usual = float(np.median(norms[np.isfinite(norms)])) if np.isfinite(norms).any() else 0.0
        remarks += _about_derivatives(problem, points, size, noise, usual)
        if flat > 0:
            remarks.append(_about_flat(flat))
        rough = noise > ROUGH * EPSILON * size
        found = () if rough else find_critical_points(problem, low, high, seed=seed)
        minimum = next((point for point in found if point.kind == "minimizer"), None)
        spectrum = None if minimum is None else _spectrum(problem, minimum.x)
        places = [*points[:100], *(point.x for point in found)]
        curvatures = [np.abs(_spectrum(problem, x)).max() for x in places]
        curvatures = [c for c in curvatures if np.isfinite(c)]
        largest = float(max(curvatures)) if curvatures else math.nan
        ends, valley, more = _runs(problem, points[:RUNS], values, largest, rough)
        remarks += more
        if minimum is None and valley > ILL_CONDITIONED and not rough and flat == 0:
            remarks.append(
                "Runs of gradient descent end in a narrow valley: across it the curvature is about "
                f"{valley:.0g} times the one along it. That is bad scaling. Change the units "
                "(`problems.rescaled`), or use second derivatives."
            )
        remarks += _about_points(found, minimum, spectrum, flat, rough, problem.dimension)
        plane = _plane(problem, low, high, found, minimum)
    return Survey(found, minimum, spectrum, largest, flat, noise, ends, plane, tuple(remarks))


def _plane(problem, low, high, found, minimum):
    """Return the plane in which a function is drawn."""
    d = problem.dimension
    low, high = (np.broadcast_to(np.asarray(corner, float), d) for corner in (low, high))
    if d <= 2:
        origin, directions, names = np.zeros(d), np.eye(2)[:, :d], ("$x_1$", "$x_2$" * (d - 1))
        limits = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
        xlim, ylim = limits if d == 2 else (limits[0], (-1.0, 1.0))
    else:
        origin, directions, names = (low + high) / 2, np.eye(2, d), ("$x_1$", "$x_2$")
        if minimum is not None:
            origin = minimum.x
            directions = np.linalg.eigh(problem.hessian(origin))[1][:, [0, -1]].T
            names = "along the least curvature", "along the largest curvature"
        half = float(np.mean(high - low)) / 2
        xlim = ylim = (-half, half)
    plane, there = Plane(origin, directions, xlim, ylim, names, ()), []
    for point in found:
        flat = plane.coordinates(point.x)
        if np.linalg.norm(plane.points(flat) - point.x) < 1e-6 * (xlim[1] - xlim[0]):
            there.append(critical_point(flat, point.kind, point.value))
    return Plane(origin, directions, xlim, ylim, names, tuple(there))


def _spectrum(problem, x):
    """Return the smallest and the largest eigenvalue of the Hessian, NaN where it is not finite."""
    hessian = problem.hessian(x)
    if not np.isfinite(hessian).all():
        return np.array([np.nan, np.nan])
    return np.linalg.eigvalsh(hessian)[[0, -1]]


def _noise(problem, points, size, seed):
    """Return the size of irregular differences between values of neighboring points."""
    rng = np.random.default_rng([seed, 7])
    levels = []
    for x in points:
        direction = rng.standard_normal(x.size)
        direction *= 1e-7 * size / np.linalg.norm(direction)
        table = problem.value(x + np.arange(9)[:, None] * direction)
        for order in range(1, 7):
            table = np.diff(table)
            if order >= 4:
                factor = math.factorial(order) ** 2 / math.factorial(2 * order)
                levels.append(math.sqrt(factor * float(np.mean(table**2))))
    levels = [level for level in levels if np.isfinite(level)]
    return float(np.median(levels)) if levels else math.nan


def _about_derivatives(problem, points, size, noise, usual):
    """Return remarks on noise, and on a gradient that does not belong to the value."""
    remarks = []
    if noise > ROUGH * EPSILON * size:
        wrong = noise / DIFFERENCE
        remarks.append(
            f"The values are rough: between close neighbors they jump about by {noise:.1g}. A "
            f"gradient by differences is then wrong by about {wrong:.1g}; where it is usual, the "
            f"gradient is {usual:.1g}. Smooth the function, or compare values far apart: "
            "differences with a step of about the cube root of the noise."
        )
        return remarks
    errors = []
    for x in points[:20]:
        shifts = np.diag(DIFFERENCE * (1 + np.abs(x)))
        slopes = problem.value(x + shifts) - problem.value(x - shifts)
        slopes = slopes / (2 * np.diag(shifts))
        scale = max(np.linalg.norm(slopes), 1e-6 * usual)
        if np.isfinite(slopes).all() and scale > 0:
            errors.append(np.linalg.norm(problem.gradient(x) - slopes) / scale)
    if errors and np.median(errors) > 1e-3:
        remarks.append(
            "The gradient does not belong to the value: it differs from differences of the value "
            f"by {100 * np.median(errors):.0f} %, in the median of {len(errors)} random points. "
            "Look for a mistake in the derivative."
        )
    return remarks


def _about_flat(flat):
    """Return a remark on points where nothing pulls."""
    return (
        f"At {100 * flat:.0f} % of the random points the gradient is zero: the function is flat "
        "there. No gradient method moves from such a start, and noise only wanders about."
    )


def _runs(problem, starts, values, largest, rough):
    """Return how runs of gradient descent end, in how narrow a valley, and what to say of it."""
    first = 1.0 / largest if largest > 0 and np.isfinite(largest) else 1.0
    runs = run_many(
        problem,
        starts,
        method="backtracking_gradient_descent",
        first_step=first,
        sufficient_decrease=1e-4,
        growth=2.0,
        max_iter=3000,
        tol=1e-9 * max(largest, 1e-300) if np.isfinite(largest) else 1e-9,
    )
    ends = runs.counts
    center, size = starts.mean(axis=0), np.ptp(starts, axis=0)
    gone = (runs.status == "diverged") | (np.abs(runs.x - center) > FAR * size).any(axis=1)
    remarks = []
    if gone.any():
        lowest = float(np.min(problem.value(runs.x[gone])))
        text = f"{gone.sum()} of {len(starts)} runs of gradient descent leave the box by far"
        if lowest < values.min() - 100 * np.ptp(values):
            text += f", where the value falls to {lowest:.2g}: the function is unbounded below."
        else:
            text += f", where the value is {lowest:.3g} and still falls."
        remarks.append(text + " No minimizer is to be found that way.")
    stuck = int((runs.status == "line_search_failed").sum())
    if stuck > len(starts) / 20:
        remarks.append(
            f"{stuck} of {len(starts)} runs stop because no step along the gradient lowers the "
            "value: at a kink, at the border of the domain, or where rounding hides the fall."
        )
    kinks = sum(_has_kink(problem, x, largest) for x in runs.x[~gone][:20])
    if kinks and not rough:
        remarks.append(
            f"{kinks} of 20 runs end at a kink, where the slope jumps. All methods here take the "
            "function for smooth: they may stop beside the lowest point, or step across it for "
            "ever. Round the kink off, or expect no more than its place."
        )
    ends_there = [np.abs(_spectrum(problem, x)) for x in runs.x[~gone][:20]]
    ratios = [high / low for low, high in map(sorted, ends_there) if low > 0]
    return ends, float(np.median(ratios)) if ratios else 1.0, remarks


def _has_kink(problem, x, largest):
    """Tell whether the slope jumps at a point, by much more than the curvature explains."""
    steps = KINK * (1 + np.abs(x))
    ahead, behind = problem.value(x + np.diag(steps)), problem.value(x - np.diag(steps))
    here = problem.value(x)
    jumps = np.abs((ahead - here) - (here - behind)) / steps
    return bool((jumps > 100 * steps * largest).any())


def _about_points(found, minimum, spectrum, flat, rough, dimension):
    """Return remarks on the critical points."""
    remarks = []
    if not found and not rough:
        remarks.append(
            "No critical point was found in this box. Look at a larger box, or at its border: runs "
            "may leave through it."
        )
    values = np.array([point.value for point in found])
    same = int((values <= values.min() + 1e-9 * max(1.0, np.ptp(values))).sum()) if found else 0
    degenerate = sum(point.kind == "degenerate" for point in found)
    if same >= MANY:
        remarks.append(
            f"{same} of the points found share the lowest value: they are not isolated but samples "
            "of a curve or a region. Each is as good as the others, and what the eigenvalues say "
            "of a single one decides little."
        )
    elif degenerate and flat == 0:
        remarks.append(
            f"{degenerate} critical points are degenerate: an eigenvalue of the Hessian is zero. "
            "The second derivative does not tell a minimizer from a saddle there, and gradient "
            "descent slows down on the way."
        )
    if spectrum is not None and spectrum[1] > ILL_CONDITIONED * spectrum[0] and same < MANY:
        ratio = spectrum[1] / spectrum[0]
        remarks.append(
            f"The lowest minimizer is badly scaled: its largest curvature is {ratio:.1g} times its "
            "smallest. With the learning rate 1/L gradient descent needs up to "
            f"{PER_DIGIT * ratio:.1g} steps for each further digit. Change the units "
            "(`problems.rescaled`), or use second derivatives."
        )
    if dimension > 2:
        remarks.append(
            f"In {dimension} dimensions random starts find only what attracts many of them, and "
            "pictures show a plane through the lowest minimizer."
        )
    return remarks
