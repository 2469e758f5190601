"""Without numba, without a cache, without permission to write: slower, with the same numbers."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOBODY = 65534

# Prints what many calls return. With `few` only some, for where nothing is found in a cache.
SCRIPT = """
import json, os
from lib import curvature, ensembles, optimizers, problems

results = {}

def keep(name, *values):
    results[name] = [v if isinstance(v, str) else getattr(v, "tolist", lambda: v)() for v in values]

well = problems.double_well(0.3)
starts = ensembles.uniform_starts(70, -2.5, 2.5)
keep("values", well.value(starts))
keep("gradient", well.gradient(starts[0]), well.hvp(starts[0], starts[1]))
if not os.environ.get("few"):
    for method in ("gradient_descent", "perturbed_gradient_descent", "proximal_point"):
        for rate, x0 in ((0.1, [1.0, 0.4]), (0.45, [-1.5, 0.9]), (0.3, [4.0, 4.0])):
            run = optimizers.minimize(well, x0, method, learning_rate=rate, max_iter=150)
            counts = [run.n_iter, run.n_value, run.n_gradient]
            keep(f"{method} {rate}", run.path, run.values, run.gradient_norms, counts, run.status)
    data = problems.CATALOGUE["logistic_regression"]()
    for method, call in optimizers.METHODS.items():
        on_data = method in ("approximate_newton", "stochastic_hessian_scaled", "restarted_sgd")
        run = call(data if on_data else well, [0.6, 0.4, 0.2][: 3 if on_data else 2], max_iter=40)
        keep(method, run.x, [run.n_iter, run.n_value, run.n_gradient, run.n_hvp], run.status)
    for rate in (0.2, 0.95):
        runs = ensembles.run_many(well, starts, rate, max_iter=60)
        keep(f"runs {rate}", runs.x, runs.n_iter, runs.status)
    keep("basins", ensembles.basins(well, starts[:20], 0.3, max_iter=200).labels)
    keep("escape", ensembles.escape_times(well, starts / 10, 0.2, direction=[1, 2], max_iter=80))
    keep("tail", ensembles.orbit_tail(well, [0.1, 0.3], [0.4, 1.3], 40, 6))
    keep("exponent", ensembles.lyapunov_exponent(well, [0.1, 0.3], 1.9, n_iter=150, burn_in=20))
    traced = ensembles.stable_manifold(problems.curved_saddle(0.5), [0, 0], [0.1], 0.3, max_iter=99)
    keep("manifold", traced.heights)
    keep("inverse", optimizers.inverse_gradient_map(well, [0.2, 0.3], 0.1))
    keep("shape", curvature.classify(well, [0.0, 0.0]).eigenvalues)
    for name in problems.CATALOGUE:
        problem = problems.CATALOGUE[name]()
        x = ensembles.uniform_starts(9, -3, 3, dimension=problem.dimension)
        keep(name, problem.value(x), problem.gradient(x[0]), problem.hvp(x[0], x[1]))
        if problem.n_samples:
            keep(f"{name} batch", problem.batch_gradient(x[0], [0, 2, 1, 2]))
    values = well.value_kernel, well.gradient_kernel
    custom = problems.custom(*values, 2, parameters=[0.8, 0.6])
    x = [0.3, 0.4]
    keep("custom", custom.value(x), custom.gradient(x), custom.hessian(x))
print(json.dumps(results))
"""

HIDE_NUMBA = """
import importlib, pkgutil, sys, warnings
sys.modules["numba"] = None
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import lib
    for module in pkgutil.walk_packages(lib.__path__, "lib."):
        importlib.import_module(module.name)
ours = [w for w in caught if issubclass(w.category, RuntimeWarning)]
assert len(ours) == 1, ours
assert "slow" in str(ours[0].message) and "numba is not installed" in str(ours[0].message)
assert not lib.HAVE_NUMBA
"""


def run(script, root=ROOT, prefix=(), **variables):
    """Run `script` with the package in `root`; a variable that is None is taken away."""
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {k: v for k, v in {**environment, **variables}.items() if v is not None}
    command = [*prefix, sys.executable, "-c", script]
    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result


def assert_same(result, wanted, tolerance=0.0):
    results = json.loads(result.stdout)
    assert results.keys() <= wanted.keys() and results
    for name, values in results.items():
        assert len(values) == len(wanted[name])
        for one, other in zip(values, wanted[name], strict=True):
            if np.asarray(one).dtype.kind in "US":
                assert one == other, name
            else:
                np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.fixture(scope="module")
def wanted():
    """Results of the compiled kernels."""
    return json.loads(run(SCRIPT).stdout)


@pytest.fixture
def install():
    """Copy the package, without any cache, to a place that every user can read."""
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(ROOT / "lib", Path(place, "lib"), ignore=lambda *_: {"__pycache__"})
        os.chmod(place, 0o755)
        yield Path(place)
        subprocess.run(["chmod", "-R", "u+w", place], check=True)


def test_switched_off_compiler_gives_the_same_numbers(wanted):
    assert_same(run(SCRIPT, NUMBA_DISABLE_JIT="1"), wanted, tolerance=1e-13)


def test_missing_numba_warns_once_and_gives_the_same_numbers(wanted):
    result = run(HIDE_NUMBA + SCRIPT)
    assert_same(result, wanted, tolerance=1e-13)


def test_read_only_install(wanted, install):
    subprocess.run(["chmod", "-R", "a+rX,a-w", str(install)], check=True)
    prefix = ()
    if os.geteuid() == 0:
        prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        probe = [*prefix, sys.executable, "-c", "import numba"]
        if shutil.which("setpriv") is None or subprocess.run(probe, cwd="/").returncode != 0:
            pytest.skip("root may write everywhere, and nobody else may run this Python")
    homeless = {"HOME": "/nonexistent", "XDG_CACHE_HOME": None, "NUMBA_CACHE_DIR": None}
    assert_same(run(SCRIPT, install, prefix, few="1", **homeless), wanted)
    assert not list(install.rglob("*.nbi"))


def test_nowhere_to_write_a_cache(wanted, install):
    for folder in [install / "lib", *(install / "lib").iterdir()]:
        if folder.is_dir():
            (folder / "__pycache__").write_text("a file where numba wants a folder")
    homeless = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null", "NUMBA_CACHE_DIR": None}
    assert_same(run(SCRIPT, install, few="1", **homeless), wanted)


def test_unwritable_cache_folder(wanted, install):
    assert_same(run(SCRIPT, install, few="1", NUMBA_CACHE_DIR="/dev/null/cache"), wanted)
    assert list(install.rglob("*.nbi"))
