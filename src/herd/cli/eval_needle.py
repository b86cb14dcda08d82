"""`herd eval needle`: what a model finds, and how well it reads, in long contexts."""

import json
from pathlib import Path
from typing import Annotated

import typer

from herd.cli.table_console import table_console


def needle(
    model: Annotated[str, typer.Argument(help="A name, a directory, a .gguf file or hf:ORG/NAME.")],
    lengths: Annotated[str, typer.Option(help="Tokens of the prompts.")] = "512,1024,2048",
    depths: Annotated[str, typer.Option(help="Shares before the needle.")] = "0,0.25,0.5,0.75,1",
    repeats: Annotated[int, typer.Option(help="Texts for each length and depth.")] = 3,
    needles: Annotated[int, typer.Option(help="Sentences hidden in each text.")] = 1,
    asked: Annotated[int, typer.Option(help="How many of them are asked for.")] = 1,
    text: Annotated[
        Path | None, typer.Option(help="Hide them in this text; also foretell it, by length.")
    ] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Ask in the dialog format.")] = False,
    seed: Annotated[int, typer.Option(help="Draws texts and numbers.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Also write the page (HTML).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Hide a sentence in a long text and ask for it: by depth and length.

    Llama 3 hides 4 and asks for 2: --needles 4 --asked 2.
    """
    import herd
    from herd.evals import (
        NeedleConfig,
        long_context_page,
        needle_test,
        read_whole_text,
        reading_curve,
        show_needles,
    )
    from herd.evaluation import EngineModel
    from herd.foundation import write_text

    config = NeedleConfig(
        lengths=tuple(_numbers("--lengths", lengths, int)),
        depths=tuple(_numbers("--depths", depths, float)),
        n_repeats=repeats,
        n_needles=needles,
        n_asked=asked,
        chat=chat,
        seed=seed,
    )
    words = read_whole_text(text) if text is not None else None
    evaluated = EngineModel(herd.load(model))
    result = needle_test(evaluated, config, words)
    if words is not None:
        result["reading"] = reading_curve(evaluated, words, config.lengths, seed=seed)
    if out is not None:
        write_text(out, long_context_page(result))
    if as_json:
        print(json.dumps(result))
        return
    show_needles(result, table_console())
    if out is not None:
        print(f"\nHeat map and every answer: open {out} in a browser")


def _numbers(option: str, text: str, kind: type) -> list:  # type: ignore[type-arg]
    from herd.foundation import UserError

    try:
        return [kind(one) for one in text.split(",")]
    except ValueError as error:
        raise UserError(f"{option} is {text!r}; give numbers with commas") from error
