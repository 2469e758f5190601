"""A method from many starts at once, in chunks that any executor can run."""

import inspect
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from lib import _random as random
from lib import _validation as check
from lib._jit import Slot, is_kernel, lane, stamp
from lib.optimizers import METHODS
from lib.optimizers._drive import (
    COUNTERS,
    N_HVP,
    N_SAMPLE,
    N_SAMPLE_HVP,
    N_VALUE,
    SEEN_GRADIENT,
    SEEN_VALUE,
    STEPS,
    drive_many,
)
from lib.optimizers._method import kernels, settings
from lib.optimizers._steps import BUDGET, CONVERGED, DIVERGED, MAX_ITER
from lib.optimizers.result import STATUSES
from lib.problems import Problem

gradient = Slot("gradient")

CHUNK = 32_768  # runs of gradient descent that one thread makes at a time
RUNS = 256  # of any other method, whose steps are long
WIDTH = 32


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Where many runs ended.

    Attributes
    ----------
    x : ndarray, shape (n, d)
        The last iterate of each run.
    n_iter : ndarray of int, shape (n,)
        Steps each run made.
    status : ndarray of str, shape (n,)
        How each run ended, as in `lib.optimizers.Result`.
    evaluations : ndarray of int, shape (n, 3)
        Values, gradients and Hessian-vector products that each run needed.
    sample_evaluations : ndarray of int, shape (n, 2)
        Gradients and Hessian-vector products of single samples that each run needed.

    Notes
    -----
    Used in "Strict saddles" and "The stable manifold".
    """

    x: np.ndarray
    n_iter: np.ndarray
    status: np.ndarray
    evaluations: np.ndarray
    sample_evaluations: np.ndarray

    @property
    def counts(self):
        """Number of runs for each status that occurs, a dict."""
        return _occurrences(self.status)

    def __repr__(self):
        return f"Ensemble(n={len(self.x)}, counts={self.counts})"


@dataclass(frozen=True, eq=False)
class Basins:
    """Which critical point each start is led to.

    Attributes
    ----------
    labels : ndarray of int, shape (n,) or the grid's shape
        Index into the problem's critical points; -1 for a diverged run, -2 for a run that did not
        converge to one of them within max_iter steps.
    n_iter : ndarray of int, same shape
        Steps each run made.
    counts : dict
        Number of runs for each label that occurs.

    Notes
    -----
    Used in the primer, "Strict saddles" and "The stable manifold".
    """

    labels: np.ndarray = field(repr=False)
    n_iter: np.ndarray = field(repr=False)
    counts: dict


DIVERGED_LABEL, UNDECIDED_LABEL = -1, -2


def uniform_starts(n, low, high, dimension=None, seed=0):
    """Draw starts uniformly from a box.

    Parameters
    ----------
    n : int
        Number of starts, at least 1.
    low, high : float or array_like, shape (dimension,)
        Corners of the box, low below high.
    dimension : int, optional
        Number of coordinates. Default: as many as `low` or `high` has, 2 if both are numbers.
    seed : int
        Seed, at least 0; equal seeds give equal starts.

    Returns
    -------
    ndarray, shape (n, dimension)
        One start per row.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> ensembles.uniform_starts(1000, [0.0, -1.0, 5.0], [1.0, 1.0, 6.0]).shape
    (1000, 3)

    Notes
    -----
    A distribution with a density, as the theorem of Lee et al. (2016) asks for. Used in all
    chapters with random starts.
    """
    count = check.integer(n, "n", low=1)
    low, high = check.floats(low, "low"), check.floats(high, "high")
    if dimension is None:
        dimension = max((corner.size for corner in (low, high) if corner.ndim > 0), default=2)
    d = check.integer(dimension, "dimension", low=1)
    low, high = _corner(low, d, "low"), _corner(high, d, "high")
    if not (low < high).all():
        raise ValueError("low must be below high in every coordinate")
    rng = np.random.default_rng(check.integer(seed, "seed", low=0))
    return low + (high - low) * rng.random((count, d))


def grid_starts(x_range, y_range, shape):
    """Lay a grid of starts over a rectangle, for maps of the plane.

    Parameters
    ----------
    x_range, y_range : pair of float
        Left and right, bottom and top.
    shape : pair of int
        Rows and columns, each at least 1.

    Returns
    -------
    ndarray, shape (rows * columns, 2)
        Cell centres, row by row from the bottom; reshape labels to `shape` and draw them with
        ``origin="lower"``.

    Raises
    ------
    TypeError, ValueError
        If a range does not ascend or `shape` is not two whole numbers of at least 1.

    Examples
    --------
    >>> from lib import ensembles
    >>> ensembles.grid_starts((0.0, 4.0), (0.0, 2.0), (1, 2)).tolist()
    [[1.0, 1.0], [3.0, 1.0]]

    Notes
    -----
    Used for the maps of basins in "Strict saddles".
    """
    rows, columns = check.point(shape, 2, "shape")
    rows, columns = (check.integer(m, "shape", low=1) for m in shape)
    left, right = check.point(x_range, 2, "x_range")
    bottom, top = check.point(y_range, 2, "y_range")
    if not (left < right and bottom < top):
        raise ValueError("x_range and y_range must each go from a smaller to a larger number")
    x = left + (right - left) * (np.arange(columns) + 0.5) / columns
    y = bottom + (top - bottom) * (np.arange(rows) + 0.5) / rows
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def run_many(
    problem,
    starts,
    learning_rate=None,
    max_iter=1000,
    tol=1e-10,
    divergence_radius=1e8,
    executor=None,
    method="gradient_descent",
    max_evaluations=None,
    progress=False,
    **options,
):
    """Run a method from every start, keeping only where each run ended.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    starts : array_like, shape (n, d)
        One start per row.
    learning_rate : float, optional
        The step size, positive. Default: the method's own.
    max_iter : int
        Largest number of steps a run.
    tol : float
        A run stops when its gradient norm is at most `tol`. Gradient descent compares squares,
        and takes the square of a norm below 1e-162 for zero. A method that draws mini-batches
        looks at the norm only at the start and after `max_iter` steps.
    divergence_radius : float
        A run stops as "diverged" when an entry of its iterate exceeds this.
    executor : object with a ``map`` method, optional
        Runs the chunks: a pool of threads or processes, or a cluster's executor. Default: one
        thread per processor. The result does not depend on it.
    method : str
        Name of an optimizer of `lib.optimizers.METHODS` that runs in compiled code.
    max_evaluations : int, optional
        Largest number of oracle calls a run, as for the methods themselves.
    progress : bool
        Show a progress bar (tqdm), which moves when a chunk of runs is done: 32768 of gradient
        descent, 256 of any other method.
    **options
        Options of that optimizer. Where it takes a `seed`, run number i of `starts` draws from a
        stream of its own, so that the result does not depend on how the runs are shared out.

    Returns
    -------
    Ensemble
        Last iterates, step counts and statuses.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> from lib import ensembles, problems
    >>> starts = ensembles.uniform_starts(100_000, -1, 1)
    >>> runs = ensembles.run_many(problems.double_well(), starts, learning_rate=0.5)
    >>> runs
    Ensemble(n=100000, counts={'converged': 100000})
    >>> runs.x[:, 1].min().round(6).item(), runs.x[:, 1].max().round(6).item()
    (-1.0, 1.0)

    Notes
    -----
    Used in "Strict saddles", "The stable manifold", "Escape time", "Which step is safe",
    "Escaping without smoothness", "One Hessian-vector product sets the step", "What it buys,
    honestly", "Local means local" and in all of part 5: "Dead neurons stay dead", "The width law,
    the depth law and the risk ladder" and "Nine optimizers, one theorem".
    """
    starts = _starts(problem, starts)
    last = check.integer(max_iter, "max_iter", low=0, high=10**9)
    tol = check.number(tol, "tol", low=0.0)
    radius = check.positive(divergence_radius, "divergence_radius")
    if learning_rate is not None:
        options["learning_rate"] = learning_rate
    check.choice(method, "method", tuple(METHODS))
    budget = max_evaluations
    if budget is not None:
        check.integer(budget, "max_evaluations", low=1)
    bar = check.flag(progress, "progress")
    known = list(inspect.signature(METHODS[method].plan).parameters)[1:]
    for key in options:
        if key not in known:
            raise TypeError(
                f"{method} has no option {key!r} in an ensemble; its own are {', '.join(known)}"
            )
    made = METHODS[method].plan(problem=problem, **options)
    if method == "gradient_descent":
        end = last if budget is None else min(last, budget - 1)
        rate = made.options[0]
        work = partial(_run_chunk, problem, rate=rate, max_iter=end, tol=tol, radius=radius)
        x, n_iter, codes = map_chunks(work, starts, CHUNK, executor, bar)
        if end < last:
            codes[codes == MAX_ITER] = BUDGET
        evaluations = np.zeros((len(starts), 3), dtype=np.int64)
        evaluations[:, 1] = n_iter + 1
        samples = np.zeros((len(starts), 2), dtype=np.int64)
    else:
        work = partial(_drive_chunk, problem, method, options, last, budget, tol, radius)
        numbered = np.column_stack([starts, np.arange(len(starts))])
        x, counts, codes = map_chunks(work, numbered, RUNS, executor, bar)
        n_iter = counts[:, STEPS].copy()
        evaluations = counts[:, N_VALUE : N_HVP + 1].copy()
        evaluations[:, :2] -= counts[:, SEEN_VALUE : SEEN_GRADIENT + 1]
        samples = counts[:, N_SAMPLE : N_SAMPLE_HVP + 1].copy()
    return Ensemble(x, n_iter, np.array(STATUSES)[codes], evaluations, samples)


def basins(
    problem,
    starts,
    learning_rate=None,
    max_iter=10_000,
    tol=1e-10,
    distance=1e-3,
    divergence_radius=1e8,
    executor=None,
    method="gradient_descent",
    **options,
):
    """Find which critical point a method reaches from every start.

    Parameters
    ----------
    problem : Problem
        A problem with known critical points.
    starts : array_like, shape (n, d)
        One start per row.
    learning_rate, max_iter, tol, divergence_radius, executor, method, **options
        As for `run_many`; gradient descent's own learning rate is 0.1.
    distance : float
        A run that met the tolerance counts as having reached a critical point when it ended
        within this Euclidean distance of it.

    Returns
    -------
    Basins
        Labels, step counts, and how often each label occurs.

    Raises
    ------
    ValueError
        If the problem lists no critical points, or an argument is out of range.

    Examples
    --------
    >>> from lib import ensembles, problems
    >>> well = problems.double_well()
    >>> [point.kind for point in well.critical_points]
    ['strict saddle', 'minimizer', 'minimizer']
    >>> grid = ensembles.grid_starts((-1, 1), (-1, 1), (40, 60))
    >>> found = ensembles.basins(well, grid, learning_rate=0.5)
    >>> found.counts, found.labels.reshape(40, 60)[:, 0].min().item()
    ({1: 1200, 2: 1200}, 1)

    Notes
    -----
    Used in the primer, "Strict saddles", "The stable manifold" and "Escape time", and in
    "Escaping without smoothness".
    """
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    if not problem.critical_points:
        raise ValueError("problem must list critical points; this one has none")
    reach = check.positive(distance, "distance")
    runs = run_many(
        problem,
        starts,
        learning_rate,
        max_iter,
        tol,
        divergence_radius,
        executor,
        method,
        **options,
    )
    labels = np.full(len(runs.x), UNDECIDED_LABEL)
    nearest = np.where(runs.status == "converged", reach, -np.inf)
    for i, known in enumerate(problem.critical_points):
        away = np.linalg.norm(runs.x - known.x, axis=1)
        closer = away <= nearest
        labels[closer] = i
        nearest[closer] = away[closer]
    labels[runs.status == "diverged"] = DIVERGED_LABEL
    return Basins(labels, runs.n_iter, _occurrences(labels))


def map_chunks(work, starts, size, executor, progress=False):
    """Apply `work` to chunks of `size` starts and join what it returns, in order."""
    chunks = [starts[i : i + size] for i in range(0, len(starts), size)]
    if executor is not None and not hasattr(executor, "map"):
        raise TypeError(f"executor must have a map method; got {type(executor).__name__}")
    with ExitStack() as stack:
        if executor is None and len(chunks) > 1:
            executor = stack.enter_context(ThreadPoolExecutor(os.cpu_count()))
        results = map(work, chunks) if executor is None else executor.map(work, chunks)
        parts = list(_shown(results, chunks) if progress else results)
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _shown(results, chunks):
    """Hand on the results, and count their runs with a progress bar."""
    from tqdm.auto import tqdm

    with tqdm(total=sum(map(len, chunks)), unit="run") as bar:
        for result, chunk in zip(results, chunks, strict=True):
            bar.update(len(chunk))
            yield result


def _occurrences(values):
    """Return how often each value occurs."""
    found, numbers = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), numbers.tolist(), strict=True))


def _corner(corner, d, name):
    """Return a corner, given as one number or one for each coordinate, in shape (d,)."""
    return check.point(np.full(d, corner) if corner.ndim == 0 else corner, d, name)


def _starts(problem, starts):
    check.instance(problem, "problem", Problem, "a Problem (see lib.problems.custom)")
    return check.points(starts, problem.dimension, "starts")


def _run_chunk(problem, starts, rate, max_iter, tol, radius):
    x = np.empty_like(starts)
    n_iter = np.empty(len(starts), dtype=np.int64)
    codes = np.empty(len(starts), dtype=np.int64)
    run = stamp(_descend_all, gradient=problem.gradient_kernel)
    run(starts, problem.parameters, rate, max_iter, tol, radius, x, n_iter, codes)
    return x, n_iter, codes


def _drive_chunk(problem, method, options, last, max_evaluations, tol, radius, numbered):
    starts = np.ascontiguousarray(numbered[:, :-1])
    made = METHODS[method].plan(problem=problem, **options)
    run = kernels(problem, made)
    if not is_kernel(run):
        raise ValueError("method must run in compiled code; this one works with arrays in Python")
    x = np.empty_like(starts)
    counts = np.empty((len(starts), COUNTERS), dtype=np.int64)
    codes = np.empty(len(starts), dtype=np.int64)
    stamp(drive_many, run=run, start_stream=random.start)(
        starts,
        numbered[:, -1].astype(np.int64),
        random.seed_words(made.seed or 0),
        problem.parameters,
        np.array(made.options, dtype=np.float64),
        np.array(made.scalars, dtype=np.float64),
        np.zeros((made.vectors, problem.dimension)),
        np.zeros(made.integers, dtype=np.int64),
        settings(made, last, max_evaluations, max(1, last)),
        tol,
        radius,
        x,
        counts,
        codes,
    )
    return x, counts, codes


def _descend_all(starts, p, rate, max_iter, tol, radius, x_out, n_iter, codes):
    """Run blocks of WIDTH starts side by side, so that the processor steps several at once."""
    n, d = starts.shape
    x = np.empty((d, WIDTH))
    g = np.empty((d, WIDTH))
    size = np.empty(WIDTH)
    far = np.empty(WIDTH)
    running = np.empty(WIDTH)
    count = np.empty(WIDTH)
    code = np.empty(WIDTH)
    for first in range(0, n, WIDTH):
        for j in range(WIDTH):
            row = min(first + j, n - 1)
            running[j] = 1.0
            count[j] = 0.0
            code[j] = MAX_ITER
            for i in range(d):
                x[i, j] = starts[row, i]
        for k in range(max_iter + 1):
            for j in range(WIDTH):
                gradient(lane(x, j), p, lane(g, j))
            for j in range(WIDTH):
                size[j] = 0.0
                far[j] = 0.0
            for i in range(d):
                for j in range(WIDTH):
                    size[j] += g[i, j] * g[i, j]
                    ahead = x[i, j] - rate * g[i, j]
                    far[j] = far[j] if abs(ahead) <= radius else 1.0
                    g[i, j] = ahead
            left = 0.0
            last = k == max_iter
            for j in range(WIDTH):
                settled = size[j] <= tol * tol
                ends = settled or last or far[j] > 0.0
                new = CONVERGED if settled else MAX_ITER if last else DIVERGED
                code[j] = new if ends and running[j] > 0.0 else code[j]
                running[j] = 0.0 if ends else running[j]
                count[j] += running[j]
                left += running[j]
            if left == 0.0:
                break
            for i in range(d):
                for j in range(WIDTH):
                    x[i, j] = g[i, j] if running[j] > 0.0 else x[i, j]
        for j in range(min(WIDTH, n - first)):
            n_iter[first + j] = int(count[j])
            codes[first + j] = int(code[j])
            for i in range(d):
                x_out[first + j, i] = x[i, j]
