"""Gradient descent whose step is safe by the value of the function."""

import numpy as np

from lib import _validation as check
from lib._jit import Slot
from lib.optimizers._drive import SEEN_VALUE
from lib.optimizers._method import Plan, optimizer
from lib.optimizers._steps import BREAKDOWN, RUNNING
from lib.problems import Problem

rho1 = Slot("rho1")

SAFETY, FIXED = range(2)


def safe_learning_rate(problem, x0, safety=1.0):
    r"""Return :math:`c/\rho_1(f(x_0))`, a step that is safe wherever f is at most :math:`f(x_0)`.

    Here :math:`\rho_1(t)` bounds the norm of the Hessian at all points with a value up to t.

    Parameters
    ----------
    problem : Problem
        One that carries :math:`\rho_1` (self-bounding regularity); see `Problem.rho1`.
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
        If an argument has the wrong type, shape or range, the problem carries no
        :math:`\rho_1`, or the value or the bound at `x0` is not finite, or the bound is zero.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> round(optimizers.safe_learning_rate(problems.double_well(), [0.0, 2.0]), 6)
    0.090909

    Notes
    -----
    We derive it; the idea is that of Cao, Chen, Sridharan and Tang (2025): constants enter through
    the initial value only. Used in "Which step is safe" and "Five results, one picture".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    height = problem.value(check.point(x0, problem.dimension, "x0"))
    if not np.isfinite(height):
        raise ValueError(f"x0 must be a point where the value is finite; it is {height}")
    bound = problem.rho1(height)
    if not 0.0 < bound < np.inf:
        raise ValueError(f"x0 must be a point where rho1 is positive and finite; it is {bound}")
    return check.positive(safety, "safety") / bound


@optimizer()
def adaptive_gradient_descent(problem, safety=1.0, fixed=False):
    r"""Run gradient descent with the step :math:`\alpha_k=c/\rho_1(f(x_k))`.

    Here :math:`\rho_1(t)` bounds the norm of the Hessian at all points with a value up to t.

    Parameters
    ----------
    problem : Problem
        What to minimize; it has to carry :math:`\rho_1` (see `Problem.rho1`).
    safety : float
        The factor c, positive. Up to 1 each step lowers the value by at least
        :math:`\frac{\alpha_k}2\|\nabla f(x_k)\|^2`; below 2 it still lowers it.
    fixed : bool
        Keep the first step, :math:`c/\rho_1(f(x_0))`, for the whole run, as `gradient_descent`
        does with `safe_learning_rate`; in `run_many`, each run then has the step of its start.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.adaptive_gradient_descent(problems.double_well(), [1.0, 3.0])
    >>> run.status, run.trace["step_size"][1:3].round(4).tolist()
    ('converged', [0.0379, 0.0775])

    Notes
    -----
    The trace has the "step_size". Where the bound is zero or not finite the run ends as
    "breakdown". We derive the method for functions with self-bounding regularity, after Cao, Chen,
    Sridharan and Tang (2025). Used in "Which step is safe", "Escaping without smoothness" and "Five
    results, one picture".
    """
    if problem.rho1_kernel is None:
        raise ValueError(f"problem must carry self-bounding constants; {problem.name} has none")
    return Plan(
        _advance,
        options=[check.positive(safety, "safety"), check.flag(fixed, "fixed")],
        scalars=[np.nan],
        trace=("step_size",),
        slots={"rho1": problem.rho1_kernel},
        uses_value=not fixed,
    )


def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    if k == 0 or o[FIXED] == 0.0:
        bound = rho1(f, p)
        if not 0.0 < bound < np.inf:
            return BREAKDOWN, np.nan
        s[0] = o[SAFETY] / bound
        if o[FIXED] != 0.0:  # the loop took the value at the start for a recorded one only
            c[SEEN_VALUE] -= 1
    for i in range(x.size):
        ahead[i] = x[i] - s[0] * g[i]
    return RUNNING, np.nan
