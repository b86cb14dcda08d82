"""From verdicts to interventions: what is done about a layer that rings the alarm, and until when.

In: the watch's verdicts, an optimizer with stages. Out: damp, clip or reset of the tensors of the
layers in ALARM; all back to normal when their RECOVERY has ended.
Never: an action that the config does not name, on a layer that is not in alarm.
Source: ours.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from herd.foundation import UserError
from herd.stability.adam_tensors import layer_of
from herd.stability.interventions.episode import named, record
from herd.stability.interventions.learning_rate_damp import LearningRateDamp
from herd.stability.interventions.moment_reset import MomentReset
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from herd.stability.interventions.stage import Stage, named_tensors
from herd.stability.interventions.update_clip import UpdateClip
from herd.stability.verdict import Level, WatchVerdict

UNNAMED = re.compile(r"group\d+\.\d+$")  # what a tensor without a name is called

StageType = TypeVar("StageType", bound=Stage)


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseConfig:
    """What an alarm sets off, everything off by default."""

    damp: bool = False
    clip: bool = False
    reset: bool = False


class ResponsePolicy:
    """Switches the optimizer's stages layer by layer.

    Needs the stage of each response in the optimizer: `LearningRateDamp`, `UpdateClip` (built with
    enabled=False, so that it clips in alarm only), `MomentReset` (with every_steps=0, so that it
    resets in alarm only). Raises UserError when one is missing, and when the tensors have no names:
    the watch speaks of layers by the model's.
    """

    name = "response policy"

    def __init__(self, optimizer: StabilizedAdamW, config: ResponseConfig) -> None:
        self.optimizer = optimizer
        self.config = config
        unnamed = [
            name for name, *_ in named_tensors(optimizer, optimizer.names) if UNNAMED.match(name)
        ]
        if unnamed:
            raise UserError(
                f"{len(unnamed)} of the optimizer's tensors have no names, so that no alarm can find "
                "them; make StabilizedAdamW with named_parameters=model.named_parameters()"
            )
        self.damp = _stage(optimizer, LearningRateDamp) if config.damp else None
        self.clip = _stage(optimizer, UpdateClip) if config.clip else None
        self.reset = _stage(optimizer, MomentReset) if config.reset else None
        self.alarmed: set[str] = set()

    def respond(self, verdict: WatchVerdict, levels: Mapping[str, Level] | None = None) -> None:
        """Act on one verdict; from the next step on.

        `levels` are the watch's for each layer. Without them every layer that the verdict names
        counts as standing where the run stands.
        """
        if not verdict.watched:
            return
        if levels is None:
            levels = dict.fromkeys(verdict.layers, verdict.level)
        alarms = {layer for layer, level in levels.items() if level is Level.ALARM}
        held = {layer for layer, level in levels.items() if level is Level.RECOVERY}
        over = self.alarmed - alarms - held
        fresh = alarms - self.alarmed
        self._act(alarms, fresh)
        self._release(over)
        self.alarmed = (self.alarmed | alarms) - over
        self._report(verdict, fresh, over)

    def tensors_of(self, layers: Iterable[str]) -> list[str]:
        """Return the names of the optimizer's tensors in these layers."""
        wanted = set(layers)
        tensors = named_tensors(self.optimizer, self.optimizer.names)
        return [name for name, _, _ in tensors if layer_of(name) in wanted]

    def _act(self, alarms: set[str], fresh: set[str]) -> None:
        if self.damp and alarms:
            self.damp.damp(self.tensors_of(alarms))
        if self.clip and fresh:
            self.clip.switch_on(self.tensors_of(fresh))
        if self.reset and fresh:
            self.reset.reset(self.tensors_of(fresh))

    def _release(self, over: set[str]) -> None:
        if self.damp and over:
            self.damp.release(self.tensors_of(over))
        if self.clip and over:
            self.clip.switch_off(self.tensors_of(over))

    def _report(self, verdict: WatchVerdict, fresh: set[str], over: set[str]) -> None:
        log = self.optimizer.log
        words = [word for word in ("damp", "clip", "reset") if getattr(self.config, word)]
        if log is None or not words:
            return
        if fresh:
            reason = f" ({verdict.reasons[0]})" if verdict.reasons else ""
            what = f"alarm in {named(sorted(fresh))}{reason}: {', '.join(words)}"
            after = {"n_layers": len(self.alarmed)}
            log(record(verdict.step, self.name, what, before={"n_layers": 0}, after=after))
        if over:
            what = f"{named(sorted(over))} recovered: back to normal"
            after = {"n_layers": len(self.alarmed)}
            before = {"n_layers": len(self.alarmed) + len(over)}
            log(record(verdict.step, self.name, what, before=before, after=after, undone=True))

    def state_dict(self) -> dict[str, Any]:
        """Return the layers under treatment."""
        return {"alarmed": sorted(self.alarmed)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.alarmed = set(state["alarmed"])


def _stage(optimizer: StabilizedAdamW, kind: type[StageType]) -> StageType:
    for stage in optimizer.interventions:
        if isinstance(stage, kind):
            return stage
    raise UserError(
        f"the response needs the stage {kind.__name__}; give it to StabilizedAdamW's interventions"
    )
