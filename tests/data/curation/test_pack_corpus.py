"""A corpus to shards elsewhere, and sources to shards in one step."""

import pytest

from herd.data import (
    CleaningConfig,
    CurationRecipe,
    PackingConfig,
    ShardReader,
    SourceConfig,
    cleaning_stages,
    corpus_text,
    curate,
    pack_corpus,
    pack_sources,
    read_corpus,
)
from herd.data.curation import LimitsConfig
from herd.foundation import UserError
from herd.tokenizer import load, train_bpe

STAGES = cleaning_stages(CleaningConfig(held_out_fraction=0.2))


@pytest.fixture(scope="module")
def tokenizer_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "t"
    train_bpe(["one word after the other"], vocab_size=520).save(path)
    return path


def recipe_of(source, tokenizer_path=None, stages=STAGES):
    packing = PackingConfig(tokenizer=str(tokenizer_path)) if tokenizer_path else None
    return CurationRecipe(
        name="test",
        sources=(SourceConfig(location=str(source)),),
        stages=stages,
        packing=packing,
        limits=LimitsConfig(part_bytes=20_000),
    )


@pytest.fixture
def corpus(source, tmp_path):
    curate(recipe_of(source), tmp_path / "corpus")
    return tmp_path / "corpus"


def test_shards_hold_the_documents_of_each_split_and_their_history(
    corpus, tokenizer_path, tmp_path
):
    indexes = pack_corpus(corpus, tokenizer_path, tmp_path / "packed")
    tokenizer = load(tokenizer_path)
    for split in ("train", "held_out"):
        reader = ShardReader(tmp_path / "packed" / split)
        documents = list(read_corpus(corpus, split=split))
        assert reader.index == indexes[split]
        assert reader.index.document_names == tuple(one.name for one in documents)
        ids = reader.tokens(0, int(reader.document_offsets[1]) - 1)
        assert tokenizer.decode(ids.tolist()) == documents[0].text
        statistics = reader.index.statistics
        assert [one["stage"] for one in statistics["stages"]] == [one.name for one in STAGES]
        assert statistics["counts"]["licence"]["licence stripped"] == 6
        assert len(statistics["names"]["licence"]["licence stripped"]) == 4
    assert sorted(path.name for path in (tmp_path / "packed").iterdir()) == ["held_out", "train"]


def test_packing_in_one_step_or_two_gives_the_same_tokens(source, corpus, tokenizer_path, tmp_path):
    two = pack_corpus(corpus, tokenizer_path, tmp_path / "two")
    one = pack_sources(recipe_of(source, tokenizer_path), tmp_path / "one")
    assert {split: index.sha256 for split, index in one.items()} == {
        split: index.sha256 for split, index in two.items()
    }
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["held_out", "train"]


def test_a_failure_leaves_nothing(source, tokenizer_path, tmp_path, monkeypatch):
    import herd.data.curation.shards

    def full(*_, **__):
        raise UserError("the disk is full")

    monkeypatch.setattr(herd.data.curation.shards, "merge_shards", full)
    with pytest.raises(UserError, match="disk is full"):
        pack_sources(recipe_of(source, tokenizer_path), tmp_path / "packed")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_an_existing_directory_is_replaced_only_when_asked(source, tokenizer_path, tmp_path):
    recipe, out = recipe_of(source, tokenizer_path), tmp_path / "packed"
    out.mkdir()
    with pytest.raises(UserError, match="already exists"):
        pack_sources(recipe, out)
    for _ in range(2):
        pack_sources(recipe, out, replace_shards=True)
        assert ShardReader(out / "train").n_documents > 0


def test_a_directory_of_other_things_is_never_replaced(source, tokenizer_path, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match="not a packed directory"):
        pack_sources(recipe_of(source, tokenizer_path), tmp_path / "precious", replace_shards=True)
    assert (tmp_path / "precious" / "thesis.tex").exists()


def test_a_tokenizer_is_trained_on_what_is_not_held_out(corpus):
    texts = list(corpus_text(corpus))
    assert texts == [one.text for one in read_corpus(corpus, split="train")]
    some = list(corpus_text(corpus, sum(map(len, texts)) // 3))
    assert 0 < len(some) < len(texts) and set(some) < set(texts)


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({}, "no file of a known kind"),
        ({"a.txt": bytes(99), "b.txt": b""}, r"1 binary file \(a\.txt\), 1 empty file \(b\.txt\)"),
        ({"a.jsonl": b"{broken\n{too"}, r"2 malformed row \(a\.jsonl:1, a\.jsonl:2\)"),
        ({"a.txt": b"   \n "}, "1 too short"),
        ({"a.csv": b"x,y\n1,2\n"}, "1 file without a column 'text'"),
    ],
)
def test_an_unusable_corpus_is_one_line_that_says_why(tmp_path, tokenizer_path, files, match):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with pytest.raises(UserError, match=match) as raised:
        pack_sources(recipe_of(folder, tokenizer_path), tmp_path / "packed")
    assert "\n" not in str(raised.value)
    curate(recipe_of(folder), tmp_path / "corpus")
    for use in (
        lambda: pack_corpus(tmp_path / "corpus", tokenizer_path, tmp_path / "p"),
        lambda: corpus_text(tmp_path / "corpus"),
    ):
        with pytest.raises(UserError, match=match):
            use()
