"""Plain text out of files and standard input, for the command line; corpora belong to `data/`.

In: paths of text files or directories. Out: their texts, one a file.
Never: formats, cleaning.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from herd.foundation import UserError

BINARY_PROBE_BYTES = 8192


def read_texts(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the text of every file, directories searched. Raises UserError for what is not UTF-8."""
    for path in paths:
        if path.is_dir():
            yield from (_read_text(file) for file in sorted(path.rglob("*")) if file.is_file())
        else:
            yield _read_text(path)


def read_standard_input() -> str:
    """Return all of standard input. Raises UserError if it is not UTF-8."""
    return _as_text(sys.stdin.buffer.read(), "standard input")


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"{path}: no such file or directory")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    return _as_text(content, str(path))


def _as_text(content: bytes, where: str) -> str:
    if b"\0" in content[:BINARY_PROBE_BYTES]:
        raise UserError(f"{where}: this is a binary file, not text; leave it out")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where}: byte {error.start} is not UTF-8; convert or remove it"
        ) from error
