"""Learning rates that change from step to step."""

import math
from dataclasses import dataclass

from lib import _validation as check
from lib._jit import kernel

LONGEST = 2**53  # longest number of steps

KINDS = ("constant", "step_decay", "exponential_decay", "inverse_time", "polynomial", "cosine")
CONSTANT, STEP_DECAY, EXPONENTIAL_DECAY, INVERSE_TIME, POLYNOMIAL, COSINE = range(len(KINDS))


@kernel
def scheduled(kind, base, a, b, warmup, k):
    """Return the learning rate of step k = 0, 1, ... (see `Schedule`)."""
    if k < warmup:
        return base * (k + 1.0) / warmup
    k -= warmup
    if kind == STEP_DECAY:
        return base * math.pow(a, float(k // int(b)))
    if kind == EXPONENTIAL_DECAY:
        return base * math.pow(a, float(k))
    if kind == INVERSE_TIME:
        return base * math.pow(1.0 + k / a, -b)
    if kind == POLYNOMIAL:
        return base * math.pow(1.0 - min(k / a, 1.0), b)
    if kind == COSINE:
        return base * (b + (1.0 - b) * 0.5 * (1.0 + math.cos(math.pi * min(k / a, 1.0))))
    return base


@dataclass(frozen=True)
class Schedule:
    """Factors for a learning rate, one for each step k = 0, 1, ...

    Make one with `constant`, `step_decay`, `exponential_decay`, `inverse_time`, `polynomial`,
    `cosine` or `warmup`, and give it to a stochastic method as `schedule`. Calling it with a
    learning rate and the number of a step gives the rate of that step.

    Attributes
    ----------
    kind : str
        Name of the constructor.
    a, b : float
        Its numbers, in the order of its arguments; 0 where it has fewer.
    warmup_steps : int
        Length of the linear rise before it begins.

    Raises
    ------
    TypeError, ValueError
        If an argument of a constructor has the wrong type or range; the message names it.

    Examples
    --------
    >>> from lib.optimizers import Schedule
    >>> halved = Schedule.step_decay(drop=0.5, every=10)
    >>> halved(0.1, 9), halved(0.1, 10)
    (0.1, 0.05)

    Notes
    -----
    Robbins and Monro (1951) ask that the rates sum to infinity and their squares do not:
    `inverse_time` with a power above 1/2 and at most 1. Used in "The width law, the depth law and
    the risk ladder" and "Nine optimizers, one theorem".
    """

    kind: str
    a: float = 0.0
    b: float = 0.0
    warmup_steps: int = 0

    def __post_init__(self):
        """Refuse an unknown kind, and numbers that would make a kernel divide by 0."""
        check.choice(self.kind, "kind", KINDS)
        numbers = {
            "a": check.number(self.a, "a", low=0.0, open_low=self.kind != "constant"),
            "b": check.number(self.b, "b", low=1.0 if self.kind == "step_decay" else 0.0),
            "warmup_steps": check.integer(self.warmup_steps, "warmup_steps", low=0, high=LONGEST),
        }
        for name, number in numbers.items():
            object.__setattr__(self, name, number)

    def __call__(self, learning_rate, step):
        """Return the learning rate of a step.

        Parameters
        ----------
        learning_rate : float
            What the factor multiplies, positive.
        step : int
            Number of the step; the first is 0.

        Returns
        -------
        float
            The product.
        """
        k = check.integer(step, "step", low=0, high=LONGEST)
        return float(scheduled(*self.numbers(learning_rate), k))

    def numbers(self, learning_rate):
        """Return the arguments of `scheduled` before the step, all floats except kind, warmup."""
        base = check.positive(learning_rate, "learning_rate")
        return KINDS.index(self.kind), base, self.a, self.b, self.warmup_steps

    @staticmethod
    def constant():
        """Keep the learning rate as it is.

        Returns
        -------
        Schedule
            Factor 1.
        """
        return Schedule("constant")

    @staticmethod
    def step_decay(drop=0.1, every=100):
        """Multiply the learning rate by `drop` after every so many steps.

        Parameters
        ----------
        drop : float
            Above 0 and at most 1.
        every : int
            At least 1.

        Returns
        -------
        Schedule
            Factor ``drop ** (k // every)``.
        """
        drop = check.number(drop, "drop", low=0.0, high=1.0, open_low=True)
        every = check.integer(every, "every", low=1, high=LONGEST)
        return Schedule("step_decay", drop, float(every))

    @staticmethod
    def exponential_decay(gamma):
        """Multiply the learning rate by `gamma` after each step.

        Parameters
        ----------
        gamma : float
            Above 0 and at most 1.

        Returns
        -------
        Schedule
            Factor ``gamma ** k``.
        """
        gamma = check.number(gamma, "gamma", low=0.0, high=1.0, open_low=True)
        return Schedule("exponential_decay", gamma)

    @staticmethod
    def inverse_time(scale, power=1.0):
        """Let the learning rate fall like one over the number of steps, or a power of that.

        Parameters
        ----------
        scale : float
            Number of steps until 1 + k/scale has doubled, positive.
        power : float
            Exponent, positive.

        Returns
        -------
        Schedule
            Factor ``(1 + k / scale) ** -power``.
        """
        scale = check.positive(scale, "scale")
        return Schedule("inverse_time", scale, check.positive(power, "power"))

    @staticmethod
    def polynomial(n_steps, power=1.0):
        """Let the learning rate fall to zero, along a straight line or a power of it.

        Parameters
        ----------
        n_steps : int
            Step from which on the rate is zero, at least 1.
        power : float
            Exponent, positive.

        Returns
        -------
        Schedule
            Factor ``(1 - min(k, n_steps) / n_steps) ** power``.
        """
        n_steps = check.integer(n_steps, "n_steps", low=1, high=LONGEST)
        return Schedule("polynomial", float(n_steps), check.positive(power, "power"))

    @staticmethod
    def cosine(n_steps, final=0.0):
        """Let the learning rate fall along half a period of the cosine, and stay there.

        Parameters
        ----------
        n_steps : int
            Step at which the last factor is reached, at least 1.
        final : float
            The last factor, from 0 to 1.

        Returns
        -------
        Schedule
            Factor ``final + (1 - final) * (1 + cos(pi * min(k, n_steps) / n_steps)) / 2``.
        """
        n_steps = check.integer(n_steps, "n_steps", low=1, high=LONGEST)
        return Schedule("cosine", float(n_steps), check.number(final, "final", low=0.0, high=1.0))

    @staticmethod
    def warmup(n_steps, then=None):
        """Let the learning rate rise along a straight line before another schedule begins.

        Parameters
        ----------
        n_steps : int
            Number of steps that rise, at least 1; the last of them has factor 1.
        then : Schedule, optional
            What follows, from its own step 0 on; without a rise of its own. Default: `constant`.

        Returns
        -------
        Schedule
            Factor ``(k + 1) / n_steps`` for k below `n_steps`, then that of `then`.
        """
        n_steps = check.integer(n_steps, "n_steps", low=1, high=LONGEST)
        then = Schedule.constant() if then is None else then
        check.instance(then, "then", Schedule, "a Schedule")
        if then.warmup_steps:
            raise ValueError("then must be a schedule without a warm-up; got one with")
        return Schedule(then.kind, then.a, then.b, n_steps)
