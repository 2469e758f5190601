"""The whole catalogue gives the same numbers compiled and as plain Python."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from lib import optimizers, problems
from lib._jit import JIT

ROOT = Path(__file__).resolve().parents[1]
METHODS = (
    "gradient_descent",
    "perturbed_gradient_descent",
    "proximal_point",
    "adaptive_gradient_descent",
    "clipped_gradient_descent",
    "backtracking_gradient_descent",
    "heavy_ball",
    "nesterov",
    "coordinate_descent",
    "hessian_scaled",
    "newton",
    "adam",
)


def numbers():
    """Return value, gradient and a Hessian-vector product of every problem, and a run of each."""
    found = {}
    for name, make in problems.CATALOGUE.items():
        problem = make()
        x, v = np.random.default_rng(0).uniform(-0.8, 0.8, (2, problem.dimension))
        found[name] = [problem.value(x), *problem.gradient(x), *problem.hvp(x, v)]
        if problem.n_samples:
            found[name] += problem.batch_gradient(x, [0, 2, 1, 2]).tolist()
    well = problems.double_well(0.3)
    for name in METHODS:
        run = optimizers.minimize(well, [1.0, 0.4], name, max_iter=40)
        found[name] = [*run.x, run.n_iter, run.n_value, run.n_gradient, run.n_hvp]
    return found


def test_jit_changes_no_number():
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    other = subprocess.run(
        [sys.executable, __file__], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert other.returncode == 0, other.stderr
    assert JIT, "compare compiled with plain kernels: run this test without NUMBA_DISABLE_JIT"
    plain, compiled = json.loads(other.stdout), numbers()
    assert plain.keys() == compiled.keys()
    for name in plain:
        np.testing.assert_allclose(
            compiled[name], plain[name], rtol=1e-13, atol=1e-15, err_msg=name
        )


if __name__ == "__main__":
    print(json.dumps({name: list(map(float, row)) for name, row in numbers().items()}))
