"""Stochastic methods against PyTorch and plain NumPy loops; mini-batches, zeros, counters."""

import importlib.util
import inspect
import json
from pathlib import Path

import numpy as np
import pytest

from lib import problems
from lib._jit import cos, kernel, sin
from lib._random import stream
from lib.ensembles import frozen_parameters, run_many
from lib.optimizers import _updates, stochastic
from lib.optimizers._batches import with_replacement, without_replacement
from lib.optimizers.schedules import Schedule
from lib.problems import Problem

HERE = Path(__file__)
REFERENCE = json.loads(HERE.with_name("torch_reference.json").read_text())
START = REFERENCE["start"]
STEPS = REFERENCE["steps"]
WELL = problems.double_well()

NINE = {
    name: getattr(stochastic, name)
    for name in (
        "sgd",
        "momentum_sgd",
        "nesterov_sgd",
        "adagrad",
        "rmsprop",
        "adam",
        "adamax",
        "amsgrad",
        "nadam",
    )
}


def reference_script():
    """Import the script beside this file."""
    where = HERE.with_name("torch_reference.py")
    spec = importlib.util.spec_from_file_location("torch_reference", where)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# A problem whose gradient changes from step to step: p[0] counts how often it was evaluated. Its
# fourth component is always zero.


@kernel
def no_value(x, p):
    return 0.0


@kernel
def moving_gradient(x, p, out):
    k = p[0]
    out[0] = x[0] + 0.5 * cos(0.7 * k)
    out[1] = x[1] * x[1] * x[1] - x[1] + 0.3 * sin(1.3 * k)
    out[2] = 10.0 * sin(x[2]) + 5.0 * cos(2.1 * k)
    out[3] = 0.0
    out[4] = x[4] - 1.0 if k % 50.0 == 20.0 else 0.0
    out[5] = 1e-6 * x[5] * (1.5 + sin(0.2 * k))
    p[0] += 1.0


def moving():
    return Problem("moving", 6, no_value, moving_gradient, None, np.zeros(1))


def plain_gradient(x, k):
    problem = moving()
    problem.parameters[0] = k
    return problem.gradient(x)


def translated(name, options):
    """Return PyTorch's options in the words of lib."""
    kept = {("learning_rate" if key == "lr" else key): value for key, value in options.items()}
    kept.pop("amsgrad", None)
    return {**kept, "decoupled_weight_decay": True} if name == "AdamW" else kept


@pytest.mark.parametrize(
    "case", REFERENCE["cases"], ids=lambda case: "-".join([case["method"], *case["options"]])
)
def test_equals_pytorch(case):
    options = translated(case["torch"], case["options"])
    run = NINE[case["method"]](moving(), START, max_iter=max(STEPS), **options)
    np.testing.assert_allclose(run.path[STEPS], case["x"], rtol=1e-10, atol=1e-13)


def test_the_file_holds_what_pytorch_computes():
    torch = pytest.importorskip("torch")
    script = reference_script()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        for (method, name, options), case in zip(script.CASES, REFERENCE["cases"], strict=True):
            found = script.trajectory(torch, name, script.options_of(method, options), STEPS)
            np.testing.assert_allclose(found, case["x"], rtol=1e-10, atol=1e-13)
    finally:
        torch.set_default_dtype(before)


def test_the_file_has_the_problem_of_this_test():
    script = reference_script()
    for k in (0, 20, 333):
        found = plain_gradient(START, k)
        np.testing.assert_allclose(script.gradient(START, k), found, rtol=1e-14)
    assert script.START == START and list(script.STEPS) == STEPS
    assert {case["method"] for case in REFERENCE["cases"]} == set(NINE)


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        ("sgd", {"learning_rate": 1e-3}),
        ("momentum_sgd", {"learning_rate": 1e-3, "dampening": 0.0, "nesterov": False}),
        ("nesterov_sgd", {"learning_rate": 1e-3}),
        (
            "adagrad",
            {
                "learning_rate": 1e-2,
                "lr_decay": 0.0,
                "initial_accumulator_value": 0.0,
                "eps": 1e-10,
            },
        ),
        (
            "rmsprop",
            {"learning_rate": 1e-2, "alpha": 0.99, "eps": 1e-8, "centered": False, "momentum": 0.0},
        ),
        ("adam", {"learning_rate": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}),
        ("amsgrad", {"learning_rate": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}),
        ("adamax", {"learning_rate": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8}),
        (
            "nadam",
            {"learning_rate": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "momentum_decay": 4e-3},
        ),
    ],
)
def test_defaults_are_those_of_pytorch(name, defaults):
    found = {
        key: parameter.default
        for key, parameter in inspect.signature(NINE[name]).parameters.items()
    }
    assert {key: found[key] for key in defaults} == defaults
    assert (found["weight_decay"], found["batch_size"], found["tol"]) == (0.0, None, 0.0)


# The nine methods on whole vectors, from PyTorch's documentation and from the theory's formulas.


def plain_momentum(paper, slope, x, rates, decay, momentum, dampening=0.0, nesterov=False):
    m = 0 * x
    for n, rate in enumerate(rates, 1):
        if paper:
            g = slope(x - rate * momentum * m) if nesterov else slope(x)
            m = momentum * m + (1 - momentum) * g
            step = m
        else:
            g = slope(x)
            m = g if n == 1 else momentum * m + (1 - dampening) * g
            step = g + momentum * m if nesterov else m
        x = decay(x, rate) - rate * step
    return x


def plain_adagrad(paper, slope, x, rates, decay, lr_decay, initial, eps):
    total = initial
    for n, rate in enumerate(rates, 1):
        g = slope(x)
        total = total + g**2
        scaled = rate / (1 + (n - 1) * lr_decay)
        x = decay(x, rate) - scaled * g / (eps + np.sqrt(total))
    return x


def plain_rmsprop(paper, slope, x, rates, decay, alpha, eps, centered, momentum):
    square, mean, buffer = 0 * x, 0 * x, 0 * x
    for rate in rates:
        g = slope(x)
        square = alpha * square + (1 - alpha) * g**2
        mean = alpha * mean + (1 - alpha) * g
        spread = np.maximum(square - mean**2, 0) if centered else square
        buffer = momentum * buffer
        buffer = buffer + g / (np.sqrt(eps + spread) if paper else np.sqrt(spread) + eps)
        x = decay(x, rate) - rate * buffer
    return x


def plain_adam(paper, slope, x, rates, decay, betas, eps, amsgrad=False):
    a, b = betas
    m, v, largest = 0 * x, 0 * x, 0 * x
    for n, rate in enumerate(rates, 1):
        g = slope(x)
        m, v = a * m + (1 - a) * g, b * v + (1 - b) * g**2
        largest = np.maximum(largest, v)
        root = np.sqrt((largest if amsgrad else v) / (1 - b**n))
        x = decay(x, rate) - rate * m / (1 - a**n) / (eps + root)
    return x


def plain_adamax(paper, slope, x, rates, decay, betas, eps):
    a, b = betas
    m, u = 0 * x, 0 * x
    for n, rate in enumerate(rates, 1):
        g = slope(x)
        m = a * m + (1 - a) * g
        u = np.maximum(b * u, abs(g) + (0 if paper else eps))
        x = decay(x, rate) - rate / (1 - a**n) * m / (u + (eps if paper else 0))
    return x


def plain_nadam(paper, slope, x, rates, decay, betas, eps, momentum_decay):
    a, b = betas
    m, v = 0 * x, 0 * x
    for n, rate in enumerate(rates, 1):
        g = slope(x)
        m, v = a * m + (1 - a) * g, b * v + (1 - b) * g**2
        if paper:
            ahead = a * m / (1 - a ** (n + 1)) + (1 - a) * g / (1 - a**n)
        else:
            mu = [a * (1 - 0.5 * 0.96 ** (i * momentum_decay)) for i in range(1, n + 2)]
            ahead = mu[n] * m / (1 - np.prod(mu)) + (1 - mu[-2]) * g / (1 - np.prod(mu[:-1]))
        x = decay(x, rate) - rate * ahead / (eps + np.sqrt(v / (1 - b**n)))
    return x


def plain_sgd(paper, slope, x, rates, decay):
    for rate in rates:
        x = decay(x, rate) - rate * slope(x)
    return x


ADAM = {"betas": (0.85, 0.97), "eps": 1e-3}
PLAIN = {
    "sgd": (plain_sgd, {}, {}),
    "momentum_sgd": (plain_momentum, {"momentum": 0.8}, {}),
    "nesterov_sgd": (plain_momentum, {"momentum": 0.7}, {"nesterov": True}),
    "adagrad": (
        plain_adagrad,
        {"lr_decay": 0.01, "initial_accumulator_value": 0.2, "eps": 1e-3},
        {},
    ),
    "rmsprop": (
        plain_rmsprop,
        {"alpha": 0.9, "eps": 1e-2, "centered": True, "momentum": 0.5},
        {},
    ),
    "adam": (plain_adam, ADAM, {}),
    "amsgrad": (plain_adam, ADAM, {"amsgrad": True}),
    "adamax": (plain_adamax, ADAM, {}),
    "nadam": (plain_nadam, {**ADAM, "momentum_decay": 0.01}, {}),
}


def plain_run(name, convention, slope, x, rates, weight_decay=0.0, decoupled=False):
    """Run a method's plain loop; `slope` is called once a step."""
    loop, options, further = PLAIN[name]
    options = {key.removesuffix("_accumulator_value"): options[key] for key in options} | further

    def decayed_slope(x):
        return slope(x) + (0.0 if decoupled else weight_decay) * x

    def decay(x, rate):
        return (1 - rate * weight_decay) * x if decoupled else x

    x = np.array(x, dtype=float)
    return loop(convention == "paper", decayed_slope, x, rates, decay, **options)


def counted(first):
    """Return the moving gradient as a function of x alone, beginning with step `first`."""
    numbers = iter(range(first, 10**6))
    return lambda x: plain_gradient(x, next(numbers))


@pytest.mark.parametrize("decay", [(0.0, False), (0.05, False), (0.05, True)])
@pytest.mark.parametrize("convention", ["pytorch", "paper"])
@pytest.mark.parametrize("name", NINE)
def test_equals_the_plain_loop(name, convention, decay):
    schedule = Schedule.warmup(10, then=Schedule.inverse_time(50))
    rates = [schedule(0.03, k) for k in range(200)]
    # Recording the start takes the first of the moving gradients, and only the method that looks
    # ahead cannot use it.
    first = int(name == "nesterov_sgd" and convention == "paper")
    wanted = plain_run(name, convention, counted(first), START, rates, *decay)
    run = NINE[name](
        moving(),
        START,
        learning_rate=0.03,
        max_iter=200,
        record_every=200,
        schedule=schedule,
        weight_decay=decay[0],
        decoupled_weight_decay=decay[1],
        convention=convention,
        **PLAIN[name][1],
    )
    np.testing.assert_allclose(run.x, wanted, rtol=1e-10, atol=1e-13)
    assert abs(run.x - START).max() > 0.01
    assert run.trace["learning_rate"][-1] == rates[-1] and np.isnan(run.trace["learning_rate"][0])


def test_conventions_differ_where_they_should():
    for name in NINE:
        ends = [
            NINE[name](moving(), START, convention=convention, max_iter=50, record_every=50).x
            for convention in ("pytorch", "paper")
        ]
        same = np.array_equal(*ends)
        assert same == (name in {"sgd", "adagrad", "adam", "amsgrad"}), name


def test_means_and_sums_of_gradients_differ_by_a_factor():
    """The first step of the theory's momentum is PyTorch's at a tenth of the rate."""
    mean = stochastic.momentum_sgd(moving(), START, 0.1, 0.9, convention="paper", max_iter=1)
    total = stochastic.momentum_sgd(moving(), START, 0.01, 0.9, max_iter=1)
    np.testing.assert_allclose(mean.x, total.x, rtol=1e-14)


@pytest.mark.parametrize("convention", ["pytorch", "paper"])
@pytest.mark.parametrize("name", NINE)
def test_a_component_without_gradient_never_moves(name, convention):
    run = NINE[name](moving(), START, 0.05, max_iter=1000, convention=convention)
    moved = abs(run.path - START).max(axis=0)
    assert moved[3] == 0.0
    assert (moved[[0, 1, 2, 5]] > 0.0).all()
    assert (run.path[:20, 4] == START[4]).all()


@pytest.mark.parametrize("convention", ["pytorch", "paper"])
@pytest.mark.parametrize("name", NINE)
def test_dead_neurons_stay_dead(name, convention):
    """On a network with mini-batches; the steps are made here, which compiles nothing anew."""
    x = np.linspace(-1, 1, 11)
    network = problems.relu_network((1, 8, 1), x, np.sin(3 * x))
    theta = problems.initialize((1, 8, 1), seed=0)[0]
    frozen = frozen_parameters(network, theta)
    assert 6 <= frozen.sum() <= 12
    plan = NINE[name].plan(problem=network, learning_rate=0.02, convention=convention)
    rng, end = np.random.default_rng(2), theta.copy()
    state, s = np.zeros((plan.vectors - 1, theta.size)), np.array([0.02, 1.0])
    for t in range(1, 101):
        ahead = end - s[_updates.RATE] * plan.options[_updates.LEAD] * state[:1].sum(axis=0)
        g = network.batch_gradient(ahead, rng.integers(11, size=5))
        plan.slots["update"](end, g, state, s, np.array(plan.options), t)
    np.testing.assert_array_equal(end[frozen], theta[frozen])
    assert np.median(abs(end - theta)[~frozen]) > 0.01
    assert frozen[frozen_parameters(network, end)].sum() >= frozen.sum()


@pytest.mark.parametrize(
    ("name", "convention", "decay", "stays"),
    [
        ("sgd", "pytorch", {"weight_decay": 0.1}, False),
        ("adam", "pytorch", {"weight_decay": 0.1, "decoupled_weight_decay": True}, False),
        ("adam", "pytorch", {"weight_decay": 0.0, "decoupled_weight_decay": True}, True),
    ],
)
def test_weight_decay_moves_it(name, convention, decay, stays):
    run = NINE[name](moving(), START, 0.05, max_iter=10, convention=convention, **decay)
    assert (run.x[3] == START[3]) == stays
    if not stays:
        assert run.x[3] == pytest.approx(START[3] * (1 - 0.05 * 0.1) ** 10, rel=1e-13)


@pytest.mark.parametrize(
    ("name", "rate", "decoupled", "all_stay"),
    [
        ("sgd", 0.01, False, True),
        ("momentum_sgd", 0.01, False, True),
        ("adam", 0.01, True, True),
        ("adam", 0.01, False, False),
        ("sgd", 150.0, False, False),  # rate times weight decay above 1 turns them around
    ],
)
def test_which_weight_decay_revives_dead_neurons(name, rate, decoupled, all_stay):
    """On [-1, 1] a neuron is dead where |w| + b <= 0; its weight and bias only decay."""
    theta = problems.initialize((1, 400), seed=1)[0].reshape(2, 400)
    x = theta[:, abs(theta[0]) + theta[1] <= 0].ravel()
    assert x.size > 150
    options = {"weight_decay": 0.01, "decoupled_weight_decay": decoupled}
    plan = NINE[name].plan(problem=WELL, learning_rate=rate, **options)
    o, state, s = np.array(plan.options), np.zeros((plan.vectors - 1, x.size)), np.ones(2)
    s[_updates.RATE] = rate
    dead = np.ones(x.size // 2, dtype=bool)
    for t in range(1, 501):
        g = np.zeros(x.size)
        _updates.couple(x, g, o)
        _updates.shrink(x, s, o)
        plan.slots["update"](x, g, state, s, o, t)
        w, b = x.reshape(2, -1)
        dead &= abs(w) + b <= 0
    assert dead.all() == all_stay and (all_stay or dead.mean() < 0.9)


@pytest.mark.parametrize("convention", ["pytorch", "paper"])
@pytest.mark.parametrize("name", ["adagrad", "rmsprop", "adam", "amsgrad", "adamax", "nadam"])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_without_eps_it_is_zero_divided_by_zero(name, convention):
    run = NINE[name](moving(), START, eps=0.0, convention=convention, max_iter=10)
    assert (run.status, run.n_iter) == ("diverged", 0)
    np.testing.assert_array_equal(run.x, START)


def test_a_dying_component_coasts():
    """After its last gradient, momentum m carries a parameter by rate * m * momentum/(1-momentum).

    The mass m here is that of PyTorch's sum; 9 times the rate times m at momentum 0.9.
    """
    numbers = np.zeros((1, 6))
    o = np.zeros(_updates.SHARED + 5)
    o[_updates.SHARED :] = 0.9, 1.0, 1.0, 0.0, 1.0
    x, s, zero = np.zeros(6), np.array([0.01, 1.0]), np.zeros(6)
    _updates.momentum(x, np.full(6, 2.0), numbers, s, o, 1)
    begin = x.copy()
    for t in range(2, 500):
        _updates.momentum(x, zero, numbers, s, o, t)
    np.testing.assert_allclose(x - begin, -9 * 0.01 * 2.0, rtol=1e-12)


# Mini-batches: half the mean of squares of a_i x - y_i; a column of A is zero.


@kernel
def squares_value(x, p):
    n, d = int(p[0]), x.size
    total = 0.0
    for i in range(n):
        z = -p[1 + n * d + i]
        for j in range(d):
            z += p[1 + i * d + j] * x[j]
        total += 0.5 * z * z / n
    return total


@kernel
def squares_batch_gradient(x, p, batch, out):
    n, d = int(p[0]), x.size
    for j in range(d):
        out[j] = 0.0
    for b in range(batch.size):
        i = batch[b]
        z = -p[1 + n * d + i]
        for j in range(d):
            z += p[1 + i * d + j] * x[j]
        for j in range(d):
            out[j] += z * p[1 + i * d + j] / batch.size


@kernel
def squares_gradient(x, p, out):
    squares_batch_gradient(x, p, np.arange(int(p[0])), out)


RNG = np.random.default_rng(7)
A = RNG.normal(size=(20, 4)) * [1.0, 1.0, 0.0, 1.0]
Y = A @ [1.0, -2.0, 0.0, 0.5] + 0.3 * RNG.normal(size=20)
SQUARES = Problem(
    "squares",
    4,
    squares_value,
    squares_gradient,
    None,
    problems.base.frozen([20.0, *A.ravel(), *Y]),
    n_samples=20,
    batch_gradient_kernel=squares_batch_gradient,
)
ZERO = [0.0, 0.0, 0.7, 0.0]
DRAWS = {"with_replacement": with_replacement, "without_replacement": without_replacement}


def batch_slopes(sampling, size, seed, number=0):
    """Return the mini-batch gradients as a function of x alone, and the list of batch sizes."""
    memory, state, sizes = np.zeros(21, dtype=np.int64), stream(seed, number), []

    def slope(x):
        first, last = DRAWS[sampling](20, size, memory, state)
        batch = memory[first:last]
        sizes.append(len(batch))
        return A[batch].T @ (A[batch] @ x - Y[batch]) / len(batch)

    return slope, sizes


@pytest.mark.parametrize(
    ("name", "sampling", "size", "convention"),
    [
        ("momentum_sgd", "with_replacement", 4, "pytorch"),
        ("nesterov_sgd", "with_replacement", 1, "paper"),
        ("momentum_sgd", "without_replacement", 6, "paper"),
        ("nesterov_sgd", "without_replacement", 20, "pytorch"),
    ],
)
def test_mini_batches_equal_the_plain_loop(name, sampling, size, convention):
    slope, sizes = batch_slopes(sampling, size, seed=5)
    wanted = plain_run(name, convention, slope, ZERO, [0.02] * 99)
    run = NINE[name](
        SQUARES,
        ZERO,
        0.02,
        batch_size=size,
        sampling=sampling,
        convention=convention,
        seed=5,
        max_iter=99,
        record_every=33,
        **PLAIN[name][1],
    )
    np.testing.assert_allclose(run.x, wanted, rtol=1e-10)
    assert run.x[2] == ZERO[2]
    assert run.n_sample == sum(sizes)
    assert sum(sizes) == {4: 396, 1: 99, 6: 5 * (99 // 4 * 4) + 18, 20: 1980}[size]
    assert (run.n_value, run.n_gradient, run.n_hvp) == (4, 4, 0)
    assert (run.n_recording, run.oracle_calls) == ((4, 4), 0)


def test_mini_batches_reach_the_least_squares_solution():
    """Falling rates take the noise out; a constant rate leaves it in."""
    wanted = np.linalg.lstsq(A[:, [0, 1, 3]], Y, rcond=None)[0]
    ends = [
        stochastic.momentum_sgd(
            SQUARES,
            ZERO,
            0.05,
            batch_size=2,
            schedule=schedule,
            max_iter=4000,
            record_every=4000,
            seed=1,
        ).x[[0, 1, 3]]
        for schedule in (Schedule.inverse_time(50), None)
    ]
    falling, constant = (abs(x - wanted).max() for x in ends)
    assert falling < 0.02 and constant > 5 * falling


def test_seed_decides():
    runs = [
        stochastic.momentum_sgd(SQUARES, ZERO, 0.05, batch_size=4, seed=s, max_iter=30).path
        for s in (1, 1, 2)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_records_do_not_change_the_run():
    full = stochastic.momentum_sgd(SQUARES, ZERO, 0.05, batch_size=4, max_iter=60)
    sparse = stochastic.momentum_sgd(
        SQUARES, ZERO, 0.05, batch_size=4, max_iter=60, record_every=25
    )
    np.testing.assert_array_equal(sparse.path, full.path[[0, 25, 50, 60]])
    assert full.n_sample == sparse.n_sample == 240
    pieces = stochastic.momentum_sgd(
        SQUARES, ZERO, 0.05, batch_size=4, max_iter=60, callback=lambda *_: False
    )
    np.testing.assert_array_equal(pieces.path, full.path)


@pytest.mark.parametrize("stride", [1, 3, 100])
@pytest.mark.parametrize(("convention", "further"), [("pytorch", 0), ("paper", 1)])
def test_whole_gradients_are_evaluated_once(stride, convention, further):
    """The gradient of a recorded iterate serves the step too, unless that looks ahead."""
    problem = moving()
    run = stochastic.nesterov_sgd(
        problem, START, convention=convention, max_iter=100, record_every=stride
    )
    assert run.n_gradient == problem.parameters[0]
    assert run.oracle_calls == 100
    assert run.n_gradient == (100 + len(run.path) if further else 101)


def test_budget_does_not_depend_on_the_records():
    for stride in (1, 9):
        run = stochastic.sgd(moving(), START, max_iter=100, max_evaluations=40, record_every=stride)
        assert (run.status, run.n_iter, run.oracle_calls) == ("budget", 40, 40)


def test_tolerance_is_checked_at_recorded_iterates():
    run = stochastic.momentum_sgd(
        SQUARES,
        ZERO,
        0.05,
        batch_size=20,
        sampling="without_replacement",
        tol=1e-6,
        record_every=10,
    )
    assert run.status == "converged" and run.gradient_norm <= 1e-6
    assert run.n_iter % 10 == 0 and run.gradient_norms[-2] > 1e-6


def test_a_gradient_of_zero_does_not_stop_a_mini_batch():
    """At 0 the two samples pull with the same force in opposite directions."""
    tug = problems.least_squares([[1.0], [1.0]], [1.0, -1.0])
    assert tug.gradient([0.0]) == 0.0
    run = stochastic.sgd(tug, [0.0], 0.1, batch_size=1, max_iter=5)
    assert (run.status, run.n_iter) == ("max_iter", 5)
    assert abs(run.path[1, 0]) == pytest.approx(0.1)
    run = stochastic.sgd(tug, [0.0], 0.1, batch_size=1, max_iter=5, tol=1e-9)
    assert (run.status, run.n_iter) == ("converged", 0)


def test_many_runs_agree_with_single_ones():
    starts = [[1.0, 2.0, 0.3, -1.0], [0.0, 0.0, 0.0, 0.0], [-3.0, 1.0, 1.0, 1.0]]
    batches = {"learning_rate": 0.05, "batch_size": 3, "max_iter": 70, "seed": 11}
    many = run_many(SQUARES, starts, method="momentum_sgd", **batches)
    one = stochastic.momentum_sgd(SQUARES, starts[0], **batches)
    np.testing.assert_array_equal(many.x[0], one.x)
    slope, _ = batch_slopes("with_replacement", 3, 11, number=2)
    plain = np.array(starts[2])
    m = 0.0
    for _ in range(70):
        m = 0.9 * m + slope(plain)
        plain = plain - 0.05 * m
    np.testing.assert_allclose(many.x[2], plain, rtol=1e-10)


@pytest.mark.parametrize("name", NINE)
def test_updates_work_in_single_precision(name):
    """The kernels are there for networks too, whose parameters may be float32."""
    plan = NINE[name].plan(problem=WELL, learning_rate=0.01)
    ends = []
    for dtype in (np.float32, np.float64):
        rng = np.random.default_rng(3)
        x, s = np.ones(5, dtype), np.array([0.01, 1.0])
        state, o = np.zeros((plan.vectors - 1, 5), dtype), np.array(plan.options)
        for t in range(1, 31):
            g = rng.normal(size=5).astype(dtype)
            g[2] = 0.0
            plan.slots["update"](x, g, state, s, o, t)
        assert x[2] == 1.0
        ends.append(x)
    np.testing.assert_allclose(*ends, rtol=2e-5)
    assert not np.array_equal(*ends)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("sgd", {"learning_rate": 0.0}, ValueError, "learning_rate must be .* above 0"),
        ("sgd", {"learning_rate": "fast"}, TypeError, "learning_rate must be a number"),
        ("sgd", {"schedule": 0.5}, TypeError, "schedule must be a Schedule .* got float"),
        ("sgd", {"weight_decay": -0.1}, ValueError, "weight_decay must be .* at least 0"),
        ("sgd", {"decoupled_weight_decay": 1}, TypeError, "decoupled_weight_decay must be True"),
        ("sgd", {"convention": "jax"}, ValueError, "convention must be one of 'pytorch', 'paper'"),
        ("sgd", {"seed": -1}, ValueError, "seed must be a whole number at least 0"),
        ("sgd", {"sampling": "all"}, ValueError, "sampling must be one of"),
        ("sgd", {"batch_size": 3}, ValueError, "batch_size must be None"),
        ("sgd", {"momentum": 0.9}, TypeError, "momentum"),
        ("momentum_sgd", {"momentum": 1.5}, ValueError, "momentum must be .* at most 1"),
        ("momentum_sgd", {"dampening": -1}, ValueError, "dampening must be .* at least 0"),
        ("momentum_sgd", {"nesterov": 1}, TypeError, "nesterov must be True or False"),
        (
            "momentum_sgd",
            {"dampening": 0.5, "convention": "paper"},
            ValueError,
            "dampening must be 0 with convention 'paper'",
        ),
        (
            "momentum_sgd",
            {"dampening": 0.5, "nesterov": True},
            ValueError,
            "momentum must be above 0 and dampening 0",
        ),
        ("nesterov_sgd", {"momentum": 0}, ValueError, "momentum must be above 0"),
        ("adagrad", {"lr_decay": -1}, ValueError, "lr_decay must be .* at least 0"),
        (
            "adagrad",
            {"initial_accumulator_value": -1},
            ValueError,
            "initial_accumulator_value must be .* at least 0",
        ),
        ("adagrad", {"eps": -1}, ValueError, "eps must be .* at least 0"),
        ("rmsprop", {"alpha": 1.0}, ValueError, "alpha must be .* below 1"),
        ("rmsprop", {"centered": None}, TypeError, "centered must be True or False"),
        ("rmsprop", {"momentum": -0.5}, ValueError, "momentum must be .* at least 0"),
        ("rmsprop", {"eps": np.nan}, ValueError, "eps must be a finite number"),
        ("adam", {"betas": 0.9}, TypeError, "betas must be a pair of numbers; got 0.9"),
        ("adam", {"betas": (0.9, 0.99, 0.999)}, TypeError, "betas must be a pair of numbers"),
        ("amsgrad", {"betas": (1.0, 0.9)}, ValueError, r"betas\[0\] must be .* below 1"),
        ("adamax", {"betas": (0.9, -0.1)}, ValueError, r"betas\[1\] must be .* at least 0"),
        ("nadam", {"momentum_decay": -1}, ValueError, "momentum_decay must be .* at least 0"),
        ("nadam", {"eps": -1}, ValueError, "eps must be .* at least 0"),
    ],
)
def test_bad_arguments_are_named(name, options, error, message):
    with pytest.raises(error, match=message):
        NINE[name](WELL, [1.0, 0.4], **options)
