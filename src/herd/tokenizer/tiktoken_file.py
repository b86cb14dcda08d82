"""tiktoken's file of ranks: one line a token, its bytes in base64, a space, its rank.

In: the bytes of such a file, or tokens. Out: the other.
Never: special tokens, which this format does not hold.
Source: llama-models `tokenizer_utils`; the order of the ranks is the priority of merges.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from pathlib import Path

from herd.foundation import UserError

# Far above any real token (Llama 3's longest has 128 bytes): splitting long ones takes quadratic time.
MAX_TOKEN_BYTES = 2048
FIRST_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2} [0-9]+\r?(\n|\Z)")


def looks_like_ranks(content: bytes) -> bool:
    """Tell whether the content begins as a file of ranks does."""
    return FIRST_LINE.match(content) is not None


def parse_ranks(content: bytes, path: Path) -> list[bytes]:
    """Return the tokens in rank order. Raises UserError naming the line that is wrong."""
    rank_of: dict[bytes, int] = {}
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if line.strip():
            token, rank = _parse_line(line, f"{path} line {number}")
            if token in rank_of:
                raise UserError(
                    f"{path} line {number}: this token stands twice; get the file again"
                )
            rank_of[token] = rank
    tokens = sorted(rank_of, key=rank_of.__getitem__)
    for expected, token in enumerate(tokens):
        if rank_of[token] != expected:
            raise UserError(
                f"{path}: ranks must count 0, 1, 2, ... without gap or repetition, but "
                f"{rank_of[token]} stands where {expected} is due; the file is damaged, get it again"
            )
    return tokens


def format_ranks(tokens: Sequence[bytes]) -> str:
    """Return the text of a file of ranks."""
    return "".join(
        f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)
    )


def _parse_line(line: bytes, where: str) -> tuple[bytes, int]:
    words = line.split()
    if len(words) != 2 or not words[1].isdigit() or len(words[1]) > 10:
        raise UserError(f"{where}: expected 'base64 rank'; the file is damaged, get it again")
    try:
        token = base64.b64decode(words[0], validate=True)
    except binascii.Error as error:
        raise UserError(
            f"{where}: bad base64 ({error}); the file is damaged, get it again"
        ) from error
    if not 0 < len(token) <= MAX_TOKEN_BYTES:
        raise UserError(
            f"{where}: a token of {len(token):,} bytes (1 to {MAX_TOKEN_BYTES} are possible)"
        )
    return token, int(words[1])
