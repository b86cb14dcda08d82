"""`herd data inspect` of a curated corpus: in the terminal, as a page, for one document, as JSON."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from herd.data import Fate


def inspect_corpus(
    directory: Path, *, verify: bool, html: Path | None, document: str | None, as_json: bool
) -> None:
    """Show a curated corpus. Raises UserError when it is unfinished or damaged."""
    from herd.data import corpus_summary, corpus_text, verify_corpus, why, write_corpus_page

    if verify:
        verify_corpus(directory)
    if html:
        write_corpus_page(directory, html)
    if document is not None:
        _show_fate(why(directory, document), as_json)
    elif as_json:
        print(json.dumps(corpus_summary(directory)))
    elif not html:
        from rich.console import Console

        corpus_text(directory, Console())


def _show_fate(fate: "Fate", as_json: bool) -> None:
    raise NotImplementedError
