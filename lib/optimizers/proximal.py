"""The gradient map, its inverse, and the proximal point method."""

import numpy as np

from lib import _validation as check
from lib._jit import Slot, stamp
from lib.optimizers._drive import N_GRADIENT
from lib.optimizers._method import Plan, optimizer
from lib.optimizers._steps import INNER_FAILED, RUNNING
from lib.problems import Problem

gradient = Slot("gradient")
solve = Slot("solve")


def gradient_map(problem, x, learning_rate):
    r"""Apply one step of gradient descent, :math:`g(x)=x-\alpha\nabla f(x)`.

    Parameters
    ----------
    problem : Problem
        Whose gradient to use.
    x : array_like, shape (d,)
        The point.
    learning_rate : float
        The step size :math:`\alpha`, positive.

    Returns
    -------
    ndarray, shape (d,)
        The point after the step, infinite or NaN where it overflows.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> optimizers.gradient_map(problems.double_well(), [1.0, 2.0], learning_rate=0.25).tolist()
    [0.75, 0.5]

    Notes
    -----
    The map that the proof of Lee et al. (2016) studies. Used in "The stable manifold", and in
    "Escaping without smoothness".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    x = check.point(x, problem.dimension, "x")
    rate = check.positive(learning_rate, "learning_rate")
    with np.errstate(over="ignore", invalid="ignore"):
        return x - rate * problem.gradient(x)


def inverse_gradient_map(problem, y, learning_rate, tol=1e-14, max_iter=100_000):
    r"""Find the point that one step of gradient descent takes to `y`.

    Solves :math:`x-\alpha\nabla f(x)=y` by the fixed-point iteration
    :math:`x\leftarrow y+\alpha\nabla f(x)`, a contraction with factor :math:`\alpha L` wherever
    :math:`\alpha<1/L`. The solution is the proximal point of :math:`-f` at `y`.

    Parameters
    ----------
    problem : Problem
        Whose gradient to use.
    y : array_like, shape (d,)
        Where the step ends.
    learning_rate : float
        The step size :math:`\alpha`, positive; below 1/L the inverse exists and is unique.
    tol : float
        Stop when a step of the iteration moves no entry by more than `tol` times
        :math:`1+\max|x|`.
    max_iter : int
        Largest number of iterations.

    Returns
    -------
    ndarray, shape (d,)
        The point x.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.
    ArithmeticError
        If the iteration does not settle, as happens for a learning rate beyond 1/L.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> bowl = problems.quadratic_saddle([1.0, 2.0])
    >>> ahead = optimizers.gradient_map(bowl, [1.0, 1.0], learning_rate=0.25)
    >>> ahead.tolist()
    [0.75, 0.5]
    >>> optimizers.inverse_gradient_map(bowl, ahead, learning_rate=0.25).round(12).tolist()
    [1.0, 1.0]

    Notes
    -----
    Lee et al. (2016): for a learning rate below 1/L the gradient map is a diffeomorphism. Used
    in "The stable manifold".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    target = check.point(y, problem.dimension, "y")
    rate = check.positive(learning_rate, "learning_rate")
    x = target.copy()
    settle = stamp(_settle, gradient=problem.gradient_kernel)
    count = settle(
        target,
        problem.parameters,
        rate,
        check.positive(tol, "tol"),
        check.count(max_iter, "max_iter", low=1),
        x,
    )
    if count < 0:
        raise ArithmeticError(
            f"the inverse gradient map did not settle at learning_rate = {rate:g}; "
            "it is sure to exist only below 1/L"
        )
    return x


@optimizer()
def proximal_point(problem, learning_rate=0.1, inner_tol=1e-14, max_inner=10_000):
    r"""Run :math:`x_{k+1}=\arg\min_z f(z)+\frac1{2\alpha}\|z-x_k\|^2` from one start.

    Each inner problem is solved by the fixed-point iteration
    :math:`z\leftarrow x_k-\alpha\nabla f(z)`, a contraction with factor :math:`\alpha L`.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    learning_rate : float
        The parameter :math:`\alpha`, positive; below 1/L along the run.
    inner_tol : float
        Stop an inner iteration when it moves no entry by more than `inner_tol` times
        :math:`1+\max|z|`.
    max_inner : int
        Largest number of inner iterations a step.

    Returns
    -------
    Result
        Status "inner_failed" means that an inner iteration did not settle.

    Examples
    --------
    A step divides each coordinate of a quadratic by 1 plus learning rate times curvature.

    >>> from lib import optimizers, problems
    >>> bowl = problems.quadratic_saddle([1.0, 3.0])
    >>> optimizers.proximal_point(bowl, [1.0, 1.0], 0.25, max_iter=1).x.round(12).tolist()
    [0.8, 0.571428571429]

    Notes
    -----
    Lee et al. (2016), conclusion: its map is the inverse of gradient ascent's, so the theorem
    covers it too. Used in "The stable manifold".
    """
    return Plan(
        _advance,
        options=[
            check.positive(learning_rate, "learning_rate"),
            check.positive(inner_tol, "inner_tol"),
            check.count(max_inner, "max_inner", low=1),
        ],
        slots={"solve": stamp(_settle, gradient=problem.gradient_kernel)},
    )


def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    for i in range(x.size):
        ahead[i] = x[i]
    count = solve(x, p, -o[0], o[1], int(o[2]), ahead)
    c[N_GRADIENT] += abs(count)
    if count < 0:
        return INNER_FAILED, np.nan
    return RUNNING, np.nan


def _settle(target, p, rate, tol, max_iter, x):
    """Solve x - rate * gradient(x) = target in place; return the count, negated on failure."""
    g = np.empty(x.size)
    for k in range(max_iter):
        gradient(x, p, g)
        move = 0.0
        size = 0.0
        for i in range(x.size):
            y = target[i] + rate * g[i]
            if not abs(y) < 1e300:
                return -k - 1
            move = max(move, abs(y - x[i]))
            size = max(size, abs(y))
            x[i] = y
        if move <= tol * (1.0 + size):
            return k + 1
    return -max_iter
