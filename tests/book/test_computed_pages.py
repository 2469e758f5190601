"""What pages show of other pages is computed: links to the library, costs, pictures."""

import json
import re
from types import SimpleNamespace

import library_links
import page_pictures
import pytest
from sphinx.errors import ExtensionError

# Links between the reference and the pages -----------------------------------------------------

CODE = """
%matplotlib inline
import numpy as np
import lib.curvature as c
from lib import optimizers as o, problems
from lib.explore import explore

np.linalg.norm(o.gradient_descent(problems.double_well(), [1, 2]).path[3].sum())
explore(c.classify, lambda x: o.adam)
problems.double_well().value
"""


def test_names_are_found_through_imports_calls_and_other_names():
    assert library_links.names_in(["this is no Python", CODE]) == [
        "lib.optimizers",
        "lib.problems",
        "lib.explore.explore",
        "lib.optimizers.gradient_descent",
        "lib.problems.double_well",
        "lib.curvature.classify",
        "lib.optimizers.adam",
    ]


def test_names_lead_to_the_longest_documented_part():
    names = ["a.b", "a.b", "a", "c.d", "e"]
    objects = {"a": "module", "a.b": "function", "c": "class", "a.b.c": "method"}
    entries = {name: SimpleNamespace(objtype=kind) for name, kind in objects.items()}
    assert library_links.documented([*names, "a.x", "a.b.c.d"], entries) == ["a.b", "c", "a.b.c"]


@pytest.mark.parametrize(
    ("note", "rest"),
    [
        ("Used in every chapter.", ""),
        ('Exact. Used in "What is 1.5?" and "Two". Never slow.', "Exact. Never slow."),
        ("Used in \u201cOne\u201d.", ""),
        ("It is used in vain.", "It is used in vain."),
    ],
)
def test_what_a_docstring_says_of_its_use_is_replaced(note, rest):
    assert library_links.USED.sub("", note) == rest


def test_every_entry_used_in_the_book_names_its_pages(html_folder):
    entry = (html_folder / "book/api/optimizers.html").read_text(encoding="utf-8")
    start = entry.index('id="lib.optimizers.gradient_descent"')
    end = entry.index('<dt class="sig', start)
    assert "../minimizers/strict_saddles.html" in entry[start:end]
    page = (html_folder / "book/minimizers/strict_saddles.html").read_text(encoding="utf-8")
    assert "../api/optimizers.html#lib.optimizers.gradient_descent" in page


# Costs ------------------------------------------------------------------------------------------

ROW = re.compile(
    r'<td><p><a [^>]*href="([^"]+)">[^<]+</a></p></td>\s*<td><p>(\d+)</p></td>\s*'
    r"<td><p>([\d.]+)</p></td>"
)


def test_table_of_execution_times_is_complete(html_folder):
    page = (html_folder / "book/status.html").read_text(encoding="utf-8")
    shown = {address for address, _, seconds in ROW.findall(page) if float(seconds) > 0}
    folders = ("minimizers", "generalized_smoothness", "hessian_scaling", "approximate_newton")
    folders += ("nonconvergence", "performance", "synthesis")
    notebooks = {
        path.relative_to(html_folder / "book").as_posix()
        for folder in folders
        for path in (html_folder / "book" / folder).glob("*.html")
        if 'class="cell' in path.read_text(encoding="utf-8")
    }
    assert notebooks and notebooks <= shown


# Pictures ---------------------------------------------------------------------------------------

FRAMES = [{"src": "data:,one", "alt": "One < two."}, {"src": "data:,two", "alt": 'A "quote".'}]
FIGURE = (
    '<figure class="explore" id="explore-1" data-frame="1" style=""><img></figure>'
    f'<script type="application/json" class="explore-frames">{json.dumps(FRAMES)}</script>'
)
NOTEBOOK = {
    "cells": [
        {"source": "text"},
        {"outputs": [{"data": {"text/html": FIGURE}}, {"name": "stdout"}]},
    ]
}


@pytest.fixture
def env(monkeypatch):
    monkeypatch.setattr(page_pictures, "executed", lambda env, page: NOTEBOOK)
    return SimpleNamespace(found_docs={"page"})


def test_the_picture_that_the_page_shows_first_is_taken_unless_one_is_named(env):
    assert page_pictures.picture(env, "page") == (
        '<img class="page-picture" src="data:,two" alt="A &quot;quote&quot;.">'
    )
    assert 'alt="One &lt; two."' in page_pictures.picture(env, "page", frame=0)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("other",), "no page other"),
        (("page", 1), "has 1 figures with sliders, so none numbered 1"),
        (("page", 0, 2), "has 2 pictures, so none numbered 2"),
    ],
)
def test_what_does_not_exist_is_an_error(env, arguments, complaint):
    with pytest.raises(ExtensionError, match=complaint):
        page_pictures.picture(env, *arguments)


# All of it, in a tiny book ----------------------------------------------------------------------

REFERENCE = "# Reference\n\n```{eval-rst}\n.. autofunction:: lib.problems.double_well\n```\n"
SHOWS = "# Here\n\n```{execution-times}\n```\n\n```{page-picture} book/notebook\n```\n"
DRAW = """
import matplotlib.pyplot as plt
from lib import problems
from lib.explore import explore

def draw(x):
    plt.plot([0, problems.double_well().value([x, 0])])
    return plt.gcf()

explore(draw, x=[1, 2], alt="A line up to {x}.", caption="Move it.")
"""


def test_lines_tables_and_pictures_follow_the_pages(tiny_book):
    toc = (tiny_book.root / "_toc.yml").read_text(encoding="utf-8")
    tiny_book.write("_toc.yml", toc + "  - file: book/reference\n")
    tiny_book.write("book/reference.md", REFERENCE)
    tiny_book.write("book/ledger.md", SHOWS)
    tiny_book.write_notebook(DRAW)
    built = tiny_book.build()
    assert built.returncode == 0, built.stdout
    there = r'On the pages</strong>: <a class="reference internal" href="notebook.html"'
    assert re.search(there, tiny_book.page("reference"))
    assert "Used in" not in tiny_book.page("reference")
    back = 'href="reference.html#lib.problems.double_well"'
    assert back in tiny_book.page("notebook").split("From the library")[1]
    rows = ROW.findall(tiny_book.page("ledger"))
    assert [row[:2] for row in rows] == [("index.html", "1"), ("notebook.html", "3")]
    assert "2 pages run 4 cells of code" in tiny_book.page("ledger")
    assert '<img class="page-picture" src="data:image/' in tiny_book.page("ledger")
    assert 'alt="A line up to 1."' in tiny_book.page("ledger")

    tiny_book.write_notebook()
    failed = tiny_book.build()
    assert failed.returncode != 0
    assert "book/notebook has 0 figures with sliders" in failed.stdout
    tiny_book.write("book/ledger.md", "# Here\n\n```{execution-times}\n```\n")
    assert tiny_book.build().returncode == 0
    assert "On the pages" not in tiny_book.page("reference")
    assert "From the library" not in tiny_book.page("notebook")
    rows = ROW.findall(tiny_book.page("ledger"))
    assert [row[:2] for row in rows] == [("index.html", "1"), ("notebook.html", "2")]
