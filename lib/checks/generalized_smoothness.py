"""Checks of the exercises of part 2, "Generalized smoothness"."""

import numpy as np
from scipy import optimize

from lib.checks import _core

GIVEN = ("bowl", "valley", "candidates", "bound", "far_start", "noise")

BOUNDED = (
    "log(1 + x^2)",
    "x^2 + cos(x^2)",
    "x^2 + y^2 + x^2 y^2",
    "x^4 - 10 x^2 y + 30 y^2",
    "exp(x) + exp(-y)",
    "exp(-x) (1 + y^2)",
)
UNBOUNDED = (
    "sin(x^2)",
    "x^2 y^2",
    "x^2 (1 + y^4)",
    "(y - x^3)^2",
    "log(1 + x^2 y^2)",
    "x^2 exp(y)",
)
CALLS, TOO_MANY = 240, 300  # of value and gradient together, in one search
FLAT, DOWN = 0.01, 0.1  # a slope and a curvature at the end of a search


def bowl(student_id):
    """Return the numbers of a student's own bowl and start.

    The bowl is a/4 x^4 + b/2 x^2.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    a, b, x0 : float
        a between 0.5 and 2 with one decimal, a whole b from 5 to 20, a whole x0 from 2 to 5.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 2.
    """
    rng = _core.individual(student_id, "generalized-smoothness-bowl")
    return float(rng.integers(5, 21) / 10), float(rng.integers(5, 21)), float(rng.integers(2, 6))


def valley(student_id):
    """Return the exponents and the level of a student's own valley.

    The valley is (u^p v^q - c)^2 / 2.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    p, q : int
        From 1 to 3, not equal.
    c : float
        Between 1.5 and 4, with one decimal.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 2.
    """
    rng = _core.individual(student_id, "generalized-smoothness-valley")
    p, q = rng.permutation([1, 2, 3])[:2]
    c = rng.integers(15, 41) / 10
    return int(p), int(q), float(c)


def candidates(student_id):
    """Return six functions, in words, for a student to judge.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    list of str
        Formulas in x, or in x and y. Two to four of them are self-bounding.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 2.
    """
    rng = _core.individual(student_id, "generalized-smoothness-candidates")
    n = int(rng.integers(2, 5))
    chosen = [*rng.permutation(BOUNDED)[:n], *rng.permutation(UNBOUNDED)[: 6 - n]]
    return [str(formula) for formula in rng.permutation(chosen)]


def bound(student_id):
    """Return a student's own curvature bound, a height and a slope.

    The bound is A + B sqrt(t) at the height t above the infimum.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    A, B, height, slope : float
        Whole A from 2 to 9, B from 3 to 12 and height from 2 to 9; the slope is between 1 and 3,
        with one decimal.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 2.
    """
    rng = _core.individual(student_id, "generalized-smoothness-bound")
    whole = rng.integers([2, 3, 2], [10, 13, 10])
    return *(float(n) for n in whole), float(rng.integers(10, 31) / 10)


def far_start(student_id):
    """Return a student's own start, far out in five dimensions.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    ndarray, shape (5,)
        Of a length between 8 and 15, with one decimal in each coordinate.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 2.
    """
    rng = _core.individual(student_id, "generalized-smoothness-start")
    direction = rng.normal(size=5)
    return np.round(rng.uniform(9, 14) * direction / np.linalg.norm(direction), 1)


def noise(student_id):
    """Return the numbers of a student's own wait at a saddle.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    alpha, gamma, r, R, p : float
        Learning rate, size of the negative curvature, radius of the noise, distance that counts as
        escaped, and the chance of being stuck that is allowed.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 2.
    """
    rng = _core.individual(student_id, "generalized-smoothness-noise")
    alpha, gamma = rng.choice([0.05, 0.1]), rng.integers(5, 31) / 10
    r, R = 10.0 ** -rng.integers(3, 7), rng.integers(3, 8) / 10
    p = 10.0 ** -rng.integers(2, 6)
    return tuple(float(value) for value in (alpha, gamma, r, R, p))


def _bowl_end(a, b, x0, rate):
    """Return how far out 3000 steps on the bowl end, at most 1e9."""
    x = x0
    for _ in range(3000):
        x -= rate * (a * x**3 + b * x)
        if abs(x) > 1e9:
            break
    return min(abs(x), 1e9)


def border(answer, *, student_id):
    """Check the border between the fixed steps that come in from the start and those that do not.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose bowl and start they are.

    Raises
    ------
    CheckFailed
        If a run with a step just below explodes, or one with a step just above comes in.

    Notes
    -----
    Used in the exercises of part 2.
    """
    a, b, x0 = bowl(student_id)
    rate = _core.number(answer, "border")
    if not 0 < rate < 1e9:
        raise _core.CheckFailed(f"border must be positive, as every learning rate; got {rate:g}")
    if _bowl_end(a, b, x0, 0.999 * rate) > x0:
        raise _core.CheckFailed(
            f"border is {rate:g}, but a run from {x0:g} with a learning rate just below it explodes"
        )
    if _bowl_end(a, b, x0, 1.001 * rate) < x0:
        hint = ""
        if np.isclose(rate, 2 / (3 * a * x0**2 + b), rtol=1e-3):
            hint = ": one step leads from x to x (1 - ...), where the curvature does not occur"
        raise _core.CheckFailed(
            f"border is {rate:g}, but a run from {x0:g} with a slightly larger learning rate "
            f"still comes in{hint}"
        )


def curvature_bound(answer, *, student_id):
    """Check the smallest curvature bound of the bowl as a function of the value.

    Parameters
    ----------
    answer : callable
        ``answer(t)`` returns the largest curvature where the value is at most t.
    student_id : str
        Whose bowl it is.

    Raises
    ------
    CheckFailed
        If the bound is too small or larger than needed at some value.

    Notes
    -----
    Used in the exercises of part 2.
    """
    a, b, x0 = bowl(student_id)
    rng = _core.individual(student_id, "generalized-smoothness-heights")
    start = a / 4 * x0**4 + b / 2 * x0**2
    cases = [(0.0,), (start,), *((float(t),) for t in rng.uniform(0.1, 500, 6))]
    mistakes = {
        "that bounds the curvature, but is not the smallest bound: on the way from the value to "
        "the position you drop the term b/2 x^2": lambda t: 6 * np.sqrt(a * t) + b,
        "that is the curvature 3 a x^2 + b with t in the place of x": lambda t: 3 * a * t**2 + b,
        "the curvature of b/2 x^2 is missing or counted wrongly": lambda t: (
            3 * np.sqrt(b * b + 4 * a * t) - 3 * b
        ),
    }
    _core.agrees(
        answer,
        lambda t: 3 * np.sqrt(b * b + 4 * a * t) - 2 * b,
        cases,
        rtol=1e-7,
        name="curvature_bound",
        mistakes=mistakes,
    )


def _valley_parts(p, q, c, u, v):
    """Return the value of a valley and the norm of its Hessian."""
    h = u**p * v**q
    slope = np.array([p * u ** (p - 1) * v**q, q * u**p * v ** (q - 1)])
    mixed = p * q * u ** (p - 1) * v ** (q - 1)
    bend = np.array(
        [
            [p * (p - 1) * u ** max(p - 2, 0) * v**q, mixed],
            [mixed, q * (q - 1) * u**p * v ** max(q - 2, 0)],
        ]
    )
    hessian = np.outer(slope, slope) + (h - c) * bend
    norm = np.abs(np.linalg.eigvalsh(hessian)).max() if np.isfinite(hessian).all() else np.inf
    return (h - c) ** 2 / 2, norm


def witness(answer, *, student_id, seed=0):
    """Check points of low value and large curvature in a student's own valley.

    Parameters
    ----------
    answer : callable
        ``answer(size)`` returns a point (u, v) with a value of at most 1 and a curvature of at
        least `size`.
    student_id : str
        Whose valley it is.
    seed : int
        Chooses the sizes: 0 draws them up to 1000, others up to 100 million, which is the last.

    Raises
    ------
    CheckFailed
        If a point lies too high or the curvature there is too small.

    Notes
    -----
    Used in the exercises of part 2.
    """
    p, q, c = valley(student_id)
    rng = np.random.default_rng([2028, seed])
    powers = rng.uniform(0, 3, 4) if seed == 0 else rng.uniform([-1, 3, 5, 7], [0, 4, 6, 8])
    if seed != 0:
        powers = np.append(powers, 8)
    for size in (float(10.0**power) for power in powers):
        label = f"witness({size:.6g})"
        u, v = _core.array(_core.call(answer, size, name="witness"), (2,), label)
        with np.errstate(all="ignore"):
            value, norm = _valley_parts(p, q, c, u, v)
        where = f"{label} is ({u:.4g}, {v:.4g})"
        if not np.isfinite([value, norm]).all():
            raise _core.CheckFailed(f"{where}, too far out to compute value and curvature there")
        if value > 1:
            raise _core.CheckFailed(f"{where}, where the value is {value:.4g}, more than 1")
        if norm < size * (1 - 1e-9):
            raise _core.CheckFailed(f"{where}, where the curvature is only {norm:.6g}")


def verdicts(answer, *, student_id, mistakes_allowed=0):
    """Check which of a student's six functions are self-bounding.

    Parameters
    ----------
    answer : list of bool
        True for the self-bounding ones, in the order of `candidates`; 1 and 0 will do as well.
    student_id : str
        Whose functions they are.
    mistakes_allowed : int
        Number of wrong verdicts that pass.

    Raises
    ------
    CheckFailed
        If it is no list of six times True or False, or more verdicts are wrong.

    Notes
    -----
    Used in the exercises of part 2.
    """
    given = candidates(student_id)
    if _core.is_missing(answer):
        raise _core.CheckFailed("verdicts is missing: replace the dots by a list")
    listed = isinstance(answer, (list, tuple)) or (
        isinstance(answer, np.ndarray) and answer.ndim == 1
    )
    if not listed:
        raise _core.CheckFailed(
            f"verdicts must be a list of {len(given)} times True or False; "
            f"got {_core.kind_of(answer)}"
        )
    if len(answer) != len(given):
        raise _core.CheckFailed(
            f"verdicts must have {len(given)} entries, one for each function; it has {len(answer)}"
        )
    wrong = 0
    for entry, formula in zip(answer, given, strict=True):
        if not isinstance(entry, (bool, np.bool_, int, np.integer)) or entry not in (0, 1):
            raise _core.CheckFailed(
                f"your verdict on {formula} must be True or False; got {_core.shown(entry)}"
            )
        wrong += bool(entry) != (formula in BOUNDED)
    if wrong > mistakes_allowed:
        raise _core.CheckFailed(f"{wrong} of your {len(given)} verdicts are wrong")


def slope_bound(answer, *, student_id):
    """Check the sharper bound of the gradient at a height.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose bound and height they are.

    Raises
    ------
    CheckFailed
        If it is another number; the message names the product form, a missing root and others.

    Notes
    -----
    Used in the exercises of part 2.
    """
    A, B, t, _ = bound(student_id)
    area = A * t + 2 / 3 * B * t**1.5
    mistakes = {
        "that is the product form, which is larger than needed": np.sqrt(2 * (A + B * t**0.5) * t),
        "that bounds the square of the gradient's length": 2 * area,
        "a factor is missing in front of the integral": np.sqrt(area),
        "that is the curvature bound itself": A + B * t**0.5,
    }
    _core.close(answer, np.sqrt(2 * area), rtol=1e-3, name="slope", mistakes=mistakes)


def low_enough(answer, *, student_id):
    """Check the height up to which the integral form guarantees a given slope.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose bound and slope they are.

    Raises
    ------
    CheckFailed
        If it is another number; the message names heights from the product form and others.

    Notes
    -----
    Used in the exercises of part 2.
    """
    A, B, _, slope = bound(student_id)

    def solve(bound_of_square):
        return optimize.brentq(lambda t: bound_of_square(t) - slope**2, 0, 100, xtol=1e-14)

    mistakes = {
        "the product form guarantees the slope there; the integral form does so higher up": solve(
            lambda t: 2 * t * (A + B * t**0.5)
        ),
        "the bound is on the square of the slope": optimize.brentq(
            lambda t: 2 * A * t + 4 / 3 * B * t**1.5 - slope, 0, 100, xtol=1e-14
        ),
        "the part of the bound that grows with the height is missing": slope**2 / (2 * A),
    }
    right = solve(lambda t: 2 * A * t + 4 / 3 * B * t**1.5)
    _core.close(answer, right, rtol=1e-3, name="low_enough", mistakes=mistakes)


def _backtrack(value, gradient, start, first_step, n_steps, growth=2.0, reset=False):
    """Return path and steps of gradient descent with a line search, as asked for by default."""
    path, steps = [np.array(start, float)], []
    trial, f = first_step, value(path[0])
    for _ in range(n_steps):
        g = gradient(path[-1])
        while not (f_new := value(x := path[-1] - trial * g)) <= f - trial / 2 * (g @ g):
            trial /= 2
        path.append(x)
        steps.append(trial)
        f, trial = f_new, first_step if reset else growth * trial
    return np.array(path), np.array(steps)


def _landscape(kind, rng):
    """Return value, gradient and a start of a random function for the line search."""
    if kind == "quartic":
        weight = rng.uniform(0.5, 3)
        return (
            lambda x: float(weight * (x @ x) ** 2 / 4),
            lambda x: weight * (x @ x) * x,
            rng.uniform(1, 8, size=1) * rng.choice([-1, 1]),
        )
    if kind == "valley":
        curvatures = rng.uniform([0.1, 1, 10], [0.3, 3, 60])
        return (
            lambda x: float(curvatures @ x**2 / 2),
            lambda x: curvatures * x,
            rng.uniform(1, 3, size=3) * rng.choice([-1, 1], size=3),
        )
    scale = rng.uniform(0.5, 1.5, size=2)  # exponential growth

    def value(x):
        with np.errstate(over="ignore"):
            return float(np.cosh(scale * x).sum() - 2)

    return value, lambda x: scale * np.sinh(scale * x), rng.uniform(4, 8, size=2)


def _counted(function, calls):
    """Return a function that appends to a list at each call."""

    def counting(x):
        calls.append(1)
        return function(np.asarray(x, float))

    return counting


def _search_result(result, n_steps, dimension):
    """Return the path and the steps that a line search returned."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise _core.CheckFailed(
            "backtrack must return two things, the path and the steps: return path, steps; "
            f"got {_core.kind_of(result)}"
        )
    path = _core.array(result[0], (n_steps + 1, dimension), "the path")
    steps = _core.array(result[1], (n_steps,), "the array of steps") if n_steps else np.zeros(0)
    if n_steps == 0 and np.size(np.asarray(result[1], dtype=object)) != 0:
        raise _core.CheckFailed("after 0 steps the array of steps must be empty")
    return path, steps


def backtrack(answer, *, seed=0):
    """Check gradient descent with a warm line search on random functions.

    Parameters
    ----------
    answer : callable
        ``answer(value, gradient, start, first_step, n_steps)`` returns the path and the steps.
    seed : int
        Chooses the functions: the visible check uses 0, marks are given for others.

    Raises
    ------
    CheckFailed
        If a step or a point is another one; the message says which rule the step breaks.

    Notes
    -----
    Used in the exercises of part 2.
    """
    rng = np.random.default_rng([2029, seed])
    for kind, first, n in (("quartic", 1.0, 8), ("valley", 1e-3, 14), ("growth", 3.0, 6)):
        value, gradient, start = _landscape(kind, rng)
        calls = []
        result = _core.call(
            answer,
            _counted(value, calls),
            _counted(gradient, []),
            start,
            first,
            n,
            name="backtrack",
        )
        path, steps = _search_result(result, n, len(start))
        right_path, right = _backtrack(value, gradient, start, first, n)
        for k in range(n):
            if np.isclose(steps[k], right[k], rtol=1e-9):
                continue
            before = first if k == 0 else 2 * steps[k - 1]
            where = f"search {k} begins at {before:.4g} and accepts {steps[k]:.4g}: "
            if steps[k] <= 0:
                raise _core.CheckFailed(f"{where}a step must be positive")
            for options, message in (
                ({"growth": 1.0}, "the steps never grow; begin at twice the last accepted step"),
                ({"reset": True}, "only the first search begins at first_step"),
            ):
                wrong = _backtrack(value, gradient, start, first, n, **options)[1]
                if np.allclose(steps, wrong, rtol=1e-9):
                    raise _core.CheckFailed(where + message)
            if steps[k] > before:
                raise _core.CheckFailed(f"{where}trials get smaller, not larger")
            if not np.isclose(np.log2(before / steps[k]) % 1, [0, 1], atol=1e-9).any():
                raise _core.CheckFailed(f"{where}trials are halved, nothing else")
            x, g = right_path[k], gradient(right_path[k])
            if not value(x - steps[k] * g) <= value(x) - steps[k] / 2 * (g @ g):
                raise _core.CheckFailed(f"{where}this step does not pass the test")
            raise _core.CheckFailed(f"{where}a larger trial, tried before it, passes the test")
        _core.close(path, right_path, rtol=1e-8, atol=1e-12, name="the path")


def backtrack_cost(answer, *, seed=1):
    """Check a line search without a step, from whole numbers, and count what it calls.

    Parameters
    ----------
    answer : callable
        See `backtrack`.
    seed : int
        Chooses the function.

    Raises
    ------
    CheckFailed
        If the start is not a path of no steps, whole numbers give another path, or a value or a
        gradient is computed more often than needed.

    Notes
    -----
    Used in the exercises of part 2.
    """
    rng = np.random.default_rng([2030, seed])
    value, gradient, _ = _landscape("growth", rng)
    start, n = np.array([5, -6]), 7
    plain = _counted(value, []), _counted(gradient, [])
    result = _core.call(answer, *plain, start, 1.0, 0, name="backtrack")
    path, _ = _search_result(result, 0, 2)
    _core.close(path, [[5.0, -6.0]], name="the path of 0 steps")
    values, slopes = [], []
    result = _core.call(
        answer,
        _counted(value, values),
        _counted(gradient, slopes),
        start,
        1.0,
        n,
        name="backtrack",
    )
    path, steps = _search_result(result, n, 2)
    right_path, right = _backtrack(value, gradient, start, 1.0, n)
    _core.close(steps, right, rtol=1e-9, name="the array of steps from whole numbers")
    _core.close(path, right_path, rtol=1e-8, name="the path from a start of whole numbers")
    needed = 1 + round(2 * n - 1 + np.log2(1.0 / right[-1]))
    if len(slopes) > n + 1:
        raise _core.CheckFailed(
            f"backtrack computes {len(slopes)} gradients in {n} steps: one a step is enough"
        )
    if len(values) > needed:
        raise _core.CheckFailed(
            f"backtrack computes {len(values)} values where {needed} are enough: keep the value of "
            "the accepted trial for the next search"
        )


def stuck(answer, *, student_id):
    """Check the chance that a run is still near the saddle after k steps.

    Parameters
    ----------
    answer : callable
        ``answer(k)`` returns the chance.
    student_id : str
        Whose saddle and noise they are.

    Raises
    ------
    CheckFailed
        If a chance is above 1 or another one; the message names the ball and other mistakes.

    Notes
    -----
    Used in the exercises of part 2.
    """
    alpha, gamma, r, R, _ = noise(student_id)
    q = 1 + alpha * gamma
    first = int(np.ceil(np.log(R / r) / np.log(q)))
    cases = [(first + k,) for k in (1, 3, 10, 40)] + [(0,), (first - 2,)]

    def slab(k):
        return min(1.0, R / r * q**-k)

    for case in cases:
        chance = _core.number(_core.call(answer, *case, name="stuck"), f"stuck({case[0]})")
        if chance > 1 + 1e-12:
            raise _core.CheckFailed(f"stuck({case[0]}) is {chance:.4g}; no chance is above 1")
    mistakes = {
        "that is the share of the ball's inside; your noise has length r, always": lambda k: (
            (3 * slab(k) - slab(k) ** 3) / 2
        ),
        "that is the circle's share; your saddle lies in three dimensions": lambda k: (
            2 / np.pi * np.arcsin(slab(k))
        ),
        "the thin part has two sides, up and down": lambda k: min(1.0, R / r * q**-k / 2),
        "that is the chance one step earlier": lambda k: slab(k - 1),
        "that is the chance one step later": lambda k: slab(k + 1),
        "that is the chance of having left": lambda k: 1 - slab(k),
    }
    _core.agrees(answer, slab, cases, rtol=1e-7, atol=1e-300, name="stuck", mistakes=mistakes)


def patience(answer, *, student_id):
    """Check the number of steps after which a run is stuck with a small chance only.

    Parameters
    ----------
    answer : int
    student_id : str
        Whose saddle and noise they are.

    Raises
    ------
    CheckFailed
        If the chance is still too large then, or was small enough before.

    Notes
    -----
    Used in the exercises of part 2.
    """
    alpha, gamma, r, R, p = noise(student_id)
    k = _core.integer(answer, "patience")
    q = 1 + alpha * gamma
    if not 0 <= k <= 10**6:
        raise _core.CheckFailed(f"patience is {k}, which is no sensible number of steps")
    if R / r * q**-k > p:
        raise _core.CheckFailed(
            f"patience is {k}, but after {k} steps the chance of being stuck is still above {p:g}"
        )
    if R / r * q ** -(k - 1) <= p:
        raise _core.CheckFailed(f"patience is {k}, but fewer steps are enough for {p:g}")


class _Search:
    """One function and one start for a search, with a count of all calls."""

    def __init__(self, name, value, gradient, hessian, start):
        self.name, self.start, self.hessian = name, np.asarray(start, float), hessian
        self.slope, self.calls = gradient, 0
        self.value, self.gradient = self._counting(value), self._counting(gradient)

    def _counting(self, function):
        """Return the function with a count, for one point at a time."""

        def counting(x):
            self.calls += 1
            if self.calls > TOO_MANY:
                raise RuntimeError(f"more than {TOO_MANY} calls of value and gradient")
            x = np.asarray(x, float)
            if x.shape != self.start.shape:
                raise ValueError(f"one point at a time, of shape {self.start.shape}")
            with np.errstate(all="ignore"):
                return function(x)

        return counting


def _retrieval(name, signal, start):
    """Return a search on the expected loss of phase retrieval, for a signal of length 1."""
    size = len(signal)

    def value(x):
        return float(0.75 * (x @ x - 1) ** 2 + x @ x - (x @ signal) ** 2)

    def gradient(x):
        return (3 * (x @ x) - 1) * x - 2 * (x @ signal) * signal

    def hessian(x):
        bend = 6 * np.outer(x, x) - 2 * np.outer(signal, signal)
        return (3 * (x @ x) - 1) * np.eye(size) + bend

    return _Search(name, value, gradient, hessian, start)


def _pca(name, matrix, start):
    """Return a search on the loss of matrix PCA."""

    def value(x):
        return float(0.5 * ((np.outer(x, x) - matrix) ** 2).sum())

    def gradient(x):
        return 2 * ((x @ x) * x - matrix @ x)

    def hessian(x):
        return 2 * ((x @ x) * np.eye(len(x)) + 2 * np.outer(x, x) - matrix)

    return _Search(name, value, gradient, hessian, start)


def _growing(weights, start):
    """Return a search on a saddle between exponentially steep walls."""

    def value(x):
        return float((weights * np.cosh(x)).sum() - 2 * weights[0] * x[0] ** 2)

    def gradient(x):
        slope = weights * np.sinh(x)
        slope[0] -= 4 * weights[0] * x[0]
        return slope

    def hessian(x):
        curvature = weights * np.cosh(x)
        curvature[0] -= 4 * weights[0]
        return np.diag(curvature)

    return _Search("a saddle between exponential walls", value, gradient, hessian, start)


def _searches(seed):
    """Return the searches of one check: seed 0 is visible, others have more kinds of functions."""
    rng = np.random.default_rng([2031, seed])
    signal = rng.normal(size=6)
    signal /= np.linalg.norm(signal)
    across = rng.normal(size=6)
    across -= (across @ signal) * signal
    across /= np.linalg.norm(across)
    far = rng.normal(size=6)
    far *= 20 / np.linalg.norm(far)
    found = [
        _retrieval("phase retrieval, from far out", signal, far),
        _retrieval("phase retrieval, from a saddle", signal, across / np.sqrt(3)),
    ]
    if seed == 0:
        return found
    basis = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    spectrum = np.append([2.0, 1.2], rng.uniform(0.1, 0.8, 6))
    matrix = basis * spectrum @ basis.T
    weights = rng.uniform(0.5, 2, size=4)
    return [
        found[1],
        _pca("matrix PCA, from a saddle", matrix, np.sqrt(1.2) * basis[:, 1]),
        _pca("matrix PCA, from the origin", matrix, np.zeros(8)),
        _growing(weights, np.append(0.0, rng.uniform(4, 8, 3))),
        _retrieval("phase retrieval, on the way into a saddle", signal, 20 * across),
    ]


def search(answer, *, seed=0, calls=CALLS):
    """Check a search for second-order stationary points that is given values and gradients only.

    Parameters
    ----------
    answer : callable
        ``answer(value, gradient, start)`` returns the point found.
    seed : int
        Chooses functions and starts: the visible check uses 0, marks are given for others.
    calls : int
        How often value and gradient together may be called in one search.

    Raises
    ------
    CheckFailed
        If a point is not flat, has a direction that curves down, or took too many calls.

    Notes
    -----
    Used in the exercises of part 2.
    """
    for task in _searches(seed):
        found = _core.call(answer, task.value, task.gradient, task.start, name="search")
        x = _core.array(found, task.start.shape, f"the point found ({task.name})")
        with np.errstate(all="ignore"):
            slope = np.linalg.norm(task.slope(x))
        if not slope <= FLAT:
            raise _core.CheckFailed(
                f"{task.name}: the gradient at your point has length {slope:.3g}, above {FLAT}"
            )
        lowest = np.linalg.eigvalsh(task.hessian(x))[0]
        if lowest < -DOWN:
            raise _core.CheckFailed(
                f"{task.name}: your point is flat, but a direction there has curvature "
                f"{lowest:.3g}: it is a saddle or a top"
            )
        if task.calls > calls:
            raise _core.CheckFailed(
                f"{task.name}: your point is good, but you used {task.calls} calls of value and "
                f"gradient; {calls} are allowed"
            )
