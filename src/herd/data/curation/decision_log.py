"""The log of decisions: which stage did what to which document, and why.

A Parquet file per part and phase with the columns stage, document, action, reason, detail.
In: decisions. Out: a file for any tool; the decisions again, by document or all.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from herd.data.curation.damage import explain_damage
from herd.data.stage import Decision

FIELDS = ("stage", "document", "action", "reason", "detail")
MAX_DETAIL_CHARS = 300
ROWS_AT_ONCE = 16_384


class DecisionLog:
    """Writes decisions into a Parquet file at `path`, which the caller makes appear in one step."""

    def __init__(self, path: Path) -> None:
        import pyarrow
        import pyarrow.parquet

        self._arrow = pyarrow
        self._schema = pyarrow.schema([(name, pyarrow.string()) for name in FIELDS])
        self._file = pyarrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[tuple[str, ...]] = []

    def write(self, stage: str, decisions: Sequence[Decision]) -> None:
        """Append the decisions of a stage on a batch."""
        for one in decisions:
            detail = one.detail[:MAX_DETAIL_CHARS]
            self._rows.append((stage, one.document, one.action, one.reason, detail))
        if len(self._rows) >= ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Write what is left and finish the file."""
        if self._rows:
            self._flush()
        self._file.close()

    def _flush(self) -> None:
        columns = [self._arrow.array(column) for column in zip(*self._rows, strict=True)]
        self._file.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema))
        self._rows = []


def read_decisions(path: Path) -> Iterator[tuple[str, Decision]]:
    """Yield (stage, decision) for each row of a log. Raises UserError when it is missing or damaged."""
    import pyarrow.parquet

    with explain_damage(path), pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            for row in zip(*(batch.column(name).to_pylist() for name in FIELDS), strict=True):
                if not all(isinstance(cell, str) for cell in row):
                    raise ValueError("a row is no decision")
                stage, document, action, reason, detail = row
                yield stage, Decision(document, action, reason, detail)
