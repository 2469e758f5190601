"""Run submissions, as a part of nbgrader: its preprocessors for restoring and for running.

A run is stored (``grading/runs``) with a fingerprint of all that it depends on. Grading again uses
it as long as nothing of that has changed; an interrupted grading goes on with the next submission.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import time
from pathlib import Path

import nbformat
from nbgrader.preprocessors import NbGraderPreprocessor

from grading import release, restore, sandbox, session, settings

STUDENT = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


def library_fingerprint():
    """Return a hash of the library and the Python that answers run with."""
    digest = hashlib.sha256(platform.python_version().encode())
    for path in sorted((settings.ROOT / "lib").rglob("*.py")):
        digest.update(path.relative_to(settings.ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fingerprint(notebook, student):
    """Return a hash of all that the outcome of a run depends on."""
    cells = [
        (c.source, c.metadata.get("nbgrader", {}).get("grade_id"))
        for c in notebook.cells
        if c.cell_type == "code"
    ]
    text = json.dumps([student, cells, library_fingerprint()])
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def write_whole(path, text):
    """Write a file so that it is either the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, delete=False, encoding="utf-8", errors="backslashreplace"
    ) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def run_path(set_name, student):
    """Return where a submission's run is stored."""
    return settings.grading_folder() / "runs" / set_name / f"{student}.json"


def stored_run(notebook, set_name, student):
    """Return the stored run of a restored submission, or None."""
    path = run_path(set_name, student)
    if not path.is_file():
        return None
    run = json.loads(path.read_text(encoding="utf-8"))
    return run if run["fingerprint"] == fingerprint(notebook, student) else None


def run(notebook, set_name, student):
    """Run a restored submission, store what came out, and return it.

    Returns
    -------
    dict
        Outputs of the code cells, events for the report, and the seconds it took.
    """
    begin = time.monotonic()
    boxed = not sandbox.warning()
    limits = {
        "CELL_SECONDS": settings.seconds("COURSE_CELL_SECONDS", session.CELL_SECONDS),
        "CALL_SECONDS": settings.seconds("COURSE_CALL_SECONDS", session.CALL_SECONDS),
        "SUBMISSION_SECONDS": settings.seconds(
            "COURSE_SUBMISSION_SECONDS", session.SUBMISSION_SECONDS
        ),
    }
    vars(session).update(limits)
    mark = fingerprint(notebook, student)
    work = session.Session(notebook, student, warm_cache(set_name), boxed)
    try:
        events = work.run()
    except Exception as error:  # whatever a submission brings about, it is graded as it stands
        events = [*work.events, f"it could not be run: {type(error).__name__}: {error}"]
        stop_checks(notebook)
    seconds = round(time.monotonic() - begin, 1)
    return store(notebook, set_name, student, mark, events, seconds, boxed)


def stop_checks(notebook):
    """Let all checks fail that have not been run."""
    for cell in notebook.cells:
        if session.kind_of(cell) == "check" and not cell.outputs:
            cell.outputs = [session.error_output("Stopped", "the notebook could not be run")]


def store(notebook, set_name, student, mark, events, seconds, boxed):
    """Store what came out of a run, and return it."""
    result = {
        "fingerprint": mark,
        "outputs": [c.outputs for c in notebook.cells if c.cell_type == "code"],
        "events": events,
        "seconds": seconds,
        "boxed": boxed,
    }
    write_whole(run_path(set_name, student), json.dumps(result))
    return result


def give_up(set_name, student, path, how):
    """Store that a submission could not be run to its end, and return why.

    Parameters
    ----------
    set_name, student : str
    path : Path
    how : str
        "slow" or "ended", as `grading.workers.run_all` says it.
    """
    whys = {"slow": "the checks did not end", "ended": "it ended the program that checks it"}
    notebook, _ = restored(set_name, path)
    mark = fingerprint(notebook, student)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    stop_checks(notebook)
    events = [f"it could not be run: {whys[how]} on what it returned"]
    store(notebook, set_name, student, mark, events, 0.0, not sandbox.warning())
    return whys[how]


def warm_cache(set_name):
    """Return the folder with numba's kernels as the set's own solutions compiled them."""
    return settings.grading_folder() / "runs" / set_name / "compiled"


def run_solutions(set_name):
    """Run the source with its solutions in the box, and keep the kernels that it compiled.

    Returns
    -------
    list of str
        Checks that the solutions fail: none, or the set cannot be graded here.
    """
    source = release.read(settings.source(set_name))
    cells = [c for c in source.cells if c.cell_type == "code"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    work = session.Session(notebook, "ada", None, not sandbox.warning())
    keep = warm_cache(set_name)
    stop = work.kernel.stop

    def keep_cache_and_stop():
        if work.kernel.alive and not keep.is_dir():
            fresh = keep.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(work.kernel.folder / "cache", fresh)
            fresh.rename(keep)
        stop()

    work.kernel.stop = keep_cache_and_stop
    shutil.rmtree(keep, ignore_errors=True)
    keep.parent.mkdir(parents=True, exist_ok=True)
    events = work.run()
    failed = [
        f"{work._name(cell)}: {output.get('evalue', '')}"
        for cell in cells
        for output in cell.outputs
        if output.output_type == "error"
    ]
    return failed + events


def restored(set_name, path):
    """Return a submitted notebook with the set's cells put back, and what was changed in it.

    Raises
    ------
    grading.restore.NotThisSet
        If it belongs to another set.
    """
    source = release.read(settings.source(set_name))
    return restore.restore(release.read(path), release.master(source, set_name), set_name)


class RestoreCells(NbGraderPreprocessor):
    """nbgrader's first step on a submission: put its cells back."""

    def preprocess(self, nb, resources):
        """Return the restored notebook."""
        set_name = resources["nbgrader"]["assignment"]
        source = release.read(settings.source(set_name))
        notebook, events = restore.restore(nb, release.master(source, set_name), set_name)
        notebook.metadata["course"] = {"set": set_name, "events": events}
        return notebook, resources


class RunAnswers(NbGraderPreprocessor):
    """nbgrader's second step: run the answers in their box and the checks outside it."""

    def preprocess(self, nb, resources):
        """Return the notebook with the outputs of its run, stored or new."""
        set_name, student = (resources["nbgrader"][key] for key in ("assignment", "student"))
        found = stored_run(nb, set_name, student) or run(nb, set_name, student)
        cells = [cell for cell in nb.cells if cell.cell_type == "code"]
        for number, (cell, outputs) in enumerate(zip(cells, found["outputs"], strict=True), 1):
            cell.outputs = nbformat.from_dict(outputs)
            cell.execution_count = number
        nb.metadata["course"]["events"] += found["events"]
        nb.metadata["course"]["run"] = found["fingerprint"]
        return nb, resources


def run_submission(set_name, student, path, again=False):
    """Restore and run one submitted notebook unless that is done; return its events and seconds.

    Parameters
    ----------
    set_name, student : str
    path : Path
    again : bool
        Run it even if nothing has changed.
    """
    notebook, events = restored(set_name, Path(path))
    found = None if again else stored_run(notebook, set_name, student)
    done = found is not None
    found = found or run(notebook, set_name, student)
    return {"events": events + found["events"], "seconds": found["seconds"], "stored": done}
