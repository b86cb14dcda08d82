import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from herd.data import Document
from herd.data.stage import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class DropWord:
    """Drops documents with a word, shouts at those with another."""

    name: ClassVar[str] = "word"
    version: ClassVar[int] = 1
    word: str = "bad"
    loud: str = "loud"

    def open(self):
        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            for document in documents:
                if self.word in document.text:
                    outcome.drop(document, "word", f"has {self.word!r}")
                elif self.loud in document.text:
                    outcome.change(replace(document, text=document.text.upper()), "made louder")
                    outcome.count("letters", len(document.text))
                else:
                    outcome.documents.append(document)
            return outcome

        return transform


@dataclass(frozen=True, kw_only=True, slots=True)
class DropShortest:
    """Drops the documents that are as short as the shortest of the whole corpus."""

    name: ClassVar[str] = "shortest"
    version: ClassVar[int] = 1

    def open_survey(self):
        class Lengths:
            def __init__(self) -> None:
                self.lengths: list[int] = []

            def add(self, documents: Sequence[Document]) -> None:
                self.lengths += [len(document.text) for document in documents]

            def columns(self) -> Mapping[str, np.ndarray]:
                return {"length": np.array(self.lengths, dtype=np.int64)}

        return Lengths()

    def rule(self, surveys, ruling: Path, memory_bytes: int) -> Mapping[str, int]:
        least = min(int(surveys.column(part, "length").min()) for part in range(surveys.n_parts))
        for part in range(surveys.n_parts):
            np.save(ruling / f"{part}.npy", surveys.column(part, "length") == least)
        return {"shortest": least}

    def open(self, ruling: Path, part: int):
        goes = np.load(ruling / f"{part}.npy")

        def transform(documents: Sequence[Document], first: int) -> Outcome:
            outcome = Outcome()
            for place, document in enumerate(documents, start=first):
                if goes[place]:
                    outcome.drop(document, "shortest")
                else:
                    outcome.documents.append(document)
            return outcome

        return transform


@pytest.fixture
def drop_word():
    return DropWord


@pytest.fixture
def drop_shortest():
    return DropShortest


@pytest.fixture
def make_documents():
    def make(n: int, *, prefix: str = "d") -> list[Document]:
        texts = [f"text {number} " + "word " * (number % 7 + 1) for number in range(n)]
        return [
            Document(text=text, source="s", name=f"{prefix}{number}", meta={"url": f"u{number}"})
            for number, text in enumerate(texts)
        ]

    return make


LICENCE = "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n"
N_DOCUMENTS = 60


@pytest.fixture
def source(tmp_path):
    """Records of which a tenth have a licence, and two books in two editions."""
    folder = tmp_path / "source"
    folder.mkdir()
    for file in range(3):
        rows = []
        for number in range(N_DOCUMENTS // 3):
            words = " ".join(f"word{(number * 7919 + i * i) % 997} bcd{i}" for i in range(300))
            text = f"{file}.{number} {words}"
            rows.append({"text": LICENCE + text if number % 10 == 0 else text})
        (folder / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def digests():
    def digests(out: Path) -> dict[str, str]:
        """Every file that must be the same from run to run."""
        skipped = {".lock", "timings.json"}
        return {
            path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(out.rglob("*"))
            if path.is_file() and path.name not in skipped
        }

    return digests
