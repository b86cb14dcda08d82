"""The linear classifier: against scikit-learn's optimum; whatever the order; safe to load."""

import json
import random

import numpy as np
import pytest

from herd.data import LinearConfig, load_classifier
from herd.data.classify.features import feature_matrix
from herd.data.classify.linear_classifier import train_linear
from herd.foundation import UserError, sha256_file

CONFIG = LinearConfig(bits=12, l2=1e-3)


@pytest.fixture(scope="module")
def trained(texts):
    return train_linear(*texts, CONFIG)


def test_the_optimum_is_scikit_learns(texts, trained):
    from sklearn.linear_model import LogisticRegression

    names, labels = texts
    # C is 1 over (l2 times texts), for its loss is a sum; two symmetric columns halve the penalty.
    peer = LogisticRegression(
        C=2 / (CONFIG.l2 * len(labels)), class_weight="balanced", tol=1e-8, max_iter=2000
    )
    peer.fit(feature_matrix(names, CONFIG.bits).toarray(), labels)
    theirs = peer.predict_proba(feature_matrix(names, CONFIG.bits).toarray())
    np.testing.assert_allclose(trained.probabilities_BK(names), theirs, atol=2e-3)


def test_the_order_of_the_texts_changes_nothing(texts, trained):
    pairs = list(zip(*texts, strict=True))
    random.Random(1).shuffle(pairs)
    again = train_linear(*zip(*pairs, strict=True), CONFIG)
    assert np.array_equal(again.weights_VK, trained.weights_VK)


def test_a_text_does_not_depend_on_its_batch(texts, trained):
    some = texts[0][:7]
    together = trained.probabilities_BK(some)
    alone = np.concatenate([trained.probabilities_BK([text]) for text in some])
    assert np.array_equal(together, alone)
    np.testing.assert_allclose(together.sum(axis=1), 1.0)
    assert trained.probabilities_BK([]).shape == (0, 2)


def test_what_is_saved_says_the_same(texts, trained, tmp_path):
    trained.save(tmp_path)
    loaded = load_classifier(tmp_path)
    assert loaded.labels == ("bad", "good")
    assert np.array_equal(loaded.probabilities_BK(texts[0]), trained.probabilities_BK(texts[0]))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 garbage", b"\x93NUMPY"])
def test_damaged_weights_are_refused(trained, tmp_path, content):
    trained.save(tmp_path)
    (tmp_path / "weights.npz").write_bytes(content)
    with pytest.raises(UserError, match="not what was written"):
        load_classifier(tmp_path)


def test_weights_that_are_no_numbers_are_refused_and_not_taken_for_good(trained, tmp_path):
    trained.save(tmp_path)
    np.savez(tmp_path / "weights.npz", rows=[1], weights=np.full((1, 2), np.nan), bias=np.zeros(2))
    settings = json.loads((tmp_path / "classifier.json").read_text())
    settings["sha256"] = sha256_file(tmp_path / "weights.npz")
    (tmp_path / "classifier.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match="no numbers"):
        load_classifier(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("format", "x", "not a classifier of format"),
        ("labels", ["one"], "not a classifier of format"),
        ("labels", ["a", "b", "c"], "damaged"),
        ("labels", ["a", "a"], "not a classifier of format"),
        ("temperature", 0, "not a classifier of format"),
        ("temperature", float("nan"), "not a classifier of format"),
        ("kind", "forest", "not known here"),
        ("kind", ["linear"], "not known here"),
        ("bits", float("inf"), "damaged"),
        ("bits", "many", "damaged"),
    ],
)
def test_settings_that_do_not_fit_are_refused(trained, tmp_path, field, value, match):
    trained.save(tmp_path)
    settings = json.loads((tmp_path / "classifier.json").read_text())
    (tmp_path / "classifier.json").write_text(json.dumps({**settings, field: value}))
    with pytest.raises(UserError, match=match):
        load_classifier(tmp_path)


def test_no_classifier_and_one_label_are_refused(tmp_path):
    with pytest.raises(UserError, match="no classifier here"):
        load_classifier(tmp_path)
    with pytest.raises(UserError, match="two labels"):
        train_linear(["a", "b"], ["x", "x"], CONFIG)


@pytest.mark.parametrize("wrong", [{"bits": 4}, {"bits": 40}, {"l2": 0.0}, {"max_iterations": 0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UserError, match=f"linear.{next(iter(wrong))}"):
        LinearConfig(**wrong)
