"""AdamW with stages: gradient, moments, epsilon, update, apply.

In: what torch's AdamW takes, and stages. Out: torch's own step where no stage is on, or where
those that are on change gradients only; else the same arithmetic, written out, in float32.
Never: the formula of a stage; a wait for the device unless a log asks for numbers.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from herd.foundation import UserError
from herd.stability.interventions.shard_sums import ReduceSums, sum_over_shards
from herd.stability.interventions.stage import Log, Stage, StepRun, tensor_steps
from herd.stability.interventions.tensor_step import TensorStep, widened


class StabilizedAdamW(torch.optim.AdamW):
    """torch's AdamW; `interventions` act in the order given.

    `named_parameters` are the model's, so that stages and log call tensors by name; parameters
    given to torch by name keep theirs. `reduce_sums` adds up sums over ranks (by default over the
    shards of DTensors); a pipeline, whose ranks hold different tensors, gives its own.
    Raises UserError for options that the stages do not support: amsgrad, differentiable, betas as
    tensors.
    """

    interventions: Sequence[Stage] = ()
    log: Log | None = None
    n_calls = 0

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        interventions: Sequence[Stage] = (),
        log: Log | None = None,
        named_parameters: Iterable[tuple[str, Tensor]] = (),
        reduce_sums: ReduceSums = sum_over_shards,
        **options: Any,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **options)
        self.interventions = tuple(interventions)
        self.log = log
        self.reduce_sums = reduce_sums
        self.names = {id(parameter): name for name, parameter in named_parameters}
        self._observed: dict[str, float | Tensor | None] = {}
        if self.interventions:
            self._check_options()
            self._step_supports_amp_scaling = False  # so that a GradScaler unscales by itself

    def observe(
        self, *, loss: float | Tensor | None = None, grad_norm: float | Tensor | None = None
    ) -> None:
        """Tell the next step its loss (nats a token) and gradient norm, for the rules that ask.

        Both must be the same number on every rank, else ranks would skip different steps.
        """
        self._observed = {"loss_nats": loss, "grad_norm": grad_norm}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Step once; return what the closure returned."""
        result = None
        if closure is not None:
            with torch.enable_grad():
                result = closure()
        self.n_calls += 1
        stages = [stage for stage in self.interventions if stage.enabled]
        if not stages:
            torch_step(self)
        else:
            self._step_in_stages(stages)
        self._observed = {}
        return result

    def _step_in_stages(self, stages: Sequence[Stage]) -> None:
        run = StepRun(
            step=self.n_calls,
            log=self.log,
            loss_nats=self._observed.get("loss_nats"),
            grad_norm=self._observed.get("grad_norm"),
            reduce_sums=self.reduce_sums,
        )
        tensors = tensor_steps(self, self.names)
        if all(stage.changes_gradients_only for stage in stages):
            for stage in stages:
                stage.change_gradients(tensors, run)
            torch_step(self)
            return
        self._make_moments()
        tensors = tensor_steps(self, self.names)
        for stage in stages:
            stage.begin(tensors, run)
        for stage in stages:
            stage.change_gradients(tensors, run)
        for tensor in tensors:
            advance_moments(tensor, stages, run.applied)
        for stage in stages:
            stage.choose_epsilon(tensors, run)
        for stage in stages:
            stage.scale(tensors, run)
        for tensor in tensors:
            tensor.apply(run.applied)
        for stage in stages:
            stage.finish(tensors, run)

    def _make_moments(self) -> None:
        """Have torch make the moments of tensors that meet their first gradient."""
        for group in self.param_groups:
            lists: list[list[Any]] = [[], [], [], [], [], []]
            self._init_group(group, *lists)  # type: ignore[no-untyped-call]

    def state_dict(self) -> dict[str, Any]:
        """Return torch's state and, where there are stages, theirs under `interventions`."""
        state = super().state_dict()
        if self.interventions:
            state["interventions"] = {
                "n_calls": self.n_calls,
                "stages": {stage.name: stage.state_dict() for stage in self.interventions},
            }
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state; stages that it does not know begin afresh."""
        super().load_state_dict(state_dict)
        saved = state_dict.get("interventions", {"n_calls": 0, "stages": {}})
        self.n_calls = saved["n_calls"]
        for stage in self.interventions:
            if stage.name in saved["stages"]:
                stage.load_state_dict(saved["stages"][stage.name])

    def _check_options(self) -> None:
        names = [stage.name for stage in self.interventions]
        if len(set(names)) < len(names):
            raise UserError(f"each intervention can stand in an optimizer once, not {names}")
        for group in self.param_groups:
            for option in ("amsgrad", "differentiable"):
                if group.get(option):
                    raise UserError(f"interventions do not support {option}; leave it off")
            if any(isinstance(beta, Tensor) for beta in group["betas"]):
                raise UserError("interventions need betas that are numbers, not tensors")


def advance_moments(tensor: TensorStep, stages: Sequence[Stage], applied: Tensor | None) -> None:
    """Take the gradient into m and v and count the step, or leave all three where not applied."""
    beta1, beta2 = tensor.betas
    gradient = tensor.descent_gradient
    first, second = tensor.stored("exp_avg"), tensor.stored("exp_avg_sq")
    first_new = torch.lerp(widened(first), gradient, 1 - beta1)
    before = widened(second)
    second_new = (before * beta2).addcmul_(gradient, gradient, value=1 - beta2)
    for stage in stages:
        if stage.applies_to(tensor.name):
            second_new = stage.second_moment(tensor, before, second_new)
    if applied is None:
        tensor.state["step"] += 1
    else:
        here = applied.to(first.device)
        first_new = torch.where(here, first_new, widened(first))
        second_new = torch.where(here, second_new, before)
        tensor.state["step"] = tensor.state["step"].to(first.device)  # the host does not know
        tensor.state["step"] += here
    first.copy_(first_new)
    second.copy_(second_new)


def torch_step(optimizer: torch.optim.AdamW) -> None:
    """Call torch's own step without its hooks, which the call from outside has run already."""
    step = inspect.unwrap(
        torch.optim.AdamW.step, stop=lambda call: not getattr(call, "hooked", False)
    )
    step(optimizer)
