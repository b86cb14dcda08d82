"""The initial stage in numbers, and what it is trained on.

Out: `InitialConfig`, a field of every recipe; `PackedText`, which the pipeline opens.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from herd.data import ShardReader
from herd.foundation import UserError
from herd.model import Transformer
from herd.stability import InterventionConfig, RollbackRule
from herd.tokenizer import Tokenizer
from herd.training import LoopConfig, OptimizerConfig

MakeGenerate = Callable[[Transformer, Tokenizer], Callable[[str], str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class InitialConfig:
    """The stage in numbers. What happens `every_tokens` also happens at the start and the end.

    `recompute` keeps only the input of each layer for the backward pass: less memory, about a
    third more arithmetic. `compile` hands the loss to torch.compile, which needs a C++ compiler on
    a CPU. `sample_prompts` are continued as training goes, for the report. The watch on Adam looks
    at every `watch_every_steps`-th step, at every one where something is wrong, and not at all at 0.
    `rollback` says how far and how often, where `interventions.rollback` asks for it.
    """

    loop: LoopConfig
    optimizer: OptimizerConfig
    seed: int = 0
    recompute: bool = False
    compile: bool = False
    validate_every_tokens: int = 0
    validate_tokens: int = 0
    sample_every_tokens: int = 0
    sample_prompts: tuple[str, ...] = ()
    watch_every_steps: int = 10
    interventions: InterventionConfig = field(default_factory=InterventionConfig)
    rollback: RollbackRule = field(default_factory=RollbackRule)

    def __post_init__(self) -> None:
        """Check every field."""
        if not 0 <= self.seed < 2**63:
            raise UserError(f"initial.seed must be 0 to 2**63 - 1: {self.seed}")
        for name in (
            "validate_every_tokens",
            "validate_tokens",
            "sample_every_tokens",
            "watch_every_steps",
        ):
            if getattr(self, name) < 0:
                raise UserError(f"initial.{name} must not be negative: {getattr(self, name)}")
        asked = self.interventions
        if not self.watch_every_steps and (asked.rollback or asked.learning_rate_damp):
            raise UserError(
                "interventions.rollback and interventions.learning_rate_damp act on the watch's "
                "alarms; set initial.watch_every_steps to 1 or more"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedText:
    """What to train on: shards and the tokenizer that they were packed with."""

    train: ShardReader
    held_out: ShardReader | None
    tokenizer: Tokenizer
