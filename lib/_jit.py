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
import pickle
import threading
import types
import warnings
from pathlib import Path

import numpy as np

try:
    import llvmlite.binding
    import numba
    from numba.core.caching import FunctionCache, IndexDataCacheFile
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
FUSED = {**OPTIONS, "fastmath": {"contract"}}  # a * b + c rounded once; NaN and zero as always

# Modules whose contents change only with their version.
STABLE_MODULES = ("builtins", "cmath", "math", "numba", "numpy", "operator", "scipy")

# Part of every fingerprint: `lane` below is inlined into kernels like any other callee.
_OWN_SOURCE = hashlib.sha256(Path(__file__).read_bytes()).digest()

_stamped = {}
_fused = {}
_making = threading.RLock()  # one thread at a time looks a kernel up or makes it


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


def stamp(template, inline=False, fuse=False, **bound):
    """Return `template` compiled with kernels bound to its slots.

    Parameters
    ----------
    template : function
        Plain Python function whose globals include `Slot` objects.
    inline : bool
        Whether the kernel becomes part of its caller, as with `inlined`.
    fuse : bool
        Whether its own arithmetic may be fused, as with `fused`.
    **bound : kernel
        What to put in each slot. If one of them is a plain Python function, the copy is one too.

    Returns
    -------
    kernel
        The same object for the same arguments, so nothing is compiled twice.
    """
    if not all(map(is_kernel, bound.values())):
        return _copy(template, PLAIN | bound)
    key = (template, inline, fuse, tuple(sorted(bound.items(), key=lambda item: item[0])))
    with _making:
        if key not in _stamped:
            options = FUSED if fuse else INLINED if inline else OPTIONS
            _stamped[key] = _compile(_copy(template, bound), options)
        return _stamped[key]


def fused(kernel):
    """Return `kernel` compiled for speed: the same formulas, rounded differently.

    A product and a sum become one instruction, in the kernel and in those it calls, and its sines
    and cosines are polynomials that many lanes compute at once. These return NaN for arguments
    beyond `FAR`, so that a caller who looks for NaN can turn to the exact kernel there. Plain
    Python functions stay as they are.
    """
    if not (JIT and isinstance(kernel, Dispatcher)):
        return kernel
    with _making:
        if kernel not in _fused:
            _fused[kernel] = kernel  # what a recursive function finds
            function = kernel.py_func
            scope = function.__globals__
            used = _names(function.__code__) & scope.keys()
            inside = {name: _fused_version(scope[name]) for name in used}
            _fused[kernel] = _compile(_copy(function, inside), FUSED)
        return _fused[kernel]


def _fused_version(thing):
    return _lane_sin if thing is sin else _lane_cos if thing is cos else fused(thing)


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


if JIT:

    class _CacheFile(IndexDataCacheFile):
        """Numba's files with a checksum each: what is damaged or cut off counts as missing."""

        def _dump(self, thing):
            data = super()._dump(thing)
            return hashlib.sha256(data).digest() + data

        def _load_data(self, name):
            return pickle.loads(_intact(Path(self._data_path(name)).read_bytes()))

        def _load_index(self):
            version = pickle.dumps(self._version, protocol=-1)
            try:
                whole = Path(self._index_path).read_bytes()
                stamp, entries = pickle.loads(_intact(whole.removeprefix(version)))
            except OSError:
                return {}
            return entries if whole.startswith(version) and stamp == self._source_stamp else {}

    class _Cache(FunctionCache):
        """Numba's disk cache, which here may be damaged or full: kernels are then compiled anew."""

        def __init__(self, function):
            super().__init__(function)
            impl = self._impl
            stamp = impl.locator.get_source_stamp()
            self._cache_file = _CacheFile(self._cache_path, impl.filename_base, stamp)

        def save_overload(self, signature, data):
            try:
                super().save_overload(signature, data)
            except OSError as error:
                warnings.warn(
                    f"compiled kernels cannot be kept in {self._cache_path} ({error.strerror}): "
                    "every process compiles them again",
                    RuntimeWarning,
                    stacklevel=2,
                )


def _intact(data):
    """Return what follows the checksum, or raise OSError if it is not what was written."""
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise OSError("the file is damaged")
    return data[32:]


def _compile(function, options):
    mark = fingerprint(function)
    if not JIT:
        return function
    if mark is None:
        return numba.njit(**options)(function)
    how = "".join(f"_{key}" for key in options if key not in OPTIONS)
    function.__qualname__ = f"{function.__qualname__}_{how}_{mark}"
    dispatcher = numba.njit(**options)(function)
    try:
        dispatcher._cache = _Cache(function)  # what cache=True does, with numba's own class
    except RuntimeError as error:
        if "no locator" not in str(error):
            raise
    return dispatcher


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


def _column(block, first, step, length):
    """Return `length` entries of a vector, each `step` after the last one."""
    return block[first : first + step * (length - 1) + 1 : step]


def _tile(length):
    """Return a vector of numbers to work with."""
    return np.empty(length)


# How many runs `lane_products` works on side by side: as many as a register holds.
WIDE = JIT and llvmlite.binding.get_host_cpu_features().get("avx512f", False)
LANES = 8 if WIDE else 4
HEIGHTS = (4, 2, 1) if WIDE else (2, 1)

PLAIN_SUM, ACTIVATED, MASKED = range(3)


def _lane_products(kind, to, init, a, b, sizes, slope, mask):
    """Multiply matrices of `LANES` runs side by side: to = init + a b.

    `sizes` are the rows and columns of `to` and the length of the sums. A matrix is a vector and
    three numbers: entry (i, j) begins at LANES times ``first + i * down + j * right``. Where the
    entry of `to` is not positive (kind ACTIVATED), or that of `mask` is not (kind MASKED), it is
    multiplied by `slope`.
    """

    def entry(place, i, j):
        array, first, down, right = place
        at = (first + i * down + j * right) * LANES
        return array[at : at + LANES]

    rows, columns, steps = sizes
    with np.errstate(all="ignore"):
        for i in range(rows):
            for j in range(columns):
                total = entry(init, i, j).copy()
                for k in range(steps):
                    total += entry(a, i, k) * entry(b, k, j)
                if kind != PLAIN_SUM:
                    chosen = total if kind == ACTIVATED else entry(mask, i, j)
                    total = np.where(chosen > 0.0, total, slope * total)
                entry(to, i, j)[:] = total


def _head(array, length):
    """Return the first entries of a vector."""
    return array[:length]


_placed = []  # the kernels that `place` was asked for, so that their machine code stays


def _number_from(where, arguments):
    """Call the kernel at `where`, which returns a number."""
    return _placed[where](*arguments)


def _carry_out(where, arguments):
    """Call the kernel at `where`, which returns nothing."""
    _placed[where](*arguments)


def place(kernel, kinds):
    """Return a whole number by which `number_from` and `carry_out` find a kernel.

    A kernel that calls through such a number need not be compiled anew for another one. The number
    is good for this process only.

    Parameters
    ----------
    kernel : kernel
        What to find.
    kinds : str
        A letter for each argument: "v" a vector, "c" a read-only vector, "i" a vector of whole
        numbers, "n" a number.
    """
    with _making:
        if kernel not in _placed:
            _placed.append(kernel)
        if not (JIT and isinstance(kernel, Dispatcher)):
            return _placed.index(kernel)
        types_of = tuple(_KINDS[kind] for kind in kinds)
        kernel.compile(types_of)
        compiled = kernel.overloads[types_of]
        name = compiled.fndesc.llvm_cfunc_wrapper_name
        return compiled.library.get_pointer_to_function(name)


# What templates that run as plain Python use for the views below.
PLAIN = {"lane": _lane, "row": _row, "bare": _bare, "column": _column, "tile": _tile}

if JIT:
    from llvmlite import ir
    from numba.core import cgutils
    from numba.core import types as numba_types
    from numba.extending import intrinsic, overload
    from numba.np.arrayobj import populate_array

    def _view(kind, context, builder, data, shape, strides, itemsize):
        """Build an array of this type that has no owner and counts no references."""
        view = context.make_array(kind)(context, builder)
        populate_array(
            view, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None
        )
        return view._getvalue()

    def _parts(context, builder, kind, array):
        """Return an array's data, shape, strides and size of an entry."""
        whole = context.make_array(kind)(context, builder, array)
        shape = cgutils.unpack_tuple(builder, whole.shape)
        return whole.data, shape, cgutils.unpack_tuple(builder, whole.strides), whole.itemsize

    @intrinsic
    def lane(typing_context, block, j):
        """Return ``block[:, j]`` as a bare view, without a reference to its owner.

        The reference counting of an ordinary view would keep the compiler from working on many
        columns at once. The view must not outlive `block`.
        """
        kind = numba_types.Array(block.dtype, 1, "A")

        def build(context, builder, signature, arguments):
            data, shape, strides, size = _parts(context, builder, block, arguments[0])
            first = builder.gep(data, [arguments[1]])
            return _view(kind, context, builder, first, shape[:1], strides[:1], size)

        return kind(block, numba_types.intp), build

    @intrinsic
    def bare(typing_context, array):
        """Return `array` as a bare view of itself, like `lane`.

        Handing an ordinary array to another kernel counts references, which may cost more than
        the work. For arrays that the caller owns: the view does not keep its owner alive.
        """

        def build(context, builder, signature, arguments):
            return _view(array, context, builder, *_parts(context, builder, array, arguments[0]))

        return array(array), build

    @intrinsic
    def row(typing_context, block, i):
        """Return ``block[i]`` of a contiguous array as a bare view, like `lane`."""
        kind = numba_types.Array(block.dtype, 1, "C")

        def build(context, builder, signature, arguments):
            data, shape, strides, size = _parts(context, builder, block, arguments[0])
            first = builder.gep(data, [builder.mul(arguments[1], shape[1])])
            return _view(kind, context, builder, first, shape[1:], strides[1:], size)

        return kind(block, numba_types.intp), build

    @intrinsic
    def column(typing_context, block, first, step, length):
        """Return `length` entries of a contiguous vector, each `step` after the last one, bare."""
        kind = numba_types.Array(block.dtype, 1, "A")

        def build(context, builder, signature, arguments):
            data, _, _, size = _parts(context, builder, block, arguments[0])
            at, stride, entries = arguments[1:]
            begin, strides = builder.gep(data, [at]), [builder.mul(stride, size)]
            return _view(kind, context, builder, begin, [entries], strides, size)

        whole = numba_types.intp
        return kind(block, whole, whole, whole), build

    @intrinsic
    def tile(typing_context, length):
        """Return a vector of float64 on the stack; its length must be a constant.

        Nothing else can point into it, so the compiler may keep it in registers. It lives as long
        as the kernel that asked for it, and must not be returned.
        """
        if not isinstance(length, numba_types.IntegerLiteral):
            return None
        kind = numba_types.Array(numba_types.float64, 1, "C")
        double = ir.DoubleType()

        def build(context, builder, signature, arguments):
            with builder.goto_entry_block():
                numbers = builder.alloca(ir.ArrayType(double, length.literal_value))
            numbers.align = 64
            data = builder.bitcast(numbers, double.as_pointer())
            entries = context.get_constant(numba_types.intp, length.literal_value)
            size = context.get_constant(numba_types.intp, 8)
            return _view(kind, context, builder, data, [entries], [size], size)

        return kind(length), build

    @intrinsic
    def head(typing_context, array, length):
        """Return the first entries of a contiguous vector as a bare view, like `lane`."""

        def build(context, builder, signature, arguments):
            data, _, strides, size = _parts(context, builder, array, arguments[0])
            return _view(array, context, builder, data, [arguments[1]], strides, size)

        return array(array, numba_types.intp), build

    _KINDS = {
        "v": numba_types.Array(numba_types.float64, 1, "C"),
        "c": numba_types.Array(numba_types.float64, 1, "C", readonly=True),
        "i": numba_types.Array(numba_types.int64, 1, "C"),
        "n": numba_types.float64,
    }

    def _through(result, where, arguments):
        """Return signature and code of a call through an address."""

        def build(context, builder, signature, values):
            forms = [context.get_value_type(kind) for kind in arguments.types]
            form = ir.FunctionType(context.get_value_type(result), forms)
            target = builder.inttoptr(values[0], form.as_pointer())
            answer = builder.call(target, cgutils.unpack_tuple(builder, values[1]))
            return context.get_dummy_value() if result is numba_types.none else answer

        return result(where, arguments), build

    @intrinsic
    def number_from(typing_context, where, arguments):
        """Call the kernel that `place` gave this number, which returns a number."""
        return _through(numba_types.float64, where, arguments)

    @intrinsic
    def carry_out(typing_context, where, arguments):
        """Call the kernel that `place` gave this number, which returns nothing."""
        return _through(numba_types.none, where, arguments)

    @intrinsic
    def lane_products(typing_context, kind, to, init, a, b, sizes, slope, mask):
        """Do what `_lane_products` says, with sums of up to 16 entries in registers at once."""
        if not isinstance(kind, numba_types.IntegerLiteral):
            return None
        numbers = ir.VectorType(ir.DoubleType(), LANES)
        contract = ("contract",)

        def place(context, builder, form, value):
            """Return where an array begins, and the whole numbers behind it."""
            array, *steps = cgutils.unpack_tuple(builder, value)
            data = _parts(context, builder, form[0], array)[0]
            return builder.bitcast(data, numbers.as_pointer()), *steps

        def build(context, builder, signature, arguments):
            to, init, a, b, mask = (
                place(context, builder, signature.args[i], arguments[i]) for i in (1, 2, 3, 4, 7)
            )
            rows, columns, steps = cgutils.unpack_tuple(builder, arguments[5])
            slope = arguments[6]
            slopes = ir.Constant(numbers, ir.Undefined)
            for j in range(LANES):
                slopes = builder.insert_element(slopes, slope, ir.Constant(ir.IntType(32), j))
            nothing = ir.Constant(numbers, [0.0] * LANES)
            zero, one = context.get_constant(numba_types.intp, 0), rows.type(1)

            def address(place, i, j):
                base, at, down, right = place
                at = builder.add(at, builder.mul(i, down))
                return builder.gep(base, [builder.add(at, builder.mul(j, right))])

            def load(place, i, j):
                return builder.load(address(place, i, j), align=8)

            def block(i0, height, j0, width):
                at_rows = [builder.add(i0, i0.type(i)) for i in range(height)]
                at_columns = [builder.add(j0, j0.type(j)) for j in range(width)]
                entries = [(i, j) for i in range(height) for j in range(width)]
                sums = {}
                for i, j in entries:
                    first = load(init, at_rows[i], at_columns[j])
                    sums[i, j] = cgutils.alloca_once_value(builder, first)
                with cgutils.for_range_slice(builder, zero, steps, one, zero.type) as (k, _):
                    left = [load(a, i, k) for i in at_rows]
                    right = [load(b, k, j) for j in at_columns]
                    for i, j in entries:
                        product = builder.fmul(left[i], right[j], flags=contract)
                        total = builder.fadd(builder.load(sums[i, j]), product, flags=contract)
                        builder.store(total, sums[i, j])
                for i, j in entries:
                    total, at = builder.load(sums[i, j]), (at_rows[i], at_columns[j])
                    if kind.literal_value != PLAIN_SUM:
                        chosen = load(mask, *at) if kind.literal_value == MASKED else total
                        positive = builder.fcmp_ordered(">", chosen, nothing)
                        total = builder.select(positive, total, builder.fmul(slopes, total))
                    builder.store(total, address(to, *at), align=8)

            def pieces(length, sizes):
                first = zero
                for size in sizes:
                    last = builder.and_(length, length.type(-size))
                    with cgutils.for_range_slice(
                        builder, first, last, length.type(size), length.type
                    ) as (at, _):
                        yield at, size
                    first = last

            for i, height in pieces(rows, HEIGHTS):
                for j, width in pieces(columns, (4, 2, 1)):
                    block(i, height, j, width)

        return numba_types.void(kind, to, init, a, b, sizes, slope, mask), build

else:
    lane, row, bare, column, tile = _lane, _row, _bare, _column, _tile
    lane_products = _lane_products
    head, number_from, carry_out = _head, _number_from, _carry_out


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


# Pi as a sum of three numbers, the first two with so few digits that small multiples are exact.
PI = tuple(map(float.fromhex, ("0x1.921fb544p+1", "0x1.0b4611a6p-33", "0x1.3198a2e037073p-68")))
ROUNDING = 1.5 * 2.0**52  # added and taken away again, it rounds to a whole number
FAR = 1e5  # the largest argument of the sines and cosines of fused kernels
SERIES = tuple(1.0 / math.factorial(k) for k in range(22))


def _lane_sine(z, half):
    """Return sin(z), or cos(z) where `half` is 0.5, to within three units in the last place.

    No branch and no table, so that the compiler can work on many lanes at once: the nearest
    multiple of pi (for the cosine, the nearest odd multiple of pi / 2) is taken off in three
    parts, and Taylor's series does the rest.
    """
    turns = (z * (1.0 / math.pi) - half + ROUNDING) - ROUNDING
    odd = turns - 2.0 * ((turns * 0.5 + ROUNDING) - ROUNDING)
    shift = turns + half
    r = z - shift * PI[0]
    r -= shift * PI[1]
    r -= shift * PI[2]
    s = r * r
    series = SERIES[19] - s * SERIES[21]
    series = SERIES[15] - s * (SERIES[17] - s * series)
    series = SERIES[11] - s * (SERIES[13] - s * series)
    series = SERIES[7] - s * (SERIES[9] - s * series)
    series = SERIES[3] - s * (SERIES[5] - s * series)
    sign = (1.0 - 4.0 * half) * (1.0 - 2.0 * odd * odd)
    return sign * (r - r * s * series) if abs(z) <= FAR else math.nan


_lane_sine = _compile(_lane_sine, FUSED)


def _lane_sin(z):
    return _lane_sine(z, 0.0)


def _lane_cos(z):
    return _lane_sine(z, 0.5)


_lane_sin = _compile(_lane_sin, FUSED)
_lane_cos = _compile(_lane_cos, FUSED)


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


def contiguous(vector):
    """Return `vector`, or a contiguous copy of it where it is strided."""
    return np.ascontiguousarray(vector)


def write_back(own, vector):
    """Bring what was written into ``own = contiguous(vector)`` to `vector`."""
    if own is not vector:
        vector[:] = own


if JIT:

    @overload(contiguous)
    def _contiguous(vector):
        return (lambda vector: vector) if vector.layout == "C" else (lambda vector: vector.copy())

    @overload(write_back)
    def _write_back(own, vector):
        def copy(own, vector):
            for i in range(vector.size):
                vector[i] = own[i]

        return (lambda own, vector: None) if vector.layout == "C" else copy


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
