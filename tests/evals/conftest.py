"""A model whose answers hang on nothing but what it is asked, and benchmarks in their published layouts."""

import gzip
import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from herd.evals import Continuation, ToContinue, ToScore
from herd.foundation import UserError
from herd.inference import Score
from herd.tokenizer import Tokenizer, train_bpe

TEXT = (
    "The quick brown fox jumps over the lazy dog. Question: Answer: What is 0123456789? A B C D\n"
    * 3
)


class OracleModel:
    """Scores are hashes of all that came before; `knows` maps an ending of a prompt to the answer."""

    name = "oracle"

    def __init__(
        self,
        tokenizer: Tokenizer,
        knows: Mapping[str, str] | None = None,
        *,
        max_context: int = 4096,
    ) -> None:
        self.tokenizer = tokenizer
        self.knows = dict(knows or {})
        self.max_context = max_context
        self.fingerprint = hashlib.sha256(repr(sorted(self.knows.items())).encode()).hexdigest()
        self.n_scored = self.n_continued = 0
        self.has_template = True
        self.fails_after: int | None = None

    def scores(self, asked: Sequence[ToScore]) -> Iterator[tuple[int, Score]]:
        order = sorted(
            range(len(asked)), key=lambda i: asked[i].prompt
        )  # not in order, as an engine
        for i in order:
            if self.fails_after is not None and self.n_scored >= self.fails_after:
                raise KeyboardInterrupt
            self.n_scored += 1
            yield i, self._score(asked[i])

    def continuations(
        self, asked: Sequence[ToContinue]
    ) -> Iterator[tuple[int, list[Continuation]]]:
        for i in reversed(range(len(asked))):
            self.n_continued += 1
            yield i, [self._answer(asked[i], n) for n in range(asked[i].n_samples)]

    def chat_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        if not self.has_template:
            raise UserError("oracle has no chat template")
        text = "".join(f"[{one['role']}]{one['content']}\n" for one in messages) + "[assistant]"
        return self.tokenizer.encode(text)

    def _score(self, one: ToScore) -> Score:
        prompt = self.tokenizer.decode(one.prompt)
        wanted = self._known(prompt)
        if wanted is not None:
            right = self.tokenizer.decode(one.continuation).strip() == wanted
            each = (-0.01 if right else -5.0) / len(one.continuation)
            return Score(logprobs=(each,) * len(one.continuation), is_greedy=right)
        logprobs = []
        for n in range(len(one.continuation)):
            seen = repr((one.prompt, one.continuation[: n + 1])).encode()
            logprobs.append(-int.from_bytes(hashlib.sha256(seen).digest()[:2]) / 16384)
        return Score(logprobs=tuple(logprobs), is_greedy=False)

    def _answer(self, one: ToContinue, sample: int) -> Continuation:
        text = self._known(self.tokenizer.decode(one.prompt)) or f"{sum(one.prompt) % 97}"
        if one.temperature > 0:
            text += f" {one.seed + sample}"
        return Continuation(text, len(text), "stop")

    def _known(self, prompt: str) -> str | None:
        endings = [key for key in self.knows if prompt.rstrip().endswith(key)]
        return self.knows[max(endings, key=len)] if endings else None


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train_bpe([TEXT], vocab_size=300, special_tokens=("<|endoftext|>",))


@pytest.fixture
def oracle(tokenizer: Tokenizer) -> Callable[..., OracleModel]:
    """Make a model that knows some answers."""

    def make(knows: Mapping[str, str] | None = None, **settings: Any) -> OracleModel:
        return OracleModel(tokenizer, knows, **settings)

    return make


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_rows(path: Path, rows: Sequence[Any]) -> None:
    """Write rows as JSON lines; a string is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A small directory of benchmarks: ARC, PIQA, WinoGrande, GSM8K, MMLU, code, LAMBADA."""
    data = tmp_path / "bench"
    write_rows(
        data / "arc_easy.jsonl.gz",
        [
            {"query": f"Question: What is {n} plus {n}?", "choices": [str(2 * n + i) for i in range(4)], "gold": 0}
            for n in range(10, 34)
        ],
    )  # fmt: skip
    write_rows(
        data / "piqa.jsonl.gz",
        [
            {"query": f"Question: How to use {n}?\n", "choices": [f"by hand {n}", f"by foot {n}"], "gold": n % 2}
            for n in range(12)
        ],
    )  # fmt: skip
    write_rows(
        data / "winogrande.jsonl.gz",
        [
            {"context_options": [f"The fox saw the dog {n} so the fox", f"The fox saw the dog {n} so the dog"],
             "continuation": "ran away.", "gold": n % 2}
            for n in range(10)
        ],
    )  # fmt: skip
    questions = [
        {"question": f"What is {n} plus 1?", "answer": f"{n} + 1 = {n + 1}\n#### {n + 1}"}
        for n in range(100, 112)
    ]
    write_rows(data / "gsm8k_test.jsonl.gz", questions[:6])
    write_rows(data / "gsm8k_train.jsonl.gz", questions[5:])
    write_rows(
        data / "HumanEval.jsonl.gz",
        [
            {"task_id": f"HumanEval/{n}", "prompt": f"def add{n}(a, b):\n    \"\"\"Add {n}.\"\"\"\n",
             "entry_point": f"add{n}", "test": f"def check(f):\n    assert f(1, 2) == {3 + n}\n"}
            for n in range(3)
        ],
    )  # fmt: skip
    write_rows(
        data / "lambada_openai.jsonl.gz",
        [{"context": f"The quick brown {n}", "continuation": "fox"} for n in range(5)],
    )
    with zipfile.ZipFile(data / "mmlu.zip", "w") as archive:
        for split, rows in (("test", 8), ("dev", 5)):
            text = "".join(
                f'"What is {n} of {split}?",no,yes,maybe,never,{"ABCD"[n % 4]}\n'
                for n in range(rows)
            )
            archive.writestr(f"data/{split}/anatomy_{split}.csv", text)
    return data
