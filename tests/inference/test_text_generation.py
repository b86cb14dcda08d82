"""Text as it comes: equal to the whole, never half a character, never past a stop string."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.inference import Request, StopStrings, TextGeneration, generate
from herd.model import ModelConfig, Transformer, init_weights
from herd.tokenizer import Tokenizer, train_bpe

QUICK = settings(max_examples=200, deadline=None)
AB_TEXT = st.text("abc", max_size=14)
STOPS = st.lists(st.text("abc", min_size=1, max_size=4), max_size=3)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_bpe(["aé漢🙂 b"], vocab_size=260, special_tokens=("<|endoftext|>",))


@pytest.fixture(scope="module")
def babbler(tokenizer: Tokenizer) -> Transformer:
    """A random model over bytes: most of what it writes is broken UTF-8."""
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size + 7, dim=16, n_layers=1, n_heads=2, n_kv_heads=1,
        ffn_dim=16, max_context=256,
    )  # fmt: skip
    model = Transformer(config)
    init_weights(model, seed=0)
    return model


def generation(
    model: Transformer, tokenizer: Tokenizer, seed: int, **more: object
) -> TextGeneration:
    request = Request(prompt=(65,), max_new_tokens=120, seed=seed, vocab_size=tokenizer.vocab_size)
    return TextGeneration(model, tokenizer, request, **more)


@pytest.mark.parametrize("seed", range(5))
def test_the_pieces_join_to_the_decoded_tokens(
    seed: int, babbler: Transformer, tokenizer: Tokenizer
) -> None:
    streamed = generation(babbler, tokenizer, seed)
    pieces = list(streamed)
    request = Request(prompt=(65,), max_new_tokens=120, seed=seed, vocab_size=tokenizer.vocab_size)
    assert "".join(pieces) == tokenizer.decode(generate(babbler, request).tokens) == streamed.text
    assert all(pieces)
    assert (len(streamed.tokens), streamed.finish_reason) == (120, "length")


@pytest.mark.parametrize("seed", range(5))
def test_a_stop_string_ends_the_text_before_itself(
    seed: int, babbler: Transformer, tokenizer: Tokenizer
) -> None:
    whole = "".join(generation(babbler, tokenizer, seed))
    stop = whole[20:22]
    stopped = generation(babbler, tokenizer, seed, stop=(stop,))
    assert "".join(stopped) == whole[: whole.index(stop)]
    assert stopped.finish_reason == "stop"


def test_an_interrupted_generation_keeps_what_was_said(
    babbler: Transformer, tokenizer: Tokenizer
) -> None:
    interrupted = generation(babbler, tokenizer, 0)
    pieces = list(itertools.islice(interrupted, 9))
    assert interrupted.text == "".join(pieces)
    assert interrupted.finish_reason is None


def test_an_empty_stop_string_is_refused(babbler: Transformer, tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match="stop string is empty"):
        generation(babbler, tokenizer, 0, stop=("",))


def cut_plainly(text: str, stops: list[str]) -> str:
    """Read character by character; the first stop string to be complete cuts the text."""
    for end in range(1, len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))]
    return text


@QUICK
@given(text=AB_TEXT, stops=STOPS, cuts=st.lists(st.integers(0, 14), max_size=5))
def test_stop_strings_are_found_however_the_text_is_cut(
    text: str, stops: list[str], cuts: list[int]
) -> None:
    watcher = StopStrings(stops)
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    passed = "".join(watcher.push(text[a:b]) for a, b in itertools.pairwise(edges))
    assert text.startswith(passed)
    assert passed + watcher.flush() == cut_plainly(text, stops)
    assert watcher.found == any(stop in text for stop in stops)


@QUICK
@given(text=AB_TEXT, stops=STOPS)
def test_nothing_is_held_back_without_need(text: str, stops: list[str]) -> None:
    watcher = StopStrings(stops)
    passed = watcher.push(text)
    held = "" if watcher.found else text[len(passed) :]
    assert not held or any(stop.startswith(held) and stop != held for stop in stops)
