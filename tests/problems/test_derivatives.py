"""Values, gradients and Hessian-vector products against independent complex-valued formulas."""

import numpy as np
import pytest

from lib import problems

STEP = 1e-30


# The reference formulas take complex entries. Im f(x + ihv) / h is then the slope along v to the
# last digits, because no difference is formed.


def quadratic(*eigenvalues):
    return lambda z: np.sum(np.array(eigenvalues) * z**2) / 2


def double_well(angle):
    c, s = np.cos(angle), np.sin(angle)

    def f(z):
        x, y = c * z[0] + s * z[1], c * z[1] - s * z[0]
        return x**2 / 2 + y**4 / 4 - y**2 / 2

    return f


def egg_carton(z):
    return np.cos(z).sum()


def curved(beta):
    return lambda z: z[0] ** 2 / 2 - z[1] ** 2 / 2 + z[1] ** 4 / 4 + beta * z[0] ** 2 * z[1]


def counterexample(z):
    t = z[1] if z[1].real >= 0 else -z[1]
    if t.real <= 1:
        h = -(t**2) / 2 + 5 * t**3 / 12
    elif t.real <= 4:
        h = -1 / 12 + (t - 1) / 4 + 3 * (t - 1) ** 2 / 4 - (t - 1) ** 3 / 36
    else:
        h = t**2 / 2 - 4 / 3
    return z[0] ** 2 / 2 + h


def power(p):
    return lambda z: z[0] ** 2 / 2 + z[1] ** p / p


def monkey(z):
    return z[0] * (z[0] ** 2 - 3 * z[1] ** 2)


def ladder(smoothness, gamma):
    def well(t):
        return gamma * (t**4 / 4 - t**2 / 2)

    def gate(t):
        t = t if t.real >= 0 else -t
        s = 4 * t - 1
        return 0 if s.real <= 0 else 1 if s.real >= 1 else 6 * s**5 - 15 * s**4 + 10 * s**3

    def f(z):
        total = well(z[0])
        for before, t in zip(z[:-1], z[1:], strict=True):
            total += (1 - gate(before)) * smoothness / 2 * t**2 + gate(before) * well(t)
        return total

    return f


def line(z):
    x, y, w = z
    return 2 * x * y + 2 * x * w - 2 * x - y - w


CASES = [
    ("quadratic_saddle", {}, quadratic(1.0, -1.0), 3.0),
    ("quadratic_saddle", {"eigenvalues": [2.0, 0.5, -3.0, 7.0]}, quadratic(2, 0.5, -3, 7), 3.0),
    ("double_well", {}, double_well(0.0), 2.5),
    ("double_well", {"rotation": 0.3}, double_well(0.3), 2.5),
    ("double_well", {"rotation": -2.0}, double_well(-2.0), 2.5),
    ("egg_carton", {}, egg_carton, 7.0),
    ("egg_carton", {"dimension": 1}, egg_carton, 7.0),
    ("egg_carton", {"dimension": 5}, egg_carton, 7.0),
    ("curved_saddle", {}, curved(0.5), 2.5),
    ("curved_saddle", {"beta": 0.0}, curved(0.0), 2.5),
    ("curved_saddle", {"beta": -1.7}, curved(-1.7), 2.5),
    ("step_size_counterexample", {}, counterexample, 6.0),
    ("degenerate_saddle", {"power": 2}, power(2), 2.0),
    ("degenerate_saddle", {}, power(3), 2.0),
    ("degenerate_saddle", {"power": 4}, power(4), 2.0),
    ("degenerate_saddle", {"power": 11}, power(11), 1.5),
    ("monkey_saddle", {}, monkey, 3.0),
    ("saddle_ladder", {"dimension": 1}, ladder(1.0, 1.0), 1.3),
    ("saddle_ladder", {}, ladder(1.0, 1.0), 1.3),
    ("saddle_ladder", {"dimension": 6, "smoothness": 3.0, "gamma": 0.5}, ladder(3.0, 0.5), 1.3),
    ("saddle_line", {}, line, 3.0),
]


@pytest.fixture(
    params=CASES, ids=lambda case: "-".join([case[0], *map(str, case[1].values())]), scope="module"
)
def case(request):
    name, options, reference, box = request.param
    problem = problems.CATALOGUE[name](**options)
    points = np.random.default_rng(1).uniform(-box, box, (60, problem.dimension))
    return problem, reference, points


def slope(reference, x, v):
    return reference(x + 1j * STEP * v).imag / STEP


def test_value(case):
    problem, reference, points = case
    wanted = [reference(x.astype(complex)).real for x in points]
    np.testing.assert_allclose(problem.value(points), wanted, rtol=1e-12, atol=1e-13)
    assert problem.value(points[0]) == problem.value(points)[0]


def test_gradient(case):
    problem, reference, points = case
    for x in points:
        wanted = [slope(reference, x, v) for v in np.eye(problem.dimension)]
        np.testing.assert_allclose(problem.gradient(x), wanted, rtol=1e-12, atol=1e-12)


def test_hvp_is_the_derivative_of_the_gradient(case):
    problem, reference, points = case
    h = 1e-5
    for x, v in zip(points, points[::-1], strict=True):
        measured = problem.hvp(x, v)
        along = np.array(
            [
                (slope(reference, x + h * v, e) - slope(reference, x - h * v, e)) / (2 * h)
                for e in np.eye(problem.dimension)
            ]
        )
        scale = 1 + np.abs(problem.hessian(x)).max()
        np.testing.assert_allclose(measured, along, rtol=0, atol=1e-7 * scale)


def test_hessian_is_symmetric_and_consistent(case):
    problem, _, points = case
    for x in points[:10]:
        hessian = problem.hessian(x)
        columns = np.array([problem.hvp(x, e) for e in np.eye(problem.dimension)])
        np.testing.assert_array_equal(hessian, hessian.T)
        np.testing.assert_allclose(columns, columns.T, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(hessian, columns, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(problem.hvp(x, 2.5 * x), hessian @ (2.5 * x), atol=1e-10)


def test_curvature_of_the_counterexample_is_piecewise_linear():
    problem = problems.step_size_counterexample()
    for y in np.linspace(-6, 6, 241):
        wanted = np.diag([1.0, np.interp(abs(y), [0, 1, 4], [-1, 1.5, 1])])
        np.testing.assert_allclose(problem.hessian([0.3, y]), wanted, atol=1e-14)
        if abs(y) >= 4:
            assert problem.gradient([0.3, y])[1] == y


@pytest.mark.parametrize("edge", [0.25, 0.5, -0.25, -0.5])
def test_gates_join_smoothly(edge):
    problem = problems.saddle_ladder(2)
    below, above = [edge - 1e-9, 0.8], [edge + 1e-9, 0.8]
    assert problem.value(above) == pytest.approx(problem.value(below), abs=1e-8)
    np.testing.assert_allclose(problem.gradient(above), problem.gradient(below), atol=1e-7)
    np.testing.assert_allclose(problem.hessian(above), problem.hessian(below), atol=1e-5)
