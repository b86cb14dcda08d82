"""Put text in the place of an element of a parsed page.

In: an element, a text. Out: the page without the element; what follows it stays where it was.
"""

from typing import Any


def replace_by_text(element: Any, text: str) -> None:
    """Replace an element that has a parent, and all that is in it, by a text."""
    parent, before = element.getparent(), element.getprevious()
    put = f"{text}{element.tail or ''}"
    if before is None:
        parent.text = (parent.text or "") + put
    else:
        before.tail = (before.tail or "") + put
    element.tail = None
    parent.remove(element)
