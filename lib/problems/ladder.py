"""A chain of saddles: gradient descent passes it in exponential time."""

import itertools
import math

import numpy as np

from lib import _validation as check
from lib._jit import absolute, kernel
from lib.problems.base import Problem, critical_point, frozen


@kernel
def _gate(t):
    s = 4.0 * absolute(t) - 1.0
    if s.real <= 0.0:
        return 0.0
    if s.real >= 1.0:
        return 1.0
    return s * s * s * (10.0 + s * (6.0 * s - 15.0))


@kernel
def _gate_slope(t):
    s = 4.0 * absolute(t) - 1.0
    if s.real <= 0.0 or s.real >= 1.0:
        return 0.0
    slope = 120.0 * s * s * (1.0 - s) * (1.0 - s)
    return slope if t.real > 0.0 else -slope


@kernel
def _gate_curvature(t):
    s = 4.0 * absolute(t) - 1.0
    if s.real <= 0.0 or s.real >= 1.0:
        return 0.0
    return 960.0 * s * (1.0 - s) * (1.0 - 2.0 * s)


@kernel
def _ladder_value(x, p):
    smoothness, gamma = p[0], p[1]
    square = x[0] * x[0]
    total = 0.25 * gamma * square * square - 0.5 * gamma * square
    for k in range(x.size - 1):
        square = x[k + 1] * x[k + 1]
        well = 0.25 * gamma * square * square - 0.5 * gamma * square
        open_ = _gate(x[k])
        total += (1.0 - open_) * 0.5 * smoothness * square + open_ * well
    return total


@kernel
def _ladder_gradient(x, p, out):
    smoothness, gamma = p[0], p[1]
    d = x.size
    for k in range(d):
        y = x[k]
        open_ = 1.0 if k == 0 else _gate(x[k - 1])
        slope = open_ * gamma * (y * y * y - y) + (1.0 - open_) * smoothness * y
        if k < d - 1:
            square = x[k + 1] * x[k + 1]
            well = 0.25 * gamma * square * square - 0.5 * gamma * square
            slope += _gate_slope(y) * (well - 0.5 * smoothness * square)
        out[k] = slope


@kernel
def _ladder_hvp(x, v, p, out):
    smoothness, gamma = p[0], p[1]
    d = x.size
    for k in range(d):
        open_ = 1.0 if k == 0 else _gate(x[k - 1])
        square = x[k] * x[k]
        diagonal = open_ * gamma * (3.0 * square - 1.0) + (1.0 - open_) * smoothness
        out[k] = diagonal * v[k]
    for k in range(d - 1):
        y = x[k + 1]
        square = y * y
        well = 0.25 * gamma * square * square - 0.5 * gamma * square
        mixed = _gate_slope(x[k]) * (gamma * (y * y * y - y) - smoothness * y)
        out[k] += _gate_curvature(x[k]) * (well - 0.5 * smoothness * square) * v[k]
        out[k] += mixed * v[k + 1]
        out[k + 1] += mixed * v[k]


def saddle_ladder(dimension=3, smoothness=1.0, gamma=1.0):
    r"""A ladder of d strict saddles that have to be passed one after the other.

    With the double well :math:`W(t)=-\frac\gamma2t^2+\frac\gamma4t^4` and a smooth gate h that
    opens (from 0 to 1) while :math:`|t|` goes from 1/4 to 1/2,

    .. math:: f(x)=W(x_1)+\sum_{k=1}^{d-1}\Bigl[(1-h(x_k))\tfrac L2x_{k+1}^2+h(x_k)W(x_{k+1})\Bigr].

    While coordinate k waits at its saddle, coordinate k+1 is squeezed toward zero, so that it
    starts its own escape from much closer: the waiting times grow geometrically.

    Parameters
    ----------
    dimension : int
        Number of coordinates d, 1 to 10.
    smoothness : float
        Curvature L of the waiting coordinates, positive. Not the smoothness constant of f: where
        a gate opens, the Hessian is far larger.
    gamma : float
        Curvature :math:`-\gamma` along the escape direction, positive.

    Returns
    -------
    Problem
        With the saddles :math:`(\pm1,\dots,\pm1,0,\dots,0)` and the minimizers
        :math:`\{\pm1\}^d`. From d = 3 on there are further strict saddles inside the gates.
        Constant "infimum" is the value at the minimizers, :math:`-\gamma d/4`.

    Raises
    ------
    TypeError, ValueError
        If `dimension` is no whole number from 1 to 10, or a curvature is not positive.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> start = [0.1, 0.1, 0.1]
    >>> run = optimizers.gradient_descent(problems.saddle_ladder(3), start, 0.2, tol=1e-6)
    >>> run.status, run.x.round(3).tolist()
    ('converged', [1.0, 1.0, 1.0])

    Notes
    -----
    Our smooth, course-sized stand-in for the construction of Du, Jin, Lee, Jordan, Poczos and
    Singh (2017). A squeezed coordinate can be so small that a run meets its tolerance at a saddle
    before it escapes: with d = 8, learning rate 0.2 and tolerance 1e-10 about one start in forty
    in :math:`[-1,1]^8` ends so, and with tolerance 1e-300 none of 5000. At d = 9 some coordinates
    are squeezed to the smallest floats, where they never change again. Used in "Escape time".
    """
    d = check.integer(dimension, "dimension", low=1, high=10)
    p = [check.positive(smoothness, "smoothness"), check.positive(gamma, "gamma")]
    known = []
    for done in range(d + 1):
        for signs in itertools.product((1.0, -1.0), repeat=done):
            x = np.zeros(d)
            x[:done] = signs
            kind = "minimizer" if done == d else "strict saddle"
            if d == 1 and done == 0:
                kind = "maximizer"
            known.append(critical_point(x, kind, -0.25 * p[1] * done))
    return Problem(
        name=f"saddle ladder, d = {d}",
        dimension=d,
        value_kernel=_ladder_value,
        gradient_kernel=_ladder_gradient,
        hvp_kernel=_ladder_hvp,
        parameters=frozen(p),
        critical_points=tuple(known),
        constants={"smoothness": math.inf, "infimum": -0.25 * p[1] * d},
        formula=r"W(x_1)+\sum_{k<d}\bigl[(1-h(x_k))\tfrac L2x_{k+1}^2+h(x_k)W(x_{k+1})\bigr]",
    )
