"""`herd convert`: weights from one format into another."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer


def convert(
    source: Annotated[str, typer.Argument(help="A known name, directory, .gguf or hf:ORG/NAME.")],
    destination: Annotated[Path, typer.Argument(help="The directory or .gguf file to write.")],
    to: Annotated[Literal["hf", "meta", "gguf"], typer.Option(help="The format to write.")],
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(help="For hf and meta; without it, the source's own."),
    ] = None,
    kind: Annotated[
        Literal["f32", "f16", "bf16", "q8_0", "q4_0"] | None,
        typer.Option(help="For gguf: how matrices are stored; f16 if not given."),
    ] = None,
    shards: Annotated[
        int | None, typer.Option(help="For meta: the number of model-parallel files, else 1.")
    ] = None,
    quantize: Annotated[
        Literal["int8", "fp8_ffn", "fp8_all"] | None,
        typer.Option(help="For hf: 8-bit integers, or 8-bit floats (fp8_ffn: as the paper)."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Convert weights between Hugging Face, Meta and GGUF.

    With --quantize, matrices become 8-bit integers or 8-bit floats on the way, in a directory that
    transformers opens. Nothing is half-written: the destination appears when it is whole, and its path is printed.
    """
    from functools import partial

    import torch

    from herd.foundation import UserError, progress_bar
    from herd.model import find_model, load_weights, save_gguf, save_hf, save_meta
    from herd.tokenizer import load

    unused = {
        "--dtype": to == "gguf" and dtype is not None,
        "--kind": to != "gguf" and kind is not None,
        "--shards": to != "meta" and shards is not None,
        "--quantize": to != "hf" and quantize is not None,
    }
    for option in [option for option, is_unused in unused.items() if is_unused]:
        raise UserError(f"{option} says nothing about --to {to}; leave it out")
    if destination.exists() and not force:
        raise UserError(f"{destination} already exists; choose another name or add --force")
    path = find_model(source)
    tokenizer = load(path)
    stored_dtype = None if dtype is None else getattr(torch, dtype)
    model = load_weights(path, dtype=stored_dtype, scheme=quantize)
    savers: dict[str, Callable[..., None]] = {
        "hf": save_hf,
        "meta": partial(save_meta, n_shards=1 if shards is None else shards),
        "gguf": partial(save_gguf, kind=kind or "f16"),
    }
    with progress_bar(f"writing {destination}", None, "B") as progress:
        savers[to](model, destination, tokenizer=tokenizer, replace=force, advance=progress.advance)
    print(destination)
