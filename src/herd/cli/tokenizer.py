"""`herd tokenizer`: train, show, encode, decode."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Train, inspect and use tokenizers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
HELP = {"help_option_names": ["-h", "--help"]}
Source = Annotated[
    Path,
    typer.Argument(help="tokenizer.json, tiktoken or SentencePiece .model, .gguf, or a directory."),
]


@app.command(context_settings=HELP, short_help="Train byte-level BPE of Llama 3's kind.")
def train(
    inputs: Annotated[list[Path], typer.Argument(help="Text files, or directories of them.")],
    out: Annotated[Path, typer.Option(help="Directory to write; must not exist.")],
    vocab_size: Annotated[
        int, typer.Option(help="Number of ids, the 256 special tokens included.")
    ] = 4096,
) -> None:
    """Train byte-level BPE with Llama 3's split pattern and special tokens."""
    from herd.foundation import atomic_directory
    from herd.tokenizer import read_texts, train_bpe

    with atomic_directory(out) as partial:
        tokenizer = train_bpe(read_texts(inputs), vocab_size=vocab_size)
        tokenizer.save(partial)
    few = "" if tokenizer.vocab_size >= vocab_size else "; the text has no more pairs to merge"
    typer.echo(f"wrote {out}: {tokenizer.vocab_size:,} ids{few}", err=True)


@app.command(context_settings=HELP, short_help="Show size, special tokens, roles, fingerprint.")
def show(
    source: Source,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Show what a tokenizer is: size, special tokens, roles, fingerprint."""
    import json

    from herd.tokenizer import describe, load

    facts = describe(load(source))
    if json_:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    for name, value in facts.items():
        typer.echo(f"{name:16} {value}")


@app.command(context_settings=HELP)
def encode(
    source: Source,
    text: Annotated[str | None, typer.Argument(help="The text; standard input if absent.")] = None,
    bos: Annotated[bool, typer.Option("--bos", help="Begin with BOS.")] = False,
    eos: Annotated[bool, typer.Option("--eos", help="End with EOS.")] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Special token that may appear in the text; repeat, or 'all'."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print ids and pieces as JSON.")] = False,
) -> None:
    """Print the ids of a text."""
    import json

    from herd.tokenizer import load, read_standard_input

    tokenizer = load(source)
    text = read_standard_input() if text is None else text
    allowed = "all" if "all" in (allow or ()) else tuple(allow or ())
    ids = tokenizer.encode(text, bos=bos, eos=eos, allowed_special=allowed)
    if json_:
        pieces = [tokenizer.token_bytes(i).decode("utf-8", errors="replace") for i in ids]
        typer.echo(json.dumps({"ids": ids, "pieces": pieces}, ensure_ascii=False))
    else:
        typer.echo(" ".join(map(str, ids)))


@app.command(context_settings=HELP)
def decode(
    source: Source,
    ids: Annotated[list[int], typer.Argument(help="Token ids.")],
    skip_special: Annotated[
        bool, typer.Option("--skip-special", help="Leave special tokens out.")
    ] = False,
) -> None:
    """Print the text of ids."""
    from herd.tokenizer import load

    typer.echo(load(source).decode(ids, skip_special=skip_special))
