"""Checks of the exercises of part 5, Non-convergence."""

import copy

import numpy as np

from lib import ensembles
from lib.checks import _core

GIVEN = ("start_law", "late_death", "narrow_stack", "targets")

RATE = 0.01  # learning rate of the exercise on late deaths
LONG, SHORT = 0.99, 0.5  # its two momenta
COLUMNS, STEPS, CALLS = 4, 8, 64  # size and price of the test of componentwise rules
EXTRA = 12  # neurons to give away
TENTH = 0.1  # the share of dead neurons that is asked for


# --- how likely a dead neuron is -------------------------------------------------------------


def start_law(student_id):
    """Return a student's interval of inputs and the scales of weight and bias.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    ndarray, shape (4,)
        The least and the largest input, the standard deviations of weight and bias.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 5.
    """
    rng = _core.individual(student_id, "nonconvergence-start-law")
    low, high = -rng.integers(5, 10) / 10, rng.integers(12, 29) / 10
    bias = rng.integers(3, 8) / 10
    return np.array([low, high, bias * rng.choice([2, 2.5, 3]), bias]).round(2)


def _dead(low, high, weight, bias):
    """Return the probability that a neuron is dead."""
    return 0.5 - (np.arctan(high * weight / bias) - np.arctan(low * weight / bias)) / (2 * np.pi)


def dead_share(answer, *, student_id):
    """Check the probability that a neuron is dead, for weight and bias of different scales.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose inputs and scales they are.

    Raises
    ------
    CheckFailed
        If the answer is another probability.

    Notes
    -----
    Used in the exercises of part 5.
    """
    low, high, weight, bias = start_law(student_id)
    right = _dead(low, high, weight, bias)
    share = _core.number(answer, "dead")
    if not 0 <= share <= 1:
        raise _core.CheckFailed(f"dead is {share:g}, but a probability lies between 0 and 1")
    mistakes = {
        "this would be right if weight and bias had the same standard deviation": _dead(
            low, high, 1, 1
        ),
        "have you exchanged the two standard deviations?": _dead(low, high, bias, weight),
        "an angle is a share of the full turn, not of half of it": 2 * right,
        "this is the share of directions outside the cone": 1 - right,
        "this is the angle between the two normals, not that of the cone": 0.5 - right,
    }
    _core.close(share, right, rtol=1e-3, name="dead", mistakes=mistakes)


def bias_scale(answer, *, student_id):
    """Check the scale of the bias that makes one neuron in ten dead on centered inputs.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose inputs and weights they are.

    Raises
    ------
    CheckFailed
        If another share of the neurons is dead.

    Notes
    -----
    Used in the exercises of part 5.
    """
    low, high, weight, _ = start_law(student_id)
    scale = _core.number(answer, "new_bias_std")
    if scale <= 0:
        raise _core.CheckFailed(f"new_bias_std is a standard deviation: positive; got {scale:g}")
    half = (high - low) / 2
    share = _dead(-half, half, weight, scale)
    if abs(share - TENTH) > 2e-4:
        raise _core.CheckFailed(
            f"new_bias_std is {scale:g}, but with it a share of {share:.4f} of the neurons is dead "
            "on the centered inputs"
        )


# --- who is silent ---------------------------------------------------------------------------


def _silent(weights, biases, inputs, quiet=lambda z: z <= 0, every=np.all, relu=True):
    """Return the number of inactive neurons of each hidden layer."""
    h, counts = np.asarray(inputs, float), []
    for matrix, bias in zip(weights, biases, strict=True):
        z = h @ np.asarray(matrix).T + np.asarray(bias)
        counts.append(int(every(quiet(z), axis=0).sum()))
        h = np.maximum(z, 0) if relu else z
    return counts


def _strict(weights, biases, inputs):
    """Return the counts of a common mistake: strictly inactive neurons only."""
    return _silent(weights, biases, inputs, quiet=lambda z: z < 0)


def _some(weights, biases, inputs):
    """Return the counts of a common mistake: silent on some input."""
    return _silent(weights, biases, inputs, every=np.any)


def _linear(weights, biases, inputs):
    """Return the counts of a common mistake: no ReLU between the layers."""
    return _silent(weights, biases, inputs, relu=False)


def _inputs(weights, biases, inputs):
    """Return the counts of a common mistake: inputs on which a whole layer is silent."""
    h, counts = np.asarray(inputs, float), []
    for matrix, bias in zip(weights, biases, strict=True):
        z = h @ np.asarray(matrix).T + np.asarray(bias)
        counts.append(int((z <= 0).all(axis=1).sum()))
        h = np.maximum(z, 0)
    return counts


def _no_bias(weights, biases, inputs):
    """Return the counts of a common mistake: the biases forgotten."""
    return _silent(weights, [0 * np.asarray(b) for b in biases], inputs)


SILENT_MISTAKES = {
    "a neuron is inactive if it is silent on all inputs, not on some": _some,
    "what enters the next layer has passed the ReLU": _linear,
    "this counts inputs on which a whole layer is silent, not neurons": _inputs,
    "add the bias before you look at the sign": _no_bias,
    "a number that is exactly 0 silences, too": _strict,
}


def silent(answer, *, seed=0):
    """Check the numbers of inactive neurons in random networks.

    Parameters
    ----------
    answer : callable
        ``answer(weights, biases, inputs)`` returns one number for each hidden layer.
    seed : int
        Chooses the networks: the visible check uses 0, marks are given for others.

    Raises
    ------
    CheckFailed
        If a number is wrong.

    Notes
    -----
    Used in the exercises of part 5.
    """
    rng = np.random.default_rng([5001, seed])
    shapes = ((1, 8), (2, 6, 5), (3, 8, 6, 4)) if seed == 0 else ((1, 12, 3), (2, 9, 7, 5, 3))
    cases = []
    for widths in shapes:
        weights = [rng.normal(size=(n, m)) for m, n in zip(widths[:-1], widths[1:], strict=True)]
        biases = [rng.normal(scale=1.2, size=n) - 0.3 for n in widths[1:]]
        cases.append((weights, biases, rng.uniform(-1, 1, size=(7, widths[0]))))
    _compare_silent(answer, cases)


def silent_edges(answer):
    """Check the numbers of inactive neurons behind a silent layer, for one input, and at 0.

    Parameters
    ----------
    answer : callable
        See `silent`.

    Raises
    ------
    CheckFailed
        If a number is wrong.

    Notes
    -----
    Used in the exercises of part 5.
    """
    wall = [-np.ones((3, 2)), np.array([[1.0, 2, 3], [-1, 0, 1]]), np.array([[1.0, 1], [-1, 1]])]
    square = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    zero_bias = [np.zeros(3), np.zeros(2), np.zeros(2)]
    revived = [np.zeros(3), np.array([1.0, -1]), np.array([-0.5, 0.0])]
    one = [np.array([[1.0], [-1], [0]])], [np.array([-2.0, 2, 0])], np.array([[2.0]])
    whole = [np.array([[2, -1], [1, 1]])], [np.array([-2, -1])], np.array([[1, 0], [0, 1]])
    _compare_silent(answer, [(wall, zero_bias, square), (wall, revived, square), one, whole])


def _compare_silent(answer, cases):
    """Compare with the counts of the reference; the networks are passed as copies."""
    _core.function(answer, "silent")

    def guarded(*case):
        return answer(*copy.deepcopy(case))

    _core.agrees(guarded, _silent, cases, name="silent", mistakes=SILENT_MISTAKES)


# --- a death with a past ---------------------------------------------------------------------


def late_death(student_id):
    """Return where a student's neuron is when it dies in training, and its running sums.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    ndarray, shape (4,)
        Weight and bias at the step of its death, and the running sums that belong to them.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 5.
    """
    rng = _core.individual(student_id, "nonconvergence-late-death")
    weight, margin = rng.integers(12, 30) / 100, rng.integers(3, 10) / 1000
    m_weight, m_bias = rng.integers(20, 51) / 10, rng.choice([-1, 1]) * rng.integers(2, 10) / 10
    return np.array([weight, -weight - margin, m_weight, m_bias]).round(3)


def _way_out(student_id):
    """Return how many multiples of the running sums lead from the death to the other face."""
    w, b, m_w, m_b = late_death(student_id)
    return (w - b) / (m_w - m_b)


def drift_rest(answer, *, student_id):
    """Check where a neuron comes to rest that dies with momentum 0.5.

    Parameters
    ----------
    answer : array_like, shape (2,)
        Its weight and bias in the end.
    student_id : str
        Whose neuron it is.

    Raises
    ------
    CheckFailed
        If it is another point.

    Notes
    -----
    Used in the exercises of part 5.
    """
    given = late_death(student_id)
    spot, m = given[:2], given[2:]
    mistakes = {
        "this counts the step that brought it into the cone once more": (
            spot - RATE / (1 - SHORT) * m
        ),
        "this is one step only; momentum carries it on": spot - RATE * SHORT * m,
        "it moves against its running sum, not along it": spot + RATE * SHORT / (1 - SHORT) * m,
        "it does not stop at once: the running sum fades, but is not zero": spot,
    }
    right = spot - RATE * SHORT / (1 - SHORT) * m
    _core.close(answer, right, rtol=0, atol=1e-5, name="rest", mistakes=mistakes)


def drift_border(answer, *, student_id):
    """Check the largest momentum with which the neuron stays dead.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose neuron it is.

    Raises
    ------
    CheckFailed
        If a smaller momentum wakes it, or a larger one does not.

    Notes
    -----
    Used in the exercises of part 5.
    """
    beta = _core.number(answer, "border")
    if not 0 < beta < 1:
        raise _core.CheckFailed(f"border is {beta:g}, but a momentum lies between 0 and 1")
    out = _way_out(student_id)
    for shift, wakes in ((-2e-4, False), (2e-4, True)):
        near = np.clip(beta + shift, 0.0, 1 - 1e-9)
        if (RATE * near / (1 - near) > out) != wakes:
            raise _core.CheckFailed(
                f"border is {beta:g}, but with momentum {near:.4f} the neuron "
                + ("does not leave the cone" if wakes else "leaves the cone")
            )


def drift_steps(answer, *, student_id):
    """Check after how many further steps the neuron wakes with momentum 0.99.

    Parameters
    ----------
    answer : int
    student_id : str
        Whose neuron it is.

    Raises
    ------
    CheckFailed
        If it is another number.

    Notes
    -----
    Used in the exercises of part 5.
    """
    steps = _core.integer(answer, "steps")
    right = _steps_out(student_id)
    if steps == right:
        return
    if steps == right + 1:
        raise _core.CheckFailed("steps: one step earlier it is outside already; count from 0")
    if steps < right:
        raise _core.CheckFailed(f"steps is {steps}, but then it is still in the cone")
    raise _core.CheckFailed(f"steps is {steps}, but it is outside earlier")


def _steps_out(student_id):
    """Return the number of steps after which the neuron is outside."""
    out, gone, count = _way_out(student_id), 0.0, 0
    while gone <= out:
        count += 1
        gone += RATE * LONG**count
    return count


# --- neurons with different odds -------------------------------------------------------------


def _too_few(p, k_star):
    """Return the probability that fewer than k_star neurons live."""
    law = np.ones(1)  # law[k] = P(k of the neurons so far live)
    for dead in np.asarray(p, float):
        law = np.append(law * dead, 0.0) + np.append(0.0, law * (1 - dead))
    return law[:k_star].sum()


def _too_few_or_equal(p, k_star):
    """Return the probability of a common mistake: at most k_star live."""
    return _too_few(p, k_star + 1)


def _too_few_dead(p, k_star):
    """Return the probability of a common mistake: fewer than k_star are dead."""
    return _too_few(1 - np.asarray(p, float), k_star)


def _enough(p, k_star):
    """Return the probability of a common mistake: the complement."""
    return 1 - _too_few(p, k_star)


def _on_average(p, k_star):
    """Return the probability of a common mistake: all odds replaced by their mean."""
    return _too_few(np.full(len(p), np.mean(p)), k_star)


TOO_FEW_MISTAKES = {
    "fewer than k_star, so k_star living neurons are enough": _too_few_or_equal,
    "p holds the probabilities of being dead; living ones are counted": _too_few_dead,
    "this is the probability that enough of them live": _enough,
    "the mean of the odds does not do: the neurons differ": _on_average,
}


def too_few(answer, *, seed=0):
    """Check the probability that too few neurons live, for neurons with different odds.

    Parameters
    ----------
    answer : callable
        ``answer(p, k_star)`` returns the probability that fewer than ``k_star`` neurons live.
    seed : int
        Chooses the odds: the visible check uses 0, marks are given for others.

    Raises
    ------
    CheckFailed
        If a probability is wrong.

    Notes
    -----
    Used in the exercises of part 5.
    """
    rng = np.random.default_rng([5002, seed])
    cases = [(rng.uniform(0.05, 0.6, size=n), k) for n, k in ((3, 2), (6, 4), (8, 3))]
    if seed:
        cases += [(rng.uniform(0.3, 0.9, size=n), k) for n, k in ((10, 7), (12, 1))]
    _core.agrees(answer, _too_few, cases, name="too_few", mistakes=TOO_FEW_MISTAKES)


def too_few_edges(answer):
    """Check the probability for equal odds, sure ones, no and all neurons, and 300 of them.

    Parameters
    ----------
    answer : callable
        See `too_few`.

    Raises
    ------
    CheckFailed
        If a probability is wrong; tiny ones must be right to nine digits.

    Notes
    -----
    Used in the exercises of part 5.
    """
    equal = float(ensembles.failure_lower_bound(6, 0.25, 3))
    found = _core.call(answer, np.full(6, 0.25), 3, name="too_few")
    _core.close(found, equal, rtol=1e-9, name="too_few for six equal neurons")
    sure = np.array([0.0, 1.0, 0.5])
    cases = [(sure, 0), (sure, 1), (sure, 2), (sure, 3), (np.ones(4), 1), (np.zeros(4), 4)]
    _core.agrees(answer, _too_few, cases, name="too_few", mistakes=TOO_FEW_MISTAKES)
    many = np.linspace(0.01, 0.4, 300)
    cases = [(many, 300), (many, 240), (many, 100)]
    _core.agrees(answer, _too_few, cases, atol=0.0, name="too_few", mistakes=TOO_FEW_MISTAKES)


# --- where more neurons help most ------------------------------------------------------------


def narrow_stack(student_id):
    """Return the widths of a student's hidden layers.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    list of int
        Ten widths between 2 and 6.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 5.
    """
    rng = _core.individual(student_id, "nonconvergence-narrow-stack")
    widths = [2, 2, 3, 3, *rng.choice([2, 3, 4, 5, 6], size=6)]
    return [int(n) for n in rng.permutation(widths)]


def _survival(widths):
    """Return the probability that no layer is dead on one input."""
    return np.prod(1 - 2.0 ** -np.asarray(widths, float))


def survival(answer, *, student_id):
    """Check the probability that no layer of the student's network is dead on one input.

    Parameters
    ----------
    answer : float
    student_id : str
        Whose network it is.

    Raises
    ------
    CheckFailed
        If the answer is another probability.

    Notes
    -----
    Used in the exercises of part 5.
    """
    widths = np.array(narrow_stack(student_id))
    right = _survival(widths)
    mistakes = {
        "this is the probability that some layer is dead": 1 - right,
        "this is the probability that all layers are dead": np.prod(2.0**-widths),
        "the layers have different widths; their mean does not do": (
            (1 - 2.0 ** -widths.mean()) ** widths.size
        ),
        "this is the general bound for layers dead on every input": np.prod(
            1 - 2.0 ** -(widths[1:] * widths[:-1].astype(float))
        ),
    }
    _core.close(answer, right, rtol=1e-3, name="alive", mistakes=mistakes)


def widened(answer, *, student_id):
    """Check that widths keep to the rules: none smaller, all extra neurons spent.

    Parameters
    ----------
    answer : array_like of int
        The new widths.
    student_id : str
        Whose network it is.

    Raises
    ------
    CheckFailed
        If they do not.

    Notes
    -----
    Used in the exercises of part 5.
    """
    _new_widths(answer, student_id)


def _new_widths(answer, student_id):
    """Return new widths that keep to the rules."""
    old = np.array(narrow_stack(student_id))
    new = _core.array(answer, old.shape, "wider")
    if (new != np.round(new)).any():
        raise _core.CheckFailed("wider must hold whole numbers: the new width of each layer")
    if new.sum() == EXTRA and (new < old).any():
        raise _core.CheckFailed("wider holds the new widths, not how many neurons are added")
    if (new < old).any():
        layer = int((new < old).argmax())
        raise _core.CheckFailed(
            f"wider makes hidden layer {layer + 1} narrower; you may only add neurons"
        )
    if (new - old).sum() != EXTRA:
        raise _core.CheckFailed(
            f"wider adds {int((new - old).sum())} neurons; it must be {EXTRA} in all"
        )
    return new


def widest(answer, *, student_id):
    """Check that no other way to spend the extra neurons lets more networks survive.

    Parameters
    ----------
    answer : array_like of int
        The new widths.
    student_id : str
        Whose network it is.

    Raises
    ------
    CheckFailed
        If one neuron moved to another layer does better.

    Notes
    -----
    Used in the exercises of part 5.
    """
    new = _new_widths(answer, student_id)
    old = np.array(narrow_stack(student_id))
    source = np.where(new > old, new, -np.inf).argmax()
    goal = new.argmin()
    if new[source] - new[goal] > 1:
        raise _core.CheckFailed(
            f"wider can be bettered: one neuron less in hidden layer {source + 1} and one more in "
            "some other layer, and more networks survive"
        )


# --- a test for the family -------------------------------------------------------------------


def _mean(history, beta):
    """Return a running mean over the history, from 0."""
    total = np.zeros(history.shape[1])
    for g in history:
        total = beta * total + (1 - beta) * g
    return total


def _adam(history):
    """Return the step of Adam."""
    t = len(history)
    m, v = _mean(history, 0.9) / (1 - 0.9**t), _mean(history**2, 0.999) / (1 - 0.999**t)
    return m / (1e-8 + np.sqrt(v))


def _nadam(history):
    """Return the step of Nadam."""
    t = len(history)
    m = 0.9 * _mean(history, 0.9) / (1 - 0.9 ** (t + 1)) + 0.1 * history[-1] / (1 - 0.9**t)
    return m / (1e-8 + np.sqrt(_mean(history**2, 0.999) / (1 - 0.999**t)))


def _adamax(history):
    """Return the step of Adamax, written without a guard."""
    fade = 0.999 ** np.arange(len(history))[::-1, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return _mean(history, 0.9) / (1 - 0.9 ** len(history)) / (fade * abs(history)).max(axis=0)


def _late_noise(history):
    """Return the gradient, from step 6 on with a shift."""
    step = history[-1].copy()
    return step if len(history) < 6 else step + 0.01 * np.cos(1 + np.arange(step.size))


def _early_noise(history):
    """Return the gradient, up to step 2 with a shift."""
    step = history[-1].copy()
    return step if len(history) > 2 else step + 0.01 * np.cos(1 + np.arange(step.size))


def _one_way(history):
    """Return the gradient, with a leak from the difference of two components into the last."""
    step = history[-1].copy()
    step[-1] += 0.1 * (history[-1, 0] - history[-1, 1])
    return step


def _clipped(history):
    """Return the gradient, cut to norm 1."""
    return history[-1] / max(1.0, np.linalg.norm(history[-1]))


# name, rule, whether it is componentwise, what a wrong answer overlooks
VISIBLE_RULES = (
    ("SGD", lambda h: h[-1], True, "it copies the gradient"),
    (
        "momentum",
        lambda h: _mean(h, 0.9),
        True,
        "a component may go on moving when its last gradient is 0, if an earlier one was not",
    ),
    ("Adam", _adam, True, "0 divided by its guard is 0"),
    (
        "the sign with sign(0) = 1",
        lambda h: np.where(h[-1] >= 0, 1.0, -1.0),
        False,
        "it moves what has only seen zeros",
    ),
    (
        "the gradient less the mean of its components",
        lambda h: h[-1] - h[-1].mean(),
        False,
        "zero gradients in all components do not show it; try one zero component among others",
    ),
)
HIDDEN_RULES = (
    ("Nadam", _nadam, True, "it divides 0 by a guard"),
    (
        "clipping",
        _clipped,
        True,
        "a common factor, wherever it comes from, leaves a zero a zero",
    ),
    (
        "the sum of all gradients",
        lambda h: h.sum(axis=0),
        True,
        "a component may move if one of its gradients, however old, was not 0",
    ),
    ("Adamax without a guard", _adamax, False, "0/0 is not 0"),
    ("noise after a warm-up", _late_noise, False, "it is harmless in the first steps only"),
    ("noise at the start", _early_noise, False, "it is harmless after the first steps only"),
    (
        "a step in which the difference of the first two components leaks into the last",
        _one_way,
        False,
        "look at every component, and let the others differ",
    ),
    (
        "SGD with a tiny constant drift",
        lambda h: h[-1] + 1e-14,
        False,
        "tiny is not zero",
    ),
)


def componentwise(answer, *, seed=0):
    """Check a test of the componentwise property on rules that have it and rules that do not.

    Parameters
    ----------
    answer : callable
        ``answer(rule)`` returns True or False; ``rule(history)`` returns a step.
    seed : int
        Chooses the rules: the visible check uses 0, marks are given for others.

    Raises
    ------
    CheckFailed
        If it errs on a rule, returns anything but True or False, or calls a rule too often.

    Notes
    -----
    Used in the exercises of part 5.
    """
    for name, rule, right, why in VISIBLE_RULES if seed == 0 else HIDDEN_RULES:
        calls = []

        def watched(history, rule=rule, calls=calls):
            calls.append(1)
            if len(calls) > CALLS:
                raise RuntimeError(f"rule is called more than {CALLS} times")
            history = np.array(history, dtype=float)
            if history.ndim != 2 or history.shape[1] != COLUMNS or not len(history):
                raise ValueError(
                    f"history must have shape (t, {COLUMNS}), t at least 1; got {history.shape}"
                )
            return rule(history)

        found = _core.call(answer, watched, name="is_componentwise")
        if not isinstance(found, (bool, np.bool_)):
            raise _core.CheckFailed(
                f"is_componentwise must return True or False; got {_core.kind_of(found)}"
            )
        if len(calls) > CALLS:
            raise _core.CheckFailed(f"is_componentwise calls a rule more than {CALLS} times")
        if bool(found) != right:
            raise _core.CheckFailed(
                f"is_componentwise says {bool(found)} of this rule: {name}; but {why}"
            )


# --- data for the picture --------------------------------------------------------------------


def targets(student_id):
    """Return a student's inputs and targets for the picture of the wall.

    Parameters
    ----------
    student_id : str
        See `lib.checks.student`.

    Returns
    -------
    ndarray, shape (2, 15)
        15 equally spaced inputs from -1 to 1, and the targets, of mean 0 and variance 1.

    Raises
    ------
    CheckFailed
        If the id is missing or not one.

    Notes
    -----
    Used in the exercises of part 5.
    """
    rng = _core.individual(student_id, "nonconvergence-targets")
    x = np.linspace(-1, 1, 15)
    y = np.sin(rng.integers(40, 61) / 10 * x + rng.integers(0, 628) / 100)
    return np.array([x, (y - y.mean()) / y.std()])
