"""`herd pretrain`: a recipe's model and stage, on shards that are packed already."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from herd.cli.run import conclude, make_generate, plan_of, resolve


def pretrain(
    recipe: Annotated[
        str, typer.Argument(help="Whose model and stage: a name or my_file.py:my_recipe.")
    ],
    data: Annotated[
        Path, typer.Option(help="Packed shards: a shard, or a directory with train/ and held_out/.")
    ],
    tokenizer: Annotated[
        Path, typer.Option(help="The tokenizer that they were packed with: file or directory.")
    ],
    out: Annotated[Path, typer.Option(help="Directory of the run.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change one field; may be repeated."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in that directory, if any.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Pre-train on packed shards."""
    from herd.foundation import RunDirectory
    from herd.pretraining import run_on_shards

    plan = plan_of(resolve(recipe, overrides))
    made_from = {"data": str(data), "tokenizer": str(tokenizer)}
    result = run_on_shards(
        replace(plan, recipe={**plan.recipe, "made_from": made_from}),
        RunDirectory(out),
        data,
        tokenizer,
        resume=resume,
        make_generate=make_generate,
    )
    conclude(result, out, as_json)
