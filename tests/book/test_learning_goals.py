"""The instructors' tables: read off every page, added up rightly, and complete."""

import re
import shutil
from collections import Counter
from pathlib import Path

import learning_goals
import nbformat
import pytest
from learning_goals import OVERVIEW_MINUTES, TITLES, duration, goals_of, minutes_of, weeks_of
from sphinx.errors import ExtensionError

BOOK = Path(__file__).resolve().parents[2] / "book"
PARTS = ("minimizers", "generalized_smoothness", "hessian_scaling", "approximate_newton")
PARTS = (*PARTS, "nonconvergence")
SETS = ("primer", *PARTS)
NOTEBOOKS = [f"{part}/{file.stem}" for part in PARTS for file in (BOOK / part).glob("*.ipynb")]
SYNTHESIS = [
    f"synthesis/{name}" for name in ("five_results", "which_method_when", "your_own_function")
]
GOAL_PAGES = ["primer", *NOTEBOOKS, "performance/past_one_machine", *SYNTHESIS]
TEACHING = (BOOK / "instructors/teaching.md").read_text(encoding="utf-8")
COURSES = re.findall(r"^```\{syllabus\}\n(.*?)^```$", TEACHING, re.M | re.S)
# Exercises that call a program of an earlier one of their set.
BUILD_ON = {
    ("primer", 4): ("primer", 2),
    ("generalized_smoothness", 5): ("generalized_smoothness", 4),
}


def plain(text):
    """Replace the spaces at which no line is broken by ordinary ones."""
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("&#160;", " ").replace("&nbsp;", " ")


def first_cell(path):
    return nbformat.read(BOOK / f"{path}.ipynb", as_version=4).cells[0].source


def page_minutes(path):
    """Read a page's time in another way than the extension does."""
    if path.endswith("/overview"):
        return OVERVIEW_MINUTES
    (line,) = [line for line in first_cell(path).splitlines() if line.startswith("Time: ")]
    return int(line.split()[1])


def exercise_lines(name):
    """Read the minutes and points of a set's exercises in another way than the extension does."""
    cells = nbformat.read(BOOK / "exercises" / name / f"{name}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.findall(r"^## (\d+) ·.*\n\n.*?· (\d+) minutes · (\d+) points?", text, re.M)
    return {int(number): (int(minutes), int(points)) for number, minutes, points in found}


# Pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOAL_PAGES)
def test_goals_and_time_of_every_page_are_found(path):
    lines = first_cell(path).splitlines()
    goals = goals_of(BOOK, path)
    assert len(goals) == sum(line.startswith("- ") for line in lines) >= 2
    for goal in goals:
        assert goal[0].islower() and goal[-1] not in ".;," and "\n" not in goal
        assert goal.split()[0] in "".join(lines)
    assert minutes_of(BOOK, path) == page_minutes(path)
    most = 75 if path == "synthesis/five_results" else 45  # the one page of two sittings
    assert 20 <= minutes_of(BOOK, path) <= most
    assert f"# {learning_goals.title_of(BOOK, path)}" in lines


def test_every_notebook_is_there():
    assert len(NOTEBOOKS) == 15
    for part in PARTS:
        pages = learning_goals.pages_of(BOOK, part)
        assert pages[0] == f"{part}/overview"
        assert set(pages[1:]) == {path for path in NOTEBOOKS if path.startswith(part)}
        assert minutes_of(BOOK, pages[0]) >= OVERVIEW_MINUTES
    assert learning_goals.pages_of(BOOK, "primer") == ["primer"]


@pytest.mark.parametrize(
    ("text", "read", "complaint"),
    [
        ("# A\n\nTime: 5 minutes.", goals_of, "page: .*able to"),
        ("# A\n\nAfter this page you will be able to\n\nfly.", goals_of, "page: .*able to"),
        ("# A\n\nAfter this page you will be able to\n\n- fly.", minutes_of, "page: .*NN minutes"),
        ("A", learning_goals.title_of, "page: .*title"),
    ],
)
def test_what_a_page_lacks_is_said_with_its_name(tmp_path, text, read, complaint):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    nbformat.write(notebook, tmp_path / "page.ipynb")
    with pytest.raises(ExtensionError, match=complaint):
        read(tmp_path, "page")
    with pytest.raises(ExtensionError, match="other/page: the book has no such page"):
        read(tmp_path, "other/page")


# Courses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("course", "complaint"),
    [
        ("- read: [minimizers/nowhere]", "minimizers/nowhere: the book has no such page"),
        ("- exercises: {nowhere: 1}", "nowhere: the book has no such exercise set"),
        ('- {}\n- exercises: {primer: "4-6"}', r"week 2: primer has no exercise \[6\]"),
        ("- reads: [primer]", "week 1: unknown reads"),
    ],
)
def test_a_course_names_only_what_there_is(course, complaint):
    with pytest.raises(ExtensionError, match=complaint):
        weeks_of(BOOK, course)


def test_there_are_courses_of_twelve_and_of_six_weeks():
    assert [len(weeks_of(BOOK, course)) for course in COURSES] == [12, 6]
    stated = re.search(r"(\d+)\s+minutes\s+for\s+each\s+overview\s+page", TEACHING)
    assert int(stated[1]) == OVERVIEW_MINUTES


@pytest.mark.parametrize("course", COURSES)
def test_hours_are_those_of_pages_and_exercises_to_the_minute(course):
    times = {name: exercise_lines(name) for name in SETS}
    for week in weeks_of(BOOK, course):
        some = [times[name][each.number] for name in week.chosen for each in week.chosen[name]]
        reading = sum(map(page_minutes, week.pages))
        other = sum(week.also.values())
        assert week.minutes == reading + sum(minutes for minutes, _ in some) + other
        assert week.points == sum(points for _, points in some)
        assert week.text and 120 <= week.minutes <= 240


@pytest.mark.parametrize("course", COURSES)
def test_nothing_comes_twice_or_too_early(course):
    read, solved = [], []
    for week in weeks_of(BOOK, course):
        read += week.pages
        for name, some in week.chosen.items():
            for each in some:
                page = (BOOK / "exercises" / name / each.path).resolve().relative_to(BOOK)
                assert page.with_suffix("").as_posix() in read, f"{name} {each.number}: too early"
                solved.append((name, each.number))
                before = BUILD_ON.get((name, each.number))
                assert before is None or before in solved
    assert max(Counter(read).values()) == max(Counter(solved).values()) == 1


def test_twelve_weeks_cover_every_page_and_every_exercise_once():
    weeks = weeks_of(BOOK, COURSES[0])
    overviews = [f"{part}/overview" for part in PARTS]
    assert Counter(p for week in weeks for p in week.pages) == Counter([*GOAL_PAGES, *overviews])
    solved = Counter(
        (n, e.number) for week in weeks for n, some in week.chosen.items() for e in some
    )
    assert solved == Counter((name, number) for name in SETS for number in exercise_lines(name))


def test_six_weeks_show_demonstrations_of_the_twelve():
    there = set(re.findall(r"^ +\*\*(\d+[a-c])\*\*", COURSES[0], re.M))
    named = re.findall(r"\b\d+[a-c]\b", COURSES[1])
    assert len(there) == 36 and len(named) >= 18 and set(named) <= there


def test_the_page_has_the_goals_of_all_pages_and_sets():
    goals = " ".join(re.findall(r"^```\{learning-goals\} (.+)$", TEACHING, re.M)).split()
    assert Counter(goals) == Counter(GOAL_PAGES)
    assert re.findall(r"^```\{exercise-table\} (.+)\n:goals:$", TEACHING, re.M) == list(SETS)


@pytest.mark.parametrize(
    ("minutes", "text"), [(0, "0 min"), (55, "55 min"), (120, "2 h"), (190, "3 h 10 min")]
)
def test_times_are_written_as_people_do(minutes, text):
    assert plain(duration(minutes)) == text


# The built tables ---------------------------------------------------------------------------------

PAGE = """\
# Index

```{learning-goals} minimizers/stable_manifold generalized_smoothness/safe_steps
```

```{workload}
```

```{syllabus}
- read: [primer]
  class: |
    **1a** *Why?*
  exercises: {primer: "1-5", minimizers: "1-2, 7"}
  also: {rest: 60}
```

```{glossary}
stable manifold
  A surface.
```
"""


def test_tables_render_with_terms_and_formulas(tmp_path):
    """A small book of the real opening cells: links, terms, formulas and sums come out."""
    from sphinx.application import Sphinx

    for path in GOAL_PAGES:
        cells = [nbformat.v4.new_markdown_cell(first_cell(path))]
        (tmp_path / "book" / path).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "book" / f"{path}.ipynb")
    for part in PARTS:
        (tmp_path / "book" / part / "overview.md").write_text(f"# Overview of {part}\n")
    for name in SETS:
        (tmp_path / "book/exercises" / name).mkdir(parents=True)
        file = f"book/exercises/{name}/{name}.ipynb"
        shutil.copy(BOOK.parent / file, tmp_path / file)
    (tmp_path / "index.md").write_text(PAGE)
    out = tmp_path / "out"
    app = Sphinx(
        tmp_path, None, out, tmp_path / "doctrees", "html", status=None, warning=None,
        confoverrides={
            "extensions": ["myst_nb", "learning_goals"],
            "nb_execution_mode": "off",
            "myst_enable_extensions": ["dollarmath"],
        },
    )  # fmt: skip
    app.build(filenames=[str(tmp_path / "index.md")], force_all=True)
    goals, workload, syllabus = re.findall(
        r'<table class="[^"]*\b(?:learning-goals|workload|syllabus)\b.*?</table>',
        plain((out / "index.html").read_text(encoding="utf-8")),
        re.S,
    )
    assert 'href="book/minimizers/stable_manifold.html"' in goals
    assert 'href="#term-stable-manifold"' in goals and r"\rho_1(f(x_0))" in goals
    assert "<em>to</em>" in goals and goals.count("<li>") == 6 and "<p>40</p>" in goals
    sums = sum(minutes for name in SETS for minutes, _ in exercise_lines(name).values())
    reading = sum(map(page_minutes, GOAL_PAGES)) + OVERVIEW_MINUTES * len(PARTS)
    for minutes in (sums, reading, sums + reading):
        assert f"<p>{plain(duration(minutes))}</p>" in workload
    assert "<p>110</p>" in workload and set(re.findall(r'">([^<]+)</span></a>', workload)) == set(
        TITLES.values()
    )
    assert "all (10 points)" in syllabus and "1, 2 and 7 (7 points)" in syllabus
    assert "<strong>1a</strong>" in syllabus and "rest, 1 h" in syllabus
    assert "<p>3 h 40 min</p>" in syllabus and "17 points" in syllabus
