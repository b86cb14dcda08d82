"""Rows of a JSONL file of the user's, each converted or named with the reason why not.

In: a path, plain or .gz, and what makes something of a row. Out: what came of them, with their lines.
Never: a malformed row passed over in silence; two rows of one id.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from herd.evals.arena.duel import Messages
from herd.evals.arena.text import unicode_text
from herd.foundation import UserError

T = TypeVar("T")
Row = Mapping[str, Any]
BROKEN = (EOFError, gzip.BadGzipFile, zlib.error)
SHOWN_MALFORMED = 5


class MalformedRowError(ValueError):
    """A row that nothing can be made of, and why."""


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """What the rows of a file became, by id in the file's order; `malformed` names the others."""

    by_id: Mapping[str, T]
    malformed: tuple[str, ...]

    def notes(self) -> list[str]:
        """Return what a reader should know of the malformed rows, in at most one line."""
        if not self.malformed:
            return []
        shown = "; ".join(self.malformed[:SHOWN_MALFORMED])
        more = "; ..." if len(self.malformed) > SHOWN_MALFORMED else ""
        return [f"{len(self.malformed):,} malformed rows left out: {shown}{more}"]


def read_rows(path: Path, convert: Callable[[Row, int], tuple[str, T]]) -> Rows[T]:
    """Read a file; `convert` takes a row and its line, and gives an id and what is to be kept.

    Raises UserError for a file that is missing, damaged or without one good row, and for an id that
    comes twice.
    """
    by_id: dict[str, T] = {}
    line_of: dict[str, int] = {}
    malformed = []
    for number, line in _lines(path):
        try:
            item_id, value = convert(_row(line), number)
        except MalformedRowError as error:
            malformed.append(f"{path}, line {number}: {error}")
            continue
        if item_id in by_id:
            raise UserError(
                f"{path}: lines {line_of[item_id]} and {number} have the same id {item_id!r:.80}; "
                "give each its own"
            )
        by_id[item_id], line_of[item_id] = value, number
    if not by_id:
        raise UserError(malformed[0] if malformed else f"{path} has no rows; give one JSON a line")
    return Rows(by_id, tuple(malformed))


def id_of(row: Row, default: str | None = None) -> str:
    """Return `id` or `question_id` of a row as text."""
    value = row.get("id", row.get("question_id", default))
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise MalformedRowError(f"the id is {value!r:.60}; give a text or a number")
    return unicode_text(str(value))


def text_of(row: Row, field: str) -> str:
    """Return a field that must be text."""
    if field not in row:
        raise MalformedRowError(f"no field {field!r}")
    try:
        return unicode_text(row[field])
    except TypeError as error:
        raise MalformedRowError(f"{field}: {error}") from error


def messages_of(row: Row) -> Messages | None:
    """Return the prompt of a row as messages, from `messages`, `turns` or `prompt`; None without any.

    Of several turns only the first is asked.
    """
    from herd.dialog import as_dialog

    if "messages" in row:
        try:
            dialog = as_dialog(row["messages"])
        except UserError as error:
            raise MalformedRowError(str(error)) from error
        if dialog[-1].role == "assistant":
            raise MalformedRowError("the messages end with the assistant; the user's must be last")
        return tuple({"role": one.role, "content": unicode_text(one.content)} for one in dialog)
    if "turns" in row:
        turns = row["turns"]
        if not isinstance(turns, list) or not turns:
            raise MalformedRowError("turns is no list of texts")
        return ({"role": "user", "content": text_of({"turns[0]": turns[0]}, "turns[0]")},)
    if "prompt" in row:
        return ({"role": "user", "content": text_of(row, "prompt")},)
    return None


def _row(line: bytes) -> Row:
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MalformedRowError(f"no JSON ({str(error)[:120]})") from error
    if not isinstance(row, dict):
        raise MalformedRowError("no JSON object")
    return row


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                plain = line.removeprefix(b"\xef\xbb\xbf").strip()
                if plain:
                    yield number, plain
    except BROKEN as error:
        raise UserError(f"{path}: damaged or truncated ({error}); fetch it again") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
