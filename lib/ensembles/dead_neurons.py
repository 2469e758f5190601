"""Neurons and layers that are dead at initialization: where they are, and how probable they are."""

import math
from fractions import Fraction
from functools import partial

import numpy as np

from lib import _validation as check
from lib.ensembles._chunks import count_chunks, map_chunks, pieces
from lib.ensembles.intervals import proportion_interval
from lib.problems.initialization import bias_law, parameter_blocks
from lib.problems.relu_network import (
    columns,
    layer_slices,
    of,
    parameter_count,
    peak_activations,
)

LAWS = ("normal", "uniform")
LONGEST = 1e300  # the largest end of an interval of inputs
LARGEST_INPUT = 1e100  # of a simulation: what comes out of its layers is finite
DEEPEST = 9_000  # most hidden layers in a simulation
WIDEST_DEEP = 10_000  # and their largest width

# Numbers of a layer that are worked on at a time.
BLOCK = 2**20

NETWORKS = 4096  # given networks that one thread looks at
DRAWN = 2**26  # random numbers that one thread draws: the networks of a chunk, in about a second


# --- in a given network ---------------------------------------------------------------------


def inactive_neurons(problem, theta, strict=False, executor=None):
    r"""Find the hidden neurons that are inactive on all training inputs.

    A neuron is inactive where the number :math:`w\cdot h+b` that enters its activation (after a
    layer norm) is at most 0.

    Parameters
    ----------
    problem : Problem
        Made by `lib.problems.relu_network`.
    theta : array_like, shape (d,) or (n, d)
        The parameters of one network or of many.
    strict : bool
        Whether that number must be below 0, which stays true under small changes.
    executor : object with a ``submit`` or ``map`` method, optional
        As for `run_many`.

    Returns
    -------
    tuple of ndarray of bool, shape (l_k,) or (n, l_k)
        For each hidden layer a mask of its neurons.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape; the message names it.

    Examples
    --------
    >>> from lib import ensembles, problems
    >>> network = problems.relu_network((1, 3, 1), [0.0, 1.0], [0.0, 1.0])
    >>> theta = problems.pack([([[1], [-1], [-1]], [0, 0, -1]), ([[1, 1, 1]], [0])])
    >>> (mask,) = ensembles.inactive_neurons(network, theta)
    >>> mask.tolist()
    [False, True, True]
    >>> ensembles.inactive_neurons(network, theta, strict=True)[0].tolist()
    [False, False, True]

    Notes
    -----
    In the first layer of a ReLU network without layer norm such a neuron is dead: all partial
    derivatives for its weights, its bias and its outgoing weights are exactly 0, for every
    mini-batch, and under every method that leaves alone what has had only zero gradients this
    remains so. In a deeper layer the derivatives vanish too, but what enters may change as long as
    a layer below learns; `frozen_parameters` tells what can never change. Used in "Dead neurons
    stay dead", "The width law, the depth law and the risk ladder", "Nine optimizers, one theorem"
    and "Five results, one picture".
    """
    check.flag(strict, "strict")
    return _by_chunks(partial(_inactive, problem, strict=strict), problem, theta, executor)


def dead_layers(problem, theta, strict=False, executor=None):
    """Find the hidden layers of which no neuron is active on any training input.

    Parameters
    ----------
    problem : Problem
        Made by `lib.problems.relu_network`.
    theta : array_like, shape (d,) or (n, d)
        The parameters of one network or of many.
    strict : bool
        As for `inactive_neurons`.
    executor : object with a ``submit`` or ``map`` method, optional
        As for `run_many`.

    Returns
    -------
    ndarray of bool, shape (L - 1,) or (n, L - 1)
        One entry for each hidden layer.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape; the message names it.

    Examples
    --------
    >>> from lib import ensembles, problems
    >>> network = problems.relu_network((1, 2, 2, 1), [0.5, 1.0], [0.0, 1.0])
    >>> theta = problems.initialize((1, 2, 2, 1), n=10_000, law="he", bias="zero")
    >>> dead = ensembles.dead_layers(network, theta)
    >>> dead.shape, bool(abs(dead[:, 0].mean() - 1 / 4) < 0.01)
    ((10000, 2), True)

    Notes
    -----
    Behind a dead layer of a ReLU network without skip and layer norm the output is the same for
    all training inputs, so the risk is at least the variance of the targets (the problem's constant
    "target_variance"), and under the methods of `frozen_parameters` nothing up to that layer ever
    moves.
    Used in "The width law, the depth law and the risk ladder", "Nine optimizers, one theorem"
    and "When one machine is not enough".
    """
    masks = inactive_neurons(problem, theta, strict, executor)
    if not masks:
        raise ValueError("problem must have a hidden layer; this network has none")
    return np.stack([mask.all(axis=-1) for mask in masks], axis=-1)


def frozen_parameters(problem, theta, executor=None):
    r"""Find the parameters that training from here never moves, because neurons are dead.

    Parameters
    ----------
    problem : Problem
        Made by `lib.problems.relu_network`.
    theta : array_like, shape (d,) or (n, d)
        The parameters of one network or of many, before training.
    executor : object with a ``submit`` or ``map`` method, optional
        As for `run_many`.

    Returns
    -------
    ndarray of bool, shape (d,) or (n, d)
        True for the weights and biases that stay exactly where they are, whatever the learning
        rates and the mini-batches from the training data.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import ensembles, optimizers, problems
    >>> network = problems.relu_network((1, 2, 1), [0.0, 0.5, 1.0], [0.0, 1.0, 0.0])
    >>> theta = problems.pack([([[1], [-1]], [0.1, -0.2]), ([[1, 1]], [0])])
    >>> frozen = ensembles.frozen_parameters(network, theta)
    >>> layers, _ = problems.unpack(network, frozen)
    >>> [(weights.astype(bool).tolist(), bias.astype(bool).tolist()) for weights, bias in layers]
    [([[False], [True]], [False, True]), ([[False, True]], [False])]
    >>> run = optimizers.adam(network, theta, 0.01, max_iter=500)
    >>> float(np.abs(run.x - theta)[frozen].max())
    0.0

    Notes
    -----
    It holds for every method that begins with an empty memory and leaves alone each component that
    has had only zero gradients, as all nine of Do, Hannibal and Jentzen (2024) do without weight
    decay. We derive it: frozen are the incoming weights, the bias and the outgoing weights of every
    inactive neuron of the first layer; if a layer is dead, all numbers up to it, the weights that
    lead out of it, and the same for the inactive neurons of the layer above, whose inputs are 0
    forever. With the skip "residual" a dead layer counts only if all layers below it are dead,
    because those learn through the skip. With a `slope` above 0 or a layer norm nothing is frozen.
    Used in "Dead neurons stay dead" and "Nine optimizers, one theorem".
    """
    (frozen,) = _by_chunks(partial(_frozen, problem), problem, theta, executor)
    return frozen


def _by_chunks(work, problem, theta, executor):
    """Return the arrays that `work` makes of the rows of `theta`, or of the one network in it."""
    hidden = of(problem).widths[1:-1]
    given = check.floats(theta, "theta")
    if given.ndim == 1:
        return work(check.point(given, problem.dimension, "theta"))
    thetas = check.points(given, problem.dimension, "theta")
    if not hidden:
        return work(thetas)
    chunks = (thetas[first:stop] for first, stop in pieces(len(thetas), NETWORKS))
    return map_chunks(work, chunks, len(thetas), executor)


def _inactive(problem, theta, strict):
    below = np.less if strict else np.less_equal
    return tuple(below(peak, 0.0) for peak in peak_activations(problem, theta))


def _frozen(problem, theta):
    masks = _inactive(problem, theta, strict=False)
    network = of(problem)
    frozen = np.zeros((*np.shape(theta)[:-1], problem.dimension), dtype=bool)
    if not masks or network.slope > 0.0 or network.layer_norm:
        return (frozen,)
    dead = np.stack([mask.all(axis=-1) for mask in masks], axis=-1)
    if network.skip == "residual":
        base = np.logical_and.accumulate(dead, axis=-1).sum(axis=-1)
    else:
        base = (dead * np.arange(1, len(masks) + 1)).max(axis=-1)
    base = base[..., None]  # number of the last dead layer, 0 without one
    outgoing = np.zeros(1, dtype=bool)
    for k, (weights, biases) in enumerate(layer_slices(network.widths), start=1):
        incoming = np.zeros(network.widths[k], dtype=bool)
        if k <= len(masks):
            incoming = (base >= k) | ((base == k - 1) & masks[k - 1])
        both = incoming[..., :, None] | outgoing[..., None, :]
        both = np.broadcast_to(both, (*frozen.shape[:-1], *network.widths[k - 1 : k + 1][::-1]))
        frozen[..., weights] = both.reshape(*frozen.shape[:-1], -1)
        frozen[..., biases] = incoming
        outgoing = incoming
    return (frozen,)


# --- the probability that a neuron is dead --------------------------------------------------


def death_probability(interval=(-1.0, 1.0), law="normal", bias="same"):
    r"""Return the probability that a first-layer neuron is dead on an interval of inputs.

    With weight w and bias b it is dead on [l, r] when :math:`wl+b\le0` and :math:`wr+b\le0`: when
    (w, b) lies in a cone of the plane.

    Parameters
    ----------
    interval : pair of float
        Ends l and r of the interval that the inputs fill, l at most r.
    law : str
        Law of the weight: "normal" (standard deviation 1) or "uniform" (on (-1, 1)).
    bias : str, float or tuple
        Law of the bias, as for `lib.problems.initialize`: "same", "zero", the standard deviation
        of a normal law, or ``("constant", c)``.

    Returns
    -------
    float
        The probability, exact up to rounding.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> [round(ensembles.death_probability(ends), 4) for ends in [(-1, 1), (0, 1), (1, 2), (-1, 3)]]
    [0.25, 0.375, 0.4488, 0.1762]
    >>> ensembles.death_probability((1, 2), law="uniform")   # 7/16
    0.4375
    >>> ensembles.death_probability((-1, 1), bias=("constant", 0.1))
    0.0

    Notes
    -----
    For a law of (w, b) that is invariant under rotations the probability is
    :math:`(\pi-\angle)/2\pi` with the angle between (l, 1) and (r, 1); for the uniform law it is an
    area, computed in rational numbers. We derive both. A factor common to w and b changes
    nothing. Used in "Dead neurons stay dead" and "Nine optimizers, one theorem".
    """
    low, high = _interval(interval)
    check.choice(law, "law", LAWS)
    kind, size = bias_law(bias)
    if kind == "constant":
        return _death_with_constant(low, high, law, size)
    if law == "normal":
        return (math.atan2(size, high) + math.atan2(size, -low)) / (2.0 * math.pi)
    if kind == "same":
        low, high = Fraction(low), Fraction(high)
        return float((_uniform_area(high) + _uniform_area(-low)) / 4)
    return 0.5 * (_uniform_tail(high / size) + _uniform_tail(-low / size))


def death_probability_cube(
    dimension, low=-1.0, high=1.0, law="normal", bias="same", n=100_000, seed=0, executor=None
):
    r"""Estimate the probability that a first-layer neuron is dead on a cube of inputs.

    It is dead on :math:`[l,r]^d` when :math:`\sum_i\max(w_il,w_ir)+b\le0`.

    Parameters
    ----------
    dimension : int
        Number of inputs d, at least 1.
    low, high : float
        Ends l and r of the interval for each input, l at most r.
    law, bias
        As for `lib.problems.initialize`.
    n : int
        Number of neurons drawn, at least 1.
    seed : int
        Seed, at least 0.
    executor : object with a ``submit`` or ``map`` method, optional
        As for `run_many`.

    Returns
    -------
    Proportion
        The share of dead neurons, with its confidence interval.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> share = ensembles.death_probability_cube(2, low=0.0)
    >>> share.low < 0.2770 < share.high
    True

    Notes
    -----
    On :math:`[0,1]^d` a neuron whose weights and bias are all negative is dead, so the probability
    is at least :math:`2^{-(d+1)}`; on :math:`[-1,1]^d` it decays much faster. Used in "Dead
    neurons stay dead" and "Nine optimizers, one theorem".
    """
    d = check.size(dimension, "dimension", each=2)
    low, high = check.number(low, "low"), check.number(high, "high")
    low, high = _interval((low, high), "low and high")
    options = {"law": law, "bias": bias, "n": n, "seed": seed, "executor": executor}
    return _share(partial(_count_dead, low=low, high=high), (d, 1), **options)


# --- the laws -------------------------------------------------------------------------------


def width_law(width, p):
    r"""Return the probability :math:`1-(1-p)^n` that at least one of n neurons is dead.

    Parameters
    ----------
    width : int or array_like of int
        Number n of neurons in the first hidden layer, at least 0.
    p : float
        Probability that a neuron is dead (see `death_probability`), from 0 to 1.

    Returns
    -------
    float or ndarray, shape of `width`
        The probability.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> ensembles.width_law([1, 2, 3, 5, 8, 16, 32], 0.25).round(4).tolist()
    [0.25, 0.4375, 0.5781, 0.7627, 0.8999, 0.99, 0.9999]

    Notes
    -----
    The neurons are independent. Where one neuron fewer cannot reach the optimal risk, training
    then stays above it, as we derive. The abstract of Do, Hannibal and Jentzen (2024) says that
    the probability of not converging to a global minimizer tends to one at least exponentially
    quickly in the width of the first hidden layer. Used in "The width law, the depth law and the
    risk ladder", "Nine optimizers, one theorem" and "When one machine is not enough".
    """
    n = _counts(width, "width", 0)
    p = check.number(p, "p", low=0.0, high=1.0)
    return _plain(-np.expm1(n * math.log1p(-p)) if p < 1.0 else np.where(n > 0, 1.0, 0.0))


def smallest_width(p, probability):
    """Return the smallest number of neurons with a dead one among them this probably.

    Parameters
    ----------
    p : float
        Probability that a neuron is dead, above 0 and at most 1.
    probability : float
        What `width_law` is to reach, at least 0 and below 1.

    Returns
    -------
    int
        The width.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> ensembles.smallest_width(0.25, 0.99)
    17

    Notes
    -----
    Used in "Nine optimizers, one theorem".
    """
    p = check.number(p, "p", low=0.0, high=1.0, open_low=True)
    wanted = check.number(probability, "probability", low=0.0, high=1.0, open_high=True)
    if p == 1.0:
        return 0 if wanted == 0.0 else 1
    alive, target = Fraction(math.log1p(-p)), Fraction(math.log1p(-wanted))

    def reaches(width):
        if width <= 2000:  # exactly, because the two sides can be equal
            return (1 - Fraction(p)) ** width <= 1 - Fraction(wanted)
        return width * alive <= target

    width = max(0, math.ceil(target / alive) - 1)
    while not reaches(width):
        width += 1
    return width


def depth_law(width, n_layers):
    r"""Return the probability :math:`(1-2^{-n})^L` that no hidden layer is dead on one input.

    Parameters
    ----------
    width : int or array_like of int
        Number n of neurons in each hidden layer, at least 1.
    n_layers : int or array_like of int
        Number L of hidden layers, at least 0.

    Returns
    -------
    float or ndarray
        The probability of survival, for each pair.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> round(ensembles.depth_law(3, 20), 4)   # (7/8)**20
    0.0692

    Notes
    -----
    Exact for one input other than 0, zero biases and weights that are independent, symmetric and
    continuous: given that a layer is alive, each neuron of the next one is active with
    probability 1/2. For more inputs it is a lower bound, because an input more can only help a
    layer. Used in "The width law, the depth law and the risk ladder" and "When one machine is not
    enough".
    """
    n, layers = _pair(_counts(width, "width", 1), _counts(n_layers, "n_layers", 0))
    return _plain(np.exp(layers * np.log1p(-np.exp2(-n))))


def layer_death_bound(width, n_layers, zero_bias=False):
    r"""Bound the probability that no hidden layer is dead, whatever the inputs, from above.

    Parameters
    ----------
    width : int or array_like of int
        Largest number n of neurons in a hidden layer, at least 1.
    n_layers : int or array_like of int
        Number L of hidden layers, at least 1.
    zero_bias : bool
        Whether the biases are 0 instead of random.

    Returns
    -------
    float or ndarray
        The bound :math:`(1-2^{-n(n+1)})^{L-1}`, with :math:`n^2` as exponent for zero biases.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> [round(ensembles.layer_death_bound(3, depth), 3) for depth in (10, 50)]
    [0.998, 0.988]

    Notes
    -----
    We derive it: from the second hidden layer on, the inputs of a layer are not negative, so it
    is dead on every input when all its weights and biases are negative. This needs all
    parameters to be independent, also inside a layer, and each negative with probability 1/2 or
    more: where neurons come in mirrored pairs (`mirrored` of `lib.problems.initialize`) no layer
    ever dies. Used in "The width law, the depth law and the risk ladder".
    """
    n, layers = _pair(_counts(width, "width", 1), _counts(n_layers, "n_layers", 1))
    negative = n * n if check.flag(zero_bias, "zero_bias") else n * (n + 1.0)
    return _plain(np.exp((layers - 1.0) * np.log1p(-np.exp2(-negative))))


def failure_lower_bound(width, p, k_star):
    r"""Return the probability that fewer than k* of n neurons are alive.

    Parameters
    ----------
    width : int or array_like of int
        Number n of neurons in the first hidden layer, at least 0.
    p : float
        Probability that a neuron is dead, from 0 to 1.
    k_star : int
        Smallest number of neurons that can reach the optimal risk, at least 0.

    Returns
    -------
    float or ndarray, shape of `width`
        :math:`P(\mathrm{Bin}(n,1-p)<k^*)`, which training cannot fail less often than.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> ensembles.failure_lower_bound([3, 4, 6, 8], 0.25, 3).round(4).tolist()
    [0.5781, 0.2617, 0.0376, 0.0042]

    Notes
    -----
    We derive it: the function that the network realizes always belongs to the class of the living
    neurons. Used in "The width law, the depth law and the risk ladder".
    """
    from scipy.special import betainc

    n = _counts(width, "width", 0)
    p = check.number(p, "p", low=0.0, high=1.0)
    k = check.integer(k_star, "k_star", low=0, high=2**53)
    if k == 0:
        return _plain(np.zeros_like(n))
    # That more than n - k of the n are dead, which keeps its digits where p is tiny.
    dead = betainc(np.maximum(n - k, 0.0) + 1.0, k, p)
    return _plain(np.where(n < k, 1.0, dead))


# --- the laws by simulation -----------------------------------------------------------------


def simulate_width_law(
    width, interval=(-1.0, 1.0), law="normal", bias="same", n=10_000, seed=0, executor=None
):
    """Count networks with at least one dead neuron in the first layer.

    Parameters
    ----------
    width : int
        Number of neurons in that layer, at least 1.
    interval : pair of float
        The interval that the inputs fill.
    law, bias
        As for `lib.problems.initialize`.
    n : int
        Number of networks drawn, at least 1.
    seed : int
        Seed, at least 0.
    executor : object with a ``submit`` or ``map`` method, optional
        As for `run_many`.

    Returns
    -------
    Proportion
        The share of networks with a dead neuron, to be compared with `width_law`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> share = ensembles.simulate_width_law(3)
    >>> share.low < ensembles.width_law(3, 0.25) < share.high
    True

    Notes
    -----
    Used in "The width law, the depth law and the risk ladder" and "When one machine is not
    enough".
    """
    width = check.size(width, "width", each=4)
    low, high = _interval(interval)
    options = {"law": law, "bias": bias, "n": n, "seed": seed, "executor": executor}
    return _share(partial(_count_maimed, low=low, high=high), (1, width), **options)


def simulate_depth_law(
    width,
    n_layers,
    inputs=(1.0,),
    law="he",
    bias="zero",
    n=10_000,
    seed=0,
    executor=None,
):
    """Count networks without a dead hidden layer.

    Parameters
    ----------
    width : int
        Number of neurons in each hidden layer, at least 1.
    n_layers : int
        Number of hidden layers, at least 1.
    inputs : array_like, shape (M,) or (M, l0)
        The inputs on which a layer is to be dead.
    law, bias
        As for `lib.problems.initialize`.
    n : int
        Number of networks drawn, at least 1.
    seed : int
        Seed, at least 0.
    executor : object with a ``submit`` or ``map`` method, optional
        As for `run_many`.

    Returns
    -------
    Proportion
        The share of networks that survive, to be compared with `depth_law`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> share = ensembles.simulate_depth_law(3, 10)
    >>> share.low < ensembles.depth_law(3, 10) < share.high
    True

    Notes
    -----
    Used in "The width law, the depth law and the risk ladder", "Nine optimizers, one theorem"
    and "When one machine is not enough".
    """
    inputs = check.floats(inputs, "inputs")
    inputs = columns(inputs, inputs.shape[-1] if inputs.ndim == 2 else 1, "inputs")
    if np.abs(inputs).max() > LARGEST_INPUT:
        raise ValueError(f"inputs must be at most {LARGEST_INPUT:g} in absolute value")
    width = check.integer(width, "width", low=1, high=WIDEST_DEEP)
    deepest = min(DEEPEST, check.ROOM // (width * (width + 2 + inputs.shape[1])))
    n_layers = check.integer(n_layers, "n_layers", low=1, high=deepest)
    widths = (inputs.shape[1],) + n_layers * (width,)
    options = {"law": law, "bias": bias, "n": n, "seed": seed, "executor": executor}
    return _share(partial(_count_alive, inputs=inputs, widths=widths), widths, **options)


def _share(count, widths, law, bias, n, seed, executor):
    """Return the share of `n` random networks that are among those that `count` finds."""
    n = check.count(n, "n", low=1)
    next(parameter_blocks(widths, 1, law, bias, seed))  # checks the arguments
    size = max(1, DRAWN // parameter_count(widths))
    work = partial(_count_chunk, count, widths, law, bias)
    return proportion_interval(count_chunks(work, n, size, seed, executor), n)


def _count_chunk(count, widths, law, bias, chunk):
    n, seed = chunk
    return sum(count(theta) for theta in parameter_blocks(widths, n, law, bias, seed))


def _count_dead(theta, low, high):
    """Count the rows of weights and a bias that are dead on a cube."""
    weights, biases = theta[:, :-1], theta[:, -1]
    peaks = np.maximum(weights * low, weights * high).sum(axis=1) + biases
    return int((peaks <= 0.0).sum())


def _count_maimed(theta, low, high):
    """Count the layers with a neuron that is dead on an interval."""
    weights, biases = np.split(theta, 2, axis=1)
    peaks = np.maximum(weights * low, weights * high) + biases
    return int((peaks <= 0.0).any(axis=1).sum())


def _count_alive(thetas, inputs, widths):
    """Count the networks without a dead layer."""
    alive = 0
    for first, stop in pieces(len(thetas), max(1, BLOCK // (len(inputs) * widths[-1]))):
        theta = thetas[first:stop]
        states = np.broadcast_to(inputs, (len(theta), *inputs.shape))
        for weights, biases in layer_slices(widths):
            matrices = theta[:, weights].reshape(len(theta), widths[-1], states.shape[2])
            entering = states @ matrices.transpose(0, 2, 1) + theta[:, None, biases]
            survives = (entering > 0.0).any(axis=(1, 2))
            states, theta = np.maximum(entering[survives], 0.0), theta[survives]
        alive += len(theta)
    return alive


def _death_with_constant(low, high, law, c):
    """Return the probability of wl + c <= 0 and wr + c <= 0 for a random w."""
    from scipy.special import ndtr

    least, most = -math.inf, math.inf
    for end in (low, high):
        if end > 0.0:
            most = min(most, -c / end)
        elif end < 0.0:
            least = max(least, -c / end)
        elif c > 0.0:
            return 0.0
    if least >= most:
        return 0.0
    if law == "normal":
        return float(ndtr(most) - ndtr(least))
    return 0.5 * max(0.0, min(most, 1.0) - max(least, -1.0))


def _uniform_area(t):
    """Return the mean of the length of [-1, -t w] in [-1, 1] over w in [0, 1], for a Fraction."""
    if abs(t) <= 1:
        return 1 - t / 2
    return 1 / (2 * t) if t > 0 else 2 + 1 / (2 * t)


def _uniform_tail(t):
    """Return the mean of P(Z <= -t w) over w in [0, 1], for a standard normal Z."""
    from scipy.special import ndtr

    if t == 0.0:
        return 0.5
    return float(ndtr(-t) - math.expm1(-0.5 * t * t) / (t * math.sqrt(2.0 * math.pi)))


def _interval(ends, name="interval"):
    low, high = (float(end) for end in check.point(ends, 2, name))
    if low > high:
        raise ValueError(f"{name} must not descend; got {check.shown(ends)}")
    if max(abs(low), abs(high)) > LONGEST:
        raise ValueError(f"{name} must have ends of at most {LONGEST:g} in absolute value")
    return low, high


def _counts(x, name, low):
    """Return whole numbers as floats, which powers of two and logarithms need."""
    return check.whole_numbers(x, name, low)


def _pair(width, n_layers):
    """Return `width` and `n_layers` in one shape."""
    try:
        return np.broadcast_arrays(width, n_layers)
    except ValueError:
        raise ValueError(
            "width and n_layers must have shapes that fit together; "
            f"got {width.shape} and {n_layers.shape}"
        ) from None


def _plain(x):
    """Return an array of no axes as a float."""
    return x if np.ndim(x) else float(x)
