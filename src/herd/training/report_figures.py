"""The curves of a report, drawn as SVG that follows the page's light or dark colours.

In: the records of a metrics log. Out: one SVG text for each curve that has data.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_POINTS = 1500  # beyond this a curve is thinned; an SVG of every step of a long run is slow
SIZE_INCHES = (6.4, 3.2)
INK, SOFT = "#0a0b0c", "#7a7b7c"  # placeholders, replaced by the page's colour variables
FIRST, SECOND = "#1a2b3c", "#c1b2a3"
PAGE_COLOURS = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One drawing with its caption."""

    title: str
    svg: str


def draw_figures(records: Sequence[dict[str, Any]]) -> list[Figure]:
    """Return the figures for which the log holds at least two points."""
    drawn = [
        _draw(
            records,
            "Loss",
            "nats per token",
            {"training": "loss_nats", "held out": "val_loss_nats"},
        ),
        _draw(records, "Held-out text", "bits per byte", {"held out": "val_bits_per_byte"}),
        _draw(records, "Learning rate", "", {"rate": "learning_rate"}),
        _draw(records, "Gradient norm", "before clipping", {"norm": "grad_norm"}, log=True),
        _draw(records, "Speed", "tokens per second", {"speed": "tokens_per_s"}, from_zero=True),
        _draw(records, "MFU", "of the measured ceiling", {"MFU": "mfu"}, from_zero=True),
    ]
    return [figure for figure in drawn if figure is not None]


def _draw(
    records: Sequence[dict[str, Any]],
    title: str,
    unit: str,
    curves: dict[str, str],
    *,
    log: bool = False,
    from_zero: bool = False,
) -> Figure | None:
    points = {label: _points(records, key) for label, key in curves.items()}
    points = {label: pairs for label, pairs in points.items() if len(pairs) > 1}
    if not points:
        return None
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=SIZE_INCHES, layout="constrained")
    axes = canvas.add_subplot()
    for (label, pairs), colour in zip(points.items(), (FIRST, SECOND), strict=False):
        tokens, values = zip(*pairs, strict=True)
        mark = "o" if len(pairs) < 40 else ""
        axes.plot(
            tokens, values, color=colour, linewidth=1.3, marker=mark, markersize=3, label=label
        )
    _style(axes, unit, log=log, from_zero=from_zero, legend=len(points) > 1)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return Figure(title=title, svg=_for_page(buffer.getvalue()))


def _points(records: Sequence[dict[str, Any]], key: str) -> list[tuple[int, float]]:
    pairs = [
        (record["tokens"], record[key])
        for record in records
        if isinstance(record.get(key), int | float) and "tokens" in record
    ]
    pairs = [(tokens, value) for tokens, value in pairs if math.isfinite(value)]
    stride = max(1, math.ceil(len(pairs) / MAX_POINTS))
    return pairs[::stride] if stride == 1 else [*pairs[::stride], pairs[-1]]


def _style(axes: Any, unit: str, *, log: bool, from_zero: bool, legend: bool) -> None:
    from matplotlib.ticker import EngFormatter

    axes.set_xlabel("tokens", color=SOFT)
    axes.set_ylabel(unit, color=SOFT)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.tick_params(colors=SOFT, labelcolor=SOFT)
    axes.grid(color=SOFT, alpha=0.25, linewidth=0.6)
    for side, spine in axes.spines.items():
        spine.set_color(SOFT)
        spine.set_visible(side in ("left", "bottom"))
    if log:
        axes.set_yscale("log")
    if from_zero:
        axes.set_ylim(bottom=0)
    if legend:
        axes.legend(frameon=False, labelcolor=INK)


def _for_page(svg: str) -> str:
    """Return the drawing without its XML header, sized by the page, in the page's colours."""
    svg = svg[svg.index("<svg") :]
    for placeholder, variable in PAGE_COLOURS.items():
        svg = svg.replace(placeholder, variable)
    head, rest = svg.split(">", 1)
    kept = [part for part in head.split() if not part.startswith(("width=", "height="))]
    return " ".join(kept) + ' role="img">' + rest
