"""What the stabilisers compete on: the gain step (R1), rare rows (R2), the staged decoder (R3).

In: a seed. Out: `Contest`: parameters, the loss of each step, and what reference weights lose on the
same batch once the danger has begun: the optimum where it is known (R1, R2), else the weights as
they stood at the switch (R3).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from herd.stability.reproduction.r1_gain_step import COLD_GAIN, GainStepTask
from herd.stability.reproduction.r3_labelled_runs import StagedDecoder
from herd.stability.reproduction.r3_staged_task import StagedTask
from herd.stability.reproduction.r3_staged_training import draw, lay_foundation
from herd.stability.reproduction.r3_transformer import DecoderShape

COLD_STEPS = 210  # the watch knows a tensor after 200 steps at beta2 0.999
Named = list[tuple[str, nn.Parameter]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """One seed of a problem. `loss_at(step)` draws the step's batch and returns its loss.

    It must be called once a step, in order; `reference_nats[step]` is filled by that call, from the
    switch on.
    """

    parameters: Named
    loss_at: Callable[[int], Tensor]
    reference_nats: np.ndarray


@dataclass(frozen=True, kw_only=True, slots=True)
class LeagueProblem:
    """A problem: how to begin it, when the danger begins, around which settings the arms vary.

    `untrained_nats` is the loss of knowing nothing, Wortsman's loss at the start.
    """

    name: str
    begin: Callable[[int], Contest]
    switch: int
    n_steps: int
    learning_rate: float
    epsilon: float
    untrained_nats: float
    n_warmup_steps: int = 1
    rate_factors: tuple[float, ...] = (0.25, 1.0, 4.0)


def gain_step_problem(task: GainStepTask | None = None) -> LeagueProblem:
    """Return R1 under torch's bias correction: a vector at its optimum whose gain jumps to 1."""
    task = task or GainStepTask(n_cold_steps=COLD_STEPS, n_awake_steps=60)
    return LeagueProblem(
        name="R1",
        begin=lambda seed: _begin_gain_step(task, seed),
        switch=task.n_cold_steps,
        n_steps=task.n_steps,
        learning_rate=0.05,
        epsilon=1e-6,
        untrained_nats=float(np.log(2)),
    )


def _begin_gain_step(task: GainStepTask, seed: int) -> Contest:
    generator = torch.Generator().manual_seed(seed)
    d = task.n_dimensions
    optimum = 3 * torch.randn(d, generator=generator) / d**0.5
    offset = nn.Parameter(torch.zeros(d))
    reference = np.full(task.n_steps, np.nan)

    def loss_at(step: int) -> Tensor:
        x = torch.randn(task.batch_size, d, generator=generator)
        truth = x @ optimum
        labels = torch.bernoulli(torch.sigmoid(truth), generator=generator)
        awake = step >= task.n_cold_steps
        if awake:
            reference[step] = float(functional.binary_cross_entropy_with_logits(truth, labels))
        logits = truth + (1.0 if awake else COLD_GAIN) * (x @ offset)
        return functional.binary_cross_entropy_with_logits(logits, labels)

    return Contest(parameters=[("early.offset", offset)], loss_at=loss_at, reference_nats=reference)


@dataclass(frozen=True, kw_only=True, slots=True)
class RareRowsTask:
    """An embedding of which the rare half is absent for a while, then comes in every batch."""

    n_rows: int = 200
    width: int = 16
    batch_size: int = 256
    n_absent_steps: int = COLD_STEPS
    n_present_steps: int = 60


def rare_rows_problem(task: RareRowsTask | None = None) -> LeagueProblem:
    """Return R2 as a contest: logistic regression on rows of an embedding, from its optimum.

    R2 itself has gradients and no loss; here the rare rows come back with one.
    """
    task = task or RareRowsTask()
    return LeagueProblem(
        name="R2",
        begin=lambda seed: _begin_rare_rows(task, seed),
        switch=task.n_absent_steps,
        n_steps=task.n_absent_steps + task.n_present_steps,
        learning_rate=0.05,
        epsilon=1e-6,
        untrained_nats=float(np.log(2)),
    )


def _begin_rare_rows(task: RareRowsTask, seed: int) -> Contest:
    generator = torch.Generator().manual_seed(seed)
    readout = 3 * torch.randn(task.width, generator=generator) / task.width**0.5
    optimum = torch.randn(task.n_rows, task.width, generator=generator)
    table = nn.Parameter(optimum.clone())
    reference = np.full(task.n_absent_steps + task.n_present_steps, np.nan)
    half = task.n_rows // 2

    def loss_at(step: int) -> Tensor:
        present = step >= task.n_absent_steps
        rows = torch.randint(
            0, task.n_rows if present else half, (task.batch_size,), generator=generator
        )
        truth = optimum[rows] @ readout
        labels = torch.bernoulli(torch.sigmoid(truth), generator=generator)
        if present:
            reference[step] = float(functional.binary_cross_entropy_with_logits(truth, labels))
        return functional.binary_cross_entropy_with_logits(
            functional.embedding(rows, table) @ readout, labels
        )

    return Contest(
        parameters=[("embedding.table", table)], loss_at=loss_at, reference_nats=reference
    )


def staged_problem(task: StagedTask | None = None) -> LeagueProblem:
    """Return R3: the staged decoder; every arm starts from the same weights of a seed."""
    task = task or StagedTask(
        shape=DecoderShape(n_layers=4), batch_size=8, n_cold_steps=COLD_STEPS, n_awake_steps=30
    )
    starts: dict[int, Callable[[], Contest]] = {}

    def begin(seed: int) -> Contest:
        if seed not in starts:
            starts[seed] = _staged_start(task, seed)
        return starts[seed]()

    return LeagueProblem(
        name="R3",
        begin=begin,
        switch=task.n_cold_steps,
        n_steps=task.n_cold_steps + task.n_awake_steps,
        learning_rate=1e-2,
        epsilon=1e-3,
        untrained_nats=float(np.log(task.shape.vocabulary)),
        n_warmup_steps=task.n_warmup_steps,
        rate_factors=(0.5, 1.0, 2.0),
    )


def _staged_start(task: StagedTask, seed: int) -> Callable[[], Contest]:
    foundation = lay_foundation(task, [seed])

    def start() -> Contest:
        model = StagedDecoder(task.shape, foundation.weights_RP[0])
        generators = foundation.generators()
        reference = np.full(task.n_cold_steps + task.n_awake_steps, np.nan)
        frozen: list[StagedDecoder] = []

        def loss_at(step: int) -> Tensor:
            awake = step >= task.n_cold_steps
            batch_BS = draw(task, generators, new=awake)[0]
            if awake:
                if not frozen:
                    flat = [p.detach().flatten() for p in model.parameters()]
                    frozen.append(StagedDecoder(task.shape, torch.cat(flat)))
                with torch.no_grad():
                    reference[step] = float(frozen[0].loss(batch_BS))
            return model.loss(batch_BS)

        return Contest(
            parameters=list(model.named_parameters()), loss_at=loss_at, reference_nats=reference
        )

    return start
