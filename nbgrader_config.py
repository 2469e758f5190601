"""Settings of nbgrader for this course; see the instructors' pages of the book.

The commands `make release`, `collect`, `grade` and `feedback` use them, and so does every plain
`nbgrader` command that is run in this folder.
"""

import sys
from pathlib import Path

root = Path(__file__).resolve().parent
sys.path.insert(0, str(root / "book" / "_tools"))

from grading import execute, release, settings  # noqa: E402
from nbgrader import preprocessors as p  # noqa: E402

c = get_config()  # noqa: F821
folder = settings.grading_folder()

c.CourseDirectory.course_id = "gradient-methods"
c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = str(settings.SOURCES)
c.CourseDirectory.db_url = f"sqlite:///{folder}/gradebook.db"
for step in ("release", "submitted", "autograded", "feedback", "solution"):
    setattr(c.CourseDirectory, f"{step}_directory", str(folder / step))

c.GenerateAssignment.preprocessors = [
    release.ForStudents,
    p.LockCells,
    p.CheckCellMetadata,
    p.ComputeChecksums,
    p.SaveCells,
    p.ClearHiddenTests,
    p.ComputeChecksums,
    p.CheckCellMetadata,
]
c.Autograde.sanitize_preprocessors = [
    execute.RestoreCells,
    p.ClearOutput,
    p.OverwriteKernelspec,
    p.OverwriteCells,
    p.CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    execute.RunAnswers,
    p.SaveAutoGrades,
    p.AssignLatePenalties,
    p.CheckCellMetadata,
]
c.GenerateFeedback.preprocessors = [p.GetGrades, p.ClearHiddenTests]
