"""`herd eval robustness`: how far a score of multiple choice hangs on what should not matter."""

import json
from pathlib import Path
from typing import Annotated

import typer

from herd.cli.table_console import table_console


def robustness(
    model: Annotated[str, typer.Argument(help="A name, a directory, a .gguf file or hf:ORG/NAME.")],
    tasks: Annotated[str, typer.Option(help="Tasks with four answers, with commas.")] = "mmlu",
    data: Annotated[
        Path | None, typer.Option(help="Directory that holds the benchmarks' files.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Questions, evenly from all tasks.")] = 200,
    out: Annotated[Path | None, typer.Option(help="Also write the page (HTML).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Put the same questions with other labels, orders, examples and wordings (Llama 3, 5.1.2).

    Prints the spread over the variants of each kind, not only a mean.
    """
    import herd
    from herd.evals import questions_of, robustness_page, robustness_study, show_robustness
    from herd.evaluation import EngineModel
    from herd.foundation import UserError, write_text

    if limit < 1:
        raise UserError(f"--limit is {limit}; give 1 or more questions")
    questions = questions_of(
        [name.strip() for name in tasks.split(",") if name.strip()], data, limit
    )
    study = robustness_study(questions, EngineModel(herd.load(model)))
    if out is not None:
        write_text(out, robustness_page(study))
    if as_json:
        print(json.dumps(study))
        return
    show_robustness(study, table_console())
    if out is not None:
        print(f"\nAs a page: open {out} in a browser")
