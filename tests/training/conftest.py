"""A tiny real Llama and an endless source of made-up sequences."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from herd.data import Batch
from herd.model import LossSum, ModelConfig, Transformer, init_weights
from herd.training import (
    BatchStage,
    CheckpointStore,
    LoopConfig,
    OptimizerConfig,
    Precision,
    ScheduleConfig,
    Trainee,
    build_optimizer,
)

VOCABULARY = 61
CPU = torch.device("cpu")


@dataclass(frozen=True)
class MadeUpSource:
    """Sequences that depend on their number only: noisy counting, with documents of 11 tokens."""

    context: int = 16

    def batch(self, first_sequence: int, n_sequences: int) -> Batch:
        rows = [self._row(number) for number in range(first_sequence, first_sequence + n_sequences)]
        tokens_BS = torch.stack(rows)
        position_BT = (torch.arange(self.context) % 11).expand(n_sequences, -1).contiguous()
        segment_BT = (torch.arange(self.context) // 11).expand(n_sequences, -1).contiguous()
        return Batch(
            tokens_BT=tokens_BS[:, :-1],
            targets_BT=tokens_BS[:, 1:],
            loss_mask_BT=torch.arange(self.context).expand(n_sequences, -1)
            >= torch.arange(first_sequence, first_sequence + n_sequences)[:, None] % 5,
            segment_BT=segment_BT,
            position_BT=position_BT,
        )

    def documents_in(self, first_sequence: int, n_sequences: int) -> list[str]:
        return [f"document-{n}" for n in range(first_sequence, first_sequence + n_sequences)]

    def _row(self, number: int) -> torch.Tensor:
        noise = torch.Generator().manual_seed(number)
        start = int(torch.randint(VOCABULARY, (), generator=noise))
        steps = torch.randint(1, 3, (self.context + 1,), generator=noise)
        return (start + steps.cumsum(0)) % VOCABULARY


def tiny_model(seed: int = 0, dtype: torch.dtype = torch.float32) -> Transformer:
    config = ModelConfig(
        vocab_size=VOCABULARY,
        dim=16,
        n_layers=2,
        n_heads=2,
        n_kv_heads=1,
        ffn_dim=32,
        max_context=64,
        tie_embeddings=True,
    )
    model = Transformer(config)
    init_weights(model, seed=seed)
    return model.to(dtype)


def loss_of(model: Transformer):
    def loss(batch: Batch) -> LossSum:
        return model.loss(
            batch.tokens_BT,
            batch.targets_BT,
            loss_mask_BT=batch.loss_mask_BT,
            segment_BT=batch.segment_BT,
            position_BT=batch.position_BT,
        )

    return loss


def tiny_trainee(seed: int = 0) -> Trainee:
    model = tiny_model(seed)
    return Trainee(model=model, optimizer=build_optimizer(model, OptimizerConfig()), device=CPU)


def tiny_config(**changes) -> LoopConfig:
    values = {
        "horizon_tokens": 16 * 4 * 12,
        "batch": (BatchStage(from_tokens=0, batch_tokens=16 * 4, context=16),),
        "schedule": ScheduleConfig(peak_lr=1e-2, warmup_tokens=128, final_lr_frac=0.1),
        "micro_batch_tokens": 32,
        "precision": Precision.FLOAT32,
        "checkpoint_every_tokens": 16 * 4 * 5,
    }
    return LoopConfig(**{**values, **changes})


@pytest.fixture
def source() -> MadeUpSource:
    return MadeUpSource()


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(
        directory=tmp_path / "checkpoints", keep=2, identity={"tokenizer": "abc", "data": "def"}
    )


@pytest.fixture
def make_model():
    return tiny_model


@pytest.fixture
def make_trainee():
    return tiny_trainee


@pytest.fixture
def make_config():
    return tiny_config


@pytest.fixture
def loss_for():
    return loss_of
