"""The table of execution times names every page that runs code, with its cells and its time."""

import re

ROW = re.compile(
    r'<td><p><a [^>]*href="([^"]+)">[^<]+</a></p></td>\s*<td><p>(\d+)</p></td>\s*'
    r"<td><p>([\d.]+)</p></td>"
)


def rows_of(page):
    return ROW.findall(page[page.index("execution-times") :])


def test_table_follows_the_pages(tiny_book):
    tiny_book.write("book/ledger.md", "# Ledger\n\n```{execution-times}\n```\n")
    for more in (), ("1 + 1",):
        tiny_book.write_notebook(*more)
        built = tiny_book.build()
        assert built.returncode == 0, built.stdout
        page = tiny_book.page("ledger")
        assert [row[:2] for row in rows_of(page)] == [
            ("index.html", "1"),
            ("notebook.html", str(2 + len(more))),
        ]
        assert f"2 pages run {3 + len(more)} cells of code" in page


def test_table_of_the_book_is_complete(html_folder):
    page = (html_folder / "book/status.html").read_text(encoding="utf-8")
    shown = {address for address, _, seconds in rows_of(page) if float(seconds) > 0}
    folders = ("minimizers", "generalized_smoothness", "hessian_scaling", "approximate_newton")
    folders += ("nonconvergence", "performance", "synthesis")
    notebooks = {
        path.relative_to(html_folder / "book").as_posix()
        for folder in folders
        for path in (html_folder / "book" / folder).glob("*.html")
        if 'class="cell' in path.read_text(encoding="utf-8")
    }
    assert notebooks and notebooks <= shown
