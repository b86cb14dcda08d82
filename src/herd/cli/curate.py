"""`herd data curate`: sources to a clean corpus, on one core or a cluster."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from herd.data import curate as run_curation
    from herd.data import write_corpus_page

    resolved = _resolve(recipe, sources, overrides, tokenizer, vocab_size)
    manifest = run_curation(
        resolved, out, workers=_workers(recipe, workers, ray), keep_phases=keep_phases
    )
    report = out / "report.html"
    write_corpus_page(out, report)
    if as_json:
        print(json.dumps(manifest))
        return
    print(_closing_words(manifest, out), file=sys.stderr)


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


def _closing_words(manifest: dict[str, Any], out: Path) -> str:
    return "\n".join(
        [
            *_not_read(manifest),
            *_dropped(manifest),
            *_packed(manifest),
            f"{_kept(manifest)}; look at it with: herd data inspect {out}",
        ]
    )


def _not_read(manifest: dict[str, Any]) -> Iterator[str]:
    read = manifest["read"]
    for event, names in read["names"].get("read", {}).items():
        n = read["counts"]["read"].get(event, 0)
        yield f"not read, or not wholly: {n:,} {event} ({names[0]}{', ...' if n > 1 else ''})"


def _dropped(manifest: dict[str, Any]) -> Iterator[str]:
    for row in manifest["funnel"]:
        stage, n_in = row["stage"], row["documents_in"]
        n_gone = n_in - row["documents_out"]
        if n_gone < 0:
            yield f"{stage}: {-n_gone:,} copies more than the {n_in:,} documents that came in"
        else:
            yield f"{stage}: {n_gone:,} of {n_in:,} documents dropped"


def _packed(manifest: dict[str, Any]) -> Iterator[str]:
    from herd.foundation import format_count

    shards = manifest["shards"] or {}
    packed = {split: one for split, one in shards.items() if isinstance(one, dict)}
    if packed:
        tokens = ", ".join(
            f"{format_count(one['n_tokens'])} tokens in {split}" for split, one in packed.items()
        )
        vocab_size = next(iter(packed.values()))["vocab_size"]
        asked = (manifest["recipe"]["packing"] or {}).get("vocab_size", 0)
        fewer = f" (the text had not enough pairs for {asked:,})" if vocab_size < asked else ""
        yield f"packed {tokens}, vocabulary of {vocab_size:,}{fewer}"


def _kept(manifest: dict[str, Any]) -> str:
    from herd.data import nothing_left
    from herd.foundation import format_bytes, format_count

    parts = manifest["parts"]
    n_kept = sum(part["documents"] for part in parts)
    n_read = sum(cell[0] for cell in manifest["distributions"]["read"].get("kind", {}).values())
    n_bytes = sum(part["bytes"] for part in parts)
    kept = (
        f"kept {format_count(n_kept)} of {format_count(n_read)} documents, {format_bytes(n_bytes)}"
    )
    return kept if n_kept else f"{nothing_left(manifest)}; {kept}"
