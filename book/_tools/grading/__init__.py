"""Release, collect, grade and return exercise sets, with nbgrader.

``release``
    Make the student's notebook from the source with solutions.
``collect``
    Take submissions from a folder or a zip, and keep all of them.
``restore``
    Put a submission's cells back into the order and form in which they were released.
``sandbox``, ``kernel``
    Run a student's code in a box of its own.
``session``, ``execute``
    Run a submission there, and its checks here, out of its reach.
``marks``, ``feedback``, ``report``
    Marks given by hand, pages for students, and what the instructor should look at.
``settings``
    Folders and limits, shared with ``nbgrader_config.py``.
"""

import sys
from pathlib import Path

BOOK = Path(__file__).resolve().parents[2]
for folder in (BOOK / "_ext", BOOK.parent):  # exercise_source, and the library
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
