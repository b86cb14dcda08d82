"""How good a detector is: recall, lead over the loss, precision, false alarms.

In: labelled runs and a detector. Out: `DetectorScore`. Alarms closer than 20 steps are one event. An
event is true if it begins within the 60 steps after an awakening; it is false anywhere else, quiet
runs and the steps before an awakening included. The lead counts steps from the first true event to
the first loss 6 deviations up; a missed episode with a spike counts as the worst lead there is.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from herd.stability.reproduction.detector_rules import Detector
from herd.stability.reproduction.detector_runs import EPISODE_STEPS, LabelledRun
from herd.stability.reproduction.intervals import Estimate, share_interval

MERGE_STEPS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorScore:
    """Of one detector over a set of runs. Counts stand beside what is made of them.

    `recall_of_spikes` is over awakenings that raised the loss; `ahead` is the share of those that
    were announced at least a step before it.
    """

    n_episodes: int
    n_spikes: int
    quiet_steps: int
    false_alarms: int
    recall: Estimate
    recall_of_spikes: Estimate
    ahead: Estimate
    precision: float
    median_lead_steps: float
    false_alarms_per_10000: float


def score(runs: Sequence[LabelledRun], detector: Detector) -> DetectorScore:
    """Judge a detector on labelled runs."""
    found: list[bool] = []
    leads: list[int] = []
    n_true = n_false = quiet_steps = 0
    for run in runs:
        events = [each for each in onsets(detector(run.steps)) if each >= run.first_judged]
        end = len(run.steps) if run.awakening is None else run.awakening
        quiet_steps += end - run.first_judged
        n_false += sum(event < end for event in events)
        if run.awakening is None:
            continue
        within = [event for event in events if 0 <= event - run.awakening < EPISODE_STEPS]
        n_true += bool(within)
        found.append(bool(within))
        if run.spike is not None:
            leads.append(run.spike - within[0] if within else -EPISODE_STEPS)
    spikes_found = sum(lead > -EPISODE_STEPS for lead in leads)
    return DetectorScore(
        n_episodes=len(found),
        n_spikes=len(leads),
        quiet_steps=quiet_steps,
        false_alarms=n_false,
        recall=share_interval(sum(found), len(found)),
        recall_of_spikes=share_interval(spikes_found, len(leads)),
        ahead=share_interval(sum(lead >= 1 for lead in leads), len(leads)),
        precision=n_true / (n_true + n_false) if n_true + n_false else float("nan"),
        median_lead_steps=statistics.median(leads) if leads else float("nan"),
        false_alarms_per_10000=1e4 * n_false / quiet_steps if quiet_steps else float("nan"),
    )


def onsets(alarms: Sequence[bool]) -> list[int]:
    """Return where events begin: an alarm with none in the 20 steps before it."""
    events: list[int] = []
    last = -MERGE_STEPS - 1
    for i, alarm in enumerate(alarms):
        if alarm:
            if i - last > MERGE_STEPS:
                events.append(i)
            last = i
    return events
