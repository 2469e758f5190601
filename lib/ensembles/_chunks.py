"""Many runs in chunks that any executor can work on; what they return comes back in order."""

import io
import os
import pickle
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib import import_module
from itertools import chain, islice

import numpy as np

from lib import _validation as check
from lib._jit import is_kernel, python_function

try:
    from cloudpickle import Pickler  # comes with dask, and knows functions of a notebook
except ImportError:
    Pickler = pickle.Pickler

# Chunks that an executor holds at a time: a thousand workers find enough to do, and a billion
# runs do not queue all at once.
IN_FLIGHT = 2000


def pieces(n, size):
    """Yield the pairs (first, stop) that cut n rows into pieces of `size`."""
    for first in range(0, n, size):
        yield first, min(first + size, n)


def map_chunks(work, chunks, n, executor, progress=False):
    """Apply `work` to every chunk and join what it returns.

    Parameters
    ----------
    work : callable
        Called with a chunk; returns a tuple of arrays with one row for each run in it.
    chunks : iterable
        The chunks, each made when its turn comes.
    n : int
        Number of runs in all chunks together, at least 1.
    executor, progress
        As for `each_chunk`, and whether to count the runs with a progress bar.

    Returns
    -------
    tuple of ndarray, shape (n, ...)
        The joined columns.
    """
    columns = []
    done = 0

    def take(part):
        nonlocal done
        if not columns:
            columns.extend(np.empty((n, *array.shape[1:]), array.dtype) for array in part)
        rows = slice(done, done + len(part[0]))
        for column, array in zip(columns, part, strict=True):
            column[rows] = array
        done = rows.stop

    if progress:
        _with_bar(work, chunks, n, executor, take)
    else:
        each_chunk(work, chunks, executor, take)
    return tuple(columns)


def each_chunk(work, chunks, executor, take):
    """Call ``take(work(chunk))`` for every chunk, in order, while the executor works ahead.

    Parameters
    ----------
    work, take : callable
        What a worker does with a chunk, and what is done here with what it returns.
    chunks : iterable
        The chunks; at most `IN_FLIGHT` of them are handed out and not yet taken back.
    executor : object with a ``submit`` or ``map`` method, or None
        Its ``submit(work, chunk)`` returns something with ``result()`` and ``cancel()``. Without
        one, its ``map(work, chunks)`` returns the results in order. None: a thread for each
        processor.

    Raises
    ------
    TypeError
        If `executor` has neither method.
    RuntimeError
        If its ``map`` does not return one result for each chunk.
    Exception
        What `work` raises. It carries a note that names the chunk; chunks that have not begun are
        cancelled.
    """
    chunks = iter(chunks)
    if executor is None:
        start = list(islice(chunks, 2))
        if len(start) == 1:
            take(work(start[0]))
        else:
            _threads(work, chain(start, chunks), take)
    elif hasattr(executor, "submit"):
        _submit(executor.submit, Packed(work), chunks, take)
    elif hasattr(executor, "map"):
        packed = Packed(work)
        while batch := list(islice(chunks, IN_FLIGHT)):
            _map(executor.map, packed, batch, take)
    else:
        raise TypeError(
            "executor must have a submit or a map method, like those of concurrent.futures; "
            f"got {type(executor).__name__}"
        )


class Packed:
    """Work that is pickled once for all chunks, and unpickled once in each process."""

    def __init__(self, work, packed=None):
        self.work = work
        self.packed = packed

    def __call__(self, chunk):
        return self.work(chunk)

    def __reduce__(self):
        if self.packed is None:
            buffer = io.BytesIO()
            try:
                _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(self.work)
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                raise TypeError(
                    "problem must be made of functions that can be pickled, so that executor can "
                    f"send them to other processes; {error}"
                ) from error
            self.packed = buffer.getvalue()
        return _unpack, (self.packed,)


class _Pickler(Pickler):
    """Send the kernels of this package by name; others go with all the code they need."""

    def reducer_override(self, thing):
        if is_kernel(thing) and python_function(thing) is not thing:
            function = python_function(thing)
            module, name = function.__module__, function.__name__
            home = sys.modules.get(module) if module.startswith("lib.") else None
            if getattr(home, name, None) is thing:
                return _kernel_named, (module, name)
        known = getattr(super(), "reducer_override", None)
        return NotImplemented if known is None else known(thing)


def _kernel_named(module, name):
    return getattr(import_module(module), name)


@lru_cache(maxsize=16)
def _unpack(packed):
    return Packed(pickle.loads(packed), packed)


def count_chunks(work, n, size, seed, executor):
    """Add up what ``work(count, seed)`` returns for n random draws in chunks of `size`.

    Each chunk has a seed of its own, so that the sum does not depend on who computes it; the
    first has `seed` itself.
    """
    check.integer(n, "n", low=1)
    chunks = ((stop - first, _seed(seed, first // size)) for first, stop in pieces(n, size))
    counts = []
    each_chunk(work, chunks, executor, counts.append)
    return sum(counts)


def _seed(seed, number):
    """Return the seed of chunk `number`: 128 bits that stand for the pair."""
    if number == 0:
        return seed
    words = np.random.SeedSequence((seed, number)).generate_state(4)
    return int.from_bytes(words.astype("<u4").tobytes(), "little")


def _threads(work, chunks, take):
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        _submit(pool.submit, work, chunks, take)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _submit(submit, work, chunks, take):
    """Keep a window of futures going, and take their results from its old end."""
    waiting = deque()
    number = 0
    try:
        waiting.extend(submit(work, chunk) for chunk in islice(chunks, IN_FLIGHT))
        while waiting:
            try:
                part = waiting[0].result()
            except Exception as error:
                error.add_note(f"This happened in chunk {number} of the runs, counted from 0.")
                raise
            waiting.popleft()
            waiting.extend(submit(work, chunk) for chunk in islice(chunks, 1))
            take(part)
            number += 1
    finally:
        for future in waiting:
            future.cancel()


def _map(over, work, batch, take):
    done = 0
    for part in over(work, batch):
        done += 1
        if done <= len(batch):
            take(part)
    if done != len(batch):
        raise RuntimeError(
            f"executor must return one result for each chunk; it got {len(batch)} chunks and "
            f"returned {done} results"
        )


def _with_bar(work, chunks, n, executor, take):
    from tqdm.auto import tqdm

    with tqdm(total=n, unit="run") as bar:

        def take_and_count(part):
            take(part)
            bar.update(len(part[0]))

        each_chunk(work, chunks, executor, take_and_count)
