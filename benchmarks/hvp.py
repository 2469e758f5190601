"""A product of the Hessian of a two-layer regression with a vector, 10^5 dense rows of length 100.

Model: two passes over the rows, one for the products with x and v, one for the sum of the result.
The rows alone are counted: 2 * 8 n d bytes at the bandwidth measured for reading.
"""

import numpy as np

from benchmarks._timing import Case, Contender, Target
from lib import problems

N_OUTPUTS = 10
WEIGHT = 0.15
BETA = 5.0
ROWS = 1024  # rows of a block that stays in the cache

# What stands in the way of a target.
BANDWIDTH = (
    "Every contender that reads the rows twice waits for memory most of the time, NumPy's blocks "
    "of rows as much as ours: a factor of 1.5 between them would need more bandwidth than there "
    "is. With all cores, BLAS reads with several threads and ours with one."
)
ONE_THREAD = (
    "One product runs on one thread here. BLAS shares a product with a vector out over all cores, "
    "which gains where memory is faster than what a single core can ask of it."
)


def ours(problem, A1, A2, b, x, v):
    return lambda: problem.hvp(x, v)


def softplus(z):
    """Return softplus of NumPy's numbers with its first and second derivative."""
    share = 1.0 / (1.0 + np.exp(-BETA * z))
    return np.logaddexp(0.0, BETA * z) / BETA, share, BETA * share * (1.0 - share)


def inner(A2, b, logits, turn):
    """Return the derivative along `turn` of the gradient for the logits, by hand."""
    f = np.exp(logits - logits.max())
    f /= f.sum()
    moved = f * turn
    moved -= (f @ turn) * f
    z, y = A2 @ f, A2 @ moved
    height, slope, bend = softplus(z)
    residual = height - b
    pull = slope * residual
    change = (slope * slope + residual * bend) * y
    q, dq = pull @ A2, change @ A2
    result = moved * (q - f @ q)
    result += f * (dq - f @ dq - moved @ q)
    result += WEIGHT**2 * turn
    return result


def numpy_by_hand(problem, A1, A2, b, x, v):
    both = np.empty((A1.shape[1], 2))

    def run():
        both[:, 0], both[:, 1] = x, v
        logits, turn = np.ascontiguousarray((A1 @ both).T)
        return inner(A2, b, logits, turn) @ A1

    return run


def numpy_three_products(problem, A1, A2, b, x, v):
    return lambda: inner(A2, b, A1 @ x, A1 @ v) @ A1


def numpy_row_blocks(problem, A1, A2, b, x, v):
    def run():
        logits, turn = np.empty((2, len(A1)))
        for first in range(0, len(A1), ROWS):
            block = A1[first : first + ROWS]
            np.dot(block, x, out=logits[first : first + ROWS])
            np.dot(block, v, out=turn[first : first + ROWS])
        return inner(A2, b, logits, turn) @ A1

    return run


def jax_loss(A1, A2, b):
    import jax
    import jax.numpy as jnp

    def loss(x, A1, A2, b):
        logits = A1 @ x
        height = jax.nn.softplus(BETA * (A2 @ jax.nn.softmax(logits))) / BETA
        return 0.5 * jnp.sum((height - b) ** 2) + 0.5 * WEIGHT**2 * jnp.sum(logits**2)

    return loss, tuple(map(jnp.asarray, (A1, A2, b)))


def jax_jvp_of_grad(problem, A1, A2, b, x, v):
    import jax

    loss, arrays = jax_loss(A1, A2, b)

    @jax.jit
    def product(x, v, *arrays):
        return jax.jvp(lambda x: jax.grad(loss)(x, *arrays), (x,), (v,))[1]

    return lambda: product(x, v, *arrays).block_until_ready()


def jax_grad_of_product(problem, A1, A2, b, x, v):
    import jax
    import jax.numpy as jnp

    loss, arrays = jax_loss(A1, A2, b)

    @jax.jit
    def product(x, v, *arrays):
        return jax.grad(lambda x: jnp.vdot(jax.grad(loss)(x, *arrays), v))(x)

    return lambda: product(x, v, *arrays).block_until_ready()


def jax_of_logits(problem, A1, A2, b, x, v):
    """Return jvp of grad for the logits only, between products with the rows."""
    import jax
    import jax.numpy as jnp

    @jax.jit
    def product(x, v, A1, A2, b):
        def loss(logits):
            height = jax.nn.softplus(BETA * (A2 @ jax.nn.softmax(logits))) / BETA
            return 0.5 * jnp.sum((height - b) ** 2) + 0.5 * WEIGHT**2 * jnp.sum(logits**2)

        logits, turn = (A1 @ jnp.stack([x, v], axis=1)).T
        return jax.jvp(jax.grad(loss), (logits,), (turn,))[1] @ A1

    arrays = tuple(map(jnp.asarray, (A1, A2, b)))
    return lambda: product(x, v, *arrays).block_until_ready()


def torch_loss(A1, A2, b):
    import torch

    first, second, target = map(torch.from_numpy, (A1, A2, b))

    def loss(x):
        logits = first @ x
        height = torch.nn.functional.softplus(second @ torch.softmax(logits, 0), beta=BETA)
        return 0.5 * ((height - target) ** 2).sum() + 0.5 * WEIGHT**2 * (logits**2).sum()

    return loss


def torch_double_backward(problem, A1, A2, b, x, v):
    import torch

    loss = torch_loss(A1, A2, b)
    at, along = torch.from_numpy(x.copy()).requires_grad_(), torch.from_numpy(v)

    def run():
        (slope,) = torch.autograd.grad(loss(at), at, create_graph=True)
        return torch.autograd.grad(slope, at, along)[0]

    return run


def torch_func(problem, A1, A2, b, x, v):
    import torch

    slope = torch.func.grad(torch_loss(A1, A2, b))
    at, along = torch.from_numpy(x), torch.from_numpy(v)
    return lambda: torch.func.jvp(slope, (at,), (along,))[1]


def agree(ours, theirs):
    away = np.abs(np.asarray(theirs) - ours).max() / np.abs(ours).max()
    return None if away < 1e-9 else f"relative difference {away:.1e}"


def cases(quick):
    """Yield the one case."""
    n, d = (20_000 if quick else 100_000), 100
    A1, A2, b = problems.two_layer_data(n, d, N_OUTPUTS, norms=(20.0, 100.0, 1.0), seed=1)
    problem = problems.two_layer_regression(A1, A2, b, WEIGHT, beta=BETA)
    x, v = np.random.default_rng(2).standard_normal((2, d))
    yield Case(
        name=f"Hessian-vector product, two-layer regression, n = {n}, d = {d}",
        contenders=(
            Contender("lib, problem.hvp", ours),
            Contender("NumPy by hand, x and v together", numpy_by_hand),
            Contender("NumPy by hand, three products", numpy_three_products),
            Contender("NumPy by hand, blocks of rows", numpy_row_blocks),
            Contender("JAX jvp of grad", jax_jvp_of_grad, "jax"),
            Contender("JAX grad of grad times v", jax_grad_of_product, "jax"),
            Contender("JAX jvp of grad for the logits", jax_of_logits, "jax"),
            Contender("PyTorch double backward", torch_double_backward, "torch"),
            Contender("PyTorch torch.func.jvp of grad", torch_func, "torch"),
        ),
        data=(problem, A1, A2, b, x, v),
        agree=agree,
        targets=(
            Target(
                "1.5 x the best of NumPy, JAX, PyTorch",
                1.5,
                ("NumPy", "JAX", "PyTorch"),
                why=BANDWIDTH,
            ),
            Target("2/3 of the bandwidth for two passes", 2 / 3, of_limit=True, why=ONE_THREAD),
        ),
        limit="read",
        work=2.0 * A1.nbytes,
        model="the rows read twice",
    )
