"""Needle in a haystack: what is found, by how deep it lies and how long the text is.

One needle asked for, or several hidden of which some are asked for (llama-models: 4, of which 2). In: a
model, lengths, depths. Out: a cell for each length and depth, a curve over lengths. Never: a length that
does not fit the context counted as missed; it is refused.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from herd.evals.evaluated_model import EvaluatedModel, ToContinue
from herd.evals.intervals import mean_interval
from herd.evals.long_context.haystack import draw_needles, haystack, needle, sentences_of
from herd.foundation import UserError, progress_bar

ANSWER_TOKENS, DIGITS = 16, re.compile(r"\d+")
ROOM_TOKENS = 96  # for the question and the answer
OPENING = "Somewhere in the text below are special magic numbers of cities. Remember them.\n\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class NeedleConfig:
    """Which haystacks. `lengths` are tokens of the whole prompt, `depths` shares of the text before a
    needle. Of `n_needles` hidden, `n_asked` are asked for; further ones lie evenly after the first.
    """

    lengths: tuple[int, ...]
    depths: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    n_repeats: int = 3
    n_needles: int = 1
    n_asked: int = 1
    chat: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise UserError for numbers that make no haystack."""
        if not self.lengths or min(self.lengths) < 2 * ROOM_TOKENS:
            raise UserError(f"--lengths: give tokens, {2 * ROOM_TOKENS} or more, with commas")
        if not self.depths or not all(0 <= depth <= 1 for depth in self.depths):
            raise UserError("--depths: give shares of the text from 0 to 1, with commas")
        if not 1 <= self.n_asked <= self.n_needles:
            raise UserError(f"{self.n_asked} of {self.n_needles} needles cannot be asked for")
        if self.n_repeats < 1:
            raise UserError(f"--repeats is {self.n_repeats}; give 1 or more")


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question about one haystack."""

    length: int
    depth: float
    repeat: int
    city: str
    number: int
    request: ToContinue


def needle_test(
    model: EvaluatedModel, config: NeedleConfig, text: str | None = None
) -> dict[str, Any]:
    """Return cells (length, depth, share found, n), a curve over lengths with intervals, every answer.

    Raises UserError for a length beyond the model's context, before anything runs.
    """
    longest = max(config.lengths)
    if longest > model.max_context:
        raise UserError(f"a text of {longest:,} tokens: the model reads {model.max_context:,}")
    sentences = sentences_of(text, config.seed)
    asked = [
        question
        for length in config.lengths
        for depth in config.depths
        for repeat in range(config.n_repeats)
        for question in _questions(model, config, sentences, length, depth, repeat)
    ]
    answers = [""] * len(asked)
    with progress_bar("searching", len(asked), "needles") as bar:
        for i, samples in model.continuations([one.request for one in asked]):
            answers[i] = samples[0].text
            bar.advance(1)
    found = [_is_found(one, answer) for one, answer in zip(asked, answers, strict=True)]
    return {
        "model": model.name,
        "config": asdict(config),
        "haystack": "made sentences" if text is None else "a text of the user's",
        "cells": _cells(config, asked, found),
        "by_length": _by_length(config, asked, found),
        "answers": [
            {"length": one.length, "depth": one.depth, "city": one.city, "number": one.number,
             "answer": answer, "found": hit}
            for one, answer, hit in zip(asked, answers, found, strict=True)
        ],
    }  # fmt: skip


def _questions(
    model: EvaluatedModel,
    config: NeedleConfig,
    sentences: Sequence[str],
    length: int,
    depth: float,
    repeat: int,
) -> list[_Asked]:
    draw = random.Random(f"{config.seed} {length} {depth} {repeat}")  # each text is its own
    needles = draw_needles(config.n_needles, draw)
    depths = [(depth + i / config.n_needles) % 1 if i else depth for i in range(config.n_needles)]
    text = haystack(
        model.tokenizer, sentences, [needle(*one) for one in needles], depths,
        length - ROOM_TOKENS, start=draw.randrange(len(sentences)),
    )  # fmt: skip
    return [
        _Asked(length, depth, repeat, city, number, _request(model, config, text, city))
        for city, number in needles[: config.n_asked]
    ]


def _request(model: EvaluatedModel, config: NeedleConfig, text: str, city: str) -> ToContinue:
    if config.chat:
        question = (
            f"{OPENING}{text}\n\nWhat is the special magic {city} number? Give only the number."
        )
        ids = model.chat_ids([{"role": "user", "content": question}])
    else:
        prompt = f"{OPENING}{text}\n\nWhat is the special magic {city} number? The special magic {city} number is:"
        ids = model.tokenizer.encode(prompt, bos=model.tokenizer.adds_bos)
    return ToContinue(
        prompt=tuple(ids), max_new_tokens=4 * ANSWER_TOKENS if config.chat else ANSWER_TOKENS,
        is_chat=config.chat,
    )  # fmt: skip


def _is_found(one: _Asked, answer: str) -> bool:
    """The number has to be the first that the answer names."""
    first = DIGITS.search(answer.replace(",", ""))
    return first is not None and int(first.group()) == one.number


def _cells(
    config: NeedleConfig, asked: Sequence[_Asked], found: Sequence[bool]
) -> list[dict[str, Any]]:
    rows = []
    for length in config.lengths:
        for depth in config.depths:
            own = [
                hit
                for one, hit in zip(asked, found, strict=True)
                if (one.length, one.depth) == (length, depth)
            ]
            rows.append(
                {"length": length, "depth": depth, "found": sum(own) / len(own), "n": len(own)}
            )
    return rows


def _by_length(
    config: NeedleConfig, asked: Sequence[_Asked], found: Sequence[bool]
) -> list[dict[str, Any]]:
    """Questions about one haystack are no independent ones: they are a cluster."""
    rows = []
    for length in config.lengths:
        own = [(one, hit) for one, hit in zip(asked, found, strict=True) if one.length == length]
        labels = [(one.depth, one.repeat) for one, _ in own]
        interval = mean_interval([float(hit) for _, hit in own], labels)
        rows.append(
            {"length": length, "found": interval.score, "ci_low": interval.low,
             "ci_high": interval.high, "n": interval.n}
        )  # fmt: skip
    return rows
