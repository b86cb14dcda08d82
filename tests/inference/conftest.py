"""A tiny random Llama with grouped queries, and a runner that costs nothing, to test the books."""

import hashlib
import math
from collections.abc import Sequence

import pytest
import torch

from herd.inference.paged_cache import BLOCK_TOKENS
from herd.inference.runner import Chunk
from herd.model import ModelConfig, Transformer, init_weights
from herd.tokenizer import Tokenizer, train_bpe

TINY = ModelConfig(
    vocab_size=97, dim=32, n_layers=3, n_heads=4, n_kv_heads=2, ffn_dim=48, max_context=600
)


@pytest.fixture(scope="session")
def tiny_model() -> Transformer:
    model = Transformer(TINY)
    init_weights(model, seed=3)
    for parameter in model.parameters():  # wider than at birth, so that tokens differ in likelihood
        parameter.data.mul_(2.0 if parameter.ndim == 2 else 1.0)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train_bpe(["aé漢🙂 b"], vocab_size=260, special_tokens=("<|endoftext|>",))


@pytest.fixture(scope="session")
def babbler(tokenizer: Tokenizer) -> Transformer:
    """A random model over bytes: most of what it writes is broken UTF-8."""
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size + 7, dim=16, n_layers=1, n_heads=2, n_kv_heads=1,
        ffn_dim=16, max_context=256,
    )  # fmt: skip
    model = Transformer(config)
    init_weights(model, seed=0)
    return model


class FakeRunner:
    """Its "keys" are the tokens themselves, and its logits a hash of those it finds in the blocks.

    So a block that is lost, overwritten or shared wrongly changes what is drawn. A history with the
    token `POISON` gives NaN; `fails` makes the next step raise.
    """

    VOCABULARY = 24
    POISON = 23

    def __init__(self, n_blocks: int, max_context: int = 120) -> None:
        self.config = ModelConfig(
            vocab_size=self.VOCABULARY, dim=2, n_layers=1, n_heads=1, n_kv_heads=1, ffn_dim=2,
            max_context=max_context,
        )  # fmt: skip
        self.n_blocks = n_blocks
        self.n_tokens_run = 0
        self.largest_step = 0
        self.fails = False
        self._blocks = [bytearray(BLOCK_TOKENS) for _ in range(n_blocks)]

    def run(self, chunks: Sequence[Chunk]) -> torch.Tensor:
        if self.fails:
            raise RuntimeError("the machine is on fire")
        rows = []
        for chunk in chunks:
            for position, token in enumerate(chunk.tokens, chunk.start):
                self._blocks[chunk.blocks[position // BLOCK_TOKENS]][position % BLOCK_TOKENS] = (
                    token
                )
        for chunk in chunks:  # after all are written, so that a block used twice is found out
            stop = chunk.start + len(chunk.tokens)
            history = b"".join(self._blocks[block] for block in chunk.blocks)
            rows += [self.logits(history[:n]) for n in range(stop - chunk.n_logits + 1, stop + 1)]
        n_tokens = sum(len(chunk.tokens) for chunk in chunks)
        self.n_tokens_run += n_tokens
        self.largest_step = max(self.largest_step, n_tokens)
        return torch.tensor(rows, dtype=torch.float32).reshape(len(rows), self.VOCABULARY)

    def copy_block(self, source: int, target: int) -> None:
        self._blocks[target][:] = self._blocks[source]

    @classmethod
    def logits(cls, tokens: bytes) -> list[float]:
        if cls.POISON in tokens:
            return [math.nan] * cls.VOCABULARY
        digest = hashlib.blake2b(tokens, digest_size=cls.POISON).digest()
        return [*(byte / 40 for byte in digest), -100.0]  # which is never drawn by itself


@pytest.fixture(scope="session")
def fake_runner() -> type[FakeRunner]:
    return FakeRunner
