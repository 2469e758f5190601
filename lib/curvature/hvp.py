"""Hessian-vector products three ways: analytic, by differences of gradients, by a complex step."""

import warnings

import numpy as np

from lib import _jit
from lib import _validation as check
from lib._jit import Slot, row, stamp
from lib._vectors import norm
from lib.problems import Problem

gradient = Slot("gradient")
product = Slot("product")
slope = Slot("slope")

METHODS = ("analytic", "finite_difference", "complex_step")
SCHEMES = ("central", "forward")

CENTRAL = 6.0554544523933395e-06  # cube root of the machine epsilon
FORWARD = 1.4901161193847656e-08  # square root of the machine epsilon
TINY = 1e-30
OWN_STREAM = 0x48657373  # told apart from the seeds of data

# What a function raises that was not written for complex numbers: compiled, or as plain Python.
REFUSALS = (TypeError, NotImplementedError, np.exceptions.ComplexWarning)
if _jit.HAVE_NUMBA:
    REFUSALS += (_jit.numba.core.errors.TypingError,)


def hvp(problem, x, v, method="analytic", step=None, scheme="central"):
    r"""Evaluate a Hessian-vector product, exactly or from gradients alone.

    Parameters
    ----------
    problem : Problem
        The function.
    x, v : array_like, shape (d,)
        The point and the direction.
    method : str
        "analytic" (the problem's own kernel), "finite_difference" (differences of gradients) or
        "complex_step" (one gradient at a complex point).
    step : float, optional
        Length :math:`h` of the displacement: gradients are taken at
        :math:`x\pm h\,v/\|v\|`, so the result scales with `v` exactly. Default: :math:`1+\|x\|`
        times the cube root (central) or the square root (forward) of the machine epsilon;
        1e-30 for the complex step.
    scheme : str
        "central" or "forward", for method "finite_difference": 2 gradients either way, of which
        the forward scheme's one at `x` is often at hand.

    Returns
    -------
    ndarray, shape (d,)
        The Hessian at `x` times `v`; infinite or NaN where the arithmetic overflows.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it. A ValueError
        about `problem` says that its gradient cannot be evaluated at complex points.

    Examples
    --------
    >>> from lib import curvature, problems
    >>> well = problems.double_well()
    >>> curvature.hvp(well, [1.0, 0.5], [0.0, 1.0]).tolist()
    [0.0, -0.25]
    >>> curvature.hvp(well, [1.0, 0.5], [0.0, 1.0], method="complex_step").tolist()
    [0.0, -0.25]
    >>> forward = curvature.hvp(
    ...     well, [1.0, 0.5], [0.0, 1.0], "finite_difference", step=0.1, scheme="forward"
    ... )
    >>> forward.round(6).tolist()
    [0.0, -0.09]

    Notes
    -----
    Error for a unit vector `v`, with :math:`M_3` and :math:`M_4` the sizes of the third and
    fourth derivative along `v`, and :math:`\delta` the rounding error of one gradient (about
    1e-16 times the largest term in it):

    - forward: :math:`\frac h2M_3+\frac{2\delta}h`, least near :math:`h=2\sqrt{\delta/M_3}`, where
      half of the digits are left (about 8);
    - central: :math:`\frac{h^2}6M_4+\frac\delta h`, least near :math:`h=(3\delta/M_4)^{1/3}`,
      where two thirds are left (about 10);
    - complex step: :math:`\operatorname{Im}\nabla f(x+ihv)/h` forms no difference, so nothing
      cancels; the error :math:`\frac{h^2}6M_4` is far below rounding and all digits are left.

    The complex step needs a gradient that is analytic in each coordinate: the functions of
    `lib._jit` and of numpy are, ``abs`` is not and gives a wrong number without any sign;
    `check_derivatives` finds out. A power such as ``x**3`` of a negative number is computed by
    logarithms when compiled and is refused: write ``x*x*x``.

    Used in "One Hessian-vector product sets the step".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    x = check.point(x, problem.dimension, "x")
    v = check.point(v, problem.dimension, "v")
    out = np.empty(problem.dimension)
    writer(problem, x, method, step, scheme)(v, out)
    return out


def finite_difference_kernel(problem, scheme="central", workspace=False):
    """Make a kernel that differences the problem's gradient instead of using its Hessian.

    Parameters
    ----------
    problem : Problem
        Whose gradient to use.
    scheme : str
        "central" or "forward"; both take two gradients.
    workspace : bool
        Whether the caller provides the memory.

    Returns
    -------
    kernel
        ``hvp(x, v, p, out)``, which can stand in for a problem's own and allocates two vectors at
        each call. With `workspace`: ``hvp(x, v, p, out, step, work)``, which allocates nothing;
        `work` is a contiguous float array of shape (2, d), and `step` is as in
        `lib.curvature.hvp`, zero for the default.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value; the message names it.

    Examples
    --------
    A copy of a problem that knows nothing but its gradient:

    >>> import dataclasses
    >>> from lib import problems
    >>> from lib.curvature.hvp import finite_difference_kernel
    >>> well = problems.double_well()
    >>> blind = dataclasses.replace(well, hvp_kernel=finite_difference_kernel(well))
    >>> blind.hessian([1.0, 0.5]).round(8).tolist()
    [[1.0, 0.0], [0.0, -0.25]]

    Notes
    -----
    Used in "One Hessian-vector product sets the step".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    template = _central if check.choice(scheme, "scheme", SCHEMES) == "central" else _forward
    inner = _of_any_length(template, problem)
    return inner if check.flag(workspace, "workspace") else stamp(_with_floats, product=inner)


def complex_step_kernel(problem, workspace=False):
    """Make a kernel that differentiates the problem's gradient by a complex step.

    Parameters
    ----------
    problem : Problem
        Whose gradient to use; it must be analytic, as `lib.curvature.hvp` explains.
    workspace : bool
        Whether the caller provides the memory.

    Returns
    -------
    kernel
        ``hvp(x, v, p, out)``, which can stand in for a problem's own and allocates two complex
        vectors at each call. With `workspace`: ``hvp(x, v, p, out, step, work)``, which
        allocates nothing; `work` is a contiguous complex128 array of shape (2, d), and `step` is
        as in `lib.curvature.hvp`, zero for the default. Whether the gradient takes complex
        numbers shows at the first call; `lib.curvature.hvp` says in words where it does not.

    Raises
    ------
    TypeError
        If an argument has the wrong type; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import problems
    >>> from lib.curvature.hvp import complex_step_kernel
    >>> well = problems.double_well()
    >>> exact = complex_step_kernel(well)
    >>> out = np.empty(2)
    >>> exact(np.array([1.0, 0.5]), np.array([0.0, 1.0]), well.parameters, out)
    >>> out.tolist()
    [0.0, -0.25]

    Notes
    -----
    Used in "One Hessian-vector product sets the step".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    inner = _of_any_length(_complex_step, problem)
    return inner if check.flag(workspace, "workspace") else stamp(_with_complex, product=inner)


def writer(problem, x, method, step, scheme):
    """Return ``write(v, out)`` for the Hessian at `x` (checked) by the method of that name."""
    check.choice(method, "method", METHODS)
    check.choice(scheme, "scheme", SCHEMES)
    size = 0.0 if step is None else check.positive(step, "step")
    p = problem.parameters
    if method == "analytic":
        if step is not None:
            raise ValueError("step must be None for method 'analytic', which takes none")
        return lambda v, out: problem.hvp_kernel(x, v, p, out)
    if method == "finite_difference":
        inner = finite_difference_kernel(problem, scheme, workspace=True)
        work = np.empty((2, problem.dimension))
    else:
        _try_complex(problem, x)
        inner = complex_step_kernel(problem, workspace=True)
        work = np.empty((2, problem.dimension), dtype=np.complex128)
    return lambda v, out: inner(x, v, p, out, size, work)


def product_at(problem, x, name="x"):
    """Check both, and return the function v -> Hessian at `x` times v, for contiguous v."""
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    x = check.point(x, problem.dimension, name)

    def times(v):
        out = np.empty(problem.dimension)
        problem.hvp_kernel(x, v, problem.parameters, out)
        if not np.isfinite(out).all():
            raise ValueError(f"{name} must lie where the Hessian is finite")
        return out

    return times


def generator(seed):
    """Return a random generator that is not the ``default_rng(seed)`` data are often made with.

    Otherwise the random vectors of an estimate could be the very rows of the data matrix.
    """
    seed = check.integer(seed, "seed", low=0)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(OWN_STREAM,)))


def complex_call(problem, kind, function):
    """Return ``function()``, an evaluation of the problem's `kind` at a complex point.

    Raises
    ------
    ValueError
        If complex numbers are refused.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return function()
    except REFUSALS as error:
        raise ValueError(
            f"problem must have a {kind} that takes complex numbers for a complex step, and "
            f"{problem.name} has not: math.sin and the like, comparisons, max, float and arrays "
            "of floats refuse them (use numpy's functions or those of lib._jit, compare .real, "
            "make arrays like x)"
        ) from error


def require_real(problem, kind, result):
    """Raise ValueError if `result`, the problem's `kind` at a real point, has imaginary parts."""
    imaginary = np.imag(result)
    if (np.isfinite(imaginary) & (imaginary != 0.0)).any():
        raise ValueError(
            f"problem must have a {kind} that is real at real points for a complex step, and "
            f"{problem.name} has not: roots and logarithms of negative numbers, but also powers "
            "such as x**3 when compiled, get a small imaginary part there (write x*x*x)"
        )


def _try_complex(problem, x):
    """Raise ValueError if the gradient cannot be evaluated at `x` in complex arithmetic."""
    out = np.zeros(x.size, dtype=np.complex128)
    z = x.astype(np.complex128)
    complex_call(problem, "gradient", lambda: problem.gradient_kernel(z, problem.parameters, out))
    require_real(problem, "gradient", out)


def _of_any_length(template, problem):
    """Return the kernel of `template` for the problem's gradient and vectors of any length."""
    return stamp(_along, slope=stamp(template, inline=True, gradient=problem.gradient_kernel))


def _along(x, v, p, out, step, work):
    """Differentiate along v / |v| with `slope`, and multiply by |v|."""
    size = norm(v)
    if size == 0.0:
        for i in range(x.size):
            out[i] = 0.0
        return
    slope(x, v, size, p, out, step, work)
    for i in range(x.size):
        out[i] *= size


def _central(x, v, size, p, out, step, work):
    d = x.size
    h = step if step > 0.0 else CENTRAL * (1.0 + norm(x))
    for i in range(d):
        work[0, i] = x[i] - h * (v[i] / size)
    gradient(row(work, 0), p, row(work, 1))
    for i in range(d):
        out[i] = work[1, i]
        work[0, i] = x[i] + h * (v[i] / size)
    gradient(row(work, 0), p, row(work, 1))
    for i in range(d):
        out[i] = (work[1, i] - out[i]) / (2.0 * h)


def _forward(x, v, size, p, out, step, work):
    d = x.size
    h = step if step > 0.0 else FORWARD * (1.0 + norm(x))
    for i in range(d):
        work[0, i] = x[i]
    gradient(row(work, 0), p, row(work, 1))
    for i in range(d):
        out[i] = work[1, i]
        work[0, i] = x[i] + h * (v[i] / size)
    gradient(row(work, 0), p, row(work, 1))
    for i in range(d):
        out[i] = (work[1, i] - out[i]) / h


def _complex_step(x, v, size, p, out, step, work):
    h = step if step > 0.0 else TINY
    for i in range(x.size):
        work[0, i] = complex(x[i], h * (v[i] / size))
    gradient(row(work, 0), p, row(work, 1))
    for i in range(x.size):
        out[i] = work[1, i].imag / h


def _with_floats(x, v, p, out):
    product(x, v, p, out, 0.0, np.empty((2, x.size)))


def _with_complex(x, v, p, out):
    product(x, v, p, out, 0.0, np.empty((2, x.size), dtype=np.complex128))
