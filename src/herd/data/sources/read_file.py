"""One file to documents, by the ending of its name.

In: a binary stream and a name. Out: documents; what could not be read is counted and named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import BinaryIO, Literal

from herd.data.document import NO_META, Document, Kind
from herd.data.sources.archive import (
    ARCHIVE_BROKEN,
    ARCHIVE_TRAP,
    ArchiveTrapError,
    is_archive,
    read_members,
)
from herd.data.sources.compression import BROKEN, open_decompressed, without_compression
from herd.data.sources.decode import decode
from herd.data.sources.file_set import FileSet
from herd.data.sources.html_text import html_to_text
from herd.data.sources.pieces import MAX_PIECE_BYTES, read_pieces, split_text
from herd.data.sources.records import (
    Row,
    WantedFields,
    count_row_groups,
    read_csv,
    read_jsonl,
    read_parquet,
)
from herd.data.sources.source_config import SourceConfig
from herd.data.sources.warc import read_warc
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
PAGES = frozenset({".warc"})
ARCHIVES = frozenset({".zip", ".tar", ".tgz"})
KNOWN = PROSE | HTML | RECORDS | CODE | PAGES | ARCHIVES
Pages = Literal["text", "raw"]


@dataclass(frozen=True, slots=True)
class FileStretch:
    """A file, or a stretch of one that was cut: bytes of JSON lines, row groups of Parquet."""

    stream: BinaryIO
    name: str
    begin: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """A text of a file: its label tells it apart from the file's other texts."""

    label: str
    text: str
    kind: Kind = "prose"
    meta: Mapping[str, str] = field(default_factory=lambda: NO_META)


def suffix_of(name: str) -> str:
    """Return the ending that tells what is inside: `.jsonl` for `a.jsonl.gz`."""
    return PurePosixPath(without_compression(name)).suffix.lower()


def is_splittable(name: str) -> bool:
    """Whether a stretch of the file can be read without what comes before."""
    return PurePosixPath(name).suffix.lower() in (".jsonl", ".ndjson", ".parquet")


def n_row_groups(files: FileSet, inside: str) -> int:
    """Return how many row groups a Parquet file has; 1 if it cannot be read, which reading will say."""
    try:
        with files.open(inside) as stream:
            return count_row_groups(stream)
    except OSError:
        return 1


def read_file(
    stretch: FileStretch, source: SourceConfig, tally: Tally, *, pages: Pages = "text"
) -> Iterator[Document]:
    """Yield the documents in a file. A broken one yields what came before the break."""
    try:
        for found in _texts(stretch, source, tally, pages):
            tally.count("read", "documents")
            tally.count("read", "chars", len(found.text))
            yield Document(
                text=found.text,
                source=source.location,
                name=f"{stretch.name}{found.label}",
                language=found.meta.get("language", ""),
                kind=found.kind,
                meta={key: value for key, value in found.meta.items() if key != "language"},
            )
    except ARCHIVE_BROKEN:
        tally.note("read", "corrupt or truncated file", stretch.name)


def _texts(
    stretch: FileStretch, source: SourceConfig, tally: Tally, pages: Pages
) -> Iterator[_Found]:
    name, suffix = stretch.name, suffix_of(stretch.name)
    if is_archive(name):
        yield from _archived(stretch, source, tally, pages)
    elif suffix in PAGES:
        for label, kind, text, meta in read_warc(stretch.stream, name, tally):
            raw = kind == "page" and pages == "raw"
            shown = html_to_text(text) if kind == "page" and not raw else text
            yield _Found(label, shown, "page" if raw else "prose", meta)
    elif suffix in RECORDS:
        for row in _rows(stretch, suffix, source, tally):
            for label, text in _labelled(split_text(row.text), f":{row.label}"):
                yield _Found(label, text, meta=row.meta)
    else:
        yield from _single(stretch, suffix, tally, pages)


def _single(stretch: FileStretch, suffix: str, tally: Tally, pages: Pages) -> Iterator[_Found]:
    """A page, or a text cut into pieces if it is long."""
    stream, name = open_decompressed(stretch.stream, stretch.name), stretch.name
    if suffix in HTML:
        text = _page(stream, name, tally)
        if text is not None and pages == "raw":
            yield _Found("", text, "page")
        elif text is not None:
            yield _Found("", html_to_text(text))
        return
    kind: Kind = "code" if suffix in CODE else "prose"
    for label, text in _labelled(_plain_texts(stream, name, tally), ""):
        yield _Found(label, text, kind)


def _archived(
    stretch: FileStretch, source: SourceConfig, tally: Tally, pages: Pages
) -> Iterator[_Found]:
    """The texts of an archive's files, each read as it would be outside."""
    for inside, stream in read_members(stretch.stream, stretch.name, tally):
        if suffix_of(inside) not in KNOWN:
            tally.note("read", "file of another kind", f"{stretch.name}/{inside}")
            continue
        member = FileStretch(stream, inside)
        try:
            for found in _texts(member, source, tally, pages):
                yield replace(found, label=f"/{inside}{found.label}")
        except ArchiveTrapError:  # met while the member was read, after it was handed out
            tally.note("read", ARCHIVE_TRAP, stretch.name)
            return
        except BROKEN:
            tally.note("read", "corrupt or truncated file", f"{stretch.name}/{inside}")


def _rows(stretch: FileStretch, suffix: str, source: SourceConfig, tally: Tally) -> Iterator[Row]:
    wanted = WantedFields(source.text_field, (*source.meta_fields, "language"))
    name = stretch.name
    if suffix == ".parquet":
        return read_parquet(stretch.stream, wanted, name, tally, stretch.begin, stretch.end)
    stream = open_decompressed(stretch.stream, name)
    if suffix in (".csv", ".tsv"):
        return read_csv(stream, wanted, name, tally, delimiter="," if suffix == ".csv" else "\t")
    return read_jsonl(stream, wanted, name, tally, stretch.begin, stretch.end)


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


def _page(stream: BinaryIO, name: str, tally: Tally) -> str | None:
    data = stream.read(MAX_PIECE_BYTES + 1)
    if len(data) > MAX_PIECE_BYTES:
        tally.note("read", f"page over {MAX_PIECE_BYTES >> 20} MiB", name)
        return None
    return _decoded(data, name, tally)


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
