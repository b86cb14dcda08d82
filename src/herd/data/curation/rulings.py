"""The rulings that open a phase: each of its stages decides over what those before it leave.

In: the surveys that the phase before wrote. Out: a directory with one below it for each stage, and
each stage's counters in `counts.json`; it appears whole. Never: a survey changed.
"""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from herd.data.curation.survey_files import SurveyFiles, surviving_surveys
from herd.data.stage import CorpusStage, DroppingStage
from herd.foundation import atomic_directory, write_json

COUNTS = "counts.json"
SCRATCH = "surviving"


def rule_all(
    stages: Sequence[CorpusStage], surveys: Sequence[Path], out: Path, memory_bytes: int
) -> None:
    """Let the stages that open a phase decide, in their order, unless they have."""
    if out.exists():
        return
    with atomic_directory(out) as directory:
        for place, stage in enumerate(stages):
            ruling = directory / stage.name
            ruling.mkdir()
            counts = stage.rule(SurveyFiles(stage.name, surveys), ruling, memory_bytes)
            write_json(ruling / COUNTS, dict(counts))
            if later := [one.name for one in stages[place + 1 :]]:
                assert isinstance(stage, DroppingStage)
                scratch = directory / SCRATCH / stage.name
                survivors = partial(stage.survivors, ruling)
                surveys = surviving_surveys(surveys, later, survivors, scratch)
        shutil.rmtree(directory / SCRATCH, ignore_errors=True)
