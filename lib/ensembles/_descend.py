"""Gradient descent from many starts, a tile of them side by side, as a template.

The lanes of a tile are runs whose steps the processor makes at once. Between two looks at the
stopping rules a tile does nothing but step, all lanes alike. A look ends the lanes that settled,
and those that left the region, which stay where they were at the look before.
"""

from lib._jit import Slot, column, tile
from lib.optimizers._steps import CONVERGED, DIVERGED, MAX_ITER

gradient = Slot("gradient")

WIDTH = 32
PAIR = 2 * WIDTH


def descend(starts, p, rate, max_iter, every, tol, radius, buffers, x_out, n_iter, codes):
    """Run from every start; see `lib.ensembles.run_many`.

    `buffers`, of shape (3, d * WIDTH), is memory for iterates, gradients and the iterates at the
    last look, coordinate after coordinate. In the plane it is None: then the compiler knows the
    sizes and keeps the iterates in registers.
    """
    n = starts.shape[0]
    if buffers is None:
        d = 2
        z, g, x = tile(PAIR), tile(PAIR), tile(PAIR)
    else:
        d = starts.shape[1]
        z, g, x = buffers[0], buffers[1], buffers[2]
    running, count, code = tile(WIDTH), tile(WIDTH), tile(WIDTH)
    for first in range(0, n, WIDTH):
        for j in range(WIDTH):
            source = min(first + j, n - 1)
            running[j] = 1.0
            count[j] = 0.0
            code[j] = MAX_ITER
            for i in range(d):
                z[i * WIDTH + j] = starts[source, i]
                x[i * WIDTH + j] = starts[source, i]
                g[i * WIDTH + j] = 0.0
        k = 0
        steps = 1  # the first one goes nowhere: it finds the gradient at the start
        moved = 0
        while True:
            for _ in range(steps):
                for j in range(WIDTH):
                    for i in range(d):
                        z[i * WIDTH + j] -= rate * g[i * WIDTH + j]
                    gradient(column(z, j, WIDTH, d), p, column(g, j, WIDTH, d))
            k += moved
            left = 0
            for j in range(WIDTH):
                on = running[j]
                for i in range(d):
                    on = on if abs(z[i * WIDTH + j]) <= radius else 0.0
                code[j] = DIVERGED if running[j] > on else code[j]
                count[j] += moved * on
                size = 0.0
                for i in range(d):
                    x[i * WIDTH + j] = z[i * WIDTH + j] if on > 0.0 else x[i * WIDTH + j]
                    size += g[i * WIDTH + j] * g[i * WIDTH + j]
                settled = size <= tol * tol
                code[j] = CONVERGED if settled and on > 0.0 else code[j]
                running[j] = 0.0 if settled else on
                left |= int(running[j])
            if left == 0 or k == max_iter:
                break
            moved = steps = min(every, max_iter - k)
        for j in range(min(WIDTH, n - first)):
            n_iter[first + j] = int(count[j])
            codes[first + j] = int(code[j])
            for i in range(d):
                x_out[first + j, i] = x[i * WIDTH + j]
