"""Memory does not grow with the corpus: ten times the budget of text takes what one budget takes."""

import json
import random
import subprocess
import sys

import pytest

BUDGET = 4 << 20
RUN = """
import resource, sys
from herd.data import *
from herd.data.curation import LimitsConfig

recipe = CurationRecipe(
    name="memory",
    sources=(SourceConfig(location=sys.argv[1]),),
    stages=(
        UrlDedup(), ExactDedup(), MinHashDedup(), LineDedup(), SpanDedup(), HeuristicFilter(),
        OutlierFilter(), PiiRedactor(), HeldOutStage(), MixStage(by="source"),
    ),
    limits=LimitsConfig(part_bytes=1 << 20, memory_bytes=int(sys.argv[3])),
)
curate(recipe, sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def write_corpus(path, n_bytes):
    """Texts of random words, a third of them copies of others; one source, few bytes each."""
    dice = random.Random(0)
    vocabulary = ["".join(dice.choices("abcdefghij", k=dice.randint(2, 9))) for _ in range(20_000)]
    texts, written = [], 0
    with path.open("w") as out:
        while written < n_bytes:
            if texts and dice.random() < 0.3:
                text = dice.choice(texts)
            else:
                text = "the and of " + " ".join(dice.choices(vocabulary, k=300))
                texts = [*texts[-500:], text]
            out.write(json.dumps({"text": text, "url": f"http://x.net/{written}"}) + "\n")
            written += len(text)


@pytest.mark.slow
def test_ten_times_the_budget_takes_the_memory_of_one(tmp_path):
    peaks = {}
    for times in (1, 10):
        source = tmp_path / f"{times}.jsonl"
        write_corpus(source, times * BUDGET)
        command = [sys.executable, "-c", RUN, str(source), str(tmp_path / f"out-{times}")]
        done = subprocess.run(
            [*command, str(BUDGET)], check=True, capture_output=True, text=True, timeout=500
        )
        peaks[times] = int(done.stdout)
    assert peaks[10] - peaks[1] < BUDGET, peaks
