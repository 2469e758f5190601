"""A reader's own function as a problem."""

import inspect
import warnings

import numpy as np

from lib import _jit
from lib import _validation as check
from lib._jit import Slot, is_kernel, python_function, stamp
from lib.problems.base import CriticalPoint, Problem, frozen

user = Slot("user")
value = Slot("value")
gradient = Slot("gradient")
along = Slot("along")
differences = Slot("differences")

GRADIENT_STEP = 6.0554544523933395e-06  # cube root of the machine epsilon
HVP_STEP = 1e-3  # where the gradient itself is a difference
TINY = 1e-30
TRIALS, SIZES = 5, (2.0, 20.0, 200.0)  # points at which complex steps are compared
STEPS = (1e-4, 1e-5, 1e-6, 1e-7)  # with differences of these steps
AGREE = 1e-5  # relative, beside the error of the difference
COORDINATES = " (coordinates are no arguments: they come in one array, x[0], x[1], ...)"

# What a function raises that was not written for complex numbers, or at a point outside its domain.
REFUSALS = (TypeError, NotImplementedError, ValueError, ArithmeticError)
REFUSALS += (np.exceptions.ComplexWarning,)
NUMBA_ERRORS = (_jit.numba.core.errors.NumbaError,) if _jit.HAVE_NUMBA else ()
REFUSALS += NUMBA_ERRORS


def custom(
    value,
    gradient=None,
    dimension=None,
    hvp=None,
    parameters=None,
    critical_points=(),
    name="custom",
    formula="",
    rho1=None,
    rho2=None,
    batch_gradient=None,
    n_samples=None,
    batch_hvp=None,
    batch_value=None,
    data=None,
):
    """Make a problem of your own jitted functions, which must not change what they are given.

    For functions in plain Python, with or without derivatives, see `lib.scipy_method`.

    Parameters
    ----------
    value : jitted function
        ``value(x) -> float``, or ``value(x, p) -> float`` if you give `parameters`.
    gradient : jitted function, optional
        ``gradient(x) -> array of shape (d,)``, or ``gradient(x, p)``; or
        ``gradient(x, p, out)``, which writes into `out` and is a little faster. A tuple of d
        numbers instead of an array compiles faster. Default: derivatives of `value` by complex
        steps, correct to the last digits, where it takes complex numbers and they agree with
        differences at fifteen random points, of sizes about 2, 20 and 200; else by central
        differences, correct to about ten digits where the function is smooth. They cost d and 2 d
        values. Complex steps need numpy's functions, no comparisons, no ``abs``, and products or
        squares for powers from the third on: numba computes ``z**3`` by way of logarithms, and
        for a negative real part the tiny imaginary part drowns in rounding. Agreement elsewhere is
        likely, not certain; `lib.ensembles.survey` compares at a thousand points of your box.
        Where complex steps overflow, differences serve.
    dimension : int
        Number of coordinates d, at least 1. It has to be given.
    hvp : jitted function, optional
        ``hvp(x, v)``, ``hvp(x, v, p)`` or ``hvp(x, v, p, out)``: Hessian times `v`.
        Default: central differences of `gradient`, correct to about ten digits, or to about six
        where the gradient itself is made of differences;
        `lib.curvature.complex_step_kernel` makes an exact one of many gradients.
    parameters : array_like, shape (m,), optional
        Numbers handed to the functions as `p`. Changing them compiles nothing anew.
    critical_points : sequence of CriticalPoint, optional
        Known critical points; basins are labeled by their index.
    name, formula : str, optional
        For messages and for pages (LaTeX).
    rho1, rho2 : jitted function, optional
        ``rho(t)`` or ``rho(t, p)``: non-decreasing bounds of the norms of the second and third
        derivative where the value is t, for the methods that take their step from it.
    batch_gradient : jitted function, optional
        ``batch_gradient(x, batch)``, ``batch_gradient(x, p, batch)`` or
        ``batch_gradient(x, p, batch, out)``: gradient of the mean over the samples whose numbers
        are in `batch`, for stochastic methods. Give `n_samples` with it.
    n_samples : int, optional
        Number of samples, at least 1.
    batch_hvp : jitted function, optional
        ``batch_hvp(x, v, batch)``, ``batch_hvp(x, v, p, batch)`` or
        ``batch_hvp(x, v, p, batch, out)``: its Hessian-vector product, for methods that estimate
        the Hessian from samples. Give `batch_gradient` with it.
    batch_value : jitted function, optional
        ``batch_value(x, batch)`` or ``batch_value(x, p, batch)``: the mean itself, only for
        `Problem.batch_value`. Give `batch_gradient` with it.
    data : object, optional
        What methods may use of the structure; see `lib.optimizers.approximate_newton` and
        `lib.curvature.gauss_newton`.

    Returns
    -------
    Problem
        Ready for every optimizer of `lib`.

    Raises
    ------
    TypeError
        If a function is not jitted with ``numba.njit`` or takes a wrong number of arguments, numba
        does not compile `value`, or `dimension` is missing.
    ValueError
        If `dimension` is below 1, `value` reads beyond it, changes x or returns anything but one
        number, only one of `batch_gradient` and `n_samples` is given, or a gradient returns
        another number of entries than d (raised at the first call). What else a gradient returns
        wrongly, numba refuses at the first call, with a long message.

    Examples
    --------
    >>> import numpy as np
    >>> from numba import njit
    >>> from lib import optimizers, problems
    >>> @njit
    ... def bowl(x):
    ...     return x[0] ** 2 + 2.0 * x[1] ** 2
    >>> @njit
    ... def bowl_gradient(x):
    ...     return np.array([2.0 * x[0], 4.0 * x[1]])
    >>> problem = problems.custom(bowl, bowl_gradient, dimension=2)
    >>> optimizers.gradient_descent(problem, [1.0, 1.0], learning_rate=0.2).status
    'converged'

    The same with numbers that may change, as a mean over two samples:

    >>> @njit
    ... def mean(x, p):
    ...     return 0.5 * ((x[0] - p[0]) ** 2 + (x[0] - p[1]) ** 2)
    >>> @njit
    ... def mean_gradient(x, p):
    ...     return (2.0 * x[0] - p[0] - p[1],)
    >>> @njit
    ... def mean_gradient_of(x, p, batch):
    ...     total = 0.0
    ...     for i in batch:
    ...         total += 2.0 * (x[0] - p[i]) / batch.size
    ...     return (total,)
    >>> problem = problems.custom(
    ...     mean, mean_gradient, 1, parameters=[1.0, 3.0], n_samples=2,
    ...     batch_gradient=mean_gradient_of)
    >>> problem.gradient([0.0]).tolist(), problem.batch_gradient([0.0], [1]).tolist()
    ([-4.0], [-6.0])

    With nothing but a value:

    >>> problem = problems.custom(bowl, dimension=2)
    >>> problem.gradient([1.0, 1.0]).round(8).tolist()
    [2.0, 4.0]

    Notes
    -----
    Used in "How to use this book", the primer and "Strict saddles", in "What replaces a Lipschitz
    gradient", "Which step is safe", "Try it on your own function" and "Five results, one picture".
    """
    if dimension is None:
        raise TypeError("dimension must be given: the number of coordinates of x")
    dimension = check.size(dimension, "dimension")
    p = frozen([] if parameters is None else check.vector(parameters, "parameters"))
    bare = parameters is None
    value_kernel = _adapt(value, "value", [_value_x, _value_xp], 1, bare)
    _try_once(value, dimension, p)
    _compile(value, dimension, p)
    if gradient is None:
        gradient_kernel, exact = _gradient_of(value, value_kernel, dimension, p)
    else:
        exact = True
        gradient_kernel = _adapt(gradient, "gradient", [_vector_x, _vector_xp, None], 1, bare)
    if hvp is None:
        template = difference_hvp if exact else wide_difference_hvp
        hvp_kernel = stamp(template, along=stamp(difference_along, gradient=gradient_kernel))
    else:
        hvp_kernel = _adapt(hvp, "hvp", [_hvp_xv, _hvp_xvp, None], 2, bare)
    rhos = [
        None if rho is None else _adapt(rho, word, [_value_x, None], 1, bare)
        for rho, word in ((rho1, "rho1"), (rho2, "rho2"))
    ]
    if (batch_gradient is None) != (n_samples is None):
        raise ValueError("batch_gradient and n_samples must be given together")
    batches = {
        "batch_gradient": (batch_gradient, [_batch_x, _batch_xp, None], 2),
        "batch_hvp": (batch_hvp, [_batch_hvp_xv, _batch_hvp_xvp, None], 3),
        "batch_value": (batch_value, [_batch_value_x, None], 2),
    }
    samples = {}
    for word, (function, adapters, first) in batches.items():
        if function is not None:
            if n_samples is None:
                raise ValueError(f"{word} needs batch_gradient and n_samples beside it")
            samples[f"{word}_kernel"] = _adapt(function, word, adapters, first, bare)
    if samples:
        samples["n_samples"] = check.count(n_samples, "n_samples", low=1)
    critical_points = check.sequence(critical_points, "critical_points", "CriticalPoint", 10**6)
    for known in critical_points:
        check.instance(known, "critical_points", CriticalPoint, "a sequence of CriticalPoint")
        if known.x.shape != (dimension,):
            raise ValueError(
                f"critical_points must have shape ({dimension},), as dimension says; "
                f"got shape {known.x.shape}"
            )
    return Problem(
        name=name,
        dimension=dimension,
        value_kernel=value_kernel,
        gradient_kernel=gradient_kernel,
        hvp_kernel=hvp_kernel,
        parameters=p,
        critical_points=tuple(critical_points),
        constants={},
        formula=formula,
        rho1_kernel=rhos[0],
        rho2_kernel=rhos[1],
        data=data,
        **samples,
    )


def _try_once(value, dimension, p):
    """Refuse a value that reads beyond x, changes it, or returns anything but a number."""
    function = python_function(value)
    x = 1.0 + 0.1 * np.random.default_rng(2026).standard_normal(dimension)
    given = x.copy()
    try:
        with np.errstate(all="ignore"):
            alone = len(inspect.signature(function).parameters) == 1
            result = function(given) if alone else function(given, p)
    except IndexError as error:
        raise ValueError(
            f"value must read no more than dimension = {dimension} entries of x, and no more "
            f"parameters than there are: {error}"
        ) from error
    except Exception:  # the point is outside the domain, or plain Python cannot run it
        return
    if not np.array_equal(given, x):
        raise ValueError("value must not change x: work on a copy, x = x.copy()")
    if result is None or np.shape(result) != ():
        raise ValueError(f"value must return one number; it returned {check.shown(result)}")


def _compile(value, dimension, p):
    """Refuse a value that numba does not compile, with numba's own short message."""
    alone = len(inspect.signature(python_function(value)).parameters) == 1
    try:
        with np.errstate(all="ignore"):
            value(*([np.ones(dimension)] if alone else [np.ones(dimension), p]))
    except NUMBA_ERRORS as error:
        raise TypeError(f"value must be a function that numba compiles: {error}") from error
    except Exception:  # the point is outside the domain
        return


def _gradient_of(function, kernel, dimension, p):
    """Return a kernel for the gradient of a function, and whether it is exact."""
    by_differences = stamp(difference_gradient, value=kernel)
    count = len(inspect.signature(python_function(function)).parameters)
    template = complex_gradient if count == 1 else complex_gradient_p
    steps = stamp(template, user=function, differences=by_differences)
    rng = np.random.default_rng(2026)
    one, compared = np.empty(dimension), False
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            for size in SIZES:
                for x in size * rng.standard_normal((TRIALS, dimension)):
                    steps(x, p, one)
                    other, error = _best_differences(kernel, x, p)
                    if np.isfinite(other).all() and np.isfinite(error).all():
                        compared = True
                        if not (np.abs(one - other) <= AGREE * np.abs(other) + error).all():
                            return by_differences, False
    except REFUSALS:
        return by_differences, False
    return (steps, True) if compared else (by_differences, False)


def _best_differences(kernel, x, p):
    """Return the gradient by differences, each entry with the best of several steps, and errors."""
    slopes, rounding = np.empty((2, len(STEPS), x.size))
    for k, step in enumerate(STEPS):
        for i in range(x.size):
            shift = np.zeros(x.size)
            shift[i] = step * (1.0 + abs(x[i]))
            ahead, behind = kernel(x + shift, p), kernel(x - shift, p)
            slopes[k, i] = (ahead - behind) / (2.0 * shift[i])
            rounding[k, i] = np.finfo(float).eps * max(abs(ahead), abs(behind)) / shift[i]
    error = 10.0 * (np.abs(np.diff(slopes, axis=0)) + rounding[:-1] + rounding[1:])
    best = error.argmin(axis=0), np.arange(x.size)
    return slopes[best], error[best]


def _adapt(function, name, adapters, first, bare):
    """Bring a reader's function to the signature of the package's kernels.

    ``adapters[i]`` serves a function with ``first + i`` arguments; None stands for a function
    that has the package's signature already. `bare` tells that there are no parameters.
    """
    if not is_kernel(function):
        told = f"got {check.shown(function)}"
        hint = "decorate it with @numba.njit" if callable(function) else told
        raise TypeError(f"{name} must be a function jitted with numba.njit: {hint}")
    count = len(inspect.signature(python_function(function)).parameters)
    if not first <= count < first + len(adapters):
        counts = f"{first} to {first + len(adapters) - 1}"
        hint = COORDINATES if name == "value" else ""
        raise TypeError(f"{name} must take {counts} arguments; it takes {count}{hint}")
    if bare and count == first + 1:
        raise TypeError(
            f"{name} takes {count} arguments, one of them p, so give parameters{COORDINATES}"
        )
    adapter = adapters[count - first]
    return function if adapter is None else stamp(adapter, user=function)


def _value_x(x, p):
    return float(user(x))  # a reader's function must return one number


def _value_xp(x, p):
    return float(user(x, p))  # a reader's function must return one number


def _vector_x(x, p, out):
    result = user(x)
    if len(result) != out.size:
        raise ValueError("gradient must return as many entries as x has")
    for i in range(out.size):
        out[i] = result[i]


def _vector_xp(x, p, out):
    result = user(x, p)
    if len(result) != out.size:
        raise ValueError("gradient must return as many entries as x has")
    for i in range(out.size):
        out[i] = result[i]


def _hvp_xv(x, v, p, out):
    result = user(x, v)
    if len(result) != out.size:
        raise ValueError("hvp must return as many entries as x has")
    for i in range(out.size):
        out[i] = result[i]


def _hvp_xvp(x, v, p, out):
    result = user(x, v, p)
    if len(result) != out.size:
        raise ValueError("hvp must return as many entries as x has")
    for i in range(out.size):
        out[i] = result[i]


def _batch_value_x(x, p, batch):
    return float(user(x, batch))


def _batch_hvp_xv(x, v, p, batch, out):
    result = user(x, v, batch)
    if len(result) != out.size:
        raise ValueError("batch_hvp must return as many entries as x has")
    for i in range(out.size):
        out[i] = result[i]


def _batch_hvp_xvp(x, v, p, batch, out):
    result = user(x, v, p, batch)
    if len(result) != out.size:
        raise ValueError("batch_hvp must return as many entries as x has")
    for i in range(out.size):
        out[i] = result[i]


def _batch_x(x, p, batch, out):
    result = user(x, batch)
    if len(result) != out.size:
        raise ValueError("batch_gradient must return as many entries as x has")
    for i in range(out.size):
        out[i] = result[i]


def _batch_xp(x, p, batch, out):
    result = user(x, p, batch)
    if len(result) != out.size:
        raise ValueError("batch_gradient must return as many entries as x has")
    for i in range(out.size):
        out[i] = result[i]


def difference_gradient(x, p, out):
    """Write the gradient, by central differences of the value; a template with `value`."""
    shifted = np.empty(x.size)
    for i in range(x.size):
        shifted[i] = x[i]
    for i in range(x.size):
        step = GRADIENT_STEP * (1.0 + abs(x[i]))
        shifted[i] = x[i] + step
        upper = value(shifted, p)
        right = shifted[i]
        shifted[i] = x[i] - step
        out[i] = (upper - value(shifted, p)) / (right - shifted[i])
        shifted[i] = x[i]


def complex_gradient(x, p, out):
    """Write the gradient, by complex steps of the value; a template with `user`, `differences`."""
    z = np.empty(x.size, np.complex128)
    finite = True
    for i in range(x.size):
        z[i] = x[i]
    for i in range(x.size):
        z[i] = complex(x[i], TINY)
        out[i] = np.imag(user(z)) / TINY
        finite = finite and np.isfinite(out[i])
        z[i] = x[i]
    if not finite:  # complex functions overflow earlier
        differences(x, p, out)


def complex_gradient_p(x, p, out):
    """Write the same where `user` takes parameters."""
    z = np.empty(x.size, np.complex128)
    finite = True
    for i in range(x.size):
        z[i] = x[i]
    for i in range(x.size):
        z[i] = complex(x[i], TINY)
        out[i] = np.imag(user(z, p)) / TINY
        finite = finite and np.isfinite(out[i])
        z[i] = x[i]
    if not finite:  # complex functions overflow earlier
        differences(x, p, out)


def difference_hvp(x, v, p, out):
    """Write the Hessian at `x` times `v`, by differences of an exact gradient; with `along`."""
    along(x, v, p, GRADIENT_STEP, out)


def wide_difference_hvp(x, v, p, out):
    """Write the same where the gradient is made of differences, with a longer step."""
    along(x, v, p, HVP_STEP, out)


def difference_along(x, v, p, relative_step, out):
    """Write the central difference of the gradient along `v`; a template with `gradient`."""
    d = x.size
    size = 0.0
    length = 0.0
    for i in range(d):
        size = max(size, abs(x[i]))
        length = max(length, abs(v[i]))
    if length == 0.0:
        for i in range(d):
            out[i] = 0.0
        return
    step = relative_step * (1.0 + size) / length
    shifted = np.empty(d)
    upper = np.empty(d)
    for i in range(d):
        shifted[i] = x[i] + step * v[i]
    gradient(shifted, p, upper)
    for i in range(d):
        shifted[i] = x[i] - step * v[i]
    gradient(shifted, p, out)
    for i in range(d):
        out[i] = (upper[i] - out[i]) / (2.0 * step)
