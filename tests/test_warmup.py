"""After warming up, a new process compiles nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lib import problems, warmup

ROOT = Path(__file__).resolve().parents[1]

VISIT = """
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    from lib import curvature, ensembles, optimizers, problems
    well = problems.double_well(0.4)
    from lib.warmup import METHODS
    for method in METHODS:
        optimizers.minimize(well, [0.4, 0.3], method, learning_rate=0.05)
    optimizers.inverse_gradient_map(well, [0.1, 0.1], 0.1)
    curvature.classify(well, well.critical_points[1].x)
    starts = ensembles.uniform_starts(40, -1, 1)
    ensembles.basins(well, starts)
    ensembles.escape_times(well, starts, direction=[0, 1])
    ensembles.stable_manifold(well, [0, 0], [0.1, 0.2])
    ensembles.orbit_tail(well, [0.1, 0.2], [0.5, 1.5])
    ensembles.lyapunov_exponent(well, [0.1, 0.2], 2.0)
    well.value(starts), well.gradient(starts[0]), well.hvp(*starts[:2])
compiled = [e.data["dispatcher"].py_func.__name__ for _, e in recorder.buffer if e.is_start]
print("compiled", compiled)
"""


@pytest.fixture
def run(tmp_path):
    """Run Python in a new process; all of them share a cache that is empty at first."""
    cache = tmp_path / "cache"

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )

    return run


def numbers(line):
    pattern = r"lib.warmup: (\d+) kernels ready, (\d+) of them compiled now, in [\d.]+ s\n"
    return tuple(map(int, re.fullmatch(pattern, line).groups()))


def test_nothing_is_left_to_compile(run):
    before = run("-m", "lib.warmup", "double_well")
    assert before.returncode == 0, before.stderr
    ready, compiled = numbers(before.stdout)
    assert ready == compiled >= 13

    visit = run("-c", VISIT)
    assert visit.returncode == 0, visit.stderr
    assert visit.stdout == "compiled []\n"


def test_without_numba_there_is_nothing_to_do(monkeypatch, capsys):
    monkeypatch.setattr(warmup._jit, "JIT", False)
    warmup.main(["double_well"])
    said = capsys.readouterr().out
    assert said == "lib.warmup: numba is not active, so there is nothing to compile\n"


def test_unknown_problem_is_named(capsys):
    with pytest.raises(SystemExit) as caught:
        warmup.main(["double_well", "banana"])
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert "problem must be one of quadratic_saddle, double_well" in message
    assert "got 'banana'" in message


def test_the_problems_of_the_pages_by_default(monkeypatch, capsys):
    warmed = []
    monkeypatch.setattr(warmup, "warm", warmed.append)
    warmup.main([])
    assert [p.name for p in warmed] == [problems.CATALOGUE[name]().name for name in warmup.PAGES]
    assert "kernels ready" in capsys.readouterr().out
