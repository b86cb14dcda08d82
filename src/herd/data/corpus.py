"""Sources to clean documents in two splits, read twice so that no text need be kept in memory.

The first reading strips licences, finds exact duplicates and further editions, and decides for each
document whether it is kept and whether it is held out; `documents` reads again and yields by those
decisions. What happened to what is in `tally`.
In: sources and a CleaningConfig. Out: a Corpus. Never: a document in both splits, or in none unnamed.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from herd.data.cleaning import (
    Candidate,
    Sketch,
    choose_editions,
    choose_held_out,
    sketch,
    strip_licence,
)
from herd.data.document import Document
from herd.data.sources import SourceConfig, read_documents
from herd.data.tally import Tally
from herd.foundation import UserError, progress_bar

Split = Literal["train", "held_out"]
# Memory for comparing editions: 8 bytes each. Texts beyond are kept uncompared, and counted.
MAX_SKETCHED_RUNS = 50_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class CleaningConfig:
    """What is taken out, and how much is held out of training.

    `held_out_fraction` is a share of documents, 0 for none; a text shorter than `min_chars` is
    dropped.
    """

    strip_licences: bool = True
    one_edition: bool = True
    min_chars: int = 1
    held_out_fraction: float = 0.05

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        if not 0 <= self.held_out_fraction <= 0.5:
            raise UserError(f"held_out_fraction is {self.held_out_fraction}; it must be 0 to 0.5")
        if self.min_chars < 1:
            raise UserError(f"min_chars is {self.min_chars}; it must be at least 1")


@dataclass
class _Entry:
    """What the first reading remembers of a document that is still in."""

    ordinal: int  # among all documents read
    name: str
    source: str
    digest: bytes
    n_bytes: int
    split: Split = "train"


class Corpus:
    """The documents that stay, decided once; made by `prepare`."""

    def __init__(
        self,
        sources: Sequence[SourceConfig],
        config: CleaningConfig,
        entries: Sequence[_Entry],
        tally: Tally,
    ) -> None:
        self.sources = tuple(sources)
        self.config = config
        self.tally = tally
        self._entries = {entry.ordinal: entry for entry in entries}

    def documents(self, split: Split) -> Iterator[Document]:
        """Yield the documents of a split, in the order of the sources.

        Raises UserError when a source changed after it was prepared.
        """
        n_found = 0
        for ordinal, document in enumerate(_cleaned(self.sources, self.config, Tally())):
            entry = self._entries.get(ordinal)
            if entry is None or entry.split != split:
                continue
            if entry.name != document.name or entry.digest != _digest(document.text):
                raise UserError(f"{document.name}: changed while it was being read; prepare again")
            n_found += 1
            yield document
        if n_found != self.n_documents(split):
            raise UserError("a source became shorter while it was being read; prepare again")

    def n_documents(self, split: Split) -> int:
        """Return how many documents a split has."""
        return sum(entry.split == split for entry in self._entries.values())

    def n_bytes(self, split: Split) -> int:
        """Return how many bytes of UTF-8 a split has."""
        return sum(entry.n_bytes for entry in self._entries.values() if entry.split == split)


def prepare(sources: Sequence[SourceConfig], config: CleaningConfig | None = None) -> Corpus:
    """Read the sources once and decide what is kept and what is held out.

    Raises UserError when nothing is left, saying what became of everything.
    """
    config = config or CleaningConfig()
    tally = Tally()
    entries, sketches = _first_reading(sources, config, tally)
    entries = _drop_editions(entries, sketches, tally) if config.one_edition else entries
    if not entries:
        raise UserError(_nothing_left(sources, tally))
    candidates = [Candidate(e.digest, e.n_bytes, e.source) for e in entries]
    held_out = choose_held_out(candidates, config.held_out_fraction)
    for number in sorted(held_out):
        entries[number].split = "held_out"
        tally.note("split", "held out", entries[number].name)
    tally.count("split", "train", len(entries) - len(held_out))
    return Corpus(sources, config, entries, tally)


def _first_reading(
    sources: Sequence[SourceConfig], config: CleaningConfig, tally: Tally
) -> tuple[list[_Entry], list[Sketch]]:
    entries: list[_Entry] = []
    sketches: list[Sketch] = []
    first_with: dict[bytes, str] = {}
    n_runs = 0
    with progress_bar("reading sources", None, unit="B") as progress:
        for ordinal, document in enumerate(_cleaned(sources, config, tally)):
            n_bytes, digest = len(document.text.encode()), _digest(document.text)
            progress.advance(n_bytes)
            if len(document.text.strip()) < config.min_chars:
                tally.note("clean", "too short", document.name)
            elif digest in first_with:
                event = "exact duplicate"
                tally.note("deduplicate", event, f"{document.name} = {first_with[digest]}")
            else:
                first_with[digest] = document.name
                entries.append(_Entry(ordinal, document.name, document.source, digest, n_bytes))
                compared = config.one_edition and document.kind == "prose"
                sketches.append(_sketch_within(document, compared, n_runs, tally))
                n_runs += len(sketches[-1].runs)
    return entries, sketches


def _sketch_within(document: Document, compared: bool, n_runs: int, tally: Tally) -> Sketch:
    if compared and n_runs < MAX_SKETCHED_RUNS:
        return sketch(document.text)
    if compared:
        tally.count("deduplicate", "not compared with other editions (memory)")
    return sketch("")


def _cleaned(
    sources: Sequence[SourceConfig], config: CleaningConfig, tally: Tally
) -> Iterator[Document]:
    """Every document, in order, without its licence; the same at every reading."""
    for document in read_documents(sources, tally):
        if not config.strip_licences or document.kind == "code":
            yield document
            continue
        text, found = strip_licence(document.text)
        for form in found:
            tally.note("clean", f"licence stripped ({form})", document.name)
        yield replace(document, text=text) if found else document


def _drop_editions(entries: list[_Entry], sketches: list[Sketch], tally: Tally) -> list[_Entry]:
    dropped = choose_editions(sketches)
    for text, (kept, share) in sorted(dropped.items()):
        detail = f"{entries[text].name}: {share:.0%} of it in {entries[kept].name}"
        tally.note("deduplicate", "another edition", detail)
        tally.count("deduplicate", "bytes of other editions", entries[text].n_bytes)
    return [entry for number, entry in enumerate(entries) if number not in dropped]


def _digest(text: str) -> bytes:
    """SHA-256 of a text, blank space around it apart."""
    return hashlib.sha256(text.strip().encode()).digest()


def _nothing_left(sources: Sequence[SourceConfig], tally: Tally) -> str:
    where = ", ".join(source.location for source in sources) or "no source at all"
    fates = [sentence for stage in ("read", "clean") if (sentence := tally.sentence(stage))]
    if fates:
        return f"no usable text in {where}: {'; '.join(fates)}"
    patterns = sorted({pattern for source in sources for pattern in source.include})
    chosen = f" matches include={', '.join(patterns)}" if patterns else ""
    return f"no usable text in {where}: no file of a known kind{chosen}"
