"""A small valid call of every public function and method."""

import dataclasses
import functools
import inspect
import tempfile
from unittest import mock

import numba
import numpy as np
from hostile_oracle import Call
from hostile_values import COMPLEX, FRACTION, MASKED, NAN, OBJECT, RECORD, TEXT, TIME
from matplotlib.figure import Figure

import lib
from lib import claims, curvature, ensembles, explore, optimizers, plotting, problems
from lib.optimizers import Schedule
from lib.problems import datasets, softmax_calculus

ANYTHING = (COMPLEX, TEXT, OBJECT, TIME, RECORD, MASKED, FRACTION, NAN)


@numba.njit
def bowl(x, p):
    return p[0] * x[0] * x[0] + x[1] * x[1]


@numba.njit
def bowl_gradient(x, p, out):
    out[0] = 2.0 * p[0] * x[0]
    out[1] = 2.0 * x[1]


@numba.njit
def bowl_hvp(x, v, p, out):
    out[0] = 2.0 * p[0] * v[0]
    out[1] = 2.0 * v[1]


@numba.njit
def bowl_batch(x, p, batch, out):
    out[0] = 2.0 * p[0] * x[0]
    out[1] = 2.0 * x[1]


@numba.njit
def bowl_rho(t, p):
    return 2.0 + p[0]


WELL = problems.double_well(0.3)
EGG = problems.egg_carton(2)
ROWS = np.array([[1.0, 0.5], [-0.5, 1.0], [0.3, -2.0], [1.5, 1.0], [-1.0, 0.25], [0.1, 0.7]])
SIGNS = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
LOGISTIC = problems.logistic_regression(ROWS, SIGNS)
TWO_LAYER = problems.two_layer_regression(
    np.array([[1.0, 0.5], [0.25, -1.0], [-0.5, 0.75]]),
    np.array([[0.5, -0.25, 1.0], [1.0, 0.5, -0.5]]),
    np.array([0.25, -0.5]),
    0.6,
)
NETWORK = problems.relu_network((1, 2, 2, 1), [-1.0, 0.0, 0.5], [1.0, 0.0, 0.25])
THETA = np.linspace(-1.0, 1.0, NETWORK.dimension)
X = np.array([0.6, 0.4])
V = np.array([1.0, -0.5])
START = np.array([0.1, 0.3])
STARTS = np.array([[0.1, 0.3], [-0.5, 0.2], [1.0, -0.4]])
MATRIX = np.array([[2.0, 0.5], [0.5, 1.0]])
BATCH = np.array([0, 2, 2])
PROBABILITIES = np.array([0.5, 0.25, 0.25])
SAMPLE = curvature.sample_rows(ROWS, n_samples=3)
RESULT = optimizers.gradient_descent(WELL, START, max_iter=3)

# By public name; a class without methods of its own and a function without arguments have no tries.
CALLS = {}


def nothing():
    """Stand in for a class that only holds what a function returns."""


def add(room, name, good, function=None, **options):
    function = getattr(room, name) if function is None else function
    CALLS[f"{room.__name__}.{name}"] = Call(function, good, **options)


# --- problems ---------------------------------------------------------------------------------

P = problems
add(P, "quadratic_saddle", {"eigenvalues": np.array([1.0, -1.0])})
add(P, "double_well", {"rotation": 0.3})
add(P, "egg_carton", {"dimension": 2})
add(P, "curved_saddle", {"beta": 0.25})
add(P, "degenerate_saddle", {"power": 3})
add(P, "saddle_ladder", {"dimension": 2, "smoothness": 1.0, "gamma": 0.5})
add(P, "quartic", {"dimension": 2}, slow={"dimension": 1000})
add(P, "exponential_growth", {"L0": 1.0, "L1": 2.0})
add(P, "rosenbrock", {"dimension": 3}, slow={"dimension": 1000})
add(P, "hyperbola", {"dimension": 2}, slow={"dimension": 1000})
add(P, "matrix_pca", {"M": MATRIX})
add(P, "quadratic", {"H": MATRIX, "linear": V})
add(P, "rescaled", {"problem": WELL, "coordinates": np.array([0.5, 2.0]), "objective": 2.0})
add(
    P,
    "phase_retrieval",
    {"dimension": 2, "signal": V, "seed": 1},
    slow={"dimension": 1000},
)
add(
    P,
    "sampled_phase_retrieval",
    {"measurements": ROWS, "signal": V, "observations": None},
    named={"measurements": ("signal",)},
)
add(P, "least_squares", {"A": ROWS, "b": SIGNS, "l2": 0.1})
add(P, "logistic_regression", {"A": ROWS, "labels": SIGNS, "l2": 0.1})
add(
    P,
    "softmax_regression",
    {"A": ROWS, "labels": np.array([0, 1, 2, 0, 1, 2]), "n_classes": 3, "l2": 0.1},
    slow={"n_classes": 1000},
    named={"n_classes": ("labels",)},
)
add(P, "sigmoid_least_squares", {"A": ROWS, "targets": SIGNS, "regularization": 0.1})
add(
    P,
    "two_layer_regression",
    {
        "A1": np.array([[1.0, 0.5], [0.25, -1.0], [-0.5, 0.75]]),
        "A2": np.array([[0.5, -0.25, 1.0], [1.0, 0.5, -0.5]]),
        "b": np.array([0.25, -0.5]),
        "weights": 0.3,
        "unit": "softplus",
        "beta": 4.0,
    },
)
add(
    P,
    "two_layer_data",
    {
        "n": 6,
        "d": 2,
        "n_outputs": 2,
        "row_tail": None,
        "curvature_ratio": None,
        "aligned": False,
        "weight": 0.15,
        "norms": np.array([20.0, 1.0, 1.0]),
        "seed": 1,
    },
    slow={"n": 1000, "d": 6, "n_outputs": 1000},
)
add(
    P,
    "relu_network",
    {
        "widths": np.array([1, 2, 1]),
        "inputs": np.array([-1.0, 0.0, 0.5]),
        "targets": np.array([1.0, 0.0, 0.25]),
        "slope": 0.1,
        "skip": "none",
        "layer_norm": False,
        "eps": 1e-5,
    },
    accepts={"widths": (OBJECT,)},
    named={"widths": ("inputs", "targets")},
)
add(
    P,
    "initialize",
    {
        "widths": np.array([1, 2, 1]),
        "n": 2,
        "law": "normal",
        "bias": "same",
        "seed": 1,
        "skip": "none",
        "mirrored": False,
    },
    slow={"n": 1000},
    accepts={"widths": (OBJECT,)},
)
add(
    P,
    "pack",
    {"layers": [(MATRIX, V), (np.array([[1.0, 2.0]]), np.array([0.5]))], "shortcut": V[None]},
)
add(P, "unpack", {"problem": NETWORK, "theta": THETA})
add(P, "predict", {"problem": NETWORK, "theta": THETA, "inputs": np.array([0.5, 1.0])}, nan=True)
add(
    P,
    "hidden_activations",
    {"problem": NETWORK, "theta": THETA, "inputs": np.array([0.5, 1.0]), "before": False},
    nan=True,
)
add(P, "risk_ladder", {"k": 3})
add(P, "optimal_risk", {"k": 3}, slow={"k": 1000})
add(P, "optimal_network", {"k": 3}, slow={"k": 1000})
add(P, "guaranteed_gap", {"width": 4, "dead": 1, "exact": False}, slow={"width": 1000})
add(
    P,
    "optimal_data_risk",
    {"inputs": np.array([0.0, 0.5, 1.0, 2.0]), "targets": np.array([0.0, 1.0, 0.5, 1.0]), "k": 1},
)
add(P, "critical_point", {"x": X, "kind": "minimizer", "value": 0.5})
add(P, "CriticalPoint", {"x": X, "kind": "minimizer", "value": 0.5}, problems.critical_point)
add(
    P,
    "custom",
    {
        "value": bowl,
        "gradient": bowl_gradient,
        "dimension": 2,
        "hvp": bowl_hvp,
        "parameters": np.array([3.0]),
        "critical_points": (problems.critical_point([0, 0], "minimizer", 0.0),),
        "name": "bowl",
        "formula": "x^2",
        "rho1": bowl_rho,
        "rho2": bowl_rho,
        "batch_gradient": bowl_batch,
        "n_samples": 3,
        "batch_hvp": None,
        "batch_value": None,
        "data": None,
    },
)
for name in (
    *("step_size_counterexample", "monkey_saddle", "saddle_line", "exponential_decay"),
    *("rippled_parabola", "product_valley", "himmelblau"),
):
    add(P, name, {}, tries=0)
for name, good in (
    ("value", {"x": X}),
    ("gradient", {"x": X}),
    ("hvp", {"x": X, "v": V}),
    ("hessian", {"x": X}),
    ("rho1", {"value": 0.5}),
    ("rho2", {"value": 0.5}),
):
    CALLS[f"Problem.{name}"] = Call(getattr(WELL, name), good, 1500, nan=True)
for name, good in (
    ("batch_value", {"x": X, "batch": BATCH}),
    ("batch_gradient", {"x": X, "batch": BATCH}),
    ("batch_hvp", {"x": X, "v": V, "batch": BATCH}),
):
    CALLS[f"Problem.{name}"] = Call(getattr(LOGISTIC, name), good, 1500, nan=True)
CALLS["Problem.value"] = dataclasses.replace(CALLS["Problem.value"], accepts={"x": (NAN,)})

D = datasets
SIZES = {"n": 1000, "d": 1000}
add(D, "logistic_data", {"n": 4, "d": 2, "scale_exponent": 1.0, "seed": 1}, slow=SIZES)
add(
    D,
    "least_squares_data",
    {"n": 4, "d": 2, "noise": 0.1, "unit_rows": True, "seed": 1},
    slow=SIZES,
)
add(D, "sigmoid_data", {"n": 4, "d": 2, "seed": 1}, slow=SIZES)

S = softmax_calculus
add(S, "softmax", {"logits": np.array([0.5, -1.0, 2.0])})
add(S, "softmax_jacobian", {"f": PROBABILITIES})
Q = np.array([0.0, 1.0, -2.0])


def cumulant_of_two(f, first, second):
    return softmax_calculus.cumulant(f, first, second)


cumulant_of_two.__doc__ = softmax_calculus.cumulant.__doc__
add(
    S,
    "cumulant",
    {"f": PROBABILITIES, "first": Q, "second": Q},
    cumulant_of_two,
    named={"first": ("vector 1",), "second": ("vector 2",)},
    nan=True,
)
add(S, "third_cumulant_matrix", {"f": PROBABILITIES, "q": Q})
add(S, "signed_decomposition", {"f": PROBABILITIES, "q": Q})
add(S, "output_unit", {"z": V, "unit": "softplus", "beta": 5.0})
for name in ("data_hessian", "critical_weight"):
    add(S, name, {"problem": TWO_LAYER, "x": X}, tries=300)
RELU_UNIT = problems.two_layer_regression(
    TWO_LAYER.data.rows, TWO_LAYER.data.A2, TWO_LAYER.data.b, 0.3, "relu"
)
add(S, "activation_radius", {"problem": RELU_UNIT, "x": X})
add(S, "kink_jump", {"problem": RELU_UNIT, "x": X, "j": 0})
add(S, "sufficient_weight", {"problem": TWO_LAYER, "x": X, "l": 0.1})
add(S, "uniform_weight_bound", {"problem": TWO_LAYER, "l": 0.1})
add(S, "gradient_lipschitz_bound", {"problem": TWO_LAYER}, tries=300)
add(
    S,
    "hessian_lipschitz_bound",
    {"problem": TWO_LAYER, "radius": 1.0, "center": X},
    accepts={"radius": (NAN,)},
    named={"center": ("x",)},
)
add(S, "family_lipschitz_bound", {"n": 4, "R": 2.0})
add(S, "sigmoid_example", {"b": 1.0, "weight": 0.3})
add(S, "SignedDecomposition", {}, nothing, tries=0)
DATA = TWO_LAYER.data
for name, good in (
    ("layers", {"x": X}),
    ("parts", {"x": X}),
    ("gradient_and_parts", {"x": X}),
    ("metric", {}),
    ("root", {"x": X}),
    ("jacobian", {"x": X}),
    ("relative_curvature", {"x": X, "metric": np.array([1.0, 2.0, 0.5])}),
    ("singular_values", {}),
):
    CALLS[f"TwoLayerData.{name}"] = Call(
        getattr(DATA, name), good, 700 if good else 0, named={"metric": ("A1",)}
    )

# --- optimizers -------------------------------------------------------------------------------

COMMON = {
    "problem": WELL,
    "x0": START,
    "max_iter": 3,
    "tol": 1e-8,
    "max_evaluations": 100,
    "record_every": 1,
    "divergence_radius": 1e8,
    "callback": None,
    "progress": False,
}
ON_DATA = {"restarted_sgd", "stochastic_hessian_scaled", "approximate_newton"}
BATCHED = {
    *("sgd", "momentum_sgd", "nesterov_sgd", "adagrad", "rmsprop", "adam", "adamax", "amsgrad"),
    "nadam",
}
MORE = {
    "approximate_newton": {"n_samples": 4, "scheme": "uniform"},
    "hessian_scaled": {"lpc_step": 1.0, "max_alpha": 8.0},
    "newton": {"indefinite": "regularize"},
    "adaptive_gradient_descent": {},
    "restarted_sgd": {"max_restarts": 2},
    "nesterov": {"momentum": 0.5},
    "backtracking_gradient_descent": {"growth": 2.0},
}


for name, method in optimizers.METHODS.items():
    good = {
        key: parameter.default
        for key, parameter in inspect.signature(method).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    good |= {
        key: value for key, value in COMMON.items() if key in inspect.signature(method).parameters
    }
    if name in ON_DATA | BATCHED:
        good["problem"] = LOGISTIC
    if name in BATCHED:
        good["batch_size"] = 2
    good |= MORE.get(name, {})
    if "betas" in good:
        good["betas"] = np.array(good["betas"])
    slow = {
        key: (50, 2**53)
        for key in ("max_iter", "stay", "max_trials", "max_inner", "perturbation_interval")
        if key in good
    }
    add(
        optimizers,
        name,
        good,
        slow=slow,
        fixed=("progress",),
        tries=900,
        accepts={"betas": (OBJECT,)},
        named={"sigma": ("lpc_step",)},
    )
add(
    optimizers,
    "minimize",
    {"problem": WELL, "x0": START, "method": "newton", "max_iter": 3},
    slow={"max_iter": 50},
)
add(optimizers, "gradient_map", {"problem": WELL, "x": X, "learning_rate": 0.1}, nan=True)
add(
    optimizers,
    "inverse_gradient_map",
    {"problem": WELL, "y": X, "learning_rate": 0.1, "tol": 1e-10, "max_iter": 100},
    slow={"max_iter": (1000, 2**53)},
    errors=(ArithmeticError,),
    named={name: ("inverse gradient map",) for name in ("y", "tol", "max_iter")},
)
add(optimizers, "heavy_ball_parameters", {"smoothness": 4.0, "strong_convexity": 1.0})
add(optimizers, "nesterov_parameters", {"smoothness": 4.0, "strong_convexity": 1.0})
add(
    optimizers,
    "jin_parameters",
    {
        "smoothness": 1.0,
        "hessian_lipschitz": 1.0,
        "epsilon": 1e-3,
        "dimension": 2,
        "gap": 1.0,
        "failure_probability": 0.1,
        "c": 0.5,
    },
    named={name: ("epsilon",) for name in ("smoothness", "hessian_lipschitz", "dimension", "gap")},
)
add(
    optimizers,
    "ball_noise",
    {"n": 2, "dimension": 2, "radius": 0.5, "seed": 1},
    slow={"n": 1000, "dimension": 1000},
)
add(optimizers, "gradient_step", {"learning_rate": 0.1, "epsilon": 0.01})
EPOCH = {
    "learning_rate": 0.1,
    "radius": 0.01,
    "gradient_threshold": 0.01,
    "perturbation_interval": 5,
    "decrease_threshold": 1e-3,
}
add(optimizers, "perturbed_epoch", EPOCH, slow={"perturbation_interval": 100})
add(
    optimizers,
    "ball_sgd",
    {
        "learning_rate": 0.1,
        "ball_radius": 0.3,
        "n_steps": 5,
        "decrease": 1e-3,
        "batch_size": 2,
        "noise": 0.1,
    },
    accepts={"batch_size": (OBJECT,)},
)
add(
    optimizers,
    "decrease_method",
    {
        "problem": WELL,
        "x0": START,
        "procedure": optimizers.gradient_step(0.1, 0.01),
        "target": lambda x: False,
        "infimum": -1.0,
        "max_rounds": 3,
        "seed": 1,
    },
    slow={"max_rounds": (50, 2**53)},
    named={"infimum": ("procedure",), "x0": ("procedure",)},
)
add(
    optimizers,
    "Procedure",
    {"name": "step", "apply": len, "decrease": 1.0, "oracle_calls": 1},
)
add(optimizers, "regime", {"g": X, "Hg": V, "sigma": 0.1}, named={"g": ("Hg",)})
add(optimizers, "regime_map", {"problem": WELL, "points": STARTS, "sigma": 0.1})
add(optimizers, "scalings", {"g": X, "Hg": np.array([0.5, 0.3])}, named={"g": ("Hg",)})
add(optimizers, "safe_learning_rate", {"problem": WELL, "x0": START, "safety": 1.0})
for name in ("DecreaseRun", "Result", "Scalings"):
    add(optimizers, name, {}, nothing, tries=0)
add(
    optimizers,
    "Schedule",
    {"kind": "cosine", "a": 10.0, "b": 0.5, "warmup_steps": 3},
)
for name, good in (
    ("constant", {}),
    ("step_decay", {"drop": 0.5, "every": 10}),
    ("exponential_decay", {"gamma": 0.9}),
    ("inverse_time", {"scale": 10.0, "power": 0.75}),
    ("polynomial", {"n_steps": 10, "power": 2.0}),
    ("cosine", {"n_steps": 10, "final": 0.1}),
    ("warmup", {"n_steps": 10, "then": Schedule.constant()}),
    ("numbers", {"learning_rate": 0.1}),
):
    function = Schedule.constant().numbers if name == "numbers" else getattr(Schedule, name)
    CALLS[f"Schedule.{name}"] = Call(function, good, 500 if good else 0)
CALLS["Schedule.__call__"] = Call(
    Schedule.inverse_time(10.0), {"learning_rate": 0.1, "step": 7}, 500
)
CALLS["Result.oracle_calls"] = Call(lambda: RESULT.oracle_calls, {}, 0)
CALLS["Result.message"] = Call(lambda: RESULT.message, {}, 0)

# --- curvature --------------------------------------------------------------------------------

C = curvature
AT = {"problem": WELL, "x": X}
BY = {"method": "finite_difference", "step": 1e-4, "scheme": "central"}
add(C, "hvp", {**AT, "v": V, **BY}, nan=True)
add(C, "hessian", {**AT, **BY}, nan=True)
add(
    C,
    "hessian_operator",
    {**AT, "v": V},
    lambda problem, x, v: C.hessian_operator(problem, x) @ v,
    fixed=("v",),
)
add(C, "gauss_newton", {"problem": TWO_LAYER, "x": X}, tries=300)
add(
    C,
    "check_derivatives",
    {**AT, "method": "finite_difference", "n_directions": 2, "tol": 1e-6, "seed": 1},
    slow={"n_directions": 100},
    nan=True,
)
add(
    C,
    "finite_difference_kernel",
    {"problem": WELL, "scheme": "central", "workspace": True},
    tries=300,
)
add(C, "complex_step_kernel", {"problem": WELL, "workspace": True}, tries=300)
add(C, "classify", {**AT, "gradient_tol": 1e-6, "eigenvalue_tol": 1e-8})
add(
    C,
    "extreme_eigenvalues",
    {**AT, "k": 1, "which": "both", "tol": 1e-8, "max_steps": 100, "seed": 1},
    errors=(ArithmeticError,),
)
add(C, "negative_curvature_direction", {**AT, "tol": 1e-6, "seed": 1})
add(C, "is_second_order_stationary", {**AT, "epsilon": 0.1, "hessian_lipschitz": 1.0, "seed": 1})
add(C, "lanczos", {**AT, "n_steps": 2, "seed": 1, "start": V})
add(
    C,
    "spectral_density",
    {
        **AT,
        "n_steps": 2,
        "n_vectors": 2,
        "sigma": 0.1,
        "grid": np.linspace(-1.0, 1.0, 5),
        "seed": 1,
    },
    slow={"n_vectors": 50},
)
for name in ("hutchinson_trace", "hutchinson_diagonal"):
    add(C, name, {**AT, "n_vectors": 3, "seed": 1}, slow={"n_vectors": 100})
CALLS["lib.curvature.hutchinson_trace"].good["distribution"] = "gaussian"
add(C, "hutch_plus_plus", {**AT, "n_products": 6, "seed": 1}, slow={"n_products": 100})
WEIGHTS = np.array([1.0, 0.5, 2.0, 1.0, 0.25, 1.0])
add(C, "gram", {"A": ROWS, "weights": WEIGHTS})
add(
    C,
    "leverage_scores",
    {
        "A": ROWS,
        "weights": WEIGHTS,
        "method": "sketched",
        "oversampling": 4,
        "n_projections": 3,
        "seed": 1,
    },
    slow={"oversampling": 100, "n_projections": 100},
)
add(C, "sampling_probabilities", {"A": ROWS, "weights": WEIGHTS, "scheme": "leverage", "seed": 1})
add(
    C,
    "sample_rows",
    {
        "A": ROWS,
        "weights": WEIGHTS,
        "n_samples": 3,
        "scheme": "row_norm",
        "seed": 1,
        "replacement": True,
    },
    slow={"n_samples": 1000},
)
add(C, "sampled_gram", {"A": ROWS, "sample": SAMPLE}, accepts={"A": (NAN,)})
for name in ("gaussian_sketch", "count_sketch", "hadamard_sketch"):
    add(C, name, {"R": ROWS, "size": 3, "seed": 1}, slow={"size": 1000}, named={"R": ("size",)})
add(C, "spectral_error", {"H": MATRIX, "H_approx": np.eye(2)})
add(C, "newton_contraction", {"H": MATRIX, "H_approx": np.eye(2), "average": False})
add(C, "debias_factor", {"d": 2, "m": 10}, named={"d": ("m",)})
add(C, "predicted_contraction", {"d": 2, "m": 10, "kind": "gaussian"}, named={"d": ("m",)})
add(C, "required_samples", {"d": 2, "eps": 0.5, "delta": 0.1})
add(C, "typical_spectral_error", {"d": 2, "m": 10})
add(C, "certified_contraction", {"eps": 0.1, "reach": 0.1})
add(
    C,
    "gradient_lipschitz",
    {"problem": WELL, "points": STARTS, "n_pairs": 3, "seed": 1},
    slow={"n_pairs": 1000},
)
add(
    C,
    "hessian_lipschitz",
    {"problem": WELL, "points": STARTS, "n_directions": 1, "n_rounds": 1, "step": 1e-4, "seed": 1},
    slow={"n_directions": 20, "n_rounds": (20, 2**53)},
    named={"points": ("step",), "step": ("points",)},
)
add(C, "armijo_threshold", {"sigma": 0.5, "rho": 0.25, "hessian_lipschitz": 2.0})
add(
    C,
    "self_bounding_ratios",
    {"problem": WELL, "points": STARTS, "n_starts": 1, "seed": 1},
    slow={"n_starts": 50},
    nan=True,
)
add(C, "l0_l1_bound", {"L0": 1.0, "L1": 2.0, "t": 3.0})
for name in (
    *("Classification", "DerivativeCheck", "Eigenpairs", "Estimate", "RowSample"),
    *("SelfBoundingRatios", "SpectralDensity"),
):
    add(C, name, {}, nothing, tries=0)

# --- ensembles --------------------------------------------------------------------------------

E = ensembles
POINTS = {"low": np.array([-1.0, -2.0]), "high": np.array([1.0, 2.0])}
add(
    E,
    "uniform_starts",
    {"n": 3, **POINTS, "dimension": 2, "seed": 1},
    slow={"n": 1000, "dimension": 1000},
    named={"dimension": ("low", "high")},
)
add(
    E,
    "grid_starts",
    {"x_range": V[::-1].copy(), "y_range": np.array([0.0, 1.0]), "shape": np.array([2, 3])},
)
add(
    E,
    "run_many",
    {
        "problem": WELL,
        "starts": STARTS,
        "learning_rate": 0.1,
        "max_iter": 3,
        "tol": 1e-10,
        "divergence_radius": 1e8,
        "executor": None,
        "method": "gradient_descent",
        "max_evaluations": 100,
        "progress": False,
        "check_every": 1,
    },
    slow={"max_iter": 50},
    fixed=("progress",),
)
add(
    E,
    "basins",
    {
        "problem": WELL,
        "starts": STARTS,
        "learning_rate": 0.1,
        "max_iter": 3,
        "tol": 1e-10,
        "distance": 1e-3,
        "divergence_radius": 1e8,
        "executor": None,
        "method": "gradient_descent",
    },
    slow={"max_iter": 50},
)
add(
    E,
    "escape_times",
    {
        "problem": WELL,
        "starts": STARTS,
        "learning_rate": 0.1,
        "radius": 0.5,
        "direction": V,
        "center": X,
        "max_iter": 5,
        "executor": None,
    },
    slow={"max_iter": 50},
)
add(
    E,
    "stable_manifold",
    {
        "problem": WELL,
        "saddle": np.zeros(2),
        "offsets": np.array([0.1]),
        "learning_rate": 0.3,
        "half_width": 0.5,
        "exit_distance": 0.5,
        "max_iter": 30,
        "executor": None,
    },
    slow={"max_iter": 50},
    nan=True,
)
add(
    E,
    "orbit_tail",
    {
        "problem": WELL,
        "x0": START,
        "learning_rates": np.array([0.1, 0.5]),
        "burn_in": 3,
        "keep": 2,
        "divergence_radius": 1e8,
        "executor": None,
    },
    slow={"burn_in": 50, "keep": 50},
    nan=True,
)
add(
    E,
    "lyapunov_exponent",
    {"problem": WELL, "x0": START, "learning_rate": 0.5, "n_iter": 10, "burn_in": 3, "seed": 1},
    slow={"n_iter": 50, "burn_in": 50},
    nan=True,
)
add(
    E,
    "find_critical_points",
    {
        "problem": WELL,
        "low": np.array([-2.0, -2.0]),
        "high": np.array([2.0, 2.0]),
        "n_starts": 3,
        "tol": 1e-8,
        "distance": 1e-3,
        "seed": 1,
    },
    tries=200,
    slow={"n_starts": 20},
)
add(
    E,
    "survey",
    {"problem": WELL, "low": np.array([-2.0, -2.0]), "high": np.array([2.0, 2.0]), "seed": 1},
    tries=200,
)
add(
    E,
    "race",
    {
        "problem": WELL,
        "starts": STARTS,
        "goal": 0.1,
        "measure": "gradient_norm",
        "smoothness": 2.0,
        "max_evaluations": 20,
        "entries": {"gradient_descent": {"learning_rate": "1/L"}},
    },
    tries=200,
    slow={"max_evaluations": 100},
)
ARENA = ensembles.arena(1)[:1]
add(E, "arena", {"n_starts": 1, "seed": 1}, tries=200, slow={"n_starts": 20})
add(
    E,
    "tournament",
    {
        "challenges": ARENA,
        "entrants": {"gradient_descent": {"learning_rate": (0.1,)}},
        "accuracies": np.array([0.1, 0.01]),
        "max_evaluations": 20,
        "seed": 1,
    },
    tries=200,
    slow={"max_evaluations": 100},
)
add(
    E,
    "Challenge",
    {
        "name": "well",
        "family": "saddles",
        "problem": WELL,
        "starts": STARTS,
        "lowest": -0.25,
        "batch_size": 1,
    },
)
PLAYED = ensembles.tournament(ARENA, {"gradient_descent": {"learning_rate": (0.1,)}}, [0.1])
for name in ("calls", "chosen", "summary"):
    CALLS[f"Tournament.{name}"] = Call(
        getattr(PLAYED, name), {"accuracy": 0.1, "tuning": "default"}
    )
TABLE = {"calls": np.array([[10.0, 30.0], [20.0, 10.0]])}
UNSOLVED = {"calls": (NAN,)}  # infinite where a problem was not solved
add(E, "performance_profile", TABLE | {"factors": np.array([1.0, 2.0])}, accepts=UNSOLVED)
add(E, "data_profile", TABLE | {"budgets": np.array([10.0, 20.0])}, accepts=UNSOLVED)
add(E, "proportion_interval", {"k": 1, "n": 10, "confidence": 0.95})
for name in ("inactive_neurons", "dead_layers"):
    add(E, name, {"problem": NETWORK, "theta": THETA, "strict": False, "executor": None})
add(E, "frozen_parameters", {"problem": NETWORK, "theta": THETA, "executor": None})
add(E, "death_probability", {"interval": np.array([-1.0, 1.0]), "law": "uniform", "bias": "same"})
add(
    E,
    "death_probability_cube",
    {
        "dimension": 2,
        "low": -1.0,
        "high": 1.0,
        "law": "normal",
        "bias": "same",
        "n": 10,
        "seed": 1,
        "executor": None,
    },
    slow={"dimension": 100, "n": (1000, 2**53)},
    tries=500,
)
add(E, "width_law", {"width": 3, "p": 0.25})
add(E, "smallest_width", {"p": 0.25, "probability": 0.9})
add(E, "depth_law", {"width": 3, "n_layers": 4})
add(E, "layer_death_bound", {"width": 3, "n_layers": 4, "zero_bias": False})
add(E, "failure_lower_bound", {"width": 3, "p": 0.25, "k_star": 2})
add(
    E,
    "simulate_width_law",
    {
        "width": 3,
        "interval": np.array([-1.0, 1.0]),
        "law": "normal",
        "bias": "same",
        "n": 10,
        "seed": 1,
        "executor": None,
    },
    slow={"width": 100, "n": (1000, 2**53)},
    tries=500,
)
add(
    E,
    "simulate_depth_law",
    {
        "width": 3,
        "n_layers": 2,
        "inputs": np.array([1.0]),
        "law": "he",
        "bias": "zero",
        "n": 10,
        "seed": 1,
        "executor": None,
    },
    slow={"width": 100, "n_layers": 20, "n": (1000, 2**53)},
    tries=500,
)
for name in ("Basins", "Ensemble", "Plane", "Profile", "Proportion", "Race"):
    add(E, name, {}, nothing, tries=0)
for name in ("StableManifold", "Survey", "Tournament"):
    add(E, name, {}, nothing, tries=0)
CALLS["Ensemble.counts"] = Call(lambda: ensembles.run_many(WELL, STARTS, max_iter=1).counts, {}, 0)

# --- figures, claims, scipy ---------------------------------------------------------------------


def on_axes(function):
    """Return the function with axes of its own where it is given none."""

    @functools.wraps(function)
    def call(ax, **named):
        if ax is AX:
            ax = Figure(figsize=(1, 1), dpi=30).subplots()
            ax.plot([0, 1], [0, 1], label="line")
        return repr(function(ax, **named))

    return call


AX = object()
XY = np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]])
L = plotting
add(L, "use_style", {}, tries=0)
add(
    L,
    "contours",
    {
        "ax": AX,
        "value": WELL.value,
        "xlim": np.array([-1.0, 1.0]),
        "ylim": np.array([-1.0, 1.0]),
        "levels": 3,
        "n": 5,
        "fill": True,
    },
    on_axes(plotting.contours),
    tries=200,
    slow={"n": 50, "levels": 20},
)
add(
    L,
    "path",
    {"ax": AX, "xy": XY, "color": "red", "label": "run", "dots": 3, "arrow": True, "zorder": 3.0},
    on_axes(plotting.path),
    tries=200,
    accepts={"xy": (NAN,)},
)
add(
    L,
    "critical_points",
    {"ax": AX, "points": WELL.critical_points, "legend": False, "size": 80.0},
    on_axes(plotting.critical_points),
    tries=200,
)
add(
    L,
    "basins",
    {
        "ax": AX,
        "labels": np.array([[0, 1], [-1, 2]]),
        "extent": np.array([0.0, 1.0, 0.0, 1.0]),
        "names": None,
        "colors": ("red", "blue"),
    },
    on_axes(plotting.basins),
    tries=200,
)
add(
    L,
    "theory_vs_measured",
    {
        "ax": AX,
        "x": np.array([1.0, 2.0]),
        "predicted": np.array([1.0, 2.0]),
        "measured": np.array([1.1, 2.2]),
        "interval": np.array([[1.0, 2.0], [1.2, 2.4]]),
        "theory_x": None,
        "labels": ("theory", "measured"),
        "color": "red",
    },
    on_axes(plotting.theory_vs_measured),
    tries=200,
    accepts={name: (NAN,) for name in ("predicted", "measured", "interval")},
    named={"theory_x": ("predicted",), "x": ("measured", "predicted")},
)
add(L, "label_lines", {"ax": AX, "gap": 1.25}, on_axes(plotting.label_lines), tries=200)


def tiny_picture(slope):
    return Figure(figsize=(0.5, 0.5))


add(
    explore,
    "explore",
    {
        "draw": tiny_picture,
        "alt": "A line of slope {slope}.",
        "caption": "Move it.",
        "slope": np.array([1, 2]),
        "initial": None,
        "labels": None,
        "formats": None,
        "play": False,
        "continuous": False,
        "max_frames": 150,
        "max_bytes": 1_500_000,
        "dpi": 30,
        "quality": 65,
        "mode": "static",
    },
    lambda draw, **named: explore.explore(draw, **named),
    tries=300,
    accepts={"slope": ANYTHING, "dpi": (FRACTION,), "quality": (FRACTION,)},
)
add(explore, "Explore", {}, nothing, tries=0)
CLAIM = {
    "id": "a-claim",
    "statement": "A claim.",
    "source": "nobody",
    "measured": 0.5,
    "predicted": 0.5,
    "predicted_at_most": None,
    "predicted_at_least": None,
    "interval": None,
    "tolerance": 0.1,
    "relative": False,
    "unit": "m",
    "how": "",
    "expected_difference": None,
}
add(claims, "claim", CLAIM, accepts={"measured": (TEXT, OBJECT), "predicted": (TEXT, OBJECT)})
add(claims, "Claim", {}, nothing, tries=0)
CALLS["Claim.to_dict"] = Call(claims.claim(**CLAIM).to_dict, {}, 0)


def run_scipy(fun, x0, **named):
    """Call `scipy.optimize.minimize` with one of our methods."""

    name = named.pop("name")
    options = {key: named.pop(key) for key in ("learning_rate", "max_iter") if key in named}
    method = lib.scipy_method(name, **options)
    return method(fun, x0, **named).x


add(
    lib,
    "scipy_method",
    {
        "name": "gradient_descent",
        "learning_rate": 0.1,
        "max_iter": 3,
        "fun": WELL.value,
        "x0": START,
        "jac": WELL.gradient,
        "hess": None,
        "hessp": None,
        "callback": None,
    },
    run_scipy,
    slow={"max_iter": 50},
    named={"x0": ("x",)},
)


def clear_some_cache():
    """Call `lib.clear_cache` where there is nothing of value."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("lib._jit.__file__", f"{folder}/_jit.py"),
    ):
        return lib.clear_cache()


add(lib, "clear_cache", {}, clear_some_cache, tries=0)
