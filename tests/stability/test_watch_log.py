"""The log of a watched run: readable by anyone, whole after a torn line, equal after a resume."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from herd.stability import LOG_NAME, AdamWatch, WatchLog, read_watch_log
from herd.stability.watch_log import COLUMNS, rounded


def logged_run(path: Path, n_steps: int) -> AdamWatch:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    watch = AdamWatch(optimizer, model)
    with WatchLog(path, watch) as log:
        for _ in range(n_steps):
            loss = model(torch.randn(16, 4)).square().mean()
            loss.backward()
            optimizer.step()
            watch.step(loss=loss)
            log.write()
            log.write()  # the same step is logged once
            optimizer.zero_grad()
    return watch


def test_a_line_a_step_with_an_entry_a_layer(tmp_path: Path) -> None:
    watch = logged_run(tmp_path / LOG_NAME, 5)
    header, lines = read_watch_log(tmp_path / LOG_NAME)
    assert header == {"layers": ["0", "2"], "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5]
    for line in lines:
        assert line["levels"] == "OO" and line["level"] == "OK"
        assert all(len(line[column]) == 2 for column in COLUMNS)
    for layer, value in zip(header["layers"], lines[-1]["update_rms"], strict=True):
        assert value == pytest.approx(watch.statistics[layer].update_rms, rel=1e-3)
    assert "histograms" in lines[0] and "histograms" not in lines[1]
    assert sum(lines[0]["histograms"]["0"]["all"]) == watch.statistics["0"].n


def test_every_line_is_json_without_nan(tmp_path: Path) -> None:
    logged_run(tmp_path / LOG_NAME, 3)
    for line in (tmp_path / LOG_NAME).read_text().splitlines():
        json.loads(line, parse_constant=lambda word: pytest.fail(word))


def test_a_torn_last_line_is_passed_over_and_mended(tmp_path: Path) -> None:
    path = tmp_path / LOG_NAME
    logged_run(path, 3)
    path.write_bytes(path.read_bytes()[:-20])
    assert len(read_watch_log(path)[1]) == 2
    logged_run(path, 1)
    header, lines = read_watch_log(path)
    assert header["layers"] and len(lines) == 3


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.123456, 0.1235), (None, None), (math.nan, None), (math.inf, "inf"), (1e-12, 1e-12)],
)
def test_numbers_are_written_to_four_digits(value: float | None, written: object) -> None:
    assert rounded(value) == written
