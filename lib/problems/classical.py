"""Test functions that everybody knows."""

import functools
import math

import numpy as np
from numpy.polynomial import Polynomial

from lib import _validation as check
from lib._jit import absolute, kernel, python_function, sqrt
from lib.problems.base import Problem, critical_point, frozen

# --- Rosenbrock's valley --------------------------------------------------------------------


@kernel
def _rosenbrock_value(x, p):
    total = 0.0
    for i in range(x.size - 1):
        across = x[i + 1] - x[i] * x[i]
        along = 1.0 - x[i]
        total += 100.0 * across * across + along * along
    return total


@kernel
def _rosenbrock_gradient(x, p, out):
    out[0] = 0.0
    for i in range(x.size - 1):
        across = x[i + 1] - x[i] * x[i]
        out[i] += -400.0 * across * x[i] - 2.0 * (1.0 - x[i])
        out[i + 1] = 200.0 * across


@kernel
def _rosenbrock_hvp(x, v, p, out):
    out[0] = 0.0
    for i in range(x.size - 1):
        across = x[i + 1] - x[i] * x[i]
        turn = v[i + 1] - 2.0 * x[i] * v[i]
        out[i] += -400.0 * (across * v[i] + x[i] * turn) + 2.0 * v[i]
        out[i + 1] = 200.0 * turn


def rosenbrock(dimension=2):
    r"""Rosenbrock's curved valley, :math:`\sum_i100(x_{i+1}-x_i^2)^2+(1-x_i)^2`.

    Parameters
    ----------
    dimension : int
        Number of coordinates d, at least 2; the sum has d - 1 terms.

    Returns
    -------
    Problem
        With the minimizer (1, ..., 1), value 0. For d = 2 it is the only critical point; from
        d = 4 on there are others, among them a second minimizer near (-1, 1, ..., 1).

    Raises
    ------
    TypeError, ValueError
        If `dimension` is not a whole number above 1.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.rosenbrock()
    >>> problem.value([-1.2, 1.0]), problem.gradient([1.0, 1.0]).tolist()
    (24.199999999999996, [0.0, 0.0])

    Notes
    -----
    The usual start is (-1.2, 1). The gradient is not globally Lipschitz, so "smoothness" is
    infinite. Used in "One Hessian-vector product sets the step" and "Why the unit step works".
    """
    d = check.size(dimension, "dimension", low=2)
    return Problem(
        name="Rosenbrock's valley",
        dimension=d,
        value_kernel=_rosenbrock_value,
        gradient_kernel=_rosenbrock_gradient,
        hvp_kernel=_rosenbrock_hvp,
        parameters=frozen([]),
        critical_points=(critical_point(np.ones(d), "minimizer", 0.0),),
        constants={"smoothness": math.inf, "infimum": 0.0},
        formula=r"\sum_i100(x_{i+1}-x_i^2)^2+(1-x_i)^2",
    )


# --- hyperbola ------------------------------------------------------------------------------


@kernel
def _root(t):
    """Return sqrt(1 + t^2) without overflow."""
    size = absolute(t)
    if size.real > 1.0:
        inverse = 1.0 / size
        return size * sqrt(1.0 + inverse * inverse)
    return sqrt(1.0 + size * size)


@kernel
def _hyperbola_value(x, p):
    total = 0.0
    for i in range(x.size):
        total += _root(x[i])
    return total


@kernel
def _hyperbola_gradient(x, p, out):
    for i in range(x.size):
        out[i] = x[i] / _root(x[i])


@kernel
def _hyperbola_hvp(x, v, p, out):
    for i in range(x.size):
        inverse = 1.0 / _root(x[i])
        out[i] = v[i] * inverse * inverse * inverse


def hyperbola(dimension=1):
    r"""The convex function :math:`\sum_i\sqrt{1+x_i^2}`, on which Newton's method diverges.

    Parameters
    ----------
    dimension : int
        Number of coordinates d, at least 1.

    Returns
    -------
    Problem
        With its only critical point, the minimizer at the origin, value d. Constants:
        "smoothness" 1, "hessian_lipschitz" :math:`48/(25\sqrt5)`, "infimum" d.

    Raises
    ------
    TypeError, ValueError
        If `dimension` is not a whole number above 0.

    Examples
    --------
    Newton's step from x = 2 leads to -8.

    >>> from lib import problems
    >>> problem = problems.hyperbola()
    >>> (2.0 - problem.gradient([2.0]) / problem.hvp([2.0], [1.0])).round(12).tolist()
    [-8.0]

    Notes
    -----
    Newton's method without a line search maps each coordinate x to :math:`-x^3` (we derive it),
    and so diverges wherever an entry of the start is outside [-1, 1], though f is
    convex and its gradient 1-Lipschitz. Used in "One Hessian-vector product sets the step", in
    "Why the unit step works" and in "Which method when".
    """
    d = check.size(dimension, "dimension")
    return Problem(
        name="hyperbola",
        dimension=d,
        value_kernel=_hyperbola_value,
        gradient_kernel=_hyperbola_gradient,
        hvp_kernel=_hyperbola_hvp,
        parameters=frozen([]),
        critical_points=(critical_point(np.zeros(d), "minimizer", float(d)),),
        constants={
            "smoothness": 1.0,
            "hessian_lipschitz": 48.0 / (25.0 * math.sqrt(5.0)),
            "infimum": float(d),
        },
        formula=r"\sum_i\sqrt{1+x_i^2}",
    )


# --- Himmelblau's four valleys --------------------------------------------------------------


@kernel
def _himmelblau_value(x, p):
    first = x[0] * x[0] + x[1] - 11.0
    second = x[0] + x[1] * x[1] - 7.0
    return first * first + second * second


@kernel
def _himmelblau_gradient(x, p, out):
    first = x[0] * x[0] + x[1] - 11.0
    second = x[0] + x[1] * x[1] - 7.0
    out[0] = 4.0 * x[0] * first + 2.0 * second
    out[1] = 2.0 * first + 4.0 * x[1] * second


@kernel
def _himmelblau_hvp(x, v, p, out):
    mixed = 4.0 * (x[0] + x[1])
    out[0] = (12.0 * x[0] * x[0] + 4.0 * x[1] - 42.0) * v[0] + mixed * v[1]
    out[1] = mixed * v[0] + (12.0 * x[1] * x[1] + 4.0 * x[0] - 26.0) * v[1]


def himmelblau():
    r"""Himmelblau's function :math:`(x^2+y-11)^2+(x+y^2-7)^2`, with four equal minima.

    Returns
    -------
    Problem
        With all nine critical points: the four minimizers, all of value 0, counterclockwise
        from (3, 2), then the four strict saddles, likewise, then the maximizer.

    Examples
    --------
    >>> from lib import problems
    >>> for known in problems.himmelblau().critical_points[3:6]:
    ...     print(known.kind, known.x.round(4).tolist(), round(known.value, 4))
    minimizer [3.5844, -1.8481] 0.0
    strict saddle [3.3852, 0.0739] 13.3119
    strict saddle [0.0867, 2.8843] 67.7192

    Notes
    -----
    The points are the real zeros of a polynomial of degree nine in y, all of them real, refined
    by Newton's method. The gradient is not globally Lipschitz, so "smoothness" is infinite.
    Used for basins of attraction and in "One Hessian-vector product sets the step".
    """
    return Problem(
        name="Himmelblau's function",
        dimension=2,
        value_kernel=_himmelblau_value,
        gradient_kernel=_himmelblau_gradient,
        hvp_kernel=_himmelblau_hvp,
        parameters=frozen([]),
        critical_points=_himmelblau_points(),
        constants={"smoothness": math.inf, "infimum": 0.0},
        formula="(x^2+y-11)^2+(x+y^2-7)^2",
    )


@functools.cache
def _himmelblau_points():
    """Return the critical points.

    Half the gradient's second entry is x^2 + 2xy + q(y); modulo that, half the first one is
    x D(y) - N(y), and x = N/D put into the second leaves a polynomial in y.
    """
    y = Polynomial([0.0, 1.0])
    q = 2.0 * y**3 - 13.0 * y - 11.0
    top = 7.0 - y**2 - 4.0 * q * y
    bottom = 8.0 * y**2 - 2.0 * q + 2.0 * y - 21.0
    heights = (top**2 + 2.0 * y * top * bottom + q * bottom**2).roots().real
    none = frozen([])
    kernels = (_himmelblau_value, _himmelblau_gradient, _himmelblau_hvp)
    value, gradient, hvp = map(python_function, kernels)  # not worth compiling for nine points
    found = []
    for x in np.stack([top(heights) / bottom(heights), heights], axis=1):
        for _ in range(4):
            slope, hessian = np.empty(2), np.empty((2, 2))
            gradient(x, none, slope)
            for direction, column in zip(np.eye(2), hessian, strict=True):
                hvp(x, direction, none, column)
            x = x - np.linalg.solve(hessian, slope)
        kind = _kind(np.linalg.eigvalsh(hessian))
        found.append(critical_point(x, kind, value(x, none)))
    order = ("minimizer", "strict saddle", "maximizer")
    turn = 2.0 * math.pi

    def place(known):
        return order.index(known.kind), math.atan2(known.x[1], known.x[0]) % turn

    return tuple(sorted(found, key=place))


def _kind(eigenvalues):
    """Return the kind of a critical point from the spectrum, ascending and without a zero."""
    if eigenvalues[0] > 0.0:
        return "minimizer"
    return "maximizer" if eigenvalues[-1] < 0.0 else "strict saddle"


# --- any quadratic --------------------------------------------------------------------------


@kernel
def _quadratic_value(x, p):
    d = x.size
    total = 0.0
    for i in range(d):
        slope = -p[d * d + i]
        for j in range(d):
            slope += 0.5 * p[i * d + j] * x[j]
        total += x[i] * slope
    return total


@kernel
def _quadratic_gradient(x, p, out):
    d = x.size
    for i in range(d):
        slope = -p[d * d + i] + 0.0 * x[i]
        for j in range(d):
            slope += p[i * d + j] * x[j]
        out[i] = slope


@kernel
def _quadratic_hvp(x, v, p, out):
    d = x.size
    for i in range(d):
        turn = 0.0
        for j in range(d):
            turn += p[i * d + j] * v[j]
        out[i] = turn


def quadratic(H, linear=None):
    r"""The quadratic :math:`\frac12x^\top Hx-b^\top x` of any symmetric matrix.

    Parameters
    ----------
    H : array_like, shape (d, d)
        The Hessian, symmetric.
    linear : array_like, shape (d,), optional
        The vector b. Default: zero.

    Returns
    -------
    Problem
        With the critical point :math:`H^{-1}b`, or none listed if H is singular to working
        precision. Constants: "smoothness", the largest eigenvalue in absolute value, and
        "hessian_lipschitz" 0; if H is positive definite also "strong_convexity", its smallest
        eigenvalue, and "infimum".

    Raises
    ------
    TypeError, ValueError
        If H is not a symmetric matrix of finite numbers, or `linear` does not fit to it or is so
        large that the critical point is not finite.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.quadratic([[2.0, 1.0], [1.0, 3.0]], linear=[1.0, -2.0])
    >>> known = problem.critical_points[0]
    >>> known.kind, known.x.round(12).tolist(), round(known.value, 12)
    ('minimizer', [1.0, -1.0], -1.5)

    Notes
    -----
    For a diagonal matrix `quadratic_saddle` is faster. Used in "One Hessian-vector product sets
    the step" and "Why the unit step works", and in "What it buys, honestly".
    """
    H = check.matrix(H, "H")
    d = H.shape[0]
    if H.shape[1] != d:
        raise ValueError(f"H must be a symmetric matrix; got an array of shape {H.shape}")
    half = H / 2.0  # of the largest numbers not even the sum of two is finite
    skew = np.abs(half - half.T)
    if skew.max() > 1e-12 * np.abs(half).max():
        i, j = np.unravel_index(skew.argmax(), skew.shape)
        raise ValueError(
            f"H must be a symmetric matrix; entry {(int(i), int(j))} is {H[i, j]}, "
            f"but entry {(int(j), int(i))} is {H[j, i]}"
        )
    H = half + half.T
    b = np.zeros(d) if linear is None else check.point(linear, d, "linear")
    spectrum = np.linalg.eigvalsh(H)
    largest = float(np.abs(spectrum).max())
    constants = {"smoothness": largest, "hessian_lipschitz": 0.0}
    known = ()
    if np.abs(spectrum).min() > d * np.finfo(float).eps * largest:
        with np.errstate(over="ignore", invalid="ignore"):
            x = np.linalg.solve(H, b)
            value = 0.0 - 0.5 * float(b @ x)
        if not (np.isfinite(x).all() and math.isfinite(value)):
            raise ValueError("linear must be small enough that the critical point is finite")
        known = (critical_point(x, _kind(spectrum), value),)
        if spectrum[0] > 0.0:
            constants["strong_convexity"] = float(spectrum[0])
            constants["infimum"] = known[0].value
    return Problem(
        name="quadratic",
        dimension=d,
        value_kernel=_quadratic_value,
        gradient_kernel=_quadratic_gradient,
        hvp_kernel=_quadratic_hvp,
        parameters=frozen(np.concatenate([H.ravel(), b])),
        critical_points=known,
        constants=constants,
        formula=r"\tfrac12x^\top Hx-b^\top x",
    )
