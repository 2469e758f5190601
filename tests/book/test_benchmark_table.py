"""The page on speed shows all that was measured, and refuses what it must not show."""

import copy
import json
import re
from html import unescape
from pathlib import Path

import benchmark_table
import pytest
from benchmark_table import DASH, FIXED, THIN

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results.json"
WORKLOADS = {"basins", "networks", "hvp", "hessian_estimate", "trajectory", "startup"}
WHY = "A step costs $7$ flops in `run_many`."


def measured(seconds, ratio):
    return {"seconds": [seconds] * 3, "ratio": ratio, "rounds": 5, "waited": 0.0}


def target(text, wanted, against, pinned, all_cores, met, why=""):
    modes = (("pinned", pinned), ("all_cores", all_cores))
    found = {
        mode: {"reached": reached, "against": against, "met": good}
        for (mode, reached), good in zip(modes, met, strict=True)
        if reached is not None
    }
    return {"text": text, "wanted": wanted, "why": why, **found}


def network(method, *targets):
    both = {mode: measured(0.25, [1.0] * 3) for mode in ("pinned", "all_cores")}
    return {
        "workload": "networks",
        "case": f"1000 networks 1-16-16-1, {method}, 50 steps",
        "limit": {"of": "fma", "model": "2 * H^2 flops", "pinned": {"rate": 1.2e10, "share": 0.4}},
        "targets": list(targets),
        "contenders": {
            "lib, run_many": both,
            "JAX vmap": {"pinned": measured(0.5, [2.0, 1.9, 2.2])},
            "JAX vmap, single precision": {"pinned": measured(0.2, [0.8, 0.7, 0.9]), "aside": True},
        },
    }


def made_up():
    """Return results of all kinds, made up by hand."""
    ones = [1.0] * 3
    peaks = {"fma": 3e10, "widest": 6e10, "blas": 5e10, "read": 1.25e10, "write": 8e9}
    well = {
        "workload": "basins",
        "case": "double well, 1000000 starts x 200 steps",
        "limit": {
            "of": "fma",
            "model": "7 flops a step",
            "pinned": {"rate": 1.8e10, "share": 0.6},
            "all_cores": {"rate": 3.45e10, "share": 0.575},
        },
        "targets": [
            target(
                "10 x NumPy", 10.0, "NumPy", [12.345, 11, 14], [9, 8.5, 9.5], (True, False), WHY
            ),
            target("5 x JAX", 5.0, "JAX", [2.5, 2.4, 2.6], [3.5, 3.4, 3.6], (False, False), WHY),
            target("55 % of the FMA peak", 0.55, "fma", [0.6] * 3, [0.575] * 3, (True, True)),
        ],
        "contenders": {
            "lib, run_many": {"pinned": measured(0.04, ones), "all_cores": measured(2e-5, ones)},
            "NumPy": {"pinned": measured(4, [12.345, 11, 14])},
            "NumPy threads": {"all_cores": measured(0.001234, [9, 8.5, 9.5])},
            "other <estimate>": {"pinned": measured(0.1, [2500, 2400, 2600]), "aside": True},
        },
    }
    step = {
        "workload": "hessian_estimate",
        "case": "a step",
        "limit": {"of": None, "model": ""},
        "targets": [
            target("at most 1.5 x one", 2 / 3, "lib", [0.8, 0.5, 1], [0.8] * 3, (True, True)),
        ],
        "contenders": {"lib, step": {"pinned": measured(0.01, ones)}},
    }
    speed = ("2.5 x the best", 2.5, "JAX")
    rate = ("24 GFLOP/s", 1.2e10, "work a second and core", None, [1.3e10] * 3, (True, True))
    networks = [
        network("sgd", target(*speed, [2.6] * 3, [2.7] * 3, (True, True)), target(*rate)),
        network("adam", target(*speed, [2.0] * 3, [2.9] * 3, (False, True), WHY), target(*rate)),
    ]
    wait = {
        "workload": "startup",
        "case": "first result",
        "unit": "s",
        "measured": [0.67, 0.6, 0.75],
        "at_most": 1.0,
        "met": True,
    }
    return {
        "command": "python benchmarks/run.py",
        "quick": False,
        "minutes": 24.3,
        "machine": {
            "processor": "A processor",
            "cores": 2,
            "system": "Linux x86_64",
            "python": "3.12.1",
            "packages": {"numpy": "2.0.0", "jax": None},
            "blas": "openblas 0.3 Haswell",
            "date": "2026-01-02",
        },
        "peaks": {"pinned": {"cores": 1, **peaks}, "all_cores": {"cores": 2, **peaks}},
        "load": {},
        "cases": [well, *networks, step, wait],
    }


DIRECTIVES = (
    "{benchmark-minute}",
    "{benchmark-machine}",
    "{benchmark-targets}",
    "{benchmark-missed}",
    "{benchmark-table} basins",
    "{benchmark-table} networks",
    "{benchmark-table} startup",
)
PAGE = "# Speed\n\n" + "".join(f"```{name}\n```\n\n" for name in DIRECTIVES)


class SpeedBook:
    """The tiny book with a page on speed."""

    def __init__(self, book):
        self.book = book
        self.file = book.root / "benchmarks" / "results.json"
        chapters = "".join(f"  - file: book/{name}\n" for name in ("notebook", "ledger", "speed"))
        book.write("_toc.yml", f"format: jb-book\nroot: book/index\nchapters:\n{chapters}")
        book.write("book/speed.md", PAGE)

    def build(self, results):
        """Build the book with these results, or without any, and return the process."""
        self.file.unlink(missing_ok=True)
        if results is not None:
            self.book.write("benchmarks/results.json", json.dumps(results))
        return self.book.build()

    def words(self):
        """Return the text of the page, without tags, all spaces alike."""
        page = self.book.page("speed")
        page = page[page.index("<article") : page.index("</article>")]
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture(scope="module")
def speed_book(tiny_book):
    return SpeedBook(tiny_book)


def test_page_shows_what_was_measured_and_follows_the_file(speed_book):
    built = speed_book.build(made_up())
    assert built.returncode == 0, built.stdout
    words, page = speed_book.words(), speed_book.book.page("speed")
    for shown in (
        # what a minute buys: 60 s / 20 microseconds
        "Double well, 1 000 000 starts × 200 steps 20.0 µs 3 000 000 times",
        # the machine
        "A processor; 2 cores used",
        "numpy 2.0.0, jax not installed",
        "2026-01-02, in 24.3 minutes",
        "reading memory 12.5 GB/s 12.5 GB/s",
        # targets
        "6 of 9 targets are met, 2 more on one core only or on all cores only.",
        "10 × NumPy 12.3 × [11.0 .. 14.0] 9.00 × [8.50 .. 9.50] met on one core only",
        "5 × JAX 2.50 × [2.40 .. 2.60] 3.50 × [3.40 .. 3.60] missed",
        "55 % of the FMA peak 60.0 % 57.5 % met",
        "1000 networks 1-16-16-1, 50 steps; 2 methods 2.5 × the best 2.00 to 2.60 × "
        "2.70 to 2.90 × 1 of 2 met",
        "24 GFLOP/s – 13.0 GFLOP/s a core met",
        "at most 1.5 × one 1.25 × [1.00 .. 2.00] 1.25 × met",
        "First result at most 1 s – 670 ms [600 ms .. 750 ms] met",
        # what is missed
        "10 × NumPy , double well, 1 000 000 starts × 200 steps. Reached: 12.3 × [11.0 .. 14.0] on "
        "one core; 9.00 × [8.50 .. 9.50] on all cores (met on one core only).",
        "2.5 × the best , 1000 networks 1-16-16-1, 50 steps; adam. Reached: 2.00 × on one core; "
        "2.90 × on all cores (met on all cores only).",
        # contenders
        "lib, run_many ours 40.0 ms – 20.0 µs –",
        "NumPy 4.00 s 12.3 × [11.0 .. 14.0] – –",
        "NumPy threads – – 1.23 ms 9.00 × [8.50 .. 9.50]",
        "other <estimate> aside 100 ms 2 500 × [2 400 .. 2 600] – –",
        "Ours reaches, of the FMA peak: 60.0 % on one core (18.0 GFLOP/s), 57.5 % on all cores",
        "Rounds: 5. Aside: does other work than ours, and counts for no target.",
        # networks
        "Method Our time JAX vmap Ours, share of the FMA peak",
        "sgd 250 ms 2.00 × [1.90 .. 2.20] 40.0 % adam 250 ms",
        "Work counted: 2 · H² flops.",
        "JAX vmap, single precision, 1000 networks 1-16-16-1, adam, 50 steps: 0.800 × "
        "[0.700 .. 0.900] on one core.",
        # waiting
        "First result 670 ms [600 ms .. 750 ms] 1 s met",
    ):
        assert shown in words, shown
    assert page.count(r"\(7\)") == 2, "the reason is given once a workload, its formula as one"
    assert page.count('class="verdict verdict-missed"') == 1

    changed = made_up()
    for one in changed["cases"][0]["targets"]:
        one["pinned"]["met"] = one["all_cores"]["met"] = True
    changed["cases"][2]["targets"][0]["pinned"]["met"] = True
    assert speed_book.build(changed).returncode == 0
    words = speed_book.words()
    assert "9 of 9 targets are met." in words and "Every target is met." in words


def without_reason(results):
    results["cases"][0]["targets"][1]["why"] = ""


def quick(results):
    results["quick"] = True


def without_networks(results):
    results["cases"] = [case for case in results["cases"] if case["workload"] != "networks"]


def without_peers(results):
    for mode in ("pinned", "all_cores"):
        del results["cases"][0]["targets"][1][mode]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (None, "there are no benchmark results in"),
        (quick, "was made with --quick"),
        (without_networks, "the benchmark results have no workload 'networks'"),
        (without_peers, "nothing was measured for the target '5 x JAX'"),
        (without_reason, "the target '5 x JAX' is missed and has no reason"),
    ],
)
def test_what_must_not_be_shown_fails_the_build(speed_book, change, complaint):
    results = None
    if change is not None:
        results = made_up()
        change(results)
    failed = speed_book.build(results)
    assert failed.returncode != 0
    shown = " ".join(failed.stdout.split())
    assert complaint in shown
    assert change is without_reason or "make benchmarks" in shown


def test_the_file_may_lie_elsewhere(speed_book):
    config = speed_book.book.root / "_config.yml"
    before = config.read_text(encoding="utf-8")
    speed_book.book.write("other/times.json", json.dumps(made_up()))
    config.write_text(
        before.replace(
            "    language: en\n", "    language: en\n    benchmark_results: other/times.json\n"
        ),
        encoding="utf-8",
    )
    try:
        built = speed_book.build(None)
    finally:
        config.write_text(before, encoding="utf-8")
    assert built.returncode == 0, built.stdout


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (14.03, "14.0 s"),
        (0.9996, "1.00 s"),
        (0.01036, "10.4 ms"),
        (9.9999e-4, "1.00 ms"),
        (2.5e-7, "0.250 µs"),
        (1234.0, f"1{THIN}230 s"),
    ],
)
def test_durations(seconds, text):
    assert benchmark_table.duration(seconds) == text.replace(" ", FIXED)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1.00"),
        (0.05366, "0.0537"),
        (99.96, "100"),
        (148.2, "148"),
        (4014.0, f"4{THIN}010"),
        (2.3e6, f"2{THIN}300{THIN}000"),
    ],
)
def test_numbers_have_three_digits_and_no_exponent(value, text):
    assert benchmark_table.number(value) == text


def test_a_contender_of_one_mode_gets_a_dash():
    only = target("t", 2.0, "JAX", [3.0] * 3, None, (True, True))
    assert benchmark_table.reached([only], "all_cores") == (DASH, "")
    assert benchmark_table.verdict_of(only) == "met"


def problems_in(results):
    """Return what is wrong with results that are to be published."""
    found = []
    present = {case["workload"] for case in results["cases"]}
    if present != WORKLOADS:
        found.append(f"workloads: {sorted(present ^ WORKLOADS)}")
    for one in benchmark_table.targets_of(results):
        if one["verdict"] != "met" and not one.get("why"):
            found.append(f"{one['name']}: {one['text']!r} is missed without a reason")
    return found


def test_results_of_the_book():
    results = benchmark_table.read_results(RESULTS)
    assert problems_in(results) == []
    broken = copy.deepcopy(results)
    broken["cases"] = [case for case in broken["cases"] if case["workload"] != "startup"]
    case = next(case for case in broken["cases"] if case.get("targets"))
    one = case["targets"][0]
    one["why"] = ""
    for mode in ("pinned", "all_cores"):
        one[mode]["met"] = False
    found = problems_in(broken)
    assert "workloads: ['startup']" in found and any("without a reason" in line for line in found)
