"""Exercise sets become pages; nothing that students should not see leaves the build."""

import re
import subprocess
import sys
from pathlib import Path

import exercise_pages
import exercise_source
import nbformat
import pytest

from lib import checks

ROOT = Path(__file__).resolve().parents[2]
SETS = list(checks.SETS)
CONF = """\
import sys
sys.path[:0] = [{extensions!r}]
extensions = ["myst_nb", "sphinx_design", "exercise_pages"]
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
nb_custom_formats = {{".ipynb": ["exercise_pages.read", {{}}, False]}}
html_theme = "basic"
html_sourcelink_suffix = ""
exercise_solutions = {solutions}
"""
INDEX = """\
# Book

```{{toctree}}
book/primer
book/exercises/overview
{sets}
```

```{{exercise-table}} primer
```

```{{exercise-table}} primer
:goals:
```
"""


def source(name):
    """Return the source of a set."""
    return nbformat.read(ROOT / "book" / "exercises" / name / f"{name}.ipynb", as_version=4)


def plain(text):
    """Return a text's letters and digits alone, which no page's markup can change."""
    return re.sub(r"[^a-z0-9]+", "", re.sub(r"<[^>]*>|&\w+;|\\[ntu]", "", text).lower())


def lines(text, shortest=30):
    """Return the longer lines of a text, as `plain`."""
    found = (plain(line) for line in text.splitlines())
    return {line for line in found if len(line) >= shortest}


def secrets(name, solutions):
    """Return lines of a set that may not be in the build."""
    notebook, hidden, answers = source(name), set(), set()
    public = lines(nbformat.writes(exercise_source.for_students(notebook, name)))
    for cell in notebook.cells:
        pieces = exercise_source.regions(cell.source, exercise_source.HIDDEN)
        hidden |= lines("\n".join("\n".join(piece) for inside, piece in pieces if inside))
        if exercise_source.is_answer(cell):
            answers |= lines(exercise_source.solution_of(cell))
        elif exercise_source.role(cell) in ("solution", "rubric"):
            answers |= lines(cell.source)
    return (hidden if solutions else hidden | answers) - public


def leaks(folder, wanted):
    """Return which of the lines are in which file below a folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        text = path.suffix in (".html", ".ipynb", ".js", ".json", ".txt", ".inv", ".md", ".xml")
        if path.is_file() and text and path.stat().st_size < 20_000_000:
            content = plain(path.read_text(encoding="utf-8", errors="replace"))
            found += [(path.name, line) for line in wanted if line in content]
    return found


@pytest.fixture(scope="module", params=[True, False], ids=["solutions", "no-solutions"])
def small_book(request, tmp_path_factory):
    """Build a book of all exercise sets, with or without their solutions."""
    root = tmp_path_factory.mktemp("small")
    pages = [f"book/exercises/{name}/{name}" for name in SETS]
    for page in pages:
        (root / page).parent.mkdir(parents=True)
        path = root / f"{page}.ipynb"
        path.write_bytes((ROOT / f"{page}.ipynb").read_bytes())
    extensions = str(ROOT / "book/_ext")
    (root / "conf.py").write_text(CONF.format(extensions=extensions, solutions=request.param))
    (root / "index.md").write_text(INDEX.format(sets="\n".join(pages)))
    (root / "book/primer.md").write_text("# Primer\n")
    (root / "book/exercises/overview.md").write_text("# How exercises work\n")
    command = [sys.executable, "-m", "sphinx", "-q", str(root), str(root / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root / "out", request.param, done.stderr


@pytest.mark.parametrize("name", SETS)
def test_nothing_hidden_is_in_the_build(small_book, name):
    folder, solutions, _ = small_book
    wanted = secrets(name, solutions)
    assert len(wanted) >= (2 if solutions else 15)
    assert leaks(folder, wanted) == []


def test_the_search_for_leaks_finds_them(small_book):
    folder, _, _ = small_book
    visible = exercise_source.for_students(source("primer"), "primer")
    shown = lines("\n".join(cell.source for cell in visible.cells if cell.cell_type == "code"))
    assert len(shown) > 5
    assert {line for _, line in leaks(folder, shown)} == shown


def test_solutions_are_shown_when_they_should_be(small_book):
    folder, solutions, _ = small_book
    page = (folder / "book/exercises/primer/primer.html").read_text(encoding="utf-8")
    assert ("Common wrong answers" in page) == solutions
    assert ("How it is marked" in page) == solutions
    assert "Hint" in page and "NotImplementedError" in page
    assert "When you hand in" in page


def test_download_is_the_students_notebook(small_book):
    folder, _, _ = small_book
    page = (folder / "book/exercises/primer/primer.html").read_text(encoding="utf-8")
    link = re.search(r'href="([^"]+primer\.ipynb)" download', page)[1]
    path = (folder / "book/exercises/primer" / link).resolve()
    given = nbformat.read(path, as_version=4)
    assert given == exercise_source.for_students(source("primer"), "primer")


def test_tables_name_every_exercise(small_book):
    page = (small_book[0] / "index.html").read_text(encoding="utf-8")
    for each in exercise_source.exercises(source("primer")):
        assert page.count(f"{each.number} · {each.title}") >= 2
        assert plain(each.goal) in plain(page)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("solutions", [True, False])
def test_pages_of_all_sets_keep_secrets(name, solutions):
    page = exercise_pages.page_of(source(name), solutions)
    text = plain("\n".join(cell.source for cell in page.cells))
    assert [line for line in secrets(name, solutions) if line in text] == []
    assert all(not cell.get("outputs") for cell in page.cells)
    assert page.metadata["mystnb"]["execution_mode"] == "off"


def test_other_notebooks_are_read_as_they_are():
    path = ROOT / "book" / "primer.ipynb"
    text = path.read_text(encoding="utf-8")
    assert exercise_pages.read(text) == nbformat.reads(text, as_version=4)


@pytest.mark.parametrize(
    "text",
    ["### BEGIN SOLUTION\nx = 1", "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION"],
)
def test_regions_must_end(text):
    cell = nbformat.v4.new_code_cell(text, metadata={"nbgrader": {"grade_id": "q1"}})
    with pytest.raises(ValueError, match="region"):
        exercise_source.stub(cell)


def test_headings_must_be_of_the_usual_form():
    bad = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("## 1 · No label\n\nText.")]
    )
    with pytest.raises(ValueError, match="usual form"):
        exercise_source.exercises(bad)


@pytest.mark.parametrize("name", SETS)
def test_the_whole_book_keeps_secrets(html_folder, name):
    """Every file of the built book, with its solutions, is searched for hidden checks."""
    assert leaks(html_folder, secrets(name, solutions=True)) == []


@pytest.mark.parametrize("name", SETS)
def test_built_page_offers_the_students_notebook(html_folder, name):
    path = html_folder / "_sources/book/exercises" / name / f"{name}.ipynb"
    given = nbformat.read(path, as_version=4)
    assert given == exercise_source.for_students(source(name), name)
    page = (html_folder / "book/exercises" / name / f"{name}.html").read_text(encoding="utf-8")
    assert "Download the notebook" in page
    assert "mybinder" not in page.lower()
