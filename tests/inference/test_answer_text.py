"""Text of many answers at once: whole characters, never past a stop string, as if each were alone."""

import dataclasses

import pytest

from herd.inference import Request
from herd.inference.answer_text import AnswerText
from herd.inference.engine import Engine
from herd.inference.offline import complete, run_all
from herd.inference.request import Completion
from herd.inference.torch_runner import TorchRunner
from herd.model import Transformer
from herd.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def engine(babbler: Transformer, tokenizer: Tokenizer) -> Engine:
    return Engine(TorchRunner(babbler, 64), tokenizer=tokenizer)


def answer(engine: Engine, request: Request) -> Completion:
    (completion,) = complete(engine, [request])[0]
    return completion


REQUEST = Request(prompt=(65,), max_new_tokens=100, seed=0)


def test_pieces_of_answers_that_come_together_join_to_the_decoded_tokens(
    engine: Engine, tokenizer: Tokenizer
) -> None:
    requests = [dataclasses.replace(REQUEST, seed=seed) for seed in range(4)]
    pieces: list[list[str]] = [[] for _ in requests]
    tokens: list[list[int]] = [[] for _ in requests]
    for i, output in run_all(engine, requests):
        pieces[i].append(output.text)
        if output.id is not None:
            tokens[i].append(output.id)
    for i in range(4):
        assert "".join(pieces[i]) == tokenizer.decode(tokens[i])
        assert max(tokens[i]) < tokenizer.vocab_size  # rows beyond are padding
        broken = [n for n, piece in enumerate(pieces[i]) if piece == ""]
        assert broken, "a character that takes several tokens shows only when it is whole"


@pytest.mark.parametrize("n_characters", [1, 2, 5])
def test_a_stop_string_ends_the_text_before_itself(n_characters: int, engine: Engine) -> None:
    whole = answer(engine, REQUEST)
    stop = whole.text[20 : 20 + n_characters]
    stopped = answer(engine, dataclasses.replace(REQUEST, stop=(stop,)))
    assert stopped.text == whole.text[: whole.text.index(stop)]
    assert stopped.tokens == whole.tokens[: len(stopped.tokens)]
    assert stopped.finish_reason == "stop"


def test_a_stop_string_before_the_minimum_is_plain_text(engine: Engine) -> None:
    whole = answer(engine, REQUEST)
    request = dataclasses.replace(REQUEST, stop=(whole.text[3],), min_new_tokens=60)
    patient = answer(engine, request)
    assert len(patient.tokens) >= 60
    assert patient.text.startswith(whole.text[:20])


def test_text_held_back_for_a_stop_string_comes_when_the_answer_ends(engine: Engine) -> None:
    whole = answer(engine, REQUEST)
    request = dataclasses.replace(REQUEST, stop=(whole.text[-2:] + "never",))
    assert answer(engine, request).text == whole.text


def test_a_stop_token_is_no_text(engine: Engine, tokenizer: Tokenizer) -> None:
    whole = answer(engine, REQUEST)
    stopped = answer(engine, dataclasses.replace(REQUEST, stop_ids=frozenset({whole.tokens[9]})))
    assert stopped.text == tokenizer.decode(stopped.tokens)


def test_a_character_cut_off_by_the_end_is_shown_as_broken(tokenizer: Tokenizer) -> None:
    (first, *_) = (i for i in range(256) if tokenizer.token_bytes(i) == "漢".encode()[:1])
    text = AnswerText(tokenizer)
    assert (text.push(first), text.end()) == ("", "�")
