"""How fast does a Llama learn tiny Shakespeare on two cores?

    python benchmarks/time_to_loss.py [--data PATH] [--seeds N] [--peer]

Characters are tokens; the first 90 % of the text train and the last 10 % validate. Measured are
the seconds to 1.886 nats per character, where nanoGPT's published CPU command ends after 100 s,
and the loss at 100 s, in one run. The clock counts everything from the construction of the model
to the loss; reading the text, imports and validation are outside it.
A validation takes every character of the split, in windows side by side of the context then in
use, in float32. nanoGPT's number is an estimate from random batches of its context, 64.
Progress goes to stderr; the last line on stdout is JSON.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from tiny_shakespeare import text as tiny_text
from tiny_shakespeare.recipe import Herd
from tiny_shakespeare.timed import Curve, run

from herd.foundation import UserError, describe_environment

DATA = Path(__file__).resolve().parents[2] / "shared/data/pretrain/tinyshakespeare.txt.gz"


def main() -> int:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    try:
        text = tiny_text.load(arguments.data)
    except UserError as error:
        print(f"time_to_loss: {error}", file=sys.stderr)
        return 2
    timing = {"budget_s": arguments.seconds, "threads": arguments.threads}
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    curves = [
        run(
            lambda seed=seed: Herd(text, seed=seed),
            name=f"herd seed {seed}",
            first_look_s=6.0,
            **timing,
        )
        for seed in seeds
    ]
    result = {
        **summary(curves, arguments.seconds),
        "budget_s": arguments.seconds,
        "seeds": list(seeds),
    }
    if arguments.peer:
        result |= {
            f"peer_{key}": value for key, value in peer_summary(text, timing, seeds[0]).items()
        }
    print(
        json.dumps(result | {"threads": arguments.threads, "environment": describe_environment()})
    )
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="tiny Shakespeare, gzipped")
    parser.add_argument(
        "--seconds", type=float, default=100.0, help="training time of each run; the keys say 100"
    )
    parser.add_argument("--seeds", type=int, default=2, help="number of runs")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", action="store_true", help="run the plain peer as well")
    return parser.parse_args()


def summary(curves: list[Curve], budget_s: float) -> dict[str, Any]:
    """Means over the runs and each run; None where a run never arrived or had not 100 s."""
    seconds = [curve.seconds_to_target for curve in curves]
    final = [curve.final_nats for curve in curves]
    arrived = [value for value in seconds if value is not None]
    return {
        "seconds_to_1886": round(statistics.mean(arrived), 2) if arrived == seconds else None,
        "seconds_to_1886_by_seed": [value and round(value, 2) for value in seconds],
        "nats_at_100s": round(statistics.mean(final), 4) if budget_s == 100.0 else None,
        "final_nats_by_seed": [round(nats, 4) for nats in final],
        "steps_by_seed": [curve.n_steps for curve in curves],
        "busy_frac_by_seed": [round(curve.busy_frac, 3) for curve in curves],
    }


def peer_summary(text: tiny_text.Text, timing: dict[str, Any], seed: int) -> dict[str, Any]:
    from tiny_shakespeare.peer import Peer  # transformers, which takes seconds to import

    curve = run(lambda: Peer(text, seed=seed), name="peer", first_look_s=20.0, **timing)
    return summary([curve], timing["budget_s"])


if __name__ == "__main__":
    sys.exit(main())
