"""Laws of initial parameters: moments, supports, streams, and what must not change."""

import numpy as np
import pytest
from scipy import stats

from lib.ensembles import dead_layers, inactive_neurons
from lib.problems import initialize, relu_network
from lib.problems.initialization import parameter_blocks

WIDTHS = (3, 8, 5, 2)
SIZES = {"weights": (24, 40, 10), "biases": (8, 5, 2)}


def parts(theta):
    """Return the weights and the biases of each layer."""
    pieces = np.split(theta, np.cumsum([24, 8, 40, 5, 10])[:5].tolist(), axis=1)
    return pieces[::2], pieces[1::2]


STANDARD = {
    "normal": (stats.norm, lambda i, o: 1.0),
    "uniform": (stats.uniform(-1, 2), lambda i, o: 1.0),
    "he": (stats.norm, lambda i, o: np.sqrt(2 / i)),
    "he_uniform": (stats.uniform(-1, 2), lambda i, o: np.sqrt(6 / i)),
    "xavier": (stats.norm, lambda i, o: np.sqrt(2 / (i + o))),
    "xavier_uniform": (stats.uniform(-1, 2), lambda i, o: np.sqrt(6 / (i + o))),
    "pytorch": (stats.uniform(-1, 2), lambda i, o: 1 / np.sqrt(i)),
}


@pytest.mark.parametrize("law", STANDARD)
def test_laws(law):
    standard, scale = STANDARD[law]
    weights, biases = parts(initialize(WIDTHS, n=400, law=law, seed=1))
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        factor = scale(WIDTHS[k], WIDTHS[k + 1])
        assert weight.shape == (400, SIZES["weights"][k])
        assert bias.shape == (400, SIZES["biases"][k])
        for sample in (weight, bias):
            assert stats.kstest(sample.ravel() / factor, standard.cdf).pvalue > 1e-4


@pytest.mark.parametrize("law", ["normal", "pytorch"])
def test_biases(law):
    same, _ = parts(initialize(WIDTHS, n=300, law=law, seed=4))
    cases = {"zero": "zero", "constant": ("constant", 0.1), "normal": 0.5}
    for kind, bias in cases.items():
        weights, biases = parts(initialize(WIDTHS, n=300, law=law, bias=bias, seed=4))
        for left, right in zip(weights, same, strict=True):
            np.testing.assert_array_equal(left, right)
        flat = np.concatenate(biases, axis=1).ravel()
        if kind == "normal":
            assert stats.kstest(flat / 0.5, stats.norm.cdf).pvalue > 1e-4
        else:
            assert set(flat) == {0.0 if kind == "zero" else 0.1}


def test_weights_and_biases_are_independent():
    theta = initialize((1, 4, 1), n=20_000, seed=3)
    correlations = np.corrcoef(theta.T) - np.eye(13)
    assert np.abs(correlations).max() < 5 / np.sqrt(20_000)


def test_a_network_does_not_depend_on_how_many_there_are(monkeypatch):
    many = initialize(WIDTHS, n=50, seed=9)
    np.testing.assert_array_equal(initialize(WIDTHS, n=3, seed=9), many[:3])
    assert (initialize(WIDTHS, n=3, seed=10) != many[:3]).all()
    monkeypatch.setattr("lib.problems.initialization.BLOCK", 700)
    blocks = list(parameter_blocks(WIDTHS, 50, seed=9))
    assert [len(block) for block in blocks] == 7 * [7] + [1]
    np.testing.assert_array_equal(np.concatenate(blocks), many)


def test_shortcut_is_drawn_like_a_layer():
    theta = initialize((3, 4, 4, 2), n=500, law="he", bias="zero", skip="input_output", seed=2)
    network = relu_network((3, 4, 4, 2), np.zeros((1, 3)), np.zeros((1, 2)), skip="input_output")
    assert theta.shape == (500, network.dimension)
    sample = theta[:, -6:].ravel() / np.sqrt(2 / 3)
    assert stats.kstest(sample, stats.norm.cdf).pvalue > 1e-4
    without = initialize((3, 4, 4, 2), n=1, law="he", bias="zero", seed=2)
    np.testing.assert_array_equal(theta[:1, : without.shape[1]], without)


def test_mirrored_pairs_never_die_together():
    widths = (1,) + 20 * (2,) + (1,)
    theta = initialize(widths, n=40, law="he", bias="zero", seed=0, mirrored=True)
    network = relu_network(widths, [0.8], [0.0])
    masks = inactive_neurons(network, theta)
    for mask in masks:
        np.testing.assert_array_equal(mask.sum(axis=1), 1)
    assert not dead_layers(network, theta).any()
    np.testing.assert_array_equal(theta[:, 0], -theta[:, 1])
    np.testing.assert_array_equal(theta[:, 4:6], -theta[:, 6:8])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n": 0}, ValueError, "n must be a whole number at least 1"),
        ({"n": 2.0}, TypeError, "n must be a whole number"),
        ({"law": "orthogonal"}, ValueError, "law must be one of 'normal', 'uniform'"),
        ({"bias": "none"}, ValueError, "bias must be 'same', 'zero', .* got 'none'"),
        ({"bias": ("constant",)}, ValueError, "bias must be 'same', 'zero'"),
        ({"bias": ("uniform", 1)}, ValueError, "bias must be 'same', 'zero'"),
        ({"bias": ("constant", "a")}, TypeError, r"bias \(the constant\) must be a number"),
        ({"bias": 0.0}, ValueError, r"bias \(a standard deviation\) must be .* above 0"),
        ({"bias": None}, TypeError, r"bias \(a standard deviation\) must be a number"),
        ({"seed": -1}, ValueError, "seed must be a whole number at least 0"),
        ({"skip": "residual"}, ValueError, "widths must hold two hidden layers or more"),
        ({"mirrored": True}, ValueError, "widths of hidden layers must be even when mirrored"),
        ({"mirrored": 1}, TypeError, "mirrored must be True or False"),
    ],
)
def test_bad_arguments_are_named(options, error, message):
    with pytest.raises(error, match=message):
        initialize((1, 3, 1), **options)
