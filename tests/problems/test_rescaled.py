"""A function in other units: against the chain rule, and the step that does not notice."""

import dataclasses

import numpy as np
import pytest

from lib import problems
from lib.curvature import classify
from lib.optimizers import gradient_descent, hessian_scaled
from lib.problems import rescaled

WELL = problems.double_well(0.3)
A = np.random.default_rng(0).standard_normal((7, 2))
LEAST = problems.least_squares(A, np.arange(7.0), l2=0.1)
X, V = np.array([0.7, -0.4]), np.array([-1.1, 0.3])


@pytest.mark.parametrize("problem", [WELL, LEAST], ids=lambda problem: problem.name)
@pytest.mark.parametrize("c", [3.7, [0.2, 30.0]])
def test_chain_rule(problem, c):
    new = rescaled(problem, c, 2.5)
    c = np.asarray(c)
    assert new.value(X) == pytest.approx(2.5 * problem.value(c * X), rel=1e-14)
    np.testing.assert_allclose(new.gradient(X), 2.5 * c * problem.gradient(c * X), rtol=1e-14)
    np.testing.assert_allclose(new.hvp(X, V), 2.5 * c * problem.hvp(c * X, c * V), rtol=1e-14)
    slope = np.empty(2, dtype=complex)
    new.gradient_kernel(X + 1e-30j * V, new.parameters, slope)
    np.testing.assert_allclose(slope.imag / 1e-30, new.hvp(X, V), rtol=1e-12)
    assert len(new.critical_points) == len(problem.critical_points) > 0
    for known in new.critical_points:
        assert classify(new, known.x).kind == known.kind
        assert known.value == pytest.approx(new.value(known.x), rel=1e-12)


def test_batches():
    c, batch = np.array([0.2, 30.0]), [3, 3, 5]
    new = rescaled(LEAST, c, 2.5)
    assert new.n_samples == 7
    wanted = 2.5 * LEAST.batch_value(c * X, batch)
    assert new.batch_value(X, batch) == pytest.approx(wanted, rel=1e-14)
    wanted = 2.5 * c * LEAST.batch_gradient(c * X, batch)
    np.testing.assert_allclose(new.batch_gradient(X, batch), wanted, rtol=1e-14)
    wanted = 2.5 * c * LEAST.batch_hvp(c * X, c * V, batch)
    np.testing.assert_allclose(new.batch_hvp(X, V, batch), wanted, rtol=1e-14)
    assert rescaled(WELL).batch_gradient_kernel is None and rescaled(WELL).n_samples == 0
    blind = dataclasses.replace(LEAST, batch_hvp_kernel=None)
    assert rescaled(blind).batch_hvp_kernel is None


def test_constants():
    known = {"smoothness": 3.0, "strong_convexity": 0.5, "hessian_lipschitz": 7.0, "infimum": -2.0}
    problem = dataclasses.replace(WELL, constants={**known, "radius": 1.0})
    assert rescaled(problem, 2.0, 3.0).constants == {
        "smoothness": 36.0,
        "strong_convexity": 6.0,
        "hessian_lipschitz": 168.0,
        "infimum": -6.0,
    }
    assert rescaled(problem, [2.0, 2.0], 3.0).constants == {"infimum": -6.0}
    for c, a in ((1e60, 1e60), (1e-60, 1e-60)):
        edge = rescaled(problem, c, a).constants
        assert edge["hessian_lipschitz"] == pytest.approx(7.0 * c**4, rel=1e-12)


def interpreted(problem):
    """Return the problem with kernels that make its runs plain Python: no loop is compiled."""
    return dataclasses.replace(
        problem,
        value_kernel=lambda *arguments: problem.value_kernel(*arguments),
        gradient_kernel=lambda *arguments: problem.gradient_kernel(*arguments),
        hvp_kernel=lambda *arguments: problem.hvp_kernel(*arguments),
    )


def test_scalar_units_change_no_bit_and_gradient_descent_notices_them():
    options = {"sigma": 0.0, "max_iter": 8, "tol": 0.0}
    here = hessian_scaled(interpreted(WELL), [1.0, 0.9], **options)
    for c, a in ((2.0**10, 1.0), (2.0**-7, 1.0), (1.0, 2.0**-20)):
        there = hessian_scaled(interpreted(rescaled(WELL, c, a)), here.path[0] / c, **options)
        np.testing.assert_array_equal(c * there.path, here.path)
    assert (here.trace["regime"][1:] == 0).all()
    skewed = np.array([1.0, 4.0])
    there = hessian_scaled(interpreted(rescaled(WELL, skewed)), here.path[0] / skewed, **options)
    assert np.abs(skewed * there.path - here.path).max() > 0.01
    slow = gradient_descent(interpreted(WELL), [1.0, 0.9], max_iter=8)
    fast = gradient_descent(interpreted(rescaled(WELL, 2.0)), slow.path[0] / 2.0, max_iter=8)
    assert np.abs(2.0 * fast.path - slow.path).max() > 0.1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((len,), TypeError, "problem must be a Problem"),
        ((WELL, 0.0), ValueError, "coordinates must be a finite number at least 1e-60"),
        ((WELL, 1e200), ValueError, "coordinates must be .* at most 1e.60; got 1e.200"),
        ((WELL, [1.0, -2.0]), ValueError, "coordinates must be .* at least 1e-60 .* got -2"),
        ((WELL, [1.0, 1e61]), ValueError, "coordinates must be .* at most 1e.60; got 1e.61"),
        ((WELL, [1.0]), ValueError, r"coordinates must have shape \(2,\)"),
        ((WELL, "mm"), TypeError, "coordinates must be a number"),
        ((WELL, [1.0, np.nan]), ValueError, "coordinates must be finite"),
        ((WELL, 1.0, -1.0), ValueError, "objective must be a finite number at least 1e-60"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        rescaled(*arguments)
