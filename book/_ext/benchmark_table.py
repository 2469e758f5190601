"""Directives that show ``benchmarks/results.json``: how fast the library is, and beside whom.

``{benchmark-minute}``   what one minute buys
``{benchmark-machine}``  what the times were measured on, and its peaks
``{benchmark-targets}``  all targets, what was reached, and verdicts
``{benchmark-missed}``   the targets that are missed, and why
``{benchmark-table}``    every contender of the workload that is its argument

A page with one of them is read again whenever the file changes. Its path is the setting
``benchmark_results``. A missing file, workload or comparison, or times of ``--quick``, are an
error; a missed target without a reason is a warning.
"""

from __future__ import annotations

import json
import re
from itertools import groupby
from pathlib import Path

from claims_ledger import inline_text
from docutils import nodes
from fresh_outputs import simple_table
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

AGAIN = "`make benchmarks` measures everything anew"
MODES = {"pinned": "one core", "all_cores": "all cores"}
PEAKS = {
    "fma": ("multiplying and adding, vectors as numba uses them", "GFLOP/s"),
    "widest": ("multiplying and adding, the widest vectors", "GFLOP/s"),
    "blas": ("a matrix product of NumPy's", "GFLOP/s"),
    "read": ("reading memory", "GB/s"),
    "write": ("writing memory", "GB/s"),
}
LIMITS = {"fma": "FMA peak", "read": "bandwidth for reading", "write": "bandwidth for writing"}
PER_CORE = "work a second and core"
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
METHOD = re.compile(r"(?P<before>.+), (?P<method>[a-z_]+), (?P<after>\d+ steps)")
SINGLE = "single precision"
FIXED, THIN = "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"
DASH, TIMES = "–", FIXED + "×"


class ResultsError(Exception):
    """The results cannot be shown; the message says why and what to do."""


# --- the file --------------------------------------------------------------------------------


def read_results(path: Path) -> dict:
    """Return what the benchmarks found.

    Parameters
    ----------
    path : Path
        The file that ``benchmarks/run.py`` wrote.

    Raises
    ------
    ResultsError
        There is no such file, or it was made to try the benchmarks out.
    """
    if not path.is_file():
        raise ResultsError(f"there are no benchmark results in {path}: {AGAIN}")
    results = json.loads(path.read_text(encoding="utf-8"))
    if results["quick"]:
        raise ResultsError(f"{path} was made with --quick, on smaller sizes: {AGAIN}")
    return results


def cases_of(results: dict, workload: str) -> list[dict]:
    """Return the cases of a workload; none at all is an error."""
    found = [case for case in results["cases"] if case["workload"] == workload]
    if not found:
        raise ResultsError(f"the benchmark results have no workload {workload!r}: {AGAIN}")
    return found


def split_case(case: dict) -> tuple[str, str | None]:
    """Return the name of a case without its method, and the method, where it has one."""
    match = METHOD.fullmatch(case["case"])
    if case["workload"] != "networks" or match is None:
        return case["case"], None
    return f"{match['before']}, {match['after']}", match["method"]


def verdict_of(target: dict) -> str:
    """Return "met", "missed", or in which mode alone a target is met."""
    if "measured" in target:
        return "met" if target["met"] else "missed"
    met = [mode for mode in MODES if mode in target and target[mode]["met"]]
    if not met:
        return "missed"
    everywhere = all(mode in met for mode in MODES if mode in target)
    return "met" if everywhere else f"met on {MODES[met[0]]} only"


def targets_of(results: dict) -> list[dict]:
    """Return all targets, each with workload, case, method and verdict, in the file's order."""
    found = []
    for case in results["cases"]:
        name, method = split_case(case)
        where = {"workload": case["workload"], "name": name, "method": method}
        if "measured" in case:
            text = f"at most {case['at_most']:g} {case['unit']}".strip()
            found.append({**case, **where, "text": text, "verdict": verdict_of(case)})
            continue
        for target in case["targets"]:
            if not any(mode in target for mode in MODES):
                raise ResultsError(
                    f"{case['case']}: nothing was measured for the target {target['text']!r}. "
                    f"Install the peers of benchmarks/requirements.txt; then {AGAIN}"
                )
            verdict = verdict_of(target)
            found.append({**target, **where, "limit": case["limit"]["of"], "verdict": verdict})
    return found


# --- numbers and words -----------------------------------------------------------------------


def number(value: float) -> str:
    """Write three digits, without an exponent, thousands apart."""
    value = float(f"{value:.3g}")
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", THIN)
    return f"{value:#.3g}".rstrip(".")


def sentence(text: str) -> str:
    """Write a name as `pretty` does, with a capital."""
    text = pretty(text)
    return text[:1].upper() + text[1:]


def duration(seconds: float) -> str:
    """Write a time in seconds, milliseconds or microseconds."""
    rounded = float(f"{seconds:.3g}")
    size, unit = next((pair for pair in UNITS if rounded >= pair[0]), UNITS[-1])
    return f"{number(rounded / size)}{FIXED}{unit}"


def interval(low: float, high: float, show=number) -> str:
    """Write smallest and largest."""
    return f"[{show(low)}{FIXED}..{FIXED}{show(high)}]"


def pretty(text: str) -> str:
    """Write a name with a sign for "times" and with its thousands apart."""
    text = re.sub(r"(?<=\d) x ", f"{TIMES} ", text).replace(" x ", f" ×{FIXED}")
    text = text.replace(" * ", f"{FIXED}·{FIXED}").replace("^2", "²")
    text = text.replace(" = ", f"{FIXED}={FIXED}")
    return re.sub(r"\d{5,}", lambda found: f"{int(found[0]):,}".replace(",", THIN), text)


def scale(target: dict, mode: str) -> tuple[float, str]:
    """Return by what a target's numbers are multiplied to be shown, and the unit behind them."""
    against = target[mode]["against"]
    if against == PER_CORE:
        return 1e-9, f"{FIXED}{PEAKS[target['limit']][1]} a core"
    return (100.0, f"{FIXED}%") if against in LIMITS else (1.0, TIMES)


def reached(targets: list[dict], mode: str) -> tuple[str, str]:
    """Return what was reached, and its range, "" where there is none.

    For the same target of several methods these are the smallest and the largest median. A ratio
    that is wanted below one is a time that may be longer than the other, and shown as that.
    """
    seen = [target for target in targets if mode in target]
    if not seen:
        return DASH, ""
    factor, unit = scale(seen[0], mode)
    triples = [[factor * value for value in target[mode]["reached"]] for target in seen]
    if unit == TIMES and seen[0]["wanted"] < 1:
        triples = [[1 / middle, 1 / high, 1 / low] for middle, low, high in triples]
    medians = [triple[0] for triple in triples]
    if min(medians) < max(medians):
        return f"{number(min(medians))} to {number(max(medians))}{unit}", ""
    middle, low, high = triples[0]
    alone = len(triples) > 1 or low == high
    return f"{number(middle)}{unit}", "" if alone else interval(low, high)


def startup_reached(row: dict) -> tuple[str, str]:
    """Return what was measured of a row with an upper limit, and its range."""
    show = duration if row["unit"] == "s" else number
    middle, low, high = row["measured"]
    return show(middle), "" if low == high else interval(low, high, show)


def small(text: str) -> list:
    """Return words in small print on a line of their own."""
    return [nodes.Text(" "), nodes.inline("", text, classes=["benchmark-small"])] if text else []


def with_range(main: str, small_print: str) -> list:
    """Return a number with its range below it."""
    return [nodes.inline("", main, classes=["benchmark-number"]), *small(small_print)]


def label(verdict: str) -> nodes.inline:
    """Return a verdict in its color."""
    kind = verdict if verdict in ("met", "missed") else "partly"
    return nodes.inline("", verdict, classes=["verdict", f"verdict-{kind}"])


def prose(text: str) -> list:
    """Return text with its formulas in dollars and its code in backticks."""
    parts = text.split("`")
    found = []
    for k, part in enumerate(parts):
        found += [nodes.literal(part, part)] if k % 2 else inline_text(part)
    return found


def table(header, rows, kind: str) -> nodes.table:
    """Return a table of this page; a row of one cell fills the width."""
    made = simple_table(header, rows, classes=["benchmark", f"benchmark-{kind}"])
    for row in made.findall(nodes.row):
        if len(row) == 1:
            row["classes"].append("benchmark-heading")
            row[0]["morecols"] = len(header) - 1
    return made


# --- the directives --------------------------------------------------------------------------


class BenchmarkDirective(SphinxDirective):
    """Read the results and show a part of them."""

    def run(self):
        """Return what `show` makes of the results, and remember the file."""
        path = Path(self.env.srcdir) / self.config.benchmark_results
        self.env.note_dependency(str(path))
        try:
            return self.show(read_results(path))
        except ResultsError as problem:
            raise self.error(str(problem)) from None


class BenchmarkMinute(BenchmarkDirective):
    """How often the first case of each workload could be computed in one minute."""

    def show(self, results):
        """Return a table."""
        rows = []
        for _, cases in groupby(results["cases"], lambda case: case["workload"]):
            first = next(cases)
            if "contenders" not in first:
                continue
            ours = next(iter(first["contenders"].values()))
            seconds = ours.get("all_cores", ours.get("pinned"))["seconds"][0]
            rows.append(
                (sentence(first["case"]), duration(seconds), f"{number(60 / seconds)} times")
            )
        return [table(("Work", "Takes", "In a minute"), rows, "minute")]


class BenchmarkMachine(BenchmarkDirective):
    """The machine, the versions, and the peaks that were measured."""

    def show(self, results):
        """Return two tables."""
        machine = results["machine"]
        packages = (f"{k} {v or 'not installed'}" for k, v in machine["packages"].items())
        command = [nodes.literal("", results["command"])]
        rows = [
            ("Processor", f"{machine['processor']}; {machine['cores']} cores used"),
            ("System", f"{machine['system']}, Python {machine['python']}"),
            ("Packages", ", ".join(packages)),
            ("BLAS kernels", machine["blas"]),
            ("Measured", f"{machine['date']}, in {number(results['minutes'])} minutes"),
            ("Command", command),
        ]
        modes = [mode for mode in MODES if mode in results["peaks"]]
        peaks = []
        for name, (meaning, unit) in PEAKS.items():
            rates = (number(results["peaks"][mode][name] / 1e9) for mode in modes)
            first = [nodes.literal("", name), nodes.Text(f" {meaning}")]
            peaks.append([first, *(f"{rate}{FIXED}{unit}" for rate in rates)])
        return [
            table(("What", "Here"), rows, "machine"),
            table(("Peak", *(MODES[mode].capitalize() for mode in modes)), peaks, "peaks"),
        ]


class BenchmarkTargets(BenchmarkDirective):
    """All targets in one table, the same target of several methods in one row."""

    def show(self, results):
        """Return a sentence that counts, and the table."""
        targets = targets_of(results)
        met = sum(target["verdict"] == "met" for target in targets)
        partly = sum(target["verdict"] not in ("met", "missed") for target in targets)
        counted = f"{met} of {len(targets)} targets are met"
        if partly:
            counted += f", {partly} more on one core only or on all cores only"
        rows = []
        for _, groups in groupby(grouped(targets), lambda group: group[0]["name"]):
            groups = list(groups)
            rows += [self.heading(groups), *(self.row(group) for group in groups)]
        return [
            nodes.paragraph("", f"{counted}.", classes=["ledger-summary"]),
            table(("Target", "One core", "All cores", "Verdict"), rows, "targets"),
        ]

    def heading(self, groups):
        """Return the one cell of a row that names a case."""
        first, count = groups[0][0], len(groups[0])
        name = sentence(first["name"])
        if first["method"] is not None:
            name += f"; {count} methods" if count > 1 else f"; {first['method']}"
        return [[nodes.strong("", name)]]

    def row(self, group):
        """Return the cells of a target, or of the same target of several methods."""
        first = group[0]
        if "measured" in first:
            cells = [DASH, with_range(*startup_reached(first))]
        else:
            cells = [with_range(*reached(group, mode)) for mode in MODES]
        return [pretty(first["text"]), *cells, verdicts(group)]


def grouped(targets, *more):
    """Return lists of the targets that differ in the method only, and agree in `more`."""
    groups = {}
    for target in targets:
        key = tuple(target[entry] for entry in ("workload", "name", "text", *more))
        groups.setdefault(key, []).append(target)
    return list(groups.values())


def verdicts(group) -> list:
    """Return the verdict of several methods: how many meet the target, and who does not."""
    found = [target["verdict"] for target in group]
    if len(set(found)) == 1:
        return [label(found[0])]
    return [label(f"{found.count('met')} of {len(group)} met")]


class BenchmarkMissed(BenchmarkDirective):
    """What is missed, and why; targets missed for the same reason stand together."""

    def show(self, results):
        """Return a list, or a sentence if nothing is missed."""
        missed = [target for target in targets_of(results) if target["verdict"] != "met"]
        if not missed:
            return [nodes.paragraph("", "Every target is met.")]
        reasons = {}
        for target in missed:
            why = target.get("why", "")
            if not why:
                logger.warning(
                    "benchmarks: the target %r is missed and has no reason (%s, %s)",
                    target["text"],
                    target["name"],
                    target["method"] or target["workload"],
                    location=self.get_location(),
                )
            reasons.setdefault((target["workload"], why), []).append(target)
        items = []
        for (_, why), targets in reasons.items():
            lines = [self.line(group) for group in grouped(targets, "verdict")]
            items.append(nodes.list_item("", *lines, nodes.paragraph("", "", *prose(why))))
        return [nodes.bullet_list("", *items, classes=["benchmark-missed"])]

    def line(self, group):
        """Return a paragraph: the target, where, and what was reached."""
        first = group[0]
        where = pretty(first["name"])
        if first["method"] is not None:
            where += f"; {', '.join(target['method'] for target in group)}"
        if "measured" in first:
            found = " ".join(startup_reached(first)).strip()
        else:
            seen = [(mode, *reached(group, mode)) for mode in MODES if mode in first]
            found = "; ".join(
                " ".join(filter(None, (value, span, f"on {MODES[mode]}")))
                for mode, value, span in seen
            )
        only = "" if first["verdict"] == "missed" else f" ({first['verdict']})"
        target = nodes.strong("", pretty(first["text"]))
        text = nodes.Text(f", {where}. Reached: {found}{only}.")
        return nodes.paragraph("", "", target, text, classes=["benchmark-miss"])


class BenchmarkTable(BenchmarkDirective):
    """Every contender of a workload."""

    required_arguments = 1

    def show(self, results):
        """Return tables: one for each case, or one for each mode where only methods differ."""
        cases = cases_of(results, self.arguments[0])
        if "measured" in cases[0]:
            return [self.waits(cases)]
        if len(cases) > 1 and all(split_case(case)[1] for case in cases):
            return self.matrices(cases)
        return [node for case in cases for node in self.one(case)]

    def waits(self, cases):
        """Return the table of what has an upper limit."""
        rows = []
        for case in cases:
            most = f"{case['at_most']:g} {case['unit']}".strip()
            verdict = [label(verdict_of(case))]
            rows.append([sentence(case["case"]), with_range(*startup_reached(case)), most, verdict])
        return table(("What", "Measured", "At most", "Verdict"), rows, "waits")

    def one(self, case):
        """Return a caption, the table of the contenders of a case, and notes."""
        rows, aside = [], []
        for place, (name, row) in enumerate(case["contenders"].items()):
            first = [nodes.strong("", name) if place == 0 else nodes.Text(name)]
            if place == 0:
                first += small("ours")
            elif row.get("aside"):
                first += small("aside")
                aside.append(name)
            cells = [first]
            for mode in MODES:
                seen = row.get(mode)
                cells.append(duration(seen["seconds"][0]) if seen else DASH)
                cells.append(ratio(seen) if seen and place else DASH)
            rows.append(cells)
        header = ("Contender", "Time, one core", "Times ours", "Time, all cores", "Times ours")
        return [
            nodes.paragraph("", sentence(case["case"]), classes=["benchmark-case"]),
            table(header, rows, "case"),
            *notes(case, aside),
        ]

    def matrices(self, cases):
        """Return a table of ratios for each mode, a row for each method, and notes."""
        names = {}
        for case in cases:
            names |= {name: row for name, row in case["contenders"].items() if "aside" not in row}
        ours, *others = names
        limit = LIMITS.get(cases[0]["limit"]["of"], "limit")
        found = []
        for mode, words in MODES.items():
            shown = [name for name in others if any(seen_of(case, name, mode) for case in cases)]
            header = ("Method", "Our time", *shown, f"Ours, share of the {limit}")
            rows = []
            for name, alike in groupby(cases, lambda case: split_case(case)[0]):
                rows.append([[nodes.strong("", sentence(name))]])
                for case in alike:
                    mine, share = seen_of(case, ours, mode), case["limit"].get(mode)
                    ratios = (ratio(seen_of(case, other, mode)) for other in shown)
                    rows.append(
                        [
                            [nodes.literal("", split_case(case)[1])],
                            duration(mine["seconds"][0]) if mine else DASH,
                            *ratios,
                            f"{number(100 * share['share'])}{FIXED}%" if share else DASH,
                        ]
                    )
            caption = f"Times ours, {words}"
            found.append(nodes.paragraph("", caption, classes=["benchmark-case"]))
            found.append(table(header, rows, "matrix"))
        rounds = sorted({rounds_of(case) for case in cases})
        text = f"Ours is `{ours}`. Work counted: {pretty(cases[0]['limit']['model'])}."
        text += f" Rounds: {' or '.join(map(str, rounds))}."
        found.append(nodes.paragraph("", "", *prose(text), classes=["benchmark-note"]))
        return found + self.asides(cases)

    def asides(self, cases):
        """Return a note for the contenders that count for no target."""
        lines = []
        for case in cases:
            for name, row in case["contenders"].items():
                if "aside" not in row:
                    continue
                seen = [(MODES[mode], row[mode]["ratio"]) for mode in MODES if mode in row]
                spans = (
                    f"{number(r[0])}{TIMES} {interval(*r[1:])} on {words}" for words, r in seen
                )
                lines.append(f"{name}, {pretty(case['case'])}: {', '.join(spans)}.")
        if not lines:
            return []
        text = f"Aside, counting for no target: {' '.join(lines)}"
        return [nodes.paragraph("", text, classes=["benchmark-note"])]


def seen_of(case: dict, name: str, mode: str) -> dict | None:
    """Return what was measured of a contender."""
    return case["contenders"].get(name, {}).get(mode)


def rounds_of(case: dict) -> int:
    """Return how often the contenders of a case took turns."""
    ours = next(iter(case["contenders"].values()))
    return max(ours[mode]["rounds"] for mode in MODES if mode in ours)


def ratio(seen: dict | None) -> list | str:
    """Return a ratio with its range."""
    if seen is None:
        return DASH
    middle, low, high = seen["ratio"]
    return with_range(f"{number(middle)}{TIMES}", interval(low, high))


def notes(case: dict, aside: list[str]) -> list:
    """Return what is to be said below a case: its limit, its rounds and who is aside."""
    limit, lines = case["limit"], []
    seen = [mode for mode in MODES if mode in limit]
    if seen:
        unit = PEAKS[limit["of"]][1]
        shares = (
            f"{number(100 * limit[mode]['share'])}{FIXED}% on {MODES[mode]} "
            f"({number(limit[mode]['rate'] / 1e9)}{FIXED}{unit})"
            for mode in seen
        )
        model = pretty(limit["model"])
        lines.append(f"Ours reaches, of the {LIMITS[limit['of']]}: {', '.join(shares)}.")
        lines.append(f"Work counted: {model}.")
    lines.append(f"Rounds: {rounds_of(case)}.")
    if aside:
        single = all(SINGLE in name for name in aside)
        reason = "computes in single precision" if single else "does other work than ours"
        lines.append(f"Aside: {reason}, and counts for no target.")
    return [nodes.paragraph("", " ".join(lines), classes=["benchmark-note"])]


def setup(app):
    """Connect the extension to Sphinx."""
    app.setup_extension("fresh_outputs")
    app.add_config_value("benchmark_results", "benchmarks/results.json", "env", [str])
    app.add_directive("benchmark-minute", BenchmarkMinute)
    app.add_directive("benchmark-machine", BenchmarkMachine)
    app.add_directive("benchmark-targets", BenchmarkTargets)
    app.add_directive("benchmark-missed", BenchmarkMissed)
    app.add_directive("benchmark-table", BenchmarkTable)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
