"""Reading cut into tasks that many workers can do, which together read what one would.

A task is a run of files of one source, about TASK_BYTES on disk; a file of records that is longer and
not compressed is cut at line ends (JSON lines) or row groups (Parquet). Packages and the standard
library are one task each.
In: sources. Out: tasks, picklable and JSON-able. Never: an order that depends on the machine.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from herd.data.sources.file_set import FileEntry, FileSet, LocalFile, RemoteFiles, file_set_of
from herd.data.sources.packages import PACKAGE_PREFIX, STDLIB, stdlib_files
from herd.data.sources.read_file import is_splittable, n_row_groups
from herd.data.sources.selection import is_wanted
from herd.data.sources.source_config import SourceConfig
from herd.data.tally import Tally

TASK_BYTES = 32 << 20
SPLIT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class ReadTask:
    """A stretch of a source. `begin` and `end` are bytes (or row groups) of its only file, 0 and 0 for
    whole files; `stamp` changes when a file does.
    """

    source: int
    files: tuple[str, ...]
    n_bytes: int
    begin: int = 0
    end: int = 0
    stamp: str = ""


def plan_reading(sources: Sequence[SourceConfig], tally: Tally) -> list[ReadTask]:
    """Return the tasks of all sources in order; files that are not read are counted in `tally`.

    Raises UserError when a location does not exist.
    """
    return [
        task for number, source in enumerate(sources) for task in _tasks_of(number, source, tally)
    ]


def _tasks_of(number: int, source: SourceConfig, tally: Tally) -> Iterator[ReadTask]:
    if source.location.startswith(PACKAGE_PREFIX):
        yield ReadTask(number, (), 0, stamp=source.location)
        return
    files = stdlib_files() if source.location == STDLIB else file_set_of(source.location)
    entries = [
        entry
        for entry in files.entries(tally)
        if _is_named_itself(files, entry) or is_wanted(entry.inside, source, tally)
    ]
    yield from _grouped(number, files, entries)


def _is_named_itself(files: FileSet, entry: FileEntry) -> bool:
    """Whether the location is this very file, which is read whatever its ending."""
    if isinstance(files, RemoteFiles):
        return files.url.endswith(f"/{entry.inside}")
    return isinstance(files, LocalFile)


def _grouped(number: int, files: FileSet, entries: Sequence[FileEntry]) -> Iterator[ReadTask]:
    group: list[FileEntry] = []
    for entry in entries:
        if entry.n_bytes > SPLIT_BYTES and is_splittable(entry.inside):
            if group:
                yield _task(number, group)
                group = []
            yield from _split(number, files, entry)
            continue
        group.append(entry)
        if sum(one.n_bytes for one in group) >= TASK_BYTES:
            yield _task(number, group)
            group = []
    if group:
        yield _task(number, group)


def _task(number: int, group: Sequence[FileEntry]) -> ReadTask:
    lines = "".join(f"{one.inside} {one.stamp}\n" for one in group)
    stamp = hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    n_bytes = sum(one.n_bytes for one in group)
    return ReadTask(number, tuple(one.inside for one in group), n_bytes, stamp=stamp)


def _split(number: int, files: FileSet, entry: FileEntry) -> Iterator[ReadTask]:
    whole = _task(number, [entry])
    if Path(entry.inside).suffix == ".parquet":
        ends = list(range(1, n_row_groups(files, entry.inside) + 1))
    else:
        ends = [*range(SPLIT_BYTES, entry.n_bytes, SPLIT_BYTES), entry.n_bytes]
    if len(ends) < 2:
        yield whole
        return
    for begin, end in zip([0, *ends], ends, strict=False):
        n_bytes = entry.n_bytes * (end - begin) // ends[-1]
        yield ReadTask(number, whole.files, n_bytes, begin, end, whole.stamp)
