"""The mix as a stage: shares, copies, and the same draw in any parts and memory."""

import json
from collections import Counter

import pytest

from herd.data import Document, MixStage, llama3_mix
from herd.data.mix.groups import group_of
from herd.foundation import UserError

N = 400
DOCUMENTS = [
    Document(
        text=f"text {n} " * (n % 9 + 1),
        source=f"s{n % 5}",
        name=f"d{n}",
        language="de" if n % 4 == 0 else "en",
        meta={"topic": "science" if n % 10 == 0 else "sport", "split": "train"},
    )
    for n in range(N)
]
HELD_OUT = Document(text="kept apart", source="s9", name="h", meta={"split": "held_out"})


def run(stage, parts, folder, surveys, memory_bytes=1 << 30):
    folder.mkdir()
    stage.rule(surveys(parts, stage), folder, memory_bytes)
    outcomes = [stage.open(folder, n)(part, 0) for n, part in enumerate(parts)]
    return [one for outcome in outcomes for one in outcome.documents], outcomes


def bytes_by(documents, label):
    found = Counter()
    for one in documents:
        found[label(one)] += len(one.text)
    return found


@pytest.mark.parametrize(("size", "memory_bytes"), [(N, 1 << 30), (150, 1 << 30), (37, 700)])
def test_groups_get_their_shares_in_any_parts_and_memory(
    tmp_path, memory_surveys, size, memory_bytes
):
    documents = [*DOCUMENTS, HELD_OUT]
    parts = [documents[i : i + size] for i in range(0, len(documents), size)] + [[]]
    stage = MixStage(by="topic", weights=(("science", 0.25), ("*", 0.75)))
    mixed, _ = run(stage, parts, tmp_path / "a", memory_surveys, memory_bytes)
    alone, _ = run(stage, [documents], tmp_path / "b", memory_surveys)
    assert [(d.name, d.text) for d in mixed] == [(d.name, d.text) for d in alone]
    assert HELD_OUT in mixed
    read = bytes_by((d for d in mixed if d is not HELD_OUT), lambda d: d.meta["topic"])
    assert read["science"] / sum(read.values()) == pytest.approx(0.25, abs=0.005)
    assert len({one.name for one in mixed}) == len(mixed)


def test_what_was_read_how_often_is_written_down_by_group_and_source(tmp_path, memory_surveys):
    stage = MixStage(by="language", weights=(("de", 0.6), ("en", 0.4)))
    mixed, outcomes = run(stage, [DOCUMENTS], tmp_path / "r", memory_surveys)
    table = json.loads((tmp_path / "r" / "mix.json").read_text())
    for column, label in (("by_group", lambda d: d.language), ("by_source", lambda d: d.source)):
        drawn = bytes_by(mixed, label)
        there = bytes_by(DOCUMENTS, label)
        rows = table[column]
        assert {group: row["bytes_drawn"] for group, row in rows.items()} == dict(drawn)
        assert {g: row["epochs"] for g, row in rows.items()} == pytest.approx(
            {g: drawn[g] / there[g] for g in there}
        )
    names = Counter(d.name.split("@")[0] for d in mixed)
    assert max(names[d.name] for d in DOCUMENTS if d.language == "de") == 3
    assert sum(outcome.counts["copies"] for outcome in outcomes) == sum(
        n - 1 for n in names.values()
    )


def test_copies_know_their_epoch_and_their_first(tmp_path, memory_surveys):
    stage = MixStage(by="topic", total_bytes=2 * sum(len(d.text) for d in DOCUMENTS))
    mixed, _ = run(stage, [DOCUMENTS[:3]], tmp_path / "r", memory_surveys)
    assert [one.name for one in mixed[:3]] == ["d0", "d0@2", "d0@3"]
    assert [one.meta["epoch"] for one in mixed[:3]] == ["1", "2", "3"]


def test_with_no_weights_everything_stays_as_it_is(tmp_path, memory_surveys):
    mixed, outcomes = run(MixStage(), [DOCUMENTS], tmp_path / "r", memory_surveys)
    assert mixed == DOCUMENTS
    assert not any(outcome.decisions for outcome in outcomes)


def test_a_group_with_too_little_text_makes_all_be_read_less(tmp_path, memory_surveys):
    stage = MixStage(by="topic", weights=(("science", 0.9), ("sport", 0.1)), max_epochs=2.0)
    mixed, _ = run(stage, [DOCUMENTS], tmp_path / "r", memory_surveys)
    read = bytes_by(mixed, lambda d: d.meta["topic"])
    assert read["science"] / sum(read.values()) == pytest.approx(0.9, abs=0.005)
    assert max(Counter(d.name.split("@")[0] for d in mixed).values()) == 2


@pytest.mark.parametrize(
    ("fields", "group"),
    [
        ({}, "general"),
        ({"kind": "code"}, "code"),
        ({"meta": {"code": "0.9", "reasoning": "0.9"}}, "code"),
        ({"meta": {"reasoning": "0.5"}}, "reasoning"),
        ({"meta": {"reasoning": "0.49"}}, "general"),
        ({"meta": {"reasoning": "nonsense"}}, "general"),
        ({"meta": {"topic": "Mathematics"}, "language": "fr"}, "reasoning"),
        ({"language": "fr"}, "multilingual"),
    ],
)
def test_the_papers_four_kinds_are_told_by_labels(fields, group):
    document = Document(text="x", source="s", name="n", **fields)
    assert group_of(document, "knowledge") == group


def test_the_papers_mix_adds_up_to_one():
    assert sum(weight for _, weight in llama3_mix().weights) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": "mood"}, "mix.by is 'mood'; it must be one of source"),
        ({"weights": (("a", -1.0),)}, "0 or more"),
        ({"weights": (("a", 1.0), ("a", 2.0))}, "twice"),
        ({"weights": (("a", 1.0),), "temperature": 2.0}, "not both"),
        ({"temperature": 0.0}, "temperature is 0.0; it must be 0.1 or more"),
        ({"temperature": 1e-9}, "0.1 or more"),
        ({"temperature": float("nan")}, "0.1 or more"),
        ({"max_epochs": 0.0}, "above 0, at most 1000"),
        ({"max_epochs": 1e9}, "above 0, at most 1000"),
        ({"total_bytes": 10**30}, "total_bytes is 10"),
    ],
)
def test_settings_that_say_nothing_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        MixStage(**settings)
