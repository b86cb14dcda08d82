"""Benchmarks in many languages: MGSM's word problems, and how well a declaration is foretold (UDHR).

In: Google's TSV files, NLTK's zip of declarations. Out: documents. Never: a translation of our own.
"""

from __future__ import annotations

import re
from functools import partial

from herd.evals.benchmarks.benchmark import Benchmark, Splits
from herd.evals.benchmarks.data_folder import DataFolder, Doc, Row
from herd.evals.benchmarks.plain_text import BITS_PER_BYTE

MGSM = ("bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh")
UDHR = {"en": "eng", "de": "deu", "fr": "fra", "it": "ita", "pt": "por_PT", "hi": "hin",
        "es": "spa", "th": "tha"}  # fmt: skip
MIN_CHARS = 40
BLANK_LINE = re.compile(r"\n\s*\n")


def as_mgsm(row: Row) -> Doc:
    """Keep a question and its number; there are no worked answers in the test files."""
    number = str(row["1"]).replace(",", "").strip()
    return {"question": row["0"].strip(), "answer": None, "answer_number": int(float(number))}


def read_mgsm(language: str, data: DataFolder) -> Splits:
    """Read the 250 questions of a language."""
    return {"test": data.docs(f"mgsm/mgsm_{language}.tsv", as_mgsm)}


def read_udhr(code: str, data: DataFolder) -> Splits:
    """Read the declaration's articles in one language, a document each."""
    text = data.member_text("udhr2.zip", f"{code}.txt")
    pieces = [piece.strip() for piece in BLANK_LINE.split(text)]
    return {"test": [{"text": piece} for piece in pieces if len(piece) >= MIN_CHARS]}


MULTILINGUAL: tuple[Benchmark, ...] = (
    *(
        Benchmark(
            name=f"mgsm_{language}",
            prompts=f"mgsm/native_cot/mgsm_native_cot_{language}.yaml",
            read=partial(read_mgsm, language),
            metric="exact_match",
            filter="flexible-extract",
            group="mgsm",
            about=f"word problems in {language}, worked in that language, no examples",
        )
        for language in MGSM
    ),
    *(
        Benchmark(
            name=f"udhr_{language}",
            read=partial(read_udhr, code),
            metric="bits_per_byte",
            overrides=BITS_PER_BYTE,
            group="udhr",
            about=f"the declaration of human rights in {language}: bits per byte",
        )
        for language, code in UDHR.items()
    ),
)
