import json

import pytest

from herd.data import CleaningConfig, ShardReader, SourceConfig, Tally, pack_corpus, prepare
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


def prepared(folder, **cleaning):
    cleaning = {"held_out_fraction": 0.2} | cleaning
    return prepare([SourceConfig(location=str(folder))], CleaningConfig(**cleaning))


def texts_of(corpus, split):
    return [document.text for document in corpus.documents(split)]


def test_every_document_is_in_one_split_or_named_as_dropped(folder):
    corpus = prepared(folder)
    train, held_out = texts_of(corpus, "train"), texts_of(corpus, "held_out")
    assert len(train) == corpus.n_documents("train")
    assert len(held_out) == corpus.n_documents("held_out") >= 1
    assert len({*train, *held_out}) == len(train) + len(held_out) == 12
    assert sum(len(t.encode()) for t in train) == corpus.n_bytes("train")
    names = corpus.tally.statistics()["names"]
    assert names["deduplicate"]["exact duplicate"] == ["copy.txt = 03.txt", "licensed.txt = 04.txt"]
    assert names["clean"]["licence stripped (header)"] == ["licensed.txt"]
    assert len(names["split"]["held out"]) == len(held_out)


def test_licences_stay_when_asked(folder):
    corpus = prepared(folder, strip_licences=False)
    assert corpus.n_documents("train") + corpus.n_documents("held_out") == 13


def test_short_texts_are_dropped_by_name(folder):
    (folder / "tiny.txt").write_text("tiny")
    corpus = prepared(folder, min_chars=10)
    assert corpus.tally.statistics()["names"]["clean"]["too short"] == ["tiny.txt"]


def test_the_split_does_not_depend_on_names_or_order(folder, tmp_path):
    before = set(texts_of(prepared(folder), "held_out"))
    for number, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        path.rename(folder / f"z{number}.txt")
    assert set(texts_of(prepared(folder), "held_out")) == before


def test_editions_are_dropped_in_prose_and_not_in_code(tmp_path):
    letters = "bcdfglmnprst"
    for suffix in ("txt", "py"):
        lines = [
            f"{letters[i % 12]}o{letters[i // 12 % 12]}a{letters[i // 5 % 12]} {suffix}"
            for i in range(600)
        ]
        (tmp_path / f"a.{suffix}").write_text("\n".join(lines))
        (tmp_path / f"b.{suffix}").write_text("\n".join(lines[:-20]) + f"\nonly in {suffix}")
    corpus = prepared(tmp_path, held_out_fraction=0.0)
    assert sorted(d.name for d in corpus.documents("train")) == ["a.py", "a.txt", "b.py"]
    (named,) = corpus.tally.statistics()["names"]["deduplicate"]["another edition"]
    assert named.startswith("b.txt: ") and named.endswith("of it in a.txt")


def test_a_source_that_changes_between_the_readings_is_noticed(folder):
    corpus = prepared(folder)
    for path in folder.iterdir():
        path.write_text(path.read_text() + "changed")
    with pytest.raises(UserError, match="changed while"):
        texts_of(corpus, "train")


def test_a_source_that_loses_files_is_noticed(folder):
    corpus = prepared(folder, held_out_fraction=0.0)
    for name in ("10.txt", "11.txt", "copy.txt", "licensed.txt"):
        (folder / name).unlink()
    with pytest.raises(UserError, match="shorter while"):
        texts_of(corpus, "train")


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
def test_an_unusable_corpus_is_one_line_that_says_why(tmp_path, files, match):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=match) as raised:
        prepare([SourceConfig(location=str(tmp_path))])
    assert "\n" not in str(raised.value)


def test_texts_beyond_the_memory_for_editions_are_counted(folder, monkeypatch):
    import herd.data.corpus

    monkeypatch.setattr(herd.data.corpus, "MAX_SKETCHED_RUNS", 0)
    counts = prepared(folder).tally.counts
    assert counts["deduplicate", "not compared with other editions (memory)"] >= 10


def test_packing_a_corpus_makes_both_shards_with_their_history(folder, tokenizer, tmp_path):
    corpus = prepared(folder)
    indexes = pack_corpus(corpus, tokenizer, tmp_path / "packed")
    for split in ("train", "held_out"):
        reader = ShardReader(tmp_path / "packed" / split)
        assert reader.index == indexes[split]
        assert reader.n_bytes == corpus.n_bytes(split)
        ids = reader.tokens(0, int(reader.document_offsets[1]) - 1)
        assert bytes(ids.tolist()).decode() == texts_of(corpus, split)[0]
        assert reader.index.statistics["counts"]["deduplicate"]["exact duplicate"] == 2
        assert reader.index.statistics["cleaning"]["held_out_fraction"] == 0.2


def test_packing_twice_gives_the_same_bytes(folder, tokenizer, tmp_path):
    first, second = (
        pack_corpus(prepared(folder), tokenizer, tmp_path / name) for name in ("one", "two")
    )
    assert first == second


def test_a_failure_in_the_second_shard_leaves_nothing(folder, tokenizer, tmp_path):
    corpus = prepared(folder)
    encode, calls = tokenizer.encode_batch, []

    def encode_once(texts):
        calls.append(texts)
        if len(calls) > 1:
            raise UserError("the disk is full")
        return encode(texts)

    tokenizer.encode_batch = encode_once
    with pytest.raises(UserError):
        pack_corpus(corpus, tokenizer, tmp_path / "packed")
    assert [path.name for path in tmp_path.iterdir()] == ["texts"]


def test_an_existing_directory_is_replaced_only_when_asked(folder, tokenizer, tmp_path):
    (tmp_path / "packed").mkdir()
    with pytest.raises(UserError, match="already exists"):
        pack_corpus(prepared(folder), tokenizer, tmp_path / "packed")
    pack_corpus(prepared(folder), tokenizer, tmp_path / "packed", replace=True)
    assert ShardReader(tmp_path / "packed" / "train").n_documents > 0
    pack_corpus(prepared(folder), tokenizer, tmp_path / "packed", replace=True)


def test_a_directory_of_other_things_is_never_replaced(folder, tokenizer, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match="not a packed directory"):
        pack_corpus(prepared(folder), tokenizer, tmp_path / "precious", replace=True)
    assert (tmp_path / "precious" / "thesis.tex").exists()


@pytest.mark.parametrize("config", [CleaningConfig(), CleaningConfig(min_chars=9)])
def test_configs_survive_json(config):
    assert from_dict(CleaningConfig, json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize("wrong", [{"held_out_fraction": 0.9}, {"min_chars": 0}])
def test_a_config_that_makes_no_sense_names_its_field(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        CleaningConfig(**wrong)


def test_a_tally_names_only_so_many(monkeypatch):
    tally = Tally()
    for i in range(2000):
        tally.note("read", "binary file", f"{i}.bin")
    assert tally.counts["read", "binary file"] == 2000
    assert len(tally.statistics()["names"]["read"]["binary file"]) == 1000
    assert tally.sentence("read") == "2000 binary file (0.bin, 1.bin, 2.bin, ...)"
