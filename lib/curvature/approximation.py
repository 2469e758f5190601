"""How good is an approximate Hessian, and how good must it be?"""

import math

import numpy as np
from scipy import linalg

from lib import _validation as check

KINDS = ("leverage", "gaussian", "gaussian_debiased")


def spectral_error(H, H_approx):
    r"""Compute the smallest :math:`\varepsilon` with :math:`(1-\varepsilon)H\preceq\tilde H
    \preceq(1+\varepsilon)H`.

    Parameters
    ----------
    H : array_like, shape (d, d)
        The Hessian, positive definite.
    H_approx : array_like, shape (d, d)
        Its approximation, symmetric.

    Returns
    -------
    float
        The error: the largest distance from 1 of an eigenvalue of :math:`H^{-1}\tilde H`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape, is not symmetric, or `H` is not positive
        definite.

    Examples
    --------
    >>> from lib import curvature
    >>> round(curvature.spectral_error([[1.0, 0.0], [0.0, 4.0]], [[1.1, 0.0], [0.0, 3.0]]), 12)
    0.25

    Notes
    -----
    Used in "How much Hessian is enough".
    """
    return float(np.abs(_ratios(H, H_approx) - 1.0).max())


def newton_contraction(H, H_approx, average=False):
    r"""Compute by what factor a Newton step with an approximate Hessian shrinks the error.

    On a quadratic with Hessian H, the step :math:`-\tilde H^{-1}\nabla f` multiplies the error,
    in the norm :math:`\|e\|_H=\sqrt{e^\top He}`, by at most the norm of the symmetric matrix
    :math:`E=I-H^{1/2}\tilde H^{-1}H^{1/2}`.

    Parameters
    ----------
    H : array_like, shape (d, d)
        The Hessian, positive definite.
    H_approx : array_like, shape (d, d)
        Its approximation, symmetric. For a step with learning rate a, give it divided by a.
    average : bool
        Whether to return the root mean square over all directions of the error,
        :math:`\|E\|_F/\sqrt d`, instead of the largest factor, :math:`\|E\|_2`.

    Returns
    -------
    float
        The factor; infinite where `H_approx` is singular.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape, is not symmetric, or `H` is not positive
        definite.

    Examples
    --------
    >>> from lib import curvature
    >>> round(curvature.newton_contraction([[1.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 5.0]]), 12)
    0.2

    Notes
    -----
    An approximation with spectral error :math:`\varepsilon<1` contracts at least by
    :math:`\varepsilon/(1-\varepsilon)`, in this norm and not in the Euclidean one. Used in "How
    much Hessian is enough" and "Local means local".
    """
    ratios = _ratios(H, H_approx)
    if (ratios == 0.0).any():
        return math.inf
    errors = 1.0 - 1.0 / ratios
    if check.flag(average, "average"):
        return float(np.sqrt(np.mean(errors**2)))
    return float(np.abs(errors).max())


def debias_factor(d, m):
    r"""Compute the factor :math:`1-(d+1)/m` that makes a sketched Newton step right on average.

    Parameters
    ----------
    d : int
        Number of coordinates, at least 1.
    m : int
        Number of rows of the sketch, above d + 1.

    Returns
    -------
    float
        The factor.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import curvature
    >>> round(curvature.debias_factor(10, 40), 12)
    0.725

    Notes
    -----
    The inverse of an estimate without bias is biased: for a Gaussian sketch,
    :math:`\mathbb E\tilde H^{-1}=\frac m{m-d-1}H^{-1}`. The lesson of Newton-LESS (Derezinski,
    Lacotte, Pilanci and Mahoney, 2021). Used in "How much Hessian is enough".
    """
    d = check.integer(d, "d", low=1)
    return 1.0 - (d + 1) / check.integer(m, "m", low=d + 2)


def predicted_contraction(d, m, kind="leverage"):
    r"""Predict the root mean square factor by which a step with a sampled Hessian contracts.

    Parameters
    ----------
    d : int
        Number of coordinates, at least 1.
    m : int
        Number of rows drawn or sketched; above d + 3 for the two Gaussian kinds.
    kind : str
        "leverage": :math:`\sqrt{(d-1)/m}` for rows drawn by leverage scores, to leading order for
        m much larger than d. "gaussian":
        :math:`\{1-\frac{2m}{m-d-1}+\frac{m^2(m-1)}{(m-d)(m-d-1)(m-d-3)}\}^{1/2}`, exact for a
        Gaussian sketch. "gaussian_debiased":
        :math:`\{\frac{(m-d-1)(m-1)}{(m-d)(m-d-3)}-1\}^{1/2}`, exact for that sketch and steps
        multiplied by `debias_factor`.

    Returns
    -------
    float
        The factor, in the norm of the Hessian, as `newton_contraction` with ``average=True``
        measures it.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import curvature
    >>> round(curvature.predicted_contraction(10, 640), 3)
    0.119
    >>> round(curvature.predicted_contraction(10, 40, "gaussian"), 3)
    0.948

    Notes
    -----
    We derive all three; the last two from the moments of the inverse Wishart distribution. They
    hold for fresh draws and an error in a direction that does not depend on them. Used in "How
    much Hessian is enough".
    """
    d = check.integer(d, "d", low=1)
    if check.choice(kind, "kind", KINDS) == "leverage":
        return math.sqrt((d - 1) / check.integer(m, "m", low=1))
    m = check.integer(m, "m", low=d + 4)
    if kind == "gaussian":
        second = m**2 * (m - 1) / ((m - d) * (m - d - 1) * (m - d - 3))
        return math.sqrt(1.0 - 2.0 * m / (m - d - 1) + second)
    return math.sqrt((m - d - 1) * (m - 1) / ((m - d) * (m - d - 3)) - 1.0)


def required_samples(d, eps, delta):
    r"""Compute how many rows, drawn by leverage scores, are sure to be enough.

    Parameters
    ----------
    d : int
        Number of coordinates, at least 1.
    eps : float
        Spectral error :math:`\varepsilon` aimed at, above 0 and below 1.
    delta : float
        Probability :math:`\delta` of missing it, above 0 and below 1.

    Returns
    -------
    int
        The number, rounded up from
        :math:`2d(1+\varepsilon/3)\varepsilon^{-2}\ln(2d/\delta)`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import curvature
    >>> curvature.required_samples(10, 0.1, 0.01)
    15709

    Notes
    -----
    From the matrix Bernstein inequality, for draws with replacement (we derive it). Used in "How
    much Hessian is enough".
    """
    d = check.integer(d, "d", low=1)
    eps = check.number(eps, "eps", 0.0, 1.0, open_low=True, open_high=True)
    delta = check.number(delta, "delta", 0.0, 1.0, open_low=True, open_high=True)
    return math.ceil(2 * d * (1.0 + eps / 3.0) * math.log(2 * d / delta) / eps**2)


def _ratios(H, H_approx):
    """Return the eigenvalues of the inverse of `H` times `H_approx`."""
    H = _symmetric(H, "H")
    H_approx = _symmetric(H_approx, "H_approx")
    if H.shape != H_approx.shape:
        raise ValueError(f"H_approx must have the shape of H, {H.shape}; got {H_approx.shape}")
    try:
        return linalg.eigh(H_approx, H, eigvals_only=True, check_finite=False)
    except linalg.LinAlgError:
        smallest = linalg.eigvalsh(H, check_finite=False)[0]
        raise ValueError(
            f"H must be positive definite; its smallest eigenvalue is {smallest:g}"
        ) from None


def _symmetric(matrix, name):
    matrix = check.matrix(matrix, name)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be square; got shape {matrix.shape}")
    if np.abs(matrix - matrix.T).max() > 1e-8 * np.abs(matrix).max():
        raise ValueError(f"{name} must be symmetric")
    return (matrix + matrix.T) / 2
