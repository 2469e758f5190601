"""Dead neurons and layers: masks, exact probabilities, laws, and simulations against them."""

import math

import numpy as np
import pytest
from scipy import stats

from lib.ensembles import (
    dead_layers,
    death_probability,
    death_probability_cube,
    depth_law,
    failure_lower_bound,
    frozen_parameters,
    inactive_neurons,
    layer_death_bound,
    simulate_depth_law,
    simulate_width_law,
    smallest_width,
    width_law,
)
from lib.problems import (
    double_well,
    initialize,
    optimal_data_risk,
    pack,
    relu_network,
    unpack,
)

INTERVALS = [(-1, 1), (0, 1), (1, 2), (-1, 3)]
X = np.linspace(-1, 1, 11)


def close(share, wanted, n_quoted=None):
    """Tell whether a measured share agrees with a probability (or one measured n_quoted times)."""
    trials = 1 / share.n + (1 / n_quoted if n_quoted else 0)
    return abs(share.estimate - wanted) < 4.5 * math.sqrt(max(wanted, 1 / share.n) * trials)


# --- masks ----------------------------------------------------------------------------------


def test_masks_against_a_naive_pass():
    widths = (2, 4, 3, 1)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((3, 2))
    network = relu_network(widths, inputs, np.zeros(3))
    thetas = initialize(widths, n=150, seed=1)
    masks = inactive_neurons(network, thetas)
    assert [mask.shape for mask in masks] == [(150, 4), (150, 3)]
    layers = dead_layers(network, thetas)
    assert layers.shape == (150, 2)
    for i, theta in enumerate(thetas):
        h = inputs
        for k, (matrix, bias) in enumerate(
            [(theta[:8].reshape(4, 2), theta[8:12]), (theta[12:24].reshape(3, 4), theta[24:27])]
        ):
            z = h @ matrix.T + bias
            wanted = (z <= 0).all(axis=0)
            np.testing.assert_array_equal(masks[k][i], wanted)
            np.testing.assert_array_equal(inactive_neurons(network, theta)[k], wanted)
            assert layers[i, k] == dead_layers(network, theta)[k] == wanted.all()
            h = np.maximum(z, 0)
    assert masks[0].any() and masks[1].any() and layers[:, 1].any()


def test_strictness_matters_at_the_boundary():
    network = relu_network((1, 3, 1), [0.0, 1.0], [0.0, 0.0])
    theta = pack([([[-1], [-1], [1]], [0, -1e-9, -1]), ([[1, 1, 1]], [0])])
    assert inactive_neurons(network, theta)[0].tolist() == [True, True, True]
    assert inactive_neurons(network, theta, strict=True)[0].tolist() == [False, True, False]
    assert dead_layers(network, theta).tolist() == [True]
    assert dead_layers(network, theta, strict=True).tolist() == [False]


def test_masks_look_at_every_input():
    inputs = np.zeros(100)
    for hot in (0, 31, 32, 64, 99):
        inputs[:] = -1.0
        inputs[hot] = 1.0
        network = relu_network((1, 1, 1), inputs, np.zeros(100))
        assert not inactive_neurons(network, [1.0, -0.5, 1.0, 0.0])[0][0]
        assert inactive_neurons(network, [1.0, -1.0, 1.0, 0.0])[0][0]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_overflow_is_not_taken_for_inactivity():
    network = relu_network((1, 2, 1, 1), [1e200, 0.0], [0.0, 0.0])
    theta = pack([([[1e200], [-1e200]], [0, 0]), ([[1.0, 1.0]], [0]), ([[1]], [0])])
    assert inactive_neurons(network, theta)[0].tolist() == [False, True]
    network = relu_network((1, 2, 1, 1), [1e200, 0.0], [0.0, 0.0], slope=0.5)
    assert not inactive_neurons(network, theta)[1][0]  # infinity minus infinity on one input


# --- what never moves -----------------------------------------------------------------------


def adam_path_end(problem, theta, steps, rng):
    """Return where mini-batches of 4 lead."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for n in range(1, steps + 1):
        g = problem.batch_gradient(theta, rng.integers(11, size=4))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        theta = theta - 0.05 * (m / (1 - 0.9**n)) / (1e-8 + np.sqrt(v / (1 - 0.999**n)))
    return theta


@pytest.mark.parametrize("skip", ["none", "residual", "input_output"])
def test_frozen_parameters_never_move(skip):
    widths = (1, 2, 2, 2, 1)
    problem = relu_network(widths, X, np.sin(3 * X), skip=skip)
    thetas = initialize(widths, n=400, seed=2, skip=skip)
    frozen = frozen_parameters(problem, thetas)
    assert frozen.dtype == bool and frozen.shape == thetas.shape
    layers = dead_layers(problem, thetas)
    chosen = [np.flatnonzero(layers[:, k])[:3] for k in range(3)]
    chosen = np.concatenate([*chosen, np.flatnonzero(~layers.any(axis=1) & frozen.any(axis=1))[:6]])
    assert len(chosen) == 15
    rng = np.random.default_rng(0)
    moved = np.zeros(thetas.shape[1], dtype=bool)
    for theta, still in zip(thetas[chosen], frozen[chosen], strict=True):
        np.testing.assert_array_equal(frozen_parameters(problem, theta), still)
        end = adam_path_end(problem, theta, 60, rng)
        np.testing.assert_array_equal(end[still], theta[still])
        assert abs(end - theta).max() > 0.1
        moved |= end != theta
    assert moved.all()


def test_which_parameters_are_frozen():
    def masks(problem, theta):
        layers, shortcut = unpack(problem, frozen_parameters(problem, theta).astype(float))
        return [(w.astype(bool).tolist(), b.astype(bool).tolist()) for w, b in layers], shortcut

    # A dead neuron; then a dead layer with one that is dead and one that is not above it.
    theta = pack([([[1], [1]], [0, -5]), ([[1, 1], [1, 1]], [0, 0]), ([[1, 1]], [0])])
    first = ([[False], [True]], [False, True])
    upper = ([[False, True], [False, True]], [False, False])
    plain = relu_network((1, 2, 2, 1), X, X)
    assert masks(plain, theta) == ([first, upper, ([[False, False]], [False])], None)
    dead = pack([([[1], [1]], [0, 0]), ([[-1, -1], [-1, -1]], [-1, -1]), ([[1, 1]], [0])])
    below = [([[True], [True]], [True, True]), ([[True, True], [True, True]], [True, True])]
    assert masks(plain, dead) == ([*below, ([[True, True]], [False])], None)
    assert not frozen_parameters(relu_network((1, 2, 2, 1), X, X, skip="residual"), dead).any()
    beside = relu_network((1, 2, 2, 1), X, X, skip="input_output")
    layers, shortcut = masks(beside, np.append(dead, 1.0))
    assert layers == [*below, ([[True, True]], [False])] and not shortcut.any()
    low = pack([([[1], [1]], [-5, -5]), ([[1, 1], [1, 1]], [1, -1]), ([[1, 1]], [0])])
    above = ([[True, True], [True, True]], [False, True])
    for skip in ("none", "residual"):
        layers, _ = masks(relu_network((1, 2, 2, 1), X, X, skip=skip), low)
        assert layers == [below[0], above, ([[False, True]], [False])]
    for options in ({"slope": 0.01}, {"layer_norm": True}):
        assert not frozen_parameters(relu_network((1, 2, 2, 1), X, X, **options), dead).any()
    affine = relu_network((1, 1), X, X)
    assert frozen_parameters(affine, np.ones((3, 2))).tolist() == 3 * [[False, False]]


@pytest.mark.parametrize("function", [inactive_neurons, dead_layers, frozen_parameters])
def test_bad_arguments_of_the_masks(function):
    network = relu_network((1, 2, 1), [1.0], [1.0])
    with pytest.raises(TypeError, match="problem must be one made by lib.problems.relu_network"):
        function(double_well(), [0.0, 0.0])
    with pytest.raises(ValueError, match=r"theta must have shape \(7,\)"):
        function(network, np.zeros(3))
    with pytest.raises(ValueError, match=r"theta must have shape \(n, 7\)"):
        function(network, np.zeros((2, 3)))
    if function is not frozen_parameters:
        with pytest.raises(TypeError, match="strict must be True or False"):
            function(network, np.zeros(7), strict=1)


def test_a_network_without_hidden_layer():
    network = relu_network((1, 1), [1.0], [1.0])
    assert inactive_neurons(network, [1.0, 1.0]) == ()
    with pytest.raises(ValueError, match="problem must have a hidden layer"):
        dead_layers(network, [1.0, 1.0])


# --- probabilities --------------------------------------------------------------------------


def test_probabilities_of_the_four_intervals():
    normal = [death_probability(interval) for interval in INTERVALS]
    np.testing.assert_allclose(normal, [0.25, 0.375, 0.4488, 0.1762], atol=5e-5)
    assert normal[:2] == [0.25, 0.375]
    uniform = [death_probability(interval, law="uniform") for interval in INTERVALS]
    assert uniform == [1 / 4, 3 / 8, 7 / 16, 1 / 6]


@pytest.mark.parametrize("interval", INTERVALS)
def test_normal_law_is_an_angle(interval):
    left, right = (np.array([end, 1.0]) for end in interval)
    angle = math.acos(left @ right / np.linalg.norm(left) / np.linalg.norm(right))
    wanted = (math.pi - angle) / (2 * math.pi)
    assert death_probability(interval) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize("bias", ["same", "zero", 0.3, ("constant", 0.1), ("constant", -0.4)])
@pytest.mark.parametrize("law", ["normal", "uniform"])
@pytest.mark.parametrize(
    "interval", [*INTERVALS, (-0.2, 0.9), (1.5, 3), (-4, -2), (-3, -0.5), (0, 0)]
)
def test_probabilities_against_drawn_neurons(interval, law, bias):
    n = 100_000
    theta = initialize((1, 1), n=n, law=law, bias=bias, seed=11)
    inactive = (theta[:, 0] * interval[0] + theta[:, 1] <= 0) & (
        theta[:, 0] * interval[1] + theta[:, 1] <= 0
    )
    p = death_probability(interval, law, bias)
    assert abs(inactive.mean() - p) <= 4.5 * math.sqrt(p * (1 - p) / n)


@pytest.mark.parametrize("law", ["normal", "uniform"])
def test_probabilities_are_symmetric_and_monotone(law):
    for bias in ("same", 0.7, "zero", ("constant", -0.2)):
        assert death_probability((-3, 0.5), law, bias) == death_probability((-0.5, 3), law, bias)
        ends = [death_probability((-1, r), law, bias) for r in np.linspace(-1, 4, 60)]
        assert (np.diff(ends) <= 1e-15).all()
    assert death_probability((-1e9, 1e9), law) == pytest.approx(
        2e-9 / (2 * math.pi) if law == "normal" else 2.5e-10, rel=1e-6
    )


def test_a_common_factor_changes_nothing():
    for law, base in (("he", "normal"), ("xavier", "normal"), ("pytorch", "uniform")):
        share = simulate_width_law(1, (1, 2), law=law, n=40_000, seed=5)
        assert close(share, death_probability((1, 2), law=base))


def test_positive_bias():
    for interval in ((-1, 1), (-0.1, 5), (0, 1)):
        assert death_probability(interval, bias=("constant", 0.1)) == 0.0
    # Away from zero it raises the probability.
    raised = death_probability((1, 2), bias=("constant", 0.1))
    assert raised == pytest.approx(stats.norm.cdf(-0.1), rel=1e-12)
    assert raised > death_probability((1, 2))


def test_zero_bias_on_data_of_both_signs():
    assert death_probability((-1, 1), bias="zero") == 0.0
    assert death_probability((1, 2), bias="zero") == 0.5


CUBES = {0.0: [0.375, 0.2770, 0.2020, 0.1039, 0.01705], -1.0: [0.25, 0.1082, 0.0417, 0.00469]}


@pytest.mark.parametrize("low", CUBES)
def test_probabilities_of_cubes(low):
    for d, wanted in zip((1, 2, 3, 5, 10), CUBES[low], strict=False):
        share = death_probability_cube(d, low=low, n=50_000, seed=2)
        assert close(share, wanted, n_quoted=10**6)
        assert share.low <= share.estimate <= share.high
        if low == 0.0:
            assert share.high > 2.0 ** -(d + 1)


def test_square_by_its_solid_angle():
    # b <= -|w1| - |w2| is four times the cone over the triangle of these unit vectors.
    rays = np.array([[0, 0, -1], [1, 0, -1], [0, 1, -1]]) / np.sqrt([[1], [2], [2]])
    a, b, c = rays
    below = 1 + a @ b + b @ c + c @ a
    angle = 2 * math.atan2(abs(np.linalg.det(rays)), below)
    wanted = 4 * angle / (4 * math.pi)
    assert wanted == pytest.approx(0.1082, abs=5e-5)
    assert close(death_probability_cube(2, n=200_000, seed=1), wanted)


def test_one_dimensional_cube_is_the_interval():
    for law in ("normal", "uniform"):
        share = death_probability_cube(1, 1, 2, law=law, n=50_000, seed=3)
        assert close(share, death_probability((1, 2), law))


# --- laws -----------------------------------------------------------------------------------


def test_width_law():
    widths = [1, 2, 3, 5, 8, 16, 32]
    wanted = [0.25, 0.4375, 0.578, 0.763, 0.900, 0.990, 1.000]
    np.testing.assert_allclose(width_law(widths, 0.25), wanted, atol=6e-4)
    assert width_law(16, 0.25) == pytest.approx(0.98998, abs=5e-6)
    assert isinstance(width_law(3, 0.25), float)
    assert width_law(10**6, 1e-12) == pytest.approx(1e-6, rel=1e-6)
    assert width_law([0, 5], 1.0).tolist() == [0.0, 1.0]
    assert width_law([0, 5], 0.0).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("p", [0.25, 0.375, 1e-5, 0.9999, 1.0])
@pytest.mark.parametrize("probability", [0.0, 0.25, 0.5, 0.99, 1 - 1e-12])
def test_smallest_width(p, probability):
    width = smallest_width(p, probability)
    assert width_law(width, p) >= probability - 1e-15
    if width > 0 and p < 1:
        fewer = (width - 1) * math.log1p(-p)
        assert fewer > math.log1p(-probability) * (1 + 1e-15)
    assert width > 0 or probability == 0


def test_smallest_width_of_the_exercise():
    assert smallest_width(0.25, 0.99) == 17
    assert smallest_width(0.25, 0.4375) == 2
    tiny = 5e-324  # wider than any float says
    assert smallest_width(tiny, 0.99) > 10**323


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 16, 32])
def test_simulated_width_law(width):
    share = simulate_width_law(width, n=20_000, seed=width)
    assert close(share, width_law(width, 0.25))


DEPTHS = [(2, 5, 0.237), (2, 10, 0.056), (3, 10, 0.263), (3, 20, 0.0692), (4, 20, 0.275)]


@pytest.mark.parametrize(("width", "n_layers", "quoted"), DEPTHS)
def test_depth_law_and_its_simulation(width, n_layers, quoted):
    law = depth_law(width, n_layers)
    assert law == pytest.approx((1 - 2.0**-width) ** n_layers, rel=1e-13)
    assert law == pytest.approx(quoted, abs=5.1e-4)
    assert close(simulate_depth_law(width, n_layers, n=5000, seed=1), law)


def test_simulated_depth_agrees_with_the_networks():
    widths = (1,) + 4 * (3,)
    thetas = initialize(widths, n=400, law="he", bias=0.5, seed=6)
    # The simulation draws the last hidden layer as the network's output layer is drawn here.
    padded = np.column_stack([thetas, np.zeros((400, 4))])
    network = relu_network((*widths, 1), X, np.zeros(11))
    alive = ~dead_layers(network, padded).any(axis=1)
    share = simulate_depth_law(3, 4, X, bias=0.5, n=400, seed=6)
    assert share.k == alive.sum()


def test_many_inputs_are_worked_on_in_parts(monkeypatch):
    whole = simulate_depth_law(3, 6, X, n=500, seed=2)
    monkeypatch.setattr("lib.ensembles.dead_neurons.BLOCK", 100)
    assert simulate_depth_law(3, 6, X, n=500, seed=2) == whole


def test_several_points():
    quoted = {(10, "zero"): 0.360, (10, 1.0): 0.421, (50, "zero"): 0.0021, (50, 1.0): 0.0028}
    for (n_layers, bias), wanted in quoted.items():
        share = simulate_depth_law(3, n_layers, X, bias=bias, n=4000, seed=3)
        assert close(share, wanted, n_quoted=20_000)
        assert share.high < layer_death_bound(3, n_layers, zero_bias=bias == "zero")
        if bias == "zero":
            assert share.estimate > depth_law(3, n_layers)
    for n_layers, wanted in ((2, 0.043), (5, 0.298), (10, 0.638), (15, 0.806)):
        share = simulate_depth_law(3, n_layers, X, n=4000, seed=4)
        dead = 1 - share.estimate
        assert abs(dead - wanted) < 4.5 * math.sqrt(wanted * (1 - wanted) * (1 / 4000 + 1 / 20_000))


def test_generic_bound():
    np.testing.assert_allclose(layer_death_bound(3, [10, 50]), [0.998, 0.988], atol=5e-4)
    assert layer_death_bound(3, 10) == pytest.approx((1 - 2.0**-12) ** 9, rel=1e-13)
    assert layer_death_bound(3, 10, zero_bias=True) == pytest.approx((1 - 2.0**-9) ** 9)
    assert layer_death_bound([2, 7], 1).tolist() == [1.0, 1.0]
    assert 1 - layer_death_bound(10, 10**6) < 1e-6  # numerically irrelevant for wide networks
    # Mirrored neurons survive although this bound would say .0435: independence is needed.
    assert layer_death_bound(2, 200) == pytest.approx(0.0435, abs=5e-5)
    widths = (1,) + 200 * (2,) + (1,)
    thetas = initialize(widths, n=5, law="he", bias="zero", seed=0, mirrored=True)
    assert not dead_layers(relu_network(widths, [1.0], [0.0]), thetas).any()


def test_failure_bound():
    wanted = [0.578, 0.262, 0.038, 0.0042]
    np.testing.assert_allclose(failure_lower_bound([3, 4, 6, 8], 0.25, 3), wanted, atol=5e-4)
    assert failure_lower_bound(4, 0.25, 3) == pytest.approx(0.26172, abs=5e-6)
    assert failure_lower_bound(6, 0.25, 3) == pytest.approx(0.03760, abs=5e-6)
    for width, p, k in ((10, 0.3, 4), (7, 0.01, 7), (2, 0.5, 5)):
        assert failure_lower_bound(width, p, k) == pytest.approx(
            stats.binom.cdf(k - 1, width, 1 - p)
        )
    assert failure_lower_bound(3, 1e-20, 3) == pytest.approx(3e-20, rel=1e-12)
    assert failure_lower_bound(10**15, 0.25, 3) == 0.0
    assert failure_lower_bound([0, 5], 0.25, 0).tolist() == [0.0, 0.0]
    assert failure_lower_bound([0, 2], 0.25, 3).tolist() == [1.0, 1.0]
    for width in (3, 10, 40):
        last_one = failure_lower_bound(width, 0.25, width)
        assert last_one == pytest.approx(width_law(width, 0.25), rel=1e-12)


def test_too_few_living_neurons_always_fail():
    # Targets with three kinks, which two neurons cannot fit.
    x = np.linspace(-1, 1, 9)
    y = np.interp(x, [-1, -0.5, 0, 0.5, 1], [1, -1, 1, -1, 1])
    best = optimal_data_risk(x, y, 2)
    assert best > 0.2 and optimal_data_risk(x, y, 4) == 0.0
    network = relu_network((1, 4, 1), x, y)
    starts = initialize((1, 4, 1), n=300, seed=8)
    alive = (~inactive_neurons(network, starts)[0]).sum(axis=1)
    too_few = alive < 3
    bound = failure_lower_bound(4, 0.25, 3)
    assert abs(too_few.mean() - bound) < 4.5 * math.sqrt(bound * (1 - bound) / 300)
    for theta in starts[too_few][:10]:
        for _ in range(40):
            theta = theta - 0.03 * network.gradient(theta)
        assert network.value(theta) >= best


# --- arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: death_probability((1, -1)), ValueError, "interval must not descend"),
        (lambda: death_probability(1.0), ValueError, r"interval must have shape \(2,\)"),
        (lambda: death_probability((0, np.inf)), ValueError, "interval must be finite"),
        (lambda: death_probability(law="he"), ValueError, "law must be one of 'normal'"),
        (lambda: death_probability(bias="none"), ValueError, "bias must be 'same', 'zero'"),
        (lambda: death_probability_cube(0), ValueError, "dimension must be .* at least 1"),
        (lambda: death_probability_cube(1, 1, 0), ValueError, "low and high must not descend"),
        (lambda: death_probability_cube(1, n=0), ValueError, "n must be .* at least 1"),
        (lambda: width_law(-1, 0.5), ValueError, "width must be at least 0; got -1"),
        (lambda: width_law(1.5, 0.5), TypeError, "width must be a whole number"),
        (lambda: width_law(1, 1.5), ValueError, "p must be .* at most 1"),
        (lambda: smallest_width(0.0, 0.5), ValueError, "p must be a finite number above 0"),
        (lambda: smallest_width(0.5, 1.0), ValueError, "probability must be .* below 1"),
        (lambda: depth_law(0, 3), ValueError, "width must be at least 1"),
        (lambda: depth_law(1, 3.0), TypeError, "n_layers must be a whole number"),
        (lambda: depth_law([1, 2], [1, 2, 3]), ValueError, "width and n_layers must have shapes"),
        (lambda: layer_death_bound(1, 0), ValueError, "n_layers must be at least 1"),
        (lambda: layer_death_bound(1, 1, zero_bias=0), TypeError, "zero_bias must be True or"),
        (lambda: failure_lower_bound(1, 0.5, -1), ValueError, "k_star must be .* at least 0"),
        (lambda: failure_lower_bound(1, 0.5, 10**400), ValueError, "k_star must be .* at most"),
        (lambda: simulate_width_law(0), ValueError, "width must be .* at least 1"),
        (lambda: simulate_width_law(1, law="x"), ValueError, "law must be one of"),
        (lambda: simulate_depth_law(2, 0), ValueError, "n_layers must be .* at least 1"),
        (lambda: simulate_depth_law(2, 1, []), ValueError, "inputs must be a matrix"),
        (lambda: simulate_depth_law(2, 1, seed=-1), ValueError, "seed must be .* at least 0"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
