"""Cut what is longer than a bound into pieces at a line end, so that no document fills memory.

In: a stream or a text of any length. Out: pieces of at most MAX_PIECE_BYTES, whose sum is the whole.
"""

from collections.abc import Iterator
from typing import BinaryIO

# A book is about 1 MB. A longer file becomes several documents, each ending at a line end.
MAX_PIECE_BYTES = 8 << 20


def read_pieces(stream: BinaryIO, max_bytes: int = MAX_PIECE_BYTES) -> Iterator[bytes]:
    """Yield the stream in pieces that end after a line, or a word, or at least a character."""
    rest = b""
    while data := stream.read(max_bytes - len(rest)):
        buffer = rest + data
        if len(buffer) < max_bytes:  # a short read is not always the end
            rest = buffer
            continue
        cut = _cut(buffer)
        yield buffer[:cut]
        rest = buffer[cut:]
    if rest:
        yield rest


def split_text(text: str, max_chars: int = MAX_PIECE_BYTES) -> Iterator[str]:
    """Yield a text in pieces of at most `max_chars`, cut after a line or a word where there is one."""
    start = 0
    while len(text) - start > max_chars:
        stop = start + max_chars
        cut = max(text.rfind("\n", start, stop), text.rfind(" ", start, stop)) + 1
        cut = cut if cut > start else stop
        yield text[start:cut]
        start = cut
    yield text[start:]


def _cut(buffer: bytes) -> int:
    for separator in (b"\n", b" "):
        if (found := buffer.rfind(separator)) >= 0:
            return found + 1
    end = len(buffer)
    while end > len(buffer) - 3 and buffer[end - 1] & 0xC0 == 0x80:
        end -= 1  # over UTF-8's continuation bytes
    begun = end - 1 if buffer[end - 1] >= 0xC0 else len(buffer)
    return begun or len(
        buffer
    )  # bytes that are one character, or none: an empty piece would end all
