"""What happens beside the steps: functions of the state and the step's metrics.

In: a state, its metrics. Out: a verdict: fields for the log, and a reason to stop if there is one.
Never: a pointer back into the loop; a hook that needs the model is given it when it is made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from herd.training.metrics import StepMetrics
from herd.training.state import TrainState, crossed


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a hook has to say: fields to log with this step; a reason if the run should stop.

    `failed` says that the model is no good any more: the run ends unsaved, to be rolled back.
    """

    record: Mapping[str, Any] = field(default_factory=dict)
    stop: str = ""
    failed: bool = False


Hook = Callable[[TrainState, StepMetrics], Verdict]


def every_tokens(every: int, horizon_tokens: int, hook: Hook) -> Hook:
    """Return a hook that runs after the first step, at each multiple of `every`, and at the end.

    With `every` 0 it never runs.
    """

    def when_due(state: TrainState, metrics: StepMetrics) -> Verdict:
        before = state.tokens - metrics.batch_tokens
        is_end = state.tokens >= horizon_tokens
        if every > 0 and (state.step == 1 or is_end or crossed(before, state.tokens, every)):
            return hook(state, metrics)
        return Verdict()

    return when_due


def sampling_hook(generate: Callable[[str], str], prompts: tuple[str, ...]) -> Hook:
    """Return a hook that logs what `generate` makes of each prompt."""

    def sample(state: TrainState, metrics: StepMetrics) -> Verdict:
        samples = [{"prompt": prompt, "text": generate(prompt)} for prompt in prompts]
        return Verdict(record={"samples": samples})

    return sample
