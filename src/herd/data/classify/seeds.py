"""Labels from seeds: a few words that betray a topic, then what a classifier learns from texts that have them.

A text with several different seeds of one label and few of the others gets that label; without any seed
it is `other`. A classifier trained on these labels knows words that are no seeds, so it labels the
texts again, where it is sure, and is trained on those (self-training, a few rounds).
In: texts, seeds. Out: labelled documents. Never: a text that is unclear used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from herd.data.classify.features import MAX_CHARS
from herd.data.classify.linear_classifier import LinearConfig, train_linear
from herd.data.document import Document
from herd.data.word_hashes import Hashes, word_hashes
from herd.foundation import UserError, read_json

OTHER = "other"
Seeds = Mapping[str, str]  # label -> words with spaces between


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedConfig:
    """`min_seeds`: different seeds that a label takes; `margin`: times as many as any other label has.

    In each of `n_rounds` texts are relabelled of which the classifier is `min_confidence` sure.
    """

    min_seeds: int = 3
    margin: float = 2.0
    n_rounds: int = 2
    min_confidence: float = 0.8

    def __post_init__(self) -> None:
        """Refuse what labels everything."""
        if self.min_seeds < 1 or self.margin < 1 or self.n_rounds < 0:
            raise UserError("seeds: min_seeds and margin must be at least 1, n_rounds 0 or more")
        if not 0.5 <= self.min_confidence < 1:
            raise UserError(f"seeds.min_confidence is {self.min_confidence}; it must be 0.5 to 1")


def read_seeds(path: Path | str) -> dict[str, str]:
    """Read a JSON object: label -> words, in a list or with spaces between. Raises UserError for anything else."""
    found = read_json(Path(path))
    if not isinstance(found, dict) or not found:
        raise UserError(f"{path}: not a JSON object of labels with their seed words")
    found = {
        label: " ".join(words) if _is_list_of_words(words) else words
        for label, words in found.items()
    }
    for label, words in found.items():
        if not (isinstance(words, str) and words.strip()):
            raise UserError(
                f"{path}: the seeds of {label!r} are not words, in a list or with spaces between"
            )
    return found


def seed_label(text: str, seeds: Seeds, config: SeedConfig) -> str | None:
    """Return the label that a text's seeds give, `other` without any, None where they are unclear."""
    return _label_of(_counts(text, _hashed(seeds)), list(seeds), config)


def label_by_seeds(
    documents: Sequence[Document], seeds: Seeds, config: SeedConfig, linear: LinearConfig
) -> list[tuple[Document, str]]:
    """Return the documents that are clear, with their labels.

    Raises UserError when fewer than two labels are found.
    """
    hashed, names = _hashed(seeds), [*seeds]
    labels = [_label_of(_counts(one.text, hashed), names, config) for one in documents]
    for _ in range(config.n_rounds):
        clear = [number for number, label in enumerate(labels) if label is not None]
        _require_two({str(labels[number]) for number in clear}, names)
        texts = [documents[number].text for number in clear]
        classifier = train_linear(texts, [str(labels[number]) for number in clear], linear)
        p_NK = classifier.probabilities_BK([one.text for one in documents])
        sure_N = p_NK.max(axis=1) >= config.min_confidence
        said = [classifier.labels[at] for at in p_NK.argmax(axis=1)]
        labels = [
            one if sure else label for one, sure, label in zip(said, sure_N, labels, strict=True)
        ]
    return [(one, label) for one, label in zip(documents, labels, strict=True) if label is not None]


def _is_list_of_words(words: object) -> bool:
    return isinstance(words, list) and all(isinstance(one, str) for one in words)


def _require_two(found: set[str], names: Sequence[str]) -> None:
    if len(found) < 2:
        shown = ", ".join(sorted(found)) or "none"
        raise UserError(
            f"seeds tell no two labels apart here (found: {shown}; sought: {', '.join(names)}): give more "
            "seed words, or texts of which only some are about them"
        )


def _hashed(seeds: Seeds) -> list[Hashes]:
    return [np.unique(word_hashes(words)) for words in seeds.values()]


def _counts(text: str, hashed: Sequence[Hashes]) -> list[int]:
    """How many different seeds of each label a text has."""
    words = np.unique(word_hashes(text[:MAX_CHARS]))
    return [int(np.isin(one, words).sum()) for one in hashed]


def _label_of(counts: Sequence[int], names: Sequence[str], config: SeedConfig) -> str | None:
    best = max(range(len(counts)), key=lambda number: counts[number])
    others = max((n for number, n in enumerate(counts) if number != best), default=0)
    if counts[best] >= config.min_seeds and counts[best] >= config.margin * others:
        return names[best]
    return OTHER if counts[best] == 0 else None
