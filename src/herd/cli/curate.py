"""`herd data curate`: sources to a clean corpus, on one core or a cluster."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from herd.data import CurationRecipe, Workers


def curate(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or my_file.py:my_recipe.")],
    out: Annotated[Path, typer.Option(help="Directory to make, or to go on in.")],
    sources: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="LOCATION", help="Read this instead; may be repeated."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change one field; may be repeated."),
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="Pack shards with this tokenizer file or directory.")
    ] = None,
    vocab_size: Annotated[
        int, typer.Option(help="Pack shards with a tokenizer of this size, trained on the corpus.")
    ] = 0,
    workers: Annotated[int, typer.Option(help="Processes on this machine, 0 for one a core.")] = 1,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Work on this Ray cluster instead.")
    ] = None,
    keep_phases: Annotated[
        bool, typer.Option("--keep-phases", help="Keep the documents between phases.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Curate a corpus: read, extract, deduplicate, filter and pack, every decision on record.

    The same command again goes on where a run was stopped.
    """
    from herd.data import closing_words, write_corpus_page
    from herd.data import curate as run_curation

    resolved = _resolve(recipe, sources, overrides, tokenizer, vocab_size)
    manifest = run_curation(
        resolved, out, workers=_workers(recipe, workers, ray), keep_phases=keep_phases
    )
    report = out / "report.html"
    write_corpus_page(out, report)
    if as_json:
        print(json.dumps(manifest))
        return
    print(f"{closing_words(out)}; look at it with: herd data inspect {out}", file=sys.stderr)


def _resolve(
    name: str,
    sources: list[str] | None,
    overrides: list[str] | None,
    tokenizer: Path | None,
    vocab_size: int,
) -> "CurationRecipe":
    from dataclasses import replace

    from herd.data import PackingConfig, SourceConfig
    from herd.foundation import apply_override
    from herd.recipes import find_curation

    recipe = find_curation(name)
    if sources:
        recipe = replace(recipe, sources=tuple(SourceConfig(location=one) for one in sources))
    if tokenizer or vocab_size:
        packing = PackingConfig(tokenizer=str(tokenizer or ""), vocab_size=vocab_size)
        recipe = replace(recipe, packing=packing)
    for override in overrides or []:
        recipe = apply_override(recipe, override)
    return recipe


def _workers(recipe: str, n_workers: int, ray: str | None) -> "Workers":
    from herd.data import OneProcess, ProcessWorkers, RayWorkers
    from herd.foundation import UserError
    from herd.recipes import recipe_file

    if n_workers < 0:
        raise UserError(f"--workers is {n_workers}; it must be 0 (one a core) or more")
    if ray is not None:
        return RayWorkers(ray, recipe_file(recipe))
    if n_workers == 1:
        return OneProcess()
    return ProcessWorkers(n_workers or len(os.sched_getaffinity(0)), recipe_file(recipe))
