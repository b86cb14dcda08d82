"""The main text of a page: what its author wrote, without what the site puts around it.

trafilatura finds it, the best of the extractors measured (docs/data.md); before that formulas become
TeX and code is set aside, which it would lose, and afterwards the lines go that are not the article's.
A page that is nested too deep or too long for it is
read by simpler means.
In: HTML. Out: text and title. Never: an exception, whatever the page.
"""

import re
from dataclasses import dataclass
from typing import Any

from herd.data.extract.code_blocks import put_code_back, set_code_aside
from herd.data.extract.furniture import without_furniture
from herd.data.extract.mathematics import formulas_to_text
from herd.data.extract.nesting import nesting_depth
from herd.data.extract.pictures import pictures_to_text
from herd.data.sources.html_text import html_to_text
from herd.foundation import missing_library

MAX_DEPTH = 200
MAX_CHARS = 2_000_000
MAX_TAGS = 30_000  # of the pages measured the longest has 9,000; the time grows with their square
TABLE_RULE = re.compile(r"^[ \t|:-]*--[ \t|:-]*\n", re.MULTILINE)
SEPARATORS = (" | ", " - ", " – ", " — ")


@dataclass(frozen=True, slots=True)
class MainText:
    """What was found on a page; `how` says by which means: `article`, or `all text`."""

    text: str
    title: str
    how: str
    n_formulas: int = 0
    n_code_blocks: int = 0
    n_pictures: int = 0


def main_text(html: str, *, tables: bool = True, pictures: bool = True) -> MainText:
    """Return the main text of a page, empty if there is none.

    `tables` keeps the cells of tables, `pictures` the alternative text of pictures.
    """
    if _is_too_much(html):
        return MainText(html_to_text(html), "", "all text")
    page = _parsed(html)
    if page is None:
        return MainText(html_to_text(html), "", "all text")  # a fragment, without html and body
    titles = _titles(page)
    n_formulas = formulas_to_text(page)
    n_pictures = pictures_to_text(page) if pictures else 0
    blocks = set_code_aside(page)
    text = without_furniture(_article(page, tables), titles)
    text = put_code_back(text, blocks)
    return MainText(text, titles[0], "article", n_formulas, len(blocks), n_pictures)


def _is_too_much(html: str) -> bool:
    return len(html) > MAX_CHARS or html.count("<") > MAX_TAGS or nesting_depth(html) > MAX_DEPTH


def _parsed(html: str) -> Any:
    """The page as a tree, None if it is none."""
    try:
        import trafilatura
    except ImportError as error:
        raise missing_library("extraction", f"trafilatura ({error})", "data") from None
    try:
        # NUL ends a C string: what follows would be lost.
        return trafilatura.load_html(html.replace("\0", ""))
    except (ValueError, AssertionError):
        return None


def _article(page: Any, tables: bool) -> str:
    import trafilatura

    found = trafilatura.extract(
        page,
        output_format="txt",
        include_comments=False,
        include_tables=tables,
        favor_precision=True,
        deduplicate=False,
        with_metadata=False,
    )
    return TABLE_RULE.sub("", found or "")


def _titles(page: Any) -> list[str]:
    """The page's title first, then its headlines, and the title without the site's name."""
    title = _line(page.find(".//title"))
    headlines = [_line(element) for element in page.iter("h1")]
    headlines += [
        element.get("content") or ""
        for element in page.iter("meta")
        if element.get("property") == "og:title"
    ]
    headlines += [title.split(separator)[0] for separator in SEPARATORS if separator in title]
    return [title, *headlines]


def _line(element: Any) -> str:
    return "" if element is None else " ".join(element.text_content().split())
