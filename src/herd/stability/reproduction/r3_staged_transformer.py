"""R3: does a small deep decoder show the awakening, and is it likelier when deeper or with larger batches?

In: the number of seeds. Out: the arms at one size, the sweep over depth and batch size, figures,
checks and a conclusion computed from them.
"""

import time
from collections.abc import Sequence

from herd.stability.reproduction.r3_checks import awakening_checks, sweep_checks
from herd.stability.reproduction.r3_depth_and_batch import (
    BATCH_SIZES,
    DEPTHS,
    mechanism_table,
    run_sweep,
    spike_table,
)
from herd.stability.reproduction.r3_figures import drawings
from herd.stability.reproduction.r3_staged_arms import arms_table, run_arms
from herd.stability.reproduction.r3_staged_task import StagedArm, StagedTask
from herd.stability.reproduction.r3_staged_training import lay_foundation
from herd.stability.reproduction.result import ExperimentResult, Report, conclude, silent

ARMS_TASK = StagedTask(batch_size=16, n_awake_steps=40)
MOST_SEEDS = 5
REMARKS = (
    "The decoders are tiny, the switch is abrupt and the moments are young: this shows that the "
    "mechanism exists and what prevents it, not how often it strikes at scale.",
    "Every cell of the sweep trains as many steps, so larger batches have seen more text.",
)


def run_r3(
    n_seeds: int = MOST_SEEDS,
    progress: Report = silent,
    *,
    task: StagedTask | None = None,
    depths: Sequence[int] = DEPTHS,
    batch_sizes: Sequence[int] = BATCH_SIZES,
) -> ExperimentResult:
    """Run arms and sweep with seeds 0 to `n_seeds` - 1, five at most: the sweep is dear."""
    started = time.monotonic()
    seeds = range(min(n_seeds, MOST_SEEDS))
    progress(f"R3 arms: foundation, {len(seeds)} seeds")
    foundation = lay_foundation(task or ARMS_TASK, seeds)
    traces = run_arms(foundation, progress)
    cells = run_sweep(
        seeds,
        task=task or StagedTask(),
        depths=depths,
        batch_sizes=batch_sizes,
        progress=progress,
    )
    checks = (*awakening_checks(traces), *sweep_checks(cells))
    return ExperimentResult(
        name="R3",
        question="Does a small deep decoder that meets a new sub-language show the awakening, and "
        "is it likelier in deeper decoders and with larger batches?",
        tables=(
            arms_table(traces),
            spike_table(cells),
            mechanism_table(cells, StagedArm(name="").epsilon),
        ),
        drawings=drawings(traces, cells),
        checks=checks,
        conclusion=conclude(checks, REMARKS),
        seconds=time.monotonic() - started,
        seeds=tuple(seeds),
    )
