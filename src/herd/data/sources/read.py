"""Documents from any location.

`dir/`, `file.txt`, `rows.jsonl.gz`, `crawl.warc.gz`, `s3://bucket/folder`; `pypi:NAME==VERSION`, the
prose in a source distribution of the package registry; `python:stdlib`, the modules of the running
Python's standard library.
In: SourceConfigs, or a task of a plan. Out: documents in an order that does not change.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from herd.data.document import Document
from herd.data.sources.archive import read_archive
from herd.data.sources.file_set import file_set_of
from herd.data.sources.packages import PACKAGE_PREFIX, STDLIB, fetch_package, stdlib_files
from herd.data.sources.plan import ReadTask, plan_reading
from herd.data.sources.read_file import FileStretch, Pages, read_file
from herd.data.sources.selection import is_wanted
from herd.data.sources.source_config import SourceConfig
from herd.data.tally import Tally


def read_documents(
    sources: Iterable[SourceConfig], tally: Tally, *, pages: Pages = "text"
) -> Iterator[Document]:
    """Yield every document of every source, in order.

    HTML becomes its text, or with `pages="raw"` a document of kind `page`. Raises UserError when a
    location does not exist or a package cannot be fetched; a bad file among good ones is counted in
    `tally` and named there.
    """
    known = tuple(sources)
    for task in plan_reading(known, tally):
        yield from read_task(task, known, tally, pages=pages)


def read_task(
    task: ReadTask, sources: Sequence[SourceConfig], tally: Tally, *, pages: Pages = "text"
) -> Iterator[Document]:
    """Yield the documents of one task of `plan_reading(sources)`; all tasks in order give all."""
    source = sources[task.source]
    labels = {"topic": source.topic} if source.topic else {}
    for document in _documents(task, source, name_prefix(sources, task.source), tally, pages):
        if not document.name.isascii():
            document = replace(document, name=_printable(document.name))
        if source.language or labels:
            document = replace(
                document,
                language=source.language or document.language,
                meta={**document.meta, **labels},
            )
        yield document


def _printable(name: str) -> str:
    """A name as Unicode: bytes of a file's name that are no UTF-8 are written as `\\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def fetch_sources(sources: Iterable[SourceConfig]) -> list[Path]:
    """Bring every package among the sources into the cache; return where they lie.

    Raises UserError for a source that does not exist, before anything is fetched.
    """
    locations = [source.location for source in sources]
    for location in locations:
        if location != STDLIB and not location.startswith(PACKAGE_PREFIX):
            file_set_of(location)
    return [fetch_package(place) for place in locations if place.startswith(PACKAGE_PREFIX)]


def name_prefix(sources: Sequence[SourceConfig], number: int) -> str:
    """Return what goes before the names of a source's files, so that no two documents share a name.

    One source alone needs nothing; of several, a local one takes the name of its folder, or its
    whole location where another has that name too.
    """
    location = sources[number].location
    if location == STDLIB:
        return f"{STDLIB}/"
    if location.startswith(PACKAGE_PREFIX):
        return f"{location}/"
    others = [source.location for at, source in enumerate(sources) if at != number]
    if not others:
        return ""
    if location in others:
        return f"{location}@{number}/"
    same_name = any(_last(other) == _last(location) for other in others)
    return f"{location if same_name else _last(location)}/"


def _last(location: str) -> str:
    return PurePosixPath(location).name or location


def _documents(
    task: ReadTask, source: SourceConfig, prefix: str, tally: Tally, pages: Pages
) -> Iterator[Document]:
    if source.location.startswith(PACKAGE_PREFIX):
        yield from _read_package(source, prefix, tally, pages)
        return
    files = stdlib_files() if source.location == STDLIB else file_set_of(source.location)
    for inside in task.files:
        try:
            stream = files.open(inside)
        except OSError:
            tally.note("read", "unreadable file", inside)
            continue
        # A single file is its own name already.
        name = inside if prefix == f"{inside}/" else f"{prefix}{inside}"
        with stream:
            stretch = FileStretch(stream, name, task.begin, task.end)
            yield from read_file(stretch, source, tally, pages=pages)


def _read_package(
    source: SourceConfig, prefix: str, tally: Tally, pages: Pages
) -> Iterator[Document]:
    for name, stream in read_archive(fetch_package(source.location), tally):
        # The first folder is the package and version again, which the location says already.
        inside = "/".join(PurePosixPath(name).parts[1:])
        if is_wanted(inside, source, tally):
            stretch = FileStretch(stream, f"{prefix}{inside}")
            yield from read_file(stretch, source, tally, pages=pages)
