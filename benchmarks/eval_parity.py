"""Does evaluation through Herd's engine give what lm-evaluation-harness's own `hf` back end gives, and how
much sooner?

SmolLM2-135M-Instruct in float32, the same tasks over the same local files, the harness's prompts, filters and
metrics on both sides; each task on each side in a process of its own, one after the other. Timed is what the
harness's `evaluate` takes, from documents to scores; loading the model is not. The peer has the fastest of
the batch sizes 1, 4, 8 and 16 (for written answers 8 and 16), tried on some questions of each task.

    python benchmarks/eval_parity.py [--data DIR] [--tasks arc_easy,piqa:200,...] [--batch-size N]

- items_different: questions whose score is not the same, by any metric of any filter
- max_loglikelihood_difference: nats, over all continuations of all questions
- ratio_speed: the peer's seconds over Herd's, all tasks together
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import herd
from herd.evals import choose, prepare
from herd.foundation import describe_environment
from herd.model import save_hf

MODEL = "smollm2-135m"
TASKS = "arc_easy,piqa,hellaswag:500,winogrande,gsm8k:50"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "bench"
BATCH_SIZES, N_PILOT = (1, 4, 8, 16), 24
BATCH_SIZES_WRITING, N_PILOT_WRITING = (8, 16), 16  # answers take the peer a minute


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--side", help="internal: one side of one task")
    parser.add_argument("--model", help="internal")
    parser.add_argument("--batch-size", type=int, default=0, help="the peer's; 0 tries several")
    parser.add_argument("--out", type=Path, help="internal")
    options = parser.parse_args()
    if options.side:
        one_side(options)
        return
    if not options.data.is_dir():
        sys.exit(f"no benchmarks in {options.data}: name their directory with --data")
    print(json.dumps(compare(options)))


def compare(options: argparse.Namespace) -> dict[str, Any]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        lm = herd.load(MODEL)
        save_hf(lm.model, Path(folder) / "model", tokenizer=lm.tokenizer)
        del lm
        for task in options.tasks.split(","):
            rows.append(compare_task(task, options.data, Path(folder), options.batch_size))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    seconds = {side: sum(row[f"{side}_s"] for row in rows) for side in ("herd", "hf")}
    environment = describe_environment()
    return {
        "benchmark": "eval_parity",
        "items_different": sum(row["items_different"] for row in rows),
        "max_loglikelihood_difference": max(row["max_difference_nats"] for row in rows),
        "ratio_speed": round(seconds["hf"] / seconds["herd"], 2),
        "tasks": rows,
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }


def compare_task(task: str, data: Path, folder: Path, batch_size: int) -> dict[str, Any]:
    ours = run_side("herd", task, data, folder)
    batch_size = batch_size or fastest_batch_size(task, data, folder)
    theirs = run_side("hf", task, data, folder, batch_size)
    pairs = list(zip(ours["items"], theirs["items"], strict=True))
    differences = [
        abs(mine - other)
        for a, b in pairs
        for mine, other in zip(
            a.get("loglikelihoods", []), b.get("loglikelihoods", []), strict=True
        )
    ]
    return {
        "task": task,
        "n": len(pairs),
        "items_different": sum(a["scores"] != b["scores"] for a, b in pairs),
        "answers_different": sum(a.get("answers") != b.get("answers") for a, b in pairs),
        "max_difference_nats": round(max(differences, default=0.0), 6),
        "herd_s": round(ours["seconds"], 1),
        "hf_s": round(theirs["seconds"], 1),
        "hf_batch_size": batch_size,
        "ratio": round(theirs["seconds"] / ours["seconds"], 2),
    }


def fastest_batch_size(task: str, data: Path, folder: Path) -> int:
    name = task.split(":")[0]
    writes = name.startswith("gsm8k")
    n, sizes = (N_PILOT_WRITING, BATCH_SIZES_WRITING) if writes else (N_PILOT, BATCH_SIZES)
    seconds = {size: run_side("hf", f"{name}:{n}", data, folder, size)["seconds"] for size in sizes}
    print(f"{name}: the peer's seconds by batch size {seconds}", file=sys.stderr, flush=True)
    return min(seconds, key=seconds.__getitem__)


def run_side(side: str, task: str, data: Path, folder: Path, batch_size: int = 1) -> dict[str, Any]:
    out = folder / "side.json"
    command = [sys.executable, __file__, "--side", side, "--tasks", task, "--data", str(data)]
    command += ["--model", str(folder / "model"), "--out", str(out)]
    command += ["--batch-size", str(batch_size)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return json.loads(out.read_text())


def one_side(options: argparse.Namespace) -> None:
    from herd.evals import harness_samples, items_of

    name, _, limit = options.tasks.partition(":")
    (run,) = prepare(choose([name], limit=int(limit) if limit else None), options.data).runs
    model = herd_model(options) if options.side == "herd" else hf_model(options)
    started = time.perf_counter()
    samples = harness_samples(run.task, model, limit=run.limit)
    seconds = time.perf_counter() - started
    options.out.write_text(json.dumps({"seconds": seconds, "items": items_of(samples)}))


def herd_model(options: argparse.Namespace) -> Any:
    from herd.evals import harness_model
    from herd.evaluation import EngineModel

    lm = herd.load(options.model)
    lm.generate("Once", max_new_tokens=2)  # the engine packs its weights when it is first asked
    return harness_model(EngineModel(lm))


def hf_model(options: argparse.Namespace) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(
        pretrained=options.model, dtype="float32", device="cpu", batch_size=options.batch_size
    )


if __name__ == "__main__":
    main()
