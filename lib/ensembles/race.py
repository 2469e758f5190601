"""Methods side by side: the same starts, the same goal, the same number of oracle calls."""

import inspect
import math
from dataclasses import dataclass, field

import numpy as np

from lib import _validation as check
from lib.optimizers import METHODS
from lib.problems import Problem

MEASURES = ("value", "gradient_norm")
ENTRIES = {  # what races unless somebody says otherwise; L stands for the smoothness constant
    "gradient_descent": {"learning_rate": "1/L"},
    "backtracking_gradient_descent": {
        "first_step": "1/L",
        "sufficient_decrease": 1e-4,
        "growth": 1.5,
    },
    "heavy_ball": {"learning_rate": "1/L"},
    "nesterov": {"learning_rate": "1/L"},
    "barzilai_borwein": {"first_step": "1/L"},
    "adam": {"learning_rate": (0.01, 0.1, 1.0)},
    "hessian_scaled": {"scaling": "alternating", "sigma": 1e-8},
    "newton": {"damping": True},
}


@dataclass(frozen=True, eq=False)
class Race:
    """How many oracle calls each method needed from each start.

    Attributes
    ----------
    methods : tuple of str
        Names of the methods.
    calls : ndarray, shape (methods, starts)
        Oracle calls until the goal was reached; infinite where it was not.
    values : ndarray, shape (methods, starts)
        The value at the end.
    status : ndarray of str, shape (methods, starts)
        "goal" where it was reached, else how the run ended (see `lib.optimizers.Result`).
    options : tuple of dict
        The options of each method, with the learning rate that was chosen.

    Notes
    -----
    Returned by `race`. Used in "Try it on your own function".
    """

    methods: tuple
    calls: np.ndarray
    values: np.ndarray
    status: np.ndarray
    options: tuple = field(repr=False)


def race(
    problem,
    starts,
    goal,
    measure="value",
    smoothness=1.0,
    max_evaluations=2000,
    entries=None,
):
    r"""Run several methods from the same starts until they reach a goal.

    Parameters
    ----------
    problem : Problem
        What to minimize.
    starts : array_like, shape (n, d)
        One start per row.
    goal : float or array_like, shape (n,)
        The value, or the gradient norm, to reach from each start.
    measure : str
        "value" or "gradient_norm": what the goal is about.
    smoothness : float
        What the fixed learning rates are made of, :math:`1/L`; positive.
    max_evaluations : int
        Oracle calls that each run may use: one for a value or a gradient, two for a
        Hessian-vector product.
    entries : dict, optional
        Options by method. The text "1/L" stands for that number; of a tuple of learning rates the
        one is taken that reaches the goal most often, and among equals with the fewest calls: the
        calls of the others are not counted. Default: eight methods; `Race.options` shows theirs.

    Returns
    -------
    Race
        Calls, values and how each run ended.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles, problems
    >>> bowl = problems.quadratic([[10.0, 0.0], [0.0, 1.0]])
    >>> entries = {"gradient_descent": {"learning_rate": "1/L"}, "newton": {}}
    >>> found = ensembles.race(bowl, [[1.0, 1.0]], 1e-6, smoothness=10.0, entries=entries)
    >>> found.calls.tolist()
    [[64.0], [6.0]]

    Notes
    -----
    What is compared with the goal costs a method nothing. Used in "Try it on your own
    function".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    starts = check.points(starts, problem.dimension, "starts")
    goal = check.floats(goal, "goal")
    if goal.shape not in ((), (len(starts),)) or not np.isfinite(goal).all():
        raise ValueError(f"goal must be a finite number, or one for each start; got {goal}")
    goal = np.broadcast_to(goal, len(starts))
    by_value = check.choice(measure, "measure", MEASURES) == "value"
    rate = 1.0 / check.positive(smoothness, "smoothness")
    most = check.count(max_evaluations, "max_evaluations", low=1)
    chosen = ENTRIES if entries is None else entries
    check.instance(chosen, "entries", dict, "a dictionary of options by method")
    if not chosen:
        raise ValueError("entries must name at least one method; got none")
    found = []
    for name, options in chosen.items():
        if name not in METHODS:
            raise ValueError(
                f"entries must name methods of lib.optimizers.METHODS; got {check.shown(name)}"
            )
        check.instance(options, "entries", dict, "a dictionary of options by method")
        options = {key: rate if value == "1/L" else value for key, value in options.items()}
        rates = options.get("learning_rate")
        choices = rates if isinstance(rates, tuple) else (rates,)
        tried = []
        for choice in choices:
            if choice is not None:
                options = options | {"learning_rate": choice}
            tried.append((*_runs(problem, starts, goal, by_value, name, options, most), options))
        best = min(tried, key=lambda each: (np.isinf(each[0]).sum(), np.sum(_finite(each[0]))))
        found.append(best)
    calls, values, status, options = zip(*found, strict=True)
    return Race(tuple(chosen), np.array(calls), np.array(values), np.array(status), options)


def _finite(calls):
    """Return the calls of the runs that reached the goal."""
    return calls[np.isfinite(calls)]


def _runs(problem, starts, goal, by_value, name, options, most):
    """Return calls, values and states of one method's runs."""
    method, calls, values, states = METHODS[name], [], [], []
    limits = {"max_iter": most, "max_evaluations": most}
    if "tol" in inspect.signature(method).parameters:
        limits["tol"] = 0.0
    for x0, target in zip(starts, goal, strict=True):
        try:
            run = method(
                problem,
                x0,
                callback=lambda k, x, value, size, target=target: (
                    (value if by_value else size) <= target
                ),
                **limits,
                **options,
            )
        except (TypeError, ValueError) as error:
            raise type(error)(f"starts and entries must suit {name}: {error}") from error
        reached = (run.value if by_value else run.gradient_norm) <= target
        calls.append(run.oracle_calls if reached else math.inf)
        values.append(run.value)
        states.append("goal" if reached else run.status)
    return np.array(calls, float), np.array(values), np.array(states)
