"""In the arena calls are counted as everywhere else, and all methods get the same number."""

import importlib

import numpy as np
import pytest
from numba import njit

from lib import ensembles, optimizers, problems
from lib.optimizers import METHODS
from lib.problems._indirect import indirect, single_sample

rules = importlib.import_module("lib.ensembles.arena")  # the function has the same name
BOWL = problems.quadratic([[10.0, 0.0], [0.0, 1.0]])
STARTS = np.array([[1.0, 1.0], [0.5, -2.0]])
HERE = ensembles.Challenge("bowl", "convex", BOWL, STARTS, 0.0)
CHALLENGES = ensembles.arena(2)
ONE_RATE = {"gradient_descent": {"learning_rate": (0.01, 0.1)}}


def test_every_method_takes_part():
    assert rules.ENTRANTS.keys() == METHODS.keys()


def test_there_are_five_families_of_four():
    families = [each.family for each in CHALLENGES]
    assert len(set(each.name for each in CHALLENGES)) == 20
    assert all(families.count(family) == 4 for family in families)
    for each in CHALLENGES:
        assert (each.problem.value(each.starts) > each.lowest).all()


def test_calls_are_those_of_the_race():
    entries = {"gradient_descent": {"learning_rate": 0.1}, "newton": {"damping": True}}
    entries["hessian_scaled"] = {"scaling": "alternating"}
    found = ensembles.tournament([HERE], entries, [1e-6])
    race = ensembles.race(BOWL, STARTS, 1e-6 * BOWL.value(STARTS), entries=entries)
    assert (found.calls(1e-6) == race.calls).all()


@pytest.mark.parametrize("name", ["adam", "perturbed_gradient_descent", "proximal_point"])
def test_a_budget_is_kept(name):
    found = ensembles.tournament([HERE], {name: {}}, [0.99, 1e-12], max_evaluations=30)
    calls = found.table[0]
    assert ((calls <= 30) | np.isinf(calls)).all() and np.isinf(calls[..., 1]).all()


def test_a_batch_costs_its_share():
    data = next(each for each in CHALLENGES if each.name == "logistic regression")
    entries = {"sgd": {"learning_rate": 0.1, "batch_size": "batch"}}
    calls = ensembles.tournament([data], entries, [0.5]).calls(0.5)
    share = data.batch_size / data.problem.n_samples
    assert np.isfinite(calls).all()
    assert np.allclose(calls / share, np.round(calls / share), rtol=0, atol=1e-9)


def test_rows_of_a_sampled_hessian_are_counted():
    data = next(each for each in CHALLENGES if each.name == "logistic regression")
    calls = ensembles.tournament([data], {"approximate_newton": {}}, [1e-4]).calls(1e-4)
    run = optimizers.approximate_newton(data.problem, data.starts[0], max_iter=50)
    goal = data.lowest + 1e-4 * (run.values[0] - data.lowest)
    steps = int(np.argmax(run.values <= goal))
    rows = run.trace["rows"][1 : steps + 1].sum() / len(data.problem.data.rows)
    assert calls[0, 0] == pytest.approx(steps + 1 + 2 * data.problem.dimension * rows)


def test_the_default_comes_first_and_the_best_is_chosen():
    found = ensembles.tournament([HERE], ONE_RATE, [1e-6])
    assert [each["learning_rate"] for each in found.settings[0]] == [0.1, 0.01, 0.1]
    assert (found.chosen(1e-6, "default") == 0).all()
    assert (found.calls(1e-6) == found.calls(1e-6, "default")).all()
    assert (found.calls(1e-6) <= found.table[0][:, :, 0]).all()


def test_the_summary_puts_the_best_first():
    entries = {"adaptive_gradient_descent": {}, "newton": {}}
    head, first, second = ensembles.tournament([HERE], entries, [1e-6]).summary(1e-6).split("\n")
    assert head.split() == ["all", "convex"]
    assert first.split() == ["newton", "1.00", "6", "1.00", "6"]
    assert second.split() == ["adaptive_gradient_descent", "0.00", "-", "0.00", "-"]


def test_what_a_problem_lacks_is_no_error():
    found = ensembles.tournament([HERE], {"adaptive_gradient_descent": {}}, [0.1])
    assert not found.applicable.any() and np.isinf(found.calls(0.1)).all()


@pytest.mark.parametrize("challenge", CHALLENGES, ids=lambda each: each.name)
def test_shared_kernels_compute_the_same(challenge):
    own, shared = challenge.problem, rules._ready(challenge)
    x, v = challenge.starts
    assert own.value(x) == shared.value(x)
    assert (own.gradient(x) == shared.gradient(x)).all()
    assert (own.hvp(x, v) == shared.hvp(x, v)).all()
    if own.rho1_kernel is not None:
        assert own.rho1(1.5) == shared.rho1(1.5)
    batch = np.arange(challenge.batch_size)
    whole = own if challenge.batch_size > 1 else single_sample(own)
    assert (whole.batch_gradient(x, batch) == shared.batch_gradient(x, batch)).all()
    assert (whole.batch_hvp(x, v, batch) == shared.batch_hvp(x, v, batch)).all()


def test_a_function_of_ones_own_keeps_its_kernels():
    mine = problems.custom(njit(lambda x: x[0] ** 2 + x[1] ** 2), dimension=2)
    assert indirect(mine) is mine and indirect(problems.rescaled(mine)).value([1, 1]) == 2.0
    challenge = ensembles.Challenge("mine", "mine", mine, STARTS, 0.0)
    assert np.isfinite(ensembles.tournament([challenge], ONE_RATE, [1e-3]).calls(1e-3)).all()


def test_a_run_that_ends_where_it_was_before_is_looked_at_there():
    saddle = rules._ready(HERE)
    options = {"learning_rate": 0.1, "gradient_threshold": 1.0, "perturbation_interval": 3}
    levels = np.array([1e-3])
    calls = rules._calls("perturbed_gradient_descent", saddle, STARTS[0], options, levels, 500, 1)
    assert np.isfinite(calls).all()


@pytest.mark.parametrize(
    "entrants, message",
    [
        ({"teleport": {}}, "entrants must name methods"),
        ({"newton": {"speed": 1}}, "entrants must hold options of newton"),
        ({"adam": {"eps": (1e-8,), "learning_rate": (0.1,)}}, "entrants must vary one option"),
        ({"newton": {"damping": 3}}, "entrants and challenges must suit newton"),
    ],
)
def test_entrants_are_checked(entrants, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ensembles.tournament([HERE], entrants, [0.1])


def test_unknown_accuracies_are_named():
    found = ensembles.tournament([HERE], {"newton": {}}, [0.1])
    with pytest.raises(ValueError, match="accuracy must be one of"):
        found.calls(0.2)
