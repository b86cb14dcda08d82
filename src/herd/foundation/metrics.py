"""The metrics log: one JSON object a line, appended as training goes.

In: flat records that carry a `step`. Out: a file that any tool can tail, and the records again.
A process killed while writing leaves at most one torn line, which readers pass over.
"""

import json
import math
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from herd.foundation.files import explain_write_errors, write_text


class MetricsLog:
    """Appends records to a JSON-lines file, each line flushed at once."""

    def __init__(self, path: Path | str) -> None:
        """Open `path` for appending, after cutting off a torn last line."""
        self.path = Path(path)
        with explain_write_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _cut_torn_line(self.path)
            self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115

    def write(self, record: dict[str, Any]) -> None:
        """Append one record. Non-finite numbers become strings, since JSON has none."""
        line = json.dumps({key: _jsonable(value) for key, value in record.items()})
        with explain_write_errors(self.path):
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file. Raises UserError when the disk refuses what was left to write."""
        with explain_write_errors(self.path):
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_metrics(path: Path | str) -> list[dict[str, Any]]:
    """Return the records of a metrics log, without a torn last line; none if there is no file."""
    path = Path(path)
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def truncate_metrics(path: Path | str, *, after_step: int) -> None:
    """Drop the records with a step beyond `after_step`: a resumed run writes them again."""
    path = Path(path)
    if not path.exists():
        return
    kept = [record for record in read_metrics(path) if record.get("step", 0) <= after_step]
    write_text(path, "".join(json.dumps(record) + "\n" for record in kept))


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        whole = content[: content.rfind(b"\n") + 1]
        with open(path, "r+b") as file:
            file.truncate(len(whole))


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
