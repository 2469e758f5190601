"""Gradient descent whose step is safe by the value of the function."""

import numpy as np

from lib import _validation as check
from lib._jit import Slot
from lib.optimizers._method import Plan, optimizer
from lib.optimizers._steps import BREAKDOWN, RUNNING
from lib.problems import Problem

rho1 = Slot("rho1")


def safe_learning_rate(problem, x0, safety=1.0):
    r"""Return :math:`c/\rho_1(f(x_0))`, a step that is safe on the whole sublevel set of `x0`.

    Parameters
    ----------
    problem : Problem
        One that carries :math:`\rho_1`.
    x0 : array_like, shape (d,)
        The start.
    safety : float
        The factor c, positive. Up to 1 each step lowers the value by at least half the step
        times the squared gradient norm; below 2 it still lowers it.

    Returns
    -------
    float
        The learning rate for `gradient_descent`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, the problem carries no :math:`\rho_1`, or the bound is
        zero or infinite at `x0`.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> round(optimizers.safe_learning_rate(problems.double_well(), [0.0, 2.0]), 6)
    0.090909

    Notes
    -----
    We derive it; the idea is that of Cao, Chen, Sridharan and Tang (2025): constants enter through
    the initial value only. Used in "Which step is safe".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    bound = problem.rho1(problem.value(check.point(x0, problem.dimension, "x0")))
    if not 0.0 < bound < np.inf:
        raise ValueError(f"x0 must be a point where rho1 is positive and finite; it is {bound}")
    return check.positive(safety, "safety") / bound


@optimizer()
def adaptive_gradient_descent(problem, safety=1.0):
    r"""Run gradient descent with the step :math:`\alpha_k=c/\rho_1(f(x_k))`.

    Parameters
    ----------
    problem : Problem
        What to minimise; it has to carry :math:`\rho_1`.
    safety : float
        The factor c, positive; up to 1 the value cannot rise.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.adaptive_gradient_descent(problems.double_well(), [1.0, 3.0])
    >>> run.status, run.trace["step_size"][1:3].round(4).tolist()
    ('converged', [0.0379, 0.0775])

    Notes
    -----
    The trace has the "step_size". We derive the method for functions with self-bounding
    regularity, after Cao, Chen, Sridharan and Tang (2025). Used in "Which step is safe".
    """
    if problem.rho1_kernel is None:
        raise ValueError(f"problem must carry self-bounding constants; {problem.name} has none")
    return Plan(
        _advance,
        options=[check.positive(safety, "safety")],
        scalars=[np.nan],
        trace=("step_size",),
        slots={"rho1": problem.rho1_kernel},
        uses_value=True,
    )


def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    bound = rho1(f, p)
    if not bound > 0.0:
        return BREAKDOWN, np.nan
    s[0] = o[0] / bound
    for i in range(x.size):
        ahead[i] = x[i] - s[0] * g[i]
    return RUNNING, np.nan
