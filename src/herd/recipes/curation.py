"""Curation as tables: which sources, and which stages in which order.

`web` is the pipeline of Llama 3 (section 3.1.1) with the settings that the paper leaves out taken from
Gopher, C4 and FineWeb; `books` is what `make demo` reads.
"""

from dataclasses import replace

from herd.data import (
    CurationRecipe,
    ExactDedup,
    ExtractStage,
    HeldOutStage,
    HeuristicFilter,
    LanguageStage,
    LineDedup,
    MinHashDedup,
    OutlierFilter,
    PiiDomainFilter,
    PiiRedactor,
    SourceConfig,
    SpanDedup,
    UrlDedup,
)
from herd.pretraining import curation_of
from herd.recipes.demo import demo


def web() -> CurationRecipe:
    """Return the web pipeline over what lies in `pages/`; name sources of your own with --source."""
    return CurationRecipe(
        name="web",
        sources=(SourceConfig(location="pages"),),
        stages=(
            ExtractStage(),  # section 3.1.1: text extraction and cleaning
            UrlDedup(),  # the latest version of each URL
            ExactDedup(),
            MinHashDedup(),  # document-level, over the whole corpus
            LineDedup(),  # lines seen more than 6 times in a bucket of 30M documents
            SpanDedup(),  # within a document
            LanguageStage(),
            HeuristicFilter(),  # duplicated n-grams, symbols, digits, length, stop words
            OutlierFilter(),  # KL divergence of the token distribution
            PiiDomainFilter(),  # domains full of private data
            PiiRedactor(),  # last of the filters, so that it reads the least text
            HeldOutStage(),
        ),
    )


def books() -> CurationRecipe:
    """Return the curation of plays, poems and the standard library: what `make demo` reads."""
    return replace(curation_of(demo().corpus), name="books")
