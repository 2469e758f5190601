"""Checks of the exercises: the same functions tell a student what is wrong and give the marks.

A check takes the answer first, returns nothing when it is right, and raises `CheckFailed` with a
message otherwise. It compares with computed values or with a reference on random data; individual
numbers are drawn from the student's id.

``primer``, ``minimizers``, ``generalized_smoothness``, ``hessian_scaling``, ``approximate_newton``,
``nonconvergence``
    The checks of one exercise set each.
"""

import importlib

from lib.checks._core import (
    CheckFailed,
    agrees,
    array,
    call,
    close,
    function,
    individual,
    integer,
    number,
    refuses,
    student,
)

SETS = (
    "primer",
    "minimizers",
    "generalized_smoothness",
    "hessian_scaling",
    "approximate_newton",
    "nonconvergence",
)

__all__ = [
    "CheckFailed",
    "agrees",
    "array",
    "call",
    "close",
    "function",
    "individual",
    "integer",
    "number",
    "refuses",
    "student",
]


def __dir__():
    return sorted({*globals(), *SETS})


def __getattr__(name):
    """Import the checks of one exercise set only when they are asked for."""
    if name in SETS:
        return importlib.import_module(f"lib.checks.{name}")
    raise AttributeError(f"module 'lib.checks' has no attribute {name!r}")
