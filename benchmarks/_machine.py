"""What this machine is, and how fast it can compute, read and write at best.

``python -m benchmarks._machine`` prints the peaks as JSON. All are the best of many short
timings, in double precision: a limit is what the machine can do when nothing disturbs it.

fma     a numba loop of fused multiply-adds on registers, at the vector width that numba's own
        code has
widest  the same loop with the widest vectors of the processor
blas    a matrix product with NumPy
read    the sum of an array far larger than the caches
write   filling such an array
"""

import json
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks._timing import cores

PACKAGES = ("numpy", "scipy", "numba", "jax", "optax", "torch")
TRIES = 20
STEPS = 200_000
WIDTHS = (32, 64, 128)
ENTRIES = 25_000_000  # 200 MB


def description():
    """Return processor, cores, versions and BLAS kernels, a dict."""
    import numpy  # noqa: F401  threadpoolctl sees what is loaded

    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return {
        "processor": _processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": found,
        "blas": _blas(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    if "model name" not in named:
        return platform.processor()
    kind = "family {cpu family}, model {model}".format(**named)
    return f"{named['model name']} ({kind}), {named['cache size']} cache"


def _blas():
    """Return the kernels that the BLAS libraries of NumPy and SciPy choose here."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown (threadpoolctl is not installed)"
    import scipy.linalg  # noqa: F401

    names = (
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    )
    return ", ".join(sorted(names))


def peaks():
    """Measure the peaks of the cores that this process may use, in operations or bytes a second."""
    import numba
    import numpy as np

    def fma_loop(width):
        @numba.njit(nogil=True, fastmath={"contract"})
        def loop(a, b):
            z = np.empty(width)
            for j in range(width):
                z[j] = j
            for _ in range(STEPS):
                for j in range(width):
                    z[j] = a * z[j] + b
            total = 0.0
            for j in range(width):
                total += z[j]
            return total

        return lambda part: loop(0.5, 1.0)

    @numba.njit(nogil=True, fastmath={"reassoc", "contract"})
    def read(x):
        total = 0.0
        for i in range(x.size):
            total += x[i]
        return total

    square = np.ones((1000, 1000))
    out = np.empty_like(square)
    data = np.ones(ENTRIES)
    parts = np.array_split(data, cores())
    with ThreadPoolExecutor(len(parts)) as pool:

        def everywhere(work):
            return _best(lambda: list(pool.map(work, parts)))

        return {
            "cores": len(parts),
            "fma": max(2.0 * w * STEPS * len(parts) / everywhere(fma_loop(w)) for w in WIDTHS),
            "blas": 2.0 * len(square) ** 3 / _best(lambda: np.dot(square, square, out=out)),
            "read": data.nbytes / everywhere(read),
            "write": data.nbytes / everywhere(lambda part: part.fill(1.0)),
        }


def _best(work):
    """Return the shortest time of `work`, which is called once before."""
    work()
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def measured(environments):
    """Measure the peaks of each mode in fresh processes with these environments."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    features["prefer-256-bit"] = False
    wide = {"NUMBA_CPU_NAME": binding.get_host_cpu_name(), "NUMBA_CPU_FEATURES": features.flatten()}
    result = {}
    for mode, environment in environments.items():
        found = _elsewhere(environment, mode)
        found["widest"] = _elsewhere(environment | wide, mode)["fma"]
        result[mode] = {"cores": found.pop("cores")}
        result[mode] |= {name: float(f"{rate:.3g}") for name, rate in found.items()}
    return result


def _elsewhere(environment, mode):
    command = [sys.executable, "-m", "benchmarks._machine", mode]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        command, cwd=root, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    if sys.argv[1] == "pinned" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(json.dumps(peaks()))
