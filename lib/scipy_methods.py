"""The optimizers of this package as methods of `scipy.optimize.minimize`."""

import inspect
from functools import partial

import numpy as np
from scipy.optimize import OptimizeResult, approx_fprime

from lib import _validation as check
from lib._jit import stamp
from lib.optimizers import METHODS
from lib.optimizers.result import STATUSES
from lib.problems.base import Problem, frozen
from lib.problems.custom import difference_hvp


def scipy_method(name, **options):
    r"""Make a method for `scipy.optimize.minimize` of the optimizer of that name.

    Parameters
    ----------
    name : str
        Name of an optimizer; `lib.optimizers.METHODS` lists them.
    **options
        Options of that optimizer. Those that `minimize` hands over in its own `options` or as
        `tol` come in addition; "maxiter" is understood as "max_iter".

    Returns
    -------
    callable
        To be given as `method` to `scipy.optimize.minimize`, whose `fun`, `jac`, `hess` and
        `hessp` may be plain Python functions. Without `jac` the gradient is taken by forward
        differences; without `hess` and `hessp` Hessian-vector products are taken by central
        differences of the gradient. The function is called from Python, so nothing is compiled.

    Raises
    ------
    ValueError
        If there is no optimizer of that name, or `minimize` is given bounds or constraints,
        which these methods do not know.

    Examples
    --------
    >>> from scipy.optimize import minimize, rosen, rosen_der
    >>> import lib
    >>> method = lib.scipy_method("gradient_descent", learning_rate=1e-3)
    >>> result = minimize(rosen, [0.5, 0.5], jac=rosen_der, method=method, tol=1e-3,
    ...                   options={"maxiter": 20_000})
    >>> result.success, result.x.round(2).tolist()
    (True, [1.0, 1.0])

    Notes
    -----
    The result's `run` is the `lib.optimizers.Result` with path and trace. Methods that need more
    than value, gradient and Hessian (samples, or :math:`\rho_1`) say so. Used in "Try it on your
    own function".
    """
    check.choice(name, "name", tuple(METHODS))
    return partial(_minimize, name, options)


def _minimize(
    name,
    own,
    fun,
    x0,
    args=(),
    jac=None,
    hess=None,
    hessp=None,
    bounds=None,
    constraints=(),
    callback=None,
    maxiter=None,
    **options,
):
    if bounds is not None:
        raise ValueError(f"bounds must not be given: {name} does not know them")
    if constraints is not None and len(constraints) > 0:
        raise ValueError(f"constraints must not be given: {name} does not know them")
    x = check.vector(np.atleast_1d(x0), "x0")
    problem = _problem(fun, jac, hess, hessp, args, x.size)
    options = {**own, **options}
    if maxiter is not None:
        options["max_iter"] = maxiter
    if callback is not None:
        options["callback"] = _callback(callback)
    run = METHODS[name](problem, x, **options)
    return OptimizeResult(
        x=run.x,
        fun=run.value,
        jac=problem.gradient(run.x),
        nfev=run.n_value,
        njev=run.n_gradient,
        nhev=run.n_hvp,
        nit=run.n_iter,
        status=STATUSES.index(run.status),
        success=run.status == "converged",
        message=run.message,
        run=run,
    )


def _problem(fun, jac, hess, hessp, args, dimension):
    """Wrap plain Python functions in the signatures of kernels."""

    def value(x, p):
        return float(fun(x.copy(), *args))

    def gradient(x, p, out):
        if callable(jac):
            result = np.asarray(jac(x.copy(), *args), dtype=np.float64)
        else:
            result = approx_fprime(x.copy(), lambda z: value(z, p))
        if result.shape != out.shape:
            raise ValueError(f"jac must return shape {out.shape}; got shape {result.shape}")
        out[:] = result

    def hvp(x, v, p, out):
        if callable(hessp):
            out[:] = hessp(x.copy(), v.copy(), *args)
        elif callable(hess):
            out[:] = hess(x.copy(), *args) @ v
        else:
            difference(x, v, p, out)

    difference = stamp(difference_hvp, gradient=gradient)
    return Problem(
        name=getattr(fun, "__name__", "function"),
        dimension=dimension,
        value_kernel=value,
        gradient_kernel=gradient,
        hvp_kernel=hvp,
        parameters=frozen([]),
    )


def _callback(callback):
    """Turn a callback of scipy's into one of ours: StopIteration becomes a true answer."""
    modern = set(inspect.signature(callback).parameters) == {"intermediate_result"}

    def ours(k, x, value, gradient_norm):
        try:
            if modern:
                callback(intermediate_result=OptimizeResult(x=x, fun=value, nit=k))
            else:
                callback(x)
        except StopIteration:
            return True
        return False

    return ours
