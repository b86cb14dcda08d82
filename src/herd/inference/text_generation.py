"""Generated text as it comes: tokens to text, stop strings, a record of what was said.

In: a model, a tokenizer, a `Request`, stop strings. Out: an iterator of text pieces.
Never: half a character (`TextStream` sees to that), or any part of a stop string.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from herd.foundation import UserError
from herd.inference.generate import SampledToken, stream
from herd.inference.request import FinishReason, Request
from herd.model import Transformer
from herd.tokenizer import TextStream, Tokenizer


class TextGeneration(Iterator[str]):
    """Iterate for the text, piece by piece; the attributes are true at any moment, also after an
    interruption.

    `text` is what was handed out, `tokens` what was generated for it (a stop string's included),
    `finish_reason` None until the end: "stop" for a stop token or string, "length" for a spent
    budget or context.
    """

    def __init__(
        self,
        model: Transformer,
        tokenizer: Tokenizer,
        request: Request,
        *,
        stop: Sequence[str] = (),
        continues: bool = True,
    ) -> None:
        """Check the request now. Without `continues` the text opens an answer, so that the space
        with which Llama 2's tokenizer marks a beginning is not part of it.
        """
        if any(not text for text in stop):
            raise UserError("a stop string is empty: it would end every answer at once")
        self.text = ""
        self.tokens: list[SampledToken] = []
        self.n_prompt_tokens = len(request.prompt)
        self.finish_reason: FinishReason | None = None
        self._steps = stream(model, request)
        self._decoder = TextStream(tokenizer, continues=continues)
        self._stops = StopStrings(stop)

    def __iter__(self) -> Iterator[str]:
        """Return itself."""
        return self

    def __next__(self) -> str:
        """Return the next text that is certain, never empty."""
        while self.finish_reason is None:
            piece = self._advance()
            if piece:
                self.text += piece
                return piece
        raise StopIteration

    def _advance(self) -> str:
        try:
            token = next(self._steps)
        except StopIteration as end:
            tail = self._stops.push(self._decoder.flush())
            self.finish_reason = "stop" if self._stops.found else end.value
            return tail + self._stops.flush()
        self.tokens.append(token)
        piece = self._stops.push(self._decoder.push(token.id))
        if self._stops.found:
            self.finish_reason = "stop"
        return piece


class StopStrings:
    """Passes text through up to the first stop string, holding back what may turn out to be one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.found = False

    def push(self, text: str) -> str:
        """Return the text that can no longer be part of a stop string."""
        if self.found:
            return ""
        text = self._held + text
        # The one complete first wins, so that the outcome does not hang on how the text is cut.
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.found, self._held = True, ""
            return text[: min(found)[1]]
        n_held = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - n_held :]
        return text[: len(text) - n_held]

    def flush(self) -> str:
        """Return what is still held back: the text has ended, so no stop string will follow."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of `text` that begins, but is not, `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
