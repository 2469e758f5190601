"""Perturbed gradient descent: gradient descent that shakes itself off saddles."""

import numpy as np

from lib import _validation as check
from lib._jit import Slot, stamp
from lib.optimizers._arguments import common
from lib.optimizers._steps import CONVERGED, DIVERGED, MAX_ITER, inside, norm, record
from lib.optimizers.result import Recorder

value = Slot("value")
gradient = Slot("gradient")


def perturbed_gradient_descent(
    problem,
    x0,
    learning_rate=0.1,
    max_iter=1000,
    radius=1e-2,
    gradient_threshold=1e-3,
    perturbation_interval=50,
    decrease_threshold=1e-5,
    seed=0,
    record_every=1,
    divergence_radius=1e8,
):
    r"""Run gradient descent that adds noise where the gradient is small.

    Where :math:`\|\nabla f(x_k)\|` is at most `gradient_threshold`, and more than
    `perturbation_interval` steps have passed since the last noise, a point drawn uniformly from
    the ball of the given `radius` is added. If the value has not fallen by
    `decrease_threshold` after `perturbation_interval` further steps, the point before the noise
    is returned: it is, with high probability, an approximate second-order stationary point.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    x0 : array_like, shape (d,)
        The start; it may be a saddle.
    learning_rate : float
        The step size, positive.
    max_iter : int
        Largest number of steps.
    radius : float
        Radius r of the ball the noise is drawn from, positive.
    gradient_threshold : float
        Gradient norm g_thres at or below which noise is considered, positive.
    perturbation_interval : int
        Number of steps t_thres that a perturbation is given to show an effect, at least 1.
    decrease_threshold : float
        Decrease f_thres of the value that counts as an effect, positive.
    seed : int
        Seed of the noise; equal seeds give equal runs.
    record_every : int
        Record each so-manieth iterate; the start and the last one are always recorded.
    divergence_radius : float
        Stop with status "diverged" when an entry of the iterate exceeds this.

    Returns
    -------
    Result
        Status "converged" means that the last perturbation changed nothing; `x` is then the point
        before it, appended as last row of `path`. `perturbed_at` lists the steps with noise.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.perturbed_gradient_descent(problems.double_well(), [1.0, 0.0])
    >>> run.status, abs(run.x[1]).round(2).item()
    ('converged', 1.0)

    Notes
    -----
    Algorithm of Jin, Ge, Netrapalli, Kakade and Jordan (2017), with the four thresholds as
    practical numbers instead of the theory's constants. Used in "Escape time".
    """
    start, rate, steps, _, stride, far = common(
        problem, x0, learning_rate, max_iter, 0.0, record_every, divergence_radius
    )
    ball = check.positive(radius, "radius")
    small = check.positive(gradient_threshold, "gradient_threshold")
    interval = check.integer(perturbation_interval, "perturbation_interval", low=1)
    drop = check.positive(decrease_threshold, "decrease_threshold")
    noise = ball_noise(steps // (interval + 1) + 1, problem.dimension, ball, seed)
    perturbed_at = np.empty(noise.shape[0], dtype=np.int64)
    log = Recorder(steps + stride, stride, problem.dimension)
    run = stamp(_perturb, value=problem.value_kernel, gradient=problem.gradient_kernel)
    *outcome, shakes = run(
        start,
        problem.parameters,
        rate,
        steps,
        small,
        interval,
        drop,
        noise,
        stride,
        far,
        log.path,
        log.values,
        log.norms,
        log.iterations,
        perturbed_at,
    )
    return log.result("perturbed_gradient_descent", outcome, perturbed_at[:shakes])


def ball_noise(n, dimension, radius, seed):
    """Draw points uniformly from a ball.

    Parameters
    ----------
    n, dimension : int
        Number of points and of coordinates.
    radius : float
        Radius of the ball around the origin.
    seed : int
        Seed, at least 0.

    Returns
    -------
    ndarray, shape (n, dimension)
        The points.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Notes
    -----
    The noise of Jin et al. (2017). Used in "Escape time".
    """
    rng = np.random.default_rng(check.integer(seed, "seed", low=0))
    count = check.integer(n, "n", low=1)
    d = check.integer(dimension, "dimension", low=1)
    # The first d coordinates of a uniform point on the sphere in d + 2 dimensions are uniform in
    # the ball; drawn this way, the points do not depend on how many are drawn.
    points = rng.standard_normal((count, d + 2))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return check.positive(radius, "radius") * points[:, :d].copy()


def _perturb(
    x0,
    p,
    rate,
    max_iter,
    small,
    interval,
    drop,
    noise,
    stride,
    radius,
    path,
    values,
    norms,
    iterations,
    perturbed_at,
):
    d = x0.size
    x = np.empty(d)
    ahead = np.empty(d)
    before = np.empty(d)
    g = np.empty(d)
    for i in range(d):
        x[i] = x0[i]
        before[i] = x0[i]
    gradient(x, p, g)
    n_gradient = 1
    n_value = 1
    rows = record(0, 0, x, value(x, p), norm(g), path, values, norms, iterations)
    k = 0
    shakes = 0
    shaken_at = -interval - 1
    value_before = 0.0
    status = MAX_ITER
    while k < max_iter:
        if norm(g) <= small and k - shaken_at > interval:
            value_before = value(x, p)
            n_value += 1
            for i in range(d):
                before[i] = x[i]
                x[i] += noise[shakes, i]
            perturbed_at[shakes] = k
            shakes += 1
            shaken_at = k
            gradient(x, p, g)
            n_gradient += 1
        for i in range(d):
            ahead[i] = x[i] - rate * g[i]
        if not inside(ahead, radius):
            status = DIVERGED
            break
        for i in range(d):
            x[i] = ahead[i]
        k += 1
        gradient(x, p, g)
        n_gradient += 1
        if k % stride == 0:
            rows = record(rows, k, x, value(x, p), norm(g), path, values, norms, iterations)
            n_value += 1
        if k - shaken_at == interval:
            n_value += 1
            if value(x, p) - value_before > -drop:
                status = CONVERGED
                for i in range(d):
                    x[i] = before[i]
                gradient(x, p, g)
                n_gradient += 1
                break
    if status == CONVERGED or iterations[rows - 1] != k:
        rows = record(rows, k, x, value(x, p), norm(g), path, values, norms, iterations)
        n_value += 1
    return rows, status, k, n_value, n_gradient, 0, shakes
