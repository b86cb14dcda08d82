"""Forget stale moments, then warm the learning rate up again.

In: every 500 steps all tensors, or chosen ones on demand. Out: m = 0 and v = 0 (or its mean over
the tensor), and a factor on the learning rate that rises as a cosine over 150 steps.
Never: a reset on demand that cannot be undone while its warm-up runs.
Source: SPAM (Huang et al. 2025, arXiv 2501.06842): the reset sets m and v to 0, and the count of
steps, hence the bias correction, goes on. The mean of v, for tensors on demand, is ours; so is
that the warm-up's k-th of n steps has the factor (1 - cos(pi k/n))/2.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from herd.foundation import UserError
from herd.stability.interventions.episode import named, record
from herd.stability.interventions.stage import Stage, StepRun
from herd.stability.interventions.tensor_step import TensorStep, widened


@dataclass(frozen=True, kw_only=True, slots=True)
class MomentResetConfig:
    """SPAM's period and warm-up, in steps. `every_steps` 0 resets on demand only.

    `keep_mean` fills v with its mean over the tensor on demand; the periodic reset is SPAM's.
    """

    every_steps: int = 500
    warmup_steps: int = 150
    keep_mean: bool = True

    def __post_init__(self) -> None:
        """Check every field."""
        if self.every_steps < 0 or self.warmup_steps < 0:
            raise UserError(
                "moment_reset.every_steps and moment_reset.warmup_steps must not be negative, not "
                f"{self.every_steps} and {self.warmup_steps}"
            )
        if 0 < self.every_steps <= self.warmup_steps:
            raise UserError(
                f"moment_reset.warmup_steps ({self.warmup_steps}) must be shorter than "
                f"every_steps ({self.every_steps}); else the learning rate never comes back"
            )


class MomentReset(Stage):
    """Resets, warm-ups that run, and what is needed to undo the resets on demand."""

    name = "moment reset"

    def __init__(self, config: MomentResetConfig | None = None, *, enabled: bool = True) -> None:
        super().__init__(enabled=enabled)
        self.config = config or MomentResetConfig()
        self.asked: set[str] = set()
        self.asked_back: set[str] = set()
        self.first_steps: dict[str, int] = {}
        self.kept: dict[str, tuple[Tensor, Tensor]] = {}

    def reset(self, names: Iterable[str]) -> None:
        """Reset these tensors at the next step."""
        self.asked |= set(names)

    def undo(self, names: Iterable[str] | None = None) -> None:
        """Put back the moments of resets on demand at the next step, and end their warm-up.

        Possible until the warm-up is over; then the new moments know more than the old.
        """
        self.asked_back |= set(self.kept if names is None else names)

    def begin(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Reset what is due, before the gradient comes in; a skipped step resets as well."""
        period = self.config.every_steps
        due = [t for t in tensors if self.applies_to(t.name)] if self._is_due(run, period) else []
        periodic = {tensor.name for tensor in due}
        asked = [t for t in tensors if t.name in self.asked - periodic and self.applies_to(t.name)]
        self._put_back([t for t in tensors if t.name in self.asked_back], run)
        self._forget_old(run)
        for tensor in asked:
            self.kept[tensor.name] = (
                tensor.stored("exp_avg").clone(),
                tensor.stored("exp_avg_sq").clone(),
            )
        self._clear(due, run, keep_mean=False)
        self._clear(asked, run, keep_mean=self.config.keep_mean)
        run.reset_names |= {tensor.name for tensor in due + asked}
        self.asked, self.asked_back = set(), set()

    def scale(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        """Warm up the learning rate of what was reset."""
        for tensor in tensors:
            if tensor.name in self.first_steps:
                factor = self.warmup_factor(run.step - self.first_steps[tensor.name] + 1)
                tensor.rate_factor = factor * tensor.rate_factor

    def warmup_factor(self, k: int) -> float:
        """Return the factor in the k-th step after a reset, k from 1."""
        n = self.config.warmup_steps
        return 1.0 if k >= n else (1 - math.cos(math.pi * k / n)) / 2

    def _is_due(self, run: StepRun, period: int) -> bool:
        return period > 0 and run.step > 1 and run.step % period == 0

    def _clear(self, tensors: Sequence[TensorStep], run: StepRun, *, keep_mean: bool) -> None:
        if not tensors:
            return
        shares = [widened(t.stored("exp_avg_sq")).sum() / max(1, t.n_coordinates) for t in tensors]
        means_T = run.sums(tensors, shares)
        for tensor, mean in zip(tensors, means_T.unbind(), strict=True):
            tensor.stored("exp_avg").zero_()
            second = tensor.stored("exp_avg_sq")
            if keep_mean:
                second.copy_(mean.to(second.device).expand_as(second))
            else:
                second.zero_()
            self.first_steps[tensor.name] = run.step
        if run.log is not None:
            rms = float(means_T.mean().sqrt())
            what = (
                f"m of {named([t.name for t in tensors])} set to 0, v to "
                f"{'its mean' if keep_mean else '0'}; learning rate warms up over "
                f"{self.config.warmup_steps} steps"
            )
            before = {"second_moment_rms": rms, "n_tensors": len(tensors)}
            after = {"second_moment_rms": rms if keep_mean else 0.0, "n_tensors": len(tensors)}
            run.log(record(run.step, self.name, what, before=before, after=after))

    def _put_back(self, tensors: Sequence[TensorStep], run: StepRun) -> None:
        back = [tensor for tensor in tensors if tensor.name in self.kept]
        for tensor in back:
            first, second = self.kept.pop(tensor.name)
            tensor.stored("exp_avg").copy_(first)
            tensor.stored("exp_avg_sq").copy_(second)
            self.first_steps.pop(tensor.name, None)
        if back and run.log is not None:
            what = f"moments of {named([t.name for t in back])} put back as before their reset"
            run.log(record(run.step, self.name, what, undone=True))

    def _forget_old(self, run: StepRun) -> None:
        n = max(1, self.config.warmup_steps)
        for name in [name for name, first in self.first_steps.items() if run.step - first >= n]:
            del self.first_steps[name]
            self.kept.pop(name, None)

    def own_state(self) -> dict[str, Any]:
        """Return what is asked for, the warm-ups, and the moments that could be put back."""
        return {
            "asked": sorted(self.asked),
            "asked_back": sorted(self.asked_back),
            "first_steps": dict(self.first_steps),
            "kept": {name: (m.clone(), v.clone()) for name, (m, v) in self.kept.items()},
        }

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over what `own_state` returned."""
        self.asked, self.asked_back = set(state["asked"]), set(state["asked_back"])
        self.first_steps = dict(state["first_steps"])
        self.kept = {name: (m.clone(), v.clone()) for name, (m, v) in state["kept"].items()}
