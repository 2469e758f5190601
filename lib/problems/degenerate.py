"""Critical points whose Hessian does not decide: outside the strict saddle property."""

import math

from lib import _validation as check
from lib._jit import kernel
from lib.problems.base import Problem, critical_point, frozen


@kernel
def _power(y, n):
    result = 1.0
    for _ in range(n):
        result *= y
    return result


@kernel
def _degenerate_value(x, p):
    n = int(p[0])
    return 0.5 * x[0] * x[0] + _power(x[1], n) / n


@kernel
def _degenerate_gradient(x, p, out):
    out[0] = x[0]
    out[1] = _power(x[1], int(p[0]) - 1)


@kernel
def _degenerate_hvp(x, v, p, out):
    n = int(p[0])
    out[0] = v[0]
    out[1] = (n - 1) * _power(x[1], n - 2) * v[1]


def degenerate_saddle(power=3):
    r"""The function :math:`\frac12x^2+\frac1py^p`, flat along y at the origin for p above 2.

    Parameters
    ----------
    power : int
        The exponent p, 2 to 12.

    Returns
    -------
    Problem
        With its one critical point, the origin: a minimizer for even p, degenerate for odd p.
        Constant "infimum" 0 for even p; for odd p there is no lower bound.

    Raises
    ------
    TypeError, ValueError
        If `power` is no whole number from 2 to 12.

    Examples
    --------
    >>> from lib import problems
    >>> [problems.degenerate_saddle(p).critical_points[0].kind for p in (2, 3, 4)]
    ['minimizer', 'degenerate', 'minimizer']

    Notes
    -----
    For p = 3 gradient descent with learning rate :math:`\alpha` maps y to
    :math:`y(1-\alpha y)`, and every start with :math:`0\le y_0\le1/\alpha` converges to the
    degenerate saddle, a set of positive measure: strictness is needed. Used in "Strict saddles",
    and in "Escaping without smoothness".
    """
    n = check.integer(power, "power", low=2, high=12)
    constants = {"smoothness": 1.0 if n == 2 else math.inf}
    if n % 2 == 0:
        constants["infimum"] = 0.0
    return Problem(
        name="degenerate saddle" if n % 2 else "flat bowl" if n > 2 else "bowl",
        dimension=2,
        value_kernel=_degenerate_value,
        gradient_kernel=_degenerate_gradient,
        hvp_kernel=_degenerate_hvp,
        parameters=frozen([n]),
        critical_points=(critical_point([0.0, 0.0], "degenerate" if n % 2 else "minimizer", 0.0),),
        constants=constants,
        formula=rf"\tfrac12x^2+\tfrac1{{{n}}}y^{{{n}}}",
    )


@kernel
def _monkey_value(x, p):
    return x[0] * x[0] * x[0] - 3.0 * x[0] * x[1] * x[1]


@kernel
def _monkey_gradient(x, p, out):
    out[0] = 3.0 * x[0] * x[0] - 3.0 * x[1] * x[1]
    out[1] = -6.0 * x[0] * x[1]


@kernel
def _monkey_hvp(x, v, p, out):
    out[0] = 6.0 * x[0] * v[0] - 6.0 * x[1] * v[1]
    out[1] = -6.0 * x[1] * v[0] - 6.0 * x[0] * v[1]


def monkey_saddle():
    r"""The monkey saddle :math:`x^3-3xy^2`, with Hessian zero at its only critical point.

    Returns
    -------
    Problem
        With the degenerate critical point at the origin. It has no lower bound.

    Examples
    --------
    >>> from lib import problems
    >>> saddle = problems.monkey_saddle()
    >>> saddle.hessian([0.0, 0.0]).any().item(), saddle.value([-1.0, 0.0])
    (False, -1.0)

    Notes
    -----
    Under gradient flow three rays run into the origin. Under gradient descent it is three
    segments of length :math:`1/(3\alpha)` and the curves that map onto them. Either way the set
    has measure zero although the saddle is not strict: strictness is sufficient, not necessary.
    Used in "Strict saddles".
    """
    return Problem(
        name="monkey saddle",
        dimension=2,
        value_kernel=_monkey_value,
        gradient_kernel=_monkey_gradient,
        hvp_kernel=_monkey_hvp,
        parameters=frozen([]),
        critical_points=(critical_point([0.0, 0.0], "degenerate", 0.0),),
        constants={"smoothness": math.inf},
        formula="x^3-3xy^2",
    )
