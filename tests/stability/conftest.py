"""A made-up run in the format of the log: its embedding cools, awakens at step 600 and calms down.

Every number is drawn, not trained: this is for looking at pages, not for judging the watch.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

COLD_FROM, AWAKE_AT, CALM_AT, OVER_AT = 300, 600, 640, 700
N_BINS = 64


@pytest.fixture(scope="session")
def synthetic_run() -> Callable[..., list[str]]:
    """Return the function that writes such a run and returns its layers."""
    return write_run


def layer_names(n_layers: int) -> list[str]:
    return ["embedding", *(f"layers.{i}" for i in range(n_layers - 2)), "output"]


def write_run(
    run: Path, *, n_steps: int = 1000, layers: Sequence[str] = (), n_layers: int = 10, seed: int = 0
) -> list[str]:
    """Write `stability.jsonl` and `metrics.jsonl` of `n_steps` steps; return the layers."""
    run.mkdir(parents=True, exist_ok=True)
    names = list(layers) or layer_names(n_layers)
    rng = np.random.default_rng(seed)
    levels = ""
    header = {"layers": names, "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8}
    with (run / "stability.jsonl").open("w") as log, (run / "metrics.jsonl").open("w") as metrics:
        log.write(json.dumps(header) + "\n")
        for step in range(1, n_steps + 1):
            loss = _loss(step, rng)
            record = {"step": step, "tokens": step * 512, "loss_nats": loss, "grad_norm": 1.0}
            metrics.write(json.dumps(record) + "\n")
            line = _line(step, names, loss, rng)
            changed, levels = line["levels"] != levels and step > 1, line["levels"]
            if changed:
                line |= _words(step, names, levels)
            if changed or step % 100 == 1:
                line["histograms"] = {
                    name: _histograms(step, i, rng) for i, name in enumerate(names)
                }
            log.write(json.dumps(line) + "\n")
            if step in (AWAKE_AT + 1, CALM_AT):
                log.write(json.dumps(_intervention(step)) + "\n")
    return names


def _loss(step: int, rng: np.random.Generator) -> float:
    calm = 3 + 6 * np.exp(-step / 120)
    spike = 2.5 * np.exp(-((step - AWAKE_AT - 14) ** 2) / 60) + 0.6 * (
        step > AWAKE_AT + 14
    ) * np.exp(-(step - AWAKE_AT) / 60)
    return round(float(calm + spike + rng.normal(0, 0.03)), 4)


def _line(step: int, names: list[str], loss: float, rng: np.random.Generator) -> dict:
    n = len(names)
    depth = np.arange(n) / n
    awake = AWAKE_AT <= step < CALM_AT
    rms = 0.25 + 0.03 * rng.standard_normal(n)
    alignment = 0.08 + 0.03 * rng.standard_normal(n)
    cold = np.zeros(n)
    if COLD_FROM <= step < AWAKE_AT:
        share = (step - COLD_FROM) / (AWAKE_AT - COLD_FROM)
        cold[0], rms[0] = 0.75 * share, 0.25 - 0.2 * share
    if awake:
        size = np.exp(-(step - AWAKE_AT) / 25) * np.clip(1 - 1.5 * depth, 0.05, 1)
        rms += 0.7 * size
        alignment -= 0.35 * size
    letters = ["O"] * n
    if COLD_FROM + 100 <= step < AWAKE_AT:
        letters[0] = "W"
    if awake:
        letters = ["A" if d < 0.25 else "W" if d < 0.6 else "O" for d in depth]
    if CALM_AT <= step < OVER_AT:
        letters = ["R" if d < 0.25 else "O" for d in depth]
    worst = next(letter for letter in "AWRO" if letter in letters)
    return {
        "step": step,
        "level": {"O": "OK", "W": "WATCH", "A": "ALARM", "R": "RECOVERY"}[worst],
        "loss_nats": loss,
        "grad_norm": 1.0,
        "loss_z": 9.0 if AWAKE_AT + 8 <= step < AWAKE_AT + 20 else 0.3,
        "grad_norm_z": None,
        "levels": "".join(letters),
        "update_rms": [round(float(x), 4) for x in np.abs(rms)],
        "alignment": [round(float(x), 4) for x in alignment],
        "cold_fraction": [round(float(x), 4) for x in cold],
    }


def _words(step: int, names: list[str], levels: str) -> dict:
    cold = "75% of coordinates cold (sqrt(v) below epsilon) for 300 steps"
    words = {
        "R": "calm for 20 steps after an alarm",
        "A": f"{cold}, then update RMS x3.1 to 0.95, gradient at 12 times its usual size, "
        "alignment -0.27: a cold layer awakens",
        "W": "update RMS x1.9 to 0.47, gradient at 2 times its usual size, alignment +0.07: "
        "larger than this tensor is used to",
    }
    if step < AWAKE_AT:
        words["W"] = f"{cold}: it barely learns, and may awaken with a jump"
    found = sorted(
        ((level, name) for level, name in zip(levels, names, strict=True) if level != "O"),
        key=lambda each: "AWR".index(each[0]),
    )
    mechanisms = {"A": "awakening of a cold layer", "R": "awakening of a cold layer"}
    mechanisms["W"] = "cold layer" if step < AWAKE_AT else "update grows"
    return {
        "reasons": [f"{name}.weight: {words[level]}" for level, name in found[:8]],
        "mechanisms": list(dict.fromkeys(mechanisms[level] for level, _ in found)),
    }


def _histograms(step: int, layer: int, rng: np.random.Generator) -> dict[str, list[int]]:
    u = rng.normal(0, 0.24, 4000)
    if layer < 4 and AWAKE_AT <= step < CALM_AT:
        u = rng.choice([-1, 1], 4000) * 0.447 + rng.normal(0, 0.12, 4000)
    if layer == 0 and COLD_FROM <= step < AWAKE_AT:
        u = np.where(rng.random(4000) < 0.7, rng.normal(0, 0.02, 4000), u)
    counts = np.histogram(np.clip(u, -1.299, 1.299), N_BINS, (-1.3, 1.3))[0]
    active = np.histogram(u[np.abs(u) > 0.05], N_BINS, (-1.3, 1.3))[0]
    return {"all": counts.tolist(), "active": active.tolist()}


def _intervention(step: int) -> dict:
    undone = step >= CALM_AT
    return {
        "step": step,
        "intervention": "learning_rate_damp",
        "what": "embedding recovered: back to normal" if undone else "alarm in embedding: damp",
        "before": {"factor": 0.5 if undone else 1.0},
        "after": {"factor": 1.0 if undone else 0.5},
        "undone": undone,
    }
