"""Texts out of files of records: JSON lines, comma- or tab-separated values, Parquet.

In: a binary stream, the names of the fields. Out: rows with a text, numbered from 1. A row that is malformed, too long or without the text is counted and named, and the next one read.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from herd.data.document import NO_META
from herd.data.sources.decode import decode, replace_surrogates
from herd.data.tally import Tally
from herd.foundation import missing_library

MAX_ROW_BYTES = 64 << 20
PARQUET_ROWS_AT_ONCE = 256

MAX_META_CHARS = 2000


@dataclass(frozen=True, slots=True)
class WantedFields:
    """The field that holds the text, and those taken along where they are there."""

    text: str
    meta: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A row's text. Its label is its number, after the stretch's beginning if the file was cut."""

    label: str
    text: str
    meta: Mapping[str, str] = field(default_factory=lambda: NO_META)


Rows = Iterator[Row]


def read_jsonl(
    stream: BinaryIO, wanted: WantedFields, name: str, tally: Tally, begin: int = 0, end: int = 0
) -> Rows:
    """Yield the text of each line that is an object with a text in the field, or a plain string.

    Of a file that was cut, the lines that begin in `begin..end` (bytes); `end` 0 means all.
    """
    for number, line in _lines(stream, name, tally, begin, end):
        if not line.strip():
            continue
        label = f"{begin}+{number}" if end else str(number)
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            tally.note("read", "malformed row", f"{name}:{label}")
            continue
        if isinstance(value, dict):
            meta = {key: value[key] for key in wanted.meta if key in value}
            yield from _row(label, value.get(wanted.text), meta, wanted, name, tally)
        else:
            yield from _row(label, value, {}, wanted, name, tally)


def read_csv(
    stream: BinaryIO, wanted: WantedFields, name: str, tally: Tally, *, delimiter: str = ","
) -> Rows:
    """Yield the text column of each row; the first row names the columns."""
    lines = (line for _, line in _lines(stream, name, tally))
    reader = csv.reader(lines, delimiter=delimiter)
    header = _next_csv_row(reader, name, tally) or []
    if wanted.text not in header:
        tally.note("read", f"file without a column {wanted.text!r}", name)
        return
    number = 1
    while (values := _next_csv_row(reader, name, tally)) is not None:
        number += 1
        if len(values) == len(header):
            row = dict(zip(header, values, strict=True))
            meta = {key: row[key] for key in wanted.meta if row.get(key)}
            yield from _row(str(number), row[wanted.text], meta, wanted, name, tally)
        elif values:
            tally.note("read", "malformed row", f"{name}:{number}")


def read_parquet(
    stream: BinaryIO, wanted: WantedFields, name: str, tally: Tally, begin: int = 0, end: int = 0
) -> Rows:
    """Yield the text column of a Parquet file, some rows at a time; of row groups `begin..end` if cut."""
    arrow, parquet = _arrow()
    try:
        file = parquet.ParquetFile(stream)
        if wanted.text not in file.schema_arrow.names:
            tally.note("read", f"file without a column {wanted.text!r}", name)
            return
        columns = [c for c in (wanted.text, *wanted.meta) if c in file.schema_arrow.names]
        groups = range(begin, min(end, file.num_row_groups)) if end else range(file.num_row_groups)
        number = 0
        for batch in file.iter_batches(
            PARQUET_ROWS_AT_ONCE, columns=columns, row_groups=list(groups), use_threads=False
        ):
            for row in batch.to_pylist():
                number += 1
                label = f"{begin}+{number}" if end else str(number)
                yield from _row(label, row.pop(wanted.text), row, wanted, name, tally)
    except (arrow.ArrowException, OSError, ValueError):
        tally.note("read", "corrupt file", name)


def count_row_groups(stream: BinaryIO) -> int:
    """Return how many row groups a Parquet file has, 1 if it is damaged."""
    arrow, parquet = _arrow()
    try:
        return max(int(parquet.ParquetFile(stream).num_row_groups), 1)
    except (arrow.ArrowException, OSError, ValueError):
        return 1


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise missing_library("reading Parquet", "pyarrow", "data") from None
    return pyarrow, pyarrow.parquet


def _row(
    label: str, text: Any, meta: dict[str, Any], wanted: WantedFields, name: str, tally: Tally
) -> Rows:
    if not isinstance(text, str):
        tally.note("read", f"row without a text in {wanted.text!r}", f"{name}:{label}")
        return
    text, n_replaced = replace_surrogates(text)
    if n_replaced:
        tally.note("read", "row with lone surrogates replaced", f"{name}:{label}")
    known = {key: _short(value) for key, value in meta.items() if value is not None}
    yield Row(label, text.replace("\r\n", "\n"), known or NO_META)


def _short(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, default=str)
    return replace_surrogates(shown[:MAX_META_CHARS])[0]


def _lines(
    stream: BinaryIO, name: str, tally: Tally, begin: int = 0, end: int = 0
) -> Iterator[tuple[int, str]]:
    """Decoded lines with their numbers; one that is too long or binary is counted and left out."""
    position = _begin_of_line(stream, begin) if begin else 0
    row = 0
    while (not end or position < end) and (line := stream.readline(MAX_ROW_BYTES)):
        row += 1
        position += len(line)
        if len(line) == MAX_ROW_BYTES and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_ROW_BYTES)
                position += len(line)
            tally.note("read", "row too long", f"{name}:{row}")
            continue
        decoded = decode(line)
        if decoded is None:
            tally.note("read", "malformed row", f"{name}:{row}")
            continue
        if decoded[1] not in ("utf-8", "utf-16"):
            tally.count("read", f"row read as {decoded[1]}")
        yield row, decoded[0]


def _begin_of_line(stream: BinaryIO, begin: int) -> int:
    """Go to the first line that begins at `begin` or after it; the one before is another stretch's."""
    stream.seek(begin - 1)
    position = begin - 1
    while line := stream.readline(MAX_ROW_BYTES):
        position += len(line)
        if line.endswith(b"\n"):
            break
    return position


def _next_csv_row(reader: Any, name: str, tally: Tally) -> list[str] | None:
    # The library keeps this limit for the whole process: raised for one row and put back.
    limit_before = csv.field_size_limit(MAX_ROW_BYTES)
    try:
        return next(reader, None)
    except csv.Error:
        tally.note("read", "malformed row", f"{name}:{reader.line_num}")
        return []
    finally:
        csv.field_size_limit(limit_before)
