"""ReLU networks against a naive forward pass, complex steps, and the lemmas on dead neurons."""

import numpy as np
import pytest

from lib import problems
from lib.ensembles import dead_layers, inactive_neurons, run_many
from lib.problems import hidden_activations, initialize, pack, predict, relu_network, unpack

STEP = 1e-30

ARCHITECTURES = {
    "shallow": ((1, 3, 1), {}),
    "deep": ((2, 5, 3, 2), {}),
    "wide": ((3, 9, 6, 1), {}),
    "affine": ((3, 2), {}),
    "leaky": ((2, 4, 3, 1), {"slope": 0.1}),
    "residual": ((1, 3, 3, 3, 2), {"skip": "residual"}),
    "input_output": ((2, 3, 2, 2), {"skip": "input_output"}),
    "affine input_output": ((2, 3), {"skip": "input_output"}),
    "layer_norm": ((2, 4, 3, 1), {"layer_norm": True}),
    "eps": ((2, 4, 3, 1), {"layer_norm": True, "eps": 0.3}),
    "all": ((2, 4, 4, 4, 2), {"skip": "residual", "layer_norm": True, "slope": 0.05}),
    "both ends": ((3, 4, 2), {"skip": "input_output", "layer_norm": True, "slope": 0.2}),
}


def naive(widths, theta, x, slope=0.0, skip="none", layer_norm=False, eps=1e-5):
    """Return the output, what enters and what leaves the hidden layers, for one input."""
    at, h, entering, leaving = 0, x, [], []
    for k in range(1, len(widths)):
        below, width = widths[k - 1], widths[k]
        matrix = theta[at : at + width * below].reshape(width, below)
        bias = theta[at + width * below : at + width * (below + 1)]
        at += width * (below + 1)
        z = matrix @ h + bias
        if k == len(widths) - 1:
            break
        if layer_norm:
            z = z - z.mean()
            z = z / np.sqrt((z * z).mean() + eps)
        entering.append(z)
        new = np.where(z.real > 0, z, slope * z)
        h = new + h if skip == "residual" and k > 1 else new
        leaving.append(h)
    if skip == "input_output":
        z = z + theta[at:].reshape(widths[-1], widths[0]) @ x
    return z, entering, leaving


def naive_risk(widths, theta, inputs, targets, **options):
    outputs = [naive(widths, theta, x, **options)[0] for x in inputs]
    return sum(((z - y) ** 2).sum() for z, y in zip(outputs, targets, strict=True)) / len(inputs)


def slopes(f, theta):
    """Differentiate `f` by complex steps."""
    return np.array([f(theta + 1j * STEP * e) for e in np.eye(theta.size)]).imag / STEP


@pytest.fixture(params=ARCHITECTURES)
def case(request):
    widths, options = ARCHITECTURES[request.param]
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((7, widths[0]))
    targets = rng.standard_normal((7, widths[-1]))
    problem = relu_network(widths, inputs, targets, **options)
    return problem, rng.standard_normal(problem.dimension), widths, options


def test_value_is_that_of_a_naive_forward_pass(case):
    problem, theta, widths, options = case
    data = problem.data
    wanted = naive_risk(widths, theta, data.inputs, data.targets, **options)
    assert problem.value(theta) == pytest.approx(wanted, rel=1e-13)


def test_activations_and_outputs(case):
    problem, theta, widths, options = case
    inputs = np.random.default_rng(4).standard_normal((5, widths[0]))
    outputs = predict(problem, theta, inputs)
    entering = hidden_activations(problem, theta, inputs, before=True)
    leaving = hidden_activations(problem, theta, inputs)
    assert len(entering) == len(leaving) == len(widths) - 2
    for m, x in enumerate(inputs):
        z, before, after = naive(widths, theta, x, **options)
        np.testing.assert_allclose(outputs[m], z, rtol=1e-12, atol=1e-13)
        for k in range(len(before)):
            np.testing.assert_allclose(entering[k][m], before[k], rtol=1e-11, atol=1e-13)
            np.testing.assert_allclose(leaving[k][m], after[k], rtol=1e-11, atol=1e-13)


def test_gradient(case):
    problem, theta, widths, options = case
    data = problem.data
    wanted = slopes(lambda z: naive_risk(widths, z, data.inputs, data.targets, **options), theta)
    np.testing.assert_allclose(problem.gradient(theta), wanted, rtol=1e-11, atol=1e-12)


def test_hvp_is_the_derivative_of_the_gradient_off_the_kinks(case):
    problem, theta, _, _ = case
    v = np.random.default_rng(5).standard_normal(problem.dimension)
    h = 1e-6
    ends = [
        hidden_activations(problem, theta + side * v, problem.data.inputs, before=True)
        for side in (-h, h)
    ]
    for left, right in zip(*ends, strict=True):
        np.testing.assert_array_equal(left > 0, right > 0)
    wanted = (problem.gradient(theta + h * v) - problem.gradient(theta - h * v)) / (2 * h)
    scale = 1 + np.abs(wanted).max()
    np.testing.assert_allclose(problem.hvp(theta, v), wanted, rtol=0, atol=1e-7 * scale)


def test_hessian_is_symmetric_and_products_are_linear(case):
    problem, theta, _, _ = case
    columns = np.array([problem.hvp(theta, e) for e in np.eye(problem.dimension)])
    scale = np.abs(columns).max()
    np.testing.assert_allclose(columns, columns.T, rtol=0, atol=1e-12 * scale)
    v = np.linspace(-1e8, 1e8, problem.dimension)
    np.testing.assert_allclose(problem.hvp(theta, v), columns @ v, rtol=0, atol=1e-3 * scale)


def test_jacobian(case):
    problem, theta, widths, options = case
    data = problem.data
    jacobian = data.jacobian(theta)
    outputs = widths[-1]
    assert jacobian.shape == (7 * outputs, problem.dimension)
    for m, x in enumerate(data.inputs):
        wanted = np.sqrt(2 / 7) * slopes(lambda z, x=x: naive(widths, z, x, **options)[0], theta)
        rows = jacobian[m * outputs : (m + 1) * outputs]
        np.testing.assert_allclose(rows, wanted.T, rtol=1e-11, atol=1e-12)
    residuals = np.sqrt(2 / 7) * (predict(problem, theta, data.inputs) - data.targets).ravel()
    np.testing.assert_allclose(jacobian.T @ residuals, problem.gradient(theta), atol=1e-11)


def test_gauss_newton_is_the_hessian_where_the_data_are_fitted(case):
    problem, theta, widths, options = case
    inputs = problem.data.inputs
    fitted = relu_network(widths, inputs, predict(problem, theta, inputs), **options)
    jacobian = fitted.data.jacobian(theta)
    scale = np.abs(jacobian).max() ** 2
    np.testing.assert_allclose(
        fitted.hessian(theta), jacobian.T @ jacobian, rtol=0, atol=1e-12 * len(jacobian) * scale
    )


@pytest.mark.parametrize("factor", [1e-300, 1e-40, 1e30, 1e290])
def test_long_and_short_directions(case, factor):
    problem, theta, _, _ = case
    v = np.random.default_rng(6).standard_normal(problem.dimension)
    wanted = problem.hvp(theta, v)
    np.testing.assert_allclose(problem.hvp(theta, factor * v) / factor, wanted, rtol=1e-10)
    assert not problem.hvp(theta, 0 * v).any()


@pytest.mark.parametrize("batch", [[4], [0, 6, 2], [5, 5, 1, 5]])
def test_a_batch_is_the_problem_with_these_samples(case, batch):
    problem, theta, widths, options = case
    data = problem.data
    other = relu_network(widths, data.inputs[batch], data.targets[batch], **options)
    v = theta[::-1].copy()
    assert problem.n_samples == 7
    assert problem.batch_value(theta, batch) == other.value(theta)
    np.testing.assert_array_equal(problem.batch_gradient(theta, batch), other.gradient(theta))
    np.testing.assert_array_equal(problem.batch_hvp(theta, v, batch), other.hvp(theta, v))


def test_many_samples_are_the_mean_of_few():
    rng = np.random.default_rng(8)
    inputs, targets = rng.standard_normal((100, 2)), rng.standard_normal((100, 1))
    problem = relu_network((2, 5, 1), inputs, targets)
    theta = rng.standard_normal(problem.dimension)
    everyone = np.arange(100)
    values = [problem.batch_value(theta, [i]) for i in everyone]
    gradients = [problem.batch_gradient(theta, [i]) for i in everyone]
    assert problem.value(theta) == pytest.approx(np.mean(values), rel=1e-13)
    assert problem.value(theta) == problem.batch_value(theta, everyone)
    np.testing.assert_allclose(problem.gradient(theta), np.mean(gradients, axis=0), rtol=1e-11)
    assert predict(problem, theta, inputs).shape == (100, 1)
    rows = [predict(problem, theta, inputs[i : i + 1])[0] for i in (0, 31, 32, 63, 64, 99)]
    np.testing.assert_array_equal(predict(problem, theta, inputs)[[0, 31, 32, 63, 64, 99]], rows)


# --- conventions ----------------------------------------------------------------------------


def test_order_of_the_parameters():
    problem = relu_network((2, 3, 1), [[1.0, 10.0]], [0.0], skip="input_output")
    assert problem.dimension == 3 * 2 + 3 + 1 * 3 + 1 + 2
    theta = np.arange(1.0, 16.0)
    layers, shortcut = unpack(problem, theta)
    assert layers[0][0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert layers[0][1].tolist() == [7, 8, 9]
    assert layers[1][0].tolist() == [[10, 11, 12]]
    assert layers[1][1].tolist() == [13]
    assert shortcut.tolist() == [[14, 15]]
    hidden = np.array([[1, 2], [3, 4], [5, 6]]) @ [1, 10] + [7, 8, 9]
    output = np.array([10, 11, 12]) @ hidden + 13 + 14 * 1 + 15 * 10
    assert predict(problem, theta, [[1.0, 10.0]]).tolist() == [[output]]
    assert problem.value(theta) == output**2


def test_packing_is_the_inverse_of_unpacking(case):
    problem, theta, _, _ = case
    np.testing.assert_array_equal(pack(*unpack(problem, theta)), theta)
    layers, _ = unpack(problem, theta)
    before = theta.copy()
    layers[0][0][:] = 0.0
    np.testing.assert_array_equal(theta, before)


def test_risk_is_the_mean_of_squared_norms_without_a_half():
    problem = relu_network((1, 2), [1.0, 2.0], [[0.0, 0.0], [0.0, 0.0]])
    theta = pack([([[1.0], [0.0]], [0.0, 3.0])])
    assert problem.value(theta) == ((1 + 9) + (4 + 9)) / 2


def test_target_variance_is_the_risk_of_the_best_constant():
    targets = np.random.default_rng(2).standard_normal((6, 2))
    problem = relu_network((1, 2, 2), np.arange(6.0), targets)
    constant = pack([(np.zeros((2, 1)), [0, 0]), (np.zeros((2, 2)), targets.mean(axis=0))])
    variance = targets.var(axis=0).sum()
    assert problem.value(constant) == pytest.approx(variance, rel=1e-14)
    assert problem.constants["target_variance"] == pytest.approx(variance, rel=1e-14)
    np.testing.assert_allclose(problem.gradient(constant), 0, atol=1e-15)


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_derivative_of_the_activation_at_zero(slope):
    problem = relu_network((1, 1, 1), [2.0], [1.0], slope=slope)
    at_kink = pack([([[0.0]], [0.0]), ([[3.0]], [0.0])])
    error = -1.0
    wanted = [2 * error * 3 * slope * 2, 2 * error * 3 * slope, 0.0, 2 * error]
    np.testing.assert_allclose(problem.gradient(at_kink), wanted, rtol=1e-15)


def test_layer_norm_makes_mean_zero_and_variance_one():
    problem = relu_network((2, 6, 6, 1), np.zeros((1, 2)), [0.0], layer_norm=True, eps=1e-12)
    theta = initialize((2, 6, 6, 1), seed=1)[0]
    inputs = np.random.default_rng(0).standard_normal((40, 2))
    for z in hidden_activations(problem, theta, inputs, before=True):
        np.testing.assert_allclose(z.mean(axis=1), 0, atol=1e-12)
        np.testing.assert_allclose(z.var(axis=1), 1, rtol=1e-6)


def test_any_form_of_data_will_do():
    wanted = relu_network((1, 2, 1), [[0.0], [1.0]], [[2.0], [3.0]])
    theta = np.linspace(-1, 1, wanted.dimension)
    strided = np.array([[0.0, 9.0], [1.0, 9.0]])[:, 0]
    for inputs in ([0, 1], (0.0, 1.0), np.float32([0, 1]), strided, np.array([[0], [1]])):
        assert relu_network([1, 2, 1], inputs, [2, 3]).value(theta) == wanted.value(theta)
    inputs = np.array([0.0, 1.0])
    problem = relu_network((1, 2, 1), inputs, [2, 3])
    inputs[:] = 7.0
    assert problem.value(theta) == wanted.value(theta)
    with pytest.raises(ValueError, match="read-only"):
        problem.data.inputs[0] = 1.0


DATA = ([0.0, 1.0], [0.0, 1.0])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3, *DATA), {}, TypeError, "widths must be a sequence of whole numbers; got 3"),
        (((1,), *DATA), {}, ValueError, "widths must hold at least those of input and output"),
        (((1, 0, 1), *DATA), {}, ValueError, "widths must be a whole number at least 1; got 0"),
        (((1, 2.5, 1), *DATA), {}, TypeError, "widths must be a whole number; got 2.5"),
        (((2, 2, 1), *DATA), {}, ValueError, "inputs must be a matrix"),
        (((1, 2, 1), [[1.0, 2.0]], [1.0]), {}, ValueError, r"inputs must have shape \(n, 1\)"),
        (((1, 2, 1), [], []), {}, ValueError, "inputs must be a matrix with at least one row"),
        (((1, 2, 1), [1.0], [1.0, 2.0]), {}, ValueError, "targets must have one row for each of"),
        (((1, 2, 1), [np.nan], [1.0]), {}, ValueError, "inputs must be finite"),
        (((1, 2, 1), ["a"], [1.0]), {}, TypeError, "inputs must be an array of real numbers"),
        (((1, 2, 1), *DATA), {"slope": -0.1}, ValueError, "slope must be .* at least 0"),
        (((1, 2, 1), *DATA), {"slope": 1.1}, ValueError, "slope must be .* at most 1"),
        (((1, 2, 1), *DATA), {"skip": "dense"}, ValueError, "skip must be one of 'none'"),
        (((1, 2, 1), *DATA), {"skip": "residual"}, ValueError, "widths must hold two hidden"),
        (((1, 2, 3, 1), *DATA), {"skip": "residual"}, ValueError, "all of one width"),
        (((1, 2, 1), *DATA), {"layer_norm": 1}, TypeError, "layer_norm must be True or False"),
        (((1, 2, 1), *DATA), {"eps": 0.0}, ValueError, "eps must be a finite number above 0"),
    ],
)
def test_bad_arguments_are_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        relu_network(*arguments, **options)


def test_bad_arguments_of_the_helpers_are_named():
    problem = relu_network((1, 2, 1), *DATA)
    with pytest.raises(ValueError, match=r"theta must have shape \(7,\)"):
        predict(problem, np.zeros(6), [0.0])
    with pytest.raises(ValueError, match="inputs must be a matrix"):
        predict(problem, np.zeros(7), [])
    with pytest.raises(TypeError, match="problem must be one made by lib.problems.relu_network"):
        unpack(problems.double_well(), np.zeros(2))
    with pytest.raises(TypeError, match="problem must be a Problem"):
        hidden_activations(3, np.zeros(2), [0.0])
    with pytest.raises(TypeError, match="before must be True or False"):
        hidden_activations(problem, np.zeros(7), [0.0], before=1)
    with pytest.raises(ValueError, match=r"layers \(matrix 2\) must have 2 columns"):
        pack([([[1], [2]], [0, 0]), ([[1]], [0])])
    with pytest.raises(ValueError, match=r"layers \(bias 1\) must have shape \(2,\)"):
        pack([([[1], [2]], [0])])
    for layers in (3, [1, 2], [([[1]],)], None):
        with pytest.raises(TypeError, match="layers must be a sequence of pairs of matrix and"):
            pack(layers)
    with pytest.raises(ValueError, match="layers must hold at least one pair"):
        pack([])
    with pytest.raises(ValueError, match=r"shortcut must have shape \(1, 2\)"):
        pack([([[1, 2]], [0])], shortcut=[[1]])
    with pytest.raises(ValueError, match=r"x must have shape \(7,\)"):
        problem.data.jacobian(np.zeros(3))


# --- dead neurons ---------------------------------------------------------------------------

X = np.linspace(-1, 1, 11)
Y = np.sin(2.5 * X)


def with_dead_neuron(widths, seed=0):
    """Return random parameters whose neuron 1 of the first layer is dead on [-1, 1]."""
    theta = initialize(widths, seed=seed)[0]
    width = widths[1]
    theta[1], theta[width + 1] = 0.7, -1.2
    return theta


def parameters_of_neuron(widths, neuron):
    """Return where its weight, its bias and its outgoing weights are (one input)."""
    width, above = widths[1], widths[2]
    return [neuron, width + neuron, *(2 * width + i * width + neuron for i in range(above))]


@pytest.mark.parametrize("widths", [(1, 4, 1), (1, 4, 3, 1)])
def test_dead_neurons_have_zero_derivatives_for_every_batch(widths):
    problem = relu_network(widths, X, Y)
    theta = with_dead_neuron(widths)
    own = parameters_of_neuron(widths, 1)
    assert inactive_neurons(problem, theta, strict=True)[0][1]
    assert not problem.gradient(theta)[own].any()
    for i in range(11):
        assert not problem.batch_gradient(theta, [i])[own].any()
    v = np.random.default_rng(0).standard_normal(problem.dimension)
    assert not problem.hvp(theta, v)[own].any()
    live = np.setdiff1d(np.arange(2 * 4), [1, 5])
    assert problem.gradient(theta)[live].any()


def test_dead_neurons_never_move_under_adam():
    widths = (1, 4, 1)
    problem = relu_network(widths, X, Y)
    theta = with_dead_neuron(widths)
    start = theta.copy()
    rng = np.random.default_rng(1)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for n in range(1, 501):
        g = problem.batch_gradient(theta, rng.integers(11, size=5))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        theta -= 0.01 * (m / (1 - 0.9**n)) / (1e-8 + np.sqrt(v / (1 - 0.999**n)))
    moved = np.abs(theta - start)
    assert moved[parameters_of_neuron(widths, 1)].max() == 0.0
    assert moved.max() > 0.1
    assert problem.value(theta) < 0.5 * problem.value(start)


def test_ensembles_run_networks_and_leave_dead_neurons_alone():
    widths = (1, 3, 1)
    problem = relu_network(widths, X, Y)
    starts = initialize(widths, n=12, seed=5)
    runs = run_many(problem, starts, learning_rate=0.05, max_iter=40)
    for start, end in zip(starts, runs.x, strict=True):
        theta = start.copy()
        for _ in range(40):
            theta = theta - 0.05 * problem.gradient(theta)
        np.testing.assert_allclose(end, theta, rtol=1e-12, atol=1e-14)
    (dead,) = inactive_neurons(problem, starts)
    assert 3 <= dead.sum() <= 20
    for run, neuron in np.argwhere(dead):
        own = parameters_of_neuron(widths, neuron)
        np.testing.assert_array_equal(runs.x[run, own], starts[run, own])
    assert (inactive_neurons(problem, runs.x)[0] >= dead).all()


def with_dead_layer(widths, layer, **options):
    """Return a problem and parameters with all of that hidden layer's own numbers negative."""
    problem = relu_network(widths, X, Y, **options)
    layers, shortcut = unpack(problem, initialize(widths, seed=3, skip=problem.data.skip)[0])
    first = np.abs(layers[0][0]) * np.resize([1.0, -1.0], (widths[1], 1))
    layers = ((first, np.abs(layers[0][1])), *layers[1:])
    weights, bias = layers[layer]
    weights[:], bias[:] = -np.abs(weights), -np.abs(bias)
    return problem, pack(layers, shortcut)


WIDTHS = (1, 3, 3, 3, 1)
UP_TO_LAYER_2 = slice(0, 3 * 2 + 3 * 4)
LAYER_3_WEIGHTS = slice(18, 27)


def test_a_dead_layer_freezes_all_below_and_leaves_a_constant():
    problem, theta = with_dead_layer(WIDTHS, 1)
    assert dead_layers(problem, theta).tolist() == [False, True, False]
    gradient = problem.gradient(theta)
    assert not gradient[UP_TO_LAYER_2].any()
    assert not gradient[LAYER_3_WEIGHTS].any()
    assert gradient[LAYER_3_WEIGHTS.stop :].any()
    outputs = predict(problem, theta, X)
    assert (outputs == outputs[0]).all()
    variance = problem.constants["target_variance"]
    assert variance == pytest.approx(Y.var(), rel=1e-13)
    assert problem.value(theta) > variance
    theta[-1] -= outputs[0, 0] - Y.mean()
    assert problem.value(theta) == pytest.approx(variance, rel=1e-13)


def test_a_leaky_activation_breaks_both_lemmas():
    widths = (1, 4, 1)
    problem = relu_network(widths, X, Y, slope=0.01)
    theta = with_dead_neuron(widths)
    assert inactive_neurons(problem, theta)[0][1]
    assert problem.gradient(theta)[parameters_of_neuron(widths, 1)].all()
    problem, theta = with_dead_layer(WIDTHS, 1, slope=0.01)
    assert dead_layers(problem, theta)[1]
    assert problem.gradient(theta)[UP_TO_LAYER_2].any()
    assert np.ptp(predict(problem, theta, X)) > 0


def test_a_residual_skip_leads_around_a_dead_branch():
    problem, theta = with_dead_layer(WIDTHS, 1, skip="residual")
    assert dead_layers(problem, theta)[1]
    gradient = problem.gradient(theta)
    assert gradient[:6].any()  # the first layer learns
    assert not gradient[6:18].any()  # the dead branch itself does not
    assert np.ptp(predict(problem, theta, X)) > 0


def test_a_skip_from_input_to_output_leaves_the_layers_below_frozen():
    problem, theta = with_dead_layer(WIDTHS, 1, skip="input_output")
    assert dead_layers(problem, theta)[1]
    gradient = problem.gradient(theta)
    assert not gradient[UP_TO_LAYER_2].any()
    assert gradient[-1] != 0
    _, shortcut = unpack(problem, theta)
    outputs = predict(problem, theta, X)
    np.testing.assert_allclose(outputs - outputs[0], shortcut[0, 0] * (X - X[0])[:, None])


def test_layer_norm_couples_neurons_and_prevents_dead_layers():
    widths = (1, 4, 4, 1)
    problem = relu_network(widths, X, Y, layer_norm=True)
    thetas = initialize(widths, n=300, seed=2)
    assert not dead_layers(problem, thetas).any()
    (first, _) = inactive_neurons(problem, thetas, strict=True)
    run, neuron = np.argwhere(first)[0]
    gradient = problem.gradient(thetas[run])
    own = parameters_of_neuron(widths, neuron)
    assert gradient[own[0]] != 0 and gradient[own[1]] != 0  # incoming: Lemma 1 fails
    assert not gradient[own[2:]].any()  # outgoing: the neuron's output is still zero
