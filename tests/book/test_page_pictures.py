"""Pictures of other pages are the ones that this build drew, and a wrong number is an error."""

import json
from types import SimpleNamespace

import page_pictures
import pytest
from sphinx.errors import ExtensionError

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


DRAW = """
import matplotlib.pyplot as plt
from lib.explore import explore

def draw(x):
    plt.plot([0, x])
    return plt.gcf()

explore(draw, x=[1, 2], alt="A line up to {x}.", caption="Move it.")
"""


def test_a_page_shows_a_picture_of_another(tiny_book):
    tiny_book.write_notebook(DRAW)
    tiny_book.write("book/ledger.md", "# Here\n\n```{page-picture} book/notebook\n```\n")
    built = tiny_book.build()
    assert built.returncode == 0, built.stdout
    assert '<img class="page-picture" src="data:image/' in tiny_book.page("ledger")
    assert 'alt="A line up to 1."' in tiny_book.page("ledger")
    tiny_book.write("book/ledger.md", "# Here\n\n```{page-picture} book/no\n```\n")
    failed = tiny_book.build()
    assert failed.returncode != 0
    assert "the book has no page book/no" in failed.stdout
