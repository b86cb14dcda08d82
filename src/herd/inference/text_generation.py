"""One answer's text as it comes, out of an engine that may serve others beside it.

In: an engine, a `Request`. Out: an iterator of text pieces; a record of what was said.
Never: half a character or any part of a stop string: the engine sees to that.
"""

from __future__ import annotations

from collections.abc import Iterator

from herd.foundation import UserError
from herd.inference.engine import Engine
from herd.inference.generate import SampledToken
from herd.inference.request import FinishReason, Output, Request


class TextGeneration(Iterator[str]):
    """Iterate for the text, piece by piece; the attributes are true at any moment, also after an
    interruption.

    `text` is what was handed out, `tokens` what was generated for it (a stop string's included),
    `finish_reason` None until the end: "stop" for a stop token or string, "length" for a spent
    budget or context, "cancelled" after `close`. Raises UserError where the request fails. Whoever
    stops listening closes it, or lets go of it, and its blocks are free.
    """

    def __init__(self, engine: Engine, request: Request) -> None:
        """Submit the request now, which checks it; one sample is listened to."""
        self.text = ""
        self.tokens: list[SampledToken] = []
        self.n_prompt_tokens = len(request.prompt)
        self.n_cached_tokens = 0
        self.finish_reason: FinishReason | None = None
        self._engine = engine
        self._ticket = engine.submit(request)

    def __iter__(self) -> Iterator[str]:
        """Return itself."""
        return self

    def __next__(self) -> str:
        """Return the next text that is certain, never empty."""
        while self.finish_reason is None:
            piece = "".join([self._take(output) for output in self._next_outputs()])
            if piece:
                self.text += piece
                return piece
        raise StopIteration

    def close(self) -> None:
        """End the answer where it is and free what it holds; nothing after the end."""
        if self.finish_reason is None:
            self._engine.cancel(self._ticket)
            self._engine.keep([], without=[self._ticket])
            self.finish_reason = "cancelled"

    def __del__(self) -> None:
        """Close, unless it never began."""
        if hasattr(self, "_ticket"):
            self.close()

    def _next_outputs(self) -> list[Output]:
        """Step; keep what belongs to others for their own next step."""
        outputs = self._engine.step()
        self._engine.keep(outputs, without=[self._ticket])
        return [output for output in outputs if output.ticket == self._ticket]

    def _take(self, output: Output) -> str:
        if output.id is not None:
            self.tokens.append(SampledToken(output.id, output.logprob))
        if output.finish_reason is not None:
            self.finish_reason = output.finish_reason
            self.n_cached_tokens = output.n_cached_tokens
        if output.error:
            raise UserError(output.error)
        return output.text
