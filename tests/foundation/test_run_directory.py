import subprocess
import sys
from pathlib import Path

import pytest

from herd.foundation import RunDirectory, UserError

HOLD = "from herd.foundation import RunDirectory; from pathlib import Path; import sys\nwith RunDirectory(Path(sys.argv[1])).locked():\n    print('held', flush=True); sys.stdin.read()"


def test_a_second_process_is_kept_out_until_the_first_is_gone(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdin is not None
    with holder.stdout, holder.stdin:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="another process"), RunDirectory(tmp_path).locked():
            pass
        holder.kill()
        holder.wait()
    with RunDirectory(tmp_path).locked():
        pass


def test_the_layout_is_the_house_plans(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    paths = [run.recipe_path, run.environment_path, run.metrics_path, run.tensorboard_path,
             run.checkpoints_path, run.model_path, run.report_path, run.log_path]  # fmt: skip
    assert [p.name for p in paths] == [
        "recipe.json", "environment.json", "metrics.jsonl", "tensorboard",
        "checkpoints", "model", "report.html", "log.txt",
    ]  # fmt: skip
