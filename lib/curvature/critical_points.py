"""Which kind of critical point is it?"""

from dataclasses import dataclass

import numpy as np

from lib import _validation as check
from lib._vectors import norm
from lib.problems import Problem


@dataclass(frozen=True, eq=False)
class Classification:
    """What the Hessian says about a critical point.

    Attributes
    ----------
    kind : str
        "minimizer", "strict saddle", "maximizer", "degenerate" (the smallest eigenvalue is
        zero within the tolerance: the Hessian does not decide) or "not critical".
    eigenvalues : ndarray, shape (d,)
        Eigenvalues of the Hessian, ascending.
    gradient_norm : float
        Euclidean norm of the gradient.
    is_strict_saddle : bool
        Whether the theorem of Lee et al. counts it as a strict saddle: critical, with a negative
        eigenvalue. True for maximizers too.

    Notes
    -----
    Returned by `classify`. Used in the primer and in "Strict saddles and random starts".
    """

    kind: str
    eigenvalues: np.ndarray
    gradient_norm: float
    is_strict_saddle: bool


def classify(problem, x, gradient_tol=1e-6, eigenvalue_tol=1e-8):
    """Classify a critical point by the eigenvalues of its Hessian.

    Parameters
    ----------
    problem : Problem
        The function.
    x : array_like, shape (d,)
        The point.
    gradient_tol : float
        Largest gradient norm that still counts as critical, positive.
    eigenvalue_tol : float
        Eigenvalues up to this size, relative to the largest in absolute value but at least to 1,
        count as zero; positive.

    Returns
    -------
    Classification
        Kind, eigenvalues and gradient norm.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import curvature, problems
    >>> curvature.classify(problems.double_well(), [0.0, 0.0]).kind
    'strict saddle'

    Notes
    -----
    Definitions of Lee, Simchowitz, Jordan and Recht (2016), section 2. Used in the primer and in
    "Strict saddles", "The stable manifold" and "Escape time", in "What replaces a Lipschitz
    gradient", "One Hessian-vector product sets the step" and "Try it on your own function".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    gradient_norm = float(norm(problem.gradient(x)))
    hessian = problem.hessian(x)
    if not np.isfinite(hessian).all():
        raise ValueError("x must be a point where the Hessian is finite")
    eigenvalues = np.linalg.eigvalsh(hessian)
    zero = check.positive(eigenvalue_tol, "eigenvalue_tol") * max(1.0, np.abs(eigenvalues).max())
    critical = gradient_norm <= check.positive(gradient_tol, "gradient_tol")
    low, high = eigenvalues[0], eigenvalues[-1]
    if not critical:
        kind = "not critical"
    elif low > zero:
        kind = "minimizer"
    elif high < -zero:
        kind = "maximizer"
    elif low < -zero:
        kind = "strict saddle"
    else:
        kind = "degenerate"
    return Classification(kind, eigenvalues, gradient_norm, bool(critical and low < -zero))
