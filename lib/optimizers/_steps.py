"""Small kernels that every optimizer needs."""

from lib._jit import kernel

CONVERGED, MAX_ITER, DIVERGED, INNER_FAILED = 0, 1, 2, 3
BUDGET, STOPPED, LINE_SEARCH_FAILED, BREAKDOWN = 4, 5, 6, 7
RUNNING, REWIND = -1, -2  # not ways to end: go on, and end as converged at the point ahead


@kernel
def inside(x, radius):
    """Tell whether all entries are numbers of absolute value at most `radius`."""
    fine = True
    for i in range(x.size):
        fine &= abs(x[i]) <= radius
    return fine
