"""The notebooks keep to the course's style (CONTRIBUTING.md), and to its form in git."""

import re
import statistics
from pathlib import Path

import format_notebooks
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = format_notebooks.find_notebooks(ROOT / "book")
# Exercise sets have a form of their own (tests/grading/test_sets.py).
PAGES = [path for path in NOTEBOOKS if "exercises" not in path.parts]
MEDIAN_LINES, MOST_LINES, WORDS_PER_LINE = 6, 30, 10
WORD = re.compile(r"[^\W\d_]{2,}|\b[aAI]\b")
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
TITLE = re.compile(r"(\([a-z0-9-]+\)=\n)?# ")  # a label may stand before it
FENCE = re.compile(r"^(`{3,}|~{3,}|:{3,}).*$|^:[\w-]+:.*$", re.MULTILINE)


def code_lines(cell):
    """Return the lines of a code cell that are neither empty nor a mark for nbval."""
    lines = [line.strip() for line in cell["source"].splitlines()]
    return [line for line in lines if line and not line.startswith("# NBVAL_")]


def words(notebook):
    """Count the words of a notebook's prose, without formulas and the marks of directives."""
    prose = "\n".join(c["source"] for c in notebook.cells if c["cell_type"] == "markdown")
    return len(WORD.findall(FENCE.sub(" ", FORMULA.sub(" ", prose))))


def complaints(notebook):
    """Return what is wrong with a notebook's style."""
    cells = notebook.cells
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    lines = [len(code_lines(cell)) for cell in code]
    found = []
    if cells[0]["cell_type"] != "markdown" or not TITLE.match(cells[0]["source"]):
        found.append("the first cell is not the title")
    if lines and statistics.median(lines) > MEDIAN_LINES:
        found.append(f"the median code cell has {statistics.median(lines)} lines")
    for cell, n in zip(code, lines, strict=True):
        if n > MOST_LINES:
            found.append(f"cell {cell['id']} has {n} lines: longer code belongs in lib")
    if words(notebook) < WORDS_PER_LINE * sum(lines):
        found.append(f"{words(notebook)} words for {sum(lines)} lines of code are too few")
    for before, cell in zip(cells, cells[1:], strict=False):
        if cell["cell_type"] == "code" and before["cell_type"] == "code":
            found.append(f"cell {cell['id']} has no sentence before it")
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_style(path):
    assert complaints(format_notebooks.read(path)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: "/".join(path.parts[-2:]))
def test_form(path):
    text = path.read_text(encoding="utf-8")
    formatted = format_notebooks.as_text(format_notebooks.normalize(format_notebooks.read(path)))
    assert text == formatted, "run `make format`"
    assert "image/png" not in text and "data:image" not in text


def test_there_are_notebooks():
    assert NOTEBOOKS


def make_notebook(*cells):
    kinds = {"m": nbformat.v4.new_markdown_cell, "c": nbformat.v4.new_code_cell}
    return nbformat.v4.new_notebook(cells=[kinds[kind](source) for kind, source in cells])


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ([("c", "x = 1")], "title"),
        ([("m", "# T" + " word" * 99), ("c", "x\n" * 7)], "median"),
        ([("m", "# T" + " word" * 999), ("c", "x\n" * 31), ("m", "a"), ("c", "x")], "31 lines"),
        ([("m", "# T" + " word" * 19), ("c", "x\ny")], "too few"),
        ([("m", "# T" + " word" * 99), ("c", "x"), ("c", "y")], "no sentence"),
    ],
)
def test_each_complaint_is_made(cells, complaint):
    found = complaints(make_notebook(*cells))
    assert any(complaint in text for text in found), found


def test_good_style_passes():
    good = make_notebook(("m", "# T" + " word" * 10), ("c", "# NBVAL_CHECK_OUTPUT\nprint(1)"))
    assert complaints(good) == []


def test_formulas_and_marks_are_no_words():
    text = "# One\n\n:::{note} x\n:class: tip\nTwo words $\\alpha beta$.\n:::\n\n$$\\sum name$$"
    assert words(make_notebook(("m", text))) == 3


KEPT = ("text", "data", "ename")


def untidy_notebook():
    """A notebook with everything that the formatter removes."""
    output, stream = nbformat.v4.new_output, "stream"
    checked = "# NBVAL_CHECK_OUTPUT\nb"
    notebook = make_notebook(("m", "# T  \n"), ("c", "a"), ("c", checked), ("c", ""))
    notebook.metadata = {
        "widgets": {"state": {}},
        "mystnb": {"execution_timeout": 9},
        "kernelspec": {"name": "py311", "display_name": "mine"},
    }
    notebook.cells[1].metadata = {"tags": ["t"], "execution": {"iopub.status": "now"}, "vscode": {}}
    notebook.cells[1].execution_count = 7
    notebook.cells[1].outputs = [
        output(stream, name="stdout", text="1\n"),
        output(stream, name="stdout", text="2\n"),
        output(stream, name="stderr", text="warning"),
        output("display_data", data={"image/png": "x", "text/plain": "<Figure>"}),
        output("display_data", data={"text/html": "<b>", "text/plain": "rich"}),
        output("execute_result", data={"text/plain": "3"}),
        output("display_data", data={"text/plain": "claim", format_notebooks.CLAIM_TYPE: {}}),
        output("error", ename="E", evalue="v", traceback=["/home/me/x.py"]),
    ]
    notebook.cells[2].id = notebook.cells[1].id
    notebook.cells[2].outputs = [
        output("display_data", data={"image/png": "x", "text/html": "<b>", "text/plain": "p"}),
    ]
    return notebook


def test_formatter_keeps_text_and_drops_the_rest():
    notebook = format_notebooks.normalize(untidy_notebook())
    assert set(notebook.metadata) == {"mystnb", "kernelspec", "language_info"}
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    title, first, checked = notebook.cells
    assert title["source"] == "# T"
    assert first["metadata"] == {"tags": ["t"]} and first["execution_count"] == 1
    kept = [part for output in first["outputs"] for part in map(output.get, KEPT) if part]
    assert kept == ["1\n2\n", {"text/plain": "3"}, {"text/plain": "claim"}, "E"]
    assert checked["outputs"][0]["data"] == {"text/html": "<b>", "text/plain": "p"}
    assert len({cell["id"] for cell in notebook.cells}) == 3


def test_formatter_is_stable(tmp_path, capsys):
    path = tmp_path / "n.ipynb"
    nbformat.write(format_notebooks.normalize(untidy_notebook()), path)
    format_notebooks.main([str(path)])
    text = path.read_text()
    assert format_notebooks.main(["--check", str(path)]) == 0
    path.write_text(text.replace('"outputs": []', '"outputs":  []').replace("# T", "# T "))
    capsys.readouterr()
    assert format_notebooks.main(["--check", str(path)]) == 1
    assert "make format" in capsys.readouterr().out
    assert format_notebooks.main([str(path)]) == 0
    assert path.read_text() == text


def test_formatter_runs_notebooks(tmp_path):
    path = tmp_path / "n.ipynb"
    nbformat.write(make_notebook(("m", "# T"), ("c", "print(6 * 7)")), path)
    assert format_notebooks.main(["--execute", str(path)]) == 0
    assert format_notebooks.read(path).cells[1].outputs[0].text == "42\n"
