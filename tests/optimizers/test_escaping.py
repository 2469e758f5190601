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
    ],
)
def test_parameters_are_checked(changes, message):
    given = {"smoothness": 2.0, "hessian_lipschitz": 1.0, "epsilon": 0.1, "dimension": 3, "gap": 1}
    with pytest.raises(ValueError, match=message):
        optimizers.jin_parameters(**given | changes)


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
    assert min(lows) > 1.8  # near the minimizers, where it is 2
    assert max(problem.value(x) for x in ends) < 3e-3
    assert 2 <= np.mean(restarts) <= 7
    assert 3000 < np.mean(steps) < 7000


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
    run = optimizers.restarted_sgd(well, [1.0, 0.4], rate, ball, stay, batch_size=None, tol=0.0)
    np.testing.assert_allclose(run.path[:-1], path, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(run.x, total / stay, rtol=1e-10)
    assert run.trace["restarts"][-1] == restarts > 2


def test_meta_theorem_of_gradient_steps():
    well = problems.double_well(0.3)
    rate = optimizers.safe_learning_rate(well, [2.0, -1.0])
    step = optimizers.gradient_step(rate, epsilon=0.05)
    run = optimizers.decrease_method(
        well,
        [2.0, -1.0],
        step,
        lambda x: np.linalg.norm(well.gradient(x)) <= 0.05,
        infimum=-0.25,
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
        infimum=PCA.constants["infimum"],
    )
    assert run.found and run.broken_promises == 0
    assert abs(abs(run.x[0]) - math.sqrt(2)) < 0.05
    assert run.rounds <= run.max_rounds and run.oracle_calls <= run.max_oracle_calls


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


def test_broken_promises_are_counted():
    well = problems.double_well()
    boast = optimizers.Procedure("boast", lambda problem, x, seed: (x, x[:0], 1), 0.1, 1)
    run = optimizers.decrease_method(well, [1.0, 0.4], boast, lambda x: True, infimum=-0.25)
    assert not run.found
    assert run.rounds == run.broken_promises == run.max_rounds
    with pytest.raises(TypeError, match="procedure must be a Procedure"):
        optimizers.decrease_method(well, [1.0, 0.4], len, lambda x: True)
    with pytest.raises(TypeError, match="target must be callable; got int"):
        optimizers.decrease_method(well, [1.0, 0.4], boast, 3)
    with pytest.raises(ValueError, match="infimum must be a finite number at most"):
        optimizers.decrease_method(well, [1.0, 0.4], boast, len, infimum=5.0)
