"""A curated corpus for people to look at.

In: the directory that `curate` made. Out: a page, a terminal's view, the fate of one document.
Never: a decision of its own.
"""

from herd.data.inspection.closing_words import closing_words
from herd.data.inspection.corpus_page import write_corpus_page
from herd.data.inspection.corpus_text import corpus_summary, show_corpus
from herd.data.inspection.why import Fate, why

__all__ = ["Fate", "closing_words", "corpus_summary", "show_corpus", "why", "write_corpus_page"]
