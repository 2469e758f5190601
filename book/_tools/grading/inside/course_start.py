"""What a student's kernel begins with: commands for the machine are skipped, not an error.

A line such as ``!pip install tqdm`` or ``%matplotlib widget`` is of no use while grading, where no
program can be started; it should not end the cell that it stands in.
"""

from IPython import get_ipython

SKIPPED = ("pip", "conda", "matplotlib", "system", "sx")


def skip(line="", *rest, **options):
    """Say that a command is skipped."""
    print(f"skipped while grading: {line}")


def skip_and_return_nothing(line="", *rest, **options):
    """Say that a command is skipped, where its output is asked for."""
    skip(line)
    return []


shell = get_ipython()
shell.system, shell.getoutput = skip, skip_and_return_nothing
for name in SKIPPED:
    shell.register_magic_function(skip, "line", name)
