"""Processes that run submissions, several at a time.

A submission may make its process slow, or let it run out of memory, or end it: what it returns is
worked on there, outside the box. The others are run all the same.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from grading import execute, kernel, sandbox

MARGIN = 90  # seconds that a submission may take beyond its own limit, for starting and ending
PATIENCE = 3  # seconds for processes to end by themselves after Ctrl-C


class Interrupted(Exception):
    """Ctrl-C reached a process that runs submissions."""


def end_quietly(number, frame):
    """End the submission that is running, and its kernel, without a traceback on the screen."""
    raise Interrupted


def serve(connection, folder):
    """Run submissions as they are asked for; what a process of `Worker` does."""
    signal.signal(signal.SIGINT, end_quietly)
    tempfile.tempdir = folder
    if os.name == "posix" and sys.platform != "darwin":
        sandbox.limit_memory()
    try:
        while True:
            arguments = connection.recv()
            try:
                reply = "done", execute.run_submission(*arguments)
            except Exception as error:
                if isinstance(error, Interrupted):
                    raise
                reply = "failed", f"{type(error).__name__}: {error}"
            connection.send(reply)
    except (EOFError, Interrupted):
        return


class Worker:
    """One process, with a folder of its own for temporary files."""

    def __init__(self):
        context = multiprocessing.get_context("spawn")
        self.folder = tempfile.mkdtemp(prefix="g-")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, self.folder), daemon=True)
        self.process.start()
        theirs.close()
        self.student, self.deadline = None, float("inf")

    def begin(self, student, arguments, seconds):
        """Give it a submission to run."""
        self.student, self.deadline = student, time.monotonic() + seconds
        self.connection.send(arguments)

    def result(self):
        """Return how its submission went: "done", "failed" or "ended", and more about it."""
        self.deadline = float("inf")
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            return "ended", None

    def end(self):
        """End the process and remove its files."""
        self.connection.close()
        self.process.join(PATIENCE if self.student is None else 0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        kernel.remove(Path(self.folder))


def run_all(tasks, jobs, seconds):
    """Run submissions and tell of each how it went, as soon as it is known.

    Parameters
    ----------
    tasks : dict
        Arguments of `execute.run_submission` by student.
    jobs : int
        How many processes there are.
    seconds : float
        After how long one that does not end is ended.

    Yields
    ------
    student : str
    how : str
        "done", "failed", "ended" (the process died) or "slow".
    what : dict, str or None
        What `execute.run_submission` returned, or why it failed.
    """
    waiting, workers = list(tasks.items()), []
    try:
        while waiting or any(worker.student for worker in workers):
            for worker in workers:
                if worker.student is None and waiting:
                    worker.begin(*waiting.pop(0), seconds)
            while waiting and len(workers) < jobs:
                workers.append(Worker())
                workers[-1].begin(*waiting.pop(0), seconds)
            busy = {worker.connection: worker for worker in workers if worker.student}
            pause = max(0.0, min(w.deadline for w in busy.values()) - time.monotonic())
            ready = multiprocessing.connection.wait(list(busy), pause)
            for connection, worker in busy.items():
                if connection in ready:
                    how, what = worker.result()
                elif time.monotonic() > worker.deadline:
                    how, what = "slow", None
                else:
                    continue
                student = worker.student
                if how in ("ended", "slow"):
                    workers.remove(worker)
                    worker.end()
                else:
                    worker.student = None
                yield student, how, what
    except KeyboardInterrupt:
        deadline = time.monotonic() + PATIENCE
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
        raise
    finally:
        for worker in workers:
            worker.end()
