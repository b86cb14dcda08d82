"""Figures about a classifier, against scikit-learn's."""

import numpy as np
import pytest

from herd.data.classify.evaluation import area_under_curve, calibration_error, evaluation_of


@pytest.fixture
def predictions():
    dice = np.random.default_rng(0)
    p_NK = dice.dirichlet(np.ones(3), 200).round(2)
    return p_NK, dice.integers(0, 3, 200)


def test_figures_are_scikit_learns(predictions):
    from sklearn import metrics

    p_NK, true_N = predictions
    found = evaluation_of(p_NK, true_N, ("a", "b", "c"))
    said_N = p_NK.argmax(axis=1)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(true_N, said_N), abs=1e-5)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(true_N, said_N)
    for ours, theirs in ((found.precision, precision), (found.recall, recall), (found.f1, f1)):
        assert list(ours.values()) == pytest.approx(theirs.tolist(), abs=1e-5)
    aucs = [metrics.roc_auc_score(true_N == k, p_NK[:, k]) for k in range(3)]
    assert found.auc == pytest.approx(np.mean(aucs), abs=1e-5)
    matrix = [list(row.values()) for row in found.confusion.values()]
    assert matrix == metrics.confusion_matrix(true_N, said_N).tolist()


def test_the_area_is_one_for_the_right_order_and_a_half_for_none():
    it = np.array([False, False, True, True])
    assert area_under_curve(np.array([0.1, 0.2, 0.3, 0.4]), it) == 1.0
    assert area_under_curve(np.array([0.5] * 4), it) == 0.5
    assert area_under_curve(np.array([0.5] * 4), ~it | it) is None


def test_confidence_that_is_the_accuracy_has_no_error():
    confidence = np.array([0.75] * 4)
    right = np.array([True, True, True, False])
    assert calibration_error(confidence, right) == pytest.approx(0.0)
    assert calibration_error(confidence, ~right) == pytest.approx(0.5)
