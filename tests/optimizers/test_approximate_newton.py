"""Newton's method with an approximate Hessian: contractions, safeguards, variants."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import linalg, sparse

from lib import problems
from lib._jit import JIT
from lib.curvature.approximation import debias_factor, newton_contraction, predicted_contraction
from lib.curvature.sampling import SCHEMES, gram
from lib.curvature.sketching import SKETCHES
from lib.ensembles import run_many
from lib.optimizers.approximate_newton import VARIANTS, approximate_newton
from lib.problems import Problem
from lib.problems.linear_models import logistic_regression
from lib.problems.two_layer import two_layer_data, two_layer_regression

WELL = problems.double_well(0.3)


def rows_of(n=3000, d=10, tail=None, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d))
    return A if tail is None else A / np.sqrt(rng.chisquare(tail, (n, 1)) / tail)


def quadratic(A, weights=None, rest=None, quartic=0.0):
    """Make x^T (A^T D A + rest) x / 2 + quartic/4 sum x_i^4, with its structure, in plain Python.

    Its gradient is counted in calls[0].
    """
    n, d = A.shape
    weights = np.ones(n) if weights is None else weights
    rest = np.zeros((d, d)) if rest is None else rest
    dense = A.toarray() if sparse.issparse(A) else A
    H = (dense.T * weights) @ dense + rest
    calls = [0]

    def value(x, p):
        return float(x @ H @ x / 2 + quartic / 4 * (x**4).sum())

    def gradient(x, p, out):
        calls[0] += 1
        out[:] = H @ x + quartic * x**3

    def hvp(x, v, p, out):
        out[:] = H @ v + 3 * quartic * x**2 * v

    data = SimpleNamespace(
        rows=A,
        parts=lambda x: (weights, rest + np.diag(3 * quartic * x**2)),
        metric=lambda: weights,
        root=lambda x: np.sqrt(weights)[:, None] * dense,
    )
    problem = Problem(
        "quadratic", d, value, gradient, hvp, problems.base.frozen([]), constants={}, data=data
    )
    return problem, H, calls


def contractions(run, H, x=0.0):
    """Return the factors by which the steps shrink the error, in the norm of H."""
    errors = run.path - x
    sizes = np.sqrt(np.einsum("ki,ij,kj->k", errors, H, errors))
    sizes = sizes[sizes > 1e-9 * sizes[0]]
    return sizes[1:] / sizes[:-1]


def start_of(d, seed=0):
    return np.random.default_rng(seed + 100).standard_normal(d)


# --- the variants, one step -----------------------------------------------------------------


@pytest.mark.parametrize("as_sparse", [False, True])
def test_exact_steps(as_sparse):
    A = rows_of(200, 4)
    weights = np.random.default_rng(1).standard_normal(200)
    rest = 300 * np.eye(4)
    problem, H, _ = quadratic(sparse.csr_array(A) if as_sparse else A, weights, rest)
    run = approximate_newton(problem, start_of(4), "exact")
    assert (run.status, run.n_iter, run.n_hvp) == ("converged", 1, 0)
    np.testing.assert_allclose(run.x, 0.0, atol=1e-10)
    g = problem.gradient(start_of(4))
    decrement = math.sqrt(g @ np.linalg.solve(H, g))
    assert run.trace["decrement"][1] == pytest.approx(decrement)
    assert [run.trace[name][1] for name in ("step_size", "shift", "rows")] == [1.0, 0.0, 200.0]
    assert all(np.isnan(column[0]) for column in run.trace.values())


def test_exact_needs_no_structure():
    run = approximate_newton(WELL, [1.0, 0.4], "exact")
    assert run.status == "converged"
    assert (run.n_hvp, run.n_gradient) == (2 * run.n_iter, run.n_iter + 1)
    shifts = run.trace["shift"][1:]
    assert shifts[0] > 0 == shifts[-1]
    for x, ahead, shift in zip(run.path[:-1], run.path[1:], shifts, strict=True):
        step = -np.linalg.solve(WELL.hessian(x) + shift * np.eye(2), WELL.gradient(x))
        np.testing.assert_allclose(ahead, x + step, rtol=1e-9, atol=1e-12)
    assert np.isnan(run.trace["rows"]).all()


@pytest.mark.parametrize("debias", [False, True])
@pytest.mark.parametrize("variant", ["fixed", "sampled", "sketched"])
def test_steps_solve_with_the_estimate(variant, debias):
    """The change of a quadratic's gradient says which matrix the step was made with."""
    problem, H, _ = quadratic(rows_of(300, 3), rest=np.diag([0.0, 5.0, 50.0]))
    options = {"fresh": False, "debias": debias, "n_samples": 120, "learning_rate": 0.8}
    factor = 0.8 * (debias_factor(3, 120) if debias else 1.0)
    run = approximate_newton(problem, start_of(3), variant, max_iter=12, **options)
    np.testing.assert_allclose(run.trace["step_size"][1:], factor)
    steps = np.diff(run.path, axis=0)[:3]
    gradients = np.array([problem.gradient(x) for x in run.path[:3]])
    found = -factor * np.linalg.solve(steps, gradients)
    np.testing.assert_allclose(found, found.T, rtol=1e-5, atol=1e-4 * np.abs(found).max())
    aimed_at = H if variant == "sampled" else gram(problem.data.rows)
    assert 0.03 < newton_contraction(aimed_at, found, average=True) < 0.4


@pytest.mark.parametrize("variant", ["fixed", "sampled"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_rows_without_replacement_are_exact(variant, scheme):
    problem, _, _ = quadratic(rows_of(500, 4, tail=1.5), np.linspace(0.5, 2.0, 500))
    run = approximate_newton(
        problem, start_of(4), variant, 500, scheme, replacement=False, tol=1e-6
    )
    assert (run.status, run.n_iter) == ("converged", 1)
    again = approximate_newton(problem, start_of(4), variant, 500, scheme, tol=1e-6)
    assert again.n_iter > 1


def test_n_draws_with_replacement_are_not_exact():
    problem, H, _ = quadratic(rows_of())
    found = [
        contractions(approximate_newton(problem, start_of(10, s), n_samples=3000, seed=s), H)
        for s in range(2)
    ]
    typical = np.exp(np.mean(np.log(np.concatenate(found))))
    assert typical == pytest.approx(predicted_contraction(10, 3000), rel=0.2)


def test_all_mixtures_of_a_hadamard_sketch_are_exact():
    problem, _, _ = quadratic(rows_of(60, 3))
    run = approximate_newton(problem, start_of(3), "sketched", 64, sketch="hadamard")
    assert run.n_iter == 1


# --- how fast -------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [None, 1.5])
@pytest.mark.parametrize("m", [160, 640])
def test_contraction_of_leverage_sampling(tail, m):
    """The typical factor a step is sqrt((d - 1) / m), for normal and for heavy rows."""
    factors = []
    for seed in range(4):
        problem, H, _ = quadratic(rows_of(1000, tail=tail, seed=seed))
        run = approximate_newton(problem, start_of(10, seed), n_samples=m, seed=seed, tol=1e-9)
        assert run.status == "converged"
        factors.append(contractions(run, H))
    typical = np.exp(np.mean(np.log(np.concatenate(factors))))
    assert typical == pytest.approx(predicted_contraction(10, m), rel=0.15)


def test_uniform_draws_miss_heavy_rows():
    """Few steps see the rows that matter; the others overshoot."""
    problem, H, _ = quadratic(rows_of(tail=1.5))
    run = approximate_newton(problem, start_of(10), n_samples=160, scheme="uniform", max_iter=12)
    assert run.status != "converged"
    assert np.median(contractions(run, H)) > 2.0
    careful = approximate_newton(
        problem, start_of(10), n_samples=160, scheme="sketched_leverage", max_iter=40
    )
    assert careful.status == "converged"


@pytest.mark.parametrize("sketch", SKETCHES)
def test_contraction_of_sketches(sketch):
    problem, H, _ = quadratic(rows_of(512, 10, tail=3.0))
    factors = []
    for seed in range(3):
        run = approximate_newton(
            problem, start_of(10, seed), "sketched", 320, sketch=sketch, seed=seed
        )
        assert run.status == "converged"
        assert (run.trace["rows"][1:] == 320).all()
        factors.append(contractions(run, H))
    typical = np.sqrt(np.mean(np.concatenate(factors) ** 2))
    wanted = predicted_contraction(10, 320, "gaussian")
    if sketch == "gaussian":
        assert typical == pytest.approx(wanted, rel=0.2)
    assert 0.3 * wanted < typical < 1.2 * wanted


def test_iterations_against_the_logarithm_of_the_accuracy():
    """A straight line, with the slope that the contraction predicts."""
    counts = np.zeros(5)
    for seed in range(6):
        problem, H, _ = quadratic(rows_of(800, seed=seed))
        x0 = start_of(10, seed)
        x0 /= math.sqrt(x0 @ H @ x0)
        run = approximate_newton(problem, x0, n_samples=160, seed=seed, tol=1e-9)
        sizes = np.sqrt(np.einsum("ki,ij,kj->k", run.path, H, run.path))
        counts += [np.argmax(sizes <= eps) / 6 for eps in (1e-2, 1e-4, 1e-6, 1e-8, 1e-10)]
    exponents = np.log([1e2, 1e4, 1e6, 1e8, 1e10])
    slope, offset = np.polyfit(exponents, counts, 1)
    assert slope == pytest.approx(-1 / math.log(predicted_contraction(10, 160)), rel=0.12)
    assert np.abs(counts - slope * exponents - offset).max() < 0.6


def test_a_kept_sample_contracts_by_its_own_factor():
    """Without fresh draws the error is multiplied by the same matrix in every step."""
    problem, H, _ = quadratic(rows_of(1000, 6))
    kept = approximate_newton(problem, start_of(6), n_samples=60, fresh=False, tol=1e-10)
    assert kept.status == "converged"
    tail = contractions(kept, H)[-6:]
    assert np.ptp(tail) < 0.05 * tail.mean()
    fresh = contractions(approximate_newton(problem, start_of(6), n_samples=60), H)
    assert np.ptp(fresh) > 0.3 * fresh.mean()
    for variant in ("fixed", "sketched"):
        run = approximate_newton(problem, start_of(6), variant, 60, fresh=False, tol=1e-10)
        tail = contractions(run, H)[-6:]
        assert np.ptp(tail) < 0.05 * tail.mean()


@pytest.mark.parametrize("w2", [0.3, 0.6, 1.0, 4.0])
def test_a_fixed_preconditioner_converges_at_its_spectral_radius(w2):
    """rho(I - P^-1 H): above 1 it diverges, and the larger the weights the better."""
    A = rows_of(100, 4)
    rest = np.diag([40.0, -10.0, 5.0, 20.0])
    problem, H, _ = quadratic(A, np.full(100, w2), rest)
    P = w2 * A.T @ A
    rho = np.abs(np.linalg.eigvals(np.eye(4) - np.linalg.solve(P, H))).max()
    run = approximate_newton(problem, start_of(4), "fixed", max_iter=400, tol=1e-8)
    assert run.status == ("converged" if rho < 1 else "diverged")
    assert contractions(run, P)[-1] == pytest.approx(rho, rel=0.02)
    assert (run.trace["rows"][1:] == 100).all()


# --- where the estimate is no good ----------------------------------------------------------


def test_too_few_rows():
    """With fewer rows than coordinates the estimate is singular."""
    problem, _, _ = quadratic(rows_of(300, 8))
    run = approximate_newton(problem, start_of(8), n_samples=5, safeguard=False)
    assert (run.status, run.n_iter) == ("breakdown", 0)
    np.testing.assert_array_equal(run.x, start_of(8))
    shifted = approximate_newton(problem, start_of(8), n_samples=5, damping=True, max_iter=30)
    assert (shifted.trace["shift"][1:] > 0).all()
    assert (np.diff(shifted.values) <= 0).all()
    assert shifted.value < 1e-3 * shifted.values[0]


def test_the_shift_is_the_first_of_the_doublings_that_helps():
    rest = np.diag([-200.0, 10.0, 10.0])
    problem, H, _ = quadratic(rows_of(100, 3), rest=rest)
    run = approximate_newton(problem, start_of(3), "exact", max_iter=1)
    shift = run.trace["shift"][1]
    doublings = math.log2(shift / (1e-3 * np.linalg.norm(H)))
    assert doublings == pytest.approx(round(doublings), abs=1e-9)
    lowest = np.linalg.eigvalsh(H)[0]
    assert shift / 2 <= -lowest < shift
    step = -np.linalg.solve(H + shift * np.eye(3), H @ start_of(3))
    np.testing.assert_allclose(run.x, start_of(3) + step, rtol=1e-9)
    bare = approximate_newton(problem, start_of(3), "exact", safeguard=False)
    assert (bare.status, bare.n_iter) == ("breakdown", 0)


def test_damping_from_far():
    """Where the quartic term rules, a stale metric overshoots; a search shortens the steps."""
    problem, _, _ = quadratic(rows_of(200, 3), np.full(200, 0.05), quartic=5.0)
    x0 = 10 * start_of(3)
    wild = approximate_newton(problem, x0, "fixed", max_iter=60)
    assert wild.status == "diverged"
    tame = approximate_newton(problem, x0, "fixed", damping=True, max_iter=300)
    assert tame.status == "converged"
    assert (np.diff(tame.values) <= 1e-14 * tame.values[:-1]).all()
    assert tame.trace["step_size"][1] < 0.1 and tame.trace["step_size"][-1] == 1.0
    assert tame.n_value > tame.n_iter + 1


def test_negative_weights():
    """The estimate keeps their sign; on average it is the matrix."""
    A = rows_of(400, 3)
    weights = np.where(np.arange(400) % 5 == 0, -0.5, 1.0)
    problem, H, _ = quadratic(A, weights)
    run = approximate_newton(problem, start_of(3), n_samples=200)
    assert run.status == "converged"
    exact = approximate_newton(problem, start_of(3), n_samples=400, replacement=False)
    assert exact.n_iter == 1


def test_rows_that_do_not_matter():
    problem, _, _ = quadratic(rows_of(50, 2), np.zeros(50), np.eye(2))
    run = approximate_newton(problem, start_of(2))
    assert (run.n_iter, run.trace["rows"][1]) == (1, 0)


def with_data(problem, **changes):
    return dataclasses.replace(problem, data=SimpleNamespace(**vars(problem.data) | changes))


def test_no_root_is_a_breakdown():
    problem, _, _ = quadratic(rows_of(50, 2))

    def root(x):
        raise ValueError("indefinite")

    run = approximate_newton(with_data(problem, root=root), start_of(2), "sketched")
    assert (run.status, run.n_iter) == ("breakdown", 0)


@pytest.mark.parametrize("variant", ["exact", "sampled"])
@pytest.mark.parametrize("where", ["weights", "rest"])
def test_numbers_that_are_not_finite(variant, where):
    problem, _, _ = quadratic(rows_of(50, 2))
    bad = {
        "weights": (np.full(50, np.nan), np.zeros((2, 2))),
        "rest": (np.ones(50), np.full((2, 2), np.inf)),
    }[where]
    run = approximate_newton(with_data(problem, parts=lambda x: bad), start_of(2), variant)
    assert (run.status, run.n_iter) == ("breakdown", 0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_starts_where_everything_overflows(variant):
    problem = two_layer_regression(*two_layer_data(20, 2, 3), 0.5)
    with np.errstate(over="ignore", invalid="ignore"):
        run = approximate_newton(problem, [1e308, -1e308], variant, divergence_radius=1.5e308)
    assert (run.status, run.n_iter) == ("breakdown", 0)


@pytest.mark.parametrize("variant", ["exact", "sampled"])
def test_the_gradient_may_come_with_the_parts(variant):
    problem = two_layer_regression(*two_layer_data(300, 4, 3), 0.5)
    calls = []

    def together(x):
        calls.append(x.copy())
        return problem.data.gradient_and_parts(x)

    given = {"rows": problem.data.rows, "parts": problem.data.parts}
    apart = approximate_newton(with_data(problem, **given), np.ones(4), variant)
    given = {"rows": problem.data.rows, "parts": None, "gradient_and_parts": together}
    run = approximate_newton(with_data(problem, **given), np.ones(4), variant)
    assert (run.status, run.n_gradient) == (apart.status, apart.n_gradient)
    np.testing.assert_allclose(run.path, apart.path, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(calls, run.path)  # one pass for each iterate, no more


@pytest.mark.parametrize("n_samples", [None, 5])
def test_a_fixed_part_of_zero_breaks_down(n_samples):
    problem, _, _ = quadratic(rows_of(50, 2), np.zeros(50), np.eye(2))
    run = approximate_newton(problem, start_of(2), "fixed", n_samples)
    assert (run.status, run.n_iter) == ("breakdown", 0)


# --- the problems of the course -------------------------------------------------------------


def test_logistic_regression():
    """Exact Newton squares the error where sampled Newton multiplies it by a factor."""
    rng = np.random.default_rng(3)
    A = rng.standard_normal((800, 5))
    labels = np.sign(A @ [1.0, -1.0, 0.5, 0.0, 2.0] + 0.7 * rng.standard_normal(800))
    problem = logistic_regression(A, labels, l2=1e-2)
    best = approximate_newton(problem, np.zeros(5), "exact", tol=1e-13)
    assert best.status == "converged" and best.n_iter <= 8
    H = problem.hessian(best.x)
    exact = approximate_newton(problem, np.zeros(5), "exact", tol=1e-9)
    errors = np.linalg.norm(exact.path[1:-1] - best.x, axis=1)
    assert (errors[1:] < 2 * errors[:-1] ** 2).all()
    near = best.x + 1e-3 * start_of(5)
    for variant, options, wanted in (
        ("sampled", {}, predicted_contraction(5, 200)),
        ("sketched", {}, predicted_contraction(5, 200, "gaussian")),
        ("sketched", {"sketch": "count"}, predicted_contraction(5, 200, "gaussian")),
    ):
        factors = []
        for seed in range(4):
            run = approximate_newton(problem, near, variant, 200, seed=seed, **options)
            assert run.status == "converged"
            np.testing.assert_allclose(run.x, best.x, atol=1e-6)
            factors.append(contractions(run, H, best.x)[:4])
        typical = np.exp(np.mean(np.log(np.concatenate(factors))))
        assert 0.6 * wanted < typical < 1.3 * wanted
    for variant in ("sampled", "sketched"):
        assert approximate_newton(problem, np.zeros(5), variant).status == "converged"
    kept = approximate_newton(problem, np.zeros(5), n_samples=800, replacement=False, fresh=False)
    np.testing.assert_allclose(kept.path[:4], exact.path[:4], rtol=1e-9)  # with today's weights
    with pytest.raises(ValueError, match="constant part of the Hessian"):
        approximate_newton(problem, np.zeros(5), "fixed")


@pytest.mark.parametrize("as_sparse", [False, True])
def test_two_layer_regression(as_sparse):
    """All variants find the minimizer; a fixed metric at the rate that the Hessian there says."""
    A1, A2, b = two_layer_data(60, 4, 5, curvature_ratio=0.5, weight=0.3, seed=1)
    if as_sparse:
        A1 = sparse.csr_array(np.where(np.abs(A1) > 0.5, A1, 0.0))
    problem = two_layer_regression(A1, A2, b, 0.6)
    best = approximate_newton(problem, np.zeros(4), "exact", tol=1e-12)
    assert best.status == "converged" and best.n_iter <= 8
    H = problem.hessian(best.x)
    P = gram(problem.data.rows, problem.data.metric())
    rho = np.abs(linalg.eigvalsh(H, P) - 1.0).max()
    assert 0.05 < rho < 1.0
    fixed = approximate_newton(problem, np.zeros(4), "fixed", max_iter=300)
    assert fixed.status == "converged"
    assert contractions(fixed, P, best.x)[-1] == pytest.approx(rho, rel=0.1)
    for options in (
        {"variant": "sampled", "scheme": "leverage"},
        {"variant": "sampled", "scheme": "sketched_leverage"},
        {"variant": "sampled", "replacement": False},
        {"variant": "sketched"},
        {"variant": "sketched", "sketch": "hadamard"},
    ):
        run = approximate_newton(problem, np.zeros(4), n_samples=50, **options)
        assert run.status == "converged", options
        np.testing.assert_allclose(run.x, best.x, atol=1e-6)


@pytest.mark.parametrize(("variant", "kind"), [("sampled", "leverage"), ("sketched", "gaussian")])
def test_contraction_where_the_data_curve_as_much_as_the_regularizer(variant, kind):
    """The claim of the chapter, on a network and not on a ridge problem in disguise."""
    A1, A2, b = two_layer_data(1000, 10, 6, curvature_ratio=0.8, aligned=True, weight=0.15)
    problem = two_layer_regression(A1, A2, b, 0.15)
    best = approximate_newton(problem, np.zeros(10), "exact", tol=1e-12)
    assert problem.data.relative_curvature(best.x)[-1] > 0.4
    H = problem.hessian(best.x)
    factors = []
    for seed in range(6):
        x0 = best.x + 1e-3 * start_of(10, seed) / np.sqrt(np.diag(H))
        run = approximate_newton(problem, x0, variant, 160, seed=seed, tol=1e-9)
        assert run.status == "converged"
        factors.append(contractions(run, H, best.x))
    typical = np.exp(np.mean(np.log(np.concatenate(factors))))
    assert typical == pytest.approx(predicted_contraction(10, 160, kind), rel=0.2)


def test_the_larger_the_weights_the_better_the_fixed_metric():
    """The table of the chapter in small: first divergence, then faster and faster convergence."""
    rates = []
    for w2 in (0.02, 0.05, 0.16, 0.4, 1.0, 4.0):
        A1, A2, b = two_layer_data(20, 4, 8, norms=(4.0, 4.0, 6.0), seed=2)
        problem = two_layer_regression(A1, A2, b, math.sqrt(w2))
        best = approximate_newton(problem, np.zeros(4), "exact", damping=True, tol=1e-11)
        assert best.status == "converged"
        P = gram(A1, problem.data.metric())
        rho = np.abs(linalg.eigvalsh(problem.hessian(best.x), P) - 1.0).max()
        run = approximate_newton(problem, best.x + 1e-3, "fixed", tol=1e-10, max_iter=400)
        if rho < 1:
            assert run.status == "converged"
            assert contractions(run, P, best.x)[-2] == pytest.approx(rho, rel=0.1)
        rates.append(rho)
    assert (np.diff(rates) < 0).all()
    assert rates[0] > 1 > 10 * rates[-1]


def test_one_sigmoid_converges_from_everywhere():
    """The theory vouches for starts within 0.17 or 1.14 of the minimizer, but all will do."""
    problem = two_layer_regression([[1.0], [0.0]], [[1.0, 0.0]], [1.0], [0.1**0.5, 0.0], "identity")
    for x0 in np.linspace(-30.0, 30.0, 61):
        run = approximate_newton(problem, [x0], "exact", max_iter=100)
        assert run.status == "converged"
        assert run.x[0] == pytest.approx(0.720543, abs=1e-6)
    assert problem.hessian(run.x)[0, 0] == pytest.approx(0.173364, abs=1e-6)


def test_a_convex_kink_makes_newton_cycle():
    """The minimizer sits where the ReLU switches, and unit steps jump over it forever."""
    problem = two_layer_regression([[1.0], [0.0]], [[2.0, -1.0]], [-1.0], 0.3**0.5, "relu")
    run = approximate_newton(problem, [0.5], "exact", max_iter=12)
    assert run.status == "max_iter"
    np.testing.assert_allclose(run.path[1:7, 0], [-2.59, 0, -1.304, 0, -1.304, 0], atol=2e-3)
    kink = math.log(0.5)
    values = problem.value(np.array([[kink - 1e-3], [kink], [kink + 1e-3]]))
    assert values[1] < min(values[0], values[2])


# --- seeds, counts, wrong input -------------------------------------------------------------


@pytest.mark.parametrize("variant", ["fixed", "sampled", "sketched"])
def test_seeds(variant):
    problem, _, _ = quadratic(rows_of(200, 3))
    run, same, other = (
        approximate_newton(problem, start_of(3), variant, 30, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(run.path, same.path)
    assert (run.path[1] != other.path[1]).any()
    seen = []
    again = approximate_newton(
        problem, start_of(3), variant, 30, seed=1, callback=lambda k, *rest: seen.append(k)
    )
    np.testing.assert_array_equal(run.path, again.path)
    assert len(seen) == len(run.path)


@pytest.mark.parametrize("variant", VARIANTS)
def test_counts_and_records(variant):
    problem, _, calls = quadratic(rows_of(200, 3))
    run = approximate_newton(problem, start_of(3), variant, 60 if variant != "exact" else None)
    assert run.status == "converged"
    assert run.n_gradient == calls[0] == run.n_iter + 1
    assert (run.n_hvp, run.n_sample, run.n_value) == (0, 0, run.n_recording[0])
    if run.n_iter > 3:
        sparse_run = approximate_newton(problem, start_of(3), variant, 60, record_every=3)
        np.testing.assert_array_equal(
            sparse_run.path[:-1], run.path[::3][: len(sparse_run.path) - 1]
        )
        kept = sparse_run.trace["rows"]
        np.testing.assert_array_equal(kept[1:-1], run.trace["rows"][3::3][: len(kept) - 2])


def test_default_number_of_rows():
    problem, _, _ = quadratic(rows_of(500, 2))
    assert approximate_newton(problem, start_of(2), "sketched").trace["rows"][1] == 40
    assert 30 < approximate_newton(problem, start_of(2)).trace["rows"][1] <= 40
    few, _, _ = quadratic(rows_of(12, 2))
    run = approximate_newton(few, start_of(2), replacement=False)
    assert (run.n_iter, run.trace["rows"][1]) == (1, 12)


def test_ensembles_ask_for_compiled_code():
    """Without compiled code at all there is no difference, and they run."""
    options = {"method": "approximate_newton", "variant": "exact"}
    if JIT:
        with pytest.raises(ValueError, match="method must run in compiled code"):
            run_many(WELL, [[1.0, 0.4]], **options)
    else:
        wanted = approximate_newton(WELL, [1.0, 0.4], "exact")
        np.testing.assert_array_equal(run_many(WELL, [[1.0, 0.4]], **options).x, [wanted.x])


QUADRATIC = quadratic(rows_of(50, 2))[0]


@pytest.mark.parametrize(
    ("problem", "options", "error", "message"),
    [
        (WELL, {}, ValueError, "problem must carry data.rows and data.parts for variant 'sampled'"),
        (WELL, {"variant": "fixed"}, ValueError, "data.rows and data.metric .*double well"),
        (WELL, {"variant": "sketched"}, ValueError, "problem must carry data.root"),
        (
            with_data(QUADRATIC, metric=lambda: None),
            {"variant": "fixed"},
            ValueError,
            "problem must have a constant part",
        ),
        (QUADRATIC, {"variant": "v2"}, ValueError, "variant must be one of 'exact', 'fixed'"),
        (QUADRATIC, {"n_samples": 0}, ValueError, "n_samples must be .* at least 1"),
        (QUADRATIC, {"n_samples": 10.0}, TypeError, "n_samples must be a whole number"),
        (
            QUADRATIC,
            {"n_samples": 51, "replacement": False},
            ValueError,
            "n_samples must be .* at most 50",
        ),
        (
            QUADRATIC,
            {"n_samples": 65, "variant": "sketched", "sketch": "hadamard"},
            ValueError,
            "n_samples must be .* at most 64",
        ),
        (QUADRATIC, {"scheme": "best"}, ValueError, "scheme must be one of 'uniform'"),
        (QUADRATIC, {"sketch": "best"}, ValueError, "sketch must be one of 'gaussian'"),
        (QUADRATIC, {"replacement": 0}, TypeError, "replacement must be True or False"),
        (QUADRATIC, {"debias": "no"}, TypeError, "debias must be True or False"),
        (
            QUADRATIC,
            {"debias": True, "n_samples": 3},
            ValueError,
            "n_samples must be .* at least 4",
        ),
        (
            QUADRATIC,
            {"debias": True, "variant": "exact"},
            ValueError,
            "debias must be False where nothing is drawn",
        ),
        (QUADRATIC, {"fresh": None}, TypeError, "fresh must be True or False"),
        (QUADRATIC, {"learning_rate": 0}, ValueError, "learning_rate must be .* above 0"),
        (QUADRATIC, {"safeguard": 1}, TypeError, "safeguard must be True or False"),
        (QUADRATIC, {"damping": 1.0}, TypeError, "damping must be True or False"),
        (QUADRATIC, {"shrink": 1.0}, ValueError, "shrink must be .* below 1"),
        (QUADRATIC, {"seed": -1}, ValueError, "seed must be .* at least 0"),
        (QUADRATIC, {"seed": np.random.default_rng(0)}, TypeError, "seed must be a whole number"),
    ],
)
def test_wrong_input_is_named(problem, options, error, message):
    with pytest.raises(error, match=message):
        approximate_newton(problem, [1.0, 0.4], **options)
