"""Without numba, without a cache, without permission to write: slower, with the same numbers."""

import dataclasses
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lib import optimizers, problems
from lib.optimizers import _method

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


# --- the cache of another time, another machine, or half a cache -----------------------------

# Says how many kernels were found in the cache and how many were not.
COUNTED = """
import gc, sys
from numba.core.dispatcher import Dispatcher
stats = [thing.stats for thing in gc.get_objects() if isinstance(thing, Dispatcher)]
for name in ("cache_hits", "cache_misses"):
    print(sum(len(getattr(one, name)) for one in stats), file=sys.stderr)
"""

FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
"""


def hits_and_misses(result):
    return tuple(map(int, result.stderr.split()[-2:]))


@pytest.mark.skipif(sys.platform == "win32", reason="no limit for the size of files")
@pytest.mark.parametrize("limit", [0, 2000])
def test_full_cache_folder(wanted, install, tmp_path, limit):
    """No file can be written, or only the small ones: as on a disk that is full."""
    variables = {"few": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    result = run(FULL.format(limit=limit) + SCRIPT, install, **variables)
    assert_same(result, wanted)
    assert "compiled kernels cannot be kept" in result.stderr
    assert all(file.stat().st_size <= limit for file in tmp_path.rglob("*.nb*"))
    assert_same(run(SCRIPT, install, **variables), wanted)
    third = run(SCRIPT + COUNTED, install, **variables)
    assert_same(third, wanted)
    assert hits_and_misses(third)[1] == 0


@pytest.mark.parametrize("damage", ["emptied", "cut off", "changed"])
def test_damaged_cache(wanted, install, tmp_path, damage):
    variables = {"few": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    run(SCRIPT, install, **variables)
    files = sorted(tmp_path.rglob("*.nb?"))
    assert {file.suffix for file in files} == {".nbi", ".nbc"}
    for number, file in enumerate(files):
        data = bytearray(file.read_bytes())
        if damage == "changed":
            for place in range(number % 64, len(data), 64):
                data[place] ^= 0x55
        kept = {"emptied": 0, "cut off": len(data) // 2, "changed": len(data)}[damage]
        file.write_bytes(data[:kept])
    assert_same(run(SCRIPT, install, **variables), wanted)
    repaired = run(SCRIPT + COUNTED, install, **variables)
    assert_same(repaired, wanted)
    assert hits_and_misses(repaired)[1] == 0


def test_cache_of_another_processor(wanted, install, tmp_path):
    variables = {"few": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    plain = "x86-64" if platform.machine() in ("x86_64", "AMD64") else "generic"
    there = {"NUMBA_CPU_NAME": plain, "NUMBA_CPU_FEATURES": "", **variables}
    other = run(SCRIPT, install, **there)
    assert_same(other, wanted, tolerance=1e-15)
    before = set(tmp_path.rglob("*.nbc"))
    here = run(SCRIPT + COUNTED, install, **variables)
    assert_same(here, wanted)
    assert hits_and_misses(here)[1] > 0 and set(tmp_path.rglob("*.nbc")) > before
    assert_same(
        run(SCRIPT, install, NUMBA_CPU_NAME=plain, NUMBA_CPU_FEATURES="", **variables), wanted
    )


BOUND = "from lib import problems; print(problems.double_well().rho1(1.0))"


def test_cache_of_an_older_version(install, tmp_path):
    """A callee in another file is different, and the file looks as old as it was."""
    variables = {"NUMBA_CACHE_DIR": str(tmp_path)}
    callee = install / "lib/problems/generalized.py"
    source, age = callee.read_text(), callee.stat()
    before = float(run(BOUND, install, **variables).stdout)
    assert source.count("else math.sqrt(t)") == 1
    callee.write_text(source.replace("else math.sqrt(t)", "else 1.0 + t"))
    os.utime(callee, (age.st_atime, age.st_mtime))
    assert float(run(BOUND, install, **variables).stdout) == 2.0 + 6.0 * 2.25 != before
    callee.write_text(source)
    os.utime(callee, (age.st_atime, age.st_mtime))
    assert float(run(BOUND, install, **variables).stdout) == before


def test_two_processes_compile_at_once(wanted, install, tmp_path):
    variables = {"few": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda _: run(SCRIPT, install, **variables), range(2)):
            assert_same(result, wanted)
    third = run(SCRIPT + COUNTED, install, **variables)
    assert_same(third, wanted)
    hits, misses = hits_and_misses(third)
    assert hits > 0 and misses == 0


@pytest.mark.parametrize("threads", ["1", "2"])
def test_number_of_threads_does_not_show(wanted, threads):
    assert_same(run(SCRIPT, NUMBA_NUM_THREADS=threads, OMP_NUM_THREADS=threads), wanted)


# --- Ctrl-C -------------------------------------------------------------------------------------

INTERRUPTED = """
import os, signal, threading
import numpy as np
from lib import optimizers, problems

bowl = problems.quadratic_saddle([1.0, 2.0])
options = {"learning_rate": 1e-12, "tol": 0.0, "record_every": 10**7}
optimizers.gradient_descent(bowl, [1.0, 1.0], max_iter=10, **options)
threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
run = optimizers.gradient_descent(bowl, [1.0, 1.0], max_iter=10**9, **options)
print(run.status, 0 < run.n_iter < 10**9, run.iterations[-1] == run.n_iter)
part = optimizers.gradient_descent(bowl, [1.0, 1.0], max_iter=run.n_iter, **options)
print(np.array_equal(run.path, part.path), np.array_equal(run.values, part.values))
print((run.n_gradient, run.n_value, run.oracle_calls) ==
      (part.n_gradient, part.n_value, part.oracle_calls))
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("off", ["0", "1"])
def test_control_c_ends_a_long_run_with_the_path_so_far(off):
    """The path is, to the last bit, the beginning of the one that was asked for."""
    result = run(INTERRUPTED, NUMBA_DISABLE_JIT=off)
    assert result.stdout.split() == ["interrupted", *["True"] * 6]


IN_A_LIBRARY = """
import os, signal, threading
from lib import optimizers, problems

bowl = problems.quadratic_saddle([1.0, 2.0])
epoch = optimizers.perturbed_epoch(1e-12, 1e-3, 10.0, 10**9, 1e-3)
threading.Timer({wait}, os.kill, [os.getpid(), signal.SIGINT]).start()
try:
    optimizers.decrease_method(bowl, [1.0, 1.0], epoch, lambda x: False)
except KeyboardInterrupt:
    print("ended")
"""


def test_control_c_ends_more_than_the_inner_run():
    assert run(IN_A_LIBRARY.format(wait=2.0)).stdout == "ended\n"


WELL = problems.double_well(0.3)
ON_DATA = ("approximate_newton", "stochastic_hessian_scaled", "restarted_sgd")


def test_control_c_in_a_callback_ends_the_run():
    def callback(k, x, value, gradient_norm):
        if k == 4:
            raise KeyboardInterrupt

    run = optimizers.gradient_descent(
        WELL, [1.0, 0.4], max_iter=100, record_every=2, callback=callback
    )
    part = optimizers.gradient_descent(WELL, [1.0, 0.4], max_iter=4, record_every=2)
    assert run.status == "interrupted" and "Ctrl-C" in run.message
    np.testing.assert_array_equal(run.path, part.path)
    assert (run.n_iter, run.n_gradient, run.n_value) == (4, part.n_gradient, part.n_value)


@pytest.mark.parametrize("name", optimizers.METHODS)
@pytest.mark.parametrize("every", [1, 7])
def test_a_run_in_pieces_is_the_same_run(name, every, monkeypatch):
    problem = problems.CATALOGUE["logistic_regression"]() if name in ON_DATA else WELL
    start = np.linspace(0.2, 0.6, problem.dimension)
    options = {"max_iter": 60, "record_every": every}
    whole = optimizers.minimize(problem, start, name, **options)
    monkeypatch.setattr(_method, "FIRST", 1)
    monkeypatch.setattr(_method, "PATIENCE", 0.0)
    pieces = optimizers.minimize(problem, start, name, **options)
    for field in dataclasses.fields(whole):
        one, other = getattr(whole, field.name), getattr(pieces, field.name)
        if field.name == "trace":
            assert one.keys() == other.keys()
            one, other = list(one.values()), list(other.values())
        np.testing.assert_array_equal(one, other, err_msg=field.name)


@pytest.mark.parametrize("name", optimizers.METHODS)
def test_an_interrupted_run_is_the_beginning_of_the_whole(name, monkeypatch):
    """The kernel is interrupted in its fifth piece, wherever that is."""
    problem = problems.CATALOGUE["logistic_regression"]() if name in ON_DATA else WELL
    start = np.linspace(0.2, 0.6, problem.dimension)
    options = {"max_iter": 50, "record_every": 3, "tol": 0.0}
    if name in ("perturbed_gradient_descent", "restarted_sgd"):
        del options["tol"]
    hold = _method._Interrupts.hold
    calls = []

    def interrupted(self, run, *arguments):
        calls.append(run)
        if len(calls) == 5:
            self.held = True
            signal.raise_signal(signal.SIGINT)
        return hold(self, run, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_method, "FIRST", 1)
        patch.setattr(_method, "PATIENCE", 0.0)
        patch.setattr(_method._Interrupts, "hold", interrupted)
        run = optimizers.minimize(problem, start, name, **options)
    if len(calls) < 5:
        assert run.status != "interrupted"
        return
    part = optimizers.minimize(problem, start, name, **{**options, "max_iter": run.n_iter})
    assert run.status == "interrupted" or run.status == part.status
    np.testing.assert_array_equal(run.path, part.path)
    np.testing.assert_array_equal(run.x, part.x)
    np.testing.assert_array_equal(run.values, part.values)
    assert (run.n_value, run.n_gradient, run.n_hvp) == (part.n_value, part.n_gradient, part.n_hvp)


def test_a_second_control_c_is_the_usual_one():
    with _method._Interrupts() as interrupts:
        interrupts.hold(signal.raise_signal, signal.SIGINT)
        assert interrupts.seen
        with pytest.raises(KeyboardInterrupt):
            interrupts.hold(signal.raise_signal, signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_programs_own_handler_stays():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *arguments: seen.append(arguments))
    try:
        with _method._Interrupts() as interrupts:
            interrupts.hold(signal.raise_signal, signal.SIGINT)
        assert len(seen) == 1 and not interrupts.seen
    finally:
        signal.signal(signal.SIGINT, before)


def test_runs_in_a_thread_leave_signals_alone(monkeypatch):
    monkeypatch.setattr(_method, "FIRST", 1)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(optimizers.gradient_descent, WELL, [1.0, 0.4], max_iter=50).result()
    assert run.status == "max_iter"


def test_a_path_that_would_fill_the_memory_is_refused():
    with pytest.raises(ValueError, match="record_every must be larger for max_iter = 1000000000"):
        optimizers.gradient_descent(WELL, [1.0, 0.4], max_iter=10**9)
