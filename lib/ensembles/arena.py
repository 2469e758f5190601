"""One arena: a common set of problems, and all methods on it with the same number of calls."""

import inspect
import math
from dataclasses import dataclass, field, replace

import numpy as np

from lib import _validation as check
from lib import problems as p
from lib._jit import Slot, kernel
from lib._random import stream
from lib.optimizers import METHODS, newton
from lib.optimizers._drive import COUNTERS, N_SAMPLE, N_SAMPLE_HVP, QUIET, spent
from lib.optimizers._method import _stamped, kernels, settings
from lib.optimizers._steps import BUDGET, CONVERGED, REWIND
from lib.problems import Problem
from lib.problems._indirect import indirect, single_sample

value = Slot("value")
inner = Slot("inner")

FAMILIES = ("convex", "valleys", "saddles", "unbounded", "data")
RATES = tuple(10.0 ** (k / 2) for k in range(-8, 3))
RATE = {"learning_rate": RATES}
FIRST = {"first_step": RATES}
BATCH = RATE | {"batch_size": "batch"}
ENTRANTS = {
    "gradient_descent": RATE,
    "heavy_ball": RATE,
    "nesterov": RATE,
    "barzilai_borwein": FIRST,
    "backtracking_gradient_descent": FIRST | {"sufficient_decrease": 1e-4, "growth": 1.5},
    "coordinate_descent": RATE | {"order": "greedy"},
    "proximal_point": RATE | {"inner_tol": 1e-3, "max_inner": 100},
    "clipped_gradient_descent": RATE,
    "adaptive_gradient_descent": {},
    "perturbed_gradient_descent": RATE,
    "hessian_scaled": {"scaling": "alternating", "sigma": 1e-8},
    "newton": {"damping": True},
    "approximate_newton": {"damping": True},
    "sgd": BATCH,
    "restarted_sgd": BATCH | {"noise": 0.01},
    "stochastic_hessian_scaled": {"batch_size": "batch"},
    "momentum_sgd": BATCH,
    "nesterov_sgd": BATCH,
    "adagrad": BATCH,
    "rmsprop": BATCH,
    "adam": BATCH,
    "amsgrad": BATCH,
    "adamax": BATCH,
    "nadam": BATCH,
}
NEEDS = {  # what a method asks of a problem, beyond value, gradient and Hessian-vector product
    "adaptive_gradient_descent": lambda problem: problem.rho1_kernel is not None,
    "approximate_newton": lambda problem: (
        hasattr(problem.data, "rows") and hasattr(problem.data, "parts")
    ),
}
RADIUS = 1e8  # how far a run may go
TUNINGS = ("default", "one for all", "each problem")
ACCURACIES = tuple(10.0**-k for k in range(1, 9))


@dataclass(frozen=True, eq=False)
class Challenge:
    """One problem of an arena, with its starts.

    Attributes
    ----------
    name, family : str
        What to call it, and the kind of difficulty that it stands for.
    problem : Problem
        What to minimize.
    starts : array_like, shape (n, d)
        One start per row.
    lowest : float
        The lowest value known.
    batch_size : int
        Samples in a mini-batch, where the problem is a mean over samples; 1 where a mini-batch
        is the whole of it.

    Raises
    ------
    TypeError, ValueError
        If one of them has the wrong type, shape or range; the message names it.

    Notes
    -----
    Returned by `arena`. Used in "Which method when".
    """

    name: str
    family: str
    problem: Problem
    starts: np.ndarray = field(repr=False)
    lowest: float
    batch_size: int = 1

    def __post_init__(self):
        """Check everything, once."""
        problem = self.problem
        check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
        for word in ("name", "family"):
            check.instance(getattr(self, word), word, str, "a text")
        starts = check.points(self.starts, problem.dimension, "starts")
        heights = _heights(problem, starts)
        if not np.isfinite(heights).all() or np.abs(starts).max() > RADIUS:
            raise ValueError(f"starts must lie where the value is finite, within {RADIUS:g}")
        most = max(1, problem.n_samples)
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "lowest", check.number(self.lowest, "lowest"))
        check.integer(self.batch_size, "batch_size", low=1, high=most)


@dataclass(frozen=True, eq=False)
class Tournament:
    """How many calls each method needed for each run, accuracy and setting.

    Attributes
    ----------
    methods : tuple of str
        Names of the methods.
    names, families : ndarray of str, shape (runs,)
        Problem and family of each run; a run is one start of one problem.
    accuracies : ndarray, shape (accuracies,)
        The accuracies that were asked for.
    applicable : ndarray of bool, shape (methods, runs)
        False where the problem lacks what the method needs.
    settings : tuple of tuple of dict
        For each method its settings, the first with the library's default.
    table : tuple of ndarray, each of shape (settings, runs, accuracies)
        Calls, infinite where the accuracy was not reached.

    Notes
    -----
    Returned by `tournament`. Used in "Which method when".
    """

    methods: tuple
    names: np.ndarray = field(repr=False)
    families: np.ndarray = field(repr=False)
    accuracies: np.ndarray
    applicable: np.ndarray = field(repr=False)
    settings: tuple = field(repr=False)
    table: tuple = field(repr=False)

    def calls(self, accuracy, tuning="each problem"):
        """Return the calls that each method needed for each run.

        Parameters
        ----------
        accuracy : float
            One of `accuracies`.
        tuning : str
            Which setting counts: the library's "default"; the "one for all" problems that solves
            most runs, and among equals with the fewest calls; or so chosen for "each problem".
            The calls of the settings that are not chosen are not counted.

        Returns
        -------
        ndarray, shape (methods, runs)
            The calls, infinite where the accuracy was not reached.

        Raises
        ------
        TypeError, ValueError
            If there is no such accuracy or tuning.
        """
        chosen = self.chosen(accuracy, tuning)
        j = self._index(accuracy)
        runs = np.arange(len(self.names))
        return np.array(
            [table[row, runs, j] for table, row in zip(self.table, chosen, strict=True)]
        )

    def chosen(self, accuracy, tuning="each problem"):
        """Return which setting counts for each method and run, an index into `settings`.

        Parameters
        ----------
        accuracy, tuning
            As for `calls`.

        Returns
        -------
        ndarray of int, shape (methods, runs)
            The index.

        Raises
        ------
        TypeError, ValueError
            If there is no such accuracy or tuning.
        """
        j = self._index(accuracy)
        check.choice(tuning, "tuning", TUNINGS)
        out = np.zeros((len(self.methods), len(self.names)), dtype=np.int64)
        if tuning == "default":
            return out
        groups = [np.ones(len(self.names), dtype=bool)]
        if tuning == "each problem":
            groups = [self.names == name for name in dict.fromkeys(self.names.tolist())]
        for row, table in zip(out, self.table, strict=True):
            for group in groups:
                costs = table[:, group, j]
                solved = np.isfinite(costs)
                total = np.where(solved, costs, 0.0).sum(axis=1)
                row[group] = np.lexsort((total, -solved.sum(axis=1)))[0]
        return out

    def summary(self, accuracy, tuning="each problem"):
        """Return a table: for each method and family the share solved and the median of the calls.

        Parameters
        ----------
        accuracy, tuning
            As for `calls`.

        Returns
        -------
        str
            A line for each method, the one that solves most first; the first column is for all
            runs. A dash stands for an infinite median.

        Raises
        ------
        TypeError, ValueError
            If there is no such accuracy or tuning.
        """
        calls = self.calls(accuracy, tuning)
        solved = np.isfinite(calls).mean(axis=1)
        families = list(dict.fromkeys(self.families.tolist()))
        lines = [" " * 29 + "".join(f"{head:>10}" for head in ["all", *families])]
        for i in np.lexsort((np.arange(len(solved)), -solved)):
            parts = [calls[i]] + [calls[i, self.families == family] for family in families]
            texts = (f"{np.isfinite(part).mean():5.2f}{np.median(part):5.0f}" for part in parts)
            lines.append(f"{self.methods[i]:29}" + "".join(texts).replace("  inf", "    -"))
        return "\n".join(lines)

    def _index(self, accuracy):
        wanted = check.positive(accuracy, "accuracy")
        near = np.isclose(self.accuracies, wanted, rtol=1e-9, atol=0.0)
        if not near.any():
            raise ValueError(f"accuracy must be one of {self.accuracies.tolist()}; got {wanted:g}")
        return int(np.argmax(near))


def _heights(problem, starts):
    """Return the values at the starts, by the kernel that is compiled anyway."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array([problem.value_kernel(x, problem.parameters) for x in starts])


def arena(n_starts=4, seed=0):
    """Return a common set of problems: five families of difficulties, four problems each.

    Parameters
    ----------
    n_starts : int
        Starts of each problem, at least 1, drawn at random near what makes it hard.
    seed : int
        Seed of data and starts.

    Returns
    -------
    tuple of Challenge
        The problems, family by family.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> challenges = ensembles.arena(n_starts=2)
    >>> len(challenges), challenges[4].name, challenges[4].starts.shape
    (20, "Rosenbrock's valley", (2, 2))

    Notes
    -----
    Where the lowest value is not known by a formula, it is that of Newton's method with damping,
    the best over all starts. Used in "Which method when".
    """
    count = check.size(n_starts, "n_starts", each=16)
    seed = check.integer(seed, "seed", low=0)
    rng = np.random.default_rng(seed)

    def normal(d, size=1.0, center=0.0):
        return center + size * rng.standard_normal((count, d))

    def box(d, reach):
        return rng.uniform(-reach, reach, (count, d))

    turn = np.linalg.qr(rng.standard_normal((10, 10)))[0]
    bowls = {k: np.geomspace(1.0, k, 10) for k in (10.0, 1000.0)}
    matrix = np.diag([3.0, 2.5, 2.0, 1.0, 1.0])
    classes = p.datasets.logistic_data(150, 5, scale_exponent=1.0, seed=1 + seed)
    rows = rng.standard_normal((45, 3))
    labels = np.argmax(rows @ rng.standard_normal((3, 3)) + rng.gumbel(size=(45, 3)), axis=1)
    layers = p.two_layer_data(8, 3, 4, norms=(2.0, 4.0, 1.0), seed=1 + seed)
    inputs = np.linspace(-1.0, 1.0, 12)
    phases = p.phase_retrieval(5)
    saddle = next(each.x for each in phases.critical_points if each.kind == "strict saddle")
    found = (
        ("round bowl", 0, p.quadratic((turn * bowls[10.0]) @ turn.T), normal(10)),
        ("long bowl, turned", 0, p.quadratic((turn * bowls[1000.0]) @ turn.T), normal(10)),
        ("long bowl, straight", 0, p.quadratic(np.diag(bowls[1000.0])), normal(10)),
        ("hyperbola", 0, p.hyperbola(5), normal(5, 3.0)),
        ("Rosenbrock's valley", 1, p.rosenbrock(), normal(2, 0.1, np.array([-1.2, 1.0]))),
        ("chain of five valleys", 1, p.rosenbrock(6), box(6, 1.5)),
        ("Himmelblau's valleys", 1, p.himmelblau(), box(2, 5.0)),
        ("product valley", 1, p.product_valley(), normal(2, 3.0)),
        (
            "double well",
            2,
            p.double_well(0.6),
            normal(2, 1e-4, 1.3 * np.array([math.cos(0.6), math.sin(0.6)])),
        ),
        ("ladder of saddles", 2, p.saddle_ladder(3), normal(3, 1e-2)),
        (
            "principal component",
            2,
            p.matrix_pca(matrix),
            normal(5, 1e-3, np.sqrt(2.5) * np.eye(5)[1]),
        ),
        ("no phase at all", 2, phases, normal(5, 1e-3, saddle)),
        ("quartic", 3, p.quartic(5), normal(5, 5.0)),
        ("exponential growth", 3, p.exponential_growth(), box(1, 1.0) + 8.0),
        ("far from two wells", 3, p.double_well(), normal(2, 10.0)),
        ("phase retrieval", 3, phases, normal(5, 3.0)),
        ("logistic regression", 4, p.logistic_regression(*classes), normal(5, 0.1)),
        ("softmax regression", 4, p.softmax_regression(rows, labels), normal(6)),
        ("two-layer regression", 4, p.two_layer_regression(*layers, weights=0.5), normal(3, 2.0)),
        (
            "ReLU network",
            4,
            p.relu_network((1, 5, 1), inputs, np.abs(inputs)),
            p.initialize((1, 5, 1), count, seed=1 + seed),
        ),
    )
    return tuple(_challenge(name, FAMILIES[k], *rest) for name, k, *rest in found)


def _challenge(name, family, problem, starts):
    batch = 1
    if family == "data" and problem.n_samples:
        batch = max(1, problem.n_samples // 4)
    lowest = problem.constants.get("infimum")
    if name == "ReLU network":
        lowest = 0.0  # two neurons make the absolute value
    if lowest is None:
        near = indirect(problem)
        lowest = min(newton(near, x, damping=True, tol=1e-12).value for x in starts)
    return Challenge(name, family, problem, starts, lowest, batch)


def tournament(challenges, entrants=None, accuracies=ACCURACIES, max_evaluations=500, seed=0):
    r"""Let methods minimize the problems of an arena, with the same number of calls each.

    A run has reached accuracy :math:`\tau` at the first iterate with
    :math:`f(x_k)\le f_*+\tau\,(f(x_0)-f_*)`, for the lowest value known, :math:`f_*`.

    Parameters
    ----------
    challenges : sequence of Challenge
        The problems, such as `arena` returns.
    entrants : dict, optional
        Options by method. Of at most one option a tuple may be given, the settings to try: they
        all run, after the library's default. The text "batch" stands for the problem's batch size.
        Default: every method of `lib.optimizers.METHODS`; `Tournament.settings` shows how.
    accuracies : array_like, shape (k,)
        The accuracies :math:`\tau`, above 0 and below 1.
    max_evaluations : int
        Calls that a run may use: one for a value or a gradient, two for a Hessian-vector product,
        and their share of the samples where only these are evaluated. A Hessian costs d products.
    seed : int
        Seed of the first start's stochastic methods; the next starts have the next seeds.

    Returns
    -------
    Tournament
        The calls.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> two = {"gradient_descent": {"learning_rate": (0.01, 0.1)}, "newton": {"damping": True}}
    >>> found = ensembles.tournament(ensembles.arena(2)[:1], two, [1e-6])
    >>> found.calls(1e-6).shape, found.settings[1]
    ((2, 2), ({'damping': True},))

    Notes
    -----
    What is compared with the goal costs a method nothing. Where a problem is no mean over samples,
    a mini-batch is the whole of it. All methods with kernels run on shared ones, so that each is
    compiled once. Used in "Which method when".
    """
    challenges = check.sequence(challenges, "challenges", "challenges", 1000)
    for each in challenges:
        check.instance(each, "challenges", Challenge, "challenges (see lib.ensembles.arena)")
    entrants = ENTRANTS if entrants is None else entrants
    check.instance(entrants, "entrants", dict, "a dictionary of options by method")
    if not challenges or not entrants:
        raise ValueError("challenges and entrants must not be empty")
    goals = check.vector(accuracies, "accuracies")
    if not ((goals > 0.0) & (goals < 1.0)).all():
        raise ValueError(f"accuracies must be above 0 and below 1; got {check.shown(accuracies)}")
    budget = check.count(max_evaluations, "max_evaluations", low=1)
    first = check.integer(seed, "seed", low=0)
    ready = [_ready(each) for each in challenges]
    settings_of = {name: _settings(name, options) for name, options in entrants.items()}
    tables, applicable = [], []
    for name, choices in settings_of.items():
        runs = [
            _runs(name, choices, *pair, goals, budget, first)
            for pair in zip(challenges, ready, strict=True)
        ]
        tables.append(np.concatenate([calls for calls, _ in runs], axis=1))
        applicable.append(np.concatenate([fits for _, fits in runs]))
    counts = [len(each.starts) for each in challenges]
    return Tournament(
        methods=tuple(entrants),
        names=np.repeat([each.name for each in challenges], counts),
        families=np.repeat([each.family for each in challenges], counts),
        accuracies=goals,
        applicable=np.array(applicable),
        settings=tuple(settings_of.values()),
        table=tuple(tables),
    )


def _settings(name, options):
    """Return all settings of a method, the library's default first."""
    if name not in METHODS:
        raise ValueError(
            f"entrants must name methods of lib.optimizers.METHODS; got {check.shown(name)}"
        )
    check.instance(options, "entrants", dict, "a dictionary of options by method")
    known = inspect.signature(METHODS[name].plan).parameters
    for key in options:
        if key not in known or key == "problem":
            raise ValueError(f"entrants must hold options of {name}; got {check.shown(key)}")
    tried = [key for key, given in options.items() if isinstance(given, tuple)]
    if len(tried) > 1:
        raise ValueError(f"entrants must vary one option of {name} at most; got {tried}")
    if not tried:
        return (dict(options),)
    (key,) = tried
    return tuple(options | {key: each} for each in (known[key].default, *options[key]))


def _ready(challenge):
    """Return the problem with shared kernels, a mean over samples in any case."""
    problem = challenge.problem
    if challenge.batch_size == 1:
        problem = single_sample(problem)
    return indirect(problem)


def _runs(name, choices, challenge, problem, goals, budget, seed):
    """Return calls (settings, starts, goals), and for which starts the method fits."""
    starts = challenge.starts
    calls = np.full((len(choices), len(starts), goals.size), np.inf)
    fits = np.full(len(starts), NEEDS.get(name, lambda problem: True)(problem))
    if not fits.all():
        return calls, fits
    heights = _heights(challenge.problem, starts)
    for row, options in zip(calls, choices, strict=True):
        options = {
            key: challenge.batch_size if given == "batch" else given
            for key, given in options.items()
        }
        for i, (x0, height) in enumerate(zip(starts, heights, strict=True)):
            if "seed" in inspect.signature(METHODS[name].plan).parameters:
                options["seed"] = seed + i
            levels = challenge.lowest + goals * (height - challenge.lowest)
            row[i] = _calls(name, problem, x0, options, levels, budget, challenge.batch_size)
    return calls, fits


def _calls(name, problem, x0, options, levels, budget, batch_size):
    """Return after how many calls one run is first at or below each level."""
    try:
        plan = METHODS[name].plan(problem, **options)
    except (TypeError, ValueError) as error:
        raise type(error)(f"entrants and challenges must suit {name}: {error}") from error
    n = problem.n_samples
    if "rows" in plan.trace:  # Newton's method with a Hessian of few rows, in Python
        n = problem.data.rows.shape[0]
        plan.advance = _count_rows(plan.advance, plan.trace.index("rows"))
    found = np.full(levels.size, np.inf)
    bound = {
        "value": problem.value_kernel,
        "gradient": problem.gradient_kernel,
        "hvp": problem.hvp_kernel,
        **plan.slots,
    }
    watched = replace(
        plan,
        options=(*plan.options, *levels, *found, n, budget, levels.size),
        stop=_watch,
        slots={**plan.slots, "inner": _stamped(plan.stop, bound)},
    )
    most = budget * -(-n // batch_size) + 1
    o = np.array(watched.options, dtype=np.float64)
    w = settings(watched, most, None, most)
    w[QUIET] = 1
    dimension = x0.size
    rows = 4
    kernels(problem, watched)(
        x0.copy(),
        np.zeros(dimension),
        np.zeros(dimension),
        np.full(2, np.nan),
        problem.parameters,
        o,
        np.zeros((plan.vectors, dimension)),
        np.array(plan.scalars, dtype=np.float64),
        np.zeros(plan.integers, dtype=np.int64),
        np.zeros(4, dtype=np.int64) if plan.seed is None else stream(plan.seed),
        np.zeros(COUNTERS, dtype=np.int64),
        w,
        0.0,
        RADIUS,
        np.empty((rows, 3 + len(plan.trace))),
        np.empty((rows, dimension)),
    )
    return o[o.size - 3 - levels.size : o.size - 3]


def _count_rows(advance, place):
    """Let a step in Python count the rows that its Hessian is made of, d products for each."""

    def counted(*arguments):
        answer = advance(*arguments)
        x, s, c = arguments[1], arguments[9], arguments[13]
        c[N_SAMPLE_HVP] += int(x.size * s[place])
        return answer

    return counted


# The options of a method are followed by the levels to reach, after how many calls each of them was
# reached, the number of samples, the budget and the number of levels.


def _watch(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    """Note which levels are reached, and stop at the last of them or at the end of the budget."""
    samples = c[N_SAMPLE] + 2.0 * c[N_SAMPLE_HVP]
    used = spent(c) + samples / o[o.size - 3]
    level = f if f == f else value(x, p)
    if note(level, used, o):
        return CONVERGED, f
    if used >= o[o.size - 2]:
        return BUDGET, f
    code, known = inner(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c)
    if code == REWIND:
        note(value(ahead, p), used, o)
    return code, known


@kernel
def note(level, used, o):
    """Write down the levels that are reached now for the first time; tell whether all are."""
    count = int(o[o.size - 1])
    last = o.size - 3
    if used <= o[o.size - 2]:
        for j in range(count):
            if level <= o[last - 2 * count + j] and o[last - count + j] == math.inf:
                o[last - count + j] = used
    for j in range(count):
        if o[last - count + j] == math.inf:
            return False
    return True
