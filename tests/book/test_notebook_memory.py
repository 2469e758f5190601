"""A notebook that needs too much memory fails its test, also where a child process needs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

WATCH = Path(__file__).resolve().parents[2] / "book" / "conftest.py"
OWN = "import time\nblock = bytearray(400 * 2**20)\ntime.sleep(1)\ndel block"
CHILD = (
    "import subprocess, sys\n"
    "code = 'import time; block = bytearray(400 * 2**20); time.sleep(2)'\n"
    "subprocess.run([sys.executable, '-c', code], check=True)"
)


@pytest.mark.parametrize(("code", "limit", "fails"), [
    (OWN, 350, True),
    (CHILD, 350, True),
    (OWN, 1024, False),
])  # fmt: skip
def test_notebook_within_and_beyond_the_limit(tmp_path, code, limit, fails):
    shutil.copy(WATCH, tmp_path)
    cells = [nbformat.v4.new_code_cell(source) for source in (code, "1 + 1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(notebook, tmp_path / "hungry.ipynb")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=."]
    done = subprocess.run(
        [*command, "--nbval-lax", "--nbval-current-env", "hungry.ipynb"],
        cwd=tmp_path,
        env={**os.environ, "COURSE_NOTEBOOK_MIB": str(limit)},
        capture_output=True,
        text=True,
    )
    assert "2 passed" in done.stdout, done.stdout
    assert ("hungry.ipynb needed" in done.stdout) == fails
    assert (done.returncode != 0) == fails
