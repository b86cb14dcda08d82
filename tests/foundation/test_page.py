"""Pages: whatever is not our own markup is escaped, and figures and tables come out whole."""

import jinja2
import pytest

from herd.foundation import Badge, PageFigure, PageSection, PageTable, render_page

EVIL = "<script>alert('x')</script>\"& </table>"


@pytest.fixture
def rendered() -> str:
    section = PageSection(
        title=EVIL,
        text=EVIL,
        cards={EVIL: EVIL},
        figures=[
            PageFigure(title=EVIL, svg="<svg><path/></svg>", note=EVIL, wide=True),
            PageFigure(title="narrow", svg="<svg></svg>"),
        ],
        tables=[
            PageTable(columns=(EVIL, "b"), rows=[(EVIL, Badge(text=EVIL, tone="bad"))], note=EVIL)
        ],
    )
    return render_page(
        "herd.stability",
        "report.html.jinja",
        title=EVIL,
        subtitle=EVIL,
        headline={},
        sections=[section],
    )


def test_text_is_shown_and_not_run(rendered: str) -> None:
    assert "<script" not in rendered
    assert rendered.count("&lt;script&gt;") >= 12
    assert "&#34;&amp; &lt;/table&gt;" in rendered


def test_figures_tables_and_badges_come_out(rendered: str) -> None:
    assert "<svg><path/></svg>" in rendered
    assert rendered.count('<figure class="wide">') == 1 and rendered.count("<figure>") == 1
    assert '<span class="badge bad">' in rendered
    assert rendered.count("<td ") == 2


def test_a_template_that_asks_for_what_is_not_given_fails() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render_page("herd.stability", "report.html.jinja", title="a", subtitle="")


def test_the_style_knows_both_colour_schemes_and_narrow_screens(rendered: str) -> None:
    assert "prefers-color-scheme: dark" in rendered and "max-width: 40rem" in rendered
    assert "width=device-width" in rendered
