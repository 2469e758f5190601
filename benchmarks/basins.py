"""Gradient descent from a million starts, 200 steps each: where does every start end?

Model: the flops of one step written with the fewest operations, an addition, a subtraction or a
multiplication each counting 1: 7 for the double well, 16 for Himmelblau's function. For the sine no
limit is stated. All contenders make all steps, with the same formula for the gradient; ours keeps
step counts and statuses besides.
"""

import inspect
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks._timing import Case, Contender, Target, cores
from lib import ensembles, problems

STEPS = 200
BLOCK = 8192  # starts in a block of NumPy's and PyTorch's that stays in the cache

# What stands in the way of a target.
CACHE = (
    "Whole arrays are slow where they do not fit into a cache. On a processor with a very large "
    "one, NumPy hardly has to wait for memory, and the gain is that of fewer instructions only."
)
WELL = (
    "XLA, the compiler behind JAX, makes the same four vector instructions of a step as numba, and "
    "runs them at much the same rate: to be so much faster than it, we would need longer vectors. "
    "Ours also checks the starts, keeps a status and a count for each run and copies the ends, "
    "which for so short a step is a fair part of the time."
)
COPIES = (
    "The peak counts two flops in every instruction, which no step consists of; the rest goes "
    "into handing out starts and collecting ends. Where two processors are threads of one core, "
    "they share its units, too."
)
BLOCKED = (
    "In blocks that stay in the nearest cache, NumPy's loops are vectorized as well; ours saves "
    "their loads and stores, worth more the more operations a step has. The double well has few."
)
SINE = (
    "Nearly all the time goes into the sines. NumPy has vectorized ones as well, on some "
    "processors with the widest vectors; ours use vectors of the length that numba prefers."
)

# --- gradients, as whole expressions (for NumPy and JAX) ----------------------------------------


def well(np, x, y):
    return x, y * y * y - y


def himmelblau(np, x, y):
    first = x * x + y - 11.0
    second = x + y * y - 7.0
    return 4.0 * x * first + 2.0 * second, 2.0 * first + 4.0 * y * second


def egg_carton(np, x, y):
    return -np.sin(x), -np.sin(y)


# --- the same arithmetic in place, for blocks of NumPy's or PyTorch's arrays -------------------


def well_step(np, x, y, rate, a, b):
    np.multiply(x, rate, out=a)
    np.subtract(x, a, out=x)
    np.multiply(y, y, out=b)
    np.multiply(b, y, out=b)
    np.subtract(b, y, out=b)
    np.multiply(b, rate, out=b)
    np.subtract(y, b, out=y)


def himmelblau_step(np, x, y, rate, a, b, c, d):
    np.multiply(x, x, out=a)
    np.add(a, y, out=a)
    np.subtract(a, 11.0, out=a)
    np.multiply(y, y, out=b)
    np.add(b, x, out=b)
    np.subtract(b, 7.0, out=b)
    np.multiply(a, x, out=c)  # half of the gradient is 2 a x + b and a + 2 b y
    np.multiply(c, 2.0, out=c)
    np.add(c, b, out=c)
    np.multiply(c, 2.0 * rate, out=c)
    np.multiply(b, y, out=d)
    np.multiply(d, 2.0, out=d)
    np.add(d, a, out=d)
    np.multiply(d, 2.0 * rate, out=d)
    np.subtract(x, c, out=x)
    np.subtract(y, d, out=y)


def egg_carton_step(np, x, y, rate, a):
    for z in (x, y):
        np.sin(z, out=a)
        np.multiply(a, rate, out=a)
        np.add(z, a, out=z)


# --- contenders ---------------------------------------------------------------------------------


def ours(problem, starts, rate, gradient, step):
    options = {"max_iter": STEPS, "tol": 0.0, "check_every": STEPS}
    return lambda: ensembles.run_many(problem, starts, rate, **options).x


def numpy_whole(problem, starts, rate, gradient, step):
    def run():
        x, y = starts.T.copy()
        for _ in range(STEPS):
            gx, gy = gradient(np, x, y)
            x, y = x - rate * gx, y - rate * gy
        return np.column_stack([x, y])

    return run


def numpy_blocks(problem, starts, rate, gradient, step):
    buffers = len(inspect.signature(step).parameters) - 4

    def run():
        x, y = starts.T.copy()
        spare = np.empty((buffers, BLOCK))
        for first in range(0, x.size, BLOCK):
            block = x[first : first + BLOCK], y[first : first + BLOCK]
            size = block[0].size
            for _ in range(STEPS):
                step(np, *block, rate, *spare[:, :size])
        return np.column_stack([x, y])

    return run


def numpy_blocks_threads(problem, starts, rate, gradient, step):
    if cores() == 1:
        return None

    def share(part):
        return numpy_blocks(problem, part, rate, gradient, step)()

    def run():
        parts = np.array_split(starts, cores())
        with ThreadPoolExecutor(len(parts)) as pool:
            return np.concatenate(list(pool.map(share, parts)))

    return run


def torch_blocks(problem, starts, rate, gradient, step):
    import torch

    table = torch.from_numpy(starts)
    buffers = len(inspect.signature(step).parameters) - 4

    def run():
        x, y = table.T.clone().contiguous()
        spare = torch.empty((buffers, BLOCK), dtype=x.dtype)
        with torch.inference_mode():
            for first in range(0, len(x), BLOCK):
                block = x[first : first + BLOCK], y[first : first + BLOCK]
                size = len(block[0])
                for _ in range(STEPS):
                    step(torch, *block, rate, *spare[:, :size])
        return torch.stack([x, y], dim=1)

    return run


def jax_textbook(problem, starts, rate, gradient, step):
    import jax
    import jax.numpy as jnp

    table = jnp.asarray(starts)

    def one(start):
        def body(_, z):
            return z - rate * jnp.stack(gradient(jnp, z[0], z[1]))

        return jax.lax.fori_loop(0, STEPS, body, start)

    run = jax.jit(jax.vmap(one))
    return lambda: run(table).block_until_ready()


def jax_columns(block, unroll):
    """Return the maker for x and y in arrays of their own, in blocks (None: all at once)."""

    def make(problem, starts, rate, gradient, step):
        import jax
        import jax.numpy as jnp

        def descend(z):
            def body(_, z):
                gx, gy = gradient(jnp, *z)
                return z[0] - rate * gx, z[1] - rate * gy

            return jax.lax.fori_loop(0, STEPS, body, z, unroll=unroll)

        if block is None:
            run = jax.jit(descend)
            x, y = (jnp.asarray(column.copy()) for column in starts.T)
            return lambda: jnp.stack(run((x, y)), axis=1).block_until_ready()
        whole = -(-len(starts) // block) * block
        padded = np.zeros((2, whole))
        padded[:, : len(starts)] = starts.T
        x, y = (jnp.asarray(column.reshape(-1, block)) for column in padded)
        run = jax.jit(lambda x, y: jax.lax.map(descend, (x, y)))

        def blocks():
            ends = jnp.stack([z.ravel() for z in run(x, y)], axis=1)[: len(starts)]
            return ends.block_until_ready()

        return blocks

    return make


def jax_threads(block, unroll):
    """Return the maker that gives each processor a share of the blocks."""

    def make(problem, starts, rate, gradient, step):
        if cores() == 1:
            return None
        columns = jax_columns(block, unroll)
        parts = np.array_split(starts, cores())
        runs = [columns(problem, part, rate, gradient, step) for part in parts]

        def run():
            with ThreadPoolExecutor(len(runs)) as pool:
                return np.concatenate(list(pool.map(lambda share: share(), runs)))

        return run

    return make


def agree(ours, theirs):
    away = np.abs(np.asarray(theirs) - ours).max(axis=1)
    apart = float((away > 1e-6).mean())  # rounding decides at the edges of the basins
    return None if apart <= 1e-4 else f"{apart:.2%} of the ends are elsewhere"


CONTENDERS = (
    Contender("lib, run_many", ours),
    Contender("NumPy, whole arrays", numpy_whole),
    Contender("NumPy blocks of 8192, in place", numpy_blocks),
    Contender("NumPy blocks of 8192, a thread for each core", numpy_blocks_threads),
    Contender("JAX vmap of fori_loop", jax_textbook, "jax"),
    Contender("JAX columns, unrolled by 10", jax_columns(None, 10), "jax"),
    Contender("JAX blocks of 4096", jax_columns(4096, 1), "jax"),
    Contender("JAX blocks of 4096, unrolled by 10", jax_columns(4096, 10), "jax"),
    Contender("JAX blocks of 1024, a thread for each core", jax_threads(1024, 10), "jax"),
    Contender("PyTorch blocks of 8192, in place", torch_blocks, "torch"),
)


def cases(quick):
    """Yield the three cases."""
    n = 200_000 if quick else 1_000_000
    cases = (
        ("double well", problems.double_well(), 2.0, 0.1, well, well_step, 40, 7),
        ("Himmelblau", problems.himmelblau(), 4.0, 0.005, himmelblau, himmelblau_step, 35, 16),
        ("egg carton (sine)", problems.egg_carton(), 5.0, 0.5, egg_carton, egg_carton_step, 0, 0),
    )
    for name, problem, box, rate, gradient, step, whole, flops in cases:
        starts = ensembles.uniform_starts(n, -box, box, seed=1)
        if flops:
            targets = (
                Target(f"{whole} x NumPy whole arrays", whole, ("NumPy, whole",), why=CACHE),
                Target("10 x NumPy in blocks", 10.0, ("NumPy blocks",), why=BLOCKED),
                Target("1.5 x the best of JAX", 1.5, ("JAX",), why=WELL),
                Target("55 % of the FMA peak", 0.55, of_limit=True, why=COPIES),
            )
        else:
            targets = (
                Target("6 x NumPy in blocks", 6.0, ("NumPy blocks",), why=SINE),
                Target("3 x the best of JAX", 3.0, ("JAX",), why=SINE),
            )
        yield Case(
            name=f"{name}, {n} starts x {STEPS} steps",
            contenders=CONTENDERS,
            data=(problem, starts, rate, gradient, step),
            agree=agree,
            targets=targets,
            limit="fma" if flops else None,
            work=float(flops) * n * STEPS,
            model=f"{flops} flops a step" if flops else "",
            rounds=3,
        )
