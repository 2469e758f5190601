"""How long a reader waits: the first result in a new process, a further problem, a slider's move.

Every process is new and finds the kernels in numba's cache on disk; one that fills the cache goes
before. Wall time. Compilations are counted by numba's own events.
"""

import json
import subprocess
import sys
import time

from benchmarks._timing import summary

PROCESSES = 7
WHY = "Reading and linking compiled kernels from disk takes as long as it takes on a slow disk."


def first_results():
    """Measure in this process, which must be new; return seconds and numbers of compilations."""
    from numba.core import event

    recorder = event.RecordingListener()
    event.register("numba:compile", recorder)
    began = time.perf_counter()

    from lib import optimizers, problems

    optimizers.gradient_descent(problems.double_well(), [0.5, 0.3], 0.1)
    first = time.perf_counter()
    optimizers.gradient_descent(problems.himmelblau(), [0.5, 0.3], 0.01)
    further = time.perf_counter()
    before = len(recorder.buffer)
    for rate in (0.05, 0.1, 0.2):
        for rotation in (0.1, 0.7):
            for start in (-0.5, 0.9):
                well = problems.double_well(rotation)
                optimizers.gradient_descent(well, [0.5, start], rate, max_iter=100, tol=1e-6)
    moves = len(recorder.buffer) - before
    return {
        "first": first - began,
        "further": further - first,
        "compiled": before // 2,  # each has a beginning and an end
        "moves": moves // 2,
    }


def measure(quick):
    """Return what was measured, a list of rows."""
    command = [sys.executable, "-m", "benchmarks.startup"]
    runs = []
    for _ in range(1 + (3 if quick else PROCESSES)):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        runs.append(json.loads(done.stdout))
    runs = runs[1:]
    if any(run["compiled"] for run in runs):
        raise ValueError("the cache on disk was not hit: a warm process compiled something")
    rows = (
        ("first result in a new process, past import numba", "s", "first", 1.0),
        ("first result for a further problem", "s", "further", 0.05),
        ("compilations in 12 moves of sliders", "", "moves", 0),
    )
    return [
        {
            "case": case,
            "unit": unit,
            "measured": summary([run[key] for run in runs]),
            "at_most": most,
            "why": WHY,
        }
        for case, unit, key, most in rows
    ]


if __name__ == "__main__":
    import numba  # noqa: F401  its own import is not counted

    json.dump(first_results(), sys.stdout)
