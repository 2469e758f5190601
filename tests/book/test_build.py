"""The build is strict where it must be, and runs a notebook again exactly when it should."""

import os
import subprocess
import zipfile
from pathlib import Path

import build
import clean_pages
import fresh_outputs
import pytest


@pytest.fixture(autouse=True)
def restored(request):
    """Put the tiny book back after a test that damaged it."""
    yield
    if "tiny_book" in request.fixturenames:
        request.getfixturevalue("tiny_book").write_notebook()


def test_second_build_runs_nothing(tiny_book):
    runs = tiny_book.runs
    again = tiny_book.build()
    assert again.returncode == 0, again.stdout
    assert tiny_book.runs == runs and len(runs) == 2


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor runs one notebook at a time")
def test_notebooks_run_at_the_same_time(tiny_book):
    """Both wait for the other to begin."""
    page = tiny_book.root / "book/index.md"
    text = page.read_text(encoding="utf-8")
    meet = "import pathlib, time\npathlib.Path('{0}.flag').touch()\nend = time.time() + 60\n" \
           "while not pathlib.Path('{1}.flag').exists():\n" \
           "    assert time.time() < end, 'nobody came'\n    time.sleep(0.1)"
    try:
        tiny_book.write_notebook(meet.format("one", "two"))
        page.write_text(f"{text}\n```{{code-cell}}\n{meet.format('two', 'one')}\n```\n", "utf-8")
        together = tiny_book.build()
    finally:
        page.write_text(text, encoding="utf-8")
    assert together.returncode == 0, together.stdout


def test_start_page_is_named(tiny_book):
    start = tiny_book.root / "_build/html/index.html"
    assert start.is_file()
    assert start.as_uri() in tiny_book.first_build.stdout


def test_failing_cell_fails_the_build_and_is_named(tiny_book):
    tiny_book.write_notebook("step = 1\nraise RuntimeError('the step is too long')")
    failed = tiny_book.build()
    assert failed.returncode != 0
    for part in ("notebook.ipynb", "raise RuntimeError", "the step is too long"):
        assert part in failed.stdout


def test_broken_references_fail_every_build(tiny_book):
    broken = {
        "no-such-label": "{ref}`no-such-label`",
        "no-such-theorem": "{prf:ref}`no-such-theorem`",
        "Nobody2000": "{cite}`Nobody2000`",
        "no such term": "{term}`no such term`",
        "no_such_page.md": "[this page](no_such_page.md)",
        "no-such-section": "[this section](#no-such-section)",
        "no.such.function": "{py:func}`no.such.function`",
    }
    tiny_book.write_notebook(text="See " + ", ".join(broken.values()) + ".")
    for _ in range(2):  # the second build must not forget what the first one found
        failed = tiny_book.build()
        assert failed.returncode != 0
        warnings = [line for line in failed.stdout.splitlines() if "WARNING" in line]
        for name in broken:
            assert any(name in line and "notebook.ipynb" in line for line in warnings), name


def test_change_in_lib_runs_the_notebooks_again(tiny_book):
    tiny_book.build()
    first, second = tiny_book.runs
    tiny_book.write("lib/part/new.py", "STEP = 0.1\n")
    assert tiny_book.build().returncode == 0
    assert tiny_book.runs == [first + 1, second + 1]
    tiny_book.write("lib/part/new.py", "STEP = 0.2\n")
    assert tiny_book.build().returncode == 0
    assert tiny_book.runs == [first + 2, second + 2]


def test_new_chapter_is_in_the_menu_of_every_page(tiny_book):
    chapters = tiny_book.root / "_toc.yml"
    old, before = chapters.read_text(encoding="utf-8"), tiny_book.runs
    tiny_book.write("book/late.md", "# A late chapter\n")
    try:
        tiny_book.write("_toc.yml", old + "  - file: book/late\n")
        assert tiny_book.build().returncode == 0
        assert all("A late chapter" in tiny_book.page(name) for name in ("notebook", "ledger"))
        assert tiny_book.runs == before
    finally:
        chapters.write_text(old, encoding="utf-8")
        (tiny_book.root / "book/late.md").unlink()


def test_fingerprint_follows_content_only(tmp_path, monkeypatch):
    source = tmp_path / "lib" / "a.py"
    source.parent.mkdir()
    source.write_text("x = 1\n")
    first = fresh_outputs.fingerprint(tmp_path)
    source.touch()
    (tmp_path / "lib" / "notes.txt").write_text("no code")
    assert fresh_outputs.fingerprint(tmp_path) == first
    source.write_text("x = 2\n")
    assert fresh_outputs.fingerprint(tmp_path) != first
    source.write_text("x = 1\n")
    source.rename(source.with_name("b.py"))
    assert fresh_outputs.fingerprint(tmp_path) != first
    source.with_name("b.py").rename(source)
    monkeypatch.setattr(fresh_outputs, "installed_version", lambda package: "0.0")
    assert fresh_outputs.fingerprint(tmp_path) != first


def test_marks_for_the_tests_are_not_shown(tiny_book):
    tiny_book.write_notebook("# NBVAL_CHECK_OUTPUT\nprint(6 * 7)")
    assert tiny_book.build().returncode == 0
    page = tiny_book.page("notebook")
    assert "NBVAL" not in page and "42\n" in page and "print" in page


def test_kernels_are_told_that_the_book_is_built(tiny_book):
    check = "import os\nassert os.environ['COURSE_STATIC'] == '1'"
    tiny_book.write_notebook(check)
    command = [build.sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    environment = {k: v for k, v in build.os.environ.items() if k != "COURSE_STATIC"}
    plain = subprocess.run(
        [*command, "build", "."], cwd=tiny_book.root, env=environment, capture_output=True,
        text=True,
    )
    assert plain.returncode == 0, plain.stdout + plain.stderr


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", False),
        ({}, "darwin", True),
        ({}, "win32", True),
        ({"CI": "1"}, "win32", False),
    ],
)
def test_browser_opens_only_on_a_desktop(environment, platform, expected):
    assert build.has_desktop(environment, platform) is expected


def test_localize_page_replaces_the_remote_script():
    html = (
        '<script crossorigin="anonymous" defer="defer" integrity="sha384-x" '
        'src="https://cdn.jsdelivr.net/npm/mathjax@3.2.2/es5/tex-chtml.js"></script>'
    )
    assert build.outside_addresses(html, ".html")
    local = build.localize_page(html, depth=2)
    assert local == '<script defer="defer" src="../../_static/mathjax/tex-chtml.js"></script>'
    assert not build.outside_addresses(local, ".html")


@pytest.mark.parametrize(
    "text",
    [
        '<img alt="a" src="https://example.org/a.png">',
        "<script async src='//example.org/a.js'></script>",
        '<link href="http://example.org/a.css" rel="stylesheet">',
        '<iframe src="https://example.org">',
    ],
)
def test_outside_addresses_finds_what_a_page_would_load(text):
    assert build.outside_addresses(text, ".html")


@pytest.mark.parametrize("text", ["url(https://example.org/a.woff)", '@import "//example.org/a"'])
def test_outside_addresses_finds_what_a_style_sheet_would_load(text):
    assert build.outside_addresses(text, ".css")


def test_outside_addresses_allows_links_that_a_reader_clicks():
    assert not build.outside_addresses('<a href="https://example.org">there</a>', ".html")
    assert not build.outside_addresses('<link rel="canonical" href="https://a.org/">', ".html")


def test_zip_has_one_top_folder(tmp_path):
    (tmp_path / "site" / "sub").mkdir(parents=True)
    (tmp_path / "site" / "sub" / "page.html").write_text("hello")
    build.zip_folder(tmp_path / "site", tmp_path / "course.zip")
    assert zipfile.ZipFile(tmp_path / "course.zip").namelist() == ["course/sub/page.html"]


def test_missing_npm_is_explained(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "VENDOR", tmp_path)
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    with pytest.raises(build.BuildError, match="Node.js"):
        build.install_vendor()


def test_open_without_a_book_is_explained(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build, "HTML", tmp_path)
    assert build.main(["open"]) == 1
    assert "no book yet" in capsys.readouterr().err


def test_clean_removes_what_was_built(monkeypatch, tmp_path):
    built = tmp_path / "_build"
    (built / "html").mkdir(parents=True)
    monkeypatch.setattr(build, "BUILD", built)
    assert build.main(["clean"]) == 0
    assert not built.exists()


def test_repair_of_labels_changes_nothing_the_second_time(html_folder):
    page = (Path(html_folder) / "book/index.html").read_text(encoding="utf-8")
    assert "search-button-field" in page and "theme-switch" in page
    assert clean_pages.repair(page) == page
