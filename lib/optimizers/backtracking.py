"""Gradient descent that finds its step by trying."""

import numpy as np

from lib import _validation as check
from lib._jit import Slot, row
from lib.optimizers._line_search import searches
from lib.optimizers._method import Plan, optimizer
from lib.optimizers._steps import LINE_SEARCH_FAILED, RUNNING

backward = Slot("backward")

SUFFICIENT, SHRINK, GROWTH, FIRST, MAX_TRIALS = range(5)


@optimizer()
def backtracking_gradient_descent(
    problem,
    first_step=1.0,
    sufficient_decrease=0.5,
    shrink=0.5,
    growth=None,
    max_trials=100,
):
    r"""Run gradient descent with Armijo backtracking.

    The step :math:`\alpha_k` is the first of the trials :math:`a,\theta a,\theta^2a,\dots` with
    :math:`f(x_k-\alpha\nabla f(x_k))\le f(x_k)-\rho\alpha\|\nabla f(x_k)\|^2`.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    first_step : float
        The first trial a, positive: of each search if `growth` is None (a cold start), else of
        the first search only.
    sufficient_decrease : float
        The factor :math:`\rho`, above 0 and below 1.
    shrink : float
        The factor :math:`\theta`, above 0 and below 1.
    growth : float, optional
        Start each further search from the last step times this factor, at least 1 (a warm start).
    max_trials : int
        Largest number of trials a search; then the run ends as "line_search_failed".

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.backtracking_gradient_descent(problems.double_well(), [0.0, 9.0])
    >>> run.status, run.n_iter < 30
    ('converged', True)

    Notes
    -----
    The trace has the "step_size". Let :math:`\rho_1(t)` bound the norm of the Hessian at all points
    with a value up to t; the method does not need to know it. With :math:`\rho=\theta=\frac12`,
    every accepted step of a cold start is at least :math:`\min\{a,1/(2\rho_1(f(x_k)))\}`; a warm
    start with growth 2 keeps only :math:`\alpha_k\ge\min\{2\alpha_{k-1},1/(2\rho_1(f(x_k)))\}`, so
    it may climb slowly from a step that is too small (we derive both). Values are compared, so
    where the decrease that is asked for is less than their rounding, the trials that pass may be
    so small that they move nothing: a `tol` can be too small to be reached. Used in "Which step
    is safe", "What it buys, honestly" and "Try it on your own function".
    """
    factor = 0.0 if growth is None else check.number(growth, "growth", low=1.0)
    return Plan(
        _advance,
        options=[
            check.number(
                sufficient_decrease,
                "sufficient_decrease",
                low=0.0,
                high=1.0,
                open_low=True,
                open_high=True,
            ),
            check.number(shrink, "shrink", low=0.0, high=1.0, open_low=True, open_high=True),
            factor,
            check.positive(first_step, "first_step"),
            check.count(max_trials, "max_trials", low=1),
        ],
        scalars=[np.nan],
        trace=("step_size",),
        vectors=1,
        slots=searches(problem),
        uses_value=True,
    )


def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    slope = 0.0
    for i in range(x.size):
        v[0, i] = -g[i]
        slope -= g[i] * g[i]
    first = o[GROWTH] * s[0] if k > 0 and o[GROWTH] > 0.0 else o[FIRST]
    step, f_ahead = backward(
        x, f, p, row(v, 0), slope, first, o[SUFFICIENT], o[SHRINK], int(o[MAX_TRIALS]), ahead, c
    )
    if step == 0.0:
        return LINE_SEARCH_FAILED, np.nan
    s[0] = step
    return RUNNING, f_ahead
