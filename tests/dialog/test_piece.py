"""Pieces become ids: special tokens by name, text as text, cuts where training needs them."""

import pytest

from herd.dialog import Piece, encode_pieces
from herd.foundation import UserError
from herd.tokenizer import Tokenizer


def test_text_that_spells_a_special_token_stays_text(chatml_tokenizer: Tokenizer) -> None:
    name = "<|im_end|>"
    as_text, _ = encode_pieces([Piece(name)], chatml_tokenizer)
    as_special, _ = encode_pieces([Piece(name, special=True)], chatml_tokenizer)
    assert as_special == [chatml_tokenizer.special_tokens[name]]
    assert as_special[0] not in as_text
    assert chatml_tokenizer.decode(as_text) == name


def test_neighbouring_text_is_tokenized_as_one(chatml_tokenizer: Tokenizer) -> None:
    ids, mask = encode_pieces([Piece("The capital of Fr"), Piece("ance")], chatml_tokenizer)
    assert ids == chatml_tokenizer.encode("The capital of France")
    assert mask == [False] * len(ids)


def test_a_cut_for_training_never_moves_the_ids_before_it(chatml_tokenizer: Tokenizer) -> None:
    """A line break that would merge with the header's is kept apart, as generation would."""
    header, answer = "assistant\n", "\nParis"
    ids, mask = encode_pieces([Piece(header), Piece(answer, trained=True)], chatml_tokenizer)
    before = chatml_tokenizer.encode(header)
    assert ids[: len(before)] == before
    assert mask == [False] * len(before) + [True] * (len(ids) - len(before))
    assert chatml_tokenizer.decode(ids) == header + answer


def test_a_special_token_that_the_tokenizer_lacks_is_named(chatml_tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match="no special token '<|eot_id|>'".replace("|", r"\|")):
        encode_pieces([Piece("<|eot_id|>", special=True)], chatml_tokenizer)
