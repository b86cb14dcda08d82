"""Documents of outlier tokens dropped: those whose words are spread unlike the corpus's.

The measure is KL(p_document || p_corpus) over hashed words, in nats, the corpus smoothed (Llama 3,
section 3.1.1; direction and smoothing are not in the paper). A short text has a large divergence by
nature, so a text is compared with others of its length: the bound is the median of its length class and
`max_deviations` times the usual deviation (1.4826 times the median absolute one). Each language is
compared with itself.
In: counts of the whole corpus, a sample of documents' counts. Out: bounds; fewer documents.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from herd.data.document import Document
from herd.data.heuristics.token_counts import (
    CountSurvey,
    bucket_counts,
    corpus_counts,
    length_class,
    sampled_counts,
)
from herd.data.stage import Outcome, RuledTransform, Survey, Surveys
from herd.foundation import UserError

MIN_CLASS_SIZE = 30  # fewer texts of a length say too little of what is usual
USUAL = 1.4826  # makes the median absolute deviation a standard deviation where all is normal


@dataclass(frozen=True, kw_only=True, slots=True)
class OutlierFilter:
    """Drop documents whose token distribution is too far from that of their language's corpus."""

    name: ClassVar[str] = "outliers"
    version: ClassVar[int] = 1
    max_deviations: float = 8.0
    smoothing: float = 0.5
    min_tokens: int = 50
    sampled_documents: int = 2000  # of each part

    def __post_init__(self) -> None:
        """Refuse what drops half of everything, or divides by zero."""
        if self.max_deviations < 1:
            raise UserError(f"outliers.max_deviations is {self.max_deviations}; at least 1")
        if self.smoothing <= 0:
            raise UserError(f"outliers.smoothing is {self.smoothing}; it must be positive")

    def open_survey(self) -> Survey:
        """Return the survey of a part: counts by language, and of a sample of documents."""
        return CountSurvey(self.sampled_documents, self.min_tokens)

    def rule(self, surveys: Surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        """Write each language's log-probabilities and the bound of each length class."""
        totals = corpus_counts(surveys)
        bounds: dict[str, dict[str, float]] = {}
        for number, language in enumerate(sorted(totals)):
            log_p_V = _log_probabilities(totals[language], self.smoothing)
            np.save(ruling / f"{number}.npy", log_p_V, allow_pickle=False)
            scores: dict[int, list[float]] = {}
            for counts in sampled_counts(surveys, language):
                score = divergence_nats(*counts, log_p_V)
                scores.setdefault(length_class(int(counts[1].sum())), []).append(score)
            bounds[language] = self._bounds(scores)
        (ruling / "bounds.json").write_text(json.dumps(bounds), encoding="utf-8")
        return {"languages": len(totals)}

    def open(self, ruling: Path, part: int) -> RuledTransform:
        """Return the function that leaves outliers out."""
        bounds = json.loads((ruling / "bounds.json").read_text(encoding="utf-8"))
        log_p = {
            language: np.load(ruling / f"{number}.npy", mmap_mode="r")
            for number, language in enumerate(sorted(bounds))
        }

        def transform(documents: Sequence[Document], first: int) -> Outcome:
            outcome = Outcome()
            for document in documents:
                bound = bounds.get(document.language, {})
                if document.kind != "prose" or not bound:
                    outcome.documents.append(document)
                    continue
                buckets, counts = bucket_counts(document.text)
                most = bound.get(str(length_class(int(counts.sum()))))
                score = divergence_nats(buckets, counts, log_p[document.language])
                if most is not None and score > most:
                    detail = f"{score:.2f} nats, more than {most:.2f}"
                    outcome.drop(document, "outlier tokens", detail)
                else:
                    outcome.documents.append(document)
            return outcome

        return transform

    def _bounds(self, scores: Mapping[int, Sequence[float]]) -> dict[str, float]:
        """The bound of each length class that has texts enough."""
        bounds = {}
        for size, values in sorted(scores.items()):
            if len(values) >= MIN_CLASS_SIZE:
                median = float(np.median(values))
                deviation = USUAL * float(np.median(np.abs(np.array(values) - median)))
                bounds[str(size)] = median + self.max_deviations * max(deviation, 0.01)
        return bounds


def divergence_nats(
    buckets: NDArray[np.int64], counts: NDArray[np.int64], log_p_V: NDArray[np.float64]
) -> float:
    """Return KL(p_document || p_corpus) of a document given by its counts; 0 if it has none."""
    n_tokens = counts.sum()
    if not n_tokens:
        return 0.0
    p = counts / n_tokens
    return float((p * (np.log(p) - log_p_V[buckets])).sum())


def _log_probabilities(counts_V: NDArray[np.int64], smoothing: float) -> NDArray[np.float64]:
    smoothed = counts_V + smoothing
    log_p: NDArray[np.float64] = np.log(smoothed / smoothed.sum())
    return log_p
