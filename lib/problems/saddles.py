"""Functions with strict saddles, from the plainest to the curved."""

import math

import numpy as np

from lib import _validation as check
from lib._jit import cos, kernel, sin
from lib.problems.base import Problem, critical_point, frozen
from lib.problems.generalized import root

# --- quadratic saddle -----------------------------------------------------------------------


@kernel
def _quadratic_value(x, p):
    total = 0.0
    for i in range(x.size):
        total += 0.5 * p[i] * x[i] * x[i]
    return total


@kernel
def _quadratic_gradient(x, p, out):
    for i in range(x.size):
        out[i] = p[i] * x[i]


@kernel
def _quadratic_hvp(x, v, p, out):
    for i in range(x.size):
        out[i] = p[i] * v[i]


def quadratic_saddle(eigenvalues=(1.0, -1.0)):
    r"""The quadratic :math:`\frac12\sum_i\lambda_i x_i^2`, every step of which is known exactly.

    Parameters
    ----------
    eigenvalues : array_like, shape (d,)
        The curvatures, none of them zero.

    Returns
    -------
    Problem
        With one critical point, the origin. Constant "smoothness" is the largest curvature in
        absolute value; "infimum" is 0 if all are positive, else there is no lower bound.

    Raises
    ------
    TypeError, ValueError
        If `eigenvalues` is no sequence of numbers, or one of them is zero or not finite.

    Examples
    --------
    >>> from lib import problems
    >>> saddle = problems.quadratic_saddle([2.0, -1.0])
    >>> saddle.critical_points[0].kind, saddle.gradient([1.0, 1.0]).tolist()
    ('strict saddle', [2.0, -1.0])

    Notes
    -----
    Lee, Simchowitz, Jordan and Recht (2016), section 3: gradient descent is power iteration with
    :math:`I-\alpha H`. Used in the primer and in "Strict saddles" and "Escape time", and in
    "Escaping without smoothness", "One Hessian-vector product sets the step", "What it buys,
    honestly" and "Five results, one picture".
    """
    p = check.vector(eigenvalues, "eigenvalues")
    if (p == 0).any():
        raise ValueError("eigenvalues must all be different from zero; got one that is zero")
    kind = "minimizer" if (p > 0).all() else "maximizer" if (p < 0).all() else "strict saddle"
    constants = {"smoothness": float(np.abs(p).max())}
    if kind == "minimizer":
        constants["infimum"] = 0.0
    return Problem(
        name="quadratic saddle",
        dimension=p.size,
        value_kernel=_quadratic_value,
        gradient_kernel=_quadratic_gradient,
        hvp_kernel=_quadratic_hvp,
        parameters=frozen(p),
        critical_points=(critical_point(np.zeros(p.size), kind, 0.0),),
        constants=constants,
        formula=r"\tfrac12\sum_i\lambda_i x_i^2",
    )


# --- double well ----------------------------------------------------------------------------


@kernel
def _well_value(x, p):
    u = p[0] * x[0] + p[1] * x[1]
    v = p[0] * x[1] - p[1] * x[0]
    return 0.5 * u * u + 0.25 * v * v * v * v - 0.5 * v * v


@kernel
def _well_gradient(x, p, out):
    if p[1] == 0.0:  # upright: as below, with p = (1, 0)
        out[0] = x[0]
        out[1] = x[1] * x[1] * x[1] - x[1]
    else:
        u = p[0] * x[0] + p[1] * x[1]
        v = p[0] * x[1] - p[1] * x[0]
        slope = v * v * v - v
        out[0] = p[0] * u - p[1] * slope
        out[1] = p[1] * u + p[0] * slope


@kernel
def _well_hvp(x, v, p, out):
    across = p[0] * x[1] - p[1] * x[0]
    first = p[0] * v[0] + p[1] * v[1]
    second = (3.0 * across * across - 1.0) * (p[0] * v[1] - p[1] * v[0])
    out[0] = p[0] * first - p[1] * second
    out[1] = p[1] * first + p[0] * second


@kernel
def _well_rho1(t, p):
    return 2.0 + 6.0 * root(t + 0.25)


@kernel
def _well_rho2(t, p):
    return 6.0 * math.sqrt(1.0 + 2.0 * root(t + 0.25))


def double_well(rotation=0.0):
    r"""The paper's example :math:`\frac12x^2+\frac14y^4-\frac12y^2`, optionally rotated.

    Parameters
    ----------
    rotation : float
        Angle in radians by which the graph is turned around the origin.

    Returns
    -------
    Problem
        With critical points, in this order: the strict saddle at the origin, the minimizer on
        the positive (turned) y-axis, the minimizer on the negative one. The gradient is not
        globally Lipschitz, so "smoothness" is infinite; "infimum" is -1/4.

    Raises
    ------
    TypeError, ValueError
        If `rotation` is no finite number.

    Examples
    --------
    >>> from lib import problems
    >>> well = problems.double_well()
    >>> [(known.kind, known.value) for known in well.critical_points[:2]]
    [('strict saddle', 0.0), ('minimizer', -0.25)]

    Notes
    -----
    Lee et al. (2016), section 3 (an example of Nesterov's). Critical points: spectrum {1, -1} and
    value 0 at the saddle; {1, 2} and -1/4 at the minimizers. From
    :math:`f+\frac14\ge\frac14(y^2-1)^2` we derive :math:`\rho_1(t)=2+6\sqrt{t+\frac14}` and
    :math:`\rho_2(t)=6\bigl(1+2\sqrt{t+\frac14}\bigr)^{1/2}`, with equality on the y-axis beyond
    the minimizers. Used in all three notebooks of "Minimizers" and in "Which step is safe", and
    in "Escaping without smoothness", "One Hessian-vector product sets the step", "What it
    buys, honestly" and "Which method when".
    """
    angle = check.number(rotation, "rotation")
    c, s = (1.0, 0.0) if angle == 0 else (math.cos(angle), math.sin(angle))
    return Problem(
        name="double well",
        dimension=2,
        value_kernel=_well_value,
        gradient_kernel=_well_gradient,
        hvp_kernel=_well_hvp,
        parameters=frozen([c, s]),
        critical_points=(
            critical_point([0.0, 0.0], "strict saddle", 0.0),
            critical_point([-s, c], "minimizer", -0.25),
            critical_point([s, -c], "minimizer", -0.25),
        ),
        constants={"smoothness": math.inf, "infimum": -0.25},
        formula=r"\tfrac12x^2+\tfrac14y^4-\tfrac12y^2",
        rho1_kernel=_well_rho1,
        rho2_kernel=_well_rho2,
    )


# --- egg carton -----------------------------------------------------------------------------


@kernel
def _egg_value(x, p):
    total = 0.0
    for i in range(x.size):
        total += cos(x[i])
    return total


@kernel
def _egg_gradient(x, p, out):
    for i in range(x.size):
        out[i] = -sin(x[i])


@kernel
def _egg_hvp(x, v, p, out):
    for i in range(x.size):
        out[i] = -cos(x[i]) * v[i]


def egg_carton(dimension=2):
    r"""The egg carton :math:`\sum_i\cos x_i`, with a gradient that is globally 1-Lipschitz.

    Parameters
    ----------
    dimension : int
        Number of coordinates d, 1 to 6 (the list of critical points has 3^d entries).

    Returns
    -------
    Problem
        With the critical points whose coordinates are -pi, 0 or pi; the others are these
        shifted by multiples of 2 pi. Constants "smoothness" 1 and "infimum" -d.

    Raises
    ------
    TypeError, ValueError
        If `dimension` is no whole number from 1 to 6.

    Examples
    --------
    >>> from collections import Counter
    >>> from lib import problems
    >>> sorted(Counter(known.kind for known in problems.egg_carton().critical_points).items())
    [('maximizer', 1), ('minimizer', 4), ('strict saddle', 4)]

    Notes
    -----
    Every critical point is a minimizer or a strict saddle (maximizers included), so the theorem
    of Lee et al. (2016) applies word for word for a learning rate below 1. Used in "Strict
    saddles" and "The stable manifold", and in "Why the unit step works".
    """
    d = check.integer(dimension, "dimension", low=1, high=6)
    grid = np.stack(np.meshgrid(*[[0.0, np.pi, -np.pi]] * d, indexing="ij"), -1).reshape(-1, d)
    known = []
    for x in grid:
        tops = int((x == 0).sum())
        kind = "minimizer" if tops == 0 else "maximizer" if tops == d else "strict saddle"
        known.append(critical_point(x, kind, 2.0 * tops - d))
    return Problem(
        name="egg carton",
        dimension=d,
        value_kernel=_egg_value,
        gradient_kernel=_egg_gradient,
        hvp_kernel=_egg_hvp,
        parameters=frozen([]),
        critical_points=tuple(known),
        constants={"smoothness": 1.0, "infimum": -float(d)},
        formula=r"\sum_i\cos x_i",
    )


# --- curved saddle --------------------------------------------------------------------------


@kernel
def _curved_value(x, p):
    y = x[1]
    return 0.5 * x[0] * x[0] - 0.5 * y * y + 0.25 * y * y * y * y + p[0] * x[0] * x[0] * y


@kernel
def _curved_gradient(x, p, out):
    y = x[1]
    out[0] = x[0] + 2.0 * p[0] * x[0] * y
    out[1] = y * y * y - y + p[0] * x[0] * x[0]


@kernel
def _curved_hvp(x, v, p, out):
    out[0] = (1.0 + 2.0 * p[0] * x[1]) * v[0] + 2.0 * p[0] * x[0] * v[1]
    out[1] = 2.0 * p[0] * x[0] * v[0] + (3.0 * x[1] * x[1] - 1.0) * v[1]


def curved_saddle(beta=0.5):
    r"""The double well bent by :math:`\beta x^2y`, whose stable manifold is a curve.

    Parameters
    ----------
    beta : float
        Strength of the bend: 0, or of a size from 1e-70 to 1e70.

    Returns
    -------
    Problem
        :math:`\frac12x^2-\frac12y^2+\frac14y^4+\beta x^2y` with all its critical points: the
        strict saddle at the origin, then (0, 1) and (0, -1), then, where
        :math:`0<|\beta|<\frac12`, two further strict saddles on the line
        :math:`y=-1/(2\beta)`.

    Raises
    ------
    TypeError, ValueError
        If `beta` is no number of such a size.

    Examples
    --------
    >>> from lib import problems
    >>> bent = problems.curved_saddle(0.25)
    >>> len(bent.critical_points), bent.critical_points[3].x.round(3).tolist()
    (5, [4.899, -2.0])

    Notes
    -----
    For :math:`\beta\ne0` the function is unbounded below (follow :math:`y=-1/\beta`). Under
    gradient descent the stable manifold of the origin is
    :math:`y=\beta x^2/(3-\alpha)+O(x^4)`; under gradient flow it is :math:`\beta x^2/3+O(x^4)`.
    Used in "The stable manifold", where we derive both, and in "Escaping without smoothness". At
    :math:`|\beta|=\frac12` the points on the line merge with (0, 1) or (0, -1), which is then
    degenerate; beyond, it is a strict saddle.
    """
    b = check.number(beta, "beta")
    if b != 0.0 and not 1e-70 <= abs(b) <= 1e70:
        raise ValueError(f"beta must be 0 or of a size from 1e-70 to 1e70; got {b!r}")
    known = [critical_point([0.0, 0.0], "strict saddle", 0.0)]
    for y in (1.0, -1.0):
        bend = 1.0 + 2.0 * b * y
        kind = "minimizer" if bend > 0 else "degenerate" if bend == 0 else "strict saddle"
        known.append(critical_point([0.0, y], kind, -0.25))
    if 0.0 < abs(b) < 0.5:
        y = -1.0 / (2.0 * b)
        x = math.sqrt((y - y**3) / b)
        height = 0.25 * y**4 - 0.5 * y**2
        known += [critical_point([side * x, y], "strict saddle", height) for side in (1.0, -1.0)]
    return Problem(
        name="curved saddle",
        dimension=2,
        value_kernel=_curved_value,
        gradient_kernel=_curved_gradient,
        hvp_kernel=_curved_hvp,
        parameters=frozen([b]),
        critical_points=tuple(known),
        constants={"smoothness": math.inf},
        formula=r"\tfrac12x^2-\tfrac12y^2+\tfrac14y^4+\beta x^2y",
    )


# --- a line of saddles ----------------------------------------------------------------------


@kernel
def _line_value(x, p):
    return 2.0 * x[0] * (x[1] + x[2]) - 2.0 * x[0] - x[1] - x[2]


@kernel
def _line_gradient(x, p, out):
    out[0] = 2.0 * (x[1] + x[2]) - 2.0
    out[1] = 2.0 * x[0] - 1.0
    out[2] = 2.0 * x[0] - 1.0


@kernel
def _line_hvp(x, v, p, out):
    out[0] = 2.0 * (v[1] + v[2])
    out[1] = 2.0 * v[0]
    out[2] = 2.0 * v[0]


def saddle_line():
    r"""A whole line of strict saddles, :math:`2xy+2xz-2x-y-z`: none of them is isolated.

    Returns
    -------
    Problem
        With one point of the critical line :math:`\{x=\frac12,\ y+z=1\}` listed. The Hessian is
        the same everywhere, with spectrum :math:`\{-2\sqrt2,0,2\sqrt2\}`.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.saddle_line()
    >>> [problem.gradient([0.5, y, 1 - y]).any().item() for y in (-3.0, 0.5, 8.0)]
    [False, False, False]

    Notes
    -----
    The case that Panageas and Piliouras (2017) added to the theorem. Used in "The stable
    manifold".
    """
    return Problem(
        name="line of saddles",
        dimension=3,
        value_kernel=_line_value,
        gradient_kernel=_line_gradient,
        hvp_kernel=_line_hvp,
        parameters=frozen([]),
        critical_points=(critical_point([0.5, 0.5, 0.5], "strict saddle", -1.0),),
        constants={"smoothness": 2.0 * math.sqrt(2.0)},
        formula="2xy+2xz-2x-y-z",
    )
