"""Bytes to text: UTF-8, else a byte order mark's encoding, else Windows-1252; or the verdict 'binary'."""

import codecs
import re

# UTF-32's mark begins with UTF-16's, so it comes first.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Text holds tabs, line ends and form feeds, and next to nothing else below the space.
MAX_CONTROL_FRACTION = 0.005
CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def decode(data: bytes) -> tuple[str, str] | None:
    """Return the text and the encoding it was read with, or None if this is no text.

    Line ends become `\\n`; a byte order mark is dropped.
    """
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), None)
    if encoding is None and b"\0" in data:
        return None
    for attempt in (encoding,) if encoding else ("utf-8", "cp1252", "latin-1"):
        try:
            text = data.decode(attempt).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
        return None if _is_binary(text) else (_with_plain_line_ends(text), attempt)
    return None


def replace_surrogates(text: str) -> tuple[str, int]:
    """Join surrogate pairs that JSON escapes left apart; put U+FFFD for lone ones and count them."""
    if not LONE_SURROGATE.search(text):
        return text, 0
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined, joined.count("\ufffd") - text.count("\ufffd")


def _is_binary(text: str) -> bool:
    return sum(1 for _ in CONTROL.finditer(text)) > MAX_CONTROL_FRACTION * len(text)


def _with_plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
