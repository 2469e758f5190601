"""Whole Hessians, the Gauss-Newton matrix, and a check of hand-written derivatives."""

from dataclasses import dataclass

import numpy as np

from lib import _validation as check
from lib.curvature.hvp import (
    CENTRAL,
    METHODS,
    TINY,
    complex_call,
    generator,
    hvp,
    product_at,
    require_real,
    writer,
)
from lib.problems import Problem


@dataclass(frozen=True)
class DerivativeCheck:
    """How well a problem's gradient and Hessian-vector product fit its value and gradient.

    Attributes
    ----------
    gradient_error : float
        Distance between the gradient and the slopes of the value, relative to the larger norm.
    hvp_error : float
        Largest distance between a Hessian-vector product and the change of the gradient along
        the same direction, relative to the larger norm.
    passed : bool
        Whether both are at most the tolerance.

    Notes
    -----
    Returned by `check_derivatives`. Used in "A two-layer regression, differentiated by hand".
    """

    gradient_error: float
    hvp_error: float
    passed: bool


def hessian(problem, x, method="analytic", step=None, scheme="central"):
    """Evaluate the whole Hessian, exactly or from gradients alone.

    Parameters
    ----------
    problem : Problem
        The function.
    x : array_like, shape (d,)
        The point.
    method : str
        "analytic", "finite_difference" or "complex_step", as for `lib.curvature.hvp`.
    step : float, optional
        Length of the displacement, as for `lib.curvature.hvp`.
    scheme : str
        "central" or "forward", for method "finite_difference".

    Returns
    -------
    ndarray, shape (d, d)
        The Hessian at `x`, symmetrised: one Hessian-vector product per column. Infinite or NaN
        where the arithmetic overflows.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import curvature, problems
    >>> saddle = problems.curved_saddle(0.5)
    >>> curvature.hessian(saddle, [1.0, 2.0]).tolist()
    [[3.0, 1.0], [1.0, 11.0]]
    >>> curvature.hessian(saddle, [1.0, 2.0], "finite_difference").round(6).tolist()
    [[3.0, 1.0], [1.0, 11.0]]

    Notes
    -----
    Averaging with the transpose halves the variance of rounding errors off the diagonal. Used in
    "A two-layer regression, differentiated by hand".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    x = check.point(x, problem.dimension, "x")
    write = writer(problem, x, method, step, scheme)
    if method == "analytic":
        return problem.hessian(x)
    rows = np.empty((problem.dimension, problem.dimension))
    for direction, out in zip(np.eye(problem.dimension), rows, strict=True):
        write(direction, out)
    with np.errstate(over="ignore", invalid="ignore"):
        return (rows + rows.T) / 2


def hessian_operator(problem, x):
    """Make the Hessian at a point a linear operator, for the solvers of scipy.

    Parameters
    ----------
    problem : Problem
        The function.
    x : array_like, shape (d,)
        The point.

    Returns
    -------
    scipy.sparse.linalg.LinearOperator
        Symmetric, of shape (d, d); each product is one Hessian-vector product.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    One Newton step without a matrix:

    >>> from scipy.sparse.linalg import cg
    >>> from lib import curvature, problems
    >>> bowl = problems.quadratic_saddle([1.0, 4.0])
    >>> step, _ = cg(curvature.hessian_operator(bowl, [3.0, 2.0]), -bowl.gradient([3.0, 2.0]))
    >>> step.round(6).tolist()
    [-3.0, -2.0]

    Notes
    -----
    Used in no chapter; it is there for problems of your own.
    """
    product = product_at(problem, x)
    d = problem.dimension

    def times(v):
        return product(check.point(np.ravel(v), d, "v"))

    from scipy.sparse.linalg import LinearOperator

    return LinearOperator((d, d), matvec=times, rmatvec=times, dtype=np.float64)


def gauss_newton(problem, x):
    r"""Evaluate the Gauss-Newton matrix :math:`J^\top J` of a least-squares problem.

    Parameters
    ----------
    problem : Problem
        Made by a constructor that keeps the Jacobian of its residuals (``problem.data.jacobian``).
    x : array_like, shape (d,)
        The point.

    Returns
    -------
    ndarray, shape (d, d)
        The part of the Hessian without second derivatives of the residuals, never indefinite.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape, or `problem` has no Jacobian.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import dataclasses
    >>> import numpy as np
    >>> from lib import curvature, problems
    >>> line = SimpleNamespace(jacobian=lambda x: np.array([[1.0, 0.0], [1.0, 2.0]]))
    >>> fit = dataclasses.replace(problems.double_well(), data=line)
    >>> curvature.gauss_newton(fit, [0.0, 0.0]).tolist()
    [[2.0, 2.0], [2.0, 4.0]]

    Notes
    -----
    Used in no chapter; it is there for problems of your own.
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    x = check.point(x, problem.dimension, "x")
    jacobian = getattr(problem.data, "jacobian", None)
    if jacobian is None:
        raise ValueError(
            "problem must be of least-squares type, with data.jacobian(x); "
            f"{problem.name} has no Jacobian"
        )
    rows = jacobian(x)
    return rows.T @ rows


def check_derivatives(problem, x, method="finite_difference", n_directions=3, tol=1e-6, seed=0):
    """Compare a problem's gradient and Hessian-vector product with its value and gradient.

    Parameters
    ----------
    problem : Problem
        The function, for example a reader's own from `lib.problems.custom`.
    x : array_like, shape (d,)
        The point; not a critical one, because the errors are relative, nor one on a kink.
    method : str
        "finite_difference" (central, with default steps: works for every function, to about nine
        digits) or "complex_step" (to about 14, where value and gradient take complex numbers).
    n_directions : int
        Number of random directions in which the Hessian-vector product is compared.
    tol : float
        Largest relative error that passes, positive.
    seed : int
        Seed of the directions.

    Returns
    -------
    DerivativeCheck
        Both relative errors, and whether they pass; NaN, which does not, where they overflow.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import dataclasses
    >>> from lib import curvature, problems
    >>> well = problems.double_well()
    >>> curvature.check_derivatives(well, [1.0, 0.5]).passed
    True
    >>> wrong = dataclasses.replace(well, gradient_kernel=problems.egg_carton().gradient_kernel)
    >>> curvature.check_derivatives(wrong, [1.0, 0.5]).passed
    False

    Notes
    -----
    Used in "A two-layer regression, differentiated by hand", and in "What replaces a Lipschitz
    gradient".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    x = check.point(x, problem.dimension, "x")
    check.choice(method, "method", METHODS[1:])
    count = check.size(n_directions, "n_directions", each=problem.dimension)
    largest = check.positive(tol, "tol")
    rng = generator(seed)
    slopes = _complex_slopes if method == "complex_step" else _difference_slopes
    with np.errstate(over="ignore", invalid="ignore"):
        gradient_error = _relative(problem.gradient(x), slopes(problem, x))
        errors = [
            _relative(problem.hvp(x, v), hvp(problem, x, v, method))
            for v in rng.standard_normal((count, problem.dimension))
        ]
    hvp_error = float(np.max(errors))
    passed = gradient_error <= largest and hvp_error <= largest
    return DerivativeCheck(gradient_error, hvp_error, passed)


def _difference_slopes(problem, x):
    """Return the gradient by central differences of the value."""
    steps = CENTRAL * (1.0 + np.abs(x))
    shifts = np.diag(steps)
    return (problem.value(x + shifts) - problem.value(x - shifts)) / (2.0 * steps)


def _complex_slopes(problem, x):
    """Return the gradient by complex steps of the value."""
    z = x.astype(np.complex128)

    def value():
        return problem.value_kernel(z, problem.parameters)

    require_real(problem, "value", complex_call(problem, "value", value))
    slopes = np.empty(x.size)
    for i in range(x.size):
        z[i] += 1j * TINY
        slopes[i] = np.imag(value()) / TINY
        z[i] = x[i]
    return slopes


def _relative(one, other):
    """Return the distance of two vectors relative to the larger norm, 0 for two zeros."""
    size = max(np.linalg.norm(one), np.linalg.norm(other))
    return float(np.linalg.norm(one - other) / size) if size != 0.0 else 0.0
