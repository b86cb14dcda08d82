"""The pages of a web archive (WARC, ISO 28500), as crawlers write it.

In: a binary stream of a .warc or .warc.gz. Out: (label, text, meta) of each HTML or plain text answer
of status 200 that came whole. Truncated ones are left out, as Llama 3 does (section 3.1.1).
Never: a record held that is longer than a page may be; a malformed archive ending the run.
"""

import codecs
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from herd.data.sources.decode import decode
from herd.data.sources.pieces import MAX_PIECE_BYTES
from herd.data.tally import Tally
from herd.foundation import missing_library

TEXT_TYPES = {"text/html": "page", "application/xhtml+xml": "page", "text/plain": "prose"}
# A declaration stands at the very beginning of a page (HTML standard: within 1024 bytes).
DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w-]{2,40})", re.IGNORECASE)
WEB_ENCODINGS = frozenset(
    ("utf-8", "utf-8-sig", "utf-16", "ascii", "cp866", "cp874", "mac-roman", "mac-cyrillic", "gbk")
    + ("gb2312", "gb18030", "big5", "big5hkscs", "euc_jp", "euc_kr", "shift_jis", "cp932", "cp949")
    + ("iso2022_jp", "tis-620", "johab")
)
DECLARED_WITHIN = 2048

Answer = tuple[str, str, str, dict[str, str]]  # label, kind, text, meta


def read_warc(stream: BinaryIO, name: str, tally: Tally) -> Iterator[Answer]:
    """Yield the answers of an archive; what is not taken is counted."""
    try:
        from fastwarc.warc import ArchiveIterator, WarcRecordType
    except ImportError:
        raise missing_library("reading WARC", "fastwarc", "data") from None
    records = ArchiveIterator(
        stream,
        record_types=WarcRecordType.response,
        parse_http=True,
        quirks_mode=True,
        auto_decode="all",
        stream_detect=True,
        fsspec_args=False,
    )
    number = 0
    while True:
        try:
            record = next(records, None)
            if record is None:
                return
            number += 1
            answer = _answer(record, f"#{number}", name, tally)
        except (OSError, ValueError, EOFError, RuntimeError, UnicodeError) as error:
            tally.note("read", "malformed WARC", f"{name}#{number}: {type(error).__name__}")
            return
        if answer:
            yield answer


def _answer(record: Any, label: str, name: str, tally: Tally) -> Answer | None:
    kind = TEXT_TYPES.get((record.http_content_type or "").lower())
    status = record.http_headers.status_code if record.http_headers else None
    if kind is None or status not in (200, None):
        tally.count("read", "WARC record that is no page")
        return None
    if record.headers.get("WARC-Truncated"):
        tally.note("read", "truncated page", f"{name}{label}")
        return None
    data = record.reader.read(MAX_PIECE_BYTES + 1)
    if len(data) > MAX_PIECE_BYTES:
        tally.note("read", f"page over {MAX_PIECE_BYTES >> 20} MiB", f"{name}{label}")
        return None
    text = _text(data, record.http_charset)
    if text is None:
        tally.note("read", "binary file", f"{name}{label}")
        return None
    meta = {
        "url": record.headers.get("WARC-Target-URI", "").strip("<>"),
        "date": record.headers.get("WARC-Date", ""),
    }
    return label, kind, text, {key: value for key, value in meta.items() if value}


def is_web_encoding(label: str) -> bool:
    """Return whether a label is of an encoding that pages have (WHATWG): Python knows others, which
    run in the square of the length, or make of bytes what is no Unicode.
    """
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return False
    return name in WEB_ENCODINGS or name.startswith(("iso8859-", "cp125", "utf-16-", "koi8-"))


def _text(data: bytes, charset: str | None) -> str | None:
    """The text by the answer's own charset, then the page's, then as any file is read."""
    declared = DECLARED.search(data, 0, DECLARED_WITHIN)
    for candidate in (charset, declared.group(1).decode("ascii", "ignore") if declared else None):
        if not candidate:
            continue
        if not is_web_encoding(candidate):
            continue
        try:
            text = data.decode(candidate)
        except (LookupError, UnicodeError):
            continue
        return text.removeprefix("\ufeff").replace("\r\n", "\n")
    decoded = decode(data)
    return decoded[0] if decoded else None
