"""The step sizes of Barzilai and Borwein: curvature along the last step, at no extra cost."""

import numpy as np

from lib import _validation as check
from lib._jit import inlined, row
from lib.optimizers._method import Plan, optimizer
from lib.optimizers._steps import BREAKDOWN, RUNNING
from lib.optimizers.hessian_scaled import CG, GM, MR, scaling_of, unit_of

RULES = ("ratio", "keep", "stop")
RATIO, STOP = 0, 2
FIRST, WHICH, RULE = range(3)
STEP = 0


@optimizer()
def barzilai_borwein(problem, variant=1, first_step=1e-3, negative_curvature="ratio"):
    r"""Run gradient descent with the step sizes of Barzilai and Borwein.

    With :math:`s=x_k-x_{k-1}` and :math:`y=g_k-g_{k-1}`, the step size is
    :math:`\langle s,s\rangle/\langle s,y\rangle` (BB1) or
    :math:`\langle s,y\rangle/\langle y,y\rangle` (BB2). A step costs one gradient and nothing else;
    the values need not fall, and nothing is guaranteed where the function is not convex.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    variant : int
        1 for the long step BB1, 2 for the short step BB2.
    first_step : float
        Step size of the first step, which has no predecessor, positive.
    negative_curvature : str
        What to do where :math:`\langle s,y\rangle` is not positive, so that neither step size is
        defined: take the "ratio" :math:`\|s\|/\|y\|`, which lies between BB1 and BB2 where they
        are; "keep" the last step size, as "ratio" does where :math:`y=0`; or "stop" with status
        "breakdown".

    Returns
    -------
    Result
        The trace holds "step_size". Status "breakdown" also means that a step size overflowed.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> bowl = problems.quadratic_saddle([1.0, 10.0, 100.0])
    >>> run = optimizers.barzilai_borwein(bowl, [1.0, 1.0, 1.0])
    >>> run.status, run.n_iter < 60
    ('converged', True)

    Notes
    -----
    Barzilai and Borwein (1988). Since :math:`s` is a multiple of the last gradient, these are,
    on a quadratic, the scalings CG and MR of `hessian_scaled` one step late. The products are
    formed of gradients: :math:`s=-\beta g_{k-1}`, where :math:`\beta` is the last step size,
    is not rounded as a difference of two iterates is. Where the function is not convex BB1 may
    end in a cycle, as on Rosenbrock's valley from (-1.2, 1): five points, forever. What to do
    where :math:`\langle s,y\rangle` is not positive is our choice. Used in
    "One Hessian-vector product sets the step" and "What it buys, honestly".
    """
    which = {1: CG, 2: MR}[check.choice(variant, "variant", (1, 2))]
    rule = RULES.index(check.choice(negative_curvature, "negative_curvature", RULES))
    return Plan(
        _advance,
        options=[check.positive(first_step, "first_step"), which, rule],
        scalars=[np.nan],
        trace=("step_size",),
        vectors=1,
    )


@inlined
def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    before = row(v, 0)
    step = o[FIRST]
    if k > 0:
        step = s[STEP]
        unit = min(unit_of(before), unit_of(g))
        gg = 0.0
        gh = 0.0
        hh = 0.0
        for i in range(x.size):
            last = unit * before[i]
            change = last - unit * g[i]
            gg += last * last
            gh += last * change
            hh += change * change
        if gh > 0.0:
            step *= scaling_of(int(o[WHICH]), gg, gh, hh)
        elif o[RULE] == STOP:
            return BREAKDOWN, np.nan
        elif o[RULE] == RATIO and hh > 0.0:
            step *= scaling_of(GM, gg, gh, hh)
    if not step < np.inf:
        return BREAKDOWN, np.nan
    for i in range(x.size):
        before[i] = g[i]
        ahead[i] = x[i] - step * g[i]
    s[STEP] = step
    return RUNNING, np.nan
