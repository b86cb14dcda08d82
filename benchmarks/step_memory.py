"""How much memory does a training step need, against `transformers`?

Each side runs alone in a process of its own: it builds the small model of `train_throughput`, takes
three whole steps and reports its largest resident set, less what was resident before the model was
built (so that the libraries imported do not count). `ours_gb` and `peer_gb` are the medians of
that; `ratio` is ours divided by the peer's, below 1 when we need less.

    python benchmarks/step_memory.py
"""

import json
import os
import resource
import statistics
import subprocess
import sys

N_REPEATS = 3
N_STEPS = 3
GIGABYTE = 1e9


def main() -> None:
    from herd.foundation import describe_environment

    runs = {side: [run_alone(side) for _ in range(N_REPEATS)] for side in ("ours", "peer")}
    gigabytes = {
        side: [run["step_bytes"] / GIGABYTE for run in repeats] for side, repeats in runs.items()
    }
    ours_gb, peer_gb = (statistics.median(gigabytes[side]) for side in ("ours", "peer"))
    environment = describe_environment()
    line = {
        "benchmark": "step_memory",
        "value": round(ours_gb / peer_gb, 3),
        "unit": "our peak memory divided by that of transformers",
        "ratio": round(ours_gb / peer_gb, 3),
        "ours_gb": round(ours_gb, 3),
        "peer_gb": round(peer_gb, 3),
        "spread": {side: [round(min(x), 3), round(max(x), 3)] for side, x in gigabytes.items()},
        "whole_process_gb": {
            side: round(statistics.median(run["peak_bytes"] for run in repeats) / GIGABYTE, 3)
            for side, repeats in runs.items()
        },
        "repeats": N_REPEATS,
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }
    print(json.dumps(line))


def run_alone(side: str) -> dict[str, int]:
    """Measure one side in a fresh process."""
    command = [sys.executable, os.path.abspath(__file__), side]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(side: str) -> dict[str, int]:
    """Take a few steps in this process and return its peak, whole and above the libraries."""
    import torch
    from train_throughput import SMALL, ours, peer

    resident_bytes = resident_now_bytes()
    step = {"ours": ours, "peer": peer}[side](SMALL, torch.device("cpu"))
    for _ in range(N_STEPS):
        step()
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    return {"peak_bytes": peak_bytes, "step_bytes": peak_bytes - resident_bytes}


def resident_now_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
