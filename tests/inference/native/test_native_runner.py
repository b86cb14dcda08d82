"""The C step gives the model's own logits, whatever the layout, and never minds the batch."""

import copy
import dataclasses
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from herd import ops
from herd.foundation import UserError
from herd.inference.native.library import open_library
from herd.inference.native.native_runner import NativeRunner, why_not_native
from herd.inference.native.packed_weights import PackedMatrices
from herd.inference.runner import Chunk
from herd.model import (
    Int8Linear,
    ModelConfig,
    RopeScaling,
    Transformer,
    init_weights,
    quantize_model,
)

# Odd sizes: none a multiple of a panel or a group but the heads, which must be.
CONFIG = ModelConfig(
    vocab_size=101,
    dim=56,
    n_layers=2,
    n_heads=6,
    n_kv_heads=2,
    head_dim=16,
    ffn_dim=72,
    max_context=2048,
    rope_scaling=RopeScaling(factor=8.0, original_context=512),
)
BUILDS = {  # what the processor must have, what the compiler is told
    "own": ("", ()),
    "no_vectors": ("sse2", ("-march=x86-64", "-DHERD_PLAIN")),
    "avx2": ("avx2", ("-march=haswell",)),
    "avx_vnni": ("avx_vnni", ("-march=haswell", "-mavxvnni")),
    "avx512": ("avx512bw", ("-march=skylake-avx512",)),
    "fours": ("", ("-DHERD_FOURS", "-DHERD_PLAIN")),
}
CPU_INFO = Path("/proc/cpuinfo")
CPU_FLAGS = CPU_INFO.read_text().split() if CPU_INFO.exists() else []
FLAGS = {
    name: flags for name, (needed, flags) in BUILDS.items() if not needed or needed in CPU_FLAGS
}
N_BLOCKS = 160


def build(kind: str, config: ModelConfig = CONFIG) -> Transformer:
    model = Transformer(config)
    init_weights(model, seed=1)
    for parameter in model.parameters():
        parameter.data.mul_(3.0 if parameter.ndim == 2 else 1.0)
    model = model.eval().requires_grad_(False)
    if kind == "int8":
        quantize_model(model, "int8")
    return model.bfloat16() if kind == "bfloat16" else model


@pytest.fixture(scope="module", params=["float32", "bfloat16", "int8"])
def model(request: pytest.FixtureRequest) -> Transformer:
    return build(request.param)


def tokens_of(n: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(CONFIG.vocab_size, (n,), generator=generator).tolist()


def scattered_blocks(seed: int = 0) -> list[int]:
    return torch.randperm(N_BLOCKS, generator=torch.Generator().manual_seed(seed)).tolist()


def logits_of(runner: NativeRunner, tokens: list[int], cuts: list[int]) -> torch.Tensor:
    """All logits of one sequence, run in the pieces that `cuts` make."""
    blocks = scattered_blocks()[: len(tokens) // 16 + 1]
    edges = [0, *cuts, len(tokens)]
    return torch.cat(
        [
            runner.run([Chunk(tokens=tokens[a:b], start=a, blocks=blocks, n_logits=b - a)]).clone()
            for a, b in zip(edges, edges[1:], strict=False)
            if b > a
        ]
    )


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("n_rows", [1, 2, 5, 13])
@pytest.mark.parametrize(("n_out", "n_in"), [(16, 32), (101, 56), (40, 600)])
def test_a_product_in_int8_is_the_plain_one(flags: str, n_rows: int, n_out: int, n_in: int) -> None:
    generator = torch.Generator().manual_seed(n_in)
    linear = Int8Linear.of(torch.randn(n_out, n_in, generator=generator))
    x_RK = torch.randn(n_rows, n_in, generator=generator)
    library = open_library(FLAGS[flags])
    matrices = PackedMatrices(library)
    matrix = matrices.matrix([linear])
    actual_RN = torch.empty(n_rows, matrix.n_out)
    assert not library.herd_multiply(matrix, x_RK.data_ptr(), n_rows, n_in, actual_RN.data_ptr())
    expected_RN = ops.int8_linear_plain(x_RK, linear.weight_q_NK, linear.scale_NG)
    torch.testing.assert_close(actual_RN[:, :n_out], expected_RN, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("flags", FLAGS)
def test_logits_equal_those_of_the_model(kind: str, flags: str) -> None:
    model, library = build(kind), open_library(FLAGS[flags])
    runner = NativeRunner(model, N_BLOCKS, n_threads=2, library=library)
    tokens = tokens_of(600)
    # The model in float32 arithmetic over the same weights: what the kernels compute in.
    wide = copy.deepcopy(model).float()
    expected = wide(torch.tensor([tokens]))[0]
    actual = logits_of(runner, tokens, [])
    assert actual.shape == expected.shape
    torch.testing.assert_close(actual, expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("head_dim", [64, 80])  # a tile's channels, and some more
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_wide_heads_give_the_logits_of_the_model(head_dim: int, dtype: torch.dtype) -> None:
    config = dataclasses.replace(CONFIG, head_dim=head_dim, n_heads=5, n_kv_heads=1)
    model, tokens = build("float32", config), tokens_of(150)
    expected = model(torch.tensor([tokens]))[0]
    actual = logits_of(NativeRunner(model, N_BLOCKS, cache_dtype=dtype), tokens, [70, 71, 119])
    tolerance = 2e-4 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("flags", FLAGS)
def test_logits_in_int8_are_near_those_of_the_plain_model(flags: str) -> None:
    """Not equal: a last bit of a float can turn the rounding of an integer after it."""
    model, tokens = build("int8"), tokens_of(600)
    expected = model(torch.tensor([tokens]))[0]
    runner = NativeRunner(model, N_BLOCKS, n_threads=2, library=open_library(FLAGS[flags]))
    error = logits_of(runner, tokens, []) - expected
    assert error.square().mean().sqrt() < 0.02 * expected.square().mean().sqrt()


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_any_cut_of_a_prompt_gives_the_same_bits(model: Transformer, n_threads: int) -> None:
    runner = NativeRunner(model, N_BLOCKS, n_threads=n_threads)
    tokens = tokens_of(330)
    whole = logits_of(runner, tokens, [])
    assert torch.equal(logits_of(runner, tokens, [1, 2, 17, 270, 281, 300]), whole)
    assert torch.equal(logits_of(runner, tokens, list(range(1, 330))), whole)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 40)), min_size=1, max_size=6))
def test_a_row_never_minds_its_company(lengths: list[tuple[int, int]]) -> None:
    """Sequences (tokens in the cache, new tokens) in one step, and each alone: equal to the bit."""
    model, together, alone = build("int8"), [], []
    runner = NativeRunner(model, N_BLOCKS, n_threads=2, cache_dtype=torch.float16)
    order, used = scattered_blocks(1), 0
    for i, (n_cached, n_new) in enumerate(lengths):
        tokens = tokens_of(n_cached + n_new, seed=i)
        n_blocks = -(-len(tokens) // 16)
        blocks = order[used : used + n_blocks]
        used += n_blocks
        runner.run([Chunk(tokens=tokens[:n_cached], start=0, blocks=blocks, n_logits=0)])
        together.append(Chunk(tokens=tokens[n_cached:], start=n_cached, blocks=blocks, n_logits=1))
    for chunk in together:
        alone.append(runner.run([chunk]).clone())
    assert torch.equal(runner.run(together), torch.cat(alone))


def test_a_copied_block_holds_the_same_keys_and_values() -> None:
    runner = NativeRunner(build("float32"), N_BLOCKS)
    tokens = tokens_of(40)
    first = runner.run([Chunk(tokens=tokens, start=0, blocks=[3, 1, 4], n_logits=1)]).clone()
    runner.copy_block(4, 9)
    again = runner.run([Chunk(tokens=tokens[39:], start=39, blocks=[3, 1, 9], n_logits=1)])
    assert torch.equal(first, again)


def test_half_precision_of_the_cache_costs_little() -> None:
    model, tokens = build("float32"), tokens_of(200)
    exact = logits_of(NativeRunner(model, N_BLOCKS), tokens, [])
    half = logits_of(NativeRunner(model, N_BLOCKS, cache_dtype=torch.float16), tokens, [])
    assert 0 < (half - exact).abs().max() < 0.02 * exact.abs().max()


def test_what_it_cannot_run_is_said_before_any_work() -> None:
    narrow = ModelConfig(
        vocab_size=11, dim=8, n_layers=1, n_heads=2, n_kv_heads=1, ffn_dim=8, max_context=32
    )
    model = build("float32", narrow)
    assert why_not_native(model) == "head_dim is 4, not a multiple of 16"
    with pytest.raises(UserError, match="cannot run natively: head_dim is 4"):
        NativeRunner(model, 4)


@pytest.mark.parametrize(
    "chunk",
    [
        Chunk(tokens=[1] * 40, start=0, blocks=[0], n_logits=1),
        Chunk(tokens=[1], start=5000, blocks=[0], n_logits=1),
        Chunk(tokens=[1], start=0, blocks=[N_BLOCKS], n_logits=1),
        Chunk(tokens=[1], start=0, blocks=[-1], n_logits=1),
        Chunk(tokens=[1], start=-3, blocks=[0], n_logits=1),
        Chunk(tokens=[1, 2, 3], start=0, blocks=[0], n_logits=10),
        Chunk(tokens=[], start=0, blocks=[0], n_logits=0),
    ],
)
def test_chunks_that_would_leave_the_cache_are_refused(chunk: Chunk) -> None:
    runner = NativeRunner(build("float32"), N_BLOCKS)
    with pytest.raises(ValueError):
        runner.run([chunk])


def test_a_closed_runner_says_so_and_closes_once() -> None:
    runner = NativeRunner(build("float32"), N_BLOCKS)
    runner.close()
    runner.close()
    with pytest.raises(RuntimeError, match="closed"):
        runner.run([Chunk(tokens=[1], start=0, blocks=[0])])


def test_a_forked_child_runs_with_threads_of_its_own() -> None:
    runner = NativeRunner(build("float32"), N_BLOCKS, n_threads=2)
    chunk = Chunk(tokens=[1, 2, 3], start=0, blocks=[0])
    expected = runner.run([chunk]).clone()
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(runner.run([chunk]), expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_partly_quantised_model_is_left_to_pytorch() -> None:
    model, other = build("int8"), build("float32")
    model.layers[0].attention.k = other.layers[0].attention.k
    assert why_not_native(model) == "its weights are in FP8, or only some of them are quantised"
    with pytest.raises(ValueError, match="no kernel for Int8Linear, Linear"):
        attention = model.layers[0].attention
        PackedMatrices(open_library()).matrix([attention.q, attention.k])


@pytest.mark.parametrize("n_tokens", [1, 5, 16, 17, 40])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_block_that_held_nan_is_clean_for_the_next(n_tokens: int, dtype: torch.dtype) -> None:
    runner = NativeRunner(build("float32"), N_BLOCKS, cache_dtype=dtype, n_threads=2)
    tokens = [token for token in tokens_of(2 * n_tokens) if token != 7][:n_tokens]
    expected = logits_of(runner, tokens, [])
    runner.cache.values_NLKPC.fill_(torch.nan)
    assert torch.equal(logits_of(runner, tokens, []), expected)
    runner.cache.values_NLKPC.fill_(torch.nan)
    assert torch.equal(logits_of(runner, tokens, [n_tokens // 2] if n_tokens > 1 else []), expected)


def test_a_nan_never_becomes_a_number() -> None:
    model = build("int8")
    model.embedding.weight.data[7, 3] = torch.nan
    runner = NativeRunner(model, N_BLOCKS)
    chunks = [
        Chunk(tokens=[1, 7, 2], start=0, blocks=[0], n_logits=1),
        Chunk(tokens=[1, 2], start=0, blocks=[1], n_logits=1),
    ]
    is_nan = runner.run(chunks).isnan()
    assert is_nan[0].all() and not is_nan[1].any()
