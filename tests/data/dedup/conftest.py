import random

import pytest

from herd.data import Document


def run_stage(stage, parts, surveys, ruling, memory_bytes):
    """Rule and apply; return the documents that stay, the decisions, the counts."""
    ruling.mkdir(parents=True, exist_ok=True)
    counts = stage.rule(surveys, ruling, memory_bytes)
    kept, decisions = [], []
    for number, part in enumerate(parts):
        transform = stage.open(ruling, number)
        for start in range(0, len(part), 3):  # batches of any size are the same
            outcome = transform(part[start : start + 3], start)
            kept += outcome.documents
            decisions += outcome.decisions
    return kept, decisions, counts


def cut(documents, n_parts):
    """The documents in parts of uneven size, one of them empty."""
    step = max(len(documents) // max(n_parts - 1, 1), 1)
    parts = [documents[i : i + step] for i in range(0, len(documents), step)]
    return [*parts, []]


@pytest.fixture
def apply(tmp_path, memory_surveys):
    def apply(stage, documents, *, n_parts=1, memory_bytes=1 << 30):
        folder = tmp_path / f"{stage.name}-{n_parts}-{memory_bytes}-{len(documents)}"
        parts = cut(documents, n_parts)
        return run_stage(stage, parts, memory_surveys(parts, stage), folder, memory_bytes)

    return apply


@pytest.fixture
def make():
    def make(texts, metas=None, **fields):
        metas = metas or [{}] * len(texts)
        return [
            Document(text=text, source="s", name=f"d{i}", meta=meta, **fields)
            for i, (text, meta) in enumerate(zip(texts, metas, strict=True))
        ]

    return make


@pytest.fixture
def near():
    """Texts of random words: originals, and copies with a share of the words replaced."""
    dice = random.Random(0)
    vocabulary = [f"w{n}" for n in range(3000)]

    def near(n_words, replaced):
        words = dice.choices(vocabulary, k=n_words)
        copy = list(words)
        for place in dice.sample(range(n_words), replaced):
            copy[place] = dice.choice(vocabulary)
        return " ".join(words), " ".join(copy)

    return near
