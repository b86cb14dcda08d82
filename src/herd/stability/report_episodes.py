"""What happened in a run: episodes of layers that were not OK, and whether the loss came later.

In: a `RunReading`. Out: `Episode`s in the order of time, with the watch's own words and mechanism; the
lead of the first alarm over the loss.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from herd.stability.adam_tensors import layer_of
from herd.stability.log_line import LEVELS, Change
from herd.stability.reasons import MEANING
from herd.stability.rolling_score import SPIKE_Z
from herd.stability.run_reading import RunReading
from herd.stability.verdict import Level, Mechanism

WHOLE_RUN = "whole run"
SHORT_CALM_STEPS = 20  # a shorter calm does not end an episode
LOSS_NEAR_STEPS = 100  # a loss spike further away belongs to something else
CONCERN = np.array([level.concern for level in LEVELS], dtype=np.uint8)
BY_CONCERN = sorted(LEVELS, key=lambda level: level.concern)
WORDS = {  # what only one mechanism's sentence says
    "it barely learns": Mechanism.COLD,
    "attention logit": Mechanism.ATTENTION_LOGITS,
    "log Z": Mechanism.OUTPUT_LOGITS,
    "sharpness": Mechanism.OSCILLATION,
    "look at the batch": Mechanism.BAD_BATCH,
    **{words: mechanism for mechanism, words in MEANING.items()},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """A stretch of steps in which one layer, or the run as a whole, was not OK.

    `worst_at` is the first step at the worst level. `is_over` is False for one that lasts.
    """

    layer: str
    first: int
    last: int
    worst: Level
    worst_at: int
    is_over: bool
    reason: str = ""
    mechanism: str = ""


def find_episodes(reading: RunReading) -> list[Episode]:
    """Return the episodes by their first step, those of one step in the model's order."""
    sentences = _sentences(reading)
    found = []
    for place, layer in enumerate(reading.layers):
        found += _stretches(reading, layer, CONCERN[reading.level_NL[:, place]], sentences)
    layers_concern = CONCERN[reading.level_NL].max(axis=1)
    run_concern = CONCERN[reading.level_N]
    alone = np.where(run_concern > layers_concern, run_concern, 0)
    found += _stretches(reading, WHOLE_RUN, alone, sentences)
    return sorted(found, key=lambda episode: episode.first)


def first_worst(reading: RunReading) -> tuple[Level, int]:
    """Return the worst level of the run and the first step that had it."""
    concern = CONCERN[reading.level_N]
    place = int(concern.argmax())
    return LEVELS[reading.level_N[place]], int(reading.step_N[place])


def lead_steps(reading: RunReading, episodes: Sequence[Episode]) -> int | None:
    """Return by how many steps the first alarm of a layer came before the loss's z-score passed 6.

    Negative where the loss came first; None where there was no alarm or no loss spike near it.
    """
    alarms = [each for each in episodes if each.worst is Level.ALARM and each.layer != WHOLE_RUN]
    if not alarms:
        return None
    alarm_at = min(each.worst_at for each in alarms)
    end = max(each.last for each in alarms if each.first <= alarm_at + LOSS_NEAR_STEPS)
    spikes = reading.step_N[reading.loss_z_N > SPIKE_Z]
    near = spikes[(spikes >= alarm_at - LOSS_NEAR_STEPS) & (spikes <= end + LOSS_NEAR_STEPS)]
    return int(near[0]) - alarm_at if len(near) else None


def _stretches(
    reading: RunReading,
    layer: str,
    concern_N: NDArray[np.uint8],
    sentences: Mapping[str, Sequence[tuple[Change, str]]],
) -> list[Episode]:
    places = np.flatnonzero(concern_N)
    if not len(places):
        return []
    steps = reading.step_N
    is_gap = (np.diff(places) > 1) & (np.diff(steps[places]) > SHORT_CALM_STEPS)
    found = []
    for part in np.split(places, np.flatnonzero(is_gap) + 1):
        worst_place = int(part[concern_N[part].argmax()])
        worst = BY_CONCERN[concern_N[worst_place]]
        first, last, at = (int(steps[place]) for place in (part[0], part[-1], worst_place))
        reason, mechanism = _words(sentences.get(layer, ()), first, last, at)
        is_over = int(part[-1]) < len(steps) - 1
        found.append(
            Episode(
                layer=layer,
                first=first,
                last=last,
                worst=worst,
                worst_at=at,
                is_over=is_over,
                reason=reason,
                mechanism=mechanism,
            )
        )
    return found


def _words(
    sentences: Sequence[tuple[Change, str]], first: int, last: int, worst_at: int
) -> tuple[str, str]:
    """Return the sentence said at the worst step or, failing that, the nearest one in the episode."""
    inside = [(change, text) for change, text in sentences if first <= change.step <= last]
    if not inside:
        return "", ""
    change, text = min(inside, key=lambda each: abs(each[0].step - worst_at))
    return text, mechanism_of(text, change.mechanisms)


def mechanism_of(reason: str, mechanisms: Sequence[str]) -> str:
    """Return which of a step's mechanisms a sentence is about, empty if that cannot be told."""
    for words, mechanism in WORDS.items():
        if words in reason and mechanism.value in mechanisms:
            return mechanism.value
    return mechanisms[0] if len(mechanisms) == 1 else ""


def _sentences(reading: RunReading) -> dict[str, list[tuple[Change, str]]]:
    """Return what was said of each layer: a sentence about a tensor begins with its name."""
    found: dict[str, list[tuple[Change, str]]] = defaultdict(list)
    layers = set(reading.layers)
    for change in reading.changes:
        for reason in change.reasons:
            layer = layer_of(reason.partition(": ")[0])
            found[layer if layer in layers else WHOLE_RUN].append((change, reason))
    return found
