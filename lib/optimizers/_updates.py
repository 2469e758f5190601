"""What each stochastic method does with a gradient: ``update(x, g, state, s, o, t)``.

::

    x      parameters, changed in place
    g      their gradient
    state  what is remembered of each component, (rows, d); zero before the first step
    s      numbers: s[RATE] is the learning rate of this step, s[PRODUCT] starts at 1
    o      options: the entries below, which all methods share, then the method's own
    t      number of this step; the first is 1

All work component by component, and a component whose gradients were all zero gets x - 0: its
state stays zero and every division is by at least eps. Numbers are brought to the precision of x
before each loop, so that float32 vectors are worked on as such.
"""

import math

from lib._jit import inlined
from lib.optimizers.schedules import scheduled

# Entries of the scalars, and of the options that all methods share.
RATE, PRODUCT = range(2)
KIND, BASE, A, B, WARMUP, COUPLED, DECOUPLED, LEAD, SAMPLES, BATCH = range(10)
SHARED = 10

# Entries of the options of each method.
MOMENTUM, FIRST_GAIN, GAIN, DIRECT, THROUGH = range(SHARED, SHARED + 5)
LR_DECAY, INITIAL, ADAGRAD_EPS = range(SHARED, SHARED + 3)
ALPHA, INSIDE, OUTSIDE, BUFFER, CENTERED = range(SHARED, SHARED + 5)
BETA1, BETA2, EPS, LARGEST = range(SHARED, SHARED + 4)
EPS_INSIDE, EPS_OUTSIDE = range(SHARED + 2, SHARED + 4)
MOMENTUM_DECAY, DECAYING = range(SHARED + 3, SHARED + 5)


@inlined
def learning_rate(o, k):
    """Return the learning rate of step k = 0, 1, ..."""
    return scheduled(int(o[KIND]), o[BASE], o[A], o[B], int(o[WARMUP]), k)


@inlined
def couple(point, g, o):
    """Add to `g`, the gradient at `point`, that of o[COUPLED] / 2 times the squared norm."""
    if o[COUPLED] > 0.0:
        weight = g.dtype.type(o[COUPLED])
        for i in range(g.size):
            g[i] += weight * point[i]


@inlined
def shrink(x, s, o):
    """Multiply `x` by 1 minus learning rate times o[DECOUPLED]."""
    if o[DECOUPLED] > 0.0:
        factor = x.dtype.type(1.0 - s[RATE] * o[DECOUPLED])
        for i in range(x.size):
            x[i] *= factor


@inlined
def sgd(x, g, state, s, o, t):
    """Step along the gradient."""
    rate = x.dtype.type(s[RATE])
    for i in range(x.size):
        x[i] -= rate * g[i]


@inlined
def momentum(x, g, state, s, o, t):
    """Step along o[DIRECT] times the gradient and o[THROUGH] times its running sum, state[0]."""
    number = x.dtype.type
    rate, keep = number(s[RATE]), number(o[MOMENTUM])
    gain = number(o[FIRST_GAIN] if t == 1 else o[GAIN])
    direct, through = number(o[DIRECT]), number(o[THROUGH])
    for i in range(x.size):
        state[0, i] = keep * state[0, i] + gain * g[i]
        x[i] -= rate * (direct * g[i] + through * state[0, i])


@inlined
def adagrad(x, g, state, s, o, t):
    """Divide by the root of the sum of squared gradients, state[0]."""
    number = x.dtype.type
    rate = number(s[RATE] / (1.0 + (t - 1) * o[LR_DECAY]))
    initial = number(o[INITIAL] if t == 1 else 0.0)
    eps = number(o[ADAGRAD_EPS])
    for i in range(x.size):
        state[0, i] += initial + g[i] * g[i]
        x[i] -= rate * g[i] / (eps + math.sqrt(state[0, i]))


@inlined
def rmsprop(x, g, state, s, o, t):
    """Divide by the root of the mean of squared gradients, state[0], or of their variance.

    state[1] is the mean gradient (centered), state[2] the running sum of steps (momentum).
    """
    number = x.dtype.type
    rate, keep, gain = number(s[RATE]), number(o[ALPHA]), number(1.0 - o[ALPHA])
    inside, outside, push = number(o[INSIDE]), number(o[OUTSIDE]), number(o[BUFFER])
    zero = number(0.0)
    centered, pushed = o[CENTERED] == 1.0, o[BUFFER] > 0.0
    for i in range(x.size):
        state[0, i] = keep * state[0, i] + gain * g[i] * g[i]
        spread = state[0, i]
        if centered:
            state[1, i] = keep * state[1, i] + gain * g[i]
            spread -= state[1, i] * state[1, i]
            if spread < zero:  # a variance below zero is rounding
                spread = zero
        step = g[i] / (outside + math.sqrt(inside + spread))
        if pushed:
            state[2, i] = push * state[2, i] + step
            step = state[2, i]
        x[i] -= rate * step


@inlined
def adam(x, g, state, s, o, t):
    """Divide the mean gradient, state[0], by the root of the mean square, state[1].

    With o[LARGEST] = 1 (AMSGrad) the largest mean square so far, state[2], takes its place.
    """
    number = x.dtype.type
    keep1, gain1 = number(o[BETA1]), number(1.0 - o[BETA1])
    keep2, gain2 = number(o[BETA2]), number(1.0 - o[BETA2])
    rate = number(s[RATE] / (1.0 - math.pow(o[BETA1], float(t))))
    scale = number(1.0 / math.sqrt(1.0 - math.pow(o[BETA2], float(t))))
    eps = number(o[EPS])
    largest = o[LARGEST] == 1.0
    for i in range(x.size):
        state[0, i] = keep1 * state[0, i] + gain1 * g[i]
        state[1, i] = keep2 * state[1, i] + gain2 * g[i] * g[i]
        square = state[1, i]
        if largest:
            if state[2, i] < square:
                state[2, i] = square
            square = state[2, i]
        x[i] -= rate * state[0, i] / (eps + math.sqrt(square) * scale)


@inlined
def adamax(x, g, state, s, o, t):
    """Divide the mean gradient, state[0], by the largest faded absolute gradient, state[1]."""
    number = x.dtype.type
    keep1, gain1, keep2 = number(o[BETA1]), number(1.0 - o[BETA1]), number(o[BETA2])
    rate = number(s[RATE] / (1.0 - math.pow(o[BETA1], float(t))))
    inside, outside = number(o[EPS_INSIDE]), number(o[EPS_OUTSIDE])
    for i in range(x.size):
        state[0, i] = keep1 * state[0, i] + gain1 * g[i]
        new, old = inside + abs(g[i]), keep2 * state[1, i]
        state[1, i] = new if new > old else old
        x[i] -= rate * state[0, i] / (outside + state[1, i])


@inlined
def nadam(x, g, state, s, o, t):
    """Adam with the mean gradient, state[0], taken one step ahead; state[1] the mean square."""
    number = x.dtype.type
    keep1, gain1 = number(o[BETA1]), number(1.0 - o[BETA1])
    keep2, gain2 = number(o[BETA2]), number(1.0 - o[BETA2])
    scale = number(1.0 / math.sqrt(1.0 - math.pow(o[BETA2], float(t))))
    eps = number(o[EPS])
    now = o[BETA1] * (1.0 - o[DECAYING] * math.pow(0.96, t * o[MOMENTUM_DECAY]))
    then = o[BETA1] * (1.0 - o[DECAYING] * math.pow(0.96, (t + 1) * o[MOMENTUM_DECAY]))
    s[PRODUCT] *= now
    direct = number(s[RATE] * (1.0 - now) / (1.0 - s[PRODUCT]))
    through = number(s[RATE] * then / (1.0 - s[PRODUCT] * then))
    for i in range(x.size):
        state[0, i] = keep1 * state[0, i] + gain1 * g[i]
        state[1, i] = keep2 * state[1, i] + gain2 * g[i] * g[i]
        x[i] -= (direct * g[i] + through * state[0, i]) / (eps + math.sqrt(state[1, i]) * scale)
