"""A survey says in sentences what is wrong with a function, and nothing where nothing is."""

import dataclasses
import re

import numpy as np
import pytest
from numba import njit

from lib import ensembles, problems


@njit
def camel(x):
    return 2 * x[0] ** 2 - 1.05 * x[0] ** 4 + x[0] ** 6 / 6 + x[0] * x[1] + x[1] ** 2


@njit
def plate(x):
    return max(0.0, x[0] ** 2 + x[1] ** 2 - 1.0) ** 2


@njit
def slide(x):
    return x[0] ** 3 - 3 * x[0] + x[1] ** 2


@njit
def decay(x):
    return x[1] ** 2 - np.log(1 + x[0] ** 2)


@njit
def dice(x):
    return x[0] ** 2 + x[1] ** 2 + 1e-3 * np.random.normal()


@njit
def solver(x):
    return x[0] ** 2 + x[1] ** 2 + 1e-3 * np.sin(1e7 * x[0])


@njit
def canyon(x):
    return x[0] ** 2 + 1e8 * (x[1] - x[0] ** 2) ** 2


@njit
def steep_line(x):
    return 1e6 * (x[0] + x[1]) ** 2 + np.exp(-x[0] - 4)


@njit
def half_line(x):
    return np.log(x[0]) + x[1] ** 2


@njit
def nowhere(x):
    return np.sqrt(x[0] - 10.0)


@njit
def kink(x):
    return abs(x[0]) + x[1] ** 2


@njit
def cubes(x):
    return x[0] ** 4 + x[1] ** 2 + x[2] ** 2


@njit
def tilted(x):
    return np.exp(x[0]) + x[1]


@njit
def line(x):
    return np.cos(x[0])


def survey(function, reach, dimension=2):
    return ensembles.survey(problems.custom(function, dimension=dimension), -reach, reach)


def test_a_good_function_gets_no_remarks():
    found = survey(camel, 2.3)
    assert found.remarks == ()
    kinds = [p.kind for p in found.critical_points]
    assert kinds == ["minimizer"] * 3 + ["strict saddle"] * 2
    assert found.minimum.value == pytest.approx(0, abs=1e-12)
    eigenvalues = np.linalg.eigvalsh([[4, 1], [1, 2]])
    np.testing.assert_allclose(found.eigenvalues, eigenvalues, rtol=1e-6)
    assert found.condition_number == pytest.approx(eigenvalues[1] / eigenvalues[0], rel=1e-6)
    assert found.flat == 0 and found.noise < 1e-12
    assert sum(found.ends.values()) == 200
    assert 5 < found.largest_curvature < 100
    assert str(found).startswith("critical points found: 3 minimizer, 2 strict saddle\nlowest min")


@pytest.mark.parametrize(
    ("function", "reach", "said"),
    [
        (plate, 2, r"At \d\d % of the random points the gradient is zero"),
        (plate, 2, "share the lowest value: they are not isolated"),
        (slide, 3, "unbounded below"),
        (decay, 3, r"where the value is -\d+\.?\d* and still falls"),
        (dice, 2, "the value changes, by up to"),
        (solver, 2, r"jump about by 0\.000\d"),
        (canyon, 2, "badly scaled: its largest curvature is 1e\\+08 times"),
        (steep_line, 2, "narrow valley: across it the curvature is about .* times"),
        (half_line, 1, r"At \d+ of 1000 random points of the box the value is not a finite"),
        (nowhere, 2, "At none of 1000 random points"),
        (kink, 2, "runs end at a kink, where the slope jumps"),
        (tilted, 1, "No critical point was found in this box"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_may_go_wrong_is_said(function, reach, said):
    found = survey(function, reach)
    text = " ".join(str(found).split())
    assert re.search(said, text), text


def test_flat_share_is_the_area():
    assert survey(plate, 2).flat == pytest.approx(np.pi / 16, abs=0.04)


def test_noise_is_as_large_as_it_is():
    assert survey(solver, 2).noise == pytest.approx(1e-3 / np.sqrt(2), rel=0.5)


def test_a_wrong_gradient_is_noticed():
    wrong = dataclasses.replace(
        problems.double_well(), gradient_kernel=problems.egg_carton().gradient_kernel
    )
    assert any("not belong to the value" in r for r in ensembles.survey(wrong, -2, 2).remarks)


def test_the_plane_of_many_dimensions():
    found = survey(cubes, 1, 3)
    assert "In 3 dimensions" in found.remarks[-1]
    plane = found.plane
    assert plane.directions.shape == (2, 3)
    np.testing.assert_allclose(plane.directions @ plane.directions.T, np.eye(2), atol=1e-12)
    point = np.array([0.3, -0.2])
    np.testing.assert_allclose(plane.coordinates(plane.points(point)), point, atol=1e-12)
    heights = plane.heights(problems.custom(cubes, dimension=3))(np.zeros((4, 5, 2)))
    assert heights.shape == (4, 5)


def test_one_dimension_is_drawn_with_an_empty_second_axis():
    found = survey(line, 5, 1)
    assert found.plane.directions.tolist() == [[1.0], [0.0]]
    assert [round(float(p.x[0]), 4) for p in found.plane.critical_points if p.kind == "maximizer"]


def test_equal_seeds_give_equal_surveys():
    assert str(survey(camel, 2)) == str(survey(camel, 2))
