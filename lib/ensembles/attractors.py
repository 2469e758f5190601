"""What gradient descent does in the long run when the learning rate is too large to converge."""

import math
from functools import partial

import numpy as np

from lib import _validation as check
from lib._jit import Slot, stamp
from lib.ensembles._chunks import map_chunks, pieces
from lib.optimizers._steps import inside
from lib.problems import Problem

gradient = Slot("gradient")
hvp = Slot("hvp")

RATES = 64  # orbits that one thread follows at a time


def orbit_tail(
    problem, x0, learning_rates, burn_in=1000, keep=100, divergence_radius=1e8, executor=None
):
    """Follow gradient descent at many learning rates and keep the last iterates of each.

    Parameters
    ----------
    problem : Problem
        The function.
    x0 : array_like, shape (d,)
        The common start.
    learning_rates : array_like, shape (n,)
        The step sizes, all positive.
    burn_in : int
        Steps to forget.
    keep : int
        Iterates to keep after that, at least 1.
    divergence_radius : float
        Where an entry exceeds this, the rest of that row is NaN.
    executor : object with a ``submit`` or ``map`` method, optional
        As for `run_many`.

    Returns
    -------
    ndarray, shape (n, keep, d)
        The iterates: one point where the run converges, a few where it cycles, many where it
        is chaotic.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    At learning rate 1.2 the double well's orbit ends in a cycle of two points:

    >>> from lib import ensembles, problems
    >>> tail = ensembles.orbit_tail(problems.double_well(), [0.0, 0.3], [0.5, 1.2], keep=4)
    >>> tail[:, :, 1].round(4).tolist()
    [[1.0, 1.0, 1.0, 1.0], [0.7313, 1.1395, 0.7313, 1.1395]]

    Notes
    -----
    Used for the bifurcation diagram of "Strict saddles".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    start = check.point(x0, problem.dimension, "x0")
    rates = check.vector(learning_rates, "learning_rates")
    if not (rates > 0).all():
        raise ValueError("learning_rates must all be positive")
    steps = check.integer(burn_in, "burn_in", low=0, high=10**9)
    radius = check.positive(divergence_radius, "divergence_radius")
    keep = check.size(keep, "keep", each=rates.size * problem.dimension)
    work = partial(_tail_chunk, problem, start, burn_in=steps, keep=keep, radius=radius)
    chunks = (rates[first:stop] for first, stop in pieces(rates.size, RATES))
    return map_chunks(work, chunks, rates.size, executor)[0]


def lyapunov_exponent(problem, x0, learning_rate, n_iter=100_000, burn_in=1000, seed=0):
    r"""Measure the largest Lyapunov exponent of the gradient map along one orbit.

    The mean of :math:`\log(\|Dg(x_k)v_k\|/\|v_k\|)`, where the tangent vector is carried along,
    :math:`v_{k+1}=(I-\alpha\nabla^2f(x_k))v_k`.

    Parameters
    ----------
    problem : Problem
        The function.
    x0 : array_like, shape (d,)
        The start.
    learning_rate : float
        The step size :math:`\alpha`, positive.
    n_iter, burn_in : int
        Steps to average over, at least 1, and to forget before.
    seed : int
        Seed of the first tangent vector.

    Returns
    -------
    float
        The exponent: negative where nearby starts converge to each other, positive in chaos, NaN
        where an entry of the orbit exceeds 1e8 (it diverges).

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles, problems
    >>> exponent = ensembles.lyapunov_exponent(problems.double_well(), [0.0, 0.3], 2.0)
    >>> round(exponent, 2)
    1.1

    Notes
    -----
    For the double well at learning rate 2 the exponent is log 3 (a Chebyshev map). Used in
    "Strict saddles".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    start = check.point(x0, problem.dimension, "x0")
    rng = np.random.default_rng(check.integer(seed, "seed", low=0))
    tangent = rng.standard_normal(problem.dimension)
    run = stamp(_lyapunov, gradient=problem.gradient_kernel, hvp=problem.hvp_kernel)
    return float(
        run(
            start,
            tangent / np.linalg.norm(tangent),
            problem.parameters,
            check.positive(learning_rate, "learning_rate"),
            check.integer(n_iter, "n_iter", low=1, high=10**9),
            check.integer(burn_in, "burn_in", low=0, high=10**9),
        )
    )


def _tail_chunk(problem, x0, rates, burn_in, keep, radius):
    tail = np.full((rates.size, keep, problem.dimension), np.nan)
    run = stamp(_tail, gradient=problem.gradient_kernel)
    run(x0, problem.parameters, rates, burn_in, radius, tail)
    return (tail,)


def _tail(x0, p, rates, burn_in, radius, tail):
    d = x0.size
    x = np.empty(d)
    g = np.empty(d)
    keep = tail.shape[1]
    for r in range(rates.size):
        for i in range(d):
            x[i] = x0[i]
        for k in range(burn_in + keep):
            gradient(x, p, g)
            for i in range(d):
                x[i] -= rates[r] * g[i]
            if not inside(x, radius):
                break
            if k >= burn_in:
                for i in range(d):
                    tail[r, k - burn_in, i] = x[i]


def _lyapunov(x0, tangent, p, rate, n_iter, burn_in):
    d = x0.size
    x = np.empty(d)
    v = np.empty(d)
    g = np.empty(d)
    turned = np.empty(d)
    for i in range(d):
        x[i] = x0[i]
        v[i] = tangent[i]
    total = 0.0
    for k in range(burn_in + n_iter):
        hvp(x, v, p, turned)
        gradient(x, p, g)
        length = 0.0
        for i in range(d):
            turned[i] = v[i] - rate * turned[i]
            length += turned[i] * turned[i]
            x[i] -= rate * g[i]
        length = math.sqrt(length)
        if not inside(x, 1e8):
            return math.nan
        if length == 0.0:
            return -math.inf
        for i in range(d):
            v[i] = turned[i] / length
        if k >= burn_in:
            total += math.log(length)
    return total / n_iter
