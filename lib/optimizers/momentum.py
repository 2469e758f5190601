"""Gradient descent with memory: the heavy ball and Nesterov's accelerated gradient."""

import math

import numpy as np

from lib import _validation as check
from lib._jit import inlined
from lib.optimizers._method import Plan, optimizer
from lib.optimizers._steps import RUNNING


def heavy_ball_parameters(smoothness, strong_convexity):
    r"""Return the heavy ball's best constants on a quadratic.

    Parameters
    ----------
    smoothness : float
        The largest curvature L.
    strong_convexity : float
        The smallest curvature :math:`\mu`, positive and at most L.

    Returns
    -------
    dict
        "learning_rate" :math:`4/(\sqrt L+\sqrt\mu)^2` and "momentum"
        :math:`\bigl(\frac{\sqrt L-\sqrt\mu}{\sqrt L+\sqrt\mu}\bigr)^2`.

    Raises
    ------
    TypeError, ValueError
        If a number is not positive, or `strong_convexity` exceeds `smoothness`.

    Examples
    --------
    >>> from lib import optimizers
    >>> best = optimizers.heavy_ball_parameters(100.0, 1.0)
    >>> round(best["learning_rate"], 6), round(best["momentum"], 6)
    (0.033058, 0.669421)

    Notes
    -----
    Classical (Polyak 1964). Used in "What it buys, honestly".
    """
    top, bottom = _roots(smoothness, strong_convexity)
    return {
        "learning_rate": 4.0 / (top + bottom) ** 2,
        "momentum": ((top - bottom) / (top + bottom)) ** 2,
    }


def nesterov_parameters(smoothness, strong_convexity):
    r"""Return the constants of Nesterov's method for a strongly convex function.

    Parameters
    ----------
    smoothness : float
        The largest curvature L.
    strong_convexity : float
        The smallest curvature :math:`\mu`, positive and at most L.

    Returns
    -------
    dict
        "learning_rate" :math:`1/L` and "momentum"
        :math:`\frac{\sqrt L-\sqrt\mu}{\sqrt L+\sqrt\mu}`.

    Raises
    ------
    TypeError, ValueError
        If a number is not positive, or `strong_convexity` exceeds `smoothness`.

    Examples
    --------
    >>> from lib import optimizers
    >>> best = optimizers.nesterov_parameters(100.0, 1.0)
    >>> best["learning_rate"], round(best["momentum"], 6)
    (0.01, 0.818182)

    Notes
    -----
    Classical (Nesterov 2004). Used in "What it buys, honestly".
    """
    top, bottom = _roots(smoothness, strong_convexity)
    return {"learning_rate": 1.0 / top**2, "momentum": (top - bottom) / (top + bottom)}


def _roots(smoothness, strong_convexity):
    top = check.positive(smoothness, "smoothness")
    bottom = check.positive(strong_convexity, "strong_convexity")
    if bottom > top:
        raise ValueError(f"strong_convexity must be at most smoothness = {top:g}; got {bottom:g}")
    return math.sqrt(top), math.sqrt(bottom)


@optimizer()
def heavy_ball(problem, learning_rate=0.1, momentum=0.9):
    r"""Run :math:`x_{k+1}=x_k-\alpha\nabla f(x_k)+\beta(x_k-x_{k-1})`.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    learning_rate : float
        The step size :math:`\alpha`, positive.
    momentum : float
        The factor :math:`\beta`, from 0 up to but not including 1.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> bowl = problems.quadratic_saddle([1.0, 100.0])
    >>> best = optimizers.heavy_ball_parameters(100.0, 1.0)
    >>> optimizers.heavy_ball(bowl, [1.0, 1.0], **best).n_iter < 150
    True

    Notes
    -----
    Classical (Polyak 1964); `heavy_ball_parameters` has the constants for a quadratic. Used in
    "What it buys, honestly".
    """
    rate = check.positive(learning_rate, "learning_rate")
    return Plan(_heavy, options=[rate, _factor(momentum)], vectors=1)


@optimizer()
def nesterov(problem, learning_rate=0.1, momentum=None):
    r"""Run Nesterov's accelerated gradient method.

    :math:`z_{k+1}=x_k-\alpha\nabla f(x_k)`, then :math:`x_{k+1}=z_{k+1}+\beta_k(z_{k+1}-z_k)`, with
    :math:`z_0=x_0`. The recorded iterates are the points x at which gradients are taken.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    learning_rate : float
        The step size :math:`\alpha`, positive; 1/L for a convex function.
    momentum : float, optional
        A constant :math:`\beta`, from 0 up to but not including 1. Default: the growing
        :math:`\beta_k=k/(k+3)`, for convex functions.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> bowl = problems.quadratic_saddle([1.0, 100.0])
    >>> best = optimizers.nesterov_parameters(100.0, 1.0)
    >>> optimizers.nesterov(bowl, [1.0, 1.0], **best).n_iter < 250
    True

    Notes
    -----
    Classical (Nesterov 2004); `nesterov_parameters` has the constants for a strongly convex
    function. Used in "What it buys, honestly".
    """
    rate = check.positive(learning_rate, "learning_rate")
    growing = -1.0
    beta = growing if momentum is None else _factor(momentum)
    return Plan(_nesterov, options=[rate, beta], vectors=1)


def _factor(momentum):
    return check.number(momentum, "momentum", low=0.0, high=1.0, open_high=True)


@inlined
def _heavy(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    for i in range(x.size):
        back = x[i] - v[0, i] if k > 0 else 0.0
        v[0, i] = x[i]
        ahead[i] = x[i] - o[0] * g[i] + o[1] * back
    return RUNNING, np.nan


@inlined
def _nesterov(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    beta = o[1] if o[1] >= 0.0 else k / (k + 3.0)
    for i in range(x.size):
        z = x[i] - o[0] * g[i]
        last = v[0, i] if k > 0 else x[i]
        v[0, i] = z
        ahead[i] = z + beta * (z - last)
    return RUNNING, np.nan
