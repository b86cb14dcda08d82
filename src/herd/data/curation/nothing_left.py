"""What is said when a corpus has no document left: where it was looked for, and what became of it."""

from collections.abc import Iterator, Mapping
from typing import Any

NAMED = 3


def nothing_left(record: Mapping[str, Any]) -> str:
    """Return one line: the sources, files that could not be read by name, and each stage's reasons."""
    sources = record["recipe"]["sources"]
    where = ", ".join(source["location"] for source in sources)
    fates = [*_unread(record["read"]), *_dropped(record["funnel"])]
    if fates:
        return f"no usable text in {where}: {', '.join(fates)}"
    patterns = sorted({pattern for source in sources for pattern in source["include"]})
    chosen = f" matches include={', '.join(patterns)}" if patterns else ""
    return f"no usable text in {where}: no file of a known kind{chosen}"


def _unread(read: Mapping[str, Any]) -> Iterator[str]:
    counts = read["counts"].get("read", {})
    for event, names in read["names"].get("read", {}).items():
        shown = ", ".join(names[:NAMED]) + (", ..." if counts[event] > NAMED else "")
        yield f"{counts[event]} {event} ({shown})"


def _dropped(funnel: list[Mapping[str, Any]]) -> Iterator[str]:
    for row in funnel:
        for reason, n_documents in row["dropped"].items():
            yield f"{n_documents} {reason}"
