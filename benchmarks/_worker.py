"""Times one workload in one mode and writes JSON; run by run.py in a fresh process."""

import argparse
import importlib
import json
import os
import sys
from dataclasses import asdict

from benchmarks._timing import MODES, PINNED, compare


def say(*words):
    """Print for the reader; the result alone goes to standard output."""
    print(*words, file=sys.stderr, flush=True)


def timed(case, mode, rounds):
    """Time the contenders of a case and return all there is to know of it."""
    say(f"  {case.name} [{mode}]")
    return {
        "case": case.name,
        "limit": case.limit,
        "work": case.work,
        "model": case.model,
        "targets": [asdict(target) for target in case.targets],
        "aside": [contender.name for contender in case.contenders if contender.aside],
        "contenders": compare(case, mode, rounds, say),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if given.mode == PINNED and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    module = importlib.import_module(f"benchmarks.{given.workload}")
    if hasattr(module, "measure"):
        found = module.measure(given.quick)
    else:
        found = [timed(case, given.mode, given.rounds) for case in module.cases(given.quick)]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
