"""How much of each benchmark a corpus holds: for a program and for a terminal.

In: documents, examples. Out: per benchmark the scores, and the worst examples with the documents that
hold them. Never: more in memory than the benchmarks; a document's text kept.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from herd.data.contamination.benchmark_examples import Example
from herd.data.contamination.benchmark_grams import BenchmarkGrams
from herd.data.contamination.overlap import N_WORDS, covered_words, grams_of, words_of
from herd.data.document import Document

if TYPE_CHECKING:
    from rich.console import Console

THRESHOLDS = (0.2, 0.5, 0.8)
N_WORST = 5
MOST_DOCUMENTS = 3
EXCERPT_CHARS = 160


@dataclass(slots=True)
class _Corpus:
    """Which grams were seen, and the first document that holds each (-1: none)."""

    first_document: "np.ndarray[Any, np.dtype[np.int64]]"
    names: dict[int, str] = field(default_factory=dict)
    n_documents: int = 0
    by_benchmark: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Scored:
    """The examples of one benchmark."""

    scores: list[float] = field(default_factory=list)
    n_too_short: int = 0
    worst: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)


def contamination_report(
    documents: Iterable[Document],
    examples: Sequence[Example],
    *,
    n_words: int = N_WORDS,
    thresholds: Sequence[float] = THRESHOLDS,
    n_worst: int = N_WORST,
) -> dict[str, Any]:
    """Return for each benchmark: examples, those too short for a gram (score 0), the mean score, the
    share with a score of at least each threshold, the documents that overlap, the worst examples, and
    every example's score in their order, as `estimate_gain` takes them.

    The score is the share of an example's words in an `n_words`-gram of the corpus (Llama 3, 5.1.4).
    """
    grams = BenchmarkGrams.of(examples, n_words)
    corpus = _scan(documents, grams)
    scored = {name: _Scored() for name in grams.benchmarks}
    for example in examples:
        _score(example, scored[example.benchmark], grams, corpus, n_worst)
    return {
        "n_words": n_words,
        "documents": corpus.n_documents,
        "benchmarks": {
            name: _row(one, corpus.by_benchmark[name], thresholds, n_worst)
            for name, one in scored.items()
        },
    }


def show_contamination(report: Mapping[str, Any], console: "Console") -> None:
    """Print a report as two tables: the benchmarks, the most contaminated first; their worst examples."""
    from rich.table import Column, Table
    from rich.text import Text

    rows = sorted(report["benchmarks"].items(), key=lambda item: -item[1]["mean_score"])
    thresholds = list(rows[0][1]["share_at"]) if rows else []
    columns = [
        "examples",
        "mean score",
        *(f">= {one}" for one in thresholds),
        "documents with a gram",
    ]
    table = Table("benchmark", *(Column(one, justify="right") for one in columns))
    worst = Table("benchmark", "example", Column("score", justify="right"), "found in")
    for name, row in rows:
        shares = [f"{row['share_at'][one]:.1%}" for one in thresholds]
        cells = [f"{row['examples']:,}", f"{row['mean_score']:.3f}", *shares]
        table.add_row(Text(name), *cells, f"{row['documents']:,}")
        for one in row["worst"][:1]:
            found = ", ".join(one["documents"])
            worst.add_row(Text(name), Text(one["example"]), f"{one['score']:.2f}", Text(found))
    console.print(table)
    console.print(
        f"read {report['documents']:,} documents; a gram is {report['n_words']} words; an example's score is "
        "the share of its words in a gram of the corpus"
    )
    if worst.row_count:
        console.print(worst)


def _scan(documents: Iterable[Document], grams: BenchmarkGrams) -> _Corpus:
    corpus = _Corpus(np.full(grams.hashes.size, -1, dtype=np.int64))
    for number, document in enumerate(documents):
        corpus.n_documents += 1
        found = grams.overlap(document.text)
        new = found.places[corpus.first_document[found.places] < 0]
        if new.size:
            corpus.first_document[new] = number
            corpus.names[number] = document.name
        corpus.by_benchmark.update(grams.benchmarks[one] for one in found.by_benchmark)
    return corpus


def _score(
    example: Example, scored: _Scored, grams: BenchmarkGrams, corpus: _Corpus, n_worst: int
) -> None:
    words = words_of(example.text)
    places, where = grams.find(grams_of(words, grams.n_words))  # all of them: it is a benchmark's
    scored.n_too_short += words.size < grams.n_words
    first = corpus.first_document[where]
    seen = first >= 0
    covered = covered_words(places[seen], words.size, grams.n_words)
    score = float(covered.mean()) if words.size else 0.0
    scored.scores.append(score)
    if score > 0:
        common = Counter(first[seen].tolist()).most_common(MOST_DOCUMENTS)
        shown = {
            "example": example.name,
            "score": round(score, 4),
            "documents": [corpus.names[number] for number, _ in common],
            "text": " ".join(example.text.split())[:EXCERPT_CHARS],
        }
        scored.worst.append((-score, len(scored.scores), shown))
        if len(scored.worst) > 2 * n_worst:
            scored.worst = sorted(scored.worst, key=lambda one: one[:2])[:n_worst]


def _row(
    one: _Scored, n_documents: int, thresholds: Sequence[float], n_worst: int
) -> dict[str, Any]:
    scores = np.array(one.scores)
    worst = sorted(one.worst, key=lambda item: item[:2])[:n_worst]
    return {
        "examples": len(one.scores),
        "too_short": int(one.n_too_short),
        "mean_score": round(float(scores.mean()), 6),
        "share_at": {str(t): round(float((scores >= t).mean()), 6) for t in thresholds},
        "documents": n_documents,
        "worst": [shown for _, _, shown in worst],
        "scores": [round(score, 4) for score in one.scores],
    }
