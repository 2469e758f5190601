"""Training of many ReLU networks with mini-batches, a tile of them side by side, as a template.

The lanes of a tile are networks, whose numbers lie side by side: parameter after parameter, neuron
after neuron, and in each place one number for each lane. No lane looks at another.
"""

import numpy as np

from lib import _random as random
from lib._jit import (
    ACTIVATED,
    LANES,
    MASKED,
    PLAIN_SUM,
    Slot,
    bare,
    column,
    inlined,
    kernel,
    lane_products,
    row,
)
from lib.optimizers import _batches
from lib.optimizers._updates import (
    BATCH,
    LEAD,
    RATE,
    SAMPLES,
    couple,
    learning_rate,
    shrink,
)
from lib.problems.relu_network import N_LAYERS, N_SAMPLES, SLOPE, WIDTHS, _layer

draw = Slot("draw")
update = Slot("update")

BLOCK = 16  # samples that go through the networks before others do


@kernel
def with_replacement(n, size, m, r, picks):
    """Draw as `lib.optimizers._batches.with_replacement` in each lane; return the batch size."""
    lanes = r.size // random.WORDS  # LANES; a loop of a length known beforehand is unrolled instead
    for j in range(size):
        for i in range(lanes):
            picks[j * LANES + i] = random.below(column(r, i, LANES, random.WORDS), n)
    return size


@kernel
def without_replacement(n, size, m, r, picks):
    """Draw as `lib.optimizers._batches.without_replacement` in each lane."""
    drawn = 0
    for i in range(LANES):
        stream = column(r, i, LANES, random.WORDS)
        first, last = _batches.without_replacement(n, size, row(m, i), stream)
        drawn = last - first
        for j in range(drawn):
            picks[j * LANES + i] = m[i, first + j]
    return drawn


@kernel
def everyone(n, size, m, r, picks):
    """Take all samples."""
    for j in range(n):
        for i in range(LANES):
            picks[j * LANES + i] = j
    return n


DRAWS = {
    _batches.with_replacement: with_replacement,
    _batches.without_replacement: without_replacement,
    None: everyone,
}


@inlined
def gradient(x, p, picks, size, h, delta, upper, constants, out):
    """Compute the gradient of each lane on its own samples.

    `h` has room for all neurons, `delta` and `upper` for a layer, each for BLOCK samples.
    """
    n_layers = int(p[N_LAYERS])
    inputs, outputs = int(p[WIDTHS]), int(p[WIDTHS + n_layers])
    data = WIDTHS + n_layers + 1
    targets = data + int(p[N_SAMPLES]) * inputs
    weight = 2.0 / size
    for i in range(out.size):
        out[i] = 0.0
    for first in range(0, size, BLOCK):
        b = min(BLOCK, size - first)
        chosen = bare(picks[first * LANES : (first + b) * LANES])
        for j in range(inputs):
            for i in range(chosen.size):
                h[j * chosen.size + i] = p[data + chosen[i] * inputs + j]
        for k in range(1, n_layers + 1):
            below, width, source, theta = _layer(p, k)
            here = source + below
            weights, biases = (x, theta, below, 1), (x, theta + width * below, 1, 0)
            lower, own = (h, source * b, b, 1), (h, here * b, b, 1)
            slope = p[SLOPE] if k < n_layers else 1.0
            lane_products(ACTIVATED, own, biases, weights, lower, (width, b, below), slope, own)
        for j in range(outputs):
            at = j * chosen.size
            for i in range(chosen.size):
                wanted = p[targets + chosen[i] * outputs + j]
                delta[at + i] = weight * (h[here * chosen.size + at + i] - wanted)
        for k in range(n_layers, 0, -1):
            below, width, source, theta = _layer(p, k)
            lower, errors = (h, source * b, b, 1), (delta, 0, b, 1)
            back, all_samples = (h, source * b, 1, b), (constants, 1, 0, 0)
            slopes, biases = (out, theta, below, 1), (out, theta + width * below, 1, 0)
            lane_products(PLAIN_SUM, biases, biases, errors, all_samples, (width, 1, b), 1.0, lower)
            lane_products(PLAIN_SUM, slopes, slopes, errors, back, (width, below, b), 1.0, lower)
            if k > 1:
                shares, nothing = (upper, 0, b, 1), (constants, 0, 0, 0)
                turned, sizes = (x, theta, 1, below), (below, b, width)
                lane_products(MASKED, shares, nothing, turned, errors, sizes, p[SLOPE], lower)
                delta, upper = upper, delta


def aligned(shapes):
    """Return arrays of zeros that begin where a register can be loaded at once."""
    arrays = []
    for shape in shapes:
        size = int(np.prod(shape))
        room = np.zeros(size + 8)
        skip = -room.ctypes.data // 8 % 8
        arrays.append(room[skip : skip + size].reshape(shape))
    return arrays


def buffer_shapes(widths, d, rows):
    """Return the shapes of what `train` works with, for so many rows of state."""
    widest = max(widths) * BLOCK * LANES
    return (rows + 3, d * LANES), (sum(widths) * BLOCK * LANES,), (widest,), (widest,), (2 * LANES,)


def train(
    starts,
    numbers,
    words,
    p_,
    o_,
    s0,
    last,
    every,
    radius,
    r_,
    m_,
    picks_,
    v_,
    h_,
    delta_,
    upper_,
    constants_,
    ends,
    lost,
    drawn,
):
    """Train from every start; see `lib.ensembles.run_many`.

    The last rows of `v_` are the parameters, the point where the gradient is taken, the gradient.
    `lost` tells which networks left the region; `drawn` gets the samples each network used.
    """
    p, o, r, m, picks = bare(p_), bare(o_), bare(r_), bare(m_), bare(picks_)
    v, h, constants = bare(v_), bare(h_), bare(constants_)
    delta, upper = bare(delta_), bare(upper_)
    n, d = starts.shape
    rows = v.shape[0]
    x, ahead, g = row(v, rows - 3), row(v, rows - 2), row(v, rows - 1)
    s = s0.copy()
    for i in range(LANES):
        constants[LANES + i] = 1.0
    for first in range(0, n, LANES):
        for j in range(rows):
            for i in range(d * LANES):
                v[j, i] = 0.0
        for i in range(LANES):
            source = min(first + i, n - 1)
            random.start(column(r, i, LANES, random.WORDS), words, numbers[source])
            m[i, 0] = 0
            for j in range(d):
                x[j * LANES + i] = starts[source, j]
        for j in range(s.size):
            s[j] = s0[j]
        for i in range(min(LANES, n - first)):
            lost[first + i] = False
        seen = 0
        for k in range(last):
            s[RATE] = learning_rate(o, k)
            point = x
            if o[LEAD] > 0.0:
                for i in range(x.size):
                    ahead[i] = x[i] - s[RATE] * o[LEAD] * v[0, i]
                point = ahead
            size = draw(int(o[SAMPLES]), int(o[BATCH]), m, r, picks)
            seen += size
            gradient(point, p, picks, size, h, delta, upper, constants, g)
            couple(point, g, o)
            shrink(x, s, o)
            update(x, g, v, s, o, k + 1)
            if (k + 1) % every == 0 or k + 1 == last:
                left = 0
                for i in range(min(LANES, n - first)):
                    for j in range(d):
                        if not abs(x[j * LANES + i]) <= radius:
                            lost[first + i] = True
                    left += not lost[first + i]
                if left == 0:
                    break
        for i in range(min(LANES, n - first)):
            drawn[first + i] = seen
            for j in range(d):
                ends[first + i, j] = x[j * LANES + i]
