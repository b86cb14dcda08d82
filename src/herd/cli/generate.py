"""`herd generate`: continue a prompt."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from herd.inference import Constraint, Settings

LARGEST_SCHEMA_BYTES = 1 << 20  # what a Constraint takes


def generate(
    model: Annotated[str, typer.Argument(help="A name, a directory, a .gguf file or hf:ORG/NAME.")],
    prompt: Annotated[str, typer.Argument(help="The text to continue; - reads it from stdin.")],
    max_new_tokens: Annotated[int, typer.Option(help="Stop after this many tokens.")] = 256,
    temperature: Annotated[float, typer.Option(help="0 always takes the likeliest token.")] = 0.6,
    top_p: Annotated[float, typer.Option(help="Keep the likeliest tokens up to this mass.")] = 0.9,
    top_k: Annotated[int, typer.Option(help="Keep this many tokens; 0 keeps all.")] = 0,
    min_p: Annotated[float, typer.Option(help="Drop tokens below this share of the top's.")] = 0.0,
    repetition_penalty: Annotated[float, typer.Option(help="Above 1, repeat less.")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same text.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="Stop before this text.")] = None,
    json_schema: Annotated[
        Path | None, typer.Option(help="A file with a JSON schema that the text will follow.")
    ] = None,
    regex: Annotated[str | None, typer.Option(help="A pattern the whole text will match.")] = None,
    quantize: Annotated[
        Literal["int8", "fp8_ffn", "fp8_all"] | None,
        typer.Option(help="Narrower weights; int8 is the fastest on a CPU."),
    ] = None,
    draft: Annotated[
        str | None, typer.Option(help="Guess ahead: lookup, or a smaller model's name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Continue a prompt.

    The continuation goes to stdout as it comes.
    """
    text = _read_stdin() if prompt == "-" else prompt
    import herd  # after stdin is read: torch takes seconds to import
    from herd.inference import check_settings

    settings: Settings = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "seed": seed,
        "stop": stop or (),
        "constraint": _constraint(json_schema, regex),
    }
    check_settings(settings)  # before a model is pulled or read
    generation = herd.load(model, quantize=quantize, draft=draft).stream(text, **settings)
    for piece in generation:
        if not as_json:
            sys.stdout.write(piece)
            sys.stdout.flush()
    print(json.dumps(_report(text, generation), ensure_ascii=False) if as_json else "")


def _constraint(json_schema: Path | None, regex: str | None) -> "Constraint | None":
    from herd.foundation import UserError
    from herd.inference import Constraint

    if json_schema is not None and regex is not None:
        raise UserError("--json-schema and --regex exclude each other; give one")
    if json_schema is not None:
        return Constraint.json_schema(_read_schema(json_schema))
    return None if regex is None else Constraint.regex(regex)


def _read_schema(path: Path) -> str:
    from herd.foundation import UserError

    if str(path).lstrip().startswith("{"):
        raise UserError("--json-schema takes a file: write the schema into one and give its name")
    with path.open("rb") as file:
        schema = file.read(LARGEST_SCHEMA_BYTES + 1)  # one byte too many is refused, with the count
    if len(schema) > LARGEST_SCHEMA_BYTES:
        raise UserError(
            f"{path} has more than {LARGEST_SCHEMA_BYTES:,} bytes: too long for a schema"
        )
    try:
        return schema.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start})") from error


def _read_stdin() -> str:
    from herd.foundation import UserError

    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"the prompt on stdin is not UTF-8 text (byte {error.start})") from error


def _report(prompt: str, generation: Any) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "text": generation.text,
        "finish_reason": generation.finish_reason,
        "prompt_tokens": generation.n_prompt_tokens,
        "new_tokens": len(generation.tokens),
        "logprobs": [round(token.logprob, 6) for token in generation.tokens],
    }
