"""What holds for every tokenizer: exact round trips, and special tokens by invitation only."""

import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.tokenizer import TextStream, Tokenizer

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=60)
NASTY = st.text(
    alphabet="  \n\r\t'sStT\u017f\u2581<|>/s\u200b\u00e9\U0001f999a1\u00bd\x00\u0301", max_size=60
)
SLOW = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
HARD = [
    "",
    " ",
    "  a",
    "\u2581",
    " \u2581 \u2581",
    "a\x00b\x1c",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\ufe0f",
    "e\u0301\u00e9",
    "\r\n\r\n  \n",
    "<s></s><unk>[INST]",
    "\ufffd\ufffe\U0010ffff",
    "<0x0A>",
]


@pytest.mark.parametrize("text", HARD)
def test_decoding_gives_the_text_back(any_tokenizer: Tokenizer, text: str) -> None:
    assert any_tokenizer.decode(any_tokenizer.encode(text)) == text


@SLOW
@given(text=st.one_of(ANY_TEXT, NASTY))
def test_any_unicode_survives_encoding(any_tokenizer: Tokenizer, text: str) -> None:
    ids = any_tokenizer.encode(text)
    assert any_tokenizer.decode(ids) == text
    assert any_tokenizer.decode_bytes(ids) == text.encode()
    assert any_tokenizer.encode_batch([text, "x"])[0] == ids


@SLOW
@given(data=st.data())
def test_allowed_special_tokens_survive_among_any_text(
    any_tokenizer: Tokenizer, data: st.DataObject
) -> None:
    names = [*any_tokenizer.special_tokens][:4]
    parts = data.draw(st.lists(st.one_of(NASTY, st.sampled_from(names)), max_size=6))
    text = "".join(parts)
    assert any_tokenizer.decode(any_tokenizer.encode(text, allowed_special="all")) == text


@SLOW
@given(data=st.data())
def test_a_stream_joined_equals_decode_for_any_ids(
    any_tokenizer: Tokenizer, data: st.DataObject
) -> None:
    ids = data.draw(st.lists(st.integers(0, any_tokenizer.vocab_size - 1), max_size=30))
    for skip in (False, True):
        stream = TextStream(any_tokenizer, continues=False, skip_special=skip)
        streamed = "".join(map(stream.push, ids)) + stream.flush()
        assert streamed == any_tokenizer.decode(ids, skip_special=skip)


def test_special_names_in_plain_text_give_ordinary_ids(any_tokenizer: Tokenizer) -> None:
    special = set(any_tokenizer.special_tokens.values())
    text = "".join(any_tokenizer.special_tokens)
    assert not special & set(any_tokenizer.encode(text))
    assert not special & set(any_tokenizer.encode_batch([text])[0])


def test_only_the_named_special_token_is_let_through(any_tokenizer: Tokenizer) -> None:
    (first, first_id), (second, second_id) = list(any_tokenizer.special_tokens.items())[:2]
    ids = any_tokenizer.encode(f"a{first}b{second}", allowed_special=[first])
    assert first_id in ids
    assert second_id not in ids
    everything = any_tokenizer.encode(f"a{first}b{second}", allowed_special="all")
    assert {first_id, second_id} <= set(everything)


def test_bos_and_eos_frame_the_ids(any_tokenizer: Tokenizer) -> None:
    plain = any_tokenizer.encode("hello")
    framed = [any_tokenizer.bos_id, *plain, any_tokenizer.eos_id]
    assert any_tokenizer.encode("hello", bos=True, eos=True) == framed
    assert any_tokenizer.encode_batch(["hello"], bos=True, eos=True) == [framed]
    assert any_tokenizer.decode(framed, skip_special=True) == "hello"


def test_a_lone_surrogate_is_refused_with_its_place(any_tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match=r"U\+D800 at character 2"):
        any_tokenizer.encode("ab\ud800")
    with pytest.raises(UserError, match="surrogate"):
        any_tokenizer.encode_batch(["fine", "\udfff"])


@pytest.mark.parametrize("token_id", [-1, 10**9])
def test_an_id_outside_the_vocabulary_is_named(any_tokenizer: Tokenizer, token_id: int) -> None:
    with pytest.raises(UserError, match=str(token_id)):
        any_tokenizer.decode([0, token_id])


def test_an_unknown_special_token_is_named(any_tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match="no_such"):
        any_tokenizer.encode("a", allowed_special=["<no_such>"])


def test_a_pickled_tokenizer_is_the_same(trained: Tokenizer) -> None:
    copy = pickle.loads(pickle.dumps(trained))
    assert copy.fingerprint == trained.fingerprint
    assert copy.encode("It's llamas") == trained.encode("It's llamas")
