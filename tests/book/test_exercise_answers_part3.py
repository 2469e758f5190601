"""The numbers in the folded solutions of part 3, computed anew; each test names the label."""

import math

import numpy as np
import pytest
from numba import njit
from scipy.special import expit, fresnel

from lib import curvature, optimizers, problems


def direction(g, Hg, sigma, power=0):
    if g @ Hg > sigma * (g @ g):
        cosine = g @ Hg / np.sqrt((g @ g) * (Hg @ Hg))
        return -(cosine**power) * (g @ g) / (g @ Hg) * g, "SPC"
    return (-g / sigma, "LPC") if g @ Hg >= 0 else (-g, "NC")


def track(armijo, flag, alpha=1.0):
    while not armijo(alpha):
        alpha /= 2
    while flag == "NC" and alpha >= 1 and armijo(2 * alpha):
        alpha *= 2
    return alpha


def test_ex_hs_three_lengths():
    found = optimizers.scalings([1.0, 1.0], [1.0, 9.0])
    assert found.cg == pytest.approx(0.2)
    assert found.gm == pytest.approx(0.156174, abs=5e-7)
    assert found.mr == pytest.approx(0.121951, abs=5e-7)
    assert found.cosine == pytest.approx(0.780869, abs=5e-7)
    assert found.cg * found.cosine == pytest.approx(found.gm)


@pytest.mark.filterwarnings("error")
def test_ex_hs_algorithms():
    assert direction(np.array([1.0, 0.0]), np.zeros(2), 0.5)[1] == "LPC"
    assert direction(np.array([1.0, 0.0]), np.array([0.0, 3.0]), 0.5)[1] == "LPC"
    x, slope = 0.01, 0.01**3 - 0.01

    def f(x):
        return x**4 / 4 - x**2 / 2

    for rho in (1e-4, 0.1, 0.25, 0.4):

        def armijo(a, rho=rho):
            return f(x - a * slope) <= f(x) - rho * a * slope**2

        alpha = track(armijo, "NC")
        assert alpha == 128 and armijo(alpha) and not armijo(2 * alpha)
        run = optimizers.hessian_scaled(
            problems.double_well(), [0.0, 0.01], sufficient_decrease=rho, max_iter=1, tol=0
        )
        assert run.trace["alpha"][1] == 128 and run.trace["regime"][1] == 2
    assert x - 128 * slope == pytest.approx(1.29, abs=5e-4)
    assert track(lambda a: a < 0.3, "NC") == 0.25  # backward result is not lengthened again


@njit
def power_value(x, p):
    r = 0.0
    for i in range(x.size):
        r += x[i] * x[i]
    return r ** (p[0] / 2) / p[0]


@njit
def power_gradient(x, p):
    r = 0.0
    for i in range(x.size):
        r += x[i] * x[i]
    return r ** (p[0] / 2 - 1) * x


@pytest.mark.parametrize(("q", "limit"), [(2, 0.5), (4, 0.6019), (6, 0.6149)])
def test_ex_hs_powers(q, limit):
    f = problems.custom(power_value, power_gradient, dimension=3, parameters=[float(q)])
    factor, x = (q - 2) / (q - 1), np.array([3.0, -1.0, 2.0])
    for scaling in ("cg", "mr", "gm"):
        run = optimizers.hessian_scaled(f, x, scaling, sigma=0, max_iter=1, tol=0)
        assert run.x == pytest.approx(factor * x, abs=1e-5)
    exact = (q - 1) / q * (1 - factor**q)
    assert exact == pytest.approx(limit, abs=5e-5)
    g = f.gradient(x)
    s = 1 / ((q - 1) * np.linalg.norm(x) ** (q - 2))
    ratio = (f.value(x) - f.value(factor * x)) / (s * g @ g)
    assert ratio == pytest.approx(exact, rel=1e-9)
    if q > 2:  # at q = 2 the test is an equality that rounding decides
        for rho, alpha in ((exact - 1e-4, 1.0), (exact + 1e-4, 0.5)):
            run = optimizers.hessian_scaled(
                f, x, sigma=0, sufficient_decrease=rho, max_iter=1, tol=0
            )
            assert run.trace["alpha"][1] == alpha


def test_ex_hs_ratio():
    kappa = 9.0
    problem = problems.quadratic(np.diag([1.0, kappa]))

    def mr_ratio(g):
        x = g / [1.0, kappa]
        s = optimizers.scalings(g, g * [1.0, kappa]).mr
        return (problem.value(x) - problem.value(x - s * g)) / (s * g @ g)

    angles = np.linspace(0, np.pi / 2, 2001)
    ratios = [mr_ratio(np.array([math.cos(a), math.sin(a)])) for a in angles]
    assert min(ratios) == pytest.approx(0.5) and ratios[0] == pytest.approx(0.5)
    assert max(ratios) == pytest.approx(1 - 2 * kappa / (kappa + 1) ** 2, abs=1e-6)
    assert mr_ratio(np.array([math.sqrt(kappa), 1.0])) == pytest.approx(0.82)


def test_ex_hs_threshold():
    assert curvature.armijo_threshold(0.5, 0.25, 2.0) == 0.1875
    assert curvature.armijo_threshold(0.05, 0.25, 2.0) == pytest.approx(0.001875)
    for s, limit in ((0.5, 3), (0.25, 24)):  # along a ray with curvature 2: CG, and MR with slack
        for slope, passes in ((0.999 * limit, True), (1.001 * limit, False)):
            t = s * slope
            change = -slope * t + 2 * t**2 / 2 + 2 * t**3 / 6
            assert (change <= -0.25 * slope * t) == passes


def test_ex_hs_units():
    options = {"scaling": "cg", "max_iter": 60, "tol": 0}
    x0, b = np.array([-1.2, 1.0]), 1024
    valley, start = problems.himmelblau(), np.array([-0.5, -0.5])
    flags = optimizers.hessian_scaled(valley, start, sigma=100, max_iter=9).trace["regime"]
    for units, factor in (({"coordinates": 10.0}, 10**2), ({"objective": 1000.0}, 1000)):
        other = problems.rescaled(valley, **units)
        y0, sigma = start / units.get("coordinates", 1.0), 100 * factor
        run = optimizers.hessian_scaled(other, y0, sigma=sigma, nc_step=1 / factor, max_iter=9)
        assert np.array_equal(run.trace["regime"][1:], flags[1:]) and {0, 1, 2} <= set(flags[1:])
    here = optimizers.hessian_scaled(problems.rosenbrock(), x0, sigma=1e-3, **options)
    there = optimizers.hessian_scaled(
        problems.rescaled(problems.rosenbrock(), b), x0 / b, sigma=1e-3 * b**2, **options
    )
    assert (here.trace["regime"][1:] == 0).all()
    assert np.array_equal(here.path, b * there.path)


def test_ex_hs_relaxed():
    sigma, L2, rho, tau = 0.5, 2.0, 0.1, 1.5
    G = 6 * sigma**2 * (1 - tau / 2 - rho) / (tau**2 * L2)
    assert G == pytest.approx(0.05)

    def f(t, G):
        return -G * t + sigma * t**2 / 2 + L2 * t**3 / 6

    for factor, passes in ((0.999, True), (1.001, False)):
        s, slope = tau / sigma, factor * G
        assert (f(s * slope, slope) <= -rho * s * slope**2) == passes


def test_unit_step_check_yourself():
    curvatures = np.array([1.0, 9.0])
    problem = problems.quadratic(np.diag(curvatures))
    for angle in np.linspace(0.05, 1.5, 30):
        g = np.array([math.cos(angle), math.sin(angle)])
        found = optimizers.scalings(g, curvatures * g)
        for scaling, alpha in (("cg", 0.5), ("mr", 0.5 if found.cosine**2 > 0.8 else 1.0)):
            run = optimizers.hessian_scaled(
                problem, g / curvatures, scaling, sigma=0, sufficient_decrease=0.6, max_iter=1
            )
            assert run.trace["alpha"][1] == alpha
        for error, passes in ((0.501, True), (0.499, False)):  # an underestimate by about half
            x, s = g / curvatures, found.cg / error
            ratio = (problem.value(x) - problem.value(x - s * g)) / (s * g @ g)
            assert (ratio >= 1e-4) == passes


def test_unit_step_wild_function():
    """The constants in the fold on (A1), and (A1) where the cut-off varies."""
    w = np.linspace(0, 60, 600_001)
    slope = 24 * w**2 / (8 + w**3) ** 2
    bend = 8 * (48 * w - 12 * w**4) / (8 + w**3) ** 3
    u = np.exp(np.linspace(-20, 12, 2_000_001))
    q = np.sqrt(8 * np.pi) * fresnel(np.sqrt(2 * u / np.pi))[1] - 2 * np.sin(u) / np.sqrt(u)
    q1 = np.sin(u) / np.sqrt(u)
    q2 = np.sqrt(u) * np.cos(u) - q1 / 2
    assert slope.max() <= 0.42 and np.abs(bend).max() <= 0.57
    assert q.min() >= 0 and q.max() <= 2 + 2 * (1 - 1 / math.sqrt(math.pi)) < 2.9
    assert np.abs(q1).max() <= 1 and np.abs(q1 * q2).max() <= 1
    assert 0.25 + 0.57 * 2.9 + 0.42 + 1 / 0.73 <= 3.7
    assert 1 / (1 + math.exp(-1)) >= 0.73
    rng = np.random.default_rng(0)
    x, pick = rng.uniform(-8, -1, 100_000), rng.integers(0, u.size, 100_000)
    w, s = -1 - x, expit(-x)
    chi, c1 = w**3 / (8 + w**3), -24 * w**2 / (8 + w**3) ** 2
    c2 = 8 * (48 * w - 12 * w**4) / (8 + w**3) ** 3
    g = np.array([c1 * q[pick] - s, chi * q1[pick]])
    cross = c1 * q1[pick]
    Hg = np.array(
        [(s * (1 - s) + c2 * q[pick]) * g[0] + cross * g[1], cross * g[0] + chi * q2[pick] * g[1]]
    )
    ratio = np.hypot(*Hg) / np.hypot(*g)
    assert ratio.max() < 1.3


def test_ex_hs_worst_mr():
    steps = math.ceil(math.log(1e6) / -math.log(99 / 101))
    assert steps == 691
    bowl = problems.quadratic_saddle([1.0, 100.0])
    run = optimizers.hessian_scaled(
        bowl, [1.0, 0.1 / 100], "mr", sigma=0, max_iter=2000, tol=1e-6 * math.hypot(1.0, 0.1)
    )
    assert run.n_iter == 691
    factors = run.gradient_norms[1:] / run.gradient_norms[:-1]
    assert factors == pytest.approx(99 / 101, abs=1e-6)


def test_ex_hs_angle():
    t = np.linspace(0, np.pi / 2, 400_001)

    def growth(kappa, name):
        a, b, c = (np.cos(t) ** 2 + kappa**j * np.sin(t) ** 2 for j in (0, 1, 2))
        angle = np.arccos(np.minimum(1, b / np.sqrt(a * c)))
        return {"gm": 2 * np.sin(angle / 2), "cg": np.tan(angle)}[name].max()

    edge = {"gm": (2 + math.sqrt(3)) ** 2, "cg": (1 + math.sqrt(2)) ** 2}
    assert edge["gm"] == pytest.approx(13.93, abs=5e-3)
    assert edge["cg"] == pytest.approx(5.83, abs=5e-3)
    for name, kappa in edge.items():
        assert growth(0.999 * kappa, name) < 1 < growth(1.001 * kappa, name)
    assert growth(1e8, "gm") == pytest.approx(math.sqrt(2), abs=1e-3)
    assert growth(1e8, "gm") < math.sqrt(2)
    assert growth(100.0, "cg") == pytest.approx(99 / 20, rel=1e-6)


def test_ex_hs_kaczmarz():
    a, b = np.array([3.0, 4.0]), 10.0
    g = -b * a
    found = optimizers.scalings(g, a * (a @ g))
    assert found[:3] == pytest.approx([1 / 25] * 3)
    x = -found.mr * g
    assert x == pytest.approx([1.2, 1.6]) and a @ x == pytest.approx(b)
    rng = np.random.default_rng(0)
    A, e = rng.normal(size=(30, 4)) * rng.uniform(0.2, 3, size=(30, 1)), rng.normal(size=4)
    weight = (A**2).sum(axis=1)
    after = [(e - row * (row @ e) / (row @ row)) for row in A]
    mean = sum(w * (v @ v) for w, v in zip(weight, after, strict=True)) / weight.sum()
    assert mean == pytest.approx(e @ e - (A @ e) @ (A @ e) / weight.sum())
    assert mean <= (1 - np.linalg.eigvalsh(A.T @ A)[0] / weight.sum()) * (e @ e)


def test_ex_hs_open():
    L1, bend = 10.0, 0.10006
    H = np.diag([L1, -L1])
    g = np.sqrt([(1 + bend / L1) / 2, (1 - bend / L1) / 2])
    assert g @ H @ g == pytest.approx(bend) and np.linalg.norm(H @ g) == pytest.approx(L1)
    assert optimizers.scalings(g, H @ g).mr == pytest.approx(1.0006e-3, rel=1e-9)
    rng = np.random.default_rng(0)
    for _ in range(200):  # (a): same batch, exact data: no step up to CG increases the error
        B, e = rng.normal(size=(3, 5)), rng.normal(size=5)
        Hb = B.T @ B / 3
        found = optimizers.scalings(Hb @ e, Hb @ Hb @ e)
        for s in found[:3]:
            assert np.linalg.norm(e - s * Hb @ e) <= np.linalg.norm(e) * (1 + 1e-12)
        # (b): any mixture satisfies second-order descent
        g = Hb @ e
        p = -rng.uniform(found.mr, found.cg) * g
        assert p @ g + p @ Hb @ p <= 1e-12 * abs(p @ g)
    root = rng.normal(size=(6, 6))  # (d): H positive semidefinite
    P, g = root @ root.T, rng.normal(size=6)
    assert optimizers.scalings(g, P @ g).mr >= 1 / np.linalg.norm(P, 2)
