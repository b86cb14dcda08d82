"""How deep the elements of a page are nested, told in one pass before any parser builds a tree.

Parsers and extractors recurse: a page nested 100,000 deep ends them, or the process.
In: HTML. Out: the greatest depth, roughly: unclosed elements count as open.
"""

import re

TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# Elements that hold nothing, or that a parser closes by itself when the next one opens.
FLAT = frozenset(
    [
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param"),
        *("source", "track", "wbr", "p", "li", "dt", "dd", "tr", "td", "th", "option"),
        *("thead", "tbody", "tfoot", "colgroup"),
    ]
)


def nesting_depth(html: str) -> int:
    """Return how many elements are open at once at most."""
    depth = deepest = 0
    for match in TAG.finditer(html):
        closing, name = match.groups()
        if name.lower() in FLAT:
            continue
        depth = max(depth - 1, 0) if closing else depth + 1
        deepest = max(deepest, depth)
    return deepest
