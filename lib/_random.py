"""Random numbers inside kernels: the same streams compiled, with JIT off and without numba.

A stream is an int64 vector of four 32-bit words, advanced by the generator sfc32 (Chris Doty-
Humphrey's small fast chaotic generator), which needs only additions, shifts and exclusive or, so
no step of it can overflow. Streams with different numbers are started from different words.
"""

import math

import numpy as np

from lib import _validation as check
from lib._jit import kernel

MASK = 0xFFFFFFFF
WORDS = 4


def seed_words(seed):
    """Return three 32-bit words that stand for `seed` (checked), as int64."""
    seed = check.integer(seed, "seed", low=0)
    return np.random.SeedSequence(seed).generate_state(3).astype(np.int64)


def stream(seed, number=0):
    """Return the state of a fresh stream."""
    state = np.empty(WORDS, dtype=np.int64)
    start(state, seed_words(seed), number)
    return state


@kernel
def bits(state):
    """Return 32 random bits and advance the stream."""
    out = (state[0] + state[1] + state[3]) & MASK
    state[3] = (state[3] + 1) & MASK
    state[0] = state[1] ^ (state[1] >> 9)
    state[1] = (state[2] + (state[2] << 3)) & MASK
    state[2] = ((((state[2] << 21) | (state[2] >> 11)) & MASK) + out) & MASK
    return out


@kernel
def start(state, words, number):
    """Put `state` at the beginning of the stream of that number."""
    state[0] = words[0] ^ (number & MASK)
    state[1] = words[1] ^ ((number >> 32) & MASK)
    state[2] = words[2]
    state[3] = 1
    for _ in range(20):
        bits(state)


@kernel
def uniform(state):
    """Return a number uniform on [0, 1), a multiple of 2**-53."""
    high = bits(state) >> 5
    return (high * 67108864.0 + (bits(state) >> 6)) / 9007199254740992.0


@kernel
def below(state, n):
    """Return a whole number uniform on 0, ..., n - 1, for n up to 2**53."""
    return int(uniform(state) * n)


@kernel
def normals(state, out):
    """Fill `out` with independent standard normal numbers (Box and Muller)."""
    for i in range(0, out.size, 2):
        length = math.sqrt(-2.0 * math.log(1.0 - uniform(state)))
        angle = 2.0 * math.pi * uniform(state)
        out[i] = length * math.cos(angle)
        if i + 1 < out.size:
            out[i + 1] = length * math.sin(angle)


@kernel
def ball(state, radius, out):
    """Fill `out` with a point uniform in the ball of that radius.

    The first d coordinates of a uniform point on the sphere in d + 2 dimensions are uniform in
    the ball; of the two further normal numbers only the sum of squares is needed.
    """
    normals(state, out)
    total = -2.0 * math.log(1.0 - uniform(state))
    for i in range(out.size):
        total += out[i] * out[i]
    scale = radius / math.sqrt(total)
    for i in range(out.size):
        out[i] *= scale
