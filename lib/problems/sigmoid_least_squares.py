"""Least squares through a sigmoid: a nonconvex fit with saturated plateaus."""

import math

import numpy as np
from numpy.polynomial import Polynomial

from lib import _validation as check
from lib._jit import kernel
from lib.problems.linear_models import (
    LinearData,
    linear_problem,
    mean_square,
    per_row,
    sigmoid,
    sigmoid_slope,
)


@kernel
def _loss(z, y):
    residual = sigmoid(z) - y
    return 0.5 * residual * residual


@kernel
def _loss_slope(z, y):
    return (sigmoid(z) - y) * sigmoid_slope(z)


@kernel
def _loss_bend(z, y):
    s = sigmoid(z)
    slope = sigmoid_slope(z)
    return slope * (slope + (s - y) * (1.0 - 2.0 * s))


@kernel
def _penalty(t, strength):
    square = t * t
    share = 1.0 / (1.0 + square)
    return strength * (square * share if square.real < 1.0 else 1.0 - share)


@kernel
def _penalty_slope(t, strength):
    share = 1.0 / (1.0 + t * t)
    return 2.0 * strength * t * share * share


@kernel
def _penalty_bend(t, strength):
    share = 1.0 / (1.0 + t * t)
    return 2.0 * strength * share * share * (4.0 * share - 3.0)


# The third derivative of the penalty, 24 t (t^2 - 1) / (1 + t^2)^4, is largest in absolute value
# where t^2 = 1 - 2 / sqrt(5).
_TURN = 1.0 - 2.0 / math.sqrt(5.0)
PENALTY_TWIST = 24.0 * math.sqrt(_TURN) * (1.0 - _TURN) / (1.0 + _TURN) ** 4


class SigmoidData(LinearData):
    """The rows of a sigmoid least-squares problem."""

    def jacobian(self, x):
        r"""Return the Jacobian J of all residuals; J^T J is the Gauss-Newton matrix.

        The regularizer is half a sum of squares too, those of
        :math:`\sqrt{2\lambda}\,x_j/\sqrt{1+x_j^2}`: d residuals after the n of the rows.
        """
        n, d = self.rows.shape
        x = check.point(x, d, "x")
        small = np.exp(-np.abs(self.rows @ x))
        strength = self.parameters[3]
        with np.errstate(over="ignore"):
            bent = math.sqrt(2.0 * strength) / np.sqrt(1.0 + x * x) ** 3
        return self._stack(small / (1.0 + small) ** 2 / math.sqrt(n), bent)


def sigmoid_least_squares(A, targets, regularization=1e-3):
    r"""Fit :math:`\sigma(a_i^\top x)` to targets, with a regularizer that levels off.

    With the sigmoid :math:`\sigma(t)=1/(1+e^{-t})`,

    .. math:: f(x)=\frac1n\sum_i\tfrac12(\sigma(a_i^\top x)-y_i)^2
              +\lambda\sum_j\frac{x_j^2}{1+x_j^2}.

    Parameters
    ----------
    A : array_like, shape (n, d)
        The matrix with the rows :math:`a_i`.
    targets : array_like, shape (n,)
        The numbers :math:`y_i`; usually, but not necessarily, between 0 and 1.
    regularization : float
        The strength :math:`\lambda`, at least 0.

    Returns
    -------
    Problem
        The mean over n samples (n_samples), each with the whole regularizer; no critical point
        is listed. Constants: "smoothness" and "hessian_lipschitz", bounds that need not be
        attained. `data` has `rows`, `targets`, `metric` (None), `parts`, `root` (only where no
        curvature is negative) and `jacobian`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape, is not finite or so large that squares
        overflow, or `regularization` is negative.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.sigmoid_least_squares([[1.0], [2.0]], [0.0, 1.0], regularization=0.0)
    >>> problem.value([0.0])
    0.125
    >>> float(problem.value([1e6])), problem.gradient([1e6]).tolist()
    (0.25, [0.0])

    Notes
    -----
    Our normalization, with the factor 1/2 that makes the Hessian :math:`J^\top J` plus the
    residuals' own curvature; we derive the constants. On the plateaus, where all sigmoids are
    saturated, the gradient all but vanishes. Used in "Why the unit step works" and "What it buys,
    honestly".
    """
    A = check.matrix(A, "A")
    targets = per_row(targets, A, "targets")
    check.squarable(targets, "targets")
    strength = check.number(regularization, "regularization", low=0.0)
    square = mean_square(A)
    longest = float(np.linalg.norm(A, axis=1).max())
    second, third = _largest_derivatives(targets.min(), targets.max())
    return linear_problem(
        "sigmoid least squares",
        A,
        targets,
        strength,
        (_loss, _loss_slope, _loss_bend),
        (_penalty, _penalty_slope, _penalty_bend),
        SigmoidData,
        constants={
            "smoothness": second * square + 2.0 * strength,
            "hessian_lipschitz": third * square * longest + PENALTY_TWIST * strength,
        },
        formula=r"\tfrac1{2n}\sum_i(\sigma(a_i^\top x)-y_i)^2+\lambda\sum_j\tfrac{x_j^2}{1+x_j^2}",
    )


def _largest_derivatives(low, high):
    """Return the largest second and third derivative of the loss, in absolute value.

    Both are polynomials in s = sigmoid(z) and linear in the target y, so that over all targets
    from `low` to `high` they are largest at one of the two.
    """
    s = Polynomial([0.0, 1.0])
    slope = s * (1.0 - s)
    largest = np.zeros(2)
    for y in (low, high):
        second = slope * (slope + (s - y) * (1.0 - 2.0 * s))
        third = second.deriv() * slope
        largest = np.maximum(largest, [_largest(second), _largest(third)])
    return largest.tolist()


def _largest(polynomial):
    """Return the largest absolute value of a polynomial on [0, 1]."""
    turns = np.clip(polynomial.deriv().roots().real, 0.0, 1.0)
    return np.abs(polynomial(np.concatenate([turns, [0.0, 1.0]]))).max()
