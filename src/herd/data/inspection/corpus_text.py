"""The same in a terminal: the funnel with its reasons, and how the text is spread."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from herd.data.curation import explain_damage
from herd.data.inspection.corpus_view import CorpusView, view_corpus
from herd.data.inspection.excerpt import excerpt
from herd.data.inspection.mix_rows import COLUMNS
from herd.foundation import format_bytes, format_count

if TYPE_CHECKING:
    from rich.console import Console

BAR_CHARS = 24
NAMED, NAME_CHARS = 3, 80
MOST_VALUES = 8


def show_corpus(directory: Path | str, console: "Console") -> None:
    """Print the funnel and the distributions. Raises UserError when the corpus is unfinished or damaged."""
    view = view_corpus(directory)
    with explain_damage(directory):
        shown = list(_shown(view))
    for one in shown:
        console.print(one)


def _shown(view: CorpusView) -> Iterator[Any]:
    yield _funnel(view)
    if view.unread:
        yield _unread(view)
    if view.mix:
        yield _mix(view)
    for name in ("language", "topic", "source", "kind"):
        if len(view.distribution("kept", name)) > 1:
            yield _bars(name, view)
    (n_read, bytes_read), (n_kept, bytes_kept) = view.total("read"), view.total("kept")
    yield (
        f"read {format_count(n_read)} documents ({format_bytes(bytes_read)}), kept "
        f"{format_count(n_kept)} ({format_bytes(bytes_kept)}, {bytes_kept / max(bytes_read, 1):.0%})"
    )


def corpus_summary(directory: Path | str) -> dict[str, Any]:
    """Return the manifest, for a program."""
    return dict(view_corpus(directory).manifest)


def _funnel(view: CorpusView) -> Any:
    from rich.table import Column, Table
    from rich.text import Text

    table = Table("stage", "reason", Column("documents", justify="right"), "left", title="funnel")
    bytes_read = max(view.total("read")[1], 1)
    for row in view.funnel:
        left = f"{format_bytes(row['bytes_out'])} ({row['bytes_out'] / bytes_read:.0%})"
        n_gone = row["documents_in"] - row["documents_out"]
        table.add_row(Text(row["stage"]), "", f"{-n_gone:+,}" if n_gone else "0", left)
        for what in ("dropped", "changed"):
            for reason, n_documents in sorted(row[what].items(), key=lambda item: -item[1]):
                table.add_row("", Text(f"{what}: {reason}"), f"{n_documents:,}", "")
        for what, n in view.ruled(row["stage"]).items():
            table.add_row("", Text(f"in all: {what}"), f"{n:,}", "")
    return table


def _unread(view: CorpusView) -> Any:
    from rich.table import Column, Table
    from rich.text import Text

    table = Table("not read, or not wholly", Column("how often", justify="right"), "for example")
    for event, n, names in view.unread:
        shown = ", ".join(excerpt(name, NAME_CHARS) for name in names[:NAMED])
        table.add_row(Text(event), f"{n:,}", Text(shown))
    return table


def _mix(view: CorpusView) -> Any:
    from rich.table import Column, Table
    from rich.text import Text

    first, *others = COLUMNS
    table = Table(first, *(Column(name, justify="right") for name in others))
    for row in view.mix:
        table.add_row(*map(Text, row))  # a group's name may look like markup
    return table


def _bars(name: str, view: CorpusView) -> Any:
    from rich.table import Column, Table
    from rich.text import Text

    kept = view.distribution("kept", name)
    largest = max(cell[1] for cell in kept.values()) or 1
    table = Table(name, "", Column("documents", justify="right"), "text")
    for value, (n_documents, n_bytes) in sorted(kept.items(), key=lambda item: -item[1][1])[
        :MOST_VALUES
    ]:
        bar = "█" * max(round(BAR_CHARS * n_bytes / largest), 1 if n_bytes else 0)
        table.add_row(Text(value), bar, f"{n_documents:,}", format_bytes(n_bytes))
    return table
