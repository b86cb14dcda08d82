"""`herd eval contamination`: what scores owe to questions that stand in the training text."""

import json
from pathlib import Path
from typing import Annotated

import typer

from herd.cli.table_console import table_console


def contamination(
    runs: Annotated[list[Path], typer.Argument(help="Directories of results, one a model.")],
    corpus: Annotated[Path, typer.Option(help="What `herd data curate` made.")],
    n_words: Annotated[int, typer.Option(help="Words in a gram.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Compare scores on clean and on contaminated questions and estimate the gain (Llama 3, 5.1.4)."""
    from herd.evals import contaminated_scores, show_contaminated

    rows = contaminated_scores(runs, corpus, n_words=n_words)
    if as_json:
        print(json.dumps(rows))
        return
    show_contaminated(rows, table_console())
