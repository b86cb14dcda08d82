"""What is saved opens elsewhere with the same ids: in transformers, in Herd, through GGUF keys."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from herd.foundation import UserError
from herd.tokenizer import Tokenizer, load
from herd.tokenizer.byte_level import ByteLevelTokenizer
from herd.tokenizer.fast_tokenizer import FastTokenizer
from herd.tokenizer.gguf_vocabulary import tokenizer_of_gguf

TEXTS = [
    "",
    "Hello, world!",
    " a  b\n\n\tc 1234 it's",
    "\u00e9\U0001f999 \u5b57",
    "aaaa----====    ",
    "'S \u017f",
]


def test_transformers_opens_it_with_the_same_ids(
    any_tokenizer: Tokenizer, saved_as: Callable[[Tokenizer], Path]
) -> None:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(saved_as(any_tokenizer))
    assert (theirs.bos_token_id, theirs.eos_token_id) == (
        any_tokenizer.bos_id,
        any_tokenizer.eos_id,
    )
    assert len(theirs) == any_tokenizer.vocab_size
    for text in TEXTS:
        assert theirs.encode(text, add_special_tokens=False) == any_tokenizer.encode(text)
        assert theirs.encode(text) == any_tokenizer.encode(text, bos=any_tokenizer.adds_bos)


def test_a_saved_directory_loads_as_the_same_tokenizer(
    any_tokenizer: Tokenizer, saved_as: Callable[[Tokenizer], Path]
) -> None:
    again = load(saved_as(any_tokenizer))
    assert type(again) is type(any_tokenizer)
    assert again.fingerprint == any_tokenizer.fingerprint
    assert again.roles == any_tokenizer.roles


def test_a_saved_rank_file_alone_gives_the_same_ids(trained: Tokenizer, tmp_path: Path) -> None:
    trained.save(tmp_path)
    again = load(tmp_path / "tokenizer.model")
    assert again.fingerprint == trained.fingerprint


def test_gguf_keys_give_the_tokenizer_back(any_tokenizer: Tokenizer) -> None:
    again = tokenizer_of_gguf(any_tokenizer.gguf_metadata(), "keys")
    assert again.fingerprint == any_tokenizer.fingerprint
    assert again.stop_ids == any_tokenizer.stop_ids
    assert again.adds_bos == any_tokenizer.adds_bos


def test_a_tokenizer_json_with_other_merges_stays_with_the_library(
    trained: Tokenizer, tmp_path: Path
) -> None:
    trained.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    spec = json.loads(path.read_text())
    spec["model"]["merges"].pop()
    path.write_text(json.dumps(spec))
    assert isinstance(trained, ByteLevelTokenizer)
    assert isinstance(load(path), FastTokenizer)


def make_library_tokenizer(kind: str) -> tokenizers.Tokenizer:
    special = ["<unk>", "<s>", "</s>"]
    corpus = ["the llama's herd grazes </s> on <s> hills 123"] * 20
    if kind == "gpt2":
        made = tokenizers.Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=330, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
    else:
        made = tokenizers.Tokenizer(models.Unigram())
        made.normalizer = normalizers.NFC()
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=kind)
        made.decoder = decoders.Metaspace(prepend_scheme=kind)
        trainer = trainers.UnigramTrainer(
            vocab_size=60, special_tokens=special, unk_token="<unk>", show_progress=False
        )
    made.train_from_iterator(corpus, trainer)
    return made


@pytest.mark.parametrize("kind", ["gpt2", "first", "always", "never"])
def test_any_library_tokenizer_keeps_its_ids_and_hides_its_special_tokens(
    kind: str, tmp_path: Path
) -> None:
    theirs = make_library_tokenizer(kind)
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = load(tmp_path)
    for text in ("the llama's herd", "hills 12 herd", "a"):
        assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids
        assert ours.decode(ours.encode(text)) == theirs.decode(theirs.encode(text).ids)
    text = "the herd</s>the hills"
    assert ours.encode(text, allowed_special="all") == theirs.encode(text).ids
    assert not {1, 2} & set(ours.encode("the</s><s> llama"))


def test_gguf_refuses_a_kind_it_has_no_name_for(tmp_path: Path) -> None:
    make_library_tokenizer("first").save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UserError, match="GGUF"):
        load(tmp_path).gguf_metadata()
