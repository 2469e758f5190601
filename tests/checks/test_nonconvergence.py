"""The checks of the exercises of part 5 accept what is right and explain what is wrong."""

from itertools import product

import numpy as np
import pytest

from lib import checks, ensembles, problems

part = checks.nonconvergence
IDS = ("ada", "bob", "c.lovelace", "42")
MANY = [f"student{i}" for i in range(300)]
GARBAGE = (
    None,
    ...,
    "text",
    np.nan,
    np.inf,
    [],
    {},
    np.ones((2, 3)),
    object(),
    lambda *_: None,
    1j,
)


def wrong(message):
    return pytest.raises(checks.CheckFailed, match=message)


# --- solutions -------------------------------------------------------------------------------


def law(student_id):
    low, high, s, t = part.start_law(student_id)
    dead = 0.5 - (np.arctan(high * s / t) - np.arctan(low * s / t)) / (2 * np.pi)
    return dead, (high - low) / 2 * s / np.tan(0.4 * np.pi)


def silent(weights, biases, inputs):
    h, counts = inputs, []
    for matrix, bias in zip(weights, biases, strict=True):
        z = h @ matrix.T + bias
        counts.append(int((z <= 0).all(axis=0).sum()))
        h = np.maximum(z, 0)
    return counts


def drift(student_id):
    w, b, m_w, m_b = part.late_death(student_id)
    way = (w - b) / (m_w - m_b)
    return np.array([w - 0.01 * m_w, b - 0.01 * m_b]), way / (0.01 + way)


def walk(student_id, beta, n_steps):
    """Return the first step outside the cone, or None."""
    w, b, m_w, m_b = part.late_death(student_id)
    for k in range(1, n_steps + 1):
        m_w, m_b = beta * m_w, beta * m_b
        w, b = w - 0.01 * m_w, b - 0.01 * m_b
        if b > -abs(w):
            return k
    return None


def too_few(p, k_star):
    odds = np.array([1.0])
    for dead in p:
        odds = np.append(odds * dead, 0.0) + np.append(0.0, odds * (1 - dead))
    return odds[:k_star].sum()


def greedy(widths, extra=12):
    widths = list(widths)
    for _ in range(extra):
        widths[int(np.argmin(widths))] += 1
    return widths


def is_componentwise(rule):
    rng = np.random.default_rng(1)
    for t in range(1, 9):
        for i in range(4):
            history = rng.normal(size=(t, 4))
            history[:, i] = 0
            if rule(history)[i] != 0:
                return False
    return True


SOLUTIONS = {
    "dead_share": lambda s: law(s)[0],
    "bias_scale": lambda s: law(s)[1],
    "drift_rest": lambda s: drift(s)[0],
    "drift_border": lambda s: drift(s)[1],
    "drift_steps": lambda s: walk(s, 0.99, 1000),
    "survival": lambda s: np.prod([1 - 2.0**-n for n in part.narrow_stack(s)]),
    "widened": lambda s: greedy(part.narrow_stack(s)),
    "widest": lambda s: greedy(part.narrow_stack(s)),
}
FUNCTIONS = {
    "silent": silent,
    "silent_edges": silent,
    "too_few": too_few,
    "too_few_edges": too_few,
    "componentwise": is_componentwise,
}
SEEDED = ("silent", "too_few", "componentwise")


# --- what is right passes, rubbish does not --------------------------------------------------


@pytest.mark.parametrize("name", SOLUTIONS)
def test_solutions_of_all_students_pass(name):
    for student_id in (*IDS, *MANY):
        getattr(part, name)(SOLUTIONS[name](student_id), student_id=student_id)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_pass(name):
    for seed in (0, 1, 2, 3) if name in SEEDED else (None,):
        getattr(part, name)(FUNCTIONS[name], **({} if seed is None else {"seed": seed}))


def test_four_digits_are_enough():
    for name, right in SOLUTIONS.items():
        for student_id in MANY:
            answer = right(student_id)
            if isinstance(answer, float):
                getattr(part, name)(float(f"{answer:.4g}"), student_id=student_id)


@pytest.mark.parametrize("name", SOLUTIONS)
def test_garbage_fails(name):
    for garbage in GARBAGE:
        with wrong("."):
            getattr(part, name)(garbage, student_id="ada")
    with wrong("fill in your id"):
        getattr(part, name)(SOLUTIONS[name]("ada"), student_id=...)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_garbage_functions_fail(name):
    def fails(*_):
        raise KeyError("oh")

    def unwritten(*_):
        raise NotImplementedError

    check = getattr(part, name)
    with wrong("raised KeyError"):
        check(fails)
    with wrong("not written yet"):
        check(unwritten)
    for garbage in GARBAGE:
        with wrong("."):
            check(lambda *_, garbage=garbage: garbage)
        if not callable(garbage):
            with wrong("."):
                check(garbage)


# --- individual numbers ----------------------------------------------------------------------


def test_the_data_are_the_students_own():
    for name in part.GIVEN:
        draw = getattr(part, name)
        assert np.array_equal(draw("ada"), draw(" Ada "))
        assert len({str(draw(s)) for s in MANY}) > 100
        with wrong("fill in your id"):
            draw(...)


def test_late_deaths_are_well_posed():
    for student_id in MANY:
        w, b, m_w, m_b = part.late_death(student_id)
        assert b < -abs(w)  # dead now, but not a step ago
        assert b + 0.01 * m_b > -abs(w + 0.01 * m_w)
        assert m_w > abs(m_b)
        assert all(len(str(each)) < 8 for each in (w, b, m_w, m_b))
        border = drift(student_id)[1]
        assert 0.7 < border < 0.985
        assert walk(student_id, 0.5, 200) is None
        assert walk(student_id, border - 1e-6, 3000) is None
        assert walk(student_id, border + 1e-4, 3000) is not None
        way, steps = part._way_out(student_id), walk(student_id, 0.99, 1000)
        reach = [0.99 * (1 - 0.99**k) for k in (steps - 1, steps)]
        assert reach[0] < way - 1e-9
        assert reach[1] > way + 1e-9


def test_stacks_are_well_posed():
    for student_id in MANY:
        widths = part.narrow_stack(student_id)
        assert len(widths) == 10
        assert set(widths) <= {2, 3, 4, 5, 6}
        assert all(type(n) is int for n in widths)


def test_ladders_fall():
    for student_id in MANY[:12]:
        x, y = part.targets(student_id)
        rungs = np.array([problems.optimal_data_risk(x, y, k) for k in range(4)])
        assert rungs[0] == pytest.approx(1)
        assert (rungs[:-1] > 1.02 * rungs[1:]).all()
        assert rungs[-1] > 1e-4


def test_greedy_is_best():
    def best(widths, extra):
        if len(widths) == 1:
            return 1 - 2.0 ** -(widths[0] + extra)
        return max(
            (1 - 2.0 ** -(widths[0] + k)) * best(widths[1:], extra - k) for k in range(extra + 1)
        )

    for widths in ([2, 3, 5], [4, 2, 2, 6], [3, 3, 3]):
        new = np.prod([1 - 2.0**-n for n in greedy(widths, 5)])
        assert new == pytest.approx(best(widths, 5), rel=1e-12)


# --- the references, found in another way ----------------------------------------------------


def test_dead_share_is_the_share_of_the_dead():
    for student_id in IDS:
        low, high, s, t = part.start_law(student_id)
        w, b = np.random.default_rng(5).normal(size=(2, 100_000)) * [[s], [t]]
        share = ensembles.proportion_interval(
            int((np.maximum(w * low, w * high) + b <= 0).sum()), w.size, 0.9999
        )
        assert share.low < law(student_id)[0] < share.high


def test_silent_is_that_of_the_library():
    rng = np.random.default_rng(3)
    inputs, widths = rng.normal(size=(6, 2)), (2, 7, 5, 4, 1)
    net = problems.relu_network(widths, inputs, np.zeros(6))
    for theta in problems.initialize(widths, n=20, seed=1):
        layers = problems.unpack(net, theta)[0][:-1]
        found = part._silent([W for W, _ in layers], [b for _, b in layers], inputs)
        assert found == [int(a.sum()) for a in ensembles.inactive_neurons(net, theta)]


def test_too_few_is_a_sum_over_all_cases():
    p = np.array([0.1, 0.7, 0.35, 0.5, 0.02])
    for k_star in range(6):
        cases = (np.array(alive) for alive in product((0, 1), repeat=5))
        right = sum(np.where(a, 1 - p, p).prod() for a in cases if a.sum() < k_star)
        assert part._too_few(p, k_star) == pytest.approx(right, rel=1e-12, abs=0)


# --- common wrong answers --------------------------------------------------------------------


@pytest.mark.parametrize("student_id", [*IDS, *MANY[:40]])
def test_dead_share_explains(student_id):
    low, high, s, t = part.start_law(student_id)
    angle = np.arctan(high * s / t) - np.arctan(low * s / t)
    for answer, message in (
        (0.5 - (np.arctan(high) - np.arctan(low)) / (2 * np.pi), "same standard deviation"),
        (law(student_id)[0] * 2, "full turn"),
        (1 - law(student_id)[0], "outside the cone"),
        (angle / (2 * np.pi), "between the two normals"),
        (0.5 - (np.arctan(high * t / s) - np.arctan(low * t / s)) / (2 * np.pi), "exchanged"),
        (-0.1, "between 0 and 1"),
        (0.3333, "not right"),
        (1.002 * law(student_id)[0], "not right"),
    ):
        with wrong(message):
            part.dead_share(answer, student_id=student_id)


def test_bias_scale_explains():
    with wrong("positive"):
        part.bias_scale(-1.0, student_id="ada")
    with wrong("a share of 0.0"):
        part.bias_scale(0.5 * law("ada")[1], student_id="ada")


def counting(**changes):
    return lambda weights, biases, inputs: part._silent(weights, biases, inputs, **changes)


def test_silent_explains():
    with wrong("on all inputs, not on some"):
        part.silent(counting(every=np.any))
    with wrong("passed the ReLU"):
        part.silent(counting(relu=False))
    with wrong("add the bias"):
        part.silent(part._no_bias)

    def of_inputs(weights, biases, inputs):
        h, counts = inputs, []
        for matrix, bias in zip(weights, biases, strict=True):
            z = h @ matrix.T + bias
            counts.append((z <= 0).all(axis=1).sum())
            h = np.maximum(z, 0)
        return counts

    for seed in (0, 1):
        with wrong("not neurons"):
            part.silent(of_inputs, seed=seed)
    strict = counting(quiet=lambda z: z < 0)
    part.silent(strict)
    with wrong("exactly 0 silences"):
        part.silent_edges(strict)

    def from_inside(weights, biases, inputs):
        weights[0] *= 0
        return silent(weights, biases, inputs)

    with wrong("not right"):
        part.silent(from_inside)


def test_drift_explains():
    for student_id in (*IDS, *MANY[:40]):
        w, b, m_w, m_b = part.late_death(student_id)
        spot, m = np.array([w, b]), np.array([m_w, m_b])
        for answer, message in (
            (spot - 0.02 * m, "once more"),
            (spot - 0.005 * m, "one step only"),
            (spot + 0.01 * m, "against its running sum"),
            (spot, "does not stop at once"),
            (spot - m, "not right"),
        ):
            with wrong(message):
                part.drift_rest(answer, student_id=student_id)
        way, (_, border) = part._way_out(student_id), drift(student_id)
        for answer, message in (
            (1 - 0.01 / way, "does not leave the cone"),
            (border - 1e-3, "does not leave the cone"),
            (border + 1e-3, "the neuron leaves the cone"),
            (1.5, "between 0 and 1"),
        ):
            with wrong(message):
                part.drift_border(answer, student_id=student_id)
        right = walk(student_id, 0.99, 1000)
        for answer, message in (
            (right - 1, "still in the cone"),
            (right + 1, "count from 0"),
            (right + 5, "outside earlier"),
            (right + 0.5, "whole number"),
        ):
            with wrong(message):
                part.drift_steps(answer, student_id=student_id)


def test_too_few_explains():
    for mistake, message in (
        (lambda p, k: too_few(p, k + 1), "living neurons are enough"),
        (lambda p, k: too_few(1 - p, k), "living ones are counted"),
        (lambda p, k: 1 - too_few(p, k), "enough of them live"),
        (lambda p, k: too_few(np.full(p.size, p.mean()), k), "the mean of the odds"),
    ):
        for seed in (0, 1):
            with wrong(message):
                part.too_few(mistake, seed=seed)

    def cancels(p, k_star):
        return 1 - too_few(1 - p, len(p) - k_star + 1)

    part.too_few(cancels)
    with wrong("not right"):
        part.too_few_edges(cancels)


def test_survival_explains():
    for student_id in (*IDS, *MANY[:40]):
        widths = np.array(part.narrow_stack(student_id))
        right = np.prod(1 - 2.0**-widths)
        for answer, message in (
            (1 - right, "some layer is dead"),
            (np.prod(2.0**-widths), "all layers are dead"),
            ((1 - 2.0 ** -widths.mean()) ** 10, "mean does not do"),
            (right * 1.01, "not right"),
        ):
            with wrong(message):
                part.survival(answer, student_id=student_id)


def test_widths_explain():
    for student_id in (*IDS, *MANY[:40]):
        old = np.array(part.narrow_stack(student_id))
        good = np.array(greedy(old))
        first = old + 12 * (np.arange(10) == 0)
        even = old + 1
        even[0] += 2
        lower = good.copy()
        lower[np.argmax(old)] -= 3
        for check in (part.widened, part.widest):
            for answer, message in (
                (good - old, "not how many neurons are added"),
                (old, "adds 0 neurons"),
                (good + 1, "adds 22 neurons"),
                (old - 1, "narrower"),
                (good + 0.5, "whole numbers"),
                (good[:5], "array of shape"),
            ):
                with wrong(message):
                    check(answer, student_id=student_id)
        for answer in (first, even):
            part.widened(answer, student_id=student_id)
            with wrong("can be bettered"):
                part.widest(answer, student_id=student_id)


def probe(lengths=range(1, 9), columns=range(4), moves=lambda step: step != 0, rest=True, last=0):
    def test(rule):
        rng = np.random.default_rng(0)
        for t in lengths:
            for i in columns:
                history = rng.normal(size=(t, 4)) * rest
                history[-last:, i] = 0
                if moves(rule(history)[i]):
                    return False
        return True

    return test


def of_ones(rule):
    for t in range(1, 9):
        for i in range(4):
            history = np.ones((t, 4))
            history[:, i] = 0
            if rule(history)[i] != 0:
                return False
    return True


def test_componentwise_explains():
    part.componentwise(probe())
    with wrong("try one zero component among others"):
        part.componentwise(probe(rest=False))
    with wrong("momentum; but a component may go on moving"):
        part.componentwise(probe(last=1))
    with wrong("momentum; but a component may go on moving"):
        part.componentwise(probe(last=4))
    with wrong("sign"):
        part.componentwise(lambda rule: True)
    with wrong("SGD"):
        part.componentwise(lambda rule: False)
    for test, message in (
        (probe(lengths=[1, 2, 3]), "harmless in the first steps"),
        (probe(lengths=[8]), "harmless after the first steps"),
        (of_ones, "let the others differ"),
        (probe(columns=[0]), "every component"),
        (probe(moves=lambda step: abs(step) > 1e-9), "0/0"),
        (probe(moves=lambda step: not abs(step) <= 1e-9), "tiny is not zero"),
    ):
        part.componentwise(test)
        with wrong(message):
            part.componentwise(test, seed=1)
    with wrong("more than 64 times"):
        part.componentwise(probe(lengths=[*range(1, 9)] * 3))
    with wrong("must return True or False"):
        part.componentwise(lambda rule: 1)
    with wrong(r"history must have shape \(t, 4\)"):
        part.componentwise(lambda rule: rule(np.ones(3)))

    def swallows(rule):
        for _ in range(70):
            try:
                rule(np.ones((1, 4)))
            except RuntimeError:
                pass
        return True

    with wrong("more than 64 times"):
        part.componentwise(swallows)
