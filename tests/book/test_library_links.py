"""The reference links to the pages that use an entry, and these link back."""

import re
from types import SimpleNamespace

import library_links
import pytest

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


REFERENCE = "# Reference\n\n```{eval-rst}\n.. autofunction:: lib.problems.double_well\n```\n"


def test_links_lead_both_ways_and_follow_the_pages(tiny_book):
    toc = (tiny_book.root / "_toc.yml").read_text(encoding="utf-8")
    tiny_book.write("_toc.yml", toc + "  - file: book/reference\n")
    tiny_book.write("book/reference.md", REFERENCE)
    tiny_book.write_notebook("if False:\n    from lib import problems\n    problems.double_well()")
    built = tiny_book.build()
    assert built.returncode == 0, built.stdout
    there = r'On the pages</strong>: <a class="reference internal" href="notebook.html"'
    assert re.search(there, tiny_book.page("reference"))
    assert "Used in" not in tiny_book.page("reference")
    back = 'href="reference.html#lib.problems.double_well"'
    assert back in tiny_book.page("notebook").split("From the library")[1]

    tiny_book.write_notebook()
    assert tiny_book.build().returncode == 0
    assert "On the pages" not in tiny_book.page("reference")
    assert "From the library" not in tiny_book.page("notebook")


def test_every_entry_used_in_the_book_names_its_pages(html_folder):
    entry = (html_folder / "book/api/optimizers.html").read_text(encoding="utf-8")
    start = entry.index('id="lib.optimizers.gradient_descent"')
    assert "../minimizers/strict_saddles.html" in entry[start : entry.index("<dt", start + 1)]
    page = (html_folder / "book/minimizers/strict_saddles.html").read_text(encoding="utf-8")
    assert "../api/optimizers.html#lib.optimizers.gradient_descent" in page
