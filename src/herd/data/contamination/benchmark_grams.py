"""The grams of benchmarks: told fast from all others, and whose each is.

A text is looked up in a table of bits first, which few of the grams that are in no benchmark pass; only
those that do are sought among the hashes. Two grams share 64 bits by chance once in 10^13 corpus grams
for a million benchmark grams; nothing is decided on a single one.
In: examples. Out: which grams and words of a text are a benchmark's. Memory: about 24 bytes a gram.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from herd.data.contamination.benchmark_examples import Example, file_stamps, read_examples
from herd.data.contamination.overlap import (
    N_WORDS,
    check_n_words,
    covered_words,
    grams_of,
    within_texts,
    words_of_many,
)
from herd.data.text_batches import text_batches
from herd.data.word_hashes import Hashes, Places

# A Bloom filter of two bits: of foreign grams one in 16 passes the first, one in 256 both.
BITS_PER_GRAM = 32
BATCH_CHARS = 1 << 18
MIN_TABLE_BITS, MAX_TABLE_BITS = 12, 36
SECOND_PROBE = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class TextOverlap:
    """What a text shares with benchmarks: words within shared grams, in all and by benchmark.

    `by_benchmark` maps the number of a benchmark to words; a word may count for several.
    """

    n_words: int
    n_covered: int
    by_benchmark: dict[int, int]
    places: Places  # of the benchmarks' grams met, in BenchmarkGrams.hashes, each once

    @property
    def share(self) -> float:
        """Words within shared grams, of all words."""
        return self.n_covered / self.n_words if self.n_words else 0.0


@dataclass(frozen=True, slots=True)
class BenchmarkGrams:
    """Sorted hashes of all grams; the benchmarks of gram i are owners[offsets[i]:offsets[i + 1]]."""

    n_words: int
    benchmarks: tuple[str, ...]
    hashes: Hashes
    offsets: Places
    owners: NDArray[np.int32]
    table: Hashes

    @classmethod
    def of(cls, examples: Iterable[Example], n_words: int = N_WORDS) -> "BenchmarkGrams":
        """Gather the grams of examples. Raises UserError when `n_words` is out of bounds."""
        check_n_words("n_words", n_words)
        found: dict[str, list[Hashes]] = {}
        for benchmark, texts in _by_benchmark(examples):
            words, offsets = words_of_many(texts)
            grams = grams_of(words, n_words)
            places = np.arange(grams.size)
            found.setdefault(benchmark, []).append(grams[within_texts(places, offsets, n_words)])
        unique = [np.unique(np.concatenate(one)) for one in found.values()]
        hashes, offsets, owners = _joined(unique)
        return cls(n_words, tuple(found), hashes, offsets, owners, _table(hashes))

    def find(self, grams: Hashes) -> tuple[Places, Places]:
        """Return the places in `grams` of those that are a benchmark's, and where each is in `hashes`."""
        maybe = np.flatnonzero(self._may_hold(grams))
        probes = grams.take(maybe)
        kept = np.flatnonzero(self._may_hold(probes * SECOND_PROBE))
        maybe, probes = maybe.take(kept), probes.take(kept)
        where = np.searchsorted(self.hashes, probes)
        where[where == self.hashes.size] = 0
        sure = np.flatnonzero(self.hashes.take(where) == probes) if probes.size else kept
        return maybe.take(sure), where.take(sure)

    def _may_hold(self, probes: Hashes) -> NDArray[np.bool_]:
        """Whether the table has each probe's bit."""
        at = probes >> np.uint64(64 - _n_bits(self.hashes.size))
        bits = self.table.take((at >> np.uint64(6)).view(np.int64))
        at &= np.uint64(63)
        bits >>= at
        bits &= np.uint64(1)
        return bits.astype(np.bool_)

    def overlap(self, text: str) -> TextOverlap:
        """Return what a text shares with the benchmarks."""
        return self.overlaps([text])[0]

    def overlaps(self, texts: Sequence[str]) -> list[TextOverlap]:
        """Return what each of some texts shares with the benchmarks."""
        found: list[TextOverlap] = []
        for batch in text_batches(texts, BATCH_CHARS):
            words, offsets = words_of_many(batch)
            places, where = self.find(grams_of(words, self.n_words))
            kept = within_texts(places, offsets, self.n_words)
            places, where = places[kept], where[kept]
            begins = np.searchsorted(places, offsets).tolist()
            bounds = offsets.tolist()
            for number in range(len(batch)):
                stretch = slice(begins[number], begins[number + 1])
                n_words = bounds[number + 1] - bounds[number]
                found.append(
                    self._shared(n_words, places[stretch] - bounds[number], where[stretch])
                )
        return found

    def _shared(self, n_words: int, places: Places, found: Places) -> TextOverlap:
        if not places.size:
            return TextOverlap(n_words, 0, {}, found)
        counts = self.offsets[found + 1] - self.offsets[found]
        of_place = np.repeat(places, counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        owners = self.owners[np.repeat(self.offsets[found], counts) + within]
        by_benchmark = {
            int(one): int(covered_words(of_place[owners == one], n_words, self.n_words).sum())
            for one in np.unique(owners)
        }
        n_covered = int(covered_words(places, n_words, self.n_words).sum())
        return TextOverlap(n_words, n_covered, by_benchmark, np.unique(found))


def _by_benchmark(examples: Iterable[Example]) -> Iterator[tuple[str, list[str]]]:
    for benchmark, group in groupby(examples, key=lambda one: one.benchmark):
        for batch in text_batches((one.text for one in group), BATCH_CHARS):
            yield benchmark, batch


def load_grams(paths: Sequence[str], fields: Sequence[str], n_words: int) -> BenchmarkGrams:
    """Return the grams of the benchmarks at some paths, read once while the files stay as they are."""
    return _load(tuple(paths), tuple(fields), n_words, file_stamps(paths))


@lru_cache(maxsize=1)  # a worker surveys part after part against the same benchmarks
def _load(
    paths: tuple[str, ...],
    fields: tuple[str, ...],
    n_words: int,
    stamps: tuple[tuple[str, str], ...],
) -> BenchmarkGrams:
    return BenchmarkGrams.of(read_examples(paths, fields), n_words)


def _joined(of_benchmarks: Sequence[Hashes]) -> tuple[Hashes, Places, NDArray[np.int32]]:
    """All grams sorted, each once, and whose they are."""
    every = np.concatenate([np.empty(0, np.uint64), *of_benchmarks])
    owners = np.repeat(
        np.arange(len(of_benchmarks), dtype=np.int32), [one.size for one in of_benchmarks]
    )
    order = np.argsort(every, kind="stable")
    every, owners = every[order], owners[order]
    begins = (
        np.flatnonzero(np.r_[True, every[1:] != every[:-1]]) if every.size else np.empty(0, int)
    )
    return every[begins], np.append(begins, every.size).astype(np.int64), owners


def _n_bits(n_grams: int) -> int:
    return min(max((n_grams * BITS_PER_GRAM).bit_length(), MIN_TABLE_BITS), MAX_TABLE_BITS)


def _table(hashes: Hashes) -> Hashes:
    """A table of bits: for each hash two are set, at the first bits of it and of a multiple."""
    n_bits = _n_bits(hashes.size)
    table = np.zeros(1 << (n_bits - 6), dtype=np.uint64)
    for probes in (hashes, hashes * SECOND_PROBE):
        at = probes >> np.uint64(64 - n_bits)
        np.bitwise_or.at(
            table, (at >> np.uint64(6)).view(np.int64), np.uint64(1) << (at & np.uint64(63))
        )
    return table
