"""Coordinate descent: one coordinate at a time."""

import numpy as np

from lib import _random as random
from lib import _validation as check
from lib._jit import inlined
from lib.optimizers._method import Plan, optimizer
from lib.optimizers._steps import RUNNING

ORDERS = ("cyclic", "random", "greedy")


@optimizer(max_iter=10_000)
def coordinate_descent(problem, learning_rate=0.1, order="cyclic", seed=0):
    r"""Run :math:`x_i\leftarrow x_i-\alpha\,\partial_if(x)` for one coordinate i a step.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    learning_rate : float
        The step size :math:`\alpha`, positive.
    order : str
        Which coordinate comes next: "cyclic" in turn, "random" uniformly drawn, "greedy" the one
        with the largest partial derivative.
    seed : int
        Seed of the random order.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.coordinate_descent(problems.double_well(), [1.0, 0.4], 0.5)
    >>> run.status, run.x.round(6).tolist()
    ('converged', [0.0, 1.0])

    Notes
    -----
    One of the methods to which Lee et al. (2019) extend the theorem of part 1. A general problem
    has no cheaper partial derivatives, so each step evaluates a whole gradient and is counted so.
    Used in "The stable manifold" and "Which method when".
    """
    return Plan(
        _advance,
        options=[
            check.positive(learning_rate, "learning_rate"),
            ORDERS.index(check.choice(order, "order", ORDERS)),
        ],
        seed=check.integer(seed, "seed", low=0),
    )


@inlined
def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    chosen = k % x.size
    if o[1] == 1.0:
        chosen = random.below(r, x.size)
    elif o[1] == 2.0:
        chosen = 0
        for i in range(x.size):
            if abs(g[i]) > abs(g[chosen]):
                chosen = i
    for i in range(x.size):
        ahead[i] = x[i]
    ahead[chosen] = x[chosen] - o[0] * g[chosen]
    return RUNNING, np.nan
