"""The checks of the exercises of part 2 pass what is right and name what is wrong."""

import numpy as np
import pytest
from scipy import stats

from lib import checks, optimizers, problems
from lib.checks import generalized_smoothness as part

IDS = ["ada", "bob", "x1", "s.12@uni"]
MANY = [f"student{i}" for i in range(300)]
RUBBISH = [None, ..., "text", np.nan, np.inf, [], {}, [1, [2, 3]], np.ones((2, 3)), object(), True]


def bad(match):
    return pytest.raises(checks.CheckFailed, match=match)


def slowly(function):
    """Return a function of the same name's kind that raises."""

    def raising(*arguments):
        raise ZeroDivisionError("oh")

    return raising


# 1 · a bowl


def right_bound(a, b):
    return lambda t: 3 * np.sqrt(b * b + 4 * a * t) - 2 * b


@pytest.mark.parametrize("who", IDS)
def test_bowl(who):
    a, b, x0 = part.bowl(who)
    part.border(2 / (a * x0**2 + b), student_id=who)
    with bad("just below it explodes"):
        part.border(2 / b, student_id=who)
    with bad("still comes in"):
        part.border(1 / (a * x0**2 + b), student_id=who)
    with bad("the curvature does not occur"):
        part.border(2 / (3 * a * x0**2 + b), student_id=who)
    with bad("explodes"):
        part.border(2 / (a * x0**2), student_id=who)
    with bad("must be positive"):
        part.border(-1.0, student_id=who)
    part.curvature_bound(right_bound(a, b), student_id=who)
    with bad("not the smallest"):
        part.curvature_bound(lambda t: 6 * np.sqrt(a * t) + b, student_id=who)
    with bad("in the place of x"):
        part.curvature_bound(lambda t: 3 * a * t * t + b, student_id=who)
    with bad("missing or counted"):
        part.curvature_bound(lambda t: 3 * np.sqrt(b * b + 4 * a * t) - 3 * b, student_id=who)


def test_every_bowl_is_well_posed():
    for who in MANY:
        a, b, x0 = part.bowl(who)
        part.border(2 / (a * x0**2 + b), student_id=who)
        with bad("border"):
            part.border(2 / (a * x0**2), student_id=who)
        x = np.linspace(0, x0, 50)
        t = a / 4 * x**4 + b / 2 * x**2
        np.testing.assert_allclose(right_bound(a, b)(t), 3 * a * x**2 + b)


# 2 · witnesses and verdicts


def right_witness(who):
    p, q, c = part.valley(who)

    def witness(size):
        u = c * p / np.sqrt(size)
        return u, (c / u**p) ** (1 / q)

    return witness


@pytest.mark.parametrize("who", IDS)
def test_witness(who):
    part.witness(right_witness(who), student_id=who)
    part.witness(right_witness(who), student_id=who, seed=1)
    with bad("more than 1|curvature is only"):
        part.witness(lambda size: (size, 1 / size), student_id=who)
    with bad("curvature is only"):
        _, q, c = part.valley(who)
        part.witness(lambda size: (1.0, c ** (1 / q)), student_id=who, seed=1)
    with bad("more than 1"):
        part.witness(lambda size: (size, size), student_id=who, seed=1)
    with bad("curvature is only"):  # one point for all sizes, where 100 million is not reached
        p, q, c = part.valley(who)
        u = c * p / 9e3
        part.witness(lambda size: (u, (c / u**p) ** (1 / q)), student_id=who, seed=1)
    with bad("too far out"):
        part.witness(lambda size: (1e200, 1e200), student_id=who)


def test_valley_derivatives():
    for who in MANY[:30]:
        p, q, c = part.valley(who)
        u, v, h = 1.3, 0.8, 1e-4

        def f(u, v, p=p, q=q, c=c):
            return (u**p * v**q - c) ** 2 / 2

        uu = (f(u + h, v) - 2 * f(u, v) + f(u - h, v)) / h**2
        vv = (f(u, v + h) - 2 * f(u, v) + f(u, v - h)) / h**2
        uv = f(u + h, v + h) - f(u + h, v - h) - f(u - h, v + h) + f(u - h, v - h)
        matrix = [[uu, uv / (4 * h * h)], [uv / (4 * h * h), vv]]
        value, norm = part._valley_parts(p, q, c, u, v)
        assert value == pytest.approx(f(u, v))
        assert norm == pytest.approx(np.abs(np.linalg.eigvalsh(matrix)).max(), rel=1e-5)


def test_every_valley_is_well_posed():
    for who in MANY:
        p, q, c = part.valley(who)
        assert p != q and c >= 1.5
        part.witness(right_witness(who), student_id=who)
        part.witness(right_witness(who), student_id=who, seed=1)


def test_verdicts():
    counts = set()
    for who in MANY:
        given = part.candidates(who)
        right = [formula in part.BOUNDED for formula in given]
        assert len(set(given)) == 6
        counts.add(sum(right))
        part.verdicts(right, student_id=who)
        part.verdicts(np.array(right), student_id=who)
        part.verdicts([int(verdict) for verdict in right], student_id=who)
        one_off = [not right[0], *right[1:]]
        part.verdicts(one_off, student_id=who, mistakes_allowed=1)
        with bad("1 of your 6 verdicts are wrong"):
            part.verdicts(one_off, student_id=who)
        for lazy in (True, False):
            with bad("verdicts are wrong"):
                part.verdicts([lazy] * 6, student_id=who, mistakes_allowed=1)
    assert counts == {2, 3, 4}
    with bad("must have 6 entries"):
        part.verdicts([True], student_id="ada")
    with bad("must be True or False"):
        part.verdicts(["yes"] * 6, student_id="ada")
    with bad("must be True or False"):
        part.verdicts([2] * 6, student_id="ada")


def hessian(formula, x, y, h=1e-4):
    """Return the Hessian of a formula by differences."""
    for words, code in (
        ("x^2 y^2", "x^2*y^2"),
        ("10 x^2 y", "10*x^2*y"),
        ("30 y", "30*y"),
        ("x^2 (", "x^2*("),
        ("exp(-x) (", "exp(-x)*("),
        ("x^2 exp", "x^2*exp"),
    ):
        formula = formula.replace(words, code)
    names = {name: getattr(np, name) for name in ("exp", "log", "sin", "cos")}
    code = compile(formula.replace("^", "**"), "formula", "eval")

    def f(x, y):
        return eval(code, {**names, "x": x, "y": y})

    xx = (f(x + h, y) - 2 * f(x, y) + f(x - h, y)) / h**2
    yy = (f(x, y + h) - 2 * f(x, y) + f(x, y - h)) / h**2
    xy = f(x + h, y + h) - f(x + h, y - h) - f(x - h, y + h) + f(x - h, y - h)
    xy = xy / (4 * h * h)
    return f(x, y), np.array([[xx, xy], [xy, yy]])


def test_truth_of_the_verdicts():
    """At values up to 1 the curvature is bounded for six formulas and not for the others."""
    far = {
        "sin(x^2)": (np.sqrt(np.pi * (2 * 100 + 1.5)), 0.0),
        "x^2 y^2": (0.0, 30.0),
        "x^2 (1 + y^4)": (0.0, 10.0),
        "(y - x^3)^2": (4.0, 64.0),
        "log(1 + x^2 y^2)": (0.0, 30.0),
        "x^2 exp(y)": (0.0, 7.0),
    }
    assert set(far) == set(part.UNBOUNDED)
    for formula, (x, y) in far.items():
        value, matrix = hessian(formula, x, y)
        assert value <= 1 and np.abs(np.linalg.eigvalsh(matrix)).max() > 1000, formula
    rng = np.random.default_rng(0)
    for formula in part.BOUNDED:
        for x, y in rng.normal(size=(500, 2)) * np.exp(2 * rng.normal(size=(500, 1))):
            if max(abs(x), abs(y)) < 20:
                value, matrix = hessian(formula, x, y, 1e-3)
                if value <= 1:
                    assert np.abs(np.linalg.eigvalsh(matrix)).max() < 100, formula


# 3 · low enough


def heights(who):
    A, B, t, slope = part.bound(who)
    s = np.roots([4 / 3 * B, 2 * A, 0, -(slope**2)])  # in the root of the height
    s = s[(abs(s.imag) < 1e-12) & (s.real > 0)].real
    assert s.size == 1
    return A, B, t, slope, s[0] ** 2


@pytest.mark.parametrize("who", IDS)
def test_slope(who):
    A, B, t, slope, low = heights(who)
    right = np.sqrt(2 * A * t + 4 / 3 * B * t**1.5)
    part.slope_bound(right, student_id=who)
    part.slope_bound(float(f"{right:.4g}"), student_id=who)
    for wrong, match in (
        (np.sqrt(2 * t * (A + B * t**0.5)), "product form"),
        (2 * A * t + 4 / 3 * B * t**1.5, "square"),
        (np.sqrt(A * t + 2 / 3 * B * t**1.5), "factor is missing"),
        (A + B * t**0.5, "curvature bound itself"),
        (1.0, "not right"),
    ):
        with bad(match):
            part.slope_bound(wrong, student_id=who)
    part.low_enough(low, student_id=who)
    with bad("grows with the height is missing"):
        part.low_enough(slope**2 / (2 * A), student_id=who)
    square = optimize_product(A, B, slope**2)
    with bad("product form"):
        part.low_enough(square, student_id=who)


def optimize_product(A, B, target):
    low, high = 0.0, 100.0
    for _ in range(80):
        middle = (low + high) / 2
        too_high = 2 * middle * (A + B * middle**0.5) > target
        low, high = (low, middle) if too_high else (middle, high)
    return low


def test_every_bound_is_well_posed():
    for who in MANY:
        A, B, t, slope, low = heights(who)
        part.low_enough(low, student_id=who)
        right = np.sqrt(2 * A * t + 4 / 3 * B * t**1.5)
        part.slope_bound(right, student_id=who)
        for wrong in (np.sqrt(2 * t * (A + B * t**0.5)), A + B * t**0.5, right**2):
            assert abs(wrong / right - 1) > 1e-3
        for wrong in (slope**2 / (2 * A), optimize_product(A, B, slope**2)):
            assert abs(wrong / low - 1) > 0.02


# 4 · the line search


def search_steps(
    value,
    gradient,
    start,
    first_step,
    n_steps,
    *,
    grow=2,
    half=0.5,
    reset=False,
    again=False,
    slopes=1,
    copy=True,
):
    x = np.array(start, float) if copy else start
    f, trial, path, steps = value(x), first_step, [x], []
    for _ in range(n_steps):
        if again:
            f = value(x)
        for _ in range(slopes):
            g = gradient(x)
        while not (new := value(x - trial * g)) <= f - half * trial * (g @ g):
            trial /= 2
        if copy:
            x = x - trial * g
        else:
            x -= trial * g
        f = new
        path.append(x)
        steps.append(trial)
        trial = first_step if reset else grow * trial
    return np.array(path), np.array(steps)


def variant(**options):
    return lambda *arguments: search_steps(*arguments, **options)


def test_backtrack():
    for seed in range(6):
        part.backtrack(search_steps, seed=seed)
        part.backtrack_cost(search_steps, seed=seed)
    for options, match in (
        ({"grow": 1}, "never grow"),
        ({"reset": True}, "never grow|only the first search begins"),
        ({"half": 0.0}, "does not pass the test"),
        ({"half": 0.9}, "a larger trial, tried before it, passes"),
        ({"grow": 3}, "trials get smaller|halved, nothing else"),
        ({"copy": False}, "changes an array|the path"),
    ):
        for seed in (0, 1):
            with bad(match):
                part.backtrack(variant(**options), seed=seed)
    with bad("two things"):
        part.backtrack(lambda *arguments: search_steps(*arguments)[0])
    with bad("shape"):
        part.backtrack(lambda *arguments: (search_steps(*arguments)[0][1:], [1.0] * 8))
    with bad("the path"):
        part.backtrack(lambda *a: (search_steps(*a)[0] + 1e-3, search_steps(*a)[1]))
    with bad("values where"):
        part.backtrack_cost(variant(again=True))
    with bad("one a step is enough"):
        part.backtrack_cost(variant(slopes=2))
    with bad("backtrack"):
        part.backtrack_cost(variant(copy=False))
    with bad("must be empty"):
        part.backtrack_cost(lambda *a: search_steps(*a) if a[-1] else (search_steps(*a)[0], [1.0]))


def test_line_search_is_the_librarys_and_decided_clearly():
    problem = problems.exponential_growth()
    run = optimizers.backtracking_gradient_descent(
        problem, [6.0], first_step=2.0, growth=2.0, max_iter=6, tol=0
    )
    path, steps = part._backtrack(problem.value, problem.gradient, [6.0], 2.0, 6)
    np.testing.assert_allclose(run.path, path)
    np.testing.assert_allclose(run.trace["step_size"][1:], steps)
    for seed in range(6):
        rng = np.random.default_rng([2029, seed])
        for kind, first, n in (("quartic", 1.0, 8), ("valley", 1e-3, 14), ("growth", 3.0, 6)):
            value, gradient, start = part._landscape(kind, rng)
            path, steps = part._backtrack(value, gradient, start, first, n)
            for x, trial in zip(path, steps, strict=False):
                g = gradient(x)
                for t in (trial, 2 * trial):
                    room = value(x) - t / 2 * (g @ g) - value(x - t * g)
                    assert abs(room) > 1e-7 * value(x)


# 5 · the figure's numbers


def test_figure_of_the_line_search():
    problem, short, largest = problems.phase_retrieval(5), [], []
    for who in MANY:
        start = part.far_start(who)
        assert 8 < np.linalg.norm(start) < 15
        path, steps = part._backtrack(problem.value, problem.gradient, start, 1e-6, 30)
        half = np.array([0.5 / problem.rho1(problem.value(w)) for w in path[:-1]])
        assert (steps >= np.minimum(np.append(1e-6, 2 * steps[:-1]), half)).all()
        assert problem.value(path[-1]) > 1e-14
        early = steps < half
        assert early[: early.sum()].all()
        short.append(early.sum())
        largest.append((steps / half).max())
    assert np.mean([9 <= n <= 11 for n in short]) > 0.97
    assert np.mean([5 < n < 70 for n in largest]) > 0.9


# 7 · noise on a sphere


def right_stuck(who):
    alpha, gamma, r, R, _ = part.noise(who)
    return lambda k: min(1.0, R / r * (1 + alpha * gamma) ** -k)


@pytest.mark.parametrize("who", IDS)
def test_stuck(who):
    alpha, gamma, r, R, p = part.noise(who)
    q, right = 1 + alpha * gamma, right_stuck(who)
    part.stuck(right, student_id=who)

    def ball(k):
        s = right(k)
        assert (3 * s - s**3) / 2 == pytest.approx(stats.beta.cdf(s * s, 0.5, 2))
        return (3 * s - s**3) / 2

    for wrong, match in (
        (lambda k: R / r * q**-k, "no chance is above 1"),
        (ball, "the ball's inside"),
        (lambda k: 2 / np.pi * np.arcsin(right(k)), "three dimensions"),
        (lambda k: min(1.0, R / r * q**-k / 2), "two sides"),
        (lambda k: right(k - 1), "one step earlier"),
        (lambda k: right(k + 1), "one step later"),
        (lambda k: 1 - right(k), "of having left"),
        (lambda k: 0.5, "not right"),
    ):
        with bad(match):
            part.stuck(wrong, student_id=who)


def test_sphere_by_simulation():
    push = np.random.default_rng(0).normal(size=(100_000, 3))
    height = push[:, 2] / np.linalg.norm(push, axis=1)
    for s in (0.1, 0.5, 0.9):
        assert np.mean(np.abs(height) < s) == pytest.approx(s, abs=0.01)


def test_every_patience_is_well_posed():
    for who in MANY:
        alpha, gamma, r, R, p = part.noise(who)
        exact = np.log(R / (r * p)) / np.log(1 + alpha * gamma)
        assert 1e-6 < exact % 1 < 1 - 1e-6
        k = int(np.ceil(exact))
        assert 20 < k < 1000
        part.stuck(right_stuck(who), student_id=who)
        part.patience(k, student_id=who)
        with bad("still above"):
            part.patience(k - 1, student_id=who)
        with bad("fewer steps are enough"):
            part.patience(k + 1, student_id=who)
        ball = int(np.ceil(exact + np.log(1.5) / np.log(1 + alpha * gamma)))
        with bad("fewer steps are enough"):
            part.patience(ball, student_id=who)


# 8 · the search


def good_search(value, gradient, start, pushes=True, at_least=20):
    rng = np.random.default_rng(0)

    def settle(x, at_least):
        f, trial, k = value(x), 0.5, 0
        while True:
            g = gradient(x)
            if np.linalg.norm(g) <= (0.005 if k >= at_least else 1e-6):
                return x, f
            trial = min(2 * trial, 1.0)
            while not (new := value(x - trial * g)) <= f - trial / 2 * (g @ g):
                trial /= 2
            x, f, k = x - trial * g, new, k + 1

    x, f = settle(np.array(start, dtype=float), 0)
    while pushes:
        push = rng.normal(size=x.size)
        y, f_new = settle(x + 0.01 * push / np.linalg.norm(push), at_least)
        if f_new > f - 1e-3:
            return x
        x, f = y, f_new
    return x


def spendthrift(value, gradient, start):
    for _ in range(150):
        value(start)
    return good_search(value, gradient, start)


def fixed(value, gradient, start):
    x = np.array(start, float)
    for _ in range(200):
        x = x - 1e-4 * gradient(x)
    return x


def pushed_once(value, gradient, start):
    push = np.random.default_rng(0).normal(size=start.size)
    return good_search(value, gradient, start + 0.01 * push, pushes=False)


def test_search():
    for seed in range(8):
        part.search(good_search, seed=seed, calls=180)
    for seed in (0, 1):
        with bad("a saddle or a top"):
            part.search(lambda *a: good_search(*a, pushes=False), seed=seed)
        with bad("240 are allowed"):
            part.search(spendthrift, seed=seed)
        with bad("more than 300 calls"):
            part.search(lambda value, _, start: [value(start) for _ in range(400)], seed=seed)
    with bad("on the way into a saddle.*a saddle or a top"):
        part.search(pushed_once, seed=1)
    with bad("the gradient at your point"):
        part.search(fixed)
    with bad("one point at a time"):
        part.search(lambda value, gradient, start: value(np.ones((5, 6))))
    with bad("the point found"):
        part.search(lambda value, gradient, start: 1.0)


def test_searches_are_what_the_exercise_says():
    for seed in range(6):
        for task in part._searches(seed):
            n, h = len(task.start), 1e-6
            x = task.start / 4 + 0.3
            slope = [(task.value(x + h * e) - task.value(x - h * e)) / (2 * h) for e in np.eye(n)]
            np.testing.assert_allclose(task.slope(x), slope, rtol=1e-5, atol=1e-5)
            rows = [(task.slope(x + h * e) - task.slope(x - h * e)) / (2 * h) for e in np.eye(n)]
            np.testing.assert_allclose(task.hessian(x), rows, rtol=1e-5, atol=1e-5)
            if np.linalg.norm(task.slope(task.start)) < 1e-9:
                assert np.linalg.eigvalsh(task.hessian(task.start))[0] < -1
            assert n <= 10
    signal = np.array([0.6, 0.8])
    ours, theirs = part._retrieval("", signal, signal), problems.phase_retrieval(signal=signal)
    assert ours.value([1.0, 2.0]) == pytest.approx(theirs.value([1.0, 2.0]))
    matrix = np.array([[2.0, 0.3], [0.3, 1.0]])
    ours, theirs = part._pca("", matrix, signal), problems.matrix_pca(matrix)
    assert ours.value([1.0, 2.0]) == pytest.approx(theirs.value([1.0, 2.0]))


# rubbish and missing ids


@pytest.mark.parametrize("answer", RUBBISH, ids=lambda answer: type(answer).__name__)
def test_rubbish_fails(answer):
    for check in ("border", "slope_bound", "low_enough", "patience", "verdicts"):
        with bad("."):
            getattr(part, check)(answer, student_id="ada")
    functions = [("curvature_bound", {}), ("witness", {}), ("stuck", {})]
    for check, options in functions:
        for wrong in (answer, lambda *a: answer, slowly(None)):
            with bad("."):
                getattr(part, check)(wrong, student_id="ada", **options)
    for check in ("backtrack", "backtrack_cost", "search"):
        for wrong in (answer, lambda *a: answer, lambda *a: (answer, answer), slowly(None)):
            with bad("."):
                getattr(part, check)(wrong)


@pytest.mark.parametrize("given", part.GIVEN)
def test_given_numbers(given):
    draw = getattr(part, given)
    assert str(draw("ada")) == str(draw(" ADA "))
    assert len({str(draw(who)) for who in MANY}) > 100
    with bad("fill in your id"):
        draw(...)
