"""Compile every kernel ahead and leave it in numba's disk cache.

``python -m lib.warmup`` does so for all problems of the catalogue, with every optimizer,
classification and ensemble; it takes a minute or two. ``python -m lib.warmup double_well``
does it for one problem, in some ten seconds; several names may follow each other. A later
process finds the kernels and compiles nothing, whatever the parameters, starts and learning
rates.
"""

import argparse
import time

import numpy as np

from lib import _jit, curvature, ensembles, optimizers, problems

KERNELS = ("value_kernel", "gradient_kernel", "hvp_kernel")


def warm(problem):
    """Call once everything that compiles a kernel for `problem`, with as little work as possible.

    Parameters
    ----------
    problem : Problem
        Its parameters do not matter: they are not part of the machine code.
    """
    x = np.full(problem.dimension, 0.1)
    problem.value(x)
    curvature.classify(problem, x)
    for optimizer in optimizers.METHODS.values():
        optimizer(problem, x, learning_rate=1e-3, max_iter=1)
    optimizers.inverse_gradient_map(problem, x, 1e-3)
    ensembles.run_many(problem, [x], max_iter=1)
    ensembles.escape_times(problem, [x], max_iter=1)
    ensembles.orbit_tail(problem, x, [1e-3], burn_in=0, keep=1)
    ensembles.lyapunov_exponent(problem, x, 1e-3, n_iter=1, burn_in=0)
    for known in problem.critical_points:
        spectrum = curvature.classify(problem, known.x).eigenvalues
        if problem.dimension == 2 and spectrum[0] < 0 < spectrum[1]:
            ensembles.stable_manifold(problem, known.x, [0.1], max_iter=1)
            break


def count(warmed):
    """Count the kernels that `warmed` problems use, and those of them that were compiled now."""
    kernels = {getattr(problem, name) for problem in warmed for name in KERNELS}
    kernels |= set(_jit._stamped.values())
    return len(kernels), sum(any(kernel.stats.cache_misses.values()) for kernel in kernels)


def main(arguments=None):
    """Warm up the problems named on the command line, or all of them, and say what was done."""
    parser = argparse.ArgumentParser(
        prog="python -m lib.warmup",
        description="Compile every kernel ahead and leave it in numba's disk cache.",
    )
    catalogue = ", ".join(problems.CATALOGUE)
    parser.add_argument("problem", nargs="*", help=f"one of {catalogue}; default: all of them")
    names = parser.parse_args(arguments).problem or list(problems.CATALOGUE)
    for name in names:
        if name not in problems.CATALOGUE:
            parser.error(f"problem must be one of {catalogue}; got {name!r}")
    if not _jit.JIT:
        print("lib.warmup: numba is not active, so there is nothing to compile")
        return
    began = time.perf_counter()
    chosen = [problems.CATALOGUE[name]() for name in names]
    for problem in chosen:
        warm(problem)
    ready, compiled = count(chosen)
    seconds = time.perf_counter() - began
    print(f"lib.warmup: {ready} kernels ready, {compiled} of them compiled now, in {seconds:.1f} s")


if __name__ == "__main__":
    main()
