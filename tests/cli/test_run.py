"""`herd run` and `herd pretrain`: what they print, how they exit."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from herd.cli.main import run

SMALL = [
    *("--set", "model.dim=32"),
    *("--set", "model.n_heads=2"),
    *("--set", "model.n_kv_heads=1"),
    *("--set", "model.head_dim=16"),
    *("--set", "model.n_layers=1"),
    *("--set", "model.ffn_dim=64"),
    *("--set", "initial.loop.schedule.warmup_tokens=2048"),
]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cli") / "text"
    directory.mkdir()
    for number in range(8):
        words = (f"word{(number * 7 + i * i) % 31} and" for i in range(400))
        (directory / f"{number}.txt").write_text(" ".join(words))
    return directory


def arguments(text: Path, out: Path, steps: int) -> list[str]:
    location = ["--set", f"corpus.sources.0.location={text}", "--set"]
    included = ["corpus.sources.0.include.0=*.txt"]
    horizon = ["--set", f"initial.loop.horizon_tokens={steps * 1024}"]
    return ["tiny", *location, *included, *horizon, *SMALL, "--out", str(out)]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.getbasetemp() / "cli-cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


def test_a_run_ends_with_samples_and_the_commands_to_go_on_with(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run(["run", *arguments(text, out, steps=6)]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("--- ") == 3
    assert f"herd generate {out / 'model'}" in printed.out
    assert str(out / "report.html") in printed.out
    assert "[4/6] training" in printed.err and "[4/6]" not in printed.out
    assert run(["run", *arguments(text, out, steps=6), "--json"]) == 0
    again = capsys.readouterr()
    assert json.loads(again.out)["was_done"] is True
    assert run(["generate", str(out / "model"), "word1 and", "--max-new-tokens", "4"]) == 0

    shards, tokenizer = ["--data", str(out / "shards")], ["--tokenizer", str(out / "tokenizer")]
    second = ["--out", str(tmp_path / "second"), "--set", "initial.loop.horizon_tokens=4096"]
    capsys.readouterr()
    assert run(["pretrain", "tiny", *shards, *tokenizer, *second, *SMALL, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 4


def test_sigterm_exits_143_and_leaves_a_run_to_resume(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"

    def terminate_when_it_trains() -> None:
        metrics = out / "metrics.jsonl"
        for _ in range(3000):
            if metrics.exists() and metrics.read_text().count("\n") >= 2:
                os.kill(os.getpid(), signal.SIGTERM)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=terminate_when_it_trains)
    killer.start()
    code = run(["run", *arguments(text, out, steps=100_000)])
    killer.join()
    assert code == 143
    assert "stopped by SIGTERM after step" in capsys.readouterr().err
    assert len(list((out / "checkpoints").iterdir())) == 1
    assert run(["run", *arguments(text, out, steps=100_000)]) == 2
    assert "--resume" in capsys.readouterr().err


def test_a_source_that_is_not_there_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", *arguments(tmp_path / "absent", tmp_path / "run", steps=6)]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("herd: ") and "absent" in last
    assert not (tmp_path / "run" / "tokenizer").exists()
