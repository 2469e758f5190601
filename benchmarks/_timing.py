"""What a benchmark consists of, and how its contenders are timed: alternately, in one process."""

import importlib.util
import math
import os
import statistics
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PINNED, ALL_CORES = MODES = ("pinned", "all_cores")

SHORTEST = 0.1  # seconds; a shorter call is repeated within one timing
LONG = 3.0  # seconds; a first call as long as that is not repeated to see how long a second takes
PAUSE = 0.01  # seconds between contenders, in which spinning threads of the last one give up


@dataclass(frozen=True)
class Contender:
    """One way to do the work of a case.

    Attributes
    ----------
    name : str
        What the table shows, library first.
    make : callable
        ``make(*case.data)`` prepares everything that is not timed and returns a function without
        arguments; this is timed, and must return only when the numbers are there. It returns None
        where the contender makes no sense, such as threads on one core.
    needs : str
        The package it cannot do without; where that is missing, the contender is left out.
    factor : float
        Work of the case divided by the work that is timed; not 1 where a slow contender does a
        part only.
    aside : bool
        Shown, but not compared with (it computes in single precision, or does other work).
    """

    name: str
    make: Callable
    needs: str = "numpy"
    factor: float = 1.0
    aside: bool = False


@dataclass(frozen=True)
class Target:
    """At least so many times as fast as the fastest of some contenders.

    Attributes
    ----------
    text : str
        What the table shows.
    wanted : float
        The ratio; for `of_limit` the share of the machine's limit, for `per_core` the rate.
    peers : tuple of str
        Beginnings of the names of the contenders that count.
    of_limit : bool
        Whether the share of the limit is meant instead.
    per_core : bool
        Whether the work of the case in a second, on each core, is meant instead.
    modes : tuple of str
        The modes in which it counts.
    why : str
        What stands in the way where it is missed; the book then shows it.
    """

    text: str
    wanted: float
    peers: tuple = ()
    of_limit: bool = False
    per_core: bool = False
    modes: tuple = MODES
    why: str = ""


@dataclass(frozen=True)
class Case:
    """The same work for all contenders.

    Attributes
    ----------
    name : str
        What is computed, with all sizes.
    contenders : tuple of Contender
        Ours is the first.
    data : tuple
        What each `Contender.make` gets.
    agree : callable
        ``agree(ours, theirs)`` returns None where both results are the same work, else what
        differs.
    targets : tuple of Target
        What is to be reached.
    limit : str
        The entry of the machine's peaks that bounds the work: "fma", "read" or "write".
    work : float
        How much of it the work needs at least, in flops or bytes.
    model : str
        How `work` is counted.
    check : tuple, optional
        Other data, on which the results are compared. Default: those that are timed.
    rounds : int, optional
        Largest number of rounds, for long cases.
    """

    name: str
    contenders: tuple
    data: tuple
    agree: Callable
    targets: tuple
    limit: str | None = None
    work: float = 0.0
    model: str = ""
    check: tuple | None = None
    rounds: int | None = None


@dataclass
class Row:
    """What was measured of a contender."""

    contender: Contender
    run: Callable
    repeats: int = 1
    seconds: list = field(default_factory=list)
    ratios: list = field(default_factory=list)
    waits: list = field(default_factory=list)


def cores():
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@contextmanager
def one_torch_thread():
    """Keep PyTorch to one thread: with small tensors the others only get in the way."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def summary(values):
    """Return median, smallest and largest, to four digits."""
    return [float(f"{v:.4g}") for v in (statistics.median(values), min(values), max(values))]


def waited():
    """Return the seconds that threads of this process have waited for a processor so far."""
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        return math.nan
    total = 0
    for task in tasks.iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):  # the thread has ended meanwhile
            continue
    return total / 1e9


def compare(case, mode, rounds, say=print):
    """Check that all contenders do the same work, time them alternately, and return a dict."""
    clock = time.process_time if mode == PINNED else time.perf_counter
    rows = []
    expected = None
    for contender in case.contenders:
        if importlib.util.find_spec(contender.needs) is None:
            say(f"    {contender.name}: left out, {contender.needs} is not installed")
            continue
        run = contender.make(*case.data)
        if run is None:
            continue
        began = clock()
        result = run()  # compiles
        elapsed = clock() - began
        if case.check is not None:
            result = contender.make(*case.check)()
        if expected is None:
            expected = result
        difference = case.agree(expected, result)
        if difference is not None:
            raise ValueError(f"{case.name}: {contender.name} does other work: {difference}")
        del result
        if elapsed < LONG:
            began = clock()
            run()
            elapsed = clock() - began
        repeats = math.ceil(SHORTEST / max(elapsed, SHORTEST / 1000))
        rows.append(Row(contender, run, repeats))
    for number in range(min(rounds, case.rounds or rounds)):
        for row in rows if number % 2 == 0 else reversed(rows):
            time.sleep(PAUSE)
            waiting, wall, began = waited(), time.perf_counter(), clock()
            for _ in range(row.repeats):
                row.run()
            elapsed = clock() - began
            wall = time.perf_counter() - wall
            row.seconds.append(elapsed / row.repeats * row.contender.factor)
            row.waits.append((waited() - waiting) / wall)
        for row in rows:
            row.ratios.append(row.seconds[-1] / rows[0].seconds[-1])
    for row in rows:
        say(
            f"    {row.contender.name:58s} {statistics.median(row.seconds):10.3e} s"
            "   x {:6.3g} [{:.3g} .. {:.3g}]".format(*summary(row.ratios))
        )
    return {
        row.contender.name: {
            "seconds": summary(row.seconds),
            "ratio": summary(row.ratios),
            "rounds": len(row.seconds),
            "waited": float(f"{statistics.median(row.waits):.2g}"),
        }
        for row in rows
    }
