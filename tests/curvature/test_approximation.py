"""What an approximate Hessian is worth: spectral errors, contractions and their predictions."""

import math

import numpy as np
import pytest
from scipy import linalg

from lib.curvature.approximation import (
    certified_contraction,
    debias_factor,
    newton_contraction,
    predicted_contraction,
    required_samples,
    spectral_error,
    typical_spectral_error,
)
from lib.curvature.sampling import (
    gram,
    leverage_scores,
    sample_rows,
    sampled_gram,
    sampling_probabilities,
)
from lib.curvature.sketching import SKETCHES


def positive_definite(d, seed, spread=3.0):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return Q @ np.diag(np.logspace(0, spread, d)) @ Q.T


def perturbed(H, seed, size):
    E = np.random.default_rng(seed).standard_normal(H.shape)
    root = linalg.sqrtm(H)
    return H + size * root @ (E + E.T) @ root


def rows_of(tail=None, n=3000, d=10, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d))
    return A if tail is None else A / np.sqrt(rng.chisquare(tail, (n, 1)) / tail)


# --- errors and contractions against their definitions --------------------------------------


@pytest.mark.parametrize("size", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("d", [1, 2, 7])
def test_definitions(d, size):
    H = positive_definite(d, 1)
    H_approx = perturbed(H, 2, size)
    root = linalg.sqrtm(H)
    inverse = np.linalg.inv(root)
    eps = spectral_error(H, H_approx)
    assert eps == pytest.approx(np.linalg.norm(inverse @ (H_approx - H) @ inverse, 2), rel=1e-8)
    E = np.eye(d) - root @ np.linalg.inv(H_approx) @ root
    assert newton_contraction(H, H_approx) == pytest.approx(np.linalg.norm(E, 2), rel=1e-7)
    average = newton_contraction(H, H_approx, average=True)
    assert average == pytest.approx(np.linalg.norm(E) / math.sqrt(d), rel=1e-7)
    assert average <= newton_contraction(H, H_approx) * (1 + 1e-12)
    if eps < 1:
        assert newton_contraction(H, H_approx) <= eps / (1 - eps) * (1 + 1e-9)


def test_the_error_is_the_smallest_one():
    H = positive_definite(5, 3)
    H_approx = perturbed(H, 4, 0.05)
    eps = spectral_error(H, H_approx)

    def slack(eps):
        above = np.linalg.eigvalsh((1 + eps) * H - H_approx).min()
        return min(above, np.linalg.eigvalsh(H_approx - (1 - eps) * H).min())

    assert slack(eps * (1 + 1e-6)) > 0 > slack(eps * (1 - 1e-6))


def test_plain_cases():
    H = np.diag([1.0, 2.0, 5.0])
    assert max(spectral_error(H, H), newton_contraction(H, H)) < 1e-14
    assert spectral_error(H, 1.5 * H) == pytest.approx(0.5)
    assert newton_contraction(H, H / 3) == pytest.approx(2.0)
    assert newton_contraction(H, np.diag([1.0, 0.0, 5.0])) == math.inf
    assert spectral_error(H, -H) == pytest.approx(2.0)


def test_the_contraction_is_that_of_the_step():
    """On a quadratic, the step with the approximate Hessian multiplies the error by I - H~^-1 H."""
    H = positive_definite(6, 5)
    H_approx = perturbed(H, 6, 0.1)
    factor = newton_contraction(H, H_approx)
    ratios = []
    for e in np.random.default_rng(7).standard_normal((400, 6)):
        ahead = e - np.linalg.solve(H_approx, H @ e)
        ratios.append(np.sqrt((ahead @ H @ ahead) / (e @ H @ e)))
    assert 0.5 * factor < max(ratios) <= factor * (1 + 1e-9)


# --- the Euclidean norm is the wrong one ----------------------------------------------------


def norm_trap(kappa, eps):
    root = np.diag([1.0, math.sqrt(kappa)])
    H = root @ root
    return H, H + eps * root @ np.array([[0.0, 1.0], [1.0, 0.0]]) @ root


@pytest.mark.parametrize(
    ("eps", "kappa", "euclidean"),
    [
        (0.1, 1e2, 1.010),
        (0.1, 1e4, 10.10),
        (0.1, 1e6, 101.0),
        (0.01, 1e2, 0.100),
        (0.01, 1e3, 0.316),
        (0.01, 1e4, 1.000),
    ],
)
def test_norm_trap(eps, kappa, euclidean):
    """The same spectral error, and any Euclidean factor one likes."""
    H, H_approx = norm_trap(kappa, eps)
    E = np.linalg.solve(H_approx, H_approx - H)
    assert np.linalg.norm(E, 2) == pytest.approx(euclidean, rel=1e-3)
    root = math.sqrt(kappa)
    closed = np.array([[-(eps**2), eps * root], [eps / root, -(eps**2)]]) / (1 - eps**2)
    np.testing.assert_allclose(E, closed, rtol=1e-9)
    assert spectral_error(H, H_approx) == pytest.approx(eps, rel=1e-9)
    assert newton_contraction(H, H_approx) == pytest.approx(eps / (1 - eps), rel=1e-9)


def test_norm_trap_of_the_exercise():
    H, H_approx = norm_trap(1e4, 0.1)
    E = np.linalg.solve(H_approx, H_approx - H)
    assert np.linalg.norm(E, 2) == pytest.approx(10.101, abs=1e-3)
    assert newton_contraction(H, H_approx) == pytest.approx(0.1111, abs=1e-4)


# --- predictions ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("m", "wanted"), [(20, 2.94), (40, 0.948), (80, 0.493), (160, 0.302), (320, 0.199)]
)
def test_gaussian_prediction(m, wanted):
    found = predicted_contraction(10, m, "gaussian")
    assert found == pytest.approx(wanted, abs=0.0051 if m == 20 else 5.1e-4)


def test_debiased_prediction():
    assert predicted_contraction(10, 40, "gaussian_debiased") == pytest.approx(0.630, abs=5e-4)
    assert debias_factor(10, 40) == pytest.approx(1 - 11 / 40)


@pytest.mark.parametrize("m", [10**9, 10**15, 10**20])
def test_many_rows_do_not_cancel(m):
    """Both Gaussian kinds tend to the square root of (d + 1) / m."""
    for kind in ("gaussian", "gaussian_debiased"):
        assert predicted_contraction(10, m, kind) == pytest.approx(math.sqrt(11 / m), rel=1e-7)


@pytest.mark.parametrize(
    ("m", "wanted"),
    [
        (20, 0.671),
        (40, 0.474),
        (80, 0.335),
        (160, 0.237),
        (320, 0.168),
        (640, 0.119),
        (1280, 0.084),
    ],
)
def test_leverage_prediction(m, wanted):
    assert predicted_contraction(10, m) == pytest.approx(wanted, abs=5e-4)


def test_exercise_on_rates():
    """With d = 20, 1900 samples contract by 0.1 a step: eight steps from 1 to 1e-8."""
    assert predicted_contraction(20, 1900) == pytest.approx(0.1)
    assert predicted_contraction(20, 1899) > 0.1
    assert math.ceil(math.log(1e8) / -math.log(predicted_contraction(20, 1900)) - 1e-9) == 8


@pytest.mark.parametrize(("eps", "wanted"), [(0.01, 1_525_248), (0.1, 15_709), (0.5, 710)])
def test_required_samples(eps, wanted):
    assert required_samples(10, eps, 0.01) == wanted


@pytest.mark.parametrize(("eps", "rows"), [(0.01, 401_998), (0.1, 4_198), (0.5, 198)])
def test_typical_error_needs_fewer_rows(eps, rows):
    assert typical_spectral_error(10, rows) <= eps < typical_spectral_error(10, rows - 1)
    assert 3.5 < required_samples(10, eps, 0.01) / rows < 3.9


@pytest.mark.parametrize(
    ("eps", "reach", "wanted"), [(0.01, 0.1, 0.0732), (0.1, 0.0, 1 / 9), (0.0, 0.5, 3**0.5 / 2)]
)
def test_certified_contraction(eps, reach, wanted):
    assert certified_contraction(eps, reach) == pytest.approx(wanted, rel=1e-3)


def test_steps_do_not_exceed_the_certified_factor():
    """On x^T H x / 2 + M (a x)^3 / 6, whose Hessian has the Lipschitz constant M."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for trial in range(600):
        H = positive_definite(3, trial, spread=2.0)
        l = np.linalg.eigvalsh(H)[0]  # noqa: E741
        a = np.linalg.eigh(H)[1][:, 0] if trial % 2 else rng.standard_normal(3)
        a /= np.linalg.norm(a)
        M, reach, eps = math.exp(rng.uniform(-2, 2)), rng.uniform(0, 0.9), rng.uniform(0, 0.4)
        e = a * rng.choice([-1, 1]) if trial % 2 else rng.standard_normal(3)
        e *= reach * l**1.5 / (M * math.sqrt(e @ H @ e))
        here = H + M * (a @ e) * np.outer(a, a)
        root = linalg.sqrtm(here)
        axes = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        error = root @ axes @ np.diag(eps * rng.choice([-1, 1], 3)) @ axes.T @ root
        assert spectral_error(here, here + error) == pytest.approx(eps, rel=1e-6)
        ahead = e - np.linalg.solve(here + error, H @ e + M / 2 * (a @ e) ** 2 * a)
        ratio = math.sqrt((ahead @ H @ ahead) / (e @ H @ e))
        worst = max(worst, ratio / certified_contraction(eps, reach))
    assert 0.8 < worst <= 1.0


def test_required_samples_are_enough():
    A = rows_of(tail=1.5, n=1500, d=4)
    H = gram(A)
    m = required_samples(4, 0.5, 0.1)
    errors = [
        spectral_error(H, sampled_gram(A, sample_rows(A, None, m, seed=s))) for s in range(60)
    ]
    assert max(errors) < 0.5


def test_gaussian_predictions_are_the_moments_of_the_inverse_wishart():
    d, m = 3, 12
    draws = np.random.default_rng(1)
    plain, debiased, means = [], [], []
    for _ in range(3000):
        S = draws.standard_normal((m, d))
        W = S.T @ S / m
        plain.append(newton_contraction(np.eye(d), W, average=True) ** 2)
        debiased.append(newton_contraction(np.eye(d), W / debias_factor(d, m), average=True) ** 2)
        means.append(np.linalg.inv(W))
    for found, kind in ((plain, "gaussian"), (debiased, "gaussian_debiased")):
        error = np.std(found) / math.sqrt(len(found))
        assert abs(np.mean(found) - predicted_contraction(d, m, kind) ** 2) < 5 * error
    wanted = np.eye(d) / debias_factor(d, m)
    np.testing.assert_allclose(np.mean(means, axis=0), wanted, atol=0.06)


# --- predictions against samples ------------------------------------------------------------


def measured(A, m, draw, repeats, seed=0):
    """Return the root mean square contraction over fresh draws, plain and debiased."""
    d = A.shape[1]
    Q = np.linalg.qr(A)[0]  # then H = I, and nothing else changes
    source = np.random.default_rng(seed)
    squares = np.array(
        [
            [
                newton_contraction(np.eye(d), H, average=True) ** 2
                for H in (estimate, estimate / debias_factor(d, m))
            ]
            for estimate in (draw(Q, m, source) for _ in range(repeats))
        ]
    )
    return np.sqrt(squares.mean(axis=0))


def weighted(scheme, A):
    """Draw with the scheme's probabilities for A; computed once, they are the same each time."""
    p = sampling_probabilities(A, scheme=scheme)

    def draw(Q, m, source):
        taken = source.choice(len(p), m, p=p)
        return gram(Q[taken], 1 / (m * p[taken]))

    return draw


def sketched(kind):
    def draw(Q, m, source):
        S_R = SKETCHES[kind](Q, m, source)
        return S_R.T @ S_R

    return draw


@pytest.mark.parametrize("tail", [None, 1.5])
@pytest.mark.parametrize("m", [320, 640, 1280])
def test_leverage_sampling_contracts_as_predicted(tail, m):
    """For normal and for heavy rows alike, over three instances; a finite m adds about 6d/m."""
    for instance in range(3):
        A = rows_of(tail, seed=instance)
        found, _ = measured(A, m, weighted("leverage", A), 60)
        assert found == pytest.approx(predicted_contraction(10, m), rel=0.05 + 20 / m)


@pytest.mark.parametrize(("m", "uniform", "leverage"), [(40, 0.949, 0.813), (160, 0.303, 0.269)])
def test_small_samples_of_normal_rows(m, uniform, leverage):
    """Uniform draws of normal rows are a Gaussian sketch; leverage draws are a little better."""
    A = rows_of()
    repeats = 1200 if m == 40 else 400
    by_uniform, uniform_debiased = measured(A, m, weighted("uniform", A), repeats)
    by_leverage, leverage_debiased = measured(A, m, weighted("leverage", A), repeats)
    assert by_uniform == pytest.approx(uniform, rel=0.08)
    assert by_leverage == pytest.approx(leverage, rel=0.08)
    assert by_uniform == pytest.approx(predicted_contraction(10, m, "gaussian"), rel=0.08)
    assert by_leverage < by_uniform
    debiased = predicted_contraction(10, m, "gaussian_debiased")
    assert uniform_debiased == pytest.approx(debiased, rel=0.08)
    assert leverage_debiased < by_leverage


def test_heavy_rows_need_more_than_uniform_draws():
    """The order of the schemes: uniform hopeless, then row norms, leverage and the sketches."""
    A = rows_of(tail=1.5)
    assert leverage_scores(A).max() > 100 * 10 / 3000
    found = {
        s: measured(A, 160, weighted(s, A), 40)[0] for s in ("uniform", "row_norm", "leverage")
    }
    for kind in SKETCHES:
        found[kind] = measured(A, 160, sketched(kind), 12)[0]
    assert found["uniform"] > 3.0
    assert found["leverage"] < found["row_norm"] < 1.0
    assert found["leverage"] == pytest.approx(0.27, rel=0.15)
    assert found["gaussian"] == pytest.approx(predicted_contraction(10, 160, "gaussian"), rel=0.2)
    assert max(found["count"], found["hadamard"]) < 0.45


def test_worst_directions_are_about_twice_the_average():
    """The largest error stays inside the edge of the spectrum, at which it would be for large d."""
    A = rows_of()
    H = gram(A)
    errors = [
        spectral_error(H, sampled_gram(A, sample_rows(A, None, 640, seed=s))) for s in range(30)
    ]
    assert np.mean(errors) == pytest.approx(0.21, rel=0.1)
    assert np.mean(errors) < typical_spectral_error(10, 640)
    assert 1.6 < np.mean(errors) / predicted_contraction(10, 640) < 2.4


# --- wrong input ----------------------------------------------------------------------------


@pytest.mark.parametrize("function", [spectral_error, newton_contraction])
@pytest.mark.parametrize(
    ("H", "H_approx", "error", "message"),
    [
        (np.diag([1.0, -2.0]), np.eye(2), ValueError, "H must be positive definite; .* is -2"),
        (np.zeros((2, 2)), np.eye(2), ValueError, "H must be positive definite; .* is 0"),
        (np.eye(2), np.eye(3), ValueError, r"H_approx must have the shape of H, \(2, 2\)"),
        (np.ones((2, 3)), np.eye(2), ValueError, r"H must be square; got shape \(2, 3\)"),
        (np.eye(2), [[1.0, 0.5], [0.0, 1.0]], ValueError, "H_approx must be symmetric"),
        (np.eye(2), [[np.nan, 0.0], [0.0, 1.0]], ValueError, "H_approx must be finite"),
        ("H", np.eye(2), TypeError, "H must be an array of real numbers"),
        (1.0, np.eye(2), ValueError, "H must be a matrix"),
    ],
)
def test_wrong_matrices_are_named(function, H, H_approx, error, message):
    with pytest.raises(error, match=message):
        function(H, H_approx)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: newton_contraction(np.eye(2), np.eye(2), 1), TypeError, "average must be True"),
        (lambda: debias_factor(10, 11), ValueError, "m must be a whole number at least 12"),
        (lambda: debias_factor(0, 11), ValueError, "d must be a whole number at least 1"),
        (lambda: predicted_contraction(10, 0), ValueError, "m must be .* at least 1"),
        (lambda: predicted_contraction(10, 13, "gaussian"), ValueError, "m must be .* at least 14"),
        (lambda: predicted_contraction(10, 2.5), TypeError, "m must be a whole number"),
        (lambda: predicted_contraction(10, 20, "best"), ValueError, "kind must be one of"),
        (lambda: required_samples(10, 1.0, 0.1), ValueError, "eps must be .* below 1"),
        (lambda: required_samples(10, 0.1, 0.0), ValueError, "delta must be .* above 0"),
        (lambda: required_samples(10, 1e-200, 0.1), ValueError, "eps must be large enough"),
        (lambda: required_samples(10**400, 0.1, 0.1), ValueError, "d must be .* at most 9"),
        (lambda: typical_spectral_error(10**400, 1), ValueError, "d must be .* at most 9"),
        (lambda: typical_spectral_error(10, 0), ValueError, "m must be .* at least 1"),
        (lambda: certified_contraction(1.0, 0.1), ValueError, "eps must be .* below 1"),
        (lambda: certified_contraction(-0.1, 0.1), ValueError, "eps must be .* at least 0"),
        (lambda: certified_contraction(0.1, 1.0), ValueError, "reach must be .* below 1"),
    ],
)
def test_wrong_numbers_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
