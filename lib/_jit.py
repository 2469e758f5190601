"""The one place that talks to numba: options, caching, and the plain-Python fallback.

Two ways to make a kernel:

``kernel``
    Decorator for a function that calls only other kernels and numpy.
``stamp``
    Copies a *template* (a plain function whose open names are ``Slot`` objects) with kernels
    bound to the open names. An optimizer is a template with the slots ``value`` and
    ``gradient``; stamping it with a problem's kernels gives machine code with the problem
    inlined, cached on disk.

Numba's disk cache looks only at a function's own file, so a kernel whose callee changed in
another file would be served stale, and two stampings of one template would be confused. Both are
prevented by writing a fingerprint of everything the kernel refers to into its qualified name,
which numba uses as the name of the cache entry.

Without numba, or with ``NUMBA_DISABLE_JIT=1``, the same functions run as plain Python and give
the same numbers. No flag that reorders arithmetic is used, so both agree to the last bit wherever
the processor's elementary functions do.
"""

import cmath
import hashlib
import math
import types
import warnings
from pathlib import Path

import numpy as np

try:
    import numba
    from numba.core.dispatcher import Dispatcher
    from numba.np.ufunc.dufunc import DUFunc as Vectorized
except ImportError:
    numba = None
    Dispatcher = Vectorized = ()
    warnings.warn(
        "numba is not installed: the kernels of lib run as plain Python, with the same results "
        "but 50 to 500 times slower. Install numba for full speed.",
        RuntimeWarning,
        stacklevel=2,
    )

HAVE_NUMBA = numba is not None
JIT = HAVE_NUMBA and not numba.config.DISABLE_JIT

OPTIONS = {"error_model": "numpy", "nogil": True}
INLINED = {**OPTIONS, "forceinline": True}

# Modules whose contents change only with their version.
STABLE_MODULES = ("builtins", "cmath", "math", "numba", "numpy", "operator", "scipy")

# Part of every fingerprint: `lane` below is inlined into kernels like any other callee.
_OWN_SOURCE = hashlib.sha256(Path(__file__).read_bytes()).digest()

_stamped = {}


class Slot:
    """An open name in a template, to be bound by `stamp`."""

    def __init__(self, name):
        self.name = name

    def __call__(self, *arguments):
        raise RuntimeError(f"the slot '{self.name}' of a template was called before stamping")


def kernel(function):
    """Compile `function` with the package's options and a safe disk cache.

    Every kernel that `function` calls must be defined before it.
    """
    return _compile(function, OPTIONS)


def inlined(function):
    """Compile `function` like `kernel`, to become part of whatever kernel calls it.

    For a kernel with many array arguments that is called at one place: handing over ten arrays
    takes longer than most steps.
    """
    return _compile(function, INLINED)


def stamp(template, inline=False, **bound):
    """Return `template` compiled with kernels bound to its slots.

    Parameters
    ----------
    template : function
        Plain Python function whose globals include `Slot` objects.
    inline : bool
        Whether the kernel becomes part of its caller, as with `inlined`.
    **bound : kernel
        What to put in each slot. If one of them is a plain Python function, the copy is one too.

    Returns
    -------
    kernel
        The same object for the same arguments, so nothing is compiled twice.
    """
    if not all(map(is_kernel, bound.values())):
        return _copy(template, PLAIN | bound)
    key = (template, inline, tuple(sorted(bound.items(), key=lambda item: item[0])))
    if key not in _stamped:
        _stamped[key] = _compile(_copy(template, bound), INLINED if inline else OPTIONS)
    return _stamped[key]


def _copy(template, bound):
    """Return a copy of the function `template` with other globals."""
    function = types.FunctionType(
        template.__code__,
        {**template.__globals__, **bound},
        template.__name__,
        template.__defaults__,
        template.__closure__,
    )
    function.__kwdefaults__ = template.__kwdefaults__
    function.__module__ = template.__module__
    function.__qualname__ = template.__qualname__
    function.__doc__ = template.__doc__
    return function


def is_kernel(function):
    """Tell whether `function` can be called from a kernel."""
    return isinstance(function, Dispatcher) if JIT else callable(function)


def python_function(function):
    """Return the Python function behind a kernel."""
    return function.py_func if JIT and isinstance(function, Dispatcher) else function


def _compile(function, options):
    mark = fingerprint(function)
    if not JIT:
        return function
    if mark is None:
        return numba.njit(**options)(function)
    function.__qualname__ = f"{function.__qualname__}__{mark}"
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError as error:
        if "no locator" not in str(error):
            raise
        return numba.njit(**options)(function)


def fingerprint(function):
    """Hash the code of `function` and of everything it refers to.

    Returns
    -------
    str or None
        Hexadecimal digest, or None if it refers to something that cannot be hashed reliably
        (the kernel is then compiled afresh in each process).
    """
    digest = hashlib.sha256(_OWN_SOURCE)
    try:
        _feed(digest, function, {})
    except _NotHashable:
        return None
    return digest.hexdigest()[:24]


class _NotHashable(Exception):
    pass


def _feed(digest, thing, seen):
    """Add `thing` to `digest`, recursively for functions and containers."""
    if isinstance(thing, Slot):
        raise NameError(f"the slot '{thing.name}' is not bound")
    if JIT and isinstance(thing, Dispatcher):
        digest.update(repr(sorted(map(str, thing.targetoptions.items()))).encode())
        thing = thing.py_func
    if isinstance(thing, types.FunctionType):
        _feed_function(digest, thing, seen)
    elif isinstance(thing, types.CodeType):
        _feed_code(digest, thing, seen)
    elif isinstance(thing, (tuple, list)):
        digest.update(f"{type(thing).__name__}{len(thing)}".encode())
        for item in thing:
            _feed(digest, item, seen)
    elif isinstance(thing, (set, frozenset)):
        digest.update(repr(sorted(map(repr, thing))).encode())
    elif isinstance(thing, np.ndarray):
        digest.update(f"array{thing.dtype.str}{thing.shape}".encode() + thing.tobytes())
    elif isinstance(thing, (bool, int, float, complex, str, bytes, np.generic, type(None))):
        digest.update(f"{type(thing).__name__}:{thing!r};".encode())
    elif thing is Ellipsis:
        digest.update(b"...")
    elif isinstance(thing, types.ModuleType):
        digest.update(f"module:{thing.__name__};".encode())
    elif isinstance(thing, np.ufunc):
        digest.update(f"ufunc:{thing.__name__};".encode())
    else:
        digest.update(f"named:{_stable_name(thing)};".encode())


def _stable_name(thing):
    """Return a name that stands for `thing` in every process, if there is one."""
    module = getattr(thing, "__module__", None) or ""
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    known = module == __name__ or module.partition(".")[0] in STABLE_MODULES
    if name is None or not known or isinstance(thing, Vectorized):
        raise _NotHashable
    return f"{module}.{name}"


def _feed_function(digest, function, seen):
    if function in seen:
        digest.update(f"again{seen[function]};".encode())
        return
    seen[function] = len(seen)
    digest.update(f"from {function.__module__};".encode())  # numba imports it with the cache entry
    _feed_code(digest, function.__code__, seen)
    _feed(digest, function.__defaults__, seen)
    _feed(digest, tuple(sorted((function.__kwdefaults__ or {}).items())), seen)
    for cell in function.__closure__ or ():
        _feed(digest, cell.cell_contents, seen)
    _feed_names(digest, _names(function.__code__), function.__globals__, seen)


def _feed_names(digest, names, scope, seen):
    """Add what `names` mean in `scope`, and what they mean in the modules among them."""
    for name in sorted(names & scope.keys()):
        thing = scope[name]
        digest.update(name.encode())
        _feed(digest, thing, seen)
        if isinstance(thing, types.ModuleType) and thing not in seen:
            if thing.__name__.partition(".")[0] not in STABLE_MODULES:
                seen[thing] = len(seen)
                _feed_names(digest, names, vars(thing), seen)


def _feed_code(digest, code, seen):
    digest.update(code.co_code)
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
    for constant in code.co_consts:
        _feed(digest, constant, seen)


def _names(code):
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _lane(block, j):
    """Return ``block[:, j]``."""
    return block[:, j]


def _row(block, i):
    """Return ``block[i]``."""
    return block[i]


def _bare(array):
    """Return `array`."""
    return array


# What templates that run as plain Python use for the views below.
PLAIN = {"lane": _lane, "row": _row, "bare": _bare}

if JIT:
    from numba.core import cgutils
    from numba.core import types as numba_types
    from numba.extending import intrinsic, overload
    from numba.np.arrayobj import populate_array

    @intrinsic
    def lane(typing_context, block, j):
        """Return ``block[:, j]`` as a bare view, without a reference to its owner.

        The reference counting of an ordinary view would keep the compiler from working on many
        columns at once. The view must not outlive `block`.
        """
        column = numba_types.Array(block.dtype, 1, "A")

        def build(context, builder, signature, arguments):
            whole = context.make_array(signature.args[0])(context, builder, arguments[0])
            view = context.make_array(column)(context, builder)
            populate_array(
                view,
                data=builder.gep(whole.data, [arguments[1]]),
                shape=cgutils.unpack_tuple(builder, whole.shape)[:1],
                strides=cgutils.unpack_tuple(builder, whole.strides)[:1],
                itemsize=whole.itemsize,
                meminfo=None,
            )
            return view._getvalue()

        return column(block, numba_types.intp), build

    @intrinsic
    def bare(typing_context, array):
        """Return `array` as a bare view of itself, like `lane`.

        Handing an ordinary array to another kernel counts references, which may cost more than
        the work. For arrays that the caller owns: the view does not keep its owner alive.
        """

        def build(context, builder, signature, arguments):
            whole = context.make_array(array)(context, builder, arguments[0])
            view = context.make_array(array)(context, builder)
            populate_array(
                view,
                data=whole.data,
                shape=cgutils.unpack_tuple(builder, whole.shape),
                strides=cgutils.unpack_tuple(builder, whole.strides),
                itemsize=whole.itemsize,
                meminfo=None,
            )
            return view._getvalue()

        return array(array), build

    @intrinsic
    def row(typing_context, block, i):
        """Return ``block[i]`` of a contiguous array as a bare view, like `lane`."""
        line = numba_types.Array(block.dtype, 1, "C")

        def build(context, builder, signature, arguments):
            whole = context.make_array(signature.args[0])(context, builder, arguments[0])
            view = context.make_array(line)(context, builder)
            length = cgutils.unpack_tuple(builder, whole.shape)[1:]
            populate_array(
                view,
                data=builder.gep(whole.data, [builder.mul(arguments[1], length[0])]),
                shape=length,
                strides=cgutils.unpack_tuple(builder, whole.strides)[1:],
                itemsize=whole.itemsize,
                meminfo=None,
            )
            return view._getvalue()

        return line(block, numba_types.intp), build
else:
    lane, row, bare = _lane, _row, _bare


def _elementary(name, for_complex):
    """Make an elementary function for kernels that also takes complex numbers.

    A kernel written with it can be differentiated by a complex step.
    """
    real = getattr(math, name)

    def either(z):
        return for_complex(z) if isinstance(z, complex) else real(z)

    either.__name__ = either.__qualname__ = name
    either.__doc__ = f"Return {name}(z) for a real or a complex number."
    if JIT:
        compiled = numba.njit(**OPTIONS)(for_complex) if name == "log1p" else for_complex

        @overload(either)
        def choose(z):
            if isinstance(z, numba_types.Complex):
                return lambda z: compiled(z)
            return lambda z: real(z)

    return either


def _complex_log1p(z):
    a, b = z.real, z.imag
    return complex(0.5 * math.log1p(a * (2.0 + a) + b * b), math.atan2(b, 1.0 + a))


exp = _elementary("exp", cmath.exp)
log = _elementary("log", cmath.log)
log1p = _elementary("log1p", _complex_log1p)
sin = _elementary("sin", cmath.sin)
cos = _elementary("cos", cmath.cos)
tanh = _elementary("tanh", cmath.tanh)
sqrt = _elementary("sqrt", cmath.sqrt)


@kernel
def absolute(z):
    """Return z or -z, whichever has a real part that is not negative."""
    return -z if z.real < 0.0 else z


def dot(a, x):
    """Return the inner product of two vectors, real or complex.

    Four running sums: one alone would wait for each addition. Where both vectors are contiguous
    the compiled code keeps them in one vector register; the numbers are the same.
    """
    whole = a.size - a.size % 4
    first = 0.0
    second = 0.0
    third = 0.0
    fourth = 0.0
    for k in range(0, whole, 4):
        first += a[k] * x[k]
        second += a[k + 1] * x[k + 1]
        third += a[k + 2] * x[k + 2]
        fourth += a[k + 3] * x[k + 3]
    for k in range(whole, a.size):
        first += a[k] * x[k]
    return (first + second) + (third + fourth)


if JIT:
    from llvmlite import ir

    @intrinsic
    def _packed_dot(typing_context, a, x):
        """Compute `dot` of contiguous real vectors, four sums in one register.

        The compiler would do this only if it were allowed to reorder sums.
        """
        four = ir.VectorType(ir.DoubleType(), 4)

        def build(context, builder, signature, arguments):
            left, right = (
                context.make_array(kind)(context, builder, value).data
                for kind, value in zip(signature.args, arguments, strict=True)
            )
            size = context.make_array(signature.args[0])(context, builder, arguments[0]).nitems
            zero, one, step, mask = (ir.Constant(size.type, c) for c in (0, 1, 4, -4))
            whole = builder.and_(size, mask)

            def product(k, kind):
                factors = []
                for data in (left, right):
                    place = builder.bitcast(builder.gep(data, [k]), kind.as_pointer())
                    factors.append(builder.load(place, align=8))
                return builder.fmul(*factors)

            sums = cgutils.alloca_once_value(builder, ir.Constant(four, [0.0] * 4))
            with cgutils.for_range_slice(builder, zero, whole, step, size.type) as (k, _):
                builder.store(builder.fadd(builder.load(sums), product(k, four)), sums)
            packed = builder.load(sums)
            first, second, third, fourth = (
                builder.extract_element(packed, ir.Constant(ir.IntType(32), j)) for j in range(4)
            )
            total = cgutils.alloca_once_value(builder, first)
            with cgutils.for_range_slice(builder, whole, size, one, size.type) as (k, _):
                builder.store(builder.fadd(builder.load(total), product(k, four.element)), total)
            pairs = builder.fadd(builder.load(total), second), builder.fadd(third, fourth)
            return builder.fadd(*pairs)

        return numba_types.float64(a, x), build

    @overload(dot)
    def _choose_dot(a, x):
        packed = all(
            isinstance(v, numba_types.Array) and v.layout == "C" and v.dtype == numba_types.float64
            for v in (a, x)
        )
        return (lambda a, x: _packed_dot(a, x)) if packed else dot


def clear_cache():
    """Delete the compiled kernels that numba keeps beside the sources of this package.

    Returns
    -------
    int
        Number of files removed.
    """
    files = [f for pattern in ("*.nbi", "*.nbc") for f in Path(__file__).parent.rglob(pattern)]
    for file in files:
        file.unlink()
    return len(files)
