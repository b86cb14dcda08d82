"""The detectors that are compared: the watch, and the rules that people use today.

In: the steps of a run. Out: for each step whether the detector raises its alarm there.
Source: ZClip (arXiv 2504.02507): exponential mean and variance of the gradient norm, alpha 0.97, 25
steps to warm up, z > 2.5. OLMo-core's skip-step: loss or gradient norm 6 deviations above the last
128. Levanter's clip of update norms: 3 deviations above the last 128, after 64.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from herd.stability.reproduction.detector_runs import StepSeen
from herd.stability.verdict import Level

Detector = Callable[[Sequence[StepSeen]], list[bool]]


def watch(steps: Sequence[StepSeen]) -> list[bool]:
    """Herd's watch: level ALARM."""
    return [step.level is Level.ALARM for step in steps]


def zclip(steps: Sequence[StepSeen]) -> list[bool]:
    """ZClip's z-score of the gradient norm above 2.5, statistics fed with the clipped norm."""
    alpha, threshold, warmup_steps = 0.97, 2.5, 25
    norms = [step.grad_norm for step in steps]
    first = norms[:warmup_steps]
    mean = sum(first) / len(first)
    variance = sum((norm - mean) ** 2 for norm in first) / len(first)
    alarms = [False] * len(first)
    for norm in norms[warmup_steps:]:
        spread = math.sqrt(variance)
        z = (norm - mean) / (spread + 1e-6)
        alarms.append(not z <= threshold)
        taken = mean + threshold * spread / (z / threshold) if z > threshold else norm
        if math.isfinite(taken):
            variance = alpha * variance + (1 - alpha) * (taken - mean) ** 2
            mean = alpha * mean + (1 - alpha) * taken
    return alarms


def olmo(steps: Sequence[StepSeen]) -> list[bool]:
    """OLMo-core's rule: loss or gradient norm above mean + 6 deviations of the last 128."""
    by_loss = above(((step.loss_nats) for step in steps), sigmas=6.0)
    by_norm = above((step.grad_norm for step in steps), sigmas=6.0)
    return [loss or norm for loss, norm in zip(by_loss, by_norm, strict=True)]


def levanter(steps: Sequence[StepSeen]) -> list[bool]:
    """Levanter's rule: the update's norm above mean + 3 deviations of the last 128."""
    return above((step.update_norm for step in steps), sigmas=3.0)


def above(
    values: Iterable[float], *, sigmas: float, window_steps: int = 128, least_steps: int = 64
) -> list[bool]:
    """Return where a value is so many deviations above the mean of the window before it."""
    window: deque[float] = deque(maxlen=window_steps)
    alarms = []
    for value in values:
        is_high = False
        if len(window) >= least_steps:
            mean = sum(window) / len(window)
            spread = math.sqrt(sum((each - mean) ** 2 for each in window) / (len(window) - 1))
            is_high = not value <= mean + sigmas * spread
        alarms.append(is_high)
        if math.isfinite(value):
            window.append(value)
    return alarms


DETECTORS: dict[str, Detector] = {
    "watch": watch,
    "zclip": zclip,
    "olmo": olmo,
    "levanter": levanter,
}
