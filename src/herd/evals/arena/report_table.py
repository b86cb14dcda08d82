"""The report of a comparison as tables for a terminal.

In: what `arena_report` gave. Out: tables on a console. Never: a share without the number it is of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from herd.evals.arena.text import harmless

if TYPE_CHECKING:
    from rich.console import Console

Values = Mapping[str, Any]
ABOUT_RATES = (
    "A win is better or much better; win rates leave ties out, net win rates (wins minus losses) count "
    "them; intervals are 95 %, over prompts."
)


def show_arena(report: Values, console: Console) -> None:
    """Print a table for people and one for each judge, then what a reader should know."""
    from rich.text import Text

    for title, standing in standings(report):
        _show_standing(title, standing, console)
    lines = [*report_lines(report), *([ABOUT_RATES] if any(standings(report)) else [])]
    for line in lines:
        console.print(Text(harmless(line)))


def standings(report: Values) -> Iterator[tuple[str, Values]]:
    """Yield who rated, in words, and what came of it: people first, then judges."""
    people = report["people"]
    if people is not None:
        n = people["n_raters"]
        yield f"{n:,} {'person' if n == 1 else 'people'}", people
    for one in report["judges"]:
        yield f"judge {one['judge']}", one


def report_lines(report: Values) -> list[str]:
    """Return in sentences what stands beside the win rates."""
    people, lines = report["people"], []
    if people is not None or not report["judges"]:
        n_items = 0 if people is None else people["n_items"]
        lines.append(f"{n_items:,} of {report['n_duels']:,} prompts rated by people")
    if people is not None:
        if people["n_skipped"]:
            lines.append(f"{people['n_skipped']:,} passed over")
        lines += _agreement_lines(people["agreement"])
    for one in report["judges"]:
        lines += _judge_lines(one)
    if report["n_unknown_items"]:
        lines.append(f"{report['n_unknown_items']:,} rated items are no duels of this comparison")
    return [*lines, *report["notes"]]


def rate_words(found: Values | None, *, signed: bool = False) -> str:
    """Return `60.0% (51.2 to 68.1)`, or a dash where nothing is known."""
    if found is None:
        return "-"
    sign = "+" if signed else ""
    score, low, high = (f"{100 * found[name]:{sign}.1f}" for name in ("score", "low", "high"))
    return f"{score}% ({low} to {high})"


def standing_rows(standing: Values) -> list[list[str]]:
    """Return a row for each model, then one for each category: how the first model stands in it."""
    rows = [_row(one, "all") for one in standing["models"]]
    by_category = standing["by_category"].items()
    return rows + [_row(figures["models"][0], category) for category, figures in by_category]


STANDING_COLUMNS = ("prompts", "model", "wins", "ties", "losses", "win rate", "net win rate")


def _row(model: Values, category: str) -> list[str]:
    counts = [f"{model[name]:,}" for name in ("wins", "ties", "losses")]
    rates = [rate_words(model["win_rate"]), rate_words(model["net_win_rate"], signed=True)]
    return [harmless(category), harmless(model["name"]), *counts, *rates]


def _show_standing(title: str, standing: Values, console: Console) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    right = [Column(name, justify="right") for name in STANDING_COLUMNS[2:]]
    heading = (
        f"{harmless(title)}: {standing['n_ratings']:,} ratings of {standing['n_items']:,} prompts"
    )
    table = Table(*STANDING_COLUMNS[:2], *right, title=Text(heading), title_justify="left")
    for row in standing_rows(standing):
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    points = Table("model", *standing["models"][0]["histogram"], title="how much better")
    for model in standing["models"]:
        counts = (f"{n:,}" for n in model["histogram"].values())
        points.add_row(Text(harmless(model["name"])), *counts)
    console.print(points)


def _agreement_lines(found: Values | None) -> list[str]:
    if found is None:
        return []
    parts = [f"same outcome {found['same_outcome']:.1%}", f"same point {found['same_point']:.1%}"]
    if found["cohen_kappa"] is not None:
        parts.append(f"Cohen's kappa {found['cohen_kappa']:.2f}")
    if found["krippendorff_alpha"] is not None:
        parts.append(f"Krippendorff's alpha {found['krippendorff_alpha']:.2f}")
    return [
        f"agreement on {found['n_items']:,} prompts that several people rated: {', '.join(parts)}"
    ]


def _judge_lines(judge: Values) -> list[str]:
    name, position = f"judge {judge['judge']}", judge["position"]
    lines = []
    if position["consistency"] is not None:
        lines.append(
            f"{name}: the same outcome in both orders for {position['consistency']:.1%} of "
            f"{position['n_judged_twice']:,} prompts; {position['n_contradictions']:,} contradict "
            "themselves and count as ties"
        )
    if position["left_share"] is not None:
        n = position["n_left"] + position["n_right"]
        lines.append(f"{name}: {position['left_share']:.1%} of {n:,} preferences are for the left")
    if judge["n_unreadable"]:
        lines.append(
            f"{name}: {judge['n_unreadable']:,} of {judge['n_verdicts']:,} answers hold no readable "
            "RATING line; they count for nobody"
        )
    if judge["n_refused"]:
        lines.append(f"{name}: {judge['n_refused']:,} requests refused; they are asked again")
    if judge["n_one_order_only"]:
        lines.append(f"{name}: {judge['n_one_order_only']:,} prompts rated in one order only")
    agreed = judge["agreement_with_people"]
    if agreed is not None:
        kappa = agreed["cohen_kappa"]
        more = "" if kappa is None else f", Cohen's kappa {kappa:.2f}"
        lines.append(
            f"{name}: the outcome of people in {agreed['same_outcome']:.1%} of {agreed['n_pairs']:,} "
            f"pairs of ratings{more}"
        )
    return lines
