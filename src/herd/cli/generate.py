"""`herd generate`: continue a prompt."""

import json
import sys
from typing import Annotated, Any

import typer


def generate(
    model: Annotated[str, typer.Argument(help="A name, a directory, a .gguf file or hf:ORG/NAME.")],
    prompt: Annotated[str, typer.Argument(help="The text to continue; - reads it from stdin.")],
    max_new_tokens: Annotated[int, typer.Option(help="Stop after this many tokens.")] = 256,
    temperature: Annotated[float, typer.Option(help="0 always takes the likeliest token.")] = 0.6,
    top_p: Annotated[float, typer.Option(help="Keep the likeliest tokens up to this mass.")] = 0.9,
    top_k: Annotated[int, typer.Option(help="Keep this many tokens; 0 keeps all.")] = 0,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same text.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="Stop before this text.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Continue a prompt.

    The continuation goes to stdout as it comes.
    """
    text = _read_stdin() if prompt == "-" else prompt
    from herd.language_model import load  # after stdin is read: torch takes seconds to import

    generation = load(model).stream(
        text,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        seed=seed,
        stop=stop or (),
    )
    for piece in generation:
        if not as_json:
            sys.stdout.write(piece)
            sys.stdout.flush()
    print(json.dumps(_report(text, generation), ensure_ascii=False) if as_json else "")


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
