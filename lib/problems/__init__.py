"""Functions to minimise, each with its gradient, Hessian-vector product and critical points."""

from lib.problems.base import CriticalPoint, Problem, critical_point
from lib.problems.custom import custom
from lib.problems.degenerate import degenerate_saddle, monkey_saddle
from lib.problems.ladder import saddle_ladder
from lib.problems.saddles import (
    curved_saddle,
    double_well,
    egg_carton,
    quadratic_saddle,
    saddle_line,
)
from lib.problems.step_size import step_size_counterexample

CATALOGUE = {
    constructor.__name__: constructor
    for constructor in (
        quadratic_saddle,
        double_well,
        egg_carton,
        curved_saddle,
        step_size_counterexample,
        degenerate_saddle,
        monkey_saddle,
        saddle_ladder,
        saddle_line,
    )
}

__all__ = [
    "CATALOGUE",
    "CriticalPoint",
    "Problem",
    "critical_point",
    "custom",
    *CATALOGUE,
]
