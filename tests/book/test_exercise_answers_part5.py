"""The numbers in the folded solutions of part 5, computed anew; each test names the label."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr

from lib import ensembles, optimizers, problems

GRID = np.linspace(-1, 1, 21)


def gradient(w, b, v, c, x, y, on=np.greater):
    z = np.outer(x, w) + b
    h = np.maximum(z, 0)
    r = 2 * (h @ v + c - y) / len(x)
    back = np.where(on(z, 0), np.outer(r, v), 0.0)
    return x @ back, back.sum(axis=0), r @ h, r.sum()


def test_check_yourself_dead_neurons():
    assert 0.5 - math.atan(0.5) / math.pi == pytest.approx(0.3524, abs=5e-5)
    assert ensembles.death_probability((-0.5, 0.5)) == pytest.approx(0.3524, abs=5e-5)


def test_ex_nc_narrow():
    assert ensembles.death_probability((-1, 1)) == pytest.approx(0.25, abs=1e-15)
    assert ensembles.death_probability((0, 1)) == pytest.approx(0.375, abs=1e-15)
    wide = math.tan(0.49 * math.pi)
    assert wide == pytest.approx(31.82, abs=5e-3)
    assert ensembles.death_probability((-wide, wide)) == pytest.approx(0.01, abs=1e-14)
    assert ensembles.death_probability((-1e4, 1e4)) == pytest.approx(1 / (math.pi * 1e4), rel=1e-7)


def adam_by_hand(eps):
    start = np.array([1.0, -1.0]), np.array([0.5, -1.2]), np.array([1.0, 1.0])
    theta, m, s = [p.copy() for p in start], [0, 0, 0], [0, 0, 0]
    for t in range(1, 501):
        for i, g in enumerate(gradient(*theta, 0.0, GRID, np.sin(3 * GRID))[:3]):
            m[i], s[i] = 0.9 * m[i] + 0.1 * g, 0.999 * s[i] + 0.001 * g * g
            theta[i] -= 0.01 * (m[i] / (1 - 0.9**t)) / (eps + np.sqrt(s[i] / (1 - 0.999**t)))
        if eps == 0.0:
            break
    return [abs(a - b) for a, b in zip(theta, start, strict=True)]


def test_ex_nc_own_run():
    moved = adam_by_hand(1e-8)
    assert max(shift[1] for shift in moved) == 0.0
    assert min(shift[0] for shift in moved) > 0.01
    with np.errstate(invalid="ignore"):
        assert all(np.isnan(shift[1]) for shift in adam_by_hand(0.0))


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9, 0.99])
def test_ex_nc_momentum(beta):
    threshold = (1 - math.sqrt(beta)) ** 2

    def path(strength, steps=4000):
        c, m = [1.0], 0.0
        for _ in range(steps):
            m = beta * m + strength * c[-1]
            c.append(c[-1] - m)
            if abs(c[-1]) > 1e6 or c[-1] < 0:
                break
        return np.array(c)

    for share in (0.1, 0.9, 0.999):
        strength = share * threshold
        c = path(strength, 400)
        assert (c > 0).all()
        high, low = sorted(np.roots([1, -(1 + beta - strength), beta]).real, reverse=True)
        assert 1 > high > low > beta
        t = np.arange(c.size)
        closed = ((high - beta) * high**t - (low - beta) * low**t) / (high - low)
        np.testing.assert_allclose(c[:50], closed[:50], rtol=1e-6)
    t = np.arange(20)
    double = beta ** (t / 2) * (1 + t * (1 - math.sqrt(beta)))
    np.testing.assert_allclose(path(threshold, 19), double, rtol=1e-6)
    for strength in (1.1 * threshold, 0.5 * (threshold + 1), 1.5, 5.0):
        assert path(max(strength, 1.1 * threshold))[-1] < 0


def test_ex_nc_momentum_in_the_library():
    assert (1 - math.sqrt(0.9)) ** 2 == pytest.approx(0.002633, abs=5e-7)
    network = problems.relu_network((1, 8, 1), GRID, np.sin(3 * GRID))
    starts = problems.initialize((1, 8, 1), n=10, seed=2026)
    (dead,) = ensembles.inactive_neurons(network, starts, strict=True)
    assert dead.any()
    for decay, wakes in ((0.26, False), (0.28, True)):  # learning rate 0.01
        for start, mask in zip(starts, dead, strict=True):
            run = optimizers.momentum_sgd(network, start, 0.01, max_iter=600, tol=0, batch_size=5,
                                          weight_decay=decay)
            (asleep,) = ensembles.inactive_neurons(network, run.path)
            assert ((~asleep[:, mask]).any(axis=0) == wakes).all()
            w, b = run.path[:, :8][:, mask], run.path[:, 8:16][:, mask]
            for j, column in enumerate(asleep[:, mask].T):
                if wakes:
                    first = int(np.argmin(column))
                    assert (w[first, j] * GRID + b[first, j] > 0).all()


def test_ex_nc_diabetes():
    from sklearn.datasets import load_diabetes

    x = load_diabetes().data
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose((x**2).sum(axis=0), 1, rtol=1e-10)
    assert len(x) == 442 and 1 / math.sqrt(442) == pytest.approx(0.048, abs=5e-4)
    w = np.random.default_rng(0).normal(size=(20_000, 10))
    top = (x @ w.T).max(axis=0)
    assert ndtr(-top).mean() == pytest.approx(0.34, abs=0.005)
    assert ndtr(-1e-4 * top).mean() == pytest.approx(0.5, abs=1e-3)
    network = problems.relu_network((10, 8, 1), x, np.zeros(442))
    counts = []
    for bias in ("same", "zero"):
        starts = problems.initialize((10, 8, 1), n=500, bias=bias, seed=2026)
        counts.append(int(ensembles.inactive_neurons(network, starts)[0].sum()))
    assert abs(counts[0] / 4000 - 0.34) < 0.03 and counts[1] == 0


def teacher(points, seed):
    rng = np.random.default_rng(seed)
    kinks, (p, q, r) = rng.uniform(-0.2, 0.2, 3) + [-0.5, 0, 0.5], rng.uniform(1, 2, 3)
    y = np.maximum([-1, 1, 1] * (points[:, None] - kinks), 0) @ [p, q, -q - 2 * r]
    return (y - y.mean()) / y.std()


def test_ex_nc_width():
    assert ensembles.smallest_width(0.25, 0.99) == 17
    assert math.log(100) / math.log(4 / 3) == pytest.approx(16.008, abs=5e-4)
    assert ensembles.width_law(16, 0.25) == pytest.approx(0.98998, abs=5e-6)
    assert ensembles.width_law(17, 0.25) >= 0.99
    gap = 4 / 45 * (16**-4 - 17**-4)
    assert gap == pytest.approx(2.92e-7, abs=5e-10)
    assert problems.guaranteed_gap(16, 1) == pytest.approx(gap, rel=1e-9)


def test_ex_nc_depth():
    assert (7 / 8) ** 20 == pytest.approx(0.0692, abs=5e-5)
    assert ensembles.depth_law(3, 20) == pytest.approx((7 / 8) ** 20)
    assert 1 - 2 ** (-1 / 20) == pytest.approx(0.0341, abs=5e-5)
    assert -math.log2(1 - 2 ** (-1 / 20)) == pytest.approx(4.88, abs=5e-3)
    assert (31 / 32) ** 20 == pytest.approx(0.530, abs=5e-4) and (15 / 16) ** 20 < 0.5


def test_ex_nc_ladder():
    assert problems.optimal_risk(4) == pytest.approx(1.4222e-4, abs=5e-9)
    assert problems.risk_ladder(3) / problems.optimal_risk(4) == pytest.approx(2.4414, abs=5e-5)
    assert problems.optimal_risk(3) == pytest.approx(6.4662e-4, abs=5e-9)
    assert problems.optimal_risk(3) / problems.optimal_risk(4) == pytest.approx(4.547, abs=5e-4)


def test_ex_nc_students():
    by_hand = 1 - 0.75**4 - 4 * 0.25 * 0.75**3
    assert by_hand == pytest.approx(0.26172, abs=5e-6)
    assert ensembles.failure_lower_bound(4, 0.25, 3) == pytest.approx(by_hand)
    six = 15 * 0.25**4 * 0.75**2 + 6 * 0.25**5 * 0.75 + 0.25**6
    assert six == pytest.approx(0.03760, abs=5e-6)
    assert ensembles.failure_lower_bound(6, 0.25, 3) == pytest.approx(six)
    points = np.linspace(-1, 1, 21)
    y = teacher(points, 2026)
    assert problems.optimal_data_risk(points, y, 2) > 0.02
    assert problems.optimal_data_risk(points, y, 3) == 0.0
    net = problems.relu_network((1, 4, 1), points, y)
    first = problems.initialize((1, 4, 1), n=200, seed=7)
    few = (~ensembles.inactive_neurons(net, first)[0]).sum(axis=1) < 3
    last = ensembles.run_many(net, first, 0.1, max_iter=1000, tol=0.0, method="sgd", batch_size=5).x
    failed = np.array([net.value(theta) for theta in last]) > 0.01
    assert few.sum() > 20 and failed[few].all() and failed.mean() > 0.26


def test_check_yourself_width_depth_ladder():
    assert problems.risk_ladder(14) == pytest.approx(1.76e-6, abs=5e-9)
    assert ensembles.failure_lower_bound(50, 0.25, 20) < 1e-6


def test_bias_that_is_easy_to_get_wrong():
    for k in (2, 4, 8):
        theta = problems.optimal_network(k)
        h = 2 / (k + 1)
        x = (np.arange(200_000) + 0.5) / 100_000 - 1
        net = problems.relu_network((1, k, 1), x, x**2)
        theta[-1] += h**2 / 6 - h**2 / 12
        assert net.value(theta) / problems.risk_ladder(k) == pytest.approx(2.25, abs=1e-4)


def stationary(A, B, Q):
    """Return tau and V of the proof for odd k, without a thin piece."""
    tau = brentq(lambda t: A * (1 - t) ** 0.5 - B * (1 + t) ** 0.5 - Q * t / 3, 0, 1)
    length = A * (1 - tau) ** 0.5 + B * (1 + tau) ** 0.5 + Q
    return tau, length / (1 + tau**2) ** 0.25


def test_proof_for_odd_k():
    ell = (5 - 13**0.5) / 3
    one = 4 / 45 - ell * (2 - ell) ** 4 / (12 * (8 - 3 * ell))
    assert one == pytest.approx(problems.optimal_risk(1), rel=1e-12)

    tau = np.linspace(0, 1, 10_001)
    gain = (1 - tau) ** 2.5 + (1 + tau) ** 2.5 - 2 - 10 / 3 * tau**2
    assert gain[1:].min() > 0
    thin = {N: ((N - 1 + 5 / 6 * tau**0.5) / (1 + tau**2) ** 0.25).max() for N in range(4, 41, 2)}
    assert thin[4] == pytest.approx(3.40, abs=0.005)
    for N in range(4, 41, 2):
        tau, best = stationary(N // 2, N // 2 - 1, 1)
        assert 4 / 45 / best**4 == pytest.approx(problems.optimal_risk(N - 1), rel=1e-9)
        assert max(thin[N], N - 1) < N - 0.59 < best
        assert N == 4 or (tau <= 6 / (3 * N - 1) and best >= N - 0.47)
        for Q in range(1, N, 2):
            for A in range((N - Q) // 2 + 1, N - Q + 1):
                assert stationary(A, N - Q - A, Q)[1] <= best
    assert stationary(2, 1, 1)[1] == pytest.approx(3.42, abs=0.005)


ELEVEN = np.linspace(-1, 1, 11)
SINE = np.sin(2.5 * ELEVEN)


def test_ex_nc_nine_tenth():
    zero = np.zeros(3)
    m = 0.99 * zero + 0.01 * zero
    assert not np.sign(0.9 * zero + 0.1 * zero).any() and not m.any()  # (a)
    g = np.array([0.0, 1.0, 2.0])
    assert (g - g.mean())[0] == -1.0  # (b)

    net = problems.relu_network((1, 3, 1), ELEVEN, SINE)
    first = ([[-0.5], [1.0], [-1.0]], [-1.0, 0.3, 0.2])
    theta = problems.pack([first, ([[0.7, 0.5, -0.4]], [0.1])])
    assert ensembles.inactive_neurons(net, theta)[0].tolist() == [True, False, False]
    for _ in range(100):  # (c)
        theta = theta - 0.01 * np.where(net.gradient(theta) >= 0, 1.0, -1.0)
        assert ensembles.inactive_neurons(net, theta)[0][0]
    (weights, biases), _ = problems.unpack(net, theta)[0]
    assert weights[0, 0] == pytest.approx(-1.5) and biases[0] == pytest.approx(-2.0)


def trained(starts, net, steps=200, rate=0.01):
    run = ensembles.run_many(net, starts, rate, max_iter=steps, tol=0, method="adam")
    return run.x


def case(**options):
    widths = (1,) + (4,) * 10 + (1,)
    law = {"law": "he", "bias": "zero", "seed": 3} | {
        key: options.pop(key) for key in ("bias", "mirrored") if key in options
    }
    if "skip" in options:
        law["skip"] = options["skip"]
    net = problems.relu_network(widths, ELEVEN, SINE, **options)
    return net, problems.initialize(widths, 200, **law)


def constant_outputs(net, thetas):
    return np.array([np.ptp(problems.predict(net, theta, ELEVEN)) == 0 for theta in thetas])


def test_ex_nc_nine_escape_plain_and_bias():
    for options in ({}, {"bias": ("constant", 0.1)}):
        net, starts = case(**options)
        dead = ensembles.dead_layers(net, starts).any(axis=1)
        assert dead.any()
        ends = trained(starts, net)
        frozen = ensembles.frozen_parameters(net, starts)
        assert np.abs(ends - starts)[frozen].max() == 0.0
        assert constant_outputs(net, ends[dead]).all()
        if options:
            assert not ensembles.inactive_neurons(net, starts)[0].any()
    p = ensembles.death_probability((1, 2), bias=("constant", 0.1))
    assert p == pytest.approx(0.5 * math.erfc(0.1 / math.sqrt(2))) and f"{p:.4f}" == "0.4602"
    assert ensembles.death_probability((-1, 1), bias=("constant", 0.1)) == 0.0


def test_ex_nc_nine_escape_leaky():
    net, starts = case(slope=0.01)
    dead = ensembles.dead_layers(net, starts).any(axis=1)
    assert dead.any() and not ensembles.frozen_parameters(net, starts).any()
    assert not constant_outputs(net, starts[dead]).any()
    gradients = np.array([net.gradient(theta) for theta in starts[dead]])
    assert (gradients != 0).any(axis=1).all()
    one = problems.relu_network((1, 2, 1), ELEVEN, SINE, slope=0.01)
    theta = problems.pack([([[0.1], [1.0]], [-1.0, 0.0]), ([[1.0, 1.0]], [0.0])])
    assert one.gradient(theta)[[0, 2, 4]].all()  # weight, bias, outgoing weight of the inactive one


def test_ex_nc_nine_escape_residual():
    net, starts = case(skip="residual")
    layers = ensembles.dead_layers(net, starts)
    assert layers.any() and not layers[:, 0].any()
    chosen = starts[layers.any(axis=1)]
    assert not constant_outputs(net, chosen).any()
    ends = trained(chosen, net, 800)
    first = layers[layers.any(axis=1)].argmax(axis=1)
    after = ensembles.dead_layers(net, ends)[np.arange(len(ends)), first]
    assert 0 < (~after).sum() < len(ends)  # some dead branches revive, not all
    below = np.abs(ends - chosen)[:, :8].max(axis=1)
    assert (below > 0).all()
    # a dead first-layer neuron does stay dead: it has no skip, and passes on zero
    widths = (1, 3, 3, 1)
    two = problems.relu_network(widths, ELEVEN, SINE, skip="residual")
    starts = problems.initialize(widths, 300, seed=4)
    asleep = ensembles.inactive_neurons(two, starts)[0]
    ends = trained(starts, two)
    assert np.abs(ends - starts)[:, :3][asleep].max() == 0.0
    assert ensembles.inactive_neurons(two, ends)[0][asleep].all()


def test_ex_nc_nine_escape_input_output():
    net, starts = case(skip="input_output")
    dead = ensembles.dead_layers(net, starts).any(axis=1)
    ends = trained(starts, net)
    frozen = ensembles.frozen_parameters(net, starts)
    assert frozen[dead].any(axis=1).all() and np.abs(ends - starts)[frozen].max() == 0.0
    for theta in ends[dead]:
        bends = np.diff(problems.predict(net, theta, ELEVEN).ravel(), 2)
        assert np.abs(bends).max() < 1e-12  # a straight line
    line = np.polyval(np.polyfit(ELEVEN, SINE, 1), ELEVEN)
    floor = ((line - SINE) ** 2).mean()
    assert min(net.value(theta) for theta in ends[dead]) >= floor - 1e-12


def test_ex_nc_nine_escape_layer_norm():
    net, starts = case(layer_norm=True)
    assert not ensembles.dead_layers(net, starts).any()
    one = problems.relu_network((1, 3, 1), ELEVEN, SINE, layer_norm=True)
    starts = problems.initialize((1, 3, 1), 300, seed=5)
    asleep = ensembles.inactive_neurons(one, starts)[0]
    gradients = np.array([one.gradient(theta) for theta in starts])
    assert asleep.any() and (gradients[:, :3][asleep] != 0).mean() > 0.9


def test_ex_nc_nine_restarts():
    wanted = {10: 16, 20: 65, 40: 960, 80: 200723}
    for depth, runs in wanted.items():
        success = (7 / 8) ** depth
        assert success == pytest.approx(ensembles.depth_law(3, depth))
        found = math.ceil(math.log(0.01) / math.log1p(-success))
        assert found == runs


def test_ex_nc_nine_two_layers():
    def law(n):
        return 2.0 ** (1 - n) * 2.0**-n + (1 - 2.0 ** (1 - n)) * 4.0**-n

    assert law(3) == 11 / 256 and law(2) == 5 / 32 and law(4) == 23 / 2048
    for n in (2, 3, 4):
        alive = ensembles.simulate_depth_law(n, 2, inputs=(-1.0, 1.0), n=200_000, seed=6)
        assert abs(1 - alive.estimate - law(n)) < 4.5 * math.sqrt(law(n) / 200_000)
