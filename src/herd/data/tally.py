"""What the stages did to the data: counters, and which document met which fate.

Every stage takes a Tally and writes into it; it ends in the shard's index and in the report.
In: stage, what happened, to what. Out: JSON-able statistics; a sentence for an error message.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Counters are exact; the names beside them stop here, so that a broken crawl cannot fill memory.
MAX_NAMES_PER_EVENT = 1000
MAX_NAMES_IN_SENTENCE = 3


@dataclass
class Tally:
    """Counts of (stage, event), and the names of what each happened to."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    names: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def count(self, stage: str, event: str, amount: int = 1) -> None:
        """Add to a counter."""
        self.counts[stage, event] += amount

    def note(self, stage: str, event: str, name: str) -> None:
        """Count an event once and remember what it happened to."""
        self.count(stage, event)
        names = self.names.setdefault((stage, event), [])
        if len(names) < MAX_NAMES_PER_EVENT:
            names.append(name)

    def add_statistics(self, found: Mapping[str, Any]) -> None:
        """Add what `statistics` of another reading gave."""
        for stage, events in found["counts"].items():
            for event, amount in events.items():
                self.count(stage, event, amount)
        for stage, named in found["names"].items():
            for event, names in named.items():
                kept = self.names.setdefault((stage, event), [])
                kept += names[: MAX_NAMES_PER_EVENT - len(kept)]

    def statistics(self) -> dict[str, Any]:
        """Return the counters by stage, and the names by stage and event."""
        result: dict[str, Any] = {"counts": {}, "names": {}}
        for (stage, event), amount in self.counts.items():
            result["counts"].setdefault(stage, {})[event] = amount
        for (stage, event), names in self.names.items():
            result["names"].setdefault(stage, {})[event] = list(names)
        return result

    def sentence(self, stage: str) -> str:
        """Return what was noted in a stage: `2 binary (a.bin, b.bin), 1 empty (c.txt)`."""
        parts = []
        for (noted_stage, event), names in self.names.items():
            if noted_stage == stage:
                shown = ", ".join(names[:MAX_NAMES_IN_SENTENCE])
                more = ", ..." if self.counts[stage, event] > MAX_NAMES_IN_SENTENCE else ""
                parts.append(f"{self.counts[stage, event]} {event} ({shown}{more})")
        return ", ".join(parts)
