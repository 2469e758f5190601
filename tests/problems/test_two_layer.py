"""The two-layer regression: derivatives, structure of the Hessian, arguments."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import brentq, minimize

from lib.problems.two_layer import (
    BLOCK,
    UNITS,
    output_unit,
    softmax,
    two_layer_data,
    two_layer_regression,
)

STEP = 1e-30
BETA = 5.0
N, D, R = 30, 5, 8


# Naive formulas with whole matrices, which also take complex numbers.


def unit(name, z):
    if name == "identity":
        return z
    if name == "relu":
        return np.where(z.real > 0, z, 0)
    return np.tanh(z) if name == "tanh" else np.log(1 + np.exp(BETA * z)) / BETA


def reference(arrays, name):
    A1, A2, b, w = arrays

    def f(x):
        u = A1 @ x
        c = unit(name, A2 @ (np.exp(u) / np.exp(u).sum())) - b
        return (c @ c + (w * u) @ (w * u)) / 2

    return f


def dense_hessian(arrays, name, x):
    """Return the Hessian from n by n matrices."""
    A1, A2, b, w = arrays
    f = np.exp(A1 @ x) / np.exp(A1 @ x).sum()
    z = A2 @ f
    h, h1, h2 = exact_unit(name, z)
    c = h - b
    J = np.diag(f) - np.outer(f, f)
    q = A2.T @ (h1 * c)
    s = f * (q - f @ q)
    B = J @ A2.T @ np.diag(h1**2 + c * h2) @ A2 @ J
    B += np.diag(s) - np.outer(s, f) - np.outer(f, s)
    return A1.T @ (B + np.diag(w**2)) @ A1


def exact_unit(name, z):
    if name == "identity":
        return z, np.ones_like(z), np.zeros_like(z)
    if name == "relu":
        return np.maximum(z, 0), np.where(z > 0, 1.0, 0.0), np.zeros_like(z)
    if name == "tanh":
        return np.tanh(z), 1 / np.cosh(z) ** 2, -2 * np.tanh(z) / np.cosh(z) ** 2
    s = 1 / (1 + np.exp(-BETA * z))
    return np.log1p(np.exp(BETA * z)) / BETA, s, BETA * s * (1 - s)


def draw(n=N, d=D, r=R, seed=0, holes=True):
    """Return arrays of the order of one; half of A1's entries are zero, one row and column too."""
    rng = np.random.default_rng(seed)
    A1 = rng.standard_normal((n, d))
    if holes:
        A1 *= rng.random((n, d)) < 0.5
        A1[3] = 0.0
        A1[:, 2] = 0.0
        A1[5, 2] = 1.5
    A2 = 2 * rng.standard_normal((r, n))
    return A1, A2, rng.standard_normal(r), rng.uniform(0.1, 0.5, n)


ARRAYS = draw()
POINTS = np.random.default_rng(1).standard_normal((6, D))


def make(name, storage, arrays=ARRAYS):
    A1, A2, b, w = arrays
    A1 = sparse.csr_array(A1) if storage == "sparse" else A1
    return two_layer_regression(A1, A2, b, w, name, BETA)


@pytest.fixture(params=[(name, storage) for name in UNITS for storage in ("dense", "sparse")])
def case(request):
    name, storage = request.param
    return name, make(name, storage)


def close(got, wanted, tolerance=1e-12):
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


def complex_step(problem, x, v):
    """Return the derivative of the gradient kernel along v."""
    out = np.empty(x.size, dtype=complex)
    problem.gradient_kernel(x + 1j * STEP * v, problem.parameters, out)
    return out.imag / STEP


# --- derivatives ----------------------------------------------------------------------------


def test_value(case):
    name, problem = case
    wanted = [reference(ARRAYS, name)(x) for x in POINTS]
    np.testing.assert_allclose(problem.value(POINTS), wanted, rtol=1e-13)


def test_gradient_is_the_complex_step_of_the_value(case):
    name, problem = case
    f = reference(ARRAYS, name)
    for x in POINTS:
        gradient = problem.gradient(x)
        close(gradient, [f(x + 1j * STEP * e).imag / STEP for e in np.eye(D)])


@pytest.mark.parametrize("name", UNITS)
def test_value_kernel_takes_complex_numbers(name):
    problem = make(name, "dense")
    for x in POINTS:
        z = [problem.value_kernel(x + 1j * STEP * e, problem.parameters) for e in np.eye(D)]
        close(np.imag(z) / STEP, problem.gradient(x))


def test_hessian_is_the_complex_step_of_the_gradient(case):
    name, problem = case
    for x in POINTS:
        hessian = problem.hessian(x)
        close(hessian, [complex_step(problem, x, e) for e in np.eye(D)])
        close(hessian, dense_hessian(ARRAYS, name, x))
        close(problem.hvp(x, POINTS[0]), hessian @ POINTS[0])


@pytest.mark.parametrize("d", range(1, 10))
@pytest.mark.parametrize("storage", ["dense", "sparse"])
def test_any_number_of_columns(d, storage):
    arrays = draw(7, d, 3, seed=d, holes=False)
    problem = make("softplus", storage, arrays)
    x = np.linspace(-1, 1, d)
    hessian = dense_hessian(arrays, "softplus", x)
    assert problem.value(x) == pytest.approx(reference(arrays, "softplus")(x), rel=1e-13)
    f = reference(arrays, "softplus")
    close(problem.gradient(x), [f(x + 1j * STEP * e).imag / STEP for e in np.eye(d)])
    close(problem.hessian(x), hessian)


def test_kernels_take_strided_vectors():
    problem = make("tanh", "dense")
    block = np.stack([POINTS[0], POINTS[1], np.zeros(D)], axis=1)
    x, v, out = block[:, 0], block[:, 1], block[:, 2]
    problem.hvp_kernel(x, v, problem.parameters, out)
    np.testing.assert_array_equal(out, problem.hvp(POINTS[0], POINTS[1]))


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("size", [1e3, 1e6])
def test_large_logits_do_not_overflow(name, size):
    A1, A2, b, _ = ARRAYS
    problem = two_layer_regression(A1, A2, b, 0.0, name, BETA)
    x = size * POINTS[0]
    winner = np.argmax(A1 @ x)
    residual = unit(name, A2[:, winner]) - b
    assert problem.value(x) == pytest.approx(residual @ residual / 2, rel=1e-12)
    np.testing.assert_allclose(problem.gradient(x), 0, atol=1e-12)
    np.testing.assert_allclose(problem.hessian(x), 0, atol=1e-12)


def test_units():
    z = np.linspace(-3, 3, 13)
    for name in UNITS:
        for got, wanted in zip(output_unit(z, name, BETA), exact_unit(name, z), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-14)
    height, slope, bend = output_unit([[-1e3, 0.0, 1e3]], "softplus", 1e4)
    assert height.tolist() == [[0.0, np.log(2) / 1e4, 1e3]]
    assert slope.tolist() == [[0.0, 0.5, 1.0]] and bend.tolist() == [[0.0, 2500.0, 0.0]]


def test_derivative_of_relu_at_zero_is_zero():
    assert [float(part) for part in output_unit(0.0, "relu")] == [0.0, 0.0, 0.0]
    problem = two_layer_regression([[1.0], [0.0]], [[1.0, -1.0]], [3.0], 0.5, "relu")
    assert problem.gradient([0.0]).tolist() == [0.0]
    assert problem.hessian([0.0]).tolist() == [[0.25]]


def test_softplus_tends_to_relu():
    A1, A2, b, w = ARRAYS
    sharp = two_layer_regression(A1, A2, b, w, "softplus", 1e6)
    relu = two_layer_regression(A1, A2, b, w, "relu")
    for x in POINTS:
        assert np.abs(relu.data.layers(x).z).min() > 1e-4
        assert sharp.value(x) == pytest.approx(relu.value(x), rel=1e-6)
        close(sharp.gradient(x), relu.gradient(x), 1e-6)


def test_curvature_of_softplus_near_the_kink():
    # Half of (softplus - 1)^2: the second derivative grows like beta, the third like beta^2.
    wanted = {10.0: (2.13, 12.3), 1e2: (24.6, 987), 1e3: (250, 9.65e4), 1e4: (2500, 9.62e6)}
    for beta, (second, third) in wanted.items():
        z = np.linspace(-20, 20, 20001) / beta
        height, slope, bend = output_unit(z, "softplus", beta)
        curvature = slope**2 + (height - 1) * bend
        rate = np.gradient(curvature, z)
        assert np.abs(curvature).max() == pytest.approx(second, rel=3e-3)
        assert np.abs(rate).max() == pytest.approx(third, rel=3e-3)


# --- storage --------------------------------------------------------------------------------


def test_sparse_and_dense_agree(case):
    name, problem = case
    other = make(name, "dense")
    np.testing.assert_allclose(problem.value(POINTS), other.value(POINTS), rtol=1e-14)
    for x in POINTS:
        close(problem.gradient(x), other.gradient(x), 1e-14)
        close(problem.hessian(x), other.hessian(x), 1e-14)


FORMATS = {
    "csr matrix": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "coo": sparse.coo_array,
    "lil": sparse.lil_array,
    "list": lambda A1: A1.tolist(),
    "column order": np.asfortranarray,
    "strided": lambda A1: np.repeat(A1, 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize("convert", FORMATS.values(), ids=FORMATS)
def test_any_format_of_the_first_layer(convert):
    A1, A2, b, w = ARRAYS
    problem = two_layer_regression(convert(A1), A2[:, ::-1][:, ::-1], list(b), w, "relu")
    x = POINTS[0]
    close(problem.gradient(x), make("relu", "dense").gradient(x), 1e-14)
    assert sparse.issparse(problem.data.rows) == sparse.issparse(convert(A1))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float32])
@pytest.mark.parametrize("storage", ["dense", "sparse"])
def test_any_type_of_numbers(dtype, storage):
    A1, A2, b, w = ARRAYS
    A1 = A1.astype(dtype)
    problem = make("softplus", storage, (A1, A2, b, w))
    wanted = reference((A1.astype(float), A2, b, w), "softplus")(POINTS[0])
    assert problem.value(POINTS[0]) == pytest.approx(wanted, rel=1e-13)


def test_entries_of_one_place_are_added():
    A1 = sparse.coo_array(([1.0, 2.0, 5.0], ([0, 0, 1], [0, 0, 1])), shape=(3, 2))
    problem = two_layer_regression(A1, np.eye(3), np.zeros(3), 1.0)
    assert problem.data.rows.toarray().tolist() == [[3.0, 0.0], [0.0, 5.0], [0.0, 0.0]]
    assert problem.hvp([0.0, 0.0], [0.0, 0.0]).tolist() == [0.0, 0.0]


def test_sparse_storage_is_proportional_to_the_entries():
    n, d, r = 2000, 300, 3
    A1 = sparse.random_array((n, d), density=0.005, rng=np.random.default_rng(0))
    A2 = np.ones((r, n))
    problem = two_layer_regression(A1, A2, np.zeros(r), 0.1)
    assert problem.parameters.size == 5 + r + n + n * r + n + 2 + 2 * A1.nnz


@pytest.mark.parametrize("storage", ["dense", "sparse"])
def test_arrays_are_copied_and_not_changed(storage):
    A1, A2, b, w = (np.array(a) for a in ARRAYS)
    given = sparse.csr_array(A1) if storage == "sparse" else A1
    problem = two_layer_regression(given, A2, b, w, "tanh")
    before = problem.value(POINTS[0])
    for mine, original in zip((A1, A2, b, w), ARRAYS, strict=True):
        np.testing.assert_array_equal(mine, original)
    given *= 2.0
    for array in (A2, b, w):
        array += 1.0
    assert problem.value(POINTS[0]) == before
    dense = problem.data.rows.toarray() if storage == "sparse" else problem.data.rows
    np.testing.assert_array_equal(dense, ARRAYS[0])
    np.testing.assert_array_equal(problem.data.A2, ARRAYS[1])
    np.testing.assert_array_equal(problem.data.weights, ARRAYS[3])
    with pytest.raises(ValueError, match="read-only"):
        problem.data.A2[0, 0] = 1.0


@pytest.mark.parametrize("storage", ["dense", "sparse"])
def test_arrays_survive_pickling(storage):
    data = make("softplus", storage).data
    copy = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(copy.parts(POINTS[0])[1], data.parts(POINTS[0])[1])


def test_one_weight_stands_for_all():
    A1, A2, b, _ = ARRAYS
    one = two_layer_regression(A1, A2, b, 0.3)
    many = two_layer_regression(A1, A2, b, np.full(N, 0.3))
    np.testing.assert_array_equal(one.parameters, many.parameters)
    assert one.data.metric().tolist() == [0.3**2] * N


# --- structure of the Hessian ---------------------------------------------------------------


def test_parts(case):
    name, problem = case
    A1, _, _, w = ARRAYS
    for x in POINTS:
        weights, remainder = problem.data.parts(x)
        close(A1.T @ np.diag(weights) @ A1 + remainder, problem.hessian(x))
        np.testing.assert_array_equal(remainder, remainder.T)
        at = problem.data.layers(x)
        close(weights - w**2, at.f * at.centered)
    np.testing.assert_array_equal(problem.data.metric(), w**2)


def test_gradient_together_with_the_parts(case):
    _, problem = case
    for x in POINTS:
        gradient, weights, remainder = problem.data.gradient_and_parts(x)
        close(gradient, problem.gradient(x))
        for got, wanted in zip((weights, remainder), problem.data.parts(x), strict=True):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("order", [1, -1])
def test_one_pass_over_many_blocks_with_ever_larger_logits(order):
    n, d = 5000, 20
    rng = np.random.default_rng(4)
    A1 = rng.standard_normal((n, d))
    x = rng.standard_normal(d)
    A1 = A1[np.argsort(A1 @ x)[::order]] * 40.0  # weights of e^-1000 beside those near 1
    A2 = rng.standard_normal((3, n))
    problem = two_layer_regression(A1, A2, np.ones(3), 1e-3, "tanh")
    assert A1.size > 2 * BLOCK
    gradient, weights, remainder = problem.data.gradient_and_parts(x)
    close(gradient, problem.gradient(x))
    v = rng.standard_normal(d)
    close(A1.T @ (weights * (A1 @ v)) + remainder @ v, problem.hvp(x, v))


def test_rank_of_the_remainder():
    arrays = draw(60, 12, 2, holes=False)
    _, remainder = make("tanh", "dense", arrays).data.parts(np.linspace(-1, 1, 12))
    assert np.linalg.matrix_rank(remainder, tol=1e-12 * np.linalg.norm(remainder)) == 3


def test_jacobian(case):
    name, problem = case
    A1, A2, b, w = ARRAYS
    for x in POINTS[:3]:
        J = problem.data.jacobian(x)
        for k, e in enumerate(np.eye(D)):
            u = A1 @ (x + 1j * STEP * e)
            residuals = np.append(unit(name, A2 @ (np.exp(u) / np.exp(u).sum())) - b, w * u)
            close(J[:, k], residuals.imag / STEP)
        u = A1 @ x
        residuals = np.append(unit(name, A2 @ softmax(u)) - b, w * u)
        close(J.T @ residuals, problem.gradient(x))


@pytest.mark.parametrize("shape", [(30, 5, 8), (6, 3, 8), (40, 6, 1)])
@pytest.mark.parametrize("storage", ["dense", "sparse"])
@pytest.mark.parametrize("name", UNITS)
def test_root(name, storage, shape):
    A1, A2, b, _ = draw(*shape, holes=False)
    weights = np.random.default_rng(3).uniform(3.0, 4.0, shape[0])
    problem = make(name, storage, (A1, A2, b, weights))
    for x in np.random.default_rng(2).standard_normal((3, shape[1])):
        root = problem.data.root(x)
        assert root.shape == shape[:2]
        close(root.T @ root, problem.hessian(x))


def test_root_of_a_regression_without_data():
    A1 = ARRAYS[0]
    data = two_layer_regression(A1, np.zeros((1, N)), [1.0], 0.5).data
    np.testing.assert_allclose(data.root(POINTS[0]), 0.5 * A1, atol=1e-15)


def test_there_is_no_root_where_the_diagonal_part_is_not_positive():
    A1, A2, b, _ = ARRAYS
    data = two_layer_regression(A1, A2, b, 0.01, "identity").data
    assert data.parts(POINTS[0])[0].min() < 0
    with pytest.raises(ValueError, match=r"numbers w\^2 \+ f \* qbar .* must be positive"):
        data.root(POINTS[0])


@pytest.mark.parametrize("name", ["softplus", "tanh"])
def test_there_is_no_root_where_the_middle_matrix_is_indefinite(name):
    rng = np.random.default_rng(5)
    A1, A2, x = rng.standard_normal((4, 2)), 2 * rng.standard_normal((2, 4)), [0.3, -0.2]

    def data(square):
        return two_layer_regression(A1, A2, [2.0, 3.0], square**0.5, name).data

    # Square A1 to see the whole of B; its own Hessian is the matrix in the middle.
    middle = two_layer_regression(np.eye(4), A2, [2.0, 3.0], 0.0, name).hessian(A1 @ x)
    diagonal, whole = -data(0.0).parts(x)[0].min(), -np.linalg.eigvalsh(middle)[0]
    assert diagonal < whole
    with pytest.raises(ValueError, match=r"diagonal part must be positive"):
        data(0.99 * diagonal).root(x)
    with pytest.raises(ValueError, match=r"B \+ W\^2 must be positive semidefinite"):
        data((diagonal + 0.99 * whole) / 2).root(x)
    problem = two_layer_regression(A1, A2, [2.0, 3.0], (1.001 * whole) ** 0.5, name)
    root = problem.data.root(x)
    close(root.T @ root, problem.hessian(x))


def test_relative_curvature():
    A1, A2, b, w = draw(holes=False)
    problem = two_layer_regression(A1, A2, b, w, "tanh")
    silent = two_layer_regression(A1, A2, b, 0.0, "tanh")
    for x in POINTS:
        for given, m in ((None, w**2), (np.ones(N), np.ones(N))):
            values = problem.data.relative_curvature(x, given)
            gram = A1.T @ np.diag(m) @ A1
            wanted = np.linalg.eigvals(np.linalg.solve(gram, silent.hessian(x)))
            np.testing.assert_allclose(values, np.sort(wanted.real), rtol=1e-10, atol=1e-12)


def test_rank_deficient_rows_are_refused():
    A1 = np.ones((6, 2))
    data = two_layer_regression(A1, np.ones((1, 6)), [1.0], 1.0).data
    wide = two_layer_regression(np.eye(2, 3), np.ones((1, 2)), [1.0], 1.0).data
    for deficient, d in ((data, 2), (wide, 3)):
        with pytest.raises(ValueError, match="A1 must have full column rank"):
            deficient.relative_curvature(np.zeros(d))
        with pytest.raises(ValueError, match="A1 must have full column rank"):
            deficient.singular_values()
    with pytest.raises(ValueError, match="metric must be positive; its least entry is 0"):
        two_layer_regression(np.eye(3), np.eye(3), np.ones(3), 0.0).data.relative_curvature(
            np.zeros(3)
        )


# --- what ReLU does to convexity ------------------------------------------------------------


def newton(problem, x, steps):
    path = [x]
    for _ in range(steps):
        x = x - problem.gradient([x])[0] / problem.hessian([x])[0, 0]
        path.append(x)
    return path


def test_two_strict_minima_although_the_hessian_is_positive():
    problem = two_layer_regression([[1.0], [0.0]], [[1.0, -2.0]], [1.0], 0.6**0.5, "relu")
    kink = np.log(2.0)
    grid = np.setdiff1d(np.linspace(-8, 8, 2001), [kink])
    assert min(problem.hessian([x])[0, 0] for x in grid) >= 0.6 - 1e-12
    right = brentq(lambda x: problem.gradient([x])[0], kink + 1e-9, 3)
    assert right == pytest.approx(0.895525, abs=2e-6)
    assert problem.value([right]) == pytest.approx(0.618964, abs=1e-6)
    assert (problem.gradient([0.0])[0], problem.value([0.0])) == (0.0, 0.5)
    for minimum in (0.0, right):
        for side in (-1e-3, 1e-3):
            assert problem.value([minimum + side]) > problem.value([minimum])


def test_newton_cycles_around_a_minimizer_on_a_convex_kink():
    problem = two_layer_regression([[1.0], [0.0]], [[2.0, -1.0]], [-1.0], 0.3**0.5, "relu")
    path = newton(problem, 0.5, 40)
    np.testing.assert_allclose(path[1:5], [-2.59, 0.0, -1.304, 0.0], atol=5e-3)
    np.testing.assert_allclose(path[2::2], 0.0, atol=1e-12)
    np.testing.assert_allclose(path[3::2], path[3], atol=1e-9)
    grid = np.linspace(-5, 5, 5001)
    assert grid[problem.value(grid[:, None]).argmin()] == pytest.approx(-np.log(2), abs=1e-3)


# --- drawing arrays -------------------------------------------------------------------------


def test_drawn_arrays():
    A1, A2, b = two_layer_data(40, 3, 5, norms=(2.0, 3.0, 4.0), seed=7)
    assert (A1.shape, A2.shape, b.shape) == ((40, 3), (5, 40), (5,))
    sizes = np.linalg.norm(A1, 2), np.linalg.norm(A2, 2), np.linalg.norm(b)
    np.testing.assert_allclose(sizes, (2, 3, 4), rtol=1e-14)
    assert b.min() > 0
    again = two_layer_data(40, 3, 5, norms=(2.0, 3.0, 4.0), seed=7)
    np.testing.assert_array_equal(again[0], A1)
    assert not np.array_equal(two_layer_data(40, 3, 5, seed=8)[0], two_layer_data(40, 3, 5)[0])


def test_heavy_rows():
    leverage = {}
    for tail in (None, 1.5):
        A1, _, _ = two_layer_data(3000, 10, 2, row_tail=tail)
        basis = np.linalg.qr(A1)[0]
        leverage[tail] = (basis**2).sum(axis=1).max() * 3000 / 10
    assert leverage[None] < 6 and leverage[1.5] > 50


@pytest.mark.parametrize("name", ["identity", "relu", "softplus"])
@pytest.mark.parametrize("seed", range(3))
def test_curvature_of_the_data(name, seed):
    """Data curvature of order one, also at the minimizer; without scaling it is next to none."""
    plain = two_layer_data(400, 4, 6, seed=seed)
    scaled = two_layer_data(400, 4, 6, curvature_ratio=0.7, weight=0.2, seed=seed)
    assert np.linalg.norm(scaled[1], 2) / np.linalg.norm(scaled[2]) == pytest.approx(1.0)
    weak = two_layer_regression(*plain, 0.2, name)
    strong = two_layer_regression(*scaled, 0.2, name)
    at_zero = np.abs(strong.data.relative_curvature(np.zeros(4))).max()
    if name == "identity":
        assert at_zero == pytest.approx(0.7, rel=1e-12)
    minimizer = minimize(strong.value, np.zeros(4), jac=strong.gradient).x
    assert np.abs(weak.data.relative_curvature(np.zeros(4))).max() < 0.02
    assert np.abs(strong.data.relative_curvature(minimizer)).max() > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_aligned_data_have_a_root_where_independent_ones_have_none(seed):
    options = dict(curvature_ratio=0.8, weight=0.2, seed=seed)
    A1, A2, b = two_layer_data(1000, 6, 4, aligned=True, **options)
    problem = two_layer_regression(A1, A2, b, 0.2)
    minimizer = minimize(problem.value, np.zeros(6), jac=problem.gradient).x
    root = problem.data.root(minimizer)
    close(root.T @ root, problem.hessian(minimizer))
    assert problem.data.relative_curvature(minimizer)[-1] > 0.3
    other = two_layer_regression(*two_layer_data(1000, 6, 4, **options), 0.2)
    with pytest.raises(ValueError, match="diagonal part must be positive"):
        other.data.root(np.zeros(6))


# --- arguments ------------------------------------------------------------------------------

GOOD = dict(A1=np.eye(3), A2=np.ones((2, 3)), b=[1.0, 2.0], weights=0.5)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"A1": [1.0, 2.0]}, ValueError, "A1 must be a matrix"),
        ({"A1": np.ones((0, 3))}, ValueError, "A1 must be a matrix with at least one row"),
        ({"A1": [["a"]]}, TypeError, "A1 must be an array of real numbers"),
        ({"A1": np.eye(3) * 1j}, TypeError, "A1 must be an array of real numbers"),
        ({"A1": [[np.nan] * 3] * 3}, ValueError, r"A1 must be finite; entry \(0, 0\) is nan"),
        ({"A1": sparse.eye_array(3) * 1j}, TypeError, "A1 must be a matrix of real numbers"),
        ({"A1": sparse.eye_array(3) * np.inf}, ValueError, "A1 must be finite"),
        ({"A1": sparse.csr_array((3, 0))}, ValueError, r"A1 must be .* got shape \(3, 0\)"),
        ({"A1": sparse.coo_array([1.0, 0.0])}, ValueError, r"A1 must be .* got shape \(2,\)"),
        ({"A2": np.ones((2, 4))}, ValueError, "A2 must have one column for each of the 3 rows"),
        ({"A2": np.ones(3)}, ValueError, "A2 must be a matrix"),
        ({"A2": [[np.inf] * 3]}, ValueError, "A2 must be finite"),
        ({"b": [1.0]}, ValueError, r"b must have shape \(2,\)"),
        ({"b": 1.0}, ValueError, "b must be a one-dimensional sequence"),
        ({"b": [1.0, np.nan]}, ValueError, r"b must be finite; entry \(1,\) is nan"),
        ({"weights": [1.0, 1.0]}, ValueError, r"weights must be one number or have shape \(3,\)"),
        ({"weights": -1.0}, ValueError, "weights must be finite and not negative"),
        ({"weights": [1.0, -1.0, 1.0]}, ValueError, "weights must be finite and not negative"),
        ({"weights": np.inf}, ValueError, "weights must be finite and not negative"),
        ({"weights": 1e155}, ValueError, "and so must their squares; got 1e\\+155"),
        ({"weights": [1.0, np.nan, 1.0]}, ValueError, "weights must be finite and not negative"),
        ({"weights": "0.5"}, TypeError, "weights must be an array of real numbers"),
        ({"weights": None}, TypeError, "weights must be an array of real numbers"),
        ({"unit": "elu"}, ValueError, "unit must be one of 'identity', 'relu', 'softplus'"),
        ({"unit": 2}, ValueError, "unit must be one of 'identity'"),
        ({"beta": 0.0}, ValueError, "beta must be a finite number above 0"),
        ({"beta": np.inf}, ValueError, "beta must be a finite number above 0"),
        ({"beta": "5"}, TypeError, "beta must be a number"),
    ],
)
def test_bad_arguments_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        two_layer_regression(**{**GOOD, **changes})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n": 0}, ValueError, "n must be a whole number at least 1"),
        ({"d": 1.5}, TypeError, "d must be a whole number"),
        ({"n_outputs": 0}, ValueError, "n_outputs must be a whole number at least 1"),
        ({"row_tail": 0.0}, ValueError, "row_tail must be a finite number above 0"),
        ({"row_tail": 1e-3}, ValueError, "row_tail must be larger: with 0.001 a row"),
        ({"curvature_ratio": -1.0}, ValueError, "curvature_ratio must be a finite number above"),
        ({"n": 2, "curvature_ratio": 1.0}, ValueError, "A1 must have full column rank"),
        ({"n": 1, "d": 1, "curvature_ratio": 1.0}, ValueError, "curvature_ratio must be None"),
        ({"weight": 0.0}, ValueError, "weight must be a finite number above 0"),
        ({"aligned": 1}, TypeError, "aligned must be True or False"),
        ({"norms": (1.0, 2.0)}, ValueError, r"norms must have shape \(3,\)"),
        ({"norms": (1.0, 0.0, 2.0)}, ValueError, "norms must be positive"),
        ({"seed": -1}, ValueError, "seed must be a whole number at least 0"),
    ],
)
def test_bad_arguments_of_the_drawing_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        two_layer_data(**{"n": 9, "d": 3, "n_outputs": 2, **changes})


def test_bad_points_are_named():
    data = two_layer_regression(**GOOD).data
    both, ratios = data.gradient_and_parts, data.relative_curvature
    for method in (data.layers, data.parts, both, data.root, data.jacobian, ratios):
        with pytest.raises(ValueError, match=r"x must have shape \(3,\)"):
            method([1.0, 2.0])
        with pytest.raises(ValueError, match="x must be finite"):
            method([1.0, np.nan, 0.0])
    large = two_layer_regression(**{**GOOD, "A1": 10 * np.eye(3)}).data
    both = large.gradient_and_parts
    for method in (large.layers, large.parts, both, large.root, large.jacobian):
        with pytest.raises(ValueError, match="x must lie where A1 x is finite"):
            method([1e308, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"metric must have shape \(3,\)"):
        data.relative_curvature(np.zeros(3), [1.0])


@pytest.mark.parametrize("logits", [3.0, [], [np.inf, 0.0], [[0.0], [np.nan]]])
def test_softmax_refuses(logits):
    with pytest.raises(ValueError, match="logits must"):
        softmax(logits)


def test_softmax():
    u = np.random.default_rng(0).standard_normal((2, 3, 4))
    np.testing.assert_allclose(softmax(u), np.exp(u) / np.exp(u).sum(-1, keepdims=True), rtol=1e-14)
    np.testing.assert_allclose(softmax(u + 1e5), softmax(u), rtol=1e-10)
    assert softmax([-1.7e308, 1.7e308]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([np.inf], "relu"), ValueError, "z must be finite"),
        ((["a"], "relu"), TypeError, "z must be an array of real numbers"),
        (([1.0], "elu"), ValueError, "unit must be one of"),
        (([1.0], "softplus", -1.0), ValueError, "beta must be a finite number above 0"),
    ],
)
def test_output_unit_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        output_unit(*arguments)
