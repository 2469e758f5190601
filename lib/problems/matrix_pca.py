"""The best rank-one approximation of a matrix, whose saddles are the other eigenvectors."""

import math

import numpy as np

from lib import _validation as check
from lib._jit import kernel
from lib.problems.base import Problem, critical_point, frozen
from lib.problems.generalized import root

# The parameters are the Frobenius norm and the largest eigenvalue of M, and M by rows.
FROBENIUS, LARGEST, ROWS = range(3)

# Differences of eigenvalues up to this, relative to the largest, are taken for rounding.
RESOLUTION = 1e-10


@kernel
def _pca_value(x, p):
    d = x.size
    total = 0.0
    for i in range(d):
        for j in range(d):
            miss = x[i] * x[j] - p[ROWS + i * d + j]
            total += miss * miss
    return 0.5 * total


@kernel
def _pca_gradient(x, p, out):
    d = x.size
    square = 0.0
    for i in range(d):
        square += x[i] * x[i]
    for i in range(d):
        total = 0.0
        for j in range(d):
            total += p[ROWS + i * d + j] * x[j]
        out[i] = 2.0 * (square * x[i] - total)


@kernel
def _pca_hvp(x, v, p, out):
    d = x.size
    square = 0.0
    inner = 0.0
    for i in range(d):
        square += x[i] * x[i]
        inner += x[i] * v[i]
    for i in range(d):
        total = 0.0
        for j in range(d):
            total += p[ROWS + i * d + j] * v[j]
        out[i] = 2.0 * (square * v[i] + 2.0 * inner * x[i] - total)


@kernel
def _pca_rho1(t, p):
    return 6.0 * root(2.0 * t) + 6.0 * p[FROBENIUS] + 2.0 * p[LARGEST]


@kernel
def _pca_rho2(t, p):
    return 12.0 * math.sqrt(root(2.0 * t) + p[FROBENIUS])


def matrix_pca(M=((2.0, 0.0), (0.0, 1.0))):
    r"""Rank-one principal component analysis, :math:`\frac12\|ww^\top-M\|_F^2`.

    Parameters
    ----------
    M : array_like, shape (d, d)
        A symmetric positive semidefinite matrix, such as a covariance matrix.

    Returns
    -------
    Problem
        Critical points, in this order: the origin, then :math:`\pm\sqrt{\lambda_i}v_i` for each
        eigenpair whose eigenvalue is positive and simple, from the largest down (of the two
        points, first the one whose largest entry is positive). A repeated eigenvalue has a whole
        sphere of critical points, of which none is listed. Minimizers belong to the largest
        eigenvalue, all others are strict saddles. Constant "infimum" is half the sum of the
        squares of all other eigenvalues.

    Raises
    ------
    TypeError, ValueError
        If `M` is no matrix of finite numbers, not square, not symmetric, has a negative
        eigenvalue, or is so large that its square overflows.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.matrix_pca([[4.0, 0.0], [0.0, 1.0]])
    >>> [known.kind for known in problem.critical_points]
    ['maximizer', 'minimizer', 'minimizer', 'strict saddle', 'strict saddle']
    >>> problem.critical_points[1].x.tolist(), problem.constants["infimum"]
    ([2.0, 0.0], 0.5)

    Notes
    -----
    One of the examples of Cao, Chen, Sridharan and Tang (2025). We derive, for the value t of
    the function itself, :math:`\rho_1(t)=6\sqrt{2t}+6\|M\|_F+2\|M\|` and
    :math:`\rho_2(t)=12(\sqrt{2t}+\|M\|_F)^{1/2}` from :math:`\|w\|^2\le\sqrt{2t}+\|M\|_F`; as M
    has no negative eigenvalue, the first holds without its last term, too. Eigenvalues of the
    Hessian at :math:`\pm\sqrt{\lambda_i}v_i`: :math:`4\lambda_i` along :math:`v_i` and
    :math:`2(\lambda_i-\lambda_j)` along :math:`v_j`; at the origin the Hessian is -2M. Used in
    "What replaces a Lipschitz gradient" and "Escaping without smoothness", and in "Which step is
    safe".
    """
    M = check.matrix(M, "M")
    d = M.shape[0]
    if M.shape != (d, d):
        raise ValueError(f"M must be square; got shape {M.shape}")
    size = np.abs(M).max()
    if not size <= 1e150 / d:
        raise ValueError(f"M must have entries so small that squares do not overflow; got {size:g}")
    if not np.abs(M - M.T).max() <= 1e-12 * size:
        raise ValueError("M must be symmetric")
    M = (M + M.T) / 2.0
    eigenvalues, vectors = np.linalg.eigh(M)
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    if eigenvalues[-1] < -RESOLUTION * size:
        raise ValueError(
            f"M must be positive semidefinite; its smallest eigenvalue is {eigenvalues[-1]:g}"
        )
    return Problem(
        name="rank-one matrix PCA",
        dimension=d,
        value_kernel=_pca_value,
        gradient_kernel=_pca_gradient,
        hvp_kernel=_pca_hvp,
        parameters=frozen(np.concatenate([[np.linalg.norm(M), eigenvalues[0]], M.ravel()])),
        critical_points=_critical_points(eigenvalues, vectors),
        constants={"smoothness": math.inf, "infimum": 0.5 * float(np.sum(eigenvalues[1:] ** 2))},
        formula=r"\tfrac12\|ww^\top-M\|_F^2",
        rho1_kernel=_pca_rho1,
        rho2_kernel=_pca_rho2,
    )


def _critical_points(eigenvalues, vectors):
    """List the origin and a pair of points for each simple positive eigenvalue."""
    zero = RESOLUTION * eigenvalues[0]
    squares = eigenvalues**2
    kind = "minimizer" if eigenvalues[0] <= 0.0 else "strict saddle"
    if eigenvalues[-1] > zero:
        kind = "maximizer"
    known = [critical_point(np.zeros(eigenvalues.size), kind, 0.5 * float(squares.sum()))]
    for i, top in enumerate(eigenvalues):
        others = np.delete(eigenvalues, i)
        if top > zero and (np.abs(others - top) > zero).all():
            kind = "minimizer" if i == 0 else "strict saddle"
            value = 0.5 * float(np.sum(others**2))
            x = math.sqrt(top) * vectors[:, i]
            x *= np.sign(x[np.abs(x).argmax()])  # of the two, eigh may return either
            known += [critical_point(x, kind, value), critical_point(-x, kind, value)]
    return tuple(known)
