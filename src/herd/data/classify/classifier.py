"""What a classifier of texts is, and how one is read from its directory, whichever kind it is.

In: a directory that `train_classifier` wrote. Out: a classifier. Never: code of a file run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from herd.foundation import UserError, read_json, sha256_file

SETTINGS, EVALUATION, LINEAGE = "classifier.json", "evaluation.json", "lineage.json"
FORMAT = "herd-classifier-1"
MAX_LABELS = 1000
Probabilities = NDArray[np.float64]


class TextClassifier(Protocol):
    """Gives each text a probability for each label."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""

    def probabilities_BK(self, texts: Sequence[str]) -> Probabilities:
        """Return probabilities [texts, labels]; a text's do not depend on the others."""

    def save(self, directory: Path) -> None:
        """Write settings and weights into an existing directory."""


def load_classifier(directory: Path | str) -> TextClassifier:
    """Load a linear classifier or an encoder. Raises UserError when it is damaged or none of ours."""
    from herd.data.classify.encoder import EncoderClassifier
    from herd.data.classify.linear_classifier import LinearClassifier

    settings = read_settings(Path(directory))
    kinds: dict[str, Any] = {"linear": LinearClassifier, "encoder": EncoderClassifier}
    if not isinstance(settings.get("kind"), str) or settings["kind"] not in kinds:
        raise UserError(
            f"{directory}: a classifier of kind {settings.get('kind')!r}, not known here"
        )
    try:
        loaded: TextClassifier = kinds[settings["kind"]].load(Path(directory), settings)
    except UserError:
        raise
    except Exception as error:  # libraries raise what they like for a file made to break them
        raise UserError(f"{directory}: damaged classifier ({error}); train it again") from error
    return loaded


def read_settings(directory: Path) -> dict[str, Any]:
    """Read and check `classifier.json`. Raises UserError when it is missing or not ours."""
    path = directory / SETTINGS
    if not path.is_file():
        raise UserError(
            f"{directory}: no classifier here; make one with herd data train-classifier"
        )
    settings = read_json(path)
    labels = settings.get("labels") if isinstance(settings, dict) else None
    if settings_are_wrong(settings, labels):
        raise UserError(f"{path}: not a classifier of format {FORMAT}")
    return dict(settings)


def settings_are_wrong(settings: Any, labels: Any) -> bool:
    """Return whether settings are not those of a classifier."""
    if not isinstance(settings, dict) or settings.get("format") != FORMAT:
        return True
    temperature = settings.get("temperature")
    if not isinstance(temperature, int | float) or not 1e-6 < temperature < 1e6:
        return True
    if not isinstance(labels, list) or not all(isinstance(one, str) for one in labels):
        return True
    return not 1 < len(set(labels)) == len(labels) <= MAX_LABELS


def check_digest(path: Path, digest: object) -> None:
    """Raise UserError when a file is missing or not the one that was written."""
    if not path.is_file() or sha256_file(path) != digest:
        raise UserError(f"{path} is missing or not what was written; train the classifier again")


def softmax(logits_BK: Probabilities) -> Probabilities:
    """Return probabilities from logits, row by row."""
    shifted = np.exp(logits_BK - logits_BK.max(axis=1, keepdims=True))
    normalised: Probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    return normalised
