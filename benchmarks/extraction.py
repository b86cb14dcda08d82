"""How well and how fast is the main text of a page found, against trafilatura on the same pages?

The measure is that of the article-extraction benchmark (scrapinghub): shingles of four words, precision and recall averaged over
the pages, F1 of the averages. trafilatura runs as it comes, without comments, and with `favor_precision`; its better F1 counts.
The rules of ours were made looking at the half of the pages whose name begins with an even digit; the other half is given apart.
A second set, pages written for this project, counts the lines of code and the formulas that are kept.

    python benchmarks/extraction.py [--pages DIR_OR_TAR]
"""

import argparse
import gzip
import json
import re
import statistics
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from herd.data import main_text
from herd.foundation import describe_environment

HERE = Path(__file__).resolve().parent
PAGES = HERE.parents[1] / "shared/data/pretrain/html/article_extraction_benchmark.tar"
OWN = HERE / "extraction_pages"
WORD = re.compile(r"\w+")
SHINGLE_WORDS = 4
Extract = Callable[[str], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pages", type=Path, default=PAGES)
    arguments = parser.parse_args()
    if not arguments.pages.exists():
        sys.exit(f"benchmarks/extraction.py: no pages at {arguments.pages}; name them with --pages")
    pages, truth = read_pages(arguments.pages)
    ours = measured(lambda html: main_text(html).text, pages, truth, "herd")
    peers = [measured(peer, pages, truth, name) for name, peer in trafilaturas().items()]
    peer = max(peers, key=lambda found: found["f1"])
    halves = {
        f"{name}_{what}": found[what]
        for name, found in (("herd", ours), ("trafilatura", peer))
        for what in ("f1_seen", "f1_unseen")
    }
    environment = describe_environment()
    line = {
        "benchmark": "extraction",
        "f1": ours["f1"],
        "peer_f1": peer["f1"],
        "peer_version": version("trafilatura"),
        **halves,
        "precision": ours["precision"],
        "recall": ours["recall"],
        "pages_per_s": ours["pages_per_s"],
        "peer_pages_per_s": peer["pages_per_s"],
        **kept_of_own(lambda html: main_text(html).text, ""),
        **kept_of_own(trafilaturas()["precision"], "peer_"),
        "pages": len(pages),
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }
    print(json.dumps(line))


def trafilaturas() -> dict[str, Extract]:
    """Return the peer at its reasonable settings."""
    import trafilatura

    def plain(html: str) -> str:
        return trafilatura.extract(html, include_comments=False) or ""

    def precise(html: str) -> str:
        return trafilatura.extract(html, include_comments=False, favor_precision=True) or ""

    return {"plain": plain, "precision": precise}


def read_pages(place: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the pages and their texts, from a directory or a tar of the benchmark's form."""
    pages, truth = {}, {}
    for name, content in files_of(place):
        data = gzip.decompress(content) if name.endswith(".gz") else content
        stem = PurePosixPath(name).name.partition(".")[0]
        if stem == "ground-truth":
            truth = {key: row["articleBody"] for key, row in json.loads(data).items()}
        elif ".html" in name:
            pages[stem] = data.decode("utf-8", "replace")
    return {name: html for name, html in sorted(pages.items()) if name in truth}, truth


def files_of(place: Path) -> Iterator[tuple[str, bytes]]:
    if place.is_dir():
        yield from ((str(path), path.read_bytes()) for path in place.rglob("*") if path.is_file())
        return
    with tarfile.open(place) as archive:
        for member in archive:
            if member.isfile():
                stream = archive.extractfile(member)
                assert stream is not None
                yield member.name, stream.read()


def measured(
    extract: Extract, pages: Mapping[str, str], truth: Mapping[str, str], name: str
) -> dict[str, float]:
    extract(next(iter(pages.values())))  # loads what it needs
    started_s = time.perf_counter()
    found = {page: extract(html) for page, html in pages.items()}
    seconds = time.perf_counter() - started_s
    seen = [page for page in pages if int(page[:2], 16) % 2 == 0] if are_hex(pages) else []
    unseen = [page for page in pages if page not in seen]
    precision, recall, f1 = score(list(pages), found, truth)
    result = {
        "f1": round(f1, 4),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1_seen": round(score(seen, found, truth)[2], 4) if seen else 0.0,
        "f1_unseen": round(score(unseen, found, truth)[2], 4) if unseen else 0.0,
        "pages_per_s": round(len(pages) / seconds, 1),
    }
    print(f"{name}: {result}", file=sys.stderr)
    return result


def are_hex(pages: Mapping[str, str]) -> bool:
    return all(re.match(r"[0-9a-f]{2}", page) for page in pages)


def score(
    names: list[str], found: Mapping[str, str], truth: Mapping[str, str]
) -> tuple[float, float, float]:
    """Precision, recall and F1 as the benchmark's evaluate.py has them."""
    precisions, recalls = [], []
    for name in names:
        true, ours = shingles(truth[name]), shingles(found[name])
        both, only_ours, only_true = (
            sum((true & ours).values()),
            sum((ours - true).values()),
            sum((true - ours).values()),
        )
        same = only_ours == only_true == 0
        if both + only_ours:
            precisions.append(1.0 if same else both / (both + only_ours))
        if both + only_true:
            recalls.append(1.0 if same else both / (both + only_true))
    precision, recall = statistics.mean(precisions), statistics.mean(recalls)
    return precision, recall, 2 * precision * recall / (precision + recall)


def shingles(text: str) -> Counter[tuple[str, ...]]:
    words = WORD.findall(text)
    runs = range(max(1, len(words) - SHINGLE_WORDS + 1)) if words else ()
    return Counter(tuple(words[i : i + SHINGLE_WORDS]) for i in runs)


def kept_of_own(extract: Extract, prefix: str) -> dict[str, float]:
    """The share of lines of code and of formulas kept of the pages written for this project."""
    kept: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for path in sorted(OWN.glob("*.html")):
        text = extract(path.read_text(encoding="utf-8"))
        lines = set(text.split("\n"))
        wanted = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        for line in wanted["code_lines"]:
            total["code"] += 1
            kept["code"] += line in lines
        for formula in wanted["formulas"]:
            total["math"] += 1
            kept["math"] += text.count(formula) == 1
    return {f"{prefix}{what}_kept": round(kept[what] / total[what], 3) for what in sorted(total)}


if __name__ == "__main__":
    main()
