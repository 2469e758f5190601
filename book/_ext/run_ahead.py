"""Run the notebooks of the book several at a time.

Sphinx reads one page after the other, and MyST-NB runs a notebook when its page is read: on a cold
cache all processors but one would wait. Before the first page is read, this extension runs the
notebooks whose outputs are not in the execution cache, as many at a time as there are processors
(at most four), and puts the outputs there. A notebook that fails is left to its turn, which runs
it again and reports the error.
"""

from __future__ import annotations

import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

from jupyter_cache import get_cache
from jupyter_cache.cache.main import JupyterCacheBase
from myst_nb.core.execute import create_client
from myst_nb.core.execute.base import ExecutionError
from myst_nb.core.read import create_nb_reader
from sphinx.util import logging

logger = logging.getLogger(__name__)
AT_MOST = 4


class Silent:
    """A logger for what will be reported when the page is read."""

    def debug(self, *arguments, **options):
        """Say nothing."""

    info = warning = error = debug


def missing_notebooks(env, names):
    """Return what MyST-NB needs to run each of the pages whose outputs are not in the cache.

    Parameters
    ----------
    env : sphinx.environment.BuildEnvironment
    names : iterable of str
        Pages that will be read.

    Returns
    -------
    list of tuple
        Notebook, path and format.
    """
    cache = get_cache(env.mystnb_config.execution_cache_path)
    missing = []
    for name in names:
        path = env.doc2path(name)
        text = Path(path).read_text(encoding="utf-8")
        reader = create_nb_reader(path, env.myst_config, env.mystnb_config, text)
        if reader is None:
            continue
        notebook = reader.read(text)
        if notebook.metadata.get("mystnb", {}).get("execution_mode") == "off":
            continue
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            missing.append((notebook, path, reader.read_fmt))
    return missing


def run(notebook, path, read_fmt, config):
    """Run one notebook and put its outputs into the cache."""
    try:
        with create_client(notebook, path, config, Silent(), read_fmt):
            return
    except ExecutionError:
        return  # its page will run it again, and report the error


def one_at_a_time(function):
    """Return `function` such that no two threads are in it at once.

    Storing looks for the oldest entries in two steps; an entry that another thread makes in
    between would be taken for one of them and removed.
    """
    lock = threading.Lock()

    @functools.wraps(function)
    def locked(*arguments, **options):
        with lock:
            return function(*arguments, **options)

    return locked


def run_missing_notebooks(app, env, names):
    """Run all notebooks that have to be run, several at a time."""
    config = env.mystnb_config
    if config.execution_mode != "cache":
        return
    missing = missing_notebooks(env, names)
    workers = min(AT_MOST, os.cpu_count() or 1, len(missing))
    if workers < 2:
        return
    logger.info("Running %d notebooks, %d at a time", len(missing), workers)
    store = one_at_a_time(JupyterCacheBase.cache_notebook_bundle)
    storing = mock.patch.object(JupyterCacheBase, "cache_notebook_bundle", store)
    with storing, ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(run, *each, config) for each in missing]:
            done.result()


def setup(app):
    """Connect the extension to Sphinx."""
    app.setup_extension("myst_nb")
    app.connect("env-before-read-docs", run_missing_notebooks)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
