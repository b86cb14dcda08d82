"""The page and the table of a long-context test: the heat map, the curve, every answer.

In: what `needle_test` (and `reading_curve`) returned. Out: HTML, a table on a console. Never: another
test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from herd.foundation import (
    FIRST,
    INK,
    SOFT,
    PageFigure,
    PageSection,
    PageTable,
    page_svg,
    render_sections,
    style_axes,
)

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_ANSWERS = 400


def long_context_page(result: Mapping[str, Any]) -> str:
    """Return the page of a test."""
    config = result["config"]
    asked = (
        f"{config['n_asked']} of {config['n_needles']} needles"
        if config["n_needles"] > 1
        else "one needle"
    )
    sections = [
        PageSection(
            title="What is found",
            text=f"Each cell: the share found of {asked} in {config['n_repeats']:,} text{'s' * (config['n_repeats'] > 1)} ({result['haystack']}).",
            figures=[_heat_map(result["cells"], config)],
            tables=[_length_table(result["by_length"])],
        )
    ]
    if result.get("reading"):
        sections.append(
            PageSection(
                title="How well it reads",
                text="The same stretches of 64 tokens, foretold after more and more of what precedes them.",
                figures=[_curve(result["reading"])],
                tables=[_reading_table(result["reading"])],
            )
        )
    sections.append(PageSection(title="Every answer", tables=[_answers(result["answers"])]))
    return render_sections(
        title=f"Herd: {result['model']} in long contexts",
        subtitle=f"lengths {', '.join(f'{n:,}' for n in config['lengths'])} tokens; seed {config['seed']}",
        sections=sections,
    )


def show_needles(result: Mapping[str, Any], console: Console) -> None:
    """Print the share found by length and depth."""
    from rich.table import Column, Table

    config = result["config"]
    depths = [Column(f"{depth:.0%}", justify="right") for depth in config["depths"]]
    table = Table(
        Column("tokens", justify="right"), *depths, Column("all", justify="right"), "95 % interval"
    )
    share = {(one["length"], one["depth"]): one["found"] for one in result["cells"]}
    for row in result["by_length"]:
        cells = [f"{share[row['length'], depth]:.0%}" for depth in config["depths"]]
        table.add_row(
            f"{row['length']:,}", *cells, f"{row['found']:.0%}",
            f"{row['ci_low']:.2f} to {row['ci_high']:.2f}",
        )  # fmt: skip
    console.print(table)
    for row in result.get("reading", ()):
        console.print(
            f"{row['length']:>8,} tokens: {row['nats_per_token']:.3f} nats a token "
            f"({row['ci_low']:.3f} to {row['ci_high']:.3f})"
        )


def _heat_map(cells: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> PageFigure:
    from matplotlib.figure import Figure

    lengths, depths = list(config["lengths"]), list(config["depths"])
    canvas = Figure(figsize=(9, 1.2 + 0.55 * len(depths)))
    axes = canvas.subplots()
    style_axes(axes, x_label="tokens", y_label="depth")
    for cell in cells:
        x, y = lengths.index(cell["length"]), depths.index(cell["depth"])
        alpha = 0.06 + 0.5 * cell["found"]  # the figure on it stays legible
        axes.fill_between(
            [x - 0.48, x + 0.48], y - 0.46, y + 0.46, color=FIRST, alpha=alpha, linewidth=0
        )
        axes.text(x, y, f"{cell['found']:.0%}", ha="center", va="center", color=INK, fontsize=9)
    axes.grid(visible=False)
    axes.set_xticks(range(len(lengths)), [f"{one:,}" for one in lengths], color=SOFT)
    axes.set_yticks(range(len(depths)), [f"{one:.0%}" for one in depths], color=SOFT)
    axes.set_xlim(-0.5, len(lengths) - 0.5)
    axes.set_ylim(len(depths) - 0.5, -0.5)
    canvas.tight_layout()
    return PageFigure(
        title="Found, by depth and length", svg=page_svg(canvas, "needles"), wide=True,
        note="Depth is the share of the text before the needle; the darker, the more are found.",
    )  # fmt: skip


def _curve(rows: Sequence[Mapping[str, Any]]) -> PageFigure:
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(9, 3.4))
    axes = canvas.subplots()
    style_axes(axes, x_label="tokens of context", y_label="nats a token")
    x = [row["length"] for row in rows]
    axes.fill_between(
        x, [row["ci_low"] for row in rows], [row["ci_high"] for row in rows], color=FIRST, alpha=0.2
    )
    axes.plot(x, [row["nats_per_token"] for row in rows], "o-", color=FIRST)
    axes.set_xscale("log", base=2)
    axes.set_xticks(x, [f"{one:,}" for one in x])
    canvas.tight_layout()
    return PageFigure(
        title="Quality against length", svg=page_svg(canvas, "reading"), wide=True,
        note="Lower is better; the band is the 95 % interval over stretches.",
    )  # fmt: skip


def _length_table(rows: Sequence[Mapping[str, Any]]) -> PageTable:
    return PageTable(
        columns=("tokens", "found", "95 % interval", "questions"),
        rows=[
            [f"{one['length']:,}", f"{one['found']:.1%}", f"{one['ci_low']:.3f} to {one['ci_high']:.3f}", f"{one['n']:,}"]
            for one in rows
        ],
    )  # fmt: skip


def _reading_table(rows: Sequence[Mapping[str, Any]]) -> PageTable:
    return PageTable(
        columns=("tokens of context", "nats a token", "95 % interval", "stretches"),
        rows=[
            [f"{one['length']:,}", f"{one['nats_per_token']:.4f}", f"{one['ci_low']:.4f} to {one['ci_high']:.4f}", f"{one['n']}"]
            for one in rows
        ],
    )  # fmt: skip


def _answers(answers: Sequence[Mapping[str, Any]]) -> PageTable:
    shown = [
        [f"{one['length']:,}", f"{one['depth']:.0%}", f"{one['city']}: {one['number']}", one["answer"][:200], "yes" if one["found"] else "no"]
        for one in answers[:SHOWN_ANSWERS]
    ]  # fmt: skip
    note = f"the first {SHOWN_ANSWERS}" if len(answers) > SHOWN_ANSWERS else ""
    return PageTable(
        columns=("tokens", "depth", "hidden", "answer", "found"), rows=shown, note=note
    )
