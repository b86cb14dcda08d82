"""The temperature that makes a classifier's confidence its accuracy (Guo et al. 2017).

In: a classifier, texts that its training has not seen, their labels. Out: one number.
"""

from collections.abc import Sequence

import numpy as np

from herd.data.classify.classifier import TextClassifier, softmax

LEAST = 1e-300
RANGE = (-3.0, 3.0)  # of its logarithm


def fitted_temperature(
    classifier: TextClassifier, texts: Sequence[str], labels: Sequence[str]
) -> float:
    """Return the temperature under which the texts' labels are likeliest; the classifier's own is 1."""
    from scipy.optimize import minimize_scalar

    logits_BK = np.log(np.maximum(classifier.probabilities_BK(texts), LEAST))
    chosen = np.array([classifier.labels.index(label) for label in labels])

    def loss(log_temperature: float) -> float:
        p_B = softmax(logits_BK / np.exp(log_temperature))[np.arange(chosen.size), chosen]
        return float(-np.log(np.maximum(p_B, LEAST)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=RANGE, method="bounded").x))
