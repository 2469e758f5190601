"""A reader's own functions: every signature, clear errors, and no needless compilation."""

import dataclasses

import numpy as np
import pytest
from numba import njit

from lib import curvature, ensembles, optimizers, problems
from lib._jit import JIT

# Arrays and tuples will both do as gradients.
# f(x) = a x0^4 / 4 + x0 x1 + b x1^2 / 2, with (a, b) = (2, 3) where they are not parameters.


@njit
def value_x(x):
    return 0.5 * x[0] ** 4 + x[0] * x[1] + 1.5 * x[1] ** 2


@njit
def value_xp(x, p):
    return p[0] / 4 * x[0] ** 4 + x[0] * x[1] + p[1] / 2 * x[1] ** 2


@njit
def gradient_x(x):
    return np.array([2.0 * x[0] ** 3 + x[1], x[0] + 3.0 * x[1]])


@njit
def gradient_xp(x, p):
    return p[0] * x[0] ** 3 + x[1], x[0] + p[1] * x[1]


@njit
def gradient_out(x, p, out):
    out[0] = p[0] * x[0] ** 3 + x[1]
    out[1] = x[0] + p[1] * x[1]


@njit
def hvp_xv(x, v):
    return np.array([6.0 * x[0] ** 2 * v[0] + v[1], v[0] + 3.0 * v[1]])


@njit
def hvp_xvp(x, v, p):
    return 3.0 * p[0] * x[0] ** 2 * v[0] + v[1], v[0] + p[1] * v[1]


@njit
def hvp_out(x, v, p, out):
    out[0] = 3.0 * p[0] * x[0] ** 2 * v[0] + v[1]
    out[1] = v[0] + p[1] * v[1]


@njit
def three_entries(x):
    return x[0], x[1], 0.0


@njit
def one_entry(x, v, p):
    return (x[0],)


@njit
def five(a, b, c, d, e):
    return 0.0


@njit
def none():
    return 0.0


@njit
def batch_value_x(x, batch):
    return x[0] * batch[0]


@njit
def batch_value_xp(x, p, batch):
    return p[0] / 2 * x[0] * batch[0]


@njit
def batch_gradient_x(x, batch):
    return 1.0 * batch[0], 0.0


@njit
def batch_hvp_xv(x, v, batch):
    return v[0] * batch[0], v[1]


@njit
def batch_hvp_xvp(x, v, p, batch):
    return p[0] / 2 * v[0] * batch[0], v[1]


@njit
def batch_hvp_out(x, v, p, batch, out):
    out[0] = p[0] / 2 * v[0] * batch[0]
    out[1] = v[1]


@njit
def batch_hvp_short(x, v, batch):
    return (v[0],)


X, V = np.array([0.7, -1.3]), np.array([2.0, 0.5])
HESSIAN = np.array([[6 * 0.7**2, 1.0], [1.0, 3.0]])


def make(**options):
    given = {"value": value_xp, "gradient": gradient_out, "dimension": 2, "parameters": [2.0, 3.0]}
    return problems.custom(**{**given, **options})


@pytest.mark.parametrize("value", [value_x, value_xp], ids=lambda f: f.__name__)
def test_value_signatures(value):
    problem = make(value=value)
    wanted = 0.5 * 0.7**4 - 0.7 * 1.3 + 1.5 * 1.3**2
    assert problem.value(X) == pytest.approx(wanted, rel=1e-14)
    np.testing.assert_allclose(problem.value([X, X]), [wanted, wanted], rtol=1e-14)


@pytest.mark.parametrize(
    "gradient", [gradient_x, gradient_xp, gradient_out], ids=lambda f: f.__name__
)
def test_gradient_signatures(gradient):
    wanted = [2 * 0.7**3 - 1.3, 0.7 - 3 * 1.3]
    np.testing.assert_allclose(make(gradient=gradient).gradient(X), wanted, rtol=1e-14)


@pytest.mark.parametrize("hvp", [hvp_xv, hvp_xvp, hvp_out], ids=lambda f: f.__name__)
def test_hvp_signatures(hvp):
    np.testing.assert_allclose(make(hvp=hvp).hvp(X, V), HESSIAN @ V, rtol=1e-14)


def test_hvp_by_differences_is_correct_to_ten_digits():
    problem = make()
    np.testing.assert_allclose(problem.hvp(X, V), HESSIAN @ V, rtol=1e-9)
    np.testing.assert_allclose(problem.hessian(X), HESSIAN, rtol=1e-9)
    for scale in (1e-150, 1e-6, 1e6, 1e150):
        np.testing.assert_allclose(problem.hvp(X, scale * V), HESSIAN @ V * scale, rtol=1e-9)
    np.testing.assert_array_equal(problem.hvp(X, [0.0, 0.0]), [0.0, 0.0])


def test_without_parameters():
    problem = problems.custom(value_x, gradient_x, 2)
    assert problem.parameters.size == 0
    np.testing.assert_allclose(problem.hvp(X, V), HESSIAN @ V, rtol=1e-9)
    found = curvature.classify(problem, [0.0, 0.0])
    assert (found.kind, found.gradient_norm) == ("strict saddle", 0.0)


def test_custom_double_well_runs_like_the_catalogue_one():
    own = problems.double_well()
    known = [problems.critical_point(c.x, c.kind, c.value) for c in own.critical_points]
    problem = problems.custom(
        own.value_kernel,
        own.gradient_kernel,
        2,
        parameters=own.parameters,
        critical_points=known,
        name="my well",
        formula="w",
    )
    assert (problem.name, problem.formula) == ("my well", "w")
    starts = ensembles.uniform_starts(500, -2, 2)
    mine, theirs = ensembles.basins(problem, starts), ensembles.basins(own, starts)
    np.testing.assert_array_equal(mine.labels, theirs.labels)
    np.testing.assert_array_equal(mine.n_iter, theirs.n_iter)
    assert curvature.classify(problem, [0.0, 0.0]).kind == "strict saddle"


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_parameters_change_without_compiling():
    def kernels(problem):
        problem.hvp(X, V)
        found = problem.value_kernel, problem.gradient_kernel, problem.hvp_kernel
        return found, [kernel.signatures[:] for kernel in found]

    old, new = make(), make(parameters=[5.0, 7.0])
    assert kernels(new) == kernels(old)
    assert new.value(X) == pytest.approx(1.25 * 0.7**4 - 0.7 * 1.3 + 3.5 * 1.3**2)
    np.testing.assert_allclose(new.gradient(X), [5 * 0.7**3 - 1.3, 0.7 - 7 * 1.3])
    assert kernels(new) == kernels(old)


@pytest.mark.parametrize("hvp", [batch_hvp_xv, batch_hvp_xvp, batch_hvp_out])
@pytest.mark.parametrize("value", [batch_value_x, batch_value_xp])
def test_batches(hvp, value):
    batches = {"batch_gradient": batch_gradient_x, "batch_hvp": hvp, "batch_value": value}
    problem = make(n_samples=5, data="rows", **batches)
    assert (problem.n_samples, problem.data) == (5, "rows")
    assert problem.batch_value(X, [3]) == pytest.approx(2.1)
    assert problem.batch_gradient(X, [3]).tolist() == [3.0, 0.0]
    assert problem.batch_hvp(X, V, [3]).tolist() == [6.0, 0.5]


def test_batches_that_will_not_do():
    with pytest.raises(ValueError, match="batch_gradient and n_samples must be given together"):
        make(batch_gradient=batch_gradient_x)
    for name, function in (("batch_hvp", batch_hvp_xv), ("batch_value", batch_value_x)):
        with pytest.raises(ValueError, match=f"{name} needs batch_gradient and n_samples"):
            make(**{name: function})
    samples = {"batch_gradient": batch_gradient_x, "n_samples": 2}
    with pytest.raises(TypeError, match="batch_hvp must take 3 to 5 arguments; it takes 1"):
        make(batch_hvp=value_x, **samples)
    with pytest.raises(TypeError, match="one of them p, so give parameters"):
        make(
            parameters=None, value=value_x, gradient=gradient_x, batch_hvp=batch_hvp_xvp, **samples
        )
    with pytest.raises(ValueError, match="batch_hvp must return as many entries as x has"):
        make(batch_hvp=batch_hvp_short, **samples).batch_hvp(X, V, [1])


def test_wrong_length_is_an_error_not_garbage():
    problem = make(gradient=three_entries, hvp=one_entry)
    with pytest.raises(ValueError, match="gradient must return as many entries as x has"):
        problem.gradient(X)
    with pytest.raises(ValueError, match="gradient must return as many entries as x has"):
        optimizers.inverse_gradient_map(problem, X, 0.1)
    with pytest.raises(ValueError, match="hvp must return as many entries as x has"):
        problem.hvp(X, V)


@pytest.mark.parametrize("option", ["value", "gradient", "hvp"])
@pytest.mark.parametrize(
    ("function", "message"),
    [
        pytest.param(
            lambda x: 0.0,
            "must be a function jitted with numba.njit: decorate it with @numba.njit",
            marks=pytest.mark.skipif(not JIT, reason="plain functions will do"),
        ),
        (3, "must be a function jitted with numba.njit: got 3"),
        (five, "must take [12] to [234] arguments; it takes 5"),
        (none, "must take [12] to [234] arguments; it takes 0"),
    ],
)
def test_functions_that_will_not_do(option, function, message):
    with pytest.raises(TypeError, match=f"^{option} {message}"):
        make(**{option: function})


def test_value_that_needs_parameters_must_get_them():
    with pytest.raises(TypeError, match="parameters"):
        problems.custom(value_xp, gradient_x, 2)
    with pytest.raises(TypeError, match="parameters"):
        problems.custom(value_x, gradient_xp, 2)
    with pytest.raises(TypeError, match="parameters"):
        problems.custom(value_x, gradient_x, 2, hvp=hvp_xvp)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dimension": 0}, ValueError, "dimension must be a whole number at least 1"),
        ({"dimension": 2.0}, TypeError, "dimension must be a whole number"),
        ({"parameters": 3.0}, ValueError, "parameters must be a one-dimensional sequence"),
        ({"parameters": [np.nan]}, ValueError, "parameters must be finite"),
        ({"parameters": "ab"}, TypeError, "parameters must be an array of real numbers"),
        ({"critical_points": [3]}, TypeError, "critical_points must be a sequence of Critical"),
        (
            {"critical_points": [problems.critical_point([0.0], "minimizer", 0.0)]},
            ValueError,
            r"critical_points must have shape \(2,\)",
        ),
    ],
)
def test_options_are_named(options, error, message):
    with pytest.raises(error, match=message):
        make(**options)


@njit
def smooth(x):
    return np.exp(x[0]) * np.sin(x[1]) + x[0] ** 2 * x[1]


@njit
def bent(x):
    return abs(x[0]) ** 3 + max(x[1], 0.0) ** 2


@njit
def half_abs(x):
    return np.abs(x[0]) * x[0] + x[1] ** 2


@njit
def powers(x):
    return x[0] ** 4 + x[1] ** 3


@njit
def shifted(x, p):
    square = (x[0] - p[0]) ** 2
    return square**2 + p[1] * x[1] ** 2


def test_gradient_of_an_analytic_function_is_exact():
    problem, x = problems.custom(smooth, dimension=2), np.array([0.3, -1.2])
    exact = np.array(
        [np.exp(0.3) * np.sin(-1.2) + 2 * 0.3 * -1.2, np.exp(0.3) * np.cos(-1.2) + 0.09]
    )
    np.testing.assert_allclose(problem.gradient(x), exact, rtol=1e-14)
    mixed = np.exp(0.3) * np.cos(-1.2) + 2 * 0.3
    assert problem.hessian(x)[0, 1] == pytest.approx(mixed, rel=1e-8)


def test_powers_of_complex_numbers_are_not_trusted():
    problem = problems.custom(powers, dimension=2)
    np.testing.assert_allclose(problem.gradient([-1.3, 0.5]), [4 * (-1.3) ** 3, 0.75], rtol=1e-8)


@pytest.mark.parametrize("function", [bent, half_abs])
def test_gradient_of_another_function_is_a_difference(function):
    problem = problems.custom(function, dimension=2)
    slopes = {bent: [3 * 0.7**2, 2 * 0.4], half_abs: [2 * 0.7, 0.8]}[function]
    np.testing.assert_allclose(problem.gradient([0.7, 0.4]), slopes, rtol=1e-8)
    slopes = {bent: [-3 * 0.7**2, 0.0], half_abs: [1.4, -0.8]}[function]
    np.testing.assert_allclose(problem.gradient([-0.7, -0.4]), slopes, rtol=1e-8, atol=1e-9)
    assert problem.hessian([0.7, 0.4])[1, 1] == pytest.approx(2.0, rel=1e-4)


def test_gradient_with_parameters_follows_them():
    problem = problems.custom(shifted, dimension=2, parameters=[1.0, 3.0])
    np.testing.assert_allclose(problem.gradient([2.0, 0.5]), [4.0, 3.0], rtol=1e-14)
    other = dataclasses.replace(problem, parameters=np.array([0.0, 1.0]))
    np.testing.assert_allclose(other.gradient([2.0, 0.5]), [32.0, 1.0], rtol=1e-14)


@njit
def lifted(x):
    return x[0] ** 2 + 0.5 * x[1] ** 2 + 1e6


@njit
def tilted(x):
    return np.exp(x[0]) + x[1]


@njit
def logistic(x):
    return 1.0 / (1.0 + np.exp(-x[0])) + x[1] ** 2


@njit
def two(x, y):
    return x * x + y * y


@njit
def three(x, y, z):
    return x * x + y * y + z * z


@pytest.mark.parametrize("function", [lifted, tilted])
def test_rounding_in_differences_does_not_speak_against_complex_steps(function):
    problem = problems.custom(function, dimension=2)
    slopes = {lifted: [0.6, -1.2], tilted: [np.exp(0.3), 1.0]}[function]
    np.testing.assert_allclose(problem.gradient([0.3, -1.2]), slopes, rtol=1e-14)


def test_a_difference_serves_where_a_complex_step_overflows():
    problem = problems.custom(logistic, dimension=2)
    np.testing.assert_allclose(problem.gradient([-800.0, 0.5]), [0.0, 1.0], rtol=1e-8)
    np.testing.assert_allclose(problem.gradient([0.0, 0.5]), [0.25, 1.0], rtol=1e-14)


@pytest.mark.parametrize("function", [two, three])
def test_coordinates_as_arguments_are_refused_with_a_hint(function):
    for dimension in (1, 2, 3):
        with pytest.raises(TypeError, match=r"they come in one array, x\[0\], x\[1\]"):
            problems.custom(function, dimension=dimension)


@njit
def misspelled(x):
    return cosine(x[0])  # noqa: F821


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_what_numba_does_not_compile_is_told_shortly():
    with pytest.raises(TypeError, match="value must be a function that numba compiles") as caught:
        problems.custom(misspelled, dimension=2)
    assert "name 'cosine'" in str(caught.value)
    assert len(str(caught.value)) < 800


def test_dimension_must_be_given():
    with pytest.raises(TypeError, match="dimension must be given"):
        problems.custom(smooth)
