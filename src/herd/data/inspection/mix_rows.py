"""The mix of a corpus as rows: how much of each group and source is read, and how often.

In: the directory that `curate` made. Out: rows; none without a mix.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from herd.data.inspection.excerpt import excerpt
from herd.foundation import format_bytes, read_json

COLUMNS = ("mix", "text there", "text read", "share", "epochs")
MAX_LABEL_CHARS = 80
MOST_ROWS = 60


def mix_rows(directory: Path) -> list[list[str]]:
    """Return a row for each group and each source, in the order of COLUMNS.

    Raises what reading a damaged file does, for explain_damage.
    """
    rows: list[list[str]] = []
    for path in sorted(directory.glob("rulings/*/mix/mix.json")):
        table = read_json(path)
        rows += [*_rows(table, "by_group", "group"), *_rows(table, "by_source", "source")]
    return rows


def _rows(table: Mapping[str, Any], column: str, what: str) -> Iterator[list[str]]:
    for label, row in list(table[column].items())[:MOST_ROWS]:
        yield [
            f"{what}: {excerpt(label, MAX_LABEL_CHARS)}",
            format_bytes(int(row["bytes"])),
            format_bytes(int(row["bytes_drawn"])),
            f"{float(row['share']):.1%}",
            f"{float(row['epochs']):.2f}",
        ]
