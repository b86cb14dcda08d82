"""The page and the tables of a study of robustness: every variant with its interval, and the spread.

In: what `robustness_study` returned. Out: HTML, tables on a console. Never: another study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from herd.evals.page_figures import IntervalRow, draw_intervals
from herd.foundation import PageFigure, PageSection, PageTable, render_sections

if TYPE_CHECKING:
    from rich.console import Console

VARIANT_COLUMNS = ("axis", "variant", "accuracy", "95 % interval", "labels chosen")
AXIS_COLUMNS = (
    "axis", "lowest", "highest", "spread", "95 % interval", "deviation", "same answer",
)  # fmt: skip
SPREAD = (
    "Spread is the highest less the lowest accuracy, paired; the two were chosen after the fact, so its interval is a "
    "little too high. Same answer: questions answered alike in all variants of an axis."
)


def robustness_page(study: Mapping[str, Any]) -> str:
    """Return the page of a study."""
    sections = [
        PageSection(
            title="How far the score moves",
            text=f"The same {study['questions']:,} questions, put in other ways; one thing changes at a time. {SPREAD}",
            figures=[_draw_variants(study["variants"])],
            tables=[PageTable(columns=AXIS_COLUMNS, rows=_axis_rows(study["axes"]))],
        ),
        PageSection(
            title="Every variant",
            text="Labels chosen: how often each place was picked, the first to the last.",
            tables=[PageTable(columns=VARIANT_COLUMNS, rows=_variant_rows(study["variants"]))],
        ),
    ]
    return render_sections(
        title=f"Herd: robustness of {study['model']}",
        subtitle="multiple choice with other labels, orders, examples and wordings (Llama 3, section 5.1.2)",
        sections=sections,
    )


def show_robustness(study: Mapping[str, Any], console: Console) -> None:
    """Print the variants, then the axes."""
    from rich.table import Column, Table
    from rich.text import Text

    for columns, n_left, rows in (
        (VARIANT_COLUMNS, 2, _variant_rows(study["variants"])),
        (AXIS_COLUMNS, 1, _axis_rows(study["axes"])),
    ):
        right = [Column(name, justify="right") for name in columns[n_left:]]
        table = Table(*columns[:n_left], *right)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
    console.print(f"{study['questions']:,} questions, the same in every variant. {SPREAD}")


def _variant_rows(variants: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [
        [
            one["axis"], one["name"], f"{one['accuracy']:.3f}",
            f"{one['ci_low']:.3f} to {one['ci_high']:.3f}",
            " ".join(f"{share:.0%}" for share in one["chosen"]),
        ]
        for one in variants
    ]  # fmt: skip


def _axis_rows(axes: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    return [
        [
            axis, f"{one['lowest']:.3f}", f"{one['highest']:.3f}", f"{one['spread']:.3f}",
            f"{one['spread_low']:.3f} to {one['spread_high']:.3f}", f"{one['deviation']:.3f}",
            f"{one['agreement']:.1%}",
        ]
        for axis, one in axes.items()
    ]  # fmt: skip


def _draw_variants(variants: Sequence[Mapping[str, Any]]) -> PageFigure:
    """A dot and its interval for each variant, a band from the lowest to the highest of each axis."""
    rows = [
        IntervalRow(f"{one['axis']}: {one['name']}", one["accuracy"], one["ci_low"], one["ci_high"])
        for one in variants
    ]
    axes = [one["axis"] for one in variants]
    bands = [
        range(axes.index(axis), axes.index(axis) + axes.count(axis)) for axis in dict.fromkeys(axes)
    ]
    return draw_intervals(
        rows, title="Accuracy in each variant", x_label="accuracy", x_format="%.2f", bands=bands,
        line_at=1 / len(variants[0]["chosen"]),
        note="Dots are accuracies, bars their 95 % intervals; each shaded band is an axis's spread; dotted: guessing.",
    )  # fmt: skip
