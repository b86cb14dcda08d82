"""What a corpus of books, plays and code goes through: one text once, no licence, some of it held out."""

import json

import pytest

from herd.data import (
    CleaningConfig,
    CurationRecipe,
    Document,
    EditionsStage,
    SourceConfig,
    cleaning_stages,
    curate,
    read_corpus,
    why,
)
from herd.data.cleaning.editions import sketch
from herd.foundation import UserError, from_dict, to_dict

HEADER = "*** START OF THE PROJECT GUTENBERG EBOOK A PLAY ***\n"
FOOTER = "\n*** END OF THE PROJECT GUTENBERG EBOOK A PLAY ***\nlicence\n"


@pytest.fixture
def folder(tmp_path):
    """Twelve different texts, one of them twice more: under another name, and with a licence."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for i in range(12):
        text = f"Scene {i}.\n" + "".join(f"Line {j * j + i} of scene {i}.\n" for j in range(40))
        (folder / f"{i:02}.txt").write_text(text)
    (folder / "copy.txt").write_text((folder / "03.txt").read_text() + "\n")
    (folder / "licensed.txt").write_text(HEADER + (folder / "04.txt").read_text() + FOOTER)
    return folder


@pytest.fixture
def cleaned(tmp_path):
    """Curate a folder; return the directory of the corpus."""

    def cleaned(folder, **cleaning):
        config = CleaningConfig(**({"held_out_fraction": 0.2} | cleaning))
        out = tmp_path / f"corpus-{len(list(tmp_path.iterdir()))}"
        sources = (SourceConfig(location=str(folder)),)
        curate(CurationRecipe(name="c", sources=sources, stages=cleaning_stages(config)), out)
        return out

    return cleaned


def texts_of(corpus, split=None):
    return [document.text for document in read_corpus(corpus, split=split)]


def test_every_document_is_in_one_split_or_dropped_for_a_reason(folder, cleaned):
    corpus = cleaned(folder)
    train, held_out = texts_of(corpus, "train"), texts_of(corpus, "held_out")
    assert held_out and len({*train, *held_out}) == len(train) + len(held_out) == 12
    ((stage, decision),) = why(corpus, "copy.txt").decisions
    assert (stage, decision.reason, decision.detail) == ("exact", "same text", "03.txt")
    reasons = [decision.reason for _, decision in why(corpus, "licensed.txt").decisions]
    assert reasons == ["licence stripped", "same text"]


def test_licences_stay_when_asked(folder, cleaned):
    assert len(texts_of(cleaned(folder, strip_licences=False))) == 13


def test_short_texts_are_dropped_by_name(folder, cleaned):
    (folder / "tiny.txt").write_text("tiny")
    ((_, decision),) = why(cleaned(folder, min_chars=10), "tiny.txt").decisions
    assert decision.reason == "too short"


def test_the_split_does_not_depend_on_names_or_order(folder, cleaned):
    before = set(texts_of(cleaned(folder), "held_out"))
    for number, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        path.rename(folder / f"z{number}.txt")
    assert set(texts_of(cleaned(folder), "held_out")) == before


def test_editions_are_dropped_in_prose_and_not_in_code(tmp_path, cleaned):
    letters = "bcdfglmnprst"
    folder = tmp_path / "editions"
    folder.mkdir()
    for suffix in ("txt", "py"):
        lines = [
            f"{letters[i % 12]}o{letters[i // 12 % 12]}a{letters[i // 5 % 12]} {suffix}"
            for i in range(600)
        ]
        (folder / f"a.{suffix}").write_text("\n".join(lines))
        (folder / f"b.{suffix}").write_text("\n".join(lines[:-20]) + f"\nonly in {suffix}")
    corpus = cleaned(folder, held_out_fraction=0.0)
    assert sorted(d.name for d in read_corpus(corpus)) == ["a.py", "a.txt", "b.py"]
    ((_, decision),) = why(corpus, "b.txt").decisions
    assert decision.reason == "another edition" and decision.detail.endswith("of it in a.txt")


def test_a_page_becomes_its_text_and_other_text_is_left_to_the_letter(tmp_path, cleaned):
    folder = tmp_path / "mixed"
    folder.mkdir()
    sentence = "The mill by the river was built by the father of the present owner. "
    page = f"<html><body><nav>Home</nav><article><p>{sentence * 8}</p></article></body></html>"
    (folder / "a.html").write_text(page)
    (folder / "b.md").write_text("# A heading\n\nwith a soft\u00adhyphen")
    texts = texts_of(cleaned(folder, held_out_fraction=0.0))
    assert texts[0].strip() == (sentence * 8).strip()
    assert texts[1] == "# A heading\n\nwith a soft\u00adhyphen"


def test_texts_beyond_the_memory_for_editions_are_kept_and_counted(
    folder, memory_surveys, tmp_path
):
    parts = [[Document(text=p.read_text(), source="s", name=p.name) for p in folder.iterdir()]]
    stage = EditionsStage(max_runs=0)
    counts = stage.rule(memory_surveys(parts, stage), tmp_path, 1 << 30)
    n_long = sum(bool(len(sketch(one.text).runs)) for one in parts[0])
    assert n_long and counts["not compared (memory)"] == n_long


@pytest.mark.parametrize("config", [CleaningConfig(), CleaningConfig(min_chars=9)])
def test_configs_survive_json(config):
    assert from_dict(CleaningConfig, json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize("wrong", [{"held_out_fraction": 0.9}, {"min_chars": 0}])
def test_a_config_that_makes_no_sense_names_its_field(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        CleaningConfig(**wrong)
