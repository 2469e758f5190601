"""The numbers in the folded solutions of part 4, computed anew; each test names the label."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from lib import curvature, optimizers
from lib.problems import softmax_calculus as calculus
from lib.problems import two_layer_data, two_layer_regression


def test_ex_an_warm_up():
    T = calculus.third_cumulant_matrix([0.75, 0.25], [0.0, 1.0])
    np.testing.assert_allclose(T, 3 / 32 * np.array([[1, -1], [-1, 1]]), atol=1e-16)
    np.testing.assert_allclose(np.linalg.eigvalsh(T), [0, 3 / 16], atol=1e-15)
    assert calculus.signed_decomposition([0.75, 0.25], [0.0, 1.0]).Q == 0.75

    def share(p):
        law = [1 - p, p]
        T = calculus.third_cumulant_matrix(law, [0.0, 1.0])
        wanted = p * (1 - p) * (1 - 2 * p) * np.array([[1, -1], [-1, 1]])
        np.testing.assert_allclose(T, wanted, atol=1e-15)
        return np.linalg.norm(T, 2) / calculus.signed_decomposition(law, [0.0, 1.0]).Q

    for p in np.linspace(0.01, 0.5, 50):
        assert share(p) == pytest.approx(2 * p * (1 - 2 * p), abs=1e-14)
    best = minimize_scalar(lambda p: -share(p), bounds=(0.01, 0.5), method="bounded")
    assert best.x == pytest.approx(0.25, abs=1e-4) and -best.fun == pytest.approx(0.25)
    assert share(0.5) == 0.0


def product(x, v, A1, A2, b, w, beta=5.0):
    u, turn = A1 @ x, A1 @ v
    f = np.exp(u - u.real.max())
    f = f / f.sum()
    z = A2 @ f
    s = 1 / (1 + np.exp(-beta * z))
    c = np.log(1 + np.exp(beta * z)) / beta - b
    change = f * (turn - f @ turn)
    q = A2.T @ (s * c)
    tilt = f * (q - f @ q)
    y = A2.T @ ((s**2 + c * beta * s * (1 - s)) * (A2 @ change))
    inner = f * (y - f @ y) + tilt * turn - tilt * (f @ turn) - f * (tilt @ turn)
    return A1.T @ (inner + w**2 * turn)


def gradient(x, A1, A2, b, w, beta=5.0):
    u = A1 @ x
    f = np.exp(u - u.real.max())
    f = f / f.sum()
    z = A2 @ f
    q = A2.T @ ((np.log(1 + np.exp(beta * z)) / beta - b) / (1 + np.exp(-beta * z)))
    return A1.T @ (f * (q - f @ q) + w**2 * u)


@pytest.mark.parametrize("seed", range(20))
def test_ex_an_product(seed):
    A1, A2, b = two_layer_data(30, 5, 8, norms=(6, 4, 3), seed=seed)
    A1 = np.column_stack([A1, np.ones(30)])
    x, v = np.random.default_rng(seed).normal(size=(2, 6))
    stepped = gradient(x + 1e-30j * v, A1, A2, b, 0.3).imag / 1e-30
    found = product(x, v, A1, A2, b, 0.3)
    assert np.abs(found - stepped).max() < 1e-12 * np.abs(stepped).max()
    np.testing.assert_allclose(found, two_layer_regression(A1, A2, b, 0.3).hvp(x, v), rtol=1e-10)
    assert np.linalg.norm(product(x, np.eye(6)[-1], A1, A2, b, 0.0)) < 1e-12


def test_ex_an_target():
    x = np.linspace(-8, 8, 1601)
    p = 1 / (1 + np.exp(-x))
    for b in (-1.0, 0.0, 1.0, 3.0):
        example = calculus.sigmoid_example(b, 0.2)
        bend = [example.hessian([t])[0, 0] for t in x]
        wanted = 0.04 + p * (1 - p) * (2 * p - 3 * p**2 - b * (1 - 2 * p))
        np.testing.assert_allclose(bend, wanted, atol=1e-14)
    best = (9 - 33**0.5) / 24
    assert best == pytest.approx(0.135643, abs=5e-7)
    assert 12 * best**2 - 9 * best + 1 == pytest.approx(0, abs=1e-14)
    assert best * (1 - best) ** 2 * (1 - 3 * best) == pytest.approx(0.0601022, abs=5e-8)
    for b, side in ((1.0, (-4, 0)), (0.0, (0, 4))):
        free = calculus.sigmoid_example(b, 0.0)
        lowest = minimize_scalar(
            lambda t, free=free: free.hessian([t])[0, 0], bounds=side, method="bounded"
        )
        assert -lowest.fun == pytest.approx(0.0601022, abs=5e-8)


def test_ex_an_signed():
    rng = np.random.default_rng(0)
    for n in rng.integers(2, 13, 500):
        f, q, v = calculus.softmax(2 * rng.normal(size=n)), *rng.normal(size=(2, n))
        T, (Q, minus, plus) = (
            calculus.third_cumulant_matrix(f, q),
            calculus.signed_decomposition(f, q),
        )
        other = calculus.softmax_jacobian(plus) - calculus.softmax_jacobian(minus)
        assert np.abs(T - Q / 2 * other).max() < 1e-14
        assert abs(v @ T @ v) <= Q * (v @ calculus.softmax_jacobian(f) @ v) + 1e-14
        centered = q - f @ q
        off = -np.outer(f, f) * (centered[:, None] + centered)
        np.fill_diagonal(off, np.diag(T))
        np.testing.assert_allclose(off, T, atol=1e-14)
    assert np.abs(calculus.third_cumulant_matrix([0.5, 0.5], [0.0, 1.0])).max() == 0.0
    assert np.abs(calculus.third_cumulant_matrix([0.6, 0.4], [0.0, 1.0])).max() > 0.01
    assert np.abs(calculus.third_cumulant_matrix([0.3, 0.7], [2.0, 2.0])).max() < 1e-15


def test_ex_an_rates():
    assert curvature.predicted_contraction(20, 1900) == pytest.approx(0.1)
    assert curvature.predicted_contraction(20, 1899) > 0.1
    assert math.ceil(math.log(1e8) / math.log(10) - 1e-9) == 8
    eps = 1 / 11
    assert eps / (1 - eps) == pytest.approx(0.1)
    assert curvature.required_samples(20, eps, 0.01) > 10 * 1900


def test_ex_an_trap():
    eps, kappa = 0.1, 1e4
    root = np.diag([1.0, math.sqrt(kappa)])
    H, near = root @ root, root @ np.array([[1.0, eps], [eps, 1.0]]) @ root
    M = np.linalg.solve(near, near - H)
    wanted = [[-(eps**2), eps * 100], [eps / 100, -(eps**2)]]
    np.testing.assert_allclose(M, np.array(wanted) / (1 - eps**2), rtol=1e-9)
    assert np.linalg.norm(M, 2) == pytest.approx(10.101, abs=5e-4)
    assert curvature.spectral_error(H, near) == pytest.approx(eps)
    e = M @ [0.0, 1.0]
    factor = math.sqrt(e @ H @ e / kappa)
    assert factor == pytest.approx(0.1015, abs=5e-5)
    assert factor == pytest.approx(eps * math.sqrt(1 + eps**2) / (1 - eps**2))
    assert factor < 1 / 9


def test_ex_an_sample_size():
    assert curvature.required_samples(10, 0.1, 0.01) == 15_709
    many = curvature.required_samples(10, 0.1, 0.01 / 20)
    assert many == 21_900
    assert many / 15_709 == pytest.approx(1.39, abs=0.005)


def test_ex_an_outlier():
    for n in (50, 200_000):
        A = np.ones((n, 1))
        A[0] = math.sqrt(n - 1)
        scores = curvature.leverage_scores(A)
        assert scores[0] == pytest.approx(0.5)
        assert scores[1] == pytest.approx(1 / (2 * (n - 1)))
        V = n * (scores**2).sum()
        assert pytest.approx(n**2 / (4 * (n - 1)), rel=1e-6) == V
    H, H_missed = 2.0 * (n - 1), float(n)  # rows of 1 only, each drawn with weight n/m
    assert 1 - H / H_missed == pytest.approx(-1, abs=1e-4)
    assert pytest.approx(50_000, rel=1e-4) == V
    assert (1 - 1 / n) ** 640 == pytest.approx(0.9968, abs=5e-5)


def sphere(n, d, seed):
    rays = np.random.default_rng(seed).normal(size=(n, d))
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def test_ex_an_sharp_radius():
    least, M = 0.3, 0.9

    def newton(x):
        return x - (least * x - M / 2 * x * abs(x)) / (least - M * abs(x))

    x = 2 * least / (3 * M)
    assert x == pytest.approx(0.2222, abs=5e-5)
    assert newton(x) == pytest.approx(-x) and newton(-x) == pytest.approx(x)
    assert abs(newton(0.99 * x)) < 0.99 * x and abs(newton(1.01 * x)) > 1.01 * x
    y = np.linspace(-1, 1, 201)
    bends = least - M * np.abs(y)
    change = np.abs(bends[:, None] - bends) - M * np.abs(y[:, None] - y)
    assert change.max() <= 1e-15


def quotient(t, n):
    f, (w, q, v) = calculus.softmax(t[:n]), t[n:].reshape(3, n)
    top = np.abs(q - f @ q).max() * np.linalg.norm(w) * (v @ v)
    return -abs(calculus.cumulant(f, w, q, v, v)) / top


def test_ex_an_fourth_cumulant():
    for n, starts in ((2, 5), (3, 3)):
        found = max(
            -minimize(
                quotient,
                t,
                args=(n,),
                method="Nelder-Mead",
                options={"maxiter": 8000, "maxfev": 8000, "xatol": 1e-9, "fatol": 1e-12},
            ).fun
            for t in np.random.default_rng(0).normal(size=(starts, 4 * n))
        )
        assert found <= np.sqrt(0.5) + 1e-9
        if n == 2:
            assert found == pytest.approx(np.sqrt(0.5), abs=1e-5)
    f, q, v = np.full(2, 0.5), np.array([1.0, -1.0]), np.array([1.0, -1.0]) / np.sqrt(2)
    assert abs(calculus.cumulant(f, v, q, v, v)) == pytest.approx(np.sqrt(0.5))
    assert 5 * np.sqrt(2) / 4 == pytest.approx(1.768, abs=5e-4)


def test_ex_an_certificate():
    found = []
    for seed in range(24):
        arrays = two_layer_data(20, 4, 8, norms=(4, 4, 24), seed=seed)
        problem = two_layer_regression(*arrays, weights=np.sqrt(0.08))
        for x0 in 4 * sphere(5, 4, seed):
            run = optimizers.newton(problem, x0, damping=True, tol=1e-10)
            path, H = run.path, [problem.hessian(x) for x in run.path]
            passed = [
                np.linalg.norm(H[k + 1] - H[k], 2) <= 0.1 * np.linalg.eigvalsh(H[k])[0]
                for k in range(len(path) - 1)
            ]
            k = passed.index(True)  # it always fires
            errors = np.linalg.norm(path[k:] - path[-1], axis=1)
            found.append((k, errors[0], max(errors[1:] / np.maximum(errors[:-1], 1e-7))))
    step, error, ratio = np.array(found).T
    assert len(found) == 120 and np.median(step) == 4  # the fifth step
    assert error.max() == pytest.approx(0.125, abs=1e-3)
    assert ratio.max() < 0.024


def test_ex_an_identification():
    arrays = two_layer_data(20, 3, 4, norms=(3, 3, 6), seed=2)
    problem = two_layer_regression(*arrays, weights=0.5, unit="relu")
    run = optimizers.newton(problem, np.zeros(3), damping=True, tol=1e-12)
    x, data = run.x, problem.data
    assert run.status == "converged" and np.linalg.eigvalsh(problem.hessian(x))[0] > 0
    radius, signs = calculus.activation_radius(problem, x), np.sign(data.layers(x).z)
    assert radius > 0
    points = x + 0.999 * radius * sphere(200, 3, 0)
    assert all((np.sign(data.layers(y).z) == signs).all() for y in points)
    M = curvature.hessian_lipschitz(problem, x + 0.9 * radius * sphere(40, 3, 1), step=1e-5)
    least = np.linalg.eigvalsh(problem.hessian(x))[0]
    close = min(radius, 2 * least / (3 * M))
    for start in x + 0.99 * close * sphere(20, 3, 2):
        path = optimizers.newton(problem, start, tol=1e-12).path
        assert np.linalg.norm(path[-1] - x) < 1e-9
        assert all((np.sign(data.layers(y).z) == signs).all() for y in path)
