"""Ranks that each hold a part of every tensor step as one that holds the whole."""

import datetime
import json

import pytest
import torch
from torch import distributed, multiprocessing
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

from herd.stability.interventions.adagc import AdaGC, AdaGCConfig
from herd.stability.interventions.cold_guard import ColdGuard
from herd.stability.interventions.moment_reset import MomentReset, MomentResetConfig
from herd.stability.interventions.qk_clip import QKClip
from herd.stability.interventions.relative_epsilon import RelativeEpsilon, RelativeEpsilonConfig
from herd.stability.interventions.skip_step import SkipStep, SkipStepConfig
from herd.stability.interventions.spike_clip import SpikeClip
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from herd.stability.interventions.stable_adamw import StableAdamW
from herd.stability.interventions.update_clip import UpdateClip, UpdateClipConfig
from herd.stability.interventions.zclip import ZClip

SHAPES = ((6, 4), (1, 3), (5,))  # the second leaves one rank with nothing
PLACEMENTS = (Shard(0), Shard(0), Replicate())


def stages():
    return [
        SkipStep(SkipStepConfig(window_steps=8)),
        MomentReset(MomentResetConfig(every_steps=9, warmup_steps=3)),
        ZClip(),
        AdaGC(AdaGCConfig(warmup_steps=5)),
        SpikeClip(),
        ColdGuard(),
        RelativeEpsilon(RelativeEpsilonConfig(ratio=0.1)),
        StableAdamW(),
        UpdateClip(UpdateClipConfig(warmup_steps=2)),
    ]


def trained(mesh):
    """Return the weights after 25 steps, whole, and the log."""

    def placed(tensor, placement):
        return tensor if mesh is None else distribute_tensor(tensor, mesh, [placement])

    generator = torch.Generator().manual_seed(0)
    log = []
    named = [
        (f"layers.{i}", torch.nn.Parameter(placed(torch.randn(shape, generator=generator), place)))
        for i, (shape, place) in enumerate(zip(SHAPES, PLACEMENTS, strict=True))
    ]
    optimizer = StabilizedAdamW(named, lr=0.02, interventions=stages(), log=log.append)
    for step in range(25):
        for (_, parameter), shape, place in zip(named, SHAPES, PLACEMENTS, strict=True):
            scale = 1000.0 if step == 17 else 1.0
            parameter.grad = placed(scale * torch.randn(shape, generator=generator), place)
        optimizer.step()
    clip = QKClip(log=log.append)
    clip.clip({"layers.0": named[0][1]}, {"layers.0": torch.tensor([250.0, 30.0])}, step=25)
    return [whole(parameter) for _, parameter in named], log


def whole(parameter):
    tensor = parameter.full_tensor() if isinstance(parameter, DTensor) else parameter
    return tensor.detach().clone()


def fsdp_and_tensor_parallel():
    """Return what `trained_model` does of a model split over both dimensions of a 2 x 2 mesh."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    model = small_model()
    plan = {"0": ColwiseParallel(), "1": RowwiseParallel()}
    fully_shard(parallelize_module(model, mesh["tensor"], plan), mesh=mesh["data"])
    return trained_model(model)


def small_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8, bias=False), torch.nn.Linear(8, 4, bias=False))


def trained_model(model):
    log = []
    optimizer = StabilizedAdamW(
        model.named_parameters(), lr=0.02, interventions=stages(), log=log.append, foreach=False
    )
    generator = torch.Generator().manual_seed(1)
    for step in range(15):
        optimizer.zero_grad()
        inputs = torch.randn(5, 6, generator=generator) * (1000 if step == 11 else 1)
        model(inputs).square().mean().backward()
        optimizer.step()
    query = model[0].weight
    QKClip(log=log.append).clip({"q": query}, {"q": torch.tensor([250.0, 30.0])}, step=15)
    return [whole(parameter) for parameter in model.parameters()], log


def one_rank(rank, world_size, path):
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{path}/store",
        rank=rank,
        world_size=world_size,
        timeout=datetime.timedelta(seconds=60),
    )
    try:
        if world_size == 2:
            weights, log = trained(init_device_mesh("cpu", (2,)))
        else:
            weights, log = fsdp_and_tensor_parallel()
        torch.save({"weights": weights, "log": json.dumps(log)}, f"{path}/{rank}.pt")
    finally:
        distributed.destroy_process_group()


@pytest.mark.distributed
@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_that_share_tensors_step_as_one(world_size, tmp_path):
    expected, expected_log = trained(None) if world_size == 2 else trained_model(small_model())
    multiprocessing.spawn(one_rank, args=(world_size, str(tmp_path)), nprocs=world_size)
    for rank in range(world_size):
        got = torch.load(tmp_path / f"{rank}.pt")
        for one, other in zip(got["weights"], expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
        log = json.loads(got["log"])
        assert [(line["step"], line["intervention"]) for line in log] == [
            (line["step"], line["intervention"]) for line in expected_log
        ]
    assert {"skip step", "moment reset", "AdaGC", "QK-clip"} <= {
        line["intervention"] for line in expected_log
    }
