"""From pages to text.

In: documents of kind page, Markdown, text with broken characters. Out: plain text that keeps formulas,
code and tables. Never: the furniture of a site, or a page that ends the run.
"""

from herd.data.extract.extract_stage import ExtractStage
from herd.data.extract.main_text import MainText, main_text

__all__ = ["ExtractStage", "MainText", "main_text"]
