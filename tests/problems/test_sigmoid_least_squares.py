"""Sigmoid least squares against formulas on whole arrays."""

import math

import numpy as np
import pytest

from lib.problems.linear_models import sigmoid, sigmoid_slope
from lib.problems.sigmoid_least_squares import sigmoid_least_squares

STEP = 1e-30
N, D = 11, 3
RNG = np.random.default_rng(8)
A = 2 * RNG.standard_normal((N, D))
TARGETS = RNG.uniform(-0.2, 1.2, N)
STRENGTH = 0.05
PROBLEM = sigmoid_least_squares(A, TARGETS, STRENGTH)
POINTS = RNG.standard_normal((8, D)) * [[0.1], [0.5], [0.5], [1], [1], [2], [2], [4]]


def residuals(z):
    """Return all residuals, the regularizer's among them; half their squares make the function."""
    fit = (1 / (1 + np.exp(-(A @ z))) - TARGETS) / math.sqrt(N)
    return np.concatenate([fit, math.sqrt(2 * STRENGTH) * z / np.sqrt(1 + z**2)])


def reference(z):
    data = ((1 / (1 + np.exp(-(A @ z))) - TARGETS) ** 2 / 2).mean()
    return data + STRENGTH * (z**2 / (1 + z**2)).sum()


def by_complex_step(f, x, v):
    return np.imag(f(x + 1j * STEP * v)) / STEP


def complex_gradient(z):
    out = np.empty(D, dtype=complex)
    PROBLEM.gradient_kernel(z, PROBLEM.parameters, out)
    return out


def test_value_and_gradient():
    np.testing.assert_allclose(PROBLEM.value(POINTS), [reference(x) for x in POINTS], rtol=1e-13)
    for x in POINTS:
        assert PROBLEM.value(x) == pytest.approx((residuals(x) ** 2).sum() / 2, rel=1e-13)
        wanted = [by_complex_step(reference, x, e) for e in np.eye(D)]
        np.testing.assert_allclose(PROBLEM.gradient(x), wanted, rtol=1e-11, atol=1e-15)


def test_kernels_take_complex_numbers():
    for x, v in zip(POINTS, POINTS[::-1], strict=True):
        slope = by_complex_step(lambda z: PROBLEM.value_kernel(z, PROBLEM.parameters), x, v)
        assert slope == pytest.approx(PROBLEM.gradient(x) @ v, rel=1e-11)
        turn = by_complex_step(complex_gradient, x, v)
        np.testing.assert_allclose(PROBLEM.hvp(x, v), turn, rtol=1e-11, atol=1e-14)


def test_hvp_by_finite_differences():
    h = 1e-5
    for x, v in zip(POINTS, POINTS[::-1], strict=True):
        turn = (PROBLEM.gradient(x + h * v) - PROBLEM.gradient(x - h * v)) / (2 * h)
        np.testing.assert_allclose(PROBLEM.hvp(x, v), turn, rtol=1e-6, atol=1e-8)


def test_batches():
    x, v = POINTS[3], POINTS[4]
    assert PROBLEM.n_samples == N
    for batch in (np.arange(N), [4], [2, 2, 9]):
        rows = sigmoid_least_squares(A[batch], TARGETS[batch], STRENGTH)
        assert PROBLEM.batch_value(x, batch) == pytest.approx(rows.value(x), rel=1e-14)
        np.testing.assert_allclose(PROBLEM.batch_gradient(x, batch), rows.gradient(x), rtol=1e-12)
        np.testing.assert_allclose(PROBLEM.batch_hvp(x, v, batch), rows.hvp(x, v), rtol=1e-12)


def test_gauss_newton_matrix():
    for x in POINTS:
        jacobian = PROBLEM.data.jacobian(x)
        wanted = np.array([by_complex_step(residuals, x, e) for e in np.eye(D)]).T
        np.testing.assert_allclose(jacobian, wanted, rtol=1e-11, atol=1e-15)
        np.testing.assert_allclose(jacobian.T @ residuals(x), PROBLEM.gradient(x), rtol=1e-10)
    assert sigmoid_least_squares(A, TARGETS, 0.0).data.jacobian(POINTS[0]).shape == (N, D)
    saturated = PROBLEM.data.jacobian(np.full(D, 1e300))
    np.testing.assert_array_equal(saturated, np.zeros((N + D, D)))


def test_hessian_by_rows():
    for x in POINTS:
        weights, remainder = PROBLEM.data.parts(x)
        wanted = PROBLEM.hessian(x)
        np.testing.assert_allclose((A.T * weights) @ A + remainder, wanted, rtol=1e-10, atol=1e-15)
    np.testing.assert_array_equal(PROBLEM.data.targets, TARGETS)
    assert PROBLEM.data.metric() is None


def test_root_where_there_is_one():
    signs = np.where(A[:, 0] > 0, 1.0, 0.0)
    easy = sigmoid_least_squares(A, signs, STRENGTH)
    # Beyond the inflection each row curves downwards; at the origin every row curves upwards.
    root = easy.data.root(np.zeros(D))
    np.testing.assert_allclose(root.T @ root, easy.hessian(np.zeros(D)), rtol=1e-12, atol=1e-15)
    far = np.array([-3.0, 0.0, 0.0])
    assert easy.data.parts(far)[0].min() < 0
    with pytest.raises(ValueError, match="x must be where all rows and the penalty curve upwards"):
        easy.data.root(far)


@pytest.mark.parametrize("targets", [TARGETS, np.zeros(N), np.full(N, 3.0), np.full(N, -1.0)])
def test_constants_are_bounds(targets):
    problem = sigmoid_least_squares(A, targets, STRENGTH)
    rng = np.random.default_rng(9)
    for scale in (0.1, 1.0, 5.0):
        for x, step in rng.standard_normal((60, 2, D)) * [[scale], [0.1]]:
            hessian = problem.hessian(x)
            assert np.linalg.norm(hessian, 2) <= problem.constants["smoothness"]
            change = np.linalg.norm(problem.hessian(x + step) - hessian, 2)
            assert change <= problem.constants["hessian_lipschitz"] * np.linalg.norm(step)


@pytest.mark.parametrize("y", [0.0, 0.3, 1.0, 2.5])
def test_constants_are_sharp_for_one_row(y):
    line = np.linspace(-8, 8, 4001)
    h = line[1] - line[0]
    problem = sigmoid_least_squares([[1.0]], [y], 0.0)
    bends = np.array([problem.hvp([t], [1.0])[0] for t in line])
    assert problem.constants["smoothness"] == pytest.approx(np.abs(bends).max(), rel=1e-4)
    steepest = np.abs(np.diff(bends)).max() / h
    assert problem.constants["hessian_lipschitz"] == pytest.approx(steepest, rel=1e-4)


def test_constants_of_the_regularizer():
    line = np.linspace(-3, 3, 4001)
    problem = sigmoid_least_squares([[0.0]], [0.5], 1.0)  # the row is blind
    bends = np.array([problem.hvp([t], [1.0])[0] for t in line])
    assert problem.constants["smoothness"] == bends.max() == 2.0
    assert bends.min() == pytest.approx(-0.5, rel=1e-5)
    steepest = np.abs(np.diff(bends)).max() / (line[1] - line[0])
    assert problem.constants["hessian_lipschitz"] == pytest.approx(steepest, rel=1e-5)


@pytest.mark.filterwarnings("ignore:overflow")
def test_plateaus_are_flat_and_do_not_overflow():
    for scale in (1e4, 1e160, 1e300):
        x = scale * np.array([1.0, -1.0, 0.5])
        saturated = (A @ x > 0).astype(float)
        wanted = ((saturated - TARGETS) ** 2 / 2).mean() + STRENGTH * D
        assert PROBLEM.value(x) == pytest.approx(wanted, rel=1e-8)
        np.testing.assert_allclose(PROBLEM.gradient(x), 0, atol=1e-12)
        np.testing.assert_allclose(PROBLEM.hvp(x, np.ones(D)), 0, atol=1e-15)
    tiny = sigmoid_least_squares([[0.0]], [0.5], 1.0)
    assert tiny.value([1e-20]) == pytest.approx(1e-40, rel=1e-14)


def test_sigmoid_keeps_its_digits():
    t = np.linspace(-30, 30, 61)
    naive = 1 / (1 + np.exp(-t))
    np.testing.assert_allclose([sigmoid(s) for s in t], naive, rtol=1e-14)
    np.testing.assert_allclose([sigmoid_slope(s) for s in t], naive * naive[::-1], rtol=1e-14)
    assert (sigmoid(-800.0), sigmoid(800.0), sigmoid_slope(-800.0)) == (0.0, 1.0, 0.0)
    assert sigmoid(-700.0) == pytest.approx(math.exp(-700), rel=1e-13)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"A": [1.0]}, ValueError, "A must be a matrix"),
        ({"A": [[np.inf]] * N}, ValueError, "A must be finite"),
        ({"A": [[1e200]] * N}, ValueError, "A must be small enough"),
        ({"targets": TARGETS[1:]}, ValueError, "targets must have one entry per row of A, 11"),
        ({"targets": "no"}, TypeError, "targets must be an array of real numbers"),
        ({"regularization": -0.1}, ValueError, "regularization must be .* at least 0"),
        ({"regularization": None}, TypeError, "regularization must be a number"),
    ],
)
def test_bad_input_is_named(options, error, message):
    given = {"A": A, "targets": TARGETS, "regularization": STRENGTH}
    with pytest.raises(error, match=message):
        sigmoid_least_squares(**{**given, **options})
