"""A fast linear classifier of texts: multinomial logistic regression over hashed words and pairs.

Its training has one optimum (the loss is convex and regularised), so the result does not depend on a
seed, nor on the order of the texts. Probabilities are calibrated by a temperature fitted on texts that
training has not seen (Guo et al. 2017).
In: texts and labels. Out: probabilities. Never: a pickle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from herd.data.classify.classifier import FORMAT, SETTINGS, Probabilities, check_digest, softmax
from herd.data.classify.features import feature_matrix, features
from herd.foundation import UserError, sha256_file, write_json

WEIGHTS = "weights.npz"
MAX_BITS = 26
Weights = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class LinearConfig:
    """`bits`: 2^bits buckets. `l2`: the penalty, as a share of the loss of all texts together."""

    bits: int = 18
    l2: float = 1e-5
    max_iterations: int = 200

    def __post_init__(self) -> None:
        """Refuse tables too small to tell words apart, or too large for memory."""
        if not 8 <= self.bits <= MAX_BITS:
            raise UserError(f"linear.bits is {self.bits}; it must be 8 to {MAX_BITS}")
        if not self.l2 > 0 or self.max_iterations < 1:
            raise UserError("linear.l2 must be above 0 and linear.max_iterations at least 1")


@dataclass(frozen=True, slots=True)
class LinearClassifier:
    """`weights_VK` [buckets, labels], `bias_K`, and the temperature that logits are divided by."""

    labels: tuple[str, ...]
    bits: int
    weights_VK: Weights
    bias_K: Weights
    temperature: float = 1.0

    def probabilities_BK(self, texts: Sequence[str]) -> Probabilities:
        """Return probabilities [texts, labels]; a text's do not depend on the others."""
        logits_BK = np.empty((len(texts), len(self.labels)))
        for number, text in enumerate(texts):
            buckets, values = features(text, self.bits)
            logits_BK[number] = values @ self.weights_VK[buckets] + self.bias_K
        return softmax(logits_BK / self.temperature)

    def save(self, directory: Path) -> None:
        """Write settings and weights, those that are not zero, into an existing directory."""
        rows = np.flatnonzero(self.weights_VK.any(axis=1))
        weights_RK = self.weights_VK[rows].astype(np.float32)
        np.savez_compressed(directory / WEIGHTS, rows=rows, weights=weights_RK, bias=self.bias_K)
        settings = {
            "format": FORMAT,
            "kind": "linear",
            "labels": list(self.labels),
            "bits": self.bits,
            "temperature": self.temperature,
            "sha256": sha256_file(directory / WEIGHTS),
        }
        write_json(directory / SETTINGS, settings)

    @classmethod
    def load(cls, directory: Path, settings: dict[str, Any]) -> "LinearClassifier":
        """Read what `save` wrote. Raises UserError or ValueError when it is damaged."""
        check_digest(directory / WEIGHTS, settings["sha256"])
        labels, bits = tuple(settings["labels"]), int(settings["bits"])
        LinearConfig(bits=bits)
        with np.load(directory / WEIGHTS, allow_pickle=False) as file:
            rows, weights_RK, bias_K = file["rows"], file["weights"], file["bias"]
        if rows.dtype.kind not in "iu" or weights_RK.dtype.kind != "f" or bias_K.dtype.kind != "f":
            raise ValueError("weights of another type")
        if weights_RK.shape != (rows.size, len(labels)) or bias_K.shape != (len(labels),):
            raise ValueError("weights of another shape")
        if rows.size and not (rows.min() >= 0 and rows.max() < 1 << bits):
            raise ValueError("rows beyond the table")
        if not (np.isfinite(weights_RK).all() and np.isfinite(bias_K).all()):
            raise ValueError("weights that are no numbers")
        weights_VK = np.zeros((1 << bits, len(labels)))
        weights_VK[rows] = weights_RK
        return cls(labels, bits, weights_VK, bias_K, float(settings["temperature"]))


def train_linear(
    texts: Sequence[str], labels: Sequence[str], config: LinearConfig
) -> LinearClassifier:
    """Fit a classifier; the same whatever the order of the texts. Raises UserError for a single label."""
    names = tuple(sorted(set(labels)))
    if len(names) < 2:
        raise UserError("a classifier needs texts of two labels or more")
    order = sorted(range(len(texts)), key=lambda number: (texts[number], labels[number]))
    matrix = feature_matrix([texts[number] for number in order], config.bits)
    number_of = {name: number for number, name in enumerate(names)}
    targets_N = np.array([number_of[labels[number]] for number in order])
    weights_VK, bias_K = _fit(matrix, targets_N, len(names), config)
    rounded_VK = weights_VK.astype(np.float32).astype(np.float64)  # as they are saved
    return LinearClassifier(names, config.bits, rounded_VK, bias_K)


def _fit(
    matrix: Any, targets_N: NDArray[np.int64], n_labels: int, config: LinearConfig
) -> tuple[Weights, Weights]:
    """The optimum of the mean cross-entropy and l2/2 times the weights' squares, by L-BFGS.

    Only buckets that occur have weights; labels weigh alike, however many texts they have.
    """
    from scipy.optimize import minimize

    used = np.unique(matrix.indices)
    columns = matrix[:, used]
    weight_N = (1.0 / np.bincount(targets_N, minlength=n_labels) / n_labels)[targets_N]
    one_hot_NK = np.eye(n_labels)[targets_N]

    def loss(flat: Weights) -> tuple[float, Weights]:
        weights_UK = flat[: used.size * n_labels].reshape(used.size, n_labels)
        bias_K = flat[used.size * n_labels :]
        p_NK = softmax(columns @ weights_UK + bias_K)
        right_N = np.maximum(p_NK[np.arange(targets_N.size), targets_N], 1e-300)
        error_NK = (p_NK - one_hot_NK) * weight_N[:, None]
        value = float(-(weight_N * np.log(right_N)).sum() + config.l2 / 2 * (weights_UK**2).sum())
        gradient_UK = columns.T @ error_NK + config.l2 * weights_UK
        return value, np.concatenate([gradient_UK.ravel(), error_NK.sum(axis=0)])

    start = np.zeros((used.size + 1) * n_labels)
    options = {"maxiter": config.max_iterations, "ftol": 1e-10}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    weights_VK = np.zeros((1 << config.bits, n_labels))
    weights_VK[used] = found.x[: used.size * n_labels].reshape(used.size, n_labels)
    return weights_VK, found.x[used.size * n_labels :]
