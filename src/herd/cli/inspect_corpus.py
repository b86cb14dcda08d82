"""`herd data inspect` of a curated corpus: in the terminal, as a page, for one document, as JSON."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from herd.cli.table_console import table_console

if TYPE_CHECKING:
    from herd.data import Fate


def inspect_corpus(
    directory: Path, *, verify: bool, html: Path | None, document: str | None, as_json: bool
) -> None:
    """Show a curated corpus. Raises UserError when it is unfinished or damaged."""
    from herd.data import corpus_summary, show_corpus, verify_corpus, why, write_corpus_page

    if verify:
        verify_corpus(directory)
    if html:
        write_corpus_page(directory, html)
    if document is not None:
        _show_fate(why(directory, document), as_json)
    elif as_json:
        print(json.dumps(corpus_summary(directory)))
    elif not html:
        show_corpus(directory, table_console())


def _show_fate(fate: "Fate", as_json: bool) -> None:
    from herd.foundation import to_dict

    if as_json:
        print(json.dumps(to_dict(fate)))
        return
    for stage, decision in fate.decisions:
        print(f"{stage}: {decision.action}, {decision.reason} ({decision.detail})")
    if fate.kept is None:
        print("not in the corpus")
        return
    labels = {"language": fate.kept.language, **fate.kept.meta}
    shown = ", ".join(f"{name} {value}" for name, value in labels.items() if value)
    print(f"kept, {len(fate.kept.text):,} characters; {shown}")
