"""Formulas around the softmax layer: its derivatives, and bounds for the two-layer regression."""

import math
from typing import NamedTuple

import numpy as np

from lib import _validation as check
from lib.problems.base import Problem
from lib.problems.two_layer import (
    LARGEST_WEIGHT,
    TwoLayerData,
    output_unit,
    softmax,
    two_layer_regression,
)

__all__ = [
    "SignedDecomposition",
    "activation_radius",
    "critical_weight",
    "cumulant",
    "data_hessian",
    "family_lipschitz_bound",
    "gradient_lipschitz_bound",
    "hessian_lipschitz_bound",
    "kink_jump",
    "output_unit",
    "sigmoid_example",
    "signed_decomposition",
    "softmax",
    "softmax_jacobian",
    "sufficient_weight",
    "third_cumulant_matrix",
    "uniform_weight_bound",
]


class SignedDecomposition(NamedTuple):
    """A third cumulant matrix as a difference of two covariance matrices.

    Attributes
    ----------
    Q : float
        Largest entry of the centered vector in absolute value.
    alpha, beta : ndarray, shape (n,)
        Probabilities.
    """

    Q: float
    alpha: np.ndarray
    beta: np.ndarray


def softmax_jacobian(f):
    r"""Return the Jacobian of softmax, the covariance :math:`\operatorname{diag}(f)-ff^\top`.

    Parameters
    ----------
    f : array_like, shape (n,)
        Probabilities: the value of softmax.

    Returns
    -------
    ndarray, shape (n, n)
        With :math:`v^\top Jv=\mathrm{Var}_f(v)`, :math:`J\mathbf 1=0` and
        :math:`0\preceq J\preceq\frac12I`.

    Raises
    ------
    TypeError, ValueError
        If `f` is not a vector of numbers that are not negative and have the sum 1.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import softmax_jacobian
    >>> softmax_jacobian([0.75, 0.25]).tolist()
    [[0.1875, -0.1875], [-0.1875, 0.1875]]

    Notes
    -----
    Used in "A two-layer regression, differentiated by hand".
    """
    f = _probabilities(f)
    return np.diag(f) - np.outer(f, f)


@np.errstate(over="ignore", invalid="ignore")
def cumulant(f, *vectors):
    r"""Return the joint cumulant of one to four vectors under a law of n outcomes.

    A vector holds one number for each outcome; :math:`\mathbb E_f` is the mean under the law f.
    The cumulant of one vector is its mean :math:`\mathbb E_fv`, that of two is their covariance.
    With :math:`\bar v=v-\mathbb E_fv` the next ones are
    :math:`\kappa_3(q,v,w)=\mathbb E_f[\bar q\bar v\bar w]` and :math:`\kappa_4(p,q,v,w)=
    \mathbb E_f[\bar p\bar q\bar v\bar w]` less the three products of covariances of two pairs.

    Parameters
    ----------
    f : array_like, shape (n,)
        Probabilities of the outcomes.
    *vectors : array_like, shape (n,)
        One to four vectors, in any order; the same one may be repeated.

    Returns
    -------
    float
        The cumulant, linear in each of the vectors; infinite or NaN where it overflows.

    Raises
    ------
    TypeError, ValueError
        If `f` is not a vector of probabilities, a vector does not have its length, or there are
        not one to four of them.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import cumulant
    >>> f, q, v = [0.75, 0.25], [0.0, 1.0], [0.0, 2.0]
    >>> [cumulant(f, q), cumulant(f, q, v), cumulant(f, q, v, v)]
    [0.25, 0.375, 0.375]

    Notes
    -----
    They are the derivatives of :math:`\log\sum_ie^{u_i}` at the logits u of f, one for each vector,
    along that vector: with softmax, each further derivative brings the next cumulant. We derive:
    :math:`|\kappa_4(w,q,v,v)|\le\frac{5\sqrt2}4\|q-\mathbb E_fq\|_\infty\|w\|\|v\|^2`, while the
    largest quotient we know of has :math:`\frac{\sqrt2}2`, with two outcomes of probability 1/2.
    Used in "A two-layer regression, differentiated by hand".
    """
    f = _probabilities(f)
    if not 1 <= len(vectors) <= 4:
        raise TypeError(f"vectors must be one to four vectors; got {len(vectors)}")
    given = [check.point(vector, f.size, f"vector {i}") for i, vector in enumerate(vectors, 1)]
    if len(given) == 1:
        return float(f @ given[0])
    centered = [vector - f @ vector for vector in given]
    total = f @ np.prod(centered, axis=0)
    if len(given) == 4:
        covariances = [[f @ (v * w) for w in centered] for v in centered]
        for i, (j, k) in ((1, (2, 3)), (2, (1, 3)), (3, (1, 2))):
            total -= covariances[0][i] * covariances[j][k]
    return float(total)


def third_cumulant_matrix(f, q):
    r"""Return the matrix of third cumulants with one argument q fixed.

    Parameters
    ----------
    f : array_like, shape (n,)
        Probabilities.
    q : array_like, shape (n,)
        Any vector.

    Returns
    -------
    ndarray, shape (n, n)
        T with :math:`v^\top Tv=\mathbb E_f[(q-\mathbb E_fq)(v-\mathbb E_fv)^2]`, the `cumulant` of
        q, v and v. It is :math:`\operatorname{diag}(f\circ\bar q)-(f\circ\bar q)f^\top-f(f\circ\bar
        q)^\top` with :math:`\bar q=q-\langle f,q\rangle`.

    Raises
    ------
    TypeError, ValueError
        If `f` is not a vector of probabilities, or `q` not a vector of that length.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import third_cumulant_matrix
    >>> (32 * third_cumulant_matrix([0.75, 0.25], [0.0, 1.0])).tolist()
    [[3.0, -3.0], [-3.0, 3.0]]

    Notes
    -----
    We derive: a constant q gives T = 0; the converse fails only for two outcomes of probability
    1/2 each. Used in "A two-layer regression, differentiated by hand".
    """
    f, centered = _centered(f, q)
    tilt = f * centered
    cross = np.outer(tilt, f)
    return np.diag(tilt) - cross - cross.T


def signed_decomposition(f, q):
    r"""Write the third cumulant matrix as a difference of two covariance matrices.

    With :math:`Q=\|\bar q\|_\infty`, :math:`\alpha=f\circ(1-\bar q/Q)` and
    :math:`\beta=f\circ(1+\bar q/Q)`, which are probabilities,

    .. math:: T(q)=\tfrac Q2(J_\beta-J_\alpha),\qquad -\tfrac Q4I\preceq T(q)\preceq\tfrac Q4I.

    Parameters
    ----------
    f : array_like, shape (n,)
        Probabilities.
    q : array_like, shape (n,)
        Any vector.

    Returns
    -------
    SignedDecomposition
        Q, alpha, beta. For a q that is constant up to rounding, Q is 0 and both are f.

    Raises
    ------
    TypeError, ValueError
        If `f` is not a vector of probabilities, or `q` not a vector of that length.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import signed_decomposition
    >>> Q, alpha, beta = signed_decomposition([0.75, 0.25], [0.0, 1.0])
    >>> Q, alpha.tolist(), beta.tolist()
    (0.75, [1.0, 0.0], [0.5, 0.5])

    Notes
    -----
    We derive it; the constant 1/4 is sharp. Used in "A two-layer regression, differentiated by
    hand".
    """
    f, centered = _centered(f, q)
    size = float(np.abs(centered).max())
    number = np.finfo(float)
    if size <= max(f.size * number.eps * np.abs(q).max(), number.tiny):
        return SignedDecomposition(0.0, f, f.copy())
    relative = centered / size
    return SignedDecomposition(size, f * (1.0 - relative), f * (1.0 + relative))


def data_hessian(problem, x):
    r"""Return the matrix B in the Hessian :math:`A_1^\top(B+W^2)A_1` of a two-layer regression.

    Parameters
    ----------
    problem : Problem
        Made by `two_layer_regression`.
    x : array_like, shape (d,)
        The point.

    Returns
    -------
    ndarray, shape (n, n)
        :math:`B=JA_2^\top\operatorname{diag}(\phi'^2+c\circ\phi'')A_2J+T(q)`, with J of
        `softmax_jacobian`, T of `third_cumulant_matrix` at f, and f, c, q and the derivatives of
        the unit as in `lib.problems.two_layer.Layers`. It is meant for small n; the problem's own
        Hessian never forms it.

    Raises
    ------
    TypeError, ValueError
        If `problem` is not a two-layer regression, or `x` not a point of its space.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import data_hessian, sigmoid_example
    >>> B = data_hessian(sigmoid_example(), [0.0])
    >>> (32 * B).tolist()
    [[2.0, -2.0], [-2.0, 2.0]]

    Notes
    -----
    We derive it. :math:`B\mathbf 1=0` always. Used in "A two-layer regression, differentiated by
    hand".
    """
    data = _data(problem)
    at = data.layers(x)
    moved = (data.A2 - at.z[:, None]) * at.f
    return (moved.T * at.bend) @ moved + third_cumulant_matrix(at.f, at.centered)


def critical_weight(problem, x):
    r"""Return the exact threshold of :math:`w^2` for a positive semidefinite Hessian at a point.

    Parameters
    ----------
    problem : Problem
        Made by `two_layer_regression`; its weights do not matter.
    x : array_like, shape (d,)
        The point.

    Returns
    -------
    float
        The :math:`w^2` for which, with the same weight w everywhere, the least eigenvalue of
        :math:`A_1^\top(B+w^2I)A_1` is zero. Negative if the data alone are strictly convex there.

    Raises
    ------
    TypeError, ValueError
        If `problem` is not a two-layer regression, `x` not a point of its space, or :math:`A_1`
        does not have full column rank.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import critical_weight, sigmoid_example
    >>> x = [-1.8519627]
    >>> round(critical_weight(sigmoid_example(), x), 7)
    0.0601022

    Notes
    -----
    The least generalized eigenvalue of :math:`A_1^\top BA_1` and :math:`A_1^\top A_1`, with the
    other sign. Used in "A two-layer regression, differentiated by hand".
    """
    data = _data(problem)
    return -float(data.relative_curvature(x, np.ones(data.weights.size))[0])


def sufficient_weight(problem, x, l=0.0):  # noqa: E741
    r"""Return a :math:`w^2` for which the Hessian at a point is at least :math:`lI`.

    Parameters
    ----------
    problem : Problem
        Made by `two_layer_regression`; its weights do not matter.
    x : array_like, shape (d,)
        The point.
    l : float
        Wanted bound of the least eigenvalue, at least 0.

    Returns
    -------
    float
        :math:`\frac14\|\bar q\|_\infty+\frac14\|A_2\|^2\max_j(\phi_j'^2+c_j\phi_j'')^-
        +l/\sigma_{\min}(A_1)^2`, where :math:`t^-=\max(0,-t)`; :math:`\bar q`, the residuals
        :math:`c_j` and the derivatives :math:`\phi_j',\phi_j''` of the unit at output j are those
        of `lib.problems.two_layer.Layers`. Weights with squares at least this large will do.

    Raises
    ------
    TypeError, ValueError
        If `problem` is not a two-layer regression, `x` not a point of its space, `l` negative, or
        :math:`A_1` does not have full column rank.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import sigmoid_example, sufficient_weight
    >>> sufficient_weight(sigmoid_example(), [0.0], l=0.1)
    0.1625

    Notes
    -----
    We derive it; it is sufficient, not sharp: about 4 to 15 times `critical_weight` at the worst
    points of instances that we drew (n = 20, d = 4, ReLU). It is about the Hessian at this x, so
    with "relu" about the inside of one activation region. Even where it holds for all x off the
    kinks, neither convexity nor a unique minimizer follows: a kink with :math:`b_j>0` is concave.
    For softplus the second term grows like :math:`\beta|c|\|A_2\|^2/16` near such a kink.

    Used in "A two-layer regression, differentiated by hand".
    """
    data = _data(problem)
    at = data.layers(x)
    concave = max(0.0, -at.bend.min())
    return _enough(data, np.abs(at.centered).max(), concave, l)


def uniform_weight_bound(problem, l=0.0):  # noqa: E741
    r"""Return a :math:`w^2` for which the Hessian is at least :math:`lI` wherever it exists.

    Parameters
    ----------
    problem : Problem
        Made by `two_layer_regression`; its weights do not matter.
    l : float
        Wanted bound of the least eigenvalue, at least 0.

    Returns
    -------
    float
        The bound of `sufficient_weight` with :math:`\|\bar q\|_\infty` replaced by
        :math:`\max_{i,k}\|A_2(e_i-e_k)\|\,(\max_k\|A_2e_k\|+\|b\|)`, :math:`e_k` the unit vectors,
        so that :math:`A_2e_k` is a column; and the second term by its supremum over all outputs,
        for softplus by the upper bound
        :math:`\frac14\|A_2\|^2\max_jt_j^2/(4+4t_j)` of it, :math:`t_j=\max(0,\beta b_j)`.

    Raises
    ------
    TypeError, ValueError
        If `problem` is not a two-layer regression, `l` is negative, or :math:`A_1` does not have
        full column rank.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import sigmoid_example, uniform_weight_bound
    >>> uniform_weight_bound(sigmoid_example())
    0.5

    Notes
    -----
    We derive it for units with slope at most 1. The bound of the residual needs
    :math:`\phi(0)=0`; for softplus :math:`\sqrt r\log2/\beta` is added to
    :math:`\max_k\|A_2e_k\|`. For "relu" it holds off the kinks and implies no convexity (see
    `sufficient_weight`). It takes :math:`O(n^2r)` operations. Used in "A two-layer regression,
    differentiated by hand".
    """
    data = _data(problem)
    lowest, _ = _bends(data)
    return _enough(data, _diameter(data.A2) * _largest_residual(data), max(0.0, -lowest), l)


def gradient_lipschitz_bound(problem):
    r"""Bound the Lipschitz constant of the gradient of a two-layer regression.

    Parameters
    ----------
    problem : Problem
        Made by `two_layer_regression` with a smooth unit: "identity", "softplus" or "tanh".

    Returns
    -------
    float
        :math:`\|A_1\|^2\bigl(\frac14\|A_2\|^2s+\frac14Q+\max_iw_i^2\bigr)`, where Q is the bound of
        :math:`\|\bar q\|_\infty` in `uniform_weight_bound` and s one of
        :math:`|\phi'^2+c\,\phi''|` over all outputs: 1 for the identity.

    Raises
    ------
    TypeError, ValueError
        If `problem` is not a two-layer regression or has the unit "relu", whose gradient jumps.

    Examples
    --------
    A learning rate of one over the constant never makes gradient descent go uphill:

    >>> from lib.problems.softmax_calculus import gradient_lipschitz_bound, sigmoid_example
    >>> round(gradient_lipschitz_bound(sigmoid_example()), 6)
    0.85

    Notes
    -----
    We derive it from :math:`\|J\|\le\frac12` and :math:`-\frac Q4I\preceq T\preceq\frac Q4I`; it is
    an upper bound, 5 to 70 times what we measured (0.177 in the example). For softplus s is
    replaced by the upper bound :math:`\max_j\max(1.106+\frac14(\beta b_j)^-,\,t_j^2/(4+4t_j))`
    with :math:`t_j=(\beta b_j)^+`, positive and negative parts. Used in no chapter; it is there
    for problems of your own.
    """
    data = _data(problem)
    if data.unit == "relu":
        raise ValueError("problem must have a smooth unit: with 'relu' the gradient jumps")
    largest = _diameter(data.A2) * _largest_residual(data)
    bend = max(map(abs, _bends(data)))
    curvature = 0.25 * (_norm(data.A2) ** 2 * bend + largest) + data.metric().max()
    return float(_norm(data.rows) ** 2 * curvature)


def hessian_lipschitz_bound(problem, radius=math.inf, center=None):
    r"""Bound the Lipschitz constant of the Hessian of a two-layer regression.

    Parameters
    ----------
    problem : Problem
        Made by `two_layer_regression` with the unit "identity" or "softplus".
    radius : float
        Bound the constant in the ball of this radius only, positive. Default: everywhere.
    center : array_like, shape (d,), optional
        Center of the ball. Default: the origin.

    Returns
    -------
    float
        :math:`M=\|A_1\|^3(\frac{3\sqrt2}8s_2\|A_2\|^2+\frac18s_3\|A_2\|^3
        +\frac{5\sqrt2}4\sup\|\bar q\|_\infty)`, with :math:`\bar q` of
        `lib.problems.two_layer.Layers` and bounds :math:`s_2,s_3` of the second and third
        derivative of :math:`\frac12(\phi(z)-b_j)^2`: 1 and 0 for the identity. The supremum is
        replaced by :math:`\max_{i,k}\|A_2(e_i-e_k)\|` (the largest distance of two columns) times
        a bound of the norm of the residual: that of `uniform_weight_bound` everywhere, and in the
        ball, if that is less, its norm at the center plus :math:`\frac12\|A_2\|\|A_1\|` times the
        radius.

    Raises
    ------
    TypeError, ValueError
        If `problem` is not a two-layer regression or has another unit, `radius` is not positive,
        or `center` not a point of its space.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import hessian_lipschitz_bound, sigmoid_example
    >>> round(hessian_lipschitz_bound(sigmoid_example()), 3)
    4.066

    Notes
    -----
    We derive it; polynomial in the norms, no exponentials. The true constant is far smaller (0.101
    in the example with :math:`w^2=0.1`). For softplus :math:`s_2` is the bound of
    `gradient_lipschitz_bound`, and
    :math:`s_3=0.526\,\beta+\frac{\beta^2}{6\sqrt3}\max_j|b_j-\frac{\log2}\beta|`. Used in
    "Local means local".
    """
    data = _data(problem)
    if data.unit not in ("identity", "softplus"):
        raise ValueError(
            "problem must have the unit 'identity' or 'softplus', for which the bound is; got "
            f"{data.unit!r}"
        )
    if not (isinstance(radius, float) and radius == math.inf):
        radius = check.positive(radius, "radius")
    d = problem.dimension
    center = np.zeros(d) if center is None else check.point(center, d, "center")
    first, second = _norm(data.rows), _norm(data.A2)
    nearby = np.linalg.norm(data.layers(center).residual)
    if first * second > 0.0:
        nearby += 0.5 * first * second * radius
    largest = _diameter(data.A2) * min(nearby, _largest_residual(data))
    bend = max(map(abs, _bends(data)))
    terms = math.sqrt(2.0) * (0.375 * bend * second**2 + 1.25 * largest)
    return float(first**3 * (terms + 0.125 * _third_derivative(data) * second**3))


def family_lipschitz_bound(n, R):
    r"""Return the decimal logarithm of :math:`n^{1.5}e^{30R^2}`.

    The papers on softmax regression prove bounds of this type for the Lipschitz constant of the
    Hessian, where R bounds the norms of the matrices; the numbers in it are an illustration, not
    a quotation.

    Parameters
    ----------
    n : int
        Number of outcomes, at least 1.
    R : float
        Bound of the norms, at least 0.

    Returns
    -------
    float
        The logarithm to base 10; the number itself would overflow from about R = 5 on.

    Raises
    ------
    TypeError, ValueError
        If `n` is not a whole number of at least 1 or `R` is negative.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import family_lipschitz_bound
    >>> [round(family_lipschitz_bound(20, R), 1) for R in (0.5, 1, 2, 3, 4)]
    [5.2, 15.0, 54.1, 119.2, 210.4]

    Notes
    -----
    Used in "Local means local".
    """
    n = check.count(n, "n", low=1)
    R = check.number(R, "R", low=0.0, high=1e150)
    return 1.5 * math.log10(n) + 30.0 * R**2 / math.log(10.0)


def activation_radius(problem, x):
    r"""Return the radius of a ball in which no output changes its sign.

    Parameters
    ----------
    problem : Problem
        Made by `two_layer_regression`; the radius is of interest for the unit "relu".
    x : array_like, shape (d,)
        Center of the ball.

    Returns
    -------
    float
        :math:`\min_j|z_j(x)|/(\frac12\|a_j\|\|A_1\|)`, :math:`a_j` row j of :math:`A_2`; rows that
        are zero do not count.

    Raises
    ------
    TypeError, ValueError
        If `problem` is not a two-layer regression, or `x` not a point of its space.

    Examples
    --------
    >>> from lib.problems.softmax_calculus import activation_radius, sigmoid_example
    >>> activation_radius(sigmoid_example(), [0.0])
    1.0

    Notes
    -----
    We derive it, from :math:`\|J\|\le\frac12`: inside the ball a regression with ReLU is smooth.
    Used in "A two-layer regression, differentiated by hand".
    """
    data = _data(problem)
    z = data.layers(x).z
    slopes = 0.5 * np.linalg.norm(data.A2, axis=1) * _norm(data.rows)
    moving = slopes > 0.0
    return float((np.abs(z[moving]) / slopes[moving]).min(initial=math.inf))


def kink_jump(problem, x, j):
    r"""Return the jump of the gradient where output j of a regression with ReLU crosses zero.

    Parameters
    ----------
    problem : Problem
        Made by `two_layer_regression` with the unit "relu".
    x : array_like, shape (d,)
        A point of the kink :math:`z_j(x)=0`. That it is one is not checked: at other points it is
        the jump the kink would have.
    j : int
        Number of the output, 0 to r - 1.

    Returns
    -------
    ndarray, shape (d,)
        Gradient on the side :math:`z_j>0` minus gradient on the side :math:`z_j<0`, which is
        :math:`-b_jA_1^\top Ja_j`.

    Raises
    ------
    TypeError, ValueError
        If `problem` is not a two-layer regression with ReLU, `x` not a point of its space, or `j`
        not the number of an output.

    Examples
    --------
    >>> import math
    >>> from lib.problems import two_layer_regression
    >>> from lib.problems.softmax_calculus import kink_jump
    >>> problem = two_layer_regression(
    ...     [[1.0], [0.0]], [[1.0, -2.0]], [1.0], weights=0.6**0.5, unit="relu"
    ... )
    >>> kink_jump(problem, [math.log(2.0)], 0).round(12).tolist()
    [-0.666666666667]

    Notes
    -----
    We derive it. Used in "A two-layer regression, differentiated by hand".
    """
    data = _data(problem)
    if data.unit != "relu":
        raise ValueError(f"problem must have the unit 'relu', which has kinks; got {data.unit!r}")
    j = check.integer(j, "j", low=0, high=data.b.size - 1)
    at = data.layers(x)
    return -data.b[j] * (data.rows.T @ (at.f * (data.A2[j] - at.z[j])))


def sigmoid_example(b=1.0, weight=0.1**0.5):
    r"""The smallest two-layer regression, :math:`\frac12(\sigma(x)-b)^2+\frac12w^2x^2`.

    Parameters
    ----------
    b : float
        The target.
    weight : float
        The weight w, not squared, not negative.

    Returns
    -------
    Problem
        A `two_layer_regression` with n = 2, d = 1, one output, :math:`A_1=(1,0)^\top`,
        :math:`A_2=(1,0)` and the unit "identity".

    Raises
    ------
    TypeError, ValueError
        If `b` is not a finite number, or `weight` not one that is not negative.

    Examples
    --------
    >>> from lib import optimizers
    >>> from lib.problems.softmax_calculus import sigmoid_example
    >>> run = optimizers.gradient_descent(sigmoid_example(), [0.0], learning_rate=3.0)
    >>> run.x.round(6).tolist()
    [0.720543]

    Notes
    -----
    For b = 1 it is convex exactly if :math:`w^2\ge0.0601022`, by the curvature where
    :math:`\sigma=(9-\sqrt{33})/24`. Used in "A two-layer regression, differentiated by hand" and
    "Local means local".
    """
    target = check.number(b, "b")
    weight = check.number(weight, "weight", low=0.0, high=LARGEST_WEIGHT)
    return two_layer_regression([[1.0], [0.0]], [[1.0, 0.0]], [target], weight, "identity")


def _data(problem):
    """Return the arrays of a two-layer regression."""
    data = getattr(problem, "data", None)
    if not isinstance(problem, Problem) or not isinstance(data, TwoLayerData):
        raise TypeError(
            "problem must be a two-layer regression (see lib.problems.two_layer_regression); "
            f"got {problem.name if isinstance(problem, Problem) else type(problem).__name__}"
        )
    return data


def _probabilities(f):
    f = check.vector(f, "f")
    if f.min() < 0.0 or f.max() > 2.0 or abs(f.sum() - 1.0) > 1e-8:
        raise ValueError(
            "f must hold probabilities, not negative and with the sum 1; got entries from "
            f"{f.min():g} to {f.max():g}"
        )
    return f


def _centered(f, q):
    """Return `f` and `q` less its mean under `f`."""
    f = _probabilities(f)
    centered = check.point(q, f.size, "q")
    for _ in range(2):  # the second time for what rounding left where q is nearly constant
        centered = centered - f @ centered
    return f, centered


def _norm(matrix):
    dense = matrix.toarray() if hasattr(matrix, "toarray") else matrix
    return float(np.linalg.norm(dense, 2))


def _enough(data, largest, concave, l):  # noqa: E741
    """Return the sufficient squared weight for these bounds of qbar and of the concave bend."""
    l = check.number(l, "l", low=0.0)  # noqa: E741
    _, least = data.singular_values()
    return float(0.25 * largest + 0.25 * _norm(data.A2) ** 2 * concave + l / least**2)


def _diameter(A2):
    """Return the largest distance of two columns."""
    columns = A2.T
    squares = (np.square(columns[i:] - columns[i]).sum(axis=1).max() for i in range(len(columns)))
    return math.sqrt(max(squares))


def _largest_residual(data):
    """Return a bound of the norm of the residual for all x."""
    offset = math.sqrt(data.b.size) * math.log(2.0) / data.beta if data.unit == "softplus" else 0.0
    outputs = np.linalg.norm(data.A2, axis=0).max() + offset
    return float(outputs + np.linalg.norm(data.b))


def _bends(data):
    """Return bounds of phi'^2 + c phi'' over all outputs, below and above."""
    ranges = [_bend_range(data.unit, target, data.beta) for target in data.b.tolist()]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _third_derivative(data):
    """Return a bound of the third derivative of (phi(z) - b)^2 / 2 over z and all outputs."""
    if data.unit == "identity":
        return 0.0
    # With s the slope at z it is 3 beta s^2 (1 - s) + c beta^2 s (1 - s) (1 - 2 s), and c is at
    # most |z| away from its value at 0, where phi = log(2) / beta. With t = beta z, s times
    # (1 - s) (3 s + |t| |1 - 2 s|) is at most 0.526; s (1 - s) (1 - 2 s) is largest at
    # s = (3 - sqrt 3) / 6.
    at_kink = np.abs(data.b - math.log(2.0) / data.beta).max()
    return 0.526 * data.beta + data.beta**2 / (6.0 * math.sqrt(3.0)) * at_kink


def _bend_range(unit, target, beta):
    """Return bounds over z of phi'^2 + (phi - target) phi'', below and above."""
    if unit == "softplus":
        # With s = phi', y = 1 - s and beta phi = -log y it is s^2 + s y (-log y - beta target).
        # Below, phi > 0 leaves a parabola in s. Above, -log y <= s / sqrt(y), so that the part
        # without the target is at most s^2 (1 + sqrt(y)), which is largest at y = 1/25.
        t = beta * target
        low = max(0.0, t) ** 2 / (4.0 * (1.0 + max(0.0, t)))
        return -low, 1.2 * 0.96**2 + 0.25 * max(0.0, -t)
    if unit == "tanh":
        # A polynomial in t = phi: (1 - t^2)(1 - 3 t^2 + 2 target t).
        bend = np.polynomial.Polynomial([1.0, 2.0 * target, -4.0, -2.0 * target, 3.0])
        values = bend(np.clip(np.append(bend.deriv().roots().real, 0.0), -1.0, 1.0))
        return min(0.0, float(values.min())), float(values.max())
    return (1.0 if unit == "identity" else 0.0), 1.0
