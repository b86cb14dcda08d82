"""Documents below a bar of quality dropped: a classifier that you train says how good (section 3.1.1).

In: prose. Out: meta `quality` (probability of the good label, four decimals); fewer documents.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from herd.data.classify.classifier import load_classifier
from herd.data.document import Document, Kind
from herd.data.stage import Outcome, Transform
from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityFilter:
    """Score documents by the classifier at `classifier_path`; drop those below `min_score`.

    `label` is the good one. Only documents of `languages` are judged (empty: all): a classifier knows
    the languages that it was trained on.
    """

    name: ClassVar[str] = "quality"
    version: ClassVar[int] = 1
    classifier_path: str
    label: str = "good"
    min_score: float = 0.5
    languages: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ("prose",)

    def __post_init__(self) -> None:
        """Refuse a score that is none."""
        if not 0 <= self.min_score <= 1:
            raise UserError(f"quality.min_score is {self.min_score}; it must be 0 to 1")

    def open(self) -> Transform:
        """Load the classifier and return the function of the stage."""
        classifier = load_classifier(self.classifier_path)
        if self.label not in classifier.labels:
            there = ", ".join(classifier.labels)
            raise UserError(
                f"quality.label: {self.classifier_path} has no {self.label!r}; there is {there}"
            )
        column = classifier.labels.index(self.label)

        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            judged = [one for one in documents if self._is_judged(one)]
            scores = iter(
                classifier.probabilities_BK([one.text for one in judged])[:, column].tolist()
            )
            for document in documents:
                if self._is_judged(document):
                    self._keep_or_drop(document, next(scores), outcome)
                else:
                    outcome.documents.append(document)
            return outcome

        return transform

    def _is_judged(self, document: Document) -> bool:
        is_known = not self.languages or document.language in self.languages
        return is_known and document.kind in self.kinds

    def _keep_or_drop(self, document: Document, score: float, outcome: Outcome) -> None:
        shown = f"{score:.4f}"
        if float(shown) < self.min_score:
            outcome.drop(document, "low quality", f"{shown}, less than {self.min_score:g}")
        else:
            outcome.documents.append(replace(document, meta={**document.meta, "quality": shown}))
