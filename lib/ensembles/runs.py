"""A method from many starts at once, in chunks that any executor can run."""

import inspect
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from lib import _random as random
from lib import _validation as check
from lib._jit import LANES, fused, is_kernel, stamp
from lib._vectors import norm
from lib.ensembles._chunks import map_chunks, pieces
from lib.ensembles._descend import WIDTH, descend
from lib.ensembles._train import DRAWS, aligned, buffer_shapes, train
from lib.optimizers import METHODS
from lib.optimizers._drive import (
    COUNTERS,
    N_GRADIENT,
    N_HVP,
    N_SAMPLE,
    N_SAMPLE_HVP,
    N_VALUE,
    QUIET,
    SEEN_GRADIENT,
    SEEN_VALUE,
    STEPS,
    drive_many,
)
from lib.optimizers._method import kernels, settings
from lib.optimizers._steps import BUDGET, CONVERGED, DIVERGED, MAX_ITER
from lib.optimizers._updates import BATCH
from lib.optimizers.result import STATUSES
from lib.problems import Problem
from lib.problems.relu_network import ReluNetwork

CHUNK = 32_768  # runs of gradient descent that one thread makes at a time
RUNS = 256  # of any other method, whose steps are long
MOST = 20_000  # parameters of networks that are trained side by side; larger ones go through BLAS


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
    _codes: np.ndarray
    _count: partial

    # What follows would take longer than a million runs, so it waits until somebody asks.

    @cached_property
    def status(self):
        return np.array(STATUSES)[self._codes]

    @cached_property
    def evaluations(self):
        return self._count(False)

    @cached_property
    def sample_evaluations(self):
        return self._count(True)

    @property
    def counts(self):
        """Number of runs for each status that occurs, a dict."""
        numbers = np.bincount(self._codes, minlength=len(STATUSES)).tolist()
        return {STATUSES[code]: numbers[code] for code in _by_name if numbers[code]}

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
WIDEST = 1e300  # the largest start: differences and multiples of it are finite

_by_name = sorted(range(len(STATUSES)), key=STATUSES.__getitem__)


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
    low, high = check.floats(low, "low"), check.floats(high, "high")
    sizes = [corner.size for corner in (low, high) if corner.ndim > 0]
    d = check.size(max(sizes, default=2) if dimension is None else dimension, "dimension")
    count = check.size(n, "n", each=d)
    low, high = _corner(low, d, "low"), _corner(high, d, "high")
    if not (low < high).all():
        raise ValueError("low must be below high in every coordinate")
    if max(np.abs(low).max(), np.abs(high).max()) > WIDEST:
        raise ValueError(f"low and high must be at most {WIDEST:g} in absolute value")
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
        Cell centers, row by row from the bottom; reshape labels to `shape` and draw them with
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
    check.room(2 * rows * columns, "shape")
    left, right = check.point(x_range, 2, "x_range")
    bottom, top = check.point(y_range, 2, "y_range")
    if not (left < right and bottom < top):
        raise ValueError("x_range and y_range must each go from a smaller to a larger number")
    if max(map(abs, (left, right, bottom, top))) > WIDEST:
        raise ValueError(f"x_range and y_range must be at most {WIDEST:g} in absolute value")
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
    check_every=1,
    **options,
):
    """Run a method from every start, keeping only where each run ended.

    Parameters
    ----------
    problem : Problem
        What to minimize.
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
    executor : object with a ``submit`` or ``map`` method, optional
        Runs the chunks: a pool of threads or processes of `concurrent.futures`, or a cluster that
        has such a method, like dask's ``Client``. Default: one thread per processor. The result
        does not depend on it. What a worker raises is raised here.
    method : str
        Name of an optimizer of `lib.optimizers.METHODS` that runs in compiled code.
    max_evaluations : int, optional
        Largest number of oracle calls a run, as for the methods themselves.
    progress : bool
        Show a progress bar (tqdm), which moves when a chunk of runs is done: 32768 of gradient
        descent, 256 of any other method.
    check_every : int
        How often the stopping rules are looked at: before the first step, after each so many, and
        after the last. With 1 each run is, to the last bit, the one that the method makes alone.
        Larger is faster, and the last digits differ: see Notes. For gradient descent, and for the
        methods that can draw mini-batches on ReLU networks without skip and layer norm.
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
    Between two looks nothing is done but steps, whose products and sums are fused into one
    instruction each, and whose sines and cosines are polynomials good to three units in the last
    place. A run then ends at a multiple of `check_every` steps, or at the last; one that left the
    region returns to where it was at the look before. Runs that leave it, or leave the range of
    the polynomials, are made again in the usual arithmetic.

    ReLU networks are trained side by side: one register holds the same number of 8 networks, or 4,
    as many as the processor can work on at once. Each draws the mini-batches that it draws with
    `check_every` 1, and its result does not depend on its neighbors. Networks that leave the
    region are trained again in the usual arithmetic, from the start. Sums are rounded in another
    order; where training is chaotic the difference grows from step to step, and two such runs
    drift apart. Networks of more than 20000 parameters are always trained one by one.

    Used in "Strict saddles", "The stable manifold", "Escape time", "Which step is safe", "Escaping
    without smoothness", "One Hessian-vector product sets the step", "What it buys, honestly",
    "Local means local", "When one machine is not enough", "Five results, one picture" and in
    all of part 5: "Dead neurons stay dead", "The width law, the depth law and the risk ladder" and
    "Nine optimizers, one theorem".
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
        check.count(budget, "max_evaluations", low=1)
    bar = check.flag(progress, "progress")
    every = check.count(check_every, "check_every", low=1)
    known = list(inspect.signature(METHODS[method].plan).parameters)[1:]
    for key in options:
        if key not in known:
            raise TypeError(
                f"{method} has no option {key!r} in an ensemble; its own are {', '.join(known)}"
            )
    made = METHODS[method].plan(problem=problem, **options)
    if every > 1 and method != "gradient_descent":
        _check_lanes(problem, method, made, every, budget)
    if method == "gradient_descent":
        end = last if budget is None else min(last, budget - 1)
        rate = made.options[0]
        numbers = {"rate": rate, "max_iter": end, "every": every, "tol": tol, "radius": radius}
        work = partial(_run_chunk, problem, **numbers)
        chunks = (starts[first:stop] for first, stop in pieces(len(starts), CHUNK))
        x, n_iter, codes = map_chunks(work, chunks, len(starts), executor, bar)
        if end < last:
            codes[codes == MAX_ITER] = BUDGET
        count = partial(_count_gradients, n_iter, codes, every, end)
    else:
        work = partial(_drive_chunk, problem, method, options, last, budget, tol, radius)
        if every > 1 and last > 0 and problem.data.n_parameters <= MOST:
            work = partial(_train_chunk, problem, method, options, last, every, tol, radius, work)
        numbers = np.arange(len(starts))
        chunks = ((numbers[i:j], starts[i:j]) for i, j in pieces(len(starts), RUNS))
        x, counts, codes = map_chunks(work, chunks, len(starts), executor, bar)
        n_iter = counts[:, STEPS].copy()
        count = partial(_count_all, counts)
    return Ensemble(x, n_iter, codes, count)


def _count_gradients(n_iter, codes, every, end, samples):
    """Return what gradient descent evaluated, looking at the stopping rules so often."""
    if samples:
        return np.zeros((len(n_iter), 2), dtype=np.int64)
    last = np.where(codes == DIVERGED, np.minimum(every, end - n_iter), 1)
    return np.stack([np.zeros_like(n_iter), n_iter + last, np.zeros_like(n_iter)], axis=1)


def _count_all(counts, samples):
    """Return what the counters of the common loop say."""
    if samples:
        return counts[:, N_SAMPLE : N_SAMPLE_HVP + 1].copy()
    evaluations = counts[:, N_VALUE : N_HVP + 1].copy()
    evaluations[:, :2] -= counts[:, SEEN_VALUE : SEEN_GRADIENT + 1]
    return evaluations


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
    Used in the primer, "Strict saddles", "The stable manifold" and "Escape time", in "Escaping
    without smoothness" and in "Try it on your own function".
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
    nearest = np.where(runs._codes == CONVERGED, reach, -np.inf)
    for i, known in enumerate(problem.critical_points):
        with np.errstate(over="ignore"):
            away = np.linalg.norm(runs.x - known.x, axis=1)
        closer = away <= nearest
        labels[closer] = i
        nearest[closer] = away[closer]
    labels[runs._codes == DIVERGED] = DIVERGED_LABEL
    return Basins(labels, runs.n_iter, _occurrences(labels))


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


def _run_chunk(problem, starts, rate, max_iter, every, tol, radius):
    exact = stamp(descend, gradient=problem.gradient_kernel)
    if every == 1:
        return _descended(exact, problem, starts, rate, max_iter, every, tol, radius)
    fast = stamp(descend, fuse=True, gradient=fused(problem.gradient_kernel))
    x, n_iter, codes = _descended(fast, problem, starts, rate, max_iter, every, tol, radius)
    lost = codes == DIVERGED  # or the fused gradient does not reach so far
    if lost.any():
        again = _descended(exact, problem, starts[lost], rate, max_iter, every, tol, radius)
        x[lost], n_iter[lost], codes[lost] = again
    return x, n_iter, codes


def _descended(run, problem, starts, rate, max_iter, every, tol, radius):
    n, d = starts.shape
    buffers = None if d == 2 else np.empty((3, d * WIDTH))
    x = np.empty_like(starts)
    n_iter = np.empty(n, dtype=np.int64)
    codes = np.empty(n, dtype=np.int8)
    p = problem.parameters
    run(starts, p, rate, max_iter, every, tol, radius, buffers, x, n_iter, codes)
    return x, n_iter, codes


def _drive_chunk(problem, method, options, last, max_evaluations, tol, radius, chunk):
    numbers, starts = chunk
    made = METHODS[method].plan(problem=problem, **options)
    run = kernels(problem, made)
    if not is_kernel(run):
        raise ValueError("method must run in compiled code; this one works with arrays in Python")
    w = settings(made, last, max_evaluations, max(1, last))
    w[QUIET] = made.lazy
    x = np.empty_like(starts)
    counts = np.empty((len(starts), COUNTERS), dtype=np.int64)
    codes = np.empty(len(starts), dtype=np.int64)
    stamp(drive_many, run=run, start_stream=random.start)(
        starts,
        numbers,
        random.seed_words(made.seed or 0),
        problem.parameters,
        np.array(made.options, dtype=np.float64),
        np.array(made.scalars, dtype=np.float64),
        np.zeros((made.vectors, problem.dimension)),
        np.zeros(made.integers, dtype=np.int64),
        w,
        tol,
        radius,
        x,
        counts,
        codes,
    )
    return x, counts, codes


def _check_lanes(problem, method, made, every, budget):
    """Raise ValueError where a method must look at the stopping rules in each step."""
    network = problem.data
    reason = None
    if "draw" not in made.slots:
        reason = "it neither is gradient descent nor can it draw mini-batches"
    elif not isinstance(network, ReluNetwork) or network.skip != "none" or network.layer_norm:
        reason = f"{problem.name} is no ReLU network without skip and layer norm"
    elif budget is not None:
        reason = "max_evaluations counts in each step"
    if reason:
        raise ValueError(f"check_every must be 1 for method {method!r}: {reason}; got {every}")


def _train_chunk(problem, method, options, last, every, tol, radius, exactly, chunk):
    numbers, starts = chunk
    n, d = starts.shape
    made = METHODS[method].plan(problem=problem, **options)
    draw = DRAWS[made.slots["draw"]]
    x = np.empty_like(starts)
    lost = _settled(problem, starts, tol)
    left = np.empty(n, dtype=bool)
    drawn = np.empty(n, dtype=np.int64)
    batch = problem.n_samples if made.seed is None else int(made.options[BATCH])
    stamp(train, draw=draw, update=made.slots["update"])(
        starts,
        numbers,
        random.seed_words(made.seed or 0),
        problem.parameters,
        np.array(made.options, dtype=np.float64),
        np.array(made.scalars, dtype=np.float64),
        last,
        every,
        radius,
        np.empty(random.WORDS * LANES, dtype=np.int64),
        np.zeros((LANES, max(1, made.integers)), dtype=np.int64),
        np.empty(batch * LANES, dtype=np.int64),
        *aligned(buffer_shapes(problem.data.widths, d, made.vectors - 1)),
        x,
        left,
        drawn,
    )
    lost |= left
    counts = np.zeros((n, COUNTERS), dtype=np.int64)
    counts[:, STEPS] = last
    counts[:, N_GRADIENT if made.seed is None else N_SAMPLE] = last if made.seed is None else drawn
    codes = np.where(_settled(problem, x, tol), CONVERGED, MAX_ITER)
    if lost.any():
        x[lost], counts[lost], codes[lost] = exactly((numbers[lost], starts[lost]))
    return x, counts, codes


def _settled(problem, x, tol):
    """Tell at which rows of `x` the norm of the gradient is at most `tol`; for 0, at none."""
    if tol == 0.0:
        return np.zeros(len(x), dtype=bool)
    g = np.empty_like(x)
    for i in range(len(x)):
        problem.gradient_kernel(x[i], problem.parameters, g[i])
    return np.array([norm(row) <= tol for row in g])
