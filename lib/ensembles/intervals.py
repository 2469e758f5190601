"""Confidence intervals for probabilities, rare events included."""

from dataclasses import dataclass

from lib import _validation as check


@dataclass(frozen=True)
class Proportion:
    """An estimated probability with its confidence interval.

    Attributes
    ----------
    k, n : int
        Number of events and of independent trials.
    estimate : float
        k / n.
    low, high : float
        Ends of the interval.
    confidence : float
        Confidence level of the interval.

    Notes
    -----
    Returned by `proportion_interval`. Used in every chapter that counts runs.
    """

    k: int
    n: int
    estimate: float
    low: float
    high: float
    confidence: float

    def __str__(self):
        sure = f"with {100 * self.confidence:g} % confidence"
        if self.k == 0:
            return f"0 of {self.n}: {sure} the probability is below {self.high:.2g}"
        if self.k == self.n:
            return f"all of {self.n}: {sure} the probability is above {self.low:.6g}"
        between = f"between {self.low:.4g} and {self.high:.4g}"
        return f"{self.k} of {self.n} = {self.estimate:.4g}: {sure} {between}"


def proportion_interval(k, n, confidence=0.95):
    r"""Bound a probability from k events in n independent trials (Clopper and Pearson).

    For 0 events (or n) it is one-sided and says what a zero bounds: the probability is below
    :math:`1-(1-c)^{1/n}`, about 3/n for c = 0.95. Otherwise it is two-sided. Each end taken alone
    misses the true probability at most once in :math:`1/(1-c)` times, both ends together at most
    1.5 times as often, whatever the true probability is.

    Parameters
    ----------
    k : int
        Number of events, 0 to n.
    n : int
        Number of trials, at least 1.
    confidence : float
        Confidence level c, strictly between 0 and 1.

    Returns
    -------
    Proportion
        Estimate and interval; printing it gives a sentence.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range; the message names it.

    Examples
    --------
    >>> from lib import ensembles
    >>> print(ensembles.proportion_interval(0, 1_000_000))
    0 of 1000000: with 95 % confidence the probability is below 3e-06

    Notes
    -----
    Used wherever the book counts runs, first in "Strict saddles".
    """
    from scipy.special import betaincinv

    n = check.count(n, "n", low=1)
    k = check.integer(k, "k", low=0, high=n)
    level = check.number(confidence, "confidence", 0.0, 1.0, open_low=True, open_high=True)
    tail = 1.0 - level if k in (0, n) else (1.0 - level) / 2.0
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1.0 - tail))
    return Proportion(k, n, k / n, low, high, level)
