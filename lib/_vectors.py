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
def add(scale, a, out):
    """Add `scale` times `a` to `out`."""
    for k in range(a.size):
        out[k] += scale * a[k]
