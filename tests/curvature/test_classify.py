"""Kinds of critical points, decided by eigenvalues."""

import dataclasses

import numpy as np
import pytest

from lib import problems
from lib.curvature import classify


@pytest.mark.parametrize(
    ("eigenvalues", "kind", "strict"),
    [
        ([1.0, 2.0], "minimizer", False),
        ([-3.0, 1.0], "strict saddle", True),
        ([-1.0, -2.0], "maximizer", True),
        ([1e-9, 1.0], "degenerate", False),
        ([-1e-9, 1.0], "degenerate", False),
        ([-1e-7, 1.0], "strict saddle", True),
        ([1e-7, 1.0], "minimizer", False),
        ([1e-7, 100.0], "degenerate", False),
        ([-1.0, 1e-9], "strict saddle", True),
        ([5.0], "minimizer", False),
    ],
)
def test_kinds(eigenvalues, kind, strict):
    problem = problems.quadratic_saddle(eigenvalues)
    found = classify(problem, np.zeros(problem.dimension))
    assert (found.kind, found.is_strict_saddle) == (kind, strict)
    np.testing.assert_allclose(found.eigenvalues, sorted(eigenvalues), rtol=1e-15)
    assert found.gradient_norm == 0.0


def test_not_critical():
    found = classify(problems.double_well(), [0.0, 0.5])
    assert (found.kind, found.is_strict_saddle) == ("not critical", False)
    assert found.gradient_norm == pytest.approx(0.375)


def test_tolerances_decide():
    well = problems.double_well()
    assert classify(well, [1e-3, 0.0]).kind == "not critical"
    assert classify(well, [1e-3, 0.0], gradient_tol=1e-2).kind == "strict saddle"
    shallow = problems.quadratic_saddle([-1e-4, 1.0])
    assert classify(shallow, [0.0, 0.0], eigenvalue_tol=1e-3).kind == "degenerate"


def test_result_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        classify(problems.double_well(), [0.0, 0.0]).kind = "minimizer"


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3, [0.0]), {}, TypeError, "problem must be a Problem"),
        ((problems.double_well(), [0.0]), {}, ValueError, r"x must have shape \(2,\)"),
        ((problems.double_well(), [0.0, np.nan]), {}, ValueError, "x must be finite"),
        ((problems.double_well(), [0.0, 1e200]), {}, ValueError, "Hessian is finite"),
        (
            (problems.double_well(), [0.0, 0.0]),
            {"gradient_tol": 0.0},
            ValueError,
            "gradient_tol must be a finite number above 0",
        ),
        (
            (problems.double_well(), [0.0, 0.0]),
            {"eigenvalue_tol": -1.0},
            ValueError,
            "eigenvalue_tol must be a finite number above 0",
        ),
    ],
)
def test_arguments_are_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        classify(*arguments, **options)
