"""Take submissions from a folder or a zip file of a learning platform; keep every one of them.

Whose a notebook is, is read off its folder or its file name:

    ada/primer.ipynb, ada/primer/anything.ipynb     a folder for each student
    ada.ipynb, ada_primer.ipynb, primer_ada.ipynb   a file for each student
    Ada Lovelace_1234_assignsubmission_file_/...    Moodle
    lovelaceada_late_1234_5678_primer.ipynb         Canvas
    ..._ada_attempt_2026-11-23-10-15-00_...         Blackboard

A class list (``grading/students.csv`` with the columns id and name) turns names into ids, and only
its ids are then accepted. Every file is copied to ``grading/received``; the latest notebook
of each student goes to ``grading/submitted``, where nbgrader looks for it.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import nbformat

from grading import execute, restore, settings, tables

MOST_BYTES = 20 * 2**20  # of one file
MOST_FILES = 20_000
MOST_CELLS = 2000
MOST_UNPACKED = 2**31  # bytes, in one go
MOODLE = re.compile(r"(?P<who>.+?)_\d+_assignsubmission_(?:file|onlinetext)_?$")
BLACKBOARD = re.compile(
    r"(?:.*?_)??(?P<who>[^_]+)_attempt_(?P<time>\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(?:_.*)?$"
)
MOODLE_FILE = re.compile(r"(?P<who>.+?)_\d+_assignsubmission_(?:file|onlinetext)_.*$")
CANVAS = re.compile(r"(?P<who>[^_]+?)(?P<late>_LATE|_late)?_\d+_\d+_.*$")
PLATFORMS = (MOODLE_FILE, CANVAS, BLACKBOARD)
STAMP = "%Y-%m-%dT%H-%M-%SZ"


class Received(NamedTuple):
    """One file that somebody handed in."""

    place: str
    load: Callable[[], bytes]
    time: datetime
    owner: str = ""  # the path that tells whose it is, where that is not its place


class Budget:
    """How much may still be unpacked in one go."""

    def __init__(self):
        self.left = MOST_UNPACKED

    def unpacked(self, path, entry):
        """Return a file of a zip; nothing if it is damaged, encrypted, oddly packed or large."""
        try:
            with zipfile.ZipFile(path) as archive:
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    return b""  # others may need much memory for few bytes
                most = min(self.left, MOST_BYTES)
                with archive.open(entry) as file:
                    data = file.read(most + 1)
        except Exception:  # damaged or encrypted; zipfile raises errors of many kinds
            return b""
        self.left -= min(len(data), most)
        return data if len(data) <= most else b""


def now():
    """Return the present time."""
    return datetime.now(UTC)


def read_folder(folder, set_name, known, budget):
    """Yield the files of a folder, and of the zip files in it."""
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    ]
    if len(paths) > MOST_FILES:
        raise settings.CannotGrade(f"FROM={folder} has more than {MOST_FILES} files")
    alone = sum(path.suffix.lower() in (".zip", ".ipynb") for path in paths) == 1
    for path in paths:
        place = path.relative_to(folder).as_posix()
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if path.suffix.lower() == ".zip":
            yield from read_inner_zip(path, place, changed, set_name, known, alone, budget)
        else:
            yield Received(place, partial(read_small, path), changed)


def read_small(path):
    """Return a file's content, or nothing if it is too large."""
    return path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""


def read_inner_zip(path, place, changed, set_name, known, alone, budget):
    """Yield the files of a zip in a folder.

    It is the student's whose name it has, with its own date, whatever names and dates are in it.
    Only a zip that is alone may be a platform's, with everybody's files: one that lies in no
    folder and has no student's name.
    """
    who = owner(place, set_name)[0]
    named = any(kind.match(PurePosixPath(place).stem) for kind in PLATFORMS)
    own = not alone or "/" in place or named or bool(known and id_of(who, known))
    before = f"{place[:-4]}/"
    for file in read_zip(path, budget, before):
        if own:
            ending = PurePosixPath(file.place).suffix
            yield file._replace(owner=f"{place[:-4]}{ending}", time=changed)
        else:
            yield file._replace(owner=file.place[len(before) :])


def read_zip(path, budget, before=""):
    """Yield the files in a zip file; a name that points outside is only a name here."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [e for e in archive.infolist() if not e.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        yield Received(f"{before}{path.name}", bytes, now())
        return
    if len(entries) > MOST_FILES:
        raise settings.CannotGrade(f"{path.name} has more than {MOST_FILES} files")
    for entry in entries:
        place = entry.filename.replace("\\", "/")
        if not PurePosixPath(place).name.startswith(".") and "__MACOSX" not in place:
            load = partial(budget.unpacked, path, entry)
            yield Received(before + place, load, date_of(entry))


def date_of(entry):
    """Return the date of a file in a zip, or the present one if it has none."""
    try:
        return datetime(*entry.date_time).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return now()


def tidy(name):
    """Return a name in small letters without accents, as an id may be written."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9._@]+", "-", ascii_name.strip().lower()).strip("-._@")[:64]


def class_rows():
    """Return the lines of the class list, or None without one.

    Raises
    ------
    CannotGrade
        If the file has no column ``id``, or an id twice.
    """
    path = settings.grading_folder() / "students.csv"
    if not path.is_file():
        return None
    rows = tables.read(path)
    if not rows or "id" not in rows[0]:
        raise settings.CannotGrade(f"{path} needs a first line with the column names: id,name")
    seen = set()
    for row in rows:
        student = row["id"] = (row["id"] or "").strip().lower()
        if not execute.STUDENT.fullmatch(student):
            raise settings.CannotGrade(f"{path}: {row['id']!r} cannot be an id (a-z, 0-9, . _ - @)")
        if student in seen:
            raise settings.CannotGrade(f"{path}: the id {student!r} is there twice")
        seen.add(student)
    return rows


def first_and_last(name):
    """Return the two parts of a name, written "Ada Lovelace" or "Lovelace, Ada"."""
    last, comma, first = (part.strip() for part in name.partition(","))
    if not comma:
        first, _, last = name.strip().rpartition(" ")
    return first, last


def class_list():
    """Return the ids of the class and the names that mean them, or None without a class list."""
    rows = class_rows()
    if rows is None:
        return None
    known = {row["id"]: row["id"] for row in rows}
    for row in rows:
        for name in (row.get("name"), row.get("lms")):
            words = tidy(" ".join(first_and_last(name or ""))).split("-")
            student = row["id"]
            for key in ("-".join(words), "".join(words), "".join(words[-1:] + words[:-1])):
                if key and known.setdefault(key, student) != student and known[key] != key:
                    known[key] = ""  # two students of one name: neither is meant
    return known


def id_of(who, known):
    """Return the id that a name means: in the class list if there is one, else the name, tidied."""
    if known is None:
        return tidy(who)
    keys = (who.strip().lower(), tidy(who), tidy(who).replace("-", ""))
    return next((known[key] for key in keys if known.get(key)), "")


def owner(place, set_name):
    """Return the name of the student that a file belongs to, and the time in its name, if any.

    The outermost folder counts, then what a platform writes at the beginning of the file's name:
    the rest of a path a student may have chosen.
    """
    parts = [part for part in PurePosixPath(place).parts if part not in ("..", ".", "/")]
    folders, stem = [p for p in parts[:-1] if p != set_name], PurePosixPath(parts[-1]).stem
    if folders:
        moodle = MOODLE.match(folders[0])
        return (moodle["who"] if moodle else folders[0]), None
    for kind in PLATFORMS:
        found = kind.match(stem)
        if not found:
            continue
        try:
            written = found.groupdict().get("time")
            time = written and datetime.strptime(written, "%Y-%m-%d-%H-%M-%S").astimezone(UTC)
        except ValueError:
            time = None
        return found["who"], time
    name = re.sub(rf"^{set_name}[_ -]+|[_ -]+{set_name}$", "", stem)
    return ("" if name == set_name else name), None


def unwrapped(files, set_name, known):
    """Return the files without the folders around all of them, such as ``submissions/``.

    Folders are taken for that if several students' files are in them, and, with a class list, if
    they are no student's and everything in them is.
    """
    paths = [PurePosixPath(file.owner or file.place).parts for file in files if is_notebook(file)]
    around = []
    for folders in zip(*(path[:-1] for path in paths), strict=False):
        of_one = MOODLE.match(folders[0]) or (known and id_of(folders[0], known))
        if of_one or len(set(folders)) > 1:
            break
        around.append(folders[0])
    inside = {owner("/".join(path[len(around) :]), set_name)[0] for path in paths} - {""}
    ours = known and inside and all(id_of(who, known) for who in inside)
    if not around or not (len(inside) > 1 or ours):
        return files, ""
    before = "/".join(around) + "/"
    length = len(before)
    return [
        file._replace(owner=path[length:])
        if (path := file.owner or file.place).startswith(before)
        else file
        for file in files
    ], before


def crowded_zips(files, set_name):
    """Return the zips that are one student's but hold notebooks of several names."""
    inside = {}
    for file in files:
        stem = file.owner.rpartition(".")[0]
        if stem and is_notebook(file) and file.place.startswith(f"{stem}/"):
            who = owner(file.place[len(stem) + 1 :], set_name)[0]
            inside.setdefault(f"{stem}.zip", set()).add(who)
    return [name for name, whose in inside.items() if len(whose) > 1]


def is_notebook(file):
    """Tell whether a file has the name of a notebook."""
    return file.place.lower().endswith(".ipynb")


def collect(set_name, place):
    """Take in all submissions for a set.

    Parameters
    ----------
    set_name : str
    place : str
        A folder or a zip file.

    Returns
    -------
    lines : list of str
        What was done, for the instructor.

    Raises
    ------
    CannotGrade
        If there is no such set or place, or the class list cannot be used.
    """
    settings.source(set_name)
    origin = Path(place).expanduser() if place else None
    if origin is None or not origin.exists():
        raise settings.CannotGrade(f"FROM must be a folder or a zip file; got {place!r}")
    known = class_list()
    budget = Budget()
    if origin.is_dir():
        found = list(read_folder(origin, set_name, known, budget))
    else:
        found = list(read_zip(origin, budget))
    files, wrapped = unwrapped(found, set_name, known)
    crowded = crowded_zips(found, set_name)
    log = load_log(set_name)
    before = log["notes"]
    log["notes"] = {"grading": before.get("grading", [])}  # what is still so is found anew
    if wrapped:
        note(log, "names", f"the folder {wrapped!r} is around all files; it names nobody")
    for name in crowded:
        text = (
            f"{name!r} holds notebooks of several names, all taken as one student's; if it comes "
        )
        note(log, "names", text + "from a learning platform, collect it by itself: FROM=that.zip")
    count, new = 0, 0
    for file in files:
        if PurePosixPath(file.place).name == "onlinetext.html":
            continue  # Moodle's form for a text, empty as a rule
        if not is_notebook(file):
            note(log, "other files", f"{file.place!r}: not a notebook; left where it is")
            continue
        count += 1
        new += take(file, set_name, known, log)
    owned = [entry["digest"][:8] for entry in log["files"]]
    for text in before.get("unknown", ()):
        if not any(f"-{digest}.ipynb" in text for digest in owned):
            note(log, "unknown", text)
    chosen = choose(set_name, log)
    save_log(set_name, log)
    lines = [f"{count} notebooks found, {new} new; {len(chosen)} students have handed in"]
    lines += [f"  look at: {text}" for texts in log["notes"].values() for text in texts]
    return [settings.printable(line) for line in lines]


def take(file, set_name, known, log):
    """Keep one file that was handed in; return whether it is new."""
    who, time = owner(file.owner or file.place, set_name)
    student, data = id_of(who, known), file.load()
    digest = hashlib.sha256(data).hexdigest()
    time = (time or file.time).strftime(STAMP)
    folder = settings.grading_folder() / "received" / set_name
    if not execute.STUDENT.fullmatch(student):
        path = folder / "unknown" / f"{time}-{digest[:8]}.ipynb"
        where = path.relative_to(settings.grading_folder())
        note(log, "unknown", f"{file.place!r}: whose is it? kept as {where}")
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            return True
        return False
    entry = {"student": student, "time": time, "digest": digest, "place": file.place, "who": who}
    if any(e["student"] == student and e["who"] != who for e in log["files"]):
        note(log, "names", f"{file.place!r}: files under different names belong to {student!r}")
    entry["file"] = f"{student}/{time}-{digest[:8]}.ipynb"
    if any(e["file"] == entry["file"] for e in log["files"]):
        return False
    path = folder / entry["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    entry["problem"] = problem_of(path, set_name)
    log["files"].append(entry)
    if student != who.strip().lower() and known is None:
        note(log, "names", f"{file.place!r} was taken as the id {student!r}")
    return True


def problem_of(path, set_name):
    """Return why a file cannot be graded, or an empty text."""
    if path.stat().st_size == 0:
        return "the file is empty, cannot be unpacked, or is larger than 20 MB"
    try:
        if len(json.loads(path.read_bytes())["cells"]) > MOST_CELLS:
            return f"it has more than {MOST_CELLS} cells"
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        execute.restored(set_name, path)
    except restore.NotThisSet as error:
        return str(error)
    except Exception as error:
        return f"it is not a notebook ({type(error).__name__})"
    return ""


def choose(set_name, log):
    """Put each student's latest notebook that can be graded where nbgrader looks for it.

    Returns
    -------
    dict
        The entry of the log that counts, by student.
    """
    chosen = {}
    for entry in sorted(log["files"], key=lambda e: (e["time"], e["digest"])):
        before = chosen.get(entry["student"])
        if before is None or before["problem"] or not entry["problem"]:
            chosen[entry["student"]] = entry
    grading = settings.grading_folder()
    for student, entry in chosen.items():
        folder = grading / "submitted" / student / set_name
        file = folder / f"{set_name}.ipynb"
        if entry["problem"]:
            continue
        received = (grading / "received" / set_name / entry["file"]).read_bytes()
        if not file.is_file() or file.read_bytes() != received:
            folder.mkdir(parents=True, exist_ok=True)
            file.write_bytes(received)
        time = datetime.strptime(entry["time"], STAMP)
        execute.write_whole(folder / "timestamp.txt", f"{time:%Y-%m-%d %H:%M:%S} UTC\n")
    return chosen


def note(log, topic, text):
    """Remember something for the report, once."""
    texts = log["notes"].setdefault(topic, [])
    if text not in texts:
        texts.append(text)


def log_path(set_name):
    """Return where the list of received files is."""
    return settings.grading_folder() / "received" / f"{set_name}.json"


def load_log(set_name):
    """Return the list of files received so far."""
    path = log_path(set_name)
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    return {"files": [], "notes": {}}


def save_log(set_name, log):
    """Store the list of received files."""
    execute.write_whole(log_path(set_name), json.dumps(log, indent=1))
