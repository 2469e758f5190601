"""The files that Binder reads describe the environment that the course needs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINDER = ROOT / "binder"
LOCKED = re.compile(r"^([\w.-]+)==([\w.]+)(?: ; python_version == '([\d.]+)')?$")


def lock_lines():
    """Return the lock's entries as (name, version, Python or None)."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    matches = [LOCKED.match(line) for line in entries]
    assert None not in matches, entries[matches.index(None)]
    return [match.groups() for match in matches]


def binder_packages():
    """Return the packages that Binder installs by name."""
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and line[0] not in "#-"]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_lock_pins_everything_once_for_each_python(python):
    names = [name.lower() for name, _, only in lock_lines() if only in (None, python)]
    assert len(set(names)) == len(names)
    wanted = binder_packages() + ["jupyter-book", "sphinx-proof", "sphinx-exercise", "nbval"]
    assert set(wanted) <= set(names)


def test_lock_agrees_with_this_environment():
    from importlib import metadata

    python = "{}.{}".format(*sys.version_info)
    pins = {name: v for name, v, only in lock_lines() if only in (None, python)}
    for name in ("numpy", "numba", "jupyter-book", "Sphinx", "myst-nb", "sphinx-book-theme"):
        assert metadata.version(name) == pins[name]


def test_binder_takes_versions_from_the_lock_and_leaves_the_book_out():
    text = (BINDER / "requirements.txt").read_text(encoding="utf-8")
    assert "-c ../requirements.lock" in text.splitlines()
    assert set(binder_packages()) >= {"numpy", "numba", "scipy", "matplotlib", "ipywidgets"}
    assert "jupyter-book" not in text and "sphinx" not in text
    assert (BINDER / "runtime.txt").read_text().strip() == "python-3.11"


def test_kernels_are_compiled_and_run_with_the_same_settings():
    for name in ("postBuild", "start"):
        script = BINDER / name
        assert script.stat().st_mode & 0o111, f"{name} is not executable"
        subprocess.run(["bash", "-n", script], check=True)
    command = 'printf "%s|%s" "$NUMBA_CPU_NAME" "${NUMBA_CPU_FEATURES-unset}"'
    shown = subprocess.run(
        [BINDER / "start", "bash", "-c", command], check=True, capture_output=True, text=True
    )
    assert shown.stdout == "x86-64-v3|"
    assert "numba_settings.sh" in (BINDER / "postBuild").read_text()
    assert "python -m lib.warmup" in (BINDER / "postBuild").read_text()


def test_binder_understands_the_repository():
    program = Path(sys.executable).with_name("jupyter-repo2docker")
    if not program.is_file():
        program = shutil.which("jupyter-repo2docker")
    if program is None:
        pytest.skip("jupyter-repo2docker is not installed")
    made = subprocess.run(
        [program, "--no-build", "--no-run", "--debug", "."],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )
    dockerfile = made.stdout + made.stderr
    assert made.returncode == 0, dockerfile[-2000:]
    # The lock must be in the image before the packages are installed: the whole course is copied.
    steps = ["src/ ${REPO_DIR}/", '-r "binder/requirements.txt"', "RUN ./binder/postBuild"]
    places = [dockerfile.find(step) for step in steps]
    assert -1 not in places and places == sorted(places)
    assert 'R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile
    assert "environment for python=3.11" in dockerfile
