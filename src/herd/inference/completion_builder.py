"""Outputs of a sample, step by step, gathered into its completion.

In: `Output`s. Out: a `Completion`.
Never: the engine.
"""

from __future__ import annotations

from herd.inference.request import Completion, FinishReason, Output, TokenLogprob


class CompletionBuilder:
    """Gathers the outputs of one sample."""

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._logprobs: list[float] = []
        self._top_logprobs: list[tuple[TokenLogprob, ...]] = []
        self._texts: list[str] = []
        self._finish_reason: FinishReason | None = None
        self._error = ""
        self._n_cached_tokens = 0

    def add(self, output: Output) -> None:
        """Take the next output."""
        if output.id is not None:
            self._tokens.append(output.id)
            self._logprobs.append(output.logprob)
            if output.top_logprobs:
                self._top_logprobs.append(output.top_logprobs)
        self._texts.append(output.text)
        if output.finish_reason is not None:
            self._finish_reason = output.finish_reason
            self._error, self._n_cached_tokens = output.error, output.n_cached_tokens

    def completion(self) -> Completion:
        """Return what has come; "cancelled" if the last output has not."""
        return Completion(
            tokens=tuple(self._tokens),
            logprobs=tuple(self._logprobs),
            finish_reason=self._finish_reason or "cancelled",
            top_logprobs=tuple(self._top_logprobs),
            text="".join(self._texts),
            error=self._error,
            n_cached_tokens=self._n_cached_tokens,
        )
