"""pass@k: whether at least one of k programs that answer a question would pass its tests.

In: questions with n programs each, what runs a program safely. Out: for each question the number that
passed, pass@k for each k, and why the others did not. Never: a program run here; a failure counted as
anything but a failure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from herd.evals.pass_at_k import pass_at_k


class ProgramVerdict(Protocol):
    """What came of a program and its tests."""

    @property
    def passed(self) -> bool: ...

    @property
    def status(self) -> str: ...


Program = tuple[str, str]  # code, and the tests that follow it
RunPrograms = Callable[[Sequence[Program]], Sequence[ProgramVerdict]]


@dataclass(frozen=True, slots=True)
class PassedPrograms:
    """One question: pass@k by name, and how its programs ended."""

    scores: dict[str, float]
    n_passed: int
    endings: tuple[str, ...]


def score_programs(
    programs: Sequence[Sequence[Program]], run_programs: RunPrograms, *, ks: Sequence[int]
) -> tuple[list[PassedPrograms], Counter[str]]:
    """Run all programs; return what passed for each question, and how often programs ended how.

    Each k of `ks` has to be at most the number of programs a question has.
    """
    verdicts = run_programs([one for question in programs for one in question])
    endings: Counter[str] = Counter(_ending(one) for one in verdicts)
    found = []
    for own in _shares(verdicts, [len(question) for question in programs]):
        n_passed = sum(one.passed for one in own)
        scores = {f"pass@{k}": pass_at_k(len(own), n_passed, k) for k in ks}
        found.append(PassedPrograms(scores, n_passed, tuple(_ending(one) for one in own)))
    return found, endings


def _ending(verdict: ProgramVerdict) -> str:
    if verdict.passed:
        return "passed"
    return "wrong" if verdict.status == "finished" else verdict.status


def _shares(
    verdicts: Sequence[ProgramVerdict], counts: Sequence[int]
) -> Iterator[Sequence[ProgramVerdict]]:
    at = 0
    for count in counts:
        yield verdicts[at : at + count]
        at += count
