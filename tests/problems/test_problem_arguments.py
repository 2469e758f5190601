"""What a problem accepts, what it refuses, and what cannot be changed by accident."""

import dataclasses

import numpy as np
import pytest

from lib import problems
from lib.problems import critical_point

WELL = problems.double_well(0.3)
X = [1.0, -2.0]

SAME_POINT = {
    "tuple": (1, -2),
    "integers": np.array([1, -2]),
    "float32": np.array(X, dtype=np.float32),
    "strided": np.array([1.0, 9.0, -2.0, 9.0])[::2],
    "reversed": np.array([-2.0, 1.0])[::-1],
    "column": np.array([[1.0, 5.0], [-2.0, 5.0]])[:, 0],
    "big endian": np.array(X, dtype=">f8"),
    "read-only": np.broadcast_to(np.array(X), (2,)),
}


@pytest.mark.parametrize("x", SAME_POINT.values(), ids=SAME_POINT)
def test_any_array_of_numbers_will_do(x):
    assert WELL.value(x) == WELL.value(X)
    np.testing.assert_array_equal(WELL.gradient(x), WELL.gradient(X))
    np.testing.assert_array_equal(WELL.hvp(x, x), WELL.hvp(X, X))
    np.testing.assert_array_equal(WELL.hessian(x), WELL.hessian(X))


@pytest.mark.parametrize("shape", [(2,), (5, 2), (3, 4, 2), (0, 2), (2, 0, 2)])
def test_value_takes_arrays_of_points(shape):
    points = np.random.default_rng(0).standard_normal(shape)
    values = WELL.value(points)
    assert np.shape(values) == shape[:-1]
    for index in np.ndindex(shape[:-1]):
        assert np.asarray(values)[index] == WELL.value(points[index])


def test_value_takes_any_memory_layout():
    points = np.random.default_rng(0).standard_normal((2, 6, 5)).T
    np.testing.assert_array_equal(WELL.value(points), WELL.value(points.copy()))


@pytest.mark.parametrize("x", [1.0, [1.0], [1.0, 2.0, 3.0], [[1.0, 2.0, 3.0]]])
def test_value_refuses_other_dimensions(x):
    with pytest.raises(ValueError, match="x must have 2 entries along its last axis"):
        WELL.value(x)


@pytest.mark.parametrize("method", ["gradient", "hessian"])
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([1.0], ValueError, r"x must have shape \(2,\)"),
        ([[1.0, 2.0]], ValueError, r"x must have shape \(2,\)"),
        ([np.nan, 0.0], ValueError, r"x must be finite; entry \(0,\) is nan"),
        ([0.0, -np.inf], ValueError, r"x must be finite; entry \(1,\) is -inf"),
        (["a", "b"], TypeError, "x must be an array of real numbers"),
        ([1j, 0.0], TypeError, "x must be an array of real numbers"),
        (None, TypeError, "x must be an array of real numbers"),
        ([[1.0], [2.0, 3.0]], TypeError, "x must be an array of real numbers"),
    ],
)
def test_bad_points_are_named(method, x, error, message):
    with pytest.raises(error, match=message):
        getattr(WELL, method)(x)


def test_hvp_names_the_direction():
    with pytest.raises(ValueError, match=r"v must have shape \(2,\)"):
        WELL.hvp(X, [1.0])
    with pytest.raises(ValueError, match="v must be finite"):
        WELL.hvp(X, [np.nan, 1.0])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: problems.quadratic_saddle([1.0, 0.0]), ValueError, "eigenvalues must all be"),
        (lambda: problems.quadratic_saddle([]), ValueError, "eigenvalues must be a one-dim"),
        (lambda: problems.quadratic_saddle([[1.0]]), ValueError, "eigenvalues must be a one-dim"),
        (lambda: problems.quadratic_saddle([np.inf]), ValueError, "eigenvalues must be finite"),
        (lambda: problems.quadratic_saddle("no"), TypeError, "eigenvalues must be an array"),
        (lambda: problems.double_well(np.nan), ValueError, "rotation must be a finite number"),
        (lambda: problems.double_well(None), TypeError, "rotation must be a number"),
        (lambda: problems.egg_carton(0), ValueError, "dimension must be .* at least 1 and at mo"),
        (lambda: problems.egg_carton(7), ValueError, "dimension must be .* at most 6"),
        (lambda: problems.egg_carton(2.0), TypeError, "dimension must be a whole number"),
        (lambda: problems.curved_saddle(np.inf), ValueError, "beta must be a finite number"),
        (lambda: problems.curved_saddle(1e-80), ValueError, "beta must be 0 or of a size from"),
        (lambda: problems.curved_saddle(-1e200), ValueError, "beta must be 0 or of a size from"),
        (lambda: problems.degenerate_saddle(1), ValueError, "power must be .* at least 2"),
        (lambda: problems.degenerate_saddle(13), ValueError, "power must be .* at most 12"),
        (lambda: problems.degenerate_saddle(2.5), TypeError, "power must be a whole number"),
        (lambda: problems.saddle_ladder(0), ValueError, "dimension must be .* at least 1"),
        (lambda: problems.saddle_ladder(11), ValueError, "dimension must be .* at most 10"),
        (lambda: problems.saddle_ladder(3, 0.0), ValueError, "smoothness must be .* above 0"),
        (lambda: problems.saddle_ladder(3, 1.0, -1.0), ValueError, "gamma must be .* above 0"),
        (lambda: critical_point([0.0], "valley", 0.0), ValueError, "kind must be one of"),
    ],
)
def test_constructors_name_what_is_wrong(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_problems_cannot_be_changed_by_accident():
    with pytest.raises(dataclasses.FrozenInstanceError):
        WELL.dimension = 3
    with pytest.raises(ValueError, match="read-only"):
        WELL.parameters[0] = 2.0
    with pytest.raises(ValueError, match="read-only"):
        WELL.critical_points[0].x[0] = 2.0


@pytest.mark.parametrize("name", problems.CATALOGUE)
def test_every_problem_introduces_itself(name):
    problem = problems.CATALOGUE[name]()
    assert problem.name in repr(problem)
    assert problem.formula
    assert all(known.x.shape == (problem.dimension,) for known in problem.critical_points)
    assert all(np.isfinite(known.value) for known in problem.critical_points)
