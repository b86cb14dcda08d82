"""Drawings for a page: SVG that takes the page's light or dark colours and the page's width.

In: matplotlib axes. Out: SVG text whose placeholders have become the page's colour variables, so
that one drawing serves both colour schemes.
Never: what is drawn.
"""

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MAX_POINTS = 1500  # beyond this a curve is thinned; an SVG of every step of a long run is slow
INK, SOFT, CARD = "#0a0b0c", "#7a7b7c", "#f1f2f3"  # placeholders, replaced by colour variables
FIRST, SECOND = "#1a2b3c", "#c1b2a3"
GOOD, CALM, WARN, BAD = "#a1b1c1", "#a2b2c2", "#a3b3c3", "#a4b4c4"
PAGE_COLOURS = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
    CARD: "var(--card)",
    GOOD: "var(--good)",
    CALM: "var(--calm)",
    WARN: "var(--warn)",
    BAD: "var(--bad)",
}
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True, slots=True)
class PageFigure:
    """One drawing with its title; `note` says below it how to read it, `wide` asks for a full row."""

    title: str
    svg: str
    note: str = ""
    wide: bool = False


def page_svg(canvas: "Canvas", salt: str) -> str:
    """Return a drawing as SVG for a page; `salt` makes its internal names repeatable."""
    import matplotlib

    buffer = io.StringIO()
    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}),
        warnings.catch_warnings(),
    ):
        # The page's own fonts are used in the end, whatever matplotlib's can show.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return in_page_colours(buffer.getvalue())


def in_page_colours(svg: str) -> str:
    """Return the drawing without its XML header, sized by the page, in the page's colours."""
    svg = svg[svg.index("<svg") :]
    for placeholder, variable in PAGE_COLOURS.items():
        svg = svg.replace(placeholder, variable)
    head, rest = svg.split(">", 1)
    kept = [part for part in head.split() if not part.startswith(("width=", "height="))]
    return " ".join(kept) + ' role="img">' + rest


def style_axes(axes: Any, *, x_label: str, y_label: str) -> None:
    """Give axes soft labels, a light grid, and no frame above and to the right."""
    from matplotlib.ticker import EngFormatter

    axes.set_xlabel(x_label, color=SOFT)
    axes.set_ylabel(y_label, color=SOFT)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.tick_params(colors=SOFT, labelcolor=SOFT)
    axes.grid(color=SOFT, alpha=0.25, linewidth=0.6)
    for side, spine in axes.spines.items():
        spine.set_color(SOFT)
        spine.set_visible(side in ("left", "bottom"))


def style_legend(axes: Any, **options: Any) -> None:
    """Show the legend without a frame, in the page's ink."""
    axes.legend(frameon=False, labelcolor=INK, **options)


def thinned(points: Sequence[Item], most: int = MAX_POINTS) -> list[Item]:
    """Return at most about `most` points, evenly chosen, the last one always among them."""
    stride = max(1, math.ceil(len(points) / most))
    return list(points) if stride == 1 else [*points[::stride], points[-1]]


def printable(text: str, most_chars: int = 10_000) -> str:
    """Return untrusted text fit for a drawing: no control characters, long text cut in its middle."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    if len(clean) <= most_chars:
        return clean
    head = (most_chars - 1) // 2
    return f"{clean[:head]}\N{HORIZONTAL ELLIPSIS}{clean[-(most_chars - 1 - head) :]}"
