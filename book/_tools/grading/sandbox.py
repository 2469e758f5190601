"""A student's kernel in a box: no network, no other files, limited memory, time and processes.

Where bubblewrap (``bwrap``, Linux) is installed, the kernel sees a read-only Python and a read-only
``lib``, an empty home in memory, and nothing else: not the exercises' sources, the gradebook or
other submissions. Elsewhere it runs with the limits alone, and `warning` says so.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from grading import settings

ROOT = Path(__file__).resolve().parents[3]
INSIDE = Path(__file__).resolve().parent / "inside"
HOME = "/home/student"
MEMORY = 4 * 2**30  # bytes of address space
CPU_SECONDS = 1800
FILE_BYTES = 64 * 2**20
OPEN_FILES = 512

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "fonts", "alternatives")

IN_MEMORY = 2**28  # bytes of files in each folder that is kept in memory

# Numbers of system calls by machine: the audit name of the machine, those that are refused (making
# processes; mount, umount2, chroot, pivot_root, unshare, setns; ptrace, process_vm_readv and
# -writev; keyctl, add_key, request_key; bpf, perf_event_open, userfaultfd; memfd_create, shmget;
# loading kernel modules), and clone, which makes threads as well as processes.
CALLS = {
    "x86_64": (
        0xC000003E,
        (57, 58, 165, 166, 161, 155, 272, 308, 101, 310, 311, 250, 248, 249, 321, 298, 323, 319, 29)
        + (175, 313),
        56,
    ),
    "aarch64": (
        0xC00000B7,
        (40, 39, 51, 41, 97, 268, 117, 270, 271, 219, 217, 218, 280, 241, 282, 279, 194, 105, 273),
        220,
    ),
}
NEW_CALLS = (425, 428, 429, 430, 431, 432, 433, 442)  # io_uring_setup, and mounting anew
CLONE3, CLONE_THREAD = 435, 0x10000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE, UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026  # errors EPERM and ENOSYS


def warning():
    """Return what is missing for a closed box, or an empty text.

    Raises
    ------
    CannotGrade
        If the box would show students what it hides, because Python's own folder holds it.
    """
    for place in (settings.SOURCES, settings.grading_folder()):
        for prefix in {sys.prefix, sys.base_prefix}:
            if place.is_relative_to(Path(prefix).resolve()):
                raise settings.CannotGrade(
                    f"{place} lies in {prefix}, the folder of this Python, which submissions can "
                    "read: use an environment of its own, such as .venv"
                )
    if shutil.which("bwrap") is None:
        return (
            "WARNING: bubblewrap (bwrap) is not installed. Submissions run as ordinary programs of "
            "yours: they can read and change your files and use the network. On Debian and Ubuntu: "
            "sudo apt install bubblewrap"
        )
    probe = [*_namespaces(), "--ro-bind", "/", "/", "true"]
    tried = subprocess.run(probe, capture_output=True, text=True)
    if tried.returncode:
        reason = tried.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return (
            f"WARNING: bubblewrap does not work on this machine ({reason[0]}). Submissions run as "
            "ordinary programs of yours: they can read and change your files and use the network."
        )
    return ""


def _namespaces():
    """Return the beginning of the command: a world of its own that ends with its parent."""
    program = shutil.which("bwrap") or "bwrap"
    apart = ["--unshare-all", "--unshare-user", "--cap-drop", "ALL"]
    if _knows(program, "--disable-userns"):  # from 0.8.0 on; the filter refuses them as well
        apart += ["--disable-userns"]
    return [program, *apart, "--die-with-parent", "--new-session"]


@functools.cache
def _knows(program, option):
    """Tell whether a program lists an option."""
    return option in subprocess.run([program, "--help"], capture_output=True, text=True).stdout


def call_filter(machine=None):
    """Return a filter of system calls: threads but no processes, and nothing that opens the box.

    Parameters
    ----------
    machine : str, optional
        A name as of `platform.machine`; default this one's.

    Returns
    -------
    bytes or None
        A program for bubblewrap's ``--seccomp``; None for a machine that is not known.
    """
    known = CALLS.get(machine or platform.machine())
    if known is None:
        return None
    audit, refused, clone = known
    # Each line: operation, value, and where to jump if it holds: the next, or a named line.
    lines = [("", LOAD, 4, None), ("", EQUAL, audit, ("number", "refuse"))]
    lines += [("number", LOAD, 0, None), ("", AT_LEAST, 0x40000000, ("refuse", None))]
    lines += [("", EQUAL, CLONE3, ("unknown", None))]
    lines += [("", EQUAL, call, ("refuse", None)) for call in (*refused, *NEW_CALLS)]
    lines += [("", EQUAL, clone, (None, "allow")), ("", LOAD, 16, None)]
    lines += [("", ANY_BIT, CLONE_THREAD, ("allow", "refuse"))]
    lines += [("allow", RETURN, ALLOW, None), ("refuse", RETURN, REFUSE, None)]
    lines += [("unknown", RETURN, UNKNOWN, None)]
    places = {label: k for k, (label, *_) in enumerate(lines) if label}
    program = b""
    for k, (_, operation, value, jumps) in enumerate(lines):
        yes, no = ((places[j] - k - 1 if j else 0) for j in jumps or (None, None))
        program += struct.pack("=HBBI", operation, yes, no, value)
    return program


def environment(cache):
    """Return the variables that a student's kernel sees."""
    variables = {
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join([str(INSIDE), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NUMBA_CACHE_DIR": str(cache),
    }
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        variables[threads] = "1"
    return variables


def command(folder, program, filter_file=None):
    """Return the command that runs a program in the box.

    Parameters
    ----------
    folder : Path
        The one folder outside that the program may write into: its sockets and its cache.
    program : list of str
    filter_file : int, optional
        Descriptor of a file with the filter of system calls.
    """
    box = _namespaces()
    for path in SYSTEM:
        if os.path.islink(path):
            box += ["--symlink", os.readlink(path), path]
        else:
            box += ["--ro-bind-try", path, path]
    for name in SETTINGS:
        box += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    box += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/dev/shm", "/tmp", HOME):
        box += ["--size", str(IN_MEMORY), "--tmpfs", path]
    box += ["--remount-ro", "/dev"]
    for path in dict.fromkeys((sys.base_prefix, sys.prefix)):
        if not path.startswith("/usr/"):
            box += ["--ro-bind", path, path]
    box += ["--ro-bind", str(ROOT / "lib"), str(ROOT / "lib")]
    box += ["--ro-bind", str(INSIDE), str(INSIDE)]
    box += ["--bind", str(folder), str(folder), "--chdir", HOME, "--clearenv"]
    for name, value in environment(folder / "cache").items():
        box += ["--setenv", name, value]
    if filter_file is not None:
        box += ["--seccomp", str(filter_file)]
    return [*box, "--", *program]


def limit():
    """Limit what the process to be started may use."""
    import resource

    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_FSIZE: FILE_BYTES,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, wanted in limits.items():
        _set_limit(kind, wanted)


def limit_memory():
    """Limit the memory of this process: it works on what submissions return."""
    import resource

    _set_limit(resource.RLIMIT_AS, MEMORY)


def _set_limit(kind, wanted):
    """Set one limit, not above the one there is."""
    import resource

    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(kind, (wanted, wanted))


def start(folder, program, boxed):
    """Start a program in the box and return its process.

    Parameters
    ----------
    folder : Path
        See `command`.
    program : list of str
    boxed : bool
        False where bubblewrap is missing: then only limits are set.
    """
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    options |= {"stderr": subprocess.DEVNULL, "start_new_session": True}
    if os.name == "posix" and sys.platform != "darwin":
        options["preexec_fn"] = limit
    if not boxed:
        home = folder / "home"
        home.mkdir(exist_ok=True)
        variables = environment(folder / "cache") | {"HOME": str(home), "PATH": os.environ["PATH"]}
        variables["JPY_PARENT_PID"] = str(os.getpid())  # the kernel ends when this process does
        if os.name == "nt":
            variables = os.environ | variables
        return subprocess.Popen(program, cwd=home, env=variables, **options)
    options["env"] = {"PATH": "/usr/bin:/bin"}  # the box can read what bubblewrap began with
    rules = call_filter()
    if rules is None:
        return subprocess.Popen(command(folder, program), **options)
    with tempfile.TemporaryFile() as file:
        file.write(rules)
        file.seek(0)
        box = command(folder, program, file.fileno())
        return subprocess.Popen(box, pass_fds=(file.fileno(),), **options)
