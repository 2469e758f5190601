"""Checks of the exercises of part 1: right answers pass, common mistakes get their message."""

import numpy as np
import pytest

from lib import checks, optimizers, problems
from lib.checks import minimizers

IDS = [f"student{i}" for i in range(300)]
FEW = IDS[:5]
RUBBISH = (None, ..., "three", float("nan"), [], [1, "a"], {}, np.zeros((2, 2, 2)), lambda: 0)
BAD_FUNCTIONS = (
    lambda *args: None,
    lambda *args: "no",
    lambda *args: np.full(3, np.nan),
    lambda *args: 1 / 0,
    lambda: 0,
)


def fails(match):
    return pytest.raises(checks.CheckFailed, match=match)


@pytest.mark.parametrize(
    "check",
    [
        lambda x: minimizers.coupling(x, 0.1, student_id="ada"),
        lambda x: minimizers.coupling(solved_quadratic("ada")[0], x, student_id="ada"),
        lambda x: minimizers.leads_in(x, student_id="ada"),
        minimizers.line_count,
        lambda x: minimizers.bend_squares(x, student_id="ada"),
        lambda x: minimizers.bend_product(x, student_id="ada"),
        lambda x: minimizers.flow_bend(x, student_id="ada"),
        lambda x: minimizers.limit(x, student_id="ada"),
        lambda x: minimizers.unknown(x, student_id="ada"),
    ],
)
@pytest.mark.parametrize("answer", RUBBISH)
def test_rubbish_is_refused(check, answer):
    with pytest.raises(checks.CheckFailed):
        check(answer)


@pytest.mark.parametrize(
    "check",
    [
        minimizers.lines,
        minimizers.lines_far,
        minimizers.sweep,
        minimizers.passing_time,
        minimizers.passing_time_edges,
        minimizers.trap,
        minimizers.trap_smooth,
        minimizers.trap_only,
    ],
)
@pytest.mark.parametrize("answer", [*RUBBISH, *BAD_FUNCTIONS])
def test_rubbish_functions_are_refused(check, answer):
    with pytest.raises(checks.CheckFailed):
        check(answer)


@pytest.mark.parametrize("name", minimizers.GIVEN)
def test_given_numbers_need_an_id_and_repeat(name):
    given = getattr(minimizers, name)
    with fails("fill in your id"):
        given(...)
    assert repr(given("ada")) == repr(given(" Ada"))
    assert len({repr(given(i)) for i in IDS}) > 100


# ---------------------------------------------------------------- 1


def solved_quadratic(student_id):
    p, q, a = minimizers.quadratic(student_id)
    values, vectors = np.linalg.eigh([[p, a], [a, q]])
    return np.sqrt(p * q), 1 / values[1], vectors, values


def test_every_quadratic_is_well_posed():
    for student_id in IDS:
        p, q, a = minimizers.quadratic(student_id)
        border, rate, vectors, values = solved_quadratic(student_id)
        minimizers.coupling(border, rate, student_id=student_id)
        minimizers.leads_in(-3 * vectors[:, 1], student_id=student_id)
        assert a > 1.2 * border and values[0] < -0.2 and abs(p - q) > 0.3
        for wrong in (2 * rate, -1 / values[0], 1 / max(p, q), 1 / (p + q)):
            assert abs(wrong / rate - 1) > 0.02
        with fails("direction of escape"):
            minimizers.leads_in(vectors[:, 0], student_id=student_id)
        with fails("share of"):
            minimizers.leads_in([1, 0], student_id=student_id)


def test_a_start_that_leads_in_does():
    p, q, a = minimizers.quadratic("ada")
    _, rate, vectors, _ = solved_quadratic("ada")
    x = vectors[:, 1].copy()
    for _ in range(30):
        x = x - 0.9 * rate * np.array([[p, a], [a, q]]) @ x
    assert np.linalg.norm(x) < 1e-10


@pytest.mark.parametrize("student_id", FEW)
def test_quadratic_mistakes(student_id):
    p, q, _ = minimizers.quadratic(student_id)
    border, rate, _, values = solved_quadratic(student_id)
    for wrong, match in (
        (p * q, "below it the smallest"),
        (min(p, q), "above it the smallest"),
        (-border, "positive"),
    ):
        with fails(match):
            minimizers.coupling(wrong, rate, student_id=student_id)
    for wrong, match in (
        (2 * rate, "2/L"),
        (-1 / values[0], "negative curvature"),
        (1 / max(p, q), "diagonal entry"),
        (1 / (p + q), "trace"),
        (1 / np.hypot(*values), "Frobenius"),
        (0.77 * rate, "not right"),
    ):
        with fails(match):
            minimizers.coupling(border, wrong, student_id=student_id)
    row = 1 / (max(p, q) + minimizers.quadratic(student_id)[2])
    with fails("sum of a row|trace"):
        minimizers.coupling(border, row, student_id=student_id)
    with fails("saddle itself"):
        minimizers.leads_in([0, 0], student_id=student_id)


# ---------------------------------------------------------------- 2


def lines(rate, n, *, real=True, keep=lambda y: True):
    heights = [0.0]
    for _ in range(n):
        heights = [
            y
            for t in heights
            for y in np.roots([rate, 0, -(1 + rate), t])
            if not real or abs(y.imag) < 1e-9
        ]
        heights = [np.real(y) for y in heights if keep(np.real(y))]
    return np.sort(heights)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_lines_pass(seed):
    minimizers.lines(lines, seed=seed)
    minimizers.lines_far(lines, seed=seed)


def test_lines_have_the_known_form():
    n = 4
    known = np.sqrt(2) * np.cos((2 * np.arange(3**n) + 1) * np.pi / (2 * 3**n))
    np.testing.assert_allclose(minimizers._lines(2.0, n), np.sort(known), atol=1e-9)
    for rate in (0.1, 0.9, 1.59):
        assert len(minimizers._lines(rate, 5)) == 11
    heights = minimizers._lines(1.8, 3)
    for _ in range(3):
        heights = minimizers._step(heights, 1.8)
    np.testing.assert_allclose(heights, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda rate, n: lines(rate, n, real=False), "not on the axis"),
        (lambda rate, n: lines(rate, n, keep=lambda y: y >= 0), "even in y"),
        (lambda rate, n: [y for y in lines(rate, n) if y], "needs no step"),
        (
            lambda rate, n: [y for y in lines(rate, n) if abs(y - lines(rate, n - 1)).min() > 1e-6],
            "the axis itself|earlier are missing",
        ),
        (lambda rate, n: np.append(lines(rate, n), 0), "twice"),
        (lambda rate, n: lines(rate, n)[::-1], "sort"),
        (lambda rate, n: lines(rate, n + 1), "not on the axis"),
        (lambda rate, n: np.round(lines(rate, n), 4), "do not round"),
        (lambda rate, n: [], "there are more"),
        (lambda rate, n: [0.0], "there are more"),
    ],
)
def test_lines_mistakes(wrong, match):
    with fails(match):
        minimizers.lines(wrong, seed=0)


def test_lines_for_large_rates_need_every_root():
    def one_root(rate, n):
        heights = [0.0]
        for _ in range(n):
            last = np.roots([rate, 0, -(1 + rate), -heights[-1]])
            heights.append(last[np.abs(last.imag) < 1e-9].real.max())
        return np.sort([*heights, *(-y for y in heights[1:])])

    minimizers.lines(one_root, seed=0)
    with fails("there are more"):
        minimizers.lines_far(one_root, seed=1)


def test_line_count():
    minimizers.line_count(3**12)
    for wrong, match in (
        (25, "small learning rates"),
        (2**12, "two lines"),
        (3**13, "too many"),
        (3**11, "too few"),
        (2 * 3**11, "fewer steps"),
        (3**12 - 1, "not right"),
        (0.5, "whole number"),
    ):
        with fails(match):
            minimizers.line_count(wrong)


# ---------------------------------------------------------------- 3


def test_every_saddle_is_well_posed():
    for student_id in IDS:
        given = minimizers.saddle(student_id)
        right = minimizers._bend(given)
        minimizers.bend_squares(right, student_id=student_id)
        minimizers.bend_product(right, student_id=student_id)
        minimizers.flow_bend(minimizers._flow(given), student_id=student_id)
        assert given["learning_rate"] * max(*given["mu"], given["gamma"]) < 1
        for wrong in minimizers._bend_mistakes(given).values():
            assert (np.abs(wrong / right - 1) > 0.01).all()


def test_the_surface_leads_in():
    given = minimizers.saddle("ada")
    rate, (mu1, mu2), gamma = given["learning_rate"], given["mu"], given["gamma"]
    (b1, b2, b3), c = given["beta"], minimizers._bend(given)

    def end(x, y, z):
        for _ in range(400):
            gradient = (
                mu1 * x + z * (2 * b1 * x + b2 * y),
                mu2 * y + z * (b2 * x + 2 * b3 * y),
                -gamma * z + b1 * x * x + b2 * x * y + b3 * y * y,
            )
            x, y, z = x - rate * gradient[0], y - rate * gradient[1], z - rate * gradient[2]
            if abs(z) > 0.5:
                return np.sign(z)
        return 0

    for x, y in ((0.02, 0), (0, 0.02), (0.02, 0.02), (0.02, -0.01)):
        low, high = -0.01, 0.01
        assert end(x, y, low) < 0 < end(x, y, high)
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if end(x, y, middle) < 0 else (low, middle)
        assert low == pytest.approx(c @ [x * x, x * y, y * y], rel=5e-3)


@pytest.mark.parametrize("student_id", FEW)
def test_bend_mistakes(student_id):
    given = minimizers.saddle(student_id)
    right = minimizers._bend(given)
    matches = ("gradient flow", "wrong sign", "shrink in this step", "shrink once")
    mistakes = minimizers._bend_mistakes(given).values()
    for wrong, match in zip(mistakes, matches, strict=True):
        with fails(match):
            minimizers.bend_squares(wrong, student_id=student_id)
        with fails(match):
            minimizers.bend_product(wrong, student_id=student_id)
    minimizers.bend_squares(right * [1, 2, 1], student_id=student_id)
    with fails("one term"):
        minimizers.bend_product(right * [1, 2, 1], student_id=student_id)
    with fails("wrong way round"):
        minimizers.bend_squares(right[::-1], student_id=student_id)
    with fails(r"bend\[2\].*y = 0.01"):
        minimizers.bend_squares(right * [1, 1, 1.1], student_id=student_id)
    with fails("at your learning rate"):
        minimizers.flow_bend(right, student_id=student_id)
    with fails("not zero"):
        minimizers.flow_bend(np.zeros(3), student_id=student_id)
    with fails("wrong sign"):
        minimizers.flow_bend(-minimizers._flow(given), student_id=student_id)


# ---------------------------------------------------------------- 4


def sweep(hessian, rate):
    matrix = np.eye(len(hessian))
    for i in range(len(hessian)):
        one = np.eye(len(hessian))
        one[i] -= rate * hessian[i]
        matrix = one @ matrix
    return matrix


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sweep_passes(seed):
    minimizers.sweep(sweep, seed=seed)


def test_sweep_is_the_library_s_coordinate_descent():
    line, saddle, start = problems.saddle_line(), np.array([0.5, 0.2, 0.8]), np.array([1.0, 2, 3])
    run = optimizers.coordinate_descent(line, start, 0.3, max_iter=3, tol=0)
    matrix = minimizers._sweep(line.hessian(saddle), 0.3)
    np.testing.assert_allclose(run.x - saddle, matrix @ (start - saddle), atol=1e-12)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda hessian, rate: np.eye(len(hessian)) - rate * hessian, "at once"),
        (lambda hessian, rate: sweep(hessian[::-1, ::-1], rate)[::-1, ::-1], "wrong way"),
        (lambda hessian, rate: hessian, "not right"),
        (lambda hessian, rate: np.eye(5), "must be an array"),
    ],
)
def test_sweep_mistakes(wrong, match):
    with fails(match):
        minimizers.sweep(wrong, seed=0)


def test_every_hessian_is_well_posed():
    for student_id in IDS:
        matrix = minimizers.hessian(student_id)
        values, diagonal = np.linalg.eigvalsh(matrix), np.sort(np.diag(matrix))
        assert (matrix == matrix.T).all() and values[0] < -0.5 and values[2] == abs(values).max()
        minimizers.limit(1 / diagonal[2], student_id=student_id)
        for wrong, match in (
            (1 / values[2], "1/L"),
            (1 / np.abs(matrix).max(), "beside the diagonal"),
            (1 / diagonal[0], "vanished before"),
            (1 / diagonal[1], "middle factor|another factor"),
            (2 / diagonal[2], "overshoots|another factor|middle factor"),
        ):
            with fails(match):
                minimizers.limit(wrong, student_id=student_id)
        for share in (0.1, 0.5, 0.99):
            matrix_of_sweep = minimizers._sweep(matrix, share / diagonal[2])
            assert abs(np.linalg.eigvals(matrix_of_sweep)).max() > 1
            assert np.linalg.det(matrix_of_sweep) == pytest.approx(
                np.prod(1 - share / diagonal[2] * diagonal)
            )


# ---------------------------------------------------------------- 5


def passing_time(gammas, waiting, rate, c):
    loss, time = -np.log(1 - rate * waiting), 0.0
    for gamma in gammas:
        time += (c + loss * time) / np.log(1 + rate * gamma)
    return time


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_passing_time_passes(seed):
    minimizers.passing_time(passing_time, seed=seed)
    minimizers.passing_time_edges(passing_time)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (minimizers._time_sum, "does not shrink"),
        (minimizers._time_own, "from the start"),
        (minimizers._time_whole, "rounding up"),
        (minimizers._time_linear, "logarithms"),
        (minimizers._time_last, "last escape alone|not right"),
        (lambda *args: 2 * passing_time(*args), "not right"),
    ],
)
def test_passing_time_mistakes(wrong, match):
    with fails(match):
        minimizers.passing_time(wrong, seed=0)


def test_simulated_steps_agree():
    gammas, waiting, rate, c = [1.0, 0.5, 1.5], 1.0, 0.01, 3.0
    z, steps = np.full(3, -c), 0
    for i, gamma in enumerate(gammas):
        while z[i] < 0:
            z[i] += np.log1p(rate * gamma)
            z[i + 1 :] += np.log1p(-rate * waiting)
            steps += 1
    assert steps == pytest.approx(passing_time(gammas, waiting, rate, c), rel=5e-3)


def test_every_chain_is_well_posed():
    for student_id in IDS:
        given = minimizers.chain(student_id)
        waiting, rate, c = given["waiting"], given["learning_rate"], given["c"]
        loss = -np.log1p(-rate * waiting)
        growth = np.log1p(rate * given["known"])
        factor = (1 + given["total"] * loss / c) / np.prod(1 + loss / growth)
        gamma = np.expm1(loss / (factor - 1)) / rate
        minimizers.unknown(gamma, student_id=student_id)
        minimizers.unknown(round(gamma, 3), student_id=student_id)
        assert 0.59 < gamma < 2.01
        for place in range(5):
            gammas = np.insert(given["known"], place, gamma)
            assert passing_time(gammas, waiting, rate, c) == pytest.approx(given["total"])
        for wrong in (gamma + 0.1, gamma - 0.1, rate * gamma):
            with fails("a chain with this fifth curvature takes"):
                minimizers.unknown(wrong, student_id=student_id)
        with fails("positive"):
            minimizers.unknown(-gamma, student_id=student_id)


# ---------------------------------------------------------------- 6


def leaves(turn, dtype, order):
    c, s, alpha = dtype(np.cos(turn)), dtype(np.sin(turn)), dtype(0.1)
    x, y = dtype(0.7) * c, dtype(0.7) * s
    for k in range(600):
        u, v = c * x + s * y, c * y - s * x
        if abs(v) > 0.5:
            return k
        w = v * v * v - v if order else v * (v * v - dtype(1))
        if order:
            x, y = x - alpha * (c * u - s * w), y - alpha * (s * u + c * w)
        else:
            x, y = x - (alpha * c * u - alpha * s * w), y - (alpha * s * u + alpha * c * w)
    return -1


@pytest.mark.parametrize("order", [True, False])
def test_every_angle_is_well_posed(order):
    turns = [minimizers.angle(i) for i in IDS]
    single = np.array([leaves(turn, np.float32, order) for turn in turns])
    double = np.array([leaves(turn, np.float64, order) for turn in turns])
    assert single.min() > 160 and single.max() < 260
    assert double.min() > 370 and double.max() < 490
    assert (double - single).min() > 130 and (double - single).max() < 290
    assert np.median(double - single) == pytest.approx(211, abs=6)


# ---------------------------------------------------------------- 8


def slope(y, rate, edge):
    u = np.minimum((y / edge) ** 2, 1)
    return y * ((1 + 1 / rate) * (1 - (1 - u) ** 2) - 1)


def stretched(y, rate, edge):
    """The page's function, stretched to another edge and another learning rate."""
    t = 4 * np.abs(y) / edge
    inner = np.where(t <= 1, -t + 1.25 * t**2, 0.25 + 1.5 * (t - 1) - (t - 1) ** 2 / 12)
    return np.sign(y) * np.where(t >= 4, t, inner) * edge / 4 / rate


@pytest.mark.parametrize("answer", [slope, stretched])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_trap_passes(answer, seed):
    minimizers.trap(answer, seed=seed)
    minimizers.trap_smooth(answer, seed=seed)
    minimizers.trap_only(answer, seed=seed)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda y, rate, edge: slope(y, rate, edge) + 0.1, "not odd"),
        (lambda y, rate, edge: y / rate, "no strict saddle"),
        (lambda y, rate, edge: rate * slope(y, rate, edge), "not to the saddle"),
        (lambda y, rate, edge: slope(y, rate, 2 * edge), "not to the saddle"),
        (lambda y, rate, edge: slope(y, rate, edge)[:-1], "shape"),
        (lambda y, rate, edge: slope(y, rate, edge) if y > edge else -y, "raised ValueError"),
    ],
)
def test_trap_mistakes(wrong, match):
    with fails(match):
        minimizers.trap(wrong, seed=0)


def kink(y, rate, edge):
    return np.where(np.abs(y) < edge, y * ((1 + 1 / rate) * (y / edge) ** 2 - 1), y / rate)


def jump(y, rate, edge):
    return np.where(np.abs(y) < edge, -y, y / rate)


@pytest.mark.parametrize("wrong", [kink, jump])
def test_trap_must_be_smooth(wrong):
    minimizers.trap(wrong, seed=1)
    with fails("the derivative jumps"):
        minimizers.trap_smooth(wrong, seed=1)


def steep(y, rate, edge):
    u = np.minimum((y / edge) ** 2, 1)
    return y * (1 / rate - (1 - u) ** 2 * 20)


def second(y, rate, edge):
    inside = (np.abs(y) > 0.503 * edge) & (np.abs(y) < 0.607 * edge)
    return np.where(inside, y / rate, slope(y, rate, edge))


def test_trap_must_be_the_only_one():
    minimizers.trap_smooth(steep, seed=2)
    with fails("beyond the edge"):
        minimizers.trap_only(steep, seed=2)
    with fails("is taken to the saddle"):
        minimizers.trap_only(second, seed=2)
