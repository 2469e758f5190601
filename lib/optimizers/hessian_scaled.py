"""Gradient descent whose step length comes from one Hessian-vector product an iteration."""

import math
from typing import NamedTuple

import numpy as np

from lib import _random as random
from lib import _validation as check
from lib._jit import Slot, kernel, row, stamp
from lib._vectors import norm
from lib.optimizers._drive import N_GRADIENT, N_HVP, N_SAMPLE, N_SAMPLE_HVP
from lib.optimizers._line_search import searches
from lib.optimizers._method import LAZY_TOL, Plan, optimizer
from lib.optimizers._steps import BREAKDOWN, LINE_SEARCH_FAILED, RUNNING

gradient = Slot("gradient")
hvp = Slot("hvp")
batch_gradient = Slot("batch_gradient")
batch_hvp = Slot("batch_hvp")
product = Slot("product")
forward = Slot("forward")

REGIMES = ("SPC", "LPC", "NC")
SPC, LPC, NC = range(3)

CHOICES = ("cg", "mr", "gm", "alternating", "random")
CG, MR, GM, ALTERNATING, RANDOM = range(5)

TRACE = ("step_size", "scaling", "alpha", "regime", "curvature")
STEP, SCALING, ALPHA, REGIME, CURVATURE, ORDER = range(6)
DIRECTION, IMAGE, WORK = range(3)
CHOICE, SIGMA, LPC_STEP, NC_STEP, DECAY = range(5)
SEARCH, SUFFICIENT, SHRINK, TRIALS, LARGEST = range(4, 9)

SMALLEST_ALPHA = 1e-60
ROOT_EPSILON = math.sqrt(np.finfo(np.float64).eps)


class Scalings(NamedTuple):
    """The three Hessian-aware scalings of a gradient.

    Attributes
    ----------
    cg, mr, gm : float
        The scalings; mr <= gm <= cg.
    cosine : float
        Cosine of the angle between g and Hg; mr = cosine * gm = cosine**2 * cg.
    """

    cg: float
    mr: float
    gm: float
    cosine: float


@optimizer()
def hessian_scaled(
    problem,
    scaling="cg",
    sigma=1e-4,
    lpc_step=None,
    nc_step=1.0,
    line_search=True,
    sufficient_decrease=1e-4,
    shrink=0.5,
    forward_tracking=True,
    max_alpha=None,
    hessian="exact",
    hessian_samples=None,
    seed=0,
):
    r"""Run gradient descent with Hessian-aware scaling and an Armijo line search.

    The step is :math:`x_{k+1}=x_k-\alpha_ks_kg_k`. The scaling :math:`s_k` depends on the
    curvature along the gradient, :math:`\langle g,Hg\rangle/\|g\|^2`:

    - above :math:`\sigma` (strong positive curvature, SPC), it is
      :math:`s^{CG}=\|g\|^2/\langle g,Hg\rangle`,
      :math:`s^{MR}=\langle g,Hg\rangle/\|Hg\|^2` or :math:`s^{GM}=\|g\|/\|Hg\|`;
    - from 0 to :math:`\sigma` (limited positive curvature, LPC), it is `lpc_step`;
    - below 0 (negative curvature, NC), it is `nc_step`.

    The factor :math:`\alpha_k` starts at 1 and is multiplied by `shrink` until
    :math:`f(x+\alpha p)\le f(x)+\rho\alpha\langle p,g\rangle`, where :math:`p=-sg`. Where the
    curvature is negative and 1 is accepted, :math:`\alpha_k` is divided by `shrink` instead, as
    long as the inequality holds: the last accepted value before the first failure is taken.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    scaling : str
        The scaling where the curvature is strongly positive: "cg", "mr", "gm", "alternating" (MR
        in steps 0, 2, 4, ..., CG in the others) or "random" (one of the three, drawn uniformly).
    sigma : float
        Curvature :math:`\sigma` at or below which the Hessian is not trusted, at least 0; above
        0, no scaling exceeds :math:`1/\sigma` unless the curvature is negative.
    lpc_step : float, optional
        The scaling where the curvature is limited, above 0 and at most :math:`1/\sigma`.
        Default: :math:`1/\sigma`, or 1 where `sigma` is 0.
    nc_step : float
        The scaling where the curvature is negative, positive.
    line_search : bool
        Whether :math:`\alpha_k` is searched for; otherwise it is 1 in every step.
    sufficient_decrease : float
        The number :math:`\rho`, above 0 and below 1. The theory needs :math:`\rho<\frac12`: on a
        quadratic the CG step lowers the value by exactly half of what its slope promises. Larger
        ones are accepted to let you see what happens then.
    shrink : float
        The number :math:`\theta`, above 0 and below 1.
    forward_tracking : bool
        Whether :math:`\alpha_k` may grow beyond 1 where the curvature is negative.
    max_alpha : float, optional
        Largest :math:`\alpha_k` that forward tracking tries, at least 1. Default: no limit.
    hessian : str
        "exact", or "finite_difference": :math:`Hg` as the difference of two gradients, which
        costs one further gradient and is correct to about seven digits.
    hessian_samples : int, optional
        Compute :math:`Hg` from so many samples, drawn anew without replacement in each step, while
        value and gradient stay exact; for problems that are a mean over samples.
    seed : int
        Seed of what is drawn; equal seeds give equal runs.

    Returns
    -------
    Result
        The trace holds "step_size" :math:`\alpha s`, "scaling" :math:`s`, "alpha", "regime" (0
        SPC, 1 LPC, 2 NC, see `REGIMES`) and "curvature" along the gradient at the point the step
        left from. Status "line_search_failed" means that no trial that moves the point was
        accepted, "breakdown" that :math:`Hg` overflowed or was not a number.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.hessian_scaled(problems.double_well(), [0.5, 1e-4])
    >>> run.status, run.x.round(6).tolist()
    ('converged', [0.0, 1.0])
    >>> [optimizers.REGIMES[int(number)] for number in run.trace["regime"][1:4]]
    ['SPC', 'NC', 'SPC']

    Notes
    -----
    Smee, Roosta and Wright (2025), Algorithms 1 to 4; the choice 1/sigma is ours. A step whose
    first trial is accepted costs a value, a gradient and a Hessian-vector product. Alternating MR
    and CG is, on quadratics, the method of Dai and Yuan (2003), and the GM step is that of Dai
    and Yang (2006). The sums behind the scalings are taken of the gradient times a power of two,
    so that neither a tiny nor a huge gradient spoils them; this rounds nothing. Used in
    "One Hessian-vector product sets the step", "Why the unit step works" and "What it buys,
    honestly".
    """
    options = _scaling_options(scaling, sigma, lpc_step, nc_step)
    shrink = check.number(shrink, "shrink", low=0.0, high=1.0, open_low=True, open_high=True)
    sufficient = check.number(
        sufficient_decrease, "sufficient_decrease", 0.0, 1.0, open_low=True, open_high=True
    )
    largest = np.finfo(np.float64).max
    if max_alpha is not None:
        largest = check.number(max_alpha, "max_alpha", low=1.0)
    search = check.flag(line_search, "line_search")
    if not check.flag(forward_tracking, "forward_tracking"):
        largest = 1.0
    trials = math.ceil(math.log(SMALLEST_ALPHA) / math.log(shrink))
    check.choice(hessian, "hessian", ("exact", "finite_difference"))
    kind = {"exact": _exact, "finite_difference": _difference}[hessian]
    drawn = 0
    if hessian_samples is not None:
        drawn = _batch_size(problem, hessian_samples, "hessian_samples")
        kind = _sampled
        if hessian != "exact":
            raise ValueError("hessian must be 'exact' where hessian_samples is given")
    return Plan(
        _advance,
        options=[*options, search, sufficient, shrink, trials, largest],
        scalars=_scalars(problem, drawn),
        trace=TRACE,
        vectors=3,
        integers=drawn,
        slots={"product": _product(kind, problem), **searches(problem)},
        uses_value=search,
        seed=check.integer(seed, "seed", low=0),
    )


@optimizer(tol=LAZY_TOL)
def stochastic_hessian_scaled(
    problem,
    scaling="mr",
    batch_size=1,
    hessian_batch="same",
    sigma=1e-4,
    lpc_step=None,
    nc_step=1.0,
    decay=0.0,
    seed=0,
):
    r"""Run stochastic gradient descent with Hessian-aware scaling and no line search.

    The step is :math:`x_{k+1}=x_k-s_kg_k/(1+k\,\text{decay})`, where :math:`g_k` is the gradient of
    the mean over a batch of samples, drawn anew in each step, and :math:`s_k` is the scaling of
    `hessian_scaled` for it. Where that gradient is exactly zero there is nothing to scale, and the
    step is skipped.

    Parameters
    ----------
    problem : Problem
        What to minimise: a mean over samples.
    scaling : str
        "cg", "mr", "gm", "alternating" or "random", as for `hessian_scaled`.
    batch_size : int
        Number of samples in a batch, drawn without replacement.
    hessian_batch : str
        Whose Hessian scales the gradient: that of the "same" batch, that of an "independent" batch
        of the same size, or that of the "full" problem.
    sigma : float
        Curvature at or below which the Hessian is not trusted, at least 0.
    lpc_step : float, optional
        The scaling where the curvature is limited, above 0 and at most :math:`1/\sigma`.
        Default: :math:`1/\sigma`, or 1 where `sigma` is 0.
    nc_step : float
        The scaling where the curvature is negative, positive.
    decay : float
        How fast the steps get shorter, at least 0.
    seed : int
        Seed of the batches; equal seeds give equal runs.

    Returns
    -------
    Result
        The trace is that of `hessian_scaled`, with "alpha" 1/(1 + k decay); a skipped step has the
        step size 0, and no number for scaling, regime and curvature. Status "breakdown" means that
        the Hessian-vector product overflowed or was not a number.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> data = problems.least_squares([[1.0, 0.0], [1.0, 1.0], [2.0, -1.0]], [1.0, 3.0, 0.0])
    >>> run = optimizers.stochastic_hessian_scaled(data, [0.0, 0.0], max_iter=300)
    >>> run.x.round(6).tolist()
    [1.0, 2.0]

    Notes
    -----
    A mini-batch variant, ours, of the method of Smee, Roosta and Wright (2025). For least squares
    with batches of one, and the same sample in both places, every scaling is
    :math:`1/\|a_i\|^2`: the method is then randomized Kaczmarz. With another batch in the Hessian
    the steps may be far too long, and the run may diverge. Recording an iterate takes the value
    and the gradient of the whole problem: with many samples, record rarely. Used in "What it buys,
    honestly".
    """
    options = _scaling_options(scaling, sigma, lpc_step, nc_step)
    check.choice(hessian_batch, "hessian_batch", ("same", "independent", "full"))
    kind = {"same": _same, "independent": _sampled, "full": _exact}[hessian_batch]
    drawn = _batch_size(problem, batch_size, "batch_size")
    return Plan(
        _advance_batch,
        options=[*options, check.number(decay, "decay", low=0.0)],
        scalars=_scalars(problem, drawn),
        trace=TRACE,
        vectors=3,
        integers=drawn,
        slots={
            "product": _product(kind, problem),
            "batch_gradient": problem.batch_gradient_kernel,
        },
        lazy=True,
        seed=check.integer(seed, "seed", low=0),
    )


def scalings(g, Hg):
    r"""Compute the three Hessian-aware scalings of a gradient.

    Parameters
    ----------
    g, Hg : array_like, shape (d,)
        The gradient and the Hessian times the gradient.

    Returns
    -------
    Scalings
        :math:`s^{CG}`, :math:`s^{MR}`, :math:`s^{GM}` and :math:`\cos\varphi`.

    Raises
    ------
    ValueError
        If the curvature along `g` is not positive: the scalings are not defined there.

    Examples
    --------
    >>> from lib import optimizers
    >>> [round(number, 6) for number in optimizers.scalings([1, 1], [1, 9])]
    [0.2, 0.121951, 0.156174, 0.780869]

    Notes
    -----
    Smee, Roosta and Wright (2025), Algorithm 1: the steps that minimise the quadratic model
    (CG) and the norm of its gradient (MR) along the gradient, and their geometric mean (GM). Used
    in "One Hessian-vector product sets the step".
    """
    gg, gh, hh = _products(g, Hg)
    if not gh > 0.0:
        raise ValueError(f"g and Hg must have a positive inner product; got {gh:g}")
    mr, gm, cg = (scaling_of(which, gg, gh, hh) for which in (MR, GM, CG))
    return Scalings(cg, mr, gm, gh / math.sqrt(gg) / math.sqrt(hh))


def regime(g, Hg, sigma):
    r"""Classify the curvature along a gradient.

    Parameters
    ----------
    g, Hg : array_like, shape (d,)
        The gradient and the Hessian times the gradient.
    sigma : float
        Curvature at or below which the Hessian is not trusted, at least 0.

    Returns
    -------
    int
        Index into `REGIMES`: 0 where the curvature :math:`\langle g,Hg\rangle/\|g\|^2` is above
        `sigma` (SPC, strong positive), 1 from 0 to `sigma` (LPC, limited positive), 2 below 0 (NC,
        negative).

    Examples
    --------
    >>> from lib import optimizers
    >>> [optimizers.regime([1.0, 1.0], [1.0, b], sigma=0.5) for b in (9.0, -1.0, -2.0)]
    [0, 1, 2]
    >>> optimizers.REGIMES
    ('SPC', 'LPC', 'NC')

    Notes
    -----
    Smee, Roosta and Wright (2025), Algorithm 1. Used in "One Hessian-vector product sets the
    step".
    """
    gg, gh, _ = _products(g, Hg)
    return int(regime_of(gg, gh, check.number(sigma, "sigma", low=0.0)))


def _products(g, Hg):
    g = check.vector(g, "g")
    unit = unit_of(g)
    g, Hg = unit * g, unit * check.point(Hg, g.size, "Hg")
    return tuple(float(a @ b) for a, b in ((g, g), (g, Hg), (Hg, Hg)))


def _scaling_options(scaling, sigma, lpc_step, nc_step):
    """Check what both methods share and return the first entries of their options."""
    number = CHOICES.index(check.choice(scaling, "scaling", CHOICES))
    sigma = check.number(sigma, "sigma", low=0.0)
    cap = 1.0 / sigma if sigma > 0.0 else None
    if lpc_step is None:
        lpc_step = cap or 1.0
    lpc_step = check.number(lpc_step, "lpc_step", low=0.0, high=cap, open_low=True)
    return [number, sigma, lpc_step, check.positive(nc_step, "nc_step")]


def _batch_size(problem, size, name):
    if problem.batch_gradient_kernel is None:
        raise ValueError(
            f"{name} needs a problem that is a mean over samples; {problem.name} is not"
        )
    return check.integer(size, name, low=1, high=problem.n_samples)


def _scalars(problem, drawn):
    """Return the trace before the first step and, if samples are drawn, all their numbers."""
    return [np.nan] * len(TRACE) + list(range(problem.n_samples if drawn else 0))


def _product(kind, problem):
    """Return the kernel that makes Hessian-vector products of that kind."""
    bound = {
        _exact: {"hvp": problem.hvp_kernel},
        _difference: {"gradient": problem.gradient_kernel},
        _sampled: {"batch_hvp": problem.batch_hvp_kernel},
        _same: {"batch_hvp": problem.batch_hvp_kernel},
    }[kind]
    return stamp(kind, inline=True, **bound)


@kernel
def regime_of(gg, gh, sigma):
    """Return SPC, LPC or NC from the products <g, g> and <g, Hg>."""
    if gh > sigma * gg:
        return SPC
    if gh >= 0.0:
        return LPC
    return NC


@kernel
def scaling_of(which, gg, gh, hh):
    """Return the scaling CG, MR or GM from <g, g>, <g, Hg> > 0 and <Hg, Hg>."""
    if which == CG:
        return gg / gh
    if which == MR:
        return gh / hh
    return math.sqrt(gg) / math.sqrt(hh)


@kernel
def unit_of(g):
    """Return the power of two that takes the largest entry of g to a number from a half to one.

    Products with it are exact, so sums of squares keep their digits and neither overflow nor
    vanish.
    """
    top = 0.0
    for i in range(g.size):
        top = max(top, abs(g[i]))
    return math.ldexp(1.0, min(1000, -math.frexp(top)[1]))


@kernel
def draw(r, s, batch):
    """Fill `batch` with different samples; s[ORDER:] holds all numbers in any order."""
    n = s.size - ORDER
    for j in range(batch.size):
        i = j + random.below(r, n - j)
        number = s[ORDER + i]
        s[ORDER + i] = s[ORDER + j]
        s[ORDER + j] = number
        batch[j] = int(number)


@kernel
def prepare(g, v):
    """Write to row DIRECTION the gradient times a power of two."""
    direction = row(v, DIRECTION)
    unit = unit_of(g)
    for i in range(g.size):
        direction[i] = unit * g[i]


@kernel
def aim(k, g, o, v, s, r):
    """Choose the scaling, write -scaling g to row DIRECTION, tell whether that was possible.

    Before, row DIRECTION is a positive multiple of g and row IMAGE the Hessian times it.
    """
    direction = row(v, DIRECTION)
    image = row(v, IMAGE)
    gg = 0.0
    gh = 0.0
    hh = 0.0
    for i in range(g.size):
        gg += direction[i] * direction[i]
        gh += direction[i] * image[i]
        hh += image[i] * image[i]
    if not (abs(gh) < np.inf and hh < np.inf):
        return False
    kind = regime_of(gg, gh, o[SIGMA])
    if kind == SPC:
        which = int(o[CHOICE])
        if which == ALTERNATING:
            which = MR if k % 2 == 0 else CG
        elif which == RANDOM:
            which = random.below(r, 3)
        scaling = scaling_of(which, gg, gh, hh)
    elif kind == LPC:
        scaling = o[LPC_STEP]
    else:
        scaling = o[NC_STEP]
    for i in range(g.size):
        direction[i] = -scaling * g[i]
    s[SCALING] = scaling
    s[REGIME] = kind
    s[CURVATURE] = gh / gg
    return True


# How Hessian-vector products are made: each writes the Hessian times row DIRECTION of v to row
# IMAGE and counts what it evaluates; g is the gradient.


def _exact(x, g, p, v, s, m, r, c):
    hvp(x, row(v, DIRECTION), p, row(v, IMAGE))
    c[N_HVP] += 1


def _difference(x, g, p, v, s, m, r, c):
    u = row(v, DIRECTION)
    shifted = row(v, WORK)
    image = row(v, IMAGE)
    top = 0.0
    for i in range(x.size):
        top = max(top, abs(x[i]))
    step = ROOT_EPSILON * (1.0 + top)  # the largest entry of u is about one
    for i in range(x.size):
        shifted[i] = x[i] + step * u[i]
    gradient(shifted, p, image)
    c[N_GRADIENT] += 1
    for i in range(x.size):
        image[i] = (image[i] - g[i]) / step


def _same(x, g, p, v, s, m, r, c):
    batch_hvp(x, row(v, DIRECTION), p, m, row(v, IMAGE))
    c[N_SAMPLE_HVP] += m.size


def _sampled(x, g, p, v, s, m, r, c):
    draw(r, s, m)
    batch_hvp(x, row(v, DIRECTION), p, m, row(v, IMAGE))
    c[N_SAMPLE_HVP] += m.size


def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    prepare(g, v)
    product(x, g, p, v, s, m, r, c)
    if not aim(k, g, o, v, s, r):
        return BREAKDOWN, np.nan
    direction = row(v, DIRECTION)
    alpha = 1.0
    f_ahead = np.nan
    if o[SEARCH] == 0.0:
        for i in range(x.size):
            ahead[i] = x[i] + direction[i]
    else:
        slope = 0.0
        for i in range(x.size):
            slope += direction[i] * g[i]
        largest = o[LARGEST] if s[REGIME] == NC else 1.0
        alpha, f_ahead = forward(
            x,
            f,
            p,
            direction,
            slope,
            1.0,
            o[SUFFICIENT],
            o[SHRINK],
            int(o[TRIALS]),
            largest,
            ahead,
            c,
        )
        moved = False
        for i in range(x.size):
            moved = moved or ahead[i] != x[i]
        if alpha == 0.0 or not moved:
            return LINE_SEARCH_FAILED, np.nan
    s[ALPHA] = alpha
    s[STEP] = alpha * s[SCALING]
    return RUNNING, f_ahead


def _advance_batch(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    draw(r, s, m)
    sampled = row(v, WORK)
    batch_gradient(x, p, m, sampled)
    c[N_SAMPLE] += m.size
    s[ALPHA] = 1.0 / (1.0 + o[DECAY] * k)
    if norm(sampled) == 0.0:
        s[STEP] = 0.0
        s[SCALING] = np.nan
        s[REGIME] = np.nan
        s[CURVATURE] = np.nan
        for i in range(x.size):
            ahead[i] = x[i]
        return RUNNING, f
    prepare(sampled, v)
    product(x, sampled, p, v, s, m, r, c)
    if not aim(k, sampled, o, v, s, r):
        return BREAKDOWN, np.nan
    s[STEP] = s[ALPHA] * s[SCALING]
    direction = row(v, DIRECTION)
    for i in range(x.size):
        ahead[i] = x[i] + s[ALPHA] * direction[i]
    return RUNNING, np.nan
