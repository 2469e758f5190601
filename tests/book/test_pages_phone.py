"""Each page of the built book opened on a phone, in the dark theme."""

import pytest
from visits import PAGES


@pytest.mark.parametrize("name", [*PAGES, "search.html", "genindex.html"])
def test_page_on_a_phone(name, published):
    published(name, "dark", 390)
