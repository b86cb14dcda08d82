"""What Adam is about to use, copied in the moment before it steps, and summed afterwards.

In: the tensors to watch. Out: for each step one table of sums, a row a tensor, on the device.
The copies go into buffers of a fixed layout, so that the arithmetic takes some sixty operations
however many tensors there are. Nothing here waits for the device, or writes to what it watches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from herd.foundation import UserError
from herd.stability.adam_tensors import AdamTensor, local
from herd.stability.coordinate_sample import n_picked
from herd.stability.theory import fresh_gradient_update
from herd.stability.update_sums import (
    BLOCK,
    SUMS,
    BlockConstants,
    Coordinates,
    histograms,
    sum_blocks,
)

CHUNK_BLOCKS = 512  # summed at once: what a processor's cache holds
STEPS = 4  # the column of `constants` that counts steps
KICK_MARGIN = 0.985  # below the kick itself, so that rounding does not hide it


@dataclass(frozen=True, eq=False, slots=True)
class Watched:
    """A tensor and the slices that pick this rank's part of its lattice."""

    tensor: AdamTensor
    slices: tuple[slice, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what the slices pick."""
        return tuple(self.tensor_part().shape)

    def tensor_part(self) -> Tensor:
        """Return this rank's watched weights."""
        return local_part(self.tensor.parameter, self.slices)


@dataclass(frozen=True, eq=False, slots=True)
class StepSums:
    """One step, on the device: sums `[T, S]`, largest |u| `[T]`, counts `[T, 2, 64]`.

    `present_T` is 1 for a tensor that was stepped, 0 for one without gradient or in a skipped step;
    `rate_T` is its learning rate. Added over ranks, `present_T` counts the ranks.
    """

    sums_TS: Tensor
    u_max_T: Tensor
    counts_TCB: Tensor
    present_T: Tensor
    rate_T: Tensor


class UpdateCapture:
    """Buffers for the watched coordinates of the tensors of one device."""

    def __init__(self, watched: Sequence[Watched]) -> None:
        devices = {each.tensor_part().device for each in watched}  # none: other ranks hold it all
        if len(devices) > 1:
            raise UserError(
                f"the watched parameters are on {len(devices)} devices; make one watch for each"
            )
        if torch.device("meta") in devices:
            raise UserError(
                "the parameters are on the meta device; make the watch once they are real"
            )
        self._watched = list(watched)
        self._device = devices.pop() if devices else torch.device("cpu")
        self._sizes = [n_picked(each.shape, [slice(None)] * len(each.shape)) for each in watched]
        n_blocks = [-(-size // BLOCK) for size in self._sizes]
        self._starts = [sum(n_blocks[:i]) for i in range(len(n_blocks))]
        self._n_blocks = sum(n_blocks)
        index = [i for i, n in enumerate(n_blocks) for _ in range(n)]
        self._tensor_of_block = torch.tensor(index, dtype=torch.int64, device=self._device)
        padding = [n * BLOCK - size for n, size in zip(n_blocks, self._sizes, strict=True)]
        self._padding_T = torch.tensor(padding, dtype=torch.float64, device=self._device)
        self._amsgrad = any(each.tensor.group.get("amsgrad") for each in watched)
        self._buffers = {
            name: torch.zeros(self._n_blocks, BLOCK, device=self._device)
            for name in ("g", "m", "v", "w", *(["v_max"] if self._amsgrad else []))
        }
        self._views = {name: self._views_of(buffer) for name, buffer in self._buffers.items()}
        self._constants: tuple[Tensor, list[bool]] | None = None

    def _views_of(self, buffer: Tensor) -> list[Tensor]:
        flat = buffer.view(-1)
        return [
            flat[start * BLOCK : start * BLOCK + size].view(each.shape)
            for each, start, size in zip(self._watched, self._starts, self._sizes, strict=True)
        ]

    def capture(self) -> None:
        """Copy gradients, moments, weights and constants; call it right before the step."""
        present = [each.tensor.gradient is not None for each in self._watched]
        self._copy("g", [each.tensor.gradient for each in self._watched])
        self._copy("m", [each.tensor.moment("exp_avg") for each in self._watched])
        self._copy("v", [each.tensor.moment("exp_avg_sq") for each in self._watched])
        self._copy("w", [each.tensor.parameter for each in self._watched])
        if self._amsgrad:
            self._copy("v_max", [each.tensor.moment("max_exp_avg_sq") for each in self._watched])
        for each, g, w in zip(self._watched, self._views["g"], self._views["w"], strict=True):
            scale = getattr(each.tensor.optimizer, "grad_scale", None)
            if isinstance(scale, Tensor):  # a GradScaler lets fused Adam divide by it
                g.div_(scale.to(g.device))
            if each.tensor.group.get("maximize"):
                g.neg_()
            if decay := coupled_decay(each.tensor):
                g.add_(w, alpha=decay)
        self._constants = constants(self._watched, self._device), present

    def _copy(self, name: str, sources: Sequence[Tensor | None]) -> None:
        there, parts = [], []
        for each, view, source in zip(self._watched, self._views[name], sources, strict=True):
            if source is None:
                view.zero_()
            elif view.numel():
                there.append(view)
                parts.append(local_part(source, each.slices))
        if there:
            torch._foreach_copy_(there, parts)

    def take_sums(self) -> StepSums | None:
        """Return the sums of what was captured, None if no step was; it counts once."""
        if self._constants is None:
            return None
        (constants_TC, present), self._constants = self._constants, None
        n_tensors = len(self._watched)
        sums_TS = torch.zeros(n_tensors, len(SUMS), dtype=torch.float64, device=self._device)
        u_max_T = torch.zeros(n_tensors, device=self._device)
        counts_TCB = torch.zeros(n_tensors, 2, 64, device=self._device)
        for first in range(0, self._n_blocks, CHUNK_BLOCKS):
            blocks = slice(first, first + CHUNK_BLOCKS)
            owner_K = self._tensor_of_block[blocks]
            part = sum_blocks(self._coordinates(blocks), block_constants(constants_TC[owner_K]))
            sums_TS.index_add_(0, owner_K, part.sums.double())
            u_max_T.scatter_reduce_(0, owner_K, part.u_max, "amax")
            counts_TCB += histograms(part.u, part.active, owner_K, n_tensors)
        remove_padding(sums_TS, counts_TCB, self._padding_T)
        present_T = torch.tensor(present, dtype=torch.float64).to(self._device, non_blocking=True)
        stepped_T = step_counts(self._watched, self._device) > constants_TC[:, STEPS]
        rate_T = on_device([each.tensor.group["lr"] for each in self._watched], self._device)
        return StepSums(
            sums_TS, u_max_T, counts_TCB, present_T * stepped_T, rate_T * present_T * stepped_T
        )

    def _coordinates(self, blocks: slice) -> Coordinates:
        return Coordinates(
            g=self._buffers["g"][blocks],
            m_before=self._buffers["m"][blocks],
            v_before=self._buffers["v"][blocks],
            w=self._buffers["w"][blocks],
            v_max_before=self._buffers["v_max"][blocks] if self._amsgrad else None,
        )


def local_part(tensor: Tensor, slices: tuple[slice, ...]) -> Tensor:
    """Return what the slices pick of this rank's part of a tensor, without copying."""
    return local(tensor)[slices]


def coupled_decay(tensor: AdamTensor) -> float:
    """Return the weight decay that Adam adds to the gradient; 0 where it is decoupled (AdamW)."""
    group = tensor.group
    return 0.0 if group.get("decoupled_weight_decay") else float(group.get("weight_decay", 0.0))


def constants(watched: Sequence[Watched], device: torch.device) -> Tensor:
    """Return beta1, beta2, epsilon, kick and the count of steps before this one, `[T, 5]`."""
    rows = []
    for each in watched:
        beta1, beta2 = (float(beta) for beta in each.tensor.group["betas"])
        kick = KICK_MARGIN * min(1.0, fresh_gradient_update(beta1, beta2))
        rows.append([beta1, beta2, float(each.tensor.group["eps"]), kick])
    table = torch.tensor(rows, dtype=torch.float64).view(-1, STEPS).to(device, non_blocking=True)
    return torch.cat([table, step_counts(watched, device).view(-1, 1)], dim=1)


def step_counts(watched: Sequence[Watched], device: torch.device) -> Tensor:
    """Return how often each tensor was stepped, `[T]`."""
    return on_device([each.tensor.step_count for each in watched], device)


def on_device(values: Sequence[Tensor | float], device: torch.device) -> Tensor:
    """Return numbers and one-element tensors as one float64 tensor, without waiting for a GPU."""
    if any(isinstance(value, Tensor) and value.device.type != "cpu" for value in values):
        parts = [torch.as_tensor(value, device=device).detach().double() for value in values]
        return torch.stack([part.reshape(()) for part in parts])
    numbers = torch.tensor([float(value) for value in values], dtype=torch.float64)
    return numbers.to(device, non_blocking=True)


def block_constants(rows_KC: Tensor) -> BlockConstants:
    """Return Adam's constants and bias corrections of each block, in float32."""
    beta1, beta2, epsilon, kick, steps = (rows_KC[:, i : i + 1] for i in range(STEPS + 1))
    before = 1 - beta2**steps
    return BlockConstants(
        beta1=beta1.float(),
        beta2=beta2.float(),
        epsilon=epsilon.float(),
        bias1=(1 / (1 - beta1 ** (steps + 1))).float(),
        rooted_bias2=(1 - beta2 ** (steps + 1)).rsqrt().float(),
        rooted_bias_before=torch.where(before > 0, before, 1.0).rsqrt().float(),
        kick=kick.float(),
    )


def remove_padding(sums_TS: Tensor, counts_TCB: Tensor, padding_T: Tensor) -> None:
    """Take out what the zeros at the end of each tensor's last block were counted as."""
    for name in ("n", "cold", "near_cold", "zero"):
        sums_TS[:, SUMS.index(name)] -= padding_T
    counts_TCB[:, 0, counts_TCB.shape[2] // 2] -= padding_T.to(counts_TCB.dtype)
