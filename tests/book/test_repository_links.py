"""Buttons to the repository, Binder and Colab appear with an address, and never without one."""

import shutil
import subprocess

import pytest
from repository_links import button_options, find_repository, git_origin, parse_address
from sphinx.errors import ConfigError

MARKS = (
    "mybinder.org",
    "colab.research.google.com",
    "source-repository-button",
    "source-issues-button",
    "source-edit-button",
    "executablebooks/jupyter-book",
)


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/anna/course",
        "https://github.com/anna/course/",
        "https://github.com/anna/course.git",
        "http://www.github.com/anna/course",
        "https://GitHub.com/anna/course",
        "https://anna:secret-token@github.com/anna/course.git",
        "git@github.com:anna/course.git",
        "ssh://git@github.com/anna/course.git",
        "ssh://git@github.com:22/anna/course",
        "  https://github.com/anna/course\n",
    ],
)
def test_every_spelling_of_an_address(address):
    repository = parse_address(address)
    assert repository.url == "https://github.com/anna/course"
    assert repository.provider == "github"


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("https://gitlab.com/anna/my.course", "gitlab"),
        ("git@bitbucket.org:anna/my.course.git", "bitbucket"),
    ],
)
def test_other_hosts(address, provider):
    repository = parse_address(address)
    assert (repository.provider, repository.name) == (provider, "my.course")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/srv/git/course.git",
        "../course",
        "file:///srv/git/course",
        "https://example.org/anna/course",
        "https://github.com.example.org/anna/course",
        "https://github.com/anna",
        "https://github.com/anna/course/tree/main",
        "git@localhost:anna/course.git",
    ],
)
def test_addresses_without_buttons(address):
    assert parse_address(address) is None


def test_order_of_the_sources(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_REPOSITORY", raising=False)
    assert find_repository(tmp_path) is None
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert git_origin(tmp_path) == "" and find_repository(tmp_path) is None
    remote = "git@github.com:from/git.git"
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
    assert find_repository(tmp_path).owner == "from"
    assert find_repository(tmp_path, "https://gitlab.com/from_config/b").owner == "from_config"
    monkeypatch.setenv("COURSE_REPOSITORY", "https://github.com/from_setting/b")
    assert find_repository(tmp_path, "https://gitlab.com/from_config/b").owner == "from_setting"


def test_local_origin_gives_no_buttons(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_REPOSITORY", raising=False)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", "/srv/course"], check=True)
    assert button_options(find_repository(tmp_path)) == {}


def test_setting_that_is_no_address_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_REPOSITORY", "my course")
    with pytest.raises(ConfigError, match="'my course'.*https://github.com/owner/name"):
        find_repository(tmp_path)


@pytest.mark.parametrize("provider", ["github.com", "gitlab.com", "bitbucket.org"])
def test_only_buttons_that_work_there(provider):
    options = button_options(parse_address(f"https://{provider}/anna/course"))
    assert options["launch_buttons"]["binderhub_url"]
    assert ("colab_url" in options["launch_buttons"]) == (provider == "github.com")
    assert options["use_issues_button"] == (provider != "bitbucket.org")


def test_built_pages_with_and_without_an_address(tiny_book, tmp_path):
    page = tiny_book.page("notebook")
    assert [mark for mark in MARKS if mark in page] == []

    shutil.copytree(tiny_book.root, tmp_path / "book", symlinks=True)
    copy = type(tiny_book).__new__(type(tiny_book))
    copy.root = tmp_path / "book"
    built = copy.build(COURSE_REPOSITORY="https://github.com/anna/course")
    assert built.returncode == 0, built.stdout
    page = copy.page("notebook")
    assert [mark for mark in MARKS if mark not in page] == ["executablebooks/jupyter-book"]
    assert [mark for mark in MARKS[:2] if mark in copy.page("index")] == []
    binder = "https://mybinder.org/v2/gh/anna/course/main?urlpath=lab/tree/book/notebook.ipynb"
    assert binder in page
    assert "github/anna/course/blob/main/book/notebook.ipynb" in page
    assert "https://github.com/anna/course/edit/main/book/notebook.ipynb" in page
