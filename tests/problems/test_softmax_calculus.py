"""Formulas around softmax, bounds for the two-layer regression, and its smallest example."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq

from lib import problems
from lib.problems.softmax_calculus import (
    activation_radius,
    critical_weight,
    cumulant,
    data_hessian,
    family_lipschitz_bound,
    gradient_lipschitz_bound,
    hessian_lipschitz_bound,
    kink_jump,
    sigmoid_example,
    signed_decomposition,
    softmax,
    softmax_jacobian,
    sufficient_weight,
    third_cumulant_matrix,
    uniform_weight_bound,
)
from lib.problems.two_layer import UNITS, output_unit, two_layer_data, two_layer_regression

RNG = np.random.default_rng(0)


def random_law(n):
    """Return probabilities, some of them tiny, and a vector."""
    return softmax(3 * RNG.standard_normal(n)), RNG.standard_normal(n) * RNG.choice([1, 10], n)


def regression(unit, weights=0.3, norms=(2.0, 2.0, 10.0), seed=0, shape=(20, 4, 8)):
    return two_layer_regression(*two_layer_data(*shape, norms=norms, seed=seed), weights, unit)


def least(matrix):
    return np.linalg.eigvalsh(matrix)[0]


# --- cumulants ------------------------------------------------------------------------------


def test_jacobian_is_the_derivative_and_the_covariance():
    for n in (1, 2, 7):
        u, v = RNG.standard_normal((2, n))
        f = softmax(u)
        J = softmax_jacobian(f)
        shares = np.exp(u[:, None] + 1e-30j * np.eye(n))
        np.testing.assert_allclose(J, (shares / shares.sum(axis=0)).imag / 1e-30, atol=1e-15)
        assert v @ J @ v == pytest.approx(f @ (v - f @ v) ** 2, abs=1e-14)
        np.testing.assert_allclose(J @ np.ones(n), 0, atol=1e-16)
        assert -1e-15 <= least(J) and np.linalg.norm(J, 2) <= 0.5 + 1e-15


def test_third_cumulant_identity():
    for _ in range(200):
        f, q = random_law(RNG.integers(2, 12))
        v = RNG.standard_normal(f.size)
        T = third_cumulant_matrix(f, q)
        wanted = f @ ((q - f @ q) * (v - f @ v) ** 2)
        assert v @ T @ v == pytest.approx(wanted, abs=1e-14 * np.abs(q).max() * (v @ v))
        np.testing.assert_array_equal(T, T.T)
        np.testing.assert_allclose(T @ np.ones(f.size), 0, atol=1e-14 * np.abs(q).max())


def test_cumulants_are_the_derivatives_of_log_sum_exp():
    f, q = random_law(5)
    v, w, p = RNG.standard_normal((3, 5))
    u = np.log(f)
    h = 1e-4
    assert cumulant(f, q) == pytest.approx((np.exp(u) @ q) / np.exp(u).sum(), rel=1e-14)
    for some in ((q,), (q, v), (q, v, w)):  # each further one is the derivative along its vector
        ahead, behind = (cumulant(softmax(u + t * p), *some) for t in (h, -h))
        assert cumulant(f, *some, p) == pytest.approx((ahead - behind) / (2 * h), rel=1e-5)


def test_cumulants_do_not_depend_on_the_order_and_give_the_matrices():
    f, q = random_law(6)
    v, w, p = RNG.standard_normal((3, 6))
    four = [q, v, w, p]
    wanted = cumulant(f, *four)
    for order in ((1, 0, 2, 3), (3, 2, 1, 0), (2, 3, 0, 1), (0, 2, 3, 1)):
        assert cumulant(f, *(four[i] for i in order)) == pytest.approx(wanted, rel=1e-9)
    assert cumulant(f, q + 3 * v, v, w) == pytest.approx(
        cumulant(f, q, v, w) + 3 * cumulant(f, v, v, w), rel=1e-9
    )
    assert cumulant(f, v, w) == pytest.approx(v @ softmax_jacobian(f) @ w, rel=1e-9)
    assert cumulant(f, q, v, w) == pytest.approx(v @ third_cumulant_matrix(f, q) @ w, rel=1e-9)
    assert cumulant([0.5, 0.5], *4 * [[-1.0, 1.0]]) == -2.0  # of a fair coin: 1 less 3


def test_third_cumulant_is_the_derivative_of_the_covariance():
    f, q = random_law(6)
    u = np.log(f)
    there, here = (softmax_jacobian(softmax(u + t * q)) for t in (1e-5, -1e-5))
    np.testing.assert_allclose(third_cumulant_matrix(f, q), (there - here) / 2e-5, atol=1e-8)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 12).flatmap(lambda n: arrays(float, (2, n), elements=st.floats(-50, 50))))
def test_signed_decomposition(numbers):
    f, q = softmax(numbers[0] / 5), numbers[1]
    scale = np.abs(q).max() + 1e-290
    Q, alpha, beta = signed_decomposition(f, q)
    assert Q == pytest.approx(np.abs(q - f @ q).max(), abs=1e-14 * scale)
    assert min(alpha.min(), beta.min()) >= 0
    np.testing.assert_allclose([alpha.sum(), beta.sum()], 1, atol=1e-13)
    T = third_cumulant_matrix(f, q)
    # Exercise: the error is of the order of the unit roundoff.
    difference = Q / 2 * (np.diag(beta) - np.outer(beta, beta))
    difference -= Q / 2 * (np.diag(alpha) - np.outer(alpha, alpha))
    np.testing.assert_allclose(difference, T, rtol=0, atol=1e-14 * scale)
    assert np.linalg.norm(T, 2) <= Q / 4 + 1e-14 * scale
    v = np.cos(np.arange(f.size))
    assert abs(v @ T @ v) <= Q * (v @ softmax_jacobian(f) @ v) + 1e-14 * scale


def test_error_of_the_signed_decomposition_for_moderate_numbers():
    worst = 0.0
    for _ in range(500):
        f, q = softmax(RNG.standard_normal(8)), RNG.standard_normal(8)
        Q, alpha, beta = signed_decomposition(f, q)
        other = Q / 2 * (softmax_jacobian(beta) - softmax_jacobian(alpha))
        worst = max(worst, np.abs(other - third_cumulant_matrix(f, q)).max())
    assert worst < 1e-14


def test_the_constant_one_quarter_is_sharp():
    f, q = [0.75, 0.25], [0.0, 1.0]
    T = third_cumulant_matrix(f, q)
    np.testing.assert_array_equal(T, 3 / 32 * np.array([[1, -1], [-1, 1]]))
    assert np.linalg.eigvalsh(T)[-1] == pytest.approx(3 / 16, rel=1e-15)
    assert signed_decomposition(f, q).Q == 0.75


def test_when_the_third_cumulant_vanishes():
    f, _ = random_law(5)
    assert np.abs(third_cumulant_matrix(f, np.full(5, 3.0))).max() < 1e-15
    np.testing.assert_array_equal(third_cumulant_matrix([0.5, 0.5], [0.0, 1.0]), np.zeros((2, 2)))
    assert np.abs(third_cumulant_matrix([0.5, 0.25, 0.25], [0.0, 1.0, 2.0])).max() > 0.01


def test_decomposition_of_a_constant():
    f = np.array([0.25, 0.75])
    Q, alpha, beta = signed_decomposition(f, [2.0, 2.0])
    assert Q == 0.0
    np.testing.assert_array_equal([alpha, beta], [f, f])


# --- the Hessian of the data ----------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_data_hessian(unit):
    problem = regression(unit)
    data = problem.data
    for x in RNG.standard_normal((5, 4)):
        B = data_hessian(problem, x)
        at = data.layers(x)
        J = softmax_jacobian(at.f)
        q = data.A2.T @ (at.slope * at.residual)
        wanted = J @ data.A2.T @ np.diag(at.bend) @ data.A2 @ J + third_cumulant_matrix(at.f, q)
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(B, wanted, rtol=0, atol=1e-14 * max(scale, 1))
        np.testing.assert_allclose(B @ np.ones(20), 0, atol=1e-15 * max(scale, 1) * 10)
        hessian = data.rows.T @ (B + np.diag(data.metric())) @ data.rows
        np.testing.assert_allclose(hessian, problem.hessian(x), atol=1e-12 * np.abs(hessian).max())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("b_norm", [1.0, 3.0, 10.0, 30.0])
def test_least_eigenvalue_crosses_zero_at_the_critical_weight(seed, b_norm):
    options = dict(norms=(2.0, 2.0, b_norm), seed=seed)
    problem = regression("relu", **options)
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((200, 4)) * rng.uniform(0, 4, (200, 1))
    x = max(points, key=lambda x: critical_weight(problem, x))
    critical = critical_weight(problem, x)
    assert 0 < critical <= -least(data_hessian(problem, x)) * (1 + 1e-12)
    assert critical < sufficient_weight(problem, x) < uniform_weight_bound(problem)
    eigenvalues = [
        least(regression("relu", (share * critical) ** 0.5, **options).hessian(x))
        for share in (0.5, 0.9, 1.0, 1.1, 2.0)
    ]
    assert eigenvalues[0] < eigenvalues[1] < -1e-4 * critical
    assert abs(eigenvalues[2]) < 1e-13 * max(1, critical)
    assert 1e-4 * critical < eigenvalues[3] < eigenvalues[4]


def test_critical_weight_grows_with_the_targets():
    x = [1.0, -1.0, 0.5, 0.0]
    weights = [
        critical_weight(regression("identity", norms=(2.0, 2.0, size)), x) for size in (10, 20, 40)
    ]
    assert np.diff(weights)[1] == pytest.approx(2 * np.diff(weights)[0], rel=1e-2)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("l", [0.0, 0.5])
def test_sufficient_weight_is_sufficient(unit, l):  # noqa: E741
    problem = regression(unit)
    data = problem.data
    ratios = []
    for x in RNG.standard_normal((60, 4)) * 2:
        at = data.layers(x)
        square = sufficient_weight(problem, x, l)
        concave = np.linalg.norm(data.A2, 2) ** 2 * max(0, -at.bend.min())
        least_squared = least(data.rows.T @ data.rows)
        wanted = (np.abs(at.centered).max() + concave) / 4 + l / least_squared
        assert square == pytest.approx(wanted, rel=1e-10)
        hessian = data.rows.T @ data_hessian(problem, x) @ data.rows
        hessian += square * data.rows.T @ data.rows
        assert least(hessian) >= l - 1e-12 * square
        ratios.append(square / max(critical_weight(problem, x), 1e-3 * square))
    if unit == "relu" and l == 0:
        assert np.median(ratios) > 2  # far from exact


@pytest.mark.parametrize("unit", UNITS)
def test_uniform_weight_is_enough_everywhere(unit):
    free = regression(unit)
    square = uniform_weight_bound(free, 0.3)
    problem = regression(unit, square**0.5)
    assert square == uniform_weight_bound(problem, 0.3)
    for size in (0.1, 1.0, 5.0, 30.0):
        for x in RNG.standard_normal((20, 4)) * size:
            assert sufficient_weight(free, x, 0.3) <= square
            assert least(problem.hessian(x)) >= 0.3


@pytest.mark.parametrize(("unit", "beta"), [("identity", 5.0), ("softplus", 2.0), ("tanh", 5.0)])
def test_uniform_weight_against_a_search_over_all_outputs(unit, beta):
    A1, A2, b = two_layer_data(9, 3, 4, norms=(3.0, 2.0, 3.0))
    problem = two_layer_regression(A1, A2, b - 1.0, 0.0, unit, beta)
    height, slope, bend = output_unit(np.linspace(-9, 9, 20001), unit, beta)
    deepest = max(0, max(-(slope**2 + (height - target) * bend).min() for target in b - 1.0))
    distance = max(np.linalg.norm(A2[:, i] - A2[:, k]) for i in range(9) for k in range(9))
    outputs = np.linalg.norm(A2, axis=0).max() + (unit == "softplus") * 2 * np.log(2) / beta
    first = distance * (outputs + np.linalg.norm(b - 1.0))
    wanted = (first + np.linalg.norm(A2, 2) ** 2 * deepest) / 4
    found = uniform_weight_bound(problem)
    if unit == "softplus":  # its bound drops a term that is positive
        wanted_most = first + np.linalg.norm(A2, 2) ** 2 * beta * max(0, (b - 1.0).max()) / 4
        assert wanted <= found <= wanted_most / 4
    else:
        assert found == pytest.approx(wanted, rel=1e-6)


def test_the_hypothesis_of_the_bound_can_hold_and_convexity_fail():
    # Half of (relu(3 p - 2) - 1)^2 has two strict minima with w^2 = 0.6 (test_two_layer.py).
    problem = two_layer_regression([[1.0], [0.0]], [[1.0, -2.0]], [1.0], 0.6**0.5, "relu")
    enough = [sufficient_weight(problem, [x], 0.1) for x in np.linspace(-10, 10, 801)]
    assert max(enough) <= 0.6 + 1e-12
    just_above = sufficient_weight(problem, [np.log(2) + 1e-9], 0.1)
    assert just_above == pytest.approx(0.6, abs=1e-8)


# --- Lipschitz constants --------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["identity", "softplus", "tanh"])
@pytest.mark.parametrize("b_norm", [1.0, 10.0])
def test_hessians_are_below_the_bound(unit, b_norm):
    arrays = two_layer_data(20, 4, 8, norms=(2.0, 2.0, b_norm))
    problem = two_layer_regression(*arrays, 0.3, unit, 3.0)
    data = problem.data
    bound = gradient_lipschitz_bound(problem)
    points = RNG.standard_normal((40, 4)) * RNG.uniform(0, 4, (40, 1))
    measured = max(np.linalg.norm(problem.hessian(x), 2) for x in points)
    assert measured < bound < 200 * measured
    if unit == "identity":
        residual = np.linalg.norm(data.A2, axis=0).max() + b_norm
        distance = max(np.linalg.norm(data.A2 - data.A2[:, [i]], axis=0).max() for i in range(20))
        wanted = 4 * (4 / 4 + distance * residual / 4 + 0.09)
        assert bound == pytest.approx(wanted, rel=1e-12)
    x = np.array([3.0, -2.0, 1.0, 4.0])
    for _ in range(20):  # one over the constant is a safe learning rate
        ahead = x - problem.gradient(x) / bound
        assert problem.value(ahead) < problem.value(x)
        x = ahead


@pytest.mark.parametrize("unit", ["softplus", "tanh"])
@pytest.mark.parametrize("target", [-20.0, -1.0, 0.0, 0.3, 3.0, 20.0])
def test_gradient_bound_covers_every_output(unit, target):
    """One column: the second layer cannot be left, and the bend alone is what the bound adds."""
    beta = 2.0
    height, slope, bend = output_unit(np.linspace(-8, 8, 20001), unit, beta)
    steepest = np.abs(slope**2 + (height - target) * bend).max()
    problem = two_layer_regression([[1.0]], [[2.0]], [target], 0.0, unit, beta)
    found = gradient_lipschitz_bound(problem)  # |A1| = 1, |A2| = 2, no two columns
    assert steepest <= found * (1 + 1e-6)
    if unit == "tanh":
        assert found == pytest.approx(steepest, rel=1e-6)
    else:
        assert found < 1.2 + 1.5 * steepest


def measured_lipschitz(problem, radius, draws=60):
    rng = np.random.default_rng(0)
    h = 1e-4
    found = 0.0
    for _ in range(draws):
        x, v = rng.standard_normal((2, problem.dimension))
        x *= radius * rng.uniform() ** (1 / problem.dimension) / np.linalg.norm(x)
        v /= np.linalg.norm(v)
        change = (problem.hessian(x + h * v) - problem.hessian(x - h * v)) / (2 * h)
        found = max(found, np.linalg.norm(change, 2))
    return found


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("R", [0.5, 1.0, 2.0, 4.0])
def test_measured_lipschitz_constant_is_below_the_bound(R, seed):
    problem = regression("identity", norms=(R, R, R), seed=seed)
    measured = measured_lipschitz(problem, R)
    inside = hessian_lipschitz_bound(problem, R)
    everywhere = hessian_lipschitz_bound(problem)
    assert 0 < measured < inside <= everywhere
    assert math.log10(everywhere) < family_lipschitz_bound(20, R)
    # Polynomial in R: no more than degree 5.
    doubled = hessian_lipschitz_bound(regression("identity", norms=(2 * R,) * 3, seed=seed))
    assert doubled / everywhere == pytest.approx(32, rel=1e-12)


def test_lipschitz_bound_of_a_small_ball():
    problem = regression("identity", norms=(0.5, 2.0, 3.0))
    center = np.array([1.0, 0.0, -1.0, 0.5])
    A1, A2, b = problem.data.rows, problem.data.A2, problem.data.b
    distance = max(np.linalg.norm(A2 - A2[:, [i]], axis=0).max() for i in range(20))
    for radius in (1e-9, 0.1, 1e9):
        residual = np.linalg.norm(A2 @ softmax(A1 @ center) - b) + radius / 2
        residual = min(residual, np.linalg.norm(A2, axis=0).max() + np.linalg.norm(b))
        wanted = 0.5**3 * (3 * 2**0.5 / 8 * 4 + 5 * 2**0.5 / 4 * distance * residual)
        found = hessian_lipschitz_bound(problem, radius, center)
        assert found == pytest.approx(wanted, rel=1e-10)
    assert hessian_lipschitz_bound(problem) == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("target", [-2.0, 0.0, 0.5, 3.0])
@pytest.mark.parametrize("beta", [0.5, 5.0, 50.0])
def test_lipschitz_bound_covers_softplus(beta, target):
    """The third derivative of one output's share of the loss, by differences."""
    A2 = np.array([[1.5, -1.0]])
    problem = two_layer_regression([[1.0], [-1.0]], A2, [target], 0.3, "softplus", beta)
    z = np.linspace(-1.0, 1.5, 200_001)
    height, slope, bend = output_unit(z, "softplus", beta)
    second = slope**2 + (height - target) * bend
    third = np.abs(np.diff(second)).max() / (z[1] - z[0])
    first, other = np.linalg.norm([1.0, -1.0]), np.linalg.norm(A2)
    found = hessian_lipschitz_bound(problem)
    least = first**3 * (3 * 2**0.5 / 8 * np.abs(second).max() * other**2 + third * other**3 / 8)
    assert least < found
    assert measured_lipschitz(problem, 3.0) < found
    if beta == 50.0:  # the term in beta^2 has the right order
        assert found < 5 * least


def test_constant_in_the_fourth_cumulant():
    # |k4(w, q, v, v)| <= c |qbar| |w| |v|^2 with c = sqrt(2)/2 + sqrt(2)/4 + sqrt(2)/2 = 1.77; two
    # equal atoms reach sqrt(2)/2.
    def ratio(f, w, q, v):
        size = np.abs(q - f @ q).max() * np.linalg.norm(w) * (v @ v)
        return abs(cumulant(f, w, q, v, v)) / size

    f = np.array([0.5, 0.5])
    unit = np.array([1.0, -1.0]) / 2**0.5
    assert ratio(f, unit, unit, unit) == pytest.approx(2**0.5 / 2, rel=1e-12)
    worst = 0.0
    for _ in range(2000):
        law = softmax(2 * RNG.standard_normal(4))
        w, q, v = RNG.standard_normal((3, 4))
        worst = max(worst, ratio(law, w, q, v))
    assert worst < 2**0.5 / 2 < 1.25 * 2**0.5


def test_bounds_of_the_family():
    wanted = {0.5: 5.2, 1: 15.0, 2: 54.1, 3: 119.2, 4: 210.4}
    for R, digits in wanted.items():
        assert family_lipschitz_bound(20, R) == pytest.approx(digits, abs=0.05)
    assert family_lipschitz_bound(1, 0) == 0.0


# --- kinks ----------------------------------------------------------------------------------


def on_a_kink(seed=0):
    """Return a regression with ReLU, a point where output 2 is zero, and a way across."""
    problem = regression("relu", seed=seed)
    A2 = problem.data.A2
    x, way = np.random.default_rng(seed).standard_normal((2, 4))
    ends = np.linspace(-6, 6, 200)
    signs = np.sign([problem.data.layers(x + t * way).z for t in ends])
    j = int(np.argmax((np.diff(signs, axis=0) != 0).any(axis=0)))
    k = int(np.argmax(np.diff(signs[:, j]) != 0))
    t = brentq(lambda t: problem.data.layers(x + t * way).z[j], ends[k], ends[k + 1], xtol=1e-15)
    assert A2[j].any()
    return problem, x + t * way, j


@pytest.mark.parametrize("seed", range(3))
def test_jump_of_the_gradient(seed):
    problem, x, j = on_a_kink(seed)
    jump = kink_jump(problem, x, j)
    uphill = -jump / problem.data.b[j]  # the gradient of z_j
    step = 1e-8 * uphill / np.linalg.norm(uphill)
    measured = problem.gradient(x + step) - problem.gradient(x - step)
    np.testing.assert_allclose(measured, jump, atol=1e-6 * np.abs(jump).max())
    # No Lipschitz constant: the quotient grows like one over the distance.
    quotients = [
        np.linalg.norm(problem.gradient(x + h * step) - problem.gradient(x - h * step)) / h
        for h in (100.0, 10.0, 1.0)
    ]
    np.testing.assert_allclose(np.array(quotients[1:]) / quotients[:-1], 10, rtol=1e-3)
    # The kink is concave: the slope uphill falls, because the target is positive.
    assert jump @ uphill < 0


def test_signs_do_not_change_inside_the_activation_radius():
    problem = regression("relu")
    for x in RNG.standard_normal((20, 4)):
        radius = activation_radius(problem, x)
        z = problem.data.layers(x).z
        rows = np.linalg.norm(problem.data.A2, axis=1)
        assert radius == pytest.approx((np.abs(z) / rows).min(), rel=1e-12)  # the norm of A1 is 2
        for v in RNG.standard_normal((20, 4)):
            inside = problem.data.layers(x + 0.999 * radius * v / np.linalg.norm(v)).z
            np.testing.assert_array_equal(np.sign(inside), np.sign(z))
    assert activation_radius(on_a_kink()[0], on_a_kink()[1]) < 1e-10
    silent = two_layer_regression(np.eye(2), np.zeros((1, 2)), [1.0], 1.0, "relu")
    assert activation_radius(silent, [1.0, 2.0]) == math.inf


# --- the smallest example -------------------------------------------------------------------


def slope(x, square, b=1.0):
    p = 1 / (1 + np.exp(-x))
    return (p - b) * p * (1 - p) + square * x


def curvature(x, square, b=1.0):
    p = 1 / (1 + np.exp(-x))
    return (p * (1 - p)) ** 2 + (p - b) * p * (1 - p) * (1 - 2 * p) + square


def test_sigmoid_example_is_what_it_says():
    problem = sigmoid_example(b=0.7, weight=0.4)
    for x in np.linspace(-9, 9, 61):
        p = 1 / (1 + np.exp(-x))
        assert problem.value([x]) == pytest.approx((p - 0.7) ** 2 / 2 + 0.08 * x**2, rel=1e-13)
        assert problem.gradient([x])[0] == pytest.approx(slope(x, 0.16, 0.7), abs=1e-14)
        assert problem.hessian([x])[0, 0] == pytest.approx(curvature(x, 0.16, 0.7), abs=1e-14)


def test_smallest_weight_that_makes_the_example_convex():
    problem = sigmoid_example()
    p = (9 - math.sqrt(33)) / 24
    worst = math.log(p / (1 - p))
    assert p == pytest.approx(0.135643, abs=1e-6)
    assert worst == pytest.approx(-1.85196, abs=1e-5)
    assert critical_weight(problem, [worst]) == pytest.approx(0.06010220, abs=1e-8)
    assert critical_weight(problem, [worst]) == pytest.approx(p * (1 - p) ** 2 * (1 - 3 * p))
    grid = np.linspace(-30, 30, 601)
    assert max(critical_weight(problem, [x]) for x in grid) <= 0.0601022 + 1e-8
    for factor, convex in ((0.999, False), (1.001, True)):
        other = sigmoid_example(weight=(0.0601022 * factor) ** 0.5)
        assert (other.hessian([worst])[0, 0] > 0) == convex


def test_local_constants_of_the_example():
    problem = sigmoid_example()
    minimizer = brentq(lambda x: problem.gradient([x])[0], 0, 2, xtol=1e-14)
    assert minimizer == pytest.approx(0.720543, abs=1e-6)
    l = problem.hessian([minimizer])[0, 0]  # noqa: E741
    assert l == pytest.approx(0.173364, abs=1e-6)
    grid = np.linspace(-30, 30, 600001)
    M = np.abs(curvature(grid + 1e-30j, 0.1).imag / 1e-30).max()
    assert M == pytest.approx(0.101012, abs=1e-6)
    assert M < hessian_lipschitz_bound(problem)
    assert 0.1 * l / M == pytest.approx(0.1716, abs=1e-4)
    assert 2 * l / (3 * M) == pytest.approx(1.144, abs=1e-3)


def test_unit_newton_steps_converge_from_everywhere():
    problem = sigmoid_example()
    starts = np.linspace(-30, 30, 6001)
    x = starts.copy()
    for _ in range(40):
        x = x - slope(x, 0.1) / curvature(x, 0.1)
    np.testing.assert_allclose(x, 0.720543, atol=1e-6)
    for x in starts[::1000]:  # the formulas are those of the problem
        for _ in range(40):
            x = x - problem.gradient([x])[0] / problem.hessian([x])[0, 0]
        assert x == pytest.approx(0.720543, abs=1e-6)


# --- arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", [softmax_jacobian, third_cumulant_matrix, signed_decomposition]
)
@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        ([0.5, 0.6], ValueError, "f must hold probabilities"),
        ([1.5, -0.5], ValueError, "f must hold probabilities"),
        ([[0.5, 0.5]], ValueError, "f must be a one-dimensional sequence"),
        ([np.nan, 1.0], ValueError, "f must be finite"),
        ("f", TypeError, "f must be an array of real numbers"),
    ],
)
def test_probabilities_are_checked(function, f, error, message):
    arguments = (f,) if function is softmax_jacobian else (f, [1.0, 2.0])
    with pytest.raises(error, match=message):
        function(*arguments)


def test_the_other_vector_is_checked():
    for function in (third_cumulant_matrix, signed_decomposition):
        with pytest.raises(ValueError, match=r"q must have shape \(2,\)"):
            function([0.5, 0.5], [1.0, 2.0, 3.0])
        with pytest.raises(ValueError, match="q must be finite"):
            function([0.5, 0.5], [1.0, np.inf])


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (data_hessian, ([0.0, 0.0],)),
        (critical_weight, ([0.0, 0.0],)),
        (sufficient_weight, ([0.0, 0.0],)),
        (uniform_weight_bound, ()),
        (gradient_lipschitz_bound, ()),
        (hessian_lipschitz_bound, ()),
        (activation_radius, ([0.0, 0.0],)),
        (kink_jump, ([0.0, 0.0], 0)),
    ],
)
def test_other_problems_are_refused(function, arguments):
    with pytest.raises(TypeError, match="must be a two-layer regression .* got double well"):
        function(problems.double_well(), *arguments)
    with pytest.raises(TypeError, match="must be a two-layer regression .* got int"):
        function(3, *arguments)


RELU, PLAIN = regression("relu"), regression("identity")
X = [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: data_hessian(PLAIN, [0.0]), ValueError, r"x must have shape \(4,\)"),
        (lambda: critical_weight(PLAIN, [0.0]), ValueError, r"x must have shape \(4,\)"),
        (lambda: sufficient_weight(PLAIN, X, -1), ValueError, "l must be .* at least 0"),
        (lambda: sufficient_weight(PLAIN, X, "1"), TypeError, "l must be a number"),
        (lambda: uniform_weight_bound(PLAIN, np.nan), ValueError, "l must be a finite number"),
        (lambda: hessian_lipschitz_bound(RELU), ValueError, "problem must have .* 'identity'"),
        (lambda: hessian_lipschitz_bound(PLAIN, 0), ValueError, "radius must be .* above 0"),
        (lambda: hessian_lipschitz_bound(PLAIN, 1, [0]), ValueError, r"center must have shape"),
        (lambda: kink_jump(PLAIN, X, 0), ValueError, "problem must have the unit 'relu'"),
        (lambda: kink_jump(RELU, X, 8), ValueError, "j must be a whole number .* at most 7"),
        (lambda: kink_jump(RELU, X, 1.0), TypeError, "j must be a whole number"),
        (lambda: family_lipschitz_bound(0, 1), ValueError, "n must be .* at least 1"),
        (lambda: family_lipschitz_bound(2, -1), ValueError, "R must be .* at least 0"),
        (lambda: gradient_lipschitz_bound(RELU), ValueError, "with 'relu' the gradient jumps"),
        (lambda: hessian_lipschitz_bound(PLAIN, [1, 2]), TypeError, "radius must be a number"),
        (lambda: cumulant([0.5, 0.5]), TypeError, "one to four vectors; got 0"),
        (lambda: cumulant([1.0], *5 * [[1.0]]), TypeError, "one to four vectors; got 5"),
        (lambda: cumulant([0.5, 0.6], [1, 2]), ValueError, "f must hold probabilities"),
        (lambda: cumulant([1.0], [1.0], [1, 2]), ValueError, r"vector 2 must have shape \(1,\)"),
        (lambda: sigmoid_example(b=np.inf), ValueError, "b must be a finite number"),
        (lambda: sigmoid_example(weight=-1), ValueError, "weight must be .* at least 0"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_rank_deficient_rows_are_refused():
    problem = two_layer_regression(np.ones((4, 2)), np.ones((1, 4)), [1.0], 1.0, "identity")
    for call in (critical_weight, sufficient_weight):
        with pytest.raises(ValueError, match="A1 must have full column rank"):
            call(problem, [0.0, 0.0])
    with pytest.raises(ValueError, match="A1 must have full column rank"):
        uniform_weight_bound(problem)
