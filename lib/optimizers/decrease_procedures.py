"""Decrease procedures: one bound for every method that either arrives or goes down."""

import math
from dataclasses import dataclass, field

import numpy as np

from lib import _validation as check
from lib.optimizers.gradient_descent import gradient_descent
from lib.optimizers.perturbed import ball_noise
from lib.optimizers.stochastic import sgd
from lib.problems import Problem


@dataclass(frozen=True)
class Procedure:
    r"""A subroutine that from any point either shows a target point or lowers the value.

    Make one with `gradient_step`, `perturbed_epoch` or `ball_sgd`, or from a function of your own.

    Attributes
    ----------
    name : str
        What it is called in messages.
    apply : callable
        ``apply(problem, x, seed)``, which returns the next point, an array of candidates (one per
        row) among which a target point may be, and the number of oracle calls it used.
    decrease : float
        The decrease :math:`\Delta` it promises where no candidate is a target point, positive.
    oracle_calls : int
        The largest number of oracle calls of one application.
    """

    name: str
    apply: object = field(repr=False)
    decrease: float
    oracle_calls: int


@dataclass(frozen=True, eq=False)
class DecreaseRun:
    """What repeated application of a decrease procedure did.

    Attributes
    ----------
    x : ndarray, shape (d,)
        The target point found, else the last point.
    found : bool
        Whether a target point was found.
    values : ndarray, shape (rounds + 1,)
        Value before each round and at the end.
    oracle_calls : int
        Calls used.
    rounds : int
        Applications made.
    broken_promises : int
        Rounds that showed no target point and lowered the value by less than promised.
    max_rounds, max_oracle_calls : int
        The bound of the meta-theorem, from the value at the start and the promised decrease.
    """

    x: np.ndarray
    found: bool
    values: np.ndarray = field(repr=False)
    oracle_calls: int
    rounds: int
    broken_promises: int
    max_rounds: int
    max_oracle_calls: int


def gradient_step(learning_rate, epsilon):
    r"""Make the simplest decrease procedure: one step of gradient descent.

    Parameters
    ----------
    learning_rate : float
        The step size :math:`\alpha`, at most :math:`1/\rho_1` of the initial value.
    epsilon : float
        A gradient norm up to this is the target.

    Returns
    -------
    Procedure
        It promises :math:`\frac\alpha2\varepsilon^2` for one gradient.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a positive number.

    Notes
    -----
    We derive it (the descent lemma on a sublevel set). Used in "Which step is safe".
    """
    rate = check.positive(learning_rate, "learning_rate")
    eps = check.positive(epsilon, "epsilon")

    def apply(problem, x, seed):
        return x - rate * problem.gradient(x), x[None], 1

    return Procedure("gradient step", apply, 0.5 * rate * eps**2, 1)


def perturbed_epoch(
    learning_rate,
    radius,
    gradient_threshold,
    perturbation_interval,
    decrease_threshold,
):
    r"""Make the decrease procedure of perturbed gradient descent.

    Where the gradient is above the threshold it makes one step, else it adds noise and makes
    `perturbation_interval` steps. The point before the noise is the candidate.

    Parameters
    ----------
    learning_rate, radius, gradient_threshold, decrease_threshold : float
        As for `perturbed_gradient_descent`, positive.
    perturbation_interval : int
        Steps of an epoch, at least 1.

    Returns
    -------
    Procedure
        It promises the smaller of `decrease_threshold` and the decrease of a step,
        :math:`\frac\alpha2g_{\text{thres}}^2`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Notes
    -----
    Jin et al. (2017) as a decrease procedure; the splitting is ours. Used in "Escaping without
    smoothness".
    """
    rate = check.positive(learning_rate, "learning_rate")
    ball = check.positive(radius, "radius")
    small = check.positive(gradient_threshold, "gradient_threshold")
    interval = check.integer(perturbation_interval, "perturbation_interval", low=1)
    drop = check.positive(decrease_threshold, "decrease_threshold")

    def apply(problem, x, seed):
        slope = problem.gradient(x)
        if np.linalg.norm(slope) > small:
            return x - rate * slope, x[:0].reshape(0, x.size), 1
        start = x + ball_noise(1, x.size, ball, seed)[0]
        run = gradient_descent(
            problem, start, rate, max_iter=interval, tol=0.0, record_every=interval
        )
        better = run.value <= problem.value(x)
        return run.x if better else x, x[None], 1 + run.n_gradient

    return Procedure(
        "perturbed epoch", apply, min(drop, 0.5 * rate * small**2), interval + 2
    )


def ball_sgd(learning_rate, ball_radius, n_steps, decrease, batch_size=1):
    r"""Make the decrease procedure of restarted SGD: run until the ball around the start is left.

    Parameters
    ----------
    learning_rate : float
        The step size, positive.
    ball_radius : float
        Radius B of the ball, positive.
    n_steps : int
        Steps K after which the run has stayed; the average of its iterates is the candidate.
    decrease : float
        The decrease it promises when the ball is left, positive; theory suggests the order of
        :math:`B^2/(\alpha K)`.
    batch_size : int
        Samples for each gradient.

    Returns
    -------
    Procedure
        An oracle call is the gradient of one sample.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Notes
    -----
    Fang, Lin and Zhang (2019) as a decrease procedure; the splitting is ours. Used in "Escaping
    without smoothness".
    """
    rate = check.positive(learning_rate, "learning_rate")
    size = check.positive(ball_radius, "ball_radius")
    steps = check.integer(n_steps, "n_steps", low=1)
    samples = check.integer(batch_size, "batch_size", low=1)

    def apply(problem, x, seed):
        run = sgd(
            problem,
            x,
            rate,
            batch_size=samples,
            seed=seed,
            max_iter=steps,
            callback=lambda k, y, *_: np.linalg.norm(y - x) > size,
        )
        used = run.n_iter * samples
        if run.status == "stopped":
            return run.x, run.path[:0], used
        return run.x, run.path[:-1].mean(axis=0)[None], used

    return Procedure("ball SGD", apply, check.positive(decrease, "decrease"), steps * samples)


def decrease_method(problem, x0, procedure, target, infimum=0.0, max_rounds=None, seed=0):
    r"""Apply a decrease procedure until it shows a target point.

    If from every point of the initial sublevel set a procedure shows a target point or lowers the
    value by :math:`\Delta`, it finds one within
    :math:`N=\lceil(f(x_0)-f^*)/\Delta\rceil+1` rounds.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    x0 : array_like, shape (d,)
        The start.
    procedure : Procedure
        The subroutine.
    target : callable
        ``target(x) -> bool``, such as "the gradient is small" or
        `lib.curvature.is_second_order_stationary`.
    infimum : float
        A lower bound :math:`f^*` of the function.
    max_rounds : int, optional
        Stop after this many rounds; default: the bound N.
    seed : int
        Round number i hands the seed ``seed + i`` to the procedure.

    Returns
    -------
    DecreaseRun
        What was found, at what cost, and the bound.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import optimizers, problems
    >>> well = problems.double_well()
    >>> step = optimizers.gradient_step(learning_rate=0.05, epsilon=0.01)
    >>> small = lambda x: np.linalg.norm(well.gradient(x)) <= 0.01
    >>> run = optimizers.decrease_method(well, [1.0, 0.4], step, small, infimum=-0.25)
    >>> run.found, run.rounds <= run.max_rounds, run.broken_promises
    (True, True, 0)

    Notes
    -----
    The name is that of Cao, Chen, Sridharan and Tang (2025), version 2; statement and bound are
    ours, with the proof in the book. Used in "Which step is safe" and "Escaping without
    smoothness".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    check.instance(procedure, "procedure", Procedure, "a Procedure")
    if not callable(target):
        raise TypeError(f"target must be callable; got {type(target).__name__}")
    x = check.point(x0, problem.dimension, "x0")
    first = check.integer(seed, "seed", low=0)
    values = [problem.value(x)]
    gap = values[0] - check.number(infimum, "infimum", high=values[0])
    bound = math.ceil(gap / procedure.decrease) + 1
    limit = bound if max_rounds is None else check.integer(max_rounds, "max_rounds", low=0)
    calls = broken = rounds = 0
    found = False
    while rounds < limit and not found:
        ahead, candidates, used = procedure.apply(problem, x, first + rounds)
        rounds += 1
        calls += used
        hit = next((point for point in candidates if target(point)), None)
        found = hit is not None
        x = ahead if hit is None else hit
        values.append(problem.value(x))
        broken += not found and values[-2] - values[-1] < procedure.decrease
    return DecreaseRun(
        x=np.array(x),
        found=found,
        values=np.array(values),
        oracle_calls=calls,
        rounds=rounds,
        broken_promises=broken,
        max_rounds=bound,
        max_oracle_calls=bound * procedure.oracle_calls,
    )
