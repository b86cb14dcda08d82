"""From folders, seeds and a teacher to a directory with a classifier and its evaluation."""

import json

import pytest

from herd.data import (
    CodeReasoningStage,
    Document,
    EncoderConfig,
    LinearConfig,
    QualityFilter,
    SeedConfig,
    TopicStage,
    distil,
    load_classifier,
    train_classifier,
    train_from_seeds,
)
from herd.data.classify.labelled_texts import read_labelled, split_texts
from herd.data.classify.seeds import label_by_seeds, seed_label
from herd.foundation import UserError

CONFIG = LinearConfig(bits=12)
SMALL = EncoderConfig(bits=10, n_words=80, dim=16, n_layers=1, n_heads=2, epochs=8, peak_lr=1e-2)


@pytest.fixture
def classifier(folders, tmp_path):
    train_classifier(folders, tmp_path / "classifier", CONFIG)
    return tmp_path / "classifier"


def test_a_classifier_lies_beside_its_own_evaluation(folders, tmp_path):
    found = train_classifier(folders, tmp_path / "out", CONFIG)
    assert found.accuracy > 0.7 > found.majority
    saved = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert saved["accuracy"] == found.accuracy and saved["n_texts"] == found.n_texts
    lineage = json.loads((tmp_path / "out" / "lineage.json").read_text())
    assert lineage["locations"] == folders
    assert lineage["texts"]["evaluation"] == found.n_texts


def test_training_again_gives_the_same_files(folders, tmp_path):
    for name in ("one", "two"):
        train_classifier(folders, tmp_path / name, CONFIG)
    for file in ("classifier.json", "evaluation.json"):
        assert (tmp_path / "one" / file).read_text() == (tmp_path / "two" / file).read_text()


def test_an_encoder_learns_the_same_task_and_is_read_back(folders, texts, tmp_path):
    found = train_classifier(folders, tmp_path / "out", SMALL)
    assert found.auc > 0.9
    loaded = load_classifier(tmp_path / "out")
    together = loaded.probabilities_BK(texts[0][:5])
    assert (together == [loaded.probabilities_BK([one])[0] for one in texts[0][:5]]).all()
    assert loaded.probabilities_BK(["", "!"]).shape == (2, 2)


def test_what_belongs_together_is_on_one_side(documents, texts):
    grouped = [
        Document(text=d.text, source="s", name=d.name, meta={"group": str(n % 40)})
        for n, d in enumerate(documents)
    ]
    split = split_texts(list(zip(grouped, texts[1], strict=True)))
    group_of = {d.text: d.meta["group"] for d in grouped}
    groups = [
        {group_of[text] for text in part.texts}
        for part in (split.train, split.calibration, split.evaluation)
    ]
    assert not groups[0] & groups[1] and not groups[1] & groups[2] and not groups[0] & groups[2]
    assert sum(len(p.texts) for p in (split.train, split.calibration, split.evaluation)) == 240


def test_a_text_under_two_labels_says_nothing_and_the_same_text_counts_once(documents, texts):
    labelled = list(zip(documents, texts[1], strict=True))
    other = "bad" if texts[1][0] == "good" else "good"
    split = split_texts([*labelled, (documents[0], other), labelled[1]])
    assert split.counts == {"texts": 239, "the same text again": 2, "under two labels": 1}


def test_seeds_label_what_is_clear_and_training_finds_words_that_are_no_seeds(documents, texts):
    seeds = {
        "good": " ".join(f"clear{n}" for n in range(12)),
        "bad": "buy0 buy1 buy2 buy3 buy4 buy5",
    }
    config = SeedConfig(min_seeds=2, min_confidence=0.7)
    first = [seed_label(one.text, seeds, config) for one in documents]
    taught = label_by_seeds(documents, seeds, config, CONFIG)
    named = [(one, label) for one, label in taught if label != "other"]
    true = dict(zip((one.name for one in documents), texts[1], strict=True))
    assert len(named) > sum(label not in (None, "other") for label in first)
    assert sum(true[one.name] == label for one, label in named) > 0.85 * len(named)


def test_seeds_are_trained_on_and_kept_in_the_lineage(folders, tmp_path):
    seeds = {"good": " ".join(f"clear{n}" for n in range(30))}
    found = train_from_seeds(str(tmp_path), seeds, tmp_path / "out", CONFIG)
    assert found.auc > 0.8
    assert json.loads((tmp_path / "out" / "lineage.json").read_text())["seeds"] == seeds


def test_a_teacher_is_asked_about_every_text_and_nonsense_is_left_out(folders, tmp_path):
    asked = []

    def teacher(prompts):
        asked.extend(prompts)
        return [
            "perhaps" if len(asked) % 9 == 0 else " Yes." if "clear" in one else "No"
            for one in prompts
        ]

    found = distil(
        str(tmp_path), lambda p: [teacher([one])[0] for one in p], tmp_path / "out", SMALL
    )
    assert found.auc > 0.9 and len(asked) == 240
    lineage = json.loads((tmp_path / "out" / "lineage.json").read_text())
    assert lineage["answers that could not be read"] == 240 // 9
    with pytest.raises(UserError, match="neither yes nor no 240 times of 240"):
        distil(str(tmp_path / "good") + "/..", lambda p: ["maybe"] * len(p), tmp_path / "no", SMALL)


def test_documents_below_the_bar_go_and_the_others_know_their_score(classifier, documents, texts):
    stage = QualityFilter(classifier_path=str(classifier), min_score=0.5)
    outcome = stage.open()(documents)
    kept = {one.name for one in outcome.documents}
    right = sum(
        (label == "good") == (one.name in kept)
        for one, label in zip(documents, texts[1], strict=True)
    )
    assert right > 220
    assert all(float(one.meta["quality"]) >= 0.5 for one in outcome.documents)
    assert {one.reason for one in outcome.decisions} == {"low quality"}
    foreign = QualityFilter(classifier_path=str(classifier), languages=("en",)).open()(documents)
    assert foreign.documents == documents


def test_topics_and_detectors_leave_their_labels(classifier, documents):
    known = Document(text="x", source="s", name="k", meta={"topic": "given"})
    outcome = TopicStage(classifier_path=str(classifier), drop=("bad",)).open()([*documents, known])
    assert {one.meta["topic"] for one in outcome.documents} == {"good", "given"}
    assert outcome.counts["bad"] == len(outcome.decisions)
    bare = Document(text="common1 common2", source="s", name="b")
    score = float(load_classifier(classifier).probabilities_BK([bare.text]).max())
    unsure = TopicStage(classifier_path=str(classifier), min_score=min(score + 1e-9, 1.0))
    assert (unsure.open()([bare]).documents[0].meta["topic"] == "unsure") == (score < 1)
    with pytest.raises(UserError, match="has no label 'code'"):
        CodeReasoningStage(code_path=str(classifier)).open()


@pytest.mark.parametrize(
    ("locations", "match"),
    [
        ({"good": "."}, "two labels or more"),
        ({"good": "nowhere", "bad": "nowhere"}, "no such file or directory"),
    ],
)
def test_labels_without_texts_are_refused(tmp_path, monkeypatch, locations, match):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=match):
        train_classifier(locations, "out")


def test_few_texts_and_a_directory_that_is_there_are_refused(folders, tmp_path):
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "a.txt").write_text("one text")
    with pytest.raises(UserError, match="1 texts of 'few'; at least 10"):
        read_labelled({**folders, "few": str(tmp_path / "few")})
    with pytest.raises(UserError, match="already exists"):
        train_classifier(folders, tmp_path, CONFIG)
