"""Every second page of the book in the browser; the others are in test_pages.py.

Two files, because processes share out whole files, and this is the longest work of the tests.
"""

import pytest
from visits import PAGES


@pytest.mark.parametrize("name", PAGES[1::2])
def test_page_on_a_desktop_and_on_a_phone(name, published):
    published(name)
