"""The alternative text of pictures, kept where the picture stood: what a reader without eyes is told.

Only pictures of the running text count, those in a paragraph or a figure without a caption, each text
once; a logo, an avatar, a teaser in a list or a file's name says nothing.
In: a parsed page, its formulas gone. Out: the same page, such pictures pieces of text.
"""

import re
from typing import Any

from herd.data.extract.tree_text import replace_by_text

HOLDERS = ("p", "figure")
MIN_WORDS, MAX_CHARS = 3, 500
FURNITURE = re.compile(
    r"\b(logo|icon|avatar|banner|button|spacer|thumbnail|advertisement|gravatar)\b"
    r"|\.(jpe?g|png|gif|webp|svg)\b",
    re.IGNORECASE,
)


def pictures_to_text(page: Any) -> int:
    """Replace the pictures that say something by what they say; return how many there were."""
    seen: set[str] = set()
    for element in list(page.iter("img")):
        alt = " ".join((element.get("alt") or "").split())
        holder = _holder(element)
        if holder is not None and says_something(alt) and alt not in seen:
            seen.add(alt)
            _put(element, holder, alt)
    return len(seen)


def says_something(alt: str) -> bool:
    """Return whether an alternative text is more than a name of what stands there."""
    return len(alt) <= MAX_CHARS and len(alt.split()) >= MIN_WORDS and not FURNITURE.search(alt)


def _holder(picture: Any) -> Any:
    """The paragraph or figure that a picture stands in; None if it has a caption, or stands elsewhere."""
    holder = next((above for above in picture.iterancestors() if above.tag in HOLDERS), None)
    if holder is None or (holder.tag == "figure" and holder.text_content().strip()):
        return None
    return holder


def _put(picture: Any, holder: Any, alt: str) -> None:
    if holder.tag == "figure":  # extractors leave figures out, so it becomes a paragraph
        for child in list(holder):
            holder.remove(child)
        holder.tag, holder.text = "p", alt
    else:
        replace_by_text(picture, f" {alt} ")
