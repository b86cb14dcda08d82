"""Text as it comes, token by token, without ever showing half a character.

In: ids one at a time. Out: the text that has become certain; joined it equals `decode` of all.
Never: stop strings, sampling.
"""

import codecs

from herd.tokenizer.tokenizer import Tokenizer


class TextStream:
    """Incremental decoding of one sequence of ids."""

    def __init__(
        self, tokenizer: Tokenizer, *, skip_special: bool = False, continues: bool = True
    ) -> None:
        """Begin a stream.

        With `continues` the ids follow some text (a prompt), so a leading space is part of
        the answer; without, they begin a text, as in `decode` (it matters for Llama 2 only).
        """
        self._tokenizer = tokenizer
        self._skip_special = skip_special
        self._special_ids = frozenset(tokenizer.special_tokens.values())
        self._drops_space = tokenizer.prefix_at_start and not continues
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token_id: int) -> str:
        """Take one id; return the characters that are now complete (often "", mid-character)."""
        token = self._tokenizer.token_bytes(token_id)
        if token_id in self._special_ids:
            self._drops_space = self._drops_space or self._tokenizer.prefix_after_special
            return "" if self._skip_special else self._utf8.decode(token)
        if self._drops_space:
            token = token.removeprefix(b" ")
            self._drops_space = False
        return self._utf8.decode(token)

    def flush(self) -> str:
        """End the stream; return U+FFFD for a character that was left unfinished, else ""."""
        return self._utf8.decode(b"", final=True)
