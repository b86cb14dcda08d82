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
CONTROLS = bytes([*range(0x09), 0x0B, *range(0x0E, 0x20), 0x7F])
UPPER_CONTROL_LEAD = b"\xc2"
UPPER_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")  # U+0080 to U+009F


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
        as_utf8 = data if attempt == "utf-8" else text.encode("utf-8", "surrogatepass")
        return None if _is_binary(as_utf8, len(text)) else (_with_plain_line_ends(text), attempt)
    return None


def replace_surrogates(text: str) -> tuple[str, int]:
    """Join surrogate pairs that JSON escapes left apart; put U+FFFD for lone ones and count them."""
    try:
        text.encode("utf-16-le")  # five times as fast as a search
        return text, 0
    except UnicodeEncodeError:
        pass
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined, joined.count("\ufffd") - text.count("\ufffd")


def _is_binary(as_utf8: bytes, n_chars: int) -> bool:
    n_controls = len(as_utf8) - len(as_utf8.translate(None, CONTROLS))
    if UPPER_CONTROL_LEAD in as_utf8:
        n_controls += len(UPPER_CONTROL.findall(as_utf8))
    return n_controls > MAX_CONTROL_FRACTION * n_chars


def _with_plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
