"""Checks of the exercises of part 1, "Minimizers"."""

import numpy as np

from lib.checks import _core

GIVEN = ("quadratic", "saddle", "hessian", "chain", "angle")

N_COUNT = 12  # steps in the question how many lines there are


# ---------------------------------------------------------------- 1: one quadratic


def quadratic(student_id):
    """Return the numbers of a student's own quadratic function of two variables.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    ndarray, shape (3,)
        The curvatures p and q along the axes, and a coupling a that makes the origin a saddle.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 1.
    """
    rng = _core.individual(student_id, "minimizers-quadratic")
    p, q = rng.permutation([rng.integers(10, 21), rng.integers(24, 46)]) / 10
    return np.array([p, q, np.ceil(10 * rng.uniform(1.25, 1.9) * np.sqrt(p * q)) / 10])


def coupling(border, rate, *, student_id):
    """Check when the origin is a strict saddle, and the bound on the learning rate.

    Parameters
    ----------
    border : float
        The coupling beyond which the origin is a strict saddle.
    rate : float
        The learning rate below which the theorem speaks.
    student_id : str
        Whose function it is.

    Raises
    ------
    CheckFailed
        If one of the two is wrong.

    Notes
    -----
    Used in the exercises of part 1.
    """
    p, q, a = quadratic(student_id)
    border = _core.number(border, "border")
    if border <= 0:
        raise _core.CheckFailed(f"border must be positive; got {border:g}")
    below, above = (
        np.linalg.eigvalsh([[p, b], [b, q]])[0] for b in (0.999 * border, 1.001 * border)
    )
    if below <= 0:
        raise _core.CheckFailed(
            f"border is {border:g}, but for a coupling slightly below it the smallest eigenvalue "
            f"of the Hessian is {below:.2g} already: a strict saddle"
        )
    if above >= 0:
        raise _core.CheckFailed(
            f"border is {border:g}, but for a coupling slightly above it the smallest eigenvalue "
            f"of the Hessian is still {above:.2g}: no strict saddle"
        )
    values = np.linalg.eigvalsh([[p, a], [a, q]])
    mistakes = {
        "that is 2/L, where the method stops converging in a valley; the theorem asks for less": 2
        / values[1],
        "that is the inverse of the negative curvature; L bounds the larger eigenvalue too": -1
        / values[0],
        "a diagonal entry is not an eigenvalue: the coupling makes the largest one larger": 1
        / max(p, q),
        "the trace is the sum of the eigenvalues, not the largest": 1 / (p + q),
        "the sum of a row bounds the eigenvalues, but larger learning rates are covered too": 1
        / (max(p, q) + a),
        "the Frobenius norm bounds the eigenvalues, but larger learning rates are covered too": 1
        / np.hypot(*values),
    }
    _core.close(rate, 1 / values[1], rtol=2e-3, name="rate", mistakes=mistakes)


def leads_in(stable, *, student_id):
    """Check a start from which gradient descent converges to the saddle.

    Parameters
    ----------
    stable : array_like, shape (2,)
        The start, not the saddle itself.
    student_id : str
        Whose function it is.

    Raises
    ------
    CheckFailed
        If gradient descent leaves the saddle from there.

    Notes
    -----
    Used in the exercises of part 1.
    """
    p, q, a = quadratic(student_id)
    start = _core.array(stable, (2,), "stable")
    size = np.linalg.norm(start)
    if size == 0:
        raise _core.CheckFailed("stable is the saddle itself; look for another start")
    escape = np.linalg.eigh([[p, a], [a, q]])[1][:, 0]
    share = abs(start @ escape) / size
    if share > 0.999:
        raise _core.CheckFailed(
            "stable lies along the negative curvature: that is the direction of escape, from "
            "which the run moves away fastest"
        )
    if share > 2e-3:
        raise _core.CheckFailed(
            f"stable has a share of {share:.3f} along the direction of escape, and a step makes "
            "that part longer: the run leaves the saddle"
        )


# ---------------------------------------------------------------- 2: lines


def _step(y, rate):
    """Return the height after one step on the double well."""
    return (1 + rate) * y - rate * y**3


def _before(height, rate):
    """Return all heights that one step takes to the given one."""
    roots = np.roots([rate, 0.0, -(1 + rate), height])
    return roots[np.abs(roots.imag) < 1e-9].real


def _lines(rate, n):
    """Return the heights that reach the axis within n steps, in increasing order."""
    found = np.zeros(1)
    for _ in range(n):
        found = np.concatenate([_before(height, rate) for height in found])
    return np.sort(found)


def _clear(rate, n):
    """Tell whether no line is so near to a fold that rounding decides how many come before it."""
    fold = _step(np.sqrt((1 + rate) / (3 * rate)), rate)
    return all(np.abs(np.abs(_lines(rate, k)) - fold).min() > 1e-3 for k in range(n))


def _check_lines(answer, rate, n):
    """Compare the heights for one learning rate and one number of steps."""
    label = f"lines({rate:g}, {n})"
    result = _core.call(answer, rate, n, name="lines")
    found = _core.array(result, (None,), label)
    right = _lines(rate, n)
    gap = np.abs(found[:, None] - right).min(axis=1) if found.size else np.zeros(0)
    if (gap > 1e-6).any():
        height = found[gap.argmax()]
        if gap.max() < 6e-3:
            raise _core.CheckFailed(
                f"{label} holds {height:.9g}, which is near a line, but {gap.max():.1e} beside it: "
                "do not round the heights"
            )
        raise _core.CheckFailed(
            f"{label} holds {height:.6g}, but from there the run is not on the axis after {n} steps"
        )
    if (np.diff(np.sort(found)) < 1e-6).any():
        raise _core.CheckFailed(f"{label} holds a height twice: count each line once")
    missing = np.array([y for y in right if found.size == 0 or np.abs(found - y).min() > 1e-6])
    if missing.size:
        earlier = _lines(rate, n - 1) if n else missing
        if missing.max() < -1e-6:
            text = "heights below the axis are missing: the double well is even in y"
        elif missing.size == 1 and abs(missing[0]) < 1e-6:
            text = "the axis itself is missing: it needs no step at all"
        elif missing.size == earlier.size and np.abs(missing - earlier).max() < 1e-6:
            text = "starts that are on the axis earlier are missing: 'within' n steps counts them"
        else:
            text = (
                f"{found.size} heights, all of them right, but there are more: look for every "
                "height that one step takes to a given one"
            )
        raise _core.CheckFailed(f"{label}: {text}")
    if (np.diff(found) < 0).any():
        raise _core.CheckFailed(f"{label}: sort the heights, the lowest first")


def lines(answer, *, seed=0):
    """Check the lines that reach the axis of the double well, for moderate learning rates.

    Parameters
    ----------
    answer : callable
        ``answer(learning_rate, n)`` returns the heights in increasing order.
    seed : int
        Chooses the learning rates: the visible check uses 0.

    Raises
    ------
    CheckFailed
        If a height is wrong, missing, or there twice.

    Notes
    -----
    Used in the exercises of part 1.
    """
    rng = np.random.default_rng([2026, 1, seed])
    for n in (1, 2, 4):
        _check_lines(answer, round(rng.uniform(0.1, 1.4), 2), n)


def lines_far(answer, *, seed=1):
    """Check the lines for large learning rates, where they multiply, and for no step at all.

    Parameters
    ----------
    answer : callable
        See `lines`.
    seed : int
        Chooses the learning rates.

    Raises
    ------
    CheckFailed
        If a height is wrong, missing, or there twice.

    Notes
    -----
    Used in the exercises of part 1.
    """
    rng = np.random.default_rng([2026, 2, seed])
    _check_lines(answer, 0.5, 0)
    for n in (2, 3, 4):
        rate = round(rng.uniform(1.65, 1.95), 3)
        while not _clear(rate, n):
            rate = round(rng.uniform(1.65, 1.95), 3)
        _check_lines(answer, rate, n)
    _check_lines(answer, 2.0, 4)


def line_count(count):
    """Check the number of lines at learning rate 2.

    Parameters
    ----------
    count : int
        How many lines reach the axis within 12 steps.

    Raises
    ------
    CheckFailed
        If it is another number.

    Notes
    -----
    Used in the exercises of part 1.
    """
    value = _core.integer(count, "count")
    mistakes = {
        "that is how they multiply at small learning rates": 2 * N_COUNT + 1,
        "not every line has only two lines before it": 2**N_COUNT,
        "a step too many": 3 ** (N_COUNT + 1),
        "a step too few": 3 ** (N_COUNT - 1),
        "those that need fewer steps count as well": 3**N_COUNT - 3 ** (N_COUNT - 1),
    }
    _core.close(value, 3**N_COUNT, rtol=1e-9, name="count", mistakes=mistakes)


# ---------------------------------------------------------------- 3: a surface


def saddle(student_id):
    """Return the numbers of a student's own saddle in three dimensions.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    dict
        Positive curvatures "mu" (two), negative curvature "gamma" (its size), "beta" (three) of
        the bending terms, and "learning_rate".

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 1.
    """
    rng = _core.individual(student_id, "minimizers-saddle")
    signs = rng.choice([-1, 1], 3)
    return {
        "mu": np.array([rng.integers(5, 10), rng.integers(14, 21)]) / 10,
        "gamma": int(rng.integers(6, 15)) / 10,
        "beta": signs * rng.integers(3, 10, 3) / 10,
        "learning_rate": int(rng.integers(20, 41)) / 100,
    }


def _bend(given, power=0.0):
    """Return the coefficients of x^2, xy and y^2 in the height of the surface that leads in."""
    rate = given["learning_rate"]
    one, two = 1 - rate * given["mu"]
    shrink = np.array([one**2, one * two, two**2])
    return rate * given["beta"] / (1 + rate * given["gamma"] - shrink + power)


def _flow(given):
    """Return the coefficients for gradient flow."""
    one, two = given["mu"]
    return given["beta"] / (given["gamma"] + np.array([2 * one, one + two, 2 * two]))


def _bend_mistakes(given):
    """Return the coefficients that common mistakes give."""
    rate, gamma, mu = given["learning_rate"], given["gamma"], given["mu"]
    factors = np.array([1 - rate * mu[0], 1 - rate * np.sqrt(mu[0] * mu[1]), 1 - rate * mu[1]])
    return {
        "that is the surface of gradient flow; a step of gradient descent is finite": _flow(given),
        "the right size with the wrong sign: the gradient is subtracted": -_bend(given),
        "the height's own growth is there, but x and y shrink in this step too": given["beta"]
        / gamma,
        "x and y shrink once, but the height is quadratic in them": rate
        * given["beta"]
        / (1 + rate * gamma - factors),
    }


def bend_squares(bend, *, student_id):
    """Check how the surface bends along x and along y.

    Parameters
    ----------
    bend : array_like, shape (3,)
        Coefficients of :math:`x^2`, :math:`xy`, :math:`y^2`; the middle one is not looked at.
    student_id : str
        Whose saddle it is.

    Raises
    ------
    CheckFailed
        If a point on the surface is not taken to a point on the surface.

    Notes
    -----
    Used in the exercises of part 1.
    """
    given = saddle(student_id)
    found = _core.array(bend, (3,), "bend")
    right, outer = _bend(given), [0, 2]
    if np.allclose(found[outer], right[outer], rtol=2e-3):
        return
    for message, wrong in _bend_mistakes(given).items():
        if np.allclose(found[outer], wrong[outer], rtol=2e-3):
            raise _core.CheckFailed(f"bend is {_core.shown(found)}: {message}")
    if np.allclose(found[outer], right[[2, 0]], rtol=2e-3):
        raise _core.CheckFailed("bend has the numbers of x^2 and y^2 the wrong way round")
    rate = given["learning_rate"]
    for i, letter in ((0, "x"), (2, "y")):
        if not np.isclose(found[i], right[i], rtol=2e-3):
            shrunk = (1 - rate * given["mu"][i // 2]) ** 2 * found[i]
            lands = (1 + rate * given["gamma"]) * found[i] - rate * given["beta"][i]
            raise _core.CheckFailed(
                f"bend[{i}] is {found[i]:g}: from a point of this surface with "
                f"{letter} = 0.01 one step leads to the height {1e-4 * lands:.3e}, but the "
                f"surface is at {1e-4 * shrunk:.3e} there"
            )


def bend_product(bend, *, student_id):
    """Check the mixed coefficient of the surface.

    Parameters
    ----------
    bend : array_like, shape (3,)
        See `bend_squares`.
    student_id : str
        Whose saddle it is.

    Raises
    ------
    CheckFailed
        If the middle number is wrong.

    Notes
    -----
    Used in the exercises of part 1.
    """
    given = saddle(student_id)
    found = _core.array(bend, (3,), "bend")[1]
    right = _bend(given)
    mistakes = {message: wrong[1] for message, wrong in _bend_mistakes(given).items()}
    mistakes["half of it belongs to xy and half to yx, but these are one term"] = right[1] / 2
    mistakes["twice too large: xy is one term"] = right[1] * 2
    mistakes["the mean of its neighbors ignores the coefficient of xy in f"] = right[[0, 2]].mean()
    _core.close(found, right[1], rtol=2e-3, name="bend[1]", mistakes=mistakes)


def flow_bend(answer, *, student_id):
    """Check the coefficients in the limit of small learning rates.

    Parameters
    ----------
    answer : array_like, shape (3,)
        The coefficients for gradient flow.
    student_id : str
        Whose saddle it is.

    Raises
    ------
    CheckFailed
        If they are wrong.

    Notes
    -----
    Used in the exercises of part 1.
    """
    given = saddle(student_id)
    mistakes = {
        "that is the surface of gradient descent at your learning rate": _bend(given),
        "with no step at all there is no bend, but the limit is not zero": np.zeros(3),
        "the right size with the wrong sign": -_flow(given),
    }
    _core.close(answer, _flow(given), rtol=2e-3, name="flow_bend", mistakes=mistakes)


# ---------------------------------------------------------------- 4: coordinate descent


def hessian(student_id):
    """Return the Hessian of a student's own saddle, whose largest eigenvalue is off the diagonal.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    ndarray, shape (3, 3)
        Symmetric, with whole numbers, a positive diagonal and a negative eigenvalue. The entry of
        the largest size is not on the diagonal.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 1.
    """
    rng = _core.individual(student_id, "minimizers-hessian")
    while True:
        matrix = np.diag(rng.permutation([1, 2, 3, 4, 5])[:3]).astype(float)
        off = rng.integers(2, 7, 3) * rng.choice([-1, 1], 3)
        if np.abs(off).max() <= matrix.diagonal().max():
            continue
        matrix[[0, 0, 1], [1, 2, 2]] = matrix[[1, 2, 2], [0, 0, 1]] = off
        values = np.linalg.eigvalsh(matrix)
        if values[0] < -0.5 and values[2] > max(1.4 * matrix.diagonal().max(), -values[0]):
            return matrix


def _sweep(matrix, rate):
    """Return the matrix of one sweep of coordinate descent."""
    result = np.eye(len(matrix))
    for i, row in enumerate(matrix):
        result[i] -= rate * row @ result
    return result


def _together(matrix, rate):
    """Return the matrix of a common mistake: all coordinates move at once."""
    return np.eye(len(matrix)) - rate * np.asarray(matrix)


def _reversed(matrix, rate):
    """Return the matrix of a common mistake: the last coordinate first."""
    return _sweep(matrix[::-1, ::-1], rate)[::-1, ::-1]


def sweep(answer, *, seed=0):
    """Check the matrix of one sweep of coordinate descent.

    Parameters
    ----------
    answer : callable
        ``answer(hessian, learning_rate)`` returns the matrix.
    seed : int
        Chooses the Hessians: the visible check uses 0.

    Raises
    ------
    CheckFailed
        If a matrix is wrong or the Hessian is changed.

    Notes
    -----
    Used in the exercises of part 1.
    """
    rng = np.random.default_rng([2026, 4, seed])
    cases = []
    for d in (2, 3, 3) if seed == 0 else (1, 4, 7):
        matrix = rng.normal(size=(d, d))
        cases.append((matrix + matrix.T, round(rng.uniform(0.1, 0.4), 3)))
    mistakes = {
        "here all coordinates move at once, which is gradient descent; coordinate 2 must see "
        "where coordinate 1 is now": _together,
        "the matrices are multiplied the wrong way round: the first step stands on the right": (
            _reversed
        ),
    }
    _core.agrees(answer, _sweep, cases, name="sweep", mistakes=mistakes)


def limit(answer, *, student_id):
    """Check the learning rate below which a sweep can be undone.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose Hessian it is.

    Raises
    ------
    CheckFailed
        If it is another number.

    Notes
    -----
    Used in the exercises of part 1.
    """
    matrix = hessian(student_id)
    largest = np.linalg.eigvalsh(matrix)[-1]
    diagonal = np.sort(np.diag(matrix))
    mistakes = {
        "that is 1/L, where the proof for gradient descent ends; a sweep can do better": 1
        / largest,
        "entries beside the diagonal do not occur in the determinant": 1 / np.abs(matrix).max(),
        "there another factor of the determinant has vanished before": 1 / diagonal[0],
        "there the middle factor vanishes, but another one did before": 1 / diagonal[1],
        "there a single coordinate overshoots to the mirror image; look at the determinant": 2
        / diagonal[2],
    }
    _core.close(answer, 1 / diagonal[2], rtol=2e-3, name="limit", mistakes=mistakes)


# ---------------------------------------------------------------- 5: a chain of saddles


def _time(gammas, waiting, rate, c):
    """Return the time to pass a chain, in real numbers."""
    loss = -np.log1p(-rate * waiting)
    growth = np.log1p(rate * np.asarray(gammas, float))
    return c / loss * np.expm1(np.log1p(loss / growth).sum())


def _time_sum(gammas, waiting, rate, c):
    """Return the time of a common mistake: nothing shrinks while it waits."""
    return sum(c / np.log1p(rate * np.asarray(gammas, float)))


def _time_own(gammas, waiting, rate, c):
    """Return the time of a common mistake: only the wait at the saddle before shrinks."""
    loss, total, last = -np.log1p(-rate * waiting), 0.0, 0.0
    for gamma in gammas:
        last = (c + loss * last) / np.log1p(rate * gamma)
        total += last
    return total


def _time_whole(gammas, waiting, rate, c):
    """Return the time of a common mistake: each escape rounded up to whole steps."""
    loss, total = -np.log1p(-rate * waiting), 0.0
    for gamma in gammas:
        total += np.ceil((c + loss * total) / np.log1p(rate * gamma))
    return total


def _time_linear(gammas, waiting, rate, c):
    """Return the time of a common mistake: the logarithms replaced by first order."""
    total = 0.0
    for gamma in gammas:
        total += (c + rate * waiting * total) / (rate * gamma)
    return total


def _time_last(gammas, waiting, rate, c):
    """Return the time of a common mistake: only the last escape."""
    gammas = np.asarray(gammas, float)
    return _time(gammas, waiting, rate, c) - _time(gammas[:-1], waiting, rate, c)


def chain(student_id):
    """Return the numbers of a student's own chain of five saddles, one curvature kept secret.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    dict
        The four "known" negative curvatures (their sizes), the "waiting" curvature, the
        "learning_rate", "c" and the "total" time.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 1.
    """
    rng = _core.individual(student_id, "minimizers-chain")
    *known, secret = rng.choice(np.arange(6, 21), 5, replace=False) / 10
    waiting, rate = int(rng.integers(6, 13)) / 10, int(rng.integers(4, 9)) / 40
    c = int(rng.integers(3, 7))
    return {
        "known": np.array(known),
        "waiting": waiting,
        "learning_rate": rate,
        "c": c,
        "total": float(_time([*known, secret], waiting, rate, c)),
    }


def passing_time(answer, *, seed=0):
    """Check the time to pass a chain of saddles.

    Parameters
    ----------
    answer : callable
        ``answer(gammas, waiting, learning_rate, c)`` returns the time.
    seed : int
        Chooses the chains: the visible check uses 0.

    Raises
    ------
    CheckFailed
        If a time is wrong.

    Notes
    -----
    Used in the exercises of part 1.
    """
    rng = np.random.default_rng([2026, 5, seed])
    cases = []
    for d in (1, 2, 3, 5):
        waiting, rate = round(rng.uniform(0.5, 1.5), 2), round(rng.uniform(0.05, 0.3), 2)
        cases.append((rng.uniform(0.3, 2, d).round(2), waiting, rate, float(rng.integers(1, 7))))
    mistakes = {
        "here a coordinate does not shrink while it waits": _time_sum,
        "here a coordinate shrinks only while the one before it escapes; it has waited from the "
        "start": _time_own,
        "count in real numbers, without rounding up": _time_whole,
        "that is the limit of small learning rates; the factors have logarithms": _time_linear,
        "that is the last escape alone; the ones before it take time too": _time_last,
    }
    _core.agrees(answer, _time, cases, rtol=1e-6, name="passing_time", mistakes=mistakes)


def passing_time_edges(answer):
    """Check the time for no saddle, for a long chain, and for starts at the exit.

    Parameters
    ----------
    answer : callable
        See `passing_time`.

    Raises
    ------
    CheckFailed
        If a time is wrong.

    Notes
    -----
    Used in the exercises of part 1.
    """
    cases = [
        (np.zeros(0), 1.0, 0.2, 2.0),
        (np.linspace(0.5, 2, 60), 1.0, 0.2, 2.0),
        (np.array([1.0, 0.5]), 1.0, 0.2, 0.0),
        (np.array([2.0, 0.5, 1.0]), 1.0, 0.9, 3.0),
    ]
    _core.agrees(answer, _time, cases, rtol=1e-6, name="passing_time")


def unknown(answer, *, student_id):
    """Check the curvature that was kept secret.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose chain it is.

    Raises
    ------
    CheckFailed
        If the chain with this curvature takes another time.

    Notes
    -----
    Used in the exercises of part 1.
    """
    given = chain(student_id)
    gamma = _core.number(answer, "unknown")
    if gamma <= 0:
        raise _core.CheckFailed(f"unknown is the size of a curvature, positive; got {gamma:g}")
    rate = given["learning_rate"]
    took = _time([*given["known"], gamma], given["waiting"], rate, given["c"])
    if not np.isclose(took, given["total"], rtol=2e-3):
        raise _core.CheckFailed(
            f"unknown is {gamma:g}, but a chain with this fifth curvature takes {took:.1f} steps; "
            f"yours takes {given['total']:.1f}"
        )


# ---------------------------------------------------------------- 6: rounding


def angle(student_id):
    """Return the angle by which a student's own double well is turned.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    float
        In radians, between 0.2 and 1.37, with three decimals.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 1.
    """
    rng = _core.individual(student_id, "minimizers-angle")
    return int(rng.integers(200, 1371)) / 1000


# ---------------------------------------------------------------- 8: a trap


def _trap_cases(seed):
    """Return pairs of a learning rate and an edge."""
    rng = np.random.default_rng([2026, 8, seed])
    first = [(0.8, 3.0)] if seed == 0 else []
    return first + [
        (round(rng.uniform(0.5, 1.2), 2), round(rng.uniform(1, 6), 1)) for _ in range(2)
    ]


def _slopes(answer, y, rate, edge):
    """Return the student's slopes."""
    result = _core.call(answer, y, rate, edge, name="slope")
    return _core.array(result, y.shape, f"slope(y, {rate:g}, {edge:g}) for {y.size} heights y")


def trap(answer, *, seed=0):
    """Check that a slope makes a strict saddle and a region that one step takes to it.

    Parameters
    ----------
    answer : callable
        ``answer(y, learning_rate, edge)`` returns the slopes at an array of heights.
    seed : int
        Chooses learning rates and edges: the visible check uses 0.

    Raises
    ------
    CheckFailed
        If the slope is not odd, the origin is no strict saddle, or a start gets away.

    Notes
    -----
    Used in the exercises of part 1.
    """
    for rate, edge in _trap_cases(seed):
        label = f"slope(y, {rate:g}, {edge:g})"
        y = edge * np.concatenate([[-50, -5], np.linspace(-2, 2, 401), [5, 50]])
        found = _slopes(answer, y, rate, edge)
        wrong = np.abs(found + found[::-1])
        if wrong.max() > 1e-9:
            i = wrong.argmax()
            raise _core.CheckFailed(
                f"{label} is not odd: {found[i]:g} at y = {y[i]:g}, {found[-1 - i]:g} at {-y[i]:g}"
            )
        tiny = 1e-4 * edge
        curvature = _slopes(answer, np.array([-tiny, tiny]), rate, edge)[1] / tiny
        if curvature > -1e-3:
            raise _core.CheckFailed(
                f"{label} has the derivative {curvature:.3f} at y = 0: no strict saddle"
            )
        far = np.abs(y) >= edge * (1 + 1e-9)
        lands = np.abs(y - rate * found)[far]
        if lands.max() > 1e-9:
            i = lands.argmax()
            raise _core.CheckFailed(
                f"{label}: one step takes y = {y[far][i]:g} to a height of size {lands[i]:.3g}, "
                "not to the saddle's"
            )


def trap_smooth(answer, *, seed=1):
    """Check that a slope has a continuous derivative.

    Parameters
    ----------
    answer : callable
        See `trap`.
    seed : int
        Chooses learning rates and edges.

    Raises
    ------
    CheckFailed
        If the derivative jumps, or the slope is no trap.

    Notes
    -----
    Used in the exercises of part 1.
    """
    trap(answer, seed=seed)
    for rate, edge in _trap_cases(seed):
        y = edge * np.linspace(-1.5, 1.5, 30001)
        jumps = np.abs(np.diff(_slopes(answer, y, rate, edge), 2)) / (y[1] - y[0])
        if jumps.max() > 0.05:
            raise _core.CheckFailed(
                f"slope(y, {rate:g}, {edge:g}): the derivative jumps by {jumps.max():.2g} near "
                f"y = {y[jumps.argmax() + 1]:.3f}, so that f is not twice continuously "
                "differentiable"
            )


def trap_only(answer, *, seed=2):
    """Check that no other start falls into the trap.

    Parameters
    ----------
    answer : callable
        See `trap`.
    seed : int
        Chooses learning rates and edges.

    Raises
    ------
    CheckFailed
        If a start inside the edge is taken to the saddle too, or the slope is no trap.

    Notes
    -----
    Used in the exercises of part 1.
    """
    trap(answer, seed=seed)
    for rate, edge in _trap_cases(seed):
        starts = y = edge * np.linspace(0.0101, 0.9897, 500)
        for k in range(1, 61):
            y = y - rate * _slopes(answer, y, rate, edge)
            beyond, there = np.abs(y) >= edge, np.abs(y) < 1e-9 * edge
            caught = beyond | there
            if caught.any():
                where = "beyond the edge, and so to the saddle" if beyond.any() else "to the saddle"
                raise _core.CheckFailed(
                    f"slope(y, {rate:g}, {edge:g}): the run from y = {starts[caught][0]:.3f}, "
                    f"inside the edge, is taken {where} (step {k})"
                )
