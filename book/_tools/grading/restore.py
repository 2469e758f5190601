"""Put a submission back into the form in which the set was released.

Locked cells are the instructor's again, in his order; the student's answers are found by the name
of their cell, or, where that was lost, by the names that they define. Everything else that the
student wrote stays behind the cell that it followed. What was changed is reported.
"""

from __future__ import annotations

import ast

import nbformat
from exercise_source import is_answer, name_of

from grading.session import kind_of


class NotThisSet(Exception):
    """The notebook belongs to another exercise set; the message says to which."""


def defined_names(source):
    """Return the names that code defines at its top level, as far as it can be read."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        lines = source.splitlines()
        words = [line[4:].split("(")[0].strip() for line in lines if line.startswith("def ")]
        return set(words)
    names = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            targets = [n for target in node.targets for n in ast.walk(target)]
            names |= {n.id for n in targets if isinstance(n, ast.Name)}
    return names


def plain(source):
    """Return a source without what editors change: spaces at the ends of lines, empty ends."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def restore(submission, master, set_name):
    """Return a submission with the cells of the set as they were released.

    Parameters
    ----------
    submission : NotebookNode
    master : NotebookNode
        The set as released, but with its hidden checks (see `grading.release.master`). Released
        sources of cells with hidden checks are in their metadata, ``course.released``.
    set_name : str

    Returns
    -------
    notebook : NotebookNode
    events : list of str

    Raises
    ------
    NotThisSet
        If the notebook says so, or has no cell of this set.
    """
    submission = _readable(submission)
    names = {name_of(cell): cell for cell in master.cells if name_of(cell)}
    plain_ids = {cell.id for cell in master.cells if not name_of(cell)}
    declared = submission.metadata.get("course", {})
    declared = declared.get("set") if isinstance(declared, dict) else None
    candidates, order, extra = _sort(submission.cells, names, plain_ids)
    if declared not in (None, set_name):
        raise NotThisSet(f"the notebook is the exercise set {str(declared)[:40]!r}")
    events, settings = [], {}
    if not any(is_answer(names[name]) for name in candidates):
        found = {n for cell, _ in extra for n in defined_names(cell.source)}
        wanted = {n for c in names.values() if is_answer(c) for n in defined_names(c.source)}
        if not found & wanted:
            raise NotThisSet("no answer cell of this set is in the notebook")
    present = [name for name in order if name in names]
    expected = [name for name in names if name in present]
    if list(dict.fromkeys(present)) != expected:
        events.append("cells are in another order; they were put back")
    notebook = nbformat.v4.new_notebook(metadata=dict(master.metadata))
    behind = {}
    for cell, before in extra:
        behind.setdefault(before, []).append(cell)
    taken = set()
    for cell in master.cells:
        name = name_of(cell)
        new = cell.copy()
        new.metadata = nbformat.from_dict(dict(cell.metadata))
        new.metadata.pop("course", None)
        if name:
            _fill(new, cell, candidates.get(name, []), extra, taken, events)
            for own in candidates.get(name, []):
                for text in _changed_settings(own, cell):
                    settings.setdefault(text, {})[name] = None
        if new.cell_type == "code":
            new.outputs, new.execution_count = [], None
        notebook.cells.append(new)
        notebook.cells += [_copy(c) for c in behind.get(name or cell.id, []) if id(c) not in taken]
    top = [_copy(c) for c in behind.get(None, []) if id(c) not in taken]
    notebook.cells[1:1] = top
    events += [f"{shortened(cells)}: {text}" for text, cells in settings.items()]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook, events


def shortened(names):
    """Return names as a list in words, cut where it gets long."""
    names = list(names)
    more = f" and {len(names) - 5} more" if len(names) > 6 else ""
    return ", ".join(names[:5] if more else names) + more


def _readable(submission):
    """Return a notebook whose sources can be written to a file: without halves of characters."""
    for cell in submission.cells:
        cell.source = cell.source.encode("utf-8", "replace").decode("utf-8")
    return submission


def _sort(cells, names, plain_ids):
    """Return a submission's cells by name, their order, and the other cells with what they follow.

    A cell's own name counts, and where an editor has removed it, its id.
    """
    candidates, order, extra, before = {}, [], [], None
    for cell in cells:
        name = name_of(cell)
        if name not in names:
            name = cell.get("id")
        if name in names:
            candidates.setdefault(name, []).append(cell)
            order.append(name)
            before = name
        elif cell.get("id") in plain_ids and cell.cell_type == "markdown":
            before = cell["id"]
        elif cell.source.strip():
            extra.append((cell, before))
    return candidates, order, extra


def _copy(cell):
    """Return a student's own cell, without marks of grading and without outputs."""
    if cell.cell_type == "code":
        return nbformat.v4.new_code_cell(cell.source)
    return nbformat.v4.new_markdown_cell(cell.source)


def _fill(new, master, found, extra, taken, events):
    """Give a cell of the set the student's source if it is an answer; report what was changed."""
    name = name_of(master)
    what = {"answer": "answer", "check": "check", "given": "given cell"}
    label = f"{name}: this {what.get(kind_of(master), 'cell')}"
    if len(found) > 1:
        events.append(f"{label} is there {len(found)} times")
    if not is_answer(master):
        released = master.metadata.get("course", {}).get("released", master.source)
        if not found:
            events.append(f"{label} was deleted; it was put back")
        elif any(plain(cell.source) != plain(released) for cell in found):
            events.append(f"{label} was changed; it was put back")
        return
    for cell in found:
        if cell.cell_type != master.cell_type:
            events.append(f"{label} was turned into {cell.cell_type}; it was turned back")
    wanted = defined_names(master.source) if master.cell_type == "code" else set()
    if not found and wanted:
        written = [
            cell
            for cell, _ in extra
            if cell.cell_type == "code" and wanted & defined_names(cell.source)
        ]
        if written:
            found = written[-1:]
            taken.add(id(found[0]))
            events.append(f"{label} was deleted; a cell that defines the same names took its place")
    if not found:
        events.append(f"{label} was deleted")
        return
    blank = "".join(master.source.split())
    filled = [cell for cell in found if "".join(cell.source.split()) != blank]
    if filled:
        new.source = filled[-1].source


def _changed_settings(cell, master):
    """Return what was changed in a cell's marks of grading."""
    mine, its = master.metadata["nbgrader"], cell.metadata.get("nbgrader", {})
    if not its:
        return ["the marks of grading were removed from the cell; put back"]
    keys = [k for k in ("points", "grade", "solution", "locked") if k in mine]
    return [
        f"{key} changed from {mine[key]} to {ascii(its.get(key))[:40]}; put back"
        for key in keys
        if its.get(key) != mine[key]
    ]
