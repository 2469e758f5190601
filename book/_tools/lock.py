"""Write requirements.lock: the exact version of every package, for every supported Python.

    make lock          (or: python book/_tools/lock.py)

For each Python of VERSIONS found on this machine, pip resolves requirements.txt with the extras
`test` and `binder` in an empty environment, without installing anything. The oldest Python comes
first and its versions bind the others, so that the book shows the same numbers with each of them.
A package that only some need gets a marker. The lock is a constraints file: it holds versions
only, so that it works with any package index.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
VERSIONS = ("3.11", "3.12", "3.13")
TEST = "import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3])"
PROJECT = "gradient-methods-course"
HEADER = """\
# Exact versions of everything the course installs, as a pip constraints file:
#     pip install -r requirements.txt -c requirements.lock
# Written by `make lock` with Python {versions}; do not edit by hand.
"""


def find_python(version):
    """Return a command that runs this version of Python, its oldest release found, or None.

    Some packages leave out the first releases of a version, which distributions still have. A
    command that exists may fail or be another version, so each one is tried.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders = map(Path, os.get_exec_path())
    candidates = [sys.executable, *(str(folder / f"python{version}") for folder in folders)]
    candidates += map(str, pyenv.glob(f"{version}.*/bin/python{version}"))
    found = []
    for candidate in filter(os.path.exists, candidates):
        answer = subprocess.run([candidate, "-c", TEST], capture_output=True, text=True)
        if answer.returncode == 0 and answer.stdout.startswith(f"{version}."):
            found.append((int(answer.stdout.rpartition(".")[2]), candidate))
    return min(found)[1] if found else None


def resolve(python, pins):
    """Return ``{package: version}`` as pip would install it into an empty environment.

    Parameters
    ----------
    python : str
        The command that runs Python.
    pins : dict
        Versions that must be kept.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "venv"
        subprocess.run([python, "-m", "venv", environment], check=True)
        scripts = environment / ("Scripts" if os.name == "nt" else "bin")
        report, constraints = Path(folder) / "report.json", Path(folder) / "pins.txt"
        constraints.write_text("".join(f"{name}=={pins[name]}\n" for name in pins))
        command = [scripts / "python", "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--disable-pip-version-check", "--ignore-installed", "--report", report]
        command += ["-r", "requirements.txt", "-e", ".[test,binder]", "-c", constraints]
        subprocess.run(command, cwd=ROOT, check=True)
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    found = {entry["metadata"]["name"]: entry["metadata"]["version"] for entry in installs}
    return {name: version for name, version in found.items() if name != PROJECT}


def merge(resolved):
    """Return the lock's lines: plain where all Pythons agree, with markers where they differ.

    Parameters
    ----------
    resolved : dict
        For each version of Python the dictionary that `resolve` returned.
    """
    names = sorted({name for pins in resolved.values() for name in pins}, key=str.lower)
    lines = []
    for name in names:
        pins = {python: versions.get(name) for python, versions in resolved.items()}
        if len(set(pins.values())) == 1:
            lines.append(f"{name}=={next(iter(pins.values()))}")
            continue
        lines += [
            f"{name}=={version} ; python_version == '{python}'"
            for python, version in pins.items()
            if version is not None
        ]
    return lines


def main():
    """Resolve and write the lock; return the exit code."""
    pythons = {version: find_python(version) for version in VERSIONS}
    found = {version: python for version, python in pythons.items() if python}
    if not found:
        print(f"None of Python {', '.join(VERSIONS)} is on this machine.", file=sys.stderr)
        return 1
    resolved = {}
    for version, python in found.items():
        print(f"Resolving for Python {version}", flush=True)
        oldest = next(iter(resolved.values()), {})
        resolved[version] = resolve(python, oldest)
    text = HEADER.format(versions=", ".join(found)) + "\n".join(merge(resolved)) + "\n"
    LOCK.write_text(text, encoding="utf-8")
    print(f"{LOCK.name}: {len(text.splitlines()) - 3} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
