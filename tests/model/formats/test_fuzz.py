"""Damaged files end in UserError or load: no other exception, crash, hang or large allocation."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FUZZER = Path(__file__).with_name("fuzz_loaders.py")
FORMATS = ("safetensors", "gguf", "pth")


def _fuzz(form, seed, count, timeout_s):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(FUZZER), form, str(seed), str(count)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    summary = json.loads(done.stdout)
    assert summary["loaded"] + summary["refused"] == summary["inputs"] == count
    # A fuzzer whose inputs are all refused at the first byte, or all accepted, tests nothing.
    assert summary["refused"] > count / 4 and summary["loaded"] > count / 100
    return summary


@pytest.mark.parametrize("form", FORMATS)
def test_a_few_hundred_damaged_files_are_refused_or_loaded(form):
    _fuzz(form, seed=0, count=200, timeout_s=120)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_four_thousand_damaged_files_are_refused_or_loaded(form):
    print(_fuzz(form, seed=1, count=4000, timeout_s=1800))
