from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.foundation import MetricsLog, read_metrics, truncate_metrics


def test_records_come_back_in_order(tmp_path: Path) -> None:
    with MetricsLog(tmp_path / "m.jsonl") as log:
        log.write({"step": 1, "loss_nats": 2.5})
        log.write({"step": 2, "loss_nats": float("nan")})
    assert read_metrics(tmp_path / "m.jsonl") == [
        {"step": 1, "loss_nats": 2.5},
        {"step": 2, "loss_nats": "nan"},
    ]


@given(cut=st.integers(min_value=0, max_value=60))
def test_a_log_torn_anywhere_keeps_its_whole_lines_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "m.jsonl"
    with MetricsLog(path) as log:
        for step in range(3):
            log.write({"step": step, "x": 0.5})
    path.write_bytes(path.read_bytes()[:cut])
    whole = path.read_bytes().count(b"\n")
    with MetricsLog(path) as log:
        log.write({"step": 99})
    assert [r["step"] for r in read_metrics(path)] == [*range(whole), 99]


def test_truncation_drops_what_a_resumed_run_writes_again(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    with MetricsLog(path) as log:
        for step in range(1, 6):
            log.write({"step": step, "loss_nats": 1 / step})
    truncate_metrics(path, after_step=3)
    assert [r["step"] for r in read_metrics(path)] == [1, 2, 3]
    assert read_metrics(path)[2]["loss_nats"] == 1 / 3


def test_no_log_has_no_records(tmp_path: Path) -> None:
    truncate_metrics(tmp_path / "none", after_step=1)
    assert read_metrics(tmp_path / "none") == []
