"""A Gram matrix A^T D A estimated from 2000 rows, beside the exact one; and a Newton step with it.

Model: the sampled rows (uniform) or all rows (sketched leverage) read once; for the whole
iteration, all rows read once. An iteration is a tenth of a run of ten.
"""

import numpy as np
from scipy.linalg.blas import dsyrk

from benchmarks._timing import Case, Contender, Target
from lib import curvature, optimizers, problems

SAMPLES = 2000
BLOCK = 1024  # rows that stay in the cache
ITERATIONS = 10

# What stands in the way of a target.
TWO_PASSES = (
    "Sketched leverage scores read all rows twice: once for the sketch, once for the scores. With "
    "so few columns the exact matrix costs hardly more than reading the rows, and there is little "
    "to save. The exact cost grows like $d^2$ for each row, the scores' like $d$, so the gain "
    "comes with more columns, but it comes late."
)
FEW = (
    "An estimate from so few rows takes so little time that checking the arguments and drawing "
    "the rows show."
)
STEP = (
    "Besides the gradient, a step needs the curvature of the second layer, a sum over all rows as "
    "well. Both are made in the same pass, but it has more to add up than the gradient alone."
)


def ours(scheme):
    def make(A, weights):
        def run():
            sample = curvature.sample_rows(A, weights, SAMPLES, scheme, seed=3)
            return curvature.sampled_gram(A, sample)

        return run

    return make


def lib_gram(A, weights):
    return lambda: curvature.gram(A, weights)


def numpy_syrk(A, weights):
    def run():
        B = np.sqrt(weights)[:, None] * A
        return B.T @ B

    return run


def numpy_gemm(A, weights):
    return lambda: A.T @ (weights[:, None] * A)


def scipy_blocks(A, weights):
    def run():
        root = np.sqrt(weights)
        total = np.zeros((A.shape[1],) * 2, order="F")
        for first in range(0, len(A), BLOCK):
            block = A[first : first + BLOCK] * root[first : first + BLOCK, None]
            total = dsyrk(1.0, block.T, 1.0, total, lower=1, overwrite_c=1)
        return np.tril(total) + np.tril(total, -1).T

    return run


def numpy_estimate(A, weights):
    def run():
        taken = np.random.default_rng(4).integers(len(A), size=SAMPLES)
        B = np.sqrt(weights[taken])[:, None] * A[taken]
        return len(A) / SAMPLES * (B.T @ B)

    return run


def jax_gram(A, weights):
    import jax

    rows, diagonal = jax.numpy.asarray(A), jax.numpy.asarray(weights)
    run = jax.jit(lambda A, w: A.T @ (w[:, None] * A))
    return lambda: run(rows, diagonal).block_until_ready()


def torch_gram(A, weights):
    import torch

    rows, diagonal = torch.from_numpy(A), torch.from_numpy(weights)
    return lambda: rows.T @ (diagonal[:, None] * rows)


def sampled_newton(problem, x):
    def run():
        result = optimizers.approximate_newton(
            problem,
            x,
            variant="sampled",
            n_samples=SAMPLES,
            scheme="uniform",
            max_iter=ITERATIONS,
            tol=0.0,
            record_every=ITERATIONS,
        )
        if result.n_iter != ITERATIONS:
            raise ValueError(f"the run ended after {result.n_iter} steps as {result.status!r}")
        return result.gradient_norms[0]

    return run


def lib_gradient(problem, x):
    return lambda: problem.gradient(x)


def numpy_gradient(problem, x):
    A1, A2, b = problem.data.rows, problem.data.A2, problem.data.b
    weight, beta = problem.data.weights[0], problem.data.beta

    def run():
        logits = A1 @ x
        f = np.exp(logits - logits.max())
        f /= f.sum()
        z = A2 @ f
        share = 1.0 / (1.0 + np.exp(-beta * z))
        q = (share * (np.logaddexp(0.0, beta * z) / beta - b)) @ A2
        return (f * (q - f @ q) + weight**2 * logits) @ A1

    return run


def same_gradient(norm, theirs):
    away = abs(np.linalg.norm(theirs) / norm - 1.0)
    return None if away < 1e-9 else f"the gradient's norm is {away:.1e} away"


def estimates(rng, n, d, targets):
    """Yield a case for each scheme, with the target and what stands in its way."""
    A, weights = rng.standard_normal((n, d)), rng.uniform(0.5, 2.0, n)
    exact = numpy_syrk(A, weights)()

    def agree(ours, theirs):
        away = np.linalg.norm(theirs - exact, 2) / np.linalg.norm(exact, 2)
        return None if away < 1e-10 or 0.05 < away < 0.8 else f"relative difference {away:.1e}"

    exact_ones = (
        Contender("lib, exact: gram", lib_gram),
        Contender("NumPy exact: syrk", numpy_syrk),
        Contender("NumPy exact: gemm", numpy_gemm),
        Contender("SciPy exact: dsyrk on blocks of rows", scipy_blocks, "scipy"),
        Contender("JAX exact", jax_gram, "jax"),
        Contender("PyTorch exact", torch_gram, "torch"),
    )
    blas = ("lib, exact", "NumPy exact", "SciPy exact")
    same = Contender("NumPy the same estimate", numpy_estimate, aside=True)
    for scheme, (wanted, why) in targets.items():
        uniform = scheme == "uniform"
        target = Target(f"{wanted:g} x the exact Hessian with BLAS", wanted, blas, why=why)
        yield Case(
            name=f"Hessian estimate, {SAMPLES} rows, {scheme}, n = {n}, d = {d}",
            contenders=(Contender(f"lib, {scheme}", ours(scheme)), *exact_ones, *[same] * uniform),
            data=(A, weights),
            agree=agree,
            targets=(target,),
            limit="read",
            work=8.0 * (SAMPLES if uniform else n) * d,
            model="the sampled rows read once" if uniform else "all rows read once",
        )


def cases(quick):
    """Yield the estimates and the whole iteration."""
    n, d = (50_000 if quick else 200_000), 50
    rng = np.random.default_rng(1)
    sketched = {"sketched_leverage": (2.0, TWO_PASSES)}
    yield from estimates(rng, n, d, {"uniform": (30.0, FEW), **sketched})
    yield from estimates(rng, n, 4 * d, sketched)
    problem = problems.two_layer_regression(
        *problems.two_layer_data(n, d, 10, norms=(20.0, 100.0, 1.0), seed=1), 0.15
    )
    yield Case(
        name=f"iteration of sampled Newton, {SAMPLES} uniform rows, n = {n}, d = {d}",
        contenders=(
            Contender("lib, approximate_newton, one step", sampled_newton, factor=1 / ITERATIONS),
            Contender("lib, one gradient", lib_gradient),
            Contender("NumPy one gradient by hand", numpy_gradient, aside=True),
        ),
        data=(problem, rng.standard_normal(d)),
        agree=same_gradient,
        targets=(
            Target("at most 1.5 x one gradient", 1 / 1.5, ("lib, one gradient",), why=STEP),
        ),
        limit="read",
        work=8.0 * n * d,
        model="all rows read once",
    )
