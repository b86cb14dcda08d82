"""`herd eval` on the command line: what a user types, and what bad input gets."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from herd.cli.main import run as herd
from herd.model import ModelConfig, Transformer, init_weights, save_hf
from herd.tokenizer import train_bpe


def build_model(path: Path, max_context: int) -> str:
    """Save a tiny random model in a directory."""
    tokenizer = train_bpe(
        ["The capital of France is Paris. 0123456789"] * 3,
        vocab_size=280,
        special_tokens=("<|endoftext|>",),
    )
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size, dim=32, n_layers=2, n_heads=2, n_kv_heads=1, ffn_dim=32,
        max_context=max_context,
    )  # fmt: skip
    transformer = Transformer(config)
    init_weights(transformer, seed=0)
    save_hf(transformer, path, tokenizer=tokenizer)
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_model(tmp_path_factory.mktemp("model") / "tiny", max_context=1024)


@pytest.fixture(autouse=True)
def own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def write_rows(name: str, rows: list[dict[str, Any]]) -> None:
    """Write a benchmark's file into `data`."""
    Path("data").mkdir(exist_ok=True)
    with gzip.open(Path("data") / name, "wt") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert herd(["eval", *words]) == 2
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if line.startswith("herd: ")]
    assert len(lines) == 1 and "Traceback" not in err
    return lines[0]


def test_a_first_look_needs_no_files(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert herd(["eval", model, "--tasks", "smoke", "--limit", "5"]) == 0
    out, err = capsys.readouterr()
    assert "probe_facts" in out and "95 % interval" in out
    assert "not run: arc_easy" in out and "[1/3] probe_facts" in err
    place = Path("runs/eval-tiny")
    assert (place / "report.html").exists() and (place / "results.json").exists()
    assert len((place / "items" / "probe_sums.jsonl").read_text().splitlines()) == 5


def test_json_is_all_that_goes_to_stdout(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", model, "--tasks", "probe_facts", "--limit", "4", "--out", "here", "--json"]
    assert herd(words) == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert task["task"] == "probe_facts" and task["n"] == 4 and task["ci_low"] < task["ci_high"]
    assert herd(words) == 0
    assert "there already" in capsys.readouterr().err


def test_a_task_that_fails_on_the_model_is_an_exit_code_and_the_others_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = build_model(tmp_path / "narrow", max_context=100)
    rows = [{"question": f"What is {n} + 1?", "answer": f"#### {n + 1}"} for n in range(9)]
    write_rows("gsm8k_test.jsonl.gz", rows)
    write_rows("gsm8k_train.jsonl.gz", rows)
    words = ["--tasks", "probe_facts,gsm8k", "--data", "data", "--limit", "4", "--json"]
    assert herd(["eval", narrow, *words]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [task["task"] for task in found["tasks"]] == ["probe_facts"]
    assert "256 new tokens" in found["not_run"]["gsm8k"]
    assert Path("runs/eval-narrow/report.html").exists()


def test_two_runs_are_compared(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        herd(["eval", model, "--tasks", "probe_facts", "--limit", "9", "--out", name])
    capsys.readouterr()
    assert herd(["eval", "compare", "one", "two", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["against"]
    assert row["differences"][0]["difference"]["score"] == 0
    assert herd(["eval", "compare", "one", "two"]) == 0
    assert "no difference shown" in capsys.readouterr().out


def test_the_list_names_tasks_and_suites(capsys: pytest.CaptureFixture[str]) -> None:
    assert herd(["eval", "--list"]) == 0
    out = capsys.readouterr().out
    assert "arc_easy" in out and "pretrain: mmlu" in out


def test_needles_are_searched(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--lengths", "300,400", "--depths", "0,1", "--repeats", "1", "--out", "n.html"]
    assert herd(["eval", "needle", model, *words]) == 0
    assert "300" in capsys.readouterr().out and Path("n.html").exists()


def test_robustness_of_the_models_label_choice(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"query": f"Which is {n}?", "choices": ["aa", "bb", "cc", "dd"], "gold": n % 4}
        for n in range(12)
    ]
    write_rows("arc_easy.jsonl.gz", rows)
    words = [
        "--tasks",
        "arc_easy",
        "--data",
        "data",
        "--limit",
        "6",
        "--out",
        "study.html",
        "--json",
    ]
    assert herd(["eval", "robustness", model, *words]) == 0
    study = json.loads(capsys.readouterr().out)
    assert study["questions"] == 6 and len(study["variants"]) == 22
    assert "Accuracy in each variant" in Path("study.html").read_text()


BAD = {
    "an unknown task": (["--tasks", "arc_eazy"], "no task 'arc_eazy'"),
    "a missing directory": (["--data", "nowhere"], "no such directory"),
    "a missing file": (["--tasks", "arc_easy"], "give the directory that holds it with --data"),
    "a chat without a template": (["--tasks", "probe_facts", "--chat"], "no chat template"),
    "a text that is not there": (["--text", "nowhere.txt"], "no such file"),
    "a k above the samples": (["--pass-k", "10"], "--samples is 1"),
    "a k that is no number": (["--pass-k", "x"], "--pass-k is 'x'"),
    "shots beyond reason": (["--shots", "100"], "--shots is 100"),
}


@pytest.mark.parametrize(("words", "said"), BAD.values(), ids=BAD)
def test_bad_input_gets_one_line(
    words: list[str], said: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--tasks" not in words:
        words = ["--tasks", "probe_facts", *words]
    assert said in refused(capsys, model, *words)


def test_no_model_and_a_model_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert "name a model" in refused(capsys, "run")
    refused(capsys, "./nowhere", "--tasks", "probe_facts")


def test_a_file_in_place_of_the_results_is_refused(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("taken").write_text("mine")
    assert "no directory" in refused(capsys, model, "--tasks", "probe_facts", "--out", "taken")
    assert Path("taken").read_text() == "mine"
