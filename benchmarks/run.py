"""Time everything, write benchmarks/results.json and print a table: ``python benchmarks/run.py``.

See README.md for what is timed, and how. This file needs nothing but the standard library.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import _machine  # noqa: E402
from benchmarks._timing import ALL_CORES, MODES, PINNED  # noqa: E402

WORKLOADS = ("basins", "networks", "hvp", "hessian_estimate", "trajectory", "startup")
SINGLE = ("startup",)  # measured in one mode only
COMMAND = "python benchmarks/run.py"


def environment(mode):
    """Return the environment of a process that measures in this mode."""
    chosen = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    for pool in pools:
        chosen.pop(pool, None)
        if mode == PINNED:
            chosen[pool] = "1"
    return chosen | {"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}


def measure(workload, mode, rounds, quick):
    """Run a workload in a process of its own and return what it found."""
    command = [sys.executable, "-m", "benchmarks._worker", workload, mode, "--rounds", str(rounds)]
    done = subprocess.run(
        command + ["--quick"] * quick,
        cwd=ROOT,
        env=environment(mode),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout)


def joined(workload, found, peaks):
    """Join what both modes found for the cases of a workload, and judge the targets."""
    cases = []
    for both in zip(*found.values(), strict=True):
        by_mode = dict(zip(found, both, strict=True))
        case = both[0]
        if "measured" in case:
            met = case["measured"][0] <= case["at_most"]
            cases.append({"workload": workload, **case, "met": met})
            continue
        ours = next(iter(case["contenders"]))
        limits = {}
        for mode, seen in by_mode.items() if case["limit"] else ():
            rate = case["work"] / seen["contenders"][ours]["seconds"][0]
            share = rate / peaks[mode][case["limit"]]
            limits[mode] = {"rate": digits(rate), "share": digits(share)}
        contenders = {
            name: {
                mode: seen["contenders"][name]
                for mode, seen in by_mode.items()
                if name in seen["contenders"]
            }
            | ({"aside": True} if name in case["aside"] else {})
            for seen in reversed(both)
            for name in seen["contenders"]
        }
        cases.append(
            {
                "workload": workload,
                "case": case["case"],
                "limit": {"of": case["limit"], "model": case["model"], **limits},
                "targets": [
                    judged(target, contenders, limits, case, peaks) for target in case["targets"]
                ],
                "contenders": contenders,
            }
        )
    return cases


def judged(target, contenders, limits, case, peaks):
    """Return a target with what was reached in each mode: median, smallest and largest."""
    result = {key: target[key] for key in ("text", "wanted", "why")}
    for mode in target["modes"]:
        if target["of_limit"]:
            reached, against = [limits[mode]["share"]] * 3, case["limit"]
        elif target["per_core"]:
            count = peaks[mode]["cores"]
            reached, against = [digits(limits[mode]["rate"] / count)] * 3, "work a second and core"
        else:
            against, reached = best(target["peers"], contenders, mode)
            if reached is None:
                continue
        met = reached[0] >= target["wanted"]
        result[mode] = {"reached": reached, "against": against, "met": met}
    return result


def best(peers, contenders, mode):
    """Return name and ratio of the fastest contender whose name begins so."""
    ratios = {
        name: row[mode]["ratio"]
        for name, row in contenders.items()
        if name.startswith(tuple(peers)) and mode in row and "aside" not in row
    }
    name = min(ratios, key=lambda name: ratios[name][0], default=None)
    return name, ratios.get(name)


def digits(number):
    """Round to three digits."""
    return float(f"{number:.3g}")


def table(results):
    """Return the targets and what was reached, one line each."""
    lines = []
    for case in results["cases"]:
        if "measured" in case:
            middle, low, high = case["measured"]
            lines.append(
                f"{mark(case['met'])} {case['case']}: {middle:.3g} [{low:.3g} .. {high:.3g}] "
                f"{case['unit']} (at most {case['at_most']:g})"
            )
            continue
        lines.append(case["case"])
        for target in case["targets"]:
            for mode in MODES:
                if mode not in target:
                    continue
                seen = target[mode]
                reached = "{:.3g} [{:.3g} .. {:.3g}]".format(*seen["reached"])
                lines.append(
                    f"  {mark(seen['met'])} {target['text']}: {reached}, {mode}, {seen['against']}"
                )
        lines += [
            f"     {row['share']:.0%} of {case['limit']['of']} ({case['limit']['model']}), {mode}"
            for mode, row in case["limit"].items()
            if mode in MODES
        ]
    return "\n".join(lines)


def compact(text):
    """Bring what holds only numbers and words, the innermost of JSON, to one line each."""
    return re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda found: " ".join(found[0].split()), text)


def mark(met):
    """Return the word for a target."""
    return "met   " if met else "MISSED"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", choices=WORKLOADS, help="may be repeated")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of a case (default: 7)")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, to try it out")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results.json")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error(f"--rounds must be at least 1; got {given.rounds}")

    began = time.perf_counter()
    print("machine", flush=True)
    peaks = _machine.measured({mode: environment(mode) for mode in MODES})
    cases, load = [], {}
    for workload in given.only or WORKLOADS:
        print(workload, flush=True)
        load[workload] = digits(os.getloadavg()[0]) if hasattr(os, "getloadavg") else None
        modes = (ALL_CORES,) if workload in SINGLE else MODES
        found = {mode: measure(workload, mode, given.rounds, given.quick) for mode in modes}
        cases += joined(workload, found, peaks)
    results = {
        "command": COMMAND,
        "quick": given.quick,
        "minutes": digits((time.perf_counter() - began) / 60),
        "machine": _machine.description(),
        "peaks": peaks,
        "load": load,
        "cases": cases,
    }
    given.output.write_text(compact(json.dumps(results, indent=1)) + "\n")
    print(table(results))
    print(f"written to {given.output}, {results['minutes']:.1f} minutes")


if __name__ == "__main__":
    main()
