"""Byte-level BPE by ranks, as Llama 3 has it: the vocabulary's order is the merging order.

In: token bytes in rank order, special tokens. Out: a Tokenizer on tiktoken's Rust core.
Never: merge lists (`fast_tokenizer.py`), training.
Beside the fast path stands `merge_word`, the plain algorithm, which a test holds it to.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import tiktoken

from herd.foundation import UserError, available_cores
from herd.tokenizer.export import save_ranks
from herd.tokenizer.gguf_keys import gguf_keys_of_ranks
from herd.tokenizer.long_runs import cut_long_runs
from herd.tokenizer.special_tokens import SpecialTokens
from herd.tokenizer.split_patterns import LLAMA3_GROUPED_PATTERN, LLAMA3_PATTERN
from herd.tokenizer.tokenizer import Tokenizer

# One thread's task: long enough that starting it costs nothing, short enough to share evenly.
TASK_CHARS = 1 << 18


class ByteLevelTokenizer(Tokenizer):
    """Llama 3's tokenizer over any vocabulary of ranks."""

    prefix_at_start = False
    prefix_after_special = False

    def __init__(self, tokens: Sequence[bytes], roles: SpecialTokens) -> None:
        """Take the tokens in rank order, so that a token's rank is its id."""
        check_ranks(tokens)
        super().__init__(roles, _bytes_by_id(tokens, roles))
        self.tokens = tuple(tokens)
        ranks = {token: rank for rank, token in enumerate(tokens)}
        # tiktoken learns no special tokens: they are cut out of the text before it sees any.
        self._encoding = tiktoken.Encoding(
            "herd", pat_str=LLAMA3_GROUPED_PATTERN, mergeable_ranks=ranks, special_tokens={}
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the pattern, the tokens in order, and the special tokens."""
        digest = hashlib.sha256(LLAMA3_PATTERN.encode())
        for token in self.tokens:
            digest.update(len(token).to_bytes(4, "little") + token)
        digest.update(repr(sorted(self.special_tokens.items())).encode())
        return digest.hexdigest()

    def save(self, directory: str | Path) -> None:
        """Write tokenizer.json, tokenizer_config.json and tokenizer.model (tiktoken's format)."""
        save_ranks(self.tokens, self.roles, Path(directory))

    def gguf_metadata(self) -> dict[str, Any]:
        """Keys of a `gpt2` vocabulary with pre-tokenizer `llama-bpe`."""
        return gguf_keys_of_ranks(self.tokens, self.roles, self.vocab_size)

    def _encode_plain(self, text: str) -> list[int]:
        pieces = cut_long_runs(text)
        if len(pieces) == 1:
            return self._encoding.encode_ordinary(text)
        return [token_id for piece in pieces for token_id in self._encoding.encode_ordinary(piece)]

    def _encode_after_special(self, text: str) -> list[int]:
        return self._encode_plain(text)

    def _encode_plain_batch(self, texts: list[str]) -> list[list[int]]:
        """Cut long texts where nothing is lost, share equal loads among threads, join again."""
        pieces_of = [cut_at_lines(text) for text in texts]
        pieces = [piece for pieces in pieces_of for piece in pieces]
        with ThreadPoolExecutor(available_cores()) as pool:
            loads = pool.map(self._encode_load, _equal_loads(pieces))
            encoded = iter([ids for load in loads for ids in load])
        return [_joined([next(encoded) for _ in pieces]) for pieces in pieces_of]

    def _encode_load(self, pieces: list[str]) -> list[list[int]]:
        return [self._encode_plain(piece) for piece in pieces]


def check_ranks(tokens: Sequence[bytes]) -> None:
    """Raise UserError unless tokens are unique, not empty, and hold all 256 single bytes."""
    if len(set(tokens)) != len(tokens):
        raise UserError("the vocabulary holds one token twice; every token needs one rank")
    missing = 256 - sum(len(token) == 1 for token in tokens)
    if missing:
        raise UserError(
            f"the vocabulary lacks {missing} of the 256 single bytes, so it cannot spell every "
            "text; it is truncated or no byte-level vocabulary"
        )


def cut_at_lines(text: str) -> list[str]:
    """Cut a long text into pieces of about TASK_CHARS whose ids joined are the text's ids.

    A cut lies between a line's end and a character that is not space: no alternative of the
    pattern reaches over that place, and none looks ahead past a line's end there.
    A text with a very long run stays whole, as `cut_long_runs` counts runs over the whole of it.
    """
    if len(text) < 2 * TASK_CHARS or len(cut_long_runs(text)) > 1:
        return [text]
    pieces = []
    start = 0
    while (cut := _line_start(text, start + TASK_CHARS)) is not None:
        pieces.append(text[start:cut])
        start = cut
    return [*pieces, text[start:]]


def merge_word(word: bytes, ranks: dict[bytes, int]) -> list[int]:
    """The reference: join, again and again, the neighbours whose union has the lowest rank."""
    if word in ranks:
        return [ranks[word]]
    parts = [bytes([byte]) for byte in word]
    while True:
        pairs = [(ranks.get(a + b), i) for i, (a, b) in enumerate(zip(parts, parts[1:]))]  # noqa: B905
        known = [(rank, i) for rank, i in pairs if rank is not None]
        if not known:
            return [ranks[part] for part in parts]
        _, i = min(known)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


def _line_start(text: str, after: int) -> int | None:
    """The first place behind `after` where a line ends and a non-space follows."""
    newline = text.find("\n", after)
    while newline != -1 and newline + 1 < len(text):
        if not text[newline + 1].isspace():
            return newline + 1
        newline = text.find("\n", newline + 1)
    return None


def _equal_loads(pieces: list[str]) -> list[list[str]]:
    loads: list[list[str]] = []
    room_chars = 0
    for piece in pieces:
        if room_chars <= 0:
            loads.append([])
            room_chars = TASK_CHARS
        loads[-1].append(piece)
        room_chars -= len(piece)
    return loads


def _joined(parts: list[list[int]]) -> list[int]:
    return parts[0] if len(parts) == 1 else [token_id for part in parts for token_id in part]


def _bytes_by_id(tokens: Sequence[bytes], roles: SpecialTokens) -> list[bytes | None]:
    special = {token_id: name.encode() for name, token_id in roles.ids.items()}
    if overlap := sorted(token_id for token_id in special if token_id < len(tokens)):
        raise UserError(
            f"special token id {overlap[0]} is also the id of an ordinary token; "
            "the tokenizer file contradicts itself, get it again"
        )
    last_id = max(special, default=-1)
    if last_id > 2 * len(tokens) + (1 << 20):
        raise UserError(f"a special token has the id {last_id:,}, far beyond the vocabulary")
    n_ids = max(len(tokens), last_id + 1)
    return [*tokens, *(special.get(token_id) for token_id in range(len(tokens), n_ids))]
