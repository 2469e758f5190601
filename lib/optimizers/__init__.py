"""Methods that follow one trajectory; each is called as ``method(problem, x0, **options)``."""

from lib import _validation as check
from lib.optimizers._method import METHODS
from lib.optimizers.approximate_newton import approximate_newton
from lib.optimizers.backtracking import backtracking_gradient_descent
from lib.optimizers.barzilai_borwein import barzilai_borwein
from lib.optimizers.clipped import clipped_gradient_descent
from lib.optimizers.coordinate_descent import coordinate_descent
from lib.optimizers.decrease_procedures import (
    DecreaseRun,
    Procedure,
    ball_sgd,
    decrease_method,
    gradient_step,
    perturbed_epoch,
)
from lib.optimizers.gradient_descent import gradient_descent
from lib.optimizers.hessian_scaled import (
    REGIMES,
    Scalings,
    hessian_scaled,
    regime,
    regime_map,
    scalings,
    stochastic_hessian_scaled,
)
from lib.optimizers.momentum import (
    heavy_ball,
    heavy_ball_parameters,
    nesterov,
    nesterov_parameters,
)
from lib.optimizers.newton import newton
from lib.optimizers.perturbed import ball_noise, jin_parameters, perturbed_gradient_descent
from lib.optimizers.proximal import gradient_map, inverse_gradient_map, proximal_point
from lib.optimizers.restarted import restarted_sgd
from lib.optimizers.result import Result
from lib.optimizers.schedules import Schedule
from lib.optimizers.self_bounding import adaptive_gradient_descent, safe_learning_rate
from lib.optimizers.stochastic import (
    adagrad,
    adam,
    adamax,
    amsgrad,
    momentum_sgd,
    nadam,
    nesterov_sgd,
    rmsprop,
    sgd,
)


def minimize(problem, x0, method="gradient_descent", **options):
    """Run the optimizer of that name.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    x0 : array_like, shape (d,)
        The start.
    method : str
        Name of an optimizer; `lib.optimizers.METHODS` lists them.
    **options
        Options of that optimizer.

    Returns
    -------
    Result
        What the optimizer returns.

    Raises
    ------
    ValueError
        If there is no optimizer of that name.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> optimizers.minimize(problems.egg_carton(), [1.0, 2.0], learning_rate=0.9).status
    'converged'

    Notes
    -----
    Used where a page compares methods by name.
    """
    return METHODS[check.choice(method, "method", tuple(METHODS))](problem, x0, **options)


__all__ = [
    "METHODS",
    "REGIMES",
    "DecreaseRun",
    "Procedure",
    "Result",
    "Scalings",
    "Schedule",
    "adagrad",
    "adam",
    "adamax",
    "adaptive_gradient_descent",
    "amsgrad",
    "approximate_newton",
    "backtracking_gradient_descent",
    "ball_noise",
    "ball_sgd",
    "barzilai_borwein",
    "clipped_gradient_descent",
    "coordinate_descent",
    "decrease_method",
    "gradient_descent",
    "gradient_map",
    "gradient_step",
    "heavy_ball",
    "heavy_ball_parameters",
    "hessian_scaled",
    "inverse_gradient_map",
    "jin_parameters",
    "minimize",
    "momentum_sgd",
    "nadam",
    "nesterov",
    "nesterov_parameters",
    "nesterov_sgd",
    "newton",
    "perturbed_epoch",
    "perturbed_gradient_descent",
    "proximal_point",
    "regime",
    "regime_map",
    "restarted_sgd",
    "rmsprop",
    "safe_learning_rate",
    "scalings",
    "sgd",
    "stochastic_hessian_scaled",
]
