"""The gradient norm against torch's own clipping, whole and sharded."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh

from herd.stability.integrations.gradient_norm import gradient_norm


def test_it_is_what_clipping_returns_and_changes_nothing() -> None:
    model = torch.nn.Linear(5, 3)
    assert gradient_norm(model.parameters()) is None
    model(torch.randn(2, 5)).square().sum().backward()
    before = [each.grad.clone() for each in model.parameters()]
    norm = gradient_norm(model.parameters())
    assert all(torch.equal(a, b.grad) for a, b in zip(before, model.parameters(), strict=True))
    assert torch.equal(norm, torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0))


def norm_of_shards(rank: int, n_ranks: int, folder: Path) -> None:
    store = f"file://{folder / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=n_ranks)
    mesh = init_device_mesh("cpu", (n_ranks,))
    whole = torch.arange(20.0).view(5, 4)
    weight = torch.nn.Parameter(distribute_tensor(whole, mesh, [Shard(0)]))
    weight.grad = distribute_tensor(whole, mesh, [Shard(0)])
    torch.testing.assert_close(gradient_norm([weight]), whole.norm())
    dist.destroy_process_group()


@pytest.mark.distributed
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_the_norm_of_shards_is_that_of_the_whole_on_every_rank(
    tmp_path: Path, n_ranks: int
) -> None:
    torch.multiprocessing.spawn(norm_of_shards, (n_ranks, tmp_path), nprocs=n_ranks)
