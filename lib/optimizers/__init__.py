"""Methods that follow one trajectory; each is called as ``method(problem, x0, **options)``."""

from lib import _validation as check
from lib.optimizers._method import METHODS
from lib.optimizers.backtracking import backtracking_gradient_descent
from lib.optimizers.clipped import clipped_gradient_descent
from lib.optimizers.coordinate_descent import coordinate_descent
from lib.optimizers.gradient_descent import gradient_descent
from lib.optimizers.momentum import (
    heavy_ball,
    heavy_ball_parameters,
    nesterov,
    nesterov_parameters,
)
from lib.optimizers.perturbed import ball_noise, perturbed_gradient_descent
from lib.optimizers.proximal import gradient_map, inverse_gradient_map, proximal_point
from lib.optimizers.result import Result
from lib.optimizers.self_bounding import adaptive_gradient_descent, safe_learning_rate


def minimize(problem, x0, method="gradient_descent", **options):
    """Run the optimizer of that name.

    Parameters
    ----------
    problem : Problem
        What to minimise.
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
    "Result",
    "adaptive_gradient_descent",
    "backtracking_gradient_descent",
    "ball_noise",
    "clipped_gradient_descent",
    "coordinate_descent",
    "gradient_descent",
    "gradient_map",
    "heavy_ball",
    "heavy_ball_parameters",
    "inverse_gradient_map",
    "minimize",
    "nesterov",
    "nesterov_parameters",
    "perturbed_gradient_descent",
    "proximal_point",
    "safe_learning_rate",
]
