"""Functions to minimize, each with its gradient, Hessian-vector product and critical points."""

from functools import partial

from lib.problems import datasets, softmax_calculus
from lib.problems.base import CriticalPoint, Problem, critical_point
from lib.problems.classical import himmelblau, hyperbola, quadratic, rosenbrock
from lib.problems.custom import custom
from lib.problems.degenerate import degenerate_saddle, monkey_saddle
from lib.problems.generalized import (
    exponential_decay,
    exponential_growth,
    product_valley,
    quartic,
    rippled_parabola,
)
from lib.problems.initialization import initialize
from lib.problems.ladder import saddle_ladder
from lib.problems.linear_models import least_squares, logistic_regression, softmax_regression
from lib.problems.matrix_pca import matrix_pca
from lib.problems.phase_retrieval import phase_retrieval, sampled_phase_retrieval
from lib.problems.relu_network import hidden_activations, pack, predict, relu_network, unpack
from lib.problems.rescaled import rescaled
from lib.problems.risk_ladder import (
    guaranteed_gap,
    optimal_data_risk,
    optimal_network,
    optimal_risk,
    risk_ladder,
)
from lib.problems.saddles import (
    curved_saddle,
    double_well,
    egg_carton,
    quadratic_saddle,
    saddle_line,
)
from lib.problems.sigmoid_least_squares import sigmoid_least_squares
from lib.problems.step_size import step_size_counterexample
from lib.problems.two_layer import two_layer_data, two_layer_regression


def _from_data(constructor, make, *arguments, **options):
    """Build a small instance of a problem that is made of data."""
    return constructor(*make(*arguments), **options)


def _small_softmax():
    rows, _ = datasets.logistic_data(12, 2)
    return softmax_regression(rows, [0, 1, 2] * 4)


def _small_two_layer():
    return two_layer_regression(*two_layer_data(8, 3, 4, norms=(2.0, 4.0, 1.0)), weights=0.5)


def _small_network():
    inputs = [[-1.0], [-0.3], [0.2], [0.9]]
    return relu_network((1, 3, 1), inputs, [[1.0], [0.1], [0.0], [0.8]])


# Every problem by name; each entry makes an instance without further arguments.
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
        quartic,
        exponential_growth,
        exponential_decay,
        rippled_parabola,
        product_valley,
        rosenbrock,
        hyperbola,
        himmelblau,
    )
} | {
    "quadratic": partial(quadratic, [[3.0, 1.0], [1.0, 2.0]]),
    "phase_retrieval": partial(phase_retrieval, dimension=3),
    "sampled_phase_retrieval": partial(
        sampled_phase_retrieval, [[1.0, 0.5], [-0.5, 1.0], [0.3, -2.0]], [0.6, 0.8]
    ),
    "matrix_pca": partial(matrix_pca, [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.5]]),
    "least_squares": partial(_from_data, least_squares, datasets.least_squares_data, 12, 3),
    "logistic_regression": partial(_from_data, logistic_regression, datasets.logistic_data, 12, 3),
    "softmax_regression": _small_softmax,
    "two_layer_regression": _small_two_layer,
    "sigmoid_least_squares": partial(
        _from_data, sigmoid_least_squares, datasets.sigmoid_data, 12, 3
    ),
    "relu_network": _small_network,
    "rescaled": partial(rescaled, double_well(), [0.5, 2.0]),
}

__all__ = [
    "CATALOGUE",
    "CriticalPoint",
    "Problem",
    "critical_point",
    "curved_saddle",
    "custom",
    "datasets",
    "degenerate_saddle",
    "double_well",
    "egg_carton",
    "exponential_decay",
    "exponential_growth",
    "guaranteed_gap",
    "hidden_activations",
    "himmelblau",
    "hyperbola",
    "initialize",
    "least_squares",
    "logistic_regression",
    "matrix_pca",
    "monkey_saddle",
    "optimal_data_risk",
    "optimal_network",
    "optimal_risk",
    "pack",
    "phase_retrieval",
    "predict",
    "product_valley",
    "quadratic",
    "quadratic_saddle",
    "quartic",
    "relu_network",
    "rescaled",
    "rippled_parabola",
    "risk_ladder",
    "rosenbrock",
    "saddle_ladder",
    "saddle_line",
    "sampled_phase_retrieval",
    "sigmoid_least_squares",
    "softmax_calculus",
    "softmax_regression",
    "step_size_counterexample",
    "two_layer_data",
    "two_layer_regression",
    "unpack",
]
