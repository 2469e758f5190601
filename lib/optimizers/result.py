"""What every optimizer returns, and the words for how a run ended."""

from dataclasses import dataclass, field

import numpy as np

STATUSES = ("converged", "max_iter", "diverged", "inner_failed")

MESSAGES = {
    "converged": "the stopping rule was met",
    "max_iter": "max_iter steps were made before the stopping rule was met",
    "diverged": "an iterate left the ball of radius divergence_radius or stopped being a number",
    "inner_failed": "the inner iteration did not converge; is learning_rate below 1/L?",
}


@dataclass(frozen=True, eq=False)
class Result:
    """How one run went.

    Attributes
    ----------
    x : ndarray, shape (d,)
        The last iterate; after divergence the last one inside the ball.
    value, gradient_norm : float
        Value and Euclidean gradient norm at `x`.
    n_iter : int
        Number of steps made. They lead from the start to `x`; only a perturbed run that ended
        "converged" gives as `x` the point before its last perturbation.
    status : str
        "converged", "max_iter", "diverged" or "inner_failed".
    path : ndarray, shape (k, d)
        The recorded iterates, the start first and `x` last.
    iterations : ndarray of int, shape (k,)
        At which step each of them was recorded.
    values, gradient_norms : ndarray, shape (k,)
        Value and gradient norm at each recorded iterate.
    n_value, n_gradient, n_hvp : int
        How often value, gradient and Hessian-vector product were evaluated.
    perturbed_at : ndarray of int
        Steps at which noise was added (perturbed gradient descent only, else empty).
    method : str
        Name of the method.
    """

    x: np.ndarray
    value: float
    gradient_norm: float
    n_iter: int
    status: str
    path: np.ndarray = field(repr=False)
    iterations: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)
    gradient_norms: np.ndarray = field(repr=False)
    n_value: int
    n_gradient: int
    n_hvp: int
    perturbed_at: np.ndarray = field(repr=False)
    method: str

    @property
    def message(self):
        """The status in words."""
        return MESSAGES[self.status]


class Recorder:
    """Buffers a kernel writes its trajectory into, and the `Result` made of them."""

    def __init__(self, max_iter, record_every, dimension):
        rows = max_iter // record_every + 2
        self.path = np.empty((rows, dimension))
        self.values = np.empty(rows)
        self.norms = np.empty(rows)
        self.iterations = np.empty(rows, dtype=np.int64)

    def result(self, method, outcome, perturbed_at=()):
        """Make the result from a kernel's tuple of rows, status code and counters."""
        rows, code, n_iter, n_value, n_gradient, n_hvp = outcome
        keep = slice(0, rows)
        return Result(
            x=self.path[rows - 1].copy(),
            value=float(self.values[rows - 1]),
            gradient_norm=float(self.norms[rows - 1]),
            n_iter=int(n_iter),
            status=STATUSES[code],
            path=self.path[keep].copy(),
            iterations=self.iterations[keep].copy(),
            values=self.values[keep].copy(),
            gradient_norms=self.norms[keep].copy(),
            n_value=int(n_value),
            n_gradient=int(n_gradient),
            n_hvp=int(n_hvp),
            perturbed_at=np.array(perturbed_at, dtype=np.int64),
            method=method,
        )
