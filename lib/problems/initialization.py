"""Random initial parameters of fully connected networks, many networks at once."""

import math

import numpy as np

from lib import _validation as check
from lib.problems.relu_network import layer_slices, layer_widths, parameter_count

# Name of the law: whether it is normal, and its standard deviation or half-width.
LAWS = {
    "normal": (True, lambda fan_in, fan_out: 1.0),
    "uniform": (False, lambda fan_in, fan_out: 1.0),
    "he": (True, lambda fan_in, fan_out: math.sqrt(2.0 / fan_in)),
    "he_uniform": (False, lambda fan_in, fan_out: math.sqrt(6.0 / fan_in)),
    "xavier": (True, lambda fan_in, fan_out: math.sqrt(2.0 / (fan_in + fan_out))),
    "xavier_uniform": (False, lambda fan_in, fan_out: math.sqrt(6.0 / (fan_in + fan_out))),
    "pytorch": (False, lambda fan_in, fan_out: 1.0 / math.sqrt(fan_in)),
}

WIDEST = 1e300  # largest standard deviation: forty times it is still finite

# Numbers drawn at a time.
BLOCK = 2**21


def initialize(widths, n=1, law="normal", bias="same", seed=0, skip="none", mirrored=False):
    r"""Draw initial parameters for many networks.

    All numbers of a network are independent and symmetric around 0 (but for a constant bias, and
    for `mirrored`). With :math:`l` neurons below a layer and :math:`l'` in it, its weights have
    the law

    ================  ==================================================
    law               weights
    ================  ==================================================
    "normal"          normal, standard deviation 1
    "uniform"         uniform on (-1, 1)
    "he"              normal, standard deviation :math:`\sqrt{2/l}`
    "he_uniform"      uniform up to :math:`\pm\sqrt{6/l}`
    "xavier"          normal, standard deviation :math:`\sqrt{2/(l+l')}`
    "xavier_uniform"  uniform up to :math:`\pm\sqrt{6/(l+l')}`
    "pytorch"         uniform up to :math:`\pm1/\sqrt l`
    ================  ==================================================

    Parameters
    ----------
    widths : sequence of int
        Widths of all layers, as for `relu_network`.
    n : int
        Number of networks, at least 1.
    law : str
        Law of the weights, a name from the table.
    bias : str, float or tuple
        Law of the biases. "same": that of the weights of their layer, so that "pytorch" is the
        default of ``torch.nn.Linear``; "zero"; a number: normal with this standard deviation;
        ``("constant", c)``: all equal to c.
    seed : int
        Seed, at least 0. Network i is the same for every n, and its weights are the same for
        every `bias`.
    skip : str
        As for `relu_network`; the weights of "input_output" are drawn like those of a layer that
        leads from the inputs to the outputs.
    mirrored : bool
        Whether the second half of each hidden layer is minus the first half in weights and
        biases, so that on each input one neuron of a pair is active. Hidden widths must be even.

    Returns
    -------
    ndarray, shape (n, d)
        One network per row, in the order of `relu_network`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import problems
    >>> thetas = problems.initialize((1, 8, 1), n=1000, law="he", bias="zero")
    >>> thetas.shape, bool(thetas[:, 8:16].any())
    ((1000, 25), False)

    Notes
    -----
    With "same" the pair of a first-layer weight and bias is the law of
    `lib.ensembles.death_probability` up to a factor common to both, which changes no sign: its
    "normal" for the normal laws and its "uniform" for the others. Used in all notebooks of part
    5.
    """
    number = parameter_count(layer_widths(widths, skip), skip)
    options = (widths, check.size(n, "n", each=number), law, bias, seed, skip, mirrored)
    return np.concatenate(list(parameter_blocks(*options)))


def parameter_blocks(widths, n, law="normal", bias="same", seed=0, skip="none", mirrored=False):
    """Yield what `initialize` returns, a few rows at a time."""
    widths = layer_widths(widths, skip)
    n = check.integer(n, "n", low=1)
    normal, scale = LAWS[check.choice(law, "law", tuple(LAWS))]
    kind, size = bias_law(bias)
    hidden = widths[1:-1]
    if check.flag(mirrored, "mirrored") and any(width % 2 for width in hidden):
        raise ValueError(f"widths of hidden layers must be even when mirrored; got {widths!r}")
    sequence = np.random.SeedSequence(check.integer(seed, "seed", low=0))
    weight_stream, bias_stream = map(np.random.default_rng, sequence.spawn(2))

    scales = np.full(parameter_count(widths, skip), scale(widths[0], widths[-1]))
    is_bias = np.zeros(scales.size, dtype=bool)
    for number, (weights, biases) in enumerate(layer_slices(widths), start=1):
        scales[weights.start : biases.stop] = scale(widths[number - 1], widths[number])
        is_bias[biases] = True
    weight_scales, bias_scales = scales[~is_bias], scales[is_bias]

    rows = max(1, BLOCK // scales.size)
    for first in range(0, n, rows):
        count = min(rows, n - first)
        theta = np.empty((count, scales.size))
        theta[:, ~is_bias] = weight_scales * _draw(weight_stream, normal, count, weight_scales)
        if kind == "same":
            theta[:, is_bias] = bias_scales * _draw(bias_stream, normal, count, bias_scales)
        elif kind == "normal":
            theta[:, is_bias] = size * _draw(bias_stream, True, count, bias_scales)
        else:
            theta[:, is_bias] = size
        if mirrored:
            _mirror(theta, widths)
        yield theta


def bias_law(bias):
    """Return the kind ("same", "normal" or "constant") and the size of the biases."""
    wanted = "'same', 'zero', a standard deviation or ('constant', c)"
    if isinstance(bias, str):
        if bias not in ("same", "zero"):
            raise ValueError(f"bias must be {wanted}; got {bias!r}")
        return ("same", 1.0) if bias == "same" else ("constant", 0.0)
    if isinstance(bias, (tuple, list)):
        if len(bias) != 2 or bias[0] != "constant":
            raise ValueError(f"bias must be {wanted}; got {bias!r}")
        return "constant", check.number(bias[1], "bias (the constant)")
    return "normal", check.number(bias, "bias (a standard deviation)", 0.0, WIDEST, open_low=True)


def _draw(stream, normal, count, columns):
    shape = (count, columns.size)
    return stream.standard_normal(shape) if normal else stream.uniform(-1.0, 1.0, shape)


def _mirror(theta, widths):
    """Make the second half of each hidden layer minus the first half."""
    for slices in layer_slices(widths)[:-1]:
        for part in slices:
            half = (part.stop - part.start) // 2
            theta[:, part.start + half : part.stop] = -theta[:, part.start : part.start + half]
