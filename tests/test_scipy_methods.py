"""Every optimizer as a method of scipy.optimize.minimize, on plain Python functions."""

import math

import numpy as np
import pytest
from scipy.optimize import BFGS, LinearConstraint, OptimizeResult, minimize
from scipy.sparse import csr_array

import lib
from lib import optimizers, problems

WELL = problems.double_well(0.3)


def value(x, scale=1.0):
    return scale * WELL.value(x)


def gradient(x, scale=1.0):
    return scale * WELL.gradient(x)


def hvp(x, v, scale=1.0):
    return scale * WELL.hvp(x, v)


FIELDS = {"x", "fun", "jac", "nit", "nfev", "njev", "nhev", "success", "status", "message", "run"}

# What a method needs to know about a plain function, or does not offer for it.
NEEDED = {
    "adaptive_gradient_descent": {"rho1": lambda t: WELL.rho1(t)},
    "approximate_newton": {"variant": "exact"},
    "restarted_sgd": {"batch_size": None},
    "stochastic_hessian_scaled": {
        "batch_gradient": lambda x, batch: gradient(x) * batch.mean(),
        "batch_hvp": lambda x, v, batch: hvp(x, v) * batch.mean(),
        "n_samples": 3,
        "batch_size": 3,
    },
}


class Counted:
    """A function that knows how often it was called, and hands out the same array every time."""

    def __init__(self, function):
        self.function, self.calls, self.memory = function, 0, np.empty(2)

    def __call__(self, *arguments):
        self.calls += 1
        found = self.function(*arguments)
        for x in arguments:
            x[:] = np.nan  # it may do what it likes with its arguments
        if np.ndim(found) == 0:
            return found
        self.memory[:] = found
        return self.memory


@pytest.mark.parametrize("name", optimizers.METHODS)
def test_every_method_on_a_plain_function(name):
    fun, jac, product = Counted(value), Counted(gradient), Counted(hvp)
    options = {"inner_tol": 1e-10} if name == "proximal_point" else {}
    method = lib.scipy_method(name, max_iter=40, **NEEDED.get(name, {}), **options)
    full = minimize(fun, [1.0, 0.4], jac=jac, hessp=product, method=method)
    assert isinstance(full, OptimizeResult) and set(full) == FIELDS
    assert (full.nfev, full.njev, full.nhev) == (fun.calls, jac.calls, product.calls)
    assert full.nit == full.run.n_iter <= 40 and full.nfev == full.run.n_value
    assert full.success == (full.run.status == "converged") and full.status in range(8)
    assert full.fun == value(full.x) and (full.nit == 0 or full.fun < value([1.0, 0.4]))
    np.testing.assert_array_equal(full.jac, gradient(full.x))

    fun = Counted(value)
    bare = minimize(fun, [1.0, 0.4], method=method)
    assert bare.nfev == fun.calls == bare.run.n_value + 4 * bare.njev
    assert bare.nhev == bare.run.n_hvp
    if name != "barzilai_borwein":  # whose steps double an error again and again
        np.testing.assert_allclose(bare.x, full.x, atol=1e-5)


def test_same_run_as_with_kernels():
    ours = optimizers.gradient_descent(WELL, [1.0, 0.4])
    result = minimize(value, [1.0, 0.4], jac=gradient, method=lib.scipy_method("gradient_descent"))
    np.testing.assert_allclose(result.run.path, ours.path, rtol=1e-12)
    np.testing.assert_array_equal(result.x, result.run.x)
    assert result.success and result.status == 0
    assert (result.nit, result.njev, result.nfev) == (ours.n_iter, ours.n_gradient, ours.n_value)
    assert result.fun == pytest.approx(-0.25)
    np.testing.assert_allclose(result.jac, gradient(result.x))
    assert result.message == ours.message


def test_what_minimize_hands_over():
    method = lib.scipy_method("gradient_descent", learning_rate=0.05)
    both = minimize(
        lambda x, scale: (value(x, scale), gradient(x, scale)),
        [1.0, 0.4],
        args=(2.0,),
        jac=True,
        method=method,
        tol=1e-3,
        options={"maxiter": 500},
    )
    ours = optimizers.gradient_descent(WELL, [1.0, 0.4], 0.1, tol=0.5e-3)
    np.testing.assert_allclose(both.x, ours.x, rtol=1e-12)
    short = minimize(value, [1.0, 0.4], jac=gradient, method=method, options={"maxiter": 3})
    assert (short.nit, short.success, short.run.status) == (3, False, "max_iter")


def test_without_derivatives_eight_digits_are_left():
    result = minimize(value, [1.0, 0.4], method=lib.scipy_method("gradient_descent"))
    assert result.success
    np.testing.assert_allclose(result.x, [-np.sin(0.3), np.cos(0.3)], atol=2e-8)
    x = np.array([30.0, -0.2])
    start = minimize(value, x, method=lib.scipy_method("newton", max_iter=1, damping=False))
    newton = x - np.linalg.solve(WELL.hessian(x), gradient(x))
    np.testing.assert_allclose(start.x, newton, rtol=1e-4)


def test_hessians_of_any_kind_are_asked_for_once_a_point():
    for kind in (np.array, np.ndarray.tolist, csr_array):
        asked = []

        def hess(x, asked=asked, kind=kind):
            asked.append(x)
            return kind(WELL.hessian(x))

        method = lib.scipy_method("newton")
        result = minimize(value, [1.0, 0.4], jac=gradient, hess=hess, method=method)
        assert result.nhev == len(asked) == result.nit > 0
        assert result.run.n_hvp == 2 * result.nit


def test_numbers_in_arrays_and_one_coordinate():
    result = minimize(
        lambda x: (x - 1.0) ** 2,
        3,
        jac=lambda x: 2.0 * (x[0] - 1.0),
        method=lib.scipy_method("gradient_descent"),
    )
    assert result.success and result.x == pytest.approx([1.0])


def test_overflow_is_divergence():
    method = lib.scipy_method("gradient_descent", learning_rate=1.0, divergence_radius=1e300)
    for jac in (None, lambda x: 2 * x * math.exp(x[0] ** 2)):
        result = minimize(lambda x: math.exp(x[0] ** 2), [3.0], jac=jac, method=method)
        assert result.run.status == "diverged" and not result.success


def test_mini_batches_of_a_plain_function():
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((20, 2)), rng.standard_normal(20)
    data = problems.least_squares(A, b)
    ours = optimizers.adam(data, [0.0, 0.0], 0.1, batch_size=4, max_iter=30, seed=5)
    method = lib.scipy_method(
        "adam",
        learning_rate=0.1,
        batch_size=4,
        max_iter=30,
        seed=5,
        n_samples=20,
        batch_gradient=lambda x, batch, b: A[batch].T @ (A[batch] @ x - b[batch]) / len(batch),
    )
    plain = minimize(
        lambda x, b: ((A @ x - b) ** 2).mean() / 2, [0.0, 0.0], args=(b,), method=method
    )
    np.testing.assert_allclose(plain.x, ours.x, rtol=1e-12)
    assert plain.run.n_sample == ours.n_sample == 120


def test_message_on_request(capsys):
    method = lib.scipy_method("gradient_descent", maxiter=3)
    minimize(value, [1.0, 0.4], jac=gradient, method=method)
    assert capsys.readouterr().out == ""
    minimize(value, [1.0, 0.4], jac=gradient, method=method, options={"disp": True})
    assert "3 steps" in capsys.readouterr().out


def test_callbacks_of_both_kinds():
    seen = []

    def old(xk):
        seen.append(xk)

    def new(intermediate_result):
        if intermediate_result.fun < -0.2:
            raise StopIteration

    method = lib.scipy_method("gradient_descent")
    result = minimize(value, [1.0, 0.4], jac=gradient, method=method, callback=old)
    np.testing.assert_array_equal(seen, result.run.path[1:])
    assert len(seen) == result.nit
    stopped = minimize(value, [1.0, 0.4], jac=gradient, method=method, callback=new)
    assert stopped.run.status == "stopped" and stopped.fun < -0.2


def test_bad_arguments():
    with pytest.raises(ValueError, match="name must be one of"):
        lib.scipy_method("bfgs")
    method = lib.scipy_method("gradient_descent")
    with pytest.raises(ValueError, match="bounds must not be given"):
        minimize(value, [1.0, 0.4], jac=gradient, method=method, bounds=[(0, 1), (0, 1)])
    with pytest.raises(ValueError, match="constraints must not be given"):
        minimize(
            value,
            [1.0, 0.4],
            jac=gradient,
            method=method,
            constraints={"type": "eq", "fun": lambda x: x[0]},
        )
    with pytest.raises(ValueError, match="constraints must not be given"):
        minimize(value, [1.0, 0.4], method=method, constraints=LinearConstraint([1, 1], 0, 1))
    with pytest.raises(TypeError, match="hess must be a function"):
        minimize(value, [1.0, 0.4], jac=gradient, hess=BFGS(), method=method)
    with pytest.raises(TypeError, match="max_iter must be given only once"):
        lib.scipy_method("adam", maxiter=3, max_iter=4)
    with pytest.raises(TypeError, match="gradient_descent has no option 'gtol'; its options are"):
        minimize(value, [1.0, 0.4], jac=gradient, method=method, options={"gtol": 1})
    with pytest.raises(TypeError, match="adam has no option 'lr'; its options are learning_rate"):
        lib.scipy_method("adam", lr=1)
    with pytest.raises(TypeError, match="rho1 must be a function"):
        lib.scipy_method("adaptive_gradient_descent", rho1=3.0)
    with pytest.raises(ValueError, match="n_samples must be given together with batch_gradient"):
        lib.scipy_method("adam", batch_gradient=gradient)
    with pytest.raises(ValueError, match="n_samples must be a whole number at least 1"):
        lib.scipy_method("adam", batch_gradient=gradient, n_samples=0)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"fun": lambda x: x}, TypeError, "fun must return one real number; got array"),
        ({"fun": lambda x: None}, TypeError, "fun must return one real number; got None"),
        ({"fun": lambda x: 1j}, TypeError, "fun must return one real number"),
        ({"fun": lambda x: "3"}, TypeError, "fun must return one real number; got '3'"),
        ({"jac": lambda x: x[:1]}, ValueError, r"jac must return shape \(2,\); got shape \(1,\)"),
        ({"jac": lambda x: None}, TypeError, "what jac returns must be an array of real"),
        ({"jac": lambda x: 1j * x}, TypeError, "what jac returns must be an array of real"),
        ({"hessp": lambda x, v: np.ones(3)}, ValueError, r"hessp must return shape \(2,\)"),
        ({"hess": lambda x: np.ones(3)}, ValueError, r"hess must return shape \(2, 2\)"),
        ({"hess": lambda x: 1j * np.eye(2)}, TypeError, "what hess returns must be an array of"),
    ],
)
def test_wrong_answers_are_named(given, error, message):
    arguments = {"fun": value, "jac": gradient, **given}
    with pytest.raises(error, match=message):
        minimize(x0=[1.0, 0.4], method=lib.scipy_method("hessian_scaled"), **arguments)
