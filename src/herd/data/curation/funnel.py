"""The funnel: what went into each stage, what came out, and for which reasons the rest did not.

Counters add up over batches, parts and machines, in whatever order these finish.
In: the outcomes of a stage. Out: JSON-able rows, one a stage.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from herd.data.curation.part_file import TextSizes
from herd.data.document import Document
from herd.data.stage import Outcome


@dataclass(slots=True)
class StageFlow:
    """One stage's row of the funnel. `counts` holds the stage's own counters."""

    stage: str
    documents_in: int = 0
    documents_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def note(
        self, documents: Sequence[Document], outcome: Outcome, size_of: TextSizes | None = None
    ) -> None:
        """Add what a batch became."""
        size_of = size_of or TextSizes()
        self.documents_in += len(documents)
        self.documents_out += len(outcome.documents)
        self.bytes_in += sum(map(size_of, documents))
        self.bytes_out += sum(map(size_of, outcome.documents))
        for decision in outcome.decisions:
            reasons = self.dropped if decision.action == "dropped" else self.changed
            reasons[decision.reason] += 1
        self.counts.update(outcome.counts)

    def add(self, other: Self) -> None:
        """Add the row of another part."""
        self.documents_in += other.documents_in
        self.documents_out += other.documents_out
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.dropped.update(other.dropped)
        self.changed.update(other.changed)
        self.counts.update(other.counts)

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain values, counters in the order of their names."""
        return {
            "stage": self.stage,
            "documents_in": self.documents_in,
            "documents_out": self.documents_out,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "dropped": dict(sorted(self.dropped.items())),
            "changed": dict(sorted(self.changed.items())),
            "counts": dict(sorted(self.counts.items())),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Return the row that `to_json` gave."""
        counters = {name: Counter(row[name]) for name in ("dropped", "changed", "counts")}
        return cls(**{**row, **counters})


def merge_flows(parts: Iterable[Sequence[StageFlow]]) -> list[StageFlow]:
    """Add up the rows of all parts; every part has the same stages in the same order."""
    total: list[StageFlow] = []
    for flows in parts:
        if not total:
            total = [StageFlow(flow.stage) for flow in flows]
        for into, flow in zip(total, flows, strict=True):
            into.add(flow)
    return total
