"""From a few lines that describe a method to a public optimizer.

A method is a function ``(problem, its own options) -> Plan`` under the decorator `optimizer`. The
decorator makes the public function of it: it adds the start and the options that all methods
share, in the signature and in the docstring, runs the loop of `lib.optimizers._drive` with the
plan's kernels and returns a `Result`. `lib.ensembles` runs the same plan from many starts.
"""

import functools
import inspect
import re
import signal
import threading
import time
from dataclasses import dataclass, field

import numpy as np

from lib import _validation as check
from lib._jit import Slot, is_kernel, stamp
from lib._random import stream
from lib.optimizers import _drive as d
from lib.optimizers._steps import MAX_ITER, RUNNING, STOPPED
from lib.optimizers.result import STATUSES, Result
from lib.problems import Problem

METHODS = {}

LONGEST = 10**9  # the largest max_iter
INTERRUPTED = STATUSES.index("interrupted")
FIRST = 2**18  # numbers that the steps before the first look for Ctrl-C may read
PATIENCE = 0.1  # seconds between later looks

COMMON = {
    "max_iter": (1000, "int", "Largest number of steps."),
    "tol": (
        1e-8,
        "float",
        "Stop when the Euclidean gradient norm is at most `tol`; 0 never stops early unless the\n"
        "gradient is exactly zero.",
    ),
    "max_evaluations": (
        None,
        "int, optional",
        'Stop with status "budget" before the first step that begins when the method has used\n'
        "this many oracle calls (see `Result.oracle_calls`; evaluations of single samples are not\n"
        "counted, so limit mini-batch methods by `max_iter`). Default: no such limit.",
    ),
    "record_every": (
        1,
        "int",
        "Record each so-manieth iterate; the start and the last one are always recorded. A path\n"
        "of `max_iter` steps may take 4 GiB at most.",
    ),
    "divergence_radius": (
        1e8,
        "float",
        'Stop with status "diverged" when an entry of the iterate exceeds this, or is not a\n'
        "number. The path is kept up to there.",
    ),
    "callback": (
        None,
        "callable, optional",
        "Called as ``callback(k, x, value, gradient_norm)`` for each recorded iterate; a true\n"
        'answer, or StopIteration, stops the run with status "stopped".',
    ),
    "progress": (False, "bool", "Show a progress bar (tqdm)."),
}

LAZY_TOL = (
    0.0,
    "float",
    "Stop when the Euclidean norm of the full gradient at a recorded iterate is at most `tol`;\n"
    "0 never stops early, not even at a saddle: the gradient of a batch need not be zero there.",
)

RETURNS = """Result
    Last iterate, path, counters, trace and status."""

RAISES = """TypeError, ValueError
    If an argument has the wrong type, shape or range; the message names it."""


@dataclass
class Plan:
    """What a method asks of the common loop.

    Attributes
    ----------
    advance : template or function
        Writes the next iterate (arguments: see `lib.optimizers._drive`). A template is compiled
        with the problem's kernels in its slots; a plain Python function runs the loop in Python.
    options : sequence of float
        ``o`` of the kernels.
    scalars : sequence of float
        ``s`` at the start.
    trace : tuple of str
        Names of the first scalars, recorded along the path.
    vectors, integers : int
        Number of vectors ``v`` and of whole numbers ``m`` to keep.
    stop : template
        Asked before each step; default: the gradient norm is at most `tol`.
    slots : dict
        Further kernels for slots of the templates.
    gradient : function, optional
        Writes the gradient for the loop, ``gradient(x, p, out)``, where a method in Python gets it
        together with something else. Default: the problem's kernel.
    lazy : bool
        The loop need not compute the gradient at each iterate, only at recorded ones.
    uses_value : bool
        The method needs the value at each iterate.
    seed : int, optional
        Seed of the random stream; None where the method draws nothing.
    events : int
        If not zero, ``m[0]`` counts the steps at which something happened, at most one in so
        many, and ``m[1:]`` lists them.
    """

    advance: object
    options: tuple = ()
    scalars: tuple = ()
    trace: tuple = ()
    vectors: int = 0
    integers: int = 0
    stop: object = d.small_gradient
    slots: dict = field(default_factory=dict)
    gradient: object = None
    lazy: bool = False
    uses_value: bool = False
    seed: int | None = None
    events: int = 0


def optimizer(**defaults):
    """Make a public optimizer of a function that returns a `Plan`.

    Parameters
    ----------
    **defaults
        Other defaults for the common options; ``tol=None`` takes that option away.
    """

    def decorate(plan):
        common = dict(COMMON)
        for name, value in defaults.items():
            if value is None:
                del common[name]
            elif isinstance(value, tuple):
                common[name] = value
            else:
                common[name] = (value, *COMMON[name][1:])
        inner = inspect.signature(plan)
        outer = _signature(inner, common)

        @functools.wraps(plan)
        def public(*args, **kwargs):
            try:
                bound = outer.bind(*args, **kwargs)
            except TypeError as error:
                names = ", ".join(outer.parameters)
                raise TypeError(f"{plan.__name__}: {error}; it takes {names}") from None
            bound.apply_defaults()
            given = bound.arguments
            own = {name: given[name] for name in inner.parameters}
            shared = {name: given.get(name, COMMON[name][0]) for name in COMMON}
            check.instance(
                own["problem"], "problem", Problem, "a Problem (see lib.problems.custom)"
            )
            return _run(plan.__name__, plan, own, given["x0"], shared)

        del public.__wrapped__
        public.__signature__ = outer
        public.__doc__ = _document(inspect.getdoc(plan), common)
        public.plan = plan
        public.common = {name: value[0] for name, value in common.items()}
        METHODS[plan.__name__] = public
        return public

    return decorate


def _signature(inner, common):
    own = list(inner.parameters.values())
    x0 = inspect.Parameter("x0", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    extra = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value[0])
        for name, value in common.items()
    ]
    positional = [p for p in own if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    keyword = [p for p in own if p.kind is inspect.Parameter.KEYWORD_ONLY]
    return inner.replace(parameters=[positional[0], x0, *positional[1:], *keyword, *extra])


def _document(text, common):
    """Add the start, the common options and what all methods return to a numpydoc text."""
    sections = _sections(text)
    lines = sections["Parameters"].split("\n")
    own = (i for i, line in enumerate(lines[1:], 1) if not line.startswith("    "))
    second = next(own, len(lines))
    lines[second:second] = ["x0 : array_like, shape (d,)", "    The start."]
    for name, (_, kind, words) in common.items():
        lines += [f"{name} : {kind}", *(f"    {line}" for line in words.split("\n"))]
    sections["Parameters"] = "\n".join(lines)
    ordered = {key: sections.pop(key) for key in ("", "Parameters")}
    ordered["Returns"] = sections.pop("Returns", RETURNS)
    ordered["Raises"] = sections.pop("Raises", RAISES)
    ordered |= sections
    head = ordered.pop("")
    rest = [f"{key}\n{'-' * len(key)}\n{body}" for key, body in ordered.items()]
    return "\n\n".join([head, *rest]) + "\n"


def _sections(text):
    """Split a numpydoc text at its headings; what comes before the first has the key ""."""
    parts = re.split(r"\n\n([A-Z]\w+)\n-+\n", text)
    return {"": parts[0]} | {
        heading: body.rstrip() for heading, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def kernels(problem, plan):
    """Return the loop stamped with the problem's and the plan's kernels."""
    bound = {
        "value": problem.value_kernel,
        "gradient": problem.gradient_kernel,
        "hvp": problem.hvp_kernel,
        **plan.slots,
    }
    return stamp(
        d.drive,
        value=problem.value_kernel,
        gradient=plan.gradient or problem.gradient_kernel,
        stop=_stamped(plan.stop, bound),
        advance=_stamped(plan.advance, bound),
    )


def _stamped(template, bound):
    """Bind what `template` leaves open; a kernel or a function without slots stays as it is."""
    if not inspect.isfunction(template):
        return template
    names = set(template.__code__.co_names)
    names &= {key for key, thing in template.__globals__.items() if isinstance(thing, Slot)}
    if not names:
        return template
    return stamp(template, inline=True, **{name: bound[name] for name in names})


def settings(plan, max_iter, max_evaluations, record_every):
    """Return the loop's whole-number settings ``w``."""
    w = np.zeros(d.SETTINGS, dtype=np.int64)
    w[d.UNTIL] = w[d.LAST] = max_iter
    w[d.BUDGET_LIMIT] = max_evaluations or 0
    w[d.STRIDE] = record_every
    w[d.LAZY], w[d.USES_VALUE], w[d.N_TRACE] = plan.lazy, plan.uses_value, len(plan.trace)
    return w


def _run(name, plan, own, x0, shared):
    problem = own["problem"]
    x = check.point(x0, problem.dimension, "x0")
    last = check.integer(shared["max_iter"], "max_iter", low=0, high=LONGEST)
    tol = check.number(shared["tol"], "tol", low=0.0)
    limit = shared["max_evaluations"]
    if limit is not None:
        check.count(limit, "max_evaluations", low=1)
    stride = check.count(shared["record_every"], "record_every", low=1)
    radius = check.positive(shared["divergence_radius"], "divergence_radius")
    if abs(x).max() > radius:
        raise ValueError(
            f"x0 must lie inside divergence_radius = {radius:g}; "
            f"its largest entry is {abs(x).max():g}"
        )
    callback = shared["callback"]
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable; got {type(callback).__name__}")
    made = plan(**own)
    rows = last // stride + 3
    if rows * (3 + len(made.trace) + problem.dimension) > check.ROOM:
        raise ValueError(
            f"record_every must be larger for max_iter = {last}: {rows} recorded iterates would "
            f"take more than {check.ROOM // 2**27} GiB"
        )
    log = _Log(last, stride, problem.dimension, len(made.trace))
    w = settings(made, last, limit, stride)
    run = kernels(problem, made)
    arguments = (
        x,
        np.zeros(problem.dimension),
        np.zeros(problem.dimension),
        np.full(2, np.nan),
        problem.parameters,
        np.array(made.options, dtype=np.float64),
        np.zeros((made.vectors, problem.dimension)),
        np.array(made.scalars, dtype=np.float64),
        np.zeros(made.integers + (last // made.events + 2 if made.events else 0), dtype=np.int64),
        np.zeros(4, dtype=np.int64) if made.seed is None else stream(made.seed),
        np.zeros(d.COUNTERS, dtype=np.int64),
        w,
        tol,
        radius,
    )
    code = _in_pieces(run, arguments, log, callback, check.flag(shared["progress"], "progress"))
    return log.result(name, made, arguments, code)


def _in_pieces(run, arguments, log, callback, progress):
    """Run the loop, returning to Python for a callback, a progress bar or Ctrl-C.

    A run that is short enough is one piece; else pieces grow until each takes a moment.
    """
    w, counters = arguments[11], arguments[10]
    last, stride = int(w[d.LAST]), int(w[d.STRIDE])
    reads = arguments[0].size + arguments[4].size
    piece = max(1, FIRST // reads) if is_kernel(run) else 1
    if callback is None and not progress and last <= piece:
        return run(*arguments, log.rows, log.path)
    most = max(1, last // 200) if progress else last
    bar = _progress_bar(last) if progress else None
    code = RUNNING
    seen = 0
    until = 0 if callback is not None or progress else piece
    try:
        with _Interrupts() as interrupts:
            while code == RUNNING:
                w[d.UNTIL] = until
                began = time.perf_counter()
                code = interrupts.hold(run, *arguments, log.rows, log.path)
                if time.perf_counter() - began < PATIENCE:
                    piece *= 2
                if bar is not None:
                    bar.update(int(counters[d.STEPS]) - bar.n)
                while callback is not None and seen < counters[d.ROWS]:
                    try:
                        enough = STOPPED if callback(*log.row(seen)) else RUNNING
                    except StopIteration:
                        enough = STOPPED
                    except KeyboardInterrupt:
                        enough = INTERRUPTED
                    if code == RUNNING:
                        code = enough
                    seen += 1
                if interrupts.seen and code == RUNNING:
                    w[d.LAST] = w[d.UNTIL] = counters[d.STEPS]
                    code = run(*arguments, log.rows, log.path)
                    code = INTERRUPTED if code == MAX_ITER else code
                until = min(last, until + min(piece, most))
                if callback is not None:
                    until = min(until, (int(counters[d.STEPS]) // stride + 1) * stride)
    finally:
        if bar is not None:
            bar.close()
    return code


class _Interrupts:
    """Holds Ctrl-C back while the loop runs, so that it ends between two steps.

    A second Ctrl-C, and one outside of the loop, raise KeyboardInterrupt as usual. Where the
    program handles Ctrl-C itself, and outside of the main thread, nothing is changed.
    """

    def __init__(self):
        self.seen = self.held = False

    def __enter__(self):
        main = threading.current_thread() is threading.main_thread()
        self.ours = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self.ours:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error):
        if self.ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def hold(self, run, *arguments):
        """Return ``run(*arguments)``; Ctrl-C meanwhile is only noted."""
        self.held = True
        code = run(*arguments)
        self.held = False
        return code

    def _note(self, number, frame):
        if self.seen or not self.held:
            signal.default_int_handler(number, frame)
        self.seen = True


def _progress_bar(total):
    from tqdm.auto import tqdm

    return tqdm(total=total, unit="step")


class _Log:
    """Buffers the loop writes a trajectory into, and the `Result` made of them."""

    def __init__(self, max_iter, stride, dimension, n_trace):
        count = max_iter // stride + 3
        self.rows = np.empty((count, 3 + n_trace))
        self.path = np.empty((count, dimension))

    def row(self, i):
        """Return step, point, value and gradient norm of row `i`, for a callback."""
        step, value, size = self.rows[i, :3].tolist()
        return int(step), self.path[i].copy(), value, size

    def result(self, name, plan, arguments, code):
        """Make the result from what the loop left behind."""
        counters, whole = arguments[10].tolist(), arguments[8]
        count = counters[d.ROWS]
        rows, path = self.rows[:count], self.path[:count]
        return Result(
            x=path[-1].copy(),
            value=rows[-1, 1].item(),
            gradient_norm=rows[-1, 2].item(),
            n_iter=counters[d.STEPS],
            status=STATUSES[code],
            path=path if 2 * count > len(self.path) else path.copy(),  # no large buffer is kept
            iterations=rows[:, 0].astype(np.int64),
            values=rows[:, 1].copy(),
            gradient_norms=rows[:, 2].copy(),
            n_value=counters[d.N_VALUE],
            n_gradient=counters[d.N_GRADIENT],
            n_hvp=counters[d.N_HVP],
            n_sample=counters[d.N_SAMPLE],
            n_sample_hvp=counters[d.N_SAMPLE_HVP],
            n_recording=(counters[d.SEEN_VALUE], counters[d.SEEN_GRADIENT]),
            trace={key: rows[:, 3 + j].copy() for j, key in enumerate(plan.trace)},
            perturbed_at=whole[1 : 1 + whole[0]].copy() if plan.events else whole[:0].copy(),
            method=name,
        )
