"""Documents that overlap with benchmarks are named, counted, dropped."""

import json

import numpy as np
import pytest

from herd.data.contamination import ContaminationStage, example_score, read_examples, read_seen
from herd.data.curation import CurationRecipe, curate, read_corpus
from herd.data.document import Document
from herd.data.sources import SourceConfig
from herd.data.stage import CorpusStage
from herd.foundation import UserError

QUESTION = "Natalia sold clips to forty eight of her friends in April and then half as many in May"
OTHER = "A robe takes two bolts of blue fibre and half that much white fibre how many bolts"
BOOK = "It was a dark and stormy night when nothing of any note was said to anybody at all"


@pytest.fixture
def benchmarks(tmp_path):
    for name, text in (("gsm", QUESTION), ("math", OTHER)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"q": text}) + "\n")
    return tuple(str(tmp_path / f"{name}.jsonl") for name in ("gsm", "math"))


def corpus():
    texts = [
        BOOK,
        f"{BOOK} {QUESTION} {BOOK} {BOOK} {BOOK} {BOOK}",
        f"{QUESTION.upper()}! {OTHER}",
        "",
        f"{BOOK} {' '.join(OTHER.split()[:8])} {BOOK}",
        " ".join(QUESTION.split()[:7]),
    ]
    return [Document(text=text, source="s", name=f"d{i}") for i, text in enumerate(texts)]


@pytest.fixture
def apply(tmp_path, memory_surveys):
    def apply(stage, n_parts=1):
        documents = corpus()
        parts = [documents[i::n_parts] for i in range(n_parts)]
        ruling = tmp_path / f"ruling-{n_parts}-{stage.action}"
        ruling.mkdir()
        counts = stage.rule(memory_surveys(parts, stage), ruling, 1 << 30)
        outcomes = [
            stage.open(ruling, number)(part[start : start + 2], start)
            for number, part in enumerate(parts)
            for start in range(0, len(part), 2)
        ]
        return outcomes, counts, ruling

    return apply


def kept(outcomes):
    return {one.name: one for outcome in outcomes for one in outcome.documents}


@pytest.mark.parametrize("n_parts", [1, 2, 5])
def test_documents_are_labelled_with_the_benchmarks_they_share_words_with(
    apply, benchmarks, n_parts
):
    outcomes, counts, _ = apply(ContaminationStage(benchmark_paths=benchmarks), n_parts)
    labels = {name: one.meta.get("contamination") for name, one in kept(outcomes).items()}
    n = {name: len(one.text.split()) for name, one in kept(outcomes).items()}
    assert labels == {
        "d0": None,
        "d1": f"gsm 18/{n['d1']}",
        "d2": f"gsm 18/{n['d2']}, math 17/{n['d2']}",
        "d3": None,
        "d4": f"math 8/{n['d4']}",
        "d5": None,
    }
    total = {}
    for outcome in outcomes:
        for name, amount in outcome.counts.items():
            total[name] = total.get(name, 0) + amount
    assert total == {"gsm": 2, "math": 2}
    assert counts["documents that overlap"] == 3
    assert counts["benchmark grams seen"] == counts["benchmark grams"] == 21


@pytest.mark.parametrize("n_parts", [1, 3])
def test_those_above_the_share_are_dropped_and_the_benchmarks_named(apply, benchmarks, n_parts):
    stage = ContaminationStage(benchmark_paths=benchmarks, action="drop")
    outcomes, _, _ = apply(stage, n_parts)
    decisions = [one for outcome in outcomes for one in outcome.decisions]
    assert sorted(kept(outcomes)) == ["d0", "d1", "d3", "d4", "d5"]
    assert [(one.document, one.reason) for one in decisions] == [("d2", "benchmark overlap")]
    assert decisions[0].detail == "100% of the words, at least 30%: gsm 18/35, math 17/35"


def test_the_ruling_gives_every_examples_score(apply, benchmarks):
    _, _, ruling = apply(ContaminationStage(benchmark_paths=benchmarks), 2)
    seen = read_seen(ruling)
    assert [example_score(one.text, seen) for one in read_examples(benchmarks)] == [1.0, 1.0]
    assert example_score(BOOK, seen) == 0
    assert np.all(np.diff(seen.astype(object)) > 0)


def test_it_runs_in_a_recipe_and_a_changed_benchmark_changes_the_run(tmp_path, benchmarks):
    source = tmp_path / "corpus.jsonl"
    source.write_text("".join(json.dumps({"text": one.text}) + "\n" for one in corpus()))
    stage = ContaminationStage(benchmark_paths=benchmarks, action="drop")
    recipe = CurationRecipe(
        name="r", sources=(SourceConfig(location=str(source)),), stages=(stage,)
    )
    curate(recipe, tmp_path / "out")
    texts = [one.text for one in read_corpus(tmp_path / "out")]
    assert len(texts) == 5 and not any("!" in text for text in texts)


def test_it_is_a_stage_of_the_corpus(benchmarks):
    assert isinstance(ContaminationStage(benchmark_paths=benchmarks), CorpusStage)


@pytest.mark.parametrize(
    "wrong",
    [
        {"benchmark_paths": ()},
        {"n_words": 0},
        {"n_words": 10**30},
        {"action": "burn"},
        {"min_share": 0.0},
        {"min_share": 1.5},
    ],
)
def test_settings_that_find_nothing_or_everything_are_refused(wrong):
    with pytest.raises(UserError, match=f"contamination.{next(iter(wrong))}"):
        ContaminationStage(**{"benchmark_paths": ("a",), **wrong})


def test_a_ruling_without_grams_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_seen(tmp_path)
