"""Text as it comes: equal to the whole, never half a character, never past a stop string."""

import itertools

import pytest

from herd.foundation import UserError
from herd.inference import Request, TextGeneration, generate, open_engine
from herd.model import Transformer
from herd.tokenizer import Tokenizer


def generation(
    model: Transformer, tokenizer: Tokenizer, seed: int, **more: object
) -> TextGeneration:
    request = Request(
        prompt=(65,), max_new_tokens=120, seed=seed, vocab_size=tokenizer.vocab_size, **more
    )
    return TextGeneration(open_engine(model, tokenizer, native=False), request)


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


def test_two_streams_of_one_engine_give_what_each_gives_alone(
    babbler: Transformer, tokenizer: Tokenizer
) -> None:
    engine = open_engine(babbler, tokenizer, native=False)
    requests = [Request(prompt=(65, seed), max_new_tokens=50, seed=seed) for seed in range(2)]
    alone = ["".join(TextGeneration(engine, request)) for request in requests]
    first, second = (TextGeneration(engine, request) for request in requests)
    together = ["".join(itertools.islice(first, 5)), "".join(second)]
    assert [together[0] + "".join(first), together[1]] == alone


def test_letting_go_of_a_stream_frees_its_blocks(
    babbler: Transformer, tokenizer: Tokenizer
) -> None:
    engine = open_engine(babbler, tokenizer, native=False)
    streamed = TextGeneration(engine, Request(prompt=(65,), max_new_tokens=120, seed=0))
    next(streamed)
    assert engine.n_used_blocks > 0
    del streamed
    assert (engine.n_used_blocks, engine.step()) == (0, [])
