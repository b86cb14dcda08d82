"""The visible text of an HTML page, with the standard library's tolerant parser.

Every text outside scripts, styles and the head is kept, menus included: finding the article in a page
is another stage's work. In: HTML however broken. Out: text with a line for each block.
"""

import re
from html.parser import HTMLParser

HIDDEN = frozenset({"script", "style", "head", "template", "noscript", "svg", "math", "object"})
BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "table",
        "td",
        "th",
        "tr",
        "ul",
    ]
)
MAX_BLANK_LINES = re.compile(r"\n{3,}")
WHITE_SPACE = re.compile(r"\s+")


def html_to_text(html: str) -> str:
    """Return the text a reader of the page would see, blocks apart by line ends."""
    collector = _Collector()
    # The parser looks for the end of each comment anew: a page of open ones would take for ever.
    collector.feed(without_comments(html).replace("<!--", ""))
    collector.close()
    lines = (line.rstrip() for line in "".join(collector.parts).split("\n"))
    return MAX_BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def without_comments(text: str) -> str:
    """Return a text without the HTML comments in it; one that is not closed stays."""
    pieces, position = [], 0
    while (begin := text.find("<!--", position)) >= 0:
        end = text.find("-->", begin)
        if end < 0:
            break
        pieces.append(text[position:begin])
        position = end + len("-->")
    return "".join([*pieces, text[position:]])


class _Collector(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden: list[str] = []
        self.preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in HIDDEN:
            self.hidden.append(tag)
        elif tag == "body":
            self.hidden.clear()  # a head that was never closed ends here
        if tag == "pre":
            self.preformatted += 1
        self._break(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.hidden:
            del self.hidden[self.hidden.index(tag) :]
        if tag == "pre" and self.preformatted:
            self.preformatted -= 1
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if self.hidden:
            return
        if not self.preformatted:
            data = WHITE_SPACE.sub(" ", data)
            if not self.parts or self.parts[-1].endswith(("\n", " ")):
                data = data.removeprefix(" ")
        if data:
            self.parts.append(data)

    def _break(self, tag: str) -> None:
        if tag in BLOCKS and not self.hidden:
            self.parts.append("\n\n" if tag in ("p", "blockquote") or tag[0] == "h" else "\n")
