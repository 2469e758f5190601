"""Functions without a Lipschitz gradient, whose curvature is bounded by their value or is not."""

import math

import numpy as np

from lib import _validation as check
from lib._jit import absolute, cos, exp, kernel, sin
from lib.problems.base import Problem, critical_point, frozen

# exp of anything larger is infinite.
LARGEST_EXPONENT = 709.78

# Between these no product of the two numbers in the formulas leaves the floating range.
RANGE = {"low": 1e-60, "high": 1e60}


@kernel
def root(t):
    """Return the square root of t, 0 below zero: rounding may put a value below its infimum."""
    return 0.0 if t < 0.0 else math.sqrt(t)


# --- quartic --------------------------------------------------------------------------------


@kernel
def _quartic_value(x, p):
    square = 0.0
    for i in range(x.size):
        square += x[i] * x[i]
    return 0.25 * square * square


@kernel
def _quartic_gradient(x, p, out):
    square = 0.0
    for i in range(x.size):
        square += x[i] * x[i]
    for i in range(x.size):
        out[i] = square * x[i]


@kernel
def _quartic_hvp(x, v, p, out):
    square = 0.0
    along = 0.0
    for i in range(x.size):
        square += x[i] * x[i]
        along += x[i] * v[i]
    for i in range(x.size):
        out[i] = square * v[i] + 2.0 * along * x[i]


@kernel
def _quartic_rho1(t, p):
    return 6.0 * root(t)


@kernel
def _quartic_rho2(t, p):
    return 6.0 * math.sqrt(2.0 * root(t))


def quartic(dimension=1):
    r"""The quartic :math:`\frac14\|x\|^4`, on which every constant step fails from far enough out.

    Parameters
    ----------
    dimension : int
        Number of coordinates d, at least 1.

    Returns
    -------
    Problem
        With its one critical point, the minimizer at the origin, where the Hessian is zero.

    Raises
    ------
    TypeError, ValueError
        If `dimension` is no whole number or below 1.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.quartic()
    >>> 1 / problem.rho1(problem.value([10.0]))  # 1 / (3 * 10**2): a safe step at x = 10
    0.0033333333333333335

    Notes
    -----
    We derive :math:`\rho_1(t)=6\sqrt t` and :math:`\rho_2(t)=6\sqrt2\,t^{1/4}`, bounds of the
    second and third derivative where the value is t: the norms of these derivatives are
    :math:`3\|x\|^2` and :math:`6\|x\|` in every dimension, so both bounds are equalities. Gradient
    descent with learning rate :math:`\alpha` diverges from every start with
    :math:`\|x_0\|>\sqrt{2/\alpha}`. Used in "Which step is safe" and in "One Hessian-vector
    product sets the step", and in "What replaces a Lipschitz gradient".
    """
    d = check.size(dimension, "dimension")
    return Problem(
        name="quartic",
        dimension=d,
        value_kernel=_quartic_value,
        gradient_kernel=_quartic_gradient,
        hvp_kernel=_quartic_hvp,
        parameters=frozen([]),
        critical_points=(critical_point(np.zeros(d), "minimizer", 0.0),),
        constants={"smoothness": math.inf, "infimum": 0.0},
        formula=r"\tfrac14\|x\|^4",
        rho1_kernel=_quartic_rho1,
        rho2_kernel=_quartic_rho2,
    )


# --- exponential growth ---------------------------------------------------------------------


@kernel
def _exp(z):
    """Return exp(z), infinite where it overflows: plain Python would raise an error."""
    if z.real > LARGEST_EXPONENT:
        return np.inf
    return exp(z)


@kernel
def _exp_beyond_line(z):
    """Return exp(z) - 1 - z without cancellation, for a real part that is not negative."""
    if z.real > 1.0:
        return _exp(z) - 1.0 - z
    total = 0.0
    for k in range(19, 2, -1):
        total = (total + 1.0) * z / k
    return (total + 1.0) * z * z * 0.5


@kernel
def l0_l1_rho(t, L0, L1):
    """Bound the Hessian's norm of an (L0, L1)-smooth function that is t above its infimum."""
    return L0 + L1 * root(2.0 * L0 * t) + L1 * L1 * t


@kernel
def _growth_value(x, p):
    return p[0] / (p[1] * p[1]) * _exp_beyond_line(p[1] * absolute(x[0]))


@kernel
def _growth_gradient(x, p, out):
    z = p[1] * absolute(x[0])
    slope = p[0] / p[1] * (z + _exp_beyond_line(z))
    out[0] = slope if x[0].real >= 0.0 else -slope


@kernel
def _growth_hvp(x, v, p, out):
    out[0] = p[0] * _exp(p[1] * absolute(x[0])) * v[0]


@kernel
def _growth_rho1(t, p):
    return l0_l1_rho(t, p[0], p[1])


@kernel
def _growth_rho2(t, p):
    return p[1] * l0_l1_rho(t, p[0], p[1])


def exponential_growth(L0=1.0, L1=1.0):
    r"""The steepest function that is (L0, L1)-smooth on the line.

    :math:`f(x)=\frac{L_0}{L_1^2}\bigl(e^{L_1|x|}-L_1|x|-1\bigr)`, for which
    :math:`f''=L_0+L_1|f'|` holds everywhere. Where the exponential overflows, value and
    derivatives are infinite.

    Parameters
    ----------
    L0, L1 : float
        The constants :math:`L_0` and :math:`L_1`, from 1e-60 to 1e60.

    Returns
    -------
    Problem
        In one coordinate, with its one critical point, the minimizer at the origin.

    Raises
    ------
    TypeError, ValueError
        If `L0` or `L1` is no number in this range.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.exponential_growth()
    >>> problem.gradient([10.0]).round(3).item()
    22025.466

    Notes
    -----
    The class of (L0, L1)-smooth functions, those with
    :math:`\|\nabla^2f\|\le L_0+L_1\|\nabla f\|`, is that of Zhang, He, Sra and Jadbabaie (2020).
    We derive
    :math:`\rho_1(t)=L_0+L_1\sqrt{2L_0t}+L_1^2t` for the whole class (see
    `lib.curvature.l0_l1_bound`) and, for this function, :math:`\rho_2=L_1\rho_1`. The third
    derivative jumps from :math:`-L_0L_1` to :math:`L_0L_1` at the origin; there :math:`\rho_2`
    bounds the Lipschitz constant of :math:`f''`. Used in "What replaces a Lipschitz gradient" and
    "Which step is safe".
    """
    return Problem(
        name="exponential growth",
        dimension=1,
        value_kernel=_growth_value,
        gradient_kernel=_growth_gradient,
        hvp_kernel=_growth_hvp,
        parameters=frozen([check.number(L0, "L0", **RANGE), check.number(L1, "L1", **RANGE)]),
        critical_points=(critical_point([0.0], "minimizer", 0.0),),
        constants={"smoothness": math.inf, "infimum": 0.0},
        formula=r"\tfrac{L_0}{L_1^2}\bigl(e^{L_1|x|}-L_1|x|-1\bigr)",
        rho1_kernel=_growth_rho1,
        rho2_kernel=_growth_rho2,
    )


# --- exponential decay ----------------------------------------------------------------------


@kernel
def _decay_value(x, p):
    return _exp(-x[0])


@kernel
def _decay_gradient(x, p, out):
    out[0] = -_exp(-x[0])


@kernel
def _decay_hvp(x, v, p, out):
    out[0] = _exp(-x[0]) * v[0]


@kernel
def _decay_rho(t, p):
    return t


def exponential_decay():
    r"""The function :math:`e^{-x}`, whose derivatives are all as large as its value.

    Returns
    -------
    Problem
        In one coordinate, without critical points: the infimum 0 is not attained.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.exponential_decay()
    >>> problem.rho1(problem.value([-2.0])) == problem.hessian([-2.0]).item()
    True

    Notes
    -----
    We derive :math:`\rho_1(t)=\rho_2(t)=t`, with equality everywhere: the sublevel sets are not
    bounded, the curvature on them is. Used in "What replaces a Lipschitz gradient".
    """
    return Problem(
        name="exponential decay",
        dimension=1,
        value_kernel=_decay_value,
        gradient_kernel=_decay_gradient,
        hvp_kernel=_decay_hvp,
        parameters=frozen([]),
        constants={"smoothness": math.inf, "infimum": 0.0},
        formula="e^{-x}",
        rho1_kernel=_decay_rho,
        rho2_kernel=_decay_rho,
    )


# --- rippled parabola -----------------------------------------------------------------------


@kernel
def _angle(x):
    """Return x**2 for sine and cosine, 0 where it overflows: plain Python would raise an error."""
    square = x * x
    return square if square.real < 1e300 else 0.0 * x


@kernel
def _rippled_value(x, p):
    return x[0] * x[0] * (2.0 + sin(_angle(x[0])))


@kernel
def _rippled_gradient(x, p, out):
    s = x[0] * x[0]
    angle = _angle(x[0])
    out[0] = 2.0 * x[0] * (2.0 + sin(angle) + s * cos(angle))


@kernel
def _rippled_hvp(x, v, p, out):
    s = x[0] * x[0]
    angle = _angle(x[0])
    out[0] = (4.0 + (2.0 - 4.0 * s * s) * sin(angle) + 10.0 * s * cos(angle)) * v[0]


@kernel
def _rippled_rho1(t, p):
    return 6.0 + 10.0 * t + 4.0 * t * t


@kernel
def _rippled_rho2(t, p):
    return root(t) * (24.0 + 36.0 * t + 8.0 * t * t)


def rippled_parabola():
    r"""The parabola with ripples :math:`x^2(2+\sin x^2)`, bounded by its value but by no slope.

    Returns
    -------
    Problem
        In one coordinate, with the global minimizer at the origin. There are further minimizers
        and maximizers, infinitely many, where :math:`2+\sin x^2+x^2\cos x^2=0`.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.rippled_parabola()
    >>> bool(problem.hessian([3.0]).item() <= problem.rho1(problem.value([3.0])))
    True

    Notes
    -----
    We derive :math:`\rho_1(t)=6+10t+4t^2` and :math:`\rho_2(t)=\sqrt t\,(24+36t+8t^2)` from
    :math:`x^2\le f(x)`. At the stationary points the second derivative is unbounded, so that no
    bound of the curvature by a function of the gradient's norm can hold. Used in "What replaces a
    Lipschitz gradient".
    """
    return Problem(
        name="rippled parabola",
        dimension=1,
        value_kernel=_rippled_value,
        gradient_kernel=_rippled_gradient,
        hvp_kernel=_rippled_hvp,
        parameters=frozen([]),
        critical_points=(critical_point([0.0], "minimizer", 0.0),),
        constants={"smoothness": math.inf, "infimum": 0.0},
        formula=r"x^2(2+\sin x^2)",
        rho1_kernel=_rippled_rho1,
        rho2_kernel=_rippled_rho2,
    )


# --- product valley -------------------------------------------------------------------------


@kernel
def _valley_value(x, p):
    miss = x[0] * x[1] - 1.0
    return 0.5 * miss * miss


@kernel
def _valley_gradient(x, p, out):
    miss = x[0] * x[1] - 1.0
    out[0] = miss * x[1]
    out[1] = miss * x[0]


@kernel
def _valley_hvp(x, v, p, out):
    mixed = 2.0 * x[0] * x[1] - 1.0
    out[0] = x[1] * x[1] * v[0] + mixed * v[1]
    out[1] = mixed * v[0] + x[0] * x[0] * v[1]


def product_valley():
    r"""The valley :math:`\frac12(uv-1)^2`, which is not self-bounding.

    Returns
    -------
    Problem
        With the strict saddle at the origin and two of the minimizers, which form the hyperbola
        :math:`uv=1`: (1, 1) and (-1, -1). It has no :math:`\rho_1`, because there is none.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.product_valley()
    >>> problem.value([8.0, 0.125]), problem.hessian([8.0, 0.125]).trace().item()
    (0.0, 64.015625)

    Notes
    -----
    On the hyperbola the value is 0 everywhere, but at :math:`(s,1/s)` the Hessian has the
    eigenvalues 0 and :math:`s^2+s^{-2}`: no function of the value bounds it. Since the gradient
    is 0 there too, the function is not (L0, L1)-smooth either. Used in "What replaces a Lipschitz
    gradient", and in "Which step is safe".
    """
    return Problem(
        name="product valley",
        dimension=2,
        value_kernel=_valley_value,
        gradient_kernel=_valley_gradient,
        hvp_kernel=_valley_hvp,
        parameters=frozen([]),
        critical_points=(
            critical_point([0.0, 0.0], "strict saddle", 0.5),
            critical_point([1.0, 1.0], "minimizer", 0.0),
            critical_point([-1.0, -1.0], "minimizer", 0.0),
        ),
        constants={"smoothness": math.inf, "infimum": 0.0},
        formula=r"\tfrac12(uv-1)^2",
    )
