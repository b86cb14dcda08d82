"""Formulas of a page as TeX, once each: MathML, MathJax, KaTeX, and pictures with the formula in `alt`.

In: a parsed page. Out: the same page, each formula one piece of text. Never: a formula twice, as its
drawn form and its source.
"""

import re
from typing import Any

from herd.data.extract.tree_text import replace_by_text

TEX_ENCODINGS = ("application/x-tex", "TeX", "LaTeX", "application/x-latex")
# What MathJax and KaTeX draw beside the source of a formula.
DRAWN = ("MathJax", "MathJax_Preview", "MathJax_Display", "MathJax_SVG", "katex-html", "mjx-chtml")
FORMULA_CLASS = re.compile(
    r"\b(tex|latex|math|mwe-math-fallback-image-inline|equation)\b", re.IGNORECASE
)
FORMULA_TEXT = re.compile(r"\\[a-zA-Z]+|\\[{}]|[\^_]\{|^\$.*\$$|\{\\displaystyle")


def formulas_to_text(page: Any) -> int:
    """Replace every formula in the tree by its TeX; return how many there were."""
    found = 0
    for element in list(page.iter("script")):
        if (element.get("type") or "").startswith("math/tex"):
            found += _replace(element, element.text or "", display="display" in element.get("type"))
    for element in list(page.iter("math")):
        holder = _holder(element)
        found += _replace(holder, _tex_of(element), display=element.get("display") == "block")
    for element in list(page.iter("img")):
        if is_formula(element.get("alt") or "", element.get("class") or ""):
            found += _replace(element, element.get("alt"), display=False)
    for element in list(page.iter()):
        if isinstance(element.tag, str) and _is_drawn(element):
            _replace(element, "", display=False)
    return found


def is_formula(alt: str, css_class: str) -> bool:
    """Whether a picture's alternative text is a formula."""
    return bool(alt and (FORMULA_CLASS.search(css_class) or FORMULA_TEXT.search(alt)))


def _tex_of(math: Any) -> str:
    """The TeX that a MathML element carries, or its own symbols in a line."""
    for annotation in math.iter("annotation"):
        if annotation.get("encoding") in TEX_ENCODINGS and annotation.text:
            return str(annotation.text)
    if math.get("alttext"):
        return str(math.get("alttext"))
    skipped = ("annotation", "annotation-xml")
    symbols = [text.strip() for text in math.itertext() if text.strip()]
    if any(math.iter(*skipped)):
        symbols = [
            text.strip()
            for element in math.iter()
            if element.tag not in skipped
            for text in (element.text or "",)
            if text.strip()
        ]
    return " ".join(symbols)


def _holder(math: Any) -> Any:
    """The element that holds a formula and its drawn form together."""
    holder = math
    for above in math.iterancestors():
        classes = (above.get("class") or "").split()
        if above.tag == "mjx-container" or {"katex", "mwe-math-element", "katex-display"} & set(
            classes
        ):
            holder = above
    return holder


def _is_drawn(element: Any) -> bool:
    classes = (element.get("class") or "").split()
    return any(name in DRAWN for name in classes)


def _replace(element: Any, text: str, *, display: bool) -> int:
    """Put text where an element was; return 1 if there is any."""
    if element.getparent() is None:
        return 0
    tex = " ".join(text.split())
    if tex and not tex.startswith(("$", "\\(", "\\[")):
        tex = f"$${tex}$$" if display else f"${tex}$"
    replace_by_text(element, tex)
    return int(bool(tex))
