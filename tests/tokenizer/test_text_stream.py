"""A stream shows whole characters only."""

from herd.tokenizer import TextStream, Tokenizer


def test_no_half_character_is_ever_shown(trained: Tokenizer) -> None:
    text = "a\U0001f999\u00e9\u5b57"
    stream = TextStream(trained)
    pieces = [stream.push(token_id) for token_id in trained.encode(text)]
    assert "".join(pieces) == text
    assert "\ufffd" not in "".join(pieces)
    assert stream.flush() == ""


def test_a_character_left_unfinished_shows_at_the_end(trained: Tokenizer) -> None:
    stream = TextStream(trained)
    first_byte = trained.encode("\U0001f999")[0]
    assert stream.push(first_byte) == ""
    assert stream.flush() == "\ufffd"


def test_an_invalid_byte_does_not_hold_back_what_follows(trained: Tokenizer) -> None:
    stream = TextStream(trained)
    first_byte = trained.encode("\U0001f999")[0]
    shown = [stream.push(token_id) for token_id in [first_byte, *trained.encode("ok")]]
    assert "".join(shown) == "\ufffdok"
