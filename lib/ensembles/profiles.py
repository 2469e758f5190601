"""Performance profiles and data profiles: many methods on many problems in one picture."""

from dataclasses import dataclass

import numpy as np

from lib import _validation as check


@dataclass(frozen=True, eq=False)
class Profile:
    """For each method, what share of the problems is solved by when: a rising staircase.

    Attributes
    ----------
    at : ndarray, shape (k,)
        Where the stairs are, ascending: factors of the best method's calls, or budgets.
    shares : ndarray, shape (methods, k)
        Share of the problems solved at each of them, from 0 to 1; it stays up to the next one.

    Notes
    -----
    Returned by `performance_profile` and `data_profile`. Used in "Which method when".
    """

    at: np.ndarray
    shares: np.ndarray


def performance_profile(calls, factors=None):
    r"""Count on what share of the problems each method is within a factor of the best one.

    Where method s needs :math:`t_{ps}` calls for problem p, its ratio is
    :math:`r_{ps}=t_{ps}/\min_st_{ps}`, and its profile
    :math:`\rho_s(\tau)` the share of the problems with :math:`r_{ps}\le\tau`.

    Parameters
    ----------
    calls : array_like, shape (methods, problems)
        Calls, or time, that each method needed; positive, infinite where it did not solve the
        problem. A problem that nobody solves counts for nobody.
    factors : array_like, shape (k,), optional
        The factors :math:`\tau`, ascending, each at least 1. Default: all ratios that occur, from
        1 on.

    Returns
    -------
    Profile
        Factors and shares.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    Of three problems the first method solves two, one of them fastest; the last nobody solves.

    >>> import numpy as np
    >>> from lib import ensembles
    >>> profile = ensembles.performance_profile([[10, 30, np.inf], [20, 10, np.inf]])
    >>> profile.at.tolist()
    [1.0, 2.0, 3.0]
    >>> profile.shares.round(2).tolist()
    [[0.33, 0.33, 0.67], [0.33, 0.67, 0.67]]

    Notes
    -----
    Dolan and More (2002). At :math:`\tau=1` stands the share of problems on which the method is
    the fastest, ties included, far to the right the share it solves at all. The ratios depend on
    who else takes part: where the fastest method leaves, the order of the others may change (Gould
    and Scott 2016). Used in "Which method when".
    """
    table = _calls(calls)
    best = table.min(axis=0)
    with np.errstate(over="ignore"):
        ratios = np.divide(table, best, out=np.full(table.shape, np.inf), where=np.isfinite(table))
    return _profile(ratios, factors, 1.0, "factors")


def data_profile(calls, budgets=None):
    """Count what share of the problems each method solves within a budget.

    Parameters
    ----------
    calls : array_like, shape (methods, problems)
        Calls that each method needed, as for `performance_profile`.
    budgets : array_like, shape (k,), optional
        The budgets, ascending and not negative. Default: all numbers of calls that occur.

    Returns
    -------
    Profile
        Budgets and shares.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from lib import ensembles
    >>> ensembles.data_profile([[10, 30, np.inf], [20, 10, np.inf]], [10, 25]).shares.tolist()
    [[0.3333333333333333, 0.3333333333333333], [0.3333333333333333, 0.6666666666666666]]

    Notes
    -----
    More and Wild (2009), who measure the budget in multiples of dimension plus 1, because their
    methods have no gradients. A method's curve does not depend on who else takes part. Used in
    "Which method when".
    """
    return _profile(_calls(calls), budgets, 0.0, "budgets")


def _calls(calls):
    table = check.floats(calls, "calls")
    if table.ndim != 2 or table.size == 0:
        raise ValueError(
            "calls must have shape (methods, problems), at least one of each; "
            f"got shape {table.shape}"
        )
    if not (table > 0.0).all():
        raise ValueError("calls must be positive, and infinite where a problem was not solved")
    return table


def _profile(costs, at, low, name):
    """Return the share of each row of `costs` that is at most each entry of `at`."""
    if at is None:
        at = np.unique(np.append(costs[np.isfinite(costs)], low if low else []))
    else:
        at = check.vector(at, name)
        if at[0] < low or (np.diff(at) < 0.0).any():
            raise ValueError(f"{name} must ascend from at least {low:g}; got {check.shown(at)}")
    ordered = np.sort(costs, axis=1)
    counts = [np.searchsorted(row, at, side="right") for row in ordered]
    return Profile(at, np.array(counts) / costs.shape[1])
