"""What every optimizer returns, and the words for how a run ended."""

from dataclasses import dataclass, field

import numpy as np

STATUSES = (
    "converged",
    "max_iter",
    "diverged",
    "inner_failed",
    "budget",
    "stopped",
    "line_search_failed",
    "breakdown",
    "interrupted",
)

MESSAGES = {
    "converged": "the stopping rule was met",
    "max_iter": "max_iter steps were made before the stopping rule was met",
    "diverged": "an iterate left the ball of radius divergence_radius or stopped being a number",
    "inner_failed": "the inner iteration did not converge; is learning_rate below 1/L, for the "
    "gradient's Lipschitz constant L, and the gradient more exact than inner_tol?",
    "budget": "max_evaluations oracle calls were used before the stopping rule was met",
    "stopped": "the callback, or a limit of the method's own, asked to stop",
    "line_search_failed": "no step along the search direction lowered the value enough",
    "breakdown": "the step is not defined here: a curvature or a matrix was zero or not a number",
    "interrupted": "Ctrl-C, or the interrupt of a notebook, ended the run before it was over",
}


@dataclass(frozen=True, eq=False)
class Result:
    """How one run went.

    To go on where it ended, start again from `x`; methods with a memory, such as momentum, begin
    it anew.

    Attributes
    ----------
    x : ndarray, shape (d,)
        The last iterate; after divergence the last one inside the ball.
    value, gradient_norm : float
        Value and Euclidean gradient norm at `x`; infinite or NaN where they overflow there.
    n_iter : int
        Number of steps made. They lead from the start to `x`; only a perturbed run that ended
        "converged" gives as `x` the point before its last perturbation, and a restarted one the
        average of its last stretch.
    status : str
        "converged", "max_iter", "budget", "stopped", "diverged", "inner_failed",
        "line_search_failed", "breakdown" or "interrupted"; `message` says it in words.
    path : ndarray, shape (k, d)
        The recorded iterates, the start first and `x` last.
    iterations : ndarray of int, shape (k,)
        At which step each of them was recorded.
    values, gradient_norms : ndarray, shape (k,)
        Value and gradient norm at each recorded iterate.
    n_value, n_gradient, n_hvp : int
        How often value, gradient and Hessian-vector product were evaluated.
    n_sample, n_sample_hvp : int
        How often gradient and Hessian-vector product of one sample were evaluated.
    n_recording : tuple of int
        How many of `n_value` and of `n_gradient` served only to record the path.
    trace : dict of ndarray, shape (k,)
        What else the method recorded along the path, such as "step_size".
    perturbed_at : ndarray of int
        Steps at which noise was added (perturbed methods only, else empty).
    method : str
        Name of the method.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> run = optimizers.gradient_descent(problems.double_well(), [1.0, 0.5], max_iter=100)
    >>> run.status, run.path.shape, run.oracle_calls
    ('max_iter', (101, 2), 101)
    >>> run.message
    'max_iter steps were made before the stopping rule was met'
    >>> on = optimizers.gradient_descent(problems.double_well(), run.x)
    >>> on.status, run.n_iter + on.n_iter
    ('converged', 175)

    Notes
    -----
    Ctrl-C, or the interrupt of a notebook, ends a long run as "interrupted", with the path so far;
    a second one raises KeyboardInterrupt. A run that would have ended within a moment is not
    interrupted but raises it. Used in every chapter.
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
    n_sample: int = field(repr=False)
    n_sample_hvp: int = field(repr=False)
    n_recording: tuple = field(repr=False)
    trace: dict = field(repr=False)
    perturbed_at: np.ndarray = field(repr=False)
    method: str

    @property
    def oracle_calls(self):
        """Number of values, gradients and, counted twice, Hessian-vector products it needed.

        What served only to record the path is left out, and so are evaluations of single samples.
        """
        return self.n_value + self.n_gradient + 2 * self.n_hvp - sum(self.n_recording)

    @property
    def message(self):
        """The status in words."""
        return MESSAGES[self.status]
