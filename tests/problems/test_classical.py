"""Rosenbrock, the hyperbola, Himmelblau and quadratics: derivatives, points and constants."""

import math

import numpy as np
import pytest

from lib import curvature
from lib.problems.classical import himmelblau, hyperbola, quadratic, rosenbrock

STEP = 1e-30
H = np.array([[2.0, 1.0, 0.0], [1.0, -3.0, 0.5], [0.0, 0.5, 1.0]])
LINEAR = np.array([1.0, -2.0, 0.5])

CASES = {
    "rosenbrock": (
        rosenbrock(),
        lambda z: 100 * (z[1] - z[0] ** 2) ** 2 + (1 - z[0]) ** 2,
    ),
    "rosenbrock 5": (
        rosenbrock(5),
        lambda z: (100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum(),
    ),
    "hyperbola": (hyperbola(), lambda z: np.sqrt(1 + z**2).sum()),
    "hyperbola 4": (hyperbola(4), lambda z: np.sqrt(1 + z**2).sum()),
    "himmelblau": (
        himmelblau(),
        lambda z: (z[0] ** 2 + z[1] - 11) ** 2 + (z[0] + z[1] ** 2 - 7) ** 2,
    ),
    "quadratic": (quadratic(H, LINEAR), lambda z: z @ H @ z / 2 - LINEAR @ z),
    "quadratic without b": (quadratic(H), lambda z: z @ H @ z / 2),
}


@pytest.fixture(params=CASES)
def case(request):
    problem, reference = CASES[request.param]
    return problem, reference, np.random.default_rng(1).uniform(-4, 4, (30, problem.dimension))


def slope(f, x, v):
    return np.imag(f(x + 1j * STEP * v)) / STEP


def test_value_and_gradient(case):
    problem, reference, points = case
    np.testing.assert_allclose(
        problem.value(points), [reference(x) for x in points], rtol=1e-12, atol=1e-12
    )
    for x in points:
        wanted = [slope(reference, x, e) for e in np.eye(x.size)]
        np.testing.assert_allclose(problem.gradient(x), wanted, rtol=1e-12, atol=1e-11)


def test_hvp_by_complex_step_and_differences(case):
    problem, _, points = case

    def gradient(z):
        out = np.empty(z.size, dtype=complex)
        problem.gradient_kernel(z, problem.parameters, out)
        return out

    for x, v in zip(points, points[::-1], strict=True):
        np.testing.assert_allclose(problem.hvp(x, v), slope(gradient, x, v), rtol=1e-11, atol=1e-9)
        h = 1e-6
        turn = (problem.gradient(x + h * v) - problem.gradient(x - h * v)) / (2 * h)
        scale = np.abs(problem.hessian(x)).max()
        np.testing.assert_allclose(problem.hvp(x, v), turn, rtol=0, atol=1e-6 * (1 + scale))
    x, v = points[:2]
    along = slope(lambda z: problem.value_kernel(z, problem.parameters), x, v)
    assert along == pytest.approx(problem.gradient(x) @ v, rel=1e-11)


def test_listed_points_are_what_they_are_said_to_be(case):
    problem, reference, _ = case
    for known in problem.critical_points:
        assert curvature.classify(problem, known.x).kind == known.kind
        np.testing.assert_allclose(problem.gradient(known.x), 0, atol=2e-13)
        assert known.value == pytest.approx(reference(known.x), abs=1e-13, rel=1e-13)
        assert problem.constants.get("infimum", -math.inf) <= known.value


# --- Rosenbrock -----------------------------------------------------------------------------


def test_rosenbrock_at_the_usual_start():
    problem = rosenbrock()
    assert problem.value([-1.2, 1.0]) == pytest.approx(24.2, rel=1e-14)
    np.testing.assert_allclose(problem.gradient([-1.2, 1.0]), [-215.6, -88.0], rtol=1e-14)
    np.testing.assert_allclose(
        problem.hessian([-1.2, 1.0]), [[1330.0, 480.0], [480.0, 200.0]], rtol=1e-14
    )


@pytest.mark.parametrize("d", [4, 5, 6, 7])
def test_rosenbrock_has_a_second_minimizer_from_four_dimensions_on(d):
    problem = rosenbrock(d)
    x = np.ones(d)
    x[0] = -1.0
    for _ in range(50):
        x = x - np.linalg.solve(problem.hessian(x), problem.gradient(x))
    assert np.abs(problem.gradient(x)).max() < 1e-11
    assert np.linalg.eigvalsh(problem.hessian(x))[0] > 0.1
    assert x[0] < -0.7 and 3.5 < problem.value(x) < 4.0


# --- hyperbola ------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [0.3, -0.9, 1.0, -1.1, 2.0, 10.0, 1e3])
def test_newton_maps_x_to_minus_its_cube(x):
    problem = hyperbola()
    step = problem.gradient([x])[0] / problem.hvp([x], [1.0])[0]
    assert x - step == pytest.approx(-(x**3), rel=1e-13, abs=1e-15)


def test_hyperbola_does_not_overflow():
    problem = hyperbola(2)
    x = np.array([1e200, -1e300])
    assert problem.value(x) == pytest.approx(1e300, rel=1e-15)
    np.testing.assert_allclose(problem.gradient(x), [1.0, -1.0], rtol=1e-15)
    np.testing.assert_array_equal(problem.hvp(x, np.ones(2)), [0.0, 0.0])


def test_constants_of_the_hyperbola():
    problem = hyperbola()
    line = np.linspace(-3, 3, 6001)
    bends = np.array([problem.hvp([t], [1.0])[0] for t in line])
    assert problem.constants["smoothness"] == bends.max() == 1.0
    steepest = np.abs(np.diff(bends)).max() / (line[1] - line[0])
    assert problem.constants["hessian_lipschitz"] == pytest.approx(steepest, rel=1e-5)
    assert problem.constants["infimum"] == 1.0 == problem.value([0.0])


# --- Himmelblau -----------------------------------------------------------------------------


def test_himmelblau_has_nine_critical_points():
    known = himmelblau().critical_points
    kinds = [point.kind for point in known]
    assert kinds == ["minimizer"] * 4 + ["strict saddle"] * 4 + ["maximizer"]
    assert known[0].x.tolist() == [3.0, 2.0] and known[0].value == 0.0
    # Near these points, four digits, say the tables that everybody copies.
    tables = [(3, 2), (-2.8051, 3.1313), (-3.7793, -3.2832), (3.5844, -1.8481)]
    np.testing.assert_allclose([point.x for point in known[:4]], tables, atol=5e-5)
    np.testing.assert_allclose(known[-1].x, [-0.2708, -0.9230], atol=5e-5)
    assert known[-1].value == pytest.approx(181.617, abs=5e-4)
    apart = np.array([[np.abs(a.x - b.x).max() for a in known] for b in known])
    assert apart[~np.eye(9, dtype=bool)].min() > 0.3
    for group in (known[:4], known[4:8]):
        angles = [math.atan2(point.x[1], point.x[0]) % (2 * math.pi) for point in group]
        assert angles == sorted(angles)


def test_himmelblau_lists_all_critical_points():
    problem = himmelblau()
    known = np.array([point.x for point in problem.critical_points])
    found = set()
    for x in np.random.default_rng(0).uniform(-6, 6, (100, 2)):
        for _ in range(40):
            step = np.linalg.lstsq(problem.hessian(x), problem.gradient(x), rcond=None)[0]
            x = x - step * min(1.0, 0.5 / np.abs(step).max()) if step.any() else x
        if np.abs(problem.gradient(x)).max() < 1e-10:
            distances = np.abs(known - x).max(axis=1)
            assert distances.min() < 1e-12
            found.add(int(distances.argmin()))
    assert found == set(range(9))


# --- quadratics -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matrix", "kind"),
    [
        ([[2.0, 1.0], [1.0, 3.0]], "minimizer"),
        ([[-2.0, 1.0], [1.0, -3.0]], "maximizer"),
        ([[1.0, 2.0], [2.0, 1.0]], "strict saddle"),
        ([[5.0]], "minimizer"),
    ],
)
def test_kind_of_a_quadratic(matrix, kind):
    b = np.arange(1.0, len(matrix) + 1)
    problem = quadratic(matrix, b)
    (known,) = problem.critical_points
    assert known.kind == kind
    np.testing.assert_allclose(known.x, np.linalg.inv(matrix) @ b, rtol=1e-13)
    spectrum = np.linalg.eigvalsh(matrix)
    assert problem.constants["smoothness"] == pytest.approx(np.abs(spectrum).max(), rel=1e-14)
    assert problem.constants["hessian_lipschitz"] == 0.0
    if kind == "minimizer":
        assert problem.constants["strong_convexity"] == pytest.approx(spectrum[0], rel=1e-13)
        assert problem.constants["infimum"] == known.value
    else:
        assert not {"strong_convexity", "infimum"} & set(problem.constants)
    np.testing.assert_allclose(problem.hessian(np.ones(len(matrix))), matrix, rtol=1e-15)


@pytest.mark.parametrize("matrix", [[[1.0, 1.0], [1.0, 1.0]], [[0.0]], np.diag([1.0, 0.0, -1.0])])
def test_singular_quadratics_list_no_critical_point(matrix):
    problem = quadratic(matrix)
    assert problem.critical_points == ()
    assert "strong_convexity" not in problem.constants


def test_largest_matrices():
    problem = quadratic([[1e308, 0.0], [0.0, 1.7e308]])
    assert problem.constants["smoothness"] == 1.7e308
    assert problem.hvp([0.0, 0.0], [1.0, 0.5]).tolist() == [1e308, 0.85e308]


def test_rounding_errors_in_the_matrix_are_evened_out():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    matrix = basis @ np.diag([1e-3, 0.1, 1, 2, 3, 10.0]) @ basis.T
    hessian = quadratic(matrix).hessian(np.zeros(6))
    np.testing.assert_array_equal(hessian, hessian.T)
    np.testing.assert_allclose(hessian, matrix, atol=1e-14)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: rosenbrock(1), ValueError, "dimension must be a whole number at least 2"),
        (lambda: rosenbrock(2.0), TypeError, "dimension must be a whole number"),
        (lambda: hyperbola(0), ValueError, "dimension must be a whole number at least 1"),
        (lambda: hyperbola("2"), TypeError, "dimension must be a whole number"),
        (lambda: quadratic([1.0, 2.0]), ValueError, "H must be a matrix"),
        (lambda: quadratic([[1.0, 2.0]]), ValueError, "H must be a symmetric matrix"),
        (
            lambda: quadratic([[1.0, 2.0], [2.1, 1.0]]),
            ValueError,
            r"H must .* \(0, 1\) is 2.0, but",
        ),
        (lambda: quadratic([[1.0]], [1e300]), ValueError, "linear must be small enough"),
        (lambda: quadratic([[1e-300]], [1e300]), ValueError, "linear must be small enough"),
        (lambda: quadratic([[np.nan]]), ValueError, "H must be finite"),
        (lambda: quadratic([["a"]]), TypeError, "H must be an array of real numbers"),
        (lambda: quadratic(H, [1.0]), ValueError, r"linear must have shape \(3,\)"),
        (lambda: quadratic(H, [1.0, 2.0, np.inf]), ValueError, "linear must be finite"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
