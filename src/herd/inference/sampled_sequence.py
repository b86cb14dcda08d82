"""One sample of a request, being generated: how it draws, what it has drawn, when it ends.

In: a `Request`, tokens drawn for it. Out: an `Output` for each.
Never: logits (the sampler's), blocks (the scheduler's).
"""

from __future__ import annotations

from herd.inference.answer_text import AnswerText
from herd.inference.generate import check_prompt
from herd.inference.request import FinishReason, Output, Request
from herd.inference.sampler import Drawn, SamplingRow, seeded_generator
from herd.inference.sequence import TokenSequence
from herd.model import ModelConfig
from herd.tokenizer import Tokenizer


class SampledSequence(TokenSequence):
    """`TokenSequence` whose tokens are the prompt and what was drawn; `new_tokens` are the latter."""

    def __init__(
        self,
        request: Request,
        config: ModelConfig,
        tokenizer: Tokenizer | None,
        *,
        key: int,
        ticket: int,
        sample: int = 0,
    ) -> None:
        """Raise UserError for a seed beyond 64 bits, and whatever the constraint raises."""
        super().__init__(
            key=key, ticket=ticket, sample=sample, tokens=request.prompt, salt=request.cache_salt
        )
        self.request = request
        self.new_tokens: list[int] = []
        self.max_new_tokens = n_new_tokens_at_most(request, config)
        self._constraint = request.constraint.start() if request.constraint else None
        self._text = None
        if tokenizer is not None:
            self._text = AnswerText(
                tokenizer,
                stop=request.stop,
                min_tokens=request.min_new_tokens,
                continues=request.continues,
            )
        self._row = SamplingRow(
            config=request.sampling,
            generator=seeded_generator(None if request.seed is None else request.seed + sample),
            prompt_tokens=request.prompt,
            new_tokens=self.new_tokens,
            vocab_size=request.vocab_size or _vocab_size(config, tokenizer),
            n_top_logprobs=request.n_top_logprobs,
        )

    @property
    def n_left(self) -> int:
        """Return how many tokens may still be drawn."""
        return self.max_new_tokens - len(self.new_tokens)

    @property
    def may_be_guessed(self) -> bool:
        """Return whether the next step could bring more than one token."""
        return self.n_uncomputed == 1 and self.n_slots == 1 and self.n_left > 1

    def row(self) -> SamplingRow:
        """Return how the next token is to be drawn. Raises whatever the constraint raises."""
        row, request = self._row, self.request
        if request.min_new_tokens:
            too_early = len(self.new_tokens) < request.min_new_tokens
            row.banned_ids = request.stop_ids if too_early else ()
        if self._constraint is not None:
            mask_V = self._constraint.allowed_mask()
            if len(mask_V) < row.vocab_size:  # the sampler would fail, and with it the whole step
                raise ValueError(f"a mask of {len(mask_V)} for {row.vocab_size} tokens")
            row.allowed_mask = mask_V
        return row

    def take(self, drawn: Drawn) -> Output:
        """Go on by a drawn token, unless it ends the answer. Raises what the constraint raises."""
        if drawn.error:
            return self.end("error", error=drawn.error)
        token = drawn.id
        if token in self.request.stop_ids:
            return self.end("stop")
        self.tokens.append(token)
        self.new_tokens.append(token)
        text = self._text.push(token) if self._text is not None else ""
        reason = self._finish_reason(token)
        if reason == "length" or (reason == "stop" and self._text and not self._text.stopped):
            text += self._end_text()
            reason = "stop" if self._text is not None and self._text.stopped else reason
        return Output(
            self.ticket, self.sample, token, drawn.logprob, drawn.top_logprobs, text, reason,
            n_cached_tokens=self.n_cached_tokens,
        )  # fmt: skip

    def end(self, reason: FinishReason, *, error: str = "") -> Output:
        """Return the last output, without a token; text held back comes with it."""
        return super().end(reason, error=error)._replace(text=self._end_text())

    def _finish_reason(self, token: int) -> FinishReason | None:
        if self._text is not None and self._text.stopped:
            return "stop"
        if self._constraint is not None:
            self._constraint.accept(token)
            if self._constraint.must_stop:
                return "stop"
        return "length" if self.n_left == 0 else None

    def _end_text(self) -> str:
        return self._text.end() if self._text is not None else ""


def n_new_tokens_at_most(request: Request, config: ModelConfig) -> int:
    """Return how many tokens a request may get: its budget, or what the context has room for."""
    return min(request.max_new_tokens, config.max_context - len(request.prompt))


def n_tokens_read(request: Request, config: ModelConfig) -> int:
    """Return how many tokens are read at most: the last one is not, for nothing comes after it.

    Raises UserError when the prompt does not fit the context or holds unknown ids.
    """
    check_prompt(config, request.prompt)
    return len(request.prompt) + max(0, n_new_tokens_at_most(request, config) - 1)


def _vocab_size(config: ModelConfig, tokenizer: Tokenizer | None) -> int:
    """Rows of the output matrix beyond the tokenizer's vocabulary are padding."""
    return config.vocab_size if tokenizer is None else min(config.vocab_size, tokenizer.vocab_size)
