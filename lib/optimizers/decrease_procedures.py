"""Decrease procedures: one bound for every method that either arrives or goes down."""

import math
from dataclasses import dataclass, field

import numpy as np

from lib import _validation as check
from lib.optimizers._method import LONGEST
from lib.optimizers.gradient_descent import gradient_descent
from lib.optimizers.perturbed import ball_noise
from lib.optimizers.restarted import restarted_sgd
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
        ``apply(problem, x, seed)``, which returns the next point, shape (d,), the candidates
        among which a target point may be, shape (m, d) or an empty list, and the number of oracle
        calls it used.
    decrease : float
        The decrease :math:`\Delta` of the value it promises where no candidate is a target point,
        positive.
    oracle_calls : int
        The largest number of oracle calls of one application, at least 1.

    Raises
    ------
    TypeError, ValueError
        If `apply` is not callable, or a number has the wrong type or range.

    Examples
    --------
    >>> from lib import optimizers
    >>> def newton_step(problem, x, seed):
    ...     return x - problem.gradient(x) / problem.hessian(x)[0, 0], x[None], 2
    >>> optimizers.Procedure("Newton step", newton_step, decrease=1e-3, oracle_calls=2)
    Procedure(name='Newton step', decrease=0.001, oracle_calls=2)

    Notes
    -----
    What `decrease_method` takes. Used in "Which step is safe" and "Escaping without smoothness".
    """

    name: str
    apply: object = field(repr=False)
    decrease: float
    oracle_calls: int

    def __post_init__(self):
        check.instance(self.name, "name", str, "a text")
        if not callable(self.apply):
            raise TypeError(f"apply must be callable; got {type(self.apply).__name__}")
        numbers = {
            "decrease": check.positive(self.decrease, "decrease"),
            "oracle_calls": check.count(self.oracle_calls, "oracle_calls", low=1),
        }
        for name, number in numbers.items():
            object.__setattr__(self, name, number)


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
        Calls used; of what, the procedure says.
    rounds : int
        Applications made. Fewer than allowed without a target point mean that the last one led
        to where the function is not finite; `x` is then the point before it.
    broken_promises : int
        Rounds that showed no target point and lowered the value by less than promised.
    max_rounds, max_oracle_calls : int
        The bound of the meta-theorem, from the value at the start and the promised decrease.

    Notes
    -----
    Returned by `decrease_method`. Used in "Which step is safe" and "Escaping without smoothness".
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
        The step size :math:`\alpha`, positive. The promise holds for steps up to
        :math:`1/\rho_1(f(x_0))`, the one that `safe_learning_rate` returns.
    epsilon : float
        The target is a gradient norm of at most :math:`\varepsilon`, positive.

    Returns
    -------
    Procedure
        It promises :math:`\frac\alpha2\varepsilon^2` for one gradient. The point before the step is
        the candidate.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a positive number, or the promised decrease is 0 as a float.

    Examples
    --------
    >>> from lib import optimizers
    >>> optimizers.gradient_step(learning_rate=0.5, epsilon=0.1)
    Procedure(name='gradient step', decrease=0.0025000000000000005, oracle_calls=1)

    Notes
    -----
    We derive it (the descent lemma on a sublevel set). Used in "Which step is safe".
    """
    rate = check.positive(learning_rate, "learning_rate")
    eps = check.positive(epsilon, "epsilon")

    def apply(problem, x, seed):
        return x - rate * problem.gradient(x), x[None], 1

    promised = _promise(0.5 * rate * (eps * eps), "learning_rate and epsilon")
    return Procedure("gradient step", apply, promised, 1)


def perturbed_epoch(
    learning_rate,
    radius,
    gradient_threshold,
    perturbation_interval,
    decrease_threshold,
):
    r"""Make the decrease procedure of perturbed gradient descent.

    Where the gradient norm is above the threshold it makes one step, else it adds noise and makes
    `perturbation_interval` steps, which are taken back if the value has risen. The point before
    the noise is the candidate.

    Parameters
    ----------
    learning_rate, radius, gradient_threshold, decrease_threshold : float
        As for `perturbed_gradient_descent`, positive.
    perturbation_interval : int
        Steps of an epoch, 1 to 10^9.

    Returns
    -------
    Procedure
        It promises the smaller of `decrease_threshold` and the decrease of a step,
        :math:`\frac\alpha2g_{\text{thres}}^2`. An oracle call is a gradient or a value.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import curvature, optimizers, problems
    >>> well = problems.double_well()
    >>> epoch = optimizers.perturbed_epoch(0.1, 1e-2, 1e-2, 100, 1e-3)
    >>> run = optimizers.decrease_method(
    ...     well, [0.0, 0.0], epoch, lambda x: curvature.is_second_order_stationary(well, x, 0.01))
    >>> run.found, abs(run.x[1]).round(2).item()
    (True, 1.0)

    Notes
    -----
    Jin et al. (2017) as a decrease procedure; the splitting is ours. Used in "Escaping without
    smoothness", and in "Which step is safe".
    """
    rate = check.positive(learning_rate, "learning_rate")
    ball = check.positive(radius, "radius")
    small = check.positive(gradient_threshold, "gradient_threshold")
    interval = check.integer(perturbation_interval, "perturbation_interval", low=1, high=LONGEST)
    drop = check.positive(decrease_threshold, "decrease_threshold")

    def apply(problem, x, seed):
        slope = problem.gradient(x)
        if np.linalg.norm(slope) > small:
            return x - rate * slope, [], 1
        start = x + ball_noise(1, x.size, ball, seed)[0]
        run = gradient_descent(
            problem, start, rate, max_iter=interval, tol=0.0, record_every=interval
        )
        _go_on(run)
        better = run.value <= problem.value(x)
        return run.x if better else x, x[None], 1 + run.n_gradient + 2  # two values

    step = _promise(0.5 * rate * (small * small), "learning_rate and gradient_threshold")
    return Procedure("perturbed epoch", apply, min(drop, step), interval + 4)


def ball_sgd(learning_rate, ball_radius, n_steps, decrease, batch_size=1, noise=0.0):
    r"""Make the decrease procedure of restarted SGD: run until the ball around the start is left.

    Parameters
    ----------
    learning_rate : float
        The step size, positive.
    ball_radius : float
        Radius B of the ball, positive.
    n_steps : int
        Steps K after which the run has stayed, 1 to 10^9; the average of its iterates is the
        candidate.
    decrease : float
        The decrease it promises when the ball is left, positive; theory suggests the order of
        :math:`B^2/(\alpha K)`.
    batch_size : int, optional
        Samples for each gradient, drawn with replacement; None for the whole gradient, which every
        problem has.
    noise : float
        Standard deviation of normal noise that is added to each coordinate of each gradient.

    Returns
    -------
    Procedure
        An oracle call is the gradient of one sample, or the whole gradient without batches.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it. Whether the problem has
        samples is seen when the procedure is applied.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import optimizers, problems
    >>> well = problems.double_well()
    >>> runner = optimizers.ball_sgd(0.05, 0.3, 300, 1e-3, batch_size=None, noise=0.1)
    >>> run = optimizers.decrease_method(
    ...     well, [0.0, 0.0], runner, lambda x: np.linalg.norm(well.gradient(x)) <= 0.1)
    >>> run.found, abs(run.x[1]).round(1).item()
    (True, 1.0)

    Notes
    -----
    One run of `restarted_sgd` up to its first restart: Fang, Lin and Zhang (2019) as a decrease
    procedure; the splitting is ours. Used in "Escaping without smoothness", and in "Which step is
    safe".
    """
    rate = check.positive(learning_rate, "learning_rate")
    size = check.positive(ball_radius, "ball_radius")
    steps = check.integer(n_steps, "n_steps", low=1, high=LONGEST)
    samples = 1 if batch_size is None else check.count(batch_size, "batch_size", low=1)
    shake = check.number(noise, "noise", low=0.0)

    def apply(problem, x, seed):
        run = restarted_sgd(
            problem,
            x,
            rate,
            ball_radius=size,
            stay=steps,
            noise=shake,
            batch_size=batch_size,
            max_restarts=0,
            seed=seed,
            max_iter=steps,
            record_every=steps,
        )
        _go_on(run)
        used = (run.n_iter + (run.status == "diverged")) * samples
        if run.status == "converged":  # the last row of the path is the average
            return run.path[-2], run.x[None], used
        return run.x, [], used

    return Procedure("ball SGD", apply, decrease, steps * samples)


def decrease_method(problem, x0, procedure, target, infimum=None, max_rounds=None, seed=0):
    r"""Apply a decrease procedure until it shows a target point.

    If from every point x with :math:`f(x)\le f(x_0)` a procedure shows a target point or lowers
    the value by :math:`\Delta>0`, it finds one within
    :math:`N=\lceil(f(x_0)-f^*)/\Delta\rceil+1` rounds. If it does so only with probability at
    least :math:`1-\delta` whatever happened before, it finds one with probability at least
    :math:`1-N\delta`.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    x0 : array_like, shape (d,)
        The start.
    procedure : Procedure
        The subroutine.
    target : callable
        ``target(x) -> bool``, such as "the gradient is small" or
        `lib.curvature.is_second_order_stationary`.
    infimum : float, optional
        A lower bound :math:`f^*` of the function, at most its value at `x0`. Default: the
        problem's constant "infimum"; it is needed where the problem has none.
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
        If an argument has the wrong type, shape or range, or the procedure returns something
        else than it should; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import optimizers, problems
    >>> well = problems.double_well()
    >>> step = optimizers.gradient_step(learning_rate=0.05, epsilon=0.01)
    >>> small = lambda x: np.linalg.norm(well.gradient(x)) <= 0.01
    >>> run = optimizers.decrease_method(well, [1.0, 0.4], step, small)
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
    bound = _most_rounds(problem, procedure, values[0], infimum)
    limit = bound if max_rounds is None else check.count(max_rounds, "max_rounds")
    calls = broken = rounds = 0
    found = False
    while rounds < limit and not found and math.isfinite(values[-1]):
        ahead, candidates, used = _apply(procedure, problem, x, first + rounds)
        rounds += 1
        calls += used
        hit = next((point for point in candidates if target(point)), None)
        found = hit is not None
        ahead = ahead if hit is None else hit
        values.append(problem.value(ahead))
        broken += not (found or values[-2] - values[-1] >= procedure.decrease)
        x = ahead if math.isfinite(values[-1]) else x
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


def _go_on(run):
    """Hand on the Ctrl-C that ended a run within a procedure."""
    if run.status == "interrupted":
        raise KeyboardInterrupt


def _promise(decrease, names):
    """Return the promised decrease of a gradient step if it is an ordinary float."""
    if not 0.0 < decrease < math.inf:
        raise ValueError(f"decrease must be finite and above 0; what {names} promise is {decrease}")
    return decrease


def _most_rounds(problem, procedure, height, infimum):
    """Return the bound N of the rounds from a point of this value."""
    if not math.isfinite(height):
        raise ValueError(f"x0 must be a point where the value is finite; it is {height}")
    if infimum is None:
        if "infimum" not in problem.constants:
            raise ValueError(f"infimum must be given: none is known for {problem.name}")
        infimum = min(problem.constants["infimum"], height)  # rounding may put a value below it
    gap = height - check.number(infimum, "infimum", high=height)
    rounds = gap / procedure.decrease
    if not rounds < 2**53:
        raise ValueError(
            "procedure must promise a decrease that is not negligible; it promises "
            f"{procedure.decrease:g} of {gap:g}"
        )
    return math.ceil(rounds) + 1


def _apply(procedure, problem, x, seed):
    """Apply the procedure, and check what it returns."""
    answer = procedure.apply(problem, x, seed)
    if not (isinstance(answer, tuple) and len(answer) == 3):
        raise TypeError(
            "procedure must return the next point, the candidates and the oracle calls; "
            f"got {type(answer).__name__}"
        )
    ahead, candidates = (check.floats(part, "points of procedure") for part in answer[:2])
    d = problem.dimension
    if candidates.size == 0:
        candidates = candidates.reshape(0, d)
    if ahead.shape != (d,) or candidates.ndim != 2 or candidates.shape[1] != d:
        raise ValueError(
            f"procedure must return a point of shape ({d},) and candidates of shape (m, {d}); "
            f"got shapes {ahead.shape} and {candidates.shape}"
        )
    return ahead, candidates, check.count(answer[2], "oracle calls of procedure")
