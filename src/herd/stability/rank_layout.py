"""Who counts what: every watched coordinate is counted by exactly one rank.

In: the tensors on this rank and, where torch.distributed runs, what the others say of theirs. Out:
the rows of the run's table, the same on all ranks, and which of them this rank fills.
A piece of a tensor that several ranks hold (data parallel copies, a norm under tensor parallelism)
is counted by the first of them, so one sum over all ranks is right under FSDP2, tensor parallelism,
pipeline stages and any mix. Never: a word about meshes in the arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from herd.foundation import UserError
from herd.stability.adam_tensors import AdamTensor
from herd.stability.coordinate_sample import lattice_strides, local_slices, n_picked
from herd.stability.update_capture import StepSums, Watched

Shape = tuple[int, ...]


class Piece(NamedTuple):
    """One rank's part of one parameter, and the constants that Adam steps it with."""

    name: str
    layer: str
    shape: Shape
    offset: Shape
    local_shape: Shape
    betas: tuple[float, float]
    epsilon: float


@dataclass(frozen=True, eq=False, slots=True)
class RankLayout:
    """Rows of the run's table, a tensor each; and this rank's pieces with their rows."""

    tensors: tuple[Piece, ...]  # offset and local shape are those of the first rank that has it
    watched: tuple[Watched, ...]
    rows: tuple[int, ...]
    is_shared: bool


def lay_out(
    tensors: Sequence[AdamTensor], max_coordinates: int | None, *, distributed: bool
) -> RankLayout:
    """Agree with the other ranks on rows and owners.

    Every rank must call it at the same time. Raises UserError when ranks disagree about a shape.
    """
    is_shared = distributed and dist.is_available() and dist.is_initialized()
    is_shared = is_shared and dist.get_world_size() > 1
    rank = dist.get_rank() if is_shared else 0
    own = [piece_of(tensor) for tensor in tensors]
    gathered: list[list[Piece]] = [own]
    if is_shared:
        gathered = [[] for _ in range(dist.get_world_size())]
        dist.all_gather_object(gathered, own)
    pieces = first_pieces(gathered)
    row_of = {name: row for row, name in enumerate(pieces)}
    owner = owners(gathered)
    watched, rows = [], []
    for tensor, piece in zip(tensors, own, strict=True):
        slices = local_slices(lattice_strides(piece.shape, max_coordinates), piece.offset)
        if owner[piece] == rank and n_picked(piece.local_shape, slices):
            watched.append(Watched(tensor, slices))
            rows.append(row_of[piece.name])
    return RankLayout(tuple(pieces.values()), tuple(watched), tuple(rows), is_shared)


def piece_of(tensor: AdamTensor) -> Piece:
    """Return what this rank holds of a parameter."""
    parameter: Tensor = tensor.parameter
    shape = local_shape = tuple(parameter.shape)
    offset: Shape = (0,) * len(shape)
    if isinstance(parameter, DTensor):
        local_shape, offset = compute_local_shape_and_global_offset(
            parameter.shape, parameter.device_mesh, parameter.placements
        )
    beta1, beta2 = (float(beta) for beta in tensor.group["betas"])
    epsilon = float(tensor.group["eps"])
    return Piece(
        tensor.name, tensor.layer, shape, tuple(offset), tuple(local_shape), (beta1, beta2), epsilon
    )


def first_pieces(gathered: Sequence[Sequence[Piece]]) -> dict[str, Piece]:
    """Return the first piece of each name, in the order of ranks and models."""
    first: dict[str, Piece] = {}
    for piece in (piece for pieces in gathered for piece in pieces):
        known = first.setdefault(piece.name, piece)
        if known.shape != piece.shape:
            raise UserError(
                f"{piece.name} has shape {list(piece.shape)} on one rank and {list(known.shape)} "
                "on another; ranks that train different models need names of their own"
            )
    return first


def owners(gathered: Sequence[Sequence[Piece]]) -> dict[Piece, int]:
    """Return the lowest rank that holds each piece."""
    owner: dict[Piece, int] = {}
    for rank, pieces in enumerate(gathered):
        for piece in pieces:
            owner.setdefault(piece, rank)
    return owner


def spread(layout: RankLayout, own: StepSums) -> StepSums:
    """Put this rank's rows into the run's table, zeros elsewhere."""
    rows = torch.tensor(layout.rows, dtype=torch.int64, device=own.sums_TS.device)
    n_rows = len(layout.tensors)

    def put(part: Tensor) -> Tensor:
        return part.new_zeros(n_rows, *part.shape[1:]).index_copy_(0, rows, part)

    return StepSums(
        put(own.sums_TS), put(own.u_max_T), put(own.counts_TCB), put(own.present_T), put(own.rate_T)
    )


def add_over_ranks(table: StepSums, scalars: Tensor) -> None:
    """Add up the tables and scalars of all ranks, in place; the largest update by maximum."""
    parts = [table.sums_TS, table.counts_TCB, table.present_T, table.rate_T, scalars]
    packed = torch.cat([part.reshape(-1).double() for part in parts])
    dist.all_reduce(packed)
    dist.all_reduce(table.u_max_T, dist.ReduceOp.MAX)
    start = 0
    for target in parts:
        target.copy_(packed[start : start + target.numel()].view(target.shape))
        start += target.numel()
