"""`herd data`: fetch, curate, pack and inspect text for training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from herd.cli.curate import curate
from herd.cli.data_classifier import train_classifier
from herd.cli.data_contamination import contamination
from herd.cli.inspect_corpus import inspect_corpus
from herd.cli.table_console import table_console

if TYPE_CHECKING:
    from herd.data import ShardIndex, SourceConfig

app = typer.Typer(
    help="Fetch, curate, pack and inspect text for training.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Locations = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCES",
        help="Directories, files, pypi:NAME==VERSION, or python:stdlib.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


@app.command(short_help="Clean, split and tokenize SOURCES into shards.")
def pack(
    locations: Locations,
    tokenizer: Annotated[Path, typer.Option(help="Tokenizer file or directory.")],
    out: Annotated[Path, typer.Option(help="Directory to make, with train/ and held_out/.")],
    held_out: Annotated[
        float, typer.Option(help="Share of documents to hold out, 0 for none.")
    ] = 0.05,
    text_field: Annotated[str, typer.Option(help="Field of records that holds the text.")] = "text",
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Read only files like this, whatever their ending; may be repeated.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Leave out files like this; may be repeated."),
    ] = None,
    min_chars: Annotated[int, typer.Option(help="Drop documents of fewer characters.")] = 1,
    keep_licences: Annotated[
        bool, typer.Option("--keep-licences", help="Leave Gutenberg headers in.")
    ] = False,
    keep_editions: Annotated[
        bool, typer.Option("--keep-editions", help="Keep every edition of a work.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the directory if it exists.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Clean, deduplicate, split and tokenize SOURCES into shards for training."""
    from herd.data import (
        CleaningConfig,
        CurationRecipe,
        PackingConfig,
        cleaning_stages,
        pack_sources,
    )

    config = CleaningConfig(
        strip_licences=not keep_licences,
        one_edition=not keep_editions,
        min_chars=min_chars,
        held_out_fraction=held_out,
    )
    recipe = CurationRecipe(
        name="pack",
        sources=tuple(_sources(locations, include, exclude, text_field)),
        stages=cleaning_stages(config),
        packing=PackingConfig(tokenizer=str(tokenizer)),
    )
    indexes = pack_sources(recipe, out, replace_shards=replace)
    _show({str(out / split): index for split, index in indexes.items()}, as_json)


app.command(short_help="Read, extract, deduplicate, filter and pack a whole corpus.")(curate)


app.command("train-classifier", short_help="Train a classifier of quality or topic on texts.")(
    train_classifier
)
app.command(short_help="How much of each benchmark stands in a corpus.")(contamination)


@app.command()
def inspect(
    directory: Annotated[
        Path, typer.Argument(help="What `herd data curate` or `herd data pack` made, or a shard.")
    ],
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every byte and check its digest.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write the page about a curated corpus here.")
    ] = None,
    document: Annotated[
        str | None, typer.Option(metavar="NAME", help="Say what was decided about one document.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a curated or packed directory holds and what was left out of it, and why."""
    from herd.data import ShardReader, is_corpus
    from herd.foundation import UserError

    if is_corpus(directory):
        inspect_corpus(directory, verify=verify, html=html, document=document, as_json=as_json)
        return
    if not directory.exists():
        raise UserError(f"{directory}: no such directory")
    if html or document:
        raise UserError(f"{directory}: --html and --document are for what herd data curate made")
    parts = [directory / name for name in ("train", "held_out") if (directory / name).is_dir()]
    readers = [ShardReader(part) for part in parts or [directory]]
    for reader in readers:
        if verify:
            reader.verify()
    _show({str(reader.directory): reader.index for reader in readers}, as_json)


@app.command(short_help="Bring the packages among SOURCES into the cache.")
def fetch(locations: Locations) -> None:
    """Bring the packages among SOURCES into the cache; print where they lie."""
    from herd.data import fetch_sources

    for path in fetch_sources(_sources(locations, None, None, "text")):
        print(path)


def _sources(
    locations: list[str], include: list[str] | None, exclude: list[str] | None, text_field: str
) -> "list[SourceConfig]":
    from herd.data import SourceConfig

    return [
        SourceConfig(
            location=location,
            include=tuple(include or ()),
            exclude=tuple(exclude or ()),
            text_field=text_field,
        )
        for location in locations
    ]


def _show(indexes: "dict[str, ShardIndex]", as_json: bool) -> None:
    if as_json:
        import json

        print(json.dumps({name: _summary(index) for name, index in indexes.items()}))
        return
    from rich.table import Column, Table
    from rich.text import Text

    console = table_console()
    totals = Table("shard", "documents", "tokens", "text", "bytes/token", "ids", "vocabulary")
    for name, index in indexes.items():
        totals.add_row(Path(name).name, *_totals_row(index))
    console.print(totals)
    fates = Table("stage", "what happened", "how often", Column("for example", overflow="fold"))
    statistics = next(iter(indexes.values())).statistics
    for stage, events in statistics.get("counts", {}).items():
        for event, amount in sorted(events.items(), key=lambda item: -item[1]):
            names = statistics.get("names", {}).get(stage, {}).get(event, [])
            example = Text(names[0] if names else "")  # a name may look like markup
            fates.add_row(stage, Text(event), f"{amount:,}", example)
    console.print(fates)


def _totals_row(index: "ShardIndex") -> list[str]:
    from herd.foundation import format_bytes, format_count

    return [
        str(len(index.document_names)),
        format_count(index.n_tokens),
        format_bytes(index.n_bytes),
        f"{index.n_bytes / index.n_tokens:.2f}",
        index.dtype,
        f"{index.vocab_size} ({index.tokenizer_fingerprint[:8]})",
    ]


def _summary(index: "ShardIndex") -> dict[str, Any]:
    """Everything in the index but the two long lists."""
    from herd.foundation import to_dict

    summary: dict[str, Any] = to_dict(index)
    del summary["document_offsets"]
    summary["n_documents"] = len(summary.pop("document_names"))
    return summary
