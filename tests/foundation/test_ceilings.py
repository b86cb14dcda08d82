from pathlib import Path

import pytest
import torch

from herd.foundation import (
    load_or_measure_ceilings,
    measure_and_save_ceilings,
    measure_ceilings,
    read_json,
    write_json,
)


def test_ceilings_are_kept_and_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = load_or_measure_ceilings(torch.device("cpu"))
    assert load_or_measure_ceilings(torch.device("cpu")) == first  # measured twice would differ
    assert len(list((tmp_path / "herd" / "ceilings").iterdir())) == 1


def test_damaged_ceilings_are_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = load_or_measure_ceilings(torch.device("cpu"))
    (saved,) = (tmp_path / "herd" / "ceilings").iterdir()
    saved.write_text('{"device": "cpu"')
    assert load_or_measure_ceilings(torch.device("cpu")) != first


def test_ceilings_stand_above_a_small_product_timed_here() -> None:
    ceilings = measure_ceilings(torch.device("cpu"))
    assert set(ceilings.matmul_flops_per_s) == {"bfloat16", "float32"}
    assert min(ceilings.matmul_flops_per_s.values()) > 1e8
    assert ceilings.memory_bytes_per_s > 1e8


def test_a_busy_machine_does_not_lower_what_was_measured_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load_or_measure_ceilings(torch.device("cpu"))
    (saved,) = (tmp_path / "herd" / "ceilings").iterdir()
    kept = read_json(saved)
    kept["matmul_flops_per_s"] = {"bfloat16": 1e18, "float32": 1.0}
    write_json(saved, kept)
    again = measure_and_save_ceilings(torch.device("cpu"))
    assert again.matmul_flops_per_s["bfloat16"] == 1e18
    assert again.matmul_flops_per_s["float32"] > 1.0
