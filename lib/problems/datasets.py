"""Seeded data for the models: everything is drawn from NumPy's default generator."""

import numpy as np

from lib import _validation as check


def logistic_data(n, d, scale_exponent=0.0, seed=0):
    r"""Draw a two-class problem with features of very different scales.

    Parameters
    ----------
    n, d : int
        Number of samples and of features, at least 1.
    scale_exponent : float
        Feature j is multiplied by 10 to the power of the j-th of d equidistant numbers from 0 to
        this.
    seed : int
        Seed, at least 0.

    Returns
    -------
    A : ndarray, shape (n, d)
        The features.
    labels : ndarray, shape (n,)
        The classes, -1.0 and 1.0.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib.problems.datasets import logistic_data
    >>> A, labels = logistic_data(500, 20, scale_exponent=1.0)
    >>> A.std(axis=0)[[0, -1]].round(1).tolist(), int((labels > 0).sum())
    ([1.0, 10.5], 247)

    Notes
    -----
    In this order, from ``numpy.random.default_rng(seed)``: a matrix G (n, d) of standard normal
    numbers, a vector w (d,) of standard normal numbers, and u (n,) uniform on [0, 1). The
    label of row i is 1 if :math:`u_i<\sigma(3g_i^\top w)`, else -1. Only then the columns are
    scaled, so that `scale_exponent` does not change the labels. Used in "What it buys,
    honestly".
    """
    G, w, rng = _planted(n, d, seed)
    top = check.number(scale_exponent, "scale_exponent", low=-100.0, high=100.0)
    labels = np.where(rng.uniform(size=len(G)) < _sigmoid(3.0 * (G @ w)), 1.0, -1.0)
    return G * 10.0 ** np.linspace(0.0, top, len(w)), labels


def least_squares_data(n, d, noise=0.1, unit_rows=True, seed=0):
    """Draw a linear regression problem with a planted solution.

    Parameters
    ----------
    n, d : int
        Number of samples and of features, at least 1.
    noise : float
        Standard deviation of the noise in the right-hand sides, at least 0; 0 makes the system
        consistent.
    unit_rows : bool
        Whether the rows are scaled to length 1 before the right-hand sides are formed.
    seed : int
        Seed, at least 0.

    Returns
    -------
    A : ndarray, shape (n, d)
        The features.
    b : ndarray, shape (n,)
        The right-hand sides.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib.problems.datasets import least_squares_data
    >>> A, b = least_squares_data(500, 20)
    >>> A.shape, (A**2).sum(axis=1).round(12).max().item()
    ((500, 20), 1.0)

    Notes
    -----
    In this order, from ``numpy.random.default_rng(seed)``: a matrix (n, d), the planted solution
    w (d,) and the noise e (n,), all standard normal; then b = A w + noise e. Used in "What it
    buys, honestly".
    """
    A, w, rng = _planted(n, d, seed)
    spread = check.number(noise, "noise", low=0.0)
    if check.flag(unit_rows, "unit_rows"):
        A /= np.linalg.norm(A, axis=1, keepdims=True)
    return A, A @ w + spread * rng.standard_normal(len(A))


def sigmoid_data(n, d, seed=0):
    r"""Draw targets that a sigmoid of a planted linear model fits up to noise.

    Parameters
    ----------
    n, d : int
        Number of samples and of features, at least 1.
    seed : int
        Seed, at least 0.

    Returns
    -------
    A : ndarray, shape (n, d)
        The features.
    targets : ndarray, shape (n,)
        The targets; the noise takes some of them outside [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib.problems.datasets import sigmoid_data
    >>> A, targets = sigmoid_data(300, 20)
    >>> A.shape, targets.mean().round(2).item()
    ((300, 20), 0.51)

    Notes
    -----
    In this order, from ``numpy.random.default_rng(seed)``: a matrix A (n, d), the planted weights
    w (d,) and the noise e (n,), all standard normal; then the target of row i is
    :math:`\sigma(a_i^\top w)+e_i/10`. Used in "What it buys, honestly".
    """
    A, w, rng = _planted(n, d, seed)
    return A, _sigmoid(A @ w) + 0.1 * rng.standard_normal(len(A))


def _planted(n, d, seed):
    """Return a standard normal matrix (n, d), such a vector (d,), and the generator."""
    d = check.size(d, "d")
    n = check.size(n, "n", each=d)
    rng = np.random.default_rng(check.integer(seed, "seed", low=0))
    return rng.standard_normal((n, d)), rng.standard_normal(d), rng


def _sigmoid(z):
    return 0.5 * (1.0 + np.tanh(0.5 * z))
