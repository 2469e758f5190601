"""Perturbed gradient descent: gradient descent that shakes itself off saddles."""

import math

import numpy as np

from lib import _random as random
from lib import _validation as check
from lib._jit import Slot, row
from lib.optimizers._drive import N_GRADIENT, N_VALUE
from lib.optimizers._method import LONGEST, Plan, optimizer
from lib.optimizers._steps import REWIND, RUNNING

value = Slot("value")
gradient = Slot("gradient")

INTERVAL, RADIUS, SMALL, DROP, RATE = range(5)
SHAKEN_AT, VALUE_BEFORE = range(2)


@optimizer(tol=None)
def perturbed_gradient_descent(
    problem,
    learning_rate=0.1,
    radius=1e-2,
    gradient_threshold=1e-3,
    perturbation_interval=50,
    decrease_threshold=1e-5,
    seed=0,
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
        What to minimize.
    learning_rate : float
        The step size, positive.
    radius : float
        Radius r of the ball the noise is drawn from, positive.
    gradient_threshold : float
        Gradient norm g_thres at or below which noise is considered, positive.
    perturbation_interval : int
        Number of steps t_thres that a perturbation is given to show an effect, 1 to 10^9.
    decrease_threshold : float
        Decrease f_thres of the value that counts as an effect, positive.
    seed : int
        Seed of the noise; equal seeds give equal runs.

    Returns
    -------
    Result
        Status "converged" means that the last perturbation changed nothing; `x` is then the point
        before it, appended as last row of `path`. `perturbed_at` lists the steps with noise.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.perturbed_gradient_descent(problems.double_well(), [1.0, 0.0])
    >>> run.status, abs(run.x[1]).round(2).item()
    ('converged', 1.0)

    Notes
    -----
    Algorithm 2 of Jin, Ge, Netrapalli, Kakade and Jordan (2017), with step, radius and the three
    thresholds as practical numbers; `jin_parameters` gives the theory's. Used in "Escape time",
    "Escaping without smoothness", "Nine optimizers, one theorem" and "Five results, one picture".
    """
    interval = check.integer(perturbation_interval, "perturbation_interval", low=1, high=LONGEST)
    return Plan(
        _advance,
        options=[
            interval,
            check.positive(radius, "radius"),
            check.positive(gradient_threshold, "gradient_threshold"),
            check.positive(decrease_threshold, "decrease_threshold"),
            check.positive(learning_rate, "learning_rate"),
        ],
        scalars=[-interval - 1, 0.0],
        vectors=3,
        stop=_stop,
        seed=check.integer(seed, "seed", low=0),
        events=interval + 1,
    )


def jin_parameters(
    smoothness,
    hessian_lipschitz,
    epsilon,
    dimension,
    gap,
    failure_probability=0.1,
    c=1.0,
):
    r"""Return the theory's parameters for `perturbed_gradient_descent`.

    With :math:`\chi=3\max\{\log\frac{d\ell\Delta}{c\varepsilon^2\delta},4\}`: learning rate
    :math:`c/\ell`, radius :math:`\frac{\sqrt c}{\chi^2}\frac\varepsilon\ell`, gradient threshold
    :math:`\frac{\sqrt c}{\chi^2}\varepsilon`, decrease threshold
    :math:`\frac c{\chi^3}\sqrt{\varepsilon^3/\rho}` and perturbation interval
    :math:`\frac\chi{c^2}\frac\ell{\sqrt{\rho\varepsilon}}`, rounded up.

    Parameters
    ----------
    smoothness : float
        Lipschitz constant :math:`\ell` of the gradient, positive; for a function with
        self-bounding regularity, its bound :math:`\rho_1(t)` for a value t a little above that at
        the start, such as ``problem.rho1(problem.value(x0) + 1)``.
    hessian_lipschitz : float
        Lipschitz constant :math:`\rho` of the Hessian, positive; likewise its :math:`\rho_2(t)`.
    epsilon : float
        Accuracy :math:`\varepsilon` of the second-order stationary point, at which the gradient
        norm is at most :math:`\varepsilon` and no eigenvalue of the Hessian is below
        :math:`-\sqrt{\rho\varepsilon}`; positive and at most :math:`\ell^2/\rho`.
    dimension : int
        Number of coordinates d.
    gap : float
        A bound :math:`\Delta` of the initial value less the infimum, positive.
    failure_probability : float
        The probability :math:`\delta` of failure, above 0 and below 1.
    c : float
        The theory's absolute constant, which has to be small enough; positive and at most 1.

    Returns
    -------
    dict
        Options of `perturbed_gradient_descent`, and nothing else.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range, the message names it; or if a parameter leaves
        the floating range, or the interval exceeds 10^9 steps.

    Examples
    --------
    >>> from lib import optimizers
    >>> theory = optimizers.jin_parameters(41.94, 30.17, 0.1, dimension=20, gap=1.5)
    >>> f"{theory['radius']:.1e}", theory["perturbation_interval"]
    ('1.3e-06', 1018)

    Notes
    -----
    Algorithm 2 of Jin, Ge, Netrapalli, Kakade and Jordan (2017). Used in "Escaping without
    smoothness", where we compare with practical values.
    """
    ell = check.positive(smoothness, "smoothness")
    rho = check.positive(hessian_lipschitz, "hessian_lipschitz")
    eps = check.number(epsilon, "epsilon", low=0.0, high=ell * ell / rho, open_low=True)
    d = check.count(dimension, "dimension", low=1)
    delta = check.number(
        failure_probability,
        "failure_probability",
        low=0.0,
        high=1.0,
        open_low=True,
        open_high=True,
    )
    drop = check.positive(gap, "gap")
    c = check.number(c, "c", low=0.0, high=1.0, open_low=True)
    above, below = (d, ell, drop), (c, eps, eps, delta)
    chi = 3.0 * max(sum(map(math.log, above)) - sum(map(math.log, below)), 4.0)
    small = math.sqrt(c) / chi**2 * eps
    theory = {
        "learning_rate": c / ell,
        "radius": small / ell,
        "gradient_threshold": small,
        "decrease_threshold": c / chi**3 * eps * math.sqrt(eps) / math.sqrt(rho),
    }
    interval = chi / c / c * (ell / math.sqrt(rho) / math.sqrt(eps))
    if not interval <= LONGEST:
        raise ValueError(
            f"epsilon and c must be so large that a perturbation needs at most {LONGEST} steps; "
            f"with epsilon = {eps:g} and c = {c:g} it needs {interval:.3g}"
        )
    for name, number in theory.items():
        if not 0.0 < number < math.inf:
            raise ValueError(
                "smoothness, hessian_lipschitz, epsilon and c must be such that the parameters "
                f"are ordinary floats; {name} is {number}"
            )
    return theory | {"perturbation_interval": math.ceil(interval)}


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
        The points, in the order in which a perturbed run with that seed adds them.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import optimizers
    >>> noise = optimizers.ball_noise(1000, dimension=3, radius=0.1, seed=0)
    >>> noise.shape, bool(np.linalg.norm(noise, axis=1).max() <= 0.1)
    ((1000, 3), True)

    Notes
    -----
    The noise of Jin et al. (2017). Used in "Escape time" and "Escaping without smoothness".
    """
    d = check.size(dimension, "dimension")
    count = check.size(n, "n", each=d)
    size = check.positive(radius, "radius")
    state = random.stream(seed)
    points = np.empty((count, d))
    for point in points:
        random.ball(state, size, point)
    return points


def _stop(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    if k - s[SHAKEN_AT] != o[INTERVAL]:
        return RUNNING, f
    if not f == f:
        f = value(x, p)
        c[N_VALUE] += 1
    if f - s[VALUE_BEFORE] > -o[DROP]:
        for i in range(x.size):
            ahead[i] = v[0, i]
        return REWIND, f
    return RUNNING, f


def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    d = x.size
    if size <= o[SMALL] and k - s[SHAKEN_AT] > o[INTERVAL]:
        if not f == f:
            f = value(x, p)
            c[N_VALUE] += 1
        s[VALUE_BEFORE] = f
        s[SHAKEN_AT] = k
        random.ball(r, o[RADIUS], row(v, 1))
        for i in range(d):
            v[0, i] = x[i]
            v[1, i] += x[i]
        if m.size > 0:
            m[0] += 1
            m[m[0]] = k
        gradient(row(v, 1), p, row(v, 2))
        c[N_GRADIENT] += 1
        for i in range(d):
            ahead[i] = v[1, i] - o[RATE] * v[2, i]
    else:
        for i in range(d):
            ahead[i] = x[i] - o[RATE] * g[i]
    return RUNNING, np.nan
