"""Which files of a source are read: by patterns, or by the endings known to be text.

In: a path below the location, a source. Out: yes or no; a refusal is counted.
"""

from fnmatch import fnmatch

from herd.data.sources.packages import PACKAGE_PREFIX, PACKAGING, STDLIB, STDLIB_TESTS
from herd.data.sources.read_file import CODE, HTML, KNOWN, PAGES, suffix_of
from herd.data.sources.source_config import SourceConfig
from herd.data.tally import Tally


def is_wanted(inside: str, source: SourceConfig, tally: Tally) -> bool:
    """Whether to read a file, by its path below the location."""
    if _matches(inside, source.exclude):
        tally.count("read", "excluded by pattern")
        return False
    if source.include:
        wanted = _matches(inside, source.include)
        tally.count("read", "files" if wanted else "not included by pattern")
        return wanted
    suffixes, skipped = _rules_of(source.location)
    if _matches(inside.lower(), skipped):
        tally.count("read", "file about the package or its tests")
        return False
    if suffix_of(inside) not in suffixes:
        tally.note("read", "file of another kind", inside)
        return False
    tally.count("read", "files")
    return True


def _rules_of(location: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The endings that are read and the patterns that are not."""
    if location.startswith(PACKAGE_PREFIX):
        return KNOWN - CODE - HTML - PAGES, PACKAGING
    if location == STDLIB:
        return frozenset({".py"}), STDLIB_TESTS
    return KNOWN, ()


def _matches(inside: str, patterns: tuple[str, ...]) -> bool:
    """`docs/*` matches at any depth, as `*/docs/*` would."""
    return any(fnmatch(inside, p) or fnmatch(inside, f"*/{p}") for p in patterns)
