"""An engine for a model in this process: which runner, how large a cache.

In: a model, its tokenizer, a budget in bytes. Out: an `Engine`.
Never: anything that changes a result; the native runner gives what the plain one gives.
"""

from __future__ import annotations

import sys

import torch

from herd.foundation import UserError, detect_hardware, format_bytes
from herd.inference.engine import Engine
from herd.inference.engine_config import EngineConfig
from herd.inference.native.native_runner import (
    NativeRunner,
    why_no_native_code,
    why_not_native,
)
from herd.inference.paged_cache import BLOCK_TOKENS, block_bytes
from herd.inference.request_checks import check_count
from herd.inference.runner import Runner
from herd.inference.speculation import Proposer
from herd.inference.torch_runner import TorchRunner
from herd.model import Transformer
from herd.tokenizer import Tokenizer

MEMORY_SHARE = 0.25  # of the machine's memory for keys and values, where nobody says otherwise
MOST_TOKENS = 1 << 16  # ... and no more than these need
SMALLEST_TOKENS = 16 * BLOCK_TOKENS


def open_engine(
    model: Transformer,
    tokenizer: Tokenizer | None = None,
    *,
    config: EngineConfig | None = None,
    cache_bytes: int | None = None,
    native: bool | None = None,
    proposer: Proposer | None = None,
) -> Engine:
    """Return an engine with a cache of `cache_bytes`: by default a quarter of the memory, at most
    what 65,536 tokens need.

    `native` None runs in C wherever that is possible, True insists on it (UserError says why not),
    False runs in PyTorch. Raises UserError for a cache too small for 256 tokens or larger than the
    memory.
    """
    runner = open_runner(model, cache_bytes=cache_bytes, native=native)
    return Engine(runner, config, tokenizer=tokenizer, proposer=proposer)


def open_runner(
    model: Transformer, *, cache_bytes: int | None = None, native: bool | None = None
) -> Runner:
    """Return the fastest runner for this model here."""
    reason = None if native is False else why_not_native(model)
    if native and reason:
        raise UserError(f"this model cannot run natively: {reason}")
    is_native = native is not False and reason is None
    dtype = _cache_dtype(model, is_native)
    n_blocks = _n_blocks(model, dtype, cache_bytes)
    if is_native:
        return NativeRunner(model, n_blocks, cache_dtype=dtype)
    if reason and reason == why_no_native_code():  # what the user can mend
        print(f"herd: running in PyTorch, several times slower: {reason}", file=sys.stderr)
    return TorchRunner(model, n_blocks, dtype=dtype)


def _cache_dtype(model: Transformer, is_native: bool) -> torch.dtype:
    """Return the dtype of keys and values: exact for exact weights, else two bytes."""
    weights = {parameter.dtype for parameter in model.layers.parameters() if parameter.ndim == 2}
    if weights == {torch.float32}:
        return torch.float32
    return torch.float16 if is_native else model.embedding.weight.dtype


def _n_blocks(model: Transformer, dtype: torch.dtype, cache_bytes: int | None) -> int:
    config = model.config
    per_block = block_bytes(config, dtype)
    if cache_bytes is None:
        budget = _free_bytes(model.embedding.weight.device) * MEMORY_SHARE
        wanted = max(MOST_TOKENS, config.max_context) // BLOCK_TOKENS
        return max(SMALLEST_TOKENS // BLOCK_TOKENS, min(wanted, int(budget) // per_block))
    check_count(
        "cache_bytes", cache_bytes, least=0, most=_free_bytes(model.embedding.weight.device)
    )
    if cache_bytes < per_block * (SMALLEST_TOKENS // BLOCK_TOKENS):
        raise UserError(
            f"a cache of {format_bytes(cache_bytes)} holds "
            f"{cache_bytes // per_block * BLOCK_TOKENS:,} tokens of this model; give "
            f"{format_bytes(per_block * (SMALLEST_TOKENS // BLOCK_TOKENS))} or more"
        )
    return cache_bytes // per_block


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return detect_hardware().memory_bytes
