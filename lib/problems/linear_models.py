"""Least squares, logistic and softmax regression: means over the rows of a data matrix."""

import math
from dataclasses import dataclass, field

import numpy as np

from lib import _validation as check
from lib._jit import Slot, absolute, dot, exp, inlined, kernel, log1p, stamp
from lib._vectors import add
from lib.problems.base import Problem, critical_point, frozen

loss = Slot("loss")
slope = Slot("slope")
bend = Slot("bend")
penalty = Slot("penalty")
penalty_slope = Slot("penalty_slope")
penalty_bend = Slot("penalty_bend")
row_value = Slot("row_value")
row_gradient = Slot("row_gradient")
row_hvp = Slot("row_hvp")

# The parameters are n, d, the number of classes (0: no work space needed) and the strength of the
# penalty; then A (n, d) by rows and the targets (n).
ROWS = 4
EXACT = 2**53  # whole numbers up to here are floats


# --- means over rows ------------------------------------------------------------------------


@inlined
def _sample(p, i):
    """Return row i of A and its target."""
    n, d = int(p[0]), int(p[1])
    start = ROWS + i * d
    return p[start : start + d], p[ROWS + n * d + i]


def _value(x, p):
    n = int(p[0])
    work = np.empty(2 * int(p[2]), x.dtype)
    total = 0.0
    for i in range(n):
        a, y = _sample(p, i)
        total += row_value(x, a, y, work)
    size = 0.0
    for j in range(x.size):
        size += penalty(x[j], p[3])
    return total / n + size


def _batch_value(x, p, batch):
    work = np.empty(2 * int(p[2]), x.dtype)
    total = 0.0
    for k in range(batch.size):
        a, y = _sample(p, batch[k])
        total += row_value(x, a, y, work)
    size = 0.0
    for j in range(x.size):
        size += penalty(x[j], p[3])
    return total / batch.size + size


def _gradient(x, p, out):
    n = int(p[0])
    work = np.empty(2 * int(p[2]), out.dtype)
    for j in range(x.size):
        out[j] = penalty_slope(x[j], p[3])
    for i in range(n):
        a, y = _sample(p, i)
        row_gradient(x, a, y, 1.0 / n, work, out)


def _batch_gradient(x, p, batch, out):
    work = np.empty(2 * int(p[2]), out.dtype)
    for j in range(x.size):
        out[j] = penalty_slope(x[j], p[3])
    for k in range(batch.size):
        a, y = _sample(p, batch[k])
        row_gradient(x, a, y, 1.0 / batch.size, work, out)


def _hvp(x, v, p, out):
    n = int(p[0])
    work = np.empty(2 * int(p[2]), out.dtype)
    for j in range(x.size):
        out[j] = penalty_bend(x[j], p[3]) * v[j]
    for i in range(n):
        a, y = _sample(p, i)
        row_hvp(x, v, a, y, 1.0 / n, work, out)


def _batch_hvp(x, v, p, batch, out):
    work = np.empty(2 * int(p[2]), out.dtype)
    for j in range(x.size):
        out[j] = penalty_bend(x[j], p[3]) * v[j]
    for k in range(batch.size):
        a, y = _sample(p, batch[k])
        row_hvp(x, v, a, y, 1.0 / batch.size, work, out)


def mean_over_rows(rows, penalties):
    """Return the six kernels of a problem, by their names in `Problem`.

    `rows` are the kernels of one row a with target y, which get its share of the mean and space
    for two numbers a class; `penalties` are a function of one coordinate and the strength, and
    its derivatives.
    """
    value, gradient, hvp = (
        {"row_value": rows[0], "penalty": penalties[0]},
        {"row_gradient": rows[1], "penalty_slope": penalties[1]},
        {"row_hvp": rows[2], "penalty_bend": penalties[2]},
    )
    return {
        "value_kernel": stamp(_value, **value),
        "gradient_kernel": stamp(_gradient, **gradient),
        "hvp_kernel": stamp(_hvp, **hvp),
        "batch_value_kernel": stamp(_batch_value, **value),
        "batch_gradient_kernel": stamp(_batch_gradient, **gradient),
        "batch_hvp_kernel": stamp(_batch_hvp, **hvp),
    }


@kernel
def _ridge(t, strength):
    return 0.5 * strength * t * t


@kernel
def _ridge_slope(t, strength):
    return strength * t


@kernel
def _ridge_bend(t, strength):
    return strength


RIDGE = (_ridge, _ridge_slope, _ridge_bend)


# --- a loss of one number a row -------------------------------------------------------------


def _loss_value(x, a, y, work):
    return loss(dot(a, x), y)


def _loss_gradient(x, a, y, share, work, out):
    add(share * slope(dot(a, x), y), a, out)


def _loss_hvp(x, v, a, y, share, work, out):
    add(share * bend(dot(a, x), y) * dot(a, v), a, out)


def _curvatures(x, p, weights, diagonal):
    """Write D and E, where the Hessian is A^T diag(D) A + diag(E)."""
    n = int(p[0])
    for j in range(x.size):
        diagonal[j] = penalty_bend(x[j], p[3])
    for i in range(n):
        a, y = _sample(p, i)
        weights[i] = bend(dot(a, x), y) / n


@dataclass(frozen=True, eq=False)
class LinearData:
    """The rows of a linear model, and its Hessian in terms of them.

    Attributes
    ----------
    parameters : ndarray
        The parameters of the problem, where all numbers are.
    curvatures : kernel
        Writes the weights of the rows and the diagonal of the penalty's Hessian.
    """

    parameters: np.ndarray = field(repr=False)
    curvatures: object = field(repr=False)

    @property
    def rows(self):
        """The matrix A, shape (n, d), read-only."""
        n, d = self.parameters[:2].astype(int)
        return self.parameters[ROWS : ROWS + n * d].reshape(n, d)

    @property
    def targets(self):
        """What the rows' products are compared with, shape (n,), read-only."""
        return self.parameters[ROWS + self.rows.size :]

    def metric(self):
        """Return the weights of the part of the Hessian that is the same everywhere, if any."""
        return None

    def parts(self, x):
        """Return weights (n,) and a matrix (d, d): the Hessian is A^T diag(weights) A + matrix."""
        weights, diagonal = self._curvatures(x)
        return weights, np.diag(diagonal)

    def root(self, x):
        """Return R with R^T R the Hessian: the weighted rows, then d rows of the penalty, if any.

        Raises
        ------
        ValueError
            If a weight, or an entry of the penalty's diagonal, is negative.
        """
        weights, diagonal = self._curvatures(x)
        if min(weights.min(), diagonal.min()) < 0.0:
            raise ValueError(
                "x must be where all rows and the penalty curve upwards; there is no root here"
            )
        return self._stack(np.sqrt(weights), np.sqrt(diagonal))

    def _curvatures(self, x):
        n, d = self.rows.shape
        weights, diagonal = np.empty(n), np.empty(d)
        self.curvatures(check.point(x, d, "x"), self.parameters, weights, diagonal)
        return weights, diagonal

    def _stack(self, scales, diagonal):
        """Return the scaled rows of A over the diagonal matrix of the penalty, if there is one."""
        scaled = scales[:, None] * self.rows
        return np.vstack([scaled, np.diag(diagonal)]) if self.parameters[3] > 0.0 else scaled


def linear_problem(name, A, targets, strength, losses, penalties, data, **facts):
    """Make the problem mean of loss(a_i . x, target_i) plus the sum of penalty(x_j, strength).

    `losses` and `penalties` are each such a function with its two derivatives; `data` is the
    class of the problem's `data`.
    """
    n, d = A.shape
    p = frozen(np.concatenate([[n, d, 0, strength], A.ravel(), targets]))
    rows = (
        stamp(_loss_value, inline=True, loss=losses[0]),
        stamp(_loss_gradient, inline=True, slope=losses[1]),
        stamp(_loss_hvp, inline=True, bend=losses[2]),
    )
    return Problem(
        name=name,
        dimension=d,
        parameters=p,
        n_samples=n,
        data=data(p, stamp(_curvatures, bend=losses[2], penalty_bend=penalties[2])),
        **mean_over_rows(rows, penalties),
        **facts,
    )


def per_row(values, A, name):
    """Return `values` as a float vector with one entry for each row of `A`."""
    array = check.vector(values, name)
    if array.size != A.shape[0]:
        raise ValueError(f"{name} must have one entry per row of A, {A.shape[0]}; got {array.size}")
    return array


def mean_square(A):
    """Return the largest eigenvalue of A^T A / n."""
    n, d = A.shape
    with np.errstate(over="ignore", invalid="ignore"):
        gram = (A.T @ A if d <= n else A @ A.T) / n
    if not np.isfinite(gram).all():
        raise ValueError("A must be small enough that its squares do not overflow")
    return float(np.linalg.eigvalsh(gram)[-1])


# --- least squares --------------------------------------------------------------------------


@kernel
def _square_loss(z, y):
    return 0.5 * (z - y) * (z - y)


@kernel
def _square_slope(z, y):
    return z - y


@kernel
def _square_bend(z, y):
    return 1.0


class LeastSquaresData(LinearData):
    """The rows of a least-squares problem, whose Hessian is the same everywhere."""

    def metric(self):
        """Return the weights of the part of the Hessian that is the same everywhere: 1/n each."""
        n = self.rows.shape[0]
        return np.full(n, 1.0 / n)

    def jacobian(self, x):
        """Return J with J^T J the Hessian: the rows of A, then d rows of the penalty, if any."""
        return self.root(x)


def least_squares(A, b, l2=0.0):
    r"""Linear least squares, :math:`\frac1n\sum_i\frac12(a_i^\top x-b_i)^2+\frac\lambda2\|x\|^2`.

    Parameters
    ----------
    A : array_like, shape (n, d)
        The matrix with the rows :math:`a_i`.
    b : array_like, shape (n,)
        The right-hand sides.
    l2 : float
        The strength :math:`\lambda` of the regularizer, at least 0.

    Returns
    -------
    Problem
        The mean over n samples (n_samples), each with the whole regularizer. Its critical point
        is the minimizer, the one of least norm if there are several. Constants: "smoothness" and
        "strong_convexity", the largest and smallest eigenvalue of the Hessian (0 if
        it is singular to working precision), "hessian_lipschitz" 0 and "infimum". `data` has
        `rows`, `targets`, `metric`, `parts`, `root` and `jacobian`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape, is not finite or so large that squares
        overflow, or `l2` is negative.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.least_squares([[1.0, 0.0], [0.0, 2.0]], [3.0, 4.0])
    >>> problem.critical_points[0].x.round(12).tolist()
    [3.0, 2.0]
    >>> problem.batch_gradient([0.0, 0.0], [1]).tolist()
    [0.0, -8.0]

    Notes
    -----
    Note the factors 1/n and 1/2: the Hessian is :math:`A^\top A/n+\lambda I`. Used in "What it
    buys, honestly".
    """
    A = check.matrix(A, "A")
    b = per_row(b, A, "b")
    l2 = check.number(l2, "l2", low=0.0)
    n, d = A.shape
    largest = mean_square(A) + l2
    extra = math.sqrt(n) * math.sqrt(l2) * np.eye(d) if l2 > 0.0 else np.empty((0, d))
    solution, _, rank, singular = np.linalg.lstsq(
        np.vstack([A, extra]), np.concatenate([b, np.zeros(len(extra))]), rcond=None
    )
    low = float(singular[-1]) / math.sqrt(n)
    with np.errstate(over="ignore", invalid="ignore"):
        lowest = float(np.mean((A @ solution - b) ** 2) + l2 * (solution @ solution)) / 2.0
    if not (np.isfinite(lowest) and np.isfinite(solution).all()):
        raise ValueError("b must be small enough that squares of the residuals do not overflow")
    return linear_problem(
        "least squares",
        A,
        b,
        l2,
        (_square_loss, _square_slope, _square_bend),
        RIDGE,
        LeastSquaresData,
        critical_points=(critical_point(solution, "minimizer", lowest),),
        constants={
            "smoothness": largest,
            "strong_convexity": low * low if rank == d else 0.0,
            "hessian_lipschitz": 0.0,
            "infimum": lowest,
        },
        formula=r"\tfrac1{2n}\|Ax-b\|^2+\tfrac\lambda2\|x\|^2",
    )


# --- logistic regression --------------------------------------------------------------------


@kernel
def sigmoid(t):
    """Return 1 / (1 + exp(-t)) without overflow."""
    if t.real < 0.0:
        small = exp(t)
        return small / (1.0 + small)
    return 1.0 / (1.0 + exp(-t))


@kernel
def sigmoid_slope(t):
    """Return the derivative of the sigmoid, exact to the last digits in both tails."""
    small = exp(-absolute(t))
    return small / ((1.0 + small) * (1.0 + small))


@kernel
def _logistic_loss(z, y):
    t = -y * z
    rest = log1p(exp(-absolute(t)))
    return t + rest if t.real > 0.0 else rest


@kernel
def _logistic_slope(z, y):
    return -y * sigmoid(-y * z)


@kernel
def _logistic_bend(z, y):
    return sigmoid_slope(z)


def logistic_regression(A, labels, l2=1e-3):
    r"""Two-class regression, mean of :math:`\log(1+e^{-y_ia_i^\top x})`, plus a ridge.

    The function is :math:`\frac1n\sum_i\log(1+e^{-y_ia_i^\top x})+\frac\lambda2\|x\|^2`.

    Parameters
    ----------
    A : array_like, shape (n, d)
        The matrix with the rows :math:`a_i`; for an intercept give it a column of ones (which is
        then regularized too).
    labels : array_like, shape (n,)
        The classes :math:`y_i`, -1 and +1 or 0 and 1.
    l2 : float
        The strength :math:`\lambda` of the regularizer, at least 0.

    Returns
    -------
    Problem
        The mean over n samples (n_samples), each with the whole regularizer; no critical point
        is listed. Constants: "smoothness" :math:`\|A\|^2/(4n)+\lambda`, the largest curvature
        (that at the origin); "strong_convexity" :math:`\lambda`; "hessian_lipschitz"
        :math:`\|A^\top A/n\|\max_i\|a_i\|/(6\sqrt3)`. `data` has `rows`, `targets` (the labels
        as -1 and +1), `metric` (None), `parts` and `root`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape, is not finite or so large that squares
        overflow, a label is none of those, or `l2` is negative.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> problem = problems.logistic_regression([[1.0], [2.0], [-1.0]], [1, 1, 0], l2=0.1)
    >>> problem.constants["smoothness"]
    0.6
    >>> optimizers.gradient_descent(problem, [0.0], learning_rate=1 / 0.6).x.round(4).tolist()
    [1.5125]

    Notes
    -----
    :math:`1/(6\sqrt3)` is the largest slope of :math:`\sigma(1-\sigma)`; we derive the constants.
    Used in "Why the unit step works" and "What it buys, honestly", and in "One Hessian-vector
    product sets the step", and in "How much Hessian is enough" and "Local means local".
    """
    A = check.matrix(A, "A")
    signs = _signs(per_row(labels, A, "labels"))
    l2 = check.number(l2, "l2", low=0.0)
    square = mean_square(A)
    longest = float(np.linalg.norm(A, axis=1).max())
    return linear_problem(
        "logistic regression",
        A,
        signs,
        l2,
        (_logistic_loss, _logistic_slope, _logistic_bend),
        RIDGE,
        LinearData,
        constants={
            "smoothness": square / 4.0 + l2,
            "strong_convexity": l2,
            "hessian_lipschitz": square * longest / (6.0 * math.sqrt(3.0)),
        },
        formula=r"\tfrac1n\sum_i\log(1+e^{-y_ia_i^\top x})+\tfrac\lambda2\|x\|^2",
    )


def _signs(labels):
    found = set(np.unique(labels).tolist())
    if found <= {-1.0, 1.0}:
        return labels
    if found <= {0.0, 1.0}:
        return 2.0 * labels - 1.0
    raise ValueError(f"labels must be -1 and +1, or 0 and 1; got {sorted(found)[:5]}")


# --- softmax regression ---------------------------------------------------------------------


# A row's space has two numbers a class: one for the score, one for the score's change.


@inlined
def _scores(x, a, work):
    """Write the scores of the classes, the last being 0; return the number of the largest."""
    d = a.size
    best = work.size // 2 - 1
    work[best] = 0.0
    for c in range(work.size // 2 - 1):
        score = dot(a, x[c * d : (c + 1) * d])
        work[c] = score
        if score.real > work[best].real:
            best = c
    return best


@inlined
def _softmax(x, a, work):
    """Write the probabilities of the classes."""
    classes = work.size // 2
    top = work[_scores(x, a, work)]
    total = 0.0
    for c in range(classes):
        share = exp(work[c] - top)
        work[c] = share
        total += share
    for c in range(classes):
        work[c] = work[c] / total


@inlined
def _softmax_value(x, a, y, work):
    best = _scores(x, a, work)
    rest = 0.0
    for c in range(work.size // 2):
        if c != best:
            rest += exp(work[c] - work[best])
    return work[best] - work[int(y)] + log1p(rest)


@inlined
def _softmax_gradient(x, a, y, share, work, out):
    d = a.size
    label = int(y)
    _softmax(x, a, work)
    wrong = 0.0
    for c in range(work.size // 2):
        if c != label:
            wrong += work[c]
    work[label] = -wrong  # the probability minus 1, without cancellation
    for c in range(work.size // 2 - 1):
        add(share * work[c], a, out[c * d : (c + 1) * d])


@inlined
def _softmax_hvp(x, v, a, y, share, work, out):
    d = a.size
    classes = work.size // 2
    _softmax(x, a, work)
    mean = 0.0
    for c in range(classes - 1):
        turn = dot(a, v[c * d : (c + 1) * d])
        work[classes + c] = turn
        mean += work[c] * turn
    for c in range(classes - 1):
        add(share * work[c] * (work[classes + c] - mean), a, out[c * d : (c + 1) * d])


@dataclass(frozen=True, eq=False)
class SoftmaxData:
    """The rows of a softmax regression.

    Attributes
    ----------
    rows : ndarray, shape (n, d)
        The matrix A, read-only.
    labels : ndarray of int, shape (n,)
        The classes, read-only.
    n_classes : int
        Number C of classes.
    l2 : float
        Strength of the regularizer.
    """

    rows: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    n_classes: int
    l2: float

    def metric(self):
        """Return None: no part of the Hessian is a weighted Gram matrix of the rows."""
        return None

    def root(self, x):
        """Return R with R^T R the Hessian: C rows a sample, then those of the penalty, if any.

        Parameters
        ----------
        x : array_like, shape ((C - 1) d,)
            The point.

        Returns
        -------
        ndarray, shape (n C, (C - 1) d), or with (C - 1) d further rows if `l2` is not zero
            A dense matrix: for small problems.
        """
        n, d = self.rows.shape
        free = self.n_classes - 1
        x = check.point(x, free * d, "x").reshape(free, d)
        scores = np.hstack([self.rows @ x.T, np.zeros((n, 1))])
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        inner = np.eye(self.n_classes, free) - share[:, None, :free]
        inner *= np.sqrt(share / n)[:, :, None]
        root = np.einsum("ikc,ij->ikcj", inner, self.rows).reshape(-1, free * d)
        if self.l2 > 0.0:
            root = np.vstack([root, math.sqrt(self.l2) * np.eye(free * d)])
        return root


def softmax_regression(A, labels, n_classes=None, l2=1e-3):
    r"""Regression with C classes, mean of the cross-entropy of a softmax, plus a ridge.

    With the score :math:`z_{ic}=a_i^\top x_c` of class c, and :math:`z_{i,C-1}=0` for the last
    class, the reference,

    .. math:: f(x)=\frac1n\sum_i\Bigl[\log\sum_{c=0}^{C-1}e^{z_{ic}}-z_{iy_i}\Bigr]
              +\frac\lambda2\|x\|^2.

    Parameters
    ----------
    A : array_like, shape (n, d)
        The matrix with the rows :math:`a_i`; for an intercept give it a column of ones (which is
        then regularized too).
    labels : array_like of int, shape (n,)
        The classes :math:`y_i`, from 0 to C - 1.
    n_classes : int, optional
        Number C of classes, at least 2. Default: the largest label plus 1, at least 2.
    l2 : float
        The strength :math:`\lambda` of the regularizer, at least 0.

    Returns
    -------
    Problem
        In (C - 1) d coordinates, class by class: those of class c are ``x[c * d : (c + 1) * d]``.
        The mean over n samples (n_samples), each with the whole regularizer; no critical point is
        listed. Constants: "smoothness" :math:`h\|A\|^2/n+\lambda`, where the largest
        curvature h of the loss in the scores is 1/4 for two classes and 1/2 for more (a bound,
        which need not be attained), and "strong_convexity" :math:`\lambda`. `data` has `rows`,
        `labels`, `metric` (None) and `root`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape, is not finite or so large that squares
        overflow, a label is no class, or `l2` is negative.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.softmax_regression([[1.0, 2.0], [0.0, 1.0], [1.0, 0.0]], [0, 1, 2])
    >>> problem.dimension, round(problem.value([0.0, 0.0, 0.0, 0.0]), 4)
    (4, 1.0986)

    Notes
    -----
    We derive the constant; it is never above :math:`\frac{C-1}{4n}\|A\|_F^2+\lambda`, which is
    in use too. Used in "What it buys, honestly".
    """
    A = check.matrix(A, "A")
    n, d = A.shape
    known = n_classes is not None
    classes = check.integer(n_classes, "n_classes", low=2, high=EXACT) if known else EXACT
    labels = check.indices(labels, classes, "labels")
    if labels.size != n:
        raise ValueError(f"labels must have one entry per row of A, {n}; got {labels.size}")
    if not known:
        classes = max(2, int(labels.max()) + 1)
    l2 = check.number(l2, "l2", low=0.0)
    bound = 0.25 if classes == 2 else 0.5
    p = frozen(np.concatenate([[n, d, classes, l2], A.ravel(), labels]))
    labels.setflags(write=False)
    rows = p[ROWS : ROWS + n * d].reshape(n, d)
    return Problem(
        name="softmax regression",
        dimension=(classes - 1) * d,
        parameters=p,
        n_samples=n,
        data=SoftmaxData(rows, labels, classes, l2),
        constants={"smoothness": bound * mean_square(A) + l2, "strong_convexity": l2},
        formula=r"\tfrac1n\sum_i\bigl[\log\sum_ce^{a_i^\top x_c}-a_i^\top x_{y_i}\bigr]"
        r"+\tfrac\lambda2\|x\|^2",
        **mean_over_rows((_softmax_value, _softmax_gradient, _softmax_hvp), RIDGE),
    )
