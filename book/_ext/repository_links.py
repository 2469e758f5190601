"""Show repository, issue, edit, Binder and Colab buttons only when they lead somewhere.

The address of the repository is the first of these that is set:

1. the environment variable ``COURSE_REPOSITORY``;
2. ``repository: url:`` in ``_config.yml``;
3. the git remote ``origin``, if it is on GitHub, GitLab or Bitbucket.

Without an address the book has none of these buttons.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from sphinx.errors import ConfigError

HOSTS = {"github.com": "github", "gitlab.com": "gitlab", "bitbucket.org": "bitbucket"}
BINDER = "https://mybinder.org"
COLAB = "https://colab.research.google.com"
# Jupyter Book fills in its own repository when a book names none.
PLACEHOLDER = "https://github.com/executablebooks/jupyter-book"
ADDRESS = re.compile(
    r"""(?: https?://(?:[^/@\s]+@)?            # https://host/, a user or token is left out
          | ssh://(?:[^/@\s]+@)?               # ssh://git@host/
          | (?:[^/@:\s]+@)(?=[^/:\s]+:[^/])    # git@host:
        )
        (?:www\.)?(?P<host>[A-Za-z0-9.-]+)(?::\d+)?[/:]
        (?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(?:\.git)?/?""",
    re.VERBOSE,
)


class Repository(NamedTuple):
    """A public repository: its host's name, the host's kind, and whose it is."""

    provider: str
    host: str
    owner: str
    name: str

    @property
    def url(self) -> str:
        """The address of the repository's page, free of user names and passwords."""
        return f"https://{self.host}/{self.owner}/{self.name}"


def parse_address(address: str) -> Repository | None:
    """Read a repository address as git or a browser writes it.

    Parameters
    ----------
    address : str
        Such as ``https://github.com/owner/name``, ``git@gitlab.com:owner/name.git`` or
        ``ssh://git@bitbucket.org/owner/name``.

    Returns
    -------
    Repository or None
        None when the address is not one of GitHub, GitLab or Bitbucket.
    """
    match = ADDRESS.fullmatch(address.strip())
    if match is None or match["host"].lower() not in HOSTS:
        return None
    host = match["host"].lower()
    return Repository(HOSTS[host], host, match["owner"], match["name"])


def git_origin(folder: Path) -> str:
    """Return the address of the remote ``origin`` of the repository in ``folder``, or ``""``."""
    if not (folder / ".git").exists():
        return ""
    command = ["git", "-C", str(folder), "remote", "get-url", "origin"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def find_repository(folder: Path, configured: str = "") -> Repository | None:
    """Find where the course is published.

    Parameters
    ----------
    folder : Path
        The top folder of the course.
    configured : str
        The address given in ``_config.yml``, if any.

    Returns
    -------
    Repository or None
    """
    chosen = os.environ.get("COURSE_REPOSITORY", "").strip() or configured.strip()
    if chosen:
        repository = parse_address(chosen)
        if repository is None:
            raise ConfigError(
                f"The repository address {chosen!r} is not understood: expected something like "
                "https://github.com/owner/name (or gitlab.com, bitbucket.org)."
            )
        return repository
    return parse_address(git_origin(folder))


def button_options(repository: Repository | None) -> dict:
    """Return the theme options for a repository: all buttons that work there, and no others."""
    if repository is None:
        return {}
    options = {
        "repository_url": repository.url,
        "repository_provider": repository.provider,
        "use_repository_button": True,
        "use_edit_page_button": True,
        "use_issues_button": repository.provider != "bitbucket",
        "launch_buttons": {"notebook_interface": "jupyterlab", "binderhub_url": BINDER},
    }
    if repository.provider == "github":
        options["launch_buttons"]["colab_url"] = COLAB
    return options


def set_buttons(app, config):
    """Put the buttons' options in place of whatever Jupyter Book guessed."""
    options = dict(config.html_theme_options)
    configured = options.pop("repository_url", "") or ""
    options.pop("launch_buttons", None)
    if configured == PLACEHOLDER:
        configured = ""
    options["path_to_docs"] = ""
    options.update(button_options(find_repository(Path(app.srcdir), configured)))
    config.html_theme_options = options


def drop_dead_buttons(app, pagename, templatename, context, doctree):
    """Remove the launch buttons of pages that run code but are Markdown.

    Neither Binder nor Colab opens such a file as a notebook.
    """
    buttons = context.get("header_buttons", [])
    if pagename in app.env.found_docs and app.env.doc2path(pagename).endswith(".md"):
        buttons[:] = [button for button in buttons if button.get("label") != "launch-buttons"]


def setup(app):
    """Connect the extension to Sphinx."""
    app.connect("config-inited", set_buttons, priority=100)
    app.connect("html-page-context", drop_dead_buttons, priority=600)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
