"""The code of the library, the tests, the tools and the notebooks passes the linter."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_linter_is_content():
    check = [sys.executable, "-m", "ruff", "check", "--quiet", "--output-format=concise", "."]
    result = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
