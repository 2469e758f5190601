"""Checks of the exercises of the primer."""

import numpy as np

from lib.checks import _core

RADIUS = 0.5
GIVEN = ("curvatures",)


def curvatures(student_id):
    """Return the three curvatures of a student's own valley.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    ndarray, shape (3,)
        Numbers between 0.5 and 12, with one decimal, in no order.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of the primer.
    """
    rng = _core.individual(student_id, "primer-valley")
    low, middle, high = rng.integers(5, 20), rng.integers(25, 60), rng.integers(70, 121)
    return rng.permutation([low, middle, high]) / 10


def border(answer, *, student_id):
    """Check the largest learning rate: below it all starts converge, above it most diverge.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose valley it is.

    Raises
    ------
    CheckFailed
        If the answer is not the border.

    Notes
    -----
    Used in the exercises of the primer.
    """
    given = curvatures(student_id)
    rate = _core.number(answer, "border")
    if rate <= 0:
        raise _core.CheckFailed(f"border must be positive, as every learning rate; got {rate:g}")
    if np.abs(1 - 0.999 * rate * given).max() >= 1:
        raise _core.CheckFailed(
            f"border is {rate:g}, but with a learning rate just below it the steepest coordinate "
            f"is multiplied by {1 - 0.999 * rate * given.max():.3f} a step: the iterates diverge"
        )
    if np.abs(1 - 1.001 * rate * given).max() <= 1:
        raise _core.CheckFailed(
            f"border is {rate:g}, but a slightly larger learning rate still converges from every "
            "start"
        )


def best(answer, *, student_id):
    """Check the learning rate that makes the slowest coordinate shrink fastest.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose valley it is.

    Raises
    ------
    CheckFailed
        If the answer is another learning rate.

    Notes
    -----
    Used in the exercises of the primer.
    """
    given = curvatures(student_id)
    low, high = given.min(), given.max()
    mistakes = {
        "there the steepest coordinate vanishes at once, but the flattest is slow": 1 / high,
        "that is the border, where the steepest coordinate does not shrink at all": 2 / high,
        "the middle of two borders lies beyond the smaller one": 1 / low + 1 / high,
        "there the flattest coordinate vanishes at once, but the steepest grows": 1 / low,
        "one of the three curvatures does not matter: which?": 1 / given.mean(),
        "the middle curvature is the one that does not matter": 1 / np.median(given),
        "both factors still glide there: where do the two lines cross?": 1 / (low + high),
    }
    _core.close(answer, 2 / (low + high), rtol=1e-3, name="best", mistakes=mistakes)


def _path(gradient, start, learning_rate, n_steps):
    """Return the path of gradient descent."""
    path = [np.array(start, float)]
    for _ in range(n_steps):
        path.append(path[-1] - learning_rate * gradient(path[-1]))
    return np.array(path)


def _uphill(gradient, start, learning_rate, n_steps):
    """Return the path of a common mistake: the wrong sign."""
    return _path(gradient, start, -learning_rate, n_steps)


def _one_point(gradient, start, learning_rate, n_steps):
    """Return the path of a common mistake: one and the same array in all rows."""
    path = _path(gradient, start, learning_rate, n_steps)
    return np.tile(path[-1], (n_steps + 1, 1))


def _straight(gradient, start, learning_rate, n_steps):
    """Return the path of a common mistake: the gradient of the start in every step."""
    steps = np.arange(n_steps + 1)[:, None] * np.asarray(gradient(start))
    return start - learning_rate * steps


def descend(answer, *, seed=0):
    """Check gradient descent on random valleys.

    Parameters
    ----------
    answer : callable
        ``answer(gradient, start, learning_rate, n_steps)`` returns the path.
    seed : int
        Chooses the valleys: the visible check uses 0, marks are given for others.

    Raises
    ------
    CheckFailed
        If a path has another shape or other points, or the start is changed.

    Notes
    -----
    Used in the exercises of the primer.
    """
    rng = np.random.default_rng([2026, seed])
    cases = []
    for dimension in (2, 3, 5):
        matrix = rng.normal(size=(dimension, dimension))
        bowl = matrix @ matrix.T / dimension
        cases.append((lambda x, bowl=bowl: bowl @ x, rng.normal(size=dimension), 0.1, 20))
    mistakes = {
        "each step goes up the gradient, not down": _uphill,
        "all rows hold the last point, because x -= step changes the array that is in the path": (
            _one_point
        ),
        "every step goes along the gradient of the start; it changes on the way": _straight,
    }
    _core.agrees(answer, _path, cases, name="descend", mistakes=mistakes)


def descend_edges(answer):
    """Check gradient descent without a step, from whole numbers, and its calls of the gradient.

    Parameters
    ----------
    answer : callable
        See `descend`.

    Raises
    ------
    CheckFailed
        If one of the three is wrong.

    Notes
    -----
    Used in the exercises of the primer.
    """
    calls = []

    def gradient(x):
        calls.append(1)
        return np.array([x[0] - 0.5, 4 * x[1]])

    path = _core.call(answer, gradient, np.array([3, 2]), 0.1, 0, name="descend")
    _core.close(path, [[3.0, 2.0]], name="the path of 0 steps")
    calls.clear()
    path = _core.call(answer, gradient, np.array([3, 2]), 0.1, 7, name="descend")
    right = _path(lambda x: np.array([x[0] - 0.5, 4 * x[1]]), [3, 2], 0.1, 7)
    _core.close(path, right, name="the path from a start of whole numbers")
    if len(calls) > 8:
        raise _core.CheckFailed(f"descend calls the gradient {len(calls)} times in 7 steps")


def _count(y, learning_rate, radius):
    """Return the number of steps."""
    count = 0
    while abs(y) < radius:
        y *= 1 + learning_rate
        count += 1
    return count


def _one_more(y, learning_rate, radius):
    """Return the number of steps of a common mistake: the test behind the step."""
    return _count(y, learning_rate, radius) + 1


def steps_to_leave(answer, *, seed=0):
    """Check the number of steps away from a saddle, from random starts.

    Parameters
    ----------
    answer : callable
        ``answer(y, learning_rate, radius)`` returns the number of steps.
    seed : int
        Chooses the starts: the visible check uses 0, marks are given for others. With a seed other
        than 0 some starts are negative or outside.

    Raises
    ------
    CheckFailed
        If a number is wrong.

    Notes
    -----
    Used in the exercises of the primer.
    """
    rng = np.random.default_rng([2027, seed])
    starts = 10.0 ** -rng.uniform(1, 9, size=8)
    cases = [(float(y), 0.1, RADIUS) for y in starts]
    if seed:
        cases += [(-float(y), 0.05, RADIUS) for y in starts]
        cases += [(0.7, 0.1, RADIUS), (-3.0, 0.1, RADIUS), (RADIUS, 0.1, RADIUS)]
    mistakes = {"you count one step too many": _one_more}
    _core.agrees(answer, _count, cases, atol=0, name="steps_to_leave", mistakes=mistakes)


def steps_to_leave_far(answer):
    """Check the number of steps on a way of 500 million steps, within rounding.

    Parameters
    ----------
    answer : callable
        See `steps_to_leave`.

    Raises
    ------
    CheckFailed
        If the number is off by more than a millionth.

    Notes
    -----
    Used in the exercises of the primer.
    """
    expected = np.ceil(np.log(RADIUS / 1e-9) / np.log1p(4e-8))
    found = _core.call(answer, 1e-9, 4e-8, RADIUS, name="steps_to_leave")
    _core.close(found, expected, rtol=1e-6, name="steps_to_leave(1e-09, 4e-08, 0.5)")
