"""Hessian-aware scaling against the textbook algorithms and against what theory predicts."""

import dataclasses
import math

import numpy as np
import pytest

from lib import problems
from lib._jit import kernel
from lib._random import below, stream
from lib.ensembles import run_many
from lib.optimizers.gradient_descent import gradient_descent
from lib.optimizers.hessian_scaled import (
    CHOICES,
    REGIMES,
    hessian_scaled,
    regime,
    regime_map,
    scalings,
    stochastic_hessian_scaled,
)
from lib.problems.base import Problem, frozen

WELL = problems.double_well()
KERNELS = ("value", "gradient", "hvp", "batch_value", "batch_gradient", "batch_hvp")


def plain(value, gradient, hvp, dimension=1):
    """Return a problem of plain Python functions: its runs are plain Python too."""

    def fill(function):
        def into(*arguments):
            arguments[-1][:] = function(*arguments[:-2])

        return into

    return Problem(
        "plain",
        dimension,
        lambda x, p: float(value(x)),
        fill(gradient),
        fill(hvp),
        frozen([]),
    )


def interpreted(problem):
    """Return the problem with kernels that make its runs plain Python: nothing is compiled."""
    changes = {}
    for name in KERNELS:
        call = getattr(problem, f"{name}_kernel")
        if call is not None:
            changes[f"{name}_kernel"] = lambda *arguments, call=call: call(*arguments)
    return dataclasses.replace(problem, **changes)


def rescaled(problem, coordinates=1.0, objective=1.0):
    """Return y -> objective * f(coordinates * y)."""
    return plain(
        lambda y: objective * problem.value(coordinates * y),
        lambda y: objective * coordinates * problem.gradient(coordinates * y),
        lambda y, v: objective * coordinates * problem.hvp(coordinates * y, coordinates * v),
        problem.dimension,
    )


def quadratic(*curvatures):
    return interpreted(problems.quadratic_saddle(curvatures))


def cubic(slope, curvature, third):
    """Return -slope t + curvature t^2 / 2 + third t^3 / 6."""
    return plain(
        lambda t: -slope * t[0] + curvature * t[0] ** 2 / 2 + third * t[0] ** 3 / 6,
        lambda t: -slope + curvature * t + third * t**2 / 2,
        lambda t, v: (curvature + third * t) * v,
    )


def sums(n=40, d=4, seed=0, noise=0.1):
    """Return a least-squares problem of plain Python functions, rows and solution."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d))
    A /= np.linalg.norm(A, axis=1)[:, None]
    z = rng.standard_normal(d)
    y = A @ z + noise * rng.standard_normal(n)

    def value(x, p, batch):
        return float(np.mean((A[batch] @ x - y[batch]) ** 2) / 2)

    def gradient(x, p, batch, out):
        out[:] = A[batch].T @ (A[batch] @ x - y[batch]) / batch.size

    def hvp(x, v, p, batch, out):
        out[:] = A[batch].T @ (A[batch] @ v) / batch.size

    every = np.arange(n)
    problem = Problem(
        "sums",
        d,
        lambda x, p: value(x, p, every),
        lambda x, p, out: gradient(x, p, every, out),
        lambda x, v, p, out: hvp(x, v, p, every, out),
        frozen([]),
        n_samples=n,
        batch_value_kernel=value,
        batch_gradient_kernel=gradient,
        batch_hvp_kernel=hvp,
    )
    return problem, A, np.linalg.lstsq(A, y, rcond=None)[0]


def rosenbrock():
    from lib.problems.classical import rosenbrock

    return interpreted(rosenbrock())


def logistic(n=60, d=4, l2=1e-2, seed=0, longest=None):
    from lib.problems.linear_models import logistic_regression

    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d)) * np.geomspace(1, 5, d)
    if longest is not None:
        A *= longest / np.linalg.norm(A, axis=1).max()
    labels = np.where(A @ rng.standard_normal(d) + rng.standard_normal(n) > 0, 1, -1)
    return interpreted(logistic_regression(A, labels, l2=l2))


# --- the algorithms as they are printed -------------------------------------------------------


def dot(a, b):
    total = 0.0
    for first, second in zip(a.tolist(), b.tolist(), strict=True):
        total += first * second
    return total


def algorithm_1(g, Hg, sigma, choose, s_lpc, s_nc):
    gg, gh, hh = dot(g, g), dot(g, Hg), dot(Hg, Hg)
    if gh > sigma * gg:
        name = choose()
        s = {"cg": gg / gh, "mr": gh / hh, "gm": math.sqrt(gg) / math.sqrt(hh)}[name]
        return s, "SPC"
    if 0 <= gh <= sigma * gg:
        return s_lpc, "LPC"
    return s_nc, "NC"  # may be "last", for the caller to replace


def algorithm_3(armijo, theta):
    alpha = 1.0
    while not armijo(alpha):
        alpha = theta * alpha
    return alpha


def algorithm_4(armijo, theta, cap):
    alpha = 1.0
    if not armijo(alpha):
        return algorithm_3(armijo, theta)
    while alpha / theta <= cap and armijo(alpha / theta):
        alpha = alpha / theta
    return alpha


def algorithm_2(problem, x, scaling, sigma, rho, theta, s_nc, steps, forward, search, cap, seed):
    state = stream(seed)
    path, trace, last = [x], [], 1.0
    for k in range(steps):
        g = problem.gradient(x)
        if np.linalg.norm(g) <= 1e-8:
            break
        choose = {
            "alternating": lambda k=k: "mr" if k % 2 == 0 else "cg",
            "random": lambda: CHOICES[below(state, 3)],
        }.get(scaling, lambda: scaling)
        s, flag = algorithm_1(g, problem.hvp(x, g), sigma, choose, 1 / sigma, s_nc)
        if flag == "SPC":
            last = s
        elif s == "last":
            s = last
        direction = -s * g

        def armijo(alpha, x=x, g=g, direction=direction):
            ahead = problem.value(x + alpha * direction)
            return ahead <= problem.value(x) + rho * alpha * dot(direction, g)

        alpha = 1.0
        if search and flag == "NC" and forward:
            alpha = algorithm_4(armijo, theta, cap)
        elif search:
            alpha = algorithm_3(armijo, theta)
        x = x + alpha * direction
        path.append(x)
        trace.append([s, alpha, REGIMES.index(flag)])
    return np.array(path), np.array(trace)


@pytest.mark.parametrize("scaling", CHOICES)
@pytest.mark.parametrize(
    ("name", "x0", "changes"),
    [
        ("well", [1.3, 0.01], {}),
        ("well", [1.3, 0.01], {"shrink": 0.7, "sufficient_decrease": 0.25, "sigma": 0.5}),
        ("well", [-0.2, 0.3], {"forward_tracking": False, "nc_step": 0.05}),
        ("well", [-0.2, 0.3], {"nc_step": 60.0}),
        ("well", [-0.2, 0.3], {"nc_step": "last"}),
        ("well", [2.0, 3.0], {"line_search": False}),
        ("rosenbrock", [-1.2, 1.0], {}),
        ("rosenbrock", [-1.2, 1.0], {"nc_step": "last"}),
        ("rosenbrock", [-0.5, -1.5], {"sigma": 30.0, "sufficient_decrease": 0.4}),
        ("saddle", [1.0, 0.1, 0.0], {"max_alpha": 8.0}),
        ("logistic", [1.0, -2.0, 0.3, 0.5], {"sufficient_decrease": 0.49}),
    ],
)
def test_equals_the_algorithms_bit_for_bit(scaling, name, x0, changes):
    problem = {
        "well": lambda: interpreted(problems.double_well(0.3)),
        "rosenbrock": rosenbrock,
        "saddle": lambda: quadratic(5.0, -1.0, 0.3),
        "logistic": logistic,
    }[name]()
    options = {
        "sigma": 1e-4,
        "sufficient_decrease": 1e-4,
        "shrink": 0.5,
        "nc_step": 1.0,
        "forward_tracking": True,
        "line_search": True,
        "max_alpha": 1e300,
        **changes,
    }
    path, trace = algorithm_2(
        problem,
        np.array(x0),
        scaling,
        *(options[key] for key in ("sigma", "sufficient_decrease", "shrink", "nc_step")),
        12 if name == "saddle" else 40,
        *(options[key] for key in ("forward_tracking", "line_search", "max_alpha")),
        seed=3,
    )
    run = hessian_scaled(problem, x0, scaling=scaling, max_iter=len(path) - 1, seed=3, **options)
    np.testing.assert_array_equal(run.path, path)
    for column, key in enumerate(["scaling", "alpha", "regime"]):
        np.testing.assert_array_equal(run.trace[key][1:], trace[:, column])
    np.testing.assert_array_equal(run.trace["step_size"][1:], trace[:, 0] * trace[:, 1])
    assert np.isnan([run.trace[key][0] for key in run.trace]).all()
    for x, measured in zip(path[:-1], run.trace["curvature"][1:], strict=True):
        g = problem.gradient(x)
        assert measured == pytest.approx(g @ problem.hvp(x, g) / (g @ g), rel=1e-12, abs=1e-12)


def test_cases_above_meet_every_regime_and_both_directions():
    well = interpreted(problems.double_well(0.3))
    runs = [hessian_scaled(well, x0, sigma=0.5) for x0 in ([1.3, 0.01], [-0.2, 0.3])]
    runs.append(hessian_scaled(well, [1.3, 0.01], sigma=0.5, scaling="mr"))
    assert {code for run in runs for code in run.trace["regime"][1:].tolist()} == {0, 1, 2}
    assert hessian_scaled(well, [-0.2, 0.3]).trace["alpha"][1:].max() > 1
    assert hessian_scaled(well, [-0.2, 0.3], nc_step=60.0).trace["alpha"][1:].min() < 1


@pytest.mark.parametrize("scaling", CHOICES)
def test_compiled_and_interpreted_runs_are_equal(scaling):
    options = {"scaling": scaling, "sigma": 0.1, "seed": 5}
    compiled = hessian_scaled(WELL, [1.5, 1e-3], **options)
    slow = hessian_scaled(interpreted(WELL), [1.5, 1e-3], **options)
    assert compiled.status == slow.status == "converged"
    np.testing.assert_array_equal(compiled.path, slow.path)
    for key, wanted in slow.trace.items():
        np.testing.assert_array_equal(compiled.trace[key], wanted)


# --- formulas -------------------------------------------------------------------------------


def test_exercise_1():
    found = scalings([1, 1], [1, 9])
    assert found.cg == 1 / 5
    assert found.mr == pytest.approx(10 / 82, rel=1e-15)
    assert found.gm == pytest.approx(math.sqrt(2 / 82), rel=1e-15)
    assert found.cosine == pytest.approx(10 / math.sqrt(164), rel=1e-15)
    assert [round(number, 6) for number in found] == [0.2, 0.121951, 0.156174, 0.780869]


def test_order_and_meaning_of_the_scalings():
    rng = np.random.default_rng(0)
    for _ in range(50):
        B = rng.standard_normal((6, 6))
        H = B @ B.T
        g = rng.standard_normal(6)
        cg, mr, gm, cosine = scalings(g, H @ g)
        assert mr <= gm <= cg
        assert gm == pytest.approx(cosine * cg, rel=1e-12)
        assert mr == pytest.approx(cosine**2 * cg, rel=1e-12)
        assert mr >= 1 / np.linalg.eigvalsh(H)[-1]
        for factor in (1 - 1e-3, 1 + 1e-3):  # CG minimizes the model, MR its gradient's norm

            def model(s, H=H, g=g):
                return -s * g @ g + s * s * g @ H @ g / 2

            def residual(s, H=H, g=g):
                return np.linalg.norm(g - s * H @ g)

            assert model(cg) < model(factor * cg)
            assert residual(mr) < residual(factor * mr)


def test_bounds_of_the_mr_scaling():
    """A bound of |Hg|/|g| alone does not give 1/L1, not even for a positive definite Hessian."""
    H, g = np.diag([10.0, 0.0]), np.array([0.05, 1.0])
    assert np.linalg.norm(H @ g) == 0.5 < np.linalg.norm(g)
    assert scalings(g, H @ g).mr == pytest.approx(0.1, rel=1e-12)
    H, sigma = np.diag([10.0, -10.0]), 0.1
    angle = math.acos((sigma + 1e-5) / 10) / 2  # curvature just above sigma
    g = np.array([math.cos(angle), math.sin(angle)])
    assert regime(g, H @ g, sigma) == 0
    mr = scalings(g, H @ g).mr
    assert sigma / 10**2 < mr == pytest.approx(sigma / 10**2, rel=1e-3)


def test_regimes_at_the_edges():
    assert REGIMES == ("SPC", "LPC", "NC")
    names = [REGIMES[regime([2.0], [b], 0.5)] for b in (1.1, 1.0, 1e-300, 0.0, -0.0, -1e-300)]
    assert names == ["SPC", "LPC", "LPC", "LPC", "LPC", "NC"]
    assert regime([2.0], [1e-300], 0.0) == 0
    assert regime([1e-200, 1e-200], [1e-200, 0.0], 0.4) == 0
    assert regime([0.0, 0.0], [0.0, 0.0], 0.0) == 1


def test_helpers_neither_overflow_nor_vanish():
    for size in (1e-200, 1e200):
        assert scalings([size, size], [size, 9 * size]) == pytest.approx(scalings([1, 1], [1, 9]))


def test_no_scaling_beyond_the_floating_range():
    with pytest.raises(ValueError, match="Hg must not be so much longer than g"):
        scalings([1e-300], [1e300])
    assert regime([1e-300], [1e300], 0.1) == 0


@pytest.mark.parametrize("Hg", [[1.0, -1.0], [-1.0, 0.0]])
def test_no_scaling_without_positive_curvature(Hg):
    with pytest.raises(ValueError, match="g and Hg must have a positive inner product"):
        scalings([1.0, 1.0], Hg)


def test_arguments_of_the_helpers_are_named():
    with pytest.raises(ValueError, match=r"Hg must have shape \(2,\)"):
        scalings([1.0, 1.0], [1.0])
    with pytest.raises(ValueError, match="g must be a one-dimensional"):
        regime([], [], 0.1)
    with pytest.raises(ValueError, match="sigma must be a finite number at least 0"):
        regime([1.0], [1.0], -0.1)


# --- the Armijo test and the unit step ------------------------------------------------------


@pytest.mark.parametrize("scaling", ["cg", "mr", "gm"])
def test_armijo_ratio_on_quadratics(scaling):
    """The unit step lowers f by 1/2, 1 - cos/2, 1 - cos^2/2 of what the slope promises."""
    curvatures = np.geomspace(1.0, 9.0, 5)
    problem = quadratic(*curvatures)
    for x0 in np.random.default_rng(1).standard_normal((20, 5)):
        run = hessian_scaled(problem, x0, scaling=scaling, line_search=False, max_iter=1)
        g = curvatures * x0
        cosine = scalings(g, curvatures * g).cosine
        wanted = {"cg": 0.5, "mr": 1 - cosine**2 / 2, "gm": 1 - cosine / 2}[scaling]
        ratio = (run.values[0] - run.values[1]) / (run.trace["scaling"][1] * g @ g)
        assert ratio == pytest.approx(wanted, abs=1e-13)
        for rho, accepted in ((wanted - 1e-9, True), (wanted + 1e-9, False)):
            step = hessian_scaled(problem, x0, scaling=scaling, sufficient_decrease=rho, max_iter=1)
            assert (step.trace["alpha"][1] == 1.0) == accepted


def test_exercise_3_how_large_rho_may_be():
    """1/2 in the worst case, an eigenvector; 1 - 2 kappa / (kappa + 1)^2 in the best one."""
    problem = quadratic(1.0, 9.0)
    angles = np.linspace(0, np.pi / 2, 501)
    starts = np.column_stack([np.cos(angles), np.sin(angles) / 9])
    runs = [
        hessian_scaled(problem, x0, scaling="mr", line_search=False, max_iter=1) for x0 in starts
    ]
    drop = np.array([run.values[0] - run.values[1] for run in runs])
    promised = np.array([run.trace["scaling"][1] * run.gradient_norms[0] ** 2 for run in runs])
    ratios = drop / promised
    assert ratios.min() == pytest.approx(0.5, abs=1e-12)
    assert ratios.argmin() in (0, 500)
    assert ratios.max() == pytest.approx(1 - 18 / 100, abs=1e-4)


@pytest.mark.parametrize("rho", [1e-4, 0.25])
@pytest.mark.parametrize("side", [0.999, 1.001])
def test_unit_step_threshold_is_sharp(rho, side):
    sigma, third = 0.5, 2.0
    slope = side * 3 * sigma**2 * (1 - 2 * rho) / third
    run = hessian_scaled(
        cubic(slope, sigma, third), [0.0], sigma=sigma, sufficient_decrease=rho, max_iter=1
    )
    assert run.trace["regime"][1] == 1 and run.trace["scaling"][1] == 1 / sigma
    assert (run.trace["alpha"][1] == 1.0) == (side < 1)


@pytest.mark.parametrize("rho", [1e-4, 0.25])
@pytest.mark.parametrize("side", [0.999, 1.001])
def test_unit_step_threshold_where_the_curvature_is_negative(rho, side):
    slope = side * 6 * (1 - rho) / 2.0
    run = hessian_scaled(
        cubic(slope, -1e-9, 2.0), [0.0], sufficient_decrease=rho, shrink=0.9, max_iter=1
    )
    assert run.trace["regime"][1] == 2
    assert (run.trace["alpha"][1] >= 1.0) == (side < 1)


def test_exercise_4():
    """sigma = 0.5, L2 = 2, rho = 0.25: guaranteed below 0.1875."""
    for slope, accepted in ((0.18749, True), (0.18751, False)):
        run = hessian_scaled(
            cubic(slope, 0.5, 2.0), [0.0], sigma=0.5, sufficient_decrease=0.25, max_iter=1
        )
        assert (run.trace["alpha"][1] == 1.0) == accepted


@pytest.mark.parametrize("scaling", ["cg", "mr", "gm"])
def test_unit_step_below_the_threshold_on_logistic_regression(scaling):
    strength, rho = 0.1, 0.45
    problem = logistic(n=80, l2=strength, longest=1.0)
    threshold = 3 * strength**2 * (1 - 2 * rho) / problem.constants["hessian_lipschitz"]
    best = hessian_scaled(problem, np.zeros(4), tol=1e-11).x
    rng = np.random.default_rng(2)
    seen = []
    for _ in range(60):
        x0 = best + 10 ** rng.uniform(-3, 0.5) * rng.standard_normal(4)
        run = hessian_scaled(
            problem,
            x0,
            scaling=scaling,
            sigma=0.999 * strength,
            sufficient_decrease=rho,
            max_iter=1,
        )
        seen.append([run.gradient_norms[0], run.trace["alpha"][1]])
    sizes, alphas = np.array(seen).T
    assert (sizes < threshold).sum() > 15
    assert (alphas[sizes < threshold] == 1).all()


@pytest.mark.parametrize(("noise", "accepted"), [(0.79, True), (0.81, False)])
def test_how_wrong_the_hessian_may_be(noise, accepted):
    """On a quadratic the ratio is (1 - noise/sigma)/2, so 1 - 2 rho is the limit."""
    sigma = 0.5
    problem = plain(
        lambda x: sigma * (1 + noise) * x[0] ** 2 / 2,
        lambda x: sigma * (1 + noise) * x,
        lambda x, v: sigma * v,
    )
    run = hessian_scaled(problem, [1.0], sigma=0.4, sufficient_decrease=0.1, max_iter=1)
    ratio = (run.values[0] - run.value) / (run.gradient_norms[0] ** 2 * run.trace["step_size"][1])
    assert (run.trace["alpha"][1] == 1.0) == accepted
    if accepted:
        assert ratio == pytest.approx((1 - noise) / 2, rel=1e-12)


def test_noise_in_the_product_has_the_length_asked_for():
    """The curvature along g is disturbed by noise times a coordinate of a random unit vector."""
    curvatures = np.array([1.0, 3.0, 9.0])
    for d in (1, 2, 3):
        problem = quadratic(*curvatures[:d])
        g = curvatures[:d] ** 2
        exact = g @ (curvatures[:d] * g) / (g @ g)
        errors = np.array(
            [
                hessian_scaled(
                    problem, curvatures[:d], hessian_noise=0.25, max_iter=1, seed=seed
                ).trace["curvature"][1]
                - exact
                for seed in range(400)
            ]
        )
        assert np.abs(errors).max() <= 0.25 * (1 + 1e-12)
        assert abs(errors.mean()) < 4 * 0.25 / math.sqrt(400 * d)
        assert (errors**2).mean() == pytest.approx(0.25**2 / d, rel=0.15)
        if d == 1:
            np.testing.assert_allclose(np.abs(errors), 0.25, rtol=1e-12)
        if d == 3:  # a coordinate of a point on the sphere is uniform
            assert np.histogram(errors, 4, (-0.25, 0.25))[0].min() > 70
    quiet = hessian_scaled(problem, curvatures, scaling="random")
    same = hessian_scaled(problem, curvatures, scaling="random", hessian_noise=0.0)
    np.testing.assert_array_equal(quiet.path, same.path)


def test_how_much_noise_unit_steps_bear():
    """Below (1 - 2 rho) sigma none is refused on a quadratic, far above many are."""
    sigma, rho = 0.5, 0.1
    problem = quadratic(*np.geomspace(1.0, 20.0, 5))
    fractions = []
    for noise in (0.99 * (1 - 2 * rho) * sigma, 10.0):
        runs = [
            hessian_scaled(
                problem,
                np.ones(5),
                sigma=sigma,
                sufficient_decrease=rho,
                hessian_noise=noise,
                seed=seed,
                max_iter=40,
            )
            for seed in range(5)
        ]
        alphas = np.concatenate([run.trace["alpha"][1:] for run in runs])
        fractions.append((alphas == 1).mean())
    assert fractions[0] == 1.0 and fractions[1] < 0.9


def test_a_trial_may_miss_by_as_much_as_the_values_are_rounded():
    """The step rises by 0.01 from 10, where the slope promises a fall of rho."""
    uphill = plain(lambda x: 10 + 0.01 * x[0], lambda x: -np.ones(1), lambda x, v: v)
    border = (0.01 + 0.25) / 10
    for slack, accepted in ((1.001 * border, True), (0.999 * border, False)):
        run = hessian_scaled(
            uphill, [0.0], sufficient_decrease=0.25, value_tol=slack, max_iter=1, shrink=0.25
        )
        assert (run.trace["alpha"][1] == 1.0) == accepted


def test_close_to_a_minimizer_rounding_refuses_steps():
    problem = logistic(n=60, d=4, l2=1e-2)
    options = {"scaling": "alternating", "tol": 1e-12}
    strict = hessian_scaled(problem, np.zeros(4), **options)
    assert strict.status == "line_search_failed" and 1e-12 < strict.gradient_norm < 1e-7
    lenient = hessian_scaled(problem, np.zeros(4), value_tol=1e-14, **options)
    assert lenient.status == "converged" and (lenient.trace["alpha"][1:] == 1).all()


# --- rates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kappa", "digits"), [(10, 0.66942), (100, 0.96079), (1000, 0.99601)])
def test_worst_cases_in_two_dimensions(kappa, digits):
    rate = (kappa - 1) / (kappa + 1)
    problem = quadratic(1.0, kappa)
    options = {"sigma": 0.0, "max_iter": 10, "tol": 0.0}
    cg = hessian_scaled(problem, [1.0, 1.0 / kappa], **options)
    np.testing.assert_allclose(cg.values[1:] / cg.values[:-1], rate**2, rtol=1e-9)
    assert round(cg.values[1] / cg.values[0], 5) == digits
    mr = hessian_scaled(problem, [1.0, kappa**-1.5], scaling="mr", **options)
    np.testing.assert_allclose(mr.gradient_norms[1:] / mr.gradient_norms[:-1], rate, rtol=1e-9)


def test_alternating_is_superlinear_in_two_dimensions():
    logs = {}
    for scaling in ("cg", "mr", "alternating"):
        run = hessian_scaled(
            quadratic(1.0, 100.0), [1.0, 0.01], scaling=scaling, sigma=0.0, max_iter=10, tol=0.0
        )
        sizes = run.gradient_norms
        logs[scaling] = [np.log10(sizes[k]).round(2) for k in (0, 5, 10) if k < len(sizes)]
    assert logs["cg"] == [0.15, 0.11, 0.06]
    assert logs["mr"] == [0.15, -0.62, -1.40]
    assert logs["alternating"][:2] == [0.15, -8.03]
    assert run.gradient_norm < 1e-35


def test_non_monotone_quantities():
    """CG can raise the gradient norm, GM can for kappa above 13.93, MR can be worse in f."""
    kappa = 100.0
    weights = np.geomspace(1e-4, 1e4, 1001)

    def grown(kappa, name):
        most = 0.0
        for w in weights:
            g = np.array([1.0, w])
            Hg = np.array([1.0, kappa * w])
            s = getattr(scalings(g, Hg), name)
            most = max(most, np.linalg.norm(g - s * Hg) / np.linalg.norm(g))
        return most

    assert grown(kappa, "cg") == pytest.approx((kappa - 1) / (2 * math.sqrt(kappa)), rel=1e-4)
    assert round((kappa - 1) / (2 * math.sqrt(kappa)), 2) == 4.95
    assert grown(13.9, "gm") < 1 < grown(13.96, "gm")
    assert round((2 + math.sqrt(3)) ** 2, 2) == 13.93
    worst = 0.0
    for w in weights:
        g = np.array([1.0, w])
        H = np.array([1.0, kappa])
        ahead = g - scalings(g, H * g).mr * H * g
        worst = max(worst, (ahead**2 / H).sum() / (g**2 / H).sum())
    assert worst == pytest.approx(0.9773, abs=5e-5)
    assert worst > ((kappa - 1) / (kappa + 1)) ** 2


SPECTRA = {kappa: problems.quadratic_saddle(np.geomspace(1, kappa, 50)) for kappa in (10, 100)}
# Steps that reduce the gradient 1e10 times, as measured elsewhere from other starts.
EXPECTED = {
    "cg": (97, 831),
    "mr": (95, 822),
    "gm": (97, 858),
    "alternating": (55, 143),
    "random": (41, 124),
}


@pytest.mark.parametrize("scaling", CHOICES)
@pytest.mark.parametrize("kappa", [10, 100])
def test_steps_against_the_condition_number(scaling, kappa):
    rate = (kappa - 1) / (kappa + 1)
    counts = []
    for x0 in np.random.default_rng(0).standard_normal((5, 50)):
        tol = 1e-10 * np.linalg.norm(SPECTRA[kappa].gradient(x0))
        run = hessian_scaled(SPECTRA[kappa], x0, scaling=scaling, tol=tol, max_iter=5000)
        assert run.status == "converged"
        assert (run.trace["alpha"][1:] == 1).all() and (run.trace["regime"][1:] == 0).all()
        counts.append(run.n_iter)
    count = np.median(counts)
    assert count == pytest.approx(EXPECTED[scaling][kappa == 100], rel=0.15)
    worst = math.log(1e10) / -math.log(rate)
    assert (worst, count) > (0, 0) and count < worst
    if kappa == 100 and scaling in ("alternating", "random"):
        assert count < worst / 6


def test_gm_step_settles_at_the_middle_of_the_spectrum():
    for kappa, x0 in ((10, np.ones(50)), (100, np.ones(50))):
        run = hessian_scaled(SPECTRA[kappa], x0, scaling="gm", tol=1e-12, max_iter=5000)
        late = run.trace["step_size"][-20:]
        np.testing.assert_allclose(late * (1 + kappa) / 2, 1.0, atol=5e-3)


def test_exercise_5():
    assert math.ceil(math.log(1e6) / -math.log(99 / 101)) == 691
    run = hessian_scaled(
        quadratic(1.0, 100.0),
        [1.0, 1e-3],
        scaling="mr",
        sigma=0.0,
        tol=1e-6 * math.hypot(1.0, 0.1),
        record_every=1000,
    )
    assert (run.status, run.n_iter) == ("converged", 691)


# --- examples -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sigma", "x0", "steps", "backtracked"),
    [
        *[(1e-8, *case) for case in ((1.1, 4, 1), (2, 5, 1), (10, 6, 2), (100, 8, 4))],
        *[(0.1, *case) for case in ((1.1, 4, 1), (2, 4, 1), (10, 3, 0), (100, 12, 0))],
    ],
)
def test_newton_in_one_dimension_made_safe(sigma, x0, steps, backtracked):
    """All scalings are Newton's step, whose own map is x -> -x^3."""
    hyperbola = plain(
        lambda x: math.hypot(1, x[0]),
        lambda x: x / np.sqrt(1 + x * x),
        lambda x, v: v / (1 + x * x) ** 1.5,
    )
    paths = []
    for scaling in ("cg", "mr", "gm"):
        run = hessian_scaled(hyperbola, [x0], scaling=scaling, sigma=sigma, tol=1e-10)
        assert (run.status, run.n_iter) == ("converged", steps)
        assert (run.trace["alpha"][1:] < 1).sum() == backtracked
        paths.append(run.path)
    np.testing.assert_allclose(paths[1:], [paths[0]] * 2, rtol=1e-10, atol=1e-12)
    pure = hessian_scaled(
        hyperbola, [2.0], sigma=0.0, line_search=False, max_iter=3, divergence_radius=1e9
    )
    np.testing.assert_allclose(pure.path[:, 0], [2.0, -8.0, 512.0, -(512.0**3)], rtol=1e-9)


def test_quartic_needs_no_lipschitz_constant():
    quartic = plain(
        lambda x: (x @ x) ** 2 / 4,
        lambda x: (x @ x) * x,
        lambda x, v: (x @ x) * v + 2 * (x @ v) * x,
        3,
    )
    x0 = 1e3 * np.array([2.0, -1.0, 2.0]) / 3
    run = hessian_scaled(quartic, x0, sigma=1e-4, max_iter=25)
    np.testing.assert_allclose(run.path[1:], run.path[:-1] * 2 / 3, rtol=1e-12)
    np.testing.assert_allclose(run.gradient_norms[1:] / run.gradient_norms[:-1], 8 / 27, rtol=1e-12)
    assert (run.trace["alpha"][1:] == 1).all()
    with np.errstate(over="ignore"):
        gd = gradient_descent(quartic, x0, learning_rate=0.1, divergence_radius=1e300)
    assert gd.status == "diverged" and gd.n_iter <= 5
    capped = hessian_scaled(quartic, 1e-3 * x0, sigma=3.0, max_iter=3)
    assert (capped.trace["scaling"][1:] == 1 / 3).all()


@pytest.mark.parametrize(
    ("y0", "slow", "slower", "fast", "other", "descent"),
    [
        (1e-2, 5, 358, 17, 9, 26),
        (1e-4, 12, 821, 8, 11, 27),
        (1e-6, 19, 1284, 6, 9, 39),
        (1e-8, 25, 1747, 7, 6, 50),
    ],
)
def test_forward_tracking_leaves_a_saddle_in_one_step(y0, slow, slower, fast, other, descent):
    gd = gradient_descent(interpreted(WELL), [0.5, y0], learning_rate=0.5)
    assert (gd.status, gd.n_iter) == ("converged", descent)
    for nc_step, without, total in ((1.0, slow, fast), (0.01, slower, other)):
        options = {"sigma": 1e-8, "nc_step": nc_step, "max_iter": 5000}
        run = hessian_scaled(WELL, [0.5, y0], forward_tracking=False, **options)
        assert (run.trace["regime"] == 2).sum() == without
        if nc_step == 1.0:
            assert without == math.floor(math.log2(1 / math.sqrt(3) / y0))
        run = hessian_scaled(WELL, [0.5, y0], **options)
        assert (run.trace["regime"] == 2).sum() == 1
        assert (run.status, run.n_iter) == ("converged", total)
        np.testing.assert_allclose(run.x, [0.0, 1.0], atol=1e-8)


def test_a_loose_tolerance_stops_at_the_saddle():
    for forward in (True, False):
        run = hessian_scaled(WELL, [0.5, 1e-8], sigma=1e-8, forward_tracking=forward, tol=1e-6)
        assert (run.status, run.n_iter) == ("converged", 1)
        assert np.abs(run.x).max() < 1e-6


def test_start_on_the_stable_axis_stops_at_the_saddle():
    run = hessian_scaled(WELL, [0.5, 0.0])
    assert (run.status, run.n_iter, run.x.tolist()) == ("converged", 1, [0.0, 0.0])
    assert run.trace["regime"].tolist()[1:] == [0.0]


@pytest.mark.parametrize("rho", [1e-4, 0.1, 0.25, 0.4])
def test_exercise_2(rho):
    """The last power of two before Armijo's test first fails is 128."""
    run = hessian_scaled(WELL, [0.0, 0.01], sufficient_decrease=rho, max_iter=1)
    assert run.trace["regime"][1] == 2 and run.trace["alpha"][1] == 128

    def accepted(alpha):
        g = WELL.gradient([0.0, 0.01])
        drop = WELL.value([0.0, 0.01]) - WELL.value(np.array([0.0, 0.01]) - alpha * g)
        return drop >= rho * alpha * g @ g

    assert [accepted(2.0**j) for j in range(9)] == [True] * 8 + [False]


def test_exercise_2_zero_curvature_is_limited_positive():
    line = plain(lambda x: x[0], lambda x: np.ones(1), lambda x, v: 0 * v)
    run = hessian_scaled(line, [0.0], sigma=0.25, max_iter=1)
    assert (run.trace["regime"][1], run.trace["scaling"][1], run.x[0]) == (1, 4.0, -4.0)
    run = hessian_scaled(line, [0.0], sigma=0.0, max_iter=1)
    assert (run.trace["regime"][1], run.trace["scaling"][1]) == (1, 1.0)
    run = hessian_scaled(line, [0.0], sigma=0.25, lpc_step=0.5, max_iter=1)
    assert run.trace["scaling"][1] == 0.5


def test_forward_tracking_may_jump_to_a_plateau():
    """A well next to a hilltop, and a plateau at height -1 on both sides."""

    def bump(x):
        return np.exp(-x * x)

    def value(x):
        return x[0] ** 2 * (-1 / (1 + x[0] ** 2) - 2 * bump(x[0]))

    def gradient(x):
        return -2 * x / (1 + x * x) ** 2 - 4 * x * (1 - x * x) * bump(x)

    def hvp(x, v):
        bent = -(2 - 6 * x * x) / (1 + x * x) ** 3
        return (bent - 4 * (1 - 5 * x**2 + 2 * x**4) * bump(x)) * v

    problem = plain(value, gradient, hvp)
    options = {"sigma": 1e-8, "max_iter": 60, "divergence_radius": 1e12}
    far = hessian_scaled(problem, [0.1], **options)
    assert (far.status, far.n_iter) == ("converged", 1)
    assert far.trace["alpha"][1] > 1e4 and far.value == pytest.approx(-1.0, abs=1e-4)
    assert hessian_scaled(problem, [0.1], sufficient_decrease=0.25, **options).value > -1.1
    for cure in ({"max_alpha": 4.0}, {"forward_tracking": False}):
        run = hessian_scaled(problem, [0.1], **options, **cure)
        assert run.status == "converged" and run.value < -1.27
    assert hessian_scaled(problem, [0.1], max_alpha=4.0, **options).trace["alpha"][1:].max() <= 4


# --- invariance -----------------------------------------------------------------------------


def deviation(problem, x0, scaling, c, objective=False, sigma=0.0, sigma_there=0.0, **more):
    """Return the largest relative difference of mapped iterates, and the run in new units."""
    options = {"scaling": scaling, "max_iter": 60, "tol": 0.0, **more}
    run = hessian_scaled(problem, x0, sigma=sigma, **options)
    if objective:
        there = hessian_scaled(rescaled(problem, objective=c), x0, sigma=sigma_there, **options)
        mapped = there.path
    else:
        start = np.array(x0) / c
        there = hessian_scaled(rescaled(problem, c), start, sigma=sigma_there, **options)
        mapped = c * there.path
    rows = min(len(mapped), len(run.path))
    apart = np.linalg.norm(mapped[:rows] - run.path[:rows], axis=1)
    return (apart / np.maximum(1, np.linalg.norm(run.path[:rows], axis=1))).max(), there


@pytest.mark.parametrize("scaling", ["cg", "mr", "gm", "alternating"])
@pytest.mark.parametrize("objective", [False, True])
def test_units_that_are_powers_of_two_change_no_bit(scaling, objective):
    for problem, x0 in ((rosenbrock(), [-1.2, 1.0]), (logistic(), [1.0, -2.0, 0.3, 0.5])):
        for c in (2.0**10, 2.0**-7):
            assert deviation(problem, x0, scaling, c, objective)[0] == 0


@pytest.mark.parametrize("scaling", ["cg", "mr", "gm", "alternating"])
@pytest.mark.parametrize("objective", [False, True])
@pytest.mark.parametrize("c", [3.7, 1e-3, 1e4])
def test_other_units_change_only_the_rounding(scaling, objective, c):
    start = [0.1, -0.2, 0.03, 0.05]
    assert deviation(logistic(), start, scaling, c, objective)[0] < 1e-9
    if scaling in ("cg", "gm"):
        assert deviation(rosenbrock(), [-1.2, 1.0], scaling, c, objective)[0] < 1e-11


def test_negative_curvature_steps_are_not_invariant():
    measured = {"mr": (4, 0.50, 0.08, 0.26), "alternating": (2, 0.29, 0.27, 0.23)}
    for scaling in ("cg", "gm", "mr", "alternating"):
        steps, *apart = measured.get(scaling, (0,))
        run = hessian_scaled(rosenbrock(), [-1.2, 1.0], scaling=scaling, sigma=0.0, max_iter=60)
        assert (run.trace["regime"] == 2).sum() == steps
        for c, wanted in zip((3.7, 1e-3, 1e4), apart, strict=False):
            found = deviation(rosenbrock(), [-1.2, 1.0], scaling, c)[0]
            assert found == pytest.approx(wanted, abs=0.006)


@pytest.mark.parametrize("objective", [False, True])
def test_the_last_scaling_makes_them_invariant(objective):
    run = hessian_scaled(
        rosenbrock(), [-1.2, 1.0], scaling="mr", sigma=0.0, nc_step="last", max_iter=60
    )
    negative = np.flatnonzero(run.trace["regime"] == 2)
    assert negative.size > 1
    np.testing.assert_array_equal(
        run.trace["scaling"][negative], run.trace["scaling"][negative - 1]
    )
    for scaling in ("mr", "alternating"):
        for c in (3.7, 1e-3, 1e4):
            options = {"objective": objective, "nc_step": "last"}
            assert deviation(rosenbrock(), [-1.2, 1.0], scaling, c, **options)[0] < 1e-6


def test_the_last_scaling_is_1_before_the_first():
    run = hessian_scaled(interpreted(WELL), [0.0, 0.01], nc_step="last", max_iter=1)
    assert run.trace["regime"][1] == 2 and run.trace["scaling"][1] == 1.0


def test_exercise_6_sigma_has_units():
    """In coordinates x = c y the curvature is c^2 times as large, and so must sigma be."""
    for c in (10.0, 1024.0):
        run = hessian_scaled(logistic(), [1.0, -2.0, 0.3, 0.5], sigma=1e-3, max_iter=60)
        assert deviation(logistic(), [1.0, -2.0, 0.3, 0.5], "cg", c, False, 1e-3, 1e-3 * c**2)[
            0
        ] < (1e-9 if c == 10 else 1e-300)
        assert (run.trace["regime"][1:] == 0).all()
    apart, there = deviation(logistic(), [1.0, -2.0, 0.3, 0.5], "cg", 1e-3, False, 0.05, 0.05)
    assert (there.trace["regime"][1:] == 1).all() and apart > 0.1
    assert 1e-3 * 10**2 == pytest.approx(0.1)


def test_diagonal_units_do_matter():
    base = logistic()
    stretch = np.array([1.0, 10.0, 0.1, 3.0])
    skewed = plain(
        lambda y: base.value(stretch * y),
        lambda y: stretch * base.gradient(stretch * y),
        lambda y, v: stretch * base.hvp(stretch * y, stretch * v),
        4,
    )
    x0 = np.array([1.0, -2.0, 0.3, 0.5])
    run = hessian_scaled(base, x0, sigma=0.0, max_iter=60)
    other = hessian_scaled(skewed, x0 / stretch, sigma=0.0, max_iter=60)
    rows = min(len(run.path), len(other.path))
    assert np.abs(stretch * other.path[:rows] - run.path[:rows]).max() > 0.1


@pytest.mark.parametrize("size", [1e-180, 1e150, 1e200])
def test_tiny_and_huge_gradients_are_scaled_rightly(size):
    run = hessian_scaled(
        quadratic(4.0, 1.0),
        [size, 2 * size],
        sigma=0.5,
        line_search=False,
        tol=0.0,
        max_iter=1,
        divergence_radius=1e300,
    )
    wanted = scalings([4, 2], [16, 2]).cg
    assert run.trace["scaling"][1] == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(run.x / size, [1 - 4 * wanted, 2 - 2 * wanted], rtol=1e-12)


# --- maps of the regimes --------------------------------------------------------------------


def test_map_of_the_regimes():
    himmelblau = interpreted(problems.himmelblau())
    points = np.random.default_rng(5).uniform(-5, 5, (300, 2))
    for sigma in (0.0, 20.0):
        wanted = []
        for x in points:
            g = himmelblau.gradient(x)
            wanted.append(regime(g, himmelblau.hvp(x, g), sigma))
        found = regime_map(himmelblau, points, sigma)
        np.testing.assert_array_equal(found, wanted)
        assert found.dtype == np.int64 and set(found) == ({0, 2} if sigma == 0 else {0, 1, 2})


def test_map_at_the_edges():
    sizes = [[0.0, 1.0], [1e200, 1e200], [1e-200, 1e-220], [0.0, 0.0]]
    for well in (WELL, interpreted(WELL)):
        with np.errstate(all="ignore"):
            assert regime_map(well, sizes, 0.5).tolist() == [1, -1, 0, 1]
    for matrix, code in ((1e300, 0), (1e-300, 1), (-1e-300, 2)):
        assert regime_map(quadratic(matrix), [[1e-3]], 0.1).tolist() == [code]
    with pytest.raises(TypeError, match="problem must be a Problem"):
        regime_map(len, [[0.0, 0.0]], 0.1)
    with pytest.raises(ValueError, match=r"points must have shape \(n, 2\)"):
        regime_map(WELL, [0.0, 0.0], 0.1)
    with pytest.raises(ValueError, match="sigma must be a finite number at least 0"):
        regime_map(WELL, [[0.0, 0.0]], -0.1)


# --- how a run ends, and what it costs ------------------------------------------------------


class Counted:
    """A double well of plain Python functions that count their calls."""

    def __init__(self):
        self.calls = [0, 0, 0]

        def count(i, result):
            self.calls[i] += 1
            return result

        self.problem = plain(
            lambda x: count(0, WELL.value(x)),
            lambda x: count(1, WELL.gradient(x)),
            lambda x, v: count(2, WELL.hvp(x, v)),
            2,
        )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scaling": "mr", "sigma": 0.5},
        {"line_search": False},
        {"hessian": "finite_difference"},
        {"max_iter": 3, "record_every": 2},
        {"record_every": 7, "line_search": False},
        {"nc_step": 40.0},
        {"max_evaluations": 20},
    ],
)
def test_counters_are_exact(changes):
    counted = Counted()
    run = hessian_scaled(counted.problem, [1.0, 0.1], **changes)
    assert [run.n_value, run.n_gradient, run.n_hvp] == counted.calls
    assert run.n_sample == run.n_sample_hvp == 0
    recorded = 0 if changes.get("line_search", True) else len(run.path)
    assert run.n_recording == (recorded, 0)


def test_an_accepted_unit_step_costs_four_oracle_calls():
    x0 = [1.0, 1.0, 1.0]
    run = hessian_scaled(quadratic(1.0, 2.0, 3.0), x0)
    assert (run.trace["alpha"][1:] == 1).all() and run.n_iter > 5
    assert run.oracle_calls == 4 * run.n_iter + 2
    cheaper = hessian_scaled(quadratic(1.0, 2.0, 3.0), x0, hessian="finite_difference")
    assert (cheaper.trace["alpha"][1:] == 1).all()
    assert cheaper.oracle_calls == 3 * cheaper.n_iter + 2


def test_finite_differences_are_correct_to_seven_digits():
    for problem, x0 in ((rosenbrock(), [-1.2, 1.0]), (logistic(), [1.0, -2.0, 0.3, 0.5])):
        exact = hessian_scaled(problem, x0, max_iter=3)
        close = hessian_scaled(problem, x0, max_iter=3, hessian="finite_difference")
        np.testing.assert_allclose(
            close.trace["curvature"][1], exact.trace["curvature"][1], rtol=3e-7
        )
        np.testing.assert_allclose(close.path, exact.path, rtol=1e-5)


def test_budget():
    run = hessian_scaled(interpreted(WELL), [1.0, 0.1], max_evaluations=10)
    assert run.status == "budget" and 10 <= run.oracle_calls < 20


def test_wrong_gradient_fails_the_line_search():
    problem = plain(lambda x: x[0], lambda x: -np.ones(1), lambda x, v: v)
    run = hessian_scaled(problem, [1.0])
    assert (run.status, run.n_iter) == ("line_search_failed", 0)
    assert run.n_value == 1 + 54  # the 54th trial no longer moves the point, so it does not rise


def test_rounding_ends_the_search_rather_than_running_forever():
    run = hessian_scaled(interpreted(WELL), [1.0, 0.4], tol=0.0)
    assert run.status == "line_search_failed" or run.gradient_norm == 0
    assert run.gradient_norm < 1e-7 and run.n_iter < 100


def test_a_product_that_is_no_number_breaks_the_run_down():
    problem = plain(lambda x: x[0] ** 2, lambda x: 2 * x, lambda x, v: v * np.nan)
    run = hessian_scaled(problem, [1.0])
    assert (run.status, run.n_iter) == ("breakdown", 0)


def test_a_function_without_a_floor_diverges():
    run = hessian_scaled(quadratic(1.0, -1.0), [0.5, 1.0])
    assert run.status == "diverged" and np.isfinite(run.path).all()
    assert run.n_value < 1200


# --- sampled Hessians and mini-batches ------------------------------------------------------


def test_all_samples_give_the_exact_hessian():
    problem, _, _ = sums()
    exact = hessian_scaled(problem, np.ones(4), scaling="mr", max_iter=30)
    drawn = hessian_scaled(problem, np.ones(4), scaling="mr", max_iter=30, hessian_samples=40)
    np.testing.assert_allclose(drawn.path, exact.path, rtol=1e-9, atol=1e-12)
    assert drawn.n_hvp == 0 and drawn.n_sample_hvp == 40 * drawn.n_iter
    assert exact.n_hvp == exact.n_iter and exact.n_sample_hvp == 0


def test_sampled_hessian_is_unbiased_and_value_and_gradient_exact():
    problem, A, best = sums()
    x0 = best + 1.0
    g = problem.gradient(x0)
    curvatures = []
    for seed in range(400):
        run = hessian_scaled(problem, x0, hessian_samples=5, max_iter=1, seed=seed)
        assert run.gradient_norms[0] == pytest.approx(np.linalg.norm(g), rel=1e-14)
        assert run.values[0] == problem.value(x0)
        curvatures.append(run.trace["curvature"][1])
    each = (A @ g) ** 2 / (g @ g)
    spread = each.std() / math.sqrt(5) * math.sqrt(35 / 39)
    assert abs(np.mean(curvatures) - each.mean()) < 4 * spread / math.sqrt(400)
    assert np.std(curvatures) == pytest.approx(spread, rel=0.15)


def test_batches_are_fresh_subsets():
    problem, _, _ = sums(n=12)
    seen = []

    def spy(x, v, p, batch, out):
        seen.append(batch.copy())
        problem.batch_hvp_kernel(x, v, p, batch, out)

    watched = dataclasses.replace(problem, batch_hvp_kernel=spy)
    stochastic_hessian_scaled(
        watched, np.ones(4), batch_size=5, hessian_batch="independent", max_iter=600
    )
    seen = np.array(seen)
    assert seen.shape == (600, 5)
    assert all(np.unique(batch).size == 5 for batch in seen)
    counts = np.bincount(seen.ravel(), minlength=12)
    assert counts.sum() == 3000 and np.abs(counts - 250).max() < 5 * math.sqrt(250 * 7 / 12)
    pairs = [(0 in batch) and (1 in batch) for batch in seen]
    assert np.mean(pairs) == pytest.approx(5 * 4 / (12 * 11), abs=0.06)


def test_noise_in_the_hessian_costs_unit_steps_but_not_convergence():
    problem = logistic(n=200, d=4, l2=1e-3)
    fractions = []
    for samples in (200, 20, 5):
        run = hessian_scaled(
            problem, np.zeros(4), hessian_samples=samples, tol=1e-5, max_iter=2000, seed=1
        )
        assert run.status == "converged"
        fractions.append((run.trace["alpha"][1:] == 1).mean())
    assert fractions[0] > 0.99 and fractions[0] > fractions[1] > fractions[2] > 0.05


def test_stochastic_run_against_a_loop():
    problem, _, _ = sums()
    batches = []

    def spy(x, p, batch, out):
        batches.append(batch.copy())
        problem.batch_gradient_kernel(x, p, batch, out)

    watched = dataclasses.replace(problem, batch_gradient_kernel=spy)
    for scaling, decay in (("cg", 0.0), ("mr", 0.02), ("gm", 0.5), ("alternating", 0.0)):
        batches.clear()
        run = stochastic_hessian_scaled(
            watched, np.ones(4), scaling=scaling, batch_size=3, decay=decay, max_iter=50
        )
        x = np.ones(4)
        for k, batch in enumerate(batches):
            g = problem.batch_gradient(x, batch)
            found = scalings(g, problem.batch_hvp(x, g, batch))
            name = ("mr", "cg")[k % 2] if scaling == "alternating" else scaling
            x = x - getattr(found, name) / (1 + decay * k) * g
            np.testing.assert_allclose(run.path[k + 1], x, rtol=1e-9)
        assert len(batches) == run.n_iter == 50
        assert (run.n_sample, run.n_sample_hvp, run.n_hvp) == (150, 150, 0)
        assert run.oracle_calls == 0
        assert run.n_recording == (51, 51)


def test_exercise_7_batches_of_one_are_kaczmarz():
    from lib.problems.linear_models import least_squares

    rng = np.random.default_rng(3)
    A = rng.standard_normal((30, 4))
    b = A @ rng.standard_normal(4) + rng.standard_normal(30)
    problem = interpreted(least_squares(A, b))
    paths = []
    for scaling in CHOICES:
        run = stochastic_hessian_scaled(problem, np.zeros(4), scaling=scaling, max_iter=200)
        made = ~np.isnan(run.trace["scaling"])
        each = 1 / (A * A).sum(axis=1)
        nearest = np.abs(run.trace["scaling"][made][:, None] / each - 1).min(axis=1)
        assert nearest.max() < 1e-12
        paths.append(run.path)
    for path in paths[1:4]:  # "random" spends random numbers on its choice
        np.testing.assert_allclose(path, paths[0], rtol=1e-9, atol=1e-11)


def test_kaczmarz_rate_on_a_consistent_system():
    problem, A, best = sums(n=500, d=20, noise=0.0)
    run = stochastic_hessian_scaled(problem, np.zeros(20), max_iter=300, sigma=0.0)
    errors = np.sum((run.path - best) ** 2, axis=1)
    rate = (errors[-1] / errors[0]) ** (1 / 300)
    bound = 1 - np.linalg.svd(A, compute_uv=False)[-1] ** 2 / (A * A).sum()
    assert rate <= bound == pytest.approx(0.9665, abs=2e-3)
    assert rate == pytest.approx(0.9392, abs=0.015)
    assert (np.diff(errors) <= 1e-12).all()


def test_the_same_sample_twice_is_skipped():
    A, b = np.eye(2), np.array([1.0, 2.0])

    def gradient(x, p, batch, out):
        out[:] = sum(A[i] * (A[i] @ x - b[i]) for i in batch)

    def hvp(x, v, p, batch, out):
        out[:] = sum(A[i] * (A[i] @ v) for i in batch)

    base, _, _ = sums(n=2, d=2)
    problem = dataclasses.replace(base, batch_gradient_kernel=gradient, batch_hvp_kernel=hvp)
    run = stochastic_hessian_scaled(problem, [0.0, 0.0], max_iter=30)
    assert run.x.tolist() == [1.0, 2.0]
    still = np.flatnonzero((np.diff(run.path, axis=0) == 0).all(axis=1)) + 1
    assert still.size == 28
    assert (run.trace["step_size"][still] == 0).all()
    assert (
        np.isnan(run.trace["scaling"][still]).all() and np.isnan(run.trace["regime"][still]).all()
    )
    assert (run.n_sample, run.n_sample_hvp) == (30, 2)


def tail(run, best):
    rest = run.path[len(run.path) // 2 :]
    return math.sqrt(np.mean(np.sum((rest - best) ** 2, axis=1)))


def test_which_batch_the_hessian_may_come_from():
    """The same batch limits itself; another one diverges, but for MR with batches of one."""
    problem, _, best = sums(n=200, d=10)
    status = {}
    for where in ("same", "independent", "full"):
        for scaling in ("cg", "mr"):
            runs = [
                stochastic_hessian_scaled(
                    problem,
                    np.zeros(10),
                    scaling=scaling,
                    hessian_batch=where,
                    sigma=0.0,
                    max_iter=400,
                    seed=seed,
                    record_every=400,
                )
                for seed in range(3)
            ]
            status[where, scaling] = {run.status for run in runs}
    assert status == {
        ("same", "cg"): {"max_iter"},
        ("same", "mr"): {"max_iter"},
        ("independent", "cg"): {"diverged"},
        ("independent", "mr"): {"max_iter"},
        ("full", "cg"): {"diverged"},
        ("full", "mr"): {"diverged"},
    }
    full = stochastic_hessian_scaled(
        problem, np.zeros(10), batch_size=4, hessian_batch="full", max_iter=5
    )
    assert (full.n_hvp, full.n_sample, full.n_sample_hvp) == (5, 20, 0)


def test_larger_batches_and_decay_lower_the_noise_floor():
    problem, _, best = sums(n=500, d=20)
    options = {"sigma": 0.0, "max_iter": 1500}
    for size, elsewhere in ((1, 0.448), (16, 0.284), (64, 0.176)):
        run = stochastic_hessian_scaled(problem, np.zeros(20), batch_size=size, **options)
        assert tail(run, best) == pytest.approx(elsewhere, rel=0.15)
    slowing = stochastic_hessian_scaled(problem, np.zeros(20), decay=1 / 50, **options)
    assert tail(slowing, best) < 0.1


@kernel
def target_value(x, p, batch):
    total = 0.0
    for i in batch:
        u, w = x[0] - p[2 * i], x[1] - p[2 * i + 1]
        total += 0.5 * u * u + 0.5 * (1.0 + i) * w * w
    return total / batch.size


@kernel
def target_gradient(x, p, batch, out):
    out[0] = 0.0
    out[1] = 0.0
    for i in batch:
        out[0] += (x[0] - p[2 * i]) / batch.size
        out[1] += (1.0 + i) * (x[1] - p[2 * i + 1]) / batch.size


@kernel
def target_hvp(x, v, p, batch, out):
    out[0] = v[0]
    out[1] = 0.0
    for i in batch:
        out[1] += (1.0 + i) * v[1] / batch.size


def test_compiled_mini_batches_equal_interpreted_ones():
    targets = np.random.default_rng(0).standard_normal(20)
    problem = dataclasses.replace(
        WELL,
        name="targets",
        parameters=frozen(targets),
        n_samples=10,
        batch_value_kernel=target_value,
        batch_gradient_kernel=target_gradient,
        batch_hvp_kernel=target_hvp,
    )
    options = {"batch_size": 4, "scaling": "random", "max_iter": 60, "seed": 9}
    fast = stochastic_hessian_scaled(problem, np.ones(2), **options)
    slow = stochastic_hessian_scaled(interpreted(problem), np.ones(2), **options)
    np.testing.assert_array_equal(fast.path, slow.path)
    np.testing.assert_array_equal(fast.trace["scaling"], slow.trace["scaling"])
    other = stochastic_hessian_scaled(problem, np.ones(2), **{**options, "seed": 10})
    assert not np.array_equal(other.path, fast.path)
    many = run_many(
        problem, [np.ones(2)] * 3, method="stochastic_hessian_scaled", tol=0.0, **options
    )
    np.testing.assert_array_equal(many.x[0], fast.x)
    assert np.unique(many.x, axis=0).shape == (3, 2)


# --- ensembles and arguments ----------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"scaling": "alternating", "sigma": 0.1}, {"scaling": "mr", "line_search": False}],
)
def test_ensembles_equal_single_runs(options):
    starts = np.random.default_rng(0).uniform(-2, 2, (25, 2))
    many = run_many(WELL, starts, method="hessian_scaled", max_iter=60, tol=1e-9, **options)
    for i, x0 in enumerate(starts):
        one = hessian_scaled(WELL, x0, max_iter=60, tol=1e-9, **options)
        np.testing.assert_array_equal(many.x[i], one.x)
        assert (many.n_iter[i], many.status[i]) == (one.n_iter, one.status)
        recording = [*one.n_recording, 0]
        counted = np.array([one.n_value, one.n_gradient, one.n_hvp]) - recording
        assert many.evaluations[i].tolist() == counted.tolist()


def test_random_scalings_differ_from_run_to_run():
    options = {"scaling": "random", "seed": 4, "max_iter": 7, "tol": 0.0}
    many = run_many(WELL, [[1.0, 0.9]] * 5, method="hessian_scaled", **options)
    one = hessian_scaled(WELL, [1.0, 0.9], **options)
    np.testing.assert_array_equal(many.x[0], one.x)
    assert np.unique(many.x, axis=0).shape[0] == 5


def test_seed_decides():
    runs = [
        hessian_scaled(WELL, [1.0, 0.4], scaling="random", seed=seed).path for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert runs[0].shape != runs[2].shape or (runs[0] != runs[2]).any()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"scaling": "newton"}, ValueError, "scaling must be one of 'cg', 'mr', 'gm', "),
        ({"sigma": -1e-3}, ValueError, "sigma must be a finite number at least 0"),
        ({"sigma": None}, TypeError, "sigma must be a number"),
        ({"lpc_step": 0.0}, ValueError, "lpc_step must be a finite number above 0"),
        ({"sigma": 0.5, "lpc_step": 2.1}, ValueError, "lpc_step must be .* at most 2"),
        ({"nc_step": 0.0}, ValueError, "nc_step must be a finite number above 0"),
        ({"nc_step": "first"}, ValueError, "nc_step must be a positive number or 'last'"),
        ({"hessian_noise": -0.1}, ValueError, "hessian_noise must be a finite number at least 0"),
        ({"value_tol": math.nan}, ValueError, "value_tol must be a finite number at least 0"),
        ({"line_search": 1}, TypeError, "line_search must be True or False"),
        ({"sufficient_decrease": 0.0}, ValueError, "sufficient_decrease must be .* above 0"),
        ({"sufficient_decrease": 1.0}, ValueError, "sufficient_decrease must be .* below 1"),
        ({"shrink": 0.0}, ValueError, "shrink must be a finite number above 0"),
        ({"shrink": 1.0}, ValueError, "shrink must be .* below 1"),
        ({"max_alpha": 0.5}, ValueError, "max_alpha must be a finite number at least 1"),
        ({"forward_tracking": "yes"}, TypeError, "forward_tracking must be True or False"),
        ({"hessian": "none"}, ValueError, "hessian must be one of 'exact', 'finite_difference'"),
        ({"hessian_samples": 3}, ValueError, "hessian_samples needs a problem that is a mean over"),
        ({"seed": -1}, ValueError, "seed must be a whole number at least 0"),
    ],
)
def test_options_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        hessian_scaled(WELL, [0.0, 1.0], **changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number at least 1"),
        ({"batch_size": 41}, ValueError, "batch_size must be a whole number .* at most 40"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be a whole number"),
        ({"hessian_batch": "other"}, ValueError, "hessian_batch must be one of 'same', 'indep"),
        ({"decay": -1.0}, ValueError, "decay must be a finite number at least 0"),
        ({"scaling": None}, ValueError, "scaling must be one of"),
    ],
)
def test_options_of_the_stochastic_method_are_named(changes, error, message):
    problem, _, _ = sums()
    with pytest.raises(error, match=message):
        stochastic_hessian_scaled(problem, np.zeros(4), **changes)
    with pytest.raises(ValueError, match="batch_size needs a problem that is a mean over samples"):
        stochastic_hessian_scaled(WELL, [0.0, 1.0])


def test_products_of_batches_are_asked_for_where_they_are_needed():
    problem, _, _ = sums()
    blind = dataclasses.replace(problem, batch_hvp_kernel=None)
    with pytest.raises(ValueError, match="hessian_samples needs a problem with batch_hvp; sums"):
        hessian_scaled(blind, np.zeros(4), hessian_samples=3)
    for where in ("same", "independent"):
        with pytest.raises(ValueError, match="hessian_batch must be 'full' for .* as sums"):
            stochastic_hessian_scaled(blind, np.zeros(4), hessian_batch=where)
    run = stochastic_hessian_scaled(
        blind, np.zeros(4), batch_size=20, hessian_batch="full", max_iter=3
    )
    assert run.n_hvp == run.n_iter == 3


def test_a_tiny_sigma_allows_all_steps():
    run = hessian_scaled(interpreted(WELL), [1.0, 0.4], sigma=1e-320)
    same = hessian_scaled(interpreted(WELL), [1.0, 0.4], sigma=0.0)
    np.testing.assert_array_equal(run.path, same.path)


def test_one_way_to_get_the_product_at_a_time():
    problem, _, _ = sums()
    with pytest.raises(ValueError, match="hessian must be 'exact' where hessian_samples is given"):
        hessian_scaled(problem, np.zeros(4), hessian="finite_difference", hessian_samples=3)
    with pytest.raises(ValueError, match="hessian_samples must be a whole number .* at most 40"):
        hessian_scaled(problem, np.zeros(4), hessian_samples=41)
