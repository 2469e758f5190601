"""Checks shared by all optimizers."""

from lib import _validation as check
from lib.problems import Problem


def common(problem, x0, learning_rate, max_iter, tol, record_every, divergence_radius):
    """Check what every optimizer takes, and return it converted."""
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    start = check.point(x0, problem.dimension, "x0")
    rate = check.positive(learning_rate, "learning_rate")
    steps = check.integer(max_iter, "max_iter", low=0, high=10**9)
    tolerance = check.number(tol, "tol", low=0.0)
    stride = check.integer(record_every, "record_every", low=1)
    radius = check.positive(divergence_radius, "divergence_radius")
    if abs(start).max() > radius:
        raise ValueError(
            f"x0 must lie inside divergence_radius = {radius:g}; "
            f"its largest entry is {abs(start).max():g}"
        )
    return start, rate, steps, tolerance, stride, radius
