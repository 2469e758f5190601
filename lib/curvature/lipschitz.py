"""Measured Lipschitz constants of gradient and Hessian, and what they promise."""

import math

import numpy as np
import scipy

from lib import _validation as check
from lib._vectors import norm
from lib.curvature.hvp import CENTRAL, generator, product_at
from lib.curvature.spectrum import tridiagonal
from lib.problems import Problem

STEPS = 40  # Lanczos steps for a norm: exact up to this dimension, a close lower bound beyond


def gradient_lipschitz(problem, points, n_pairs=100, seed=0):
    r"""Measure a lower bound of the Lipschitz constant L of the gradient.

    The largest of the norms :math:`\|\nabla^2f(x)\|` at the given points and of the quotients
    :math:`\|\nabla f(x)-\nabla f(y)\|/\|x-y\|` over random pairs of them.

    Parameters
    ----------
    problem : Problem
        The function.
    points : array_like, shape (n, d)
        Where to measure: a random sample of a region, or the path of a run.
    n_pairs : int
        Number of random pairs of points, at least 0.
    seed : int
        Seed of the pairs and of the eigenvalue solver.

    Returns
    -------
    float
        A number below every Lipschitz constant of the gradient on a convex region that contains
        the points (up to rounding). The true constant may be larger: a sample proves no upper
        bound.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import curvature, problems
    >>> points = np.random.default_rng(0).uniform(-3.0, 3.0, (200, 2))
    >>> bound = curvature.gradient_lipschitz(problems.egg_carton(), points)
    >>> bool(0.99 < bound <= 1.0)
    True

    Notes
    -----
    Used in "Which step is safe".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    points = check.points(points, problem.dimension, "points")
    pairs = check.size(n_pairs, "n_pairs", low=0, each=problem.dimension)
    rng = generator(seed)
    start = rng.standard_normal(problem.dimension)
    largest = max(_norm(product_at(problem, x, "points"), start)[0] for x in points)
    gradients = np.array([problem.gradient(x) for x in points])
    if not np.isfinite(gradients).all():
        raise ValueError("points must lie where the gradient is finite")
    i, j = rng.integers(0, points.shape[0], (2, pairs))
    with np.errstate(over="ignore", invalid="ignore"):
        distances = np.linalg.norm(points[i] - points[j], axis=1)
        apart = (distances > 0.0) & (distances < math.inf)
        changes = np.linalg.norm(gradients[i] - gradients[j], axis=1)
        return float(np.max(changes[apart] / distances[apart], initial=largest))


def hessian_lipschitz(problem, points, n_directions=3, n_rounds=3, step=None, seed=0):
    r"""Measure a lower bound of the Lipschitz constant M of the Hessian.

    The largest of the quotients :math:`\|\nabla^2f(x+hu)-\nabla^2f(x-hu)\|/(2h)` over the given
    points x and unit vectors u: at each point some random ones, each improved in a few rounds.

    Parameters
    ----------
    problem : Problem
        The function.
    points : array_like, shape (n, d)
        Where to measure: a random sample of a region, or the path of a run.
    n_directions : int
        Number of random directions at each point.
    n_rounds : int
        Number of quotients for each of them, at least 1: the next direction is the vector that
        the difference of the Hessians stretches most, which for small steps gives a quotient at
        least as large.
    step : float, optional
        Half the distance h of the two points, positive and not lost in the rounding of x.
        Default: :math:`1+\|x\|` times the cube root of the machine epsilon.
    seed : int
        Seed of the directions.

    Returns
    -------
    float
        A number below every Lipschitz constant of the Hessian on a convex region that contains
        the balls of radius h around the points, up to the rounding of the Hessian divided by h.
        The true constant may be larger: a sample proves no upper bound.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    The second derivative of the double well grows by 6y along y:

    >>> from lib import curvature, problems
    >>> round(curvature.hessian_lipschitz(problems.double_well(), [[0.0, 2.0]]), 6)
    12.0

    Notes
    -----
    For a function with three derivatives the supremum over u at one point is the norm of the
    third derivative, a symmetric trilinear form, which is attained with all three vectors equal;
    hence the rounds. At a kink the quotient grows like 1/h. Used in "Local means local".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    points = check.points(points, problem.dimension, "points")
    count = check.size(n_directions, "n_directions", each=problem.dimension)
    rounds = check.count(n_rounds, "n_rounds", low=1)
    size = None if step is None else check.positive(step, "step")
    rng = generator(seed)
    largest = 0.0
    for x in points:
        h = CENTRAL * (1.0 + norm(x)) if size is None else size
        for u in rng.standard_normal((count, problem.dimension)):
            for _ in range(rounds):
                u = u / np.linalg.norm(u)
                quotient, u = _norm(_difference(problem, x, h * u, 2.0 * h), u)
                largest = max(largest, quotient)
    return largest


def armijo_threshold(sigma, rho, hessian_lipschitz):
    r"""Return the gradient norm below which the unit step passes Armijo's test.

    Parameters
    ----------
    sigma : float
        Curvature :math:`\sigma` above which the Hessian is trusted, positive.
    rho : float
        Armijo's parameter :math:`\rho`, between 0 and 1/2.
    hessian_lipschitz : float
        Lipschitz constant :math:`L_2` of the Hessian along the step, at least 0.

    Returns
    -------
    float
        :math:`3\sigma^2(1-2\rho)/L_2`, infinite for a constant Hessian and where it
        overflows.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import curvature
    >>> curvature.armijo_threshold(0.5, 0.25, 2.0)
    0.1875

    Notes
    -----
    For the Hessian-aware scalings of gradient descent of Smee, Roosta and Wright (2025), where
    the curvature along the gradient is not negative. With a measured constant, which is a lower
    bound of the true one, the number is only an upper bound of the guaranteed threshold. Used in
    "Why the unit step works", where we derive it.
    """
    curvature = check.positive(sigma, "sigma")
    decrease = check.number(rho, "rho", low=0.0, high=0.5, open_low=True, open_high=True)
    constant = check.number(hessian_lipschitz, "hessian_lipschitz", low=0.0)
    if constant == 0.0:
        return math.inf
    return 3.0 * (curvature * curvature) * (1.0 - 2.0 * decrease) / constant


def _norm(product, start):
    """Return a lower bound of the norm of a symmetric matrix and the vector that attains it."""
    alphas, betas, rows = tridiagonal(product, start, STEPS)
    values, vectors = scipy.linalg.eigh_tridiagonal(alphas, betas)
    best = np.abs(values).argmax()
    return abs(values[best].item()), vectors[:, best] @ rows


def _difference(problem, x, shift, distance):
    """Return the function that applies the difference quotient of the Hessian along `shift`."""
    if (x + shift == x - shift).all():
        raise ValueError("step must be larger: adding it to a point does not change the point")
    ahead = product_at(problem, x + shift, "points")
    behind = product_at(problem, x - shift, "points")
    return lambda v: (ahead(v) - behind(v)) / distance
