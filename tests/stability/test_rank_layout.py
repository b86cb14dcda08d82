"""The same statistics from 1, 2 and 4 ranks, however the model is cut; gloo on the CPU."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

from herd.foundation import UserError
from herd.stability import AdamWatch, WatchConfig
from herd.stability.rank_layout import Piece, first_pieces, owners

N_STEPS = 5
FIELDS = (
    "update_rms", "update_max", "bimodality", "gradient_momentum_cosine", "alignment",
    "cold_fraction", "stable_adamw_rms", "kicked_share", "zero_gradient_fraction", "gradient_rms",
    "second_moment_rms", "update_to_weight", "histogram", "active_histogram", "n",
)  # fmt: skip


class Model(nn.Module):
    """An odd-sized multilayer perceptron: 5 rows over 4 ranks leave one with nothing."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(37, 12)
        self.layers = nn.ModuleDict({"up": nn.Linear(12, 24), "down": nn.Linear(24, 12)})
        self.head = nn.Linear(12, 5)
        self.double()  # so that layouts differ by the watch alone, not by their own rounding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.layers["down"](torch.tanh(self.layers["up"](self.embedding(x))))
        return self.head(hidden)


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    return (
        torch.randint(37, (64,), generator=generator),
        torch.randint(5, (64,), generator=generator),
    )


def watched(model: nn.Module, limit: int | None) -> dict[str, Any]:
    """Train five steps on the whole batch on every rank, so that every layout has one gradient."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    watch = AdamWatch(optimizer, model, config=WatchConfig(max_coordinates=limit))
    for step in range(N_STEPS):
        x, y = batch(step)
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss=loss.detach())
        optimizer.zero_grad()
    return collect(watch)


def collect(watch: AdamWatch) -> dict[str, Any]:
    tensors = watch.tensor_statistics.items()
    return {name: {f: getattr(row, f) for f in FIELDS} for name, row in tensors}


def fsdp(world: int) -> nn.Module:
    model = Model()
    for part in (*model.layers.values(), model):
        fully_shard(part, mesh=init_device_mesh("cpu", (world,)))
    return model


def tensor_parallel(world: int) -> nn.Module:
    model = Model()
    plan = {"layers.up": ColwiseParallel(), "layers.down": RowwiseParallel()}
    return parallelize_module(model, init_device_mesh("cpu", (world,)), plan)


def tensor_parallel_in_fsdp(world: int) -> nn.Module:
    mesh = init_device_mesh("cpu", (2, world // 2), mesh_dim_names=("data", "tensor"))
    plan = {"layers.up": ColwiseParallel(), "layers.down": RowwiseParallel()}
    model = parallelize_module(Model(), mesh["tensor"], plan)
    for part in (*model.layers.values(), model):
        fully_shard(part, mesh=mesh["data"])
    return model


def replicated(world: int) -> nn.Module:
    return Model()


LAYOUTS: dict[str, Callable[[int], nn.Module]] = {
    "fsdp": fsdp,
    "tensor": tensor_parallel,
    "tensor in fsdp": tensor_parallel_in_fsdp,
    "replicated": replicated,
}


def pipeline_rank(rank: int, world: int, limit: int | None) -> dict[str, Any]:
    """Each rank owns one part of the model and its own optimizer, as a pipeline stage does."""
    model = Model()
    parts = [model.embedding, model.layers["up"], model.layers["down"], model.head]
    names = ["embedding", "layers.up", "layers.down", "head"]
    mine = [i for i in range(4) if i * world // 4 == rank]
    named = [(f"{names[i]}.{key}", p) for i in mine for key, p in parts[i].named_parameters()]
    optimizer = torch.optim.AdamW([p for _, p in named], lr=1e-3)
    others = torch.optim.AdamW(
        [p for p in model.parameters() if all(p is not q for _, q in named)], lr=1e-3
    )
    watch = AdamWatch(optimizer, named, config=WatchConfig(max_coordinates=limit))
    for step in range(N_STEPS):
        x, y = batch(step)
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step(), others.step()  # the other stages, as the other ranks step them
        watch.step(loss=loss.detach() if rank == world - 1 else None)
        model.zero_grad()
    return collect(watch)


def run_rank(rank: int, world: int, layout: str, limit: int | None, directory: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{directory}/store", rank=rank, world_size=world
    )
    if layout == "pipeline":
        found = pipeline_rank(rank, world, limit)
    else:
        found = watched(LAYOUTS[layout](world), limit)
    Path(directory, f"{rank}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.distributed
@pytest.mark.parametrize("limit", [None, 100])
@pytest.mark.parametrize(
    ("layout", "world"),
    [
        ("fsdp", 1), ("fsdp", 2), ("fsdp", 4), ("tensor", 2), ("tensor", 4),
        ("tensor in fsdp", 4), ("pipeline", 2), ("pipeline", 4), ("replicated", 2),
    ],
)  # fmt: skip
def test_every_layout_gives_the_statistics_of_one_rank(
    layout: str, world: int, limit: int | None, tmp_path: Path
) -> None:
    mp.spawn(run_rank, (world, layout, limit, str(tmp_path)), nprocs=world)
    expected = watched(Model(), limit)
    for rank in range(world):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert set(found) == set(expected)
        for name, fields in expected.items():
            for field, value in fields.items():
                assert_close(found[name][field], value, f"rank {rank}: {name} {field}")


def assert_close(found: Any, expected: Any, what: str) -> None:
    if isinstance(expected, tuple):  # an update on the edge of a bin may fall either way
        assert sum(abs(a - b) for a, b in zip(found, expected, strict=True)) <= 2, what
    elif math.isnan(expected):
        assert math.isnan(found), what
    else:
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6), what


def piece(name: str = "w", offset: int = 0, shape: tuple[int, ...] = (8, 2)) -> Piece:
    return Piece(name, "layer", shape, (offset, 0), (4, 2), (0.9, 0.95), 1e-8)


def test_a_piece_that_two_ranks_hold_is_counted_by_the_first() -> None:
    found = owners([[piece(offset=0)], [piece(offset=4)], [piece(offset=0)], [piece(offset=4)]])
    assert found == {piece(offset=0): 0, piece(offset=4): 1}


def test_rows_stand_in_the_order_of_ranks() -> None:
    rows = first_pieces([[piece("b")], [piece("a"), piece("b", 4)]])
    assert list(rows) == ["b", "a"]


def test_ranks_that_disagree_about_a_shape_are_told_so() -> None:
    with pytest.raises(UserError, match="on one rank"):
        first_pieces([[piece()], [piece(shape=(9, 2))]])


def test_a_sharded_tensor_on_one_rank_is_counted_whole(tmp_path: Path) -> None:
    if dist.is_initialized() or sys.platform == "win32":
        pytest.skip("needs a process group of its own")
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/s", rank=0, world_size=1)
    try:
        model = fsdp(1)
        assert isinstance(model.head.weight, DTensor)
        assert repr(watched(model, None)) == repr(watched(Model(), None))
    finally:
        dist.destroy_process_group()
