"""From which values on a statistic means something, derived from beta1 and beta2.

In: the betas of a parameter group. Out: `Thresholds`. What has no closed form (how much growth is a
jump) is an effect size, given here once with its reason.
Source: Molybog et al. 2023 for the state; the factors are ours, calibrated on the labelled runs of
`benchmarks/stability_detectors.py`.
"""

from dataclasses import dataclass

from herd.stability.theory import fresh_gradient_update, healthy_update_rms, memory_steps

SHORTEST_MEMORY_STEPS, LONGEST_MEMORY_STEPS = 20, 200
MATURE_STEPS = 64  # as many as the rules in use want of their windows


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """For one pair of betas.

    `large_rms` lies between a bell-shaped update and the kick of a single fresh gradient, in the
    geometric middle; `baseline_steps` is the memory of v, within 20 and 200 steps, the time over
    which a tensor's normal state is learned and after which an event is over; from `mature_steps` on
    it is known well enough to judge by.
    """

    healthy_rms: float
    large_rms: float
    kick: float
    baseline_steps: int
    mature_steps: int
    growth: float = 1.8  # of the RMS over its baseline: a jump (Marin saw 2, awakening gives 1.95)
    kicked_share: float = 0.05  # beyond the baseline's
    cold_share: float = 0.25  # of the coordinates that have a gradient
    stable_watch: float = 2.3  # StableAdamW's RMS ahead of spikes, Wortsman et al. 2023
    stable_alarm: float = 10.0
    uncorrelated: float = 0.05  # an alignment below this is no descent
    against_descent: float = -0.05
    against_steps: int = 3

    @classmethod
    def for_betas(cls, beta1: float, beta2: float) -> "Thresholds":
        """Return the thresholds of an Adam with these betas."""
        healthy = healthy_update_rms(beta1)
        kick = fresh_gradient_update(beta1, beta2)
        memory = round(memory_steps(beta2))
        baseline_steps = min(max(memory, SHORTEST_MEMORY_STEPS), LONGEST_MEMORY_STEPS)
        return cls(
            healthy_rms=healthy,
            large_rms=max(1.25 * healthy, min(2 * healthy, (healthy * kick) ** 0.5)),
            kick=kick,
            baseline_steps=baseline_steps,
            mature_steps=min(baseline_steps, MATURE_STEPS),
        )
