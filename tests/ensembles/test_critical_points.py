"""Critical points in a box: all of them where they are known, and their kinds."""

import numpy as np
import pytest
from numba import njit

from lib import ensembles, problems


@njit
def canyon(x):
    return x[0] ** 2 + 1e8 * (x[1] - x[0] ** 2) ** 2


@njit
def chain(x):
    a, b = x[:-1], x[1:]
    return np.sum(100 * (b - a * a) ** 2 + (1 - a) ** 2)


@njit
def plate(x):
    return max(0.0, x[0] ** 2 + x[1] ** 2 - 1.0) ** 2


@pytest.mark.parametrize(
    ("problem", "reach"),
    [
        (problems.double_well(), 2), (problems.himmelblau(), 5), (problems.egg_carton(2), 4),
        (problems.rosenbrock(2), 2), (problems.degenerate_saddle(3), 1),
        (problems.monkey_saddle(), 1), (problems.quartic(2), 1),
    ],
    ids=lambda value: getattr(value, "name", None),
)  # fmt: skip
def test_all_known_points_are_found(problem, reach):
    found = ensembles.find_critical_points(problem, -reach, reach)
    there = [p for p in problem.critical_points if np.abs(p.x).max() <= reach]
    assert len(found) == len(there)
    for known in there:
        (same,) = [p for p in found if np.linalg.norm(p.x - known.x) < 1e-3]
        assert same.kind == ("degenerate" if problem.name == "quartic" else known.kind)
        assert same.value == pytest.approx(known.value, abs=1e-9)
    assert [p.value for p in found] == sorted(p.value for p in found)


def test_a_canyon_has_one_point_and_not_its_floor():
    problem = problems.custom(canyon, dimension=2)
    (point,) = ensembles.find_critical_points(problem, -2, 2, n_starts=100)
    assert point.kind == "minimizer"
    np.testing.assert_allclose(point.x, 0, atol=1e-6)


def test_ten_dimensions():
    problem = problems.custom(chain, dimension=10)
    found = ensembles.find_critical_points(problem, -2, 2)
    lowest = found[0]
    np.testing.assert_allclose(lowest.x, 1, atol=1e-6)
    assert lowest.kind == "minimizer" and all(p.kind != "maximizer" for p in found)
    for point in found:
        assert np.linalg.norm(problem.gradient(point.x)) < 1e-4


def test_a_flat_region_gives_samples_of_it_and_no_more_than_a_hundred():
    found = ensembles.find_critical_points(problems.custom(plate, dimension=2), -2, 2)
    assert len(found) == 100
    assert {p.kind for p in found} == {"degenerate"}
    assert max(np.linalg.norm(p.x) for p in found) < 1.01


def test_points_outside_are_left_out_and_seeds_repeat():
    well = problems.double_well()
    one, again = (ensembles.find_critical_points(well, [-1, 0.5], [1, 2], seed=4) for _ in "12")
    assert [p.kind for p in one] == ["minimizer"]
    np.testing.assert_array_equal(one[0].x, again[0].x)


def test_too_many_coordinates_are_refused():
    with pytest.raises(ValueError, match="at most 100 coordinates"):
        ensembles.find_critical_points(problems.quartic(101), -1, 1)
