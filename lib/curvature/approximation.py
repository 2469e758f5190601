"""How good is an approximate Hessian, and how good must it be?"""

import math

import numpy as np
import scipy

from lib import _validation as check

KINDS = ("leverage", "gaussian", "gaussian_debiased")
LARGEST = 2**53  # counts above are not exact as floats
INNER = {"low": 0.0, "high": 1.0, "open_low": True, "open_high": True}


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
    Used in no chapter; it is there for problems of your own.
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
    much Hessian is enough".
    """
    ratios = _ratios(H, H_approx)
    if (ratios == 0.0).any():
        return math.inf
    with np.errstate(over="ignore"):
        errors = 1.0 - 1.0 / ratios
        mean_square = float(np.mean(errors**2))
    if check.flag(average, "average"):
        return math.sqrt(mean_square)
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
    :math:`\mathbb E\tilde H^{-1}=\frac m{m-d-1}H^{-1}`, the mean of an inverse Wishart matrix. Used
    in "How much Hessian is enough".
    """
    d = check.integer(d, "d", low=1, high=LARGEST)
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
    d = check.integer(d, "d", low=1, high=LARGEST)
    if check.choice(kind, "kind", KINDS) == "leverage":
        return math.sqrt((d - 1) / check.integer(m, "m", low=1))
    m = check.integer(m, "m", low=d + 4)
    # Whole numbers up to the only division: for large m nearly everything cancels.
    second = (m - d) * (m - d - 3)
    if kind == "gaussian":
        top = (m - d - 1) * second - 2 * m * second + m**2 * (m - 1)
        return math.sqrt(top / ((m - d - 1) * second))
    return math.sqrt(((m - d - 1) * (m - 1) - second) / second)


def typical_spectral_error(d, m):
    r"""Predict the spectral error of a Hessian made of m rows drawn by leverage scores.

    Parameters
    ----------
    d : int
        Number of coordinates, at least 1.
    m : int
        Number of draws, at least 1.

    Returns
    -------
    float
        :math:`2\sqrt{d/m}+d/m`, how far the eigenvalues of a Gaussian sketch of the identity reach
        from 1, for large d.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import curvature
    >>> round(curvature.typical_spectral_error(50, 2000), 3)
    0.341

    Notes
    -----
    The edge of the Marchenko-Pastur law. Compare it with what `spectral_error` measures, which
    is somewhat smaller for moderate d, and with `required_samples`, which is sure and asks for
    almost four times as many rows with d = 10 and :math:`\delta=0.01`. It is about twice
    `predicted_contraction`, the average over directions. Used in "How much Hessian is enough".
    """
    d, m = check.integer(d, "d", low=1, high=LARGEST), check.integer(m, "m", low=1)
    return 2.0 * math.sqrt(d / m) + d / m


def certified_contraction(eps, reach):
    r"""Bound the factor of a Newton step with an approximate Hessian near a minimizer.

    Let :math:`H_*` be the Hessian at the minimizer, with least eigenvalue l > 0, M the Lipschitz
    constant of the Hessian, e the error of an iterate and :math:`\|e\|_*=\sqrt{e^\top H_*e}`.

    Parameters
    ----------
    eps : float
        Spectral error :math:`\varepsilon` of the approximate Hessian at the iterate, at least 0
        and below 1.
    reach : float
        Distance of the iterate, in units of what the theory allows:
        :math:`\tau=M\|e\|_*/l^{3/2}`, at least 0 and below 1.

    Returns
    -------
    float
        The next error is at most this many times :math:`\|e\|_*`:
        :math:`\sqrt{\frac{1+\tau}{1-\tau}}\,\frac{1}{1-\varepsilon}\left(\varepsilon+
        \frac{\tau}{2(1-\tau)}\right)`. If it is below 1, so are all later factors with this
        :math:`\varepsilon`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import curvature
    >>> round(curvature.certified_contraction(0.01, 0.1), 4)
    0.0732

    Notes
    -----
    We derive it. Because :math:`\|e\|\le\|e\|_*/\sqrt l`, the Hessian H at the iterate differs
    from :math:`H_*` by at most :math:`\tau l`, so that
    :math:`(1-\tau)H_*\preceq H\preceq(1+\tau)H_*`. In the norm of H the step leaves
    :math:`\varepsilon/(1-\varepsilon)` of the error through the approximation and
    :math:`\tau/(2(1-\tau)(1-\varepsilon))` through the change of the Hessian along e; the square
    root turns that norm into the one of :math:`H_*`.

    A Euclidean distance of at most :math:`\tau l/(M\sqrt\kappa)` implies the reach :math:`\tau`,
    with :math:`\kappa` the condition number of :math:`H_*`: one step can enlarge the Euclidean
    error, by up to about :math:`\varepsilon\sqrt\kappa`. With the exact Hessian the Euclidean error
    itself falls from every distance below :math:`2l/(3M)`. Used in "Local means local".
    """
    eps = check.number(eps, "eps", low=0.0, high=1.0, open_high=True)
    tau = check.number(reach, "reach", low=0.0, high=1.0, open_high=True)
    local = (eps + tau / (2.0 * (1.0 - tau))) / (1.0 - eps)
    return math.sqrt((1.0 + tau) / (1.0 - tau)) * local


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
        The number, rounded up from :math:`2d(1+\varepsilon/3)\varepsilon^{-2}\ln(2d/\delta)`: with
        so many rows :math:`(1-\varepsilon)G\preceq\tilde G\preceq(1+\varepsilon)G` with
        probability at least :math:`1-\delta`, for the estimate :math:`\tilde G` of the Gram matrix
        :math:`G=A^\top DA` whose rows are drawn.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import curvature
    >>> [curvature.required_samples(10, eps, 0.01) for eps in (0.01, 0.1, 0.5)]
    [1525248, 15709, 710]

    Notes
    -----
    From the matrix Bernstein inequality, for draws with replacement (we derive it). Where the
    Hessian H is G plus a part that is kept exactly, its own error is at most :math:`\varepsilon`
    times the largest eigenvalue of :math:`H^{-1}G`. Used in "How much Hessian is enough".
    """
    d = check.integer(d, "d", low=1, high=LARGEST)
    eps, delta = check.number(eps, "eps", **INNER), check.number(delta, "delta", **INNER)
    count = 2 * d * (1.0 + eps / 3.0) * (math.log(2 * d) - math.log(delta)) / eps / eps
    if count == math.inf:
        raise ValueError(f"eps must be large enough for a finite number of rows; got {eps:g}")
    return math.ceil(count)


def _ratios(H, H_approx):
    """Return the eigenvalues of the inverse of `H` times `H_approx`."""
    H = _symmetric(H, "H")
    H_approx = _symmetric(H_approx, "H_approx")
    if H.shape != H_approx.shape:
        raise ValueError(f"H_approx must have the shape of H, {H.shape}; got {H_approx.shape}")
    size = 2.0**200 if np.abs(H_approx).max() > check.SQUARABLE else 1.0
    try:
        with np.errstate(over="ignore"):
            ratio = H_approx / size
            return size * scipy.linalg.eigh(ratio, H, eigvals_only=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        smallest = scipy.linalg.eigvalsh(H, check_finite=False)[0]
        raise ValueError(
            f"H must be positive definite; its smallest eigenvalue is {smallest:g}"
        ) from None


def _symmetric(matrix, name):
    matrix = check.matrix(matrix, name)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be square; got shape {matrix.shape}")
    half = matrix / 2  # of the largest numbers not even the sum of two is finite
    if np.abs(half - half.T).max() > 1e-8 * np.abs(half).max():
        raise ValueError(f"{name} must be symmetric")
    return half + half.T
