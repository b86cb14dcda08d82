"""A phase cut into tasks: reading a stretch of the sources, or working on one part of the phase before.

In: tasks, picklable, each with all it needs. Out: files in the phase's directory (see part_work), and
how much went in and out. A task whose files are all there is not done again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from herd.data.curation.distributions import total_of
from herd.data.curation.part_file import BATCH_BYTES, BATCH_DOCUMENTS, n_bytes_of, read_part
from herd.data.curation.part_work import PartPaths, work_on_part
from herd.data.curation.phases import Phase
from herd.data.document import Document
from herd.data.sources import ReadTask, SourceConfig, read_task
from herd.data.tally import Tally
from herd.foundation import read_json, write_json


@dataclass(frozen=True, slots=True)
class Done:
    """What a task came to."""

    parts: tuple[str, ...]
    documents_in: int
    documents_out: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True)
class ReadPhaseTask:
    """Read a stretch of the sources, in parts of about `part_bytes` of text."""

    number: int
    task: ReadTask
    sources: tuple[SourceConfig, ...]
    phase: Phase
    directory: Path
    part_bytes: int

    def __str__(self) -> str:
        """Name the task in a message."""
        return f"reading task {self.number} ({self.task})"

    @property
    def marker(self) -> Path:
        """Written last; names the parts and what was met while reading."""
        return self.directory / f"task-{self.number:05d}.json"


@dataclass(frozen=True, slots=True)
class PartPhaseTask:
    """Work on one part that the phase before wrote."""

    number: int
    part: str
    source: Path
    phase: Phase
    directory: Path
    ruling: Path

    def __str__(self) -> str:
        """Name the task in a message."""
        return f"part {self.part} of {self.phase.directory_name}"


def do_task(task: ReadPhaseTask | PartPhaseTask) -> Done:
    """Do a task, or see that it is done. Raises UserError as work_on_part does."""
    if isinstance(task, ReadPhaseTask):
        return _read(task)
    paths = PartPaths(task.directory, task.part)
    if paths.summary.exists():
        return _done([read_json(paths.summary)])
    summary = work_on_part(
        read_part(task.source), task.phase, paths, ruling=task.ruling, part_number=task.number
    )
    return _done([summary])


def _read(task: ReadPhaseTask) -> Done:
    if task.marker.exists():
        parts = read_json(task.marker)["parts"]
        return _done([read_json(PartPaths(task.directory, part).summary) for part in parts])
    tally = Tally()
    documents = read_task(task.task, task.sources, tally, pages="raw")
    summaries = []
    for number, batches in enumerate(_parts(documents, task.part_bytes)):
        paths = PartPaths(task.directory, f"{task.number:05d}-{number:05d}")
        summaries.append(work_on_part(batches, task.phase, paths))
    marker = {"parts": [summary["part"] for summary in summaries], "read": tally.statistics()}
    write_json(task.marker, marker)
    return _done(summaries)


def _parts(
    documents: Iterator[Document], part_bytes: int
) -> Iterator[Iterator[Sequence[Document]]]:
    """Cut a stream of documents into parts, each a stream of batches; none is held whole."""
    first = next(documents, None)
    while first is not None:
        rest = _Part(first, documents, part_bytes)
        yield rest.batches()
        first = rest.next_part_begins_with


class _Part:
    """One part of a stream, and the document on which the next begins."""

    def __init__(self, first: Document, documents: Iterator[Document], part_bytes: int) -> None:
        self._documents, self._part_bytes = documents, part_bytes
        self.next_part_begins_with: Document | None = first

    def batches(self) -> Iterator[Sequence[Document]]:
        part_bytes = 0
        while self.next_part_begins_with is not None and part_bytes < self._part_bytes:
            batch: list[Document] = []
            batch_bytes, most_bytes = 0, min(BATCH_BYTES, self._part_bytes - part_bytes)
            while (
                self.next_part_begins_with is not None
                and batch_bytes < most_bytes
                and len(batch) < BATCH_DOCUMENTS
            ):
                batch_bytes += n_bytes_of(self.next_part_begins_with.text)
                batch.append(self.next_part_begins_with)
                self.next_part_begins_with = next(self._documents, None)
            part_bytes += batch_bytes
            yield batch


def _done(summaries: Sequence[dict[str, Any]]) -> Done:
    befores = [total_of(summary["distributions"]["before"]) for summary in summaries]
    return Done(
        parts=tuple(summary["part"] for summary in summaries),
        documents_in=sum(documents for documents, _ in befores),
        documents_out=sum(summary["documents"] for summary in summaries),
        bytes_in=sum(n_bytes for _, n_bytes in befores),
        bytes_out=sum(summary["bytes"] for summary in summaries),
    )
