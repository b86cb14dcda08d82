"""One file to documents, by the ending of its name.

In: a binary stream and a name. Out: documents; what could not be read is counted and named.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from herd.data.document import Document, Kind
from herd.data.sources.archive import ARCHIVE_BROKEN
from herd.data.sources.compression import open_decompressed, without_compression
from herd.data.sources.decode import decode
from herd.data.sources.html_text import html_to_text
from herd.data.sources.pieces import MAX_PIECE_BYTES, read_pieces, split_text
from herd.data.sources.records import read_csv, read_jsonl, read_parquet
from herd.data.tally import Tally

PROSE = frozenset({".txt", ".text", ".md", ".markdown", ".rst", ".tex"})
HTML = frozenset({".html", ".htm", ".xhtml"})
RECORDS = frozenset({".jsonl", ".ndjson", ".csv", ".tsv", ".parquet"})
CODE = frozenset(
    [
        ".py",
        ".pyi",
        ".pyx",
        ".c",
        ".h",
        ".cc",
        ".cpp",
        ".cxx",
        ".hpp",
        ".cu",
        ".cuh",
        ".java",
        ".js",
        ".mjs",
        ".ts",
        ".tsx",
        ".go",
        ".rs",
        ".rb",
        ".php",
        ".cs",
        ".swift",
        ".kt",
        ".scala",
        ".sh",
        ".bash",
        ".sql",
        ".r",
        ".jl",
        ".lua",
        ".pl",
        ".hs",
        ".ml",
        ".ex",
        ".erl",
        ".clj",
        ".lisp",
        ".el",
        ".f90",
        ".asm",
        ".s",
        ".v",
        ".vhd",
    ]
)
KNOWN = PROSE | HTML | RECORDS | CODE


def suffix_of(name: str) -> str:
    """Return the ending that tells what is inside: `.jsonl` for `a.jsonl.gz`."""
    return PurePosixPath(without_compression(name)).suffix.lower()


def read_file(
    stream: BinaryIO, name: str, source: str, text_field: str, tally: Tally
) -> Iterator[Document]:
    """Yield the documents in a stream. A broken stream yields what came before the break."""
    kind: Kind = "code" if suffix_of(name) in CODE else "prose"
    n_texts = 0
    try:
        for label, text in _texts(open_decompressed(stream, name), name, text_field, tally):
            n_texts += 1
            tally.count("read", "documents")
            tally.count("read", "chars", len(text))
            yield Document(text=text, source=source, name=f"{name}{label}", kind=kind)
    except ARCHIVE_BROKEN:
        tally.note("read", "corrupt or truncated file", name)


def _texts(stream: BinaryIO, name: str, text_field: str, tally: Tally) -> Iterator[tuple[str, str]]:
    """(label, text) pairs: the label is what tells the documents of one file apart."""
    suffix = suffix_of(name)
    if suffix in RECORDS:
        for row, text in _rows(stream, suffix, name, text_field, tally):
            yield from _labelled(split_text(text), f":{row}")
    elif suffix in HTML:
        yield from _labelled(_html_texts(stream, name, tally), "")
    else:
        yield from _labelled(_plain_texts(stream, name, tally), "")


def _rows(
    stream: BinaryIO, suffix: str, name: str, text_field: str, tally: Tally
) -> Iterator[tuple[int, str]]:
    if suffix == ".parquet":
        return read_parquet(stream, text_field, name, tally)
    if suffix in (".csv", ".tsv"):
        delimiter = "," if suffix == ".csv" else "\t"
        return read_csv(stream, text_field, name, tally, delimiter=delimiter)
    return read_jsonl(stream, text_field, name, tally)


def _labelled(texts: Iterator[str], label: str) -> Iterator[tuple[str, str]]:
    """Number the pieces of what had to be cut: `#1`, `#2`; a whole text keeps its plain label."""
    first = next(texts, None)
    if first is None:
        return
    second = next(texts, None)
    if second is None:
        yield label, first
        return
    yield f"{label}#1", first
    yield f"{label}#2", second
    for number, text in enumerate(texts, start=3):
        yield f"{label}#{number}", text


def _html_texts(stream: BinaryIO, name: str, tally: Tally) -> Iterator[str]:
    data = stream.read(MAX_PIECE_BYTES + 1)
    if len(data) > MAX_PIECE_BYTES:
        tally.note("read", f"page over {MAX_PIECE_BYTES >> 20} MiB", name)
        return
    text = _decoded(data, name, tally)
    if text is not None:
        yield html_to_text(text)


def _plain_texts(stream: BinaryIO, name: str, tally: Tally) -> Iterator[str]:
    n_pieces = 0
    for data in read_pieces(stream):
        text = _decoded(data, name, tally)
        if text is None:
            return
        n_pieces += 1
        if n_pieces == 2:
            tally.note("read", "file cut into pieces", name)
        yield text
    if n_pieces == 0:
        tally.note("read", "empty file", name)


def _decoded(data: bytes, name: str, tally: Tally) -> str | None:
    decoded = decode(data)
    if decoded is None:
        tally.note("read", "binary file", name)
        return None
    text, encoding = decoded
    if encoding != "utf-8":
        tally.note("read", f"file read as {encoding}", name)
    return text
