"""The common loop: callbacks, budgets, progress, traces, runs in pieces, runs from many starts."""

import numpy as np
import pytest

import lib
from lib import ensembles, optimizers, problems
from lib.optimizers import METHODS
from lib.optimizers._method import Plan, optimizer

WELL = problems.double_well(0.3)
X0 = [1.0, 0.4]


def test_callback_sees_every_recorded_iterate():
    seen = []
    run = optimizers.gradient_descent(
        WELL, X0, record_every=7, callback=lambda *row: seen.append(row)
    )
    assert [k for k, *_ in seen] == run.iterations.tolist()
    np.testing.assert_array_equal([x for _, x, *_ in seen], run.path)
    np.testing.assert_array_equal([value for *_, value, _ in seen], run.values)
    np.testing.assert_array_equal([size for *_, size in seen], run.gradient_norms)


@pytest.mark.parametrize("stride", [1, 3, 50])
def test_pieces_change_nothing(stride):
    for method in ("gradient_descent", "perturbed_gradient_descent", "proximal_point"):
        whole = optimizers.minimize(WELL, X0, method, max_iter=120, record_every=stride)
        pieces = optimizers.minimize(
            WELL, X0, method, max_iter=120, record_every=stride, callback=lambda *row: False
        )
        np.testing.assert_array_equal(whole.path, pieces.path)
        assert (whole.n_value, whole.n_gradient) == (pieces.n_value, pieces.n_gradient)
        assert (whole.status, whole.n_iter) == (pieces.status, pieces.n_iter)


def test_callback_stops_the_run():
    run = optimizers.gradient_descent(WELL, X0, callback=lambda k, x, value, size: value < -0.2)
    assert run.status == "stopped"
    assert run.value < -0.2 <= run.values[-2]


def test_callback_may_not_change_the_run():
    def spoil(k, x, value, size):
        x[:] = 99.0

    plain = optimizers.gradient_descent(WELL, X0)
    np.testing.assert_array_equal(optimizers.gradient_descent(WELL, X0, callback=spoil).x, plain.x)


def test_callback_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        optimizers.gradient_descent(WELL, X0, callback=lambda *row: 1 / 0)
    with pytest.raises(TypeError, match="callback must be callable; got int"):
        optimizers.gradient_descent(WELL, X0, callback=3)


@pytest.mark.parametrize("budget", [1, 5, 40])
def test_budget(budget):
    run = optimizers.gradient_descent(WELL, X0, max_evaluations=budget, tol=0, record_every=3)
    assert run.status == "budget"
    assert run.oracle_calls == run.n_gradient == budget
    assert run.n_value == len(run.path) == run.n_recording[0]
    with pytest.raises(ValueError, match="max_evaluations must be a whole number at least 1"):
        optimizers.gradient_descent(WELL, X0, max_evaluations=0)


def test_progress_bar(capfd):
    plain = optimizers.gradient_descent(WELL, X0)
    shown = optimizers.gradient_descent(WELL, X0, progress=True)
    assert f"{plain.n_iter}/1000" in capfd.readouterr().err
    np.testing.assert_array_equal(plain.path, shown.path)
    with pytest.raises(TypeError, match="progress must be True or False"):
        optimizers.gradient_descent(WELL, X0, progress="yes")


def test_plain_python_step_runs_in_the_same_loop():
    @optimizer()
    def by_hand(problem, learning_rate=0.1):
        """Gradient descent again.

        Parameters
        ----------
        problem : Problem
            What to minimize.
        learning_rate : float
            The step size.
        """

        def advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
            ahead[:] = x - learning_rate * g
            s[0] = k
            return -1, np.nan

        return Plan(advance, scalars=[np.nan], trace=("step",))

    del METHODS["by_hand"]
    run = by_hand(WELL, X0, 0.1)
    compiled = optimizers.gradient_descent(WELL, X0, 0.1)
    np.testing.assert_allclose(run.path, compiled.path, rtol=1e-12)
    assert run.n_gradient == compiled.n_gradient
    np.testing.assert_array_equal(run.trace["step"][1:], np.arange(run.n_iter))
    assert np.isnan(run.trace["step"][0])
    text = by_hand.__doc__
    assert text.index("problem : Problem") < text.index("x0 : array_like")
    assert text.index("learning_rate : float") < text.index("max_iter : int")
    for section in ("Parameters", "Returns", "Raises"):
        assert f"{section}\n{'-' * len(section)}\n" in text


@pytest.mark.parametrize("stride", [1, 2, 100])
def test_a_step_that_is_not_made_leaves_no_trace(stride):
    @optimizer()
    def ever_on(problem):
        """Go right.

        Parameters
        ----------
        problem : Problem
            What to leave.
        """

        def advance(k, x, f, g, size, tol, p, o, v, s, m, r, ahead, c):
            ahead[:] = x + 1.0
            s[0] = k
            return -1, np.nan

        return Plan(advance, scalars=[np.nan], trace=("step",))

    del METHODS["ever_on"]
    run = ever_on(WELL, [0.1, 0.2], record_every=stride, divergence_radius=3.5, tol=0.0)
    assert run.status == "diverged"
    assert run.n_iter == 3
    assert run.trace["step"][-1] == 2


@pytest.mark.parametrize("method", ["proximal_point", "perturbed_gradient_descent"])
def test_many_runs_are_the_single_runs(method):
    starts = ensembles.uniform_starts(40, -2, 2, seed=1)
    many = ensembles.run_many(WELL, starts, 0.1, method=method, max_iter=300, tol=1e-8)
    if method == "perturbed_gradient_descent":
        single = optimizers.minimize(WELL, starts[0], method, max_iter=300)
        np.testing.assert_array_equal(many.x[0], single.x)
    else:
        for i, start in enumerate(starts):
            single = optimizers.minimize(WELL, start, method, max_iter=300)
            np.testing.assert_array_equal(many.x[i], single.x)
            assert many.n_iter[i] == single.n_iter
            assert many.status[i] == single.status
            assert many.evaluations[i].sum() == single.oracle_calls


def test_many_runs_draw_from_different_streams():
    saddle = np.zeros((200, 2))
    many = ensembles.run_many(
        WELL, saddle, method="perturbed_gradient_descent", max_iter=2000, seed=7
    )
    ends = np.round(many.x @ [-np.sin(0.3), np.cos(0.3)])
    assert 60 < (ends == 1).sum() < 140
    assert (np.abs(ends) == 1).all()
    again = ensembles.run_many(
        WELL, saddle[:50], method="perturbed_gradient_descent", max_iter=2000, seed=7
    )
    np.testing.assert_array_equal(again.x, many.x[:50])


def test_many_runs_name_a_wrong_method():
    with pytest.raises(ValueError, match="method must be one of"):
        ensembles.run_many(WELL, [X0], method="nothing")
    with pytest.raises(TypeError, match="momentum"):
        ensembles.run_many(WELL, [X0], method="proximal_point", momentum=0.9)


def test_ensemble_of_gradient_descent_counts_its_gradients():
    many = ensembles.run_many(WELL, [X0, X0], 0.1, tol=1e-8)
    single = optimizers.gradient_descent(WELL, X0, 0.1)
    assert many.evaluations.tolist() == [[0, single.n_gradient, 0]] * 2


def test_unknown_attribute_of_the_package():
    with pytest.raises(AttributeError, match="module 'lib' has no attribute 'nothing'"):
        lib.nothing  # noqa: B018
