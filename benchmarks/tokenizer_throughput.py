"""How fast is encoding, against tiktoken, on 10 MB of mixed text and code?

Same texts, same vocabulary, ids checked equal. tiktoken gets the pattern as Meta publishes it, and
in bulk the better of its default of 8 threads and one a core. The two take turns, so that a busy
machine slows both; a figure is the best of all turns, and the spread is told.
Prints one JSON line last. Ratios are ours / tiktoken; above 1 we are faster.
    ratio_single  one thread, document by document, the lowest over the vocabularies
    ratio_bulk    all documents in one call, the lowest over the vocabularies
    ratio_bulk_lines  0.5 MB of it as a batch of single lines
"""

import argparse
import gzip
import json
import lzma
import pydoc_data.topics
import statistics
import sysconfig
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import tiktoken

from herd.foundation import available_cores, describe_environment
from herd.tokenizer import load, train_bpe
from herd.tokenizer.byte_level import ByteLevelTokenizer
from herd.tokenizer.split_patterns import LLAMA3_PATTERN

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
TOTAL_BYTES = 10_000_000
TRAINED_VOCAB_SIZE = 16_384
TRAINING_BYTES = 3_000_000
LINES_BYTES = 500_000  # tiktoken takes seconds a megabyte for them
N_TURNS = 6

Seconds = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=N_TURNS)
    turns = parser.parse_args().turns
    prose = take(prose_documents(), TOTAL_BYTES // 2)
    code = take(code_documents(), TOTAL_BYTES - n_bytes(prose))
    documents = prose + code
    print(
        f"{len(documents)} documents: {n_bytes(prose):,} bytes of prose, {n_bytes(code):,} of code"
    )
    results = {
        name: compare(name, tokenizer, documents, turns)
        for name, tokenizer in vocabularies(documents).items()
    }
    line = {
        "benchmark": "tokenizer_throughput",
        "ratio_single": min(r["ratio_single"] for r in results.values()),
        "ratio_bulk": min(r["ratio_bulk"] for r in results.values()),
        "ratio_bulk_lines": min(r["ratio_bulk_lines"] for r in results.values()),
        "unit": "ours / tiktoken, bytes per second",
        "prose_bytes": n_bytes(prose),
        "code_bytes": n_bytes(code),
        "cores": available_cores(),
        "vocabularies": results,
        "tiktoken": tiktoken.__version__,
        "environment": describe_environment(),
    }
    print(json.dumps(line, default=str))


def vocabularies(documents: list[str]) -> dict[str, ByteLevelTokenizer]:
    """One trained here on part of the text; Llama 3's own where its file is at hand."""
    trained = train_bpe(take(iter(documents[::3]), TRAINING_BYTES), vocab_size=TRAINED_VOCAB_SIZE)
    found = {"trained": trained}
    path = SHARED / "tokenizers" / "llama3_tokenizer.model"
    if path.exists():
        llama3 = load(path)
        assert isinstance(llama3, ByteLevelTokenizer)
        found["llama3"] = llama3
    return found


def compare(name: str, ours: ByteLevelTokenizer, documents: list[str], turns: int) -> dict:
    theirs = tiktoken.Encoding(
        name,
        pat_str=LLAMA3_PATTERN,
        mergeable_ranks={token: rank for rank, token in enumerate(ours.tokens)},
        special_tokens={},
    )
    sample = take(iter(documents[::-1]), LINES_BYTES)
    lines = [line for document in sample for line in document.splitlines(keepends=True)]
    cores = available_cores()
    ways: dict[str, Callable[[], list[list[int]]]] = {
        "single ours": lambda: [ours.encode(text) for text in documents],
        "single tiktoken": lambda: [theirs.encode_ordinary(text) for text in documents],
        "bulk ours": lambda: ours.encode_batch(documents),
        "bulk tiktoken 8": lambda: theirs.encode_ordinary_batch(documents),
        "bulk tiktoken cores": lambda: theirs.encode_ordinary_batch(documents, num_threads=cores),
        "lines ours": lambda: ours.encode_batch(lines),
        "lines tiktoken 8": lambda: theirs.encode_ordinary_batch(lines),
        "lines tiktoken cores": lambda: theirs.encode_ordinary_batch(lines, num_threads=cores),
    }
    check_equal(ways)
    seconds = measure(ways, turns)
    sizes_mb = {way: n_bytes(lines if "lines" in way else documents) / 1e6 for way in ways}
    for way, taken in seconds.items():
        speed = sizes_mb[way] / min(taken)
        print(f"{name:8} {way:21} best {speed:6.1f} MB/s  {spread(taken)}", flush=True)
    best = {way: min(taken) for way, taken in seconds.items()}
    return {
        "ratio_single": round(best["single tiktoken"] / best["single ours"], 3),
        "ratio_bulk": round(best_of(best, "bulk tiktoken") / best["bulk ours"], 3),
        "ratio_bulk_lines": round(best_of(best, "lines tiktoken") / best["lines ours"], 3),
        "mb_per_s": {way: round(sizes_mb[way] / value, 2) for way, value in best.items()},
        "median_mb_per_s": {
            way: round(sizes_mb[way] / statistics.median(taken), 2)
            for way, taken in seconds.items()
        },
    }


def check_equal(ways: dict[str, Callable[[], list[list[int]]]]) -> None:
    """Also the warm-up: what is fast but different would be no result."""
    first = {way.split()[0]: encode() for way, encode in ways.items() if way.endswith("ours")}
    for way, encode in ways.items():
        assert encode() == first[way.split()[0]], f"{way} gives other ids"


def measure(ways: dict[str, Callable[[], list[list[int]]]], turns: int) -> Seconds:
    seconds: Seconds = {way: [] for way in ways}
    for _ in range(turns):
        for way, encode in ways.items():
            start = time.perf_counter()
            encode()
            seconds[way].append(time.perf_counter() - start)
    return seconds


def best_of(best: dict[str, float], prefix: str) -> float:
    return min(value for way, value in best.items() if way.startswith(prefix))


def spread(taken: list[float]) -> str:
    low, high = min(taken), max(taken)
    return f"({low:.3f} to {high:.3f} s, median {statistics.median(taken):.3f}, {len(taken)} turns)"


def prose_documents() -> Iterator[str]:
    """Books, web pages and encyclopaedia articles of the shared data, else Python's own manual."""
    books = SHARED / "pretrain" / "en_standardebooks.jsonl.xz"
    if books.exists():
        with lzma.open(books, "rt", encoding="utf-8") as file:
            yield from (json.loads(line)["text"] for line in islice(file, 40))
    for name in ("wiki_demo.txt.gz", "tinystories_sample_2MiB.txt.gz"):
        path = SHARED / "pretrain" / name
        if path.exists():
            with gzip.open(path, "rt", encoding="utf-8") as file:
                yield file.read()
    yield from pydoc_data.topics.topics.values()


def code_documents() -> Iterator[str]:
    folder = Path(sysconfig.get_path("stdlib"))
    for path in sorted(folder.rglob("*.py")):
        if "site-packages" not in path.parts and path.parent.name != "pydoc_data":
            yield path.read_text(encoding="utf-8", errors="replace")


def take(documents: Iterator[str], limit_bytes: int) -> list[str]:
    """Documents from the front until the limit; the last one is cut there."""
    taken: list[str] = []
    room = limit_bytes
    for document in documents:
        if room <= 0:
            break
        part = document.encode()[:room].decode(errors="ignore")
        taken.append(part)
        room -= len(part.encode()) or 1
        if len(part) < len(document):
            break
    return taken


def n_bytes(documents: list[str]) -> int:
    return sum(len(document.encode()) for document in documents)


if __name__ == "__main__":
    main()
