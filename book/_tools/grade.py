"""Release an exercise set, collect submissions, grade them, and return marks and feedback.

    python book/_tools/grade.py release SET [--due "2026-12-01 18:00"]
    python book/_tools/grade.py collect SET --from FOLDER_OR_ZIP
    python book/_tools/grade.py grade SET [--student ID] [--again] [--jobs N]
    python book/_tools/grade.py feedback SET [--partial]

``make release``, ``make collect``, ``make grade`` and ``make feedback`` run these; the instructors'
pages of the book explain them. Underneath is nbgrader with the settings of nbgrader_config.py: all
its own commands work, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC

# One thread for each submission; to be set before numpy is imported.
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[threads] = "1"
# nbgrader looks for its helper program, alembic, on the path.
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])

from grading import (  # noqa: E402
    collect,
    execute,
    feedback,
    marks,
    release,
    report,
    sandbox,
    session,
    settings,
    workers,
)


def nbgrader(*arguments):
    """Run an nbgrader command and return its exit code and what it said."""
    run = "from nbgrader.apps.nbgraderapp import main; main()"
    command = [sys.executable, "-c", run, *arguments]
    done = subprocess.run(command, cwd=settings.ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def source_hash(set_name):
    """Return a hash of a set's source, by which a change since its release is noticed."""
    return hashlib.sha256(settings.source(set_name).read_bytes()).hexdigest()


def release_record(set_name):
    """Return the path of what is remembered of a release."""
    return settings.grading_folder() / "release" / f"{set_name}.json"


def make_release(options):
    """Check the set's solutions, make the students' notebook and note the deadline."""
    from dateutil import parser

    name = options.set
    settings.source(name)
    due = None
    if options.due:
        try:
            due = parser.parse(options.due).astimezone(UTC).replace(tzinfo=None)
        except (ValueError, OverflowError):
            text = f'DUE must be a date and time such as "2026-12-01 18:00"; got {options.due!r}'
            raise settings.CannotGrade(text) from None
    settings.grading_folder().mkdir(parents=True, exist_ok=True)
    check_solutions(name)
    code, said = nbgrader("generate_assignment", name, "--force")
    if code:
        raise settings.CannotGrade(f"nbgrader could not make the release:\n{said}")
    if due is not None:
        from nbgrader.api import Gradebook

        with Gradebook(marks.database()) as book:
            book.update_or_create_assignment(name, duedate=due)
    record = {"source": source_hash(name)}
    execute.write_whole(release_record(name), json.dumps(record))
    path = settings.grading_folder() / "release" / name / f"{name}.ipynb"
    print(f"The solutions pass all checks. For students: {path}")


def check_solutions(name):
    """Run the set's own solutions as a submission is run, and refuse a set that fails them."""
    wrong = execute.run_solutions(name)
    if wrong:
        raise settings.CannotGrade(
            f"the solutions in {settings.source(name)} do not pass:\n  " + "\n  ".join(wrong)
        )


def collect_submissions(options):
    """Take in submissions."""
    for line in collect.collect(options.set, options.origin):
        print(line)


def require_release(name):
    """Refuse to grade a set that was not released, or whose source has changed since."""
    path = release_record(name)
    if not path.is_file():
        raise settings.CannotGrade(f"release the set first: make release SET={name}")
    if json.loads(path.read_text(encoding="utf-8"))["source"] != source_hash(name):
        raise settings.CannotGrade(
            f"the source of {name} has changed since its release: run make release SET={name} "
            "again (students' notebooks stay valid as long as the names of the cells do)"
        )


def submitted(name):
    """Return the submitted notebooks of a set by student."""
    folder = settings.grading_folder() / "submitted"
    return {p.parts[-3]: p for p in sorted(folder.glob(f"*/{name}/{name}.ipynb"))}


def is_up_to_date(name, student, path):
    """Tell whether the gradebook has the marks of a submission's present run."""
    graded = settings.grading_folder() / "autograded" / student / name
    notebook = graded / f"{name}.ipynb"
    stored = execute.run_path(name, student)
    if not notebook.is_file() or not stored.is_file():
        return False
    stamps = [folder / "timestamp.txt" for folder in (path.parent, graded)]
    times = [stamp.read_text() if stamp.is_file() else "" for stamp in stamps]
    run = json.loads(stored.read_text(encoding="utf-8"))["fingerprint"]
    return times[0] == times[1] and release.read(notebook).metadata["course"].get("run") == run


def run_all(name, paths, jobs, again):
    """Run submissions, several at a time; return what could not be run, by student."""
    seconds = settings.seconds("COURSE_SUBMISSION_SECONDS", session.SUBMISSION_SECONDS)
    tasks = {student: (name, student, str(path), again) for student, path in paths.items()}
    failed, ended, number = {}, [], 0
    try:
        for turn in (jobs, 1):  # a process that ends may have had bad luck, but only once
            for student, how, what in workers.run_all(tasks, turn, seconds + workers.MARGIN):
                if how == "ended" and student not in ended:
                    ended.append(student)
                    continue
                number += 1
                if how == "failed":
                    failed[student] = what
                    continue
                if how == "done":
                    took = "as before" if what["stored"] else f"{what['seconds']:.0f} s"
                else:
                    took = execute.give_up(name, student, paths[student], how)
                print(f"  {number} of {len(paths)}: {student} ({took})", flush=True)
            tasks = {student: tasks[student] for student in ended}
            if not tasks:
                break
    except KeyboardInterrupt:
        text = "interrupted; run make grade again to go on with the rest"
        raise settings.CannotGrade(text) from None
    return failed


def grade(options):
    """Run and grade what was handed in."""
    name = options.set
    settings.source(name)
    require_release(name)
    warning = sandbox.warning()
    if warning:
        print(f"\n{warning}\n", file=sys.stderr)
    paths = submitted(name)
    if options.student:
        if options.student not in paths:
            raise settings.CannotGrade(f"nothing was handed in by STUDENT={options.student}")
        paths = {options.student: paths[options.student]}
    log = collect.load_log(name)
    if not paths and not log["files"]:
        raise settings.CannotGrade(f"nothing is collected: make collect SET={name} FROM=...")
    if not execute.warm_cache(name).is_dir():
        check_solutions(name)
    failed = run_all(name, paths, options.jobs, options.again)
    record(name, [s for s in paths if s not in failed], failed, paths)
    due = marks.write(name)
    lines = report.write(name)
    print("\n".join(lines))
    folder = settings.grading_folder()
    print(f"\nReport: {folder / 'report' / name}.html")
    if due:
        print(f"{due} answers to be marked by hand: {marks.csv_path(name).with_suffix('.html')}")
    return 1 if failed else 0


def record(name, students, failed, paths):
    """Put the marks into the gradebook, and note what could not be graded."""
    from nbgrader.api import Gradebook

    log = collect.load_log(name)
    log["notes"]["grading"] = [f"{s} could not be graded: {why}" for s, why in failed.items()]
    collect.save_log(name, log)
    with Gradebook(marks.database()) as book:
        for student in {entry["student"] for entry in log["files"]}:
            book.update_or_create_student(student)
        for row in collect.class_rows() or ():
            first, last = collect.first_and_last(row.get("name") or "")
            names = {"first_name": first, "last_name": last, "email": row.get("email") or ""}
            book.update_or_create_student(row["id"], **names)
    stale = [s for s in students if not is_up_to_date(name, s, paths[s])]
    if not stale:
        return
    skipped = ",".join(sorted(set(submitted(name)) - set(stale)))
    leave = [f"--CourseDirectory.student_id_exclude={skipped}"] if skipped else []
    _, said = nbgrader("autograde", name, "--force", *leave)
    for student in stale:
        if not is_up_to_date(name, student, paths[student]):
            text = f"{student} could not be graded: nbgrader said {said[-1500:]}"
            log["notes"]["grading"].append(text)
            collect.save_log(name, log)


def return_feedback(options):
    """Take over marks given by hand, write the students' pages and the table of grades."""
    name = options.set
    settings.source(name)
    if not list(marks.autograded(name)):
        raise settings.CannotGrade(f"nothing is graded yet: make grade SET={name}")
    missing = marks.take_over(name, options.partial)
    folder = settings.grading_folder() / "feedback"
    count = len(feedback.write(name, lambda student: folder / student / name / f"{name}.html"))
    report.write(name)
    table = settings.grading_folder() / "grades.csv"
    marks.write_grades(table)
    print(f"{count} pages in {folder}; grades in {table}")
    for place in missing:
        print(f"  not marked yet: {place}")


def positive(text):
    """Return a number of jobs."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def main(arguments=None):
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="command")
    for word, function, text in (
        ("release", make_release, "make the students' notebook"),
        ("collect", collect_submissions, "take in submissions"),
        ("grade", grade, "run and grade them"),
        ("feedback", return_feedback, "return marks, pages and the table"),
    ):
        command = commands.add_parser(word, help=text)
        command.set_defaults(function=function)
        command.add_argument("set", help="the exercise set, such as minimizers")
        if word == "release":
            command.add_argument("--due", help="deadline, in this machine's time zone")
        if word == "collect":
            command.add_argument("--from", dest="origin", help="a folder or a zip file")
        if word == "grade":
            command.add_argument("--student", help="only this student")
            command.add_argument("--again", action="store_true", help="also what is unchanged")
            jobs = min(4, max(1, (os.cpu_count() or 2) - 1))
            command.add_argument("--jobs", type=positive, default=jobs, help="at a time")
        if word == "feedback":
            command.add_argument("--partial", action="store_true", help="marks may be missing")
    options = parser.parse_args(arguments)
    try:
        return options.function(options) or 0
    except settings.CannotGrade as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
