"""Every problem of the catalogue: derivatives, batches, critical points, pickling."""

import pickle

import numpy as np
import pytest

from lib import curvature, problems
from lib._jit import python_function
from lib.problems import CATALOGUE

TINY = 1e-30


@pytest.fixture(params=CATALOGUE, scope="module")
def problem(request):
    return CATALOGUE[request.param]()


@pytest.fixture
def points(problem):
    return np.random.default_rng(3).uniform(-0.9, 0.9, (4, problem.dimension))


def test_every_constructor_is_listed():
    made = {
        name
        for name in problems.__all__
        if isinstance(getattr(problems, name), type(problems.custom))
        and "Problem\n" in (getattr(problems, name).__doc__.partition("Returns")[2])[:40]
    }
    assert made - {"custom"} == set(CATALOGUE)


def test_gradient_is_the_derivative_of_the_value(problem, points):
    """By a complex step on the value kernel itself, which therefore has to take complex numbers."""
    value = python_function(problem.value_kernel)
    for x in points:
        wanted = [
            value(x + 1j * TINY * e, problem.parameters).imag / TINY
            for e in np.eye(problem.dimension)
        ]
        np.testing.assert_allclose(problem.gradient(x), wanted, rtol=1e-10, atol=1e-12)


def test_hvp_is_the_derivative_of_the_gradient(problem, points):
    for x, v in zip(points, points[::-1], strict=True):
        exact = curvature.hvp(problem, x, v, method="complex_step")
        np.testing.assert_allclose(problem.hvp(x, v), exact, rtol=1e-9, atol=1e-11)


def test_hessian_is_symmetric(problem, points):
    columns = np.array([problem.hvp(points[0], e) for e in np.eye(problem.dimension)])
    np.testing.assert_allclose(columns, columns.T, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(problem.hessian(points[0]), columns, rtol=1e-9, atol=1e-11)


def test_strided_points_give_the_same_numbers(problem, points):
    block = np.asfortranarray(points)
    out = np.empty((problem.dimension, 3))
    problem.gradient_kernel(block[1], problem.parameters, out[:, 1])
    np.testing.assert_array_equal(out[:, 1], problem.gradient(points[1]))


def test_all_samples_together_are_the_problem(problem, points):
    if not 0 < problem.n_samples < 100:
        with pytest.raises(ValueError, match="mean over samples|batch must hold numbers"):
            problem.batch_gradient(points[0], [2**60])
        return
    x, v = points[:2]
    everything = np.arange(problem.n_samples)
    assert problem.batch_value(x, everything) == pytest.approx(problem.value(x), rel=1e-12)
    np.testing.assert_allclose(
        problem.batch_gradient(x, everything), problem.gradient(x), rtol=1e-10, atol=1e-13
    )
    np.testing.assert_allclose(
        problem.batch_hvp(x, v, everything), problem.hvp(x, v), rtol=1e-10, atol=1e-13
    )
    parts = [problem.batch_gradient(x, [i]) for i in everything]
    np.testing.assert_allclose(np.mean(parts, axis=0), problem.gradient(x), rtol=1e-9, atol=1e-12)
    twice = problem.batch_gradient(x, [0, 0, 1])
    np.testing.assert_allclose(twice, (2 * parts[0] + parts[1]) / 3, rtol=1e-10, atol=1e-13)


def test_listed_critical_points(problem):
    for known in problem.critical_points:
        assert np.linalg.norm(problem.gradient(known.x)) < 1e-10
        assert problem.value(known.x) == pytest.approx(known.value, rel=1e-10, abs=1e-12)
        by_hessian = curvature.classify(problem, known.x).kind
        assert by_hessian == known.kind or by_hessian == "degenerate" and known.kind == "minimizer"
        assert known.value >= problem.constants.get("infimum", -np.inf) - 1e-12


def test_bounds_hold(problem):
    if problem.rho1_kernel is None:
        return
    for x in np.random.default_rng(5).normal(size=(30, problem.dimension)) * 2:
        value = problem.value(x)
        norm = np.abs(np.linalg.eigvalsh(problem.hessian(x))).max()
        assert norm <= problem.rho1(value) * (1 + 1e-12)


def test_a_problem_travels_to_another_process(problem, points):
    back = pickle.loads(pickle.dumps(problem))
    assert back.value(points[0]) == problem.value(points[0])
    np.testing.assert_array_equal(back.gradient(points[1]), problem.gradient(points[1]))
    assert not back.parameters.flags.writeable
