"""Every optimizer as a method of scipy.optimize.minimize, on plain Python functions."""

import numpy as np
import pytest
from scipy.optimize import minimize

import lib
from lib import optimizers, problems

WELL = problems.double_well(0.3)


def value(x, scale=1.0):
    return scale * WELL.value(x)


def gradient(x, scale=1.0):
    return scale * WELL.gradient(x)


def hvp(x, v, scale=1.0):
    return scale * WELL.hvp(x, v)


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


def test_without_derivatives():
    method = lib.scipy_method("gradient_descent")
    result = minimize(value, [1.0, 0.4], method=method, tol=1e-5)
    np.testing.assert_allclose(result.x, [-np.sin(0.3), np.cos(0.3)], atol=1e-5)


def test_callbacks_of_both_kinds():
    seen = []

    def old(xk):
        seen.append(xk)

    def new(intermediate_result):
        if intermediate_result.fun < -0.2:
            raise StopIteration

    method = lib.scipy_method("gradient_descent")
    result = minimize(value, [1.0, 0.4], jac=gradient, method=method, callback=old)
    np.testing.assert_array_equal(seen, result.run.path)
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
    with pytest.raises(ValueError, match=r"jac must return shape \(2,\)"):
        minimize(value, [1.0, 0.4], jac=lambda x: x[:1], method=method)
