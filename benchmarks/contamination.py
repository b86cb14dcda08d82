"""Are benchmark examples found in a corpus, are others left alone, and how fast is a corpus scanned?

Books (Standard Ebooks) are the corpus. (a) Of each of several benchmarks, examples of at least 30 words are put into books at
random places, a third of them verbatim, a third with one word in twenty replaced, a third with one in ten; recall is the share
found with a score of at least 0.5, and of documents in which the benchmark is named. The false positive rates are those of the
books as they are: examples with a score of at least 0.2 and 0.5, and documents that share any gram or a tenth of their words.
(b) GSM8K's test set is scored against its training set as a corpus, and against the test set with socratic answers.
(c) Scanning, against these benchmarks and against all of the shared ones, the best of three rounds in one process.

    python benchmarks/contamination.py [--examples 150]
"""

import argparse
import json
import lzma
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from herd.data import Document
from herd.data.contamination import BenchmarkGrams, Example, example_score, read_examples
from herd.foundation import describe_environment

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
BOOKS = SHARED / "pretrain/en_standardebooks.jsonl.xz"
BENCH = SHARED / "bench"
FILES = (
    "gsm8k_test.jsonl.gz",
    "math_test5000.jsonl.gz",
    "boolq.jsonl.gz",
    "hellaswag_val_full.txt.bz2",
    "mmlu.zip",
    "arc_easy.jsonl.gz",
    "piqa.jsonl.gz",
    "lambada_openai.jsonl.gz",
    "mbpp.jsonl.gz",
    "HumanEval.jsonl.gz",
)
MIN_WORDS = 30
EDITS = {"verbatim": 0.0, "1 in 20": 0.05, "1 in 10": 0.1}
FOUND, CLEAN_SCORES, CLEAN_SHARE = 0.5, (0.2, 0.5), 0.1


@dataclass(frozen=True)
class Planted:
    """An example in a book."""

    example: Example
    edit: str
    document: Document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--examples", type=int, default=150, help="planted, of each benchmark")
    arguments = parser.parse_args()
    if not BOOKS.exists() or not BENCH.exists():
        sys.exit("benchmarks/contamination.py needs the shared data (Standard Ebooks, bench)")
    books = list(read_books())
    examples = list(read_examples([str(BENCH / name) for name in FILES]))
    grams = BenchmarkGrams.of(examples)
    clean = scanned(books, grams)
    false = false_positives(clean, books, examples, grams)
    found = recall(plant(books, examples, arguments.examples), grams)
    every = BenchmarkGrams.of(read_examples([str(BENCH)]))
    rates = {"10 benchmarks": megabytes_per_s(books, grams), "all": megabytes_per_s(books, every)}
    environment = describe_environment()
    line = {
        "benchmark": "contamination",
        "mb_per_s": rates["all"],
        "recall": {edit: found["all"][edit] for edit in EDITS},
        "false_positives": false["all"],
        "by_benchmark": {
            name: {"recall": found.get(name), "false": false[name]} for name in grams.benchmarks
        },
        "gsm8k": gsm8k(),
        "mb_per_s_by": rates,
        "grams": {"10 benchmarks": int(grams.hashes.size), "all": int(every.hashes.size)},
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }
    print(json.dumps(line))


def read_books() -> Iterator[Document]:
    with lzma.open(BOOKS, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file):
            yield Document(text=json.loads(line)["text"], source="books", name=f"book-{number}")


def scanned(documents: Sequence[Document], grams: BenchmarkGrams) -> dict[str, object]:
    is_seen = np.zeros(grams.hashes.size, dtype=np.bool_)
    overlaps = grams.overlaps([document.text for document in documents])
    for one in overlaps:
        is_seen[one.places] = True
    return {"seen": grams.hashes[is_seen], "overlaps": overlaps}


def false_positives(
    clean: dict[str, object],
    books: Sequence[Document],
    examples: Sequence[Example],
    grams: BenchmarkGrams,
) -> dict[str, dict[str, object]]:
    """Examples that score, and documents that share words, in books that were not tampered with."""
    scores: dict[str, list[float]] = {name: [] for name in grams.benchmarks}
    for example in examples:
        scores[example.benchmark].append(example_score(example.text, clean["seen"]))
    overlaps = clean["overlaps"]
    rows: dict[str, dict[str, object]] = {}
    for number, name in enumerate(grams.benchmarks):
        shares = [one.by_benchmark.get(number, 0) / max(one.n_words, 1) for one in overlaps]
        rows[name] = clean_row(scores[name], shares)
    rows["all"] = clean_row(
        [score for values in scores.values() for score in values],
        [one.share for one in overlaps],
    )
    largest = sorted(range(len(overlaps)), key=lambda i: -overlaps[i].share)[:3]
    for i in largest:
        told = {grams.benchmarks[b]: n for b, n in overlaps[i].by_benchmark.items()}
        print(f"{overlaps[i].share:.3f} {told} {books[i].text[:80]!r}", file=sys.stderr)
    return rows


def clean_row(scores: list[float], shares: list[float]) -> dict[str, object]:
    values, parts = np.array(scores), np.array(shares)
    return {
        "examples": values.size,
        **{f"score >= {one}": round(float((values >= one).mean()), 5) for one in CLEAN_SCORES},
        "documents with any": round(float((parts > 0).mean()), 5),
        f"documents >= {CLEAN_SHARE}": round(float((parts >= CLEAN_SHARE).mean()), 5),
        "largest share": round(float(parts.max()), 4),
    }


def plant(books: Sequence[Document], examples: Sequence[Example], n_each: int) -> Iterator[Planted]:
    dice = random.Random(0)
    by_benchmark: dict[str, list[Example]] = {}
    for example in examples:
        if len(example.text.split()) >= MIN_WORDS:
            by_benchmark.setdefault(example.benchmark, []).append(example)
    vocabulary = books[0].text.split()
    for ours in by_benchmark.values():
        for number, example in enumerate(dice.sample(ours, min(n_each, len(ours)))):
            edit = list(EDITS)[number % len(EDITS)]
            words = [
                dice.choice(vocabulary) if dice.random() < EDITS[edit] else word
                for word in example.text.split(" ")
            ]
            book = dice.choice(books)
            at = book.text.find(" ", dice.randrange(len(book.text))) + 1
            text = f"{book.text[:at]}\n\n{' '.join(words)}\n\n{book.text[at:]}"
            yield Planted(example, edit, replace(book, text=text))


def recall(planted: Iterator[Planted], grams: BenchmarkGrams) -> dict[str, dict[str, float]]:
    """The share of planted examples found, by benchmark and edit, and of documents where it is named."""
    hits: dict[tuple[str, str], list[tuple[bool, bool]]] = {}
    for one in planted:
        found = grams.overlap(one.document.text)
        score = example_score(one.example.text, grams.hashes[found.places])
        named = grams.benchmarks.index(one.example.benchmark) in found.by_benchmark
        for name in (one.example.benchmark, "all"):
            hits.setdefault((name, one.edit), []).append((score >= FOUND, named))
    rows: dict[str, dict[str, float]] = {}
    for (name, edit), pairs in hits.items():
        found_share, named_share = np.mean(pairs, axis=0)
        row = rows.setdefault(name, {})
        row[edit] = round(float(found_share), 4)
        row[f"{edit}, document named"] = round(float(named_share), 4)
        row["planted"] = row.get("planted", 0) + len(pairs)
    return rows


def gsm8k() -> dict[str, dict[str, float]]:
    """GSM8K's test questions, and questions with answers, scored against other files as a corpus."""
    rows = {}
    for fields in (("question",), ()):
        tested = list(read_examples([str(BENCH / "gsm8k_test.jsonl.gz")], fields))
        for corpus in ("gsm8k_train", "gsm8k_test_socratic", "gsm8k_test"):
            held = BenchmarkGrams.of(read_examples([str(BENCH / f"{corpus}.jsonl.gz")]))
            scores = np.array([example_score(one.text, held.hashes) for one in tested])
            what = "question" if fields else "question and answer"
            rows[f"test {what} in {corpus}"] = {
                "mean score": round(float(scores.mean()), 4),
                **{f">= {t}": round(float((scores >= t).mean()), 4) for t in (0.2, 0.5, 0.8, 1.0)},
            }
    return rows


def megabytes_per_s(books: Sequence[Document], grams: BenchmarkGrams) -> float:
    megabytes = sum(len(book.text.encode()) for book in books) / 1e6
    seconds = []
    for _ in range(3):
        started_s = time.perf_counter()
        grams.overlaps([book.text for book in books])
        seconds.append(time.perf_counter() - started_s)
    print(f"{megabytes:.1f} MB: {[round(megabytes / s, 1) for s in seconds]} MB/s", file=sys.stderr)
    return round(megabytes / min(seconds), 1)


if __name__ == "__main__":
    main()
