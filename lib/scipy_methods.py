"""The optimizers of this package as methods of `scipy.optimize.minimize`."""

import inspect
import math
from functools import partial

import numpy as np
from scipy.optimize import HessianUpdateStrategy, OptimizeResult

from lib import _validation as check
from lib.curvature import finite_difference_kernel
from lib.optimizers import METHODS
from lib.optimizers.result import STATUSES
from lib.problems.base import Problem, frozen

# The arguments of a method that `minimize` supplies; the others are options.
FIRST = ("problem", "x0")

# What some methods need to know about a function beside its derivatives.
KNOWLEDGE = ("rho1", "batch_gradient", "batch_hvp", "n_samples", "data")

# Relative displacements of central differences: of values, whose last digit is wrong, and of
# gradients that are such differences themselves, with some ten digits.
FINE = np.finfo(np.float64).eps ** (1 / 3)
COARSE = np.finfo(np.float64).eps ** (2 / 9)


def scipy_method(name, **options):
    r"""Make a method for `scipy.optimize.minimize` of the optimizer of that name.

    Parameters
    ----------
    name : str
        Name of an optimizer; `lib.optimizers.METHODS` lists them.
    **options
        Options of that optimizer, and what it needs to know about the function beside its
        derivatives (see Notes). Where `minimize` hands over the same option, in its own `options`
        or as `tol`, that one counts. "maxiter" is understood as "max_iter".

    Returns
    -------
    callable
        To be given as `method` to `scipy.optimize.minimize`, whose `fun`, `jac`, `hess` and
        `hessp` may be plain Python functions. Without `jac` the gradient is taken by central
        differences of `fun`, at 2 d calls for d coordinates and correct to about ten digits;
        without `hess` and `hessp`, Hessian-vector products are taken by central differences of the
        gradient. Nothing is compiled.

    Raises
    ------
    TypeError
        If the optimizer has no such option, or `fun` or a derivative does not return real numbers.
    ValueError
        If there is no optimizer of that name, a derivative has the wrong shape, or `minimize` is
        given bounds or constraints, which these methods do not know.

    Examples
    --------
    >>> from scipy.optimize import minimize, rosen, rosen_der
    >>> import lib
    >>> method = lib.scipy_method("gradient_descent", learning_rate=1e-3)
    >>> result = minimize(rosen, [0.5, 0.5], jac=rosen_der, method=method, tol=1e-3,
    ...                   options={"maxiter": 20_000})
    >>> result.success, result.x.round(2).tolist()
    (True, [1.0, 1.0])

    No derivatives at all, and a look at the path:

    >>> result = minimize(lambda x: (x[0]**2 - 1)**2 + (x[1] - 1)**2, [0.5, 0.0],
    ...                   method=lib.scipy_method("hessian_scaled", scaling="mr"))
    >>> result.success, result.x.round(6).tolist(), result.run.path[0].tolist()
    (True, [1.0, 1.0], [0.5, 0.0])

    Least squares, one random row of A at a time:

    >>> import numpy as np
    >>> A, b = np.array([[1.0, 0.0], [1.0, 1.0], [2.0, -1.0]]), np.array([1.0, 3.0, 0.0])
    >>> def mean_square(x):
    ...     return 0.5 * np.mean((A @ x - b)**2)
    >>> def gradient_of_batch(x, batch):
    ...     return A[batch].T @ (A[batch] @ x - b[batch]) / len(batch)
    >>> method = lib.scipy_method("sgd", learning_rate=0.2, batch_size=1, n_samples=3,
    ...                           batch_gradient=gradient_of_batch)
    >>> result = minimize(mean_square, [0.0, 0.0], method=method, options={"maxiter": 200})
    >>> result.x.round(3).tolist()
    [1.0, 2.0]

    Notes
    -----
    The result has the usual fields: `nfev` and `njev` count calls of `fun` and gradients, however
    they are made; `nhev` counts calls of `hess` or `hessp`, or else products by differences. The
    field `run` is the `lib.optimizers.Result` with path, trace and the method's own counts; the
    path takes memory, so raise `record_every` in many dimensions. `status` is 0 for
    "converged", 1 for "max_iter", 2 for "diverged", 3 for "inner_failed", 4 for "budget", 5 for
    "stopped", 6 for "line_search_failed", 7 for "breakdown" and 8 for "interrupted", which
    `message` says in words. An `OverflowError` in `fun` or a derivative counts as "not a number".

    A callback of `minimize` gets, as with scipy's own methods, the point, or keyword
    ``intermediate_result``; it is called after each recorded step, and stops the run by raising
    StopIteration. ``options={"disp": True}`` prints how the run ended.

    All of these get the `args` of `minimize` behind their own arguments:

    - ``rho1(t)``, a bound of the Hessian's norm by the value t of the function, which
      "adaptive_gradient_descent" needs;
    - ``batch_gradient(x, batch)``, ``batch_hvp(x, v, batch)`` and the number `n_samples`, where
      `fun` is a mean over samples: mean gradient and Hessian-vector product of the samples whose
      numbers, from 0 to `n_samples` - 1, are in the array `batch`. Stochastic methods need them if
      they are given a `batch_size` (that of "restarted_sgd" is 1 unless you give None), and
      "stochastic_hessian_scaled" always does.

    "approximate_newton" with the variant "exact" needs nothing; for the others give `data`, an
    object with what its docstring lists. Its own option `n_samples` is the number of rows. Without
    `jac`, give "proximal_point" an `inner_tol` of 1e-10.

    Used in "How to use this book", for functions in plain Python.
    """
    check.choice(name, "name", tuple(METHODS))
    known = _parameters(name)
    knowledge = {key: options.pop(key) for key in KNOWLEDGE if key in options and key not in known}
    for key in ("rho1", "batch_gradient", "batch_hvp"):
        if key in knowledge and not callable(knowledge[key]):
            raise TypeError(f"{key} must be a function; got {check.shown(knowledge[key])}")
    batches = "batch_gradient" in knowledge or "batch_hvp" in knowledge
    if "n_samples" in knowledge:
        check.count(knowledge["n_samples"], "n_samples", low=1)
    if batches != ("n_samples" in knowledge):
        raise ValueError("n_samples must be given together with batch_gradient or batch_hvp")
    return partial(_minimize, name, knowledge, _checked(name, options))


def _minimize(
    name,
    knowledge,
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
    disp=False,
    **options,
):
    if bounds is not None:
        raise ValueError(f"bounds must not be given: {name} does not know them")
    if constraints is not None and not (hasattr(constraints, "__len__") and len(constraints) == 0):
        raise ValueError(f"constraints must not be given: {name} does not know them")
    if isinstance(hess, HessianUpdateStrategy):
        raise TypeError(f"hess must be a function; {name} does not update approximations")
    for word, given in (("fun", fun), ("jac", jac), ("hess", hess), ("hessp", hessp)):
        left_out = word != "fun" and (given is None or isinstance(given, str))
        if not (left_out or callable(given)):
            raise TypeError(f"{word} must be a function; got {check.shown(given)}")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable; got {check.shown(callback)}")
    x = np.atleast_1d(check.floats(x0, "x0"))
    x = check.vector(x, "x0")
    function = _Function(fun, jac, hess, hessp, args, x.size)
    options = {**own, **_checked(name, options)}
    if callback is not None:
        options["callback"] = _callback(callback)
    run = METHODS[name](function.problem(**knowledge), x, **options)
    slope = function.slope(run.x)
    if disp:
        print(f"{name}: {run.message}; {run.n_iter} steps, value {run.value:g}")
    return OptimizeResult(
        x=run.x,
        fun=run.value,
        jac=slope,
        nfev=function.nfev,
        njev=function.njev,
        nhev=function.nhev,
        nit=run.n_iter,
        status=STATUSES.index(run.status),
        success=run.status == "converged",
        message=run.message,
        run=run,
    )


def _parameters(name):
    """Return the names of a method's options."""
    return [key for key in inspect.signature(METHODS[name]).parameters if key not in FIRST]


def _checked(name, options):
    """Return the options with max_iter for maxiter, if the method has all of them."""
    options = dict(options)
    if "maxiter" in options:
        if "max_iter" in options:
            raise TypeError("max_iter must be given only once, also as maxiter")
        options["max_iter"] = options.pop("maxiter")
    known = _parameters(name)
    for key in options:
        if key not in known:
            raise TypeError(f"{name} has no option {key!r}; its options are {', '.join(known)}")
    return options


class _Function:
    """A plain Python function with the signatures of kernels; it counts what it is asked."""

    def __init__(self, fun, jac, hess, hessp, args, dimension):
        self.fun, self.args, self.dimension = fun, args, dimension
        self.jac = jac if callable(jac) else None
        self.hess = hess if callable(hess) else None
        self.hessp = hessp if callable(hessp) else None
        self.nfev = self.njev = self.nhev = 0
        self.last_gradient = self.last_hessian = (None, None)
        self.work = np.empty((2, dimension))
        self.difference = finite_difference_kernel(self.problem(), workspace=True)

    def problem(self, rho1=None, batch_gradient=None, batch_hvp=None, n_samples=0, data=None):
        """Return the problem with this function."""

        def rho(t, p):
            return _number(rho1(t, *self.args), "rho1")

        def of_batch(x, p, batch, out):
            found = batch_gradient(x.copy(), batch.copy(), *self.args)
            out[:] = _array(found, x.shape, "batch_gradient")

        def product_of_batch(x, v, p, batch, out):
            found = batch_hvp(x.copy(), v.copy(), batch.copy(), *self.args)
            out[:] = _array(found, x.shape, "batch_hvp")

        return Problem(
            name=getattr(self.fun, "__name__", "function"),
            dimension=self.dimension,
            value_kernel=self.value,
            gradient_kernel=self.gradient,
            hvp_kernel=self.hvp,
            parameters=frozen([]),
            rho1_kernel=rho1 and rho,
            n_samples=n_samples,
            batch_gradient_kernel=batch_gradient and of_batch,
            batch_hvp_kernel=batch_hvp and product_of_batch,
            data=data,
        )

    def value(self, x, p):
        self.nfev += 1
        try:
            return _number(self.fun(x.copy(), *self.args), "fun")
        except OverflowError:
            return math.nan

    def gradient(self, x, p, out):
        self.njev += 1
        if self.jac is None:
            for i in range(self.dimension):
                shifted = x.copy()
                shifted[i] = x[i] + FINE * max(1.0, abs(x[i]))
                upper, value = shifted[i], self.value(shifted, p)
                shifted[i] = x[i] - FINE * max(1.0, abs(x[i]))
                out[i] = (value - self.value(shifted, p)) / (upper - shifted[i])
        else:
            try:
                out[:] = _array(self.jac(x.copy(), *self.args), x.shape, "jac")
            except OverflowError:
                out[:] = math.nan
        self.last_gradient = x.copy(), out.copy()

    def hvp(self, x, v, p, out):
        if self.hess is None and self.hessp is None:
            self.nhev += 1
            step = 0.0 if self.jac else COARSE * (1.0 + math.sqrt(x @ x))
            self.difference(x, v, p, out, step, self.work)
            return
        try:
            if self.hessp is not None:
                self.nhev += 1
                found = self.hessp(x.copy(), v.copy(), *self.args)
                out[:] = _array(found, x.shape, "hessp")
            else:
                out[:] = _array(np.asarray(self.hessian(x) @ v).ravel(), x.shape, "hess")
        except OverflowError:
            out[:] = math.nan

    def hessian(self, x):
        """Return the matrix or operator that `hess` makes, once for each point."""
        point, found = self.last_hessian
        if not np.array_equal(point, x):
            self.nhev += 1
            found = self.hess(x.copy(), *self.args)
            if not hasattr(found, "shape"):
                found = np.asarray(found, dtype=np.float64)
            if found.shape != 2 * x.shape:
                raise ValueError(f"hess must return shape {2 * x.shape}; got shape {found.shape}")
            self.last_hessian = x.copy(), found
        return found

    def slope(self, x):
        """Return the gradient at the end of a run, where it is mostly known."""
        if not np.array_equal(self.last_gradient[0], x):
            self.gradient(x, None, np.empty(self.dimension))
        return self.last_gradient[1]


def _number(found, name):
    """Return what the function of that name returned as a float; one entry in an array will do."""
    try:
        array = np.asarray(found)
        if array.dtype.kind in "SU":
            raise TypeError
        return float(array.item())
    except (TypeError, ValueError):
        raise TypeError(f"{name} must return one real number; got {check.shown(found)}") from None


def _array(found, shape, name):
    """Return what the function of that name returned as a float array of that shape."""
    array = np.atleast_1d(check.floats(found, f"what {name} returns"))
    if array.shape != shape:
        raise ValueError(f"{name} must return shape {shape}; got shape {array.shape}")
    return array


def _callback(callback):
    """Turn a callback of scipy's into one of ours: StopIteration becomes a true answer."""
    try:
        modern = set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except ValueError:  # a builtin function that does not tell
        modern = False

    def ours(k, x, value, gradient_norm):
        if k == 0:
            return False
        try:
            if modern:
                callback(intermediate_result=OptimizeResult(x=x, fun=value, nit=k))
            else:
                callback(x)
        except StopIteration:
            return True
        return False

    return ours
