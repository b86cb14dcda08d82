"""The drawings of the corpus page: the funnel, and how text is spread before and after."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from herd.data.inspection.corpus_view import CorpusView
from herd.foundation import (
    FIRST,
    INK,
    SECOND,
    SOFT,
    PageFigure,
    format_bytes,
    format_count,
    page_svg,
    printable,
    style_legend,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_VALUES = 12
TITLES = {
    "language": "Languages",
    "topic": "Topics",
    "source": "Sources",
    "kind": "Kinds of text",
}


def draw_funnel(view: CorpusView) -> PageFigure:
    """Draw the share of the text and of the documents that is left after each stage."""
    n_read, bytes_read = view.total("read")
    labels, documents, n_bytes = ["read"], [n_read], [bytes_read]
    for row in view.funnel:
        labels.append(row["stage"])
        documents.append(row["documents_out"])
        n_bytes.append(row["bytes_out"])
    canvas, axes = _canvas(8.0, 0.42 * len(labels) + 0.9)
    places = range(len(labels))
    shares = [100 * value / max(bytes_read, 1) for value in n_bytes]
    axes.barh(places, shares, height=0.62, color=FIRST)
    for place, share, count, size in zip(places, shares, documents, n_bytes, strict=True):
        noun = "document" if count == 1 else "documents"
        shown = f" {format_bytes(size)}, {format_count(count)} {noun}"
        axes.text(min(share, 100) + 0.5, place, shown, va="center", color=INK, fontsize=9)
    _label(axes, labels, "percent of the text that was read")
    most = max(100, *shares)  # a mix may make more of it than was read
    axes.set_xlim(0, most + 50)
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= most])
    return PageFigure(title="What was left after each stage", svg=_svg(canvas, "funnel"), wide=True)


def draw_distributions(view: CorpusView) -> list[PageFigure]:
    """Draw lengths, and documents by language, topic, source and kind where there are several."""
    figures = [_lengths(view)]
    for name, title in TITLES.items():
        read, kept = view.distribution("read", name), view.distribution("kept", name)
        if len({*read, *kept} - {"unknown"}) > 1:
            figures.append(_bars(title, read, kept))
    return figures


def _lengths(view: CorpusView) -> PageFigure:
    read, kept = (view.distribution(which, "length_bytes") for which in ("read", "kept"))
    sizes = sorted({int(size) for size in (*read, *kept)})
    canvas, axes = _canvas(5.2, 3.0)
    for values, colour, label, shift in (
        (read, SOFT, "read", -0.2),
        (kept, FIRST, "kept", 0.2),
    ):
        counts = [values.get(str(size), (0, 0))[0] for size in sizes]
        places = [place + shift for place in range(len(sizes))]
        axes.bar(places, counts, width=0.4, color=colour, label=label)
    step = max(len(sizes) // 6, 1)
    axes.set_xticks(range(0, len(sizes), step), [format_bytes(s) for s in sizes[::step]])
    axes.set_ylabel("documents", color=SOFT)
    _style(axes)
    if sizes:
        style_legend(axes)
    return PageFigure(
        title="Length of documents",
        svg=_svg(canvas, "lengths"),
        note="Each bar reaches to twice its length.",
    )


def _bars(
    title: str, read: Mapping[str, Sequence[int]], kept: Mapping[str, Sequence[int]]
) -> PageFigure:
    names = sorted(
        {*read, *kept}, key=lambda n: (-kept.get(n, (0, 0))[1], -read.get(n, (0, 0))[1], n)
    )
    names = names[:MOST_VALUES]
    canvas, axes = _canvas(5.2, 0.38 * len(names) + 0.9)
    for values, colour, label, shift in ((read, SOFT, "read", -0.2), (kept, SECOND, "kept", 0.2)):
        sizes = [values.get(name, (0, 0))[1] / 1e6 for name in names]
        axes.barh(
            [n + shift for n in range(len(names))], sizes, height=0.4, color=colour, label=label
        )
    _label(axes, [printable(name, 28) for name in names], "MB of text")
    style_legend(axes)
    return PageFigure(title=title, svg=_svg(canvas, title))


def _canvas(width: float, height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(width, height), layout="constrained")
    return canvas, canvas.add_subplot()


def _label(axes: "Axes", labels: Sequence[str], x_label: str) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel(x_label, color=SOFT)
    _style(axes)


def _style(axes: "Axes") -> None:
    axes.tick_params(colors=SOFT, labelcolor=INK, labelsize=9)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(SOFT)


def _svg(canvas: "Figure", salt: str) -> str:
    return page_svg(canvas, salt)
