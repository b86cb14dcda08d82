"""`herd eval`: benchmarks with intervals, and what follows from them."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core

from herd.cli.eval_arena import arena
from herd.cli.eval_contamination import contamination
from herd.cli.eval_needle import needle
from herd.cli.eval_robustness import robustness
from herd.cli.main import EXIT_FAILED, SETTINGS
from herd.cli.table_console import table_console


class ModelFirst(typer.core.TyperGroup):
    """`herd eval MODEL ...` is `herd eval run MODEL ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` first unless a command is named or help is asked for."""
        if args and args[0] not in self.commands and args[0] not in SETTINGS["help_option_names"]:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=ModelFirst,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=SETTINGS,
    help="Score a model on benchmarks, with intervals. herd eval MODEL --tasks smoke; the commands below do more.",
)


@app.command()
def run(
    model: Annotated[
        str | None, typer.Argument(help="A name, a directory, a .gguf file or hf:ORG/NAME.")
    ] = None,
    tasks: Annotated[
        str, typer.Option(help="Tasks, groups and suites, with commas: smoke,arc_easy,mmlu.")
    ] = "smoke",
    data: Annotated[
        Path | None, typer.Option(help="Directory that holds the benchmarks' files.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the results [default: runs/eval-MODEL].")
    ] = None,
    shots: Annotated[int | None, typer.Option(help="Examples in each prompt.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first questions.")] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Ask in the model's dialog format.")] = False,
    text: Annotated[
        list[Path] | None, typer.Option(help="Also the bits per byte of a text file.")
    ] = None,
    include: Annotated[
        Path | None, typer.Option(help="Directory with task files (YAML) of your own.")
    ] = None,
    samples: Annotated[int, typer.Option(help="Programs written for each problem.")] = 1,
    pass_k: Annotated[str, typer.Option(help="The k of pass@k, with commas.")] = "1",
    temperature: Annotated[float, typer.Option(help="Of several samples.")] = 0.6,
    seed: Annotated[int, typer.Option(help="Draws few-shot examples and samples.")] = 1234,
    quantize: Annotated[
        Literal["int8", "fp8_ffn", "fp8_all"] | None, typer.Option(help="Narrower weights.")
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Ask again what was answered before.")
    ] = False,
    list_tasks: Annotated[bool, typer.Option("--list", help="Name all tasks and suites.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Score a model on benchmarks, each with its 95 % interval.

    Run again, it goes on where it was; tasks that are done are not run again. Exit code 1: a task failed on
    this model; the others' results are kept.
    """
    if list_tasks:
        _list_tasks()
        return
    if model is None:
        raise typer.BadParameter("name a model, such as smollm2-135m", param_hint="MODEL")
    import herd
    from herd.evals import EvalSettings, Results
    from herd.evaluation import prepare_tasks, run_evaluation

    settings = EvalSettings(
        seed=seed, chat=chat, n_samples=samples, temperature=temperature, ks=_ks(pass_k)
    )
    prepared = prepare_tasks(
        tasks.split(","), data, texts=text or [], include=include, shots=shots, limit=limit
    )
    place = out or Path("runs") / f"eval-{Path(model).name.removesuffix('.gguf')}"
    lm = herd.load(model, quantize=quantize)
    reports = run_evaluation(prepared, lm, place, settings, keep_answers=not no_cache)
    not_run = Results(place).not_run()
    _show(reports, not_run, place, as_json)
    if not_run.keys() > prepared.left_out.keys():
        raise typer.Exit(EXIT_FAILED)


app.command()(arena)
app.command()(robustness)
app.command()(contamination)
app.command()(needle)


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Directories of results; the first is the base.")
    ],
    out: Annotated[Path | None, typer.Option(help="Also write the page (HTML).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Compare models on the questions they share: paired differences with intervals."""
    from herd.evals import compare_runs, comparison_json, comparison_page, show_comparison
    from herd.foundation import write_text

    comparison = compare_runs(runs)
    if out is not None:
        write_text(out, comparison_page(comparison))
    if as_json:
        print(json.dumps(comparison_json(comparison)))
        return
    show_comparison(comparison, table_console())
    if out is not None:
        print(f"\nWith the questions that they answer otherwise: open {out} in a browser")


def _show(reports: Any, not_run: dict[str, str], place: Path, as_json: bool) -> None:
    from herd.evals import show_reports

    if as_json:
        rows = [report.to_json() for report in reports]
        print(json.dumps({"out": str(place), "tasks": rows, "not_run": not_run}))
        return
    show_reports(reports, table_console())
    for name, why in not_run.items():
        print(f"not run: {name}: {why}")
    print(f"\nEvery prompt and answer: open {place / 'report.html'} in a browser")


def _list_tasks() -> None:
    from rich.table import Table

    from herd.evals import BENCHMARKS, SUITES, first_file

    table = Table("task", "group", "shots", "metric", "file", "about")
    for one in BENCHMARKS:
        row = (one.name, one.group, str(one.shots), one.metric, first_file(one), one.about)
        table.add_row(*row)
    console = table_console()
    console.print(table)
    for name, entries in SUITES.items():
        console.print(f"{name}: {', '.join(task for task, _, _ in entries)}")


def _ks(text: str) -> tuple[int, ...]:
    from herd.foundation import UserError

    try:
        return tuple(int(one) for one in text.split(","))
    except ValueError as error:
        raise UserError(f"--pass-k is {text!r}; give numbers with commas, such as 1,10") from error
