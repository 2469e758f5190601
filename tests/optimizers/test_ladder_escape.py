"""Escape from a ladder of saddles: exponential in its length without noise, linear with it."""

import math

import numpy as np

from lib import ensembles, problems
from lib.optimizers import gradient_descent, perturbed_gradient_descent

RATE = 0.2


def steps_to_a_minimizer(run):
    there = (np.abs(np.abs(run.path) - 1) < 0.05).all(axis=1)
    return run.iterations[there.argmax()] if there.any() else math.inf


def steps(dimension, optimizer, options):
    """Run `optimizer` from 101 starts; ``options(i)`` are its options in run i."""
    problem = problems.saddle_ladder(dimension)
    starts = ensembles.uniform_starts(101, -0.25, 0.25, dimension=dimension, seed=3)
    runs = (
        optimizer(problem, x0, RATE, max_iter=10_000, **options(i)) for i, x0 in enumerate(starts)
    )
    return np.array([steps_to_a_minimizer(run) for run in runs])


def test_gradient_descent_needs_exponentially_many_steps():
    counts = [steps(d, gradient_descent, lambda i: {"tol": 0.0}) for d in range(2, 8)]
    assert np.isfinite(counts).all()
    medians = np.median(counts, axis=1)
    growth = (medians[-1] / medians[0]) ** (1 / (len(medians) - 1))
    predicted = 1 + abs(math.log(1 - RATE)) / math.log(1 + RATE)
    assert abs(predicted - 2.224) < 1e-3
    assert abs(growth - predicted) < 0.2


def test_noise_makes_it_linear():
    counts = [steps(d, perturbed_gradient_descent, lambda i: {"seed": i}) for d in range(4, 9)]
    assert np.isfinite(counts).mean() > 0.9
    medians = np.median(counts, axis=1)
    more_per_dimension = (medians[-1] - medians[0]) / (len(medians) - 1)
    assert 45 <= more_per_dimension <= 65
    assert np.diff(medians).max() < 100
