"""The passes over the corpus: a stage that must see all of it first begins a new one.

A pass applies the ruling that the one before asked for, runs the stages that need no ruling, and
surveys what it writes for the stage that begins the next. So n such stages cost n + 1 passes.
In: the stages of a recipe in their order. Out: phases.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from herd.data.stage import BatchStage, CorpusStage, Stage


@dataclass(frozen=True, slots=True)
class Phase:
    """One pass: `ruled_by` opens it (not the first), `stages` follow, `surveyed_by` opens the next."""

    number: int
    ruled_by: CorpusStage | None
    stages: tuple[BatchStage, ...]
    surveyed_by: CorpusStage | None

    @property
    def directory_name(self) -> str:
        """`0-read`, `1-minhash`: the number and what begins it."""
        return f"{self.number}-{self.ruled_by.name if self.ruled_by else 'read'}"


def phases_of(stages: Sequence[Stage]) -> list[Phase]:
    """Return the phases, at least one."""
    openers: list[CorpusStage | None] = [None]
    groups: list[list[BatchStage]] = [[]]
    for stage in stages:
        if isinstance(stage, CorpusStage):
            openers.append(stage)
            groups.append([])
        else:
            groups[-1].append(stage)
    closers = [*openers[1:], None]
    return [
        Phase(number, opener, tuple(group), closer)
        for number, (opener, group, closer) in enumerate(zip(openers, groups, closers, strict=True))
    ]
