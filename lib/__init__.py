"""Gradient methods and Hessian estimates behind the course, compiled with numba.

Rooms of the package:

``problems``
    Functions to minimize: value, gradient, Hessian-vector product, critical points.
``optimizers``
    Methods that follow one trajectory and report how it ended.
``curvature``
    Hessians, eigenvalues and the classification of critical points.
``ensembles``
    Many runs at once: random starts, basins, escape times, rare events.
``scipy_method``
    Any optimizer as a method of `scipy.optimize.minimize`.
``checks``
    What the exercises are checked with.
``plotting``, ``explore``, ``claims``
    Figure style, sliders that work without a kernel, rows of the claims ledger.
"""

import importlib

from lib._jit import HAVE_NUMBA, clear_cache

__version__ = "0.1.0"

ROOMS = (
    *("checks", "claims", "curvature", "ensembles", "explore", "optimizers", "plotting"),
    "problems",
)

__all__ = ["HAVE_NUMBA", "__version__", "clear_cache", "scipy_method"]


def __dir__():
    return sorted({*globals(), *ROOMS, *__all__})


def __getattr__(name):
    """Import a room, and what needs scipy's optimizers, only when it is asked for."""
    if name in ROOMS:
        return importlib.import_module(f"lib.{name}")
    if name == "scipy_method":
        from lib.scipy_methods import scipy_method

        return scipy_method
    raise AttributeError(f"module 'lib' has no attribute {name!r}")
