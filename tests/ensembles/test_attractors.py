"""Long-run behavior at large learning rates: cycles, chaos, exponents."""

import math

import numpy as np
import pytest

from lib import problems
from lib.ensembles import lyapunov_exponent, orbit_tail

WELL = problems.double_well()


def test_tail_equals_the_plain_loop():
    rates = [0.3, 1.1, 1.9]
    tail = orbit_tail(WELL, [0.2, 0.3], rates, burn_in=17, keep=5)
    assert tail.shape == (3, 5, 2)
    for rate, rows in zip(rates, tail, strict=True):
        x, orbit = np.array([0.2, 0.3]), []
        for _ in range(22):
            x = x - rate * WELL.gradient(x)
            orbit.append(x)
        np.testing.assert_array_equal(rows, orbit[17:])


def test_point_cycle_and_chaos():
    point, cycle, chaos = orbit_tail(WELL, [0.0, 0.3], [0.5, 1.2, 2.0], keep=200)[..., 1]
    np.testing.assert_allclose(point, 1, atol=1e-12)
    np.testing.assert_allclose(cycle[2:], cycle[:-2], atol=1e-9)
    assert abs(cycle[1] - cycle[0]) > 0.3
    assert len(np.unique(chaos.round(6))) > 190
    assert np.abs(chaos).max() <= math.sqrt(2) + 1e-9


def test_no_burn_in_starts_after_the_first_step():
    tail = orbit_tail(WELL, [0.2, 0.3], [0.5], burn_in=0, keep=1)
    np.testing.assert_array_equal(tail[0, 0], [0.1, 0.3 - 0.5 * (0.3**3 - 0.3)])


def test_divergence_is_nan_from_there_on():
    tail = orbit_tail(WELL, [0.0, 4.6], [0.1, 0.05], burn_in=0, keep=60)
    lost = np.isnan(tail[0]).all(axis=1)
    assert 0 < lost.argmax() < 60
    assert lost[lost.argmax() :].all()
    assert np.isfinite(tail[1]).all()


def test_chebyshev_chaos_has_exponent_log_three():
    assert lyapunov_exponent(WELL, [0.0, 0.3], 2.0) == pytest.approx(math.log(3), abs=5e-3)


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.9])
def test_exponent_at_a_minimizer_is_the_rate(rate):
    exponent = lyapunov_exponent(WELL, [0.3, 0.5], rate, n_iter=2000)
    assert exponent == pytest.approx(math.log(max(abs(1 - rate), abs(1 - 2 * rate))), abs=1e-3)


def test_exponent_of_a_quadratic():
    saddle = problems.quadratic_saddle([1.0, 0.25])
    assert lyapunov_exponent(saddle, [1.0, 1.0], 0.4) == pytest.approx(math.log(0.9), abs=1e-9)


def test_exponent_of_a_diverging_orbit_is_nan():
    assert math.isnan(lyapunov_exponent(WELL, [0.0, 5.0], 0.1))


def test_superstable_orbit():
    flat = problems.quadratic_saddle([2.0, 2.0])
    assert lyapunov_exponent(flat, [1.0, 1.0], 0.5) == -math.inf


def test_seed_of_the_tangent_hardly_matters():
    one, two = (lyapunov_exponent(WELL, [0.0, 0.3], 2.0, seed=s) for s in (0, 1))
    assert one == lyapunov_exponent(WELL, [0.0, 0.3], 2.0, seed=0)
    assert one == pytest.approx(two, abs=1e-3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: orbit_tail(3, [0.0], [1.0]), TypeError, "problem must be a Problem"),
        (lambda: orbit_tail(WELL, [0.0], [1.0]), ValueError, r"x0 must have shape \(2,\)"),
        (lambda: orbit_tail(WELL, [0, 0], 0.1), ValueError, "learning_rates must be a one-dim"),
        (lambda: orbit_tail(WELL, [0, 0], []), ValueError, "learning_rates must be a one-dim"),
        (lambda: orbit_tail(WELL, [0, 0], [0.1, 0]), ValueError, "learning_rates must all be"),
        (lambda: orbit_tail(WELL, [0, 0], [0.1], -1), ValueError, "burn_in must be"),
        (lambda: orbit_tail(WELL, [0, 0], [0.1], 1, 0), ValueError, "keep must be"),
        (
            lambda: orbit_tail(WELL, [0, 0], [0.1], divergence_radius=0),
            ValueError,
            "divergence_radius must be",
        ),
        (lambda: lyapunov_exponent(3, [0.0], 1.0), TypeError, "problem must be a Problem"),
        (lambda: lyapunov_exponent(WELL, [0.0], 1.0), ValueError, r"x0 must have shape \(2,\)"),
        (lambda: lyapunov_exponent(WELL, [0, 0], 0), ValueError, "learning_rate must be"),
        (lambda: lyapunov_exponent(WELL, [0, 0], 1, 0), ValueError, "n_iter must be"),
        (lambda: lyapunov_exponent(WELL, [0, 0], 1, 1, -1), ValueError, "burn_in must be"),
        (lambda: lyapunov_exponent(WELL, [0, 0], 1, seed=-1), ValueError, "seed must be"),
    ],
)
def test_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
