"""Stochastic gradient methods: SGD, with momentum, and those that scale each component."""

import functools
import inspect
from dataclasses import dataclass

import numpy as np

from lib import _validation as check
from lib._jit import Slot, row, stamp
from lib.optimizers import _updates
from lib.optimizers._batches import sampler
from lib.optimizers._drive import (
    N_GRADIENT,
    N_SAMPLE,
    SEEN_GRADIENT,
    small_recorded_gradient,
)
from lib.optimizers._method import LAZY_TOL, Plan, _sections, optimizer
from lib.optimizers._steps import RUNNING
from lib.optimizers._updates import BATCH, LEAD, RATE, SAMPLES, couple, learning_rate, shrink
from lib.optimizers.schedules import Schedule

gradient = Slot("gradient")
batch_gradient = Slot("batch_gradient")
draw = Slot("draw")
slope = Slot("slope")
update = Slot("update")

CONVENTIONS = ("pytorch", "paper")

FIRST = """\
problem : Problem
    What to minimize.
learning_rate : float
    The step size, positive."""

SHARED = """\
batch_size : int, optional
    Number of samples in a mini-batch. Default: the gradient of the whole problem in each step;
    the only choice where the problem is no mean over samples.
sampling : str
    "with_replacement" draws each sample anew. "without_replacement" goes through all samples
    in random order, epoch by epoch; where `batch_size` does not divide their number, the last
    batch of an epoch is smaller.
schedule : Schedule, optional
    Factors by which `learning_rate` is multiplied. Default: constant.
weight_decay : float
    Strength of the decay, at least 0: each gradient gets `weight_decay` times the point where it
    was taken added to it, as from a term ``weight_decay / 2`` times the squared norm (L2).
decoupled_weight_decay : bool
    Instead, multiply the point by ``1 - rate * weight_decay`` before each step, where ``rate``
    is the scheduled learning rate; the point shrinks where ``rate * weight_decay`` is below 1.
convention : str
    "pytorch" for the formulas of torch.optim, "paper" for those of the theory; see Notes.
seed : int
    Seed of the mini-batches; equal seeds give equal runs."""

RECORDS = """\
A component whose gradients have all been exactly zero stays exactly where it is, unless
`weight_decay` moves it: this is what keeps dead neurons dead (see
`lib.ensembles.frozen_parameters`).

With mini-batches, `n_sample` counts gradients of single samples. Recording an iterate takes the
value and the gradient of the whole problem: with many samples, record rarely. The trace
"learning_rate" is the scheduled rate of the step that led to an iterate."""


@dataclass
class Rule:
    """How one method differs from the others: its update, that one's own options, its memory.

    `lead` is the multiple of learning rate and state[0] by which the point where the gradient is
    taken lies ahead.
    """

    update: object
    own: tuple = ()
    rows: int = 0
    lead: float = 0.0


def _stochastic(learning_rate):
    """Make a stochastic method of a function from its own options and `convention` to a `Rule`.

    `learning_rate` is the default.
    """

    def decorate(rule):
        own = list(inspect.signature(rule).parameters.values())[:-1]
        problem, rate, *shared = list(inspect.signature(_plan).parameters.values())[2:]
        signature = inspect.Signature([problem, rate.replace(default=learning_rate), *own, *shared])

        @functools.wraps(rule)
        def plan(*args, **kwargs):
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            given = bound.arguments
            chosen = {parameter.name: given.pop(parameter.name) for parameter in own}
            return _plan(rule, chosen, **given)

        plan.__signature__ = signature
        plan.__doc__ = _document(inspect.getdoc(rule))
        return optimizer(tol=LAZY_TOL)(plan)

    return decorate


def _document(text):
    """Add the shared options, and how they are counted, to the text of a rule."""
    parts = _sections(text)
    parts["Parameters"] = "\n".join([FIRST, *filter(None, [parts.get("Parameters")]), SHARED])
    parts["Notes"] += f"\n\n{RECORDS}"
    head = parts.pop("")
    order = sorted(parts, key=("Parameters", "Examples", "Notes").index)
    rest = [f"{key}\n{'-' * len(key)}\n{parts[key]}" for key in order]
    return "\n\n".join([head, *rest])


def _plan(
    rule,
    own,
    problem,
    learning_rate,
    batch_size=None,
    sampling="with_replacement",
    schedule=None,
    weight_decay=0.0,
    decoupled_weight_decay=False,
    convention="pytorch",
    seed=0,
):
    """Return the plan of a rule with its own options and the shared ones."""
    rule = rule(**own, convention=check.choice(convention, "convention", CONVENTIONS))
    schedule = Schedule.constant() if schedule is None else schedule
    check.instance(schedule, "schedule", Schedule, "a Schedule (see lib.optimizers.Schedule)")
    rate = check.positive(learning_rate, "learning_rate")
    decay = check.number(weight_decay, "weight_decay", low=0.0)
    decoupled = check.flag(decoupled_weight_decay, "decoupled_weight_decay")
    seed = check.integer(seed, "seed", low=0)
    draws, size, integers = sampler(problem, batch_size, sampling)
    if draws is None:
        bound = stamp(_whole, inline=True, gradient=problem.gradient_kernel)
    else:
        bound = stamp(
            _sampled, inline=True, draw=draws, batch_gradient=problem.batch_gradient_kernel
        )
    return Plan(
        _advance,
        options=(
            *schedule.numbers(rate),
            0.0 if decoupled else decay,
            decay if decoupled else 0.0,
            rule.lead,
            problem.n_samples,
            size,
            *rule.own,
        ),
        scalars=(np.nan, 1.0),
        trace=("learning_rate",),
        vectors=rule.rows + 1,
        integers=integers,
        slots={"slope": bound, "update": rule.update, "draw": draws},
        stop=small_recorded_gradient,
        lazy=True,
        seed=None if draws is None else seed,
    )


def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    """Make one step; the last row of v is for the gradient."""
    s[RATE] = learning_rate(o, k)
    for i in range(x.size):
        ahead[i] = x[i]
    if o[LEAD] > 0.0:
        for i in range(x.size):
            ahead[i] -= s[RATE] * o[LEAD] * v[0, i]
        size = np.nan
    slope(ahead, g, size, p, o, m, r, row(v, v.shape[0] - 1), c)
    couple(ahead, row(v, v.shape[0] - 1), o)
    for i in range(x.size):
        ahead[i] = x[i]
    shrink(ahead, s, o)
    update(ahead, row(v, v.shape[0] - 1), v, s, o, k + 1)
    return RUNNING, np.nan


def _whole(x, g, size, p, o, m, r, out, c):
    """Compute the gradient, or take `g` where the loop knew it already (then size is a number)."""
    if size == size:
        for i in range(x.size):
            out[i] = g[i]
        c[SEEN_GRADIENT] -= 1
    else:
        gradient(x, p, out)
        c[N_GRADIENT] += 1


def _sampled(x, g, size, p, o, m, r, out, c):
    """Compute the gradient of the next mini-batch."""
    first, last = draw(int(o[SAMPLES]), int(o[BATCH]), m, r)
    batch_gradient(x, p, m[first:last], out)
    c[N_SAMPLE] += last - first


@_stochastic(learning_rate=1e-3)
def sgd(convention):
    r"""Run stochastic gradient descent, :math:`x_{k+1}=x_k-\gamma_kg_k`.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.sgd(problems.double_well(), [1.0, 0.4], 0.2, record_every=100)
    >>> round(run.value, 4)
    -0.25

    Notes
    -----
    :math:`g_k` is the gradient of a mini-batch. Both conventions agree. One of the nine methods
    named by Do, Hannibal and Jentzen (2024). Used in "Escaping
    without smoothness" and "Nine optimizers, one theorem".
    """
    return Rule(_updates.sgd)


@_stochastic(learning_rate=1e-3)
def momentum_sgd(momentum=0.9, dampening=0.0, nesterov=False, convention="pytorch"):
    r"""Run stochastic gradient descent along a running sum or mean of the gradients.

    Parameters
    ----------
    momentum : float
        The share :math:`\alpha` of the sum that stays from step to step, from 0 to 1.
    dampening : float
        Share of each gradient but the first that is left out, from 0 to 1; convention "pytorch"
        only, and without effect where `momentum` is 0.
    nesterov : bool
        Whether to look ahead, as `nesterov_sgd` does.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.momentum_sgd(problems.double_well(), [1.0, 0.4], 0.02, record_every=100)
    >>> round(run.value, 4)
    -0.25

    Notes
    -----
    PyTorch adds up: :math:`m\leftarrow\alpha m+g`, beginning with the first gradient. The theory
    averages: :math:`m\leftarrow\alpha m+(1-\alpha)g`, beginning with zero, so that its learning
    rate is larger by the factor :math:`1/(1-\alpha)`. Both then step by :math:`-\gamma m`. One of
    the nine methods named by Do, Hannibal and Jentzen (2024). Used in "Dead neurons stay dead"
    and "Nine optimizers, one theorem".
    """
    return _momentum_rule(momentum, dampening, check.flag(nesterov, "nesterov"), convention)


@_stochastic(learning_rate=1e-3)
def nesterov_sgd(momentum=0.9, convention="pytorch"):
    r"""Run stochastic gradient descent with Nesterov's momentum.

    Parameters
    ----------
    momentum : float
        The share :math:`\alpha` of the sum that stays from step to step, from 0 to 1; above 0
        with convention "pytorch".

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.nesterov_sgd(problems.double_well(), [1.0, 0.4], 0.02, record_every=100)
    >>> round(run.value, 4)
    -0.25

    Notes
    -----
    In the theory's form the gradient is taken at the point :math:`x-\gamma\alpha m` ahead, then
    :math:`m\leftarrow\alpha m+(1-\alpha)g` and the step is :math:`-\gamma m`. PyTorch keeps as
    its parameters the point ahead itself: :math:`m\leftarrow\alpha m+g` with the gradient at x,
    and the step :math:`-\gamma(g+\alpha m)`. One of the nine methods named by Do, Hannibal and
    Jentzen (2024). Used in "Nine optimizers, one theorem".
    """
    return _momentum_rule(momentum, 0.0, True, convention)


def _momentum_rule(momentum, dampening, nesterov, convention):
    alpha = check.number(momentum, "momentum", low=0.0, high=1.0)
    dampening = check.number(dampening, "dampening", low=0.0, high=1.0)
    if convention == "paper":
        if dampening > 0.0:
            raise ValueError(f"dampening must be 0 with convention 'paper'; got {dampening}")
        own = (alpha, 1.0 - alpha, 1.0 - alpha, 0.0, 1.0)
        return Rule(_updates.momentum, own, rows=1, lead=alpha if nesterov else 0.0)
    if nesterov and (alpha == 0.0 or dampening > 0.0):
        raise ValueError(
            "momentum must be above 0 and dampening 0 for Nesterov's momentum; "
            f"got {alpha} and {dampening}"
        )
    gain = 1.0 if alpha == 0.0 else 1.0 - dampening
    own = (alpha, 1.0, gain, 1.0, alpha) if nesterov else (alpha, 1.0, gain, 0.0, 1.0)
    return Rule(_updates.momentum, own, rows=1)


@_stochastic(learning_rate=1e-2)
def adagrad(lr_decay=0.0, initial_accumulator_value=0.0, eps=1e-10, convention="pytorch"):
    r"""Run Adagrad: each component divided by the root of its sum of squared gradients.

    Parameters
    ----------
    lr_decay : float
        Divide the learning rate of step k = 0, 1, ... by 1 + k `lr_decay`, at least 0.
    initial_accumulator_value : float
        What the sum begins with, at least 0.
    eps : float
        The guard :math:`\varepsilon` against division by zero, at least 0. Without it, and with
        an empty sum, a component whose gradient is zero becomes 0/0 and the run "diverged".

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.adagrad(problems.double_well(), [1.0, 0.4], 0.5, record_every=100)
    >>> round(run.value, 4)
    -0.25

    Notes
    -----
    :math:`v\leftarrow v+g^2`, and the step is :math:`-\gamma g/(\varepsilon+\sqrt v)`. Both
    conventions agree. One of the nine methods named by Do, Hannibal and Jentzen (2024). Used in
    "Nine optimizers, one theorem".
    """
    return Rule(
        _updates.adagrad,
        (
            check.number(lr_decay, "lr_decay", low=0.0),
            check.number(initial_accumulator_value, "initial_accumulator_value", low=0.0),
            check.number(eps, "eps", low=0.0),
        ),
        rows=1,
    )


@_stochastic(learning_rate=1e-2)
def rmsprop(alpha=0.99, eps=1e-8, centered=False, momentum=0.0, convention="pytorch"):
    r"""Run RMSprop: each component divided by the root of its mean squared gradient.

    Parameters
    ----------
    alpha : float
        The share :math:`\beta` of the mean that stays from step to step, at least 0 and below 1.
    eps : float
        The guard :math:`\varepsilon` against division by zero, at least 0. Without it a component
        whose gradients are all zero becomes 0/0 and the run "diverged".
    centered : bool
        Whether to divide by the root of the variance instead.
    momentum : float
        If not 0, step along a running sum of the quotients, of which this share, from 0 to 1,
        stays from step to step.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.rmsprop(problems.double_well(), [1.0, 0.4], record_every=100)
    >>> round(run.value, 4)
    -0.25

    Notes
    -----
    :math:`v\leftarrow\beta v+(1-\beta)g^2`, and the step is :math:`-\gamma g/(\varepsilon+\sqrt
    v)` in PyTorch and :math:`-\gamma g/\sqrt{\varepsilon+v}` in the theory, where the same
    :math:`\varepsilon` weighs more. A variance that rounding makes negative counts as zero. One
    of the nine methods named by Do, Hannibal and Jentzen (2024). Used in "Nine optimizers, one
    theorem".
    """
    eps = check.number(eps, "eps", low=0.0)
    return Rule(
        _updates.rmsprop,
        (
            check.number(alpha, "alpha", low=0.0, high=1.0, open_high=True),
            eps if convention == "paper" else 0.0,
            0.0 if convention == "paper" else eps,
            check.number(momentum, "momentum", low=0.0, high=1.0),
            float(check.flag(centered, "centered")),
        ),
        rows=3,
    )


@_stochastic(learning_rate=1e-3)
def adam(betas=(0.9, 0.999), eps=1e-8, convention="pytorch"):
    r"""Run Adam: the mean gradient divided by the root of the mean squared gradient.

    Parameters
    ----------
    betas : pair of float
        The shares :math:`\alpha` and :math:`\beta` of the two means that stay from step to step,
        at least 0 and below 1.
    eps : float
        The guard :math:`\varepsilon` against division by zero, at least 0. Without it a component
        whose gradients are all zero becomes 0/0 and the run "diverged".

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.adam(problems.double_well(), [1.0, 0.4], 0.05, record_every=100)
    >>> round(run.value, 4)
    -0.25

    With `decoupled_weight_decay` it is AdamW:

    >>> run = optimizers.adam(
    ...     problems.double_well(), [1.0, 0.4], weight_decay=0.01, decoupled_weight_decay=True
    ... )
    >>> run.status
    'max_iter'

    Notes
    -----
    :math:`m\leftarrow\alpha m+(1-\alpha)g`, :math:`v\leftarrow\beta v+(1-\beta)g^2`, and the n-th
    step is :math:`-\gamma\frac{m/(1-\alpha^n)}{\varepsilon+\sqrt{v/(1-\beta^n)}}`. Both
    conventions agree. One of the nine methods named by Do, Hannibal and Jentzen (2024). Used in
    "What it buys, honestly", "Dead neurons stay dead", "Nine optimizers, one theorem" and "Which
    method when".
    """
    return Rule(_updates.adam, (*_betas(betas), check.number(eps, "eps", low=0.0), 0.0), rows=2)


@_stochastic(learning_rate=1e-3)
def amsgrad(betas=(0.9, 0.999), eps=1e-8, convention="pytorch"):
    r"""Run AMSGrad: Adam with the largest mean squared gradient so far.

    Parameters
    ----------
    betas : pair of float
        The shares :math:`\alpha` and :math:`\beta` of the two means that stay from step to step,
        at least 0 and below 1.
    eps : float
        The guard against division by zero, as for `adam`.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.amsgrad(problems.double_well(), [1.0, 0.4], 0.05, record_every=100)
    >>> round(run.value, 4)
    -0.25

    Notes
    -----
    The step of `adam` with :math:`\hat v\leftarrow\max(\hat v,v)` in place of :math:`v`, divided
    by :math:`1-\beta^n` afterwards. Both conventions agree. One of the nine methods named by Do,
    Hannibal and Jentzen (2024). Used in "Nine optimizers, one theorem".
    """
    return Rule(_updates.adam, (*_betas(betas), check.number(eps, "eps", low=0.0), 1.0), rows=3)


@_stochastic(learning_rate=2e-3)
def adamax(betas=(0.9, 0.999), eps=1e-8, convention="pytorch"):
    r"""Run Adamax: the mean gradient divided by the largest faded absolute gradient.

    Parameters
    ----------
    betas : pair of float
        The share :math:`\alpha` of the mean that stays from step to step and the factor
        :math:`\beta` by which the largest gradient fades, at least 0 and below 1.
    eps : float
        The guard :math:`\varepsilon` against division by zero, at least 0. Without it a component
        whose gradients are all zero becomes 0/0 and the run "diverged".

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.adamax(problems.double_well(), [1.0, 0.4], 0.05, record_every=100)
    >>> round(run.value, 4)
    -0.25

    Notes
    -----
    :math:`m\leftarrow\alpha m+(1-\alpha)g`, and the n-th step is
    :math:`-\frac\gamma{1-\alpha^n}\frac mu`. PyTorch guards the largest gradient,
    :math:`u\leftarrow\max(\beta u,|g|+\varepsilon)`. The theory's
    :math:`u\leftarrow\max(\beta u,|g|)` has no guard; here the step is then divided by
    :math:`\varepsilon+u`, and ``eps=0`` gives the formula as it stands. One of the nine methods
    named by Do, Hannibal and Jentzen (2024). Used in "Nine optimizers, one theorem".
    """
    eps = check.number(eps, "eps", low=0.0)
    guards = (0.0, eps) if convention == "paper" else (eps, 0.0)
    return Rule(_updates.adamax, (*_betas(betas), *guards), rows=2)


@_stochastic(learning_rate=2e-3)
def nadam(betas=(0.9, 0.999), eps=1e-8, momentum_decay=4e-3, convention="pytorch"):
    r"""Run Nadam: Adam with Nesterov's look ahead.

    Parameters
    ----------
    betas : pair of float
        The shares :math:`\alpha` and :math:`\beta` of the two means that stay from step to step,
        at least 0 and below 1.
    eps : float
        The guard :math:`\varepsilon` against division by zero, as for `adam`.
    momentum_decay : float
        How fast :math:`\mu_n` rises, at least 0; convention "pytorch" only.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.nadam(problems.double_well(), [1.0, 0.4], 0.05, record_every=100)
    >>> round(run.value, 4)
    -0.25

    Notes
    -----
    With the means of `adam` the n-th step is :math:`-\gamma` times
    :math:`\frac{\mu_{n+1}m}{1-\mu_1\cdots\mu_{n+1}}+\frac{(1-\mu_n)g}{1-\mu_1\cdots\mu_n}`,
    divided by :math:`\varepsilon+\sqrt{v/(1-\beta^n)}`. In the theory's form
    :math:`\mu_n=\alpha`, in PyTorch :math:`\mu_n=\alpha(1-\frac12 0.96^{n\psi})` with
    :math:`\psi` the `momentum_decay`. One of the nine methods named by Do, Hannibal and Jentzen
    (2024). Used in "Nine optimizers, one theorem".
    """
    own = (
        *_betas(betas),
        check.number(eps, "eps", low=0.0),
        check.number(momentum_decay, "momentum_decay", low=0.0),
        0.0 if convention == "paper" else 0.5,
    )
    return Rule(_updates.nadam, own, rows=2)


def _betas(betas):
    """Return a pair of shares."""
    try:
        first, second = betas
    except (TypeError, ValueError):
        raise TypeError(f"betas must be a pair of numbers; got {check.shown(betas)}") from None
    return (
        check.number(first, "betas[0]", low=0.0, high=1.0, open_high=True),
        check.number(second, "betas[1]", low=0.0, high=1.0, open_high=True),
    )
