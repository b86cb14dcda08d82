"""The passes over the corpus: a stage that must see all of it first begins a new one.

A pass applies the ruling that the one before asked for, runs the stages that need no ruling, and
surveys what it writes for the stage that begins the next. So n such stages cost n + 1 passes; those
that only drop documents and stand in a row share one (see DroppingStage).
In: the stages of a recipe in their order. Out: phases.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from herd.data.stage import BatchStage, CorpusStage, DroppingStage, Stage


@dataclass(frozen=True, slots=True)
class Phase:
    """One pass: `ruled_by` opens it (not the first), `stages` follow, `surveyed_by` opens the next."""

    number: int
    ruled_by: tuple[CorpusStage, ...]
    stages: tuple[BatchStage, ...]
    surveyed_by: tuple[CorpusStage, ...]

    @property
    def directory_name(self) -> str:
        """`0-read`, `1-url+minhash`: the number and what begins it."""
        return f"{self.number}-{'+'.join(stage.name for stage in self.ruled_by) or 'read'}"


def phases_of(stages: Sequence[Stage]) -> list[Phase]:
    """Return the phases, at least one."""
    openers: list[list[CorpusStage]] = [[]]
    groups: list[list[BatchStage]] = [[]]
    for stage in stages:
        if not isinstance(stage, CorpusStage):
            groups[-1].append(stage)
        elif isinstance(stage, DroppingStage) and not groups[-1] and _only_drop(openers[-1]):
            openers[-1].append(stage)
        else:
            openers.append([stage])
            groups.append([])
    closers = [*openers[1:], []]
    return [
        Phase(number, tuple(opener), tuple(group), tuple(closer))
        for number, (opener, group, closer) in enumerate(zip(openers, groups, closers, strict=True))
    ]


def _only_drop(openers: Sequence[CorpusStage]) -> bool:
    """Whether a pass has an opening that another stage can share."""
    return bool(openers) and all(isinstance(stage, DroppingStage) for stage in openers)
