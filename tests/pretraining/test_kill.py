"""kill -9 at random moments changes nothing but the time a run takes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("kill_driver.py")


@pytest.mark.parametrize(
    ("n_kills", "seed"),
    [(10, 1), *(pytest.param(10, seed, marks=pytest.mark.slow) for seed in (2, 3, 4))],
)
def test_a_run_killed_at_random_moments_ends_exactly_like_one_left_alone(
    tmp_path: Path, words: Path, n_kills: int, seed: int
) -> None:
    shutil.copytree(words, tmp_path / "text")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    result = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path), str(n_kills), str(seed)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert len(found["killed_at"]) == n_kills
    assert found["steps"] == 110
    assert found["final_loss"][0] == found["final_loss"][1]
    assert found["same"] == dict.fromkeys(
        ("records", "watched", "weights", "summary", "left_over"), True
    )
