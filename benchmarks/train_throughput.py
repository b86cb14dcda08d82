"""How many tokens per second does a training step take in, against `transformers`?

A step is forward, backward and AdamW (PyTorch's fused one on both sides), bf16 autocast over
float32 weights, random tokens. Ours and the peer take turns, one step each, so that a noisy
neighbour slows both; medians are compared. The ceiling is a square bf16 matrix product, measured
before and after, the better of the two. FLOPs per token as in `herd.model.flops_per_token`, which
counts attention over the whole context; `fraction_of_ceiling_causal` counts the half that
causality needs.

    python benchmarks/train_throughput.py

On a CPU: width 320, 8 layers, 5 heads, feed-forward 896, vocabulary 4,096, batch 8 x 512. Where
there is CUDA also a whole Llama 3.2 1B and four layers of an 8B, compiled on both sides.
"""

import gc
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from herd.foundation import describe_environment, measure_ceilings
from herd.model import (
    ModelConfig,
    Transformer,
    flops_per_token,
    init_weights,
    llama31_8b,
    llama32_1b,
)

N_REPEATS = 9
N_WARMUP = 2
LEARNING_RATE = 1e-4

Step = Callable[[], float]  # takes one optimizer step, returns the loss in nats


@dataclass(frozen=True, kw_only=True)
class Case:
    """One shape of model and batch."""

    name: str
    config: ModelConfig
    n_rows: int
    n_tokens: int
    compiled: bool = False


SMALL = Case(
    name="width_320",
    config=ModelConfig(
        vocab_size=4096,
        dim=320,
        n_layers=8,
        n_heads=5,
        n_kv_heads=5,
        ffn_dim=896,
        max_context=512,
    ),
    n_rows=8,
    n_tokens=512,
)
GPU_CASES = (
    Case(name="llama32_1b", config=llama32_1b(), n_rows=4, n_tokens=4096, compiled=True),
    Case(
        name="llama31_8b_4_layers",
        config=replace(llama31_8b(), n_layers=4),
        n_rows=2,
        n_tokens=8192,
        compiled=True,
    ),
)


def main() -> None:
    result = measure(SMALL, torch.device("cpu"))
    if torch.cuda.is_available():
        result["gpu"] = [measure(case, torch.device("cuda")) for case in GPU_CASES]
    environment = describe_environment()
    line = {
        "benchmark": "train_throughput",
        "value": result["ratio"],
        "unit": "our tokens/s divided by those of transformers",
        **result,
        "hardware": environment["hardware"],
        "commit": environment["commit"],
    }
    print(json.dumps(line))


def measure(case: Case, device: torch.device) -> dict[str, object]:
    """Return speeds of both sides, their ratio with its spread, and fractions of the ceiling."""
    before = measure_ceilings(device).matmul_flops_per_s["bfloat16"]
    sides = {"ours": ours(case, device), "peer": peer(case, device)}
    durations_s = time_in_turns(sides, device)
    del sides
    free_memory(device)
    ceiling = max(before, measure_ceilings(device).matmul_flops_per_s["bfloat16"])

    tokens_per_s = {
        side: case.n_rows * case.n_tokens / statistics.median(seconds)
        for side, seconds in durations_s.items()
    }
    ratios = [p / o for o, p in zip(durations_s["ours"], durations_s["peer"], strict=True)]
    flops = flops_per_token(case.config, case.n_tokens)
    causal = (flops + flops_per_token(case.config, 0)) / 2
    return {
        "case": case.name,
        "device": device.type,
        "ratio": round(tokens_per_s["ours"] / tokens_per_s["peer"], 3),
        "ratio_spread": quartiles(ratios),
        "fraction_of_ceiling": round(tokens_per_s["ours"] * flops / ceiling, 3),
        "fraction_of_ceiling_causal": round(tokens_per_s["ours"] * causal / ceiling, 3),
        "peer_fraction_of_ceiling": round(tokens_per_s["peer"] * flops / ceiling, 3),
        "ours_tokens_per_s": round(tokens_per_s["ours"]),
        "peer_tokens_per_s": round(tokens_per_s["peer"]),
        "spread": {side: quartiles(seconds) for side, seconds in durations_s.items()},
        "ceiling_gflops_per_s": round(ceiling / 1e9),
        "repeats": N_REPEATS,
    }


def ours(case: Case, device: torch.device) -> Step:
    """Return a step of Herd's model."""
    with torch.device(device):
        model = Transformer(case.config)
    init_weights(model, seed=0)
    if case.compiled:
        for block in model.layers:
            block.compile()
    tokens_BT = random_tokens(case, device)
    inputs_BT, targets_BT = tokens_BT[:, :-1].contiguous(), tokens_BT[:, 1:].contiguous()
    mask_BT = torch.ones_like(targets_BT, dtype=torch.float32)

    def loss() -> torch.Tensor:
        loss_sum_nats, n_tokens = model.loss(inputs_BT, targets_BT, loss_mask_BT=mask_BT)
        return loss_sum_nats / n_tokens

    return step_of(model, loss, device)


def peer(case: Case, device: torch.device) -> Step:
    """Return a step of `LlamaForCausalLM` of the same shape, as its users would write it."""
    torch.manual_seed(0)
    with torch.device(device):
        model = LlamaForCausalLM(peer_config(case.config))
    model.train()
    if case.compiled:
        for block in model.model.layers:
            block.compile()
    tokens_BT = random_tokens(case, device)[:, :-1].contiguous()

    def loss() -> torch.Tensor:
        return model(input_ids=tokens_BT, labels=tokens_BT, use_cache=False).loss

    return step_of(model, loss, device)


def peer_config(config: ModelConfig) -> LlamaConfig:
    """Return the same shape in the peer's words (scaled rotation costs nothing, so left out)."""
    return LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.dim,
        intermediate_size=config.ffn_dim,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        num_key_value_heads=config.n_kv_heads,
        head_dim=config.head_dim,
        max_position_embeddings=config.max_context,
        rms_norm_eps=config.norm_eps,
        tie_word_embeddings=config.tie_embeddings,
        attn_implementation="sdpa",
    )


def step_of(model: torch.nn.Module, loss: Callable[[], torch.Tensor], device: torch.device) -> Step:
    """Wrap a loss into a whole training step; the same for both sides."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)

    def step() -> float:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            mean_loss_nats = loss()
        mean_loss_nats.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return mean_loss_nats.item()  # waits for the device

    return step


def time_in_turns(sides: dict[str, Step], device: torch.device) -> dict[str, list[float]]:
    """Return the durations of `N_REPEATS` steps of every side, taken alternately."""
    for step in sides.values():
        for _ in range(N_WARMUP):
            step()
    durations_s: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(N_REPEATS):
        for side, step in sides.items():
            wait(device)
            started = time.perf_counter()
            step()
            wait(device)
            durations_s[side].append(time.perf_counter() - started)
    return durations_s


def random_tokens(case: Case, device: torch.device) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (case.n_rows, case.n_tokens + 1)
    return torch.randint(case.config.vocab_size, shape, generator=generator).to(device)


def quartiles(values: list[float]) -> list[float]:
    low, middle, high = statistics.quantiles(values, n=4)
    return [round(low, 4), round(middle, 4), round(high, 4)]


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def free_memory(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
