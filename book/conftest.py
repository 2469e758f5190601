"""While the notebooks are tested: none may need more memory than a small machine has.

Binder gives one to two GiB. What counts is the resident memory of a notebook's kernel together
with the processes that it starts, looked at ten times a second; what they share counts once where
the system says how much that is (Linux). ``COURSE_NOTEBOOK_MIB`` sets another limit.
"""

import os
import threading

import psutil
import pytest
from nbval.plugin import IPyNbCell

LIMIT = int(os.environ.get("COURSE_NOTEBOOK_MIB", "1024")) * 2**20
PAUSE = 0.1  # seconds


class MemoryWatch(threading.Thread):
    """Notes the largest memory of a process and its children."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.kernel = psutil.Process(pid)
        self.peak = 0
        self.done = threading.Event()
        self.start()

    def run(self):
        """Look until somebody calls `stop`."""
        while not self.done.wait(PAUSE):
            self.peak = max(self.peak, self.used())

    def used(self):
        """Return the bytes in use now."""
        total = 0
        try:
            processes = [self.kernel, *self.kernel.children(recursive=True)]
        except psutil.NoSuchProcess:
            return 0
        for process in processes:
            try:
                parts = process.memory_full_info()
            except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has ended meanwhile
                continue
            total += getattr(parts, "pss", parts.rss)
        return total

    def stop(self):
        """Return the peak."""
        self.done.set()
        self.join()
        return max(self.peak, self.used())


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item):
    """Begin to watch when a notebook's kernel has started."""
    if isinstance(item, IPyNbCell) and not hasattr(item.parent, "memory_watch"):
        item.parent.memory_watch = MemoryWatch(item.parent.kernel.km.provisioner.pid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Judge after a notebook's last cell, when its kernel has been stopped."""
    watch = getattr(item.parent, "memory_watch", None)
    last = watch is not None and (nextitem is None or nextitem.parent is not item.parent)
    peak = watch.stop() if last else 0
    yield
    if peak > LIMIT:
        pytest.fail(
            f"{item.parent.path.name} needed {peak / 2**20:.0f} MiB of memory, "
            f"more than {LIMIT / 2**20:.0f}",
            pytrace=False,
        )
