"""Newton's method with a Hessian that is sampled, sketched or kept."""

import math

import numpy as np
import scipy

from lib import _validation as check
from lib.curvature.approximation import debias_factor
from lib.curvature.sampling import SCHEMES, gram, sample_rows, sampled_gram
from lib.curvature.sketching import SKETCHES, padded, source
from lib.optimizers._drive import N_HVP
from lib.optimizers._line_search import searches
from lib.optimizers._method import Plan, optimizer
from lib.optimizers._steps import BREAKDOWN, LINE_SEARCH_FAILED, RUNNING
from lib.optimizers.newton import FIRST_SHIFT, PIVOT, ROUNDING, search_options

VARIANTS = ("exact", "fixed", "sampled", "sketched")
NEEDED = {
    "exact": (),
    "fixed": ("rows", "metric"),
    "sampled": ("rows", "parts"),
    "sketched": ("root",),
}
ROWS_PER_COORDINATE = 20
STEP, SHIFT, DECREMENT, ROWS = range(4)


@optimizer()
def approximate_newton(
    problem,
    variant="sampled",
    n_samples=None,
    scheme="leverage",
    replacement=True,
    sketch="gaussian",
    debias=False,
    fresh=True,
    learning_rate=1.0,
    safeguard=True,
    damping=False,
    sufficient_decrease=1e-4,
    shrink=0.5,
    max_trials=50,
    seed=0,
):
    r"""Run :math:`x_{k+1}=x_k-\alpha\tilde H_k^{-1}\nabla f(x_k)`, exact gradient, cheap Hessian.

    The Hessian of the problem is :math:`A^\top D(x)A+E(x)` with many rows in A, a diagonal D and a
    matrix E that is cheap to form. The variants of :math:`\tilde H`:

    - "exact": the Hessian itself;
    - "fixed": :math:`A^\top D_0A` with the constant part :math:`D_0` of D, a preconditioner that
      ignores everything else, for good or, with `n_samples`, sampled;
    - "sampled": :math:`A^\top\tilde DA+E(x)`, with few rows of A that are weighted so that the
      estimate has no bias;
    - "sketched": :math:`(SR)^\top SR` with a root R of the Hessian, :math:`R^\top R=\nabla^2f(x)`,
      and a random matrix S with few rows.

    Parameters
    ----------
    problem : Problem
        What to minimize; made by a constructor that keeps, in ``problem.data``, the structure
        that the variant uses: ``rows`` and ``parts(x)`` ("sampled"), ``rows`` and ``metric()``
        ("fixed"), ``root(x)`` ("sketched"). Any problem will do for "exact". Where the gradient
        costs less together with the parts, ``gradient_and_parts(x)`` gives both.
    variant : str
        "exact", "fixed", "sampled" or "sketched".
    n_samples : int, optional
        Number of draws, or rows of the sketch. At most n for the n rows of A without replacement;
        at most the power of two from n on for "hadamard". Default: 20 for each coordinate, but at
        most n; and all rows, unsampled, for "fixed".
    scheme : str
        How rows are drawn, "uniform", "row_norm", "leverage" or "sketched_leverage", as for
        `lib.curvature.sample_rows`. The leverage scores are those of :math:`|D|^{1/2}A`.
    replacement : bool
        Whether a row can be drawn more than once.
    sketch : str
        "gaussian", "count" or "hadamard", as in `lib.curvature.SKETCHES`.
    debias : bool
        Whether steps are multiplied by :math:`1-(d+1)/m` for m samples (see
        `lib.curvature.debias_factor`), which is right on average for "sketched" with "gaussian"
        and about right for draws with replacement where E is small.
    fresh : bool
        Whether each step draws anew. Otherwise the first draw is kept: the same rows with the
        same factors, or the same S.
    learning_rate : float
        Length :math:`\alpha` of the step, positive; with `damping`, the first one tried.
    safeguard : bool
        Whether to add the first of :math:`\tau I,2\tau I,4\tau I,\dots` that makes
        :math:`\tilde H` positive definite where it is not, with :math:`\tau` a thousandth of its
        Frobenius norm. Otherwise the run ends with status "breakdown" there.
    damping : bool
        Whether the step is shortened until
        :math:`f(x+\alpha s)\le f(x)+\rho\,\alpha\langle\nabla f(x),s\rangle` (Armijo).
    sufficient_decrease : float
        The factor :math:`\rho`, above 0 and below 1.
    shrink : float
        What a rejected step is multiplied by, above 0 and below 1.
    max_trials : int
        Largest number of steps tried; then the run ends as "line_search_failed".
    seed : int
        Seed of the draws, at least 0; equal seeds give equal runs.

    Returns
    -------
    Result
        The trace holds, of the step that led to each iterate, "step_size" :math:`\alpha` (with
        the factor of `debias`), "shift" (the multiple of the identity that was added),
        "decrement" :math:`\sqrt{\langle\nabla f,\tilde H^{-1}\nabla f\rangle}`, and "rows", the
        number of different rows that :math:`\tilde H` was made of.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range, or the problem lacks what the variant
        needs; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import optimizers, problems
    >>> A = np.random.default_rng(1).standard_normal((500, 3))
    >>> data = problems.least_squares(A, A @ [1.0, 2.0, 3.0])
    >>> run = optimizers.approximate_newton(data, [0.0, 0.0, 0.0], n_samples=100)
    >>> run.status, run.x.round(6).tolist(), int(run.trace["rows"][1]) <= 100
    ('converged', [1.0, 2.0, 3.0], True)

    Notes
    -----
    The setting of Li, Song, Wang and Yin (2023), for any problem with such a Hessian: local
    convergence of Newton's method with an approximate Hessian, after a number of steps that grows
    like :math:`\log(1/\varepsilon)` and not, as for exact Newton, like its logarithm. We derive
    the contraction :math:`\sqrt{(d-1)/m}` of "sampled" with leverage scores for positive D and
    small E (`lib.curvature.predicted_contraction`); with a larger E the error of the sampled part
    counts :math:`\lambda_{\max}(H^{-1}A^\top DA)` times, H the whole Hessian. n draws with
    replacement do not give exact Newton, n rows without replacement do. Nothing guarantees that a
    sampled matrix is positive definite if D has negative entries or E is indefinite; of negative
    entries the absolute value decides how often they are drawn.
    Forming :math:`\tilde H` from the data is not counted as Hessian-vector products; "exact" for
    a problem without rows and parts uses d of them. Status "breakdown" also means that the
    gradient or :math:`\tilde H` is not finite, that :math:`\tilde H` is zero, or that there is no
    root (``problem.data.root(run.x)`` says why). Runs in Python, with BLAS and LAPACK inside.

    Used in "How much Hessian is enough" and "Local means local".
    """
    rate = check.positive(learning_rate, "learning_rate")
    variant = check.choice(variant, "variant", VARIANTS)
    _require(problem, variant)
    drawn = variant in ("sampled", "sketched") or (variant == "fixed" and n_samples is not None)
    if n_samples is None:
        n_samples = _default_count(problem)
    count = check.size(n_samples, "n_samples", each=problem.dimension)
    check.choice(scheme, "scheme", SCHEMES)
    check.choice(sketch, "sketch", tuple(SKETCHES))
    draws = source(check.integer(seed, "seed", low=0))
    fresh = check.flag(fresh, "fresh")
    choose = {
        "scheme": scheme,
        "replacement": check.flag(replacement, "replacement"),
        "n_samples": count,
    }
    if drawn and variant != "sketched" and not replacement:
        check.integer(count, "n_samples", high=problem.data.rows.shape[0])
    gradient, parts = None, None
    if variant in ("exact", "sampled") and hasattr(problem.data, "parts"):
        gradient, parts = _together(problem.data)
    if variant == "exact":
        estimate = _exact(problem, parts)
    elif variant == "fixed":
        estimate = _fixed(problem, choose if drawn else None, draws, fresh)
    elif variant == "sampled":
        estimate = _sampled(problem, parts, choose, draws, fresh)
    else:
        estimate = _sketched(problem, sketch, count, draws, fresh)
    if check.flag(debias, "debias"):
        if not drawn:
            raise ValueError(f"debias must be False where nothing is drawn; variant is {variant!r}")
        check.integer(count, "n_samples", low=problem.dimension + 2)
        rate *= debias_factor(problem.dimension, count)
    damped = check.flag(damping, "damping")
    search = None
    if damped:
        search = searches(problem)["backward"]
    limits = search_options(sufficient_decrease, shrink, max_trials)
    return Plan(
        _step(estimate, rate, check.flag(safeguard, "safeguard"), search, limits),
        scalars=[np.nan] * 4,
        trace=("step_size", "shift", "decrement", "rows"),
        gradient=gradient,
        uses_value=damped,
    )


def _default_count(problem):
    """Return 20 rows for each coordinate, but at most all of them."""
    count = ROWS_PER_COORDINATE * problem.dimension
    return min(count, problem.data.rows.shape[0]) if hasattr(problem.data, "rows") else count


def _require(problem, variant):
    """Raise an error that names what the problem lacks for the variant."""
    missing = [name for name in NEEDED[variant] if not hasattr(problem.data, name)]
    if missing:
        names = " and ".join(f"data.{name}" for name in missing)
        raise ValueError(
            f"problem must carry {names} for variant {variant!r}; {problem.name} does not "
            "(variant 'exact' needs only the Hessian)"
        )
    if variant == "fixed" and problem.data.metric() is None:
        raise ValueError(
            "problem must have a constant part of the Hessian, data.metric(), for variant "
            f"'fixed'; {problem.name} has none"
        )


def _together(data):
    """Return the loop's gradient and a function like ``data.parts``, one pass for both if possible.

    The loop computes the gradient at an iterate before the method asks for the parts there.
    """
    if not hasattr(data, "gradient_and_parts"):
        return None, data.parts
    last = None

    def gradient(x, p, out):
        nonlocal last
        try:
            out[:], weights, rest = data.gradient_and_parts(x)
        except ValueError:  # A1 x overflows
            out[:] = math.nan
            return
        last = x.copy(), weights, rest

    def parts(x):
        known = last
        if known is not None and np.array_equal(known[0], x):
            return known[1:]
        return data.parts(x)

    return gradient, parts


# An estimate is a function of the iterate and the counters; it returns the matrix, None if there is
# none, and the number of rows it is made of.


def _exact(problem, parts):
    data = problem.data
    if hasattr(data, "rows") and parts is not None:

        def estimate(x, c):
            weights, rest = parts(x)
            if not np.isfinite(weights).all():
                return None, 0
            return gram(data.rows, weights) + rest, data.rows.shape[0]
    else:

        def estimate(x, c):
            c[N_HVP] += problem.dimension
            return problem.hessian(x), math.nan

    return estimate


def _fixed(problem, choose, draws, fresh):
    data = problem.data
    weights = data.metric()
    kept = None

    def estimate(x, c):
        nonlocal kept
        if kept is None and choose is None:
            kept = gram(data.rows, weights), data.rows.shape[0]
        if kept is not None and not (choose and fresh):
            return kept
        if not weights.any():
            return None, 0
        sample = sample_rows(data.rows, weights, seed=draws, **choose)
        kept = sampled_gram(data.rows, sample), sample.indices.size
        return kept

    return estimate


def _sampled(problem, parts, choose, draws, fresh):
    data = problem.data
    kept = None

    def estimate(x, c):
        nonlocal kept
        weights, rest = parts(x)
        if not np.isfinite(weights).all():
            return None, 0
        if not weights.any():
            return rest, 0
        if fresh or kept is None:
            kept = sample_rows(data.rows, weights, seed=draws, **choose)
        taken = kept.indices
        return gram(data.rows[taken], weights[taken] * kept.factors) + rest, taken.size

    return estimate


def _sketched(problem, sketch, count, draws, fresh):
    make = SKETCHES[sketch]
    same = int(draws.integers(2**32))

    def estimate(x, c):
        try:
            root = problem.data.root(x)
        except ValueError:
            return None, 0
        if sketch == "hadamard":
            check.integer(count, "n_samples", high=padded(root.shape[0]))
        return gram(make(root, count, draws if fresh else same)), count

    return estimate


def _step(estimate, rate, safeguard, search, limits):
    """Return the step of the method: a function with the arguments of the common loop."""

    def advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
        if not np.isfinite(g).all():  # so far out that the estimate would overflow, too
            return BREAKDOWN, math.nan
        matrix, rows = estimate(x, c)
        if matrix is None:
            return BREAKDOWN, math.nan
        factor, shift = _factorize(matrix, safeguard)
        if factor is None:
            return BREAKDOWN, math.nan
        direction = -scipy.linalg.cho_solve((factor, True), g, check_finite=False)
        slope = float(g @ direction)
        step, f_ahead = rate, math.nan
        if search is None:
            with np.errstate(over="ignore", invalid="ignore"):  # the loop sees it
                ahead[:] = x + rate * direction
        else:
            bound = f + ROUNDING * abs(f)
            step, f_ahead = search(x, bound, p, direction, slope, rate, *limits, ahead, c)
            if step == 0.0:
                return LINE_SEARCH_FAILED, math.nan
        s[STEP], s[SHIFT], s[ROWS] = step, shift, rows
        s[DECREMENT] = math.sqrt(max(-slope, 0.0))
        return RUNNING, f_ahead

    return advance


def _factorize(matrix, safeguard):
    """Return the lower Cholesky factor and the shift it needed; None where there is none."""
    diagonal = np.diag(matrix)
    size = np.linalg.norm(matrix)
    if not 0.0 < size < math.inf:
        return None, math.nan
    shift = 0.0
    while True:
        shifted = (matrix + shift * np.eye(diagonal.size)).T  # as LAPACK wants its columns
        factor, failed = scipy.linalg.lapack.dpotrf(shifted, lower=1, overwrite_a=1)
        pivots = np.diag(factor) ** 2
        if not failed and (pivots > PIVOT * diagonal.size * np.abs(diagonal + shift)).all():
            return factor, shift
        if not safeguard:
            return None, math.nan
        shift = 2.0 * shift or FIRST_SHIFT * size
