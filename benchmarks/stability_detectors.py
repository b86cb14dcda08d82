"""Does the watch see awakenings before the loss does, and better than the rules in use?

Labelled runs, the same for every detector: an early layer that went cold and is woken (by a gain that
rises at once or within eight steps, to 1, 3 or 10, of all or a third of its coordinates, under beta2
0.95, 0.98 and 0.999 and two learning rates), staged transformers (R3), and quiet runs that tempt a
detector: a layer that stays cold, gates that open, rare tokens, new data halfway.
Beside these, reported apart: runs whose second moment was never below epsilon, so that the layer
drifts along a flat direction; there the loss rises in the very step of the switch.

    python benchmarks/stability_detectors.py [--seeds 2] [--quiet-seeds 3] [--first-seed 1000]

Seeds begin at 1,000: the watch's effect sizes were chosen on seeds 0 to 71 of these problems, and are
judged on others.

An episode is found if an alarm begins within 60 steps of the switch. The lead counts from there to the
first loss 6 deviations above the quiet before it. Progress on stderr, one JSON line last.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

import torch

from herd.foundation import describe_environment
from herd.stability.reproduction.detector_quiet import quiet_runs
from herd.stability.reproduction.detector_rules import DETECTORS
from herd.stability.reproduction.detector_runs import GainProblem, LabelledRun, gain_run
from herd.stability.reproduction.detector_score import DetectorScore, score
from herd.stability.reproduction.r3_labelled_runs import labelled_runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="of each awakening")
    parser.add_argument("--quiet-seeds", type=int, default=3, help="of each quiet run")
    parser.add_argument("--first-seed", type=int, default=1000)
    arguments = parser.parse_args()
    first = arguments.first_seed
    torch.set_num_threads(1)  # the tensors are small
    awakenings = list(told(awakening_runs(arguments.seeds, first), "awakenings"))
    quiet_seeds = range(first, first + arguments.quiet_seeds)
    quiet = list(told(itertools.chain(*map(quiet_runs, quiet_seeds)), "quiet runs"))
    staged = list(told(itertools.chain(*map(labelled_runs, quiet_seeds)), "staged transformers"))
    drifts = list(told(drift_runs(arguments.seeds, first), "drifts"))
    judged = {name: score(awakenings + quiet + staged, rule) for name, rule in DETECTORS.items()}
    print_table(judged)
    drifted = {name: score(drifts, rule) for name, rule in DETECTORS.items()}
    print(json.dumps(line(judged, drifted)))


def awakening_runs(n_seeds: int, first_seed: int) -> Iterator[LabelledRun]:
    """Yield the woken layers: 72 settings, each with its own seed."""
    settings = itertools.product(
        (0.95, 0.98, 0.999), (0.05, 0.1), (1.0, 3.0, 10.0), (1.0, 1 / 3), (1, 8), range(n_seeds)
    )
    for i, (beta2, rate, gain, fraction, rise_steps, _) in enumerate(settings):
        problem = GainProblem(
            name=f"beta2 {beta2}, rate {rate}, gain {gain:g}, share {fraction:.2g}, rise {rise_steps}",
            beta2=beta2,
            learning_rate=rate,
            after=gain,
            fraction=fraction,
            rise_steps=rise_steps,
        )
        yield gain_run(problem, seed=first_seed + i)


def drift_runs(n_seeds: int, first_seed: int) -> Iterator[LabelledRun]:
    """Yield layers whose gradients are tiny but far above epsilon, then ordinary."""
    for i, (beta2, _) in enumerate(itertools.product((0.95, 0.999), range(4 * n_seeds))):
        yield gain_run(
            GainProblem(name=f"drift, beta2 {beta2}", beta2=beta2, epsilon=1e-10), seed=i
        )


def told(runs: Iterator[LabelledRun], what: str) -> Iterator[LabelledRun]:
    for i, run in enumerate(runs):
        print(f"\r{what}: {i + 1}", end="", file=sys.stderr, flush=True)
        yield run
    print(file=sys.stderr)


def print_table(judged: dict[str, DetectorScore]) -> None:
    header = ("detector", "recall", "of spikes", "ahead", "lead", "false/10k", "precision")
    print(" ".join(f"{name:>10}" for name in header), file=sys.stderr)
    for name, each in judged.items():
        cells = (
            f"{each.recall.mean:.3f}",
            f"{each.recall_of_spikes.mean:.3f}",
            f"{each.ahead.mean:.3f}",
            f"{each.median_lead_steps:g}",
            f"{each.false_alarms_per_10000:.2f}",
            f"{each.precision:.3f}",
        )
        print(" ".join(f"{cell:>10}" for cell in (name, *cells)), file=sys.stderr)


def line(judged: dict[str, DetectorScore], drifted: dict[str, DetectorScore]) -> dict[str, object]:
    watch = judged["watch"]
    environment = describe_environment()
    return {
        "benchmark": "stability_detectors",
        "recall": watch.recall.mean,
        "median_lead_steps": watch.median_lead_steps,
        "false_alarms_per_10000": watch.false_alarms_per_10000,
        "episodes": watch.n_episodes,
        "spikes": watch.n_spikes,
        "quiet_steps": watch.quiet_steps,
        "detectors": {name: asdict(each) for name, each in judged.items()},
        "drift": {name: asdict(each) for name, each in drifted.items()},
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }


if __name__ == "__main__":
    main()
