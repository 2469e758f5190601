"""The page "Try it on your own function" runs through with whatever function a reader pastes."""

import contextlib
import io
import warnings
from pathlib import Path

import format_notebooks
import matplotlib.pyplot as plt
import numpy as np
import pytest
from numba import njit

from lib import problems

PAGE = Path(__file__).resolve().parents[2] / "book/synthesis/your_own_function.ipynb"
# What the test does less often than the page.
FEWER = {"options": {"uniform_starts(8,": "uniform_starts(2,"},
         "picture": {"max_iter=300": "max_iter=60"},
         "basins": {"(80, 80)": "(9, 9)"}, "share": {"starts(1000,": "starts(40,"},
         "race": {"uniform_starts(20,": "uniform_starts(3,"}}  # fmt: skip
FLAT, PLATE, SLIDE, DICE, CANYON, CHAIN, COSINE, KINK, NOWHERE, BOWL = range(10)


@njit
def pasted(x, p):
    """One of many functions: they share a compilation, which takes longest."""
    case, first, last = p[0], x[0], x[-1]
    if case == FLAT:
        return 3.0
    if case == PLATE:
        return max(0.0, first**2 + last**2 - 1.0) ** 2
    if case == SLIDE:
        return first**3 - 3 * first + last**2
    if case == DICE:
        return first**2 + last**2 + 1e-3 * np.random.normal()
    if case == CANYON:
        return first**2 + 1e8 * (last - first**2) ** 2
    if case == CHAIN:
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    if case == COSINE:
        return np.cos(first) + 0.01 * first**2
    if case == KINK:
        return abs(first) + last**2
    if case == NOWHERE:
        return np.sqrt(first - 10.0)
    return np.sum(2 * x**2)  # BOWL


AWKWARD = {  # case, box, dimension; what must be printed, and pictures that are drawn
    "flat everywhere": ((FLAT,), (-2, 2), 2, "the gradient is zero", 0),
    "flat": ((PLATE,), (-2, 2), 2, "% of the random points the gradient is zero", 0),
    "unbounded below": ((SLIDE,), (-3, 3), 2, "unbounded below", 1),
    "noisy": ((DICE,), (-2, 2), 2, "That is no function but a random number", 0),
    "badly scaled": ((CANYON,), (-2, 2), 2, "degenerate", 0),
    "ten coordinates": ((CHAIN,), (-2, 2), 10, "In 10 dimensions", 1),
    "one coordinate": ((COSINE,), (-8, 8), 1, "2 minimizers", 1),
    "a kink": ((KINK,), ([-2, -1], [2, 1]), 2, "end at a kink", 0),
    "nowhere a number": ((NOWHERE,), (-2, 2), 2, "Choose another box", 0),
    "forty coordinates": ((BOWL,), (-1, 1), 40, "In 40 dimensions", 1),
}


def cells():
    """Return the cells before the page's own awkward functions, by name."""
    code = {}
    for cell in format_notebooks.read(PAGE).cells:
        if cell["id"] == "flat":
            return code
        if cell["cell_type"] == "code":
            code[cell["id"]] = cell["source"]
    raise AssertionError("the page has no cell `flat`")


def explore(draw, method, **_):
    """Draw with two of the methods, in the place of all."""
    for name in (method[0], method[-1]):
        draw(name).canvas.draw()


@pytest.mark.parametrize("name", AWKWARD)
def test_the_page_runs_with_any_function(name, monkeypatch):
    numbers, (low, high), dimension, said, minimizers = AWKWARD[name]
    monkeypatch.setattr("lib.explore.explore", explore)
    space, printed = {}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cell, source in cells().items():
            if cell == "yours":
                values = np.array([*numbers], dtype=float)
                problem = problems.custom(pasted, dimension=dimension, parameters=values)
                space |= {"problem": problem, "low": low, "high": high}
                continue
            for old, new in FEWER.get(cell, {}).items():
                assert old in source
                source = source.replace(old, new)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(source, space)
            printed[cell] = " ".join(out.getvalue().split())
            for number in plt.get_fignums():
                plt.figure(number).canvas.draw()
            pictures = len(plt.get_fignums())
            plt.close("all")
            if cell == "basins":
                assert (pictures, bool(printed[cell])) == (minimizers, not minimizers)
    assert said in printed["survey"]
    silent = {cell for cell, text in printed.items() if not text}
    assert silent <= {"imports", "options", "picture", "picture-moves", "basins"}
    assert "only" in printed["count"] and "our example" in printed["rate-claim"]
    assert ("arrived" in printed["race"]) == (name not in ("noisy", "nowhere a number"))
