"""Checks of the exercises of part 3, Hessian scaling."""

import math

import numpy as np

from lib import optimizers
from lib.checks import _core

GIVEN = ("log_line", "armijo_constant", "saddle_start", "bowl")

RHO = 1e-4
DIFFERENCE = 1e-6  # the displacement for Hessian-vector products
STEEPEST = 1.5 * 1.25**-2.5  # the largest third derivative of sqrt(1 + x^2), at x = 1/2


def log_line(student_id):
    """Return what a program printed about one step on a student's own quadratic.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    dict
        The numbers "norm" (of the gradient), "cg" and "mr" (the two scalings).

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 3.
    """
    rng = _core.individual(student_id, "hessian-scaling-log")
    cg = rng.integers(30, 91) / 100
    mr = round(cg * rng.integers(20, 66) / 100, 2)
    return {"norm": float(rng.integers(12, 60) / 10), "cg": float(cg), "mr": float(mr)}


def armijo_constant(student_id):
    """Return a student's own constant of the Armijo test.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    float
        A number between 0.1 and 0.4, with two decimals.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 3.
    """
    return float(_core.individual(student_id, "hessian-scaling-armijo").integers(10, 41) / 100)


def saddle_start(student_id):
    """Return a start next to the saddle of the double well, and a length for negative curvature.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    dict
        The numbers "start" and "length", such that a search that multiplies by 3 ends beyond the
        minimizer, and no trial close to it or to the place where the value is that of the saddle.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 3.
    """
    rng = _core.individual(student_id, "hessian-scaling-saddle")
    while True:
        start = float(f"{rng.integers(11, 100)}e-{rng.integers(5, 8)}")
        length = float(rng.integers(5, 200) / 100)
        place = math.log((math.sqrt(2) / start - 1) / length, 3)
        if 0.08 < place % 1 < 0.24:
            return {"start": start, "length": length}


def bowl(student_id):
    """Return the curvatures of a student's own bowl, and the gradient at the start.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    curvatures : ndarray, shape (30,)
        From 1 to a condition number between 100 and 200.
    gradient : ndarray, shape (30,)

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 3.
    """
    rng = _core.individual(student_id, "hessian-scaling-bowl")
    curvatures = np.geomspace(1, rng.integers(10, 21) * 10, 30)
    return curvatures, rng.normal(size=30)


def log_lengths(gm, next_norm, *, student_id):
    """Check the GM scaling, and the gradient's norm after an MR step, from a line of a log.

    Parameters
    ----------
    gm, next_norm : float
    student_id : str
        Whose line it is.

    Raises
    ------
    CheckFailed
        If one of them is wrong.

    Notes
    -----
    Used in the exercises of part 3.
    """
    line = log_line(student_id)
    cg, mr, norm = line["cg"], line["mr"], line["norm"]
    mistakes = {
        "that is the middle of the two, not their geometric mean": (cg + mr) / 2,
        "that is the product of the two: it has the unit of a squared length of step": cg * mr,
    }
    _core.close(gm, math.sqrt(cg * mr), rtol=2e-3, name="gm", mistakes=mistakes)
    cosine = math.sqrt(mr / cg)
    angle = math.acos(cosine)
    mistakes = {
        "that is the norm after a CG step": norm * math.tan(angle),
        "that is the norm after a GM step": norm * 2 * math.sin(angle / 2),
        "cos φ is not the quotient of mr and cg": norm * math.sqrt(1 - cosine**4),
        "that is the factor's square times the norm: take the root": norm * (1 - cosine**2),
        "that is the length of what the step removes; what is left is perpendicular to it": (
            norm * cosine
        ),
    }
    right = norm * math.sin(angle)
    _core.close(next_norm, right, rtol=2e-3, name="next_norm", mistakes=mistakes)


def least_kappa(answer, *, student_id):
    """Check the smallest condition number that fits a line of a log.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose line it is.

    Raises
    ------
    CheckFailed
        If the angle of the line needs a larger condition number, or a smaller one allows it.

    Notes
    -----
    Used in the exercises of part 3.
    """
    line = log_line(student_id)
    kappa = _core.number(answer, "least_kappa")
    if kappa < 1:
        raise _core.CheckFailed(f"least_kappa is {kappa:g}; a condition number is at least 1")
    cosine = math.sqrt(line["mr"] / line["cg"])
    share = 2 * math.sqrt(kappa) / (kappa + 1) / cosine
    sine = math.sqrt(1 - cosine**2)
    if abs(kappa / ((1 + sine) / (1 - sine)) - 1) <= 2e-3:
        return
    if share > 1:
        raise _core.CheckFailed(
            f"least_kappa is {kappa:g}, but with that condition number the angle between g and Hg "
            "cannot be as large as in your line"
        )
    raise _core.CheckFailed(
        f"least_kappa is {kappa:g}, but a smaller condition number allows your angle too"
    )


def _unit_step_passes(x, rho):
    """Tell whether the unit step on sqrt(1 + x^2) passes the Armijo test."""
    slope, length = x / math.sqrt(1 + x * x), (1 + x * x) ** 1.5
    there = x - length * slope
    # The values differ by less than they are rounded if x is small: subtract without rounding.
    fall = (x * x - there * there) / (math.sqrt(1 + x * x) + math.sqrt(1 + there * there))
    return fall >= rho * length * slope * slope


def unit_edge(answer, *, student_id):
    """Check up to which distance the unit step on the hyperbola passes, by trying it.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose constant of the Armijo test it is.

    Raises
    ------
    CheckFailed
        If the unit step is refused just below the answer, or passes just above it.

    Notes
    -----
    Used in the exercises of part 3.
    """
    rho = armijo_constant(student_id)
    edge = _core.number(answer, "edge")
    if not 0 < edge < 1e6:
        raise _core.CheckFailed(f"edge is {edge:g}; it must be positive, and is not huge")
    if not _unit_step_passes(0.999 * edge, rho):
        raise _core.CheckFailed(
            f"edge is {edge:g}, but from x = {0.999 * edge:.4g} the unit step is refused: its fall "
            "is less than the share rho of the promise"
        )
    if _unit_step_passes(1.001 * edge, rho):
        raise _core.CheckFailed(
            f"edge is {edge:g}, but from x = {1.001 * edge:.4g} the unit step still passes"
        )


def guaranteed_edge(answer, *, student_id):
    """Check up to which distance the theorem guarantees the unit step on the hyperbola.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose constant of the Armijo test it is.

    Raises
    ------
    CheckFailed
        If the condition of the theorem fails just below the answer, or holds just above it.

    Notes
    -----
    Used in the exercises of part 3.
    """
    rho = armijo_constant(student_id)
    edge = _core.number(answer, "guaranteed")
    if not 0 < edge < 1e6:
        raise _core.CheckFailed(f"guaranteed is {edge:g}; it must be positive, and is not huge")

    def share(x):
        slope, length = x / math.sqrt(1 + x * x), (1 + x * x) ** 1.5
        return length**2 * slope * STEEPEST / (3 * (1 - 2 * rho))

    if share(0.998 * edge) > 1:
        raise _core.CheckFailed(
            f"guaranteed is {edge:.4g}, but there s²|g| is {share(edge):.3f} times what the "
            "theorem allows; is your L2 large enough for every x?"
        )
    if share(1.002 * edge) < 1:
        raise _core.CheckFailed(
            f"guaranteed is {edge:.4g}, but there s²|g| is only {share(edge):.3f} times what the "
            "theorem allows: the guarantee reaches farther"
        )


def _scaled(
    value,
    gradient,
    start,
    powers,
    sigma,
    n_steps,
    forward=True,
    search=True,
    overshoot=False,
    cycle=True,
    cap=True,
    notes=None,
):
    """Return the path of the scaled method; the options make common mistakes."""
    x = np.array(start, float)
    path, f = [x], None
    for k in range(n_steps):
        g = gradient(x)
        gg = g @ g
        if gg == 0:
            path.append(x)
            continue
        f = value(x) if f is None else f
        h = DIFFERENCE / math.sqrt(gg)
        product = (gradient(x + h * g) - g) / h
        gh = g @ product
        if gh > sigma * gg:
            cosine = gh / math.sqrt(gg * (product @ product))
            s = cosine ** powers[k % len(powers) if cycle else 0] * gg / gh
        elif gh >= 0:
            s = 1 / sigma if cap else 1.0
        else:
            s = 1.0
        alpha, trial = 1.0, value(x - s * g)
        while search and not trial <= f - RHO * alpha * s * gg:
            alpha /= 2
            trial = value(x - alpha * s * g)
        if search and forward and gh < 0 and alpha == 1:
            ahead = value(x - 2 * s * g)
            while ahead <= f - RHO * 2 * alpha * s * gg:
                alpha, trial = 2 * alpha, ahead
                ahead = value(x - 2 * alpha * s * g)
            if overshoot:
                alpha, trial = 2 * alpha, ahead
        if notes is not None:
            notes.append((float(gh / gg), alpha))
        x, f = x - alpha * s * g, trial
        path.append(x)
    return np.array(path)


def _flawed(**options):
    """Return the method with a common mistake."""
    return lambda *case: _scaled(*case, **options)


def _landscapes(seed):
    """Return the cases of the check of the scaled method."""
    rng = np.random.default_rng([2026, 3, seed])
    cases = []
    for dimension, powers, sigma in ((2, [0], 0.3), (3, [2, 0], 0.1), (3, [1], 4.0)):
        matrix = rng.normal(size=(dimension, dimension))
        matrix = matrix + matrix.T + np.eye(dimension)
        start = rng.normal(size=dimension)
        start *= 0.2 / np.linalg.norm(start)
        cases.append(
            (
                lambda x, m=matrix: float((x @ x) ** 2 / 4 - x @ m @ x / 2),
                lambda x, m=matrix: (x @ x) * x - m @ x,
                start,
                powers,
                sigma,
                6,
            )
        )
    weights = rng.uniform(0.5, 3, size=3)
    cases.append(
        (
            lambda x: float(weights @ np.sqrt(1 + x * x)),
            lambda x: weights * x / np.sqrt(1 + x * x),
            rng.uniform(1.5, 3, size=3),
            [0, 2, 1],
            1e-3,
            5,
        )
    )
    return cases


def scaled_descent(answer, *, seed=0):
    """Check the scaled method on functions with all three regimes.

    Parameters
    ----------
    answer : callable
        ``answer(value, gradient, start, powers, sigma, n_steps)`` returns the path.
    seed : int
        Chooses the functions: the visible check uses 0, marks are given for others.

    Raises
    ------
    CheckFailed
        If a path has another shape or other points, or the start is changed.

    Notes
    -----
    Used in the exercises of part 3.
    """
    mistakes = {
        "where the curvature is negative your search never lengthens the step": _flawed(
            forward=False
        ),
        "forward tracking returns the first multiplier that fails, not the last that passes": (
            _flawed(overshoot=True)
        ),
        "every step is a unit step: the Armijo test is never asked": _flawed(search=False),
        "every step uses the first of the powers": _flawed(cycle=False),
        "where the curvature is limited the scaling is not 1/sigma": _flawed(cap=False),
    }
    _core.agrees(
        answer,
        _scaled,
        _landscapes(seed),
        rtol=1e-3,
        atol=1e-4,
        name="scaled_descent",
        mistakes=mistakes,
    )


def scaled_descent_edges(answer):
    """Check the scaled method without curvature, without a slope, and without a step.

    Parameters
    ----------
    answer : callable
        See `scaled_descent`.

    Raises
    ------
    CheckFailed
        If one of them is wrong.

    Notes
    -----
    Used in the exercises of part 3.
    """

    def run(value, gradient, start, sigma, n_steps, what):
        arguments = value, gradient, np.array(start), [0], sigma, n_steps
        path = _core.call(answer, *arguments, name="scaled_descent")
        right = _scaled(*arguments)
        _core.close(path, right, rtol=1e-4, atol=1e-6, name=f"the path {what}")

    def well(x):
        return float(x[0] ** 2 / 2 + x[1] ** 4 / 4 - x[1] ** 2 / 2)

    def well_gradient(x):
        return np.array([x[0], x[1] ** 3 - x[1]], dtype=float)

    def plane(x):
        return max(float(x[0] - 2 * x[1]), -1e6)  # so that forward tracking would end

    run(plane, lambda x: np.array([1.0, -2.0]), [0.0, 0.0], 0.5, 2, "on a plane (curvature zero)")
    run(well, well_gradient, [0.0, 0.0], 0.5, 2, "from a saddle, where the gradient is zero")
    run(well, well_gradient, [1, 2], 0.1, 0, "of 0 steps")
    run(well, well_gradient, [1, 2], 0.1, 3, "from a start of whole numbers")


def scaled_descent_cost(answer, *, seed=1):
    """Check how often the scaled method asks for values and gradients.

    Parameters
    ----------
    answer : callable
        See `scaled_descent`.
    seed : int
        Chooses the functions.

    Raises
    ------
    CheckFailed
        If there are more than 2 gradients a step, or more values than one per trial and one at
        the start; one call more than that is let pass. Also if there are too few for the method,
        or the path does not go down: it cannot be had for nothing.

    Notes
    -----
    Used in the exercises of part 3.
    """
    for value, gradient, *rest in _landscapes(seed):
        counts = []
        for method in (_scaled, answer):
            asked = {"value": 0, "gradient": 0}

            def count_value(x, asked=asked, value=value):
                asked["value"] += 1
                return value(np.asarray(x, float))

            def count_gradient(x, asked=asked, gradient=gradient):
                asked["gradient"] += 1
                return gradient(np.asarray(x, float))

            path = _core.call(method, count_value, count_gradient, *rest, name="scaled_descent")
            path = _core.array(path, (rest[-1] + 1, len(rest[0])), "the path")
            if not (np.diff([value(x) for x in path]) < 0).all():
                raise _core.CheckFailed(
                    "the path of scaled_descent does not go down in every step: mend that first"
                )
            counts.append(asked)
        least, found = counts
        for kind, number in found.items():
            if number > least[kind] + 1:
                raise _core.CheckFailed(
                    f"scaled_descent asks for {number} {kind}s in {rest[-1]} steps; "
                    f"{least[kind]} are enough"
                )
        for kind, number in (("value", rest[-1]), ("gradient", 2 * rest[-1])):
            if found[kind] < number:
                raise _core.CheckFailed(
                    f"scaled_descent asks for {found[kind]} {kind}s in {rest[-1]} steps: too few "
                    "for this method"
                )


def _well_trial_passes(alpha, start, length):
    """Tell whether a multiplier passes the Armijo test on the escape line of the double well."""
    slope = start**3 - start
    there = start - alpha * length * slope
    change = (there**4 - start**4) / 4 - (there**2 - start**2) / 2
    return change <= -RHO * alpha * length * slope**2


def forward_tracking(multiplier, landing, *, student_id):
    """Check where forward tracking with the factor 1/3 ends: its multiplier, and the point.

    Parameters
    ----------
    multiplier, landing : float
    student_id : str
        Whose start and length they are.

    Raises
    ------
    CheckFailed
        If the multiplier is no power of 3, fails the Armijo test, or its triple passes, or if the
        step with this multiplier ends at another point.

    Notes
    -----
    Used in the exercises of part 3.
    """
    given = saddle_start(student_id)
    alpha = _core.number(multiplier, "multiplier")
    if not 1 <= alpha < 1e30:
        raise _core.CheckFailed(
            f"multiplier is {alpha:g}; the first trial 1 passes here, so it is at least 1, and it "
            "is not huge"
        )
    power = round(math.log(alpha, 3))
    if abs(alpha / 3.0**power - 1) > 1e-6:
        raise _core.CheckFailed(
            f"multiplier is {alpha:g}, which the search never tries: it begins at 1 and divides by "
            "1/3"
        )
    alpha = 3.0**power
    if not _well_trial_passes(alpha, given["start"], given["length"]):
        raise _core.CheckFailed(
            f"multiplier is 3^{power}, which fails the Armijo test: there the value is above that "
            "of the saddle"
        )
    if _well_trial_passes(3 * alpha, given["start"], given["length"]):
        raise _core.CheckFailed(
            f"multiplier is 3^{power}, but three times that passes too: the search goes on"
        )
    start, stretch = given["start"], alpha * given["length"]
    mistakes = {
        "the step went up the gradient": start - stretch * (start - start**3),
        "that is where the next trial would end, the one that fails": (
            start + 3 * stretch * (start - start**3)
        ),
        "the scaling is missing in it": start + alpha * (start - start**3),
    }
    right = start + stretch * (start - start**3)
    _core.close(landing, right, rtol=1e-3, name="landing", mistakes=mistakes)


def least_theta(answer):
    """Check from which factor on one step of negative curvature is enough.

    Parameters
    ----------
    answer : float

    Raises
    ------
    CheckFailed
        If the answer is another factor.

    Notes
    -----
    Used in the exercises of part 3.
    """
    mistakes = {
        "forward tracking does not stop at the minimizer, it goes on as long as the value is "
        "below that of the saddle": math.sqrt(1 / 3),
        "that is the square of it: the curvature turns at y² = 1/3, the value at y² = 2": 1 / 6,
        "the step must end where the curvature is positive, not beyond the minimizer": (
            math.sqrt(1 / 2)
        ),
    }
    _core.close(answer, 1 / math.sqrt(6), rtol=2e-3, name="least_theta", mistakes=mistakes)


def _lengths(g, d, product):
    """Return the three scalings of the direction -dg."""
    v = d * g
    w = product(v)
    slope, curvature, turn = g @ v, v @ w, w @ (d * w)
    return np.array([slope / curvature, math.sqrt(slope / turn), curvature / turn])


def _forgetful(g, d, product):
    """Return the scalings of a common mistake: MR and GM measured in the plain norm."""
    v = d * g
    w = product(v)
    return np.array([g @ v / (v @ w), math.sqrt(g @ g / (w @ w)), g @ w / (w @ w)])


def _undirected(g, d, product):
    """Return the scalings of a common mistake: those of the plain gradient."""
    w = product(g)
    return np.array([g @ g / (g @ w), math.sqrt(g @ g / (w @ w)), g @ w / (w @ w)])


def _steepened(g, d, product):
    """Return the scalings of a common mistake: the slope is not multiplied by d."""
    v = d * g
    w = product(v)
    slope, curvature, turn = v @ v, v @ w, w @ w
    return np.array([slope / curvature, math.sqrt(slope / turn), curvature / turn])


def _bowls(seed):
    """Return random bowls for the check of the lengths: gradient, weights, Hessian."""
    rng = np.random.default_rng([2026, 4, seed])
    for dimension in (2, 3, 6):
        matrix = rng.normal(size=(dimension, dimension))
        hessian = matrix @ matrix.T + 0.3 * np.eye(dimension)
        yield rng.normal(size=dimension), rng.uniform(0.2, 4, size=dimension), hessian


def weighted_lengths(answer, *, seed=0):
    """Check the scalings of a direction with a weight for each coordinate.

    Parameters
    ----------
    answer : callable
        ``answer(g, d, product)`` returns the scalings CG, GM and MR.
    seed : int
        Chooses the bowls: the visible check uses 0, marks are given for others.

    Raises
    ------
    CheckFailed
        If one of them is wrong.

    Notes
    -----
    Used in the exercises of part 3.
    """
    cases = [(g, d, lambda v, H=H: H @ v) for g, d, H in _bowls(seed)]
    mistakes = {
        "the lengths of gradients are measured without the weights": _forgetful,
        "these are the scalings of -g, but the step goes along -d*g": _undirected,
        "the slope along -d*g is not minus the square of its length": _steepened,
    }
    _core.agrees(answer, _lengths, cases, name="lengths", mistakes=mistakes)


def weighted_lengths_units(answer, *, seed=1):
    """Check that the scalings do not change with a unit for each coordinate, and their cost.

    Parameters
    ----------
    answer : callable
        See `weighted_lengths`.
    seed : int
        Chooses the bowls and the units.

    Raises
    ------
    CheckFailed
        If the scalings change, differ from the plain ones without weights, or more than one
        product is taken.

    Notes
    -----
    Used in the exercises of part 3.
    """
    rng = np.random.default_rng([2026, 5, seed])
    for g, d, H in _bowls(seed):
        b = 10 ** rng.uniform(-1.5, 1.5, size=len(g))
        here, there = (
            _core.array(
                _core.call(answer, gradient, weights, lambda v, m=m: m @ v, name="lengths"),
                (3,),
                "lengths(...)",
            )
            for gradient, weights, m in ((g, d, H), (b * g, d / b**2, b[:, None] * H * b))
        )
        if not np.allclose(here, there, rtol=1e-7):
            raise _core.CheckFailed(
                "lengths change when every coordinate gets a unit of its own and d follows: "
                f"{_core.shown(here)} becomes {_core.shown(there)}"
            )
        asked = []

        def product(v, H=H, asked=asked):
            asked.append(1)
            return H @ v

        plain = _core.call(answer, g, np.ones(len(g)), product, name="lengths")
        found = optimizers.scalings(g, H @ g)
        right = [found.cg, found.gm, found.mr]
        _core.close(plain, right, name="without weights (all ones) lengths(...)")
        if len(asked) > 1:
            raise _core.CheckFailed(f"lengths takes {len(asked)} products; one is enough")


def _race(rule, curvatures, slopes, cap, name=None):
    """Return the steps that each run needs, at most `cap`, and check the rule's lengths."""
    g = slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
    steps = np.full(len(g), cap)
    for k in range(cap):
        w = curvatures * g
        gg, gh, hh = (g * g).sum(axis=1), (g * w).sum(axis=1), (w * w).sum(axis=1)
        cg, mr = gg / gh, gh / hh
        if name is None:
            s = rule(k, cg, mr)
        else:
            s = _core.call(rule, k, cg.copy(), mr.copy(), name=name)
            s = _core.array(s, cg.shape, f"{name}({k}, cg, mr)")
            if (s > cg * (1 + 1e-9)).any():
                raise _core.CheckFailed(
                    f"{name} returns a length above cg in step {k}: it loses second-order descent"
                )
            if (s < mr * (1 - 1e-9)).any():
                raise _core.CheckFailed(
                    f"{name} returns a length below mr in step {k}, out of the interval"
                )
        running = steps == cap
        g = np.where(running[:, None], g - s[:, None] * w, g)
        arrived = running & (np.linalg.norm(g, axis=1) <= 1e-6)
        steps[arrived] = k + 1
        if (steps < cap).all():
            break
    return steps


def _alternating(k, cg, mr):
    """Return MR in even steps and CG in odd ones."""
    return cg if k % 2 else mr


def _practice(seed, kappa, dimension, runs=40):
    """Return the curvatures of a bowl and the gradients at random starts."""
    rng = np.random.default_rng([2026, 6, seed])
    return np.geomspace(1, kappa, dimension), rng.normal(size=(runs, dimension))


def own_rule(answer, *, seed=0):
    """Check that a rule stays between MR and CG and breaks the zigzag.

    Parameters
    ----------
    answer : callable
        ``answer(k, cg, mr)`` returns the lengths of step k for many runs.
    seed : int
        Chooses the starts.

    Raises
    ------
    CheckFailed
        If a length is outside, or the runs need more than a third of the steps of CG.

    Notes
    -----
    Used in the exercises of part 3.
    """
    given = _practice(seed, 100, 30)
    plain = _race(lambda k, cg, mr: cg, *given, cap=5000).sum()
    cap = 300
    found = _race(answer, *given, cap=cap, name="rule").sum()
    if found > plain / 3:
        raise _core.CheckFailed(
            f"with rule the runs take {found / len(given[1]):.0f} steps on average (we stop at "
            f"{cap}), CG takes {plain / len(given[1]):.0f}: the zigzag is not broken; wanted is at "
            "most a third of CG's number"
        )


def own_rule_race(answer, *, seed=1):
    """Check that a rule beats alternation on a bowl that is new to it.

    Parameters
    ----------
    answer : callable
        See `own_rule`.
    seed : int
        Chooses the starts.

    Raises
    ------
    CheckFailed
        If a length is outside, or the runs do not save 5 percent of the steps of alternation.

    Notes
    -----
    Used in the exercises of part 3.
    """
    given = _practice(seed, 400, 50)
    mark = _race(_alternating, *given, cap=2000)
    found = _race(answer, *given, cap=int(mark.max()), name="rule")
    if found.sum() > 0.95 * mark.sum():
        raise _core.CheckFailed(
            f"on a new bowl with condition number 400 rule takes {found.mean():.0f} steps on "
            f"average (we stop at {mark.max()}), MR and CG in turn {mark.mean():.0f}: save 5 "
            "percent"
        )
