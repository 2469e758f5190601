"""Gradient descent with a constant learning rate."""

import numpy as np

from lib import _validation as check
from lib._jit import inlined
from lib.optimizers._method import Plan, optimizer
from lib.optimizers._steps import RUNNING


@optimizer()
def gradient_descent(problem, learning_rate=0.1):
    r"""Run :math:`x_{k+1}=x_k-\alpha\nabla f(x_k)` from one start.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    learning_rate : float
        The step size :math:`\alpha`, positive.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.gradient_descent(problems.double_well(), [1.0, 0.5], learning_rate=0.5)
    >>> run.status, run.x.round(6).tolist()
    ('converged', [0.0, 1.0])

    Notes
    -----
    The method of Lee, Simchowitz, Jordan and Recht (2016). Used in every chapter.
    """
    return Plan(_advance, options=[check.positive(learning_rate, "learning_rate")])


@inlined
def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    for i in range(x.size):
        ahead[i] = x[i] - o[0] * g[i]
    return RUNNING, np.nan
