"""Tables for instructors, read off the pages and exercise sets whenever the book is built.

* ``{learning-goals}`` lists what students can do after the pages that are its arguments.
* ``{workload}`` adds up, part by part, how long reading and exercises take.
* ``{syllabus}`` shows a course week by week and adds up its hours. Its content is YAML::

      - read: [minimizers/overview, minimizers/strict_saddles]
        class: What to show, in Markdown.
        exercises: {minimizers: "1-3, 7"}
        also: {project: 60}     # other work, in minutes

A page is named by its path in the folder ``book``, without its ending.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml
from docutils import nodes
from docutils.statemachine import StringList
from exercise_source import Exercise, exercises
from sphinx import addnodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

TITLES = {
    "primer": "Primer",
    "minimizers": "Part 1",
    "generalized_smoothness": "Part 2",
    "hessian_scaling": "Part 3",
    "approximate_newton": "Part 4",
    "nonconvergence": "Part 5",
    "performance": "At scale",
    "synthesis": "Synthesis",
}
OVERVIEW_MINUTES = 15  # for an overview page that names no time itself
GOALS = re.compile(r"^After this page you will be able to\s*\n((?:- .+\n(?:[ \t]+\S.*\n)*)+)", re.M)
TIME = re.compile(r"^Time: (\d+) minutes\b", re.M)
TITLE = re.compile(r"^# (.+)$", re.M)
WEEK_KEYS = {"read", "class", "exercises", "also"}


# Reading pages and sets ---------------------------------------------------------------------------


def page_file(book, path):
    """Return the file of a page; the error names the page."""
    for ending in (".ipynb", ".md"):
        file = Path(book, path + ending)
        if file.is_file():
            return file
    raise ExtensionError(f"{path}: the book has no such page")


def opening(book, path):
    """Return the text that a page begins with: a notebook's first cell, or all of another page."""
    file = page_file(book, path)
    if file.suffix == ".md":
        return file.read_text(encoding="utf-8") + "\n"
    cells = nbformat.read(file, as_version=4).cells
    return (cells[0].source if cells else "") + "\n"


def found(pattern, book, path, what):
    """Return the first group of a pattern in a page's opening; the error says what is missing."""
    match = pattern.search(opening(book, path))
    if match is None:
        raise ExtensionError(f"{path}: the page does not begin with {what}")
    return match[1]


def title_of(book, path):
    """Return the title of a page."""
    return found(TITLE, book, path, "a title")


def goals_of(book, path):
    """Return what students will be able to do after a page, in MyST.

    Parameters
    ----------
    book : Path
        The folder of the pages.
    path : str
        The page's path in it, without its ending.

    Returns
    -------
    list of str

    Raises
    ------
    ExtensionError
        If the page is not there or does not list goals.
    """
    what = 'a list "After this page you will be able to"'
    items = re.split(r"^- ", found(GOALS, book, path, what), flags=re.M)[1:]
    return [" ".join(item.split()).rstrip(";.") for item in items]


def minutes_of(book, path):
    """Return how many minutes a page takes to read; the error names the page."""
    if Path(path).name == "overview" and not TIME.search(opening(book, path)):
        return OVERVIEW_MINUTES
    return int(found(TIME, book, path, 'a line "Time: NN minutes"'))


def set_file(book, name):
    """Return the file of an exercise set; the error names the set."""
    file = Path(book, "exercises", name, f"{name}.ipynb")
    if not file.is_file():
        raise ExtensionError(f"{name}: the book has no such exercise set")
    return file


def exercises_of(book, name):
    """Return the exercises of a set by number."""
    notebook = nbformat.read(set_file(book, name), as_version=4)
    return {each.number: each for each in exercises(notebook)}


def pages_of(book, part):
    """Return the pages of a part that students read: its overview and its notebooks."""
    if Path(book, f"{part}.ipynb").is_file():
        return [part]
    files = [*Path(book, part).glob("overview.md"), *sorted(Path(book, part).glob("*.ipynb"))]
    return [f"{part}/{file.stem}" for file in files]


# A course -----------------------------------------------------------------------------------------


class Week(NamedTuple):
    """A week of a course; times are in minutes."""

    pages: list[str]
    reading: int
    text: str
    chosen: dict[str, list[Exercise]]
    also: dict[str, int]

    @property
    def points(self):
        """The points of the week's exercises."""
        return sum(each.points for some in self.chosen.values() for each in some)

    @property
    def minutes(self):
        """The work outside class."""
        work = sum(each.minutes for some in self.chosen.values() for each in some)
        return self.reading + work + sum(self.also.values())


def numbers(text):
    """Return the numbers in a text such as "1-3, 7"."""
    result = []
    for piece in str(text).split(","):
        first, _, last = piece.strip().partition("-")
        result += range(int(first), int(last or first) + 1)
    return result


def weeks_of(book, text):
    """Return the weeks of a course from the content of ``{syllabus}``.

    Raises
    ------
    ExtensionError
        If a page, a set or an exercise does not exist, or the content has another form.
    """
    weeks = []
    for number, week in enumerate(yaml.safe_load(text), 1):
        unknown = set(week) - WEEK_KEYS
        if unknown:
            raise ExtensionError(f"syllabus, week {number}: unknown {', '.join(sorted(unknown))}")
        chosen = {}
        for name, some in week.get("exercises", {}).items():
            there = exercises_of(book, name)
            missing = [n for n in numbers(some) if n not in there]
            if missing:
                raise ExtensionError(f"syllabus, week {number}: {name} has no exercise {missing}")
            chosen[name] = [there[n] for n in numbers(some)]
        pages = week.get("read", [])
        reading = sum(minutes_of(book, path) for path in pages)
        weeks.append(Week(pages, reading, week.get("class", ""), chosen, week.get("also", {})))
    return weeks


def duration(minutes):
    """Return a time as people write it: "55 min", "2 h", "3 h 10 min"; a unit keeps its number."""
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours}\N{NO-BREAK SPACE}h"] if hours else []
    return " ".join([*parts, f"{rest}\N{NO-BREAK SPACE}min"] if rest or not hours else parts)


def listed(some):
    """Return exercises as their numbers: "1, 2 and 7"."""
    texts = [str(each.number) for each in some]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


# The directives -----------------------------------------------------------------------------------


class CourseTable(SphinxDirective):
    """What the tables have in common."""

    @property
    def book(self):
        """The folder of the pages."""
        return Path(self.env.srcdir) / "book"

    def depend_on_page(self, path):
        """Read this page again when the other one changes."""
        self.env.note_dependency(str(page_file(self.book, path)))

    def depend_on_set(self, name):
        """Read this page again when the set changes."""
        self.env.note_dependency(str(set_file(self.book, name)))

    def link(self, path, title):
        """Return a paragraph with a link to a page."""
        reference = addnodes.pending_xref(
            "", nodes.inline("", title), refdomain="std", reftype="doc", refexplicit=True,
            reftarget=f"/book/{path}", refdoc=self.env.docname, refwarn=True,
        )  # fmt: skip
        return nodes.paragraph("", "", reference)

    def link_page(self, path):
        """Return a paragraph with a link to a page under its own title."""
        self.depend_on_page(path)
        return self.link(path, title_of(self.book, path))

    def parse(self, text):
        """Return text in MyST as nodes."""
        place = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), self.env.docname), 0, place)
        return place.children

    def table(self, header, widths, rows, kind):
        """Return a table; cells are texts or lists of nodes."""

        def make_row(cells):
            row = nodes.row()
            for cell in cells:
                paragraphs = [nodes.paragraph("", cell)] if isinstance(cell, str) else cell
                row += nodes.entry("", *paragraphs)
            return row

        group = nodes.tgroup("", *(nodes.colspec(colwidth=w) for w in widths), cols=len(header))
        group += nodes.thead("", make_row(header))
        group += nodes.tbody("", *(make_row(row) for row in rows))
        return nodes.table("", group, classes=["colwidths-given", kind])


class LearningGoals(CourseTable):
    """What students can do after each of the pages that are the arguments."""

    required_arguments = 1
    optional_arguments = 40

    def run(self):
        """Return the table."""
        rows = []
        for path in self.arguments:
            goals = self.parse("\n".join(f"- {goal}" for goal in goals_of(self.book, path)))
            rows.append(([self.link_page(path)], goals, str(minutes_of(self.book, path))))
        header = ("Page", "You will be able to", "Minutes")
        return [self.table(header, (25, 63, 12), rows, "learning-goals")]


class Workload(CourseTable):
    """How long each part takes, and how its set is marked."""

    def run(self):
        """Return the table."""
        rows, sums = [], [0] * 5
        for part, title in TITLES.items():
            pages, some = pages_of(self.book, part), []
            for path in pages:
                self.depend_on_page(path)
            if Path(self.book, "exercises", part).is_dir():
                self.depend_on_set(part)
                some = exercises_of(self.book, part).values()
            reading = sum(minutes_of(self.book, path) for path in pages)
            work = sum(each.minutes for each in some)
            points, hand = sum(e.points for e in some), sum(e.by_hand for e in some)
            new = (reading, work, reading + work, points, hand)
            sums = [a + b for a, b in zip(sums, new, strict=True)]
            rows.append(([self.link(pages[0], title)], *self.texts(new)))
        rows.append(("All", *self.texts(sums)))
        header = ("Part", "Reading", "Exercises", "Together", "Points", "Marked by hand")
        return [self.table(header, (16, 18, 18, 20, 12, 16), rows, "workload")]

    def texts(self, values):
        """Return times and points as texts; nothing for what is not there."""
        times = [duration(minutes) if minutes else "" for minutes in values[:3]]
        return times + [f"{points:g}" if values[3] else "" for points in values[3:]]


class Syllabus(CourseTable):
    """A course, week by week."""

    has_content = True

    def run(self):
        """Return the table."""
        weeks = weeks_of(self.book, "\n".join(self.content))
        rows = [self.row(number, week) for number, week in enumerate(weeks, 1)]
        points, minutes = (sum(getattr(w, key) for w in weeks) for key in ("points", "minutes"))
        rows.append(("All", "", "", f"{points:g} points", duration(minutes)))
        header = ("Week", "Read", "In class", "Work", "Time")
        return [self.table(header, (8, 20, 42, 18, 12), rows, "syllabus")]

    def row(self, number, week):
        """Return the cells of one week."""
        work = []
        for name, some in week.chosen.items():
            self.depend_on_set(name)
            line = self.link(f"exercises/{name}/{name}", TITLES[name])
            points = sum(each.points for each in some)
            whole = len(some) == len(exercises_of(self.book, name))
            which = "all" if whole else listed(some)
            line += nodes.Text(f": {which} ({points:g}\N{NO-BREAK SPACE}points)")
            work.append(line)
        work += [nodes.paragraph("", f"{t}, {duration(m)}") for t, m in week.also.items()]
        pages = [self.link_page(path) for path in week.pages]
        return (str(number), pages, self.parse(week.text), work, duration(week.minutes))


def setup(app):
    """Connect the extension to Sphinx."""
    app.setup_extension("myst_nb")
    app.add_directive("learning-goals", LearningGoals)
    app.add_directive("workload", Workload)
    app.add_directive("syllabus", Syllabus)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
