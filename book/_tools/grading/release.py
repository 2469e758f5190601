"""Make the notebook that students get, as a part of nbgrader."""

from __future__ import annotations

import nbformat
from exercise_source import for_students
from nbgrader.preprocessors import NbGraderPreprocessor


class ForStudents(NbGraderPreprocessor):
    """nbgrader's first step on a source: take out what is not for students.

    Hidden checks stay until nbgrader has saved them in the gradebook.
    """

    def preprocess(self, nb, resources):
        """Return the notebook without solutions, rubrics and the book's own marks."""
        return for_students(nb, resources["nbgrader"]["assignment"], hidden=True), resources


def student_version(notebook, set_name):
    """Return the notebook that students get."""
    return for_students(notebook, set_name)


def master(notebook, set_name):
    """Return the student's version with hidden checks, to restore submissions from.

    The metadata ``course.released`` of a cell is its source as students got it.
    """
    result = for_students(notebook, set_name, hidden=True)
    shown = for_students(notebook, set_name)
    for cell, released in zip(result.cells, shown.cells, strict=True):
        cell.metadata["course"] = {"released": released.source}
    return result


def read(path):
    """Return the notebook at a path."""
    return nbformat.read(path, as_version=4)
