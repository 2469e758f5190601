"""The directive ``{execution-times}``: what each page that runs code costs.

The times are those of the run whose outputs the book shows, as MyST-NB noted them; the order is
the book's. A sentence above the table adds them up.
"""

from __future__ import annotations

from claims_ledger import executed, reading_order
from docutils import nodes
from fresh_outputs import is_executed, simple_table
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

HEADER = ("Page", "Code cells", "Seconds")


class ExecutionTimesNode(nodes.General, nodes.Element):
    """The place of the table, filled in when the page is written."""


class ExecutionTimes(SphinxDirective):
    """Put the table here."""

    def run(self):
        """Return the placeholder and remember the page."""
        pages = getattr(self.env, "execution_times_pages", set())
        self.env.execution_times_pages = pages | {self.env.docname}
        return [ExecutionTimesNode()]


def costs(env):
    """Return page, number of code cells and seconds for all pages that run code, in order."""
    found = []
    for docname in reading_order(env):
        if is_executed(env, docname):
            cells = executed(env, docname)["cells"]
            number = sum(cell["cell_type"] == "code" for cell in cells)
            found.append((docname, number, env.nb_metadata[docname]["exec_data"]["runtime"]))
    return found


class FillExecutionTimes(SphinxPostTransform):
    """Replace the placeholder by the table."""

    default_priority = 7

    def run(self, **kwargs):
        """Fill in every placeholder of the page."""
        for place in list(self.document.findall(ExecutionTimesNode)):
            rows, total = [], 0.0
            for docname, number, seconds in costs(self.env):
                address = self.app.builder.get_relative_uri(self.env.docname, docname)
                title = self.env.titles[docname].astext()
                link = nodes.reference("", title, refuri=address, internal=True)
                rows.append(([link], str(number), f"{seconds:.1f}"))
                total += seconds
            cells = sum(int(row[1]) for row in rows)
            text = f"{len(rows)} pages run {cells} cells of code in {total:.0f} seconds altogether."
            place.replace_self(
                [
                    nodes.paragraph("", text),
                    simple_table(HEADER, rows, classes=["execution-times"]),
                ]
            )


def refresh(app, env):
    """Have the table written by every build."""
    return sorted(getattr(env, "execution_times_pages", set()) & env.found_docs)


def setup(app):
    """Connect the extension to Sphinx."""
    app.setup_extension("myst_nb")
    app.add_node(ExecutionTimesNode)
    app.add_directive("execution-times", ExecutionTimes)
    app.add_post_transform(FillExecutionTimes)
    app.connect("env-updated", refresh)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
