"""Functions without a Lipschitz gradient: derivatives, bounds by the value, overflow."""

import math
from decimal import Decimal, getcontext

import numpy as np
import pytest
from scipy.optimize import brentq

from lib import curvature, optimizers, problems
from lib._jit import python_function

TINY = 1e-30


def quartic(z):
    return (z @ z) ** 2 / 4


def growth(L0, L1):
    def f(z):
        t = L1 * (z[0] if z[0].real >= 0 else -z[0])
        return L0 / L1**2 * (np.exp(t) - t - 1)

    return f


def decay(z):
    return np.exp(-z[0])


def rippled(z):
    return z[0] ** 2 * (2 + np.sin(z[0] ** 2))


def valley(z):
    return (z[0] * z[1] - 1) ** 2 / 2


CASES = {
    "quartic": (problems.quartic(), quartic, 3.0),
    "quartic in 4": (problems.quartic(4), quartic, 3.0),
    "growth": (problems.exponential_growth(), growth(1.0, 1.0), 6.0),
    "growth (0.5, 3)": (problems.exponential_growth(0.5, 3.0), growth(0.5, 3.0), 6.0),
    "decay": (problems.exponential_decay(), decay, 6.0),
    "rippled": (problems.rippled_parabola(), rippled, 6.0),
    "valley": (problems.product_valley(), valley, 3.0),
}


@pytest.fixture(params=CASES, scope="module")
def case(request):
    problem, reference, box = CASES[request.param]
    points = np.random.default_rng(2).uniform(-box, box, (40, problem.dimension))
    return problem, reference, points


def reference_gradient(reference, x):
    return np.array([reference(x + 1j * TINY * e).imag / TINY for e in np.eye(x.size)])


def differences(function, x, v, h=1e-5):
    return (function(x + h * v) - function(x - h * v)) / (2 * h)


def test_value(case):
    problem, reference, points = case
    wanted = [reference(x.astype(complex)).real for x in points]
    np.testing.assert_allclose(problem.value(points), wanted, rtol=1e-12, atol=1e-14)


def test_gradient(case):
    problem, reference, points = case
    for x in points:
        wanted = reference_gradient(reference, x)
        scale = 1 + np.abs(x).max() * np.abs(problem.hessian(x)).max()
        np.testing.assert_allclose(problem.gradient(x), wanted, rtol=1e-13, atol=2e-16 * scale)


def test_hvp(case):
    problem, reference, points = case
    for x, v in zip(points, points[::-1], strict=True):
        v = v / np.linalg.norm(v)
        wanted = differences(lambda y: reference_gradient(reference, y), x, v, 2e-6)
        scale = 1 + np.abs(problem.hessian(x)).max()
        np.testing.assert_allclose(problem.hvp(x, v), wanted, rtol=0, atol=2e-8 * scale)
        np.testing.assert_allclose(problem.hvp(x, -3 * v), -3 * problem.hvp(x, v), rtol=1e-14)


def test_kernels_take_complex_numbers(case):
    problem, reference, points = case
    gradient = python_function(problem.gradient_kernel)
    for x, v in zip(points[:5], points[5:10], strict=True):
        out = np.empty(x.size, dtype=complex)
        gradient(x + 1j * TINY * v, problem.parameters, out)
        np.testing.assert_allclose(out.imag / TINY, problem.hvp(x, v), rtol=1e-12, atol=1e-11)
        np.testing.assert_array_equal(out.real, problem.gradient(x))


@pytest.mark.parametrize("x", [-2.0, 0.01, 1.5])
def test_compiled_kernels_take_complex_numbers(x):
    problem = problems.exponential_growth(0.5, 3.0)
    assert curvature.check_derivatives(problem, [x], "complex_step", tol=1e-12).passed


def test_critical_points(case):
    problem, _, _ = case
    for known in problem.critical_points:
        assert np.abs(problem.gradient(known.x)).max() == 0.0
        assert problem.value(known.x) == known.value
        found = curvature.classify(problem, known.x).kind
        flat = problem.name in ("quartic", "product valley") and known.kind == "minimizer"
        assert found == ("degenerate" if flat else known.kind)


def test_infimum(case):
    problem, _, points = case
    assert problem.constants["infimum"] == 0.0
    assert (problem.value(10 * points) >= 0.0).all()


# --- bounds by the value --------------------------------------------------------------------


def third_norm(problem, x):
    """Norm of the third derivative in one coordinate."""
    h = 1e-6 * (1 + abs(x))
    return abs(problem.hvp([x + h], [1.0])[0] - problem.hvp([x - h], [1.0])[0]) / (2 * h)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_quartic_bounds_are_equalities(d):
    problem = problems.quartic(d)
    for x in np.random.default_rng(d).standard_normal((20, d)):
        t = problem.value(x)
        size = np.linalg.norm(x)
        norm = np.abs(np.linalg.eigvalsh(problem.hessian(x))).max()
        assert problem.rho1(t) == pytest.approx(norm, rel=1e-13)
        assert problem.rho1(t) == pytest.approx(3 * size**2, rel=1e-13)
        u = x / size
        cubic = differences(lambda y, u=u: u @ problem.hvp(y, u), x, u)
        assert problem.rho2(t) == pytest.approx(cubic, rel=1e-8)
        assert problem.rho2(t) == pytest.approx(6 * size, rel=1e-13)


def test_decay_bounds_are_equalities():
    problem = problems.exponential_decay()
    for x in np.linspace(-5, 30, 20):
        t = problem.value([x])
        assert problem.rho1(t) == problem.rho2(t) == problem.hessian([x]).item() == t
        assert third_norm(problem, x) == pytest.approx(t, rel=1e-5)


@pytest.mark.parametrize(("L0", "L1"), [(1.0, 1.0), (0.5, 3.0), (7.0, 0.2)])
def test_growth_is_extremal(L0, L1):
    problem = problems.exponential_growth(L0, L1)
    for x in np.linspace(-4, 4, 33) / L1:
        t, g, h = problem.value([x]), problem.gradient([x]).item(), problem.hessian([x]).item()
        assert h == pytest.approx(L0 + L1 * abs(g), rel=1e-14)
        # the gradient's inequality for the class, an equality here
        height = abs(g) / L1 - L0 / L1**2 * math.log1p(L1 * abs(g) / L0)
        assert height == pytest.approx(t, rel=1e-11, abs=1e-14)
        assert h <= problem.rho1(t) * (1 + 1e-14)
        if x != 0:
            assert third_norm(problem, x) <= problem.rho2(t) * (1 + 1e-5)
            assert third_norm(problem, x) == pytest.approx(L1 * h, rel=1e-5)
    far = 40.0 / L1
    assert problem.hessian([far]).item() == pytest.approx(
        problem.rho1(problem.value([far])), rel=1e-6
    )


def test_growth_is_accurate_near_its_minimizer():
    getcontext().prec = 60
    problem = problems.exponential_growth(0.5, 3.0)
    for x in (1e-150, 1e-12, 1e-5, 0.01, 0.2, 0.33, 0.34, 0.5, 2.0):
        z = 3 * Decimal(x)
        if x > 1e-100:
            wanted = (z.exp() - z - 1) / 18
        else:
            wanted = z * z / 36
        assert problem.value([x]) == pytest.approx(float(wanted), rel=2e-15)
        if x > 1e-100:
            slope = float((z.exp() - 1) / 6)
            assert problem.gradient([x]).item() == pytest.approx(slope, rel=2e-15)
            assert problem.gradient([-x]).item() == -problem.gradient([x]).item()


@pytest.mark.parametrize(("L0", "L1"), [(1e60, 1e-60), (1e-60, 1e60), (1e60, 1e60)])
def test_growth_at_the_ends_of_the_range(L0, L1):
    problem, unit = problems.exponential_growth(L0, L1), problems.exponential_growth()
    for z in (1e-3, 0.5, 3.0):
        wanted = L0 / L1**2 * unit.value([z])
        assert problem.value([z / L1]) == pytest.approx(wanted, rel=1e-13)
        assert problem.gradient([-z / L1]).item() == pytest.approx(
            L0 / L1 * unit.gradient([-z]).item(), rel=1e-13
        )
        assert problem.rho1(wanted) == pytest.approx(L0 * unit.rho1(unit.value([z])), rel=1e-13)
    assert problem.value([800.0 / L1]) == math.inf


def rippled_derivatives(x):
    """First three derivatives and the value, differentiated by hand in the variable s = x^2."""
    s = x**2
    one = 2 + np.sin(s) + s * np.cos(s)
    two = 2 * np.cos(s) - s * np.sin(s)
    three = -3 * np.sin(s) - s * np.cos(s)
    return 2 * x * one, 2 * one + 4 * s * two, 12 * x * two + 8 * x * s * three, s * (2 + np.sin(s))


def test_rippled_bounds_hold_and_the_first_is_sharp():
    problem = problems.rippled_parabola()
    x = np.linspace(-60, 60, 600_001)
    _, second, third, value = rippled_derivatives(x)
    rho1 = 6 + 10 * value + 4 * value**2
    assert [problem.rho1(t) for t in value[::50_000]] == pytest.approx(rho1[::50_000], rel=1e-14)
    ratio = np.abs(second) / rho1
    assert 0.997 < ratio.max() <= 1.0
    rho2 = np.sqrt(value) * (24 + 36 * value + 8 * value**2)
    assert [problem.rho2(t) for t in value[::50_000]] == pytest.approx(rho2[::50_000], rel=1e-14)
    assert (np.abs(third) <= rho2).all()
    assert np.abs(third[x != 0] / rho2[x != 0]).max() > 0.7


def test_rippled_curvature_is_unbounded_where_the_gradient_vanishes():
    problem = problems.rippled_parabola()

    def slope(x):
        return problem.gradient([x]).item()

    x = brentq(slope, 22.36, 22.40, xtol=1e-15)
    assert x == pytest.approx(22.38, abs=0.005)
    assert abs(slope(x)) < 1e-7
    assert abs(problem.hessian([x]).item()) == pytest.approx(1.0e6, rel=0.01)
    farther = brentq(slope, 223.6, 223.61, xtol=1e-15)
    assert abs(problem.hessian([farther]).item()) > 9e9


def test_valley_is_not_self_bounding():
    problem = problems.product_valley()
    for s in (1.0, 2.0, 10.0, 1024.0):
        assert problem.value([s, 1 / s]) == pytest.approx(0.0, abs=1e-30)
        spectrum = np.linalg.eigvalsh(problem.hessian([s, 1 / s]))
        np.testing.assert_allclose(spectrum, [0, s**2 + s**-2], rtol=1e-14, atol=1e-9)
    assert np.linalg.eigvalsh(problem.hessian([10, 0.1]))[-1] == pytest.approx(100.01, abs=1e-12)
    with pytest.raises(ValueError, match="product valley has none"):
        problem.rho1(0.0)


@pytest.mark.parametrize("name", ["quartic", "exponential_growth", "rippled_parabola"])
def test_bounds_do_not_decrease_and_start_at_the_infimum(name):
    problem = problems.CATALOGUE[name]()
    t = np.logspace(-8, 8, 40)
    for rho in (problem.rho1, problem.rho2):
        assert (np.diff([rho(s) for s in t]) > 0).all()
        assert rho(-1e-300) == rho(0.0) <= rho(t[0])


# --- the quartic has no safe step for all starts --------------------------------------------


def descend(problem, x, rate, n):
    for _ in range(n):
        x = x - rate * problem.gradient([x]).item()
        if abs(x) > 1e6:
            return math.inf
    return abs(x)


def test_safe_and_largest_step_of_the_quartic():
    problem = problems.quartic()
    assert 1 / problem.rho1(problem.value([10.0])) == pytest.approx(1 / 300, rel=1e-15)
    assert descend(problem, 10.0, 0.01999, 3000) < 1.0
    assert descend(problem, 10.0, 0.02001, 3000) == math.inf


@pytest.mark.parametrize(
    ("rate", "inside", "outside"), [(0.1, 4.468, 4.477), (0.01, 14.128, 14.156)]
)
def test_a_fixed_step_diverges_from_far_enough_out(rate, inside, outside):
    problem = problems.quartic()
    assert inside < math.sqrt(2 / rate) < outside
    assert descend(problem, inside, rate, 2000) < 1.0
    assert descend(problem, outside, rate, 2000) == math.inf


# --- overflow -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "x", "slope"),
    [
        (problems.exponential_growth(), 1e4, math.inf),
        (problems.exponential_growth(), -1e4, -math.inf),
        (problems.exponential_growth(2.0, 50.0), 1e300, math.inf),
        (problems.exponential_decay(), -1e4, -math.inf),
        (problems.rippled_parabola(), 1e200, math.inf),
        (problems.rippled_parabola(), -1e200, -math.inf),
        (problems.quartic(), 1e200, math.inf),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, where nothing is compiled
def test_overflow_is_infinite(problem, x, slope):
    assert problem.value([x]) == math.inf
    assert problem.gradient([x]).item() == slope
    assert not math.isfinite(problem.hessian([x]).item())


def test_decay_underflows_to_zero():
    problem = problems.exponential_decay()
    assert problem.value([1e4]) == problem.hessian([1e4]).item() == problem.rho1(0.0) == 0.0


def test_exponential_overflow_is_divergence():
    run = optimizers.gradient_descent(problems.exponential_growth(), [10.0], learning_rate=1.0)
    assert run.status == "diverged"
    assert np.isfinite(run.path).all()


# --- arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: problems.quartic(0), ValueError, "dimension must be a whole number at least 1"),
        (lambda: problems.quartic(1.5), TypeError, "dimension must be a whole number"),
        (lambda: problems.exponential_growth(0.0), ValueError, "L0 must be .* at least 1e-60"),
        (
            lambda: problems.exponential_growth(1.0, -1.0),
            ValueError,
            "L1 must be .* at least 1e-60",
        ),
        (lambda: problems.exponential_growth(1.0, 1e160), ValueError, "L1 must be .* at most 1e"),
        (lambda: problems.exponential_growth("1"), TypeError, "L0 must be a number"),
        (lambda: problems.exponential_growth(1.0, np.nan), ValueError, "L1 must be a finite"),
    ],
)
def test_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
