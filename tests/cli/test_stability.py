"""`herd stability`: what it prints, where it writes, and mistakes in one line."""

import json
from pathlib import Path

import pytest

from herd.cli.main import run

HEADER = {"layers": ["embedding", "output"], "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8}


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    directory = tmp_path / "run"
    directory.mkdir()
    columns = {"update_rms": [0.2, 0.3], "alignment": [0.1, 0.1], "cold_fraction": [0.0, 0.0]}
    lines = [HEADER] + [
        {"step": step, "level": "OK", "levels": "OO", "loss_nats": 2.0, **columns}
        for step in range(1, 6)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (directory / "stability.jsonl").write_text(text)
    return directory


def test_the_report_says_where_it_lies(watched: Path, tmp_path: Path, capsys) -> None:
    assert run(["stability", "report", str(watched)]) == 0
    assert capsys.readouterr().out.strip() == str(watched / "stability.html")
    assert run(["stability", "report", str(watched), "--out", str(tmp_path / "page.html")]) == 0
    pages = [watched / "stability.html", tmp_path / "page.html"]
    assert pages[0].read_text() == pages[1].read_text()


def test_follow_prints_how_a_run_stands(watched: Path, capsys) -> None:
    assert run(["stability", "follow", str(watched), "--once"]) == 0
    shown = capsys.readouterr().out
    assert "embedding" in shown and "step 5" in shown


def test_simulate_prints_formula_and_simulation(capsys) -> None:
    arguments = ["stability", "simulate", "--beta1", ".9", "--beta2", ".95", "--rho", ".9"]
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    assert "0.229" in shown and "correlation 0.9" in shown
    assert run([*arguments, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["formula"] == pytest.approx(0.2294, abs=1e-4)
    assert rows[0]["simulated"] == pytest.approx(0.226, abs=0.01)


def test_simulate_speaks_json_even_of_infinity(capsys) -> None:
    arguments = ["stability", "simulate", "--beta1", ".99", "--beta2", ".9", "--json"]
    assert run(arguments) == 0
    text = capsys.readouterr().out
    rows = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert rows[-1]["formula"] == "inf"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulate", "--beta1", "1"], "beta1"),
        (["simulate", "--beta2", "-0.1"], "beta"),
        (["simulate", "--rho", "1.5"], "correlation"),
        (["simulate", "--rho", "nan"], "correlation"),
        (["simulate", "--epsilon", "-1"], "epsilon"),
        (["simulate", "--snr", "-1"], "signal-to-noise"),
        (["simulate", "--beta1", "much"], "--beta1"),
        (["report", "nowhere"], "nowhere"),
        (["follow", "nowhere", "--once"], "nowhere"),
        (["reproduce", "r9"], "r9"),
        (["reproduce", "r0", "--seeds", "1"], "at least 2 seeds"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["stability", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_reproduce_hands_names_and_seeds_on(monkeypatch, tmp_path: Path, capsys) -> None:
    import herd.stability

    asked = []

    def pretend(names, out, *, n_seeds, progress):
        asked.append((list(names), out, n_seeds))
        progress("R0: working")
        return []

    monkeypatch.setattr(herd.stability, "reproduce", pretend)
    arguments = ["stability", "reproduce", "r0", "league", "--out", str(tmp_path), "--seeds", "3"]
    assert run(arguments) == 0
    assert asked == [(["r0", "league"], tmp_path, 3)]
    assert "R0: working" in capsys.readouterr().err
