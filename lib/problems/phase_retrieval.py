"""Phase retrieval: a signal from squared measurements, as an expectation and from a sample."""

import math
from dataclasses import dataclass, field

import numpy as np

from lib import _random as random
from lib import _validation as check
from lib._jit import dot, kernel
from lib.problems.base import Problem, critical_point, frozen
from lib.problems.generalized import root
from lib.problems.linear_models import LinearData, linear_problem, mean_square, per_row

# --- population -----------------------------------------------------------------------------

# The parameters are the three words of the seed, the squared norm of the signal, the signal.
SQUARE = 3
SIGNAL = 4

# Numbers of samples, and so of streams, are whole numbers that a float can hold.
N_SAMPLES = 2**53


@kernel
def _along(x, p):
    """Return the inner product of `x` and the signal."""
    return dot(x, p[SIGNAL : SIGNAL + x.size])


@kernel
def _population_value(x, p):
    b = p[SQUARE]
    gap = dot(x, x) - b
    share = _along(x, p) / b
    total = 0.0
    for i in range(x.size):
        across = x[i] - share * p[SIGNAL + i]
        total += across * across
    return 0.75 * gap * gap + b * total


@kernel
def _population_gradient(x, p, out):
    b = p[SQUARE]
    gap = dot(x, x) - b
    share = _along(x, p) / b
    for i in range(x.size):
        out[i] = 3.0 * gap * x[i] + 2.0 * b * (x[i] - share * p[SIGNAL + i])


@kernel
def _population_hvp(x, v, p, out):
    inner = dot(x, v)
    scale = 3.0 * dot(x, x) - p[SQUARE]
    along = _along(v, p)
    for i in range(x.size):
        out[i] = scale * v[i] + 6.0 * inner * x[i] - 2.0 * along * p[SIGNAL + i]


@kernel
def _population_rho1(t, p):
    return 8.0 * p[SQUARE] + 6.0 * root(3.0 * t)


@kernel
def _population_rho2(t, p):
    return 18.0 * math.sqrt(p[SQUARE] + root(4.0 * t / 3.0))


@kernel
def _words(p):
    """Return the three words of the seed."""
    words = np.empty(3, dtype=np.int64)
    for i in range(3):
        words[i] = int(p[i])
    return words


@kernel
def _draw(words, number, state, a):
    """Write the measurement vector of that number into `a`."""
    random.start(state, words, number)
    random.normals(state, a)


@kernel
def _draw_all(p, numbers, out):
    words = _words(p)
    state = np.empty(random.WORDS, dtype=np.int64)
    for i in range(numbers.size):
        _draw(words, numbers[i], state, out[i])


@kernel
def _batch_value(x, p, batch):
    words = _words(p)
    state = np.empty(random.WORDS, dtype=np.int64)
    a = np.empty(x.size)
    total = 0.0
    for k in range(batch.size):
        _draw(words, batch[k], state, a)
        z = dot(a, x)
        s = _along(a, p)
        miss = z * z - s * s
        total += miss * miss
    return 0.25 * total / batch.size


@kernel
def _batch_gradient(x, p, batch, out):
    words = _words(p)
    state = np.empty(random.WORDS, dtype=np.int64)
    a = np.empty(x.size)
    for i in range(x.size):
        out[i] = 0.0
    for k in range(batch.size):
        _draw(words, batch[k], state, a)
        z = dot(a, x)
        s = _along(a, p)
        scale = (z * z - s * s) * z / batch.size
        for i in range(x.size):
            out[i] += scale * a[i]


@kernel
def _batch_hvp(x, v, p, batch, out):
    words = _words(p)
    state = np.empty(random.WORDS, dtype=np.int64)
    a = np.empty(x.size)
    for i in range(x.size):
        out[i] = 0.0
    for k in range(batch.size):
        _draw(words, batch[k], state, a)
        z = dot(a, x)
        s = _along(a, p)
        scale = (3.0 * z * z - s * s) * dot(a, v) / batch.size
        for i in range(x.size):
            out[i] += scale * a[i]


@dataclass(frozen=True, eq=False)
class NormalMeasurements:
    """The endless stream of measurement vectors behind `phase_retrieval`.

    Attributes
    ----------
    parameters : ndarray
        The parameters of the problem: the words of the seed and the signal.
    """

    parameters: np.ndarray = field(repr=False)

    @property
    def signal(self):
        """The signal w*, shape (d,), read-only."""
        return self.parameters[SIGNAL:]

    def vectors(self, numbers):
        """Return the standard normal vectors that stand behind the samples of these numbers.

        Parameters
        ----------
        numbers : array_like of int, shape (b,)
            Numbers of samples, from 0 to 2**53 - 1.

        Returns
        -------
        ndarray, shape (b, d)
            The vectors, the same for the same number.

        Raises
        ------
        TypeError, ValueError
            If a number is not a whole number in this range.
        """
        numbers = check.indices(numbers, N_SAMPLES, "numbers")
        out = np.empty((numbers.size, self.signal.size))
        _draw_all(self.parameters, numbers, out)
        return out


def phase_retrieval(dimension=None, signal=None, seed=0):
    r"""Expected phase retrieval loss, with an endless supply of samples.

    With a standard normal vector a and the signal :math:`w^*`,

    .. math:: f(w)=\tfrac14E\bigl[(\langle a,w\rangle^2-\langle a,w^*\rangle^2)^2\bigr]
              =\tfrac34\bigl(\|w\|^2-\|w^*\|^2\bigr)^2
              +\|w\|^2\|w^*\|^2-\langle w,w^*\rangle^2.

    Parameters
    ----------
    dimension : int, optional
        Number of coordinates d, at least 1; needed only without `signal`. Default: 10.
    signal : array_like, shape (d,), optional
        The signal :math:`w^*`, not zero. Default: the first unit vector, which means no loss of
        generality but for the length, since the loss turns with the signal.
    seed : int
        Seed of the samples. It has no influence on the loss itself.

    Returns
    -------
    Problem
        Value, gradient and Hessian-vector product are those of the expectation. Sample number i,
        from 0 to n_samples - 1 = 2**53 - 1, has the vector a drawn from a random stream of that
        number, so that a batch of numbers drawn at random is a batch of fresh samples, and equal
        numbers are equal samples for every method; ``data.vectors(numbers)`` returns them.
        Critical points, in this order: the maximizer at the origin, the minimizers
        :math:`\pm w^*`, and, from d = 2 on, a strict saddle w and -w from the sphere of saddles
        :math:`w\perp w^*`, :math:`\|w\|=\|w^*\|/\sqrt3`. For d = 1 and 2 the list is complete.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or range, the signal is zero or so long or short that
        its fourth power leaves the floating range, or `dimension` is not its size.

    Examples
    --------
    >>> from lib import problems
    >>> problem = problems.phase_retrieval(dimension=3)
    >>> problem.value([0.0, 0.0, 0.0]), problem.value([1.0, 0.0, 0.0])
    (0.75, 0.0)
    >>> problem.batch_gradient([0.0, 2.0, 0.0], [5]).shape
    (3,)

    Notes
    -----
    One of the examples of Cao, Chen, Sridharan and Tang (2025); the normalization is ours. We
    derive :math:`\rho_1(t)=8\|w^*\|^2+6\sqrt{3t}` and
    :math:`\rho_2(t)=18\bigl(\|w^*\|^2+\sqrt{4t/3}\bigr)^{1/2}` from
    :math:`f\ge\frac34(\|w\|^2-\|w^*\|^2)^2`. The second is an equality along the signal, beyond
    it; so would be the first with 6 in place of 8, which is a bound too. Hessian at the origin:
    :math:`\|w^*\|^2` times -3 along the signal and -1 across; at the minimizers 6 and 2; at the
    saddles -2 along the signal, 2 along w and 0 across both. Used in "What replaces a Lipschitz
    gradient", "Which step is safe" and "Escaping without smoothness".
    """
    w = _signal(dimension, signal)
    d = w.size
    b = _length_squared(w)
    words = random.seed_words(check.integer(seed, "seed", low=0))
    height = 0.75 * b * b
    known = [
        critical_point(np.zeros(d), "maximizer", height),
        critical_point(w, "minimizer", 0.0),
        critical_point(-w, "minimizer", 0.0),
    ]
    if d > 1:
        saddle = _across(w) * math.sqrt(b / 3.0)
        for x in (saddle, -saddle):
            known.append(critical_point(x, "strict saddle", 2.0 / 3.0 * b * b))
    p = frozen(np.concatenate([words, [b], w]))
    return Problem(
        name="phase retrieval",
        dimension=d,
        value_kernel=_population_value,
        gradient_kernel=_population_gradient,
        hvp_kernel=_population_hvp,
        parameters=p,
        critical_points=tuple(known),
        constants={"smoothness": math.inf, "infimum": 0.0},
        formula=r"\tfrac14E(\langle a,w\rangle^2-\langle a,w^*\rangle^2)^2",
        rho1_kernel=_population_rho1,
        rho2_kernel=_population_rho2,
        n_samples=N_SAMPLES,
        batch_value_kernel=_batch_value,
        batch_gradient_kernel=_batch_gradient,
        batch_hvp_kernel=_batch_hvp,
        data=NormalMeasurements(p),
    )


def _signal(dimension, signal):
    """Return the signal, of norm 1 along the first coordinate if there is none."""
    if signal is None:
        d = check.size(10 if dimension is None else dimension, "dimension")
        w = np.zeros(d)
        w[0] = 1.0
        return w
    w = check.vector(signal, "signal")
    if dimension is not None and check.size(dimension, "dimension") != w.size:
        raise ValueError(
            f"dimension must be the size of signal, {w.size}, or left out; got {dimension}"
        )
    return w


def _length_squared(w):
    """Return the squared norm of the signal if its square, too, is an ordinary float.

    The sum is the one of the kernels, to the last bit, so that the value at the signal is 0.
    """
    with np.errstate(over="ignore", under="ignore"):
        square = float(dot(w, w))
        fourth = square * square
    if not np.finfo(float).tiny <= fourth < math.inf:
        raise ValueError(
            "signal must have a norm whose fourth power is neither 0 nor infinite as a float; "
            f"its largest entry is {np.abs(w).max():g}"
        )
    return square


def _across(w):
    """Return a unit vector at a right angle to `w`."""
    u = np.zeros(w.size)
    u[np.abs(w).argmin()] = 1.0
    for _ in range(2):  # the second time removes the rounding of the first
        u -= (u @ w) / (w @ w) * w
    return u / np.linalg.norm(u)


# --- sample ---------------------------------------------------------------------------------


@kernel
def _loss(z, y):
    miss = z * z - y
    return 0.25 * miss * miss


@kernel
def _loss_slope(z, y):
    return (z * z - y) * z


@kernel
def _loss_bend(z, y):
    return 3.0 * z * z - y


@kernel
def _nothing(t, strength):
    return 0.0


# The bounds need two numbers, kept behind the targets at the end of the parameters: the largest
# eigenvalue of mean |y| a a^T and the root of that of mean |a|^2 a a^T.


@kernel
def _sampled_rho1(t, p):
    return 2.0 * p[p.size - 2] + 6.0 * p[p.size - 1] * root(t)


@kernel
def _sampled_rho2(t, p):
    spread = p[p.size - 1]
    return 6.0 * spread * math.sqrt(p[p.size - 2] + 2.0 * spread * root(t))


class MeasurementData(LinearData):
    """The measurement vectors of a sample, and the observed squares."""

    @property
    def targets(self):
        """The observations, shape (n,), read-only."""
        return super().targets[:-2]

    def jacobian(self, x):
        r"""Return the Jacobian J of the residuals; J^T J is the Gauss-Newton matrix.

        The residuals are :math:`(\langle a_i,x\rangle^2-y_i)/\sqrt{2n}`.
        """
        n, d = self.rows.shape
        products = self.rows @ check.point(x, d, "x")
        return math.sqrt(2.0 / n) * products[:, None] * self.rows


def sampled_phase_retrieval(measurements, signal=None, observations=None):
    r"""Phase retrieval from n measurements, :math:`\frac1{4n}\sum_i(\langle a_i,w\rangle^2-y_i)^2`.

    Parameters
    ----------
    measurements : array_like, shape (n, d)
        The matrix with the rows :math:`a_i`.
    signal : array_like, shape (d,), optional
        The signal :math:`w^*`, not zero; the observations are then
        :math:`y_i=\langle a_i,w^*\rangle^2`.
    observations : array_like, shape (n,), optional
        The observed :math:`y_i`, with noise or without. Give either these or `signal`.

    Returns
    -------
    Problem
        The mean over n samples (n_samples). Critical points: the origin (its kind depends on the
        data), and, if `signal` is given, the minimizers :math:`\pm w^*`; there are others.
        Constant "infimum" 0, if `signal` is given. `data` has `rows`, `targets` (the
        observations), `metric` (None), `parts`, `root` (only where no sample curves downwards)
        and `jacobian`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape, is not finite or so large that squares
        overflow, the signal is zero, or not exactly one of `signal` and `observations` is given.

    Examples
    --------
    >>> from lib import optimizers, problems
    >>> A = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    >>> problem = problems.sampled_phase_retrieval(A, signal=[1.0, 2.0])
    >>> problem.data.targets.tolist()
    [1.0, 4.0, 9.0]
    >>> run = optimizers.gradient_descent(problem, [1.0, 1.0], learning_rate=0.05)
    >>> run.x.round(6).tolist()
    [1.0, 2.0]

    Notes
    -----
    The empirical version of `phase_retrieval`. With Y the largest eigenvalue of
    :math:`\frac1n\sum_i|y_i|a_ia_i^\top` and :math:`K^2` that of
    :math:`\frac1n\sum_i\|a_i\|^2a_ia_i^\top` we derive :math:`\rho_1(t)=2Y+6K\sqrt t` and
    :math:`\rho_2(t)=6K(Y+2K\sqrt t)^{1/2}`, by the Cauchy-Schwarz inequality. Used in "Escaping
    without smoothness".
    """
    A = check.matrix(measurements, "measurements")
    n, d = A.shape
    if (signal is None) == (observations is None):
        raise ValueError("signal or observations must be given, and not both")
    constants = {"smoothness": math.inf}
    known = []
    if signal is None:
        y = per_row(observations, A, "observations")
    else:
        w = check.point(signal, d, "signal")
        if not w.any():
            raise ValueError("signal must not be zero")
        with np.errstate(over="ignore"):
            y = np.square(A @ w)
        constants["infimum"] = 0.0
        known = [critical_point(x, "minimizer", 0.0) for x in (w, -w)]
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(A, axis=1)
        fourth_powers = lengths**4 + y * y
    if not np.isfinite(fourth_powers.sum()):
        raise ValueError(
            "measurements, and signal or observations, must be small enough that the fourth "
            "powers of measurements and products do not overflow"
        )
    spread = math.sqrt(mean_square(lengths[:, None] * A))
    weight = mean_square(np.sqrt(np.abs(y))[:, None] * A)
    origin = critical_point(np.zeros(d), _kind(-(A.T * y) @ A / n), 0.25 * float(np.mean(y * y)))
    return linear_problem(
        "sampled phase retrieval",
        A,
        np.concatenate([y, [weight, spread]]),
        0.0,
        (_loss, _loss_slope, _loss_bend),
        (_nothing, _nothing, _nothing),
        MeasurementData,
        critical_points=(origin, *known),
        constants=constants,
        formula=r"\tfrac1{4n}\sum_i(\langle a_i,w\rangle^2-y_i)^2",
        rho1_kernel=_sampled_rho1,
        rho2_kernel=_sampled_rho2,
    )


def _kind(hessian):
    """Return what the Hessian says about a critical point."""
    eigenvalues = np.linalg.eigvalsh(hessian)
    low, high = eigenvalues[0], eigenvalues[-1]
    zero = 1e-12 * np.abs(eigenvalues).max()
    if high < -zero:
        return "maximizer"
    if low > zero:
        return "minimizer"
    return "strict saddle" if low < -zero else "degenerate"
