"""Every kind of tokenizer gives grammars its exact bytes."""

import io
import json
from pathlib import Path

import pytest
import sentencepiece
import tokenizers

from herd.foundation import UserError
from herd.inference.constraints.compiler import ConstraintCompiler
from herd.inference.constraints.constraint import Constraint
from herd.inference.constraints.vocabulary import ConstraintVocabulary
from herd.tokenizer import Tokenizer, load, train_bpe

TEXT = 'The herd grazes; a llama\'s coat is warm. 12 345 {"key": [1.5, true]} caf\u00e9 ' * 20
VALUE = {"name": "Caf\u00e9 \U0001f999 x", "n": 12, "items": [1.5, None, True]}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "n": {"type": "integer"}, "items": {}},
    "required": ["name", "n", "items"],
}


def byte_level(folder: Path) -> Tokenizer:
    return train_bpe([TEXT], vocab_size=600)


def sentence_piece(folder: Path) -> Tokenizer:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([TEXT]),
        model_writer=model,
        vocab_size=330,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        minloglevel=2,
    )
    path = folder / "tokenizer.model"
    path.write_bytes(model.getvalue())
    return load(path)


def fast(folder: Path) -> Tokenizer:
    engine = tokenizers.Tokenizer(tokenizers.models.BPE())
    engine.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    engine.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    engine.train_from_iterator([TEXT], trainer)
    engine.save(str(folder / "tokenizer.json"))
    return load(folder / "tokenizer.json")


@pytest.fixture(scope="module", params=[byte_level, sentence_piece, fast])
def tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Tokenizer:
    made: Tokenizer = request.param(tmp_path_factory.mktemp("tokenizer"))
    return made


def test_the_tokens_of_an_encoded_text_are_accepted_to_its_end(tokenizer: Tokenizer) -> None:
    text = json.dumps(VALUE, ensure_ascii=False)
    ids = tokenizer.encode(text)
    with ConstraintCompiler(tokenizer) as compiler:
        state = compiler.compile(Constraint.json_schema(SCHEMA), continues=False).start()
    for token_id in ids:
        assert state.allowed_mask()[token_id], tokenizer.token_bytes(token_id)
        assert not state.finished
        state.accept(token_id)
    assert state.finished and state.must_stop
    assert tokenizer.decode(ids) == text
    stops = {int(i) for i in state.allowed_mask().nonzero()[:, 0]}
    assert stops == set(tokenizer.stop_ids)


def test_special_tokens_are_never_text(tokenizer: Tokenizer) -> None:
    name = next(name for name, i in tokenizer.special_tokens.items() if i in tokenizer.stop_ids)
    with ConstraintCompiler(tokenizer) as compiler:
        state = compiler.compile(Constraint.json_schema({"const": name})).start()
        state.accept(tokenizer.encode('"')[-1])
        assert not state.allowed_mask()[list(tokenizer.special_tokens.values())].any()


def test_an_opening_space_that_decoding_drops_is_no_part_of_the_answer(tmp_path: Path) -> None:
    tokenizer = sentence_piece(tmp_path)
    assert tokenizer.prefix_at_start
    with ConstraintCompiler(tokenizer) as compiler:
        opening = compiler.compile(Constraint.regex("The  ?herd"), continues=False)
        inside = compiler.compile(Constraint.regex("The  ?herd"))
    ids = tokenizer.encode("The herd")
    assert tokenizer.token_bytes(ids[0]).startswith(b" ")
    assert not inside.start().allowed_mask()[ids[0]]
    state = opening.start()
    assert state.validate(ids) == len(ids)
    first = state.allowed_mask()
    for token_id in ids:
        state.accept(token_id)
    assert state.finished
    state.rollback(len(ids))
    assert state.allowed_mask().equal(first)


def test_bytes_are_spelt_by_the_longest_tokens() -> None:
    vocabulary = ConstraintVocabulary((b"a", b"ab", b"b", b"c", b"ab"), (4,))
    assert vocabulary.spell(b"abbac") == [1, 2, 0, 3]
    with pytest.raises(UserError, match="no token"):
        vocabulary.spell(b"ax")


def test_digits_are_counted_with_what_a_point_demands() -> None:
    tokens = (b"12", b"a1", b".", b".5x", b"1.", b"", b"1" * 300)
    assert ConstraintVocabulary(tokens, ()).leading_digits_V.tolist() == [2, 0, 1, 1, 2, 0, 127]
