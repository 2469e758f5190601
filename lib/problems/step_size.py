"""A smooth function on which one learning rate beyond 1/L sends half of all starts to a saddle."""

from lib._jit import absolute, kernel
from lib.problems.base import Problem, critical_point, frozen


@kernel
def _profile(t):
    if t.real <= 1.0:
        return -0.5 * t * t + 1.25 / 3.0 * t * t * t
    if t.real <= 4.0:
        s = t - 1.0
        return -0.25 / 3.0 + 0.25 * s + 0.75 * s * s - s * s * s / 36.0
    return 20.0 / 3.0 + 0.5 * (t * t - 16.0)


@kernel
def _profile_slope(t):
    if t.real <= 1.0:
        return -t + 1.25 * t * t
    if t.real <= 4.0:
        s = t - 1.0
        return 0.25 + 1.5 * s - s * s / 12.0
    return t


@kernel
def _profile_curvature(t):
    if t.real <= 1.0:
        return -1.0 + 2.5 * t
    if t.real <= 4.0:
        return 1.5 - (t - 1.0) / 6.0
    return 1.0


@kernel
def _step_value(x, p):
    return 0.5 * x[0] * x[0] + _profile(absolute(x[1]))


@kernel
def _step_gradient(x, p, out):
    out[0] = x[0]
    slope = _profile_slope(absolute(x[1]))
    out[1] = slope if x[1].real >= 0.0 else -slope


@kernel
def _step_hvp(x, v, p, out):
    out[0] = v[0]
    out[1] = _profile_curvature(absolute(x[1])) * v[1]


def step_size_counterexample():
    r"""A twice continuously differentiable function that is exactly a parabola far out.

    :math:`f(x,y)=\frac12x^2+h(y)` with h even, :math:`h''` piecewise linear between -1 and 1.5,
    and :math:`h'(y)=y` wherever :math:`|y|\ge4`.

    Returns
    -------
    Problem
        With the strict saddle at the origin and the minimizers (0, 0.8) and (0, -0.8); constant
        "smoothness" is 1.5.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.step_size_counterexample()
    >>> problem.gradient([-2.0, 5.0]).tolist()  # a step of length 1 leads to the saddle
    [-2.0, 5.0]

    Notes
    -----
    Our construction. With learning rate 1, between 1/L and 2/L, every start with :math:`|y_0|\ge4`
    lands exactly on the strict saddle in one step, so the condition :math:`\alpha<1/L` of the
    theorem cannot simply be dropped. For other learning rates below 2/L avoidance holds. Used in
    "The stable manifold" and "Five results, one picture".
    """
    low = -0.5 * 0.64 + 1.25 / 3.0 * 0.512
    return Problem(
        name="step size counterexample",
        dimension=2,
        value_kernel=_step_value,
        gradient_kernel=_step_gradient,
        hvp_kernel=_step_hvp,
        parameters=frozen([]),
        critical_points=(
            critical_point([0.0, 0.0], "strict saddle", 0.0),
            critical_point([0.0, 0.8], "minimizer", low),
            critical_point([0.0, -0.8], "minimizer", low),
        ),
        constants={"smoothness": 1.5},
        formula=r"\tfrac12x^2+h(y)",
    )
