"""Small vector kernels that several rooms need."""

import math

import numpy as np

from lib._jit import inlined, kernel


@kernel
def norm(x):
    """Return the Euclidean norm, also where squares of the entries leave the floating range."""
    total = 0.0
    for i in range(x.size):
        total += x[i] * x[i]
    if total < 1e-290 or total > 1e300:
        top = 0.0
        for i in range(x.size):
            top = max(top, abs(x[i]))
        if top == 0.0 or top == np.inf:
            return top
        total = 0.0
        for i in range(x.size):
            total += (x[i] / top) * (x[i] / top)
        return top * math.sqrt(total)
    return math.sqrt(total)


@inlined
def dot(a, x):
    """Return the inner product; four running sums, because one would wait for each addition."""
    whole = a.size - a.size % 4
    first = 0.0
    second = 0.0
    third = 0.0
    fourth = 0.0
    for k in range(0, whole, 4):
        first += a[k] * x[k]
        second += a[k + 1] * x[k + 1]
        third += a[k + 2] * x[k + 2]
        fourth += a[k + 3] * x[k + 3]
    for k in range(whole, a.size):
        first += a[k] * x[k]
    return (first + second) + (third + fourth)


@inlined
def add(scale, a, out):
    """Add `scale` times `a` to `out`."""
    for k in range(a.size):
        out[k] += scale * a[k]
