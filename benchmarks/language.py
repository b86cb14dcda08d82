"""How often is the language of a sentence told right, over all 176 languages, and how fast?

Sentences of the shared data in Llama 3's eight languages: news (NTREX-128), news and Wikipedia (PUD), the lines of the
Universal Declaration of Human Rights of at least 20 characters. The peers, py3langid and lingua, run on the same
sentences where they are installed, each over all the languages it knows.

    python benchmarks/language.py
"""

import gzip
import json
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from herd.data import identify
from herd.foundation import describe_environment

DATA = Path(__file__).resolve().parents[2] / "shared/data/pretrain/multilingual"
LANGUAGES = ("en", "de", "fr", "it", "pt", "hi", "es", "th")
UDHR = {
    "eng": "en",
    "deu": "de",
    "deu_1901": "de",
    "fra": "fr",
    "ita": "it",
    "por_BR": "pt",
    "por_PT": "pt",
    "hin": "hi",
    "spa": "es",
    "tha": "th",
}
MIN_UDHR_CHARS = 20
Row = tuple[str, str, str]  # set, language, sentence


def main() -> None:
    if not DATA.exists():
        sys.exit("benchmarks/language.py needs the shared data (multilingual)")
    rows = list(sentences())
    ours = score(rows, lambda text: identify(text)[0], "herd")
    peers = {name: score(rows, peer, name) for name, peer in installed_peers()}
    environment = describe_environment()
    line = {
        "benchmark": "language",
        "accuracy": ours["all"],
        "sentences_per_s": ours["sentences_per_s"],
        "by": ours,
        "peers": peers,
        "sentences": len(rows),
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }
    print(json.dumps(line))


def sentences() -> Iterator[Row]:
    with gzip.open(DATA / "ntrex8.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield from (("ntrex", language, row[language]) for language in LANGUAGES)
    with gzip.open(DATA / "ud_pud8.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if row["lang"] in LANGUAGES:
                yield "pud", row["lang"], row["text"]
    with zipfile.ZipFile(DATA / "udhr2.zip") as archive:
        for name in sorted(archive.namelist()):
            language = UDHR.get(PurePosixPath(name).stem)
            if language:
                for text in archive.read(name).decode("utf-8").split("\n"):
                    if len(text.strip()) >= MIN_UDHR_CHARS:
                        yield "udhr", language, text.strip()


def score(rows: list[Row], predict: Callable[[str], str], name: str) -> dict[str, float]:
    right, total, wrong = Counter[str](), Counter[str](), Counter[str]()
    predict(rows[0][2])  # loads what it needs
    started_s = time.perf_counter()
    for source, language, text in rows:
        found = predict(text)
        for key in (source, language, "all"):
            total[key] += 1
            right[key] += found == language
        if found != language:
            wrong[f"{language} for {found}"] += 1
    seconds = time.perf_counter() - started_s
    shares = {key: round(right[key] / total[key], 4) for key in total}
    print(f"{name}: {shares}; most often {wrong.most_common(5)}", file=sys.stderr)
    return {**shares, "sentences_per_s": round(len(rows) / seconds)}


def installed_peers() -> Iterator[tuple[str, Callable[[str], str]]]:
    try:
        import py3langid

        yield "py3langid", lambda text: py3langid.classify(text)[0]
    except ImportError:
        pass
    try:
        from lingua import LanguageDetectorBuilder

        detector = LanguageDetectorBuilder.from_all_languages().build()

        def lingua(text: str) -> str:
            found = detector.detect_language_of(text)
            return found.iso_code_639_1.name.lower() if found else ""

        yield "lingua", lingua
    except ImportError:
        pass


if __name__ == "__main__":
    main()
