"""How fast and how well are near-duplicates found, against datatrove's MinHash pipeline?

Documents of 100 words drawn from 20,000 with Zipf's frequencies. Two fifths of them are pairs whose true Jaccard similarity of
5-word shingles is 0.80 to 0.96 (a stretch of the copy is other words), a tenth are pairs of 0.3 to 0.65, which must stay; the rest are
alone. The truth is computed from the sets. Ours is `curate` with the one stage; the peer is its four blocks (signatures,
buckets, clusters, filter) at their recommended settings. Both read the same JSON lines and write what stays, in one process.
Recall: pairs of true similarity 0.8 or more of which only one stays. Precision: documents dropped that have a partner of 0.75 or
more (the tolerance of the estimate) among all dropped.

    python benchmarks/minhash.py [--documents 200000]
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from herd.data import CurationRecipe, MinHashDedup, SourceConfig, curate, read_corpus
from herd.foundation import describe_environment, format_seconds

N_WORDS, VOCABULARY, SHINGLE = 100, 20_000, 5
PAIR_SHARE, NEGATIVE_SHARE = 0.4, 0.1
# Words of a stretch that are replaced, and so the similarity.
DUPLICATE_STRETCHES, NEGATIVE_STRETCHES = (1, 3, 5, 6), (18, 25, 35, 45)
SOUGHT, TOLERATED = 0.8, 0.75


@dataclass(frozen=True)
class Pair:
    """Two documents and their true similarity."""

    one: str
    other: str
    jaccard: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--documents", type=int, default=200_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "texts.jsonl"
        pairs = write_documents(source, arguments.documents)
        ours = judged("herd", pairs, *run_ours(source, Path(folder)), arguments.documents)
        peer = judged("datatrove", pairs, *run_peer(source, Path(folder)), arguments.documents)
    environment = describe_environment()
    line = {
        "benchmark": "minhash",
        "ratio": round(ours["documents_per_s"] / peer["documents_per_s"], 2),
        "recall": ours["recall"],
        "precision": ours["precision"],
        "documents_per_s": ours["documents_per_s"],
        "peer": peer,
        "documents": arguments.documents,
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }
    print(json.dumps(line))


def write_documents(path: Path, n_documents: int) -> list[Pair]:
    """Write the documents in a drawn order; return the pairs among them."""
    draw = np.random.default_rng(0)
    frequencies = 1 / np.arange(1, VOCABULARY + 1)
    frequencies /= frequencies.sum()
    words = np.array([f"w{number:x}" for number in range(VOCABULARY)])
    n_pairs = int(n_documents * PAIR_SHARE / 2)
    n_negatives = int(n_documents * NEGATIVE_SHARE / 2)
    n_originals = n_documents - n_pairs - n_negatives
    originals = draw.choice(VOCABULARY, (n_originals, N_WORDS), p=frequencies)
    texts, pairs = [" ".join(words[row]) for row in originals], []
    for number in range(n_pairs + n_negatives):
        stretches = DUPLICATE_STRETCHES if number < n_pairs else NEGATIVE_STRETCHES
        length = stretches[number % len(stretches)]
        begin = int(draw.integers(0, N_WORDS - length))
        copy = originals[number].copy()
        copy[begin : begin + length] = draw.choice(VOCABULARY, length, p=frequencies)
        texts.append(" ".join(words[copy]))
        jaccard = similarity(originals[number].tolist(), copy.tolist())
        pairs.append(Pair(f"t{number}", f"t{n_originals + number}", jaccard))
    with path.open("w", encoding="utf-8") as out:
        for place in draw.permutation(n_documents).tolist():
            out.write(
                json.dumps({"text": texts[place], "url": f"t{place}", "id": f"t{place}"}) + "\n"
            )
    return pairs


def similarity(some: list[int], others: list[int]) -> float:
    a, b = (
        {tuple(row[i : i + SHINGLE]) for i in range(len(row) - SHINGLE + 1)}
        for row in (some, others)
    )
    return len(a & b) / len(a | b)


def run_ours(source: Path, folder: Path) -> tuple[set[str], float]:
    recipe = CurationRecipe(
        name="minhash",
        sources=(SourceConfig(location=str(source)),),
        stages=(MinHashDedup(),),
    )
    started_s = time.perf_counter()
    curate(recipe, folder / "ours")
    seconds = time.perf_counter() - started_s
    return {document.meta["url"] for document in read_corpus(folder / "ours")}, seconds


def run_peer(source: Path, folder: Path) -> tuple[set[str], float]:
    import logging

    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    logging.disable(logging.CRITICAL)
    config = MinhashConfig()  # 14 buckets of 8 hashes of 5-grams, as recommended
    base = folder / "peer"
    reader = JsonlReader(str(source.parent), glob_pattern=source.name)
    steps = (
        ([reader, MinhashDedupSignature(str(base / "signatures"), config, language="eng")], 1),
        ([MinhashDedupBuckets(str(base / "signatures"), str(base / "buckets"), config=config)], 14),
        ([MinhashDedupCluster(str(base / "buckets"), str(base / "clusters"), config=config)], 1),
        (
            [
                reader,
                MinhashDedupFilter(str(base / "clusters")),
                JsonlWriter(str(base / "kept")),
            ],
            1,
        ),
    )
    started_s = time.perf_counter()
    for number, (pipeline, n_tasks) in enumerate(steps):
        # Each step its own: by what stands there the peer knows which tasks are done already.
        logs = str(base / "logs" / str(number))
        LocalPipelineExecutor(pipeline, tasks=n_tasks, workers=1, logging_dir=logs).run()
    seconds = time.perf_counter() - started_s
    kept: set[str] = set()
    for path in (base / "kept").glob("*.jsonl.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            kept |= {json.loads(line)["id"] for line in file}
    if not kept:
        sys.exit("datatrove wrote no document: its run went wrong, and there is nothing to compare")
    return kept, seconds


def judged(
    name: str, pairs: list[Pair], kept: set[str], seconds: float, n_documents: int
) -> dict[str, float]:
    sought = [pair for pair in pairs if pair.jaccard >= SOUGHT]
    found = sum((pair.one in kept) + (pair.other in kept) == 1 for pair in sought)
    partnered = {p.one for p in pairs if p.jaccard >= TOLERATED} | {
        p.other for p in pairs if p.jaccard >= TOLERATED
    }
    dropped = {f"t{number}" for number in range(n_documents)} - kept
    result = {
        "documents_per_s": round(n_documents / seconds),
        "recall": round(found / len(sought), 4),
        "precision": round(len(dropped & partnered) / max(len(dropped), 1), 4),
        "dropped": len(dropped),
    }
    lost = sum((pair.one in kept) + (pair.other in kept) == 0 for pair in pairs)
    print(
        f"{name}: {format_seconds(seconds)}, {result}; {len(sought)} pairs sought, lost wholly {lost}",
        file=sys.stderr,
    )
    return result


if __name__ == "__main__":
    main()
