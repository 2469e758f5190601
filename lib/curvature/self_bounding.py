"""How close the norms of second and third derivative come to their bounds by the value."""

from dataclasses import dataclass, field

import numpy as np

from lib import _validation as check
from lib._jit import Slot, row, stamp
from lib._vectors import norm
from lib.curvature.hvp import CENTRAL
from lib.problems import Problem
from lib.problems.generalized import l0_l1_rho

value = Slot("value")
gradient = Slot("gradient")
hvp = Slot("hvp")
rho = Slot("rho")

ROUNDS = 200  # most rounds of the power iteration from one start
SETTLED = 1e-12  # relative growth at which it stops
BLOCK = 2**21  # most entries of the Hessians that are kept at a time
NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)  # of a rule for integrals from -1 to 1


@dataclass(frozen=True, eq=False)
class SelfBoundingRatios:
    """Measured norms of derivatives, relative to their bounds by the value.

    The bounds are :math:`\\|\\nabla^2f(x)\\|\\le\\rho_1(f(x))` and
    :math:`\\|\\nabla^3f(x)\\|\\le\\rho_2(f(x))`, with functions :math:`\\rho_1` and
    :math:`\\rho_2` that do not decrease: `Problem.rho1` and `Problem.rho2`. Each largest ratio is
    the largest on the measured points only: a lower bound of the supremum over all points. One
    above 1 (by more than rounding) refutes a bound, none proves it.

    Attributes
    ----------
    values : ndarray, shape (n,)
        Values of the function at the points.
    gradient_norms : ndarray, shape (n,)
        Euclidean norms of the gradient.
    hessian_norms : ndarray, shape (n,)
        Spectral norms of the Hessian.
    third_derivative_norms : ndarray, shape (n,)
        Norms of the third derivative, the largest values along unit vectors, found by a power
        iteration (in one coordinate nothing is left to search) on finite differences.
    hessian_ratios : ndarray, shape (n,), or None
        Hessian norms over :math:`\\rho_1` of the values; None for a problem without
        :math:`\\rho_1`.
    third_derivative_ratios : ndarray, shape (n,), or None
        The same for the third derivative and :math:`\\rho_2`.
    gradient_ratios : ndarray, shape (n,), or None
        :math:`\\|\\nabla f\\|^2/(2\\rho_1(f)(f-\\inf f))`; None for a problem without
        :math:`\\rho_1` or known infimum. NaN at points so close to the infimum that the
        difference is lost in rounding.
    gradient_integral_ratios : ndarray, shape (n,), or None
        The same for the sharper bound of :math:`\\|\\nabla f\\|^2`, twice the integral of
        :math:`\\rho_1` from the infimum to f.
    largest_hessian_ratio, largest_third_derivative_ratio : float or None
        The largest of the ratios; None where there are none.
    largest_gradient_ratio, largest_gradient_integral_ratio : float or None
        The same, NaN left out (NaN if nothing is left).

    Notes
    -----
    Used in "What replaces a Lipschitz gradient".
    """

    values: np.ndarray = field(repr=False)
    gradient_norms: np.ndarray = field(repr=False)
    hessian_norms: np.ndarray = field(repr=False)
    third_derivative_norms: np.ndarray = field(repr=False)
    hessian_ratios: np.ndarray | None = field(repr=False)
    third_derivative_ratios: np.ndarray | None = field(repr=False)
    gradient_ratios: np.ndarray | None = field(repr=False)
    gradient_integral_ratios: np.ndarray | None = field(repr=False)
    largest_hessian_ratio: float | None
    largest_third_derivative_ratio: float | None
    largest_gradient_ratio: float | None
    largest_gradient_integral_ratio: float | None


def self_bounding_ratios(problem, points, n_starts=3, seed=0):
    r"""Measure at given points how sharp a problem's self-bounding constants are.

    Parameters
    ----------
    problem : Problem
        The function, usually one that carries :math:`\rho_1` and :math:`\rho_2`, the bounds of the
        second and third derivative by the value.
    points : array_like, shape (n, d)
        Where to measure. To see how sharp a bound is, take points of very different sizes, such
        as standard normal vectors times the exponential of normal numbers.
    n_starts : int
        Number of random directions from which the norm of the third derivative is searched at
        each point, at least 1.
    seed : int
        Seed of these directions.

    Returns
    -------
    SelfBoundingRatios
        Norms of the derivatives and their ratios to the bounds, NaN where a bound is lost in
        rounding; what is certified is certified on these points only, as a lower bound of the
        supremum.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range, or the function or a derivative is not
        finite at one of the points; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import curvature, problems
    >>> rng = np.random.default_rng(0)
    >>> points = rng.standard_normal((200, 2)) * np.exp(2 * rng.standard_normal((200, 1)))
    >>> ratios = curvature.self_bounding_ratios(problems.double_well(), points)
    >>> round(ratios.largest_hessian_ratio, 3), round(ratios.largest_gradient_integral_ratio, 3)
    (1.0, 1.0)

    Notes
    -----
    Self-bounding regularity is the notion of Cao, Chen, Sridharan and Tang (2025); the bounds
    :math:`\|\nabla f\|^2\le2\int_{\inf f}^f\rho_1(u)\,du\le2\rho_1(f)(f-\inf f)` we derive. The
    third derivative is taken from central differences of Hessian-vector products, so that its
    ratio may exceed 1 by a relative :math:`10^{-6}` or so. The search applies the derivative to
    the last two directions to get the next one; the norm of what it gets never falls and never
    exceeds the true norm. Used in "What replaces a Lipschitz gradient".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    points = check.points(points, problem.dimension, "points")
    starts = check.size(n_starts, "n_starts", each=problem.dimension)
    rng = np.random.default_rng(check.integer(seed, "seed", low=0))
    directions = rng.standard_normal((starts, problem.dimension))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    values, slopes, seconds, thirds = _norms(problem, points, directions)
    for norms in (values, slopes, seconds, thirds):
        if not np.isfinite(norms).all():
            raise ValueError(
                "points must lie where the function and its derivatives are finite; they are not "
                f"at points[{int(np.argmin(np.isfinite(norms)))}]"
            )
    second = third = first = whole = None
    if problem.rho1_kernel is not None:
        bounds = _bounds(problem, problem.rho1_kernel, values)
        second = _ratios(seconds, bounds)
        if "infimum" in problem.constants:
            lowest = problem.constants["infimum"]
            gaps = _above(values, lowest)
            first = _ratios(slopes**2, 2.0 * bounds * gaps)
            whole = _ratios(slopes**2, 2.0 * _integrals(problem, gaps, lowest))
    if problem.rho2_kernel is not None:
        third = _ratios(thirds, _bounds(problem, problem.rho2_kernel, values))
    ratios = second, third, first, whole
    largest = map(_largest, ratios)
    return SelfBoundingRatios(values, slopes, seconds, thirds, *ratios, *largest)


def l0_l1_bound(L0, L1, t):
    r"""Bound the Hessian of any (L0, L1)-smooth function by its value.

    Parameters
    ----------
    L0, L1 : float
        The constants: :math:`\|\nabla^2f\|\le L_0+L_1\|\nabla f\|`; L0 positive, L1 at least 0.
    t : float or array_like
        The value of the function minus its infimum, at least 0.

    Returns
    -------
    float or ndarray, the shape of `t`
        :math:`\rho_1(t)=L_0+L_1\sqrt{2L_0t}+L_1^2t`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import curvature
    >>> round(curvature.l0_l1_bound(1.0, 2.0, 3.0), 3)
    17.899

    Notes
    -----
    The class is that of Zhang, He, Sra and Jadbabaie (2020). The bound, which we derive, says
    that it is self-bounding. `lib.problems.exponential_growth` is its extremal function. Used in
    "What replaces a Lipschitz gradient".
    """
    L0 = check.positive(L0, "L0")
    L1 = check.number(L1, "L1", low=0.0)
    heights = check.floats(t, "t")
    if not (np.isfinite(heights) & (heights >= 0.0)).all():
        raise ValueError(f"t must be finite and at least 0; got {check.shown(t)}")
    bounds = np.array([l0_l1_rho(height, L0, L1) for height in heights.ravel()])
    return bounds.reshape(heights.shape) if heights.ndim else float(bounds[0])


def _norms(problem, points, directions):
    """Return values and norms of the three derivatives at the points."""
    n, d = points.shape
    measure = stamp(
        _measure,
        value=problem.value_kernel,
        gradient=problem.gradient_kernel,
        hvp=problem.hvp_kernel,
    )
    values, slopes, seconds, thirds = np.empty((4, n))
    count = max(1, BLOCK // d**2)
    for first in range(0, n, count):
        part = slice(first, first + count)
        rows = np.empty((d * points[part].shape[0], d))
        measure(
            points[part],
            problem.parameters,
            directions,
            values[part],
            slopes[part],
            rows,
            thirds[part],
        )
        hessians = rows.reshape(-1, d, d)
        finite = np.isfinite(hessians).all(axis=(1, 2))
        hessians[~finite] = 0.0
        halves = hessians / 2.0  # of the largest numbers not even the sum of two is finite
        halves = halves + halves.transpose(0, 2, 1)
        seconds[part] = np.abs(np.linalg.eigvalsh(halves)).max(axis=1)
        seconds[part][~finite] = np.nan
    return values, slopes, seconds, thirds


def _measure(points, p, directions, values, slopes, hessians, thirds):
    """Write value, gradient norm, Hessian and norm of the third derivative at each point."""
    n, d = points.shape
    work = np.empty((5, d))
    shifted, out, ahead = row(work, 0), row(work, 1), row(work, 2)
    last, now = row(work, 3), row(work, 4)
    for i in range(n):
        x = row(points, i)
        values[i] = value(x, p)
        gradient(x, p, out)
        slopes[i] = norm(out)
        for k in range(d):
            for j in range(d):
                last[j] = 1.0 if j == k else 0.0
            hvp(x, last, p, row(hessians, i * d + k))
        h = CENTRAL * (1.0 + norm(x))
        thirds[i] = 0.0
        for start in range(directions.shape[0]):
            for j in range(d):
                last[j] = directions[start, j]
                now[j] = directions[start, j]
            best = 0.0
            for _ in range(ROUNDS):
                for j in range(d):
                    ahead[j] = 0.0
                for side in range(-1, 2, 2):
                    for j in range(d):
                        shifted[j] = x[j] + side * h * now[j]
                    hvp(shifted, last, p, out)
                    for j in range(d):
                        ahead[j] += side * out[j] / (2.0 * h)
                size = norm(ahead)
                if not size > best * (1.0 + SETTLED):
                    if not size <= best:
                        best = size
                    break
                best = size
                for j in range(d):
                    last[j] = now[j]
                    now[j] = ahead[j] / size
            if not best <= thirds[i]:
                thirds[i] = best


def _bounds(problem, kernel, values):
    """Return the bounds at the values."""
    out = np.empty(values.size)
    stamp(_fill, rho=kernel)(values, problem.parameters, out)
    return out


def _fill(values, p, out):
    for i in range(values.size):
        out[i] = rho(values[i], p)


def _integrals(problem, gaps, infimum):
    """Integrate rho1 over the gaps above the infimum.

    The variable is the root of the height, in which bounds with roots are smooth.
    """
    shares = (NODES + 1.0) / 2.0
    heights = infimum + gaps[:, None] * shares**2
    bounds = _bounds(problem, problem.rho1_kernel, heights.ravel()).reshape(heights.shape)
    return gaps * (bounds @ (WEIGHTS * shares))


def _above(values, infimum):
    """Return values minus infimum, NaN where rounding may have changed that by one part in 1e8."""
    gaps = values - infimum
    scale = np.maximum(np.abs(values), abs(infimum))
    return np.where(gaps > np.sqrt(np.finfo(float).eps) * scale, gaps, np.nan)


def _ratios(norms, bounds):
    """Return norms over bounds, where 0 over 0 is 0: zero is within a bound of zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(norms == 0.0, 0.0 * bounds, norms / bounds)


def _largest(ratios):
    if ratios is None:
        return None
    known = ratios[~np.isnan(ratios)]
    return float(known.max()) if known.size else np.nan
