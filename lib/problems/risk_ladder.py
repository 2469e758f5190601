"""How well k ReLU neurons can fit the parabola, or data: the risk ladder, exactly."""

import functools
import itertools
import math

import numpy as np

from lib import _validation as check
from lib.problems.relu_network import pack

LARGEST = 2**53  # counts above are not exact as floats
MOST_PLACES = 1_000_000
MOST_INPUTS = 2000  # with two vectors for each neuron in each gap of this many, 130 MB
BLOCK = 2**12  # systems of equations solved at a time


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
    numbers = check.whole_numbers(k, "k")
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
    is proved on the page: for even k the bound is attained; for odd k a direct proof. Used in
    "The width law, the depth law and the risk ladder".
    """
    m, n, length, ratio = _pieces(check.integer(k, "k", low=0, high=LARGEST))
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
    m, n, length, ratio = _pieces(check.size(k, "k", each=8))
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
    width = check.integer(width, "width", low=1, high=LARGEST)
    alive = width - check.integer(dead, "dead", low=0, high=width)
    if check.flag(exact, "exact") or alive == width:
        return optimal_risk(alive) - optimal_risk(width)
    return risk_ladder(alive) - optimal_risk(width)


def optimal_data_risk(inputs, targets, k):
    r"""Return the smallest risk of k ReLU neurons on given data with one input and one output.

    Parameters
    ----------
    inputs : array_like, shape (M,)
        The inputs :math:`x_m`, at most 2000 different ones; one may occur several times.
    targets : array_like, shape (M,)
        The targets :math:`y_m`.
    k : int
        Number of neurons in the one hidden layer, at least 0. The work grows like
        :math:`(2M)^k/k!`: a moment for 20 inputs and k = 3, some seconds for k = 4.

    Returns
    -------
    float
        The minimum R(k) of :math:`\frac1M\sum_m|N_\theta(x_m)-y_m|^2` over all networks with widths
        (1, k, 1); 0.0 where they fit the data up to rounding.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range, or the work is too much; the message
        names it.

    Examples
    --------
    >>> from lib import problems
    >>> x = [-2, -1, 0, 1, 2]
    >>> [round(problems.optimal_data_risk(x, [0, 1, 0, 1, 0], k), 4) for k in range(5)]
    [0.24, 0.2, 0.1333, 0.0, 0.0]

    Notes
    -----
    We derive it: as its kink runs between two neighboring inputs u and u', what a neuron
    :math:`v(x-t)^+` is on the data runs through the sums :math:`a(x-u)^++b(x-u')^+` with a and b of
    the sign of v. So k neurons in given gaps, with given orientations and signs, are a least
    squares problem with signs, and R(k) is the least of finitely many minima. Used in "The width
    law, the depth law and the risk ladder", in "Five results, one picture" and in "Nine optimizers,
    one theorem", where R(k) bounds every run with k living neurons.
    """
    from scipy.optimize import nnls

    inputs = check.vector(inputs, "inputs")
    targets = check.vector(targets, "targets")
    if targets.shape != inputs.shape:
        raise ValueError(
            f"targets must have shape {inputs.shape}, one entry for each of the inputs; got shape "
            f"{targets.shape}"
        )
    check.squarable(inputs, "inputs")
    check.squarable(targets, "targets")
    k = check.count(k, "k")
    points, where, counts = np.unique(inputs, return_inverse=True, return_counts=True)
    means = np.bincount(where, targets) / counts
    weights = np.sqrt(counts / inputs.size)
    spread = float(((targets - means[where]) ** 2).mean())
    if k >= points.size - 1:
        return spread
    if points.size > MOST_INPUTS:
        raise ValueError(
            f"inputs must hold at most {MOST_INPUTS} different numbers; got {points.size}"
        )
    # A neuron in each gap and direction: two columns, less their means because the bias is free.
    rising = np.maximum(points[:, None] - points, 0.0)
    falling = np.maximum(points - points[:, None], 0.0)
    pairs = np.stack([h[:, i : i + 2] for h in (rising, falling) for i in range(points.size - 1)])
    share = weights**2
    pairs = weights[:, None] * (pairs - np.einsum("m,gmc->gc", share, pairs)[:, None])
    y = weights * (means - share @ means)
    exact = 1e-26 * (y @ y)
    best = y @ y
    for n in range(1, k + 1):
        if best <= exact:
            break
        if math.comb(len(pairs) + n - 1, n) > MOST_PLACES:
            raise ValueError(f"k must be smaller for {points.size} different inputs; got {k}")
        rows = itertools.combinations_with_replacement(range(len(pairs)), n)
        places = np.fromiter(itertools.chain.from_iterable(rows), dtype=np.int64).reshape(-1, n)
        for chosen, bound in _without_signs(pairs, y, places):
            if bound >= best:
                break
            # The same gap twice is there to have both signs.
            matrix = np.concatenate(pairs[chosen], axis=1)
            for signs in itertools.product((1.0, -1.0), repeat=n - 1):
                signed = np.repeat((1.0, *signs), 2) * matrix
                best = min(best, nnls(signed, y)[1] ** 2, nnls(-signed, y)[1] ** 2)
    return spread + (float(best) if best > exact else 0.0)


def _without_signs(pairs, y, places):
    """Yield the rows of `places` with what least squares without signs misses y by, least first."""
    missed = np.empty(len(places))
    for first in range(0, len(places), BLOCK):
        part = places[first : first + BLOCK]
        columns = pairs[part].transpose(0, 2, 1, 3).reshape(len(part), y.size, -1)
        basis = np.linalg.qr(columns)[0]
        rest = y - np.einsum("nij,nj->ni", basis, y @ basis)
        missed[first : first + BLOCK] = (rest * rest).sum(axis=1)
    for i in np.argsort(missed):
        yield places[i], missed[i]


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
