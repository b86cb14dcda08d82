"""The curves of a report, drawn as SVG that follows the page's light or dark colours.

In: the records of a metrics log. Out: one SVG text for each curve that has data.
"""

import math
from collections.abc import Sequence
from typing import Any

from herd.foundation import FIRST, SECOND, PageFigure, page_svg, style_axes, style_legend, thinned

SIZE_INCHES = (6.4, 3.2)


def draw_figures(records: Sequence[dict[str, Any]]) -> list[PageFigure]:
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
) -> PageFigure | None:
    points = {label: _points(records, key) for label, key in curves.items()}
    points = {label: pairs for label, pairs in points.items() if len(pairs) > 1}
    if not points:
        return None
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=SIZE_INCHES, layout="constrained")
    axes = canvas.add_subplot()
    for (label, pairs), colour in zip(points.items(), (FIRST, SECOND), strict=False):
        tokens, values = zip(*pairs, strict=True)
        mark = "o" if len(pairs) < 40 else ""
        axes.plot(
            tokens, values, color=colour, linewidth=1.3, marker=mark, markersize=3, label=label
        )
    style_axes(axes, x_label="tokens", y_label=unit)
    if log:
        axes.set_yscale("log")
    if from_zero:
        axes.set_ylim(bottom=0)
    if len(points) > 1:
        style_legend(axes)
    return PageFigure(title=title, svg=page_svg(canvas, title))


def _points(records: Sequence[dict[str, Any]], key: str) -> list[tuple[int, float]]:
    pairs = [
        (record["tokens"], record[key])
        for record in records
        if isinstance(record.get(key), int | float) and "tokens" in record
    ]
    return thinned([(tokens, value) for tokens, value in pairs if math.isfinite(value)])
