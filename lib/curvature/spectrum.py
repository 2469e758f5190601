"""Eigenvalues of a Hessian that is known only through Hessian-vector products."""

import math
from dataclasses import dataclass

import numpy as np
import scipy

from lib import _validation as check
from lib._vectors import norm
from lib.curvature.hvp import generator, product_at

ENDS = ("both", "smallest", "largest")
DENSE = 256  # up to this dimension the whole Hessian is formed at once
FALLBACK = 4096  # and up to this one where the iteration does not settle
PILOT = 10  # Lanczos steps for the scale of the eigenvalues
LONGEST_GRID = 10**6  # points that are chosen without being asked for
SUBSPACE = 80  # Lanczos vectors that the iteration keeps
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """Some eigenvalues of a Hessian.

    Attributes
    ----------
    values : ndarray, shape (m,)
        The eigenvalues, ascending.
    vectors : ndarray, shape (d, m)
        Unit eigenvectors, as columns.
    residuals : ndarray, shape (m,)
        Norms of Hv - value v, measured: within this distance of the value there is an eigenvalue
        of the Hessian for certain.
    n_hvp : int
        Hessian-vector products spent.

    Notes
    -----
    Returned by `extreme_eigenvalues`. Used in "Escaping without smoothness".
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    n_hvp: int


@dataclass(frozen=True, eq=False)
class SpectralDensity:
    """How the eigenvalues of a Hessian are distributed, smoothed by a Gaussian.

    Attributes
    ----------
    grid, density : ndarray, shape (n,)
        Points on the real line and the estimated density there, whose integral over the whole
        line is 1.
    standard_error : ndarray, shape (n,)
        Standard error of `density` from the random start vectors.
    sigma : float
        Standard deviation of the Gaussian.
    nodes, weights : ndarray, shape (m,)
        The estimate before smoothing: eigenvalue `nodes[i]` has the share `weights[i]` of the
        dimension. The mean of any function f over all eigenvalues is about
        ``weights @ f(nodes)``.
    n_hvp : int
        Hessian-vector products spent.

    Notes
    -----
    Returned by `spectral_density`. Used in no chapter; it is there for problems of your own.
    """

    grid: np.ndarray
    density: np.ndarray
    standard_error: np.ndarray
    sigma: float
    nodes: np.ndarray
    weights: np.ndarray
    n_hvp: int


def lanczos(problem, x, n_steps, seed=0, start=None):
    r"""Run Lanczos' method on the Hessian, with full reorthogonalisation.

    Parameters
    ----------
    problem : Problem
        The function.
    x : array_like, shape (d,)
        The point.
    n_steps : int
        Largest number of steps, one Hessian-vector product each. There are fewer, m, where the
        vectors span an invariant subspace before; at most d.
    seed : int
        Seed of the normally distributed start vector.
    start : array_like, shape (d,), optional
        The start vector instead of a random one, not zero; it is normalized.

    Returns
    -------
    alphas : ndarray, shape (m,)
        Diagonal of the tridiagonal matrix :math:`T=Q^\top HQ`.
    betas : ndarray, shape (m - 1,)
        The entries beside its diagonal.
    basis : ndarray, shape (d, m)
        The orthonormal Lanczos vectors, the columns of Q.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from scipy.linalg import eigvalsh_tridiagonal
    >>> from lib import curvature, problems
    >>> saddle = problems.quadratic_saddle([3.0, 2.0, -1.0])
    >>> alphas, betas, basis = curvature.lanczos(saddle, [0.0, 0.0, 0.0], 10)
    >>> alphas.size, eigvalsh_tridiagonal(alphas, betas).round(6).tolist()
    (3, [-1.0, 2.0, 3.0])

    Notes
    -----
    The eigenvalues of T (Ritz values) lie between the extreme eigenvalues of H and find them
    first. In floating point the vectors lose orthogonality as soon as one of them is found, hence
    the reorthogonalisation, twice in each step. Used in no chapter; it is there for problems of
    your own.
    """
    product = product_at(problem, x)
    steps = check.count(n_steps, "n_steps", low=1)
    rng = generator(seed)
    if start is None:
        first = rng.standard_normal(problem.dimension)
    else:
        first = check.point(start, problem.dimension, "start")
        if not first.any():
            raise ValueError("start must not be the zero vector")
    alphas, betas, rows = tridiagonal(product, first, steps)
    return alphas, betas, rows.T


def extreme_eigenvalues(problem, x, k=1, which="both", tol=1e-8, max_steps=1000, seed=0):
    r"""Find the smallest and the largest eigenvalues of the Hessian.

    Parameters
    ----------
    problem : Problem
        The function.
    x : array_like, shape (d,)
        The point.
    k : int
        Number of eigenvalues at each end, 1 to d.
    which : str
        "both" ends (2k eigenvalues), "smallest" or "largest", by sign, not by absolute value.
    tol : float
        Largest residual norm of an eigenvector, relative to the norm of the Hessian.
    max_steps : int
        Largest number of Hessian-vector products of the iteration, at least 1. If they do not
        suffice, the whole Hessian is formed, up to 4096 dimensions.
    seed : int
        Seed of the start vector.

    Returns
    -------
    Eigenpairs
        Eigenvalues ascending, eigenvectors, residuals and the number of products.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.
    ArithmeticError
        If the eigenvalues do not settle within `max_steps` in more than 4096 dimensions.

    Examples
    --------
    >>> from lib import curvature, problems
    >>> saddle = problems.quadratic_saddle([4.0, 2.0, -1.0])
    >>> curvature.extreme_eigenvalues(saddle, [0.0, 0.0, 0.0]).values.tolist()
    [-1.0, 4.0]

    Notes
    -----
    Up to 256 dimensions, and where more than an eighth of the eigenvalues is asked for, the whole
    Hessian is formed. Otherwise scipy's ``eigsh`` (ARPACK, an implicitly restarted Lanczos
    method) works on :math:`H+cI`, with c about twice the norm of H, so that an eigenvalue near
    zero is found as accurately as the others. It is slow where the smallest eigenvalues are close
    to each other compared with the largest, as in badly scaled problems. A start vector without
    any component along an eigenvector misses it; for a random one this has probability zero.
    Used in "Escaping without smoothness".
    """
    product = product_at(problem, x)
    d = problem.dimension
    count = check.integer(k, "k", low=1, high=d)
    check.choice(which, "which", ENDS)
    accuracy = check.positive(tol, "tol")
    budget = check.count(max_steps, "max_steps", low=1)
    rng = generator(seed)
    if d <= DENSE or 8 * count > d:
        return _dense(product, d, count, which, 0)
    vectors, spent = _iterate(product, rng, d, count, which, accuracy, budget)
    if vectors is not None:
        images = np.array([product(v) for v in np.ascontiguousarray(vectors.T)]).T
        return _pairs(vectors, images, spent + vectors.shape[1])
    if d <= FALLBACK:
        return _dense(product, d, count, which, spent)
    raise ArithmeticError(
        f"the eigenvalues did not settle to tol = {accuracy:g} within max_steps = {budget} "
        "Hessian-vector products"
    )


@np.errstate(over="ignore", invalid="ignore")  # an error bar may be infinite
def spectral_density(problem, x, n_steps=80, n_vectors=10, sigma=None, grid=None, seed=0):
    r"""Estimate the density of the eigenvalues of the Hessian by stochastic Lanczos quadrature.

    Each random unit vector gives, after n steps of Lanczos, the Gaussian quadrature of its own
    spectral measure: nodes are the Ritz values, weights the squares of the first entries of their
    eigenvectors. The mean over the vectors is then smoothed by a Gaussian.

    Parameters
    ----------
    problem : Problem
        The function.
    x : array_like, shape (d,)
        The point.
    n_steps : int
        Lanczos steps for each vector (fewer where its Krylov space is smaller, at most d).
    n_vectors : int
        Number of random vectors, at least 2.
    sigma : float, optional
        Standard deviation of the Gaussian, positive. Default: one hundredth of the distance of
        the extreme nodes, but at least 1e-3 of the largest in absolute value (1e-3 if all are
        zero).
    grid : array_like, shape (n,), optional
        Where to evaluate the density. Default: equally spaced, at most `sigma`/4 apart, from six
        `sigma` below the smallest node to six above the largest; at most a million points.
    seed : int
        Seed of the vectors.

    Returns
    -------
    SpectralDensity
        Grid, density, standard error, and the quadrature itself.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.integrate import trapezoid
    >>> from lib import curvature, problems
    >>> bowl = problems.quadratic_saddle(np.linspace(1.0, 2.0, 200))
    >>> found = curvature.spectral_density(bowl, np.zeros(200))
    >>> round(float(trapezoid(found.density, found.grid)), 6)
    1.0
    >>> bool(abs(found.weights @ found.nodes - 1.5) < 0.02)
    True

    Notes
    -----
    For polynomials f of degree up to 2n - 1, ``weights @ f(nodes)`` equals the mean of
    :math:`v^\top f(H)v` over the vectors, whose expectation is the mean of f over the
    eigenvalues. Used in no chapter; it is there for problems of your own.
    """
    product = product_at(problem, x)
    d = problem.dimension
    steps = check.count(n_steps, "n_steps", low=1)
    count = check.size(n_vectors, "n_vectors", low=2, each=problem.dimension)
    width = None if sigma is None else check.positive(sigma, "sigma")
    places = None if grid is None else check.vector(grid, "grid")
    rng = generator(seed)
    rules = []
    for start in rng.standard_normal((count, d)):
        alphas, betas, _ = tridiagonal(product, start, steps)
        nodes, vectors = scipy.linalg.eigh_tridiagonal(alphas, betas)
        rules.append((nodes, vectors[0] ** 2))
    nodes = np.concatenate([rule[0] for rule in rules])
    weights = np.concatenate([rule[1] for rule in rules]) / count
    low, high = nodes.min(), nodes.max()
    if width is None:
        width = max(0.01 * (high - low), 1e-3 * np.abs(nodes).max()) or 1e-3
    if places is None:
        n = (high / width - low / width + 12.0) * 4.0 + 1.0
        if not n <= LONGEST_GRID:
            raise ValueError(
                f"sigma must be at least about {4.0 * (high - low) / LONGEST_GRID:.1g} "
                f"without a grid, which would have {n:.1g} points; got {width:g}"
            )
        places = np.linspace(low - 6.0 * width, high + 6.0 * width, math.ceil(n))
    each = np.array([_smooth(places, *rule, width) for rule in rules])
    return SpectralDensity(
        grid=places,
        density=each.mean(axis=0) / width,
        standard_error=each.std(axis=0, ddof=1) / math.sqrt(count) / width,
        sigma=float(width),
        nodes=nodes,
        weights=weights,
        n_hvp=nodes.size,
    )


def negative_curvature_direction(problem, x, tol=1e-6, seed=0):
    """Find a direction along which the function curves down, if there is one.

    Parameters
    ----------
    problem : Problem
        The function.
    x : array_like, shape (d,)
        The point.
    tol : float
        Curvatures from `-tol` upwards do not count as negative; positive.
    seed : int
        Seed of the start vector.

    Returns
    -------
    direction : ndarray, shape (d,)
        Unit eigenvector of the smallest eigenvalue, with the sign that does not point uphill.
    curvature : float
        The curvature along it. If there is no negative curvature, None is returned instead of
        both.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.
    ArithmeticError
        If the eigenvalue does not settle.

    Examples
    --------
    >>> from lib import curvature, problems
    >>> well = problems.double_well()
    >>> direction, down = curvature.negative_curvature_direction(well, [0.0, 0.1])
    >>> direction.round(6).tolist(), round(down, 6)
    ([0.0, 1.0], -0.97)
    >>> curvature.negative_curvature_direction(well, [0.0, 1.0]) is None
    True

    Notes
    -----
    The curvature is measured along the direction, so a negative one is certain; None relies on
    the eigenvalue solver. Used in "Escaping without smoothness".
    """
    threshold = check.positive(tol, "tol")
    found = extreme_eigenvalues(problem, x, which="smallest", seed=seed)
    curvature = found.values[0].item()
    if curvature >= -threshold:
        return None
    direction = found.vectors[:, 0].copy()
    with np.errstate(over="ignore", invalid="ignore"):
        slope = problem.gradient(x) @ direction
    if slope == 0.0:
        slope = -direction[np.abs(direction).argmax()]
    return (-direction if slope > 0.0 else direction), curvature


def is_second_order_stationary(problem, x, epsilon, hessian_lipschitz=1.0, seed=0):
    r"""Test whether a point is an :math:`\varepsilon`-second-order stationary point.

    Parameters
    ----------
    problem : Problem
        The function.
    x : array_like, shape (d,)
        The point.
    epsilon : float
        Largest gradient norm :math:`\varepsilon`, positive.
    hessian_lipschitz : float
        Lipschitz constant :math:`\rho` of the Hessian, positive.
    seed : int
        Seed of the eigenvalue solver's start vector.

    Returns
    -------
    bool
        Whether :math:`\|\nabla f(x)\|\le\varepsilon` and
        :math:`\lambda_{\min}(\nabla^2f(x))\ge-\sqrt{\rho\varepsilon}`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.
    ArithmeticError
        If the eigenvalue does not settle.

    Examples
    --------
    >>> from lib import curvature, problems
    >>> well = problems.double_well()
    >>> curvature.is_second_order_stationary(well, [0.0, 0.0], epsilon=1e-2)
    False
    >>> curvature.is_second_order_stationary(well, [0.0, 1.0], epsilon=1e-2)
    True

    Notes
    -----
    Of the two conditions the second is the one that a strict saddle violates, for every
    :math:`\varepsilon` that is small enough. Used in "Escaping without smoothness", and in "Which
    step is safe".
    """
    small = check.positive(epsilon, "epsilon")
    threshold = math.sqrt(check.positive(hessian_lipschitz, "hessian_lipschitz") * small)
    lowest = extreme_eigenvalues(problem, x, which="smallest", seed=seed).values[0]
    return bool(norm(problem.gradient(x)) <= small and lowest >= -threshold)


def tridiagonal(product, start, n_steps):
    """Run Lanczos; return the diagonal, the entries beside it, and the vectors as rows."""
    steps = min(n_steps, start.size)
    alphas, betas = np.empty(steps), np.empty(steps)
    rows = np.empty((steps, start.size))
    rows[0] = start / np.abs(start).max()
    rows[0] /= np.linalg.norm(rows[0])
    scale = 0.0
    for j in range(steps):
        image = product(rows[j])
        scale = max(scale, _lengths(image))
        alphas[j] = rows[j] @ image
        for _ in range(2):
            image = image - rows[: j + 1].T @ (rows[: j + 1] @ image)
        betas[j] = _lengths(image)
        if j + 1 == steps or betas[j] <= start.size * EPSILON * scale:
            break
        rows[j + 1] = image / betas[j]
    return alphas[: j + 1], betas[:j], rows[: j + 1]


def _lengths(columns):
    """Return the Euclidean norm of a vector or of each column, also where squares overflow."""
    top = np.abs(columns).max(axis=0)
    unit = np.where(top > 0.0, top, 1.0)
    return top * np.linalg.norm(columns / unit, axis=0)


class _Spent(Exception):
    """The budget of products is used up."""


def _dense(product, d, count, which, spent):
    """Return the wanted eigenpairs of the whole Hessian."""
    matrix = np.array([product(direction) for direction in np.eye(d)]) / 2
    matrix = matrix + matrix.T  # of the largest numbers not even the sum of two is finite
    vectors = np.linalg.eigh(matrix)[1]
    low = vectors[:, :count] if which != "largest" else vectors[:, :0]
    high = vectors[:, d - count :] if which != "smallest" else vectors[:, :0]
    vectors = np.hstack([low, high])
    return _pairs(vectors, matrix @ vectors, spent + d)


def _iterate(product, rng, d, count, which, tol, budget):
    """Return the wanted eigenvectors as columns, or None, and the number of products spent."""
    start = rng.standard_normal(d)
    alphas, betas, _ = tridiagonal(product, start, PILOT)
    spent = alphas.size
    ritz = scipy.linalg.eigh_tridiagonal(alphas, betas, eigvals_only=True)
    scale = np.abs(ritz).max() or 1.0

    def times(v):
        nonlocal spent
        if spent >= budget:
            raise _Spent
        spent += 1
        v = np.ascontiguousarray(v, dtype=np.float64).reshape(-1)
        return product(v) / scale + 2.0 * v

    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    wanted, number = {
        "both": ("BE", 2 * count),
        "smallest": ("SA", count),
        "largest": ("LA", count),
    }[which]
    try:
        _, vectors = eigsh(
            LinearOperator((d, d), matvec=times, dtype=np.float64),
            number,
            which=wanted,
            v0=start,
            ncv=min(d, max(2 * number + 1, SUBSPACE)),
            maxiter=budget,
            tol=tol / 3.0,  # relative to the shifted eigenvalues, which reach 3
        )
    except (_Spent, ArpackNoConvergence):
        return None, spent
    return vectors, spent


def _pairs(vectors, images, n_hvp):
    """Return eigenpairs made of unit vectors and their images, with measured residuals."""
    values = (vectors * images).sum(axis=0)
    order = np.argsort(values, kind="stable")
    residuals = _lengths(images - values * vectors)
    return Eigenpairs(values[order], vectors[:, order], residuals[order], n_hvp)


def _smooth(grid, nodes, weights, sigma):
    """Return `sigma` times the weighted sum of Gaussians around the nodes, on the grid."""
    total = np.zeros(grid.size)
    for node, weight in zip(nodes, weights, strict=True):
        total += weight * np.exp(-0.5 * ((grid - node) / sigma) ** 2)
    return total / math.sqrt(2.0 * math.pi)
