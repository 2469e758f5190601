"""Checks of the exercises of part 4, "Approximate Newton"."""

import math
import types

import numpy as np
import scipy.linalg

from lib import curvature, problems
from lib.checks import _core
from lib.problems import softmax_calculus

GIVEN = ("certified", "kept", "kinked", "law", "records")

COUNTS = ((1, 2, 5), (1, 3, 4), (1, 1, 6), (2, 3, 5), (1, 2, 7), (1, 3, 6), (2, 2, 6))
WANTED = 0.1  # the factor per step that exercise 4 asks for
FAILURE = 0.01  # the probability of failure that exercise 6 allows
SPOTS = np.linspace(0, 1, 401)
MOST_STEPS = 100
BOWL = types.SimpleNamespace(
    value=lambda x: float(np.sqrt(1 + np.square(x)).sum()),
    gradient=lambda x: np.asarray(x) / np.sqrt(1 + np.square(x)),
    hessian=lambda x: np.diag((1 + np.square(x)) ** -1.5),
)
# On the bowl these starts tell the test of exercise 5 from others. The full step falls, but too
# little; the full step falls just enough; of the half step, the test itself must be half.
EDGES = (1 - 6e-5, 1 - 3e-4, math.sqrt(3) - 1.6e-4)


def _curvature(counts, outputs, target, direction):
    """Return law, residual, and covariance and third cumulant of the outputs along a direction."""
    f = np.array(counts, float) / np.sum(counts)
    a, v = outputs - f @ outputs, direction - f @ direction
    residual = f @ outputs - target
    covariance, third = f @ (a * v), f @ (a * v**2)
    return f, residual, covariance, third


def law(student_id):
    """Return the small network of exercise 1, one that bends down.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    counts : ndarray of int, shape (3,)
        The law times its denominator; the logits are the logarithms.
    outputs : ndarray of int, shape (3,)
        The only row of the second matrix.
    target : int
        The target of the only output.
    direction : ndarray of int, shape (3,)
        Where the second derivative is negative.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 4.
    """
    rng = _core.individual(student_id, "approximate-newton-law")
    while True:
        counts = rng.permutation(COUNTS[rng.integers(len(COUNTS))])
        outputs = rng.permutation([-2, -1, 0, 1, 2, 3, 4])[:3]
        direction = rng.permutation([[0, 1, 2], [0, 1, 3], [-1, 0, 2], [-1, 1, 2]][rng.integers(4)])
        target = int(rng.integers(-4, 7))
        _, residual, covariance, third = _curvature(counts, outputs, target, direction)
        bend = covariance**2 + residual * third
        parts = np.abs([residual * covariance, covariance, residual * third])
        apart = abs(abs(residual) - 1) > 0.1 and abs(direction @ direction - 1) > 0.5
        if bend < -0.3 and parts.min() > 0.2 and apart:
            return counts, outputs, target, direction


def slope(answer, *, student_id):
    """Check the slope of the data's part along the given direction.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose network it is.

    Raises
    ------
    CheckFailed
        If the answer is not the slope.

    Notes
    -----
    Used in the exercises of part 4.
    """
    counts, outputs, target, direction = law(student_id)
    f, residual, covariance, _ = _curvature(counts, outputs, target, direction)
    q = residual * outputs
    mistakes = {
        "that is how fast the output changes; the loss changes by the residual times as much": (
            covariance
        ),
        "the residual is the output less the target, not the other way round": (
            -residual * covariance
        ),
        "the shares of all rows change together: take the mean of q off first": f @ (q * direction),
        "that forgets that every row counts with its share": q @ direction,
        "that takes all shares for equal": residual * np.cov(outputs, direction, bias=True)[0, 1],
        "the logits are the logarithms of the counts, so the shares are simple fractions": (
            _with_counts_as_logits(counts, outputs, target, direction)
        ),
        "do not make the direction a unit vector": (
            residual * covariance / np.linalg.norm(direction)
        ),
    }
    _core.close(answer, residual * covariance, rtol=1e-4, name="slope", mistakes=mistakes)


def _with_counts_as_logits(counts, outputs, target, direction):
    """Return the slope of a common mistake: the softmax of the counts."""
    _, residual, covariance, _ = _curvature(np.exp(counts), outputs, target, direction)
    return residual * covariance


def bend(answer, weight, *, student_id):
    """Check the second derivative along the given direction, and the weight that makes it zero.

    Parameters
    ----------
    answer : float
        The second derivative of the data's part.
    weight : float
        The least square of the weight with which the loss does not bend down.
    student_id : str
        Whose network it is.

    Raises
    ------
    CheckFailed
        If one of the two is wrong.

    Notes
    -----
    Used in the exercises of part 4.
    """
    counts, outputs, target, direction = law(student_id)
    f, residual, covariance, third = _curvature(counts, outputs, target, direction)
    right = covariance**2 + residual * third
    spread = f @ (direction - f @ direction) ** 2
    mistakes = {
        "that is the part of the third cumulant; the outputs move as well": residual * third,
        "that is the part that forgets how softmax bends": covariance**2,
        "the third cumulant enters with the residual": covariance**2 + third,
        "the residual is the output less the target, not the other way round": (
            covariance**2 - residual * third
        ),
        "the third cumulant has the mean of the direction taken off before it is squared": (
            covariance**2 + residual * (f @ ((outputs - f @ outputs) * direction**2))
        ),
    }
    _core.close(answer, right, rtol=1e-4, name="bend", mistakes=mistakes)
    mistakes = {
        "the regularizer's curvature is the square of the weight times the squared length of the "
        "direction": -right,
        "the regularizer is a plain sum over the rows, without their shares": -right / spread,
        "the regularizer takes no mean off the direction": -right / (3 * np.var(direction)),
        "a weight below zero lifts nothing: check the sign": right / (direction @ direction),
        "that is the weight; asked is its square": math.sqrt(-right / (direction @ direction)),
    }
    right = -right / (direction @ direction)
    _core.close(weight, right, rtol=1e-4, name="weight", mistakes=mistakes)


def _critical_multiple(times, rows, weights):
    """Return the least multiple, as the exercise asks for it."""
    rows, weights = np.asarray(rows, float), np.asarray(weights, float)
    if np.linalg.matrix_rank(rows) < rows.shape[1]:
        raise ValueError("the columns of rows are dependent")
    data = rows.T @ np.column_stack([times(column) for column in rows.T])
    metric = rows.T @ (weights[:, None] ** 2 * rows)
    return -scipy.linalg.eigh((data + data.T) / 2, metric, eigvals_only=True)[0]


def _network(seed, n, d, weight_range=(0.2, 1.5)):
    """Return the matrix B at a random point, the rows and weights of a random network."""
    rng = np.random.default_rng([2041, seed, n, d])
    arrays = problems.two_layer_data(n, d, 5, norms=(4, 4, 6), seed=int(rng.integers(10**6)))
    problem = problems.two_layer_regression(*arrays, 0.0, "identity")
    matrix = softmax_calculus.data_hessian(problem, rng.normal(size=d))
    return matrix, np.array(arrays[0]), rng.uniform(*weight_range, size=n)


def critical_multiple(answer, *, seed=0):
    """Check the least multiple of the weights on random networks, by the eigenvalue it must make 0.

    Parameters
    ----------
    answer : callable
        ``answer(times, rows, weights)`` returns the multiple.
    seed : int
        Chooses the networks: the visible check uses 0, marks are given for others.

    Raises
    ------
    CheckFailed
        If a Hessian is not at the border of positive definiteness.

    Notes
    -----
    Used in the exercises of part 4.
    """
    for d in (2, 4):
        matrix, rows, weights = _network(seed, 20 + 5 * d, d)
        calls = []
        times = _counted(matrix, calls)
        found = _core.call(answer, times, rows, weights, name="critical_multiple")
        found = _core.number(found, "critical_multiple(...)")
        right = _critical_multiple(times, rows, weights)
        data, metric = rows.T @ matrix @ rows, rows.T @ (weights[:, None] ** 2 * rows)
        plain = rows.T @ (weights[:, None] * rows)
        euclid = -np.linalg.eigvalsh(data)[0]
        mistakes = {
            "that has the weights in place of their squares": (
                -scipy.linalg.eigh(data, plain, eigvals_only=True)[0]
            ),
            "that is the least eigenvalue itself: which sign must the multiple have?": -right,
            "that compares the data's curvature with the identity, not with the regularizer": (
                euclid
            ),
            "that compares with the squared length of the logits: where are the weights?": (
                -scipy.linalg.eigh(data, rows.T @ rows, eigvals_only=True)[0]
            ),
            "that protects every vector of n numbers, also those that are no logits": (
                -np.linalg.eigvalsh(matrix / np.outer(weights, weights))[0]
            ),
            "that makes the largest eigenvalue zero, not the least": (
                -scipy.linalg.eigh(data, metric, eigvals_only=True)[-1]
            ),
        }
        for message, wrong in mistakes.items():
            if np.isclose(found, wrong, rtol=1e-6) and not np.isclose(found, right, rtol=1e-4):
                raise _core.CheckFailed(f"critical_multiple returns {found:g}: {message}")
        if not np.isclose(found, right, rtol=1e-6, atol=1e-9):
            least = np.linalg.eigvalsh(data + found * metric)[0]
            raise _core.CheckFailed(
                f"critical_multiple returns {found:g}, but with this multiple the least eigenvalue "
                f"of the Hessian is {least:.3g}, not 0"
            )


def _counted(matrix, calls):
    """Return the function that multiplies one vector, and notes that it was called."""

    def times(v):
        calls.append(1)
        v = np.asarray(v, float)
        if v.shape != (len(matrix),):
            raise ValueError(f"times takes one vector of {len(matrix)} numbers; got {v.shape}")
        return matrix @ v

    return times


def critical_multiple_edges(answer):
    """Check products, a multiple below zero, one unknown, and columns that are dependent.

    Parameters
    ----------
    answer : callable
        See `critical_multiple`.

    Raises
    ------
    CheckFailed
        If one of them is wrong.

    Notes
    -----
    Used in the exercises of part 4.
    """
    matrix, rows, weights = _network(7, 60, 3)
    calls = []
    found = _core.call(answer, _counted(matrix, calls), rows, weights, name="critical_multiple")
    _core.number(found, "critical_multiple(...)")
    if len(calls) > 4:
        raise _core.CheckFailed(
            f"critical_multiple multiplies {len(calls)} times for 3 unknowns and 60 rows; "
            "one product for each unknown is enough"
        )
    half = np.full(60, 0.5)
    convex = matrix @ matrix + 2 * np.eye(60)
    right = _critical_multiple(lambda v: convex @ v, rows, half)
    found = _core.call(answer, lambda v: convex @ v, rows, half, name="critical_multiple")
    _core.close(
        found,
        right,
        name="critical_multiple(...) where the data alone are convex",
        mistakes={
            "a multiple may be negative: it tells how much convexity is to spare": 0.0,
            "here the multiple is negative: it tells how much convexity is to spare": -right,
        },
    )
    column, ones = rows[:, :1], np.ones(60)
    right = -(column[:, 0] @ matrix @ column[:, 0]) / (column[:, 0] @ column[:, 0])
    found = _core.call(answer, lambda v: matrix @ v, column, ones, name="critical_multiple")
    _core.close(found, right, name="critical_multiple(...) with one unknown")
    double = np.column_stack([rows, rows[:, 0] - 2 * rows[:, 1]])
    _core.refuses(answer, lambda v: matrix @ v, double, weights, name="critical_multiple")


def kinked(student_id):
    """Return the numbers of the network with a kink, exercise 3.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    gamma : float
        The second row enters the output with this factor and a minus sign; above 1.
    target : float
        Above 1.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 4.
    """
    rng = _core.individual(student_id, "approximate-newton-kink")
    gamma = rng.choice([1.5, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0])
    return float(gamma), float(rng.choice([1.25, 1.5, 1.75, 2.25, 2.5, 2.75, 3.5]))


def kink(answer, jump, *, student_id):
    """Check where the output vanishes and by how much the slope jumps there.

    Parameters
    ----------
    answer : float
        The place of the kink.
    jump : float
        The slope just right of it less the slope just left of it.
    student_id : str
        Whose network it is.

    Raises
    ------
    CheckFailed
        If one of the two is wrong.

    Notes
    -----
    Used in the exercises of part 4.
    """
    gamma, target = kinked(student_id)
    p = gamma / (1 + gamma)
    place = _core.number(answer, "kink")
    if np.isclose(place, p, rtol=1e-4):
        raise _core.CheckFailed(f"kink is {place:g}: that is the share p at the kink, not x")
    share = 1 / (1 + math.exp(-min(max(place, -700.0), 700.0)))
    output = (1 + gamma) * share - gamma
    if abs(output) > 1e-4:
        raise _core.CheckFailed(f"kink is {place:g}, but the output there is {output:.3g}, not 0")
    mistakes = {
        "the slope belongs to the loss: how large is the residual just right of the kink?": p,
        "which sign has the residual just right of the kink?": target * p,
        "the slope of the output is that of p times a factor": -target * p / (1 + gamma),
        "how fast does the output itself rise at the kink?": -target,
        "how large is the residual just right of the kink?": -p,
    }
    _core.close(jump, -target * p, rtol=1e-4, name="jump", mistakes=mistakes)


def kink_border(answer, least, *, student_id):
    """Check below which weight there are two minimizers, and the curvature off the kink.

    Parameters
    ----------
    answer : float
        The square of the weight.
    least : float
        The largest lower bound of the second derivative off the kink, at half that square.
    student_id : str
        Whose network it is.

    Raises
    ------
    CheckFailed
        If one of the two is wrong.

    Notes
    -----
    Used in the exercises of part 4.
    """
    gamma, target = kinked(student_id)
    place, jump = math.log(gamma), target * gamma / (1 + gamma)
    square = _core.number(answer, "border")
    if np.isclose(square, jump, rtol=1e-4):
        raise _core.CheckFailed(
            f"border is {square:g}: the regularizer's slope at x is not its weight, but x times it"
        )
    if np.isclose(square, math.sqrt(jump / place), rtol=1e-4):
        raise _core.CheckFailed(f"border is {square:g}: asked is the square of the weight")
    slopes = [factor * square * place - jump for factor in (0.999, 1.001)]
    if slopes[0] >= 0:
        raise _core.CheckFailed(
            f"border is {square:g}, but with a slightly smaller weight the slope just right of the "
            "kink is not negative: there is only one minimizer"
        )
    if slopes[1] <= 0:
        raise _core.CheckFailed(
            f"border is {square:g}, but with a slightly larger weight the slope just right of the "
            "kink is still negative: there are two minimizers"
        )
    mistakes = {
        "that would be the bound at the border itself; the weight is half of it": square,
        "the negative curvature sits in the kink, and off it there is none": 0.0,
        "the jump is no second derivative: leave out the kink itself": -jump,
    }
    _core.close(least, jump / place / 2, rtol=1e-3, name="lower", mistakes=mistakes)


def records(student_id):
    """Return the rows of exercise 4: one long column, and one row alone in a short one.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    ndarray, shape (6000, 5)

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 4.
    """
    rng = _core.individual(student_id, "approximate-newton-records")
    rows = rng.standard_normal((6000, 5))
    long, short = rng.permutation(5)[:2]
    rows[rng.integers(6000), short] = rng.uniform(70, 115)
    rows[:, long] *= rng.uniform(8, 15)
    return rows.round(3)


def _rating(rows, probabilities):
    """Return the rating V of a scheme."""
    scores = curvature.leverage_scores(rows)
    probabilities = np.asarray(probabilities, float)
    drawn = rows.any(axis=1)
    return float((scores[drawn] ** 2 / probabilities[drawn]).sum() / rows.shape[1])


def rating(answer, *, seed=0):
    """Check the rating V of random schemes on random rows.

    Parameters
    ----------
    answer : callable
        ``answer(rows, probabilities)`` returns V.
    seed : int
        Chooses the rows: the visible check uses 0, marks are given for others. With a seed other
        than 0 some rows are zero and are never drawn.

    Raises
    ------
    CheckFailed
        If a rating is wrong.

    Notes
    -----
    Used in the exercises of part 4.
    """
    rng = np.random.default_rng([2042, seed])
    cases = []
    for n, d in ((30, 2), (200, 4), (12, 1)):
        rows = rng.standard_normal((n, d)) * rng.uniform(0.2, 5, size=d)
        if seed:
            rows[:3] = 0.0
        cases += [
            (rows, curvature.sampling_probabilities(rows, scheme="leverage")),
            (rows, curvature.sampling_probabilities(rows, scheme="row_norm")),
        ]
        if not seed:
            cases.append((rows, np.full(n, 1 / n)))

    def whole(rows, probabilities):
        return _rating(rows, probabilities) * rows.shape[1]

    def one(rows, probabilities):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.nansum(curvature.leverage_scores(rows) / probabilities) / rows.shape[1]

    def norms(rows, probabilities):
        sizes = (rows**2).sum(axis=1)
        sizes = sizes * rows.shape[1] / sizes.sum()
        drawn = probabilities > 0
        return (sizes[drawn] ** 2 / probabilities[drawn]).sum() / rows.shape[1]

    mistakes = {
        "the sum has still to be divided by d": whole,
        "the scores must be squared": one,
        "squared lengths of rows are no leverage scores": norms,
    }
    _core.agrees(answer, _rating, cases, rtol=1e-7, name="rating", mistakes=mistakes)


def _mixtures(student_id):
    """Return the rating of each share of uniform draws in a mixture with row-norm draws."""
    rows = records(student_id)
    sizes = (rows**2).sum(axis=1)
    scores = curvature.leverage_scores(rows)

    def rated(share):
        p = share / len(rows) + (1 - share) * sizes / sizes.sum()
        return float((scores**2 / p).sum() / rows.shape[1])

    return rated, np.array([rated(share) for share in SPOTS[:: len(SPOTS) // 40]])


def share(answer, draws, *, student_id):
    """Check the best mixture of two schemes, and how many draws it needs.

    Parameters
    ----------
    answer : float
        The share of uniform draws.
    draws : int
        The number of draws for a factor of 0.1 per step.
    student_id : str
        Whose rows they are.

    Raises
    ------
    CheckFailed
        If another share is noticeably better, or the number is off.

    Notes
    -----
    Used in the exercises of part 4.
    """
    rated, some = _mixtures(student_id)
    part = _core.number(answer, "share")
    if not 0 <= part <= 1:
        raise _core.CheckFailed(f"share must lie between 0 and 1; got {part:g}")
    best = _best(rated)
    if rated(part) > 1.005 * best:
        raise _core.CheckFailed(
            f"with share {part:g} the rating V is {rated(part):.2f}, but another share of uniform "
            "draws has a smaller one"
        )
    needed = (best - 1) / WANTED**2
    found = _core.integer(draws, "draws")
    mistakes = {
        "that is for the mean square; the factor is its root": (best - 1) / WANTED,
        "mind the 1 in the formula": best / WANTED**2,
        "that is for leverage draws, not for your mixture": (len(records(student_id)[0]) - 1)
        / WANTED**2,
        "that is for uniform draws alone": (some[-1] - 1) / WANTED**2,
        "that is for row-norm draws alone": (some[0] - 1) / WANTED**2,
    }
    if abs(found - needed) <= 0.006 * needed + 1:
        return
    for message, wrong in mistakes.items():
        if abs(found - wrong) <= 0.006 * wrong + 1:
            raise _core.CheckFailed(f"draws is {found}: {message}")
    raise _core.CheckFailed(f"draws is {found}, which is not right")


def _best(rated):
    """Return the smallest rating of all mixtures; the rating is a convex function of the share."""
    low, high = 0.0, 1.0
    for _ in range(60):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if rated(left) < rated(right):
            high = right
        else:
            low = left
    return rated((low + high) / 2)


def _safeguarded(value, gradient, hessian, start, tol):
    """Return the path of Newton's method with shift and damping."""
    path = [np.array(start, float)]
    g = np.asarray(gradient(path[-1]), float)
    while np.linalg.norm(g) > tol and len(path) <= MOST_STEPS:
        x, f = path[-1], value(path[-1])
        H = np.asarray(hessian(x), float)
        shift, first = 0.0, 1e-3 * np.linalg.norm(H)
        while True:
            try:
                np.linalg.cholesky(H + shift * np.eye(len(x)))
                break
            except np.linalg.LinAlgError:
                shift = 2 * shift if shift else first
        step, length = -np.linalg.solve(H + shift * np.eye(len(x)), g), 1.0
        while value(x + length * step) > f + 1e-4 * length * (g @ step):
            length /= 2
        path.append(x + length * step)
        g = np.asarray(gradient(path[-1]), float)
    return np.array(path)


def _landscapes(seed):
    """Return name, value, gradient, Hessian and start of some losses with traps."""
    rng = np.random.default_rng([2043, seed])
    well = problems.double_well()
    cases = [("the double well", well, [1.0, float(rng.uniform(0.38, 0.41))])]
    cases += [
        ("a bowl with straight walls", BOWL, [x, 0.0]) for x in (EDGES if seed else EDGES[:1])
    ]
    for data_seed, weight, d in ((3, 0.08, 2), (3, 0.02, 2)) if seed else ((3, 0.08, 2),):
        arrays = problems.two_layer_data(20, d, 8, norms=(4, 4, 6), seed=data_seed)
        network = problems.two_layer_regression(*arrays, weights=math.sqrt(weight), beta=5.0)
        start = rng.uniform(-2, 2, size=d) if seed else np.zeros(d)
        cases.append(("a two-layer regression", network, start))
    if seed:
        cases.append(("Rosenbrock's valley", problems.rosenbrock(), [-1.2, 1.0]))
        arrays = problems.two_layer_data(20, 4, 8, norms=(4, 4, 24), seed=5)
        network = problems.two_layer_regression(*arrays, weights=math.sqrt(0.08), beta=5.0)
        cases.append(("a two-layer regression", network, rng.normal(size=4)))
    return [(name, loss, np.array(start, float)) for name, loss, start in cases]


def safeguarded(answer, *, seed=0):
    """Check the safeguarded method: ends, values on the way, path, and calls of the derivatives.

    Parameters
    ----------
    answer : callable
        ``answer(value, gradient, hessian, start, tol)`` returns the path.
    seed : int
        Chooses losses and starts: the visible check uses 0, marks are given for others.

    Raises
    ------
    CheckFailed
        If a path is wrong.

    Notes
    -----
    Used in the exercises of part 4.
    """
    for name, loss, start in _landscapes(seed):
        calls = {"gradient": 0, "hessian": 0}

        def value(x, loss=loss):
            return float(loss.value(x))

        def gradient(x, loss=loss, calls=calls):
            calls["gradient"] += 1
            return loss.gradient(x)

        def hessian(x, loss=loss, calls=calls):
            calls["hessian"] += 1
            return loss.hessian(x)

        found = _core.call(answer, value, gradient, hessian, start, 1e-6, name="safeguarded")
        path = _core.array(found, (None, len(start)), f"the path on {name}")
        if not len(path) or not np.allclose(path[0], start):
            raise _core.CheckFailed(f"the path on {name} must begin with the start")
        _traveled(name, loss, path)
        right = _safeguarded(loss.value, loss.gradient, loss.hessian, start, 1e-6)
        if len(path) != len(right) or not np.allclose(path, right, rtol=1e-5, atol=1e-6):
            same = min(len(path), len(right))
            apart = np.abs(path[:same] - right[:same]).max(axis=1) > 1e-5
            first = int(np.argmax(apart)) if apart.any() else same
            raise _core.CheckFailed(
                f"the path on {name} ends at a minimizer, but leaves the recipe at row {first}: "
                f"{_reason(loss, right, path, first)}"
            )
        if calls["gradient"] > len(path) + 1 or calls["hessian"] > len(path) + 1:
            raise _core.CheckFailed(
                f"on {name} you call the gradient {calls['gradient']} times and the Hessian "
                f"{calls['hessian']} times in {len(path) - 1} steps; once a step is enough"
            )


def _traveled(name, loss, path):
    """Require that values fall along a path, and that it ends at a minimizer."""
    if np.abs(path).max() > 1e6:
        raise _core.CheckFailed(f"on {name} the path runs away, to {_core.shown(path[-1])}")
    values = np.array([loss.value(x) for x in path])
    rises = np.flatnonzero(np.diff(values) > 1e-12 * (1 + np.abs(values[:-1])))
    if rises.size:
        k = int(rises[0])
        raise _core.CheckFailed(
            f"on {name} step {k + 1} raises the value from {values[k]:.6g} to {values[k + 1]:.6g}"
        )
    least, size = np.linalg.eigvalsh(loss.hessian(path[-1]))[0], loss.gradient(path[-1])
    if least < 0 and np.linalg.norm(size) < 1e-3:
        raise _core.CheckFailed(
            f"on {name} the path ends at a saddle: where the Hessian is not positive definite, "
            "its step heads for any zero of the gradient"
        )
    if np.linalg.norm(size) > 1e-6:
        raise _core.CheckFailed(
            f"on {name} the path ends where the gradient has length {np.linalg.norm(size):.2g}, "
            "above tol"
        )


def _reason(loss, right, path, first):
    """Return in words why a path may leave the right one at a row."""
    if first >= len(right):
        return "it goes on although the gradient is short enough"
    if first >= len(path):
        return "it stops although the gradient is too long"
    if first == 0:
        return "the first row is the start itself"
    before = right[first - 1]
    if np.linalg.eigvalsh(loss.hessian(before))[0] <= 0:
        return "there the Hessian is not positive definite; how large is the first shift?"
    full = before - np.linalg.solve(loss.hessian(before), loss.gradient(before))
    if np.allclose(full, right[first]):
        return "there the Hessian is positive definite and the full step passes the test"
    return "there the full step fails the test (mind its last term), and is halved until it passes"


def safeguarded_stops(answer):
    """Check that the safeguarded method ends after 100 steps where Newton's method is slow.

    Parameters
    ----------
    answer : callable
        See `safeguarded`.

    Raises
    ------
    CheckFailed
        If it goes on, or ends too early.

    Notes
    -----
    Used in the exercises of part 4.
    """
    # on a quartic each full step leaves two thirds of x, and passes the test
    found = _core.call(
        answer,
        lambda x: float(np.square(np.square(x)).sum() / 4),
        lambda x: np.asarray(x, float) ** 3,
        lambda x: np.diag(3 * np.square(np.asarray(x, float))),
        np.array([1e15, 1e15]),
        1e-12,
        name="safeguarded",
    )
    path = _core.array(found, (None, 2), "the path on a quartic")
    if len(path) != MOST_STEPS + 1:
        raise _core.CheckFailed(
            "on a quartic, where every step leaves two thirds of the error, your run from far away "
            f"has {len(path) - 1} steps; it should end after {MOST_STEPS}"
        )
    right = 1e15 * (2 / 3) ** np.arange(MOST_STEPS + 1)
    if not np.allclose(path, right[:, None], rtol=1e-6, atol=0):
        raise _core.CheckFailed("on a quartic each step should leave two thirds of the error")


def certified(student_id):
    """Return the numbers of the certificate of exercise 6.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    least : float
        Least eigenvalue of the Hessian at the minimizer.
    lipschitz : float
        Lipschitz constant of the Hessian.
    condition : int
        Condition number of the Hessian at the minimizer.
    eps : float
        Spectral error of the approximate Hessians.
    dimension : int
        Number of unknowns.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 4.
    """
    rng = _core.individual(student_id, "approximate-newton-certificate")
    least, lipschitz = rng.integers(4, 21) / 10, rng.integers(2, 13) / 2
    condition, eps = rng.choice([25, 100, 400, 2500]), rng.choice([0.05, 0.1, 0.15, 0.2, 0.25])
    return float(least), float(lipschitz), int(condition), float(eps), int(rng.integers(8, 61))


def radii(exact, approximate, *, student_id):
    """Check the two certified radii, that of exact Newton and that with approximate Hessians.

    Parameters
    ----------
    exact : float
        For the exact Hessian.
    approximate : float
        For the approximate one, with a factor of one half.
    student_id : str
        Whose numbers they are.

    Raises
    ------
    CheckFailed
        If one of them is not certified, or could be larger.

    Notes
    -----
    Used in the exercises of part 4.
    """
    least, lipschitz, condition, eps, _ = certified(student_id)
    mistakes = {
        "at this distance the Hessian may just be singular": least / lipschitz,
        "that is the distance at which a factor of one half is certified": least / (2 * lipschitz),
        "with the exact Hessian the Euclidean error itself falls, whatever the condition number": (
            2 * least / (3 * lipschitz * math.sqrt(condition))
        ),
    }
    _core.close(
        exact, 2 * least / (3 * lipschitz), rtol=6e-3, name="exact_radius", mistakes=mistakes
    )
    radius = _core.number(approximate, "radius")
    if radius <= 0:
        raise _core.CheckFailed(f"radius must be positive; got {radius:g}")
    reach = radius * lipschitz / least
    if reach < 1 and _on_edge(eps, reach):
        raise _core.CheckFailed(
            f"radius is {radius:g}: that bounds the error in the norm of the Hessian, scaled; the "
            "Euclidean distance must allow for unequal curvatures"
        )
    if reach * condition < 1 and _on_edge(eps, reach * condition):
        raise _core.CheckFailed(
            f"radius is {radius:g}: the condition number enters by its square root"
        )
    reach *= math.sqrt(condition)
    if 0.994 * reach >= 1 or _factor(eps, 0.994 * reach) > 0.5:
        raise _core.CheckFailed(
            f"radius is {radius:g}, but there the factor of one half is no longer certified"
        )
    if 1.006 * reach < 1 and _factor(eps, 1.006 * reach) < 0.5:
        raise _core.CheckFailed(
            f"radius is {radius:g}, but from a slightly larger distance one half is certified still"
        )


def _factor(eps, reach):
    """Return the certified factor."""
    return curvature.certified_contraction(eps, reach)


def _on_edge(eps, reach):
    """Tell whether one half is just certified."""
    return 1.006 * reach < 1 and _factor(eps, 0.994 * reach) <= 0.5 <= _factor(eps, 1.006 * reach)


def certified_draws(steps, draws, *, student_id):
    """Check the number of steps and the number of draws a step of a whole certified run.

    Parameters
    ----------
    steps : int
        Steps to a hundred-millionth of the error, each halving it.
    draws : int
        Leverage draws a step.
    student_id : str
        Whose numbers they are.

    Raises
    ------
    CheckFailed
        If one of the two is wrong.

    Notes
    -----
    Used in the exercises of part 4.
    """
    *_, eps, dimension = certified(student_id)
    count = _core.integer(steps, "steps")
    if not 1 <= count <= 1000:
        raise _core.CheckFailed(f"steps is {count}, which is not right")
    if 0.5**count > 1e-8:
        raise _core.CheckFailed(f"steps is {count}, but then the error is still {0.5**count:.2g}")
    if 0.5 ** (count - 1) <= 1e-8:
        raise _core.CheckFailed(f"steps is {count}, but fewer steps are enough")
    right = curvature.required_samples(dimension, eps, FAILURE / count)
    # the draws of the steps are independent: then all succeed with 0.99 at slightly fewer rows
    product = curvature.required_samples(dimension, eps, 1 - (1 - FAILURE) ** (1 / count))
    found = _core.integer(draws, "draws_per_step")
    mistakes = {
        "every step may fail, and all of them must succeed": (
            curvature.required_samples(dimension, eps, FAILURE)
        ),
        "all rows of all steps together were not asked for": right * count,
        "that is what is enough on average; asked is a guarantee": (
            math.ceil((dimension - 1) / eps**2)
        ),
        "a probability of success of 0.99 is one of failure of 0.01": (
            curvature.required_samples(dimension, eps, (1 - FAILURE) / count)
        ),
    }
    if product - 1 <= found <= right + 1:
        return
    for message, wrong in mistakes.items():
        if abs(found - wrong) <= 1:
            raise _core.CheckFailed(f"draws_per_step is {found}: {message}")
    side = "fewer" if found < right else "more"
    raise _core.CheckFailed(f"draws_per_step is {found}: {side} rows than the bound asks for")


def kept(student_id):
    """Return rows and draws of exercise 7, where one sample is used for all steps.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    table : ndarray, shape (600, 8)
        The rows.
    sample : ndarray of int, shape (160,)
        Numbers of the rows drawn, by leverage scores.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 4.
    """
    rng = _core.individual(student_id, "approximate-newton-kept")
    table = (rng.standard_normal((600, 8)) * rng.uniform(0.3, 3, size=8)).round(3)
    scores = curvature.leverage_scores(table)
    edges = np.cumsum(scores / scores.sum())[:-1]
    while True:
        sample = np.searchsorted(edges, rng.random(160))
        if _tells_apart(table, scores, sample):
            return table, sample


def _tells_apart(table, scores, sample):
    """Tell whether a kept sample has one slow direction and a factor unlike the usual mistakes."""
    s = _ratios(table, scores, sample)
    factors = np.sort(np.abs(1 - 1 / s))
    error, factor = np.abs(s - 1).max(), factors[-1]
    alike = np.abs(1 - 1 / _ratios(table, np.full(len(table), 1.0), sample)).max()
    wrong = np.array([error, error / (1 - error) if error < 1 else np.inf, alike])
    apart = np.abs(wrong / factor - 1).min() > 0.03
    return 0.35 < factor < 0.75 and factors[-2] < 0.85 * factor and apart


def _length(result):
    """Return the length of a result, or -1 if it has none."""
    try:
        return len(result)
    except TypeError:
        return -1


def _ratios(table, scores, sample):
    """Return the eigenvalues of the sampled Hessian relative to the whole one."""
    factors = scores.sum() / (len(sample) * scores[sample])
    near = table[sample].T @ (factors[:, None] * table[sample])
    return scipy.linalg.eigh(near, table.T @ table, eigvals_only=True)


def _errors(rows, probabilities, start, samples):
    """Return the errors of sampled Newton steps on a quadratic, relative to the start."""
    rows, e = np.asarray(rows, float), np.array(start, float)
    H = rows.T @ rows
    sizes = [math.sqrt(e @ H @ e)]
    for drawn in np.asarray(samples, int):
        factors = 1 / (len(drawn) * np.asarray(probabilities)[drawn])
        e = e - np.linalg.solve(rows[drawn].T @ (factors[:, None] * rows[drawn]), H @ e)
        sizes.append(math.sqrt(e @ H @ e))
    return np.array(sizes) / sizes[0]


def _without_steps(rows, probabilities, start, samples):
    """Return the errors of a common mistake: those after the steps only."""
    return _errors(rows, probabilities, start, samples)[1:]


def _euclidean(rows, probabilities, start, samples):
    """Return the errors of a common mistake: Euclidean lengths."""
    rows, e = np.asarray(rows, float), np.array(start, float)
    sizes = [np.linalg.norm(e)]
    for drawn in np.asarray(samples, int):
        factors = 1 / (len(drawn) * np.asarray(probabilities)[drawn])
        e = e - np.linalg.solve(rows[drawn].T @ (factors[:, None] * rows[drawn]), rows.T @ rows @ e)
        sizes.append(np.linalg.norm(e))
    return np.array(sizes) / sizes[0]


def _uniform(rows, probabilities, start, samples):
    """Return the errors of a common mistake: factors of uniform draws."""
    return _errors(rows, np.full(len(rows), 1 / len(rows)), start, samples)


def _without_m(rows, probabilities, start, samples):
    """Return the errors of a common mistake: no division by the number of draws."""
    m = np.shape(samples)[1]
    return _errors(rows, np.asarray(probabilities) / m, start, samples)


def _squares(rows, probabilities, start, samples):
    """Return the errors of a common mistake: no root."""
    return _errors(rows, probabilities, start, samples) ** 2


def _same_draws(rows, probabilities, start, samples):
    """Return the errors of a common mistake: the first draws in every step."""
    samples = np.asarray(samples)
    return _errors(rows, probabilities, start, np.tile(samples[:1], (len(samples), 1)))


def errors(answer, *, seed=0):
    """Check sampled Newton steps with given draws on random quadratics.

    Parameters
    ----------
    answer : callable
        ``answer(rows, probabilities, start, samples)`` returns the relative errors.
    seed : int
        Chooses rows and draws: the visible check uses 0, marks are given for others. With a seed
        other than 0 one run has no step, and one has a start of whole numbers.

    Raises
    ------
    CheckFailed
        If an error is wrong.

    Notes
    -----
    Used in the exercises of part 4.
    """
    rng = np.random.default_rng([2044, seed])
    cases = []
    for n, d, m, steps in ((50, 2, 30, 6), (200, 5, 80, 8), (80, 3, 60, 5)):
        rows = rng.standard_normal((n, d)) * rng.uniform(0.2, 4, size=d)
        rows[0] *= 8
        p = curvature.sampling_probabilities(rows, scheme="leverage")
        cases.append((rows, p, rng.standard_normal(d), rng.choice(n, (steps, m), p=p)))
    if seed:
        rows, p, _, samples = cases[0]
        cases.append((rows, p, np.array([3, -2]), samples))
        cases.append((rows, p, np.array([1.0, 2.0]), samples[:0]))
    mistakes = {
        "those are Euclidean lengths; measure in the norm of the Hessian": _euclidean,
        "every row drawn must be weighed by its own probability": _uniform,
        "the weights must contain the number of draws": _without_m,
        "those are squares of lengths: take the root": _squares,
        "every step has its own row of draws": _same_draws,
    }
    for case in cases:
        result = _core.call(answer, *case, name="errors")
        if isinstance(result, (list, tuple, np.ndarray)) and np.size(case[3], 0) == _length(result):
            raise _core.CheckFailed("errors returns one number per step; put the start's 1 first")
    _core.agrees(answer, _errors, cases, rtol=1e-5, name="errors", mistakes=mistakes)


def kept_factor(answer, *, student_id):
    """Check the factor per step that a run with one and the same sample tends to.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose rows and draws they are.

    Raises
    ------
    CheckFailed
        If the answer is another number.

    Notes
    -----
    Used in the exercises of part 4.
    """
    table, sample = kept(student_id)
    ratios = _ratios(table, curvature.leverage_scores(table), sample)
    wrong = np.abs(ratios - 1).max()
    mistakes = {
        "that is the spectral error of the matrix; the step contains its inverse": wrong,
        "that is the average over directions; which direction is left after many steps?": (
            np.sqrt(np.mean((1 - 1 / ratios) ** 2))
        ),
        "that is the prediction for fresh draws": math.sqrt((table.shape[1] - 1) / len(sample)),
        "that is the bound from the spectral error; what do your draws do?": wrong / (1 - wrong),
        "every row drawn must be weighed by its own probability": (
            np.abs(1 - 1 / _ratios(table, np.full(len(table), 1.0), sample)).max()
        ),
        "the largest absolute value counts; the eigenvalues have both signs": (
            1 - 1 / ratios
        ).max(),
        "a quotient of lengths has no sign": (1 - 1 / ratios).min(),
    }
    right = np.abs(1 - 1 / ratios).max()
    _core.close(answer, right, rtol=5e-3, name="kept_factor", mistakes=mistakes)
