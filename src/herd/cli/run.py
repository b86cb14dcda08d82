"""`herd run`: a recipe from raw files to a trained model."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from herd.foundation import PageSection, RunDirectory
    from herd.model import Transformer
    from herd.pretraining import Plan, RunResult
    from herd.recipes import Recipe
    from herd.tokenizer import Tokenizer

EXIT_CODES = {"SIGTERM": 143, "SIGINT": 130}  # 128 + the signal, as shells count
SAMPLE_TOKENS = 80
SAMPLE_SEED = 0
SAMPLE_TEMPERATURE = 0.7


def run(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or my_file.py:my_recipe.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change one field; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the run [default: runs/RECIPE].")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in that directory, if any.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Run a recipe from raw files to a trained model."""
    from herd.foundation import RunDirectory
    from herd.pretraining import run_pipeline

    resolved = resolve(recipe, overrides)
    directory = RunDirectory(out or Path("runs") / resolved.name)
    result = run_pipeline(
        plan_of(resolved),
        directory,
        resume=resume,
        make_generate=make_generate,
        evaluate=evaluate_run,
    )
    conclude(result, directory.path, as_json)


def resolve(recipe: str, overrides: list[str] | None) -> "Recipe":
    """Return a recipe with its overrides applied."""
    from herd.foundation import apply_override
    from herd.recipes import find_recipe

    resolved = find_recipe(recipe)
    for override in overrides or []:
        resolved = apply_override(resolved, override)
    return resolved


def plan_of(recipe: "Recipe") -> "Plan":
    """Return what the pipeline makes of a recipe."""
    from herd.foundation import to_dict
    from herd.pretraining import Plan

    return Plan(
        title=recipe.name,
        model=recipe.model,
        corpus=recipe.corpus,
        tokenizer=recipe.tokenizer,
        initial=recipe.initial,
        recipe=to_dict(recipe),
    )


def make_generate(model: "Transformer", tokenizer: "Tokenizer") -> "Callable[[str], str]":
    """Return the function that writes samples: the engine, with settings that stay the same."""
    from herd.language_model import LanguageModel

    def generate(prompt: str) -> str:
        was_training = model.training
        text = LanguageModel(model, tokenizer).generate(
            prompt,
            max_new_tokens=SAMPLE_TOKENS,
            temperature=SAMPLE_TEMPERATURE,
            seed=SAMPLE_SEED,
        )
        model.train(was_training)
        return text

    return generate


def evaluate_run(
    model: "Transformer", tokenizer: "Tokenizer", run: "RunDirectory"
) -> "PageSection":
    """Return the report's section about what the trained model can do."""
    from herd.evaluation import evaluate_pretrained
    from herd.language_model import LanguageModel

    lm = LanguageModel(model, tokenizer, name=run.path.name)
    return evaluate_pretrained(lm, run.corpus_path, run.path / "evaluation")


def conclude(result: "RunResult", path: Path, as_json: bool) -> None:
    """Say how the run ended and what can be done next; exit 130 or 143 if a signal stopped it."""
    if result.stopped_by:
        raise typer.Exit(EXIT_CODES.get(result.stopped_by, 1))
    if as_json:
        print(json.dumps({"run": str(path), "was_done": result.was_done, **result.summary}))
        return
    if result.was_done:
        print(f"{path} is done already.", file=sys.stderr)
    print(_closing_words(result.summary, path))


def _closing_words(summary: Mapping[str, Any], path: Path) -> str:
    samples = [f"--- {sample['prompt']}{sample['text']}" for sample in summary["samples"]]
    held_out = (
        f", held out {summary['val_loss_nats']:.3f} ({summary['val_bits_per_byte']:.3f} bits per byte)"
        if summary["val_loss_nats"] is not None
        else ""
    )
    return "\n".join(
        [
            *samples,
            "",
            f"{summary['title']}: {summary['steps']:,} steps, {summary['tokens']:,} tokens; "
            f"loss {summary['loss_nats']:.3f} nats{held_out}",
            "",
            "Go on with:",
            f"  herd generate {path / 'model'} 'To be, or not to be'",
            f"  open {path / 'report.html'} in a browser; every question of the evaluation: {path / 'evaluation/report.html'}",
            f"  tensorboard --logdir {path / 'tensorboard'}",
        ]
    )
