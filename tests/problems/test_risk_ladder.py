"""The risk ladder: exact integrals, networks of least risk, and minimization over everything."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from lib.problems import (
    guaranteed_gap,
    optimal_data_risk,
    optimal_network,
    optimal_risk,
    predict,
    relu_network,
    risk_ladder,
    unpack,
)


def quadrature(kinks, nodes=3):
    """Return points and weights of sum 1, exact for polynomials of degree 5 between the kinks."""
    inner = np.sort(kinks[(kinks > -1) & (kinks < 1)])
    ends = np.concatenate([[-1.0], inner, [1.0]])
    middle, half = (ends[1:] + ends[:-1]) / 2, (ends[1:] - ends[:-1]) / 2
    x, w = np.polynomial.legendre.leggauss(nodes)
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w / 2).ravel()


def true_risk(k, theta):
    """Return the risk of a network for x^2 and uniform inputs by exact integration."""
    network = relu_network((1, k, 1), [0.0], [0.0])
    (weights, bias), _ = unpack(network, theta)[0]
    x, w = quadrature(-bias / weights[:, 0])
    return w @ (predict(network, theta, x)[:, 0] - x**2) ** 2


def best_risk(kinks, on_the_left):
    """Return the least risk with these kinks, by linear least squares."""
    x, w = quadrature(kinks)
    columns = np.where(on_the_left, kinks - x[:, None], x[:, None] - kinks)
    matrix = np.column_stack([np.ones_like(x), np.maximum(columns, 0.0)])
    root = np.sqrt(w)
    rhs = root * x**2
    solution = np.linalg.lstsq(root[:, None] * matrix, rhs, rcond=1e-13)[0]
    residual = root * (matrix @ solution) - rhs
    return residual @ residual


def minimal_risk(on_the_left, rng, starts):
    """Minimize over the kinks, for neurons of these orientations."""
    k = len(on_the_left)
    kinks = np.linspace(-1, 1, k + 2)[1:-1]
    results = []
    for i in range(starts):
        start = kinks + (i > 0) * rng.normal(0, 0.3 / k, k)
        run = minimize(lambda t: np.log(best_risk(t, on_the_left)), start, method="BFGS")
        results.append(np.exp(run.fun))
    return min(results)


def test_numbers_of_the_ladder():
    wanted = [8.8889e-2, 5.5556e-3, 1.0974e-3, 3.4722e-4, 1.4222e-4]
    np.testing.assert_allclose(risk_ladder(range(5)), wanted, rtol=1e-4)
    assert risk_ladder(0) == pytest.approx(1 / 5 - 1 / 9)  # the variance of X^2
    assert isinstance(risk_ladder(3), float)
    assert risk_ladder(np.array([[1, 2]])).shape == (1, 2)
    # The networks of the measured experiment with 400 inputs.
    for k, risk in ((2, 1.097e-3), (4, 1.422e-4), (8, 1.355e-5)):
        assert risk_ladder(k) == pytest.approx(risk, rel=5e-4)


def test_bound_holds_for_every_function_with_k_kinks():
    rng = np.random.default_rng(0)
    for k in range(6):
        lowest = np.inf
        for _ in range(60):
            ends = np.linspace(-1, 1, k + 2)
            ends[1:-1] += rng.normal(0, rng.choice([0.01, 0.3]), k)
            ends = np.sort(np.clip(ends, -0.999, 0.999))
            ends[[0, -1]] = -1, 1
            x, w = quadrature(ends[1:-1])
            hats = np.array([np.interp(x, ends, e) for e in np.eye(k + 2)]).T
            root = np.sqrt(w)
            fit = np.linalg.lstsq(root[:, None] * hats, root * x**2, rcond=None)[0]
            lowest = min(lowest, w @ (hats @ fit - x**2) ** 2)
        assert 1 - 1e-9 <= lowest / risk_ladder(k) < 1.5


def test_optimal_risk_is_the_ladder_for_even_numbers():
    for k in range(0, 40, 2):
        assert optimal_risk(k) == pytest.approx(risk_ladder(k), rel=1e-13)


def test_optimal_risk_for_odd_numbers():
    assert optimal_risk(1) == pytest.approx(5.6318e-2, abs=5e-7)
    assert optimal_risk(3) == pytest.approx(6.4662e-4, abs=5e-9)
    assert optimal_risk(3) / optimal_risk(4) == pytest.approx(4.547, abs=5e-4)
    for k in range(1, 40, 2):
        assert risk_ladder(k) < optimal_risk(k) < risk_ladder(k - 1)
    assert optimal_risk(201) / risk_ladder(201) == pytest.approx(1, abs=1e-3)


def test_one_neuron_by_brute_force():
    t = np.linspace(0.5, 0.57, 701)
    risks = [best_risk(np.array([s]), np.array([False])) for s in t]
    assert optimal_risk(1) == pytest.approx(min(risks), rel=1e-7)
    assert -optimal_network(1)[1] == pytest.approx(t[np.argmin(risks)], abs=1e-4)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_no_orientation_of_the_neurons_does_better(k):
    rng = np.random.default_rng(k)
    risks = {}
    for left in itertools.product((False, True), repeat=k):
        if sum(left) <= k / 2:  # the others are mirror images
            risks[left] = minimal_risk(np.array(left), rng, starts=2 if k < 5 else 1)
    assert min(risks.values()) == pytest.approx(optimal_risk(k), rel=1e-6)
    assert min(risks.values()) >= optimal_risk(k) * (1 - 1e-9)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 8, 13])
def test_optimal_network_attains_the_optimal_risk(k):
    theta = optimal_network(k)
    assert theta.shape == (3 * k + 1,)
    risk = true_risk(k, theta)
    assert risk == pytest.approx(optimal_risk(k), rel=1e-11)
    rng = np.random.default_rng(0)
    for _ in range(30):
        assert true_risk(k, theta + 1e-3 * rng.standard_normal(theta.size)) > risk


@pytest.mark.parametrize("k", [2, 4, 8])
def test_optimal_network_of_even_width_is_the_construction(k):
    h = 2 / (k + 1)
    kinks = -1 + h * np.arange(1, k + 1)
    sides = np.repeat([-1.0, 1.0], k // 2)
    wanted = np.concatenate([sides, -sides * kinks, np.full(k, 2 * h), [h**2 / 12]])
    np.testing.assert_allclose(optimal_network(k), wanted, rtol=0, atol=1e-14)
    wrong = wanted.copy()
    wrong[-1] = h**2 / 6
    assert true_risk(k, wrong) / risk_ladder(k) == pytest.approx(2.25, rel=1e-10)


def test_construction_on_400_inputs():
    x = (np.arange(400) + 0.5) / 200 - 1
    for k, risk in ((2, 1.097e-3), (4, 1.422e-4), (8, 1.355e-5)):
        network = relu_network((1, k, 1), x, x**2)
        assert network.value(optimal_network(k)) == pytest.approx(risk, rel=2e-3)


def test_guaranteed_gaps():
    widths = [4, 8, 16, 32, 64]
    one = [guaranteed_gap(width, 1) for width in widths]
    np.testing.assert_allclose(one, [2.05e-4, 8.15e-6, 2.92e-7, 9.82e-9, 3.19e-10], rtol=2e-3)
    quarter = [guaranteed_gap(width, width // 4) for width in widths]
    np.testing.assert_allclose(quarter, [2.1e-4, 2.3e-5, 2.0e-6, 1.5e-7, 1.0e-8], rtol=5e-2)
    assert guaranteed_gap(4000, 1) * 4000**5 == pytest.approx(16 / 45, rel=2e-3)
    assert 1 + guaranteed_gap(4000, 1000) / risk_ladder(4000) == pytest.approx(
        (4 / 3) ** 4, rel=1e-3
    )


def test_ratio_of_a_run_with_one_dead_neuron_of_four():
    assert optimal_risk(4) == pytest.approx(1.4222e-4, abs=5e-9)
    ratio = 1 + guaranteed_gap(4, 1) / optimal_risk(4)
    assert ratio == pytest.approx((5 / 4) ** 4) == pytest.approx(2.4414, abs=5e-5)
    assert 1 + guaranteed_gap(4, 1, exact=True) / optimal_risk(4) == pytest.approx(4.547, abs=5e-4)


def test_gaps_are_true_for_every_width():
    for width in range(1, 15):
        assert guaranteed_gap(width, 0) == 0.0
        for dead in range(1, width + 1):
            exact = guaranteed_gap(width, dead, exact=True)
            assert 0 < guaranteed_gap(width, dead) <= exact * (1 + 1e-12)
            assert exact == optimal_risk(width - dead) - optimal_risk(width)


# --- on data --------------------------------------------------------------------------------

TEACHER_X = np.linspace(-1, 1, 21)
TEACHER_Y = sum(
    v * np.maximum(TEACHER_X - t, 0) for v, t in ((2.0, -0.55), (-5.0, -0.05), (6.0, 0.45))
)


def searched_data_risk(x, y, k, grid):
    """Return the least risk over kinks on a grid, polished, for both directions."""
    candidates = []
    for sides in itertools.product((-1, 1), repeat=k):

        def risk(kinks, sides=sides):
            hinges = [np.maximum(s * (x - t), 0) for s, t in zip(sides, kinks, strict=True)]
            matrix = np.column_stack([np.ones_like(x), *hinges])
            rest = y - matrix @ np.linalg.lstsq(matrix, y, rcond=1e-13)[0]
            return rest @ rest / x.size

        starts = sorted(itertools.product(grid, repeat=k), key=risk)[:5]
        candidates += [minimize(risk, t, method="Nelder-Mead").fun for t in starts]
    return min(candidates)


def test_data_risk_of_one_and_two_neurons_by_search():
    rng = np.random.default_rng(4)
    for x in (np.linspace(-1, 1, 8), rng.normal(size=7)):
        y = rng.normal(size=x.size)
        one = searched_data_risk(x, y, 1, np.linspace(x.min() - 0.1, x.max(), 200))
        assert optimal_data_risk(x, y, 1) == pytest.approx(one, rel=1e-5)
        two = searched_data_risk(x, y, 2, np.linspace(x.min() - 0.1, x.max(), 24))
        assert two * (1 - 1e-3) <= optimal_data_risk(x, y, 2) <= two * (1 + 1e-12)


def test_data_risk_is_a_lower_bound_and_falls():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=9), rng.normal(size=9)
    levels = [optimal_data_risk(x, y, k) for k in range(4)]
    assert levels[0] == pytest.approx(y.var(), rel=1e-13)
    assert (np.diff(levels) < 0).all()
    assert optimal_data_risk(x, y, 8) == 0.0
    for k in (1, 2, 3):
        for _ in range(300):
            t, v, sides = rng.normal(size=k), rng.normal(size=k), rng.choice([-1, 1], k)
            f = np.maximum(sides * (x[:, None] - t), 0) @ v
            assert ((f - f.mean() - y + y.mean()) ** 2).mean() >= levels[k]


def test_ladder_of_a_teacher_with_three_kinks():
    y = (TEACHER_Y - TEACHER_Y.mean()) / TEACHER_Y.std()
    levels = [optimal_data_risk(TEACHER_X, y, k) for k in range(5)]
    assert levels[0] == pytest.approx(1.0, rel=1e-13)
    assert levels[0] > levels[1] > levels[2] > 0.1
    assert levels[3:] == [0.0, 0.0]
    scaled = optimal_data_risk(3 * TEACHER_X + 1, -2 * y, 2)
    assert scaled == pytest.approx(4 * levels[2], rel=1e-10)


def test_data_risk_of_the_parabola_comes_near_the_ladder():
    x = (np.arange(40) + 0.5) / 20 - 1
    for k in (1, 2):
        assert optimal_data_risk(x, x**2, k) == pytest.approx(optimal_risk(k), rel=0.05)


def test_too_much_work_is_refused(monkeypatch):
    monkeypatch.setitem(optimal_data_risk.__globals__, "MOST_PLACES", 100)
    assert optimal_data_risk(range(12), np.arange(12) % 3, 1) > 0
    with pytest.raises(ValueError, match="k must be smaller for 12 different inputs; got 2"):
        optimal_data_risk(range(12), np.arange(12) % 3, 2)


def test_inputs_that_occur_twice():
    x, y = [0.0, 1.0, 1.0, 2.0], [0.0, 3.0, 5.0, 0.0]
    assert optimal_data_risk(x, y, 2) == pytest.approx(0.5)  # the spread at 1 remains
    assert optimal_data_risk([1.0, 1.0], [0.0, 2.0], 0) == pytest.approx(1.0)
    order = [2, 0, 3, 1]
    shuffled = optimal_data_risk(np.take(x, order), np.take(y, order), 1)
    assert shuffled == pytest.approx(optimal_data_risk(x, y, 1), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: risk_ladder(-1), ValueError, "k must be at least 0; got -1"),
        (lambda: risk_ladder(1.0), TypeError, "k must be a whole number"),
        (lambda: risk_ladder("a"), TypeError, "k must be a whole number"),
        (lambda: optimal_risk(-1), ValueError, "k must be a whole number at least 0"),
        (lambda: optimal_risk(0.5), TypeError, "k must be a whole number"),
        (lambda: optimal_risk(10**400), ValueError, "k must be a whole number at least 0 and at"),
        (lambda: optimal_data_risk([], [], 1), ValueError, "inputs must be a one-dimensional"),
        (lambda: optimal_data_risk([[0, 1]], [0, 1], 1), ValueError, "inputs must be a one-dim"),
        (lambda: optimal_data_risk([0, np.nan], [0, 1], 1), ValueError, "inputs must be finite"),
        (
            lambda: optimal_data_risk(range(2001), range(2001), 1),
            ValueError,
            "inputs must hold at most 2000 different numbers; got 2001",
        ),
        (lambda: optimal_data_risk([0, 1], [0], 1), ValueError, r"targets must have shape \(2,\)"),
        (lambda: optimal_data_risk([0, 1], [0, 1], -1), ValueError, "k must be .* at least 0"),
        (lambda: optimal_data_risk([0, 1], [0, 1], 1.0), TypeError, "k must be a whole number"),
        (lambda: optimal_network(0), ValueError, "k must be a whole number at least 1"),
        (lambda: guaranteed_gap(0, 0), ValueError, "width must be a whole number at least 1"),
        (lambda: guaranteed_gap(3, 4), ValueError, "dead must be .* at most 3; got 4"),
        (lambda: guaranteed_gap(3, 1, exact=1), TypeError, "exact must be True or False"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
