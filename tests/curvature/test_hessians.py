"""Whole Hessians, the Gauss-Newton matrix, and the check of hand-written derivatives."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from numba import njit
from scipy.sparse.linalg import eigsh, minres

from lib import problems
from lib.curvature.hessians import check_derivatives, gauss_newton, hessian, hessian_operator
from lib.problems import Problem

WELL = problems.double_well(0.3)
CARTON = problems.egg_carton(6)
SMOOTH = {
    "quadratic": problems.quadratic_saddle([2.0, 0.5, -3.0, 7.0]),
    "double well": WELL,
    "egg carton": CARTON,
    "counterexample": problems.step_size_counterexample(),
}
X = np.array([0.7, -1.3])


# A least-squares fit of an exponential, with its derivatives by hand: 1/2 sum (a exp(b t) - y)^2.

TIMES = np.linspace(0.0, 1.0, 7)
TARGETS = np.cos(3 * TIMES)


def jacobian(x):
    rise = np.exp(x[1] * TIMES)
    return np.stack([rise, x[0] * TIMES * rise], axis=1)


def residuals(x):
    return x[0] * np.exp(x[1] * TIMES) - TARGETS


def fit_value(x, p):
    return 0.5 * (residuals(x) ** 2).sum()


def fit_gradient(x, p, out):
    out[:] = jacobian(x).T @ residuals(x)


def fit_hvp(x, v, p, out):
    rise = np.exp(x[1] * TIMES)
    r = residuals(x)
    mixed, last = r @ (TIMES * rise), r @ (x[0] * TIMES**2 * rise)
    out[:] = jacobian(x).T @ (jacobian(x) @ v) + [mixed * v[1], mixed * v[0] + last * v[1]]


FIT = Problem(
    "exponential fit",
    2,
    fit_value,
    fit_gradient,
    fit_hvp,
    np.empty(0),
    data=SimpleNamespace(jacobian=jacobian),
)


# --- whole Hessians ---------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [WELL, FIT], ids=lambda problem: problem.name)
def test_methods_agree(problem):
    for x in np.random.default_rng(1).uniform(-1.5, 1.5, (5, problem.dimension)):
        exact = hessian(problem, x)
        np.testing.assert_array_equal(exact, problem.hessian(x))
        scale = 1 + np.abs(exact).max()
        for method, options, accuracy in (
            ("complex_step", {}, 1e-14),
            ("finite_difference", {}, 2e-9),
            ("finite_difference", {"scheme": "forward"}, 1e-6),
        ):
            found = hessian(problem, x, method, **options)
            np.testing.assert_array_equal(found, found.T)
            np.testing.assert_allclose(found, exact, rtol=0, atol=accuracy * scale)


def test_step_is_used():
    exact = hessian(CARTON, np.ones(6))
    wrong = hessian(CARTON, np.ones(6), "finite_difference", step=1e-2)
    np.testing.assert_allclose(wrong - exact, 1e-4 / 6 * np.cos(1.0) * np.eye(6), atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((len, X), {}, TypeError, "problem must be a Problem"),
        ((WELL, [1.0]), {}, ValueError, r"x must have shape \(2,\)"),
        ((WELL, X, "newton"), {}, ValueError, "method must be one of 'analytic'"),
        ((WELL, X), {"step": 0.1}, ValueError, "step must be None for"),
        ((WELL, X), {"scheme": "left"}, ValueError, "scheme must be one of"),
    ],
)
def test_bad_arguments_of_hessian(arguments, options, error, message):
    with pytest.raises(error, match=message):
        hessian(*arguments, **options)


# --- linear operator --------------------------------------------------------------------------


def test_operator_is_the_hessian():
    operator, matrix = hessian_operator(FIT, X), FIT.hessian(X)
    block = np.random.default_rng(0).normal(size=(2, 5))
    np.testing.assert_allclose(operator @ block, matrix @ block, rtol=1e-13)
    np.testing.assert_allclose(operator.T @ block[:, 0], matrix @ block[:, 0], rtol=1e-13)
    np.testing.assert_allclose(operator @ block[:, :1], matrix @ block[:, :1], rtol=1e-13)
    assert (operator.shape, operator.dtype) == ((2, 2), np.float64)


def test_scipys_solvers_take_the_operator():
    eigenvalues = np.r_[-2.0, np.linspace(1.0, 3.0, 49)]
    operator = hessian_operator(problems.quadratic_saddle(eigenvalues), np.zeros(50))
    assert eigsh(operator, 1, which="SA")[0] == pytest.approx(-2.0)
    b = np.arange(50.0)
    np.testing.assert_allclose(minres(operator, b, rtol=1e-12)[0], b / eigenvalues, rtol=1e-8)


def test_bad_arguments_of_the_operator():
    with pytest.raises(TypeError, match="problem must be a Problem"):
        hessian_operator(len, X)
    with pytest.raises(ValueError, match="x must be finite"):
        hessian_operator(WELL, [0.0, np.inf])
    with pytest.raises(ValueError, match="v must be finite"):
        hessian_operator(WELL, X) @ [np.nan, 0.0]
    with pytest.raises(ValueError, match="x must lie where the Hessian is finite"):
        hessian_operator(WELL, [0.0, 1e200]) @ [1.0, 1.0]


# --- Gauss-Newton -----------------------------------------------------------------------------


def test_gauss_newton():
    found = gauss_newton(FIT, X)
    columns = jacobian(X).T.tolist()
    wanted = [[sum(a * b for a, b in zip(u, w, strict=True)) for w in columns] for u in columns]
    np.testing.assert_allclose(found, wanted, rtol=1e-14)
    assert np.linalg.eigvalsh(found).min() > 0


def test_gauss_newton_is_the_hessian_where_the_residuals_vanish():
    def value(x, p):
        return 0.5 * ((x[0] * np.exp(x[1] * TIMES) - 2 * np.exp(0.5 * TIMES)) ** 2).sum()

    def gradient(x, p, out):
        out[:] = jacobian(x).T @ (x[0] * np.exp(x[1] * TIMES) - 2 * np.exp(0.5 * TIMES))

    exact = Problem("fit", 2, value, gradient, None, np.empty(0), data=FIT.data)
    at = [2.0, 0.5]
    np.testing.assert_allclose(
        gauss_newton(exact, at), hessian(exact, at, "complex_step"), rtol=1e-13
    )


def test_gauss_newton_needs_a_jacobian():
    with pytest.raises(ValueError, match="problem must be of least-squares type.*double well"):
        gauss_newton(WELL, X)
    with pytest.raises(ValueError, match="problem must be of least-squares type"):
        gauss_newton(dataclasses.replace(WELL, data={"rows": 1}), X)
    with pytest.raises(TypeError, match="problem must be a Problem"):
        gauss_newton(None, X)
    with pytest.raises(ValueError, match=r"x must have shape \(2,\)"):
        gauss_newton(FIT, [1.0, 2.0, 3.0])


# --- check of derivatives ---------------------------------------------------------------------


@pytest.mark.parametrize("name", SMOOTH)
def test_the_catalogue_passes(name):
    problem = SMOOTH[name]
    for x in np.random.default_rng(4).uniform(-1.5, 1.5, (5, problem.dimension)):
        found = check_derivatives(problem, x)
        assert found.passed
        assert max(found.gradient_error, found.hvp_error) < 1e-7


@pytest.mark.parametrize("problem", [WELL, FIT], ids=lambda problem: problem.name)
def test_complex_step_checks_to_the_last_digits(problem):
    x = np.random.default_rng(4).uniform(0.5, 1.5, problem.dimension)
    found = check_derivatives(problem, x, "complex_step", tol=1e-13)
    assert found.passed and found.gradient_error < 1e-14


def wrong_gradient(x, p, out):
    fit_gradient(x, p, out)
    out[1] *= 1.001


def wrong_hvp(x, v, p, out):
    out[:] = jacobian(x).T @ (jacobian(x) @ v)


@pytest.mark.parametrize("method", ["finite_difference", "complex_step"])
def test_mistakes_are_found(method):
    assert check_derivatives(FIT, X, method).passed
    found = check_derivatives(dataclasses.replace(FIT, gradient_kernel=wrong_gradient), X, method)
    assert not found.passed and 1e-5 < found.gradient_error < 1e-2
    found = check_derivatives(dataclasses.replace(FIT, hvp_kernel=wrong_hvp), X, method)
    assert not found.passed
    assert found.gradient_error < 1e-9 and found.hvp_error > 0.01


def test_error_is_what_the_docstring_says():
    scaled = dataclasses.replace(
        FIT, hvp_kernel=lambda x, v, p, out: (fit_hvp(x, v, p, out), out.__imul__(1.25))
    )
    found = check_derivatives(scaled, X, "complex_step")
    assert found.hvp_error == pytest.approx(0.2, rel=1e-9)
    assert not check_derivatives(scaled, X, tol=0.19).passed
    assert check_derivatives(scaled, X, tol=0.21).passed


@njit
def bent(x):
    return 0.5 * x[0] * abs(x[0]) + x[1] * x[1]


@njit
def bent_gradient(x):
    return abs(x[0]) + 0.0 * x[1], 2.0 * x[1]


@njit
def bent_hvp(x, v):
    return np.sign(x[0]) * v[0], 2.0 * v[1]


def test_functions_that_are_not_analytic_are_checked_by_differences():
    problem = problems.custom(bent, bent_gradient, 2, hvp=bent_hvp)
    assert check_derivatives(problem, X).passed
    # The abs of a complex number is real, so the complex step sees no slope in it.
    shown = hessian(problem, X, "complex_step")
    np.testing.assert_allclose(shown, [[0.0, 0.0], [0.0, 2.0]], atol=1e-14)
    with pytest.raises(ValueError, match="problem must have a value that takes complex"):
        check_derivatives(problem, X, "complex_step")


def test_infinite_derivatives_do_not_pass():
    def infinite(x, v, p, out):
        out[:] = np.nan

    found = check_derivatives(dataclasses.replace(FIT, hvp_kernel=infinite), X)
    assert not found.passed and np.isnan(found.hvp_error)


@pytest.mark.filterwarnings("error")
def test_overflow_does_not_pass():
    assert not check_derivatives(WELL, [0.0, 1e200]).passed


def test_directions_are_seeded():
    wrong = dataclasses.replace(FIT, hvp_kernel=wrong_hvp)
    first, again, other = (check_derivatives(wrong, X, seed=s).hvp_error for s in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((len, X), {}, TypeError, "problem must be a Problem"),
        ((WELL, [1.0]), {}, ValueError, r"x must have shape \(2,\)"),
        ((WELL, X, "analytic"), {}, ValueError, "method must be one of 'finite_difference'"),
        ((WELL, X), {"n_directions": 0}, ValueError, "n_directions must be .* at least 1"),
        ((WELL, X), {"tol": 0.0}, ValueError, "tol must be a finite number above 0"),
        ((WELL, X), {"seed": -1}, ValueError, "seed must be a whole number at least 0"),
    ],
)
def test_bad_arguments_of_the_check(arguments, options, error, message):
    with pytest.raises(error, match=message):
        check_derivatives(*arguments, **options)
