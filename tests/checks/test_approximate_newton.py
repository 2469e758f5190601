"""The exercises of part 4: right answers pass, common wrong ones are told apart, ids are fair."""

import math

import numpy as np
import pytest
import scipy.linalg

from lib import checks, curvature, problems
from lib.checks import approximate_newton as part

IDS = ("ada", "bob", "emmy-noether", "x7", "grace.hopper@example.org")
MANY = [f"student{k}" for k in range(300)]
GARBAGE = (None, ..., "seven", float("nan"), float("inf"), [1.0, 2.0], True, {}, 1j, np.sin)


def fails(match):
    return pytest.raises(checks.CheckFailed, match=match)


# 1: a network that bends down


def bent(student_id):
    counts, outputs, target, direction = part.law(student_id)
    f = counts / counts.sum()
    residual, v = f @ outputs - target, direction - f @ direction
    first, second = f @ ((outputs - f @ outputs) * v), f @ ((outputs - f @ outputs) * v**2)
    return residual, first, second, direction @ direction


@pytest.mark.parametrize("student_id", IDS)
def test_law(student_id):
    counts, outputs, target, direction = part.law(student_id)
    problem = problems.two_layer_regression(
        np.eye(3), outputs[None].astype(float), [float(target)], 0.0, "identity"
    )
    x = np.log(counts)
    slope, bend = problem.gradient(x) @ direction, direction @ problem.hessian(x) @ direction
    weight = -bend / (direction @ direction)
    part.slope(slope, student_id=student_id)
    part.bend(bend, weight, student_id=student_id)
    lifted = problems.two_layer_regression(
        np.eye(3), outputs[None].astype(float), [float(target)], math.sqrt(weight), "identity"
    )
    assert abs(direction @ lifted.hessian(x) @ direction) < 1e-12


def test_five_digits_are_enough():
    residual, first, second, length = bent("bob")
    right = first**2 + residual * second
    rounded = [float(f"{v:.5g}") for v in (residual * first, right, -right / length)]
    part.slope(rounded[0], student_id="bob")
    part.bend(*rounded[1:], student_id="bob")
    gamma, target = part.kinked("bob")
    jump = -target * gamma / (1 + gamma)
    border = -jump / math.log(gamma)
    rounded = [float(f"{v:.5g}") for v in (math.log(gamma), jump, border, border / 2)]
    part.kink(*rounded[:2], student_id="bob")
    part.kink_border(*rounded[2:], student_id="bob")


def test_law_mistakes():
    residual, first, second, length = bent("ada")
    right = first**2 + residual * second
    with fails("residual times as much"):
        part.slope(first, student_id="ada")
    with fails("other way round"):
        part.slope(-residual * first, student_id="ada")
    with fails("outputs move as well"):
        part.bend(residual * second, 1.0, student_id="ada")
    with fails("how softmax bends"):
        part.bend(first**2, 1.0, student_id="ada")
    with fails("with the residual"):
        part.bend(first**2 + second, 1.0, student_id="ada")
    with fails("squared length"):
        part.bend(right, -right, student_id="ada")
    with fails("check the sign"):
        part.bend(right, right / length, student_id="ada")
    with fails("asked is its square"):
        part.bend(right, math.sqrt(-right / length), student_id="ada")
    with fails("other way round"):
        part.bend(first**2 - residual * second, 1.0, student_id="ada")


def test_law_mistakes_with_means():
    for student_id in MANY[:50]:
        counts, outputs, target, direction = part.law(student_id)
        residual, first, second, length = bent(student_id)
        right = first**2 + residual * second
        with fails("no mean off"):
            part.bend(right, -right / (3 * np.var(direction)), student_id=student_id)
        equal = residual * np.cov(outputs, direction, bias=True)[0, 1]
        if not np.isclose(equal, residual * first, rtol=1e-3):
            with fails("slope is"):
                part.slope(equal, student_id=student_id)
    f = np.exp(counts) / np.exp(counts).sum()
    a, v = outputs - f @ outputs, direction - f @ direction
    with fails("logarithms of the counts"):
        part.slope((f @ outputs - target) * (f @ (a * v)), student_id=student_id)
    with fails("unit vector"):
        part.slope(residual * first / math.sqrt(length), student_id=student_id)


def test_law_fair():
    for student_id in MANY:
        residual, first, second, length = bent(student_id)
        bend = first**2 + residual * second
        assert bend < -0.3 and abs(residual * first) > 0.2 and abs(residual * second) > 0.2
        assert abs(abs(residual) - 1) > 0.1 and length >= 2
        part.slope(residual * first, student_id=student_id)
        part.bend(bend, -bend / length, student_id=student_id)
        for wrong in (first, -residual * first):
            with fails("slope"):
                part.slope(wrong, student_id=student_id)
    assert len({tuple(map(tuple, map(np.atleast_1d, part.law(i)))) for i in MANY}) > 150


# 2: the least multiple


def multiple(times, rows, weights):
    if np.linalg.matrix_rank(rows) < rows.shape[1]:
        raise ValueError("dependent")
    data = rows.T @ np.column_stack([times(column) for column in rows.T])
    root = np.linalg.cholesky(rows.T @ (weights[:, None] ** 2 * rows))
    inner = np.linalg.solve(root, np.linalg.solve(root, data).T)
    return -np.linalg.eigvalsh((inner + inner.T) / 2)[0]


def data_of(times, rows):
    return rows.T @ np.column_stack([times(column) for column in rows.T])


def test_multiple():
    for seed in range(5):
        part.critical_multiple(multiple, seed=seed)
    part.critical_multiple_edges(multiple)


def test_multiple_agrees_with_the_library():
    arrays = problems.two_layer_data(30, 3, 5, norms=(4, 4, 6), seed=1)
    problem = problems.two_layer_regression(*arrays, 0.0, "identity")
    x = np.array([0.3, -0.2, 0.5])
    B = part.softmax_calculus.data_hessian(problem, x)
    found = multiple(lambda v: B @ v, arrays[0], np.ones(30))
    assert found == pytest.approx(part.softmax_calculus.critical_weight(problem, x))


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda t, r, w: multiple(t, r, np.sqrt(w)), "weights in place of their squares"),
        (lambda t, r, w: -multiple(t, r, w), "which sign"),
        (lambda t, r, w: multiple(t, r, np.ones(len(r))), "where are the weights"),
        (lambda t, r, w: -np.linalg.eigvalsh(data_of(t, r))[0], "with the identity"),
        (
            lambda t, r, w: (
                -scipy.linalg.eigh(data_of(t, r), r.T @ (w[:, None] ** 2 * r), eigvals_only=True)[
                    -1
                ]
            ),
            "largest eigenvalue zero",
        ),
        (
            lambda t, r, w: (
                -np.linalg.eigvalsh(
                    np.column_stack([t(e) for e in np.eye(len(r))]) / np.outer(w, w)
                )[0]
            ),
            "no logits",
        ),
        (lambda t, r, w: 1.01 * multiple(t, r, w), "least eigenvalue of the Hessian is"),
        (lambda t, r, w: t(r), "takes one vector"),
    ],
)
def test_multiple_mistakes(answer, match):
    with fails(match):
        part.critical_multiple(answer)


def test_multiple_edges():
    def many(times, rows, weights):
        [times(e) for e in np.eye(len(rows))]
        return multiple(times, rows, weights)

    def careless(times, rows, weights):
        rows = rows[:, : np.linalg.matrix_rank(rows)]
        return multiple(times, rows, weights)

    with fails("63 times for 3 unknowns"):
        part.critical_multiple_edges(many)
    with fails("to spare"):
        part.critical_multiple_edges(lambda t, r, w: max(0.0, multiple(t, r, w)))
    with fails("convexity is to spare"):
        part.critical_multiple_edges(lambda t, r, w: abs(multiple(t, r, w)))
    with fails("must raise ValueError"):
        part.critical_multiple_edges(careless)


def whitened(times, rows, weights):
    if np.linalg.matrix_rank(rows) < rows.shape[1]:
        raise np.linalg.LinAlgError("dependent")
    basis = np.linalg.qr(weights[:, None] * rows)[0] / weights[:, None]
    return np.array([-np.linalg.eigvalsh(basis.T @ np.transpose([times(b) for b in basis.T]))[0]])


def bisected(times, rows, weights):
    if np.linalg.matrix_rank(rows) < rows.shape[1]:
        raise ValueError("dependent")
    data, metric = data_of(times, rows), rows.T @ (weights[:, None] ** 2 * rows)
    low, high = -1e5, 1e5
    for _ in range(100):
        middle = (low + high) / 2
        convex = np.linalg.eigvalsh(data + middle * metric)[0] >= 0
        low, high = (low, middle) if convex else (middle, high)
    return high


@pytest.mark.parametrize("answer", [whitened, bisected])
def test_other_ways_to_the_multiple(answer):
    for seed in range(3):
        part.critical_multiple(answer, seed=seed)
    part.critical_multiple_edges(answer)


# 3: positive everywhere but at one point


def test_kink():
    for student_id in MANY:
        gamma, target = part.kinked(student_id)
        jump = -target * gamma / (1 + gamma)
        border = -jump / math.log(gamma)
        assert gamma > 1.2 and target > 1.2 and gamma != 2
        part.kink(math.log(gamma), jump, student_id=student_id)
        part.kink_border(border, border / 2, student_id=student_id)
        with fails("share p"):
            part.kink(gamma / (1 + gamma), jump, student_id=student_id)
        with fails("x times it"):
            part.kink_border(-jump, border / 2, student_id=student_id)


@pytest.mark.parametrize("student_id", IDS)
def test_kink_against_the_library(student_id):
    gamma, target = part.kinked(student_id)
    place, jump = math.log(gamma), -target * gamma / (1 + gamma)
    x, h = np.linspace(-3, 6, 901), 1e-7
    for factor, minimizers in ((0.5, 2), (0.98, 2), (1.02, 1)):
        square = -factor * jump / place
        problem = problems.two_layer_regression(
            [[1.0], [0.0]], [[1.0, -gamma]], [target], math.sqrt(square), "relu"
        )
        slopes = [problem.gradient([place + t])[0] for t in (h, -h)]
        assert slopes[0] - slopes[1] == pytest.approx(jump, rel=1e-5)
        points = np.sort(np.concatenate([x + 1e-9, [place - h, place + h]]))
        g = np.array([problem.gradient([t])[0] for t in points])
        assert np.sum((g[:-1] < 0) & (g[1:] > 0)) == minimizers
        bends = [problem.hessian([t])[0, 0] for t in points]
        assert min(bends) == pytest.approx(square)


def test_kink_mistakes():
    gamma, target = part.kinked("ada")
    place, p = math.log(gamma), gamma / (1 + gamma)
    border = target * p / place
    with fails("the output there is"):
        part.kink(-place, -target * p, student_id="ada")
    with fails("which sign"):
        part.kink(place, target * p, student_id="ada")
    with fails("belongs to the loss"):
        part.kink(place, p, student_id="ada")
    with fails("only one minimizer"):
        part.kink_border(1.1 * border, border / 2, student_id="ada")
    with fails("there are two minimizers"):
        part.kink_border(0.9 * border, border / 2, student_id="ada")
    with fails("half of it"):
        part.kink_border(border, border, student_id="ada")
    with fails("off it there is none"):
        part.kink_border(border, 0.0, student_id="ada")
    with fails("lower is .*leave out the kink"):
        part.kink_border(border, -target * p, student_id="ada")
    with fails("how large is the residual"):
        part.kink(place, -p, student_id="ada")
    with fails("how fast does the output"):
        part.kink(place, -target, student_id="ada")


# 4: two poor schemes, one good mixture


def rate(rows, probabilities):
    scores = np.sum(np.linalg.svd(rows, full_matrices=False)[0] ** 2, axis=1)
    drawn = scores > 1e-14
    return np.sum(scores[drawn] ** 2 / probabilities[drawn]) / rows.shape[1]


def mixed(student_id):
    rows = part.records(student_id)
    sizes = np.sum(rows**2, axis=1)
    shares = np.linspace(0, 1, 101)
    return shares, [rate(rows, t / 6000 + (1 - t) * sizes / sizes.sum()) for t in shares]


def test_rating():
    for seed in range(5):
        part.rating(rate, seed=seed)


def rate_from_hat(rows, probabilities):
    scores = np.diag(rows @ np.linalg.pinv(rows))
    drawn = probabilities > 0
    return np.sum(scores[drawn] ** 2 / probabilities[drawn]) / rows.shape[1]


def test_rating_otherwise():
    for seed in range(3):
        part.rating(rate_from_hat, seed=seed)


def careless_rate(rows, probabilities):
    scores = np.sum(np.linalg.svd(rows, full_matrices=False)[0] ** 2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sum(scores**2 / probabilities) / rows.shape[1]


def lengths(rows, probabilities):
    sizes = np.sum(rows**2, axis=1)
    return np.sum((rows.shape[1] * sizes / sizes.sum()) ** 2 / probabilities) / rows.shape[1]


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda r, p: r.shape[1] * rate(r, p), "divided by d"),
        (lambda r, p: np.sum(curvature.leverage_scores(r) / p) / r.shape[1], "squared"),
        (lengths, "no leverage scores"),
        (lambda r, p: rate(r, p) - 1, "not right"),
    ],
)
def test_rating_mistakes(answer, match):
    part.rating(careless_rate, seed=0)
    with fails(match):
        part.rating(answer, seed=0)


def test_rating_of_zero_rows():
    with fails("finite"):
        part.rating(careless_rate, seed=1)


def test_share():
    for student_id in IDS:
        shares, ratings = mixed(student_id)
        best = shares[np.argmin(ratings)]
        draws = math.ceil((min(ratings) - 1) / 0.01)
        part.share(best, draws, student_id=student_id)
        for wrong in (0.0, 1.0, best + 0.15):
            with fails("has a smaller one"):
                part.share(wrong, draws, student_id=student_id)
        with fails("its root|leverage draws"):
            part.share(best, math.ceil((min(ratings) - 1) / 0.1), student_id=student_id)
        with fails("mind the 1"):
            part.share(best, math.ceil(min(ratings) / 0.01), student_id=student_id)
        with fails("leverage draws|its root"):
            part.share(best, 400, student_id=student_id)
        with fails("uniform draws alone"):
            part.share(best, math.ceil((ratings[-1] - 1) / 0.01), student_id=student_id)
        with fails("row-norm draws alone"):
            part.share(best, math.ceil((ratings[0] - 1) / 0.01), student_id=student_id)
        with fails("between 0 and 1"):
            part.share(-0.1, draws, student_id=student_id)


def test_share_fair():
    for student_id in MANY:
        rated, some = part._mixtures(student_id)
        best = part._best(rated)
        assert best <= some.min() + 1e-9
        assert some[0] > 1.25 * best and some[-1] > 3 * best
        assert 0.1 < part.SPOTS[10 * int(np.argmin(some))] < 0.5
        assert 800 < (best - 1) / 0.01 < 3000


# 5: a Newton step with a guard


def armijo(new, old, alpha, slope):
    return new <= old + 1e-4 * alpha * slope


def guarded(
    value,
    gradient,
    hessian,
    start,
    tol,
    damp=True,
    shift_first=1e-3,
    always=False,
    most=100,
    passes=armijo,
    rounding=0.0,
):
    x = np.array(start, dtype=float)
    path, g, rng = [x], gradient(x), np.random.default_rng(0)
    while np.linalg.norm(g) > tol and len(path) <= most:
        H, shift = hessian(x), 0.0
        if always:
            shift = 1e-3 * np.linalg.norm(H)
        while shift_first:
            try:
                np.linalg.cholesky(H + shift * np.eye(len(x)))
                break
            except np.linalg.LinAlgError:
                shift = 2 * shift if shift > 0 else shift_first * np.linalg.norm(H)
        s, f, alpha = -np.linalg.solve(H + shift * np.eye(len(x)), g), value(x), 1.0
        s = s * (1 + rounding * rng.normal(size=s.shape))
        while damp and not passes(value(x + alpha * s), f, alpha, g @ s):
            alpha /= 2
        x = x + alpha * s
        g = gradient(x)
        path.append(x)
    return np.array(path)


def test_guard():
    for seed in range(4):
        part.safeguarded(guarded, seed=seed)
        part.safeguarded(lambda *a: guarded(*a, rounding=1e-12).tolist(), seed=seed)
    part.safeguarded_stops(guarded)


@pytest.mark.parametrize(
    ("passes", "first_seed"),
    [
        (lambda new, old, alpha, slope: new < old, 0),
        (lambda new, old, alpha, slope: new <= old + 1e-4 * slope, 1),
        (lambda new, old, alpha, slope: new <= old + 1e-3 * alpha * slope, 1),
        (lambda new, old, alpha, slope: new <= old + 1e-5 * alpha * slope, 0),
        (lambda new, old, alpha, slope: new <= old + 0.1 * alpha * slope, 1),
    ],
)
def test_guard_needs_the_right_test(passes, first_seed):
    with fails("a bowl with straight walls ends at a minimizer, but leaves the recipe at row 1"):
        part.safeguarded(lambda *a: guarded(*a, passes=passes), seed=first_seed)


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda *a: guarded(*a, most=1000), "it should end after 100"),
        (lambda *a: guarded(*a, most=99), "it should end after 100"),
        (lambda *a: guarded(*a, most=101), "has 101 steps"),
        (lambda *a: guarded(*a) / 2, "two thirds of the error"),
    ],
)
def test_guard_stops(answer, match):
    with fails(match):
        part.safeguarded_stops(answer)


def downhill(value, gradient, hessian, start, tol):
    path = [np.array(start, float)]
    for _ in range(300):
        path.append(path[-1] - 0.3 * gradient(path[-1]))
    return np.array(path)


def greedy(value, gradient, hessian, start, tol):
    [gradient(start) for _ in range(30)]
    return guarded(value, gradient, hessian, start, tol)


def in_place(value, gradient, hessian, start, tol):
    start -= gradient(start)
    return np.array([start])


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda *a: guarded(*a, damp=False, shift_first=0), "raises the value|saddle"),
        (lambda *a: guarded(*a, shift_first=1.0), "how large is the first shift"),
        (lambda *a: guarded(*a, always=True), "leaves the recipe"),
        (lambda *a: guarded(*a)[1:], "begin with the start"),
        (lambda *a: guarded(*a)[:-1], "above tol"),
        (lambda *a: guarded(*a)[-1], "must be an array"),
        (lambda *a: guarded(*a[:4], 1e-13), "gradient is short enough"),
        (downhill, "leaves the recipe"),
        (greedy, "you call the gradient"),
        (in_place, "changes an array"),
        (lambda *a: np.vstack([a[3], a[3] + 1e200]), "runs away"),
        (lambda *a: np.zeros((0, 2)), "begin with the start"),
    ],
)
def test_guard_mistakes(answer, match):
    with fails(match):
        part.safeguarded(answer)


def test_unit_step_ends_at_a_saddle():
    with fails("raises the value|saddle"):
        part.safeguarded(lambda *a: guarded(*a, damp=False, shift_first=0), seed=0)
    saddle = np.array([[1.0, 0.4], [0.5, 0.0], [0.0, 0.0]])
    well = problems.double_well()
    with fails("ends at a saddle"):
        part._traveled("the double well", well, saddle)


# 6: a certificate from end to end


def certificate(student_id):
    least, lipschitz, condition, eps, d = part.certified(student_id)
    low, high = 0.0, 0.9
    for _ in range(60):
        tau = (low + high) / 2
        good = curvature.certified_contraction(eps, tau) <= 0.5
        low, high = (tau, high) if good else (low, tau)
    radius = low * least / (lipschitz * math.sqrt(condition))
    return 2 * least / (3 * lipschitz), radius, 27, curvature.required_samples(d, eps, 0.01 / 27)


def test_certificate():
    for student_id in MANY:
        exact, radius, steps, draws = certificate(student_id)
        least, lipschitz, condition, eps, d = part.certified(student_id)
        assert 0.05 < radius * lipschitz * math.sqrt(condition) / least < 0.9
        part.radii(exact, radius, student_id=student_id)
        part.radii(exact, float(f"{radius:.3g}"), student_id=student_id)
        part.certified_draws(steps, draws, student_id=student_id)
        root = math.sqrt(condition)
        for wrong, match in (
            (root * radius, "unequal curvatures"),
            (radius / root, "square root"),
            (1.1 * radius, "no longer certified"),
            (0.9 * radius, "certified still"),
            (-radius, "positive"),
        ):
            with fails(match):
                part.radii(exact, wrong, student_id=student_id)
        product = curvature.required_samples(d, eps, 1 - 0.99 ** (1 / 27))
        assert product < draws
        part.certified_draws(steps, product, student_id=student_id)
        with fails("must succeed"):
            once = curvature.required_samples(d, eps, 0.01)
            part.certified_draws(27, once, student_id=student_id)


def test_certificate_mistakes():
    exact, radius, _, draws = certificate("ada")
    *_, eps, d = part.certified("ada")
    with fails("singular"):
        part.radii(1.5 * exact, radius, student_id="ada")
    with fails("one half is certified"):
        part.radii(0.75 * exact, radius, student_id="ada")
    with fails("still 1.5e-08"):
        part.certified_draws(26, draws, student_id="ada")
    with fails("fewer steps"):
        part.certified_draws(28, draws, student_id="ada")
    with fails("not asked for"):
        part.certified_draws(27, 27 * draws, student_id="ada")
    with fails("on average"):
        part.certified_draws(27, math.ceil((d - 1) / eps**2), student_id="ada")
    with fails("failure of 0.01"):
        part.certified_draws(27, curvature.required_samples(d, eps, 0.99 / 27), student_id="ada")
    with fails("fewer rows than"):
        low = curvature.required_samples(d, eps, 1 - 0.99 ** (1 / 27))
        part.certified_draws(27, low - 2, student_id="ada")
    with fails("more rows than"):
        part.certified_draws(27, 2 * draws, student_id="ada")
    with fails("whatever the condition number"):
        condition = part.certified("ada")[2]
        part.radii(exact / math.sqrt(condition), radius, student_id="ada")
    with fails("not right"):
        part.certified_draws(-(10**9), draws, student_id="ada")


# 7: fresh draws or kept draws


def walk(rows, probabilities, start, samples):
    H, e = rows.T @ rows, np.array(start, dtype=float)
    sizes = [np.sqrt(e @ H @ e)]
    for drawn in samples:
        scaled = rows[drawn] / (len(drawn) * probabilities[drawn])[:, None]
        e = e - np.linalg.solve(scaled.T @ rows[drawn], H @ e)
        sizes.append(np.sqrt(e @ H @ e))
    return np.array(sizes) / sizes[0]


def test_errors():
    for seed in range(4):
        part.errors(walk, seed=seed)


def absolute(rows, probabilities, start, samples):
    H = rows.T @ rows
    return walk(rows, probabilities, start, samples) * np.sqrt(start @ H @ start)


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda *a: walk(*a)[1:], "put the start's 1 first"),
        (part._euclidean, "Euclidean"),
        (part._uniform, "own probability"),
        (lambda *a: walk(*a) ** 2, "take the root"),
        (lambda r, p, s, k: walk(r, p / k.shape[1], s, k), "number of draws"),
        (lambda r, p, s, k: walk(r, p, s, np.tile(k[0], (len(k), 1))), "own row of draws"),
        (absolute, "not right"),
        (lambda *a: [[1.0], [1.0, 2.0]], "array of shape"),
    ],
)
def test_errors_mistakes(answer, match):
    with fails(match):
        part.errors(answer)


def ratios(student_id):
    table, sample = part.kept(student_id)
    p = curvature.sampling_probabilities(table, scheme="leverage")
    scaled = table[sample] / (sample.size * p[sample])[:, None]
    return scipy.linalg.eigh(scaled.T @ table[sample], table.T @ table, eigvals_only=True)


def plain_factor(student_id):
    """Return the factor with the weights of uniform draws."""
    table, sample = part.kept(student_id)
    near = table[sample].T @ table[sample] * len(table) / sample.size
    return np.abs(1 - 1 / scipy.linalg.eigh(near, table.T @ table, eigvals_only=True)).max()


def test_kept():
    for student_id in MANY:
        s = ratios(student_id)
        right = np.abs(1 - 1 / s).max()
        part.kept_factor(right, student_id=student_id)
        assert 0.3 < right < 0.8
        for wrong, match in (
            (np.abs(s - 1).max(), "its inverse"),
            (np.sqrt(np.mean((1 - 1 / s) ** 2)), "average over directions"),
            (math.sqrt(7 / 160), "fresh draws|average over directions"),
            (1 / (1 - np.abs(s - 1).max()) - 1, "kept_factor is"),
            (plain_factor(student_id), "kept_factor is"),
            (-right, "kept_factor is"),
        ):
            with fails(match):
                part.kept_factor(wrong, student_id=student_id)


@pytest.mark.parametrize("student_id", IDS)
def test_kept_runs_tend_to_the_factor(student_id):
    table, sample = part.kept(student_id)
    p = curvature.sampling_probabilities(table, scheme="leverage")
    start = np.random.default_rng(0).normal(size=8)
    run = walk(table, p, start, np.tile(sample, (20, 1)))
    assert run[20] / run[19] == pytest.approx(np.abs(1 - 1 / ratios(student_id)).max(), rel=5e-3)
    draws = np.random.default_rng(1)
    logs = [
        np.log(walk(table, p, start, draws.choice(600, (12, 160), p=p))[-1]) / 12 for _ in range(10)
    ]
    assert np.exp(np.mean(logs)) == pytest.approx(math.sqrt(7 / 160), rel=0.2)
    assert np.mean(logs) < np.log(run[12]) / 12


# All of them: garbage is told to be wrong, ids are asked for


@pytest.mark.parametrize("junk", GARBAGE)
def test_garbage(junk):
    who = {"student_id": "ada"}
    for check in (
        lambda: part.slope(junk, **who),
        lambda: part.bend(junk, junk, **who),
        lambda: part.kink(junk, junk, **who),
        lambda: part.kink_border(junk, junk, **who),
        lambda: part.share(junk, junk, **who),
        lambda: part.radii(junk, junk, **who),
        lambda: part.certified_draws(junk, junk, **who),
        lambda: part.kept_factor(junk, **who),
    ):
        with pytest.raises(checks.CheckFailed):
            check()


@pytest.mark.parametrize("junk", [*GARBAGE[:-1], lambda *a: None, lambda *a: "text", lambda: 1])
def test_garbage_functions(junk):
    functions = part.critical_multiple, part.rating, part.safeguarded, part.errors
    for check in (*functions, part.critical_multiple_edges, part.safeguarded_stops):
        with pytest.raises(checks.CheckFailed):
            check(junk)


@pytest.mark.parametrize("value", [1e300, -1e300, 1e-300, 0.0, -0.0, 10**30])
def test_extreme_numbers(value):
    for check in (part.slope, part.kept_factor):
        with pytest.raises(checks.CheckFailed):
            check(value, student_id="ada")
    for check in (part.bend, part.kink, part.kink_border, part.share, part.radii):
        with pytest.raises(checks.CheckFailed):
            check(value, value, student_id="ada")
    exact = certificate("ada")[0]
    with pytest.raises(checks.CheckFailed):
        part.radii(exact, value, student_id="ada")
    with pytest.raises(checks.CheckFailed):
        part.certified_draws(27, value, student_id="ada")


@pytest.mark.parametrize("name", part.GIVEN)
def test_given(name):
    give = getattr(part, name)
    flat = []
    for student_id in ("ada", " Ada ", "bob"):
        given = give(student_id)
        given = given if isinstance(given, tuple) else (given,)
        flat.append(np.concatenate([np.ravel(numbers) for numbers in given]))
    assert np.array_equal(flat[0], flat[1]) and not np.array_equal(flat[0], flat[2])
    for missing in (None, ...):
        with fails("fill in your id"):
            give(missing)
