"""What the checks of all exercises share: messages, comparison, and data drawn for one student."""

import functools
import hashlib
import linecache
import re
import types

import numpy as np

SHOWN = 60  # characters of a value in a message
MOST_CALLS = 10_000  # of the functions that a student's function gets, in one call of it
STUDENT_ID = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


class CheckFailed(AssertionError):
    """An answer is missing, of the wrong kind, or wrong; the message says which and why.

    Raised by every check. Notebooks show its message alone. Used in the exercises of all parts.
    """

    def _render_traceback_(self):
        """Return what IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def student(student_id):
    """Return a student's id in the form that individual numbers are drawn from.

    Parameters
    ----------
    student_id : str
        As the class list has it: 1 to 64 letters without accents, digits, dots, underscores,
        hyphens and ``@``, the first a letter or digit. Upper and lower case, and spaces around it,
        make no difference.

    Returns
    -------
    str
        The id in lower case.

    Raises
    ------
    CheckFailed
        If the id is missing or holds anything else.

    See Also
    --------
    individual : numbers drawn from the id.

    Notes
    -----
    Used at the top of every exercise set.

    Examples
    --------
    >>> from lib import checks
    >>> checks.student(" Ada ")
    'ada'
    """
    if is_missing(student_id):
        raise CheckFailed("fill in your id first: student_id = 'ada', say, in quotation marks")
    if not isinstance(student_id, str):
        raise CheckFailed(
            f"student_id must be a text in quotation marks; got {kind_of(student_id)}"
        )
    tidy = student_id.strip().lower()
    if not STUDENT_ID.fullmatch(tidy):
        raise CheckFailed(
            "student_id must be 1 to 64 letters a to z, digits, '.', '_', '-' or '@', "
            f"the first a letter or digit; got {shown(student_id)}"
        )
    return tidy


def individual(student_id, exercise):
    """Return the random generator that an exercise draws one student's numbers from.

    Parameters
    ----------
    student_id : str
        See `student`.
    exercise : str
        The exercise's name, so that two exercises draw different numbers.

    Returns
    -------
    numpy.random.Generator
        The same one for the same student and exercise, everywhere and always.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of all parts.

    Examples
    --------
    >>> from lib import checks
    >>> ada, bob = (checks.individual(name, "example") for name in ("ada", "bob"))
    >>> print(ada.integers(10**6) == bob.integers(10**6))
    False
    """
    text = f"{student(student_id)}\0{exercise}".encode()
    return np.random.default_rng(list(hashlib.sha256(text).digest()))


def is_missing(answer):
    """Tell whether an answer is still the dots or ``None`` that the exercise came with."""
    return answer is None or answer is ...


def kind_of(value):
    """Return a value's kind in words for a message."""
    known = {
        bool: "True or False",
        int: "a whole number",
        float: "a number",
        str: "a text",
        list: "a list",
        tuple: "a tuple",
        dict: "a dictionary",
    }
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    if callable(value):
        return "a function"
    return known.get(type(value), f"an object of type {type(value).__name__}")


def shown(value):
    """Return a value as text for a message, cut to a line."""
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"an array of shape {value.shape}"
    if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "fiu":
        return f"{value:g}"
    try:
        text = np.array2string(value, precision=6) if isinstance(value, np.ndarray) else repr(value)
    except Exception as error:
        return f"{kind_of(value)} that cannot be shown ({type(error).__name__})"
    return shortened(" ".join(text.split()))


def shown_inputs(arguments):
    """Return the arguments of a call as text for a message."""
    return ", ".join("..." if callable(each) else shown(each) for each in arguments)


def number(answer, name="the answer"):
    """Return an answer as a finite float.

    Parameters
    ----------
    answer : float
        What the student gave: a real number, or an array that holds just one.
    name : str
        What a message calls it.

    Returns
    -------
    float

    Raises
    ------
    CheckFailed
        If it is missing, not a real number, or not finite.

    Notes
    -----
    Used in the exercises of all parts.

    Examples
    --------
    >>> from lib import checks
    >>> checks.number(np.array([2]))
    2.0
    """
    return float(array(answer, (), name))


def integer(answer, name="the answer"):
    """Return an answer as a whole number; 12.0 counts as one.

    Parameters
    ----------
    answer : int
        What the student gave.
    name : str
        What a message calls it.

    Returns
    -------
    int

    Raises
    ------
    CheckFailed
        If it is missing or not a whole number.

    Notes
    -----
    Used in the exercises of all parts.

    Examples
    --------
    >>> from lib import checks
    >>> checks.integer(12.0)
    12
    """
    value = number(answer, name)
    if value != int(value):
        raise CheckFailed(f"{name} must be a whole number; got {value:g}")
    return int(value)


def array(answer, shape, name="the answer"):
    """Return an answer as an array of finite real numbers of a given shape.

    Parameters
    ----------
    answer : array_like
        What the student gave.
    shape : tuple of int
        The shape it must have; ``None`` in it allows any length, ``()`` is a number.
    name : str
        What a message calls it.

    Returns
    -------
    ndarray of float

    Raises
    ------
    CheckFailed
        If it is missing, holds anything but finite real numbers, or has another shape.

    Notes
    -----
    Used in the exercises of all parts.

    Examples
    --------
    >>> from lib import checks
    >>> checks.array([1, 2], (2,))
    array([1., 2.])
    """
    wanted = "a number" if shape == () else f"an array of shape {shape_text(shape)}"
    if is_missing(answer):
        raise CheckFailed(f"{name} is missing: replace the dots by {wanted}")
    if isinstance(answer, (bool, str, bytes, dict, set)) or callable(answer):
        raise CheckFailed(f"{name} must be {wanted}; got {kind_of(answer)}: {shown(answer)}")
    try:
        found = np.asarray(answer)
    except Exception:
        raise CheckFailed(f"{name} must be {wanted}; got {kind_of(answer)}") from None
    if found.dtype.kind not in "fiu":
        raise CheckFailed(f"{name} must be {wanted}, of real numbers; got {shown(answer)}")
    if shape == () and found.size == 1:
        found = found.reshape(())
    fits = found.ndim == len(shape) and all(
        n is None or n == m for n, m in zip(shape, found.shape, strict=True)
    )
    if not fits:
        raise CheckFailed(f"{name} must be {wanted}; its shape is {found.shape}")
    found = found.astype(float)
    if not np.isfinite(found).all():
        raise CheckFailed(f"{name} must be finite; got {shown(answer)}")
    return found


def shape_text(shape):
    """Return a shape in words, with n for a length that is free."""
    inner = ", ".join("n" if n is None else str(n) for n in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def function(answer, name="your function"):
    """Return an answer that is a function.

    Parameters
    ----------
    answer : callable
        What the student gave.
    name : str
        What a message calls it.

    Returns
    -------
    callable

    Raises
    ------
    CheckFailed
        If it is missing or not a function.

    Notes
    -----
    Used in the exercises of all parts.

    Examples
    --------
    >>> from lib import checks
    >>> checks.function(abs) is abs
    True
    """
    if is_missing(answer):
        raise CheckFailed(f"{name} is missing: write it first")
    if not callable(answer):
        raise CheckFailed(f"{name} must be a function; got {kind_of(answer)}: {shown(answer)}")
    return answer


def call(answer, *arguments, name="your function"):
    """Call a student's function; whatever goes wrong in it becomes a message.

    Parameters
    ----------
    answer : callable
        The student's function.
    *arguments
        What it is called with. Arrays are passed as copies, and functions so that they refuse
        after 10 000 calls: a loop that never ends must end somewhere.
    name : str
        What a message calls it.

    Returns
    -------
    object
        What the function returned.

    Raises
    ------
    CheckFailed
        If it is not a function, not written yet, raises an error, returns None, changes an array
        that it was given, or never stops calling a function that it was given.

    Notes
    -----
    Used in the exercises of all parts.

    Examples
    --------
    >>> from lib import checks
    >>> checks.call(max, 2, 3)
    3
    """
    function(answer, name)
    count = [0]
    given = [a.copy() if isinstance(a, np.ndarray) else _limited(a, count) for a in arguments]
    inputs = shown_inputs(arguments)
    try:
        result = answer(*given)
    except KeyboardInterrupt:
        raise
    except NotImplementedError:
        raise CheckFailed(f"{name} is not written yet") from None
    except BaseException as error:
        if count[0] > MOST_CALLS:
            raise CheckFailed(
                f"{name}({inputs}) still calls the functions that it was given after {MOST_CALLS} "
                "calls: one of its loops does not end"
            ) from None
        text = f"{name}({inputs}) raised {type(error).__name__}: {error}"[:400]
        raise CheckFailed(text + place_of(error, answer)) from None
    if result is None:
        raise CheckFailed(f"{name}({inputs}) returned None: is its 'return' missing?")
    for before, after in zip(arguments, given, strict=True):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True):
            raise CheckFailed(
                f"{name} changes an array that it was given: write y = x - step, not x -= step"
            )
    return result


def _limited(given, count):
    """Return a function that refuses when calls of all that share a count are too many."""
    if not isinstance(given, types.FunctionType):
        return given

    @functools.wraps(given)
    def counted(*arguments, **options):
        count[0] += 1
        if count[0] > MOST_CALLS:
            raise RuntimeError("too many calls")
        return given(*arguments, **options)

    return counted


def place_of(error, answer):
    """Return where in a student's function an error arose, as text; nothing if it is compiled."""
    code, place = getattr(answer, "__code__", None), None
    trace = error.__traceback__
    while trace is not None:
        if code is not None and trace.tb_frame.f_code.co_filename == code.co_filename:
            place = trace.tb_lineno
        trace = trace.tb_next
    line = linecache.getline(code.co_filename, place).strip() if place else ""
    return f" (in line {place}: {shortened(line)})" if line else ""


def shortened(text):
    """Return a text cut to a line."""
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def wrong_entries(found, right, rtol, atol):
    """Return which entry of an array is the first that is wrong, as text; nothing for a number."""
    if found.size < 2:
        return ""
    wrong = np.argwhere(~np.isclose(found, right, rtol=rtol, atol=atol))
    index = ", ".join(str(i) for i in wrong[0])
    value = found[tuple(wrong[0])]
    return f" ({len(wrong)} of {found.size} entries, the first at [{index}], where it is {value:g})"


def close(answer, expected, *, rtol=1e-6, atol=0.0, name="the answer", mistakes=None):
    """Compare an answer with what it should be.

    Parameters
    ----------
    answer : array_like
        What the student gave.
    expected : array_like
        What it should be: its shape is the one the answer must have.
    rtol, atol : float
        Allowed difference: relative to the size of the expected numbers, and absolute.
    name : str
        What a message calls the answer.
    mistakes : dict, optional
        From a message to the number or array that a common mistake gives. If the answer is that,
        the message explains the mistake.

    Raises
    ------
    CheckFailed
        If the answer is missing, of another kind or shape, not finite, or too far away. The
        message does not give the right answer.

    Notes
    -----
    Used in the exercises of all parts.

    Examples
    --------
    >>> from lib import checks
    >>> checks.close(3.14159, np.pi, rtol=1e-5)
    """
    expected = np.asarray(expected, float)
    found = array(answer, expected.shape, name)
    if np.allclose(found, expected, rtol=rtol, atol=atol):
        return
    for message, wrong in (mistakes or {}).items():
        wrong = np.asarray(wrong, float)
        if wrong.shape == expected.shape and np.allclose(found, wrong, rtol=rtol, atol=atol):
            raise CheckFailed(f"{name} is {shown(found)}: {message}")
    where = wrong_entries(found, expected, rtol, atol)
    raise CheckFailed(f"{name} is {shown(found)}, which is not right{where}")


def agrees(
    answer,
    reference,
    cases,
    *,
    rtol=1e-9,
    atol=1e-12,
    name="your function",
    mistakes=None,
):
    """Compare a student's function with another one on given inputs.

    Parameters
    ----------
    answer : callable
        The student's function.
    reference : callable
        What it should agree with. It returns a number or an array.
    cases : iterable of tuple
        The arguments of each call.
    rtol, atol : float
        Allowed difference, as in `close`.
    name : str
        What a message calls the function.
    mistakes : dict, optional
        From a message to a function that makes a common mistake. If all the student's results are
        those, the message explains the mistake.

    Raises
    ------
    CheckFailed
        For the first input whose result is missing, of another kind or shape, not finite, or too
        far away, or if the function is no function, raises an error, or changes its arguments.

    Notes
    -----
    Used in the exercises of all parts.

    Examples
    --------
    >>> from lib import checks
    >>> checks.agrees(lambda x: x * x, np.square, [(2.0,), (np.ones(3),)])
    """
    cases = [tuple(case) for case in cases]
    results = [call(answer, *case, name=name) for case in cases]
    rights = [np.asarray(reference(*case), float) for case in cases]
    for case, result, right in zip(cases, results, rights, strict=True):
        label = f"{name}({shown_inputs(case)})"
        found = array(result, right.shape, label)
        if np.allclose(found, right, rtol=rtol, atol=atol):
            continue
        for message, wrong in (mistakes or {}).items():
            if all(_same(r, wrong(*c), rtol, atol) for c, r in zip(cases, results, strict=True)):
                raise CheckFailed(f"{label} is {shown(found)}: {message}")
        where = wrong_entries(found, right, rtol, atol)
        raise CheckFailed(f"{label} is {shown(found)}, which is not right{where}")


def _same(result, wrong, rtol, atol):
    """Tell whether a result is what a common mistake gives."""
    wrong = np.asarray(wrong, float)
    try:
        return np.allclose(array(result, wrong.shape), wrong, rtol=rtol, atol=atol)
    except CheckFailed:
        return False


def refuses(answer, *arguments, error=ValueError, name="your function"):
    """Require that a student's function raises an error for a bad input.

    Parameters
    ----------
    answer : callable
        The student's function.
    *arguments
        The bad input.
    error : type
        The error it must raise.
    name : str
        What a message calls the function.

    Raises
    ------
    CheckFailed
        If it returns a result or raises another error.

    Notes
    -----
    Used in the exercises of all parts.

    Examples
    --------
    >>> from lib import checks
    >>> checks.refuses(int, "seven")
    """
    function(answer, name)
    inputs = shown_inputs(arguments)
    try:
        result = answer(*arguments)
    except error:
        return
    except KeyboardInterrupt:
        raise
    except NotImplementedError:
        raise CheckFailed(f"{name} is not written yet") from None
    except BaseException as other:
        raise CheckFailed(
            f"{name}({inputs}) must raise {error.__name__}; it raised {type(other).__name__}"
        ) from None
    raise CheckFailed(f"{name}({inputs}) must raise {error.__name__}; it returned {shown(result)}")
