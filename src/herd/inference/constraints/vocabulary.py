"""The tokens of a tokenizer as llguidance takes them: each token's exact bytes, special ones apart.

In: a `Tokenizer` of any kind. Out: an `LLTokenizer`; facts about tokens that bounds need.
Never: encoding text. Grammars run over bytes, so the answer is free to be cut into any tokens.
One id more than the tokenizer has stands for the end: an answer ends by the stop ids of its request,
of which a tokenizer may have none or several, and which differ from request to request.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property

import llguidance
import numpy as np
import numpy.typing as npt

from herd.foundation import UserError
from herd.inference.constraints.worker import build_tokenizer
from herd.tokenizer import Tokenizer

DIGITS = b"0123456789"
MAX_LEADING_DIGITS = 127  # int8


@dataclass(frozen=True, eq=False)
class ConstraintVocabulary:
    """The bytes of each id (empty where it stands for no text), and which ids are special."""

    tokens: tuple[bytes, ...]
    special_ids: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, opens_text: bool = False) -> ConstraintVocabulary:
        """Take the tokens as they stand inside a text or, with `opens_text`, at its beginning,
        where Llama 2's decoding takes a space away.
        """
        special = frozenset(tokenizer.special_tokens.values())
        tokens = [_bytes_of(tokenizer, i) for i in range(tokenizer.vocab_size)]
        if opens_text:
            tokens = [
                token if i in special else token.removeprefix(b" ")
                for i, token in enumerate(tokens)
            ]
        return cls(tuple(tokens), tuple(sorted(special)))

    @property
    def n_ids(self) -> int:
        """How many ids the tokenizer has."""
        return len(self.tokens)

    @cached_property
    def engine(self) -> llguidance.LLTokenizer:
        """llguidance's trie of the tokens, built once (0.1 s for 32,000, 0.5 s for 128,000)."""
        return build_tokenizer(self.tokens, self.special_ids)

    @cached_property
    def leading_digits_V(self) -> npt.NDArray[np.int8]:
        """By how many digits each token goes on with a number, counting what a point demands."""
        counts = [min(_leading_digits(token), MAX_LEADING_DIGITS) for token in self.tokens]
        return np.array(counts, dtype=np.int8)

    @cached_property
    def most_digits(self) -> int:
        """The most digits that a token begins with."""
        return int(self.leading_digits_V.max(initial=0))

    @cached_property
    def opens_V(self) -> npt.NDArray[np.bool_]:
        """Which tokens hold a bracket that opens a JSON array or object."""
        return np.array([b"[" in token or b"{" in token for token in self.tokens])

    def prepare_bounds(self) -> None:
        """Compute now what JSON's bounds need at every token (0.2 s for 128,000, once)."""
        _ = self.most_digits, self.opens_V

    @cached_property
    def space_ids(self) -> tuple[int, ...]:
        """The ordinary tokens that are one space."""
        return tuple(
            i for i, t in enumerate(self.tokens) if t == b" " and i not in self.special_ids
        )

    @cached_property
    def _ids_by_bytes(self) -> dict[bytes, int]:
        special = frozenset(self.special_ids)
        return {token: i for i, token in enumerate(self.tokens) if token and i not in special}

    def spell(self, text: bytes) -> list[int]:
        """Return ids whose bytes are `text`, the longest token first. Raises UserError without."""
        ids: list[int] = []
        while text:
            n_bytes = next(
                (n for n in range(len(text), 0, -1) if text[:n] in self._ids_by_bytes), 0
            )
            if not n_bytes:
                raise UserError(f"no token of this vocabulary spells {text[:1]!r}")
            ids.append(self._ids_by_bytes[text[:n_bytes]])
            text = text[n_bytes:]
        return ids

    def message(self) -> dict[str, object]:
        """Return what the worker needs to build the same."""
        return {
            "tokens": [base64.b64encode(token).decode() for token in self.tokens],
            "special_ids": list(self.special_ids),
        }


def _leading_digits(token: bytes) -> int:
    head = token[: len(token) - len(token.lstrip(DIGITS + b"."))]
    return len(head) - head.count(b".") + head.endswith(b".")


def _bytes_of(tokenizer: Tokenizer, token_id: int) -> bytes:
    """Bytes of an id, none where it is not in use: such an id is never allowed."""
    try:
        return tokenizer.token_bytes(token_id)
    except UserError:
        return b""
