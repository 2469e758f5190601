"""Compile every kernel ahead and leave it in numba's disk cache.

``python -m lib.warmup`` does so for the problems that the book's pages are about, with the
methods these pages use, classification and ensembles; it takes a minute or two.
``python -m lib.warmup rosenbrock`` does it for one problem of the catalogue, in some ten seconds;
several names may follow each other. A later process finds the kernels and compiles nothing,
whatever the parameters, starts and learning rates. What is not warmed up compiles when it is first
used, in a second or two, and is then in the cache too.
"""

import argparse
import time

import numpy as np

from lib import _jit, curvature, ensembles, optimizers, problems

# What the pages of the book use; a page that uses more adds it here.
PAGES = (
    "quadratic_saddle",
    "double_well",
    "egg_carton",
    "curved_saddle",
    "step_size_counterexample",
    "degenerate_saddle",
    "monkey_saddle",
    "saddle_ladder",
    "saddle_line",
)
METHODS = ("gradient_descent", "perturbed_gradient_descent", "proximal_point")

KERNELS = ("value_kernel", "gradient_kernel", "hvp_kernel")


def warm(problem):
    """Call once what the pages do with a problem, with as little work as possible.

    Parameters
    ----------
    problem : Problem
        Its parameters do not matter: they are not part of the machine code.
    """
    x = np.full(problem.dimension, 0.1)
    problem.value(x)
    curvature.classify(problem, x)
    for method in METHODS:
        optimizers.minimize(problem, x, method, learning_rate=1e-3, max_iter=1)
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
    kernels |= {kernel for kernel in _jit._stamped.values() if kernel.signatures}
    return len(kernels), sum(any(kernel.stats.cache_misses.values()) for kernel in kernels)


def main(arguments=None):
    """Warm up the problems named on the command line, or the pages', and say what was done."""
    parser = argparse.ArgumentParser(
        prog="python -m lib.warmup",
        description="Compile every kernel ahead and leave it in numba's disk cache.",
    )
    catalogue = ", ".join(problems.CATALOGUE)
    parser.add_argument(
        "problem", nargs="*", help=f"one of {catalogue}; default: {', '.join(PAGES)}"
    )
    names = parser.parse_args(arguments).problem or PAGES
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
