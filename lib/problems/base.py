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

    Notes
    -----
    Used in every chapter; make one with `critical_point`.
    """

    x: np.ndarray
    kind: str
    value: float


@dataclass(frozen=True, eq=False)
class Problem:
    """A function to minimize, with everything the optimizers need to know about it.

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
    rho1_kernel, rho2_kernel : kernel, optional
        Jitted ``rho(t, p) -> float``: non-decreasing bounds of the norms of the second and third
        derivative by the value t of the function (self-bounding regularity).
    n_samples : int
        Number of samples the function is a mean over; 0 where it is no such mean.
    batch_value_kernel, batch_gradient_kernel, batch_hvp_kernel : kernel, optional
        Jitted ``value(x, p, batch) -> float``, ``gradient(x, p, batch, out)`` and
        ``hvp(x, v, p, batch, out)``: the same for the mean over the samples whose numbers are in
        the int64 vector `batch`.
    data : object, optional
        The arrays the problem was made of, for methods that use its structure.

    Examples
    --------
    >>> from lib import problems
    >>> well = problems.double_well()
    >>> well.value([1.0, 0.5]), well.gradient([1.0, 0.5]).tolist()
    (0.390625, [1.0, -0.375])
    >>> well.hessian([1.0, 0.5]).tolist()
    [[1.0, 0.0], [0.0, -0.25]]
    >>> well.critical_points[0].kind, well.critical_points[0].x.tolist()
    ('strict saddle', [0.0, 0.0])

    Notes
    -----
    Problems can be pickled, and so sent to other processes; one made by `lib.problems.custom` if
    its functions are defined in a module or script. Where the arithmetic overflows, values and
    derivatives are infinite or NaN. Used in every chapter.
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
    rho1_kernel: object = field(default=None, repr=False)
    rho2_kernel: object = field(default=None, repr=False)
    n_samples: int = field(default=0, repr=False)
    batch_value_kernel: object = field(default=None, repr=False)
    batch_gradient_kernel: object = field(default=None, repr=False)
    batch_hvp_kernel: object = field(default=None, repr=False)
    data: object = field(default=None, repr=False)

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
                f"x must have {self.dimension} entries along its last axis; got shape {array.shape}"
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

        Raises
        ------
        TypeError, ValueError
            If `x` is not d finite numbers; so for the other methods below.
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
        with np.errstate(over="ignore", invalid="ignore"):
            return (hessian + hessian.T) / 2

    def rho1(self, value):
        """Evaluate the bound of the Hessian's norm where the function has this value.

        Parameters
        ----------
        value : float
            A value of the function.

        Returns
        -------
        float
            The bound, :math:`\\rho_1`.

        Raises
        ------
        ValueError
            If no such bound is known for this problem.
        """
        return self._rho(self.rho1_kernel, value)

    def rho2(self, value):
        """Evaluate the bound of the third derivative's norm where the function has this value.

        Parameters
        ----------
        value : float
            A value of the function.

        Returns
        -------
        float
            The bound, :math:`\\rho_2`.

        Raises
        ------
        ValueError
            If no such bound is known for this problem.
        """
        return self._rho(self.rho2_kernel, value)

    def _rho(self, rho, value):
        if rho is None:
            raise ValueError(f"problem must carry self-bounding constants; {self.name} has none")
        return float(rho(check.number(value, "value"), self.parameters))

    def batch_value(self, x, batch):
        """Evaluate the mean over a batch of samples.

        Parameters
        ----------
        x : array_like, shape (d,)
            The point.
        batch : array_like of int, shape (b,)
            Numbers of the samples, from 0 to `n_samples` - 1; repetitions count as often.

        Returns
        -------
        float
            The mean.
        """
        batch = self._batch(batch, self.batch_value_kernel)
        x = check.point(x, self.dimension, "x")
        return float(self.batch_value_kernel(x, self.parameters, batch))

    def batch_gradient(self, x, batch):
        """Evaluate the gradient of the mean over a batch of samples.

        Parameters
        ----------
        x : array_like, shape (d,)
            The point.
        batch : array_like of int, shape (b,)
            Numbers of the samples, as for `batch_value`.

        Returns
        -------
        ndarray, shape (d,)
            The gradient.
        """
        batch = self._batch(batch, self.batch_gradient_kernel)
        out = np.empty(self.dimension)
        x = check.point(x, self.dimension, "x")
        self.batch_gradient_kernel(x, self.parameters, batch, out)
        return out

    def batch_hvp(self, x, v, batch):
        """Evaluate the Hessian-vector product of the mean over a batch of samples.

        Parameters
        ----------
        x, v : array_like, shape (d,)
            The point and the direction.
        batch : array_like of int, shape (b,)
            Numbers of the samples, as for `batch_value`.

        Returns
        -------
        ndarray, shape (d,)
            The Hessian times `v`.
        """
        batch = self._batch(batch, self.batch_hvp_kernel)
        out = np.empty(self.dimension)
        x = check.point(x, self.dimension, "x")
        v = check.point(v, self.dimension, "v")
        self.batch_hvp_kernel(x, v, self.parameters, batch, out)
        return out

    def _batch(self, batch, kernel):
        if kernel is None:
            raise ValueError(f"problem must be a mean over samples; {self.name} is not")
        return check.indices(batch, self.n_samples, "batch")


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

    Examples
    --------
    >>> from lib import problems
    >>> problems.critical_point([0, 1], "minimizer", -0.25)
    CriticalPoint(x=array([0., 1.]), kind='minimizer', value=-0.25)

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
