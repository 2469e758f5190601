"""The claims ledger: what the book measures, in tables that nobody types.

A notebook cell that calls ``lib.claims.claim`` leaves an output of the type
``application/vnd.gradient-course.claim+json``. Whenever a notebook is read, this extension keeps
these outputs in Sphinx's environment; the pages that show claims are written last and by every
build, so they are never older than the outputs. Claims are numbered in the order of the table of
contents.

* ``{claims-ledger}`` makes a table of all claims, or of those on the pages whose names begin with
  one of its arguments: ``{claims-ledger} book/minimizers/``. The tables of one page must hold every
  claim between them.
* ``{claims-tally}`` counts the verdicts, for each part of the table of contents.
* ``{claim}`` names claims by their ids, ``{claim}`one, two` ``: it shows the verdicts, with the
  numbers of the rows as links.

A claim's link goes to the anchor ``claim-<id>``, which its card in the notebook carries; its row in
the ledger has the anchor ``ledger-<id>``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path

from docutils import nodes
from fresh_outputs import is_executed, simple_table
from jupyter_cache import get_cache
from myst_nb.core.read import create_nb_reader
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

logger = logging.getLogger(__name__)

CLAIM_TYPE = "application/vnd.gradient-course.claim+json"
REQUIRED = ("id", "statement", "source", "predicted", "measured", "verdict")
VERDICTS = ("agrees", "differs, explained", "inconclusive", "differs")
# Where the long ones may break in the head of a narrow table.
SOFT_HYPHENS = {
    "differs, explained": "differs, ex\N{SOFT HYPHEN}plained",
    "inconclusive": "incon\N{SOFT HYPHEN}clusive",
}
HEADER = ("Claim and its source", "Predicted", "Measured", "Interval", "Verdict")
EXPONENT = re.compile(r"(?<=\d)e-(?=\d)")
INLINE_MATH = re.compile(r"(?<!\\)\$([^$]+)\$|\\\((.+?)\\\)")


class ClaimsPlace(nodes.General, nodes.Inline, nodes.Element):
    """A place that is filled in when the page is written.

    Its attribute `kind` is ``"ledger"``, ``"tally"`` or ``"claim"``, and `asked` are the pages or
    the claims that it names.
    """


def note_page(env):
    """Remember that the page being read shows claims."""
    env.claims_ledger_pages = getattr(env, "claims_ledger_pages", set()) | {env.docname}


class ClaimsLedger(SphinxDirective):
    """Put a table of claims here."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self):
        """Return the placeholder and remember the page."""
        note_page(self.env)
        names = " ".join(self.arguments).split()
        return [ClaimsPlace(kind="ledger", asked=names)]


class ClaimsTally(SphinxDirective):
    """Put the number of claims with each verdict here."""

    def run(self):
        """Return the placeholder and remember the page."""
        note_page(self.env)
        return [ClaimsPlace(kind="tally", asked=[])]


class ClaimRole(SphinxRole):
    """Put the verdicts of some claims here."""

    def run(self):
        """Return the placeholder and remember the page."""
        note_page(self.env)
        names = [name.strip() for name in self.text.split(",")]
        return [ClaimsPlace(kind="claim", asked=names)], []


def claims_in(notebook) -> list[dict]:
    """Return the claims in an executed notebook, in the order of its cells.

    Parameters
    ----------
    notebook : NotebookNode or dict
        A notebook with outputs.

    Returns
    -------
    list of dict
        One dictionary per claim, as ``lib.claims.claim`` wrote it.
    """
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    found = [output.get("data", {}).get(CLAIM_TYPE) for output in outputs]
    return [json.loads(json.dumps(claim)) for claim in found if claim is not None]


def executed(env, docname: str):
    """Return a page's notebook together with the outputs that this build shows.

    After a page is read, the execution cache holds its outputs. (The copy in ``jupyter_execute``
    is of no use: myst-nb writes it without outputs when they come from the cache.)
    """
    path = Path(env.doc2path(docname))
    text = path.read_text(encoding="utf-8")
    reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
    notebook = reader.read(text)
    with suppress(KeyError):  # a notebook without code is never executed
        cache = get_cache(env.mystnb_config.execution_cache_path)
        return cache.merge_match_into_notebook(notebook)[1]
    return notebook


def keep_claims(app, doctree):
    """Store the claims of the page that was just read, if it runs code."""
    env = app.env
    if is_executed(env, env.docname):
        claims = claims_in(executed(env, env.docname))
        env.course_claims = {**getattr(env, "course_claims", {}), env.docname: claims}


def problems_in(claims: list[dict]) -> list[str]:
    """Return what is wrong with a list of claims: doubled ids, missing entries, or none at all."""
    if not claims:
        return ["no notebook of the book measures a claim"]
    counts = Counter(str(claim.get("id")) for claim in claims)
    found = [f"the claim id {name!r} is used {n} times" for name, n in counts.items() if n > 1]
    for claim in claims:
        missing = [key for key in REQUIRED if claim.get(key) in (None, "")]
        if missing:
            found.append(f"the claim {claim.get('id')!r} has no {', '.join(missing)}")
    return found


def reading_order(env) -> list[str]:
    """Return all pages in the order of the table of contents."""
    order: list[str] = []

    def visit(docname):
        if docname not in order:
            order.append(docname)
            for child in env.toctree_includes.get(docname, []):
                visit(child)

    visit(env.config.root_doc)
    return order


def part_titles(env) -> dict[str, str]:
    """Return the title of each page's part: the caption of its list in the table of contents."""
    titles = {}
    for tree in env.tocs[env.config.root_doc].findall(addnodes.toctree):
        for docname in tree["includefiles"]:
            titles[docname] = tree.get("caption") or ""
    return titles


def collect_claims(env) -> list[tuple[str, dict]]:
    """Return pairs of page and claim, for all notebooks in the book."""
    stored = getattr(env, "course_claims", {})
    return [(name, claim) for name in reading_order(env) for claim in stored.get(name, [])]


def select_claims(pairs, names):
    """Return the claims on the pages whose names begin with one of `names`; without any, all."""
    return [pair for pair in pairs if not names or pair[0].startswith(tuple(names))]


def count_verdicts(claims) -> Counter:
    """Return how many claims have each verdict."""
    return Counter(str(claim.get("verdict")) for claim in claims)


def inline_text(value) -> list[nodes.Node]:
    """Return text with its formulas, ``$x$`` or ``\\(x\\)``, as docutils nodes."""
    text, found, end = str(value), [], 0
    for match in INLINE_MATH.finditer(text):
        found.append(nodes.Text(text[end : match.start()]))
        formula = match[1] or match[2]
        found.append(nodes.math(formula, formula))
        end = match.end()
    return [*found, nodes.Text(text[end:])]


def number_text(value) -> list[nodes.Node]:
    """Return a number as nodes, with a minus sign in its exponent: no line breaks after that."""
    return inline_text(EXPONENT.sub("e\N{MINUS SIGN}", str(value)))


def show_interval(interval) -> str:
    """Write an interval; a claim without one gets a dash."""
    if interval in (None, "", []):
        return "–"
    if isinstance(interval, (list, tuple)):
        return "[" + ", ".join(str(end) for end in interval) + "]"
    return str(interval)


def show_verdict(verdict: str) -> nodes.inline:
    """Return a verdict in its color."""
    slug = re.sub(r"[^a-z0-9]+", "-", verdict.lower()).strip("-")
    return nodes.inline("", verdict, classes=["verdict", f"verdict-{slug}"])


def make_row(number: int, claim: dict, address: str) -> list:
    """Return the cells of a claim; the first one links to the measurement.

    On a phone a row becomes a card, and what else the table's head says stands in the cells.
    """
    statement = inline_text(claim.get("statement", ""))
    link = nodes.reference("", "", *statement, refuri=address, internal=True)
    link["classes"].append("claim-link")
    reason = []
    if claim.get("reason"):
        words = inline_text(f"Why: {claim['reason']}")
        reason = [nodes.Text(" "), nodes.inline("", "", *words, classes=["ledger-reason"])]
    source = nodes.inline("", "", *inline_text(claim.get("source", "")), classes=["claim-source"])
    label = nodes.inline("", f"{number}", classes=["ledger-number"])
    cells = [
        number_text(claim.get("predicted", "")),
        number_text(claim.get("measured", "")),
        number_text(show_interval(claim.get("interval"))),
        [show_verdict(str(claim.get("verdict", "")))],
    ]
    titles = [nodes.inline("", f"{title} ", classes=["ledger-title"]) for title in HEADER[1:]]
    named = [[title, *cell] for title, cell in zip(titles, cells, strict=True)]
    return [[label, nodes.Text(" "), link, nodes.Text(" "), source, *reason], *named]


class FillLedger(SphinxPostTransform):
    """Replace the placeholders by what this build measured."""

    default_priority = 7
    builders = ("html", "dirhtml", "singlehtml")

    def run(self, **kwargs):
        """Fill in every placeholder of the page."""
        places = list(self.document.findall(ClaimsPlace))
        if not places:
            return
        self.pairs = collect_claims(self.env)
        self.numbers = {claim.get("id"): n for n, (_, claim) in enumerate(self.pairs, 1)}
        self.here = any(place["kind"] == "ledger" for place in places)
        self.check(places)
        for place in places:
            place.replace_self(getattr(self, place["kind"])(place["asked"]))

    def check(self, places):
        """Warn of bad claims, of claims in no table, and of names that nothing bears."""
        found = problems_in([claim for _, claim in self.pairs])
        shown = set()
        for place in places:
            rows = select_claims(self.pairs, place["asked"])
            if place["kind"] == "ledger":
                shown |= {claim.get("id") for _, claim in rows}
            if place["kind"] == "ledger" and place["asked"] and not rows:
                found.append(f"no claims on pages {' '.join(place['asked'])}")
            if place["kind"] == "claim":
                unknown = [name for name in place["asked"] if name not in self.numbers]
                found += [f"there is no claim {name!r}" for name in unknown]
        if self.here:
            lost = [name for name in self.numbers if name not in shown]
            found += [f"the claim {name!r} is in no table of this page" for name in lost]
        for problem in found:
            logger.warning("claims ledger: %s", problem, location=self.env.docname)

    def address(self, docname, claim):
        """Return the address of the card that measures the claim."""
        page = self.app.builder.get_relative_uri(self.env.docname, docname)
        return f"{page}#claim-{claim.get('id')}"

    def ledger(self, names):
        """Return a sentence that counts the verdicts, and the table."""
        pairs = select_claims(self.pairs, names)
        counts = count_verdicts(claim for _, claim in pairs)
        tally = ", ".join(f"{n} × {verdict}" for verdict, n in counts.most_common())
        one = "claim" if len(pairs) == 1 else "claims"
        summary = f"{len(pairs)} {one} measured by this build: {tally}."
        rows = [
            make_row(self.numbers[claim.get("id")], claim, self.address(docname, claim))
            for docname, claim in pairs
        ]
        table = simple_table(HEADER, rows, classes=["claims-ledger"])
        for row, (_, claim) in zip(list(table.findall(nodes.row))[1:], pairs, strict=True):
            row["ids"].append(f"ledger-{claim.get('id')}")
        return [nodes.paragraph("", summary, classes=["ledger-summary"]), table]

    def tally(self, names):
        """Return the table of the verdicts in each part of the book."""
        titles, parts = part_titles(self.env), {}
        for docname, claim in self.pairs:
            parts.setdefault(titles.get(docname, ""), []).append(claim)
        parts["The whole book"] = [claim for _, claim in self.pairs]
        rows = []
        for title, claims in parts.items():
            counts = count_verdicts(claims)
            rows.append([title, str(len(claims)), *(str(counts[verdict]) for verdict in VERDICTS)])
        head = (SOFT_HYPHENS.get(verdict, verdict) for verdict in VERDICTS)
        return simple_table(("Part", "claims", *head), rows, classes=["claims-tally"])

    def claim(self, names):
        """Return the verdicts of some claims, each followed by the numbers of the claims."""
        groups = {}
        for docname, claim in self.pairs:
            name = claim.get("id")
            if name in names:
                uri = f"#ledger-{name}" if self.here else self.address(docname, claim)
                link = nodes.reference("", str(self.numbers[name]), refuri=uri, internal=True)
                groups.setdefault(str(claim.get("verdict", "")), []).append(link)
        found = []
        for verdict, links in groups.items():
            found += [nodes.Text("; ")] if found else []
            found += [show_verdict(verdict), nodes.Text(": ")]
            for i, link in enumerate(links):
                found += [nodes.Text(", "), link] if i else [link]
        return found


def refresh_ledger(app, env):
    """Have the pages that show claims written by every build, with formulas allowed."""
    pages = getattr(env, "claims_ledger_pages", set()) & env.found_docs
    for docname in pages:
        env.get_domain("math").data["has_equations"][docname] = True
    return sorted(pages)


def forget_page(app, env, docname):
    """Forget a page that is read anew or was removed."""
    env.claims_ledger_pages = getattr(env, "claims_ledger_pages", set()) - {docname}
    stored = getattr(env, "course_claims", {})
    env.course_claims = {name: claims for name, claims in stored.items() if name != docname}


def setup(app):
    """Connect the extension to Sphinx."""
    app.setup_extension("fresh_outputs")
    app.add_node(ClaimsPlace)
    app.add_directive("claims-ledger", ClaimsLedger)
    app.add_directive("claims-tally", ClaimsTally)
    app.add_role("claim", ClaimRole())
    app.add_post_transform(FillLedger)
    app.connect("doctree-read", keep_claims)
    app.connect("env-updated", refresh_ledger)
    app.connect("env-purge-doc", forget_page)
    return {"version": "1.0", "parallel_read_safe": False, "parallel_write_safe": True}
