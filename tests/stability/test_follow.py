"""The terminal view: reads a growing log, survives what a log can be, ends when the run does."""

import io
import json
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from herd.foundation import UserError
from herd.stability.follow import Tail, find_log, follow_run, frame, sparkline
from herd.stability.watch_log import LOG_NAME

HEADER = {"layers": ["embedding", "layers.0"], "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-5}


def line(step: int, **changes: object) -> dict[str, object]:
    record: dict[str, object] = {"step": step, "level": "OK", "loss_nats": 2.0, "levels": "OO"}
    record |= {name: [0.23, 0.24] for name in ("update_rms", "alignment", "cold_fraction")}
    return record | changes


def write(run: Path, records: list[object], *, torn: str = "") -> Path:
    run.mkdir(exist_ok=True)
    path = run / LOG_NAME
    text = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records)
    path.write_text(text + torn)
    return path


def shown(run: Path) -> str:
    tail = Tail(find_log(run))
    tail.read_on()
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(frame(tail, run))
    return console.export_text()


def test_the_layer_in_alarm_stands_first_with_its_reason(tmp_path: Path) -> None:
    alarm = line(2, level="ALARM", levels="OA", reasons=["layers.0: update RMS x3"])
    text = shown(write(tmp_path / "run", [HEADER, line(1), alarm]).parent)
    assert "step 2  ALARM" in text and "step 2: layers.0: update RMS x3" in text
    assert text.index("layers.0 ") < text.index("embedding")


@pytest.mark.parametrize(
    "odd",
    [
        "no json", "[1, 2]", {"step": 2}, line(2, update_rms=[1.0]), line(2, loss_nats="inf"),
        line(2, update_rms=None, levels="O"), {"layers": 3}, "[" * 100_000, line(2, loss_nats=-1e308), line(2, reasons=5), line(2, level="?"), line(2, loss_nats=None, alignment=[None, "nan"]),
    ],
)  # fmt: skip
def test_odd_lines_do_not_stop_the_view(odd: object, tmp_path: Path) -> None:
    assert "run" in shown(write(tmp_path / "run", [HEADER, line(1), odd], torn='{"st').parent)


def test_names_from_a_log_cannot_draw_on_the_terminal(tmp_path: Path) -> None:
    header = HEADER | {"layers": ["[red]x[/red]", "y"]}
    assert "[red]x[/red]" in shown(write(tmp_path / "run", [header, line(1)]).parent)


def test_escapes_and_surrogates_do_not_reach_the_terminal(tmp_path: Path) -> None:
    bad = line(2, reasons=["\x1b]0;title\x07 \x1b[2J \ud800 fine"])
    text = shown(write(tmp_path / "run", [HEADER | {"layers": ["\x1b[31mx", "y"]}, bad]).parent)
    assert "\x1b" not in text and "fine" in text


def test_only_what_was_added_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "run", [HEADER, line(1)], torn='{"step": 2, "lev')
    tail = Tail(path)
    assert tail.read_on() and not tail.read_on()
    write(tmp_path / "run", [HEADER, line(1), line(2)])
    assert tail.read_on() and tail.n_steps == 2
    write(tmp_path / "run", [HEADER])  # cut by a resume
    assert tail.read_on() and tail.n_steps == 0


def test_a_run_that_ends_ends_the_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write(tmp_path / "run", [HEADER, line(1)]).parent
    monkeypatch.setattr(Console, "is_terminal", True)
    viewer = threading.Thread(target=follow_run, args=(run,), kwargs={"every_s": 0.01}, daemon=True)
    viewer.start()
    time.sleep(0.05)
    assert viewer.is_alive()
    (run / "summary.json").write_text("{}")
    viewer.join(timeout=20)
    assert not viewer.is_alive()


@pytest.mark.parametrize("make", [lambda p: p / "nothing", lambda p: p])
def test_a_run_that_is_not_there_or_not_watched_is_one_line(make: object, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no run directory|has no stability.jsonl"):
        follow_run(make(tmp_path))  # type: ignore[operator]


def test_a_sparkline_has_a_bar_for_each_value() -> None:
    assert sparkline([0.0, 1.0, None, 0.5]) == "▁█ ▅"
    assert sparkline([2.0, 2.0]) == "▁▁" and sparkline([None]) == ""
