"""Gradient descent with a constant learning rate."""

import numpy as np

from lib._jit import Slot, stamp
from lib.optimizers._arguments import common
from lib.optimizers._steps import CONVERGED, DIVERGED, MAX_ITER, inside, norm, record
from lib.optimizers.result import Recorder

value = Slot("value")
gradient = Slot("gradient")


def gradient_descent(
    problem,
    x0,
    learning_rate=0.1,
    max_iter=1000,
    tol=1e-8,
    record_every=1,
    divergence_radius=1e8,
):
    r"""Run :math:`x_{k+1}=x_k-\alpha\nabla f(x_k)` from one start.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    x0 : array_like, shape (d,)
        The start.
    learning_rate : float
        The step size :math:`\alpha`, positive.
    max_iter : int
        Largest number of steps.
    tol : float
        Stop when the Euclidean gradient norm is at most `tol`; 0 never stops early unless the
        gradient is exactly zero.
    record_every : int
        Record each so-manieth iterate; the start and the last one are always recorded.
    divergence_radius : float
        Stop with status "diverged" when an entry of the iterate exceeds this, or is not a
        number. The path is kept up to there.

    Returns
    -------
    Result
        Last iterate, path, counters and status "converged", "max_iter" or "diverged".

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

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
    start, rate, steps, tolerance, stride, radius = common(
        problem, x0, learning_rate, max_iter, tol, record_every, divergence_radius
    )
    log = Recorder(steps, stride, problem.dimension)
    run = stamp(_descend, value=problem.value_kernel, gradient=problem.gradient_kernel)
    outcome = run(
        start,
        problem.parameters,
        rate,
        steps,
        tolerance,
        stride,
        radius,
        log.path,
        log.values,
        log.norms,
        log.iterations,
    )
    return log.result("gradient_descent", outcome)


def _descend(x0, p, rate, max_iter, tol, stride, radius, path, values, norms, iterations):
    d = x0.size
    x = np.empty(d)
    ahead = np.empty(d)
    g = np.empty(d)
    for i in range(d):
        x[i] = x0[i]
    gradient(x, p, g)
    size = norm(g)
    n_value = 1
    rows = record(0, 0, x, value(x, p), size, path, values, norms, iterations)
    k = 0
    status = CONVERGED
    while not size <= tol:
        if k == max_iter:
            status = MAX_ITER
            break
        for i in range(d):
            ahead[i] = x[i] - rate * g[i]
        if not inside(ahead, radius):
            status = DIVERGED
            break
        for i in range(d):
            x[i] = ahead[i]
        k += 1
        gradient(x, p, g)
        size = norm(g)
        if k % stride == 0:
            rows = record(rows, k, x, value(x, p), size, path, values, norms, iterations)
            n_value += 1
    if iterations[rows - 1] != k:
        rows = record(rows, k, x, value(x, p), size, path, values, norms, iterations)
        n_value += 1
    return rows, status, k, n_value, k + 1, 0
