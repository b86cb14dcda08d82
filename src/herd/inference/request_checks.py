"""What a request may say: numbers that make sense alone and together, before any work is done.

In: the fields of a `Request`. Out: nothing, or a `UserError` that names the field and the counts.
Never: what depends on a model; the engine checks the prompt against its context and memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from herd.foundation import UserError
from herd.inference.sampling_config import SamplingConfig, is_whole

MOST_TOP_LOGPROBS = 1000  # per token; OpenAI allows 20, a distillation may want hundreds
SEEDS = range(-(2**63), 2**63)


def check_count(name: str, value: object, *, least: int, most: int | None = None) -> None:
    """Raise UserError unless `value` is a whole number of the range."""
    wanted = f"{least} or more" if most is None else f"{least} to {most:,}"
    if not isinstance(value, int) or not is_whole(value):
        raise UserError(f"{name} is {value!r}: give a whole number, {wanted}")
    if value < least or (most is not None and value > most):
        raise UserError(f"{name} is {value}: give {wanted}")


def check_lengths(min_new_tokens: int, max_new_tokens: int) -> None:
    """Raise UserError for a budget below 0, or one that the least length exceeds."""
    check_count("max_new_tokens", max_new_tokens, least=0)
    check_count("min_new_tokens", min_new_tokens, least=0)
    if min_new_tokens > max_new_tokens:
        raise UserError(
            f"min_new_tokens is {min_new_tokens}, but max_new_tokens is {max_new_tokens}: "
            "give a least length that the budget allows"
        )


def check_seed(seed: int | None, n_samples: int = 1) -> None:
    """Raise UserError unless every sample's seed, `seed + i`, fits 64 bits with its sign."""
    check_count("n_samples", n_samples, least=1)
    if seed is None:
        return
    if not is_whole(seed):
        raise UserError(f"seed is {seed!r}: give a whole number, or None for another each time")
    if not SEEDS.start <= seed < SEEDS.stop:  # not `in`, which walks it for a NumPy integer
        raise UserError(f"seed is {seed}: give one that fits 64 bits")
    if int(seed) + n_samples - 1 >= SEEDS.stop:
        raise UserError(
            f"seed is {seed} and n_samples {n_samples}: sample i draws from seed + i, which has to "
            "fit 64 bits; give a smaller seed"
        )


def check_stops(stop: object, stop_ids: Iterable[object]) -> None:
    """Raise UserError for a stop that is not a piece of text or a token id, or that is empty."""
    if isinstance(stop, str) or not isinstance(stop, tuple):
        raise UserError(f"stop is {stop!r}: give a tuple of strings, each of which ends the answer")
    for text in stop:
        if not isinstance(text, str):
            raise UserError(f"stop holds {text!r}: give strings")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise UserError(f"stop holds {text!r}: half a surrogate pair never stands in an answer")
    if not all(stop):
        raise UserError("a stop string is empty: it would end every answer at once")
    for token in stop_ids:
        if not isinstance(token, int) or not is_whole(token) or token < 0:
            raise UserError(f"stop_ids holds {token!r}: give token ids, whole numbers from 0")


def check_vocabulary(
    vocab_size: int | None, sampling: SamplingConfig, banned_stop_ids: frozenset[int] = frozenset()
) -> None:
    """Raise UserError for a bias of a token that does not exist, or when no token may be drawn."""
    if vocab_size is None:
        return
    check_count("vocab_size", vocab_size, least=1)
    unknown = [i for i in sampling.logit_bias if i >= vocab_size]
    if unknown:
        raise UserError(
            f"logit_bias names token {unknown[0]}, but the vocabulary has {vocab_size:,}: "
            f"give ids from 0 to {vocab_size - 1:,}"
        )
    banned = sampling.banned_ids | {i for i in banned_stop_ids if i < vocab_size}
    if len(banned) == vocab_size:
        raise UserError(
            f"logit_bias and min_new_tokens forbid all {vocab_size:,} tokens of the vocabulary: "
            "leave at least one"
        )
