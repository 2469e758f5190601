"""Show exercise sets as pages, and keep to students' versions what leaves the build.

* A set's source, with solutions and hidden checks, is read as a page with its statements, stubs and
  visible checks. Hints and solutions are folded; hidden checks are only described. Nothing is run:
  the tests run the sources.
* With ``exercise_solutions: false`` in the settings of Sphinx the pages have no solutions at all,
  and neither has the search.
* The notebook that a page offers for download is the student's version.
* The directive ``{exercise-table}`` lists the exercises of the sets that are its arguments.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.statemachine import StringList
from exercise_source import (
    complete,
    exercise_number,
    exercises,
    for_students,
    is_answer,
    is_exercise_set,
    role,
    stub,
    without_hidden,
)
from fresh_outputs import simple_table
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

SETTINGS = {"solutions": True}
NOT_FOR_STUDENTS = {
    "launch-buttons",  # they would open the source
    "source-buttons",
    "source-file-button",
    "source-edit-button",
}
WORK = """\
:::{{admonition}} Work on it
:class: tip
<a href="../../../_sources/book/exercises/{name}/{name}.ipynb" download>Download the notebook</a>,
open it with any Jupyter in which the course is installed, or put it beside the course's folder
`lib`. Its checks need no network. [How exercises work](../overview.md).
:::"""


def read(text):
    """Return the notebook of a page; an exercise set in the form for readers.

    Parameters
    ----------
    text : str
        The file's content.

    Returns
    -------
    NotebookNode
    """
    notebook = nbformat.reads(text, as_version=4)
    return page_of(notebook, SETTINGS["solutions"]) if is_exercise_set(notebook) else notebook


def set_name(notebook):
    """Return the name of an exercise set, from the label of its title."""
    label = re.match(r"\(exercises-([a-z-]+)\)=", notebook.cells[0].source)
    return label[1].replace("-", "_")


def page_of(source, solutions):
    """Return the page of an exercise set.

    Parameters
    ----------
    source : NotebookNode
    solutions : bool
        Whether to show solutions, folded.

    Returns
    -------
    NotebookNode
    """
    groups = []  # cells of one exercise; the first group is what comes before
    for cell in source.cells:
        begins = cell.cell_type == "markdown" and re.search(r"^## \d+ · ", cell.source, re.M)
        if begins or not groups:
            groups.append([])
        groups[-1].append(cell)
    cells = []
    for number, group in enumerate(groups):
        shown = [new for cell in group for new in shown_as(cell)]
        if number == 0:
            shown.insert(1, text_cell(WORK.format(name=set_name(source))))
        elif solutions:
            shown.append(text_cell(solution_of_group(group)))
        cells += shown
    metadata = dict(source.metadata) | {"mystnb": {"execution_mode": "off"}}
    page = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    for number, cell in enumerate(page.cells):
        cell.id = f"cell-{number}"
    return page


def text_cell(text):
    """Return a cell of text."""
    return nbformat.v4.new_markdown_cell(text)


def shown_as(cell):
    """Return what a reader sees of a cell: a list of no or one cell."""
    if role(cell) in ("solution", "rubric"):
        return []
    if role(cell) == "hint":
        return [text_cell(f":::{{dropdown}} Hint\n{cell.source}\n:::")]
    if cell.cell_type == "markdown":
        if is_answer(cell):
            return [text_cell("*Your answer in words; it is marked by hand.*")]
        return [text_cell(cell.source)]
    if is_answer(cell):
        return [nbformat.v4.new_code_cell(stub(cell))]
    visible = without_hidden(cell.source)
    if visible == cell.source.rstrip():
        return [nbformat.v4.new_code_cell(visible)]
    code = [line for line in visible.splitlines() if not line.startswith("#")]
    words = " ".join(line.lstrip("# ") for line in visible.splitlines() if line.startswith("#"))
    cells = [text_cell(f"*{words}*")] if words else []
    return cells + ([nbformat.v4.new_code_cell("\n".join(code))] if any(code) else [])


def solution_of_group(group):
    """Return the folded solution of an exercise: its cells, the explanation, how it is marked."""
    parts = []
    for cell in group:
        if is_answer(cell) and exercise_number(cell) is not None:
            text = complete(cell).strip()
            parts.append(text if cell.cell_type == "markdown" else f"```python\n{text}\n```")
        elif role(cell) == "solution":
            parts.append(cell.source)
    parts += [f"**How it is marked**\n\n{c.source}" for c in group if role(c) == "rubric"]
    return "::::{dropdown} Solution\n" + "\n\n".join(parts) + "\n::::"


class ExerciseTable(SphinxDirective):
    """The exercises of some sets: what they are, how long they take, which goal they test."""

    optional_arguments = 20
    option_spec = {"goals": lambda argument: True}

    def run(self):
        """Return the table."""
        top = Path(self.env.srcdir) / "book" / "exercises"
        rows = []
        for name in self.arguments:
            path = top / name / f"{name}.ipynb"
            self.env.note_dependency(str(path))
            document = f"book/exercises/{name}/{name}"
            for each in exercises(nbformat.read(path, as_version=4)):
                rows.append(self.row(each, document))
        if "goals" in self.options:
            header = ("Goal", "Page", "Exercise", "Minutes", "Points")
        else:
            header = ("Exercise", "Kind", "Minutes", "Points", "Marked")
        table = simple_table(header, rows)
        table["classes"].append("exercise-table")
        return [table]

    def row(self, each, document):
        """Return the cells of one exercise."""
        title = f"{each.number} · {each.title}"
        link = self.link(each.label, title, document)
        marked = "by hand" if each.by_hand == each.points else "by code"
        if 0 < each.by_hand < each.points:
            marked = "both"
        if "goals" in self.options:
            target = (Path(document).parent / each.path).as_posix()
            page = self.page(target, each.page)
            return (self.parsed(each.goal), page, link, str(each.minutes), f"{each.points:g}")
        return (link, each.kind, str(each.minutes), f"{each.points:g}", marked)

    def parsed(self, text):
        """Return a line of Markdown with its formulas."""
        box = nodes.Element()
        self.state.nested_parse(StringList([text], source=""), self.content_offset, box)
        return box[0].children

    def link(self, label, title, document):
        """Return a reference to an exercise."""
        reference = addnodes.pending_xref(
            "", nodes.inline("", title), refdomain="std", reftype="ref", refexplicit=True,
            reftarget=label, refdoc=self.env.docname, refwarn=True,
        )  # fmt: skip
        return [reference]

    def page(self, path, title):
        """Return a reference to a page of the book."""
        parts = []
        for part in Path(path).with_suffix("").parts:
            parts = parts[:-1] if part == ".." else [*parts, part]
        reference = addnodes.pending_xref(
            "", nodes.inline("", title), refdomain="std", reftype="doc", refexplicit=True,
            reftarget="/" + "/".join(parts), refdoc=self.env.docname, refwarn=True,
        )  # fmt: skip
        return [reference]


def choose_solutions(app, config):
    """Take over the setting before the first page is read."""
    SETTINGS["solutions"] = bool(config.exercise_solutions)


def is_set(docname):
    """Tell whether a page is an exercise set."""
    return re.fullmatch(r"book/exercises/(\w+)/\1", docname) is not None


def drop_buttons(app, pagename, templatename, context, doctree):
    """Take the buttons that lead to the source off the pages of exercise sets."""
    if is_set(pagename):
        context["header_buttons"] = [
            button
            for button in context.get("header_buttons", [])
            if button.get("label") not in NOT_FOR_STUDENTS
        ]


def offer_students_version(app, exception):
    """Replace the sources of exercise sets in the finished site by the students' notebooks."""
    if app.builder.format != "html":
        return
    for docname in filter(is_set, app.env.found_docs):
        name = docname.rpartition("/")[2]
        for copy in Path(app.outdir, "_sources").glob(f"{docname}.ipynb*"):
            source = nbformat.read(app.env.doc2path(docname), as_version=4)
            nbformat.write(for_students(source, name), copy)


def setup(app):
    """Connect the extension to Sphinx."""
    app.setup_extension("myst_nb")
    app.add_config_value("exercise_solutions", True, "env", bool)
    app.add_directive("exercise-table", ExerciseTable)
    app.connect("config-inited", choose_solutions)
    app.connect("html-page-context", drop_buttons, priority=900)
    app.connect("build-finished", offer_students_version, priority=100)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
