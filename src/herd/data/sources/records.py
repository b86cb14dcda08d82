"""Texts out of files of records: JSON lines, comma- or tab-separated values, Parquet.

In: a binary stream, the name of the field that holds the text. Out: (row number from 1, text).
A row that is malformed, too long or without the text is counted and named, and the next one read.
"""

import csv
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from herd.data.sources.decode import decode, replace_surrogates
from herd.data.tally import Tally
from herd.foundation import UserError

MAX_ROW_BYTES = 64 << 20
PARQUET_ROWS_AT_ONCE = 256

Rows = Iterator[tuple[int, str]]


def read_jsonl(stream: BinaryIO, text_field: str, name: str, tally: Tally) -> Rows:
    """Yield the text of each line that is an object with a text in `text_field`, or a plain string."""
    for row, line in _lines(stream, name, tally):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            tally.note("read", "malformed row", f"{name}:{row}")
            continue
        text = value.get(text_field) if isinstance(value, dict) else value
        yield from _text_of(row, text, text_field, name, tally)


def read_csv(
    stream: BinaryIO, text_field: str, name: str, tally: Tally, *, delimiter: str = ","
) -> Rows:
    """Yield the column called `text_field`; the first row names the columns."""
    reader = csv.reader((line for _, line in _lines(stream, name, tally)), delimiter=delimiter)
    header = _next_csv_row(reader, name, tally) or []
    if text_field not in header:
        tally.note("read", f"file without a column {text_field!r}", name)
        return
    column, row = header.index(text_field), 1
    while (values := _next_csv_row(reader, name, tally)) is not None:
        row += 1
        if len(values) == len(header):
            yield from _text_of(row, values[column], text_field, name, tally)
        elif values:
            tally.note("read", "malformed row", f"{name}:{row}")


def read_parquet(stream: BinaryIO, text_field: str, name: str, tally: Tally) -> Rows:
    """Yield the column called `text_field` of a Parquet file, some rows at a time."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise UserError("reading Parquet needs pyarrow: pip install 'llama-herd[data]'") from None
    try:
        file = parquet.ParquetFile(stream)
        if text_field not in file.schema_arrow.names:
            tally.note("read", f"file without a column {text_field!r}", name)
            return
        row = 0
        for batch in file.iter_batches(PARQUET_ROWS_AT_ONCE, columns=[text_field]):
            for value in batch.column(0):
                row += 1
                yield from _text_of(row, value.as_py(), text_field, name, tally)
    except (arrow.ArrowException, OSError, ValueError):
        tally.note("read", "corrupt file", name)


def _text_of(row: int, text: Any, text_field: str, name: str, tally: Tally) -> Rows:
    if not isinstance(text, str):
        tally.note("read", f"row without a text in {text_field!r}", f"{name}:{row}")
        return
    text, n_replaced = replace_surrogates(text)
    if n_replaced:
        tally.note("read", "row with lone surrogates replaced", f"{name}:{row}")
    yield row, text.replace("\r\n", "\n")


def _lines(stream: BinaryIO, name: str, tally: Tally) -> Iterator[tuple[int, str]]:
    """Decoded lines with their numbers; one that is too long or binary is counted and left out."""
    row = 0
    while line := stream.readline(MAX_ROW_BYTES):
        row += 1
        if len(line) == MAX_ROW_BYTES and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_ROW_BYTES)
            tally.note("read", "row too long", f"{name}:{row}")
            continue
        decoded = decode(line)
        if decoded is None:
            tally.note("read", "malformed row", f"{name}:{row}")
            continue
        if decoded[1] not in ("utf-8", "utf-16"):
            tally.count("read", f"row read as {decoded[1]}")
        yield row, decoded[0]


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
