"""The same function in other units."""

import numpy as np

from lib import _validation as check
from lib._jit import Slot, kernel, stamp
from lib.problems.base import Problem, critical_point, frozen

value = Slot("value")
gradient = Slot("gradient")
hvp = Slot("hvp")

# The parameters are the factor of the objective, those of the d coordinates, and the problem's own.

# Between these the powers of a factor, and what they make of the constants, are ordinary floats.
RANGE = {"low": 1e-60, "high": 1e60}

POWERS = {"smoothness": 2, "strong_convexity": 2, "hessian_lipschitz": 3, "infimum": 0}


def rescaled(problem, coordinates=1.0, objective=1.0):
    r"""The function :math:`y\mapsto a\,f(c_1y_1,\dots,c_dy_d)`, f measured in other units.

    Parameters
    ----------
    problem : Problem
        The function f.
    coordinates : float or array_like, shape (d,)
        The factors :math:`c_j`, from 1e-60 to 1e60: one for all coordinates or one for each. The
        point y of the new problem is the point ``coordinates * y`` of the old one.
    objective : float
        The factor a, from 1e-60 to 1e60.

    Returns
    -------
    Problem
        With the same critical points, divided by the factors. Constants that change by a known
        factor are kept: "infimum", and with one factor for all coordinates also "smoothness",
        "strong_convexity" and "hessian_lipschitz".

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape, or a factor is outside its range.

    Examples
    --------
    Meters or millimeters, it is the same bowl, but its curvatures are other numbers.

    >>> from lib import problems
    >>> meters = problems.quadratic_saddle([1.0, 9.0])
    >>> millimeters = problems.rescaled(meters, coordinates=1e-3)
    >>> meters.value([1.0, 1.0]), round(millimeters.value([1000.0, 1000.0]), 12)
    (5.0, 5.0)
    >>> meters.constants["smoothness"], round(millimeters.constants["smoothness"], 12)
    (9.0, 9e-06)

    Notes
    -----
    In the new coordinates gradients are a c times and Hessians :math:`ac^2` times as large, so a
    learning rate that suits f does not suit the new function; the scalings of
    `lib.optimizers.hessian_scaled` adapt. Factors that are powers of two round nothing. Used in
    "One Hessian-vector product sets the step", and in "Why the unit step works".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    d = problem.dimension
    c = check.floats(coordinates, "coordinates", "a number or an array of real numbers")
    single = c.ndim == 0
    c = check.point(np.full(d, c) if single else c, d, "coordinates")
    for factor in (c.min(), c.max()):
        check.number(factor, "coordinates", **RANGE)
    a = check.number(objective, "objective", **RANGE)
    constants = {
        name: problem.constants[name] * a * float(c[0]) ** power
        for name, power in POWERS.items()
        if name in problem.constants and (single or power == 0)
    }
    return Problem(
        name=f"{problem.name}, rescaled",
        dimension=d,
        parameters=frozen(np.concatenate([[a], c, problem.parameters])),
        critical_points=tuple(
            critical_point(known.x / c, known.kind, a * known.value)
            for known in problem.critical_points
        ),
        constants=constants,
        formula=r"a\,f(c\circ y)" + (rf",\quad f(x)={problem.formula}" if problem.formula else ""),
        n_samples=problem.n_samples,
        **{
            f"{prefix}{kind}_kernel": _stamped(template, kind, problem, prefix)
            for prefix, templates in (
                ("", (_value, _gradient, _hvp)),
                ("batch_", (_batch_value, _batch_gradient, _batch_hvp)),
            )
            for kind, template in zip(("value", "gradient", "hvp"), templates, strict=True)
        },
    )


def _stamped(template, kind, problem, prefix):
    """Return the template with the problem's kernel of that kind, or None where it has none."""
    inner = getattr(problem, f"{prefix}{kind}_kernel")
    return None if inner is None else stamp(template, **{kind: inner})


@kernel
def _old(x, p):
    """Return the vector `x` in the old coordinates."""
    z = np.empty(x.size, x.dtype)
    for i in range(x.size):
        z[i] = p[1 + i] * x[i]
    return z


@kernel
def _new(p, out):
    """Turn the gradient `out` of the old function into that of the new one."""
    for i in range(out.size):
        out[i] *= p[0] * p[1 + i]


def _value(x, p):
    return p[0] * value(_old(x, p), p[1 + x.size :])


def _gradient(x, p, out):
    gradient(_old(x, p), p[1 + x.size :], out)
    _new(p, out)


def _hvp(x, v, p, out):
    hvp(_old(x, p), _old(v, p), p[1 + x.size :], out)
    _new(p, out)


def _batch_value(x, p, batch):
    return p[0] * value(_old(x, p), p[1 + x.size :], batch)


def _batch_gradient(x, p, batch, out):
    gradient(_old(x, p), p[1 + x.size :], batch, out)
    _new(p, out)


def _batch_hvp(x, v, p, batch, out):
    hvp(_old(x, p), _old(v, p), p[1 + x.size :], batch, out)
    _new(p, out)
