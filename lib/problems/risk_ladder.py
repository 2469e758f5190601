"""How well k ReLU neurons can fit the parabola: the risk ladder, exactly."""

import functools
import math

import numpy as np

from lib import _validation as check
from lib.problems.relu_network import pack


def risk_ladder(k):
    r"""Bound the risk of fitting :math:`x^2` on [-1, 1] with k kinks from below.

    Every continuous piecewise linear function with at most k kinks has, for X uniform on
    [-1, 1], a mean squared error :math:`E|f(X)-X^2|^2\ge\frac4{45}(k+1)^{-4}`.

    Parameters
    ----------
    k : int or array_like of int
        Number of kinks, at least 0.

    Returns
    -------
    float or ndarray, same shape
        The bound. It is attained by a ReLU network with k neurons when k is even.

    Raises
    ------
    TypeError, ValueError
        If `k` is not a whole number of at least 0.

    Examples
    --------
    >>> from lib import problems
    >>> [f"{problems.risk_ladder(k):.4e}" for k in (0, 2, 4, 8)]
    ['8.8889e-02', '1.0974e-03', '1.4222e-04', '1.3548e-05']

    Notes
    -----
    We derive it: on an interval of length h the best straight line misses :math:`x^2` by
    :math:`h^4/180` in the mean square, and the sum of :math:`h_i^5` with :math:`\sum h_i=2` is
    smallest for equal lengths. Used in "The width law, the depth law and the risk ladder".
    """
    numbers = np.asarray(k)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"k must be a whole number or an array of them; got {k!r}")
    if numbers.size and numbers.min() < 0:
        raise ValueError(f"k must be at least 0; got {k!r}")
    bounds = 4.0 / 45.0 / (numbers + 1.0) ** 4
    return bounds if bounds.ndim else float(bounds)


def optimal_risk(k):
    r"""Return the smallest risk of k ReLU neurons for the target :math:`x^2` on [-1, 1].

    Parameters
    ----------
    k : int
        Number of neurons in the one hidden layer, at least 0.

    Returns
    -------
    float
        The infimum R(k) of the mean squared error over all parameters, for X uniform on [-1, 1].

    Raises
    ------
    TypeError, ValueError
        If `k` is not a whole number of at least 0.

    Examples
    --------
    >>> from lib import problems
    >>> [f"{problems.optimal_risk(k):.4e}" for k in (1, 2, 3, 4)]
    ['5.6318e-02', '1.0974e-03', '6.4662e-04', '1.4222e-04']

    Notes
    -----
    k neurons make a function with k kinks, but one degree of freedom less than all such
    functions have. If the kinks of the neurons that are active on the left come first, the
    function is constant between them and the others, and at the optimum, as we derive, the other
    pieces carry their best straight lines: m of one length on the left, n = k - m of one length
    on the right. What is left is one equation for one number, which is solved here to the last
    digits. For even k the solution is `risk_ladder`; for odd k the piece that must be constant
    cannot lie in the middle, and R(k) is larger. That no other order of the neurons does better
    is proved for even k (the bound is attained), and for odd k checked by minimising over every
    order for k up to 5. Used in "The width law, the depth law and the risk ladder".
    """
    m, n, length, ratio = _pieces(check.integer(k, "k", low=0))
    sides = m * (1.0 - 6.0 * ratio) ** 2.5 + n * (1.0 + 6.0 * ratio) ** 2.5
    return 0.5 * length**5 * ((1.0 + sides) / 180.0 + ratio * ratio / 3.0)


def optimal_network(k):
    r"""Write down a ReLU network with k neurons of smallest risk for :math:`x^2` on [-1, 1].

    Parameters
    ----------
    k : int
        Number of neurons, at least 1.

    Returns
    -------
    ndarray, shape (3 k + 1,)
        A point of `relu_network` with widths (1, k, 1), whose risk is `optimal_risk`.

    Raises
    ------
    TypeError, ValueError
        If `k` is not a whole number of at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import problems
    >>> x = (np.arange(400) + 0.5) / 200 - 1
    >>> network = problems.relu_network((1, 4, 1), x, x**2)
    >>> f"{network.value(problems.optimal_network(4)):.3e}"
    '1.421e-04'

    Notes
    -----
    For even k and :math:`h=2/(k+1)` it has kinks at :math:`-1+jh`, neurons :math:`(t-x)^+` on the
    left half and :math:`(x-t)^+` on the right, slope changes 2h, and the output bias
    :math:`h^2/12`, the mean of :math:`x^2` over the middle piece. Used in "The width law, the
    depth law and the risk ladder".
    """
    m, n, length, ratio = _pieces(check.integer(k, "k", low=1))
    left, right = (length * math.sqrt(1.0 + sign * 6.0 * ratio) for sign in (-1.0, 1.0))
    kinks = np.concatenate([-1.0 + left * np.arange(1, m + 1), 1.0 - right * np.arange(n, 0, -1)])
    changes = np.concatenate([np.full(m, 2.0 * left), np.full(n, 2.0 * right)])
    # The two neurons beside the constant piece bend from the slope of their best line to zero.
    if m > 0:
        changes[m - 1] = 2.0 - (2 * m - 1) * left
    changes[m] = 2.0 - (2 * n - 1) * right
    sides = np.concatenate([np.full(m, -1.0), np.ones(n)])
    middle = ratio * length
    level = middle * middle + length * length / 12.0
    return pack([(sides[:, None], -sides * kinks), (changes[None, :], [level])])


def guaranteed_gap(width, dead, exact=False):
    r"""Bound from below how far a network with dead neurons stays above the optimal risk.

    Parameters
    ----------
    width : int
        Number of neurons in the one hidden layer, at least 1.
    dead : int
        How many of them are dead, 0 to `width`.
    exact : bool
        Whether to take the optimal risk of the living neurons instead of the simple bound
        `risk_ladder`; the two differ where their number is odd.

    Returns
    -------
    float
        What the risk, for the target :math:`x^2` on [-1, 1], exceeds ``optimal_risk(width)`` by,
        at least; 0 for no dead neuron.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a whole number in its range.

    Examples
    --------
    >>> from lib import problems
    >>> [f"{problems.guaranteed_gap(width, 1):.2e}" for width in (4, 8, 16, 32, 64)]
    ['2.05e-04', '8.15e-06', '2.92e-07', '9.82e-09', '3.19e-10']

    Notes
    -----
    We derive it: a dead neuron contributes nothing, so the network is one of ``width - dead``
    neurons. At least one is dead with probability `lib.ensembles.width_law`; the gap for one
    decays like :math:`\frac{16}{45}l_1^{-5}` in the width :math:`l_1`. Used in "The width law, the
    depth law and the risk ladder".
    """
    width = check.integer(width, "width", low=1)
    alive = width - check.integer(dead, "dead", low=0, high=width)
    if check.flag(exact, "exact") or alive == width:
        return optimal_risk(alive) - optimal_risk(width)
    return risk_ladder(alive) - optimal_risk(width)


@functools.cache
def _pieces(k):
    r"""Return the optimal pieces: m left, n right, the constant one's length and middle / length.

    With the constant piece around :math:`\mu` of length l and :math:`r=\mu/l`, continuity makes
    the left pieces :math:`l\sqrt{1-6r}` long and the right ones :math:`l\sqrt{1+6r}`; together
    they fill [-1, 1].
    """
    from scipy.optimize import brentq

    m = k // 2
    n = k - m

    def excess(r):
        return m * math.sqrt(1.0 - 6.0 * r) - n * math.sqrt(1.0 + 6.0 * r) - 2.0 * r

    ratio = 0.0 if m == n else brentq(excess, -1.0 / 6.0, 0.0, xtol=1e-16, rtol=1e-15)
    length = 2.0 / (1.0 + m * math.sqrt(1.0 - 6.0 * ratio) + n * math.sqrt(1.0 + 6.0 * ratio))
    return m, n, length, ratio
