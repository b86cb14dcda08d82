"""R1: does a sudden rise of the gain behind a cold layer kick Adam out of the valley?

In: seeds. Out: the specification's table 8.1 over seeds, the extension of it, the negative control,
the falsification checks, figures and a conclusion computed from all of them.
"""

import time
from collections.abc import Sequence

import numpy as np

from herd.stability.reproduction import r1_sweep as sweep
from herd.stability.reproduction.golden_rows import GoldenRow, golden_check, golden_table
from herd.stability.reproduction.intervals import mean_interval, share_interval
from herd.stability.reproduction.r1_chain_results import (
    CHAIN_ARMS,
    CHAIN_SEEDS,
    chain_checks,
    chain_table,
)
from herd.stability.reproduction.r1_checks import (
    direction_checks,
    gain_step_checks,
    order_checks,
    sweep_checks,
)
from herd.stability.reproduction.r1_falsification import (
    DESCENT_STEPS,
    DRIFT_STEPS,
    ORDER_STEPS,
    descent_ranks,
    descent_table,
    made_up_gradients,
    order_table,
    order_tests,
    recorded_gradients,
)
from herd.stability.reproduction.r1_figures import drawings
from herd.stability.reproduction.r1_gain_step import (
    Arm,
    GainStepTask,
    GainStepTrace,
    run_gain_step,
)
from herd.stability.reproduction.r1_gated_chain import run_gated_chain
from herd.stability.reproduction.r1_golden import ROWS, STATISTICS
from herd.stability.reproduction.result import (
    Cell,
    ExperimentResult,
    Report,
    Table,
    conclude,
    silent,
)
from herd.stability.simulator import Array

QUIET = sweep.QUIET
PERMUTED = tuple(Arm(beta2=b, epsilon=1e-6, permute_signs=True) for b in (0.95, 0.999))
ARMS = (*(arm for arm, _ in ROWS), *PERMUTED, QUIET)
SPIKE = 6.0  # a spike by the usual rule: six standard deviations
HISTOGRAM_STEPS = (-1, 0, 1, 4, 9, 29)  # after the switch


def run_r1(n_seeds: int, progress: Report = silent) -> ExperimentResult:
    """Run every part with seeds 0 to `n_seeds` - 1; the dear parts take fewer."""
    started = time.monotonic()
    seeds = range(n_seeds)
    progress(f"R1: gain step, {len(ARMS)} arms, {n_seeds} seeds")
    trace = run_gain_step(GainStepTask(), ARMS, seeds, _kept_steps(GainStepTask()))
    statistics = main_statistics(trace)
    rows = _golden_rows(statistics)
    progress("R1: falsification")
    tests = order_tests(_order_sources(trace, seeds), 0.95, seeds)
    tested = [ARMS.index(Arm(beta2=b, epsilon=e)) for e in (1e-6, 1e-8) for b in (0.95, 0.999)]
    ranks = descent_ranks(trace, tested, seeds)
    progress("R1: epsilon and beta2")
    grid = sweep.run_epsilon_grid(seeds)
    scores = sweep.run_extension(seeds, progress)
    progress("R1: gated chain, the negative control")
    chain = run_gated_chain(CHAIN_ARMS, seeds[:CHAIN_SEEDS])
    checks = (
        golden_check("golden values of the gain step (8.1)", rows),
        *gain_step_checks(trace, statistics),
        *direction_checks(trace, ranks),
        *order_checks(tests),
        *sweep_checks(grid, scores),
        *chain_checks(chain),
    )
    return ExperimentResult(
        name="R1",
        question="Does a sudden rise of the gain behind a cold layer kick Adam out of the valley, and "
        "what makes it worse?",
        tables=(
            _summary(trace, statistics),
            golden_table("golden", "Beside the specification's one seed", rows),
            sweep.epsilon_table(grid),
            sweep.extension_table(scores),
            chain_table(chain),
            order_table(tests),
            descent_table(trace, ranks),
        ),
        drawings=drawings(trace, grid, chain),
        checks=checks,
        conclusion=conclude(checks),
        seconds=time.monotonic() - started,
        seeds=tuple(seeds),
    )


def main_statistics(trace: GainStepTrace) -> dict[str, Array]:
    """Return the five statistics of table 8.1, each `[seed, arm]`."""
    switch = trace.task.n_cold_steps
    values = (
        trace.update_rms[:, switch - 20 : switch].mean(1),
        trace.update_rms[:, switch],
        trace.alignment[:, switch + 1],
        trace.loss_nats[:, switch : switch + 40].max(1),
        trace.spike_scores(),
    )
    return dict(zip(STATISTICS, values, strict=True))


def _kept_steps(task: GainStepTask) -> set[int]:
    switch = task.n_cold_steps
    around = range(switch - ORDER_STEPS, switch + ORDER_STEPS)
    return {*around, *DRIFT_STEPS, *(switch + k for k in (*DESCENT_STEPS, *HISTOGRAM_STEPS))}


def _golden_rows(statistics: dict[str, Array]) -> list[GoldenRow]:
    return [
        GoldenRow(
            setting=arm.name,
            statistic=name,
            values=[float(v) for v in statistics[name][:, i]],
            golden=value,
        )
        for i, (arm, printed) in enumerate(ROWS)
        for name, value in zip(STATISTICS, printed, strict=True)
        if value is not None
    ]


def _summary(trace: GainStepTrace, statistics: dict[str, Array]) -> Table:
    spikes = statistics["spike score"] > SPIKE
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            arm.name if arm is not QUIET else "nothing awakens (noise of the score)",
            *(mean_interval(statistics[name][:, i]) for name in STATISTICS),
            share_interval(int(spikes[:, i].sum()), len(spikes)),
        )
        for i, arm in enumerate(trace.arms)
    )
    base = mean_interval(trace.loss_nats[:, 140 : trace.task.n_cold_steps, 0])
    return Table(
        name="gain-step",
        caption=f"The gain step of 8.1; loss before the switch {base.mean:.3f} nats",
        columns=("arm", *STATISTICS, "share of seeds with score > 6"),
        rows=rows,
    )


def _order_sources(trace: GainStepTrace, seeds: Sequence[int]) -> dict[str, list[Array]]:
    made_up = [made_up_gradients(seed) for seed in seeds]
    sources = {name: [one[name] for one in made_up] for name in made_up[0]}
    for beta2, epsilon in ((0.95, 1e-6), (0.999, 1e-6), (0.95, 1e-8), (0.999, 0.0)):
        arm = Arm(beta2=beta2, epsilon=epsilon)
        index = trace.arms.index(arm)
        sources[f"after the switch: {arm.name}"] = recorded_gradients(trace, index, awake=True)
    cold = trace.arms.index(Arm(beta2=0.95, epsilon=0.0))
    name = "before the switch: beta2 0.95, eps 0"
    sources[name] = recorded_gradients(trace, cold, awake=False)
    return {name: [np.asarray(g, dtype=np.float64) for g in gs] for name, gs in sources.items()}
