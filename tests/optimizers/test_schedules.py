"""Learning-rate schedules: their formulas, PyTorch's numbers, bad arguments."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from lib.optimizers.schedules import Schedule

REFERENCE = json.loads(Path(__file__).with_name("torch_reference.json").read_text())

FORMULAS = [
    (Schedule.constant(), lambda k: 1.0),
    (Schedule.step_decay(0.5, 10), lambda k: 0.5 ** math.floor(k / 10)),
    (Schedule.step_decay(), lambda k: 0.1 ** math.floor(k / 100)),
    (Schedule.exponential_decay(0.99), lambda k: 0.99**k),
    (Schedule.inverse_time(20), lambda k: 1 / (1 + k / 20)),
    (Schedule.inverse_time(0.5, 0.6), lambda k: 1 / (1 + 2 * k) ** 0.6),
    (Schedule.polynomial(100), lambda k: max(0.0, 1 - k / 100)),
    (Schedule.polynomial(150, 2), lambda k: max(0.0, 1 - k / 150) ** 2),
    (Schedule.cosine(100), lambda k: math.cos(math.pi * min(k, 100) / 200) ** 2),
    (Schedule.cosine(80, 0.2), lambda k: 0.2 + 0.8 * math.cos(math.pi * min(k, 80) / 160) ** 2),
    (Schedule.warmup(7), lambda k: min(1.0, (k + 1) / 7)),
    (
        Schedule.warmup(5, then=Schedule.inverse_time(3)),
        lambda k: (k + 1) / 5 if k < 5 else 1 / (1 + (k - 5) / 3),
    ),
]


@pytest.mark.parametrize(("schedule", "formula"), FORMULAS)
def test_formula(schedule, formula):
    steps = [*range(130), 150, 1000, 123_456]
    found = [schedule(0.3, k) for k in steps]
    np.testing.assert_allclose(found, [0.3 * formula(k) for k in steps], rtol=1e-12, atol=1e-17)
    assert all(isinstance(rate, float) for rate in found)


@pytest.mark.parametrize("case", REFERENCE["schedules"], ids=lambda case: case["schedule"])
def test_equals_pytorch(case):
    schedule = getattr(Schedule, case["schedule"])(**case["options"])
    found = [schedule(REFERENCE["base_rate"], k) for k in range(len(case["rates"]))]
    np.testing.assert_allclose(found, case["rates"], rtol=1e-12, atol=1e-15)


def test_inverse_time_sums_to_infinity_and_its_squares_do_not():
    """The partial sums grow like the logarithm; those of the squares stay below scale + 1."""
    rates = np.array([Schedule.inverse_time(10)(1.0, k) for k in range(20_000)])
    sums = rates.cumsum()
    assert sums[19_999] - sums[1999] == pytest.approx(10 * math.log(20_010 / 2010), rel=1e-3)
    assert (rates**2).sum() < 11


def test_schedules_are_values():
    assert Schedule.cosine(10) == Schedule.cosine(10, 0.0) != Schedule.cosine(11)
    assert len({Schedule.step_decay(0.5, 3), Schedule.step_decay(0.5, 3)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        Schedule.constant().kind = "cosine"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Schedule.step_decay(0.0), ValueError, "drop must be .* above 0 and at most 1"),
        (lambda: Schedule.step_decay(1.5), ValueError, "drop must be .* above 0 and at most 1"),
        (lambda: Schedule.step_decay(0.5, 0), ValueError, "every must be a whole .* at least 1"),
        (lambda: Schedule.step_decay(0.5, 2.5), TypeError, "every must be a whole number"),
        (lambda: Schedule.exponential_decay(1.1), ValueError, "gamma must be .* at most 1"),
        (lambda: Schedule.exponential_decay("x"), TypeError, "gamma must be a number"),
        (lambda: Schedule.inverse_time(0), ValueError, "scale must be .* above 0"),
        (lambda: Schedule.inverse_time(1, -1), ValueError, "power must be .* above 0"),
        (lambda: Schedule.polynomial(0), ValueError, "n_steps must be .* at least 1"),
        (lambda: Schedule.polynomial(5, 0), ValueError, "power must be .* above 0"),
        (lambda: Schedule.cosine(0), ValueError, "n_steps must be .* at least 1"),
        (lambda: Schedule.cosine(5, 1.5), ValueError, "final must be .* at most 1"),
        (lambda: Schedule.warmup(0), ValueError, "n_steps must be .* at least 1"),
        (lambda: Schedule.warmup(5, 0.1), TypeError, "then must be a Schedule; got float"),
        (
            lambda: Schedule.warmup(5, Schedule.warmup(2)),
            ValueError,
            "then must be a schedule without a warm-up",
        ),
        (lambda: Schedule.step_decay(0.5, 10**20), ValueError, "every must be .* at most 9"),
        (lambda: Schedule.cosine(10**400), ValueError, "n_steps must be .* at most 9"),
        (lambda: Schedule.warmup(10**20), ValueError, "n_steps must be .* at most 9"),
        (lambda: Schedule("linear"), ValueError, "kind must be one of 'constant', 'step_decay'"),
        (lambda: Schedule("cosine"), ValueError, "a must be a finite number above 0"),
        (lambda: Schedule("step_decay", 0.5), ValueError, "b must be .* at least 1"),
        (lambda: Schedule("constant", warmup_steps=-1), ValueError, "warmup_steps must be"),
        (lambda: Schedule.constant()(0.0, 1), ValueError, "learning_rate must be .* above 0"),
        (lambda: Schedule.constant()(0.1, -1), ValueError, "step must be .* at least 0"),
        (lambda: Schedule.constant()(0.1, 1.0), TypeError, "step must be a whole number"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
