"""How a stabiliser is scored: does it spike, what does it cost, how much hangs on the learning rate.

In: loss curves with those of reference weights on the same batches, by arm, learning rate and seed.
Out: spike probability, excess loss and learning-rate sensitivity.
Source: sensitivity is E_eta[min(final loss, loss_0)] - best loss (Wortsman et al. 2023, section
2.2); the label of a spike is that of `r3_spike_labels`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from herd.stability.reproduction.r3_spike_labels import Array, first_spike_step

FINAL_STEPS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class LeagueRun:
    """One run; both curves over all steps, `reference_nats` NaN before the switch."""

    problem: str
    arm: str
    rate_factor: float
    seed: int
    loss_nats: Array
    reference_nats: Array

    @property
    def spiked(self) -> bool:
        """Whether the run lost more than the reference by 6 sigma of its batch noise."""
        return first_spike_step(self.loss_nats, self.reference_nats) is not None

    @property
    def awake(self) -> np.ndarray:
        """The steps from the switch on."""
        return np.isfinite(self.reference_nats)

    @property
    def danger_loss_nats(self) -> float:
        """The mean loss from the switch on; infinite if one was not finite."""
        losses = self.loss_nats[self.awake]
        return float(losses.mean()) if np.isfinite(losses).all() else float("inf")

    @property
    def final_loss_nats(self) -> float:
        """The mean loss of the last 10 steps; infinite if one was not finite."""
        losses = self.loss_nats[-FINAL_STEPS:]
        return float(losses.mean()) if np.isfinite(losses).all() else float("inf")


def excess_losses(runs: Sequence[LeagueRun], arm: str, untrained_nats: float) -> list[float]:
    """Return for each seed: an arm's mean loss after the switch over that seed's best arm and rate.

    Averaged over the rates; no run counts for worse than knowing nothing.
    """
    excesses = []
    for seed in sorted({run.seed for run in runs}):
        of_seed = [run for run in runs if run.seed == seed]
        best = min(run.danger_loss_nats for run in of_seed)
        losses = [min(run.danger_loss_nats, untrained_nats) for run in of_seed if run.arm == arm]
        excesses.append(float(np.mean(losses)) - best)
    return excesses


def rate_sensitivities(runs: Sequence[LeagueRun], arm: str, untrained_nats: float) -> list[float]:
    """Return for each seed the mean over rates of min(final loss, loss_0), minus the best of them."""
    sensitivities = []
    for seed in sorted({run.seed for run in runs}):
        finals = [r.final_loss_nats for r in runs if r.seed == seed and r.arm == arm]
        capped = np.minimum(finals, untrained_nats)
        sensitivities.append(float(capped.mean() - capped.min()))
    return sensitivities
