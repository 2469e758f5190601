"""Gradient descent with clipped steps."""

import numpy as np

from lib import _validation as check
from lib._jit import inlined
from lib.optimizers._method import Plan, optimizer
from lib.optimizers._steps import RUNNING


@optimizer()
def clipped_gradient_descent(problem, learning_rate=0.1, max_step=0.5):
    r"""Run gradient descent whose steps are no longer than `max_step`.

    :math:`x_{k+1}=x_k-\min\{\alpha,\ h/\|\nabla f(x_k)\|\}\,\nabla f(x_k)`: where the gradient is
    large, the step has length h whatever the gradient.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    learning_rate : float
        The step size :math:`\alpha` where the gradient is small, positive.
    max_step : float
        The length h, positive.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.clipped_gradient_descent(problems.double_well(), [0.0, 9.0])
    >>> run.status, run.path[1].tolist()
    ('converged', [0.0, 8.5])

    Notes
    -----
    The trace has the "step_size". The method of Zhang, He, Sra and Jadbabaie (2020), in our
    parametrisation; only the gradient's norm is needed, no value and no :math:`\rho_1`. Used in
    "Which step is safe".
    """
    return Plan(
        _advance,
        options=[
            check.positive(learning_rate, "learning_rate"),
            check.positive(max_step, "max_step"),
        ],
        scalars=[np.nan],
        trace=("step_size",),
    )


@inlined
def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    s[0] = o[0] if o[0] * size <= o[1] else o[1] / size
    for i in range(x.size):
        ahead[i] = x[i] - s[0] * g[i]
    return RUNNING, np.nan
