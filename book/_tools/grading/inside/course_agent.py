"""The helper in a student's kernel: looks up answers and calls functions when the checks ask.

It runs beside the student's code, which may change it. That is no help: whatever it replies is
only data, compared elsewhere with what is right.
"""

import base64
import builtins

import course_codec
import numpy as np


def reply(namespace, request):
    """Answer one request and return the answer as letters, digits and few signs."""
    return base64.b64encode(_reply(namespace, request).encode("ascii")).decode()


def _reply(namespace, request):
    """Answer one request and return the answer as text.

    Parameters
    ----------
    namespace : dict
        The student's variables.
    request : str
        Encoded ``(kind, name, arguments, options)``, where kind is "value" or "call".

    Returns
    -------
    str
        Encoded ``("value", value)``, ``("missing", None)``, ``("result", (result, arguments))``,
        ``("error", (types, message))`` with the names of the error's type and its bases, or
        ``("unsendable", reason)``.
    """
    kind, name, arguments, options = course_codec.decode(request, lambda key: _callback(key))
    if name not in namespace:
        return _text(("missing", None))
    if kind == "value":
        return _text(("value", namespace[name]), lambda function: name)
    try:
        result = namespace[name](*arguments, **options)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        names = [kind.__name__ for kind in type(error).__mro__]
        return _text(("error", (names, str(error)[:2000])))
    arrays = [a if isinstance(a, np.ndarray) else None for a in arguments]
    return _text(("result", (result, arrays)))


def _text(value, name_function=lambda function: ""):
    """Return a reply as text; for one that cannot be sent, the reason."""
    try:
        return course_codec.encode(value, name_function)
    except course_codec.Unreadable as error:
        return course_codec.encode(("unsendable", str(error)), name_function)


def _callback(key):
    """Return a function that asks the checks for its value."""

    def asks(*arguments, **options):
        text = course_codec.encode((key, arguments, options), lambda function: "")
        kind, value = course_codec.decode(_ask(text))
        if kind == "error":
            known = getattr(builtins, value[0], RuntimeError)
            raise known(value[1])
        return value

    return asks


def _ask(text):
    """Send a question to the checks over the channel that `input` uses, and return the answer."""
    from IPython import get_ipython

    return get_ipython().kernel.raw_input(text)
