"""A first look at a function that nobody has described: what is there, and what may go wrong."""

import math
import textwrap
from dataclasses import dataclass

import numpy as np

from lib import _validation as check
from lib.ensembles.critical_points import MOST, box, gradient_source, is_near, search
from lib.ensembles.runs import run_many, uniform_starts
from lib.problems import CriticalPoint, Problem, critical_point, rescaled

SAMPLES = 1000  # random points at which the function is looked at
STARTS = 200  # of runs, and of the search for critical points
MAX_ITER = 3000
LOOKS = 100  # Hessians
EPSILON = np.finfo(float).eps
DIFFERENCE = 6e-6  # the usual step of a central difference
FAR = 3  # times the size of the box
KINKS = (1e-6, 1e-5, 1e-4, 1e-3)  # steps across a kink, in sizes of the box
WIDTH = 78  # characters of a printed line
SMALLEST = 1e-12  # what is printed as another number than 0
ROUGH = 1000  # times the rounding of the values
ILL_CONDITIONED = 1e4
UNRESOLVED = 1e12  # a ratio of curvatures beyond which the smaller is rounding
MANY = 10  # critical points of one value: they are not isolated
PER_DIGIT = math.log(10)
SOURCES = {
    "complex steps": "by complex steps, to the last digits",
    "differences": "by differences of values, to about ten digits",
    "given": "as the problem gives it",
}


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
        the second direction is zero, and the second axis shows the value.
    xlim, ylim : tuple of two floats
        The window.
    names : tuple of two str
        Of the axes.
    critical_points : tuple of CriticalPoint
        Those that lie in the plane, with their places in it.

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

    def places(self, problem, x):
        """Return where points of shape (n, d) stand in the picture, NaN if they are not finite."""
        x = np.asarray(x, float)
        finite = np.isfinite(x).all(axis=-1)
        places = np.full((len(x), 2), np.nan)
        places[finite] = self.coordinates(x[finite])
        if x.shape[1] == 1:
            places[finite, 1] = problem.value(x[finite])
        return places


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
    gradient : str
        Where the gradient comes from: "complex steps", "differences" or "given".
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
    gradient: str
    ends: dict
    plane: Plane
    remarks: tuple

    @property
    def condition_number(self):
        """Largest by smallest curvature at the lowest minimizer; NaN without one."""
        return math.nan if self.eigenvalues is None else float(np.divide(*self.eigenvalues[::-1]))

    @property
    def learning_rate(self):
        """One by the largest curvature seen; 1 where none was seen."""
        seen = self.largest_curvature
        return 1.0 / seen if np.isfinite(seen) and seen > 0.0 else 1.0

    def __str__(self):
        lines = [f"gradient: {SOURCES[self.gradient]}"]
        if self.ends:
            kinds = [point.kind for point in self.critical_points]
            each = [_count(kinds.count(k), k) for k in dict.fromkeys(kinds)]
            more = " (the lowest 100; there are more)" if len(kinds) == MOST else ""
            lines.append(f"critical points found: {', '.join(each) or 'none'}{more}")
        if self.critical_points:
            best = self.critical_points[0] if self.minimum is None else self.minimum
            name = "lowest minimizer" if self.minimum else f"the lowest one, {best.kind}"
            value = best.value if abs(best.value) > SMALLEST else 0.0
            lines.append(f"{name}: value {value:.6g} at {_shown(best.x)}")
        if self.minimum is not None:
            lines.append(f"condition number there: {self.condition_number:.2g}")
        wrap = textwrap.TextWrapper(WIDTH, subsequent_indent="  ")
        return "\n".join([*lines, *(wrap.fill(f"- {remark}") for remark in self.remarks)])


def _count(number, kind):
    """Return a number of critical points in words."""
    if kind == "degenerate":
        return f"{number} degenerate"
    return f"{number} {kind}" + ("s" if number > 1 else "")


def survey(problem, low, high, seed=0):
    """Look at a function in a box, and say what is there and what may go wrong.

    Parameters
    ----------
    problem : Problem
        The function, of at most 100 coordinates; see `lib.problems.custom` for your own.
    low, high : float or array_like, shape (d,)
        Corners of the box, within 1e8 of the origin; where derivatives are differences, its edges
        must be longer than a thousandth of 1 plus the largest coordinate.
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
    gradient: as the problem gives it
    critical points found: 2 minimizers, 1 strict saddle
    lowest minimizer: value -0.25 at [ 0. -1.]
    condition number there: 2

    Notes
    -----
    Everything is estimated from random points and runs: a remark is a reason to look, its absence
    no proof. All of it is done in units in which the box and the differences of values are about 1,
    so that the units of the function do not matter. The noise is estimated from a table of
    differences, after Moré and Wild (2011). Used in "Try it on your own function".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    points = uniform_starts(SAMPLES, low, high, problem.dimension, seed)
    return _Look(problem, points, low, high, seed).survey()


class _Look:
    """A survey being made."""

    def __init__(self, problem, points, low, high, seed):
        d = problem.dimension
        if d > 100:
            raise ValueError(f"problem must have at most 100 coordinates; {problem.name} has {d}")
        self.original, self.seed, self.remarks = problem, seed, []
        self.low, self.high = box(problem, low, high)
        self.half = (self.high - self.low) / 2
        self.source = gradient_source(problem)
        self.points = points

    def say(self, text):
        """Add a remark."""
        self.remarks.append(text)

    def made(self, found=(), minimum=None, spectrum=None, curvature=math.nan, flat=0.0, noise=0.0):
        """Return the survey as far as it has come."""
        plane = self.plane(found, minimum)
        ends = getattr(self, "ends", {})
        remarks = tuple(self.remarks)
        numbers = (found, minimum, spectrum, curvature, flat, noise)
        return Survey(*numbers, self.source, ends, plane, remarks)

    def survey(self):
        """Look at everything."""
        with np.errstate(all="ignore"):
            change = self.values()
            if change is not None:
                return self.made(noise=change)
            noise, rough = self.derivatives()
            flat = self.flatness(rough)
            runs = self.runs(rough)
            found = () if rough else self.points_found(runs)
            if self.source == "differences":  # across a kink they give a slope and a curvature
                found = tuple(z for z in found if not _has_kink(self.problem, z.x / self.half))
            minimum = next((point for point in found if point.kind == "minimizer"), None)
            self.about_points(found, minimum, flat, rough)
            spectrum = None if minimum is None else _spectrum(self.hessian(minimum.x))
            places = [*self.points[:LOOKS], *(point.x for point in found)]
            seen = [np.abs(_spectrum(self.hessian(x))).max() for x in places]
            seen = [size for size in seen if np.isfinite(size)]
            return self.made(found, minimum, spectrum, max(seen, default=math.nan), flat, noise)

    def hessian(self, x):
        """Return the Hessian in the function's own units."""
        return self.problem.hessian(x / self.half) * self.unit / np.outer(self.half, self.half)

    def plane(self, found, minimum):
        """Return the plane in which the function is drawn."""
        problem, low, high = self.original, self.low, self.high
        d = problem.dimension
        if d <= 2:
            origin, directions, names = np.zeros(d), np.eye(2)[:, :d], ("$x_1$", "$x_2$")
            xlim, *rest = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
            ylim = rest[0] if rest else _heights(problem, xlim)
            names = names if rest else ("$x_1$", "value")
        else:
            origin, directions, names = (low + high) / 2, np.eye(2, d), ("$x_1$", "$x_2$")
            if minimum is not None:
                origin = minimum.x
                directions = np.linalg.eigh(self.hessian(origin))[1][:, [0, -1]].T
                names = "along the least curvature", "along the largest curvature"
            half = float(np.mean(high - low)) / 2
            xlim = ylim = (-half, half)
        plane, there = Plane(origin, directions, xlim, ylim, names, ()), []
        for point in found:
            aside = plane.points(plane.coordinates(point.x)) - point.x
            if np.linalg.norm(aside) < 1e-6 * (xlim[1] - xlim[0]):
                (place,) = plane.places(problem, [point.x])
                there.append(critical_point(place, point.kind, point.value))
        return Plane(origin, directions, xlim, ylim, names, tuple(there))

    def values(self):
        """Look at the values; return how much they change at one point, or None."""
        values = self.original.value(self.points)
        finite = np.isfinite(values)
        if not finite.any():
            self.say(
                "At none of 1000 random points of this box is the value a finite number. Choose "
                "another box, or look for a division by zero or a root of a negative number."
            )
            return 0.0
        if not finite.all():
            self.say(
                f"At {SAMPLES - finite.sum()} of {SAMPLES} random points of the box the value is "
                "not a finite number; a run that comes there ends as diverged."
            )
        self.points, values = self.points[finite], values[finite]
        again = self.original.value(self.points)
        if not np.array_equal(again, values):
            change = float(np.max(np.abs(again - values)))
            self.say(
                "Computed again at the same point, the value changes, by up to "
                f"{change:.2g}. That is no function but a random number: every gradient made of "
                "it is noise. Draw the random numbers once, before, and use the same ones always; "
                "or write a mean over samples and give its batch_gradient."
            )
            return change
        spread = float(np.ptp(values)) or 1.0
        self.unit = spread = min(max(spread, 1e-60), 1e60)
        half = np.clip(self.half, 1e-60, 1e60)
        self.problem = rescaled(self.original, half, 1.0 / spread)
        self.half, self.z = half, self.points / half
        self.heights = values / spread
        return None

    def derivatives(self):
        """Look at noise and gradients; return the noise and whether it spoils differences."""
        size = float(np.max(np.abs(self.heights)))
        noise = _noise(self.problem, self.z[:20], self.seed)
        self.slopes = np.array([self.problem.gradient(z) for z in self.z])
        if noise > ROUGH * EPSILON * size:
            step = noise ** (1 / 3)
            usual = np.median([np.linalg.norm(_slopes(self.problem, z, step)) for z in self.z[:50]])
            self.say(
                f"The values are rough: between close neighbors they jump about by "
                f"{noise * self.unit:.0e}. A gradient by the usual differences is then wrong by up "
                f"to {noise / DIFFERENCE / usual:.1g} times its size. Smooth the function, or take "
                "differences with a step of about the cube root of the noise (in units in which "
                "box and values are about 1)."
            )
            return noise * self.unit, True
        broken = ~np.isfinite(self.slopes).all(axis=1)
        if broken.any():
            self.say(
                f"At {100 * broken.mean():.0f} % of the random points the gradient is not a finite "
                "number, though the value is: it has a pole there, or a number on the way to it "
                "overflows, such as np.exp of more than 709."
            )
        wrong = -int(broken.sum())
        for z, given in zip(self.z, self.slopes, strict=True):
            slopes = _slopes(self.problem, z, DIFFERENCE)
            error = 1e-4 * np.abs(slopes) + 1e3 * EPSILON * size / DIFFERENCE + 1e-6
            wrong += bool(not (np.abs(given - slopes) <= error).all() and np.isfinite(slopes).all())
        if wrong > SAMPLES / 100:
            self.say(
                "The gradient does not belong to the value: at "
                f"{100 * wrong / len(self.z):.0f} % of the random points it differs from "
                "differences of the value. Look for a mistake in the derivative, or for kinks and "
                "jumps."
            )
        return noise * self.unit, False

    def flatness(self, rough):
        """Look for points where nothing pulls; return their share."""
        if rough:
            return 0.0
        sizes = np.linalg.norm(self.slopes, axis=1)
        zero = 0.0
        if self.source == "differences":
            zero = 10 * EPSILON * np.abs(self.heights) / DIFFERENCE
        flat = float(np.mean(sizes <= zero))
        if flat > 0.0:
            more = " It is constant here, or it goes in steps." if flat == 1.0 else ""
            self.say(
                f"At {100 * flat:.0f} % of the random points the gradient is zero: the function is "
                "flat there. No gradient method moves from such a start, and noise only wanders "
                f"about.{more}"
            )
        return flat

    def runs(self, rough):
        """Run gradient descent from many points and look at where it ends."""
        starts = self.z[:STARTS]
        looks = [np.abs(_spectrum(self.problem.hessian(z))).max() for z in self.z[:LOOKS]]
        largest = max((size for size in looks if np.isfinite(size)), default=1.0) or 1.0
        sizes = np.linalg.norm(self.slopes, axis=1)
        sizes = sizes[np.isfinite(sizes)]
        self.usual = float(np.median(sizes)) if sizes.size else 0.0
        runs = run_many(
            self.problem,
            starts,
            method="backtracking_gradient_descent",
            first_step=1.0 / max(largest, sizes.max(initial=0.0)),
            sufficient_decrease=1e-4,
            growth=1.5,
            max_iter=MAX_ITER,
            tol=1e-9 * largest,
        )
        self.ends, status = runs.counts, runs.status
        finite = np.isfinite(runs.x).all(axis=1)
        away = ~(np.abs(runs.x - (self.low + self.high) / 2 / self.half) <= FAR).all(axis=1)
        settled = away & (status == "converged")
        settled[settled] = [self.is_critical(z) for z in runs.x[settled]]
        gone = (status == "diverged") | (away & ~settled)
        values = np.full(len(starts), np.nan)
        values[finite] = self.problem.value(runs.x[finite])
        lows = values[gone & ~np.isnan(values)]
        self.unbounded = bool(gone.any() and lows.size and lows.min() < self.heights.min() - 100)
        if gone.any():
            text = f"{gone.sum()} of {len(starts)} runs of gradient descent leave the box by far"
            if self.unbounded:
                text += (
                    f", where the value falls to {lows.min() * self.unit:.0e}: the function seems "
                    "to be unbounded below."
                )
            elif lows.size:
                text += f", where the value is {lows.min() * self.unit:.3g} and still falls."
            else:
                text += ", to where the value is no finite number."
            self.say(text + " No minimizer is to be found that way.")
        if settled.any():
            self.say(
                f"{settled.sum()} of {len(starts)} runs of gradient descent settle outside the "
                "box. Look there: enlarge the box."
            )
        inside = ~gone & ~away
        self.holes(runs.x[inside], values[inside], sizes, rough)
        stuck = int((status == "line_search_failed").sum())
        there = runs.x[~gone][:20]
        self.kinks = 0 if rough else sum(_has_kink(self.problem, z) for z in there)
        if self.kinks:
            self.say(
                f"{self.kinks} of {len(there)} runs end at a kink, where the slope jumps. All "
                "methods here take the function for smooth: they may stop beside the lowest "
                "point, or step across it for ever. Round the kink off, or expect no more than "
                "its place."
            )
        elif stuck > len(starts) / 20 and not rough and not self.poles:
            self.say(
                f"{stuck} of {len(starts)} runs stop because no step along the gradient lowers the "
                "value: at the border of the domain, or where rounding hides the fall."
            )
        self.ended = there
        self.unfinished = runs.x[(status == "max_iter") & ~away]
        return runs.x[~away]

    def is_critical(self, z):
        """Tell whether there is a critical point near the end of a run."""
        return is_near(self.problem, z, self.source != "differences", self.usual, 2e-3)

    def holes(self, ends, values, sizes, rough):
        """Look for runs that fall into a pole."""
        self.poles = False
        if rough or not len(ends):
            return
        slopes = [np.linalg.norm(self.problem.gradient(z + 1e-8)) for z in ends]
        steep = (np.array(slopes) > 100 * sizes.max(initial=0.0)) & (values < self.heights.min())
        self.poles = bool(steep.any())
        if self.poles:
            place = (ends[steep] * self.half)[np.argmin(values[steep])]
            self.say(
                f"{steep.sum()} of {STARTS} runs of gradient descent fall into a hole at "
                f"{_shown(place)}, where the slope grows without end: a pole, it seems, at which "
                "the function is unbounded below."
            )

    def points_found(self, ends):
        """Return the critical points in the box, in the function's own units."""
        starts = uniform_starts(STARTS, -1, 1, self.original.dimension, self.seed)
        middle = (self.low + self.high) / 2 / self.half
        starts = np.concatenate([starts + middle, ends])
        exact = self.source != "differences"
        found = search(self.problem, starts, middle - 1, middle + 1, exact, self.usual, self.half)
        return tuple(
            critical_point(p.x * self.half, p.kind, p.value * self.unit)
            for p in found
            if np.isfinite(p.value * self.unit) and np.isfinite(p.x * self.half).all()
        )

    def about_points(self, found, minimum, flat, rough):
        """Say what there is to say of the critical points."""
        if not found and not rough and not self.kinks and not self.poles:
            self.say(
                "No critical point was found in this box. Look at a larger box; or the value falls "
                "towards a limit that it never reaches."
            )
        values = np.array([point.value for point in found]) / self.unit
        same = int((values <= values.min() + 1e-9).sum()) if found else 0
        degenerate = sum(point.kind == "degenerate" for point in found)
        if same >= MANY and flat < 1.0:
            self.say(
                f"{same} of the points found share the lowest value. If they are not isolated, "
                "they are samples of a curve or a region, and what the eigenvalues say of a single "
                "one decides little."
            )
        elif degenerate and flat == 0.0:
            self.say(
                f"{_count(degenerate, 'degenerate')}: an eigenvalue of the Hessian is zero. The "
                "second derivative does not tell a minimizer from a saddle there, and gradient "
                "descent slows down on the way."
            )
        if minimum is not None:
            below = np.mean(self.heights < minimum.value / self.unit - 1e-6)
            if below > 0 and not self.unbounded:
                self.say(
                    f"At {100 * below:.1f} % of the random points the value is lower than at the "
                    "lowest minimizer: look at the border of the box, at poles, or for further "
                    "minimizers."
                )
        self.about_scaling(minimum, same, flat, rough)
        if self.original.dimension > 2:
            through = "the lowest minimizer" if minimum is not None else "the middle of the box"
            self.say(
                f"In {self.original.dimension} dimensions random starts find only what attracts "
                f"many of them, and pictures show a plane through {through}."
            )

    def about_scaling(self, minimum, same, flat, rough):
        """Say whether curvatures differ too much, at the lowest minimizer or where runs crawl."""
        if rough or flat or same >= MANY or self.kinks or self.poles:
            return
        places, ratio, where = [], 0.0, "The lowest minimizer is badly scaled"
        if minimum is not None:
            low, high = _spectrum(self.hessian(minimum.x))
            ratio, places = high / low, [minimum.x / self.half, *self.ended]
        crawl = [_ratio(self.problem, z) for z in self.unfinished[:20]]
        crawl = [min(each, UNRESOLVED) for each in crawl if each >= 1.0]
        if ratio <= ILL_CONDITIONED and crawl and np.median(crawl) > ILL_CONDITIONED:
            ratio, places = float(np.median(crawl)), [*self.unfinished[:20], *self.ended]
            where = f"{len(self.unfinished)} runs of gradient descent crawl along a narrow valley"
        if not ILL_CONDITIONED < ratio <= UNRESOLVED:
            return
        axes = [np.abs(np.linalg.eigh(self.problem.hessian(z))[1][:, -1]) for z in places]
        axes = np.min(axes, axis=0)
        cure = (
            f"Change the units of x[{axes.argmax()}] (`problems.rescaled`)"
            if axes.max() > 0.99
            else "The steep direction is no coordinate, so other units do not help: use second "
            "derivatives"
        )
        size, cost = f"{ratio:.0e}", f"up to {PER_DIGIT * ratio:.0e}"
        if ratio == UNRESOLVED:
            size, cost = f"more than {size}", f"more than {PER_DIGIT * ratio:.0e}"
        self.say(
            f"{where}: the largest curvature is {size} times the smallest. With the learning rate "
            f"1/L, for the largest curvature L, gradient descent needs {cost} steps for each "
            f"further digit. {cure}."
        )


def _heights(problem, xlim):
    """Return limits for the values of a function of one coordinate."""
    values = problem.value(np.linspace(*xlim, 500)[:, None])
    values = values[np.isfinite(values)]
    if not values.size:
        return -1.0, 1.0
    room = 0.08 * float(np.ptp(values)) or max(1.0, float(np.abs(values).max()))
    return float(values.min()) - room, float(values.max()) + room


def _spectrum(hessian):
    """Return the smallest and the largest eigenvalue of a Hessian, NaN where it is not finite."""
    if not np.isfinite(hessian).all():
        return np.array([np.nan, np.nan])
    return np.linalg.eigvalsh(hessian)[[0, -1]]


def _ratio(problem, x):
    """Return the largest curvature by the smallest, both in absolute value."""
    hessian = problem.hessian(x)
    if not np.isfinite(hessian).all():
        return math.nan
    sizes = np.abs(np.linalg.eigvalsh(hessian))
    return float(sizes.max() / sizes.min()) if sizes.min() > 0 else math.inf


def _slopes(problem, x, step):
    """Return the gradient by central differences of the value."""
    steps = step * (1.0 + np.abs(x))
    shifts = np.diag(steps)
    return (problem.value(x + shifts) - problem.value(x - shifts)) / (2.0 * steps)


def _noise(problem, points, seed):
    """Return the size of irregular differences between values of neighboring points."""
    rng = np.random.default_rng([seed, 7])
    levels = []
    for x in points:
        direction = rng.standard_normal(x.size)
        direction *= 1e-6 / np.linalg.norm(direction)
        table = problem.value(x + np.arange(9)[:, None] * direction)
        for order in range(1, 7):
            table = np.diff(table)
            if order >= 4:
                factor = math.factorial(order) ** 2 / math.factorial(2 * order)
                levels.append(math.sqrt(factor * float(np.mean(table**2))))
    levels = [level for level in levels if np.isfinite(level)]
    return float(np.quantile(levels, 0.75)) if levels else math.nan  # some tables see no wave


def _has_kink(problem, x):
    """Tell whether the slope jumps at a point: by as much across a short step as a longer one."""
    here, jumps = problem.value(x), np.zeros((len(KINKS), x.size))
    for k, width in enumerate(KINKS):
        steps = width * (1.0 + np.abs(x))
        ahead, behind = problem.value(x + np.diag(steps)), problem.value(x - np.diag(steps))
        size = np.maximum(np.maximum(np.abs(ahead), np.abs(behind)), abs(here))
        change = np.abs(ahead - 2.0 * here + behind)
        jumps[k] = np.where(change > EPSILON * (100 * size + 10), change / steps, 0.0)
    shorter, longer = jumps[:-1], jumps[1:]
    return bool(((shorter > 0.5 * longer) & (longer > 0.5 * shorter)).any())


def _shown(x):
    """Return a point in print, shortened if it has many coordinates."""
    rounded = np.round(x, 10) + 0.0
    return np.array2string(rounded, precision=4, suppress_small=True, threshold=12, edgeitems=3)
