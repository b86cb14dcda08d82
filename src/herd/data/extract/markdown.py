"""Markdown's marks taken off, its text kept: they hurt a model that reads mostly web text (section 3.1.1).

Headings lose their signs, emphasis its stars, links and images their addresses (an image's words stay),
quotes and lists theirs; fenced code keeps its lines and loses its fence; tables keep their cells.
In: a Markdown text. Out: plain text. Never: a change inside code.
"""

import re

from herd.data.sources.html_text import without_comments

FENCE = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})")
HEADING = re.compile(r"^[ ]{0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$")
UNDERLINE = re.compile(r"^[ ]{0,3}(=+|-{3,}|\*{3,}|_{3,}|(\* ?){3,}|(- ?){3,})[ \t]*$")
QUOTE = re.compile(r"^[ ]{0,3}(>[ ]?)+")
TABLE_RULE = re.compile(r"^[ ]{0,3}\|?[ \t]*:?-{2,}:?[ \t]*(\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$")
REFERENCE = re.compile(r"^[ ]{0,3}\[[^\]\n]{1,200}\]:[ \t]*\S+.*$")
IMAGE = re.compile(r"!\[([^\]\n]{0,500})\](\([^()\n]{0,2000}\)|\[[^\]\n]{0,200}\])")
LINK = re.compile(r"(?<!!)\[([^\]\n]{1,500})\](\([^()\n]{0,2000}\)|\[[^\]\n]{0,200}\])")
AUTOLINK = re.compile(r"<(https?://[^\s<>]{1,500})>")
STRONG = re.compile(r"(\*\*|__)(?=\S)([^\n]{1,1000}?\S|\S)\1")
EMPHASIS = re.compile(
    r"(?<![\w*_\\])([*_])(?=[^\s*_])([^*_\n]{0,1000}?[^\s*_]|[^\s*_])\1(?![\w*_])"
)
STRUCK = re.compile(r"~~(?=\S)([^\n~]{1,1000})~~")
CODE_SPAN = re.compile(r"(`+)([^`\n]{1,1000})\1")
ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!>~|-])")


def without_markdown(text: str) -> str:
    """Return the text of a Markdown document."""
    kept: list[str] = []
    fence = ""
    for line in without_comments(text).split("\n"):
        mark = FENCE.match(line)
        if fence:
            if mark and mark.group(1).startswith(fence) and not line.strip(" `~"):
                fence = ""
            else:
                kept.append(line)
        elif mark:
            fence = mark.group(1)
        elif not _is_mark_only(line):
            kept.append(line if line.startswith(("    ", "\t")) else _plain_line(line))
    return "\n".join(kept)


def _is_mark_only(line: str) -> bool:
    return bool(UNDERLINE.match(line) or TABLE_RULE.match(line) or REFERENCE.match(line))


def _plain_line(line: str) -> str:
    heading = HEADING.match(line)
    line = QUOTE.sub("", heading.group(1) if heading else line)
    if line.strip().startswith("|") and line.strip().endswith("|") and line.count("|") > 1:
        line = "\t".join(cell.strip() for cell in line.strip().strip("|").split("|"))
    pieces = []
    position = 0
    for span in CODE_SPAN.finditer(line):  # code is not touched
        pieces += [_plain_span(line[position : span.start()]), span.group(2).strip()]
        position = span.end()
    return "".join([*pieces, _plain_span(line[position:])])


def _plain_span(text: str) -> str:
    if not any(mark in text for mark in "*_[]~<\\"):
        return text
    text = LINK.sub(r"\1", IMAGE.sub(r"\1", text))
    text = AUTOLINK.sub(r"\1", text)
    text = STRONG.sub(r"\2", text)
    text = EMPHASIS.sub(r"\2", text)
    text = STRUCK.sub(r"\1", text)
    return ESCAPE.sub(r"\1", text)
