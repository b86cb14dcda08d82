"""Runs the pipeline in processes of its own and kills them with SIGKILL; started by test_kill.py.

The parent only imports; each attempt is a fork of it, so that ten attempts do not import torch ten
times. Arguments: directory, number of kills, seed. Prints one JSON line.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import torch
import torch.utils.tensorboard  # imported here once, for all forks

from herd.cli.run import make_generate, plan_of
from herd.foundation import RunDirectory, read_metrics
from herd.pretraining import CorpusConfig, run_pipeline
from herd.recipes import Recipe, find_recipe
from herd.training import BatchStage

STEPS = 110
CHECKPOINT_EVERY_STEPS = 3
EARLY_KILLS = 2  # by the clock, while tokenizer and shards are made
EARLY_S = 0.6
STEP_S = 0.02


def recipe(text: Path) -> Recipe:
    """tiny, made smaller still; the batch ramps up on the way."""
    tiny = find_recipe("tiny")
    horizon = 30 * 128 + (STEPS - 30) * 256
    loop = replace(
        tiny.initial.loop,
        horizon_tokens=horizon,
        batch=(
            BatchStage(from_tokens=0, batch_tokens=128, context=16),
            BatchStage(from_tokens=30 * 128, batch_tokens=256, context=32),
        ),
        micro_batch_tokens=128,
        checkpoint_every_tokens=CHECKPOINT_EVERY_STEPS * 256,
    )
    return replace(
        tiny,
        model=replace(tiny.model, dim=32, n_heads=2, n_layers=2, head_dim=16, ffn_dim=64),
        corpus=CorpusConfig.of(str(text)),
        initial=replace(
            tiny.initial,
            loop=loop,
            validate_every_tokens=20 * 256,
            validate_tokens=64,
            sample_every_tokens=horizon,
            sample_prompts=("def ",),
            watch_every_steps=4,
        ),
    )


def start(run: RunDirectory, text: Path) -> int:
    """Fork a process that runs the pipeline; return its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        torch.set_num_threads(1)
        run_pipeline(plan_of(recipe(text)), run, resume=True, make_generate=make_generate)
        code = 0
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def n_steps(run: RunDirectory) -> int:
    return max((record["step"] for record in read_metrics(run.metrics_path)), default=0)


def is_over(child: int) -> bool:
    return os.waitpid(child, os.WNOHANG)[0] != 0


def kill_at_step(run: RunDirectory, child: int, step: int, delay_s: float) -> bool:
    """Kill the child a moment after it logged `step`; return whether it was still alive."""
    while n_steps(run) < step:
        if is_over(child):
            return False
        time.sleep(0.002)
    time.sleep(delay_s)
    return kill(child)


def kill(child: int) -> bool:
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def run_with_kills(run: RunDirectory, text: Path, n_kills: int, dice: random.Random) -> list[int]:
    """Return the steps that had been logged at each kill."""
    killed_at = []
    for number in range(n_kills):
        child = start(run, text)
        if number < EARLY_KILLS:
            time.sleep(dice.uniform(0, EARLY_S))
            was_alive = kill(child)
        else:
            lowest = (STEPS - 10) * (number - EARLY_KILLS) // (n_kills - EARLY_KILLS)
            highest = (STEPS - 10) * (number - EARLY_KILLS + 1) // (n_kills - EARLY_KILLS)
            step = max(dice.randrange(lowest, highest), 1)
            was_alive = kill_at_step(run, child, step, dice.uniform(0, 2 * STEP_S))
        assert was_alive, f"attempt {number} ended before it was killed"
        killed_at.append(n_steps(run))
    finish(run, text)
    return killed_at


def finish(run: RunDirectory, text: Path) -> None:
    _, status = os.waitpid(start(run, text), 0)
    assert os.waitstatus_to_exitcode(status) == 0


def outcome(run: RunDirectory) -> dict:
    records = read_metrics(run.metrics_path)
    timeless = [
        {k: v for k, v in record.items() if k not in ("tokens_per_s", "mfu", "elapsed_s")}
        for record in records
    ]
    return {
        "records": timeless,
        "watched": (run.path / "stability.jsonl").read_text(),
        "weights": (run.model_path / "model.safetensors").read_bytes().hex(),
        "summary": json.loads((run.path / "summary.json").read_text()),
        "left_over": [str(path) for path in run.path.rglob("*.partial-*")],
    }


def main() -> None:
    directory, n_kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    alone, killed = RunDirectory(directory / "alone"), RunDirectory(directory / "killed")
    finish(alone, directory / "text")
    killed_at = run_with_kills(killed, directory / "text", n_kills, random.Random(seed))
    expected, found = outcome(alone), outcome(killed)
    print(
        json.dumps(
            {
                "killed_at": killed_at,
                "steps": len(found["records"]),
                "same": {name: expected[name] == found[name] for name in expected},
                "final_loss": [o["records"][-1]["loss_nats"] for o in (expected, found)],
            }
        )
    )


if __name__ == "__main__":
    main()
