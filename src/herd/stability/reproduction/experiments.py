"""The experiments by name, and the one call that runs them and writes what they found.

In: names, an output directory, a number of seeds. Out: `ExperimentResult`s, on disk as each is
finished, so that an interrupted run keeps what it has.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from herd.foundation import UserError
from herd.stability.reproduction.league import run_league
from herd.stability.reproduction.r0_state_only import run_r0
from herd.stability.reproduction.r1_experiment import run_r1
from herd.stability.reproduction.r2_rare_rows import run_r2
from herd.stability.reproduction.r3_staged_transformer import run_r3
from herd.stability.reproduction.r4_experiment import run_r4
from herd.stability.reproduction.result import ExperimentResult, Report, silent
from herd.stability.reproduction.write_results import write_results

Run = Callable[[int, Report], ExperimentResult]
N_SEEDS = 20
MIN_SEEDS = 2  # fewer give no interval

EXPERIMENTS: Mapping[str, Run] = {
    "R0": run_r0,
    "R1": run_r1,
    "R2": run_r2,
    "R3": run_r3,
    "R4": run_r4,
    "league": run_league,
}
QUICK = ("R0", "R1", "R2", "R4")  # together under two minutes


def reproduce(
    names: Sequence[str],
    out: Path,
    *,
    n_seeds: int | None = None,
    progress: Report = silent,
) -> list[ExperimentResult]:
    """Run the named experiments (none named: the quick ones) and write their files into `out`.

    Without `n_seeds` each runs with its own number, at most 20.
    Raises UserError for an unknown name or fewer than two seeds, before anything runs.
    """
    wanted = list(dict.fromkeys(_known(name) for name in names or QUICK))
    n_seeds = N_SEEDS if n_seeds is None else n_seeds
    if n_seeds < MIN_SEEDS:
        raise UserError(
            f"an interval needs at least {MIN_SEEDS} seeds, not {n_seeds}; give --seeds 2 or more"
        )
    results = []
    for name in wanted:
        result = EXPERIMENTS[name](n_seeds, progress)
        progress(f"{name}: writing {out}")
        write_results(result, out)
        results.append(result)
    return results


def _known(name: str) -> str:
    by_folded = {known.casefold(): known for known in EXPERIMENTS}
    if name.casefold() in by_folded:
        return by_folded[name.casefold()]
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    hint = f"; did you mean {by_folded[near[0]]}?" if near else ""
    raise UserError(f"no experiment is called {name!r}; there are {', '.join(EXPERIMENTS)}{hint}")
