"""The checks of the exercises of part 3 accept right answers and explain wrong ones."""

import math

import numpy as np
import pytest

from lib import checks, optimizers, problems
from lib.checks import hessian_scaling as hs
from lib.problems import datasets

IDS = [f"student{i}" for i in range(300)]
RUBBISH = (None, ..., "0.5", float("nan"), [1.0, 2.0], {}, abs, 1j, True, -1.0, 0.0, 1e300)
FUNCTIONS = (None, ..., 3, "text", lambda *a: None, lambda *a: 1 / 0, lambda *a: "text", lambda: 0)


def angle_of(line):
    return math.acos(math.sqrt(line["mr"] / line["cg"]))


def test_what_is_given_is_well_posed():
    for name in IDS:
        line = hs.log_line(name)
        assert 0.15 < line["mr"] / line["cg"] < 0.7
        assert 1 <= line["norm"] <= 6
        assert 0.1 <= hs.armijo_constant(name) <= 0.4
        given = hs.saddle_start(name)
        assert 1e-7 <= given["start"] < 1e-3 and 0 < given["length"] < 2
        curvatures, slope = hs.bowl(name)
        assert curvatures[0] == pytest.approx(1) and 100 <= curvatures[-1] <= 200.001
        assert slope.shape == curvatures.shape == (30,)
    assert len({tuple(hs.log_line(name).values()) for name in IDS}) > 200
    assert set(hs.GIVEN) == {"log_line", "armijo_constant", "saddle_start", "bowl"}


def test_a_line_of_a_log():
    for name in IDS:
        line, angle = hs.log_line(name), angle_of(hs.log_line(name))
        gm, after = math.sqrt(line["cg"] * line["mr"]), line["norm"] * math.sin(angle)
        kappa = (1 + math.sin(angle)) / (1 - math.sin(angle))
        hs.log_lengths(gm, after, student_id=name)
        hs.least_kappa(kappa, student_id=name)
        # A Hessian with this condition number and a gradient with this angle exist.
        g, H = np.array([1, 1 / math.sqrt(kappa)]), np.array([1, kappa])
        found = optimizers.scalings(g, H * g)
        assert found.mr / found.cg == pytest.approx(line["mr"] / line["cg"])
        mean = (line["cg"] + line["mr"]) / 2
        for wrong in (mean, line["cg"] * line["mr"], line["cg"], line["mr"]):
            with pytest.raises(checks.CheckFailed, match="gm is"):
                hs.log_lengths(wrong, after, student_id=name)
        factors = {
            "after a CG step": math.tan(angle),
            "after a GM step": 2 * math.sin(angle / 2),
            "not the quotient": math.sqrt(1 - math.cos(angle) ** 4),
            "take the root": math.sin(angle) ** 2,
            "perpendicular": math.cos(angle),
        }
        for factor in factors.values():
            if abs(factor / math.sin(angle) - 1) > 0.02:
                with pytest.raises(checks.CheckFailed, match="next_norm is"):
                    hs.log_lengths(gm, factor * line["norm"], student_id=name)
        if name == IDS[0]:
            for message, factor in factors.items():
                with pytest.raises(checks.CheckFailed, match=message):
                    hs.log_lengths(gm, factor * line["norm"], student_id=name)
            with pytest.raises(checks.CheckFailed, match="middle of the two"):
                hs.log_lengths(mean, after, student_id=name)
        with pytest.raises(checks.CheckFailed, match="as large as"):
            hs.least_kappa(line["cg"] / line["mr"], student_id=name)
        with pytest.raises(checks.CheckFailed, match="a smaller condition"):
            hs.least_kappa(1.02 * kappa, student_id=name)
        with pytest.raises(checks.CheckFailed, match="at least 1"):
            hs.least_kappa(1 / kappa, student_id=name)


def test_the_mistakes_in_a_log_differ_from_the_right_answer():
    for name in IDS:
        angle = angle_of(hs.log_line(name))
        others = math.tan(angle), 2 * math.sin(angle / 2), math.sin(angle) ** 2
        assert min(abs(other / math.sin(angle) - 1) for other in others) > 0.02


def test_the_unit_step_on_the_hyperbola():
    for name in IDS:
        rho = hs.armijo_constant(name)
        edge = math.sqrt((1 - 2 * rho) / (1 - rho**2))
        hs.unit_edge(edge, student_id=name)
        x = np.linspace(0, 2, 200_001)
        bound = 3 * (1 - 2 * rho) / (1.5 / 1.25**2.5)
        guaranteed = x[x * (1 + x**2) ** 2.5 <= bound].max()
        assert guaranteed < edge < 1
        hs.guaranteed_edge(guaranteed, student_id=name)
        for wrong in (1.0, math.sqrt(1 - 2 * rho)):
            with pytest.raises(checks.CheckFailed, match="refused|still passes"):
                hs.unit_edge(wrong, student_id=name)
        with pytest.raises(checks.CheckFailed, match="still passes"):
            hs.unit_edge(edge**2, student_id=name)
        with pytest.raises(checks.CheckFailed, match="refused"):
            hs.unit_edge(1.01, student_id=name)
        with pytest.raises(checks.CheckFailed, match="L2 large enough"):
            hs.guaranteed_edge(edge, student_id=name)
        with pytest.raises(checks.CheckFailed, match="reaches farther"):
            hs.guaranteed_edge(0.9 * guaranteed, student_id=name)


def test_the_numbers_in_the_text_on_the_hyperbola():
    assert round(hs.STEEPEST, 4) == 0.8587
    x = np.linspace(-3, 3, 100_001)
    assert (3 * abs(x) * (1 + x**2) ** -2.5).max() == pytest.approx(hs.STEEPEST, rel=1e-6)
    x = np.linspace(0, 1, 1_000_001)
    assert x[x * (1 + x**2) ** 2.5 * hs.STEEPEST <= 1.5].max() == pytest.approx(0.678, abs=5e-4)
    passing = [x for x in np.linspace(0.01, 5, 5000) if hs._unit_step_passes(x, 0.25)]
    assert max(passing) == pytest.approx(0.730, abs=2e-3) and len(passing) < 800


@pytest.mark.parametrize("seed", [0, 1])
def test_the_scaled_method(seed):
    hs.scaled_descent(hs._scaled, seed=seed)
    hs.scaled_descent_edges(hs._scaled)
    hs.scaled_descent_cost(hs._scaled, seed=seed)
    for options, message in (
        ({"forward": False}, "never lengthens"),
        ({"overshoot": True}, "the first multiplier that fails"),
        ({"search": False}, "never asked"),
        ({"cycle": False}, "the first of the powers"),
    ):
        with pytest.raises(checks.CheckFailed, match=message):
            hs.scaled_descent(hs._flawed(**options), seed=seed)
    with pytest.raises(checks.CheckFailed, match="not right"):
        hs.scaled_descent(lambda f, g, x, p, s, n: hs._scaled(f, g, x, p, 10 * s, n), seed=seed)
    with pytest.raises(checks.CheckFailed, match="its shape"):
        hs.scaled_descent(lambda *case: hs._scaled(*case)[1:], seed=seed)


def test_limited_curvature():
    with pytest.raises(checks.CheckFailed, match="not 1/sigma"):
        hs.scaled_descent(hs._flawed(cap=False), seed=0)
    with pytest.raises(checks.CheckFailed, match="curvature zero"):
        hs.scaled_descent_edges(hs._flawed(cap=False))


def test_the_cases_of_the_scaled_method_meet_everything():
    notes = []
    for case in hs._landscapes(0):
        hs._scaled(*case, notes=notes)
    assert any(beta < 0 and alpha > 1 for beta, alpha in notes)
    assert any(beta < 0 and alpha < 1 for beta, alpha in notes)
    assert any(beta > 0 and alpha < 1 for beta, alpha in notes)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("size", [1e-5, 1e-7, 1e-8])
def test_the_scaled_method_forgives_another_difference(seed, size, monkeypatch):
    cases = hs._landscapes(seed)
    right = [hs._scaled(*case) for case in cases]
    monkeypatch.setattr(hs, "DIFFERENCE", size)
    for case, path in zip(cases, right, strict=True):
        np.testing.assert_allclose(hs._scaled(*case), path, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name, powers", [("cg", [0]), ("mr", [2]), ("alternating", [2, 0])])
def test_the_reference_is_the_method_of_the_library(name, powers):
    valleys, start = problems.himmelblau(), [-0.5, -0.5]
    run = optimizers.hessian_scaled(valleys, start, name, sigma=1.0, max_iter=8, tol=0)
    path = hs._scaled(valleys.value, valleys.gradient, start, powers, 1.0, 8)
    np.testing.assert_allclose(path, run.path, rtol=1e-5, atol=1e-5)


def test_the_cost_of_the_scaled_method():
    def wasteful(value, gradient, *rest):
        def twice(x):
            value(x)
            return value(x)

        return hs._scaled(twice, gradient, *rest)

    with pytest.raises(checks.CheckFailed, match="values in 6 steps"):
        hs.scaled_descent_cost(wasteful)

    def central(value, gradient, *rest):
        def twice(x):
            gradient(x)
            return gradient(x)

        return hs._scaled(value, twice, *rest)

    with pytest.raises(checks.CheckFailed, match="gradients in 6 steps"):
        hs.scaled_descent_cost(central)

    def nothing(value, gradient, start, powers, sigma, n_steps):
        return np.zeros((n_steps + 1, len(start)))

    with pytest.raises(checks.CheckFailed, match="does not go down"):
        hs.scaled_descent_cost(nothing)

    def plain(value, gradient, start, powers, sigma, n_steps):
        path = [start]
        for _ in range(n_steps):
            path.append(path[-1] - 0.1 * gradient(path[-1]))
        return path

    with pytest.raises(checks.CheckFailed, match="too few for this method"):
        hs.scaled_descent_cost(plain)
    hs.scaled_descent_cost(hs._flawed(cycle=False))  # a wrong length is counted elsewhere


def test_methods_that_stumble_at_the_edges():
    def in_place(value, gradient, start, powers, sigma, n_steps):
        path = hs._scaled(value, gradient, start, powers, sigma, n_steps)
        start += 1
        return path

    with pytest.raises(checks.CheckFailed, match="changes an array"):
        hs.scaled_descent(in_place)

    def no_curvature(value, gradient, start, *rest):
        g = gradient(np.asarray(start))
        if not g.any():
            raise ZeroDivisionError("division by zero")
        return hs._scaled(value, gradient, start, *rest)

    with pytest.raises(checks.CheckFailed, match="ZeroDivisionError"):
        hs.scaled_descent_edges(no_curvature)

    def negative(value, gradient, *rest):
        return hs._scaled(value, lambda x: gradient(x) - 0.001 * x, *rest)

    with pytest.raises(checks.CheckFailed, match="curvature zero"):
        hs.scaled_descent_edges(negative)


def landing(name, alpha):
    given = hs.saddle_start(name)
    return given["start"] + alpha * given["length"] * (given["start"] - given["start"] ** 3)


def test_forward_tracking():
    for name in IDS:
        given = hs.saddle_start(name)
        ratio = (math.sqrt(2) / given["start"] - 1) / given["length"]
        power = math.floor(math.log(ratio, 3))
        right = landing(name, 3.0**power)
        assert 1.08 < right < 1.3  # beyond the minimizer, where the value is negative
        hs.forward_tracking(3.0**power, right, student_id=name)
        hs.forward_tracking(
            3**power, given["start"] * (1 + 3**power * given["length"]), student_id=name
        )
        alpha = 1.0
        while hs._well_trial_passes(alpha, given["start"], given["length"]):
            alpha *= 3
        assert alpha == 3.0 ** (power + 1)
        with pytest.raises(checks.CheckFailed, match="fails the Armijo test"):
            hs.forward_tracking(3 ** (power + 1), right, student_id=name)
        with pytest.raises(checks.CheckFailed, match="passes too"):
            hs.forward_tracking(3 ** (power - 1), right, student_id=name)
        with pytest.raises(checks.CheckFailed, match="never tries"):
            hs.forward_tracking(2 * 3.0**power, right, student_id=name)
        for wrong, message in (
            (landing(name, 3.0 ** (power + 1)), "the one that fails"),
            (1.0, "not right"),
            (2 * given["start"] - right, "up the gradient"),
            (right / 2, "not right"),
            (None, "missing"),
        ):
            with pytest.raises(checks.CheckFailed, match=message):
                hs.forward_tracking(3.0**power, wrong, student_id=name)
    with pytest.raises(checks.CheckFailed, match="at least 1"):
        hs.forward_tracking(1 / 3, 1.0, student_id="ada")


def test_forward_tracking_of_the_library_ends_there_too():
    given = hs.saddle_start("ada")
    start = [0.0, given["start"]]
    options = {"nc_step": given["length"], "shrink": 1 / 3, "max_iter": 1, "tol": 0}
    run = optimizers.hessian_scaled(problems.double_well(), start, **options)
    hs.forward_tracking(run.trace["alpha"][1], run.x[1], student_id="ada")


def test_the_least_factor():
    hs.least_theta(1 / math.sqrt(6))
    hs.least_theta(0.408)
    for wrong, message in (
        (3**-0.5, "does not stop at the minimizer"),
        (1 / 6, "the square"),
        (0.5**0.5, "not beyond"),
        (0.5, "not right"),
        (1 / 3, "not right"),
    ):
        with pytest.raises(checks.CheckFailed, match=message):
            hs.least_theta(wrong)
    # Just above it no length leaves negative curvature, just below it one does.
    for theta, enough in ((0.415, True), (0.40, False)):
        least = 9.0
        for length in np.geomspace(1, 1 / theta, 400):
            start, alpha = 1e-9, 1.0
            while ((1 + alpha * length) * start) ** 2 < 2:
                alpha /= theta
            least = min(least, (1 + theta * alpha * length) * start)
        assert (3 * least**2 >= 1) == enough


@pytest.mark.parametrize("seed", range(5))
def test_weighted_lengths(seed):
    hs.weighted_lengths(hs._lengths, seed=seed)
    hs.weighted_lengths(lambda *case: tuple(hs._lengths(*case)), seed=seed)
    hs.weighted_lengths_units(hs._lengths, seed=seed)
    for wrong, message in (
        (hs._forgetful, "without the weights"),
        (hs._undirected, "but the step goes along"),
        (hs._steepened, "not minus the square"),
        (lambda *case: hs._lengths(*case)[::-1], "not right"),
        (lambda *case: hs._lengths(*case)[:2], "its shape"),
    ):
        with pytest.raises(checks.CheckFailed, match=message):
            hs.weighted_lengths(wrong, seed=seed)
    with pytest.raises(checks.CheckFailed, match="unit of its own"):
        hs.weighted_lengths_units(hs._forgetful, seed=seed)
    with pytest.raises(checks.CheckFailed, match="one is enough"):
        hs.weighted_lengths_units(
            lambda g, d, product: hs._lengths(g, d, product) + 0 * product(g)[0], seed=seed
        )


def test_weighted_lengths_do_what_the_text_says():
    g, d, H = list(hs._bowls(7))[2]
    cg, gm, mr = hs._lengths(g, d, lambda v: H @ v)
    s = np.linspace(0, 2 * cg, 200_001)[1:, None]
    v = d * g
    values = -s[:, 0] * (g @ v) + s[:, 0] ** 2 * (v @ H @ v) / 2
    left = ((g - s * (H @ v)) ** 2 * d).sum(axis=1)
    assert s[values.argmin(), 0] == pytest.approx(cg, rel=1e-4)
    assert s[left.argmin(), 0] == pytest.approx(mr, rel=1e-4)
    assert gm**2 * ((H @ v) ** 2 * d).sum() == pytest.approx((g**2 * d).sum())
    diagonal = np.array([1.0, 5.0, 20.0, 3.0, 2.0, 7.0])
    np.testing.assert_allclose(hs._lengths(g, 1 / diagonal, lambda v: diagonal * v), 1)


def relaxed(tau, curvatures, g):
    goal, steps = 1e-8 * np.linalg.norm(g), []
    while np.linalg.norm(g) > goal:
        Hg = curvatures * g
        steps.append(tau * (g @ g) / (g @ Hg))
        g = g - steps[-1] * Hg
    return steps


def test_the_picture_of_relaxed_steps_is_the_same_for_everybody():
    for name in IDS[::10]:
        curvatures, slope = hs.bowl(name)
        runs = {tau: relaxed(tau, curvatures, slope) for tau in (0.5, 0.9, 0.97, 1.0, 1.2)}
        plain = len(runs[1.0])
        assert plain > 3 * max(len(runs[0.9]), len(runs[0.97]))
        assert len(runs[0.97]) < len(runs[0.5]) < 0.5 * plain
        assert 0.95 * plain < len(runs[1.2]) < 1.3 * plain
        even, odd = runs[1.0][-2], runs[1.0][-1]
        assert even == pytest.approx(runs[1.0][-10], rel=0.01)
        assert 1 / even + 1 / odd == pytest.approx(1 + curvatures[-1], rel=0.01)
        assert max(runs[1.2][-40:]) < 1.1 * min(runs[1.2][-40:])
        assert runs[1.2][-1] == pytest.approx(2 / (1 + curvatures[-1]), rel=0.1)
        assert max(runs[0.9][-40:]) > 15 * min(runs[0.9][-40:])


def test_the_logs_in_the_text():
    carton = problems.egg_carton()
    run = optimizers.hessian_scaled(carton, [2.6, 3e-9], tol=1e-6)
    assert (run.status, run.n_iter) == ("converged", 3)
    np.testing.assert_allclose(run.values, [0.1431, 0.0018, 2.6e-9, 0], rtol=0.02, atol=1e-12)
    np.testing.assert_allclose(run.gradient_norms, [0.52, 0.060, 7.2e-5, 2.6e-8], rtol=0.02)
    np.testing.assert_allclose(run.trace["scaling"][1:], [1.167, 1.002, 1], atol=6e-4)
    assert (run.trace["regime"][1:] == 0).all() and (run.trace["alpha"][1:] == 1).all()
    assert np.linalg.eigvalsh(carton.hessian(run.x))[0] == pytest.approx(-1)

    sigmoid = problems.sigmoid_least_squares(*datasets.sigmoid_data(200, 10, 0))
    start = np.random.default_rng(0).normal(size=10)
    options = {"scaling": "alternating", "tol": 1e-6, "value_tol": 1e-14}
    run = optimizers.hessian_scaled(sigmoid, start, **options)
    assert (run.status, run.n_iter, run.trace["alpha"][1]) == ("converged", 1, 131072)
    assert run.trace["regime"][1] == 2
    np.testing.assert_allclose(run.values, [0.1425, 0.0601], atol=5e-5)
    np.testing.assert_allclose(run.gradient_norms, [5.9e-2, 4.2e-9], rtol=0.01)
    assert 1e3 < np.linalg.norm(run.x) < 1e4
    other = optimizers.hessian_scaled(sigmoid, np.zeros(10), **options)
    assert other.value == pytest.approx(0.0081, abs=5e-5)

    # The rest of log C hangs on rounding, which may differ between machines.
    logistic = problems.logistic_regression(*datasets.logistic_data(200, 10, 0, 1), l2=1e-2)
    run = optimizers.hessian_scaled(logistic, np.zeros(10), tol=1e-12)
    assert run.status == "line_search_failed" and (run.trace["regime"][1:] == 0).all()
    assert run.value == pytest.approx(0.233918322913433, abs=1e-14)
    refused = np.flatnonzero(run.trace["alpha"][1:] < 1)[0]
    fall = run.trace["scaling"][refused + 1] * run.gradient_norms[refused] ** 2 / 2
    assert 1e-18 < fall < 2e-15


RULES = {
    "shorter": lambda k, cg, mr: np.maximum(mr, 0.9 * cg),
    "seven": lambda k, cg, mr: cg if k % 7 == 6 else mr,
    "alternately": lambda k, cg, mr: np.maximum(mr, (0.8, 1.0)[k % 2] * cg),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", RULES)
def test_rules_that_win(name, seed):
    hs.own_rule(RULES[name], seed=seed - 1)
    hs.own_rule_race(RULES[name], seed=seed)


def test_random_rules_win():
    for seed in range(4):
        rng = np.random.default_rng(seed)

        def rule(k, cg, mr, rng=rng):
            return (cg, np.sqrt(cg * mr), mr)[rng.integers(3)]

        hs.own_rule(rule)
        hs.own_rule_race(rule)


def test_rules_that_lose():
    for rule in (
        lambda k, cg, mr: cg,
        lambda k, cg, mr: mr,
        lambda k, cg, mr: np.sqrt(cg * mr),
        lambda k, cg, mr: (cg + mr) / 2,
    ):
        with pytest.raises(checks.CheckFailed, match="zigzag is not broken"):
            hs.own_rule(rule)
    hs.own_rule(hs._alternating)
    with pytest.raises(checks.CheckFailed, match="save 5 percent"):
        hs.own_rule_race(hs._alternating)
    with pytest.raises(checks.CheckFailed, match="above cg"):
        hs.own_rule(lambda k, cg, mr: 1.1 * cg)
    with pytest.raises(checks.CheckFailed, match="below mr"):
        hs.own_rule(lambda k, cg, mr: 0.5 * cg)
    with pytest.raises(checks.CheckFailed, match="shape"):
        hs.own_rule(lambda k, cg, mr: cg[0])


def fourth(k, cg, mr):
    return mr if k % 4 == 3 else cg


def test_a_rule_tuned_on_one_bowl():
    hs.own_rule(fourth)
    with pytest.raises(checks.CheckFailed, match="save 5 percent"):
        hs.own_rule_race(fourth)
    for kappa, dimension, low, high in ((100, 30, 0.7, 0.99), (400, 50, 2, 9)):
        for seed in (0, 1):
            given = hs._practice(seed, kappa, dimension)
            counts = [hs._race(rule, *given, cap=5000).mean() for rule in (fourth, hs._alternating)]
            assert low < counts[0] / counts[1] < high


def test_rubbish_is_refused():
    for wrong in RUBBISH:
        for check in (hs.least_kappa, hs.unit_edge, hs.guaranteed_edge):
            with pytest.raises(checks.CheckFailed):
                check(wrong, student_id="ada")
        with pytest.raises(checks.CheckFailed):
            hs.least_theta(wrong)
        with pytest.raises(checks.CheckFailed):
            hs.log_lengths(wrong, wrong, student_id="ada")
        with pytest.raises(checks.CheckFailed):
            hs.forward_tracking(wrong, wrong, student_id="ada")
    for wrong in FUNCTIONS:
        for check in (
            hs.scaled_descent,
            hs.scaled_descent_edges,
            hs.scaled_descent_cost,
            hs.weighted_lengths,
            hs.weighted_lengths_units,
            hs.own_rule,
            hs.own_rule_race,
        ):
            with pytest.raises(checks.CheckFailed):
                check(wrong)
    for given in (hs.log_line, hs.armijo_constant, hs.saddle_start, hs.bowl):
        with pytest.raises(checks.CheckFailed, match="fill in your id"):
            given(...)
