"""`herd stability`: simulate the theory, reproduce it, report on a run and follow one."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="See Adam go wrong before the loss does.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="Directory of a run, with its stability.jsonl.")
]


@app.command(short_help="Predict the update's statistics from betas and correlation.")
def simulate(
    beta1: Annotated[float, typer.Option(help="Adam's beta1.")] = 0.9,
    beta2: Annotated[float, typer.Option(help="Adam's beta2.")] = 0.95,
    rho: Annotated[
        float, typer.Option(help="Correlation of a gradient with the one before.")
    ] = 0.0,
    epsilon: Annotated[float, typer.Option(help="Epsilon over the gradient's RMS.")] = 0.0,
    snr: Annotated[
        float | None, typer.Option(help="Predict a steady signal of this signal-to-noise instead.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print closed forms beside a simulation of 20,000 coordinates of Adam's state."""
    from herd.stability import predict, predict_signal

    if snr is None:
        rows = predict(beta1, beta2, rho, epsilon=epsilon, seed=seed)
    else:
        rows = predict_signal(beta1, beta2, snr, seed=seed)
    if as_json:
        import json

        fields = ("name", "formula", "simulated")
        print(
            json.dumps([{each: _jsonable(getattr(row, each)) for each in fields} for row in rows])
        )
        return
    width = max(len(row.name) for row in rows)
    print(f"{'':{width}}  formula  simulated")
    for row in rows:
        print(f"{row.name:{width}}  {_number(row.formula):>7}  {_number(row.simulated):>9}")


def _jsonable(value: str | float | None) -> str | float | None:
    """JSON has no infinity: it is written as in the logs."""
    return str(value) if value in (float("inf"), float("-inf")) else value


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


@app.command(short_help="Run the experiments that show the theory.")
def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[R0 R1 R2 R3 R4 LEAGUE]", help="Which; all of them if none is named."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory for tables and drawings.")] = Path(
        "stability-results"
    ),
    seeds: Annotated[
        int | None, typer.Option(help="Seeds of each experiment, if not its own number.")
    ] = None,
) -> None:
    """Run experiments R0 to R4 and the league; write RESULTS.md, tables and drawings into OUT."""
    import sys

    from herd.stability import EXPERIMENTS
    from herd.stability import reproduce as run_experiments

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    wanted = names or list(EXPERIMENTS)
    for result in run_experiments(wanted, out, n_seeds=seeds, progress=say):
        held = sum(check.holds for check in result.checks)
        print(f"{result.name} ({result.seconds:.0f} s, {held} of {len(result.checks)} checks hold)")
        print(f"  {result.conclusion}")
    print(f"tables and drawings: {out}/RESULTS.md")


@app.command(short_help="Write a run's page: heat maps, verdicts, histograms.")
def report(
    run: Run,
    out: Annotated[
        Path | None, typer.Option(help="The page; RUN/stability.html if not given.")
    ] = None,
) -> None:
    """Write one self-contained HTML page about a live or a finished run."""
    from herd.stability import write_stability_report

    print(write_stability_report(run, out))


@app.command(short_help="Follow a live run in the terminal.")
def follow(
    run: Run,
    once: Annotated[bool, typer.Option("--once", help="Show it as it is now and end.")] = False,
    every_s: Annotated[
        float, typer.Option("--every", help="Seconds between two looks at the log.")
    ] = 1.0,
) -> None:
    """Show level, loss and the layers to look at, until the run is done or Ctrl-C."""
    from herd.stability import follow_run

    follow_run(run, once=once, every_s=every_s)
