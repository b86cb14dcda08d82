"""`herd pull` prints where the model lies."""

from pathlib import Path

import pytest

from herd.cli.main import run
from herd.model import hub


def test_a_model_that_is_there_is_said_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("herd.model.pull", lambda name: hub.PulledModel(tmp_path / name, True))
    assert run(["pull", "smollm2-135m"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'smollm2-135m'}\n"
    assert "was already here" in err


def test_an_unknown_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pull", "smollm"]) == 2
    assert "nearest: smollm2-135m" in capsys.readouterr().err
