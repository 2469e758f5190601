"""Restarted SGD: a run counts as arrived when it stays in a ball around where it started."""

import numpy as np

from lib import _random as random
from lib import _validation as check
from lib._jit import Slot, inlined, row, stamp
from lib.optimizers._batches import sampler
from lib.optimizers._drive import N_SAMPLE
from lib.optimizers._method import LONGEST, Plan, optimizer
from lib.optimizers._steps import REWIND, RUNNING, STOPPED

batch_gradient = Slot("batch_gradient")
draw = Slot("draw")
measure = Slot("measure")

RATE, BALL, STAY, NOISE, SIZE, COUNT, LIMIT = range(7)
RESTARTS, SINCE = range(2)
ANCHOR, SUM, SLOPE, SHAKE = range(4)


@optimizer(max_iter=100_000, tol=None)
def restarted_sgd(
    problem,
    learning_rate=0.01,
    ball_radius=0.3,
    stay=1000,
    noise=0.0,
    batch_size=1,
    max_restarts=None,
    seed=0,
):
    r"""Run SGD until it stays in a ball, and return the average of that last stretch.

    The ball of radius B is centered at an anchor, at first the start. When an iterate leaves it,
    the iterate becomes the new anchor. When K steps are made without leaving, the run is over; the
    average of the K iterates from which these steps were made is returned.

    Parameters
    ----------
    problem : Problem
        What to minimize; a mean over samples, or any function if `batch_size` is None.
    learning_rate : float
        The step size, positive.
    ball_radius : float
        The radius B, positive.
    stay : int
        The number of steps K, 1 to 10^9.
    noise : float
        Standard deviation of normal noise that is added to each coordinate of each gradient.
    batch_size : int, optional
        Samples a step, drawn with replacement; None for the whole gradient.
    max_restarts : int, optional
        End the run as "stopped" at the iterate that leaves a ball when the anchor has already
        moved so often; 0 ends it where it leaves the first ball. Default: no such limit.
    seed : int
        Seed of samples and noise.

    Returns
    -------
    Result
        Status "converged" means that the run stayed; `x` is then the average, appended as last row
        of `path`. The trace has the number of "restarts". There is no tolerance: a small gradient
        is no reason to stop, since saddles have one.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> saddle = [0.0, 0.0]
    >>> run = optimizers.restarted_sgd(
    ...     problems.double_well(), saddle, 0.05, stay=300, noise=0.1, batch_size=None)
    >>> run.status, abs(run.x[1]).round(1).item()
    ('converged', 1.0)

    Notes
    -----
    After Fang, Lin and Zhang (2019); one of the methods that Cao, Chen, Sridharan and Tang (2025)
    study for functions without a Lipschitz gradient. Restarting is not going back: the ball moves,
    the iterate stays. Used in "Escaping without smoothness".
    """
    pick, size, integers = sampler(problem, batch_size, "with_replacement")
    limit = -1  # for none
    if max_restarts is not None:
        limit = check.integer(max_restarts, "max_restarts", low=0, high=LONGEST)
    measure = _whole
    if pick is not None:
        kernel = problem.batch_gradient_kernel
        measure = stamp(_sampled, inline=True, batch_gradient=kernel, draw=pick)
    return Plan(
        _advance,
        options=[
            check.positive(learning_rate, "learning_rate"),
            check.positive(ball_radius, "ball_radius"),
            check.integer(stay, "stay", low=1, high=LONGEST),
            check.number(noise, "noise", low=0.0),
            size,
            problem.n_samples,
            limit,
        ],
        scalars=[0.0, 0.0],
        trace=("restarts",),
        vectors=4,
        integers=integers,
        stop=_stop,
        slots={"measure": measure},
        lazy=pick is not None,
        seed=check.integer(seed, "seed", low=0),
    )


@inlined
def _stop(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    away = 0.0
    for i in range(x.size):
        if k == 0:
            v[ANCHOR, i] = x[i]
        away += (x[i] - v[ANCHOR, i]) * (x[i] - v[ANCHOR, i])
    if away > o[BALL] * o[BALL]:
        if s[RESTARTS] == o[LIMIT]:
            return STOPPED, f
        s[RESTARTS] += 1.0
        s[SINCE] = 0.0
        for i in range(x.size):
            v[ANCHOR, i] = x[i]
            v[SUM, i] = 0.0
    elif s[SINCE] == o[STAY]:
        for i in range(x.size):
            ahead[i] = v[SUM, i] / o[STAY]
        return REWIND, f
    return RUNNING, f


def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    measure(x, g, p, o, m, r, row(v, SLOPE), c)
    if o[NOISE] > 0.0:
        random.normals(r, row(v, SHAKE))
    for i in range(x.size):
        v[SUM, i] += x[i]
        ahead[i] = x[i] - o[RATE] * (v[SLOPE, i] + o[NOISE] * v[SHAKE, i])
    s[SINCE] += 1.0
    return RUNNING, np.nan


@inlined
def _whole(x, g, p, o, m, r, out, c):
    for i in range(x.size):
        out[i] = g[i]


def _sampled(x, g, p, o, m, r, out, c):
    first, last = draw(int(o[COUNT]), int(o[SIZE]), m, r)
    batch_gradient(x, p, m[first:last], out)
    c[N_SAMPLE] += last - first
