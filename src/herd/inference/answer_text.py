"""The text of one answer as its tokens come.

In: token ids. Out: text that is certain: whole characters, no part of a stop string.
Never: which token comes next.
"""

from __future__ import annotations

from collections.abc import Sequence

from herd.inference.stop_strings import StopStrings
from herd.tokenizer import TextStream, Tokenizer


class AnswerText:
    """Decodes, and watches for stop strings in what follows the first `min_tokens` tokens."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        stop: Sequence[str] = (),
        min_tokens: int = 0,
        continues: bool = True,
    ) -> None:
        self._decoder = TextStream(tokenizer, continues=continues)
        self._stops = StopStrings(stop)
        self._n_unwatched = min_tokens

    @property
    def stopped(self) -> bool:
        """Return whether a stop string came; nothing after it is text."""
        return self._stops.found

    def push(self, token_id: int) -> str:
        """Take one token; return what is certain now."""
        text = self._decoder.push(token_id)
        if self._n_unwatched:
            self._n_unwatched -= 1
            return text
        return self._stops.push(text)

    def end(self) -> str:
        """Return what was held back, now that no token follows."""
        return self._stops.push(self._decoder.flush()) + self._stops.flush()
