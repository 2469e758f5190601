"""Phase retrieval: the expected loss, its endless samples, and the loss of a sample."""

import math

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

from lib import curvature, problems
from lib.problems import phase_retrieval, sampled_phase_retrieval

SIGNALS = [
    np.array([1.0]),
    np.array([-2.5]),
    np.array([0.6, 0.8]),
    np.array([1.0, -2.0, 0.5]),
    np.full(6, 0.3),
]


def expected(signal):
    """The loss as a polynomial in the inner products, for real and complex points."""
    b = signal @ signal

    def f(w):
        return 0.75 * (w @ w) ** 2 + 0.75 * b**2 - 0.5 * (w @ w) * b - (w @ signal) ** 2

    return f


def hessian(signal, w):
    b = signal @ signal
    eye = np.eye(w.size)
    return 3 * (w @ w) * eye + 6 * np.outer(w, w) - b * eye - 2 * np.outer(signal, signal)


def mean_loss(rows, targets):
    return lambda w: np.mean(((rows @ w) ** 2 - targets) ** 2) / 4


@pytest.fixture(params=SIGNALS, ids=lambda signal: f"{signal}")
def signal(request):
    return request.param


def points_for(signal, n=8):
    return np.random.default_rng(signal.size).standard_normal((n, signal.size)) * 1.5


# --- the expectation ------------------------------------------------------------------------


def test_expected_value_and_derivatives(signal):
    problem = phase_retrieval(signal=signal)
    f = expected(signal)
    points = points_for(signal)
    for w, v in zip(points, points[::-1], strict=True):
        wanted = hessian(signal, w)
        scale = 1 + np.abs(wanted).max() * np.abs(w).max()
        assert problem.value(w) == pytest.approx(f(w), rel=1e-12, abs=1e-13 * scale)
        slopes = [f(w + 1e-30j * e).imag / 1e-30 for e in np.eye(w.size)]
        np.testing.assert_allclose(problem.gradient(w), slopes, rtol=1e-12, atol=1e-13 * scale)
        np.testing.assert_allclose(problem.hvp(w, v), wanted @ v, rtol=1e-12, atol=1e-13 * scale)
        h = 1e-5
        change = (problem.gradient(w + h * v) - problem.gradient(w - h * v)) / (2 * h)
        np.testing.assert_allclose(problem.hvp(w, v), change, atol=1e-8 * scale)
        h = 1e-4
        cubic = v @ (problem.hvp(w + h * v, v) - problem.hvp(w - h * v, v)) / (2 * h)
        assert cubic == pytest.approx(18 * (w @ v) * (v @ v), rel=1e-6)


def test_kernels_take_complex_numbers():
    problem = phase_retrieval(3)
    assert curvature.check_derivatives(problem, [0.3, -1, 2], "complex_step", tol=1e-12).passed


def test_value_is_never_negative_and_zero_at_the_signal():
    w = np.random.default_rng(0).standard_normal(50)
    problem = phase_retrieval(signal=w)
    assert problem.value(w) == problem.value(-w) == problem.constants["infimum"] == 0.0
    close = w + 1e-9 * np.random.default_rng(1).standard_normal((100, 50))
    assert (problem.value(close) > 0).all()
    exact = [(v - w) @ hessian(w, w) @ (v - w) / 2 for v in close]
    np.testing.assert_allclose(problem.value(close), exact, rtol=1e-5)


def test_critical_points(signal):
    problem = phase_retrieval(signal=signal)
    b = signal @ signal
    kinds = [known.kind for known in problem.critical_points]
    assert kinds == ["maximizer", "minimizer", "minimizer"] + (
        ["strict saddle"] * 2 if signal.size > 1 else []
    )
    for known in problem.critical_points:
        assert np.abs(problem.gradient(known.x)).max() < 1e-14 * b**1.5
        assert problem.value(known.x) == pytest.approx(known.value, rel=1e-13, abs=1e-20)
        assert curvature.classify(problem, known.x).kind == known.kind
    d = signal.size
    spectra = {
        "maximizer": [-3] + [-1] * (d - 1),
        "minimizer": [2] * (d - 1) + [6],
        "strict saddle": [-2] + [0] * (d - 2) + [2],
    }
    heights = {"maximizer": 3 / 4, "minimizer": 0, "strict saddle": 2 / 3}
    for known in problem.critical_points:
        spectrum = np.linalg.eigvalsh(problem.hessian(known.x)) / b
        np.testing.assert_allclose(spectrum, spectra[known.kind], atol=1e-13)
        assert known.value == pytest.approx(heights[known.kind] * b**2, rel=1e-14)


def test_saddles_form_a_sphere():
    problem = phase_retrieval(5)
    (saddle, opposite) = problem.critical_points[3:]
    np.testing.assert_array_equal(saddle.x, -opposite.x)
    assert saddle.value == pytest.approx(2 / 3, rel=1e-15)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(problem.hessian(saddle.x)), [-2, 0, 0, 0, 2], atol=1e-15
    )
    for u in np.random.default_rng(0).standard_normal((20, 5)):
        u[0] = 0.0
        w = u / np.linalg.norm(u) / math.sqrt(3)
        assert np.abs(problem.gradient(w)).max() < 1e-15
        assert problem.value(w) == pytest.approx(2 / 3, rel=1e-14)


def test_loss_scales_with_the_signal():
    rng = np.random.default_rng(3)
    unit = rng.standard_normal(4)
    unit /= np.linalg.norm(unit)
    one, two = phase_retrieval(signal=unit), phase_retrieval(signal=3 * unit)
    for w in rng.standard_normal((5, 4)):
        assert two.value(3 * w) == pytest.approx(81 * one.value(w), rel=1e-12)
        t = one.value(w)
        assert two.rho1(81 * t) == pytest.approx(9 * one.rho1(t), rel=1e-13)
        assert two.rho2(81 * t) == pytest.approx(3 * one.rho2(t), rel=1e-13)
    assert one.rho1(1.0) == pytest.approx(8 + 6 * math.sqrt(3), rel=1e-14)
    assert one.rho2(1.0) == pytest.approx(18 * math.sqrt(1 + math.sqrt(4 / 3)), rel=1e-14)


@pytest.mark.parametrize("length", [0.1, 1.0, 7.0])
def test_bounds_hold_and_are_sharp(length):
    rng = np.random.default_rng(0)
    w_star = rng.standard_normal(5)
    w_star *= length / np.linalg.norm(w_star)
    problem = phase_retrieval(signal=w_star)
    points = length * rng.standard_normal((2000, 5)) * np.exp(2 * rng.standard_normal((2000, 1)))
    norms = np.array([np.abs(np.linalg.eigvalsh(hessian(w_star, w))).max() for w in points])
    lengths = np.linalg.norm(points, axis=1)
    values = problem.value(points)
    rho1 = np.array([problem.rho1(t) for t in values])
    rho2 = np.array([problem.rho2(t) for t in values])
    assert 0.999 < (norms / rho1).max() <= 1.0
    assert 0.999 < (18 * lengths / rho2).max() <= 1.0
    assert (norms <= (rho1 - 2 * length**2) * (1 + 1e-12)).all()  # 6 in place of 8


def test_bounds_along_the_signal():
    problem = phase_retrieval(3)
    for r in (1.0, 1.2, 3.0, 100.0):
        t = problem.value([r, 0, 0])
        norm = np.linalg.eigvalsh(problem.hessian([r, 0, 0]))[-1]
        assert problem.rho1(t) - 2 == pytest.approx(norm, rel=1e-13)
        assert problem.rho2(t) == pytest.approx(18 * r, rel=1e-13)


# --- samples of the expectation -------------------------------------------------------------


def test_samples_are_the_same_for_the_same_number():
    problem = phase_retrieval(4, seed=3)
    vectors = problem.data.vectors([5, 2**53 - 1, 5, 2**40, 0])
    np.testing.assert_array_equal(vectors[0], vectors[2])
    again = phase_retrieval(signal=[0, 0, 2, 0], seed=3).data.vectors([0, 2**40, 2**53 - 1, 5])
    np.testing.assert_array_equal(again, vectors[[4, 3, 1, 0]])
    assert np.unique(vectors, axis=0).shape[0] == 4
    other = phase_retrieval(4, seed=4).data.vectors([5])
    assert np.abs(other - vectors[0]).min() > 0
    np.testing.assert_array_equal(problem.data.signal, [1, 0, 0, 0])


@pytest.fixture(scope="module")
def drawn():
    """The first samples of phase_retrieval(10, seed=1)."""
    return phase_retrieval(10, seed=1).data.vectors(np.arange(8000))


def test_samples_are_standard_normal(drawn):
    a, n = drawn, len(drawn)
    assert np.abs(a.mean(axis=0)).max() < 4 / math.sqrt(n)
    assert np.abs(a.T @ a / n - np.eye(10)).max() < 4 * math.sqrt(2 / n)
    assert np.abs((a**4).mean(axis=0) - 3).max() < 4 * math.sqrt(96 / n)
    lag = np.mean(a[1:] * a[:-1], axis=0)
    assert np.abs(lag).max() < 4 / math.sqrt(n)


def test_batches_are_means_over_their_samples(signal):
    problem = phase_retrieval(signal=signal, seed=1)
    batch = np.array([7, 2**52 + 1, 7, 0, 123_456_789_012])
    a = problem.data.vectors(batch)
    s = (a @ signal) ** 2
    for w, v in zip(points_for(signal, 4), points_for(signal, 4)[::-1], strict=True):
        z = a @ w
        gradient = np.mean(((z**2 - s) * z)[:, None] * a, axis=0)
        product = np.mean(((3 * z**2 - s) * (a @ v))[:, None] * a, axis=0)
        assert problem.batch_value(w, batch) == pytest.approx(mean_loss(a, s)(w), rel=1e-12)
        np.testing.assert_allclose(
            problem.batch_gradient(w, batch), gradient, rtol=1e-11, atol=1e-12
        )
        np.testing.assert_allclose(problem.batch_hvp(w, v, batch), product, rtol=1e-11, atol=1e-12)
        h = 1e-6
        change = problem.batch_gradient(w + h * v, batch) - problem.batch_gradient(w - h * v, batch)
        scale = 1 + np.abs(product).max()
        np.testing.assert_allclose(
            problem.batch_hvp(w, v, batch), change / (2 * h), atol=1e-7 * scale
        )


def test_batch_kernels_take_complex_numbers():
    problem = phase_retrieval(3, seed=2)
    batch = np.array([3, 1, 4])
    x, v = np.array([0.3, -1.0, 2.0]), np.array([1.0, 0.5, -0.2])
    out = np.empty(3, dtype=complex)
    z = x + 1e-30j * v
    problem.batch_gradient_kernel(z, problem.parameters, batch, out)
    np.testing.assert_allclose(out.imag / 1e-30, problem.batch_hvp(x, v, batch), rtol=1e-13)
    slope = problem.batch_value_kernel(z, problem.parameters, batch).imag / 1e-30
    assert slope == pytest.approx(problem.batch_gradient(x, batch) @ v, rel=1e-13)


def test_means_of_many_samples_approach_the_expectation():
    n = 5000
    problem = phase_retrieval(signal=[1.0, 0.5, -0.5], seed=1)
    batch = np.arange(n)
    w, v = np.array([0.4, -1.1, 0.8]), np.array([0.6, 0.0, 0.8])
    a = problem.data.vectors(batch)
    z, s, u = a @ w, (a @ problem.data.signal), a @ v
    losses = (z**2 - s**2) ** 2 / 4
    slopes = ((z**2 - s**2) * z)[:, None] * a
    products = ((3 * z**2 - s**2) * u)[:, None] * a

    def error(samples):
        return 4 * samples.std(axis=0) / math.sqrt(n)

    assert abs(problem.batch_value(w, batch) - problem.value(w)) < error(losses)
    misses = np.abs(problem.batch_gradient(w, batch) - problem.gradient(w))
    assert (misses < error(slopes)).all() and (error(slopes) < 1.4).all()
    misses = np.abs(problem.batch_hvp(w, v, batch) - problem.hvp(w, v))
    assert (misses < error(products)).all() and (error(products) < 2.0).all()


def noise_variance(r, cosine, d):
    """Expected squared distance of a sample's gradient from the gradient, by Gauss quadrature.

    For a signal of norm 1 and a point of norm r that has this cosine with it; exact, since all
    moments are those of polynomials in two normal variables.
    """
    nodes, weights = hermegauss(12)
    one, two = np.meshgrid(nodes, nodes)
    weight = np.outer(weights, weights) / weights.sum() ** 2
    z, s = r * one, cosine * one + math.sqrt(1 - cosine**2) * two
    second = np.sum(weight * (z**2 - s**2) ** 2 * z**2 * (one**2 + two**2 + d - 2))
    w, w_star = np.array([r, 0.0]), np.array([cosine, math.sqrt(1 - cosine**2)])
    gradient = 3 * (r**2 - 1) * w + 2 * (w - (w @ w_star) * w_star)
    value = 0.75 * (r**2 - 1) ** 2 + r**2 * (1 - cosine**2)
    return second - gradient @ gradient, value


@pytest.mark.parametrize(("r", "ratio"), [(0.5, 4.5), (2, 336), (4, 365), (8, 359), (100, 355.7)])
def test_noise_grows_with_the_loss_to_the_power_three_halves(drawn, r, ratio):
    variance, value = noise_variance(r, 0.0, 10)
    assert variance / (1 + value) ** 1.5 == pytest.approx(ratio, rel=0.002)
    problem = phase_retrieval(10, seed=1)
    w = np.zeros(10)
    w[1] = r
    assert problem.value(w) == pytest.approx(value, rel=1e-13)
    z = drawn @ w
    slopes = ((z**2 - drawn[:, 0] ** 2) * z)[:, None] * drawn
    squares = np.sum((slopes - problem.gradient(w)) ** 2, axis=1)
    assert abs(squares.mean() - variance) < 4 * squares.std() / math.sqrt(len(drawn))


def test_noise_vanishes_at_the_signal_only():
    assert noise_variance(1.0, 1.0, 10)[0] == pytest.approx(0.0, abs=1e-10)
    problem = phase_retrieval(10)
    batch = np.arange(5)
    np.testing.assert_array_equal(problem.batch_gradient(np.eye(10)[0], batch), np.zeros(10))
    saddle = problem.critical_points[3].x
    assert all(abs(problem.batch_gradient(saddle, [i])[0]) > 0 for i in batch)


# --- a sample -------------------------------------------------------------------------------


@pytest.fixture(params=["signal", "noisy"])
def sampled(request):
    rng = np.random.default_rng(5)
    A = rng.standard_normal((9, 4))
    w = rng.standard_normal(4)
    y = (A @ w) ** 2
    if request.param == "signal":
        return sampled_phase_retrieval(A, signal=w), A, y
    y = y + 0.5 * rng.standard_normal(9)
    return sampled_phase_retrieval(A, observations=y), A, y


def test_sampled_value_and_derivatives(sampled):
    problem, A, y = sampled
    f = mean_loss(A, y)
    points = np.random.default_rng(0).standard_normal((6, 4))
    for w, v in zip(points, points[::-1], strict=True):
        assert problem.value(w) == pytest.approx(f(w), rel=1e-13)
        slopes = [f(w + 1e-30j * e).imag / 1e-30 for e in np.eye(4)]
        np.testing.assert_allclose(problem.gradient(w), slopes, rtol=1e-12, atol=1e-12)
        full = A.T * (3 * (A @ w) ** 2 - y) @ A / 9
        np.testing.assert_allclose(problem.hessian(w), full, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(problem.hvp(w, v), full @ v, rtol=1e-12, atol=1e-12)


def test_sampled_gradient_takes_complex_numbers(sampled):
    problem, _, _ = sampled
    w, v = np.array([1.0, -0.5, 0.2, 2.0]), np.array([0.1, 1.0, 0.0, -1.0])
    out = np.empty(4, dtype=complex)
    problem.gradient_kernel(w + 1e-30j * v, problem.parameters, out)
    np.testing.assert_allclose(out.imag / 1e-30, problem.hvp(w, v), rtol=1e-12)


def test_sampled_batches(sampled):
    problem, A, y = sampled
    assert problem.n_samples == 9
    w, v = np.array([1.0, -0.5, 0.2, 2.0]), np.array([0.1, 1.0, 0.0, -1.0])
    assert problem.batch_value(w, np.arange(9)) == pytest.approx(problem.value(w), rel=1e-13)
    batch = [8, 0, 8]
    part = sampled_phase_retrieval(A[batch], observations=y[batch])
    assert problem.batch_value(w, batch) == pytest.approx(part.value(w), rel=1e-13)
    np.testing.assert_allclose(problem.batch_gradient(w, batch), part.gradient(w), rtol=1e-12)
    np.testing.assert_allclose(problem.batch_hvp(w, v, batch), part.hvp(w, v), rtol=1e-12)


def test_expectation_and_sample_agree_on_a_batch():
    problem = phase_retrieval(signal=[1.0, 2.0, -1.0])
    batch = np.arange(30, 50)
    sample = sampled_phase_retrieval(problem.data.vectors(batch), signal=problem.data.signal)
    w = [0.5, 1.0, 2.0]
    assert problem.batch_value(w, batch) == pytest.approx(sample.value(w), rel=1e-13)
    np.testing.assert_allclose(problem.batch_gradient(w, batch), sample.gradient(w), rtol=1e-12)


def test_structure_of_the_sample(sampled):
    problem, A, y = sampled
    data = problem.data
    np.testing.assert_array_equal(data.rows, A)
    np.testing.assert_allclose(data.targets, y, rtol=1e-14)
    assert data.metric() is None
    w = np.array([1.0, -0.5, 0.2, 2.0])
    weights, rest = data.parts(w)
    assert weights.shape == (9,) and not rest.any()
    np.testing.assert_allclose(A.T * weights @ A, problem.hessian(w), rtol=1e-12, atol=1e-12)
    jacobian = data.jacobian(w)
    gauss_newton = 2 / 9 * (A.T * (A @ w) ** 2) @ A
    np.testing.assert_allclose(jacobian.T @ jacobian, gauss_newton, rtol=1e-12, atol=1e-12)
    residuals = ((A @ w) ** 2 - y) / math.sqrt(18)
    assert residuals @ residuals / 2 == pytest.approx(problem.value(w), rel=1e-13)
    np.testing.assert_allclose(jacobian.T @ residuals, problem.gradient(w), rtol=1e-12)
    far = 10 * np.linalg.lstsq(A, np.sqrt(np.abs(y)), rcond=None)[0]
    large = far * max(1.0, np.sqrt(np.abs(y) / (A @ far) ** 2).max())
    root = data.root(large)
    np.testing.assert_allclose(root.T @ root, problem.hessian(large), rtol=1e-11)
    with pytest.raises(ValueError, match="there is no root here"):
        data.root(np.zeros(4))


def test_sampled_critical_points(sampled):
    problem, A, y = sampled
    origin, *others = problem.critical_points
    assert origin.kind == curvature.classify(problem, origin.x).kind
    for known in problem.critical_points:
        assert np.abs(problem.gradient(known.x)).max() < 1e-13
        assert problem.value(known.x) == pytest.approx(known.value, abs=1e-14)
        assert curvature.classify(problem, known.x).kind == known.kind
    assert ("infimum" in problem.constants) == bool(others)
    assert len(others) in (0, 2)


@pytest.mark.parametrize(
    ("A", "y", "kind"),
    [
        (np.eye(3), [1.0, 2.0, 3.0], "maximizer"),
        (np.eye(3), [1.0, 2.0, -3.0], "strict saddle"),
        (np.eye(3), [-1.0, -2.0, -3.0], "minimizer"),
        (np.eye(3), [0.0, -2.0, -3.0], "degenerate"),
        (np.eye(3), [0.0, 2.0, 3.0], "strict saddle"),
    ],
)
def test_kind_of_the_origin(A, y, kind):
    assert sampled_phase_retrieval(A, observations=y).critical_points[0].kind == kind


def test_sampled_bounds_hold(sampled):
    problem, A, y = sampled
    rng = np.random.default_rng(0)
    points = rng.standard_normal((1000, 4)) * np.exp(2 * rng.standard_normal((1000, 1)))
    directions = rng.standard_normal((200, 4))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    cubes = (directions @ A.T) ** 3
    values = problem.value(points)
    first, second = [], []
    for w, t in zip(points, values, strict=True):
        spectrum = np.linalg.eigvalsh(A.T * (3 * (A @ w) ** 2 - y) @ A / 9)
        first.append(np.abs(spectrum).max() / problem.rho1(t))
        second.append(np.abs(6 / 9 * cubes @ (A @ w)).max() / problem.rho2(t))
    assert 0.5 < max(first) <= 1.0
    assert 0.3 < max(second) <= 1.0


def test_bounds_of_one_measurement_are_sharp():
    problem = sampled_phase_retrieval([[2.0]], signal=[1.5])
    t = problem.value([30.0])
    assert problem.rho1(t) == pytest.approx(problem.hessian([30.0]).item(), rel=1e-12)
    assert problem.rho2(t) == pytest.approx(6 * 16 * 30.0, rel=1e-12)


# --- arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: phase_retrieval(0), ValueError, "dimension must be a whole number at least 1"),
        (lambda: phase_retrieval(2.0), TypeError, "dimension must be a whole number"),
        (lambda: phase_retrieval(3, [1.0, 0.0]), ValueError, "dimension must be the size of sig"),
        (lambda: phase_retrieval(signal=[0.0, 0.0]), ValueError, "signal must have a norm whose"),
        (lambda: phase_retrieval(signal=[1e90]), ValueError, "signal must have a norm whose"),
        (lambda: phase_retrieval(signal=[1e-90]), ValueError, "signal must have a norm whose"),
        (lambda: phase_retrieval(signal=[[1.0]]), ValueError, "signal must be a one-dimensional"),
        (lambda: phase_retrieval(signal=[np.nan]), ValueError, "signal must be finite"),
        (lambda: phase_retrieval(seed=-1), ValueError, "seed must be a whole number at least 0"),
        (
            lambda: sampled_phase_retrieval([[1.0]]),
            ValueError,
            "signal or observations must be given, and not both",
        ),
        (
            lambda: sampled_phase_retrieval([[1.0]], [1.0], [1.0]),
            ValueError,
            "signal or observations must be given, and not both",
        ),
        (
            lambda: sampled_phase_retrieval([1.0], [1.0]),
            ValueError,
            "measurements must be a matrix",
        ),
        (
            lambda: sampled_phase_retrieval([[1.0]], [1.0, 2.0]),
            ValueError,
            r"signal must have shape \(1,\)",
        ),
        (lambda: sampled_phase_retrieval([[1.0]], [0.0]), ValueError, "signal must not be zero"),
        (
            lambda: sampled_phase_retrieval([[1.0]], observations=[1.0, 2.0]),
            ValueError,
            "observations must have one entry per row",
        ),
        (
            lambda: sampled_phase_retrieval([[1e100]], [1.0]),
            ValueError,
            "measurements, and signal or observations, must be small enough",
        ),
        (
            lambda: sampled_phase_retrieval([[1.0]], observations=[1e200]),
            ValueError,
            "measurements, and signal or observations, must be small enough",
        ),
    ],
)
def test_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("numbers", [[-1], [2**53], [0.5], [[1]], []])
def test_sample_numbers_are_checked(numbers):
    with pytest.raises((TypeError, ValueError), match="numbers must"):
        phase_retrieval(2).data.vectors(numbers)


def test_dimension_may_come_with_its_signal():
    assert phase_retrieval(2, [3.0, 4.0]).critical_points[1].x.tolist() == [3.0, 4.0]
    assert phase_retrieval().dimension == 10
    assert problems.phase_retrieval is phase_retrieval


def test_signal_is_not_changed_or_kept():
    w = np.array([1.0, 2.0])
    problem = phase_retrieval(signal=w)
    A = np.eye(2)
    sample = sampled_phase_retrieval(A, signal=w)
    before = problem.value([3.0, 4.0]), sample.value([3.0, 4.0])
    w[:] = 7.0
    A[:] = 7.0
    assert (problem.value([3.0, 4.0]), sample.value([3.0, 4.0])) == before
