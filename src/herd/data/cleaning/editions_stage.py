"""One edition of each work kept, as a stage of curation: a survey of sketches, then a choice.

In: sketches of all parts, at most `max_runs` of runs in memory; texts beyond are kept uncompared, and
counted. Out: for each part, which documents go and for which other. Never: on code.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from herd.data.cleaning.editions import Sketch, choose_editions, sketch
from herd.data.document import Document
from herd.data.stage import Array, Outcome, RuledTransform, Survey, Surveys

REASON = "another edition"


@dataclass(frozen=True, kw_only=True, slots=True)
class EditionsStage:
    """Drop a text most of which is in a longer one, whatever its spelling (see editions)."""

    name: ClassVar[str] = "editions"
    version: ClassVar[int] = 1
    max_runs: int = 50_000_000

    def open_survey(self) -> Survey:
        """Return the survey of a part: the sketches of its prose."""
        return _SketchSurvey()

    def rule(self, surveys: Surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        """Choose among all sketches; write `PART.json` for each part that loses documents."""
        places, sketches, n_uncompared = _gather(surveys, min(self.max_runs, memory_bytes // 16))
        dropped: dict[int, dict[int, str]] = {}
        names: dict[int, list[str]] = {}
        for text, (kept, share) in sorted(choose_editions(sketches).items()):
            part, place = places[text]
            kept_part, kept_place = places[kept]
            if kept_part not in names:
                names[kept_part] = surveys.names(kept_part)
            detail = f"{share:.0%} of it in {names[kept_part][kept_place]}"
            dropped.setdefault(part, {})[place] = detail
        for part, details in dropped.items():
            (ruling / f"{part}.json").write_text(json.dumps(details), encoding="utf-8")
        return {"compared": len(sketches), "not compared (memory)": n_uncompared}

    def open(self, ruling: Path, part: int) -> RuledTransform:
        """Return the function that leaves a part's other editions out."""
        path = ruling / f"{part}.json"
        details = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

        def transform(documents: Sequence[Document], first: int) -> Outcome:
            outcome = Outcome()
            for place, document in enumerate(documents, start=first):
                if (detail := details.get(str(place))) is None:
                    outcome.documents.append(document)
                else:
                    outcome.drop(document, REASON, detail)
            return outcome

        return transform


class _SketchSurvey:
    def __init__(self) -> None:
        self._sketches: list[Sketch] = []

    def add(self, documents: Sequence[Document]) -> None:
        self._sketches += [sketch(d.text if d.kind == "prose" else "") for d in documents]

    def columns(self) -> Mapping[str, Array]:
        runs = [one.runs for one in self._sketches]
        return {
            "runs": np.concatenate(runs) if runs else np.empty(0, np.uint64),
            "n_runs": np.array([len(one) for one in runs], dtype=np.int64),
            "n_words": np.array([one.n_words for one in self._sketches], dtype=np.int64),
        }


def _gather(surveys: Surveys, max_runs: int) -> tuple[list[tuple[int, int]], list[Sketch], int]:
    """The place and sketch of every text up to the bound, and how many texts are beyond it."""
    places: list[tuple[int, int]] = []
    sketches: list[Sketch] = []
    n_runs = n_uncompared = 0
    for part in range(surveys.n_parts):
        runs, lengths = surveys.column(part, "runs"), surveys.column(part, "n_runs")
        starts = np.concatenate([[0], np.cumsum(lengths)])
        for place, n_words in enumerate(surveys.column(part, "n_words").tolist()):
            if n_runs + int(lengths[place]) > max_runs:
                n_uncompared += 1
                continue
            n_runs += int(lengths[place])
            places.append((part, place))
            sketches.append(Sketch(np.array(runs[starts[place] : starts[place + 1]]), n_words))
    return places, sketches, n_uncompared
