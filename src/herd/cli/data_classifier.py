"""`herd data train-classifier`: what is good text, what is it about? From folders, seeds, or a teacher."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from herd.cli.table_console import table_console

if TYPE_CHECKING:
    from herd.data import Evaluation

ANSWER_TOKENS = 3


def train_classifier(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCES",
            help="LABEL=LOCATION for each label; with --seeds or --teacher one LOCATION.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Directory to make.")],
    encoder: Annotated[
        bool, typer.Option("--encoder", help="A small transformer instead of a linear classifier.")
    ] = False,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="topics, code, reasoning, or a JSON file: label to words."
        ),
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Ask this model whether each text is good.")
    ] = None,
    requirement: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What the teacher is to look for.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the evaluation as JSON.")] = False,
) -> None:
    """Train a classifier, evaluate it on texts that it has not seen, save both.

    QualityFilter, TopicStage and CodeReasoningStage of a curation recipe take the directory.
    """
    from herd.data import EncoderConfig, LinearConfig, train_from_seeds
    from herd.data import train_classifier as train_on_folders
    from herd.foundation import UserError

    config = EncoderConfig() if encoder else LinearConfig()
    if seeds and teacher:
        raise UserError("--seeds and --teacher are two ways to label texts; choose one")
    if teacher:
        evaluation = _distilled(_only(sources), teacher, requirement, out)
    elif seeds:
        evaluation = train_from_seeds(_only(sources), _seeds(seeds), out, config)
    else:
        evaluation = train_on_folders(_locations(sources), out, config)
    _show(evaluation, out, as_json)


def _only(sources: list[str]) -> str:
    from herd.foundation import UserError

    if len(sources) != 1:
        raise UserError("--seeds and --teacher take one location of texts without labels")
    return sources[0]


def _locations(sources: list[str]) -> dict[str, str]:
    from herd.foundation import UserError

    found: dict[str, str] = {}
    for source in sources:
        label, equals, location = source.partition("=")
        if not equals or not label or not location:
            raise UserError(f"{source!r} is no LABEL=LOCATION, such as good=books/")
        if label in found:
            raise UserError(f"the label {label!r} comes twice; put its texts into one folder")
        found[label] = location
    return found


def _seeds(name: str) -> dict[str, str]:
    from herd.data import CODE, REASONING, TOPICS, read_seeds

    shipped = {"topics": TOPICS, "code": CODE, "reasoning": REASONING}
    return shipped[name] if name in shipped else read_seeds(name)


def _distilled(source: str, model: str, requirement: str | None, out: Path) -> "Evaluation":
    from herd.data import QUALITY, distil
    from herd.language_model import load

    opened = load(model)

    def ask(prompts: list[str]) -> list[str]:
        return opened.generate(prompts, max_new_tokens=ANSWER_TOKENS, temperature=0.0)

    return distil(source, ask, out, requirement=requirement or QUALITY, teacher_name=model)


def _show(evaluation: "Evaluation", out: Path, as_json: bool) -> None:
    from herd.foundation import to_dict

    if as_json:
        print(json.dumps(to_dict(evaluation)))
        return
    from rich.table import Column, Table
    from rich.text import Text

    names = ("precision", "recall", "F1")
    table = Table("label", *(Column(name, justify="right") for name in names))
    for label in evaluation.f1:
        figures = (evaluation.precision[label], evaluation.recall[label], evaluation.f1[label])
        table.add_row(Text(label), *(f"{one:.3f}" for one in figures))
    console = table_console()
    console.print(table)
    console.print(
        f"{evaluation.n_texts:,} texts that it has not seen: accuracy {evaluation.accuracy:.3f} (always the "
        f"commonest label: {evaluation.majority:.3f}), area under the curve {evaluation.auc:.3f}; saved in {out}",
        markup=False,
        highlight=False,
    )
