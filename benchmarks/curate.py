"""How fast does the whole pipeline of curation run, in what memory, and how do both grow with the corpus?

English books (Standard Ebooks, 52 MB) are repeated and perturbed to 10 MB, 100 MB and 1 GB: of the copies a fifth are
exact, seven tenths have one word in a hundred replaced (near-duplicates), a tenth one word in six (other texts, by the usual
threshold); page furniture, e-mail addresses, phone numbers and URLs are sprinkled in. The recipe is `web`, every stage of it,
and packing with the Llama 3 tokenizer. Rates count the text that goes in, over wall time and workers. Memory is the largest
sum of the proportional set sizes of all processes, sampled five times a second; generating the corpus is not counted.

    python benchmarks/curate.py [--sizes 10 100 1000] [--workers 2]
"""

import argparse
import contextlib
import json
import lzma
import math
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from herd.data import OneProcess, PackingConfig, ProcessWorkers, SourceConfig, curate
from herd.foundation import describe_environment, format_bytes, format_seconds
from herd.recipes import find_curation

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
BOOKS = SHARED / "pretrain/en_standardebooks.jsonl.xz"
TOKENIZER = SHARED / "tokenizers/llama3_tokenizer.model"
EXACT, LIGHT = 0.2, 0.7  # shares of the copies; the rest is perturbed heavily
LIGHT_RATE, HEAVY_RATE = 1 / 100, 1 / 6
FURNITURE = (
    "Share this page with your friends\nSubscribe to our newsletter\nAll rights reserved\n",
    "Cookies help us deliver our services. By using them you agree.\n",
)
PRIVATE = "Write to {name}@mail-{n}.org or call +44 20 7946 0{n:03d}; see http://{name}.net/{n}.\n"
SAMPLE_EVERY_S = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000], help="MB")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    if not BOOKS.exists():
        sys.exit("benchmarks/curate.py needs the shared data (Standard Ebooks)")
    runs = [one_run(size, arguments.workers) for size in arguments.sizes]
    environment = describe_environment()
    line = {
        "benchmark": "curate",
        "mb_per_s_per_core": round(runs[-1].mb_per_s_per_core, 2),
        "peak_gb": round(runs[-1].peak_gb, 3),
        "workers": arguments.workers,
        "time_exponent": exponent([(run.mb, run.seconds) for run in runs]),
        "memory_exponent": exponent([(run.mb, run.peak_gb) for run in runs]),
        "runs": [run.to_json() for run in runs],
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }
    print(json.dumps(line))


@dataclass(frozen=True)
class Run:
    """One size of corpus."""

    mb: float
    seconds: float
    peak_gb: float
    workers: int
    kept: float
    by_phase_s: dict[str, float]

    @property
    def mb_per_s_per_core(self) -> float:
        """MB of text in, per second of wall time and worker."""
        return self.mb / self.seconds / self.workers

    def to_json(self) -> dict[str, object]:
        """Return the run as plain values."""
        rounded = {name: round(s, 1) for name, s in self.by_phase_s.items()}
        return {
            "mb": round(self.mb, 1),
            "seconds": round(self.seconds, 1),
            "mb_per_s_per_core": round(self.mb_per_s_per_core, 2),
            "peak_gb": round(self.peak_gb, 3),
            "kept": round(self.kept, 3),
            "by_phase_s": rounded,
        }


def one_run(megabytes: int, n_workers: int) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        n_bytes = write_corpus(Path(folder) / "corpus.jsonl", megabytes * 1_000_000)
        recipe = replace(
            find_curation("web"),
            sources=(SourceConfig(location=str(Path(folder) / "corpus.jsonl")),),
            packing=PackingConfig(tokenizer=str(TOKENIZER)),
        )
        workers = ProcessWorkers(n_workers) if n_workers > 1 else OneProcess()
        out = Path(folder) / "out"
        with peak_memory() as peak:
            started_s = time.monotonic()
            manifest = curate(recipe, out, workers=workers)
            seconds = time.monotonic() - started_s
        timings = json.loads((out / "timings.json").read_text())
    kept = sum(part["bytes"] for part in manifest["parts"]) / n_bytes
    by_phase = {name: one["seconds"] for name, one in timings.items()}
    run = Run(n_bytes / 1e6, seconds, peak[0] / 1e9, n_workers, kept, by_phase)
    print(
        f"{format_bytes(n_bytes)}: {format_seconds(seconds)}, {run.mb_per_s_per_core:.2f} MB/s per core, "
        f"peak {format_bytes(peak[0])}, kept {kept:.1%}",
        file=sys.stderr,
    )
    return run


def write_corpus(path: Path, n_bytes: int) -> int:
    """Write jsonl of about `n_bytes` of text; return how many it is."""
    with lzma.open(BOOKS, "rt", encoding="utf-8") as file:
        chapters = [json.loads(line) for line in file]
    written = copy = 0
    with path.open("w", encoding="utf-8") as out:
        while written < n_bytes:
            for number, chapter in enumerate(chapters):
                text = perturbed(chapter["text"], copy, number)
                url = f"https://books.example/{copy}/{chapter['id']}"
                row = {"text": text, "url": url, "date": f"2023-{copy % 12 + 1:02d}-01"}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
                written += len(text.encode())
                if written >= n_bytes:
                    break
            copy += 1
    return written


def perturbed(text: str, copy: int, number: int) -> str:
    """Return the copy of a chapter: exact, a word in a hundred replaced, or one in six."""
    draw = random.Random(copy * 1_000_003 + number)
    kind = draw.random()
    if copy == 0 or kind < EXACT:
        return text
    words = text.split(" ")
    rate = LIGHT_RATE if kind < EXACT + LIGHT else HEAVY_RATE
    for _ in range(int(len(words) * rate)):
        words[draw.randrange(len(words))] = words[draw.randrange(len(words))]
    body = " ".join(words)
    private = PRIVATE.format(name=f"u{number}", n=draw.randrange(1000))
    return draw.choice(FURNITURE) + body + "\n" + private


@contextlib.contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Yield a list whose only item becomes the largest memory of this process and its children."""
    peak, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(SAMPLE_EVERY_S):
            peak[0] = max(peak[0], sum(memory_of(process) for process in family(os.getpid())))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def family(process: int) -> Iterator[int]:
    """A process and all below it."""
    yield process
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{process}/task"):
            children = Path(f"/proc/{process}/task/{task}/children").read_text().split()
            for child in children:
                yield from family(int(child))


def memory_of(process: int) -> int:
    """Bytes of memory, what is shared counted in shares; 0 for a process that has gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def exponent(points: list[tuple[float, float]]) -> float | None:
    """The slope of log y over log x by least squares: 1 is linear."""
    if len(points) < 2:
        return None
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return round(covariance / sum((x - mean_x) ** 2 for x in xs), 3)


if __name__ == "__main__":
    main()
