"""The directive ``{claims-ledger}``: every claim the book measures, in one table.

A notebook cell that calls ``lib.claims.claim`` leaves an output of the type
``application/vnd.gradient-course.claim+json``. Whenever a notebook is read, this extension keeps
these outputs in Sphinx's environment; the page with the directive is written last and by every
build, so the table is never older than the outputs. Its rows follow the table of contents.

A claim's link goes to the anchor ``claim-<id>``, which its card in the notebook carries.
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
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

CLAIM_TYPE = "application/vnd.gradient-course.claim+json"
REQUIRED = ("id", "statement", "source", "predicted", "measured", "verdict")
HEADER = ("Claim and its source", "Predicted", "Measured", "Interval", "Verdict")
EXPONENT = re.compile(r"(?<=\d)e-(?=\d)")
INLINE_MATH = re.compile(r"(?<!\\)\$([^$]+)\$|\\\((.+?)\\\)")


class ClaimsLedgerNode(nodes.General, nodes.Element):
    """The place of the ledger, filled in when the page is written."""


class ClaimsLedger(SphinxDirective):
    """Put the ledger of all claims here."""

    def run(self):
        """Return the placeholder and remember the page."""
        pages = getattr(self.env, "claims_ledger_pages", set())
        self.env.claims_ledger_pages = pages | {self.env.docname}
        return [ClaimsLedgerNode()]


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


def collect_claims(env) -> list[tuple[str, dict]]:
    """Return pairs of page and claim, for all notebooks in the book."""
    stored = getattr(env, "course_claims", {})
    return [(name, claim) for name in reading_order(env) for claim in stored.get(name, [])]


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


def make_row(claim: dict, address: str) -> list:
    """Return the cells of a claim; the first one links to the measurement."""
    statement = inline_text(claim.get("statement", ""))
    link = nodes.reference("", "", *statement, refuri=address, internal=True)
    link["classes"].append("claim-link")
    verdict = str(claim.get("verdict", ""))
    slug = re.sub(r"[^a-z0-9]+", "-", verdict.lower()).strip("-")
    reason = inline_text(f": {claim['reason']}") if claim.get("reason") else []
    source = nodes.inline("", "", *inline_text(claim.get("source", "")), classes=["claim-source"])
    return [
        [link, nodes.Text(" "), source],
        number_text(claim.get("predicted", "")),
        number_text(claim.get("measured", "")),
        number_text(show_interval(claim.get("interval"))),
        [nodes.inline("", verdict, classes=["verdict", f"verdict-{slug}"]), *reason],
    ]


class FillLedger(SphinxPostTransform):
    """Replace the placeholder by the table."""

    default_priority = 7
    builders = ("html", "dirhtml", "singlehtml")

    def run(self, **kwargs):
        """Fill in every placeholder of the page."""
        for place in list(self.document.findall(ClaimsLedgerNode)):
            pairs = collect_claims(self.env)
            for problem in problems_in([claim for _, claim in pairs]):
                logger.warning("claims ledger: %s", problem, location=self.env.docname)
            place.replace_self(self.ledger(pairs))

    def ledger(self, pairs):
        """Return a sentence that counts the verdicts, and the table."""
        counts = Counter(str(claim.get("verdict")) for _, claim in pairs)
        tally = ", ".join(f"{n} × {verdict}" for verdict, n in counts.most_common())
        summary = f"{len(pairs)} claims measured by this build: {tally}."
        rows = []
        for docname, claim in pairs:
            page = self.app.builder.get_relative_uri(self.env.docname, docname)
            rows.append(make_row(claim, f"{page}#claim-{claim.get('id')}"))
        return [
            nodes.paragraph("", summary, classes=["ledger-summary"]),
            simple_table(HEADER, rows, classes=["claims-ledger"]),
        ]


def refresh_ledger(app, env):
    """Have the ledger written by every build, with formulas allowed."""
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
    app.add_node(ClaimsLedgerNode)
    app.add_directive("claims-ledger", ClaimsLedger)
    app.add_post_transform(FillLedger)
    app.connect("doctree-read", keep_claims)
    app.connect("env-updated", refresh_ledger)
    app.connect("env-purge-doc", forget_page)
    return {"version": "1.0", "parallel_read_safe": False, "parallel_write_safe": True}
