"""The work on one part in one phase: what every worker does, wherever it runs.

In: where the part's documents come from, and the phase. Out: the part's documents, decisions, survey
and summary in the phase's directory, the summary last: where it stands, all the rest is whole.
Never: a stage's failure on one document ending the run; half a part taken for a whole one.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from herd.data.curation.decision_log import DecisionLog
from herd.data.curation.distributions import Distributions
from herd.data.curation.funnel import StageFlow
from herd.data.curation.part_file import PartWriter, TextSizes
from herd.data.curation.phases import Phase
from herd.data.curation.samples import Samples
from herd.data.curation.survey_files import write_surveys
from herd.data.document import Document
from herd.data.stage import Outcome, RuledTransform, Survey, Transform
from herd.foundation import UserError, atomic_file, explain_write_errors, sha256_file, write_json

FAILED = "stage failed"
A_BUG_FROM = 8  # a stage that fails on all of a batch of so many documents fails altogether


@dataclass(frozen=True, slots=True)
class PartPaths:
    """The files of one part of one phase."""

    directory: Path
    part: str

    @property
    def documents(self) -> Path:
        """The documents that stay."""
        return self.directory / f"part-{self.part}.parquet"

    @property
    def decisions(self) -> Path:
        """What was decided on those that do not, and on those that changed."""
        return self.directory / f"part-{self.part}.decisions.parquet"

    @property
    def survey(self) -> Path:
        """What the stages that begin the next phase asked."""
        return self.directory / f"part-{self.part}.survey"

    @property
    def summary(self) -> Path:
        """Counters and samples; written last."""
        return self.directory / f"part-{self.part}.json"


@dataclass(slots=True)
class _Step:
    """A stage at work: its function, its row of the funnel, how many documents it has seen."""

    name: str
    transform: RuledTransform
    flow: StageFlow
    n_seen: int = 0


@dataclass(slots=True)
class _Gathered:
    """What grows while a part is worked on."""

    samples: Samples = field(default_factory=Samples)
    names: list[str] = field(default_factory=list)


def work_on_part(
    batches: Iterable[Sequence[Document]],
    phase: Phase,
    paths: PartPaths,
    *,
    ruling: Path | None = None,
    part_number: int = 0,
) -> dict[str, Any]:
    """Run a phase over the batches of a part; return its summary, which is also on disk.

    Raises UserError when the disk is full or an input is damaged.
    """
    _remove_leftovers(paths)
    steps = _steps(phase, ruling, part_number)
    surveys = {stage.name: stage.open_survey() for stage in phase.surveyed_by}
    gathered = _Gathered()
    before, after = Distributions(), Distributions()
    with atomic_file(paths.documents) as out, atomic_file(paths.decisions) as log:
        writer = PartWriter(out, lasting=not phase.surveyed_by)
        decisions = DecisionLog(log)
        for batch in batches:
            size_of = TextSizes()
            before.add(batch, size_of)
            kept = _through(batch, steps, decisions, gathered, size_of)
            writer.write(kept, size_of)
            after.add(kept, size_of)
            _survey(surveys, kept, gathered)
        writer.close()
        decisions.close()
    if surveys:
        with explain_write_errors(paths.survey):
            write_surveys(surveys, gathered.names, paths.survey)
    summary = {
        "part": paths.part,
        "documents": writer.n_documents,
        "bytes": writer.n_bytes,
        "sha256": sha256_file(paths.documents),
        "stages": [step.flow.to_json() for step in steps],
        "samples": gathered.samples.to_json(),
        "distributions": {"before": before.to_json(), "after": after.to_json()},
    }
    write_json(paths.summary, summary)
    return summary


def _steps(phase: Phase, ruling: Path | None, part_number: int) -> list[_Step]:
    steps = []
    for opener in phase.ruled_by:
        assert ruling is not None
        ruled = opener.open(ruling / opener.name, part_number)
        steps.append(_Step(opener.name, ruled, StageFlow(opener.name)))
    for stage in phase.stages:
        steps.append(_Step(stage.name, _without_place(stage.open()), StageFlow(stage.name)))
    return steps


def _without_place(transform: Transform) -> RuledTransform:
    return lambda documents, first: transform(documents)


def _through(
    documents: Sequence[Document],
    steps: Sequence[_Step],
    log: DecisionLog,
    gathered: _Gathered,
    size_of: TextSizes,
) -> Sequence[Document]:
    for step in steps:
        outcome = _apply(step, documents)
        step.flow.note(documents, outcome, size_of)
        log.write(step.name, outcome.decisions)
        gathered.samples.note(step.name, documents, outcome)
        documents = outcome.documents
    return documents


def _apply(step: _Step, documents: Sequence[Document]) -> Outcome:
    """Run a stage on a batch; if it fails, on each document alone, and drop the ones it fails on."""
    first, step.n_seen = step.n_seen, step.n_seen + len(documents)
    try:
        return step.transform(documents, first)
    except (UserError, MemoryError):
        raise
    except Exception:
        return _one_by_one(step, documents, first)


def _one_by_one(step: _Step, documents: Sequence[Document], first: int) -> Outcome:
    whole, n_failed = Outcome(), 0
    for place, document in enumerate(documents, start=first):
        try:
            outcome = step.transform([document], place)
        except (UserError, MemoryError):
            raise
        except Exception as error:
            n_failed += 1
            if n_failed == len(documents) >= A_BUG_FROM:
                raise  # it is not the documents
            whole.drop(document, FAILED, f"{type(error).__name__}: {error}")
            continue
        whole.documents += outcome.documents
        whole.decisions += outcome.decisions
        whole.counts = dict(Counter(whole.counts) + Counter(outcome.counts))
    return whole


def _survey(
    surveys: Mapping[str, Survey], documents: Sequence[Document], gathered: _Gathered
) -> None:
    if surveys and documents:
        for survey in surveys.values():
            survey.add(documents)
        gathered.names += [document.name for document in documents]


def _remove_leftovers(paths: PartPaths) -> None:
    """What a killed worker left of this part goes first."""
    shutil.rmtree(paths.survey, ignore_errors=True)
    paths.summary.unlink(missing_ok=True)
