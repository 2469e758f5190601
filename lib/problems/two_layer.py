"""Regression with a softmax layer, a fixed second layer and a regularizer on the logits."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lib import _validation as check
from lib._jit import Slot, exp, inlined, kernel, log1p, row, stamp, tanh
from lib._jit import dot as plain_dot
from lib._vectors import add as plain_add
from lib.problems.base import Problem, frozen

UNITS = ("identity", "relu", "softplus", "tanh")
IDENTITY, RELU, SOFTPLUS, TANH = range(4)

# The parameters are n, d, r, unit, beta; b (r); the squared weights (n); A2 by columns (n, r); and
# A1 by rows: its entries (n, d), or n, the row pointers (n + 1), column numbers and entries of CSR.
B = 5
BLOCK = 2**15  # entries of the rows that stay in the cache
LARGEST_WEIGHT = np.sqrt(np.finfo(float).max)

first_layer = Slot("first_layer")
dot = Slot("dot")
add = Slot("add")


# --- the rows of A1 -------------------------------------------------------------------------


@inlined
def _dense(p, start):
    """Return A1 as a matrix."""
    n, d = int(p[0]), int(p[1])
    return p[start : start + n * d].reshape((n, d))


@inlined
def _dense_dot(rows, i, x):
    """Return row i of A1 times `x`."""
    return plain_dot(row(rows, i), x)


@inlined
def _dense_add(rows, i, scale, out):
    """Add `scale` times row i of A1 to `out`."""
    plain_add(scale, row(rows, i), out)


@inlined
def _sparse(p, start):
    """Return the numbers that make up A1."""
    return p[start:]


@inlined
def _sparse_dot(rows, i, x):
    """Return row i of A1 times `x`."""
    columns = int(rows[0]) + 2
    entries = columns + int(rows[columns - 1])
    total = 0.0
    for k in range(int(rows[i + 1]), int(rows[i + 2])):
        total += rows[entries + k] * x[int(rows[columns + k])]
    return total


@inlined
def _sparse_add(rows, i, scale, out):
    """Add `scale` times row i of A1 to `out`."""
    columns = int(rows[0]) + 2
    entries = columns + int(rows[columns - 1])
    for k in range(int(rows[i + 1]), int(rows[i + 2])):
        out[int(rows[columns + k])] += scale * rows[entries + k]


# --- the nonlinear layers -------------------------------------------------------------------


@kernel
def _unit(z, code, beta):
    """Return the output unit at `z` with its first and second derivative."""
    height = z
    slope = 1.0
    bend = 0.0
    if code == RELU:
        if not z.real > 0.0:
            height = 0.0
            slope = 0.0
    elif code == SOFTPLUS:
        t = beta * z
        small = exp(-t) if t.real > 0.0 else exp(t)
        share = 1.0 / (1.0 + small)
        height = log1p(small) / beta
        slope = small * share
        if t.real > 0.0:
            height = height + z
            slope = share
        bend = beta * small * share * share
    elif code == TANH:
        height = tanh(z)
        slope = 1.0 - height * height
        bend = -2.0 * height * slope
    return height, slope, bend


@kernel
def _softmax(logits, out):
    """Write the softmax of `logits` into `out`, which may be the same array."""
    top = logits[0].real
    for i in range(logits.size):
        if logits[i].real > top:
            top = logits[i].real
    total = 0.0
    for i in range(logits.size):
        share = exp(logits[i] - top)
        out[i] = share
        total += share
    for i in range(logits.size):
        out[i] = out[i] / total


@kernel
def _second_layer(columns, f, out):
    """Write A2 f into `out`."""
    for j in range(out.size):
        out[j] = 0.0
    for i in range(f.size):
        a = row(columns, i)
        for j in range(out.size):
            out[j] += a[j] * f[i]


@kernel
def _tilt(logits, top, columns, metric, out):
    """Write rows (f a, f, w^2 u), up to a common factor of f, for columns a of the second layer."""
    for i in range(logits.size):
        a, to = row(columns, i), row(out, i)
        share = exp(logits[i] - top)
        for j in range(a.size):
            to[j] = share * a[j]
        to[a.size] = share
        to[a.size + 1] = metric[i] * logits[i]


# --- value, gradient, Hessian-vector product ------------------------------------------------


def _value(x, p):
    n, r, code, beta = int(p[0]), int(p[2]), int(p[3]), p[4]
    weights = B + r
    second = weights + n
    start = second + n * r
    rows = first_layer(p, start)
    work = np.empty(n + r, x.dtype)
    f, z = work[:n], work[n:]
    total = 0.0
    for i in range(n):
        logit = dot(rows, i, x)
        f[i] = logit
        total += p[weights + i] * logit * logit
    _softmax(f, f)
    _second_layer(p[second:start].reshape((n, r)), f, z)
    for j in range(r):
        height, _, _ = _unit(z[j], code, beta)
        residual = height - p[B + j]
        total += residual * residual
    return 0.5 * total


def _gradient(x, p, out):
    n, r, code, beta = int(p[0]), int(p[2]), int(p[3]), p[4]
    weights = B + r
    second = weights + n
    start = second + n * r
    rows = first_layer(p, start)
    columns = p[second:start].reshape((n, r))
    work = np.empty(2 * n + r, out.dtype)
    logits, f, z = work[:n], work[n : 2 * n], work[2 * n :]
    for i in range(n):
        logits[i] = dot(rows, i, x)
    _softmax(logits, f)
    _second_layer(columns, f, z)
    mean = 0.0  # of q under f
    for j in range(r):
        height, slope, _ = _unit(z[j], code, beta)
        pull = slope * (height - p[B + j])
        mean += pull * z[j]
        z[j] = pull
    for k in range(out.size):
        out[k] = 0.0
    for i in range(n):
        a = row(columns, i)
        q = 0.0
        for j in range(r):
            q += a[j] * z[j]
        add(rows, i, f[i] * (q - mean) + p[weights + i] * logits[i], out)


def _hvp(x, v, p, out):
    n, r, code, beta = int(p[0]), int(p[2]), int(p[3]), p[4]
    weights = B + r
    second = weights + n
    start = second + n * r
    rows = first_layer(p, start)
    columns = p[second:start].reshape((n, r))
    work = np.empty(2 * n + 2 * r, out.dtype)
    f, turn = work[:n], work[n : 2 * n]  # turn = A1 v
    z, y = work[2 * n : 2 * n + r], work[2 * n + r :]  # y = A2 J A1 v
    for i in range(n):
        f[i] = dot(rows, i, x)
        turn[i] = dot(rows, i, v)
    _softmax(f, f)
    mean_turn = 0.0
    for i in range(n):
        mean_turn += f[i] * turn[i]
    for j in range(r):
        z[j] = 0.0
        y[j] = 0.0
    for i in range(n):
        a = row(columns, i)
        moved = f[i] * (turn[i] - mean_turn)
        for j in range(r):
            z[j] += a[j] * f[i]
            y[j] += a[j] * moved
    mean = 0.0  # of q under f
    mean_change = 0.0  # of the change of q under f
    mixed = 0.0  # covariance of q and A1 v under f
    for j in range(r):
        height, slope, bend = _unit(z[j], code, beta)
        residual = height - p[B + j]
        pull = slope * residual
        change = (slope * slope + residual * bend) * y[j]
        mean += pull * z[j]
        mean_change += change * z[j]
        mixed += pull * y[j]
        z[j] = pull
        y[j] = change
    for k in range(out.size):
        out[k] = 0.0
    for i in range(n):
        a = row(columns, i)
        q = 0.0
        change = 0.0
        for j in range(r):
            q += a[j] * z[j]
            change += a[j] * y[j]
        inner = (q - mean) * (turn[i] - mean_turn) + (change - mean_change) - mixed
        add(rows, i, f[i] * inner + p[weights + i] * turn[i], out)


DENSE = (
    stamp(_value, first_layer=_dense, dot=_dense_dot),
    stamp(_gradient, first_layer=_dense, dot=_dense_dot, add=_dense_add),
    stamp(_hvp, first_layer=_dense, dot=_dense_dot, add=_dense_add),
)
SPARSE = (
    stamp(_value, first_layer=_sparse, dot=_sparse_dot),
    stamp(_gradient, first_layer=_sparse, dot=_sparse_dot, add=_sparse_add),
    stamp(_hvp, first_layer=_sparse, dot=_sparse_dot, add=_sparse_add),
)


# --- the arrays, for methods that use the structure -----------------------------------------


def softmax(logits):
    r"""Return the softmax :math:`e^{u}/\langle e^{u},\mathbf 1\rangle`, without overflow.

    Parameters
    ----------
    logits : array_like, shape (..., n)
        One vector u, or any array of them along the last axis.

    Returns
    -------
    ndarray, shape (..., n)
        Probabilities along the last axis.

    Raises
    ------
    TypeError, ValueError
        If `logits` is not an array of finite numbers with at least one entry.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import softmax
    >>> softmax([1000.0, 1000.0]).tolist()
    [0.5, 0.5]

    Notes
    -----
    Used in "A two-layer regression, differentiated by hand".
    """
    u = check.floats(logits, "logits")
    if u.ndim == 0 or u.size == 0:
        raise ValueError(f"logits must have at least one entry; got shape {u.shape}")
    if not np.isfinite(u).all():
        raise ValueError("logits must be finite; got infinity or NaN")
    with np.errstate(over="ignore"):  # a difference of minus infinity is a share of zero
        shares = np.exp(u - u.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def output_unit(z, unit="softplus", beta=5.0):
    r"""Evaluate an output unit of the two-layer regression and its first two derivatives.

    Parameters
    ----------
    z : array_like
        Where to evaluate it.
    unit : str
        "identity", "relu", "softplus" (:math:`\beta^{-1}\log(1+e^{\beta z})`) or "tanh".
    beta : float
        Sharpness of softplus, positive; the other units do not look at it.

    Returns
    -------
    height, slope, bend : ndarray
        :math:`\phi`, :math:`\phi'` and :math:`\phi''` at `z`, in its shape. For "relu" the
        derivative at 0 is taken as 0.

    Raises
    ------
    TypeError, ValueError
        If `unit` is none of these words, or a number is not finite or `beta` not positive.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import output_unit
    >>> [part.tolist() for part in output_unit([-1.0, 0.0, 2.0], "relu")]
    [[0.0, 0.0, 2.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]

    Notes
    -----
    Used in "A two-layer regression, differentiated by hand".
    """
    z = check.floats(z, "z")
    if not np.isfinite(z).all():
        raise ValueError("z must be finite; got infinity or NaN")
    code = UNITS.index(check.choice(unit, "unit", UNITS))
    beta = check.positive(beta, "beta")
    out = np.empty((3, z.size))
    for i, number in enumerate(z.ravel().tolist()):
        out[:, i] = _unit(number, code, beta)
    return tuple(out.reshape((3, *z.shape)))


class Layers(NamedTuple):
    r"""What the two layers compute at a point, and what the derivatives are made of.

    :math:`\phi` is the output unit, :math:`\circ` multiplies entry by entry.

    Attributes
    ----------
    logits, f : ndarray, shape (n,)
        :math:`u=A_1x` and its softmax.
    z, residual : ndarray, shape (r,)
        :math:`z=A_2f` and :math:`c=\phi(z)-b`.
    slope, bend : ndarray, shape (r,)
        :math:`\phi'(z)`, and :math:`\phi'(z)^2+c\circ\phi''(z)`, the second derivative of
        :math:`\frac12(\phi(z)-b)^2`.
    centered : ndarray, shape (n,)
        :math:`\bar q`, which is :math:`q=A_2^\top(\phi'(z)\circ c)` less its mean
        :math:`\langle f,q\rangle`. The gradient is :math:`A_1^\top(f\circ\bar q+w^2\circ u)`.
    """

    logits: np.ndarray
    f: np.ndarray
    z: np.ndarray
    residual: np.ndarray
    slope: np.ndarray
    bend: np.ndarray
    centered: np.ndarray


@dataclass(frozen=True, eq=False)
class TwoLayerData:
    r"""The arrays of a two-layer regression and the structure of its Hessian.

    The Hessian is :math:`A_1^\top(B+W^2)A_1` with

    .. math:: B=\operatorname{diag}(f\circ\bar q)+UCU^\top,\qquad U=(JA_2^\top,\ f),\qquad
        C=\begin{pmatrix}\operatorname{diag}(\phi'^2+c\circ\phi'')&-\phi'\circ c\\
        -(\phi'\circ c)^\top&0\end{pmatrix},

    diagonal plus a matrix of rank at most r + 1, because :math:`f\circ\bar q=JA_2^\top(\phi'\circ
    c)`. Here :math:`f,c,\phi',\phi'',\bar q` are as in `Layers`, and
    :math:`J=\operatorname{diag}(f)-ff^\top` is the Jacobian of softmax.

    Attributes
    ----------
    rows : ndarray or scipy.sparse.csr_array, shape (n, d)
        The first layer :math:`A_1`.
    A2 : ndarray, shape (r, n)
        The second layer.
    b : ndarray, shape (r,)
        The targets.
    weights : ndarray, shape (n,)
        The weights w, not squared.
    unit : str
        Name of the output unit.
    beta : float
        Sharpness of the softplus unit.
    """

    rows: object
    A2: np.ndarray
    b: np.ndarray
    weights: np.ndarray
    unit: str
    beta: float

    def layers(self, x):
        """Evaluate both layers.

        Parameters
        ----------
        x : array_like, shape (d,)
            The point.

        Returns
        -------
        Layers
            What they compute.

        Raises
        ------
        TypeError, ValueError
            If `x` is not a point of d finite numbers, or so large that :math:`A_1x` overflows.
            The other methods raise them too.
        """
        x = check.point(x, self.rows.shape[1], "x")
        with np.errstate(over="ignore", invalid="ignore"):
            logits = self.rows @ x
        return self._layers(logits)

    def _layers(self, logits):
        if not np.isfinite(logits).all():
            raise ValueError("x must lie where A1 x is finite; it overflows there")
        f = softmax(logits)
        z = self.A2 @ f
        height, slope, bend = output_unit(z, self.unit, self.beta)
        residual = height - self.b
        q = self.A2.T @ (slope * residual)
        return Layers(logits, f, z, residual, slope, slope**2 + residual * bend, q - f @ q)

    def parts(self, x):
        r"""Split the Hessian into a weighted Gram matrix of the rows and a remainder.

        Parameters
        ----------
        x : array_like, shape (d,)
            The point.

        Returns
        -------
        weights : ndarray, shape (n,)
            :math:`w^2+f\circ\bar q`; an entry may be negative.
        remainder : ndarray, shape (d, d)
            The part of rank at most r + 1: the Hessian is
            ``rows.T @ diag(weights) @ rows + remainder``.
        """
        weights, remainder, _ = self._derivatives(x)
        return weights + self.metric(), remainder

    def gradient_and_parts(self, x):
        """Return the gradient and what :meth:`parts` returns, in one pass over the rows.

        Parameters
        ----------
        x : array_like, shape (d,)
            The point.

        Returns
        -------
        gradient : ndarray, shape (d,)
            The gradient of the whole function.
        weights : ndarray, shape (n,)
            Weights of the rows.
        remainder : ndarray, shape (d, d)
            The rest of the Hessian.
        """
        weights, remainder, gradient = self._derivatives(x)
        return gradient, weights + self.metric(), remainder

    def metric(self):
        """Return the weights of the constant part of the Hessian, which is the regularizer's.

        Returns
        -------
        ndarray, shape (n,)
            The squares of the weights w.
        """
        return self.weights**2

    def root(self, x):
        r"""Return a matrix whose Gram matrix is the Hessian, for sketches.

        With :math:`B+W^2=\Delta+UCU^\top`, :math:`\Delta` the weights of :meth:`parts` and U of
        r + 1 columns, it is :math:`(I+VCV^\top)^{1/2}\Delta^{1/2}A_1`, :math:`V=\Delta^{-1/2}U`.

        Parameters
        ----------
        x : array_like, shape (d,)
            The point.

        Returns
        -------
        ndarray, shape (n, d)
            R with :math:`R^\top R=A_1^\top(B+W^2)A_1`.

        Raises
        ------
        ValueError
            If a weight of :meth:`parts` is not positive, or :math:`B+W^2` is not positive
            semidefinite (the Hessian may be all the same: it sees the range of :math:`A_1` only).
        """
        at = self.layers(x)
        weights = at.f * at.centered + self.metric()
        if not weights.min() > 0.0:
            raise ValueError(
                "the Hessian at x has no root of this form: the numbers w^2 + f * qbar of its "
                f"diagonal part must be positive, but number {weights.argmin()} is "
                f"{weights.min():.3g}; use larger weights"
            )
        low = np.column_stack([at.f[:, None] * (self.A2.T - at.z), at.f])
        basis, triangle = np.linalg.qr(low / np.sqrt(weights)[:, None])
        values, vectors = np.linalg.eigh(triangle @ _core(at) @ triangle.T)
        if values[0] < -1.0 - 1e-10 * np.abs(values).max():
            raise ValueError(
                "the Hessian at x has no root of this form: B + W^2 must be positive "
                "semidefinite, but relative to its diagonal part its least eigenvalue is "
                f"{1.0 + values[0]:.3g}; use larger weights"
            )
        basis = basis @ vectors
        stretch = np.sqrt(np.maximum(1.0 + values, 0.0)) - 1.0
        scaled = np.sqrt(weights)[:, None] * self._dense_rows()
        return scaled + basis @ (stretch[:, None] * (basis.T @ scaled))

    def jacobian(self, x):
        r"""Return the Jacobian of all residuals.

        Parameters
        ----------
        x : array_like, shape (d,)
            The point.

        Returns
        -------
        ndarray, shape (r + n, d)
            Jacobian J of the residuals :math:`(\phi(z)-b,\,WA_1x)`, half of whose squared norm is
            the function. :math:`J^\top J` is the Gauss-Newton Hessian.
        """
        at = self.layers(x)
        network = at.slope[:, None] * self._moved_outputs(at)
        return np.vstack([network, self.weights[:, None] * self._dense_rows()])

    def relative_curvature(self, x, metric=None):
        r"""Return the eigenvalues of the data's Hessian relative to a Gram matrix of the rows.

        Parameters
        ----------
        x : array_like, shape (d,)
            The point.
        metric : array_like, shape (n,), optional
            Positive weights m of the rows. Default: those of :meth:`metric`, which compares the
            data with the regularizer.

        Returns
        -------
        ndarray, shape (d,)
            The numbers :math:`\lambda` with
            :math:`A_1^\top BA_1v=\lambda\,A_1^\top\operatorname{diag}(m)A_1v`, in increasing order.

        Raises
        ------
        ValueError
            If a weight is not positive, or :math:`A_1` does not have full column rank.
        """
        m = self.metric() if metric is None else check.point(metric, self.weights.size, "metric")
        if not m.min() > 0.0:
            raise ValueError(f"metric must be positive; its least entry is {m.min():g}")
        triangle = np.linalg.qr(np.sqrt(m)[:, None] * self._dense_rows(), mode="r")
        self._least_singular_value(triangle)
        weights, remainder, _ = self._derivatives(x)
        hessian = self.rows.T @ (weights[:, None] * self._dense_rows()) + remainder
        half = np.linalg.solve(triangle.T, hessian)
        return np.linalg.eigvalsh(np.linalg.solve(triangle.T, half.T))

    def singular_values(self):
        """Return the largest and the least singular value of A1.

        Returns
        -------
        largest, least : float
            The norm of A1, and how much it stretches at least.

        Raises
        ------
        ValueError
            If A1 does not have full column rank, so that the least would be zero.
        """
        rows = self._dense_rows()
        return float(np.linalg.norm(rows, 2)), self._least_singular_value(rows)

    def _least_singular_value(self, matrix):
        values = np.linalg.svd(matrix, compute_uv=False)
        n, d = self.rows.shape
        if n < d or not values[-1] > n * np.finfo(float).eps * values[0]:
            raise ValueError(
                "A1 must have full column rank: otherwise the Hessian is singular with any weights"
            )
        return float(values[-1])

    def _derivatives(self, x):
        """Return the split of `parts` without the regularizer, and the whole gradient."""
        at, sums = self._moments(check.point(x, self.rows.shape[1], "x"))
        low, mean, pulled = sums[:-2], sums[-2], sums[-1]
        low = np.vstack([low - np.outer(at.z, mean), mean])  # U^T A1
        remainder = low.T @ _core(at) @ low
        gradient = low[:-1].T @ (at.slope * at.residual) + pulled
        return at.f * at.centered, (remainder + remainder.T) / 2, gradient

    def _moments(self, x):
        """Return the layers at x, and A2 diag(f) A1 with the rows f A1 and (w^2 u) A1 below it.

        One pass over dense rows: the softmax is not known before its end, so that the sums are
        made with multiples of f, which shrink when a larger logit turns up.
        """
        n, d = self.rows.shape
        metric, outputs = self.metric(), self.A2.T
        if hasattr(self.rows, "indptr"):
            at = self.layers(x)
            return at, np.vstack([self.A2 * at.f, at.f, metric * at.logits]) @ self.rows
        height = max(1, min(n, BLOCK // d))
        logits, sums = np.empty(n), np.zeros((len(self.b) + 2, d))
        shares = np.empty((height, len(sums)))
        top = -np.inf
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows `_layers` tells
            for first in range(0, n, height):
                block = self.rows[first : first + height]
                part, share = logits[first : first + height], shares[: len(block)]
                np.dot(block, x, out=part)
                if part.max() > top:
                    sums[:-1] *= np.exp(top - part.max())
                    top = part.max()
                outer, own = outputs[first : first + height], metric[first : first + height]
                _tilt(part, top, outer, own, share)
                sums += share.T @ block
            sums[:-1] /= np.exp(logits - top).sum()
        return self._layers(logits), sums

    def _moved_outputs(self, at):
        """Return A2 J A1, the Jacobian of z, shape (r, d)."""
        return (self.A2 * at.f) @ self.rows - np.outer(at.z, self.rows.T @ at.f)

    def _dense_rows(self):
        return self.rows.toarray() if hasattr(self.rows, "toarray") else self.rows


# --- making problems ------------------------------------------------------------------------


def two_layer_regression(A1, A2, b, weights, unit="softplus", beta=5.0):
    r"""A two-layer regression: softmax first, then a fixed layer with an output unit.

    .. math:: L(x)=\tfrac12\|\phi(A_2\,\mathrm{softmax}(A_1x))-b\|^2+\tfrac12\|WA_1x\|^2,
        \qquad W=\operatorname{diag}(w).

    Value, gradient and Hessian-vector product cost :math:`O(\mathrm{nnz}(A_1)+rn)`; the last two
    read :math:`A_1` twice.

    Parameters
    ----------
    A1 : array_like or scipy.sparse matrix, shape (n, d)
        First layer. A sparse matrix of any format stays sparse (CSR).
    A2 : array_like, shape (r, n)
        Second layer.
    b : array_like, shape (r,)
        Targets.
    weights : float or array_like, shape (n,)
        Weights w of the regularizer, not negative, with finite squares, but not squared; one
        number stands for n of them.
    unit : str
        Output unit :math:`\phi`: "identity", "relu", "softplus"
        (:math:`\beta^{-1}\log(1+e^{\beta z})`, which tends to ReLU) or "tanh".
    beta : float
        Sharpness of softplus, positive; the other units do not look at it.

    Returns
    -------
    Problem
        Its `data` is a `TwoLayerData`: the arrays and the structure of the Hessian.

    Raises
    ------
    TypeError, ValueError
        If an array is not one of finite numbers, the shapes do not fit, a weight is negative,
        `unit` is none of these words or `beta` is not positive.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> A1, A2, b = problems.two_layer_data(30, 3, 4, seed=1)
    >>> problem = problems.two_layer_regression(A1, A2, b, weights=0.15)
    >>> optimizers.gradient_descent(problem, [1.0, 0.0, 0.0], learning_rate=0.2).status
    'converged'

    Notes
    -----
    Li, Song, Wang and Yin (2023) minimize a regularized loss whose first layer is softmax. That
    the second layer is a unit of a fixed matrix and the regularizer sits on the logits is our
    reading of that family of papers; the derivatives we derive.

    With "relu" the gradient jumps where an output :math:`z_j` crosses zero with
    :math:`b_j\ne0`; the derivative of the unit at 0 is taken as 0. If :math:`b_j>0` such a kink is
    concave, and there may be several strict minima however positive the Hessian is elsewhere; if
    :math:`b_j<0` it is convex, and the minimizer may sit on it.
    Used in "A two-layer regression, differentiated by hand", "How much Hessian is enough" and
    "Local means local".
    """
    sparse = hasattr(A1, "tocsr")
    first = _csr(A1) if sparse else check.matrix(A1, "A1")
    n, d = first.shape
    second = check.matrix(A2, "A2")
    if second.shape[1] != n:
        raise ValueError(
            f"A2 must have one column for each of the {n} rows of A1; got shape {second.shape}"
        )
    r = second.shape[0]
    b = check.vector(b, "b")
    if b.size != r:
        raise ValueError(f"b must have shape ({r},), one target per row of A2; got {b.shape}")
    w = _weights(weights, n)
    code = UNITS.index(check.choice(unit, "unit", UNITS))
    beta = check.positive(beta, "beta")
    packed = [[n], first.indptr, first.indices, first.data] if sparse else [first.ravel()]
    p = frozen(np.concatenate([[n, d, r, code, beta], b, w * w, second.T.ravel(), *packed]))
    value, gradient, hvp = SPARSE if sparse else DENSE
    return Problem(
        name=f"two-layer regression, {unit}",
        dimension=d,
        value_kernel=value,
        gradient_kernel=gradient,
        hvp_kernel=hvp,
        parameters=p,
        formula=r"\tfrac12\|\phi(A_2\,\mathrm{softmax}(A_1x))-b\|^2+\tfrac12\|WA_1x\|^2",
        data=_views(p, first, w, unit, beta),
    )


def two_layer_data(
    n,
    d,
    n_outputs,
    row_tail=None,
    curvature_ratio=None,
    aligned=False,
    weight=0.15,
    norms=(20.0, 1.0, 1.0),
    seed=0,
):
    r"""Draw the arrays of a two-layer regression.

    :math:`A_1` and :math:`A_2` have independent normal entries (but see `row_tail` and `aligned`),
    b the absolute values of such; each is then scaled to its norm.

    Parameters
    ----------
    n, d, n_outputs : int
        Shapes: :math:`A_1` is n by d, :math:`A_2` is `n_outputs` by n.
    row_tail : float, optional
        Degrees of freedom :math:`\nu` of a heavy tail: each row of :math:`A_1` is divided by
        :math:`\sqrt{\chi^2_\nu/\nu}`, as in Student's t. With 1.5 a few rows dominate and uniform
        sampling of rows breaks. Positive; far below 0.1 the rows overflow, an error. Default:
        normal rows.
    curvature_ratio : float, optional
        Curvature of the data relative to that of the regularizer with the weight `weight`, at
        x = 0 and for the identity unit: the largest of the eigenvalues
        ``TwoLayerData.relative_curvature`` in absolute value. :math:`A_2` and b are scaled
        together to reach it. Below 1 the Hessian there is positive definite; softplus, with slope
        1/2 at 0, has a third to four fifths of it. Default: no scaling, and for large n then
        hardly anything but the regularizer (about 3e-5 with n = 3000, d = 10).
    aligned : bool
        Whether the second layer follows the rows: entry (j, i) of :math:`A_2` is then
        :math:`2-g_i^2` plus 0.3 times a normal number, with :math:`g_i` the component of row i
        along a direction drawn at random. The curvatures of the rows then add up along that
        direction, and for normal rows the weights of ``TwoLayerData.parts`` stay positive at 0
        for ratios up to about 1. Without it they average out: single weights are negative long
        before the ratio is of order one, and ``TwoLayerData.root`` does not exist.
    weight : float
        The weight that `curvature_ratio` refers to, positive.
    norms : tuple of three floats
        Spectral norms of :math:`A_1` and :math:`A_2` and Euclidean norm of b, positive; with
        `curvature_ratio` only the quotient of the last two counts.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    A1, A2, b : ndarray, shapes (n, d), (n_outputs, n), (n_outputs,)
        For `two_layer_regression`; b is positive.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range, or `curvature_ratio` is given where
        :math:`A_1` does not have full column rank or the data have no curvature at 0 (n = 1).

    Examples
    --------
    >>> from lib import problems
    >>> arrays = problems.two_layer_data(200, 3, 4, curvature_ratio=0.5, weight=0.1)
    >>> problem = problems.two_layer_regression(*arrays, weights=0.1, unit="identity")
    >>> float(abs(problem.data.relative_curvature([0.0, 0.0, 0.0])).max().round(6))
    0.5

    Notes
    -----
    Scaling :math:`A_2` and b by s scales the data's part of the function by :math:`s^2` for the
    identity and for ReLU. Used in "A two-layer regression, differentiated by hand", "How much
    Hessian is enough" and "Local means local".
    """
    d = check.size(d, "d")
    n = check.size(n, "n", each=d)
    r = check.size(n_outputs, "n_outputs", each=n)
    weight = check.positive(weight, "weight")
    norms = check.point(norms, 3, "norms")
    if not norms.min() > 0.0:
        raise ValueError(f"norms must be positive; got {norms.tolist()}")
    rng = np.random.default_rng(check.integer(seed, "seed", low=0))
    A1, A2 = rng.standard_normal((n, d)), rng.standard_normal((r, n))
    b = np.abs(rng.standard_normal(r))
    if check.flag(aligned, "aligned"):
        direction = rng.standard_normal(d)
        A2 = 2.0 - (A1 @ direction) ** 2 / (direction @ direction) + 0.3 * A2
    if row_tail is not None:
        nu = check.positive(row_tail, "row_tail")
        with np.errstate(over="ignore", divide="ignore"):
            A1 /= np.sqrt(rng.chisquare(nu, size=(n, 1)) / nu)
        if not np.abs(A1).max() < LARGEST_WEIGHT:  # then the norm would overflow
            raise ValueError(f"row_tail must be larger: with {nu:g} a row of A1 overflows")
    A1 *= norms[0] / np.linalg.norm(A1, 2)
    A2 *= norms[1] / np.linalg.norm(A2, 2)
    b *= norms[2] / np.linalg.norm(b)
    if curvature_ratio is not None:
        wanted = check.positive(curvature_ratio, "curvature_ratio")
        data = two_layer_regression(A1, A2, b, weight, "identity").data
        found = np.abs(data.relative_curvature(np.zeros(d))).max()
        if not found > 0.0:
            raise ValueError("curvature_ratio must be None here: the data have no curvature at 0")
        A2, b = A2 * np.sqrt(wanted / found), b * np.sqrt(wanted / found)
    return A1, A2, b


def _core(at):
    """Return the matrix C in the low-rank part U C U^T of B, U = (J A2^T, f)."""
    pull = at.slope * at.residual
    core = np.diag([*at.bend, 0.0])
    core[-1, :-1] = core[:-1, -1] = -pull
    return core


def _csr(A1):
    """Return a sparse A1 as a CSR array of its own, checked."""
    from scipy.sparse import csr_array, issparse

    if not issparse(A1) or A1.dtype.kind not in "fiub":
        kind = A1.dtype if issparse(A1) else type(A1).__name__
        raise TypeError(f"A1 must be a matrix of real numbers; got entries of type {kind}")
    if A1.ndim != 2 or 0 in A1.shape:
        raise ValueError(
            f"A1 must be a matrix with at least one row and column; got shape {A1.shape}"
        )
    matrix = csr_array(A1.tocsr(), dtype=np.float64, copy=True)
    matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all():
        raise ValueError("A1 must be finite; it holds infinity or NaN")
    return matrix


def _weights(weights, n):
    w = check.floats(weights, "weights")
    if w.ndim == 0:
        w = np.full(n, w)
    if w.shape != (n,):
        raise ValueError(f"weights must be one number or have shape ({n},); got shape {w.shape}")
    if not w.max() <= LARGEST_WEIGHT or w.min() < 0.0:
        raise ValueError(
            "weights must be finite and not negative, and so must their squares; got "
            f"{check.shown(weights)}"
        )
    return w


def _views(p, first, w, unit, beta):
    """Return the arrays packed in `p`, those that can be as read-only views of it."""
    n, d, r = (int(size) for size in p[:3])
    second = B + r + n
    start = second + n * r
    if hasattr(first, "indptr"):
        from scipy.sparse import csr_array

        entries = p[p.size - first.nnz :]
        rows = csr_array((entries, first.indices, first.indptr), shape=(n, d))
    else:
        rows = p[start:].reshape(n, d)
    return TwoLayerData(rows, p[second:start].reshape(n, r).T, p[B : B + r], frozen(w), unit, beta)
