"""Problems that share kernels compute what they computed before, compiled or not."""

import numpy as np

from lib import _jit, optimizers, problems
from lib.problems._indirect import indirect, single_sample

WELL = problems.double_well(0.3)
START = np.array([1.0, 0.4])


def test_two_problems_share_one_method():
    shared = [indirect(each) for each in (WELL, problems.rosenbrock())]
    assert shared[0].gradient_kernel is shared[1].gradient_kernel
    for own, each in zip((WELL, problems.rosenbrock()), shared, strict=True):
        one = optimizers.newton(own, START, damping=True)
        other = optimizers.newton(each, START, damping=True)
        assert (one.path == other.path).all() and one.oracle_calls == other.oracle_calls


def test_what_a_problem_has_not_it_does_not_get():
    shared = indirect(problems.rosenbrock())
    assert shared.rho1_kernel is None and shared.batch_gradient_kernel is None


def test_one_sample_is_the_whole():
    alone = single_sample(WELL)
    assert alone.n_samples == 1
    assert (alone.batch_gradient(START, [0]) == WELL.gradient(START)).all()
    assert (alone.batch_hvp(START, [1.0, 2.0], [0]) == WELL.hvp(START, [1.0, 2.0])).all()


def test_without_a_compiler_a_number_finds_the_function(monkeypatch):
    monkeypatch.setattr(_jit, "JIT", False)
    written = []
    add, note = (lambda a, b: a + b), written.append
    first, second = _jit.place(add, "nn"), _jit.place(note, "n")
    assert _jit.place(add, "nn") == first != second
    assert _jit._number_from(first, (1.0, 2.0)) == 3.0
    _jit._carry_out(second, (4.0,))
    assert written == [4.0] and _jit._head(np.arange(3.0), 2).tolist() == [0.0, 1.0]
