"""May this directory be thrown away for a new export?

In: the directory that an export is to replace. Out: nothing, or UserError.
Never: a deletion; and never consent to replacing a directory that is not a model's.
"""

from pathlib import Path

from herd.foundation import UserError

MARKS_OF_A_MODEL = ("config.json", "params.json")


def check_replaceable(directory: Path) -> None:
    """Raise UserError unless the directory is absent, empty, or holds a model."""
    if not directory.exists():
        return
    if directory.is_dir():
        is_model = any((directory / mark).exists() for mark in MARKS_OF_A_MODEL)
        if is_model or not any(directory.iterdir()):
            return
    raise UserError(f"{directory} is not a model's directory; to be safe, remove it yourself")
