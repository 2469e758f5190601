"""The loop that every optimizer shares, as a template: stop, step, record, count.

A method supplies two kernels. ``stop`` is asked at the beginning of each round whether the run is
over; ``advance`` writes the next iterate. Both get the same arguments::

    k        number of steps made so far
    x, f, g  iterate, value there (NaN if nobody needed it yet), gradient there
    size     Euclidean norm of g (NaN where `lazy` and the gradient was not needed)
    p        the problem's parameters
    o        the method's options, float64
    v        vectors the method keeps from step to step, float64 (rows, d); zero at the start
    s        numbers it keeps, float64; the first of them are recorded as the run's trace
    m        whole numbers it keeps, int64
    r        state of the random stream (see `lib._random`)
    ahead    where `advance` writes the next iterate
    c        counters, int64; a kernel that evaluates something itself adds it here

and return ``(code, f)``: code RUNNING to go on, and the value they computed, NaN if none. For
``stop`` the value is that of x, for ``advance`` that of `ahead`. A code other than RUNNING ends the
run at x, except REWIND (from ``stop`` only), which ends it as converged at `ahead`.

The loop is resumable: it returns RUNNING when `until` steps have been made.
"""

import numpy as np

from lib._jit import Slot, bare, inlined, kernel
from lib._vectors import norm
from lib.optimizers._steps import (
    BUDGET,
    CONVERGED,
    DIVERGED,
    MAX_ITER,
    REWIND,
    RUNNING,
    inside,
)

value = Slot("value")
gradient = Slot("gradient")
stop = Slot("stop")
advance = Slot("advance")

# Entries of the counters.
STEPS, ROWS, N_VALUE, N_GRADIENT, N_HVP, N_SAMPLE, N_SAMPLE_HVP, SEEN_VALUE, SEEN_GRADIENT = range(
    9
)
COUNTERS = 9
# Entries of the whole-number settings.
UNTIL, LAST, BUDGET_LIMIT, STRIDE, LAZY, USES_VALUE, N_TRACE, QUIET = range(8)
SETTINGS = 8


@kernel
def spent(c):
    """Return the oracle calls the method itself needed: a product with the Hessian counts 2."""
    own = c[N_VALUE] - c[SEEN_VALUE] + c[N_GRADIENT] - c[SEEN_GRADIENT]
    return own + 2 * c[N_HVP]


@inlined
def small_gradient(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    """Stop when the gradient norm is at most `tol`."""
    if size <= tol:
        return CONVERGED, f
    return RUNNING, f


@inlined
def small_recorded_gradient(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
    """Stop as `small_gradient` where the gradient is known, but never for a tolerance of 0."""
    if size <= tol and tol > 0.0:
        return CONVERGED, f
    return RUNNING, f


@kernel
def write(log, path, row, k, f, size, n_trace, s, x):
    """Record one iterate."""
    log[row, 0] = k
    log[row, 1] = f
    log[row, 2] = size
    for j in range(n_trace):
        log[row, 3 + j] = s[j]
    for i in range(x.size):
        path[row, i] = x[i]


def drive(x_, g_, ahead_, level, p_, o_, v_, s_, m_, r_, c_, w_, tol, radius, log_, path_):
    """Run until the method stops; `level` holds value and gradient norm at x between calls.

    A row of `log` is a recorded step: its number, value, gradient norm, the trace; the same row of
    `path` is the iterate.
    With w[QUIET] nothing that only the record needs is computed: no value, and for a tolerance of
    0 no gradient either that the method itself does not ask for. The caller owns all arrays; the
    loop works on bare views of them.
    """
    x, g, p, o, v, s = bare(x_), bare(g_), bare(p_), bare(o_), bare(v_), bare(s_)
    m, r, c, w, ahead = bare(m_), bare(r_), bare(c_), bare(w_), bare(ahead_)
    log, path = bare(log_), bare(path_)
    d = x.size
    f = level[0]
    size = level[1]
    k = c[STEPS]
    due = c[ROWS] == 0
    current = not due and (w[LAZY] == 0 or size == size)  # whether g and size belong to x
    mark = (k // w[STRIDE] + 1) * w[STRIDE]
    noted = w[QUIET] == 0 or tol > 0.0  # whether somebody looks at the norm of a due iterate
    status = RUNNING
    while True:
        if ((due and w[QUIET] == 0) or w[USES_VALUE] == 1) and not f == f:
            f = value(x, p)
            c[N_VALUE] += 1
            c[SEEN_VALUE] += 1 - w[USES_VALUE]
        if ((due and noted) or w[LAZY] == 0) and not current:
            gradient(x, p, g)
            c[N_GRADIENT] += 1
            c[SEEN_GRADIENT] += w[LAZY]
            size = norm(g)
            current = True
        if due:
            write(log, path, c[ROWS], k, f, size, w[N_TRACE], s, x)
            c[ROWS] += 1
            due = False
        if status != RUNNING:
            break
        code, f = stop(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c)
        ahead_f = np.nan
        if code == RUNNING and k == w[LAST]:
            code = MAX_ITER
        elif code == RUNNING and w[BUDGET_LIMIT] > 0 and spent(c) >= w[BUDGET_LIMIT]:
            code = BUDGET
        elif code == RUNNING and k == w[UNTIL]:
            break
        elif code == RUNNING:
            for j in range(w[N_TRACE]):
                log[c[ROWS], 3 + j] = s[j]
            code, ahead_f = advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c)
            if code == RUNNING and not inside(ahead, radius):
                code = DIVERGED
            if code != RUNNING and code != REWIND:  # a step that is not made leaves no trace
                for j in range(w[N_TRACE]):
                    s[j] = log[c[ROWS], 3 + j]
        if code == RUNNING or code == REWIND:
            for i in range(d):
                x[i] = ahead[i]
            f = ahead_f
            size = np.nan
            current = False
        if code == RUNNING:
            k += 1
            if k == mark:
                due = True
                mark += w[STRIDE]
        elif code == REWIND:
            status = CONVERGED
            due = True
        else:
            status = code
            due = log[c[ROWS] - 1, 0] != k
    c[STEPS] = k
    level[0] = f
    level[1] = size
    return status


def drive_many(starts, numbers, words, p, o, scalars, v, m, w, tol, radius, ends, counts, codes):
    """Run from every start, keeping only where each run ended; stream i is numbered numbers[i]."""
    n, d = starts.shape
    x = np.empty(d)
    g = np.empty(d)
    ahead = np.empty(d)
    level = np.empty(2)
    s = np.empty(scalars.size)
    r = np.empty(4, dtype=np.int64)
    rows = w[LAST] // w[STRIDE] + 3
    log = np.empty((rows, 3 + w[N_TRACE]))
    path = np.empty((rows, d))
    for i in range(n):
        for j in range(d):
            x[j] = starts[i, j]
            for row in range(v.shape[0]):
                v[row, j] = 0.0
        for j in range(s.size):
            s[j] = scalars[j]
        for j in range(m.size):
            m[j] = 0
        for j in range(counts.shape[1]):
            counts[i, j] = 0
        level[0] = np.nan
        level[1] = np.nan
        start_stream(r, words, numbers[i])
        codes[i] = run(x, g, ahead, level, p, o, v, s, m, r, counts[i], w, tol, radius, log, path)
        for j in range(d):
            ends[i, j] = x[j]


run = Slot("run")
start_stream = Slot("start_stream")
