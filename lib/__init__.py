"""Gradient methods and Hessian estimates behind the course, compiled with numba.

Rooms of the package:

``problems``
    Functions to minimise: value, gradient, Hessian-vector product, critical points.
``optimizers``
    Methods that follow one trajectory and report how it ended.
``curvature``
    Hessians, eigenvalues and the classification of critical points.
``ensembles``
    Many runs at once: random starts, basins, escape times, rare events.
``plotting``, ``explore``, ``claims``
    Figure style, sliders that work without a kernel, rows of the claims ledger.
"""

from lib._jit import HAVE_NUMBA, clear_cache

__version__ = "0.1.0"

__all__ = ["HAVE_NUMBA", "__version__", "clear_cache"]
