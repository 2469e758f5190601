"""Bring the notebooks into the form in which they are kept in git.

    make format             strip and normalize all notebooks
    make run-notebooks      run them in place first, to refresh their text outputs
    python book/_tools/format_notebooks.py --check      only tell which ones are not in this form

What is kept: cell sources, short text outputs and claims as text, tags and settings of Jupyter
Book and nbgrader, and cell ids. In cells marked ``# NBVAL_CHECK_OUTPUT`` every output except
pictures is kept, since nbval compares all of it; the execution count is 1 where outputs are kept.
What goes: pictures, widgets, HTML and times, and all outputs of exercise sets, whose pages show
none.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
CLAIM_TYPE = "application/vnd.gradient-course.claim+json"
CELL_SETTINGS = ("tags", "mystnb", "nbgrader", "course")
NOTEBOOK_SETTINGS = ("mystnb", "myst")
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
CHECKED = re.compile(r"^\s*#\s*NBVAL_CHECK_OUTPUT", re.MULTILINE)
VALID_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def find_notebooks(folder):
    """Return the notebooks of the book, without those that tools have left behind."""
    skipped = {".ipynb_checkpoints", "_build"}
    paths = sorted(Path(folder).rglob("*.ipynb"))
    return [path for path in paths if not skipped & set(path.parts)]


def is_exercise_set(notebook):
    """Tell whether a notebook is an exercise set, with marks of nbgrader."""
    return any("nbgrader" in cell["metadata"] for cell in notebook.cells)


def is_checked(cell):
    """Tell whether nbval compares the cell's outputs."""
    tags = cell.get("metadata", {}).get("tags", [])
    return "nbval-check-output" in tags or bool(CHECKED.search(cell["source"]))


def kept_data(data, checked):
    """Return the part of an output's bundle that is kept, ``{}`` for nothing."""
    if checked:
        return {kind: content for kind, content in data.items() if not kind.startswith("image/")}
    if set(data) == {"text/plain"} or CLAIM_TYPE in data:
        return {"text/plain": data["text/plain"]}
    return {}


def kept_outputs(cell):
    """Return a code cell's outputs in the form that is kept."""
    outputs = []
    for output in cell["outputs"]:
        kind = output["output_type"]
        if kind == "stream":
            if output["name"] != "stdout":
                continue
            if outputs and outputs[-1]["output_type"] == "stream":
                outputs[-1]["text"] += output["text"]
            else:
                outputs.append(nbformat.v4.new_output("stream", name="stdout", text=output["text"]))
        elif kind == "error":
            names = {"ename": output["ename"], "evalue": output["evalue"], "traceback": []}
            outputs.append(nbformat.v4.new_output("error", **names))
        else:
            data = kept_data(output["data"], is_checked(cell))
            if data:
                count = {"execution_count": 1} if kind == "execute_result" else {}
                outputs.append(nbformat.v4.new_output(kind, data=data, **count))
    return outputs


def cell_id(cell, taken):
    """Return the cell's own id if it is valid and not taken, else one made from its source."""
    own = cell.get("id", "")
    if VALID_ID.fullmatch(own) and own not in taken:
        return own
    digest = hashlib.sha256(f"{cell['cell_type']}\n{cell['source']}".encode()).hexdigest()
    name, n = digest[:8], 1
    while name in taken:
        n += 1
        name = f"{digest[:8]}-{n}"
    return name


def normalize(notebook):
    """Return a notebook in the form that is kept in git. Doing it twice changes nothing."""
    settings = {k: notebook.metadata[k] for k in NOTEBOOK_SETTINGS if k in notebook.metadata}
    cells, taken = [], set()
    for cell in notebook.cells:
        source = cell["source"].rstrip()
        if not source:
            continue
        metadata = {key: cell["metadata"][key] for key in CELL_SETTINGS if key in cell["metadata"]}
        cell["source"] = source
        name = cell_id(cell, taken)
        taken.add(name)
        make = getattr(nbformat.v4, f"new_{cell['cell_type']}_cell")
        clean = make(source=source, id=name, metadata=metadata)
        if cell["cell_type"] == "code" and not is_exercise_set(notebook):
            clean["outputs"] = kept_outputs(cell)
            # nbval refuses outputs of a cell that claims never to have run.
            clean["execution_count"] = 1 if clean["outputs"] else None
        cells.append(clean)
    result = nbformat.v4.new_notebook(cells=cells, metadata={**settings, **KERNEL})
    result["nbformat_minor"] = 5
    return result


def as_text(notebook):
    """Return the file content of a notebook."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def read(path):
    """Read a notebook of any version 4."""
    return nbformat.read(path, as_version=4)


def execute(notebook, folder):
    """Run a notebook's cells in the folder that it lies in."""
    from nbclient import NotebookClient

    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, kernel_name="python3", timeout=300, resources=resources).execute()
    return notebook


def main(arguments=None):
    """Format, check or run notebooks; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks (default: all of the book)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="change nothing; exit 1 if one differs")
    mode.add_argument("--execute", action="store_true", help="run the notebooks before formatting")
    options = parser.parse_args(arguments)
    changed = []
    for path in options.paths or find_notebooks(ROOT / "book"):
        notebook = read(path)
        if options.execute:
            print(f"running {path}", flush=True)
            execute(notebook, path.parent)
        text = as_text(normalize(notebook))
        if text != path.read_text(encoding="utf-8"):
            changed.append(path)
            if not options.check:
                path.write_text(text, encoding="utf-8")
    for path in changed:
        print(f"{'not formatted' if options.check else 'formatted'}: {path}")
    if changed and options.check:
        print("Run `make format`.")
    return int(bool(changed) and options.check)


if __name__ == "__main__":
    sys.exit(main())
