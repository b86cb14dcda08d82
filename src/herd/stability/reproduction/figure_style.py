"""How the drawings look: dark ink on white, labelled axes with units, readable at 900 pixels.

In: rows and columns of panels. Out: a matplotlib figure and its axes; an SVG text without dates, so
that the same numbers give the same file.
"""

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

WIDTH_INCHES = 9.0  # 900 pixels at 100 dots an inch
INK, SOFT = "#1b1f24", "#6a737d"
# Okabe and Ito 2008: told apart by colour-blind readers too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555")


def panels(
    n_rows: int, n_columns: int, *, height_inches: float, **share: Any
) -> "tuple[Canvas, Any]":
    """Return a figure and its axes, `[n_rows, n_columns]`, styled; `share` as in `subplots`."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(WIDTH_INCHES, height_inches), layout="constrained", facecolor="white")
    axes = canvas.subplots(n_rows, n_columns, squeeze=False, **share)
    for ax in axes.flat:
        style(ax)
    return canvas, axes


def style(ax: Any) -> None:
    """Give axes a light grid and no frame above and to the right."""
    ax.grid(color=SOFT, alpha=0.2, linewidth=0.6)
    ax.tick_params(colors=SOFT, labelcolor=INK, labelsize=9)
    for side, spine in ax.spines.items():
        spine.set_color(SOFT)
        spine.set_visible(side in ("left", "bottom"))


def label(ax: Any, title: str, x: str, y: str) -> None:
    """Write the title and the axes' names."""
    ax.set_title(title, fontsize=10, color=INK, loc="left")
    ax.set_xlabel(x, fontsize=9, color=INK)
    ax.set_ylabel(y, fontsize=9, color=INK)


def legend(ax: Any, **options: Any) -> None:
    """Show the legend without a frame."""
    ax.legend(frameon=False, fontsize=8, labelcolor=INK, **options)


def as_svg(canvas: "Canvas", salt: str) -> str:
    """Return the drawing as SVG text; `salt` makes its internal names repeatable."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        canvas.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def as_png(canvas: "Canvas") -> bytes:
    """Return the drawing as PNG, 900 pixels wide."""
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()
