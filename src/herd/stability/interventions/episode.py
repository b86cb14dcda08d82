"""From the first step at which a stage acted to the last: two lines in the log, not a thousand.

In: at each step, how often the stage acted and the numbers before and after. Out: a record at the
onset of an episode and one at its end, with counts.
Never: a number read from a device; that is up to who calls.
"""

from collections.abc import Mapping
from typing import Any

from herd.stability.interventions.stage import Log

QUIET_STEPS = 10  # without acting, and the episode is over


class Episode:
    """The running episode of one stage, if any."""

    def __init__(self, intervention: str) -> None:
        self.intervention = intervention
        self.first_step = 0
        self.last_step = 0
        self.n_steps = 0

    def observe(
        self,
        log: Log,
        step: int,
        *,
        acted: bool,
        what: str = "",
        before: Mapping[str, float] | None = None,
        after: Mapping[str, float] | None = None,
    ) -> None:
        """Take note of one step; write a record where an episode begins or has ended."""
        if self.n_steps and step - self.last_step > QUIET_STEPS:
            self._end(log)
        if not acted:
            return
        if not self.n_steps:
            self.first_step = step
            log(record(step, self.intervention, what, before=before, after=after))
        self.last_step = step
        self.n_steps += 1

    def _end(self, log: Log) -> None:
        log(
            record(
                self.last_step,
                self.intervention,
                f"{self.intervention} is over: it acted in {self.n_steps} of the "
                f"{self.last_step - self.first_step + 1} steps from {self.first_step} to "
                f"{self.last_step}",
                before={"first_step": self.first_step},
                after={"last_step": self.last_step, "steps": self.n_steps},
                undone=True,
            )
        )
        self.n_steps = 0

    def state_dict(self) -> dict[str, int]:
        """Return where the episode stands."""
        return {
            "first_step": self.first_step,
            "last_step": self.last_step,
            "n_steps": self.n_steps,
        }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Take over what `state_dict` returned."""
        self.first_step = state["first_step"]
        self.last_step = state["last_step"]
        self.n_steps = state["n_steps"]


def record(
    step: int,
    intervention: str,
    what: str,
    *,
    before: Mapping[str, float] | None = None,
    after: Mapping[str, float] | None = None,
    undone: bool = False,
) -> dict[str, Any]:
    """Return a line for the log. `undone` says that the intervention is no longer in effect."""
    return {
        "step": step,
        "intervention": intervention,
        "what": what,
        "before": dict(before or {}),
        "after": dict(after or {}),
        "undone": undone,
    }


def named(names: list[str]) -> str:
    """Return up to three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
