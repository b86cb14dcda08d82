"""The parcel that training opens: sequences of tokens with targets, loss mask, segments, positions."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """B sequences of T tokens.

    tokens_BT, targets_BT: int64 ids; the target is the token that comes next in the stream.
    loss_mask_BT: bool; False where the next token belongs to another document.
    segment_BT: int64; 0 for a sequence's first document, one more for each that follows.
    position_BT: int64; distance from the start of the segment within the sequence.
    """

    tokens_BT: "torch.Tensor"
    targets_BT: "torch.Tensor"
    loss_mask_BT: "torch.Tensor"
    segment_BT: "torch.Tensor"
    position_BT: "torch.Tensor"

    def to(self, device: "torch.device | str", *, non_blocking: bool = False) -> "Batch":
        """Return the same batch on `device`."""
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        return Batch(**{name: t.to(device, non_blocking=non_blocking) for name, t in moved.items()})
