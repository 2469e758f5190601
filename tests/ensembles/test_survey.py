"""A survey says in sentences what is wrong with a function, and nothing where nothing is."""

import dataclasses
import functools
import math
import re

import numpy as np
import pytest
from numba import njit

from lib import ensembles, problems

# All smooth functions are branches of one, all others of a second: two compilations are enough.
(
    CAMEL, CUBE, SIGMOID, OVERGROWN, RISE, DECAY, SHIFTED, RING, BOWLS, SLIDE, OPEN_END, WAVE,
    CANYON, STEEP_LINE, HALF_LINE, NOWHERE, TILTED, COSINE, CHAIN, DICE, CONSTANT, POLE, LINE_POLE,
    INVERSE, QUARTIC, RASTRIGIN, HIMMELBLAU, GAUSS, PLANE, BEALE, SADDLE, SOFT_KINK, LIFTED,
    BARRIER,
) = range(34)  # fmt: skip
(
    PLATE, PENALTY, FENCE, STEEP, KINK, POWER, STEPS, CIRCLE, HUBER, DIAMOND, CUBED, GORGE,
) = range(12)  # fmt: skip


@njit
def smooth(x, p):
    """One of the functions, ``p[0]``, times ``p[1]``, of ``p[2] * x``."""
    return p[1] * smooth_one(p[2] * x, p[0])


@njit
def smooth_one(x, case):
    s, last = x[0] * x[0], x[-1] * x[-1]
    if case == CAMEL:
        return 2 * s - 1.05 * s * s + s * s * s / 6 + x[0] * x[1] + last
    if case == CUBE:
        return (x[0] + 12) * (x[0] + 12) * (x[0] + 12)
    if case == SIGMOID:
        return (1 + np.tanh(x[0] / 2)) / 2
    if case == OVERGROWN:
        return 1 / (1 + np.exp(-x[0]))
    if case == RISE:
        return np.exp(x[0]) - x[0]
    if case == DECAY:
        return np.exp(-x[0])
    if case == SHIFTED:
        return (x[0] - 100) * (x[0] - 100)
    if case == RING:
        return (s + last - 1) * (s + last - 1)
    if case == SLIDE:
        return s * x[0] - 3 * x[0] + last
    if case == OPEN_END:
        return last - np.log(1 + s)
    if case == WAVE:
        return s + last + 1e-3 * np.sin(1e7 * x[0])
    if case == CANYON:
        return s + 1e8 * (x[1] - s) * (x[1] - s)
    if case == STEEP_LINE:
        return 1e6 * (x[0] + x[1]) * (x[0] + x[1]) + np.exp(-x[0] - 4)
    if case == HALF_LINE:
        return np.log(x[0]) + last
    if case == NOWHERE:
        return np.sqrt(x[0] - 10)
    if case == TILTED:
        return np.exp(x[0]) + x[1]
    if case == COSINE:
        return np.cos(x[0])
    if case == DICE:
        return s + last + 1e-3 * np.random.normal()
    if case == CONSTANT:
        return 0 * s + 3
    if case == POLE:
        return np.log((x[0] - 0.3) * (x[0] - 0.3) + (x[1] + 0.2) * (x[1] + 0.2))
    if case == LINE_POLE:
        return np.log(s) + last
    if case == INVERSE:
        return 1 / (s + last)
    if case == QUARTIC:
        return s * s + last
    if case == RASTRIGIN:
        return s + last - 10 * np.cos(2 * np.pi * x[0]) - 10 * np.cos(2 * np.pi * x[1])
    if case == HIMMELBLAU:
        a, b = s + x[1] - 11, x[0] + last - 7
        return a * a + b * b
    if case == GAUSS:
        return -np.exp(-s - last)
    if case == PLANE:
        return 3 * x[0] + x[1]
    if case == BEALE:
        a, b = 1.5 - x[0] + x[0] * x[1], 2.25 - x[0] + x[0] * last
        c = 2.625 - x[0] + x[0] * last * x[1]
        return a * a + b * b + c * c
    if case == SADDLE:
        return x[0] * x[1]
    if case == SOFT_KINK:
        return np.sqrt(s + 1e-6) + last
    if case == LIFTED:
        return s / 2 + last + 1e6
    if case == BARRIER:
        return x[0] - np.log(1 - s - last)
    total = 0 * s
    for i in range(x.size):
        if case == BOWLS:
            total += (1 + i) * x[i] * x[i]
        elif i > 0:  # CHAIN
            before = x[i - 1]
            rest = x[i] - before * before
            total += 100 * rest * rest + (1 - before) * (1 - before)
    return total


@njit
def bent(x, p):
    """One of the functions that are no functions of complex numbers, of ``p[2] * x``."""
    case, x = p[0], p[2] * x
    if case == PLATE:
        return max(0.0, x[0] ** 2 + x[1] ** 2 - 1.0) ** 2
    if case == PENALTY:
        return 10 * max(abs(x[0]) - 8.0, 0.0) ** 2
    if case == FENCE:
        return 10 * max(abs(x[0]) - 8.0, 0.0) ** 2 + x[0] ** 2 / 2 + x[1] ** 2
    if case == STEEP:
        return abs(x[0]) + 1e8 * x[1] ** 2
    if case == KINK:
        return abs(x[0]) + x[1] ** 2
    if case == POWER:
        return x[0] ** 4
    if case == STEPS:
        return np.floor(x[0])
    if case == CIRCLE:
        return (abs(x[0]) ** 2 + x[1] ** 2 - 1.0) ** 2
    if case == HUBER:
        return x[0] ** 2 / 2 if abs(x[0]) < 1 else abs(x[0]) - 0.5
    if case == DIAMOND:
        return abs(x[0] - 0.3) + abs(x[1]) + 0.1 * x[0] ** 2
    if case == CUBED:
        return (x[0] + 12.0) ** 3
    return abs(x[0]) ** 2 + 1e8 * (x[1] - x[0] ** 2) ** 2  # GORGE


def problem(function, case, dimension=2, factor=1.0, unit=1.0):
    return problems.custom(function, dimension=dimension, parameters=[case, factor, unit])


@functools.cache
def survey(function, case, low, high, dimension=2, factor=1.0, unit=1.0):
    return ensembles.survey(problem(function, case, dimension, factor, unit), low, high)


def kinds(found):
    each = [point.kind for point in found.critical_points]
    return {kind: each.count(kind) for kind in each}


def test_a_good_function_gets_no_remarks():
    found = survey(smooth, CAMEL, -2.3, 2.3)
    assert found.remarks == ()
    assert kinds(found) == {"minimizer": 3, "strict saddle": 2}
    assert found.minimum.value == pytest.approx(0, abs=1e-12)
    eigenvalues = np.linalg.eigvalsh([[4, 1], [1, 2]])
    np.testing.assert_allclose(found.eigenvalues, eigenvalues, rtol=1e-6)
    assert found.condition_number == pytest.approx(eigenvalues[1] / eigenvalues[0], rel=1e-6)
    assert found.flat == 0 and found.noise < 1e-12
    assert found.ends == {"converged": 200}
    assert 5 < found.largest_curvature < 100
    assert found.learning_rate == 1 / found.largest_curvature
    assert str(found).splitlines() == [
        "gradient: by complex steps, to the last digits",
        "critical points found: 3 minimizers, 2 strict saddles",
        "lowest minimizer: value 0 at [0. 0.]",
        "condition number there: 2.8",
    ]


FALSE_ALARMS = {  # function: case, low, high, dimension and what is there
    "units of the value, small": ((smooth, CAMEL, -2.3, 2.3, 2, 1e-10), 3, 2),
    "units of the value, large": ((smooth, CAMEL, -2.3, 2.3, 2, 1e10), 3, 2),
    "units of the coordinates": ((smooth, CAMEL, -2300.0, 2300.0, 2, 1.0, 1e-3), 3, 2),
    "a large constant": ((smooth, LIFTED, -2, 2), 1, 0),
    "a steep wall": ((smooth, RISE, -2, 40, 1), 1, 0),
    "a penalty": ((bent, FENCE, -10, 10), 1, 0),
    "a rounded kink": ((smooth, SOFT_KINK, -2, 2), 1, 0),
    "a second derivative that jumps": ((bent, HUBER, -3, 3, 1), 1, 0),
    "one of many wells": ((smooth, GAUSS, -2, 2), 1, 0),
    "a maximizer": ((smooth, HIMMELBLAU, -5, 5), 4, 4),
}


@pytest.mark.parametrize("name", FALSE_ALARMS)
def test_nothing_is_said_without_need(name):
    case, minimizers, saddles = FALSE_ALARMS[name]
    found = survey(*case)
    assert found.remarks == ()
    there = kinds(found)
    assert (there.get("minimizer", 0), there.get("strict saddle", 0)) == (minimizers, saddles)


# Which of the warnings each function gets, by the first letters of their names, and a sentence.
WARNINGS = {
    "f": "the gradient is zero",
    "u": "unbounded below",
    "k": "end at a kink",
    "s": "the largest curvature is",
    "r": "The values are rough",
    "g": "does not belong to the value",
    "m": "share the lowest value",
    "d": "degenerate: an eigenvalue",
    "o": "settle outside the box",
    "n": "No critical point was found",
    "l": "the value is lower than at",
    "b": "no step along the gradient lowers",
}
AWKWARD = {
    "flat": ((bent, PLATE, -2, 2), "fm", r"At \d\d % of the random points the gradient is zero"),
    "flat everywhere": ((smooth, CONSTANT, -2, 2), "f", "It is constant here, or it goes in steps"),
    "steps": ((bent, STEPS, -3, 3, 1), "f", "It is constant here, or it goes in steps"),
    "flat inside": ((bent, PENALTY, -10, 10, 1), "fm", "At 8. % of the random points the gradient"),
    "sigmoid at -800": ((smooth, SIGMOID, -801, -799, 1), "f", "It is constant here, or it goes"),
    "overflow": ((smooth, OVERGROWN, -801, -799, 1), "f", "It is constant here, or it goes"),
    "decay": (
        (smooth, DECAY, -5, 1000, 1),
        "fm",
        r"At \d\d % of the random points the gradient is",
    ),
    "unbounded": ((smooth, SLIDE, -3, 3), "u", r"falls to -\de\+\d+: the function seems to be unb"),
    "a cube": ((bent, CUBED, -20, 20, 1), "ud", "seems to be unbounded below"),
    "a cube's slope": ((bent, CUBED, -3, 3, 1), "on", "200 of 200 runs .* settle outside the box"),
    "a plane": ((smooth, PLANE, -2, 2), "un", "seems to be unbounded below"),
    "a saddle": ((smooth, SADDLE, -2, 2), "u", "seems to be unbounded below"),
    "tilted": ((smooth, TILTED, -1, 1), "un", "No critical point was found in this box"),
    "an open end": (
        (smooth, OPEN_END, -3, 3),
        "",
        r"where the value is -\d+\.?\d* and still falls",
    ),
    "a tail": ((smooth, INVERSE, -2, 2), "n", r"where the value is \S+ and still falls"),
    "a pole": ((smooth, POLE, -2, 2), "u", r"fall into a hole at \[ 0\.3 -0\.2\]"),
    "a line of poles": ((smooth, LINE_POLE, -2, 2), "u", r"fall into a hole at \[ ?-?0\. "),
    "a border": (
        (smooth, HALF_LINE, -1, 1),
        "u",
        r"At \d+ of 1000 random points of the box the va",
    ),
    "barrier": ((smooth, BARRIER, -2, 2), "", r"At 8\d\d of 1000 random points of the box the val"),
    "nowhere": ((smooth, NOWHERE, -2, 2), "", "At none of 1000 random points"),
    "random": ((smooth, DICE, -2, 2), "", "the value changes, by up to"),
    "rough": ((smooth, WAVE, -2, 2), "r", r"jump about by \de-04"),
    "canyon": ((smooth, CANYON, -2, 2), "s", r"badly scaled: .* is 1e\+08 times .* second deriv"),
    "steep line": ((smooth, STEEP_LINE, -2, 2), "sn", "runs .* crawl along .* no coordinate"),
    "steep coordinate": ((bent, STEEP, -2, 2), "sn", r"more than 1e\+12 times .* units of x\[1\]"),
    "valley": ((smooth, BEALE, -4, 4), "s", "runs of gradient descent crawl along a narrow valley"),
    "kink": ((bent, KINK, -2, 2), "k", "runs end at a kink, where the slope jumps"),
    "diamond": ((bent, DIAMOND, -2, 2), "k", "runs end at a kink, where the slope jumps"),
    "ring": ((smooth, RING, -2, 2), "m", r"\d+ of the points found share the lowest value"),
    "ring, bent": ((bent, CIRCLE, -2, 2), "m", r"\d+ of the points found share the lowest value"),
    "quartic": ((smooth, QUARTIC, -2, 2), "d", "1 degenerate: an eigenvalue of the Hessian is"),
    "power": ((bent, POWER, -2, 2, 1), "d", "1 degenerate: an eigenvalue of the Hessian is zero"),
    "gorge": ((bent, GORGE, -2, 2), "d", "1 degenerate: an eigenvalue of the Hessian is zero"),
    "outside": ((smooth, SHIFTED, -0.1, 0.1, 1), "on", "200 of 200 runs .* settle outside the box"),
    "many": ((smooth, RASTRIGIN, -5, 5), "l", "the lowest 100; there are .* further minimizers"),
    "ten": ((smooth, CHAIN, -2, 2, 10), "", "In 10 dimensions random starts find only"),
    "fifty": ((smooth, BOWLS, -1, 1, 50), "", "In 50 dimensions random starts find only"),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_what_may_go_wrong_is_said_and_nothing_else(name):
    case, warned, said = AWKWARD[name]
    text = " ".join(str(survey(*case)).split())
    assert re.search(said, text), text
    assert {w for w, words in WARNINGS.items() if words in text} == set(warned), text


def test_numbers_there():
    ten = survey(smooth, CHAIN, -2, 2, 10)
    assert kinds(ten)["minimizer"] == 2 and ten.minimum.value == pytest.approx(0, abs=1e-12)
    assert kinds(survey(smooth, POLE, -2, 2)) == {}
    assert kinds(survey(bent, CUBED, -20, 20, 1)) == {"degenerate": 1}
    assert kinds(survey(smooth, SLIDE, -3, 3)) == {"minimizer": 1, "strict saddle": 1}
    assert kinds(survey(smooth, COSINE, -5, 5, 1)) == {"minimizer": 2, "maximizer": 1}
    assert survey(smooth, BOWLS, -1, 1, 50).condition_number == pytest.approx(50, rel=1e-4)
    assert "[0. 0. 0. ... 0. 0. 0.]" in str(survey(smooth, BOWLS, -1, 1, 50))


def test_flat_share_is_the_area():
    assert survey(bent, PLATE, -2, 2).flat == pytest.approx(np.pi / 16, abs=0.04)


def test_noise_is_as_large_as_it_is():
    assert 2e-4 < survey(smooth, WAVE, -2, 2).noise < 1e-3


@pytest.mark.parametrize("case", [NOWHERE, CONSTANT, DICE])
def test_there_is_a_learning_rate_where_no_curvature_was_seen(case):
    found = survey(smooth, case, -2, 2)
    assert found.learning_rate == 1.0 and found.minimum is None
    assert math.isnan(found.condition_number)


@pytest.mark.parametrize(
    ("function", "case", "unit", "reach"),
    [(smooth, CAMEL, 1e6, 2.3e-6), (bent, FENCE, 1e6, 1e-5)],
)
def test_a_box_too_narrow_for_differences_is_refused(function, case, unit, reach):
    with pytest.raises(ValueError, match="low and high must be at least 0.001 apart.*other units"):
        survey(function, case, -reach, reach, 2, 1.0, unit)
    with pytest.raises(ValueError, match="low and high must be at least 1 apart"):
        survey(function, case, 1e3, 1e3 + 0.5)


def test_a_wrong_gradient_is_noticed():
    wrong = dataclasses.replace(
        problems.double_well(), gradient_kernel=problems.egg_carton().gradient_kernel
    )
    assert any("not belong to the value" in r for r in ensembles.survey(wrong, -2, 2).remarks)


def test_the_plane_of_many_dimensions():
    found, chain = survey(smooth, CHAIN, -2, 2, 10), problem(smooth, CHAIN, 10)
    plane = found.plane
    assert plane.directions.shape == (2, 10)
    np.testing.assert_allclose(plane.directions @ plane.directions.T, np.eye(2), atol=1e-12)
    least, largest = (v @ chain.hvp(found.minimum.x, v) for v in plane.directions)
    np.testing.assert_allclose([least, largest], found.eigenvalues, rtol=1e-4)
    point = np.array([0.3, -0.2])
    np.testing.assert_allclose(plane.coordinates(plane.points(point)), point, atol=1e-12)
    assert plane.heights(chain)(np.zeros((4, 5, 2))).shape == (4, 5)


def test_one_dimension_is_drawn_as_a_curve():
    found, cosine = survey(smooth, COSINE, -5, 5, 1), problem(smooth, COSINE, 1)
    plane = found.plane
    assert plane.names == ("$x_1$", "value") and plane.ylim[0] < -1 < 1 < plane.ylim[1]
    places = plane.places(cosine, [[0.5], [np.nan], [2.0]])
    np.testing.assert_allclose(places, [[0.5, np.cos(0.5)], [np.nan] * 2, [2.0, np.cos(2.0)]])
    (top,) = (p.x for p in plane.critical_points if p.kind == "maximizer")
    np.testing.assert_allclose(top, [0, 1], atol=1e-9)
    assert survey(smooth, SIGMOID, -801, -799, 1).plane.ylim == (-1, 1)


def test_equal_seeds_give_equal_surveys():
    again = ensembles.survey(problem(smooth, CAMEL), -2.3, 2.3)
    assert str(again) == str(survey(smooth, CAMEL, -2.3, 2.3))
