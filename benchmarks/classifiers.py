"""How good and how fast are the trained classifiers, on real text, each by an evaluation of its own?

quality    good: pieces of books, encyclopaedia articles and addresses; bad: pages of the web with all that stands on them, and
           ordinary web text. Pieces of one book, article or page are on one side of the split.
topic      questions of MMLU, ten of a subject together, under eight topics: with labels, and from seed words alone.
reasoning  worked solutions of GSM8K and MATH among prose, web text and code: from seed words alone.
code       Python with its documentation among prose and solutions: from seed words alone.
The peer is fastText's supervised mode (words and pairs, 25 epochs, the best of three learning rates) on the same split, in the same run, where its
trainer is installed. What is learned from seeds is scored against the true labels, which training never sees.

    python benchmarks/classifiers.py [--encoder]
"""

import argparse
import csv
import gzip
import io
import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from herd.data import (
    CODE,
    REASONING,
    TOPICS,
    Document,
    EncoderConfig,
    LinearConfig,
    SeedConfig,
    evaluate,
)
from herd.data.classify.encoder import train_encoder
from herd.data.classify.labelled_texts import SplitTexts, split_texts
from herd.data.classify.linear_classifier import train_linear
from herd.data.classify.seeds import label_by_seeds
from herd.foundation import describe_environment

SHARED = Path(__file__).resolve().parents[2] / "shared/data"
PIECE_CHARS = 2000
TOPIC_SUBJECTS = {
    "law": ("law", "jurisprudence"),
    "health": (
        "clinical",
        "medicine",
        "anatomy",
        "virology",
        "nutrition",
        "aging",
        "medical_genetics",
    ),
    "business and economy": (
        "marketing",
        "management",
        "accounting",
        "economics",
        "econometrics",
        "business",
    ),
    "history and society": (
        "history",
        "government",
        "foreign_policy",
        "security_studies",
        "sociology",
    ),
    "science and nature": ("physics", "chemistry", "biology", "astronomy"),
    "religion and philosophy": ("philosophy", "religions", "moral_disputes"),
    "technology": ("computer", "machine_learning", "electrical"),
}
Labelled = list[tuple[Document, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--encoder", action="store_true", help="Train the encoder on quality too.")
    arguments = parser.parse_args()
    if not SHARED.exists():
        sys.exit("benchmarks/classifiers.py needs the shared data")
    results: dict[str, Any] = {
        "quality": with_labels(quality_texts()),
        "topic": with_labels(topic_texts()),
        "topic_from_seeds": from_seeds(topic_texts(), {k: TOPICS[k] for k in TOPIC_SUBJECTS}),
        "reasoning_from_seeds": from_seeds(kinds_of_text("reasoning"), REASONING),
        "code_from_seeds": from_seeds(kinds_of_text("code"), CODE),
    }
    if arguments.encoder:
        results["quality_encoder"] = with_encoder(quality_texts())
    environment = describe_environment()
    line = {
        "benchmark": "classifiers",
        **results,
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }
    print(json.dumps(line))


def with_labels(labelled: Labelled) -> dict[str, Any]:
    """Train on two thirds, evaluate on a fifth; the peer beside it."""
    split = split_texts(labelled)
    started_s = time.perf_counter()
    classifier = train_linear(split.train.texts, split.train.labels, LinearConfig())
    train_s = time.perf_counter() - started_s
    found = evaluate(classifier, split.evaluation.texts, split.evaluation.labels)
    result = {
        "texts": found.n_texts,
        "accuracy": found.accuracy,
        "majority": found.majority,
        "auc": found.auc,
        "f1": dict(found.f1),
        "train_s": round(train_s, 1),
        "mb_per_s": rate(classifier.probabilities_BK, split.evaluation.texts),
        **fasttext_on(split),
    }
    print(result, file=sys.stderr)
    return result


def with_encoder(labelled: Labelled) -> dict[str, Any]:
    split = split_texts(labelled)
    started_s = time.perf_counter()
    encoder = train_encoder(split.train.texts, split.train.labels, EncoderConfig())
    train_s = time.perf_counter() - started_s
    found = evaluate(encoder, split.evaluation.texts, split.evaluation.labels)
    return {
        "accuracy": found.accuracy,
        "auc": found.auc,
        "train_s": round(train_s, 1),
        "mb_per_s": rate(encoder.probabilities_BK, split.evaluation.texts),
    }


def from_seeds(labelled: Labelled, seeds: dict[str, str]) -> dict[str, Any]:
    """Let seeds label what is trained on; compare with the true labels of what is not."""
    split = split_texts(labelled)
    documents = [Document(text=t, source="s", name=str(n)) for n, t in enumerate(split.train.texts)]
    taught = label_by_seeds(documents, seeds, SeedConfig(), LinearConfig())
    true = dict(zip(split.train.texts, split.train.labels, strict=True))
    right = np.mean([true[one.text] == label for one, label in taught if label in seeds])
    classifier = train_linear(
        [one.text for one, _ in taught], [label for _, label in taught], LinearConfig()
    )
    p_NK = classifier.probabilities_BK(split.evaluation.texts)
    known = [label for label in seeds if label in classifier.labels]
    columns = [classifier.labels.index(label) for label in known]
    if len(known) > 1:
        said = [known[at] for at in p_NK[:, columns].argmax(axis=1)]
    else:
        said = [known[0] if p > 0.5 else "other" for p in p_NK[:, columns[0]]]
    labels = split.evaluation.labels
    result = {
        "texts": len(labels),
        "labelled_by_seeds": round(len(taught) / len(documents), 3),
        "right_among_these": round(float(right), 4),
        "accuracy": round(float(np.mean([a == b for a, b in zip(said, labels, strict=True)])), 4),
        "majority": round(max(labels.count(one) for one in set(labels)) / len(labels), 4),
    }
    print(seeds.keys(), result, file=sys.stderr)
    return result


def fasttext_on(split: SplitTexts) -> dict[str, float]:
    """fastText's supervised mode on the same split; nothing where its trainer is missing."""
    try:
        from fasttext import train_supervised
    except ImportError:
        return {}
    names = sorted(set(split.train.labels))
    texts = [" ".join(text.lower().split()) for text in split.evaluation.texts]
    best = 0.0
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        for text, label in zip(split.train.texts, split.train.labels, strict=True):
            file.write(f"__label__{names.index(label)} {' '.join(text.lower().split())}\n")
        file.flush()
        for rate_of_learning in (0.1, 0.5, 1.0):
            model = train_supervised(
                file.name, wordNgrams=2, epoch=25, lr=rate_of_learning, thread=1, verbose=0
            )
            said = [
                names[int(model.predict(text)[0][0].removeprefix("__label__"))] for text in texts
            ]
            right = np.mean([a == b for a, b in zip(said, split.evaluation.labels, strict=True)])
            best = max(best, float(right))
    return {
        "fasttext_accuracy": round(best, 5),
        "fasttext_mb_per_s": rate(lambda some: [model.predict(one) for one in some], texts),
    }


def rate(predict: Any, texts: Sequence[str]) -> float:
    """MB of text a second, one process."""
    started_s = time.perf_counter()
    predict(texts)
    return round(sum(len(t.encode()) for t in texts) / 1e6 / (time.perf_counter() - started_s), 1)


def quality_texts() -> Labelled:
    good = [
        *pieces("wiki", wiki()),
        *pieces("books", books(400)),
        *pieces("state", zipped("state_union.zip")),
    ]
    bad = [*pieces("c4", rows("c4_demo.jsonl.gz")), *pieces("pages", web_pages())]
    return [*((one, "good") for one in good), *((one, "bad") for one in bad)]


def topic_texts() -> Labelled:
    """Ten questions of one subject and split are a document; the two splits are different groups."""
    found: Labelled = []
    with zipfile.ZipFile(SHARED / "bench/mmlu.zip") as archive:
        for name in sorted(archive.namelist()):
            topic = topic_of(name)
            if topic is None or not name.endswith(".csv"):
                continue
            lines = list(csv.reader(io.TextIOWrapper(archive.open(name), "utf-8")))
            questions = [" ".join(line[:5]) for line in lines]
            for start in range(0, len(questions), 10):
                text = "\n".join(questions[start : start + 10])
                found.append(
                    (document(f"{name}:{start}", text, group=f"{name}{start // 50}"), topic)
                )
    return found


def topic_of(name: str) -> str | None:
    for topic, subjects in TOPIC_SUBJECTS.items():
        if any(subject in name for subject in subjects):
            return topic
    return None


def kinds_of_text(label: str) -> Labelled:
    """Prose, web text, worked solutions and Python; all but one kind are `other`."""
    kinds = {
        "reasoning": solutions(),
        "code": [*programs(), *modules()],
        "prose": list(pieces("books", books(300))),
        "web": list(pieces("c4", rows("c4_demo.jsonl.gz"))),
    }
    return [
        (one, label if kind == label else "other") for kind, texts in kinds.items() for one in texts
    ]


def solutions() -> list[Document]:
    """Three questions of GSM8K with their solutions are a document."""
    with gzip.open(SHARED / "bench/gsm8k_train.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file][:2400]
    school = [f"{line['question']}\n{line['answer'].split('####')[0]}" for line in lines]
    with gzip.open(SHARED / "bench/math_test5000.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file][:1200]
    contest = [f"{line['context']}\n{line['chain_of_thought']}" for line in lines]
    return [
        document(f"{name}:{n}", "\n\n".join(texts[n : n + 3]))
        for name, texts in (("gsm8k", school), ("math", contest))
        for n in range(0, len(texts), 3)
    ]


def programs() -> list[Document]:
    with gzip.open(SHARED / "bench/HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [
        document(f"humaneval:{n}", one["prompt"] + one["canonical_solution"])
        for n, one in enumerate(lines)
    ]


def modules() -> Iterator[Document]:
    """Modules of the running Python's standard library."""
    for path in sorted(Path(json.__file__).parents[1].glob("*.py"))[:120]:
        yield from pieces(
            path.name, [(path.name, path.read_text(encoding="utf-8", errors="replace")[:8000])]
        )


def pieces(
    source: str, texts: Iterator[tuple[str, str]] | list[tuple[str, str]]
) -> Iterator[Document]:
    """Stretches of about the same length, so that length tells nothing; one text is one group."""
    for name, text in texts:
        for start in range(0, min(len(text), 6 * PIECE_CHARS), PIECE_CHARS):
            piece = text[start : start + PIECE_CHARS]
            if len(piece) > PIECE_CHARS // 4:
                yield document(f"{source}/{name}:{start}", piece, group=f"{source}/{name}")


def document(name: str, text: str, group: str = "") -> Document:
    return Document(text=text, source="s", name=name, meta={"group": group or name})


def books(n: int) -> Iterator[tuple[str, str]]:
    import lzma

    with lzma.open(SHARED / "pretrain/en_standardebooks.jsonl.xz", "rt", encoding="utf-8") as file:
        for number, line in enumerate(file):
            if number % 7 == 0 and number // 7 < n:
                row = json.loads(line)
                yield row["book"], row["text"][:PIECE_CHARS]


def wiki() -> Iterator[tuple[str, str]]:
    with gzip.open(SHARED / "pretrain/wiki_demo.txt.gz", "rt", encoding="utf-8") as file:
        for number, text in enumerate(file.read().split("\n\n")):
            yield str(number // 5), text


def rows(name: str) -> Iterator[tuple[str, str]]:
    with gzip.open(SHARED / "pretrain" / name, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file):
            yield str(number), json.loads(line)["text"]


def zipped(name: str) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(SHARED / "pretrain" / name) as archive:
        for member in sorted(archive.namelist()):
            if member.endswith(".txt") and "README" not in member:
                yield member, archive.read(member).decode("utf-8", "replace")[: 2 * PIECE_CHARS]


def web_pages() -> Iterator[tuple[str, str]]:
    from extraction import PAGES, read_pages

    from herd.data.sources.html_text import html_to_text

    for name, html in read_pages(PAGES)[0].items():
        yield name, html_to_text(html)[: 3 * PIECE_CHARS]


if __name__ == "__main__":
    main()
