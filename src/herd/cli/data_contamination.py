"""`herd data contamination`: how much of each benchmark stands in a corpus."""

import json
from pathlib import Path
from typing import Annotated

import typer

from herd.cli.table_console import table_console


def contamination(
    directory: Annotated[Path, typer.Argument(help="What `herd data curate` made.")],
    benchmarks: Annotated[
        list[Path],
        typer.Option("--benchmark", help="Benchmark's file or directory; may be repeated."),
    ],
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", help="Field of an example that counts; all if none is named."),
    ] = None,
    n_words: Annotated[int, typer.Option(help="Words in a gram.")] = 8,
    split: Annotated[str, typer.Option(help="Documents of this split.")] = "train",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Score every example of benchmarks by the share of its words that an n-gram of the corpus holds.

    Llama 3, section 5.1.4: 8-grams. To label or drop such documents, put a ContaminationStage into the recipe.
    """
    from herd.data import contamination_report, read_corpus, read_examples, show_contamination
    from herd.foundation import UserError

    if split not in ("train", "held_out"):
        raise UserError(f"--split is {split!r}; it must be train or held_out")
    examples = list(read_examples([str(path) for path in benchmarks], fields or ()))
    documents = read_corpus(directory, split=split, doing="scanning")
    report = contamination_report(documents, examples, n_words=n_words)
    if as_json:
        print(json.dumps(report))
        return
    show_contamination(report, table_console())
