"""Code on a page, kept to the letter: each block is set aside and put back into the extracted text.

In: a parsed page. Out: the page with a mark for each block, and the blocks. Never: a line break or an
indentation lost.
"""

import re
from typing import Any

from herd.data.extract.tree_text import replace_by_text

MARK = "herdcodeblock{number:06d}z"
MARKED = re.compile(r"[ \t]*herdcodeblock(\d{6})z[ \t]*")
CODE_CLASS = re.compile(
    r"\b(code|highlight|lang|language|brush|prettyprint|sourceCode)", re.IGNORECASE
)
# Statements, calls, assignments, prompts: what prose has at most now and then.
CODE_LINE = re.compile(
    r"[;{}]\s*$|^\s*(#|//|\$ |>>> |@\w+$|(def|class|import|from|return|if|for|while|fn|func|var|let|const)\b)|"
    r"\w\(.*\)|[\w\])]\s*[:=+*/-]?=\s*\S|</?\w+>|->|=>|::"
)
MIN_CODE_LINES = 0.3
LINE_NUMBERS = ("lineno", "linenos", "line-numbers", "gutter", "line-numbers-rows")


def set_code_aside(page: Any) -> list[str]:
    """Replace every `pre` by a marked paragraph; return the blocks in order."""
    blocks: list[str] = []
    for element in list(page.iter("pre")):
        if element.getparent() is None or not _looks_like_code(element):
            continue
        _drop_line_numbers(element)
        for line_break in element.iter("br"):
            line_break.tail = "\n" + (line_break.tail or "")
        code = "".join(element.itertext()).replace("\r\n", "\n").strip("\n")
        if not code.strip():
            continue
        tail, attributes = element.tail, dict(element.attrib)
        element.clear()
        element.tag, element.tail = "p", tail
        element.attrib.update({k: v for k, v in attributes.items() if k == "id"})
        element.text = f"{MARK.format(number=len(blocks))} "
        blocks.append(code.expandtabs(4).rstrip())
    return blocks


def put_code_back(text: str, blocks: list[str]) -> str:
    """Return the text with the blocks in the places of their marks."""
    if not blocks:
        return text

    def block(match: re.Match[str]) -> str:
        number = int(match.group(1))
        return f"\n{blocks[number]}\n" if number < len(blocks) else ""

    return MARKED.sub(block, text)


def _looks_like_code(element: Any) -> bool:
    """Whether a `pre` is code: some sites set letters and poems in one."""
    if any(True for _ in element.iterancestors("pre")):
        return False
    if element.find(".//code") is not None or CODE_CLASS.search(element.get("class") or ""):
        return True
    lines = [line for line in "".join(element.itertext()).split("\n") if line.strip()]
    n_code = sum(1 for line in lines if CODE_LINE.search(line[:400]))
    return n_code >= MIN_CODE_LINES * len(lines) and n_code > 0


def _drop_line_numbers(element: Any) -> None:
    for part in list(element.iter()):
        classes = (part.get("class") or "").split() if isinstance(part.tag, str) else []
        if part is not element and any(name in LINE_NUMBERS for name in classes):
            replace_by_text(part, "")
