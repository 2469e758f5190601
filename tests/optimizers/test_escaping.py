"""Escaping without smoothness: theory's parameters, restarted SGD, decrease procedures."""

import math

import numpy as np
import pytest

from lib import curvature, ensembles, optimizers, problems

PCA = problems.matrix_pca(np.diag([2.0, 1.0] + [0.5] * 18))
SADDLE = np.r_[0.0, 1.0, np.zeros(18)]
SIGNAL = np.r_[1.0, np.zeros(19)]
SPHERE = np.r_[0.0, 1.0, np.zeros(18)] / math.sqrt(3.0)


def test_parameters_of_the_theory():
    gap = PCA.value(SADDLE) - PCA.constants["infimum"]
    assert gap == pytest.approx(1.5)
    smoothness, third = PCA.rho1(PCA.value(SADDLE) + 1), PCA.rho2(PCA.value(SADDLE) + 1)
    assert smoothness == pytest.approx(41.94, abs=5e-3)
    assert third == pytest.approx(30.17, abs=5e-3)
    for epsilon, chi, radius, threshold, interval in (
        (0.1, 42.1, 1.3e-6, 5.6e-5, 1017),
        (0.01, 56.0, 7.6e-8, 3.2e-6, 4271),
    ):
        theory = optimizers.jin_parameters(smoothness, third, epsilon, 20, gap)
        assert theory["learning_rate"] == pytest.approx(1 / smoothness)
        assert theory["radius"] == pytest.approx(radius, rel=0.05)
        assert theory["gradient_threshold"] == pytest.approx(threshold, rel=0.05)
        assert theory["perturbation_interval"] == pytest.approx(interval, rel=2e-3)
        exact = 3 * math.log(20 * smoothness * gap / (epsilon**2 * 0.1))
        assert exact == pytest.approx(chi, abs=0.05)
        assert theory["decrease_threshold"] == pytest.approx(
            math.sqrt(epsilon**3 / third) / exact**3
        )
        assert set(theory) <= set(optimizers.perturbed_gradient_descent.__signature__.parameters)


def test_theory_is_sure_but_slow():
    """With the theory's parameters the run leaves the saddle too, after far more steps."""
    theory = optimizers.jin_parameters(41.94, 30.17, 0.1, 20, 1.5)
    run = optimizers.perturbed_gradient_descent(
        PCA, SADDLE, **theory, max_iter=30_000, record_every=100
    )
    assert run.value - PCA.constants["infimum"] < 1e-3
    gone = run.iterations[np.argmax(run.values < PCA.constants["infimum"] + 1e-3)]
    assert 200 < gone < 1000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epsilon": 1e9}, "epsilon must be .* above 0 and at most"),
        ({"failure_probability": 1.0}, "failure_probability must be .* below 1"),
        ({"c": 2.0}, "c must be .* at most 1"),
        ({"gap": 0.0}, "gap must be .* above 0"),
        ({"dimension": 0}, "dimension must be a whole number at least 1"),
        ({"epsilon": 1e-200}, "epsilon and c must be so large that a perturbation needs at most"),
        ({"c": 1e-160}, "epsilon and c must be so large that a perturbation needs at most"),
        ({"c": 1e-200}, "epsilon and c must be so large that a perturbation needs at most"),
        ({"smoothness": 1e200}, "epsilon and c must be so large that a perturbation needs at most"),
        ({"hessian_lipschitz": 1e308, "epsilon": 1e-310}, "floats; decrease_threshold is 0.0"),
    ],
)
def test_parameters_are_checked(changes, message):
    given = {"smoothness": 2.0, "hessian_lipschitz": 1.0, "epsilon": 0.1, "dimension": 3, "gap": 1}
    with pytest.raises(ValueError, match=message):
        optimizers.jin_parameters(**given | changes)


def test_parameters_at_the_edge():
    """The largest epsilon, and products in the logarithm that leave the floating range."""
    theory = optimizers.jin_parameters(3.0, 7.0, 9.0 / 7.0, 1, 1.0)
    chi = 3 * max(math.log(3 / ((9 / 7) ** 2 * 0.1)), 4)
    assert theory["perturbation_interval"] == math.ceil(chi * 3 / math.sqrt(9))
    wide = optimizers.jin_parameters(1e3, 1.0, 1e3, 10**6, 1e300, 1e-300, c=0.5)
    chi = 3 * math.log(10) * (6 + 3 + 300 - 6 + 300) + 3 * math.log(2)
    assert wide["gradient_threshold"] == pytest.approx(math.sqrt(0.5) / chi**2 * 1e3, rel=1e-12)


def test_perturbed_descent_leaves_the_pca_saddle():
    stuck = optimizers.gradient_descent(PCA, SADDLE, 1 / 41.94)
    assert stuck.n_iter == 0 and stuck.value - PCA.constants["infimum"] == pytest.approx(1.5)
    steps = []
    for seed in range(20):
        run = optimizers.perturbed_gradient_descent(
            PCA, SADDLE, 1 / 41.94, radius=1e-3, perturbation_interval=500, max_iter=450, seed=seed
        )
        assert len(run.perturbed_at) == 1
        steps.append(np.argmax(run.values < PCA.constants["infimum"] + 1e-3))
    # log(sqrt(d) 0.5 / r) / log(1 + 2 / L) = 165.8 to leave, then the contraction
    assert 250 < np.mean(steps) < 300


def test_perturbed_descent_leaves_the_sphere_of_saddles():
    problem = problems.phase_retrieval(signal=SIGNAL)
    starts = np.tile(SPHERE, (50, 1))
    runs = ensembles.run_many(
        problem,
        starts,
        0.05,
        method="perturbed_gradient_descent",
        radius=1e-3,
        perturbation_interval=300,
        max_iter=400,
        seed=3,
    )
    assert np.abs(np.abs(runs.x @ SIGNAL) - 1).max() < 1e-3
    plain = optimizers.gradient_descent(problem, SPHERE, 0.05, max_iter=500, tol=0.0)
    assert abs(plain.x @ SIGNAL) < 1e-6


def test_escape_takes_a_logarithm_of_the_dimension():
    """From a saddle with one negative direction: 12.08 steps more for each decade of d."""
    means = []
    for d in (10, 100, 1000):
        saddle = problems.quadratic_saddle(np.r_[-1.0, np.ones(d - 1)])
        noise = optimizers.ball_noise(200, d, 1e-3, seed=d)
        times = np.ceil(np.log(0.5 / np.abs(noise[:, 0])) / math.log(1.1))
        means.append(times.mean())
        run = optimizers.gradient_descent(saddle, noise[0], 0.1, max_iter=500, tol=0.0)
        assert np.argmax(np.abs(run.path[:, 0]) >= 0.5) == times[0]
    predicted = [
        (math.log(math.sqrt(d) * 500) + (np.euler_gamma + math.log(2)) / 2) / math.log(1.1) + 0.5
        for d in (10, 100, 1000)
    ]
    np.testing.assert_allclose(predicted, [84.4, 96.5, 108.6], atol=0.06)
    np.testing.assert_allclose(means, predicted, atol=3.5)


def test_restarted_sgd_with_single_samples():
    problem = problems.phase_retrieval(signal=SIGNAL)
    ends, restarts, steps = [], [], []
    for seed in range(5):
        run = optimizers.restarted_sgd(
            problem, SPHERE, 2e-3, ball_radius=0.3, stay=3000, seed=seed, record_every=3000
        )
        assert run.status == "converged"
        assert run.n_sample == run.n_iter
        ends.append(run.x)
        restarts.append(run.trace["restarts"][-1])
        steps.append(run.n_iter)
    lows = [np.linalg.eigvalsh(problem.hessian(x))[0] for x in ends]
    # means of 300 runs, give or take two standard errors of the mean of five
    assert np.mean(lows) == pytest.approx(1.985, abs=0.012)  # 2 at the minimizers
    assert np.mean([problem.value(x) for x in ends]) == pytest.approx(3.6e-4, abs=2.4e-4)
    slopes = [np.linalg.norm(problem.gradient(x)) for x in ends]
    assert np.mean(slopes) == pytest.approx(0.036, abs=0.016)
    assert np.mean(restarts) == pytest.approx(4.27, abs=0.42)
    assert np.mean(steps) == pytest.approx(4390, abs=400)
    many = ensembles.run_many(
        problem, [SPHERE], 2e-3, 10_000, method="restarted_sgd", ball_radius=0.3, stay=3000, seed=0
    )
    np.testing.assert_array_equal(many.x[0], ends[0])
    assert (many.n_iter[0], many.status[0]) == (steps[0], "converged")


def test_restarted_sgd_against_a_loop():
    well, rate, ball, stay = problems.double_well(0.3), 0.1, 0.2, 25
    x = anchor = np.array([1.0, 0.4])
    total, since, restarts, path = np.zeros(2), 0, 0, [x]
    while since < stay:
        total, since = total + x, since + 1
        x = x - rate * well.gradient(x)
        path.append(x)
        if np.linalg.norm(x - anchor) > ball:
            anchor, total, since, restarts = x, np.zeros(2), 0, restarts + 1
    run = optimizers.restarted_sgd(well, [1.0, 0.4], rate, ball, stay, batch_size=None)
    np.testing.assert_allclose(run.path[:-1], path, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(run.x, total / stay, rtol=1e-10)
    assert run.trace["restarts"][-1] == restarts > 2
    exits = []
    for limit in range(3):
        part = optimizers.restarted_sgd(
            well, [1.0, 0.4], rate, ball, stay, batch_size=None, max_restarts=limit
        )
        assert part.status == "stopped" and part.trace["restarts"][-1] == limit
        np.testing.assert_array_equal(part.path, run.path[: part.n_iter + 1])
        exits.append(part.x)
    moves = np.linalg.norm(np.diff([run.path[0], *exits], axis=0), axis=1)
    assert (moves > ball).all() and (moves < 2 * ball).all()
    with pytest.raises(TypeError, match="tol"):
        optimizers.restarted_sgd(well, [1.0, 0.4], batch_size=None, tol=1.0)
    with pytest.raises(ValueError, match="max_restarts must be a whole number at least 0"):
        optimizers.restarted_sgd(well, [1.0, 0.4], batch_size=None, max_restarts=-1)


def test_meta_theorem_of_gradient_steps():
    well = problems.double_well(0.3)
    rate = optimizers.safe_learning_rate(well, [2.0, -1.0])
    step = optimizers.gradient_step(rate, epsilon=0.05)
    run = optimizers.decrease_method(
        well,
        [2.0, -1.0],
        step,
        lambda x: np.linalg.norm(well.gradient(x)) <= 0.05,
    )
    assert run.found and run.broken_promises == 0
    assert run.rounds <= run.max_rounds and run.oracle_calls <= run.max_oracle_calls
    assert (np.diff(run.values[:-1]) <= -step.decrease).all()
    gap = well.value([2.0, -1.0]) + 0.25
    assert run.max_rounds == math.ceil(gap / step.decrease) + 1


def test_meta_theorem_of_perturbed_epochs():
    epoch = optimizers.perturbed_epoch(1 / 41.94, 1e-3, 0.05, 400, 1e-2)
    assert epoch.decrease == pytest.approx(min(1e-2, 0.5 / 41.94 * 0.05**2))
    run = optimizers.decrease_method(
        PCA,
        SADDLE,
        epoch,
        lambda x: curvature.is_second_order_stationary(PCA, x, 0.1),
    )
    assert run.found and run.broken_promises == 0
    assert abs(abs(run.x[0]) - math.sqrt(2)) < 0.05
    assert run.rounds <= run.max_rounds and run.oracle_calls <= run.max_oracle_calls
    gap = PCA.value(SADDLE) - PCA.constants["infimum"]
    assert run.max_rounds == math.ceil(gap / epoch.decrease) + 1
    # a gradient, the noise, 400 steps with a gradient each and one at the end, two values
    ahead, candidates, used = epoch.apply(PCA, SADDLE, 0)
    assert used == epoch.oracle_calls == 404
    np.testing.assert_array_equal(candidates, [SADDLE])
    noisy = SADDLE + optimizers.ball_noise(1, 20, 1e-3, 0)[0]
    plain = optimizers.gradient_descent(PCA, noisy, 1 / 41.94, max_iter=400, tol=0.0)
    np.testing.assert_array_equal(ahead, plain.x)


def test_meta_theorem_of_ball_sgd():
    problem = problems.phase_retrieval(signal=SIGNAL)
    runner = optimizers.ball_sgd(2e-3, 0.3, 3000, decrease=0.005)
    run = optimizers.decrease_method(
        problem,
        SPHERE,
        runner,
        lambda x: np.linalg.norm(problem.gradient(x)) <= 0.3,
        seed=1,
    )
    assert run.found
    assert run.rounds <= run.max_rounds and run.oracle_calls <= run.max_oracle_calls
    assert problem.value(run.x) < 0.01


def test_ball_sgd_is_restarted_sgd_up_to_its_first_restart():
    problem = problems.phase_retrieval(signal=SIGNAL)
    options = {"ball_radius": 0.3, "batch_size": 1, "seed": 5}
    left = optimizers.restarted_sgd(problem, SPHERE, 2e-3, stay=3000, max_restarts=0, **options)
    ahead, candidates, used = optimizers.ball_sgd(2e-3, 0.3, 3000, 0.1).apply(problem, SPHERE, 5)
    np.testing.assert_array_equal(ahead, left.x)
    assert np.linalg.norm(ahead - SPHERE) > 0.3 and len(candidates) == 0
    assert used == left.n_sample
    stayed = optimizers.restarted_sgd(problem, SPHERE, 2e-3, stay=100, **options)
    assert stayed.n_iter == 100
    ahead, candidates, used = optimizers.ball_sgd(2e-3, 0.3, 100, 0.1).apply(problem, SPHERE, 5)
    np.testing.assert_array_equal(candidates, [stayed.x])
    np.testing.assert_allclose(stayed.x, stayed.path[:100].mean(axis=0), rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(ahead, stayed.path[100])
    assert used == 100


def test_ball_sgd_that_diverges_or_does_not_move():
    problem = problems.phase_retrieval(signal=SIGNAL)

    def small(x):
        return curvature.is_second_order_stationary(problem, x, 0.1)

    wild = optimizers.ball_sgd(1e300, 0.3, 50, decrease=0.05)
    run = optimizers.decrease_method(problem, SPHERE, wild, small)
    assert not run.found and run.broken_promises == run.rounds == run.oracle_calls == run.max_rounds
    np.testing.assert_array_equal(run.x, SPHERE)
    origin = np.zeros(20)  # every sample's gradient vanishes there
    ahead, candidates, used = optimizers.ball_sgd(1e-3, 0.3, 50, 0.05).apply(problem, origin, 0)
    assert used == 50 and not ahead.any() and not candidates.any() and candidates.shape == (1, 20)


WELL = problems.double_well()
BOAST = optimizers.Procedure("boast", lambda problem, x, seed: (x, [], 1), 0.1, 1)


def test_broken_promises_are_counted():
    run = optimizers.decrease_method(WELL, [1.0, 0.4], BOAST, lambda x: True)
    assert not run.found
    assert run.rounds == run.broken_promises == run.max_rounds


def test_decrease_method_ends_where_the_function_does():
    step = optimizers.gradient_step(1.0, 0.01)
    with np.errstate(over="ignore", invalid="ignore"):
        run = optimizers.decrease_method(WELL, [0.0, 9.0], step, lambda x: False)
    assert not run.found and run.rounds == run.broken_promises < run.max_rounds
    assert np.isfinite(run.x).all() and not np.isfinite(run.values[-1])


def procedure(answer):
    return optimizers.Procedure("answer", lambda problem, x, seed: answer, 0.1, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((len, lambda x: True), TypeError, "procedure must be a Procedure"),
        ((BOAST, 3), TypeError, "target must be callable; got int"),
        ((BOAST, len, 5.0), ValueError, "infimum must be a finite number at most"),
        ((BOAST, len, -1e17), ValueError, "procedure must promise a decrease that is not neglig"),
        ((procedure(None), len), TypeError, "procedure must return the next point"),
        ((procedure(([1.0], [], 1)), len), ValueError, r"procedure must return a point of shape"),
        (
            (procedure(([1.0, 2.0], [1.0, 2.0], 1)), len),
            ValueError,
            r"candidates of shape \(m, 2\)",
        ),
        ((procedure(("a", [], 1)), len), TypeError, "points of procedure must be an array"),
        ((procedure(([1.0, 2.0], [], 1.5)), len), TypeError, "oracle calls of procedure must be"),
    ],
)
def test_decrease_method_names_its_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        optimizers.decrease_method(WELL, [1.0, 0.4], *arguments)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: optimizers.Procedure("p", 3, 1.0, 1), TypeError, "apply must be callable"),
        (lambda: optimizers.Procedure("p", len, 0.0, 1), ValueError, "decrease must be .* above 0"),
        (lambda: optimizers.Procedure("p", len, 1.0, 0), ValueError, "oracle_calls must be .* 1"),
        (lambda: optimizers.gradient_step(1.0, 1e-200), ValueError, "decrease must be .* above 0"),
        (lambda: optimizers.gradient_step(0.0, 1.0), ValueError, "learning_rate must be .* above"),
        (
            lambda: optimizers.ball_sgd(1.0, 1.0, 0, 1.0),
            ValueError,
            "n_steps must be .* at least 1",
        ),
        (lambda: optimizers.ball_sgd(1.0, 1.0, 1, -1.0), ValueError, "decrease must be .* above 0"),
        (
            lambda: optimizers.decrease_method(problems.curved_saddle(), [0.0, 0.0], BOAST, len),
            ValueError,
            "infimum must be given: none is known for curved saddle",
        ),
        (
            lambda: optimizers.decrease_method(
                problems.exponential_growth(), [800.0], BOAST, len, infimum=0.0
            ),
            ValueError,
            "x0 must be a point where the value is finite",
        ),
    ],
)
def test_procedures_name_what_is_wrong(make, error, message):
    with pytest.raises(error, match=message):
        make()
