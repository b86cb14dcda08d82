"""How much private data is found, how much of what is found is private, and how fast?

Items of twelve kinds, made by the public rules of their formats (`pii_set/`), stand in sentences of several languages
between paragraphs of books, beside sentences full of what only looks like them. Half of the sentences and half of
the look-alikes were set aside while the finder was mended: `held_out` is the figure on those. An item is found if
a span of its kind covers four fifths of it; a span is right if it overlaps an item of its kind. Passwords all have a
digit: the finder wants one. Formats of values are not set aside: a format that is not among those made
up here is not in the figure.

    python benchmarks/pii.py [--held-out] [--seeds 3] [--items 300] [--show 20]
"""

import argparse
import json
import lzma
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from pii_set.carriers import carriers
from pii_set.innocent import LOOKALIKES
from pii_set.values import CLOSE, OPEN, VALUES

from herd.data import find_pii
from herd.data.privacy import Span, find_pii_in_each
from herd.foundation import describe_environment

BOOKS = Path(__file__).resolve().parents[2] / "shared/data/pretrain/en_standardebooks.jsonl.xz"
MIN_COVERED = 0.8
SPEED_BYTES = 16_000_000
BATCH = 256  # documents
PLAIN = [
    "The mill by the river was built by the father of the present owner, who has left it as it was."
]


@dataclass(frozen=True)
class Example:
    """A text and the private data that was put into it."""

    text: str
    planted: tuple[Span, ...]


@dataclass
class Tally:
    """What was found of what was there, by kind."""

    found: Counter[str]
    planted: Counter[str]
    right: Counter[str]
    claimed: Counter[str]

    def shares(self) -> dict[str, float]:
        return {
            "recall": share(self.found.total(), self.planted.total()),
            "precision": share(self.right.total(), self.claimed.total()),
        }

    def by_kind(self) -> dict[str, dict[str, float]]:
        return {
            kind: {
                "recall": share(self.found[kind], self.planted[kind]),
                "precision": share(self.right[kind], self.claimed[kind]),
            }
            for kind in VALUES
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--held-out", action="store_true", help="only what was set aside")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--items", type=int, default=300, help="of each kind and seed")
    parser.add_argument("--show", type=int, default=0, help="how many mistakes to show")
    arguments = parser.parse_args()
    paragraphs = list(book_paragraphs(2_000_000)) or PLAIN
    halves = {"held_out": True} if arguments.held_out else {"mended_on": False, "held_out": True}
    results = {}
    for half, held_out in halves.items():
        show = arguments.show if half == ("held_out" if arguments.held_out else "mended_on") else 0
        tallies = [
            score(examples(seed, arguments.items, held_out, paragraphs), show if not seed else 0)
            for seed in range(arguments.seeds)
        ]
        results[half] = summary(tallies)
    environment = describe_environment()
    line = {
        "benchmark": "pii",
        "recall": results["held_out"]["recall"],
        "precision": results["held_out"]["precision"],
        **speeds(),
        **results,
        "seeds": arguments.seeds,
        "items_per_kind_and_seed": arguments.items,
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }
    print(json.dumps(line))


def examples(seed: int, n_items: int, held_out: bool, paragraphs: list[str]) -> Iterator[Example]:
    """Texts with one to three items, as many look-alikes and a paragraph or two, in a drawn order."""
    draw = Random(f"{seed} {held_out}")
    kinds = [kind for kind in VALUES for _ in range(n_items)]
    draw.shuffle(kinds)
    while kinds:
        n_here = min(draw.randint(1, 3), len(kinds))
        pieces = [sentence(draw, kinds.pop(), held_out) for _ in range(n_here)]
        pieces += [
            Example(draw.choice(LOOKALIKES[int(held_out) :: 2])(draw), ()) for _ in range(n_here)
        ]
        pieces += [Example(draw.choice(paragraphs), ()) for _ in range(draw.randint(1, 2))]
        draw.shuffle(pieces)
        yield joined(pieces, draw.choice([" ", "\n", "\n\n"]))


def sentence(draw: Random, kind: str, held_out: bool) -> Example:
    """One item in a sentence that carries it."""
    value = VALUES[kind](draw)
    if OPEN not in value:
        value = f"{OPEN}{value}{CLOSE}"
    text = draw.choice(carriers(kind, held_out)).replace("{}", value)
    begin = text.index(OPEN)
    end = text.index(CLOSE) - len(OPEN)
    return Example(text.replace(OPEN, "").replace(CLOSE, ""), (Span(begin, end, kind),))


def joined(pieces: list[Example], between: str) -> Example:
    spans, at = [], 0
    for piece in pieces:
        spans += [Span(span.begin + at, span.end + at, span.kind) for span in piece.planted]
        at += len(piece.text) + len(between)
    return Example(between.join(piece.text for piece in pieces), tuple(spans))


def score(texts: Iterator[Example], show: int) -> Tally:
    tally = Tally(Counter(), Counter(), Counter(), Counter())
    for example in texts:
        claimed = find_pii(example.text)
        for item in example.planted:
            tally.planted[item.kind] += 1
            is_found = any(covered(item, span) >= MIN_COVERED for span in claimed)
            tally.found[item.kind] += is_found
            show -= shown("missed", example.text, item, show) if not is_found else 0
        for span in claimed:
            tally.claimed[span.kind] += 1
            is_right = any(covered(item, span) > 0 for item in example.planted)
            tally.right[span.kind] += is_right
            show -= shown("wrong", example.text, span, show) if not is_right else 0
    return tally


def covered(item: Span, span: Span) -> float:
    """The part of an item that a span of its kind covers."""
    common = min(item.end, span.end) - max(item.begin, span.begin)
    return max(common, 0) / (item.end - item.begin) if item.kind == span.kind else 0.0


def shown(what: str, text: str, span: Span, left: int) -> int:
    """Show a mistake if any may still be shown; return how many were."""
    if left <= 0:
        return 0
    around = text[max(span.begin - 40, 0) : span.end + 20]
    print(f"{what} {span.kind}: {text[span.begin : span.end]!r} in {around!r}", file=sys.stderr)
    return 1


def summary(tallies: list[Tally]) -> dict[str, object]:
    """All seeds together, and the least and the most of any of them."""
    whole = Tally(
        *(
            sum((getattr(t, name) for t in tallies), Counter())
            for name in ("found", "planted", "right", "claimed")
        )
    )
    each = [tally.shares() for tally in tallies]
    spread = {
        name: [min(one[name] for one in each), max(one[name] for one in each)] for name in each[0]
    }
    return {
        **whole.shares(),
        "spread": spread,
        "items": whole.planted.total(),
        "by_kind": whole.by_kind(),
    }


def share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 1.0


def book_paragraphs(n_bytes: int) -> Iterator[str]:
    """Paragraphs of a few lines; none without the shared data."""
    for text in book_texts(n_bytes):
        yield from (part for part in text.split("\n\n") if 100 < len(part) < 1200)


def book_texts(n_bytes: int) -> Iterator[str]:
    if not BOOKS.exists():
        return
    with lzma.open(BOOKS, "rt", encoding="utf-8") as file:
        for line in file:
            text = json.loads(line)["text"]
            yield text
            n_bytes -= len(text.encode())
            if n_bytes <= 0:
                return


def speeds() -> dict[str, float]:
    """The speed on chapters of books and on their paragraphs, one process, the best of three runs."""
    chapters = list(book_texts(SPEED_BYTES)) or PLAIN * 100_000
    paragraphs = [part for text in chapters[:600] for part in text.split("\n\n")]
    return {
        "mb_per_s": mb_per_s(chapters, find_pii_in_each),
        "mb_per_s_one_by_one": mb_per_s(chapters, lambda texts: [find_pii(text) for text in texts]),
        "mb_per_s_paragraphs": mb_per_s(paragraphs, find_pii_in_each),
    }


def mb_per_s(texts: list[str], find: Callable[[list[str]], object]) -> float:
    n_bytes = sum(len(text.encode()) for text in texts)
    seconds = []
    for _ in range(3):
        started_s = time.perf_counter()
        for begin in range(0, len(texts), BATCH):
            find(texts[begin : begin + BATCH])
        seconds.append(time.perf_counter() - started_s)
    return round(n_bytes / min(seconds) / 1e6, 1)


if __name__ == "__main__":
    main()
