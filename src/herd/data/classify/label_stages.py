"""What a document is about, and whether it holds code or reasoning: labels by classifiers that you train.

In: prose. Out: meta `topic`; meta `code` and `reasoning` (probabilities, four decimals), which the mix reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from herd.data.classify.classifier import TextClassifier, load_classifier
from herd.data.document import Document
from herd.data.stage import Outcome, Transform
from herd.foundation import UserError

UNSURE = "unsure"


@dataclass(frozen=True, kw_only=True, slots=True)
class TopicStage:
    """Write the likeliest label into meta `topic`, or `unsure` below `min_score`; drop those of `drop`.

    A topic that the source gave stays.
    """

    name: ClassVar[str] = "topic"
    version: ClassVar[int] = 1
    classifier_path: str
    min_score: float = 0.0
    drop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a score that is none."""
        if not 0 <= self.min_score <= 1:
            raise UserError(f"topic.min_score is {self.min_score}; it must be 0 to 1")

    def open(self) -> Transform:
        """Load the classifier and return the function of the stage."""
        classifier = load_classifier(self.classifier_path)

        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            open_ones = [one for one in documents if _is_open(one)]
            p_BK = classifier.probabilities_BK([one.text for one in open_ones])
            best = iter(zip(p_BK.argmax(axis=1).tolist(), p_BK.max(axis=1).tolist(), strict=True))
            for document in documents:
                if _is_open(document):
                    number, score = next(best)
                    label = classifier.labels[number] if score >= self.min_score else UNSURE
                    document = replace(document, meta={**document.meta, "topic": label})
                self._keep_or_drop(document, outcome)
            return outcome

        return transform

    def _keep_or_drop(self, document: Document, outcome: Outcome) -> None:
        topic = document.meta.get("topic", "")
        outcome.count(topic or "none")
        if topic and topic in self.drop:
            outcome.drop(document, "topic", topic)
        else:
            outcome.documents.append(document)


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeReasoningStage:
    """Write how likely a document holds code, and reasoning, each by a detector of its own.

    A path left empty leaves its score out.
    """

    name: ClassVar[str] = "code_reasoning"
    version: ClassVar[int] = 1
    code_path: str = ""
    reasoning_path: str = ""

    def __post_init__(self) -> None:
        """Refuse neither."""
        if not self.code_path and not self.reasoning_path:
            raise UserError("code_reasoning needs a code_path or a reasoning_path")

    def open(self) -> Transform:
        """Load the detectors and return the function of the stage."""
        paths = {"code": self.code_path, "reasoning": self.reasoning_path}
        detectors = {name: load_classifier(path) for name, path in paths.items() if path}
        for name, detector in detectors.items():
            if name not in detector.labels:
                raise UserError(f"code_reasoning: {paths[name]} has no label {name!r}")

        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            for document in documents:
                meta = _scores(document, detectors) if document.kind == "prose" else {}
                outcome.documents.append(replace(document, meta={**document.meta, **meta}))
                for name, score in meta.items():
                    outcome.count(name, int(float(score) >= 0.5))
            return outcome

        return transform


def _is_open(document: Document) -> bool:
    return document.kind == "prose" and not document.meta.get("topic")


def _scores(document: Document, detectors: Mapping[str, TextClassifier]) -> dict[str, str]:
    return {
        name: f"{detector.probabilities_BK([document.text])[0, detector.labels.index(name)]:.4f}"
        for name, detector in detectors.items()
    }
