"""The examples of benchmarks, as texts, out of the files in which they are published.

JSON (lines, or one array or object), comma- or tab-separated values with or without a header, plain text
(llama.cpp's six lines of HellaSwag, else paragraphs, else lines), zip and tar of these, compressed or
not. A benchmark is a file, named as it is without its endings; of a directory, every such file in it.
In: paths. Out: examples in an order that does not change. Never: anything run; a broken row passed over.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from herd.data.sources.archive import is_archive, read_members
from herd.data.sources.compression import BROKEN, open_decompressed, without_compression
from herd.data.sources.decode import decode
from herd.data.sources.file_set import FileSet, file_set_of
from herd.data.tally import Tally
from herd.foundation import UserError, format_bytes

MAX_FILE_BYTES = 1 << 30
MAX_FIELD_CHARS = 64 << 20
KINDS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt")
COLUMN_NAME = re.compile(r"[A-Za-z_][\w .-]{0,39}")
HELLASWAG_LINES = 6  # the context, the right ending's number, four endings
HELLASWAG_LABELS = frozenset("0123")


@dataclass(frozen=True, slots=True)
class Example:
    """One question of a benchmark: all its strings, a line each. `name` is its place in the file."""

    benchmark: str
    name: str
    text: str


def read_examples(paths: Sequence[str], fields: Sequence[str] = ()) -> Iterator[Example]:
    """Yield the examples of benchmarks in files and directories.

    `fields` names the fields (columns) whose strings are taken, in that order; empty takes all. Raises
    UserError, naming the file, for one that does not exist, is damaged, of another kind or without
    any text (in a directory, what is of another kind is left out); and for a benchmark given twice.
    """
    seen: set[str] = set()
    for path in paths:
        n_files = 0
        for name, files, inside in _files_of(path):
            n_files += 1
            if name in seen:
                raise UserError(f"{path}: the benchmark {name!r} is given twice; rename a file")
            seen.add(name)
            yield from _checked(name, _read_file(files, inside, fields), _place(path, inside))
        if not n_files:
            raise UserError(
                f"{path}: no benchmark there; known are {', '.join(KINDS)} and archives"
            )


def file_stamps(paths: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the files of the paths and what changes when they do."""
    tally = Tally()
    return tuple(
        (f"{path}/{entry.inside}", entry.stamp)
        for path in paths
        for entry in file_set_of(path).entries(tally)
    )


def _files_of(path: str) -> Iterator[tuple[str, FileSet, str]]:
    """The benchmarks of a path: name, where, and the file there."""
    files, tally = file_set_of(path), Tally()
    for entry in files.entries(tally):
        if is_archive(entry.inside) or _kind(entry.inside) in KINDS:
            yield _benchmark_name(entry.inside), files, entry.inside
    if tally.names:
        raise UserError(f"{path}: {tally.sentence('read')}")


def _place(path: str, inside: str) -> str:
    """A file within what was asked for; a file that was itself asked for is named once."""
    return path if PurePosixPath(path).name == inside else f"{path}: {inside}"


def _benchmark_name(inside: str) -> str:
    plain = PurePosixPath(without_compression(inside))
    return (
        plain.with_suffix("").with_suffix("") if plain.suffix == ".tar" else plain.with_suffix("")
    ).as_posix()


def _kind(name: str) -> str:
    return PurePosixPath(without_compression(name)).suffix.lower()


def _checked(benchmark: str, rows: Iterator[tuple[str, str]], where: str) -> Iterator[Example]:
    n_examples = 0
    try:
        for name, text in rows:
            if text.strip():
                n_examples += 1
                yield Example(benchmark, name, text)
    except BROKEN as error:
        raise UserError(f"{where}: damaged or truncated ({error})") from error
    if not n_examples:
        raise UserError(f"{where}: no text in it, or not in the fields asked for")


def _read_file(files: FileSet, inside: str, fields: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The names and texts of a file's examples, or of all files of an archive."""
    with files.open(inside) as stream:
        if not is_archive(inside):
            yield from _rows(stream, inside, fields)
            return
        tally = Tally()
        notes: list[tuple[str, str]] = []  # plain text beside tables is a README, not examples
        has_records = False
        for member, content in read_members(stream, inside, tally):
            if _kind(member) not in KINDS:
                continue
            named = ((f"{member}:{name}", text) for name, text in _rows(content, member, fields))
            if _kind(member) == ".txt":
                notes += named
            else:
                has_records = True
                yield from named
        yield from () if has_records else notes
        if tally.names:
            raise UserError(f"{inside}: {tally.sentence('read')}")


def _rows(stream: BinaryIO, name: str, fields: Sequence[str]) -> Iterator[tuple[str, str]]:
    data = open_decompressed(stream, name).read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise UserError(
            f"{name}: more than {format_bytes(MAX_FILE_BYTES)}; no benchmark is so long"
        )
    decoded = decode(data)
    if decoded is None:
        raise UserError(f"{name}: no text but binary")
    kind = _kind(name)
    if kind in (".jsonl", ".ndjson"):
        return _json_lines(decoded[0], name, fields)
    if kind == ".json":
        return _json_rows(decoded[0], name, fields)
    if kind in (".csv", ".tsv"):
        return _table_rows(decoded[0], name, fields, "," if kind == ".csv" else "\t")
    return _text_rows(decoded[0])


def _json_lines(text: str, name: str, fields: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield str(number), _strings(_json(line, f"{name}:{number}"), fields)


def _json_rows(text: str, name: str, fields: Sequence[str]) -> Iterator[tuple[str, str]]:
    value = _json(text, name)
    if not isinstance(value, dict | list):
        raise UserError(f"{name}: neither an array nor an object of examples")
    rows = value.items() if isinstance(value, dict) else enumerate(value, start=1)
    for label, row in rows:
        yield str(label), _strings(row, fields)


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: no valid JSON ({error})") from error


def _strings(value: Any, fields: Sequence[str]) -> str:
    """All strings in a value, a line each, however deep they lie."""
    if fields and isinstance(value, dict):
        value = [value.get(one) for one in fields]
    found: list[str] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict | list):
            parts = list(one.values()) if isinstance(one, dict) else one
            waiting += reversed(parts)
    return "\n".join(found)


def _table_rows(
    text: str, name: str, fields: Sequence[str], delimiter: str
) -> Iterator[tuple[str, str]]:
    rows = _split_table(text, name, delimiter)
    first = next(rows, [])
    if fields or _is_header(first):
        missing = [one for one in fields if one not in first]
        if missing:
            raise UserError(f"{name}: no column {missing[0]!r}; there are {', '.join(first)[:200]}")
        chosen = [first.index(one) for one in fields] or list(range(len(first)))
        number = 1
    else:
        chosen, number = list(range(len(first))), 1
        yield "1", "\n".join(first)
    for row in rows:
        number += 1
        if row:
            taken = chosen if fields else range(len(row))
            yield str(number), "\n".join(row[at] for at in taken if at < len(row))


def _split_table(text: str, name: str, delimiter: str) -> Iterator[list[str]]:
    # The library keeps this limit for the whole process: raised here and put back.
    limit_before = csv.field_size_limit(MAX_FIELD_CHARS)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise UserError(f"{name}: no table ({error})") from error
    finally:
        csv.field_size_limit(limit_before)
    return iter(rows)


def _is_header(row: Sequence[str]) -> bool:
    """Whether a first row looks like names: short words, each another."""
    return len(set(row)) == len(row) and all(COLUMN_NAME.fullmatch(cell) for cell in row)


def _text_rows(text: str) -> Iterator[tuple[str, str]]:
    lines = text.rstrip("\n").split("\n")
    labels = lines[1::HELLASWAG_LINES]
    if len(lines) % HELLASWAG_LINES == 0 and all(label in HELLASWAG_LABELS for label in labels):
        for number in range(0, len(lines), HELLASWAG_LINES):
            context, _, *endings = lines[number : number + HELLASWAG_LINES]
            yield str(number + 1), "\n".join([context, *endings])
        return
    pieces = re.split(r"\n\s*\n", text) if re.search(r"\n\s*\n", text.strip()) else lines
    for number, piece in enumerate(pieces, start=1):
        yield str(number), piece
