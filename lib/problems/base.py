"""What a problem is: kernels for value, gradient and Hessian-vector product, and known facts."""

from dataclasses import dataclass, field

import numpy as np

from lib import _validation as check
from lib._jit import Slot, stamp

value = Slot("value")
gradient = Slot("gradient")

KINDS = ("minimizer", "strict saddle", "maximizer", "degenerate")


@dataclass(frozen=True)
class CriticalPoint:
    """A point where the gradient vanishes.

    Attributes
    ----------
    x : ndarray, shape (d,)
        The point.
    kind : str
        "minimizer", "strict saddle", "maximizer" or "degenerate" (no eigenvalue decides).
    value : float
        Value of the function there.
    """

    x: np.ndarray
    kind: str
    value: float


@dataclass(frozen=True, eq=False)
class Problem:
    """A function to minimise, with everything the optimizers need to know about it.

    Make one with a constructor of `lib.problems`, or from your own functions with
    `lib.problems.custom`.

    Attributes
    ----------
    name : str
        Short name, used in messages and legends.
    dimension : int
        Number of coordinates d.
    value_kernel, gradient_kernel, hvp_kernel : kernel
        Jitted ``value(x, p) -> float``, ``gradient(x, p, out)`` and ``hvp(x, v, p, out)``,
        where `x`, `v`, `out` have shape (d,) and `p` is `parameters`.
    parameters : ndarray, shape (m,)
        Numbers the kernels read; two problems that differ only here share machine code.
    critical_points : tuple of CriticalPoint
        The known critical points (see the constructor for whether the list is complete).
    constants : dict
        Known constants, such as "smoothness", the Lipschitz constant of the gradient on the
        whole space (infinite where there is none).
    formula : str
        The function in LaTeX.

    Notes
    -----
    Used in every chapter.
    """

    name: str
    dimension: int
    value_kernel: object = field(repr=False)
    gradient_kernel: object = field(repr=False)
    hvp_kernel: object = field(repr=False)
    parameters: np.ndarray = field(repr=False)
    critical_points: tuple = field(default=(), repr=False)
    constants: dict = field(default_factory=dict, repr=False)
    formula: str = ""

    def __setstate__(self, state):
        """Restore a problem sent by another process: read-only again, as its kernels expect."""
        self.__dict__.update(state)
        self.parameters.setflags(write=False)

    def value(self, x):
        """Evaluate the function.

        Parameters
        ----------
        x : array_like, shape (d,) or (..., d)
            One point, or any array of points.

        Returns
        -------
        float or ndarray, shape (...)
            The value at each point.

        Raises
        ------
        ValueError
            If the last axis of `x` does not have d entries.
        """
        array = check.floats(x, "x")
        if array.ndim < 1 or array.shape[-1] != self.dimension:
            raise ValueError(
                f"x must have {self.dimension} entries along its last axis; "
                f"got shape {array.shape}"
            )
        flat = array.reshape(-1, self.dimension)
        out = np.empty(flat.shape[0])
        stamp(_values, value=self.value_kernel)(flat, self.parameters, out)
        return out.reshape(array.shape[:-1]) if array.ndim > 1 else float(out[0])

    def gradient(self, x):
        """Evaluate the gradient.

        Parameters
        ----------
        x : array_like, shape (d,)
            The point.

        Returns
        -------
        ndarray, shape (d,)
            The gradient at `x`.
        """
        out = np.empty(self.dimension)
        self.gradient_kernel(check.point(x, self.dimension, "x"), self.parameters, out)
        return out

    def hvp(self, x, v):
        """Evaluate the Hessian-vector product.

        Parameters
        ----------
        x, v : array_like, shape (d,)
            The point and the direction.

        Returns
        -------
        ndarray, shape (d,)
            The Hessian at `x` times `v`.
        """
        out = np.empty(self.dimension)
        x = check.point(x, self.dimension, "x")
        self.hvp_kernel(x, check.point(v, self.dimension, "v"), self.parameters, out)
        return out

    def hessian(self, x):
        """Evaluate the Hessian, one Hessian-vector product per column.

        Parameters
        ----------
        x : array_like, shape (d,)
            The point.

        Returns
        -------
        ndarray, shape (d, d)
            The Hessian at `x`, symmetrised.
        """
        x = check.point(x, self.dimension, "x")
        hessian = np.empty((self.dimension, self.dimension))
        for i, direction in enumerate(np.eye(self.dimension)):
            self.hvp_kernel(x, direction, self.parameters, hessian[i])
        return (hessian + hessian.T) / 2


def _values(points, p, out):
    for i in range(points.shape[0]):
        out[i] = value(points[i], p)


def critical_point(x, kind, value):
    """Make a `CriticalPoint` whose array cannot be changed by accident.

    Parameters
    ----------
    x : array_like, shape (d,)
        The point.
    kind : str
        "minimizer", "strict saddle", "maximizer" or "degenerate".
    value : float
        Value of the function there.

    Returns
    -------
    CriticalPoint
        To be listed in `lib.problems.custom`.

    Raises
    ------
    TypeError, ValueError
        If `kind` is none of these words, or a number is not finite.

    Notes
    -----
    Used with `lib.problems.custom`, to label the basins of a function of your own.
    """
    where = frozen(check.vector(x, "x"))
    return CriticalPoint(where, check.choice(kind, "kind", KINDS), check.number(value, "value"))


def frozen(numbers):
    """Return a read-only float vector; the form in which problems carry parameters."""
    array = np.array(numbers, dtype=np.float64)
    array.setflags(write=False)
    return array
