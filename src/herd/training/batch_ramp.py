"""The batch over the course of a run: its size and its sequence length, both by tokens seen.

In: stages that start at given token counts, a batch of long sequences. Out: the stage that holds,
and the same tokens as more, shorter sequences.
The data position stays one integer through every stage: the next sequence of the longest length.
Source: Llama 3 paper, section 3.4.1 (4M tokens of 4,096; 8M of 8,192; then 16M).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from herd.data import Batch
from herd.foundation import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchStage:
    """From `from_tokens` on, a batch is `batch_tokens` tokens in sequences of `context`."""

    from_tokens: int
    batch_tokens: int
    context: int

    def __post_init__(self) -> None:
        """Check every field."""
        if self.from_tokens < 0:
            raise UserError(f"batch.from_tokens must not be negative: {self.from_tokens}")
        if self.context < 1:
            raise UserError(f"batch.context must be at least 1: {self.context}")
        if self.batch_tokens < self.context or self.batch_tokens % self.context:
            raise UserError(
                f"batch.batch_tokens ({self.batch_tokens}) must be a multiple of "
                f"batch.context ({self.context})"
            )


def check_ramp(stages: Sequence[BatchStage]) -> None:
    """Raise UserError unless the stages start at 0, follow each other and share one longest context.

    Every context must divide the longest, and every batch must hold whole longest sequences:
    only then is the position in the data the same integer for every stage.
    """
    if not stages or stages[0].from_tokens != 0:
        raise UserError("batch: the first stage must start at from_tokens=0")
    starts = [stage.from_tokens for stage in stages]
    if starts != sorted(set(starts)):
        raise UserError(f"batch: from_tokens must rise from stage to stage, found {starts}")
    longest = longest_context(stages)
    for stage in stages:
        if longest % stage.context or stage.batch_tokens % longest:
            raise UserError(
                f"batch: {stage.batch_tokens} tokens of context {stage.context} do not fill whole "
                f"sequences of the longest context ({longest})"
            )


def longest_context(stages: Sequence[BatchStage]) -> int:
    """Return the length of the sequences that the data is cut into."""
    return max(stage.context for stage in stages)


def stage_at(stages: Sequence[BatchStage], tokens: int) -> BatchStage:
    """Return the stage that holds after `tokens` tokens."""
    return [stage for stage in stages if stage.from_tokens <= tokens][-1]


def split_sequences(batch: Batch, context: int) -> Batch:
    """Return the batch as sequences of `context` tokens; nothing attends across a cut.

    A document that a cut divides starts again at position 0 behind it.
    """
    longest = batch.tokens_BT.shape[1]
    if context == longest:
        return batch
    segment_BT = batch.segment_BT.reshape(-1, context)
    position_BT = batch.position_BT.reshape(-1, context)
    in_first_segment_BT = segment_BT == segment_BT[:, :1]
    shift_BT = torch.where(in_first_segment_BT, position_BT[:, :1], 0)
    return Batch(
        tokens_BT=batch.tokens_BT.reshape(-1, context),
        targets_BT=batch.targets_BT.reshape(-1, context),
        loss_mask_BT=batch.loss_mask_BT.reshape(-1, context),
        segment_BT=segment_BT,
        position_BT=position_BT - shift_BT,
    )
