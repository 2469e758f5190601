"""Armijo line searches along a given direction, as templates for every method that needs one.

A trial is accepted where f(x + alpha direction) <= f(x) + sufficient alpha slope, with the slope
<gradient, direction>, which is negative. A value that is not a number counts as too large.
"""

import numpy as np

from lib._jit import Slot, stamp
from lib.optimizers._drive import N_VALUE

value = Slot("value")
trial = Slot("trial")
backward = Slot("backward")


def try_step(x, p, direction, alpha, ahead, c):
    """Write the trial point to `ahead` and return the value there."""
    for i in range(x.size):
        ahead[i] = x[i] + alpha * direction[i]
    c[N_VALUE] += 1
    return value(ahead, p)


def track_backward(x, f, p, direction, slope, alpha, sufficient, shrink, max_trials, ahead, c):
    """Shrink `alpha` until the trial is accepted; return it and the value there.

    `ahead` then holds the accepted point. The step 0.0 says that no trial was accepted.
    """
    for _ in range(max_trials):
        f_trial = trial(x, p, direction, alpha, ahead, c)
        if f_trial <= f + sufficient * alpha * slope:
            return alpha, f_trial
        alpha *= shrink
    return 0.0, np.nan


def track_forward(
    x, f, p, direction, slope, alpha, sufficient, shrink, max_trials, largest, ahead, c
):
    """Grow `alpha` while the trial is accepted, or shrink it as `track_backward` does.

    Returns the last step before the first failure, at most `largest`, and the value there.
    """
    f_best = trial(x, p, direction, alpha, ahead, c)
    if not f_best <= f + sufficient * alpha * slope:
        return backward(
            x, f, p, direction, slope, alpha * shrink, sufficient, shrink, max_trials, ahead, c
        )
    while alpha / shrink <= largest:
        f_trial = trial(x, p, direction, alpha / shrink, ahead, c)
        if not f_trial <= f + sufficient * (alpha / shrink) * slope:
            break
        alpha /= shrink
        f_best = f_trial
    for i in range(x.size):
        ahead[i] = x[i] + alpha * direction[i]
    return alpha, f_best


def searches(problem):
    """Return the slots ``backward`` and ``forward`` for a plan, bound to the problem's value."""
    step = stamp(try_step, inline=True, value=problem.value_kernel)
    back = stamp(track_backward, trial=step)
    ahead = stamp(track_forward, trial=step, backward=back)
    return {"backward": back, "forward": ahead}
