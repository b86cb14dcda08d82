"""What does watching cost, as a share of a training step?

The step is the one of `train_throughput` (width 320, 8 layers, batch 8 x 512, bf16 autocast, fused
AdamW). Three copies of it train: unwatched, watched at every step, and at the sampled level (every
tenth step). They take turns, one step each, in an order that changes, so that a noisy neighbour slows
all; the overhead is the ratio of typical step times, with a bootstrap interval over rounds. A clock
inside the watched steps also times the watch alone: the same cost without the noise of the step.

    python benchmarks/stability_overhead.py [--steps 200]
"""

import argparse
import itertools
import json
import random
import statistics
import sys
import time

import torch
from train_throughput import LEARNING_RATE, SMALL, random_tokens

from herd.foundation import describe_environment
from herd.model import Transformer, init_weights
from herd.stability import AdamWatch, WatchConfig

N_WARMUP = 12
LEVELS = {"off": None, "every_step": 1, "sampled": 10}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    n_steps = parser.parse_args().steps
    sides = {name: Side(every) for name, every in LEVELS.items()}
    for side in sides.values():
        for _ in range(N_WARMUP):
            side.step()
        side.watch_s.clear()
    durations_s = take_turns(sides, n_steps)
    print(json.dumps(result(sides, durations_s, n_steps)))


class Side:
    """One copy of the model under training, with or without a watch."""

    def __init__(self, every_steps: int | None) -> None:
        self.model = Transformer(SMALL.config)
        init_weights(self.model, seed=0)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING_RATE, fused=True)
        self.watch_s: list[float] = []
        self.watch = None
        if every_steps is not None:
            config = WatchConfig(every_steps=every_steps)
            self.watch = AdamWatch(self.optimizer, self.model, config=config)
            self._time_capture()
        tokens_BT = random_tokens(SMALL, torch.device("cpu"))
        self.inputs_BT, self.targets_BT = (
            tokens_BT[:, :-1].contiguous(),
            tokens_BT[:, 1:].contiguous(),
        )
        self.mask_BT = torch.ones_like(self.targets_BT, dtype=torch.float32)
        self._capture_s = 0.0

    def _time_capture(self) -> None:
        """Add the copy inside `optimizer.step()` to the watch's own time: a clock around its hook."""
        hooks = self.optimizer._optimizer_step_pre_hooks
        key = list(hooks)[-1]
        inner = hooks[key]

        def timed(*arguments: object) -> None:
            started = time.perf_counter()
            inner(*arguments)
            self._capture_s = time.perf_counter() - started

        hooks[key] = timed

    def step(self) -> float:
        """Take one training step and return its duration."""
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss_sum_nats, n_tokens = self.model.loss(
                self.inputs_BT, self.targets_BT, loss_mask_BT=self.mask_BT
            )
            loss = loss_sum_nats / n_tokens
        loss.backward()
        self.optimizer.step()
        if self.watch is not None:
            before = time.perf_counter()
            self.watch.step(loss=loss)
            self.watch_s.append(time.perf_counter() - before + self._capture_s)
        self.optimizer.zero_grad(set_to_none=True)
        loss.item()
        return time.perf_counter() - started


def take_turns(sides: dict[str, Side], n_steps: int) -> dict[str, list[float]]:
    """Return durations of `n_steps` steps of each side, taken in a changing order."""
    durations_s: dict[str, list[float]] = {name: [] for name in sides}
    orders = list(itertools.permutations(sides))
    shuffle = random.Random(0)
    for i in range(n_steps):
        for name in shuffle.choice(orders):
            durations_s[name].append(sides[name].step())
        if i % 20 == 19:
            print(f"step {i + 1} of {n_steps}", file=sys.stderr, flush=True)
    return durations_s


def result(
    sides: dict[str, Side], durations_s: dict[str, list[float]], n_steps: int
) -> dict[str, object]:
    off_s = statistics.median(durations_s["off"])
    line: dict[str, object] = {"benchmark": "stability_overhead", "steps": n_steps}
    for name in ("every_step", "sampled"):
        every = LEVELS[name] or 1
        typical_s = typical(durations_s[name], every)
        line[f"overhead_{name}"] = round(typical_s / off_s - 1, 5)
        line[f"overhead_{name}_interval"] = bootstrap(durations_s[name], durations_s["off"], every)
        alone_s = typical(sides[name].watch_s, every)
        line[f"watch_alone_{name}"] = round(alone_s / off_s, 5)
    line["step_s"] = {name: round(statistics.median(each), 4) for name, each in durations_s.items()}
    environment = describe_environment()
    return line | {"hardware": environment["hardware"], "commit": environment["commit"]}


def typical(durations_s: list[float], every: int) -> float:
    """Return the mean step time with the median as the time of each kind: watched, and between.

    Of the sampled level nine steps in ten are of the second kind, and a median over all would hide
    the tenth.
    """
    return typical_of(durations_s, list(range(len(durations_s))), every)


def is_watched(index: int, every: int) -> bool:
    return (N_WARMUP + index + 1) % every == 0


def bootstrap(watched_s: list[float], off_s: list[float], every: int) -> list[float]:
    """Return the 95 % interval of the overhead, rounds drawn again with their order kept by kind."""
    shuffle, n, ratios = random.Random(0), len(off_s), []
    kinds = [[i for i in range(n) if is_watched(i, every) == kind] for kind in (True, False)]
    for _ in range(1000):
        drawn = sorted(i for kind in kinds for i in shuffle.choices(kind, k=len(kind)))
        ratio = [typical_of(watched_s, drawn, every), statistics.median(off_s[i] for i in drawn)]
        ratios.append(ratio[0] / ratio[1] - 1)
    ratios.sort()
    return [round(ratios[25], 4), round(ratios[974], 4)]


def typical_of(durations_s: list[float], drawn: list[int], every: int) -> float:
    watched = [durations_s[i] for i in drawn if is_watched(i, every)]
    between = [durations_s[i] for i in drawn if not is_watched(i, every)]
    return (statistics.median(watched) + (every - 1) * statistics.median(between or [0.0])) / every


if __name__ == "__main__":
    main()
