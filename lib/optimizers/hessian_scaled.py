"""Gradient descent whose step length comes from one Hessian-vector product an iteration."""

import math
from typing import NamedTuple

import numpy as np

from lib import _random as random
from lib import _validation as check
from lib._jit import Slot, kernel, row, stamp
from lib._vectors import norm
from lib.optimizers._drive import (
    N_GRADIENT,
    N_HVP,
    N_SAMPLE,
    N_SAMPLE_HVP,
    small_recorded_gradient,
)
from lib.optimizers._line_search import searches
from lib.optimizers._method import LAZY_TOL, Plan, optimizer
from lib.optimizers._steps import BREAKDOWN, LINE_SEARCH_FAILED, RUNNING
from lib.problems import Problem

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
STEP, SCALING, ALPHA, REGIME, CURVATURE, LAST, ORDER = range(7)
DIRECTION, IMAGE, WORK = range(3)
CHOICE, SIGMA, LPC_STEP, NC_STEP, DECAY = range(5)
SEARCH, SUFFICIENT, SHRINK, TRIALS, LARGEST, SLACK, NOISE = range(4, 11)

TAKE_LAST = 0.0  # in place of NC_STEP
SMALLEST_ALPHA = 1e-60
HUGE = float(np.finfo(np.float64).max)
ROOT_EPSILON = math.sqrt(np.finfo(np.float64).eps)


class Scalings(NamedTuple):
    """The three Hessian-aware scalings of a gradient.

    Attributes
    ----------
    cg, mr, gm : float
        The scalings; mr <= gm <= cg.
    cosine : float
        Cosine of the angle between g and Hg; mr = cosine * gm = cosine**2 * cg.

    Notes
    -----
    Returned by `scalings`, for a gradient g and the Hessian H. Smee, Roosta and Wright (2025).
    Used in "One Hessian-vector product sets the step".
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
    hessian_noise=0.0,
    value_tol=0.0,
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
        What to minimize.
    scaling : str
        The scaling where the curvature is strongly positive: "cg", "mr", "gm", "alternating" (MR
        in steps 0, 2, 4, ..., CG in the others) or "random" (one of the three, drawn uniformly).
    sigma : float
        Curvature :math:`\sigma` at or below which the Hessian is not trusted, at least 0; above
        0, no scaling exceeds :math:`1/\sigma` unless the curvature is negative.
    lpc_step : float, optional
        The scaling where the curvature is limited, above 0 and at most :math:`1/\sigma`.
        Default: :math:`1/\sigma`, or 1 where `sigma` is 0.
    nc_step : float or "last"
        The scaling where the curvature is negative, positive; or "last", the last scaling of a
        step with strong positive curvature (1 before the first of them). A number has the units
        of an inverse curvature; "last" needs none.
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
    hessian_noise : float
        Length :math:`\Delta` of an error that is added to :math:`Hg`, for experiments, at least 0:
        the method then sees :math:`\tilde Hg=Hg+\Delta\|g\|u`, where u is a unit vector in a
        direction drawn uniformly in each step. In units of curvature, like `sigma`.
    value_tol : float
        Accept a trial also where it misses the inequality by at most this times
        :math:`|f(x)|`, at least 0; 0 is the rule as above. Close to a minimizer the value changes
        by less than it is rounded, so that rounding refuses steps; 1e-14 lets them pass.
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
    Smee, Roosta and Wright (2025), Algorithms 1 to 4; `lpc_step` and `nc_step` are free there, the
    defaults are ours, and so are `max_alpha`, `hessian_noise` and `value_tol`. A step whose first
    trial is accepted costs a value, a gradient and a Hessian-vector product. With `hessian_noise`
    below :math:`(1-2\rho)\sigma`, unit steps are still accepted where the gradient is small enough
    and the perturbed curvature not negative (we derive it). Alternating MR and CG is, on
    quadratics, the method of Dai and Yuan (2003), and the GM step is that of Dai and Yang (2006).
    The sums behind the scalings are taken of the gradient times a power of two, so that neither a
    tiny nor a huge gradient spoils them; this rounds nothing. Used in "One Hessian-vector product
    sets the step", "Why the unit step works", "What it buys, honestly" and "Five results, one
    picture".
    """
    options = _scaling_options(scaling, sigma, lpc_step, nc_step)
    noise = check.number(hessian_noise, "hessian_noise", low=0.0)
    slack = check.number(value_tol, "value_tol", low=0.0)
    shrink = check.number(shrink, "shrink", low=0.0, high=1.0, open_low=True, open_high=True)
    sufficient = check.number(
        sufficient_decrease, "sufficient_decrease", 0.0, 1.0, open_low=True, open_high=True
    )
    largest = HUGE
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
        drawn = _batch_size(problem, hessian_samples, "hessian_samples", "batch_hvp")
        kind = _sampled
        if hessian != "exact":
            raise ValueError("hessian must be 'exact' where hessian_samples is given")
    return Plan(
        _advance,
        options=[*options, search, sufficient, shrink, trials, largest, slack, noise],
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
        What to minimize: a mean over samples.
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
    nc_step : float or "last"
        The scaling where the curvature is negative, as for `hessian_scaled`.
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
    drawn = _batch_size(problem, batch_size, "batch_size", "batch_gradient")
    if hessian_batch != "full" and problem.batch_hvp_kernel is None:
        raise ValueError(
            f"hessian_batch must be 'full' for a problem without batch_hvp, as {problem.name}"
        )
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
        stop=small_recorded_gradient,
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
    TypeError, ValueError
        If an argument is no vector of finite numbers, or the curvature along `g` is not positive
        (the scalings are not defined there) or no number of the floating range.

    Examples
    --------
    >>> from lib import optimizers
    >>> [round(number, 6) for number in optimizers.scalings([1, 1], [1, 9])]
    [0.2, 0.121951, 0.156174, 0.780869]

    Notes
    -----
    Smee, Roosta and Wright (2025), Algorithm 1: the steps that minimize the quadratic model
    (CG) and the norm of its gradient (MR) along the gradient, and their geometric mean (GM). Used
    in "One Hessian-vector product sets the step", and in "Why the unit step works".
    """
    gg, gh, hh = _products(g, Hg)
    if not gh > 0.0:
        raise ValueError(f"g and Hg must have a positive inner product; got {gh:g}")
    if not 0.0 < hh < math.inf:
        raise ValueError("Hg must not be so much longer than g, or shorter, that squares overflow")
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
        negative). A zero gradient counts as 1.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import optimizers
    >>> [optimizers.regime([1.0, 1.0], [1.0, b], sigma=0.5) for b in (9.0, -1.0, -2.0)]
    [0, 1, 2]
    >>> optimizers.REGIMES
    ('SPC', 'LPC', 'NC')

    Notes
    -----
    Smee, Roosta and Wright (2025), Algorithm 1. `regime_map` does it for many points. Used in
    "One Hessian-vector product sets the step".
    """
    gg, gh, _ = _products(g, Hg)
    return int(regime_of(gg, gh, check.number(sigma, "sigma", low=0.0)))


def regime_map(problem, points, sigma):
    r"""Classify the curvature along the gradient at many points, for a map of the plane.

    Parameters
    ----------
    problem : Problem
        The function.
    points : array_like, shape (n, d)
        The points, for example those of `lib.ensembles.grid_starts`.
    sigma : float
        Curvature at or below which the Hessian is not trusted, at least 0.

    Returns
    -------
    ndarray of int, shape (n,)
        Index into `REGIMES` for each point, as for `regime`; -1 where the gradient or the
        Hessian-vector product is not finite.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> points = [[0.0, 0.1], [0.0, 0.6], [0.0, 1.0], [1.0, 0.0]]
    >>> optimizers.regime_map(problems.double_well(), points, sigma=0.5).tolist()
    [2, 1, 1, 0]

    Notes
    -----
    Smee, Roosta and Wright (2025), Algorithm 1. At (0, 1), the minimizer, the gradient is zero.
    Used in "One Hessian-vector product sets the step" and "Five results, one picture".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    points = check.points(points, problem.dimension, "points")
    sigma = check.number(sigma, "sigma", low=0.0)
    out = np.empty(len(points), dtype=np.int64)
    kernels = {"gradient": problem.gradient_kernel, "hvp": problem.hvp_kernel}
    stamp(_regimes, **kernels)(
        points, problem.parameters, sigma, np.empty((2, points.shape[1])), out
    )
    return out


def _products(g, Hg):
    g = check.vector(g, "g")
    Hg = check.point(Hg, g.size, "Hg")
    unit = unit_of(g)
    with np.errstate(over="ignore", invalid="ignore"):
        g, Hg = unit * g, unit * Hg
        return tuple(float(a @ b) for a, b in ((g, g), (g, Hg), (Hg, Hg)))


def _scaling_options(scaling, sigma, lpc_step, nc_step):
    """Check what both methods share and return the first entries of their options."""
    number = CHOICES.index(check.choice(scaling, "scaling", CHOICES))
    sigma = check.number(sigma, "sigma", low=0.0)
    cap = min(1.0 / sigma, HUGE) if sigma > 0.0 else None
    if lpc_step is None:
        lpc_step = cap or 1.0
    lpc_step = check.number(lpc_step, "lpc_step", low=0.0, high=cap, open_low=True)
    if not isinstance(nc_step, str):
        return [number, sigma, lpc_step, check.positive(nc_step, "nc_step")]
    if nc_step != "last":
        raise ValueError(f"nc_step must be a positive number or 'last'; got {check.shown(nc_step)}")
    return [number, sigma, lpc_step, TAKE_LAST]


def _batch_size(problem, size, name, needed):
    """Check the size of a batch, and that the problem has what is `needed`, as batch_hvp."""
    if problem.n_samples == 0:
        raise ValueError(
            f"{name} needs a problem that is a mean over samples; {problem.name} is not"
        )
    if getattr(problem, f"{needed}_kernel") is None:
        raise ValueError(f"{name} needs a problem with {needed}; {problem.name} has none")
    return check.integer(size, name, low=1, high=problem.n_samples)


def _scalars(problem, drawn):
    """Return the trace before the first step, LAST and, if samples are drawn, all their numbers."""
    return [np.nan] * len(TRACE) + [1.0] + list(range(problem.n_samples if drawn else 0))


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


def _regimes(points, p, sigma, work, out):
    g = row(work, 0)
    image = row(work, 1)
    for j in range(out.size):
        x = row(points, j)
        gradient(x, p, g)
        top = 0.0
        for i in range(g.size):
            top += abs(g[i])
        if not top < np.inf:
            out[j] = -1
            continue
        unit = unit_of(g)
        for i in range(g.size):
            g[i] *= unit
        hvp(x, g, p, image)
        gg = 0.0
        gh = 0.0
        for i in range(g.size):
            gg += g[i] * g[i]
            gh += g[i] * image[i]
        out[j] = regime_of(gg, gh, sigma) if abs(gh) < np.inf else -1


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
        s[LAST] = scaling
    elif kind == LPC:
        scaling = o[LPC_STEP]
    elif o[NC_STEP] == TAKE_LAST:
        scaling = s[LAST]
    else:
        scaling = o[NC_STEP]
    for i in range(g.size):
        direction[i] = -scaling * g[i]
    s[SCALING] = scaling
    s[REGIME] = kind
    s[CURVATURE] = gh / gg
    return True


@kernel
def disturb(length, v, r):
    """Add to row IMAGE a vector of random direction, `length` times as long as row DIRECTION."""
    image = row(v, IMAGE)
    noise = row(v, WORK)
    random.normals(r, noise)
    scale = length * norm(row(v, DIRECTION)) / norm(noise)
    for i in range(image.size):
        image[i] += scale * noise[i]


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
    if o[NOISE] > 0.0:
        disturb(o[NOISE], v, r)
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
            f + o[SLACK] * abs(f) if o[SLACK] > 0.0 else f,
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
