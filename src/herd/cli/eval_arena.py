"""`herd eval arena`: two models against each other, judged blind by people or by a judge model."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from herd.cli.table_console import table_console

if TYPE_CHECKING:
    from herd.evals import ArenaDirectory, Side

MAX_NAME_CHARS = 80
MAX_TIMEOUT_S = 86_400


def arena(
    first: Annotated[
        str, typer.Argument(metavar="A", help="A model, or a .jsonl of answers (id, answer).")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    out: Annotated[Path, typer.Option(help="Directory of this comparison; run again to go on.")],
    prompts: Annotated[
        Path | None, typer.Option(help="JSONL, maybe .gz, with prompt, turns or messages.")
    ] = None,
    page: Annotated[
        bool, typer.Option("--page", help="Write a page to rate on, for any browser.")
    ] = False,
    import_ratings: Annotated[
        list[Path] | None, typer.Option(help="ratings.json that the page saved; may be repeated.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(metavar="URL", help="Server with /v1/chat/completions to judge.")
    ] = None,
    judge_model: Annotated[str | None, typer.Option(help="Its model's name.")] = None,
    judge_key_file: Annotated[Path | None, typer.Option(help="File with its API key.")] = None,
    judge_parallel: Annotated[int, typer.Option(help="Requests to it at a time.")] = 4,
    judge_timeout: Annotated[float, typer.Option(help="Seconds to wait for a verdict.")] = 120.0,
    judge_tokens: Annotated[int, typer.Option(help="The longest verdict, in tokens.")] = 1024,
    report: Annotated[
        bool, typer.Option("--report", help="Report what there is; rate nothing.")
    ] = False,
    rater: Annotated[str, typer.Option(help="Who rates at this terminal.")] = "rater-1",
    limit: Annotated[int | None, typer.Option(help="Only the first prompts.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Draws sides and answers [default: 0].", show_default=False)
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(help="The longest answer, in tokens.")] = 1024,
    temperature: Annotated[float, typer.Option(help="Of answers; 0 is greedy.")] = 0.6,
    chat_format: Annotated[
        str | None, typer.Option("--format", help="llama2, llama3 or chatml, if files do not say.")
    ] = None,
    quantize: Annotated[
        Literal["int8", "fp8_ffn", "fp8_all"] | None, typer.Option(help="Narrower weights.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Compare two models' answers, blind, on seven points; win rates with 95 % intervals.

    Rate here at the terminal, on a page (--page), or let a model judge (--judge). Llama 3 paper, 5.3.
    """
    from herd.evals import open_arena, side_names
    from herd.foundation import RunDirectory, UserError

    if sum([page, bool(import_ratings), judge is not None, report]) > 1:
        raise UserError("choose one of --page, --import-ratings, --judge and --report")
    rates_here = not (page or import_ratings or judge or report)
    _check(rates_here, rater, judge, judge_model, judge_parallel)
    server = None
    if judge is not None and judge_model is not None:
        server = _server(judge, judge_model, judge_key_file, judge_timeout, judge_tokens)
    settings: dict[str, Any] = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "chat_format": chat_format,
        "quantize": quantize,
    }
    names = side_names(first, second)
    sides = (
        _side(names[0], first, out, seed or 0, settings),
        _side(names[1], second, out, seed or 0, settings),
    )
    with RunDirectory(out).locked():
        opened = open_arena(out, sides, prompts, seed=seed, limit=limit)
        if page:
            _write_page(opened)
            return
        if rates_here and not _rate(opened, rater):
            return
        for path in import_ratings or []:
            _import(opened, path, rater)
        if server is not None:
            _judge(opened, server, str(judge_model), judge_parallel)
        _report(opened, as_json)


def _check(
    rates_here: bool, rater: str, judge: str | None, judge_model: str | None, n_parallel: int
) -> None:
    from herd.foundation import UserError

    if rates_here and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError(
            "rating needs a terminal; use --page to rate in a browser, or --judge to let a model judge"
        )
    if not rater.strip() or len(rater) > MAX_NAME_CHARS:
        raise UserError(f"--rater is a name of 1 to {MAX_NAME_CHARS} characters")
    if n_parallel < 1:
        raise UserError(f"--judge-parallel is {n_parallel}; give 1 or more")
    if (judge is None) != (judge_model is None):
        raise UserError("--judge URL and --judge-model NAME go together; give both")


def _server(url: str, model: str, key_file: Path | None, timeout_s: float, tokens: int) -> Any:
    from herd.evals import JudgeServer, read_key
    from herd.foundation import UserError

    if not 0 < timeout_s <= MAX_TIMEOUT_S or tokens < 1:
        raise UserError(
            f"--judge-timeout and --judge-tokens must be more than 0, the first at most {MAX_TIMEOUT_S:,}"
        )
    key = read_key(key_file) if key_file is not None else ""
    return JudgeServer(url, model, key=key, timeout_s=timeout_s, max_tokens=tokens)


def _side(name: str, target: str, out: Path, seed: int, settings: dict[str, Any]) -> "Side":
    from herd.evals import answer_dialogs, file_side, is_answer_file, model_side

    if is_answer_file(target):
        return file_side(name, Path(target))

    def answer(dialogs: list[Any]) -> list[str]:
        import herd
        from herd.evaluation import EngineModel

        loading = {one: settings[one] for one in ("chat_format", "quantize")}
        model = EngineModel(herd.load(target, **loading))
        texts, notes = answer_dialogs(
            model,
            dialogs,
            max_new_tokens=settings["max_new_tokens"],
            temperature=settings["temperature"],
            seed=seed,
            cache_path=out / "answers" / f"{model.fingerprint[:16]}.jsonl",
        )
        side.notes.extend(notes)
        return texts

    side = model_side(name, answer, settings)
    return side


def _write_page(opened: "ArenaDirectory") -> None:
    from herd.evals import write_rating_page

    place = write_rating_page(opened)
    print(
        f"{place}: open it in a browser, rate, download; then add --import-ratings ratings.json here"
    )


def _rate(opened: "ArenaDirectory", rater: str) -> bool:
    from rich.console import Console

    from herd.evals import rate_at_terminal

    is_done = rate_at_terminal(opened.duels, opened.ratings_path, rater, Console(stderr=True))
    if not is_done:
        print("Kept. Run the same command to go on; --report shows what there is.", file=sys.stderr)
    return is_done


def _import(opened: "ArenaDirectory", path: Path, rater: str) -> None:
    from herd.evals import import_ratings

    print(import_ratings(opened, path, rater).sentence(), file=sys.stderr)


def _judge(opened: "ArenaDirectory", server: Any, name: str, n_parallel: int) -> None:
    from herd.evals import judge_duels

    judge_duels(opened.duels, server, name, opened.verdicts_path, n_parallel=n_parallel)


def _report(opened: "ArenaDirectory", as_json: bool) -> None:
    from herd.evals import arena_report, show_arena, write_report_page

    found = arena_report(
        opened.duels, opened.ratings(), opened.verdicts(), names=opened.names, notes=opened.notes
    )
    place = write_report_page(opened, found)
    if as_json:
        print(json.dumps(found))
        return
    show_arena(found, table_console())
    print(f"\nEvery prompt with both answers: open {place} in a browser")
