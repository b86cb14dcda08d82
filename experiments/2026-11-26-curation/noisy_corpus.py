"""A noisy corpus of which we know what is wrong with it, built from the shared data.

Prose that is worth learning (chapters of English books) lies among exact and near copies of it, pages
of the web as they came, page furniture that repeats, scrambled text, logs and encoded data, and
other languages. In: a seed, sizes. Out: jsonl and HTML files in a folder, and clean held-out chapters.
"""

import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared/data/pretrain"
HEADER = (
    "Home | About | Contact | Log in",
    "Skip to main content",
    "Accept all cookies to continue",
)
FOOTER = (
    "Share on Facebook Share on Twitter Share by e-mail",
    "Copyright 2023 Example Media. All rights reserved.",
    "Subscribe to our newsletter and never miss an update!",
    "Privacy policy | Terms of use | Site map",
)


def books(split: str) -> list[str]:
    """The chapters of a split, those of at least a page."""
    with lzma.open(SHARED / "en_standardebooks.jsonl.xz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [r["text"] for r in rows if r["split"] == split and len(r["text"]) > 2000]


def write_noisy(folder: Path, *, clean_bytes: int, seed: int) -> dict[str, int]:
    """Write the corpus into `folder`; return bytes by kind of text."""
    dice = random.Random(seed)
    chapters = books("train")
    dice.shuffle(chapters)
    clean = list(_up_to(chapters, clean_bytes))
    kinds = {
        "clean": [_furnished(text, dice) if dice.random() < 0.5 else text for text in clean],
        "exact copies": [dice.choice(clean[: len(clean) // 4]) for _ in range(len(clean) // 2)],
        "near copies": [
            _near(dice.choice(clean[: len(clean) // 4]), dice) for _ in range(len(clean))
        ],
        "scrambled": [_scrambled(text, dice) for text in clean[: len(clean) // 4]],
        "logs": [_log(dice) for _ in range(len(clean) // 4)],
        "encoded": [_encoded(dice) for _ in range(len(clean) // 4)],
        "other languages": list(_other_languages()),
    }
    folder.mkdir(parents=True)
    rows = [(kind, text) for kind, texts in kinds.items() for text in texts]
    dice.shuffle(rows)
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as out:
        for number, (_, text) in enumerate(rows):
            row = {"text": text, "url": f"https://site{number % 97}.example/{number}"}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    sizes = {kind: sum(len(t.encode()) for t in texts) for kind, texts in kinds.items()}
    return {**sizes, "web pages": _write_pages(folder)}


def _up_to(texts: list[str], n_bytes: int) -> Iterator[str]:
    total = 0
    for text in texts:
        if total >= n_bytes:
            return
        total += len(text.encode())
        yield text


def _furnished(text: str, dice: random.Random) -> str:
    head, foot = dice.sample(HEADER, 2), dice.sample(FOOTER, 3)
    return "\n".join([*head, text, *foot])


def _near(text: str, dice: random.Random) -> str:
    words = text.split(" ")
    for _ in range(len(words) // 200):
        words[dice.randrange(len(words))] = dice.choice(words)
    return _furnished(" ".join(words), dice)


def _scrambled(text: str, dice: random.Random) -> str:
    letters = list(text)
    dice.shuffle(letters)
    return "".join(letters)


def _log(dice: random.Random) -> str:
    what = dice.choice(("ERROR timeout while reading", "WARN retry", "INFO request served"))
    return "\n".join(
        f"2023-07-{dice.randrange(1, 29):02d} {dice.randrange(24):02d}:{dice.randrange(60):02d} {what} "
        f"from 10.0.{dice.randrange(9)}.{dice.randrange(256)} in {dice.randrange(999)} ms code={dice.randrange(600)}"
        for _ in range(dice.randrange(60, 240))
    )


def _encoded(dice: random.Random) -> str:
    return "\n".join(
        "".join(
            dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=76)
        )
        for _ in range(dice.randrange(60, 240))
    )


def _other_languages() -> Iterator[str]:
    """The Universal Declaration in many languages, and news in seven."""
    with zipfile.ZipFile(SHARED / "multilingual/udhr2.zip") as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".txt") and not name.endswith("/eng.txt"):
                yield archive.read(name).decode("utf-8", "replace")
    with gzip.open(SHARED / "multilingual/ntrex8.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for language in sorted(set(rows[0]) - {"i", "en"}):
        texts = [str(row[language]) for row in rows]
        for start in range(0, len(texts), 40):
            yield "\n".join(texts[start : start + 40])


def _write_pages(folder: Path) -> int:
    n_bytes = 0
    with tarfile.open(SHARED / "html/article_extraction_benchmark.tar") as archive:
        for member in archive:
            if ".html" not in member.name:
                continue
            data = archive.extractfile(member)
            assert data is not None
            content = data.read()
            if member.name.endswith(".gz"):
                content = gzip.GzipFile(fileobj=io.BytesIO(content)).read()
            (folder / f"{Path(member.name).name.removesuffix('.gz')}").write_bytes(content)
            n_bytes += len(content)
    return n_bytes
