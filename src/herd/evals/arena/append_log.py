"""A log that is read again: a JSON object a line, of which a kill can cost the last line only.

`MetricsLog` writes it. In: a path. Out: what stands in it. Never: a line in the middle passed over.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from herd.foundation import UserError, explain_write_errors

T = TypeVar("T")


def read_log(path: Path, convert: Callable[[Mapping[str, Any]], T]) -> list[T]:
    """Return what the lines hold; a last line cut short by a kill is taken off, and that is said.

    Raises UserError, naming the line, for any other that cannot be read.
    """
    if not path.exists():
        return []
    content = _read(path)
    lines = content.split(b"\n")
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = _record(line)
        if record is None and not b"".join(lines[number:]).strip():
            _cut(path, content, line)
            break
        records.append(_converted(record, convert, f"{path}, line {number}"))
    else:
        _end_line(path, content)
    return records


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def _record(line: bytes) -> Mapping[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _converted(
    record: Mapping[str, Any] | None, convert: Callable[[Mapping[str, Any]], T], where: str
) -> T:
    if record is None:
        raise UserError(f"{where}: damaged; mend or remove that line")
    try:
        return convert(record)
    except (ValueError, TypeError, KeyError) as error:
        why = f"no field {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{where}: {why}; mend or remove that line") from error


def _cut(path: Path, content: bytes, line: bytes) -> None:
    with explain_write_errors(path):
        os.truncate(path, content.rindex(line))
    print(f"{path}: the last line was cut short and is taken off", file=sys.stderr)


def _end_line(path: Path, content: bytes) -> None:
    """A whole line without its end would otherwise be taken for a torn one by the writer."""
    if content and not content.endswith(b"\n"):
        with explain_write_errors(path), open(path, "ab") as file:
            file.write(b"\n")
