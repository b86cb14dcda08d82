"""Why one document is kept, changed or gone: everything that was decided about it.

In: the directory that `curate` made, a name. Out: decisions in the order of the stages, and the document
as it is now if it was kept.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from herd.data.curation import CurationDirectory, explain_damage, read_corpus, read_manifest
from herd.data.curation.decision_log import read_decisions
from herd.data.curation.layout import COMPLETE
from herd.data.curation.part_work import PartPaths
from herd.data.document import Document
from herd.data.inspection.excerpt import excerpt
from herd.data.stage import Decision
from herd.foundation import UserError, read_json

NEAR_NAMES = 3
MAX_NAME_CHARS = 200
MOST_COMPARED = 20_000


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a document."""

    name: str
    decisions: tuple[tuple[str, Decision], ...]
    kept: Document | None


def why(directory: Path | str, name: str) -> Fate:
    """Return the fate of a document. Raises UserError when there never was one of that name."""
    path = Path(directory)
    read_manifest(CurationDirectory(path))
    near: list[str] = []
    decisions = []
    for stage, decision in _all_decisions(path):
        if decision.document == name:
            decisions.append((stage, decision))
        elif len(near) < MOST_COMPARED:
            near.append(decision.document)
    kept = None
    for document in read_corpus(path):
        if document.name == name:
            kept = document
            break
        if len(near) < MOST_COMPARED:
            near.append(document.name)
    if not decisions and kept is None:
        near = list(dict.fromkeys(near))  # several decisions name one document
        matches = difflib.get_close_matches(name[:MAX_NAME_CHARS], near, n=NEAR_NAMES)
        hint = f"; near it are {', '.join(matches)}" if matches else ""
        raise UserError(f"{path}: no document {excerpt(name, MAX_NAME_CHARS)!r} was read{hint}")
    return Fate(name, tuple(decisions), kept)


def _all_decisions(directory: Path) -> Iterator[tuple[str, Decision]]:
    """Every decision in the order of the phases. A log that is missing is damage: it knew who was dropped."""
    with explain_damage(directory / "phases"):
        markers = sorted(
            directory.glob(f"phases/*/{COMPLETE}"), key=lambda one: _number(one.parent)
        )
        logs = [
            PartPaths(marker.parent, str(part)).decisions
            for marker in markers
            for part in read_json(marker)["parts"]
        ]
    for log in logs:
        yield from read_decisions(log)


def _number(phase: Path) -> int:
    first = phase.name.partition("-")[0]
    return int(first) if first.isdecimal() else 1 << 30
