"""Small kernels that every optimizer needs."""

import math

from lib._jit import kernel

CONVERGED, MAX_ITER, DIVERGED, INNER_FAILED = 0, 1, 2, 3
BUDGET, STOPPED, LINE_SEARCH_FAILED, BREAKDOWN = 4, 5, 6, 7
RUNNING, REWIND = -1, -2  # not ways to end: go on, and end as converged at the point ahead


@kernel
def norm(x):
    """Return the Euclidean norm; zero for the zero vector only."""
    total = 0.0
    for i in range(x.size):
        total += x[i] * x[i]
    if total < 1e-290:  # the squares may have been rounded to zero
        top = 0.0
        for i in range(x.size):
            top = max(top, abs(x[i]))
        if top == 0.0:
            return 0.0
        total = 0.0
        for i in range(x.size):
            total += (x[i] / top) * (x[i] / top)
        return top * math.sqrt(total)
    return math.sqrt(total)


@kernel
def inside(x, radius):
    """Tell whether all entries are numbers of absolute value at most `radius`."""
    for i in range(x.size):
        if not abs(x[i]) <= radius:
            return False
    return True
