"""Public functions are documented: examples run, and parameters match the signature."""

import doctest
import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import pytest

import lib

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(lib.__path__, "lib.")
    if not module.name.rpartition(".")[2].startswith("_") and module.name != "lib.warmup"
)
PACKAGES = ["lib.problems", "lib.optimizers", "lib.curvature", "lib.ensembles"]
MORE = [
    "lib.problems.datasets",
    "lib.problems.softmax_calculus",
    "lib.explore",
    "lib.claims",
    "lib.plotting",
    "lib.scipy_methods",
    "lib.checks",
    "lib.checks.primer",
    "lib.checks.minimizers",
    "lib.checks.generalized_smoothness",
    "lib.checks.hessian_scaling",
    "lib.checks.approximate_newton",
    "lib.checks.nonconvergence",
]


def public_functions():
    for name in PACKAGES + MORE:
        module = importlib.import_module(name)
        names = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
        for public in names:
            function = getattr(module, public)
            if inspect.isfunction(function) and function.__module__.startswith(name):
                yield pytest.param(function, id=f"{name}.{public}")


def pages_by_function():
    """Map each function of the four rooms to the notebooks that call it, as (title, label)."""
    pages = {}
    for path in sorted(ROOT.glob("book/*/*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        label, title = re.match(r"\((.+)\)=\n# (.+)", "".join(cells[0]["source"])).groups()
        code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        rooms = "|".join(name.removeprefix("lib.") for name in PACKAGES)
        for room, name in set(re.findall(rf"\b({rooms})\.(\w+)", code)):
            function = getattr(importlib.import_module(f"lib.{room}"), name)
            if inspect.isfunction(function):
                pages.setdefault(function, []).append((title, label.replace("-", " ")))
    return pages


def test_docstrings_name_the_pages_that_use_a_function():
    missing = []
    for function, pages in pages_by_function().items():
        text = re.sub(r"\s+", " ", inspect.getdoc(function)).lower()
        listed = re.search(r"used in (?!every|all)(.*?)(\.|$)", text)
        for title, label in pages if listed else []:
            if title.lower() not in listed[1] and label not in listed[1]:
                missing.append((function.__name__, title))
    assert missing == []


def test_examples_run():
    attempted = 0
    for name in MODULES:
        result = doctest.testmod(importlib.import_module(name))
        assert result.failed == 0, f"an example in {name} fails"
        attempted += result.attempted
    assert attempted >= 10


@pytest.mark.parametrize("function", list(public_functions()))
def test_parameters_are_documented(function):
    text = inspect.getdoc(function)
    assert text, "a public function needs a docstring"
    section = re.search(r"Parameters\n-+\n(.*?)(?=\n\n[A-Z]\w+\n-+\n|\Z)", text, re.DOTALL)
    documented = set()
    for line in section.group(1).splitlines() if section else []:
        if line and not line.startswith(" "):
            documented |= set(re.split(r",\s*", line.split(" : ")[0].replace("*", "")))
    assert documented == set(inspect.signature(function).parameters)


@pytest.mark.parametrize("package", PACKAGES)
def test_chapter_is_named(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        thing = getattr(module, name)
        if callable(thing):
            assert re.search(r"\bUsed\b", inspect.getdoc(thing)), f"{name} names no chapter"


BOOK = Path(lib.__file__).parents[1] / "book"
PAGE = "\n".join(
    path.read_text(encoding="utf-8") for path in [BOOK / "api.md", *(BOOK / "api").glob("*.md")]
)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tables_of_the_api_page_are_complete(package):
    listed = re.findall(rf"^   ~({package}\.[\w.]+)$", PAGE, re.MULTILINE)
    assert listed == re.findall(rf"autofunction:: ({package}\.[\w.]+)$", PAGE, re.MULTILINE)


def test_everything_public_is_on_the_api_page():
    shown = set(re.findall(r"auto(?:function|class):: ([\w.]+)", PAGE))
    wanted = {
        f"{package}.{name}"
        for package in PACKAGES
        for name in importlib.import_module(package).__all__
        if callable(getattr(importlib.import_module(package), name))
    }
    assert wanted - shown == set()
    for name in shown:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
