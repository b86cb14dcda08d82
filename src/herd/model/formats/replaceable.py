"""May this directory or file be thrown away for a new export?

In: what an export is to replace. Out: nothing, or UserError.
Never: a deletion; and never consent to replacing what is not a model's.
"""

from pathlib import Path

from herd.foundation import GGUF_MAGIC, UserError

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


def check_replaceable_file(path: Path) -> None:
    """Raise UserError unless there is no such file, an empty one, or a GGUF file."""
    if not path.exists():
        return
    if path.is_file():
        with path.open("rb") as file:
            beginning = file.read(len(GGUF_MAGIC))
        if beginning in (b"", GGUF_MAGIC):
            return
    raise UserError(f"{path} is not a GGUF file; to be safe, remove it yourself")
