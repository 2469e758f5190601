"""The checks of the primer's exercises accept what is right and explain what is wrong."""

import math

import numpy as np
import pytest
from numba import njit

from lib import checks, problems

part = checks.primer
IDS = ("ada", "bob", "c.lovelace", "42")
MANY = [f"student{i}" for i in range(300)]
GARBAGE = (None, ..., "text", np.nan, np.inf, [], {}, np.ones((2, 3)), object(), 1j, np.sin)


def wrong(message):
    return pytest.raises(checks.CheckFailed, match=message)


# 1: how long a step may be


def rates(student_id):
    given = part.curvatures(student_id)
    return 2 / given.max(), 2 / (given.min() + given.max())


def test_valleys_are_well_posed():
    for student_id in MANY:
        given = part.curvatures(student_id)
        low, middle, high = np.sort(given)
        assert 0.5 <= low < middle < high <= 12 and np.allclose(given * 10, np.round(given * 10))
        assert middle - low > 0.5 and high - middle > 0.9 and high > 2 * low
        border, best = rates(student_id)
        part.border(border, student_id=student_id)
        part.best(best, student_id=student_id)
        part.border(float(f"{border:.4g}"), student_id=student_id)
        part.best(float(f"{best:.4g}"), student_id=student_id)
        for other in (0.99 * border, 1.01 * border, best, 2 / low, 1 / high, -border):
            with wrong("border"):
                part.border(other, student_id=student_id)
        for other in (0.99 * best, 1.01 * best, border, 1 / high, 1 / low, 0.0):
            with wrong("best"):
                part.best(other, student_id=student_id)


@pytest.mark.parametrize("student_id", IDS)
def test_rates_do_what_they_should(student_id):
    given = part.curvatures(student_id)
    border, best = rates(student_id)

    def after(rate, steps):
        return np.abs((1 - rate * given) ** steps).max()

    assert after(0.999 * border, 20_000) < 1e-15 < 1e15 < after(1.001 * border, 40_000)
    others = np.linspace(0.001, border, 1000)
    assert after(best, 1) <= min(after(rate, 1) for rate in others) + 1e-12


@pytest.mark.parametrize("kind", [float, np.float64, np.float32, np.array, lambda v: [v]])
def test_numbers_of_all_kinds_pass(kind):
    border, best = rates("ada")
    part.border(kind(border), student_id="ada")
    part.best(kind(best), student_id="ada")


def test_rates_mistakes():
    given = part.curvatures("ada")
    low, high = given.min(), given.max()
    with wrong("slightly larger learning rate still converges"):
        part.border(1 / high, student_id="ada")
    with wrong("the iterates diverge"):
        part.border(2 / low, student_id="ada")
    with wrong("the iterates diverge"):
        part.border(1e300, student_id="ada")
    with wrong("must be positive"):
        part.border(0, student_id="ada")
    for value, message in (
        (1 / high, "the flattest is slow"),
        (2 / high, "that is the border"),
        (1 / low + 1 / high, "beyond the smaller one"),
        (1 / low, "the steepest grows"),
        (1 / given.mean(), "does not matter"),
        (1 / np.median(given), "does not matter"),
        (1 / (low + high), "still glide"),
        (1 / math.sqrt(low * high), "not right"),
    ):
        with wrong(message):
            part.best(value, student_id="ada")


# 2: gradient descent


def descend(gradient, start, learning_rate, n_steps):
    path = [np.array(start, dtype=float)]
    for _ in range(n_steps):
        path.append(path[-1] - learning_rate * gradient(path[-1]))
    return np.array(path)


def with_lists(gradient, start, learning_rate, n_steps):
    path = [[float(x) for x in start]]
    for _ in range(n_steps):
        slopes = gradient(path[-1])
        path.append([x - learning_rate * g for x, g in zip(path[-1], slopes, strict=True)])
    return path


def in_advance(gradient, start, learning_rate, n_steps):
    path = np.zeros((n_steps + 1, len(start)))
    path[0] = start
    for k in range(n_steps):
        path[k + 1] = path[k] - learning_rate * gradient(path[k])
    return path


@pytest.mark.parametrize("answer", [descend, with_lists, in_advance])
def test_descend(answer):
    for seed in range(5):
        part.descend(answer, seed=seed)
    part.descend_edges(answer)


def in_place(gradient, start, learning_rate, n_steps):
    x = start
    path = [x]
    for _ in range(n_steps):
        x -= learning_rate * gradient(x)
        path.append(x)
    return np.array(path)


def one_array(gradient, start, learning_rate, n_steps):
    return in_place(gradient, np.array(start, float), learning_rate, n_steps)


def straight(gradient, start, learning_rate, n_steps):
    return np.array([start - k * learning_rate * gradient(start) for k in range(n_steps + 1)])


def normalized(gradient, start, learning_rate, n_steps):
    return descend(lambda x: gradient(x) / np.linalg.norm(gradient(x)), start, 0.1, n_steps)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda g, s, a, n: descend(g, s, -a, n), "up the gradient"),
        (one_array, "all rows hold the last point"),
        (in_place, "changes an array"),
        (straight, "gradient of the start"),
        (normalized, "not right"),
        (lambda g, s, a, n: descend(g, s, 1.0, n), "not right"),
        (lambda *a: descend(*a)[1:], r"shape \(21, 2\); its shape is \(20, 2\)"),
        (lambda *a: descend(*a)[-1], "its shape is"),
        (lambda *a: descend(*a).T, "its shape is"),
        (lambda g, s, a: descend(g, s, a, 20), "raised TypeError"),
    ],
)
def test_descend_mistakes(answer, message):
    with wrong(message):
        part.descend(answer, seed=0)


def whole_numbers(gradient, start, learning_rate, n_steps):
    path = np.zeros((n_steps + 1, len(start)), dtype=start.dtype)
    path[0] = start
    for k in range(n_steps):
        path[k + 1] = path[k] - learning_rate * gradient(path[k])
    return path


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (whole_numbers, "from a start of whole numbers"),
        (lambda g, s, a, n: descend(g, s, a, max(n, 1)), "the path of 0 steps"),
        (
            lambda g, s, a, n: descend(lambda x: (g(x) + g(x)) / 2, s, a, n),
            "calls the gradient 14 times in 7 steps",
        ),
    ],
)
def test_descend_edges(answer, message):
    part.descend(answer, seed=0)
    with wrong(message):
        part.descend_edges(answer)


# 3: a loop that numba compiles


@njit
def steps_to_leave(y, learning_rate, radius):
    count = 0
    while abs(y) < radius:
        y *= 1 + learning_rate
        count += 1
    return count


def formula(y, learning_rate, radius):
    return max(0, math.ceil(math.log(radius / abs(y)) / math.log(1 + learning_rate)))


@pytest.mark.parametrize("answer", [steps_to_leave, formula, lambda *a: float(formula(*a))])
def test_steps(answer):
    for seed in range(5):
        part.steps_to_leave(answer, seed=seed)
    part.steps_to_leave_far(answer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda *a: formula(*a) + 1, "one step too many"),
        (lambda *a: formula(*a) - 1, "not right"),
        (lambda y, a, r: math.floor(math.log(r / abs(y)) / math.log(1 + a)), "not right"),
        (lambda y, a, r: math.ceil(math.log(r / abs(y)) / a), "not right"),
        (lambda y, a, r: (r - abs(y)) / (a * abs(y)), "not right"),
        (lambda y, a, r: abs(y) * (1 + a) ** formula(y, a, r), "not right"),
        (lambda *a: None, "is its .return. missing"),
    ],
)
def test_steps_mistakes(answer, message):
    with wrong(message):
        part.steps_to_leave(answer, seed=0)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda y, a, r: formula(y, a, r) if y > 0 else 0, r"\(-.* is 0.?, which is not right"),
        (lambda y, a, r: formula(y, a, r) if y < r else 1, r"\(0.7.* is 1.?, which is not right"),
        (lambda y, a, r: formula(y, a, r) + (abs(y) == r), r"\(0.5.* is 1.?, which is not right"),
        (lambda y, a, r: math.ceil(math.log(r / abs(y)) / math.log(1 + a)), r"is -\d"),
    ],
)
def test_steps_hidden_mistakes(answer, message):
    part.steps_to_leave(answer, seed=0)
    with wrong(message):
        part.steps_to_leave(answer, seed=1)


def test_steps_far():
    with wrong("not right"):
        part.steps_to_leave_far(lambda y, a, r: 10**6)


# 4 and 5 are read by a person: what the rubric and the model answer say is true


def test_plateaus():
    well, seen = problems.double_well(), []
    for n in (2, 4, 6, 8):
        path = descend(well.gradient, [1.6, 10.0**-n], 0.1, 250)
        values = np.array([well.value(x) for x in path])
        assert values[-1] == pytest.approx(-0.25, abs=1e-4)
        seen.append(int(np.argmax(values <= -0.2)))
    assert np.diff(seen).tolist() == [49, 48, 48]
    assert 1e4 < 1.05**200 < 1e5


# All of them


@pytest.mark.parametrize("junk", GARBAGE)
def test_garbage(junk):
    for check in (part.border, part.best):
        with pytest.raises(checks.CheckFailed):
            check(junk, student_id="ada")


FUNCTIONS = (part.descend, part.descend_edges, part.steps_to_leave, part.steps_to_leave_far)


@pytest.mark.parametrize("check", FUNCTIONS)
@pytest.mark.parametrize("junk", [*GARBAGE, lambda *a: None, lambda *a: "text", lambda: 1])
def test_garbage_functions(check, junk):
    with pytest.raises(checks.CheckFailed):
        check(junk)


def test_ids():
    assert np.array_equal(part.curvatures("ada"), part.curvatures(" Ada "))
    for missing in (None, ...):
        with wrong("fill in your id"):
            part.curvatures(missing)
        with wrong("fill in your id"):
            part.border(0.2, student_id=missing)
