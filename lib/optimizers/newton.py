"""Newton's method with the whole Hessian, for few coordinates."""

import math

import numpy as np

from lib import _validation as check
from lib._jit import Slot, inlined, kernel, row, stamp
from lib.optimizers._drive import N_HVP
from lib.optimizers._line_search import searches
from lib.optimizers._method import Plan, optimizer
from lib.optimizers._steps import BREAKDOWN, LINE_SEARCH_FAILED, RUNNING

hvp = Slot("hvp")
move = Slot("move")
backward = Slot("backward")

RATE, ADDED, CHOICE, SUFFICIENT, SHRINK, TRIALS = range(6)
STEP, SHIFT, DECREMENT = range(3)
CHOICES = ("solve", "regularize", "stop")
SOLVE, REGULARIZE, STOP = range(3)

PIVOT = 1e-14  # pivots up to d times this, relative to the diagonal, may be rounding errors
FIRST_SHIFT = 1e-3  # first multiple of the identity to try, relative to the Frobenius norm
ROUNDING = 1e-14  # by so much, relatively, an accepted value may be higher: it is not known better


@optimizer()
def newton(
    problem,
    learning_rate=1.0,
    indefinite=None,
    regularization=0.0,
    damping=False,
    sufficient_decrease=1e-4,
    shrink=0.5,
    max_trials=50,
):
    r"""Run Newton's method, :math:`x_{k+1}=x_k-\alpha\,(\nabla^2f(x_k)+rI)^{-1}\nabla f(x_k)`.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    learning_rate : float
        Length :math:`\alpha` of the step in Newton steps, positive; with `damping`, the first one
        tried.
    indefinite : str, optional
        What to do where the matrix is not positive definite: "solve" the equation all the same,
        with a step that may lead uphill, to a saddle or a maximizer; "regularize" by adding the
        first of :math:`\tau I,2\tau I,4\tau I,\dots` that makes it positive definite, with
        :math:`\tau` a thousandth of its Frobenius norm; or "stop" with status "breakdown".
        Default: "regularize" with `damping`, otherwise "solve".
    regularization : float
        Multiple r of the identity that is always added to the Hessian, at least 0.
    damping : bool
        Whether the step is shortened until
        :math:`f(x+\alpha s)\le f(x)+\rho\,\alpha\langle\nabla f(x),s\rangle` (Armijo).
    sufficient_decrease : float
        The factor :math:`\rho`, above 0 and below 1.
    shrink : float
        What a rejected step is multiplied by, above 0 and below 1.
    max_trials : int
        Largest number of steps tried; then the run ends as "line_search_failed".

    Examples
    --------
    Newton's method does not tell a saddle from a minimizer; the safeguards do:

    >>> from lib import optimizers, problems
    >>> well = problems.double_well()
    >>> optimizers.newton(well, [1.0, 0.4]).x.round(6).tolist()
    [0.0, 0.0]
    >>> optimizers.newton(well, [1.0, 0.4], damping=True).x.round(6).tolist()
    [0.0, 1.0]

    Notes
    -----
    The Hessian is formed by d Hessian-vector products a step, and factorized by Cholesky's method
    or, where that fails and the equation is solved all the same, by elimination with row
    pivoting: for up to some hundred coordinates. A pivot of Cholesky's method that is below
    :math:`10^{-14}d` of the diagonal entry counts as not positive.

    The trace holds, of the step that led to each iterate, "step_size" :math:`\alpha`, "shift" (the
    multiple of the identity that was added, r included) and "decrement"
    :math:`\sqrt{-\langle\nabla f,s\rangle}` for the undamped step s, the length of s in the norm
    of the matrix; it is NaN where s does not lead downhill. Status "breakdown" also means that the
    matrix is singular or not finite, "line_search_failed" also that s does not lead downhill. An
    accepted value may exceed Armijo's bound by :math:`10^{-14}` of its size, because it is not
    known better. Used in "Why the unit step works", "What it buys, honestly", "A two-layer
    regression, differentiated by hand", "How much Hessian is enough" and "Local means local".
    """
    damped = check.flag(damping, "damping")
    if indefinite is None:
        indefinite = "regularize" if damped else "solve"
    return Plan(
        _advance,
        options=[
            check.positive(learning_rate, "learning_rate"),
            check.number(regularization, "regularization", low=0.0),
            CHOICES.index(check.choice(indefinite, "indefinite", CHOICES)),
            *search_options(sufficient_decrease, shrink, max_trials),
        ],
        scalars=[np.nan, np.nan, np.nan],
        trace=("step_size", "shift", "decrement"),
        vectors=problem.dimension + 2,
        slots={"move": _search_with(problem) if damped else _move},
        uses_value=damped,
    )


def _search_with(problem):
    """Return the kernel that shortens the step, in place of `_move`."""
    return stamp(_search, inline=True, backward=searches(problem)["backward"])


def search_options(sufficient_decrease, shrink, max_trials):
    """Check and return the three options of the line search."""
    inner = {"low": 0.0, "high": 1.0, "open_low": True, "open_high": True}
    return (
        check.number(sufficient_decrease, "sufficient_decrease", **inner),
        check.number(shrink, "shrink", **inner),
        check.count(max_trials, "max_trials", low=1),
    )


# The vectors: rows 0 to d - 1 hold the Hessian in the upper triangle and, below and on the
# diagonal, its factor; row d the direction; row d + 1 the diagonal of the Hessian.


def _advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    d = x.size
    direction = row(v, d)
    for j in range(d):
        for i in range(d):
            direction[i] = 0.0
        direction[j] = 1.0
        hvp(x, direction, p, row(v, j))
    c[N_HVP] += d
    for j in range(d):
        direction[j] = -g[j]
        v[d + 1, j] = v[j, j] + o[ADDED]
        for i in range(j):
            v[i, j] = 0.5 * (v[i, j] + v[j, i])
    shift = _solve(v, int(o[CHOICE]))
    if shift < 0.0:
        return BREAKDOWN, np.nan
    slope = 0.0
    for i in range(d):
        slope += g[i] * direction[i]
    step, f_ahead = move(x, f, p, direction, slope, o, ahead, c)
    if step == 0.0:
        return LINE_SEARCH_FAILED, np.nan
    s[STEP] = step
    s[SHIFT] = shift + o[ADDED]
    s[DECREMENT] = math.sqrt(-slope) if slope < 0.0 else np.nan
    return RUNNING, f_ahead


@inlined
def _move(x, f, p, direction, slope, o, ahead, c):
    """Write the next iterate; return the step and, if known, the value there."""
    for i in range(x.size):
        ahead[i] = x[i] + o[RATE] * direction[i]
    return o[RATE], np.nan


def _search(x, f, p, direction, slope, o, ahead, c):
    if not slope < 0.0:
        return 0.0, np.nan
    bound = f + ROUNDING * abs(f)
    trials = int(o[TRIALS])
    return backward(
        x, bound, p, direction, slope, o[RATE], o[SUFFICIENT], o[SHRINK], trials, ahead, c
    )


@kernel
def _factor(v, shift):
    """Factorize the matrix plus a multiple of the identity; tell whether it is definite."""
    d = v.shape[1]
    for j in range(d):
        for i in range(j, d):
            total = v[j, i] if i > j else v[d + 1, j] + shift
            for k in range(j):
                total -= v[i, k] * v[j, k]
            if i > j:
                v[i, j] = total / v[j, j]
            else:
                if not total > PIVOT * d * abs(v[d + 1, j] + shift):
                    return False
                v[j, j] = math.sqrt(total)
    return True


@kernel
def _substitute(v):
    """Solve with the factor, in place of the right-hand side in row d."""
    d = v.shape[1]
    for i in range(d):
        total = v[d, i]
        for k in range(i):
            total -= v[i, k] * v[d, k]
        v[d, i] = total / v[i, i]
    for i in range(d - 1, -1, -1):
        total = v[d, i]
        for k in range(i + 1, d):
            total -= v[k, i] * v[d, k]
        v[d, i] = total / v[i, i]


@kernel
def _eliminate(v):
    """Solve by elimination, in place of the right-hand side in row d; False if singular."""
    d = v.shape[1]
    for j in range(d):
        v[j, j] = v[d + 1, j]
        for i in range(j):
            v[j, i] = v[i, j]
    for j in range(d):
        best = j
        for i in range(j + 1, d):
            if abs(v[i, j]) > abs(v[best, j]):
                best = i
        if not abs(v[best, j]) > 0.0:
            return False
        if best != j:
            for k in range(j, d):
                v[j, k], v[best, k] = v[best, k], v[j, k]
            v[d, j], v[d, best] = v[d, best], v[d, j]
        for i in range(j + 1, d):
            scale = v[i, j] / v[j, j]
            for k in range(j + 1, d):
                v[i, k] -= scale * v[j, k]
            v[d, i] -= scale * v[d, j]
    for i in range(d - 1, -1, -1):
        total = v[d, i]
        for k in range(i + 1, d):
            total -= v[i, k] * v[d, k]
        v[d, i] = total / v[i, i]
    return True


@kernel
def _frobenius(v):
    """Return the Frobenius norm of the matrix."""
    d = v.shape[1]
    total = 0.0
    for j in range(d):
        total += v[d + 1, j] * v[d + 1, j]
        for i in range(j):
            total += 2.0 * v[i, j] * v[i, j]
    return math.sqrt(total)


@kernel
def _solve(v, choice):
    """Turn the right-hand side in row d into the step; return the shift, -1 if there is no step."""
    shift = 0.0
    if not _factor(v, 0.0):
        size = _frobenius(v)
        if choice == STOP or not 0.0 < size < np.inf:
            return -1.0
        if choice == SOLVE:
            return 0.0 if _eliminate(v) else -1.0
        shift = FIRST_SHIFT * size
        while not _factor(v, shift):
            shift *= 2.0
    _substitute(v)
    return shift
