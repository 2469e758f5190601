"""Known critical points, their kinds, and the constants that the problems state."""

import math

import numpy as np
import pytest

from lib import curvature, problems

CASES = [
    problems.quadratic_saddle(),
    problems.quadratic_saddle([1.0, 2.0]),
    problems.quadratic_saddle([-1.0, -0.1, -5.0]),
    problems.double_well(),
    problems.double_well(0.3),
    problems.egg_carton(1),
    problems.egg_carton(3),
    *[problems.curved_saddle(b) for b in (0.0, 0.2, -0.2, 0.45, 0.5, -0.5, 0.7, -3.0)],
    problems.step_size_counterexample(),
    problems.degenerate_saddle(2),
    problems.degenerate_saddle(3),
    problems.degenerate_saddle(5),
    problems.monkey_saddle(),
    problems.saddle_ladder(1),
    problems.saddle_ladder(4, smoothness=2.0, gamma=0.7),
    problems.saddle_line(),
]


def newton(problem, x):
    """Follow Newton's method for the gradient, with steps of at most 0.3."""
    for _ in range(100):
        gradient = problem.gradient(x)
        if np.abs(gradient).max() < 1e-13:
            break
        step = np.linalg.lstsq(problem.hessian(x), gradient, rcond=None)[0]
        x = x - step * min(1.0, 0.3 / np.abs(step).max())
    return x


def zeros_of_the_gradient(problem, box, n):
    """Search for critical points from many starts, independently of the listed ones."""
    found = []
    for start in np.random.default_rng(0).uniform(-box, box, (n, problem.dimension)):
        x = newton(problem, start)
        if np.abs(problem.gradient(x)).max() < 1e-12 and np.abs(x).max() <= box:
            if all(np.abs(x - y).max() > 1e-5 for y in found):
                found.append(x)
    return found


@pytest.mark.parametrize("problem", CASES, ids=lambda p: f"{p.name} {p.parameters}")
def test_listed_points_are_what_they_are_said_to_be(problem):
    assert problem.critical_points
    for known in problem.critical_points:
        assert np.abs(problem.gradient(known.x)).max() < 1e-14
        assert problem.value(known.x) == pytest.approx(known.value, abs=1e-14)
        assert curvature.classify(problem, known.x).kind == known.kind


@pytest.mark.parametrize("power", [4, 6, 12])
def test_flat_bowl_is_a_minimizer_that_the_hessian_does_not_see(power):
    problem = problems.degenerate_saddle(power)
    (origin,) = problem.critical_points
    assert origin.kind == "minimizer"
    assert curvature.classify(problem, origin.x).kind == "degenerate"
    around = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    assert (problem.value(around) > 0).all()


@pytest.mark.parametrize("power", [3, 5])
def test_degenerate_saddle_is_no_minimizer(power):
    problem = problems.degenerate_saddle(power)
    assert problem.value([0.0, -0.01]) < 0 < problem.value([0.0, 0.01])


@pytest.mark.parametrize("beta", [0.0, 0.3, -0.3, 0.45, 0.8, -2.0])
def test_curved_saddle_lists_all_critical_points(beta):
    problem = problems.curved_saddle(beta)
    found = zeros_of_the_gradient(problem, box=4.0, n=300)
    assert len(found) == len(problem.critical_points) == (5 if 0 < abs(beta) < 0.5 else 3)
    for known in problem.critical_points:
        assert min(np.abs(known.x - x).max() for x in found) < 1e-9


def test_curved_saddle_is_unbounded_below():
    problem = problems.curved_saddle(0.5)
    assert problem.value([1e6, -2.0]) < -1e11


def test_ladder_of_two_has_no_further_critical_points():
    problem = problems.saddle_ladder(2)
    assert len(zeros_of_the_gradient(problem, 1.5, 400)) == len(problem.critical_points) == 7


def test_ladder_of_three_has_further_saddles_all_strict():
    problem = problems.saddle_ladder(3)
    found = zeros_of_the_gradient(problem, 1.3, 1500)
    listed = [known.x for known in problem.critical_points]
    extra = [x for x in found if min(np.abs(x - y).max() for y in listed) > 1e-5]
    kinds = {curvature.classify(problem, x).kind for x in extra}
    assert kinds == {"strict saddle"}
    heights = {round(float(problem.value(x)), 4) for x in extra}
    assert {0.0706, -0.1314} <= heights


@pytest.mark.parametrize(
    ("near", "height"), [((0, 0.37674, 0.22561), 0.0706), ((0, 0.48013, 0.99777), -0.1314)]
)
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_saddles_inside_the_gates(near, height, signs):
    problem = problems.saddle_ladder(3)
    start = np.array(near) * (1, *signs)
    x = newton(problem, start)
    np.testing.assert_allclose(x, start, atol=1e-5)
    assert problem.value(x) == pytest.approx(height, abs=5e-5)
    assert curvature.classify(problem, x).kind == "strict saddle"


def test_curvature_of_the_ladder_is_far_above_its_parameter():
    problem = problems.saddle_ladder(3)
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (4000, 3))
    spectrum = np.linalg.eigvalsh([problem.hessian(x) for x in points])
    assert -87 < spectrum.min() < -80
    assert 80 < spectrum.max() < 87


@pytest.mark.parametrize("problem", CASES, ids=lambda p: f"{p.name} {p.parameters}")
def test_smoothness_is_the_largest_curvature(problem):
    stated = problem.constants["smoothness"]
    rng = np.random.default_rng(0)
    if math.isinf(stated):
        far = 1000 * rng.uniform(0.5, 1, problem.dimension)
        assert np.abs(np.linalg.eigvalsh(problem.hessian(far))).max() > 100
    else:
        points = [rng.uniform(-6, 6, problem.dimension) for _ in range(200)]
        points += [known.x for known in problem.critical_points] + [np.ones(problem.dimension)]
        norms = [np.abs(np.linalg.eigvalsh(problem.hessian(x))).max() for x in points]
        assert max(norms) == pytest.approx(stated, rel=1e-12)


BOUNDED = [case for case in CASES if "infimum" in case.constants]


def test_bounded_problems():
    names = {problem.name for problem in BOUNDED}
    assert {"double well", "egg carton", "bowl", "saddle ladder, d = 4"} <= names
    assert [case.name for case in BOUNDED].count("quadratic saddle") == 1
    assert not {"curved saddle", "degenerate saddle", "monkey saddle", "line of saddles"} & names


@pytest.mark.parametrize("problem", BOUNDED, ids=lambda p: f"{p.name} {p.parameters}")
def test_infimum_is_the_value_at_a_minimizer_and_nothing_is_lower(problem):
    lowest = problem.constants["infimum"]
    known = [point.value for point in problem.critical_points if point.kind == "minimizer"]
    assert min(known) == lowest
    for box in (1.1, 2.0, 10.0):
        points = np.random.default_rng(0).uniform(-box, box, (4000, problem.dimension))
        assert problem.value(points).min() >= lowest


def test_line_of_saddles_is_one():
    problem = problems.saddle_line()
    for t in (-3.0, 0.0, 0.7):
        x = [0.5, t, 1 - t]
        assert np.abs(problem.gradient(x)).max() < 1e-14
        spectrum = curvature.classify(problem, x).eigenvalues
        np.testing.assert_allclose(spectrum, [-math.sqrt(8), 0, math.sqrt(8)], atol=1e-14)


def test_rotation_turns_the_double_well():
    turned, plain = problems.double_well(0.3), problems.double_well()
    c, s = math.cos(0.3), math.sin(0.3)
    points = np.random.default_rng(0).uniform(-2, 2, (20, 2))
    rotated = points @ np.array([[c, s], [-s, c]])
    np.testing.assert_allclose(turned.value(rotated), plain.value(points), atol=1e-13)
