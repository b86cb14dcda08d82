"""How good a classifier is on texts that it was not trained on.

In: probabilities, true labels. Out: accuracy, precision, recall and F1 by label, area under the curve,
calibration error, confusion counts. Never: a figure on training text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from herd.data.classify.classifier import TextClassifier

N_BINS = 10
AT_ONCE = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """`majority`: the accuracy of always saying the commonest label. `auc`: the mean over labels.

    `calibration_error`: how far the mean confidence is from the accuracy, over ten bins of confidence.
    `confusion`: true label -> predicted label -> texts.
    """

    n_texts: int
    accuracy: float
    majority: float
    auc: float
    calibration_error: float
    precision: Mapping[str, float]
    recall: Mapping[str, float]
    f1: Mapping[str, float]
    confusion: Mapping[str, Mapping[str, int]]


def evaluate(classifier: TextClassifier, texts: Sequence[str], labels: Sequence[str]) -> Evaluation:
    """Evaluate a classifier on texts with their true labels, one at least."""
    blocks = [
        classifier.probabilities_BK(texts[start : start + AT_ONCE])
        for start in range(0, len(texts), AT_ONCE)
    ]
    true_N = np.array([classifier.labels.index(label) for label in labels])
    return evaluation_of(np.concatenate(blocks), true_N, classifier.labels)


def evaluation_of(
    p_NK: NDArray[np.float64], true_N: NDArray[np.int64], labels: Sequence[str]
) -> Evaluation:
    """Compute all figures from probabilities [texts, labels] and true labels [texts]."""
    said_N = p_NK.argmax(axis=1)
    confusion_KK = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusion_KK, (true_N, said_N), 1)
    right_K = np.diag(confusion_KK)
    precision_K = right_K / np.maximum(confusion_KK.sum(axis=0), 1)
    recall_K = right_K / np.maximum(confusion_KK.sum(axis=1), 1)
    f1_K = 2 * precision_K * recall_K / np.maximum(precision_K + recall_K, 1e-12)
    aucs = [area_under_curve(p_NK[:, k], true_N == k) for k in range(len(labels))]
    return Evaluation(
        n_texts=true_N.size,
        accuracy=_rounded((said_N == true_N).mean()),
        majority=_rounded(np.bincount(true_N).max() / true_N.size),
        auc=_rounded(np.mean([one for one in aucs if one is not None] or [0.5])),
        calibration_error=_rounded(calibration_error(p_NK.max(axis=1), said_N == true_N)),
        precision=_by_label(labels, precision_K),
        recall=_by_label(labels, recall_K),
        f1=_by_label(labels, f1_K),
        confusion={
            label: {other: int(confusion_KK[i, j]) for j, other in enumerate(labels)}
            for i, label in enumerate(labels)
        },
    )


def area_under_curve(score_N: NDArray[np.float64], is_it_N: NDArray[np.bool_]) -> float | None:
    """Return the chance that a text of the label scores above one of another, None if one side is empty."""
    n_it = int(is_it_N.sum())
    n_other = is_it_N.size - n_it
    if not n_it or not n_other:
        return None
    _, inverse, counts = np.unique(score_N, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2  # equal scores share their ranks
    ranks_N = mean_rank[inverse]
    return float((ranks_N[is_it_N].sum() - n_it * (n_it + 1) / 2) / (n_it * n_other))


def calibration_error(confidence_N: NDArray[np.float64], is_right_N: NDArray[np.bool_]) -> float:
    """Return the expected calibration error (Naeini et al. 2015), with equal bins of confidence."""
    bins_N = np.minimum((confidence_N * N_BINS).astype(np.int64), N_BINS - 1)
    sizes = np.bincount(bins_N, minlength=N_BINS)
    confidence = np.bincount(bins_N, weights=confidence_N, minlength=N_BINS)
    right = np.bincount(bins_N, weights=is_right_N.astype(float), minlength=N_BINS)
    return float(np.abs(confidence - right).sum() / max(sizes.sum(), 1))


def _by_label(labels: Sequence[str], values_K: NDArray[np.float64]) -> dict[str, float]:
    return {label: _rounded(value) for label, value in zip(labels, values_K, strict=True)}


def _rounded(value: float | np.floating) -> float:
    return round(float(value), 5)
