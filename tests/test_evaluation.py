"""The engine lent to the evaluations: the same scores, the same text, a name for its weights."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from herd.evals import EvalSettings, Results, ToContinue, ToScore
from herd.evals.benchmarks.code import CODE, program_of
from herd.evals.benchmarks.data_folder import DataFolder
from herd.evaluation import EngineModel, prepare_tasks, run_evaluation
from herd.foundation import UserError, available_cores
from herd.inference import EngineConfig
from herd.language_model import LanguageModel
from herd.model import ModelConfig, Transformer, init_weights
from herd.tokenizer import train_bpe
from herd.tools import Sandbox

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "bench"
TEXTS = ["The quick brown fox. 0123456789 def add(a, b): return a + b\n"] * 3


@pytest.fixture
def lm() -> LanguageModel:
    tokenizer = train_bpe(TEXTS, vocab_size=290, special_tokens=("<|endoftext|>",))
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size, dim=32, n_layers=2, n_heads=2, n_kv_heads=1, ffn_dim=48,
        max_context=2048,
    )  # fmt: skip
    model = Transformer(config)
    init_weights(model, seed=1)
    return LanguageModel(model.eval(), tokenizer, name="tiny")


def test_scores_are_those_of_the_language_model(lm: LanguageModel) -> None:
    prompt, after = lm.tokenizer.encode("The quick"), lm.tokenizer.encode(" brown fox")
    ((index, found),) = EngineModel(lm).scores([ToScore(tuple(prompt), tuple(after))])
    (expected,) = lm.score(["The quick"], [" brown fox"])
    assert index == 0 and found.logprobs == pytest.approx(expected.logprobs, abs=1e-5)


def test_continuations_are_those_of_the_language_model(lm: LanguageModel) -> None:
    asked = ToContinue(prompt=tuple(lm.tokenizer.encode("The quick")), max_new_tokens=12)
    ((_, (found,)),) = EngineModel(lm).continuations([asked])
    assert found.text == lm.generate("The quick", max_new_tokens=12, temperature=0.0)
    sampled = ToContinue(
        prompt=asked.prompt, max_new_tokens=12, temperature=1.0, seed=3, n_samples=2
    )
    ((_, both),) = EngineModel(lm).continuations([sampled])
    assert both[0].text == lm.generate(
        "The quick", max_new_tokens=12, temperature=1.0, top_p=1.0, seed=3
    )
    assert both[0].text != both[1].text


def test_the_fingerprint_names_weights_dtype_and_tokenizer(lm: LanguageModel) -> None:
    first = EngineModel(lm).fingerprint
    assert EngineModel(lm).fingerprint == first
    with torch.no_grad():
        lm.model.embedding.weight[0, 0] += 1
    changed = EngineModel(lm).fingerprint
    lm.model.to(torch.bfloat16)
    assert len({first, changed, EngineModel(lm).fingerprint}) == 3


def write_humaneval(folder: Path) -> None:
    row = {
        "task_id": "HumanEval/0",
        "prompt": "def add(a, b):\n",
        "entry_point": "add",
        "test": "def check(f):\n    assert f(1, 2) == 3\n",
    }
    with gzip.open(folder / "HumanEval.jsonl.gz", "wt") as file:
        file.write(json.dumps(row) + "\n")


def test_programs_are_run_in_the_sandbox(
    lm: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_humaneval(tmp_path)
    try:
        prepared = prepare_tasks(["humaneval"], tmp_path)
    except UserError as error:
        pytest.skip(str(error))
    settings = EvalSettings(n_samples=2, ks=(1, 2), temperature=1.0)
    (report,) = run_evaluation(prepared, lm, tmp_path / "out", settings)
    assert {one.metric for one in report.measures} == {"pass@1", "pass@2"}
    assert report.score == 0 and "programs: 2 wrong" in report.notes[-1]


def test_without_a_sandbox_code_is_refused_by_name_and_left_out_of_a_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(limits: object = None) -> Sandbox:
        raise UserError("no sandbox here: Landlock is missing")

    monkeypatch.setattr(Sandbox, "open", refuse)
    write_humaneval(tmp_path)
    with pytest.raises(UserError, match="Landlock is missing"):
        prepare_tasks(["humaneval"], tmp_path)
    with pytest.raises(UserError, match="nothing to run"):
        prepare_tasks(["pretrain"], tmp_path)
    prepared = prepare_tasks(["smoke", "posttrain"], tmp_path)
    assert prepared.left_out["humaneval"] == "no sandbox here: Landlock is missing"


@pytest.mark.slow
@pytest.mark.parametrize("benchmark", CODE, ids=lambda one: one.name)
def test_the_published_solutions_pass_their_tests(benchmark) -> None:
    if not SHARED.is_dir():
        pytest.skip("needs the shared data")
    docs = benchmark.read(DataFolder(SHARED))["test"]
    solutions = {}
    with gzip.open(SHARED / "HumanEval.jsonl.gz", "rt") as file:
        solutions |= {row["task_id"]: row["canonical_solution"] for row in map(json.loads, file)}
    programs = [
        program_of(benchmark.name, doc, solutions.get(doc["task_id"]) or doc.get("code", ""))
        for doc in docs
    ]
    outcomes = Sandbox.open().check_many(programs, n_workers=available_cores())
    failed = [doc["task_id"] for doc, one in zip(docs, outcomes, strict=True) if not one.passed]
    assert len(docs) in (164, 500) and failed == []


@pytest.mark.parametrize("step_tokens", [16, 64])
def test_another_batch_size_gives_the_same_results(
    step_tokens: int, lm: LanguageModel, tmp_path: Path
) -> None:
    other = LanguageModel(
        lm.model, lm.tokenizer, name="tiny", engine=EngineConfig(step_tokens=step_tokens)
    )
    prepared = prepare_tasks(["probe_recall", "probe_sums"], limit=12)
    reports = [
        run_evaluation(prepared, each, tmp_path / name, keep_answers=False)
        for name, each in (("one", lm), ("other", other))
    ]
    for first, second in zip(*reports, strict=True):
        assert replace(first, seconds=0) == replace(second, seconds=0)
    for task in ("probe_recall", "probe_sums"):
        items = [list(Results(tmp_path / name).items(task)) for name in ("one", "other")]
        assert items[0] == items[1]
