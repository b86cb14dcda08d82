"""Pages that open anywhere: one HTML file with nothing to load, light and dark, narrow and wide.

In: a template that extends `page.html.jinja`, which holds the style, and draws cards, figures and
tables with the macros of `page_parts.html.jinja`. Out: HTML text in which whatever is not markup of ours is escaped.
Never: what a page is about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from herd.foundation.page_figure import PageFigure

SHARED = ("page.html.jinja", "page_parts.html.jinja", "sections.html.jinja")


@dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """A word of a table that the eye should find; `tone` chooses its colour."""

    text: str
    tone: Literal["good", "calm", "warn", "bad"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PageTable:
    """A table with a heading for each column; on a narrow screen each row becomes a block."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Badge]]
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageSection:
    """A heading, a few sentences, headline cards (label to value), figures and tables."""

    title: str
    text: str = ""
    cards: Mapping[str, str] | None = None
    figures: Sequence[PageFigure] = ()
    tables: Sequence[PageTable] = ()


def render_page(package: str, template: str, **values: Any) -> str:
    """Render `template` of `package` to HTML."""
    import jinja2

    def load(name: str) -> str:
        home = "herd.foundation" if name in SHARED else package
        return resources.files(home).joinpath(name).read_text(encoding="utf-8")

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.FunctionLoader(load)
    )
    environment.tests["badge"] = lambda value: isinstance(value, Badge)
    return environment.get_template(template).render(**values)


def render_sections(*, title: str, subtitle: str, sections: Sequence[PageSection]) -> str:
    """Render a page that is its sections, one after the other, to HTML."""
    return render_page(
        "herd.foundation", "sections.html.jinja", title=title, subtitle=subtitle, sections=sections
    )
