"""A student's kernel: run a cell, ask for an answer, call a function, and survive its end."""

from __future__ import annotations

import base64
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import zmq
from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

from grading import sandbox
from grading.inside import course_codec

START_SECONDS = 60
GRACE_SECONDS = 3  # from an interrupt to the end
MOST_OUTPUT = 200_000  # characters of one cell's output that are kept
MOST_MESSAGES = 2000
MOST_IMAGES = 12
MOST_IMAGE = 4_000_000
MESSAGE_BYTES = 48_000_000  # a flood of prints comes in messages of many megabytes
MOST_WAITING = 20  # messages of one kind that wait to be read
MOST_CALLBACKS = 20_000
MOST_FILES = 20_000  # in a kernel's folder
MOST_ALL_OUTPUT = 20_000_000  # characters of all outputs of a notebook that are kept
FOLDER_BYTES = 200 * 2**20  # what a kernel may write outside its memory
KEPT = ("text/plain", "image/png")


class KernelDied(Exception):
    """The student's kernel ended."""


class TooSlow(Exception):
    """The student's code did not end in its time."""


class StudentKernel:
    """One kernel in its box.

    Parameters
    ----------
    cache : Path, optional
        A folder with numba's compiled kernels of `lib`; the kernel gets a copy.
    boxed : bool
        Whether bubblewrap is there.
    """

    def __init__(self, cache=None, boxed=True):
        self.cache, self.boxed = cache, boxed
        self.client = self.process = None

    def start(self):
        """Start the kernel and wait until it answers."""
        self.folder = Path(tempfile.mkdtemp(prefix="k-"))
        if self.cache is not None and Path(self.cache).is_dir():
            shutil.copytree(self.cache, self.folder / "cache")
        (self.folder / "cache").mkdir(exist_ok=True)
        transport = "tcp" if os.name == "nt" else "ipc"
        address = "127.0.0.1" if os.name == "nt" else str(self.folder / "s")
        file, _ = write_connection_file(
            str(self.folder / "kernel.json"), transport=transport, ip=address
        )
        quiet = "--IPKernelApp.log_level=CRITICAL"
        program = [sys.executable, "-m", "ipykernel_launcher", "-f", file, quiet]
        program.append("--HistoryManager.hist_file=:memory:")
        program.append("--IPKernelApp.exec_lines=__import__('course_start')")
        self.process = sandbox.start(self.folder, program, self.boxed)
        context = zmq.Context()
        context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
        context.setsockopt(zmq.RCVHWM, MOST_WAITING)
        self.client = BlockingKernelClient(connection_file=file, context=context)
        self.client.load_connection_file()
        self.client.start_channels(hb=False)
        self.client.stdin_channel.socket.setsockopt(zmq.SNDTIMEO, 1000)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.client.kernel_info()
                self.client.get_shell_msg(timeout=1)
                self.client.get_iopub_msg(timeout=1)  # outputs would be lost before it is connected
                break
            except queue.Empty:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise KernelDied("the kernel did not start") from None
        self._drain()

    def _drain(self):
        """Forget messages that belong to nothing any more."""
        for channel in (self.client.shell_channel, self.client.iopub_channel):
            while True:
                try:
                    channel.get_msg(timeout=0)
                except queue.Empty:
                    break

    @property
    def alive(self):
        """Whether the kernel is running."""
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """End the kernel and all that it started, and remove its folder."""
        if self.client is not None:
            self.client.stop_channels()
            self.client.context.destroy(linger=0)
            self.client = None
        if self.process is not None:
            try:
                if os.name == "posix":
                    os.killpg(self.process.pid, signal.SIGKILL)
                else:
                    self.process.kill()
            except ProcessLookupError:
                self.process.poll()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired as error:
                raise KernelDied("the kernel could not be ended") from error
            self.process = None
            remove(self.folder)

    def interrupt(self):
        """Ask the kernel to stop what it is doing."""
        message = self.client.session.msg("interrupt_request", {})
        self.client.control_channel.send(message)

    def _too_much_written(self):
        """Return what is wrong with the kernel's folder, or an empty text."""
        total = count = 0
        waiting = [str(self.folder)]
        while waiting:
            try:
                with os.scandir(waiting.pop()) as entries:
                    for entry in entries:
                        count += 1
                        if count > MOST_FILES:
                            return f"the code made more than {MOST_FILES} files"
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        else:
                            total += entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue  # removed meanwhile
            except OSError:
                return "the code made files in folders too deep to look at"
        return "the code wrote more than 200 MB" if total > FOLDER_BYTES else ""

    def _exchange(self, message_id, seconds, on_output, on_question=None):
        """Wait for the reply to a request.

        Returns the reply's content. Raises TooSlow, with the kernel interrupted and usable, or
        KernelDied, with the kernel ended.
        """
        client = self.client
        poller = zmq.Poller()
        for channel in (client.shell_channel, client.iopub_channel, client.stdin_channel):
            poller.register(channel.socket, zmq.POLLIN)
        deadline, interrupted, next_look = time.monotonic() + seconds, False, 0.0
        reply, idle = None, False
        while reply is None or not idle:
            now = time.monotonic()
            if now > next_look:
                if not self.alive:
                    self.stop()
                    raise KernelDied("the kernel died")
                written = self._too_much_written()
                if written:
                    self.stop()
                    raise KernelDied(written)
                next_look = now + 1
            if now > deadline:
                if reply is not None:
                    break  # its last output is lost
                if interrupted:
                    self.stop()
                    raise KernelDied("the code could not be interrupted")
                interrupted = True
                self.interrupt()
                deadline = now + GRACE_SECONDS
            ready = dict(poller.poll(timeout=250))
            if client.iopub_channel.socket in ready:
                message = self._message(client.iopub_channel)
                if message and message["parent_header"].get("msg_id") == message_id:
                    if message["msg_type"] == "status":
                        idle |= message["content"].get("execution_state") == "idle"
                    elif not on_output(message) and not interrupted:
                        interrupted = True
                        self.interrupt()
                        deadline = now + GRACE_SECONDS
            if client.stdin_channel.socket in ready:
                message = self._message(client.stdin_channel)
                if message and on_question and message["msg_type"] == "input_request":
                    try:
                        client.input(on_question(str(message["content"].get("prompt", ""))))
                    except zmq.Again:
                        self.stop()
                        raise KernelDied("the code asks, but does not listen") from None
            if client.shell_channel.socket in ready:
                message = self._message(client.shell_channel)
                if message and message["parent_header"].get("msg_id") == message_id:
                    reply = message["content"]
                    deadline = min(deadline, now + GRACE_SECONDS)
        if interrupted and reply.get("ename") != "KeyboardInterrupt":
            interrupted = reply.get("status") != "ok"
        if interrupted:
            raise TooSlow
        return reply

    @staticmethod
    def _message(channel):
        """Return the next message of a channel, or None for one that cannot be read."""
        try:
            message = channel.get_msg(timeout=0)
        except Exception:  # nothing there, or forged in one of many ways
            return None
        whole = all(isinstance(message.get(k), dict) for k in ("content", "parent_header"))
        return message if whole and isinstance(message.get("msg_type"), str) else None

    def run(self, code, seconds):
        """Run a cell.

        Parameters
        ----------
        code : str
        seconds : float

        Returns
        -------
        outputs : list of NotebookNode
            As a notebook has them, cut to a reasonable size, without anything a browser would run.
        problem : str
            Empty, "too slow", "too much output", or how the kernel died. An error that the code
            raises is an output.
        """
        collected = Outputs()
        message_id = self.client.execute(code, allow_stdin=False, stop_on_error=False)
        try:
            self._exchange(message_id, seconds, collected.take)
        except TooSlow:
            return collected.outputs, "too much output" if collected.full else "too slow"
        except KernelDied as death:
            return collected.outputs, str(death)
        return collected.outputs, "too much output" if collected.full else ""

    def ask(self, request, seconds, answer_callback):
        """Send a request to the helper in the kernel and return its decoded reply.

        Parameters
        ----------
        request : str
            See `course_agent.reply`.
        seconds : float
        answer_callback : callable
            Gets what a callback was called with, as text, and returns its value as text.

        Raises
        ------
        TooSlow, KernelDied, course_codec.Unreadable
        """
        expression = f"__import__('course_agent').reply(globals(), {request!r})"
        message_id = self.client.execute(
            "",
            silent=True,
            store_history=False,
            user_expressions={"reply": expression},
            allow_stdin=True,
        )
        left = [MOST_CALLBACKS]

        def limited(text):
            left[0] -= 1
            if left[0] < 0:
                return course_codec.encode(
                    ("error", ("RuntimeError", "too many calls")), lambda function: ""
                )
            return answer_callback(text)

        content = self._exchange(message_id, seconds, lambda message: True, limited)
        found = (content.get("user_expressions") or {}).get("reply") or {}
        if found.get("ename") == "KeyboardInterrupt":
            raise TooSlow
        shown = (found.get("data") or {}).get("text/plain")
        if not isinstance(shown, str) or len(shown) > 2 * course_codec.MOST_TEXT:
            raise course_codec.Unreadable("no reply, or too long a one")
        if not re.fullmatch(r"'[A-Za-z0-9+/=]*'", shown):
            raise course_codec.Unreadable("no reply")
        text = base64.b64decode(shown[1:-1]).decode("utf-8", "replace")
        return course_codec.decode(text, course_codec.Function)


def clean(text, most):
    """Return the beginning of a text that can be written to a file; of anything else, nothing."""
    if not isinstance(text, str):
        return ""
    return text[: max(0, most)].encode("utf-8", "replace").decode("utf-8")


def remove(folder):
    """Remove a folder, however deep it is and whatever rights its folders have."""
    if not shutil.which("rm"):
        shutil.rmtree(folder, ignore_errors=True)
        return
    open_up = ["chmod", "-R", "u+rwx"]
    for command in (["rm", "-rf"], open_up, open_up, ["rm", "-rf"]):
        if folder.exists():
            subprocess.run([*command, str(folder)], capture_output=True)


class Outputs:
    """The outputs of one cell, up to a reasonable size."""

    def __init__(self):
        self.outputs, self.size, self.images, self.count, self.full = [], 0, 0, 0, False

    def take(self, message):
        """Add the output in a message; return whether there is room for more."""
        if message["msg_type"] not in ("stream", "display_data", "execute_result", "error"):
            return True
        self.count += 1
        if self.size > MOST_OUTPUT or self.count > MOST_MESSAGES:
            self.full = True
            return False
        content = message["content"]
        if message["msg_type"] == "stream":
            self._stream(content)
        elif message["msg_type"] == "error":
            lines = content.get("traceback")
            lines = [clean(line, 2000) for line in lines[-12:]] if isinstance(lines, list) else []
            name, value = (clean(content.get(key), 2000) for key in ("ename", "evalue"))
            self.size += len(name) + len(value) + sum(map(len, lines))
            output = nbformat.v4.new_output("error", ename=name, evalue=value, traceback=lines)
            self.outputs.append(output)
        else:
            data = content.get("data")
            shown = self._safe(data if isinstance(data, dict) else {})
            self.outputs.append(nbformat.v4.new_output("display_data", data=shown))
        return True

    def _stream(self, content):
        """Add printed text, to the text before it if there is one."""
        text = clean(content.get("text"), MOST_OUTPUT + 1 - self.size)
        name = "stderr" if content.get("name") == "stderr" else "stdout"
        self.size += len(text)
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last.get("name") == name:
            last["text"] += text
        else:
            self.outputs.append(nbformat.v4.new_output("stream", name=name, text=text))

    def _safe(self, data):
        """Return the parts of a display that are text or a picture, of bounded size."""
        safe = {kind: data[kind] for kind in KEPT if isinstance(data.get(kind), str)}
        picture = safe.get("image/png")
        if picture is not None:
            self.images += 1
            if len(picture) > MOST_IMAGE or self.images > MOST_IMAGES:
                del safe["image/png"]
        safe["text/plain"] = clean(safe.get("text/plain", ""), MOST_OUTPUT + 1 - self.size)
        self.size += len(safe["text/plain"])
        return safe
