"""R0: does Adam's state alone, fed with made-up gradients, give the numbers of the theory?

In: seeds. Out: the golden values of the specification (3.2 to 3.4, 8.0) beside formula and
measurement, what the statistics can tell apart (signal and persistent noise), figures.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from herd.stability import theory
from herd.stability.reproduction.golden_rows import golden_check, golden_table
from herd.stability.reproduction.r0_checks import claim_checks, tolerance_checks
from herd.stability.reproduction.r0_figures import (
    draw_awakening,
    draw_confound,
    draw_histograms,
)
from herd.stability.reproduction.r0_rows import awakening_rows, cosine_rows, fresh_rows, shape_rows
from herd.stability.reproduction.r0_samples import (
    BETA1,
    LONG_BETA2S,
    MAX_SEEDS,
    RHOS,
    SIGNALS,
    Samples,
    one_seed,
)
from herd.stability.reproduction.result import (
    Drawing,
    ExperimentResult,
    Report,
    conclude,
    silent,
)


def run_r0(n_seeds: int, progress: Report = silent) -> ExperimentResult:
    """Simulate every set-up of 8.0 with seeds 0 to `n_seeds` - 1, at most 5."""
    started = time.monotonic()
    n_seeds = min(n_seeds, MAX_SEEDS)
    samples: Samples = {}
    pictures: dict[str, Any] = {}
    for seed in range(n_seeds):
        progress(f"R0: state only, seed {seed + 1} of {n_seeds}")
        for key, value in one_seed(seed, pictures if seed == 0 else None).items():
            samples.setdefault(key, []).append(value)
    shapes, cosines = shape_rows(samples), cosine_rows(samples)
    awakening, fresh = awakening_rows(samples), fresh_rows()
    checks = (
        *tolerance_checks(samples, fresh),
        golden_check("golden values, correlated gradients (3.3)", shapes),
        golden_check("golden values, cosines (8.0)", cosines),
        golden_check("golden values, awakening, biased and partial (8.0)", awakening),
        *claim_checks(samples),
    )
    tables = (
        golden_table("correlated", "Correlated gradients, beta1 0.9, 300 steps", shapes),
        golden_table("cosines", "Cosines after 400 steps", cosines),
        golden_table("awakening", "Awakening, biased gradients, partial awakening", awakening),
        golden_table("fresh-gradient", "One to twenty equal gradients on a cold coordinate", fresh),
    )
    return ExperimentResult(
        name="R0",
        question="Does Adam's state alone, fed with made-up gradients, behave as the closed forms say?",
        tables=tables,
        drawings=_drawings(samples, pictures),
        checks=checks,
        conclusion=conclude(checks),
        seconds=time.monotonic() - started,
        seeds=tuple(range(n_seeds)),
    )


def _drawings(samples: Samples, pictures: Mapping[str, Any]) -> tuple[Drawing, ...]:
    means = {key: float(np.mean(values)) for key, values in samples.items()}
    return (
        Drawing(
            name="histograms",
            caption="Updates of 20,000 coordinates (one seed) under gradients of growing "
            "correlation in time: at beta2 0.95 two humps part, at 0.999 the bell widens.",
            draw=lambda: draw_histograms(pictures["correlated"], LONG_BETA2S, RHOS),
        ),
        Drawing(
            name="awakening",
            caption="Norm and bimodality after the switch; mean over seeds, crosses are golden.",
            draw=lambda: draw_awakening(means, theory.fresh_gradient_update(BETA1, 0.95)),
        ),
        Drawing(
            name="signal-confound",
            caption="A good gradient enlarges and splits the update as well: only the alignment "
            "with the gradient that follows tells a kick apart.",
            draw=lambda: draw_confound(means, RHOS, SIGNALS),
        ),
    )
