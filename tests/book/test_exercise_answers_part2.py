"""The numbers in the folded solutions of part 2, computed anew; each test names the label."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from lib import curvature, ensembles, optimizers, problems


def test_ex_gs_quartic():
    quartic = problems.quartic()
    assert quartic.value([10.0]) == 2500
    assert quartic.rho1(2500.0) == pytest.approx(300)
    status = [
        optimizers.gradient_descent(quartic, [10.0], alpha, max_iter=200, tol=0).status
        for alpha in (0.02, 0.0200001)
    ]
    assert status == ["max_iter", "diverged"]


def test_ex_gs_valley():
    valley, kappa = problems.product_valley(), 0.1
    assert np.linalg.eigvalsh(valley.hessian([10.0, 0.1]))[-1] == pytest.approx(100.01)
    assert 2 / kappa + math.sqrt(2) + kappa == pytest.approx(21.514, abs=5e-4)
    draws = np.random.default_rng(0)
    for x in draws.standard_normal((500, 2)) * np.exp(2 * draws.standard_normal((500, 1))):
        t = valley.value(x) + kappa / 2 * (x @ x)
        norm = np.linalg.norm(valley.hessian(x) + kappa * np.eye(2), 2)
        assert norm <= 2 * t / kappa + math.sqrt(2 * t) + kappa


def test_ex_gs_l0l1():
    assert curvature.l0_l1_bound(1.0, 2.0, 3.0) == pytest.approx(17.899, abs=5e-4)


@pytest.mark.parametrize("p", [2, 3, 4, 8, 50])
def test_ex_gs_sharp(p):
    x = 1.3
    height = x**p / p

    def rho1(t):
        return (p - 1) * (p * t) ** (1 - 2 / p)

    assert rho1(height) == pytest.approx((p - 1) * x ** (p - 2))
    assert 2 * quad(rho1, 0, height)[0] == pytest.approx(x ** (2 * p - 2))
    assert x ** (2 * p - 2) / (2 * rho1(height) * height) == pytest.approx(p / (2 * p - 2))


def test_gs_ex_bolder():
    quartic = problems.quartic()
    for c, steps in ((1, 12), (1.5, 7), (3, 1)):
        run = optimizers.adaptive_gradient_descent(quartic, [10.0], c, tol=1.000001e-3)
        assert run.n_iter == steps
    run = optimizers.adaptive_gradient_descent(quartic, [10.0], 6, tol=1e-3, max_iter=50)
    assert np.abs(run.path).ravel() == pytest.approx(np.full(51, 10.0))


def test_gs_ex_warm_start():
    growth = problems.exponential_growth()
    for factor, steps, trials in ((2, 22, 45), (4, 17, 51)):
        run = optimizers.backtracking_gradient_descent(
            growth, [10.0], first_step=2, growth=factor, tol=1e-3
        )
        last, n = run.trace["step_size"][-1], run.n_iter
        assert (n, run.n_value - 1) == (steps, trials)
        assert trials == n + math.log2(factor) * (n - 1) + math.log2(2 / last)
    assert math.log2(0.5 / 0.005) == pytest.approx(6.64, abs=0.01)


def test_gs_ex_procedure():
    spectrum = np.append([2.0, 1.0], np.linspace(0.6, 0.1, 18))
    basis = np.linalg.qr(np.random.default_rng(3).normal(size=(20, 20)))[0]
    pca = problems.matrix_pca(basis * spectrum @ basis.T)
    starts = np.random.default_rng(4).normal(size=(300, 20))
    used = []

    def apply(problem, x, seed):
        run = optimizers.backtracking_gradient_descent(problem, x, max_iter=1, tol=0)
        return run.x, x[None], run.n_value + 1

    for x0 in 3 * starts / np.linalg.norm(starts, axis=1, keepdims=True):
        bound = pca.rho1(pca.value(x0))
        procedure = optimizers.Procedure(
            "backtracking", apply, 0.1**2 / (4 * bound), int(math.log2(2 * bound)) + 3
        )
        run = optimizers.decrease_method(
            pca, x0, procedure, lambda x: np.linalg.norm(pca.gradient(x)) <= 0.1
        )
        assert run.found and run.broken_promises == 0
        assert run.oracle_calls < 1e-5 * run.max_oracle_calls
        used.append(run.oracle_calls)
    assert max(used) == 87


def test_gs_ex_linear_in_start():
    growth = problems.exponential_growth()
    for x0, bound, steps in ((10, 32, 14), (20, 62, 24), (30, 92, 34)):
        run = optimizers.adaptive_gradient_descent(growth, [float(x0)], tol=1e-3)
        assert run.n_iter == steps
        assert bound == math.ceil(3 * (x0 - math.log(2))) + 4
    u = 1.0
    for value in (0.341, 0.051, 0.0013, 8.1e-7):
        u = math.expm1(math.log1p(u) - u / (1 + u + u * u / 2))
        assert u == pytest.approx(value, rel=0.03)


def test_ex_gs_escaping_thousand():
    mean = math.log(1000**0.5 * 500) + (np.euler_gamma + math.log(2)) / 2
    mean = mean / math.log(1.1) + 0.5
    assert mean == pytest.approx(108.6, abs=0.05)
    saddle = problems.quadratic_saddle([-1.0] + [1.0] * 999)
    noise = optimizers.ball_noise(500, 1000, 1e-3, seed=0)
    times = ensembles.escape_times(saddle, noise, 0.1, 0.5, direction=np.eye(1, 1000)[0])
    assert times.mean() == pytest.approx(mean, abs=4 * times.std() / math.sqrt(500))


def test_ex_gs_escaping_units():
    for scale, epsilon, passes in ((1, 0.01, True), (0.5, 0.01, False), (0.5, 0.02, False)):
        saddle = problems.quadratic_saddle([1 / scale**2, -0.04 / scale**2])
        found = curvature.is_second_order_stationary(saddle, [0.0, 0.0], epsilon)
        assert found == passes


def test_ex_gs_escaping_noise():
    nodes, weights = np.polynomial.hermite_e.hermegauss(6)
    weights = weights / weights.sum()
    s, u, v = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    mass = np.einsum("i,j,k->ijk", weights, weights, weights)
    z = u / math.sqrt(3)
    for component, variance in ((s, 32 / 9), (u, 32 / 9), (v, 8 / 9)):
        noise = (z * z - s * s) * z * component
        assert (mass * noise).sum() == pytest.approx(0, abs=1e-12)
        assert (mass * noise**2).sum() == pytest.approx(variance)


def test_ex_gs_escaping_slack():
    retrieval = problems.phase_retrieval(5)
    assert retrieval.rho1(5 / 3) == pytest.approx(21.416, abs=1e-3)
    assert retrieval.rho1(2 / 3) == pytest.approx(16.485, abs=1e-3)
    assert math.sqrt(2 / retrieval.rho1(5 / 3)) == pytest.approx(0.3056, abs=1e-4)
