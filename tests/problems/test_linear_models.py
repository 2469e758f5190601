"""Least squares, logistic and softmax regression against formulas on whole arrays."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.problems.linear_models import least_squares, logistic_regression, softmax_regression

STEP = 1e-30
N, D, CLASSES = 13, 4, 3
RNG = np.random.default_rng(7)
A = RNG.standard_normal((N, D))
B = RNG.standard_normal(N)
SIGNS = np.where(RNG.uniform(size=N) < 0.5, -1.0, 1.0)
LABELS = np.arange(N) % CLASSES


def softmax_reference(rows, labels, classes, l2):
    def f(z):
        scores = np.hstack([rows @ z.reshape(classes - 1, -1).T, np.zeros((len(rows), 1))])
        losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(rows)), labels]
        return losses.mean() + l2 / 2 * (z**2).sum()

    return f


# Each case: how to make the problem of given rows, and the same function for complex points.
CASES = {
    "least squares": (
        lambda rows: least_squares(A[rows], B[rows], l2=0.2),
        lambda z: (0.5 * (A @ z - B) ** 2).mean() + 0.1 * (z**2).sum(),
    ),
    "logistic": (
        lambda rows: logistic_regression(A[rows], SIGNS[rows], l2=0.05),
        lambda z: np.log(1 + np.exp(-SIGNS * (A @ z))).mean() + 0.025 * (z**2).sum(),
    ),
    "softmax": (
        lambda rows: softmax_regression(A[rows], LABELS[rows], CLASSES, l2=0.05),
        softmax_reference(A, LABELS, CLASSES, 0.05),
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    make, reference = CASES[request.param]
    problem = make(np.arange(N))
    points = np.random.default_rng(1).standard_normal((6, problem.dimension)) * 1.5
    return problem, reference, points, make


def by_complex_step(f, x, v):
    return np.imag(f(x + 1j * STEP * v)) / STEP


def complex_gradient(problem, x):
    out = np.empty(problem.dimension, dtype=complex)
    problem.gradient_kernel(x, problem.parameters, out)
    return out


def test_value_is_the_formula(case):
    problem, reference, points, _ = case
    np.testing.assert_allclose(problem.value(points), [reference(x) for x in points], rtol=1e-13)
    assert problem.n_samples == N


def test_gradient(case):
    problem, reference, points, _ = case
    for x in points:
        wanted = [by_complex_step(reference, x, e) for e in np.eye(x.size)]
        np.testing.assert_allclose(problem.gradient(x), wanted, rtol=1e-12, atol=1e-14)


def test_kernels_take_complex_numbers(case):
    problem, _, points, _ = case
    x, v = points[0], points[1]
    slope = by_complex_step(lambda z: problem.value_kernel(z, problem.parameters), x, v)
    assert slope == pytest.approx(problem.gradient(x) @ v, rel=1e-12)
    turn = by_complex_step(lambda z: complex_gradient(problem, z), x, v)
    np.testing.assert_allclose(problem.hvp(x, v), turn, rtol=1e-12, atol=1e-14)


def test_hvp_by_finite_differences(case):
    problem, _, points, _ = case
    h = 1e-5
    for x, v in zip(points, points[::-1], strict=True):
        turn = (problem.gradient(x + h * v) - problem.gradient(x - h * v)) / (2 * h)
        np.testing.assert_allclose(problem.hvp(x, v), turn, rtol=1e-7, atol=1e-8)


def test_all_samples_make_the_problem(case):
    problem, _, points, _ = case
    x, v = points[0], points[1]
    everything = np.random.default_rng(2).permutation(N)
    assert problem.batch_value(x, everything) == pytest.approx(problem.value(x), rel=1e-14)
    tight = {"rtol": 1e-12, "atol": 1e-15}
    np.testing.assert_allclose(problem.batch_gradient(x, everything), problem.gradient(x), **tight)
    np.testing.assert_allclose(problem.batch_hvp(x, v, everything), problem.hvp(x, v), **tight)


def test_a_batch_is_the_problem_of_its_rows(case):
    problem, _, points, make = case
    x, v = points[0], points[1]
    for batch in ([3], [5, 0, 5, 5, 12]):
        small = make(np.array(batch))
        assert problem.batch_value(x, batch) == pytest.approx(small.value(x), rel=1e-14)
        np.testing.assert_allclose(problem.batch_gradient(x, batch), small.gradient(x), rtol=1e-12)
        np.testing.assert_allclose(problem.batch_hvp(x, v, batch), small.hvp(x, v), rtol=1e-12)


def test_memory_layout_does_not_matter(case):
    problem, _, points, make = case
    x, v = points[0], points[1]
    wide = np.zeros((problem.dimension, 3))
    wide[:, 0], wide[:, 1] = x, v
    problem.hvp_kernel(wide[:, 0], wide[:, 1], problem.parameters, wide[:, 2])
    np.testing.assert_array_equal(wide[:, 2], problem.hvp(x, v))
    np.testing.assert_array_equal(wide[:, 0], x)


def test_curvature_stays_between_the_constants(case):
    problem, _, points, _ = case
    for x in [*points, 30 * points[0]]:
        spectrum = np.linalg.eigvalsh(problem.hessian(x))
        assert spectrum[0] >= problem.constants["strong_convexity"] - 1e-14
        assert spectrum[-1] <= problem.constants["smoothness"] + 1e-14


# --- structure ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["least squares", "logistic"])
def test_hessian_by_rows(name):
    problem = CASES[name][0](np.arange(N))
    x = np.linspace(-1, 1, D)
    weights, remainder = problem.data.parts(x)
    hessian = problem.hessian(x)
    np.testing.assert_allclose((A.T * weights) @ A + remainder, hessian, rtol=1e-12, atol=1e-15)
    root = problem.data.root(x)
    assert root.shape == (N + D, D)
    np.testing.assert_allclose(root.T @ root, hessian, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(problem.data.rows, A)
    np.testing.assert_array_equal(problem.data.targets, B if name == "least squares" else SIGNS)
    for array in (problem.data.rows, problem.data.targets):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    for method in (problem.data.parts, problem.data.root):
        with pytest.raises(ValueError, match=r"x must have shape \(4,\)"):
            method([0.0])


def test_without_a_regularizer_the_root_has_one_row_a_sample():
    for problem in (least_squares(A, B), logistic_regression(A, SIGNS, l2=0.0)):
        root = problem.data.root(np.ones(D))
        assert root.shape == (N, D)
        hessian = problem.hessian(np.ones(D))
        np.testing.assert_allclose(root.T @ root, hessian, rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(problem.data.parts(np.ones(D))[1], np.zeros((D, D)))


def test_least_squares_has_a_constant_metric_and_a_jacobian():
    data = least_squares(A, B, l2=0.2).data
    np.testing.assert_array_equal(data.metric(), np.full(N, 1 / N))
    jacobian = data.jacobian(np.zeros(D))
    residuals = np.concatenate([(A @ np.ones(D) - B) / math.sqrt(N), math.sqrt(0.2) * np.ones(D)])
    gradient = least_squares(A, B, l2=0.2).gradient(np.ones(D))
    np.testing.assert_allclose(jacobian.T @ residuals, gradient, rtol=1e-12)
    assert logistic_regression(A, SIGNS).data.metric() is None


def test_structure_of_softmax():
    problem = softmax_regression(A, LABELS, 4, l2=0.05)
    x = np.random.default_rng(3).standard_normal(problem.dimension)
    root = problem.data.root(x)
    assert root.shape == (4 * N + 3 * D, 3 * D)
    np.testing.assert_allclose(root.T @ root, problem.hessian(x), rtol=1e-11, atol=1e-15)
    assert softmax_regression(A, LABELS, l2=0.0).data.root(x[: 2 * D]).shape == (3 * N, 2 * D)
    assert problem.data.metric() is None and not hasattr(problem.data, "parts")
    np.testing.assert_array_equal(problem.data.labels, LABELS)
    np.testing.assert_array_equal(problem.data.rows, A)


# --- least squares --------------------------------------------------------------------------


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_least_squares_knows_its_minimizer(l2):
    problem = least_squares(A, B, l2=l2)
    hessian = A.T @ A / N + l2 * np.eye(D)
    (known,) = problem.critical_points
    assert known.kind == "minimizer"
    np.testing.assert_allclose(known.x, np.linalg.solve(hessian, A.T @ B / N), rtol=1e-12)
    assert known.value == problem.constants["infimum"]
    assert known.value == pytest.approx(problem.value(known.x), rel=1e-13)
    np.testing.assert_allclose(problem.gradient(known.x), 0, atol=1e-15)
    spectrum = np.linalg.eigvalsh(hessian)
    assert problem.constants["smoothness"] == pytest.approx(spectrum[-1], rel=1e-13)
    assert problem.constants["strong_convexity"] == pytest.approx(spectrum[0], rel=1e-12)
    assert problem.constants["hessian_lipschitz"] == 0.0


@pytest.mark.parametrize("rows", [A[:3], A[:, [0, 1, 1]]], ids=["few rows", "equal columns"])
def test_least_squares_without_a_unique_minimizer(rows):
    problem = least_squares(rows, B[: len(rows)])
    (known,) = problem.critical_points
    np.testing.assert_allclose(known.x, np.linalg.pinv(rows) @ B[: len(rows)], atol=1e-13)
    assert problem.constants["strong_convexity"] == 0.0
    assert problem.constants["infimum"] == pytest.approx(problem.value(known.x), abs=1e-15)
    ridge = least_squares(rows, B[: len(rows)], l2=0.1)
    assert ridge.constants["strong_convexity"] == pytest.approx(0.1, rel=1e-12)


def test_the_strongest_regularizer():
    constants = least_squares(A, B, l2=1e308).constants
    assert constants["smoothness"] == pytest.approx(1e308, rel=1e-12)
    assert constants["strong_convexity"] == pytest.approx(1e308, rel=1e-12)
    assert constants["infimum"] == pytest.approx(np.mean(B**2) / 2, rel=1e-12)


def test_one_sample_has_the_step_of_kaczmarz():
    problem = least_squares(A, B)
    for i in range(N):
        g = problem.batch_gradient(np.ones(D), [i])
        turn = problem.batch_hvp(np.ones(D), g, [i])
        steps = [g @ g / (g @ turn), g @ turn / (turn @ turn), math.sqrt(g @ g / (turn @ turn))]
        np.testing.assert_allclose(steps, 1 / (A[i] @ A[i]), rtol=1e-13)


# --- logistic regression --------------------------------------------------------------------


def test_either_encoding_of_the_classes():
    wanted = logistic_regression(A, SIGNS).parameters
    for labels in ((SIGNS + 1) / 2, SIGNS > 0, (SIGNS > 0).astype(int).tolist()):
        np.testing.assert_array_equal(logistic_regression(A, labels).parameters, wanted)
    np.testing.assert_array_equal(logistic_regression(A, np.zeros(N)).data.targets, -np.ones(N))
    np.testing.assert_array_equal(logistic_regression(A, np.ones(N)).data.targets, np.ones(N))


def test_largest_curvature_of_logistic_regression_is_at_the_origin():
    problem = logistic_regression(A, SIGNS, l2=0.05)
    wanted = np.linalg.norm(A, 2) ** 2 / (4 * N) + 0.05
    assert problem.constants["smoothness"] == pytest.approx(wanted, rel=1e-13)
    spectrum = np.linalg.eigvalsh(problem.hessian(np.zeros(D)))
    assert spectrum[-1] == pytest.approx(wanted, rel=1e-13)
    assert problem.constants["strong_convexity"] == 0.05


def test_lipschitz_constant_of_the_hessian():
    problem = logistic_regression(A, SIGNS)
    bound = problem.constants["hessian_lipschitz"]
    rng = np.random.default_rng(4)
    for scale in (1e-3, 0.1, 1.0, 5.0):
        for _ in range(30):
            x, step = rng.standard_normal((2, D)) * [[1.0], [scale]]
            change = np.linalg.norm(problem.hessian(x + step) - problem.hessian(x), 2)
            assert change <= bound * np.linalg.norm(step)
    one = logistic_regression([[2.0]], [1], l2=0.0)  # attained where sigma = (1 - 1/sqrt(3)) / 2
    x, h = math.log(2 - math.sqrt(3)) / 2, 1e-5
    rate = (one.hvp([x + h], [1.0]) - one.hvp([x - h], [1.0])) / (2 * h)
    assert rate[0] == pytest.approx(one.constants["hessian_lipschitz"], rel=1e-8)


@pytest.mark.parametrize("scale", [1e3, 1e8, 1e300])
def test_huge_margins_do_not_overflow(scale):
    x = scale * np.array([1.0, -1.0, 0.5, 2.0])
    logistic = logistic_regression(A, SIGNS, l2=0.0)
    margins = SIGNS * (A @ x)
    assert logistic.value(x) == pytest.approx(np.maximum(-margins, 0).mean(), rel=1e-13)
    wanted = A.T @ (-SIGNS * (margins < 0)) / N
    np.testing.assert_allclose(logistic.gradient(x), wanted, rtol=1e-12)
    np.testing.assert_allclose(logistic.hvp(x, np.ones(D)), 0, atol=1e-12)

    softmax = softmax_regression(A, LABELS, l2=0.0)
    y = np.concatenate([x, -x[::-1]])
    scores = np.hstack([A @ y.reshape(2, D).T, np.zeros((N, 1))])
    losses = scores.max(axis=1) - scores[np.arange(N), LABELS]
    assert softmax.value(y) == pytest.approx(losses.mean(), rel=1e-13)
    wrong = np.eye(3)[scores.argmax(axis=1)] - np.eye(3)[LABELS]
    np.testing.assert_allclose(
        softmax.gradient(y), (wrong.T[:2] @ A / N).ravel(), rtol=1e-12, atol=1e-16
    )
    np.testing.assert_allclose(softmax.hvp(y, np.ones(2 * D)), 0, atol=1e-12)


def test_small_losses_keep_their_digits():
    tail = math.exp(-50)
    logistic = logistic_regression([[1.0]], [1], l2=0.0)
    softmax = softmax_regression([[1.0]], [0], 2, l2=0.0)
    for problem in (logistic, softmax):
        assert problem.value([50.0]) == pytest.approx(tail, rel=1e-14)
        assert problem.gradient([50.0])[0] == pytest.approx(-tail, rel=1e-14)
    assert logistic.hvp([50.0], [1.0])[0] == pytest.approx(tail, rel=1e-14)
    assert logistic.hvp([-50.0], [1.0])[0] == pytest.approx(tail, rel=1e-14)


# --- softmax regression ---------------------------------------------------------------------


def test_softmax_of_two_classes_is_logistic_regression():
    softmax = softmax_regression(A, (SIGNS < 0).astype(int), l2=0.05)
    logistic = logistic_regression(A, SIGNS, l2=0.05)
    x, v = np.random.default_rng(5).standard_normal((2, D))
    assert softmax.value(x) == pytest.approx(logistic.value(x), rel=1e-14)
    np.testing.assert_allclose(softmax.gradient(x), logistic.gradient(x), rtol=1e-12)
    np.testing.assert_allclose(softmax.hvp(x, v), logistic.hvp(x, v), rtol=1e-12)
    assert softmax.constants["smoothness"] == logistic.constants["smoothness"]


def test_classes_of_softmax():
    assert softmax_regression(A, LABELS).dimension == 2 * D
    assert softmax_regression(A, LABELS, n_classes=10).dimension == 9 * D
    assert softmax_regression(A, np.zeros(N, dtype=int)).dimension == D
    assert softmax_regression(A, LABELS, 5).value(np.zeros(4 * D)) == pytest.approx(math.log(5))


def test_smoothness_of_softmax():
    a = np.array([[1.0, 2.0]])
    problem = softmax_regression(a, [0], 3, l2=0.0)
    tied = np.concatenate([20 * a[0], 20 * a[0]])  # two classes share the row, the third has none
    spectrum = np.linalg.eigvalsh(problem.hessian(tied))
    assert problem.constants["smoothness"] == pytest.approx(2.5, rel=1e-14)
    assert spectrum[-1] == pytest.approx(2.5, rel=1e-12)
    for classes in (2, 3, 4, 10):
        stated = softmax_regression(A, LABELS % classes, classes, l2=0.1).constants["smoothness"]
        assert stated <= (classes - 1) / (4 * N) * np.linalg.norm(A) ** 2 + 0.1


# --- bad input ------------------------------------------------------------------------------

MAKERS = {
    "least_squares": (lambda rows, l2=0.0: least_squares(rows, np.ones(len(rows)), l2)),
    "logistic_regression": (lambda rows, l2=0.0: logistic_regression(rows, np.ones(len(rows)), l2)),
    "softmax_regression": (
        lambda rows, l2=0.0: softmax_regression(rows, np.ones(len(rows), dtype=int), l2=l2)
    ),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rows": [1.0, 2.0]}, ValueError, "A must be a matrix"),
        ({"rows": np.empty((0, 3))}, ValueError, "A must be a matrix with at least one row"),
        ({"rows": [[1.0, np.nan]]}, ValueError, r"A must be finite; entry \(0, 1\) is nan"),
        ({"rows": [["a"]]}, TypeError, "A must be an array of real numbers"),
        ({"rows": [[1e200]]}, ValueError, "A must be small enough that its squares"),
        ({"rows": [[1.0]], "l2": -1.0}, ValueError, "l2 must be a finite number at least 0"),
        ({"rows": [[1.0]], "l2": "1"}, TypeError, "l2 must be a number"),
    ],
)
def test_bad_rows_and_strengths(make, options, error, message):
    with pytest.raises(error, match=message):
        make(**options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: least_squares(A, B[1:]), ValueError, "b must have one entry per row of A, 13"),
        (lambda: least_squares(A, [[1.0]] * N), ValueError, "b must be a one-dimensional"),
        (lambda: least_squares(A, [np.inf] * N), ValueError, "b must be finite"),
        (lambda: least_squares(A, 1e200 * B), ValueError, "b must be small enough that squares"),
        (lambda: logistic_regression(A, SIGNS[1:]), ValueError, "labels must have one entry per"),
        (lambda: logistic_regression(A, 2 * SIGNS), ValueError, "labels must be -1 and .1, or 0"),
        (lambda: logistic_regression(A, ["a"] * N), TypeError, "labels must be an array of real"),
        (lambda: softmax_regression(A, LABELS[1:]), ValueError, "labels must have one entry per"),
        (lambda: softmax_regression(A, LABELS / 1), TypeError, "labels must be an array of whole"),
        (lambda: softmax_regression(A, LABELS - 1), ValueError, "labels must hold numbers from 0"),
        (lambda: softmax_regression(A, LABELS, 2), ValueError, "labels must hold .* from 0 to 1;"),
        (lambda: softmax_regression(A, LABELS, 1), ValueError, "n_classes must be .* at least 2"),
        (lambda: softmax_regression(A, LABELS, 3.0), TypeError, "n_classes must be a whole number"),
    ],
)
def test_bad_targets(make, error, message):
    with pytest.raises(error, match=message):
        make()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=6))
def test_labels_must_be_of_one_kind(labels):
    rows = np.ones((len(labels), 1))
    if {-1, 0} <= set(labels):
        with pytest.raises(ValueError, match="labels must be -1 and"):
            logistic_regression(rows, labels)
    else:
        targets = logistic_regression(rows, labels).data.targets
        np.testing.assert_array_equal(targets, np.where(np.array(labels) > 0, 1.0, -1.0))


def test_arguments_are_copied():
    rows, b = A.copy(), B.copy()
    problem = least_squares(rows, b)
    before = problem.value(np.ones(D))
    rows[:], b[:] = 0.0, 0.0
    assert problem.value(np.ones(D)) == before
    transposed = least_squares(np.asfortranarray(A).astype(np.float32), B.astype(">f8"))
    assert transposed.value(np.ones(D)) == pytest.approx(before, rel=1e-6)
