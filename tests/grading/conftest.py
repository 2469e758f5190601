"""Run the grading commands as an instructor does, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def grade():
    """Return a function that runs one command on a class's folder and returns what it said."""

    def run(folder, *arguments, code=0, **variables):
        environment = dict(os.environ, COURSE_GRADING=str(folder), **variables)
        environment.pop("PYTEST_CURRENT_TEST", None)
        command = [sys.executable, str(ROOT / "book/_tools/grade.py"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    return run


@pytest.fixture(scope="module")
def box():
    """Start a student's kernel, in its box where there is one."""
    from grading import kernel, sandbox

    one = kernel.StudentKernel(None, not sandbox.warning())
    one.start()
    yield one
    one.stop()
