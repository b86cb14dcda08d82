"""Drawings for pages: placeholders become variables, text of others stays harmless."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure as Canvas

from herd.foundation import page_svg, printable, style_axes, style_legend, thinned
from herd.foundation.page_figure import MAX_POINTS, PAGE_COLOURS


def drawing(label: str = "a", salt: str = "salt") -> str:
    canvas = Canvas(figsize=(3, 2))
    axes = canvas.add_subplot()
    for place, colour in enumerate(PAGE_COLOURS):
        axes.plot([0, 1], [place, 1], color=colour, label=label if place == 0 else None)
    style_axes(axes, x_label="steps", y_label="nats")
    axes.set_yticks([0], labels=[label], parse_math=False)
    style_legend(axes)
    return page_svg(canvas, salt)


def test_every_placeholder_becomes_a_variable_of_the_page() -> None:
    svg = drawing()
    for placeholder, variable in PAGE_COLOURS.items():
        assert variable in svg and placeholder not in svg


def test_placeholders_are_colours_apart_from_each_other() -> None:
    assert len(set(PAGE_COLOURS)) == len(set(PAGE_COLOURS.values())) == len(PAGE_COLOURS)
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in PAGE_COLOURS)


def test_the_page_sets_the_size_and_the_same_drawing_is_the_same_text() -> None:
    head = drawing().split(">")[0]
    assert head.startswith("<svg") and "viewBox" in head and 'role="img"' in head
    assert "width=" not in head and "height=" not in head
    assert drawing() == drawing()


@pytest.mark.parametrize("label", ["<b>&</b>", "層.0", "$x_1$", "\U0001f999", "]]>"])
def test_labels_of_any_text_are_escaped_and_drawn_without_a_warning(label: str) -> None:
    root = ElementTree.fromstring(drawing(printable(label)).replace("xlink:href", "href"))
    assert label in "".join(root.itertext())


def test_what_cannot_be_printed_is_replaced_and_long_text_cut_in_its_middle() -> None:
    assert printable("a\x00b\x1b[31m\n") == "a\ufffdb\ufffd[31m\ufffd"
    assert printable("layers.0", 20) == "layers.0"
    cut = printable("a" * 50 + "z" * 50, 11)
    assert cut == "aaaaa\N{HORIZONTAL ELLIPSIS}zzzzz"


@pytest.mark.parametrize("n", [0, 1, 10, MAX_POINTS, MAX_POINTS + 1, 10 * MAX_POINTS])
def test_thinning_keeps_the_first_and_the_last_point(n: int) -> None:
    points = list(range(n))
    kept = thinned(points)
    assert len(kept) <= MAX_POINTS + 1
    assert kept[:1] == points[:1] and kept[-1:] == points[-1:]
    assert kept == points or n > MAX_POINTS
