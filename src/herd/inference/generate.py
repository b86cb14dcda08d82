"""The generation loop: read the prompt, then one token at a time through the cache.

In: a model and a `Request`. Out: tokens as they come, or a whole `Completion`.
Never: text, dialogs, or several requests at once.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

import torch

from herd.foundation import UserError
from herd.inference.cache import GrowingCache
from herd.inference.request import Completion, FinishReason, Request
from herd.inference.sampler import Sampler
from herd.model import ModelConfig, Transformer

PREFILL_TOKENS = 512  # read at once: bounds the attention scores of a long prompt


class SampledToken(NamedTuple):
    """One generated token and its natural log-probability at temperature 1."""

    id: int
    logprob: float


def generate(model: Transformer, request: Request) -> Completion:
    """Return the whole continuation. Raises UserError when the prompt does not fit."""
    tokens: list[SampledToken] = []
    steps = stream(model, request)
    while True:
        try:
            tokens.append(next(steps))
        except StopIteration as end:
            return Completion(
                tokens=tuple(token.id for token in tokens),
                logprobs=tuple(token.logprob for token in tokens),
                finish_reason=end.value,
            )


def stream(model: Transformer, request: Request) -> Generator[SampledToken, None, FinishReason]:
    """Check the request now; return a generator of tokens whose return value says why it ended."""
    check_prompt(model.config, request.prompt)
    return _steps(model, request)


def check_prompt(config: ModelConfig, prompt: tuple[int, ...]) -> None:
    """Raise UserError when the prompt leaves no room in the context or holds unknown ids."""
    if len(prompt) >= config.max_context:
        raise UserError(
            f"the prompt has {len(prompt):,} tokens, but the model's context holds "
            f"{config.max_context:,} and needs room for an answer: shorten it by "
            f"{len(prompt) - config.max_context + 1:,} or more"
        )
    check_ids(config, prompt)


def check_ids(config: ModelConfig, ids: tuple[int, ...]) -> None:
    """Raise UserError for an id that the model does not know."""
    unknown = [i for i in ids if not 0 <= i < config.vocab_size]
    if unknown:
        raise UserError(
            f"token id {unknown[0]} is not in the model's vocabulary of {config.vocab_size:,}: "
            "use the tokenizer that belongs to the model"
        )


def _steps(model: Transformer, request: Request) -> Generator[SampledToken, None, FinishReason]:
    cache = GrowingCache(model.config)
    sampler = Sampler(request.sampling, seed=request.seed, prompt_tokens=request.prompt)
    room = model.config.max_context - len(request.prompt)
    unread = request.prompt
    for _ in range(min(request.max_new_tokens, room)):
        logits_1V = read(model, cache, unread)[:, : request.vocab_size]
        id_1, logprob_1 = sampler.sample(logits_1V)
        token = SampledToken(int(id_1.item()), logprob_1.item())
        if token.id in request.stop_ids:
            return "stop"
        yield token
        unread = (token.id,)
    return "length"


# Not around the generator: between two of its steps the mode would leak into the caller's code.
@torch.inference_mode()
def read(model: Transformer, cache: GrowingCache, tokens: tuple[int, ...]) -> torch.Tensor:
    """Append `tokens` to the cache; return the logits after the last one, float32 [1, V]."""
    device = model.embedding.weight.device
    for start in range(0, len(tokens), PREFILL_TOKENS):
        part = tokens[start : start + PREFILL_TOKENS]
        tokens_1T = torch.tensor([part], device=device)
        position_1T = torch.arange(cache.n_tokens, cache.n_tokens + len(part), device=device)[None]
        hidden_1TD = model.hidden(tokens_1T, position_BT=position_1T, cache=cache)
    # Only the last position: all of them would cost a prompt times the vocabulary.
    return model.logits(hidden_1TD[:, -1])
