"""The offline copy, each page opened from its file without a network."""

import pytest
from visits import PAGES, search_and_follow


def test_it_is_zipped(offline_folder):
    archives = list(offline_folder.parent.glob("*.zip"))
    assert len(archives) == 1 and archives[0].stat().st_size > 1_000_000


@pytest.mark.parametrize("name", [*PAGES, "search.html", "index.html"])
def test_page_without_network(name, visit, offline_folder):
    folder = offline_folder.as_uri() + "/"
    opened = visit(folder + name, folder, None, offline=True)
    opened.check_maths()
    opened.check_sliders()
    opened.check_no_problems()


def test_search_finds_pages(visit, offline_folder, vendor_folder):
    folder = offline_folder.as_uri() + "/"
    search_and_follow(visit(folder + "search.html?q=saddle", folder, vendor_folder))


def test_start_page_leads_into_the_book(visit, offline_folder):
    folder = offline_folder.as_uri() + "/"
    opened = visit(folder + "index.html", folder, None, offline=True)
    opened.page.wait_for_url(folder + PAGES[0])
    opened.check_no_problems()
