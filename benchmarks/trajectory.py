"""One trajectory of gradient descent: Rosenbrock's function in ten dimensions, 10^5 steps recorded.

Model: the path written once, 8 d bytes a step. Ours records values and gradient norms besides.
"""

import numpy as np

from benchmarks._timing import Case, Contender, Target, one_torch_thread
from lib import optimizers, problems

DIMENSION = 10
RATE = 1e-4

# What stands in the way of the target.
RECORD = (
    "NumPy's loop records the path and nothing else. Ours looks at its stopping rules in each "
    "step and records the value and the gradient's norm as well."
)


def ours(problem, start, steps):
    return lambda: optimizers.gradient_descent(problem, start, RATE, max_iter=steps, tol=0.0).path


def numpy_loop(problem, start, steps):
    def run():
        path = np.empty((steps + 1, DIMENSION))
        path[0] = start
        g = np.empty(DIMENSION)
        for k in range(steps):
            x = path[k]
            across = x[1:] - x[:-1] * x[:-1]
            g[:-1] = -400.0 * across * x[:-1] - 2.0 * (1.0 - x[:-1])
            g[-1] = 0.0
            g[1:] += 200.0 * across
            np.subtract(x, RATE * g, out=path[k + 1])
        return path

    return run


def jax_scan(problem, start, steps):
    import jax
    import jax.numpy as jnp

    def value(x):
        return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    def step(x, _):
        ahead = x - RATE * jax.grad(value)(x)
        return ahead, ahead

    @jax.jit
    def run(x):
        return jnp.concatenate([x[None], jax.lax.scan(step, x, length=steps)[1]])

    first = jnp.asarray(start)
    return lambda: run(first).block_until_ready()


def torch_loop(problem, start, steps):
    """Make a tenth of the steps."""
    import torch

    steps = steps // 10

    @one_torch_thread()
    def run():
        path = torch.empty((steps + 1, DIMENSION), dtype=torch.float64)
        x = torch.from_numpy(start.copy()).requires_grad_()
        optimizer = torch.optim.SGD([x], lr=RATE, fused=True)
        for k in range(steps):
            path[k] = x.detach()
            optimizer.zero_grad()
            (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum().backward()
            optimizer.step()
        path[steps] = x.detach()
        return path

    return run


def agree(ours, theirs):
    away = np.abs(np.asarray(theirs) - ours[: len(theirs)]).max()
    return None if away < 1e-9 else f"the paths are up to {away:.1e} apart"


def cases(quick):
    """Yield the one case."""
    steps = 10_000 if quick else 100_000
    yield Case(
        name=f"gradient descent, Rosenbrock, d = {DIMENSION}, {steps} steps, path recorded",
        contenders=(
            Contender("lib, gradient_descent", ours),
            Contender("NumPy loop", numpy_loop),
            Contender("JAX scan", jax_scan, "jax"),
            Contender("PyTorch loop, torch.optim", torch_loop, "torch", 10.0),
        ),
        data=(problems.rosenbrock(DIMENSION), np.full(DIMENSION, -0.5), steps),
        agree=agree,
        targets=(Target("100 x the loop in NumPy", 100.0, ("NumPy loop",), why=RECORD),),
        limit="write",
        work=8.0 * DIMENSION * steps,
        model="the path written once",
        rounds=5,
    )
