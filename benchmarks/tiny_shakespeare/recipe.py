"""Herd's recipe for tiny Shakespeare in 100 seconds on two cores: one run serves both bars.

In: the text, a seed. Out: a learner for `timed.run`. Model, loss, step and precision are
`herd`'s own; the optimizer is Muon. Found by the search in experiments/2026-11-23-time-to-loss.
"""

import torch

from herd.data import Batch
from herd.model import LossSum, ModelConfig, Transformer, init_weights
from herd.training import Precision, train_step
from tiny_shakespeare.muon import AdamWGroup, Muon
from tiny_shakespeare.text import Text, Windows, validation_loss

DIM, N_LAYERS, N_HEADS, FFN_DIM = 128, 4, 2, 352
CONTEXT_FROM_PROGRESS = ((0.0, 64), (0.5, 128), (0.85, 256))  # short ones are cheaper
BATCH_TOKENS = 2048
PEAK_LR = 0.013  # of Muon
ADAMW_LR_FRAC, EMBEDDING_LR_FRAC = 0.25, 2.5  # of Muon's
WARMUP_FRAC = 0.02  # of the time budget; then a straight line to zero
MOMENTUM, ADAMW_BETAS = 0.9, (0.9, 0.95)


class Herd:
    """A Llama, its optimizer and its windows."""

    def __init__(self, text: Text, *, seed: int) -> None:
        self.text = text
        self.windows = Windows(text.train_N, seed=seed)
        self.model = build_model(text.n_symbols, seed=seed)
        self.optimizer = build_optimizer(self.model)
        self.context = CONTEXT_FROM_PROGRESS[0][1]

    def step(self, progress: float) -> None:
        """Do one step at the learning rate and the context of this moment."""
        self.context = context_at(progress)
        tokens_BT, targets_BT = self.windows.next(BATCH_TOKENS // self.context, self.context)
        zeros_BT = torch.zeros_like(tokens_BT)
        batch = Batch(
            tokens_BT=tokens_BT,
            targets_BT=targets_BT,
            loss_mask_BT=torch.ones_like(tokens_BT, dtype=torch.bool),
            segment_BT=zeros_BT,
            position_BT=zeros_BT,
        )
        train_step(
            self.optimizer,
            [batch],
            self._loss,
            learning_rate=learning_rate(progress),
            clip_norm=float("inf"),  # Muon's update does not depend on the gradient's length
            precision=Precision.BFLOAT16,
            device=torch.device("cpu"),
        )

    def validate(self) -> float:
        """Return the validation loss, in float32, over windows of the context of this moment."""

        def loss_sum(tokens_BT: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
            mask_BT = torch.ones_like(tokens_BT, dtype=torch.bool)
            return self.model.loss(tokens_BT, targets_BT, loss_mask_BT=mask_BT).loss_sum_nats

        return validation_loss(self.text.validation_N, loss_sum, context=self.context)

    def _loss(self, batch: Batch) -> LossSum:
        """Positions count from 0 in each row and a row is one document: the model's defaults."""
        return self.model.loss(batch.tokens_BT, batch.targets_BT, loss_mask_BT=batch.loss_mask_BT)


def learning_rate(progress: float) -> float:
    """Return Muon's learning rate after this part of the time: up quickly, then down to zero."""
    return PEAK_LR * min(progress / WARMUP_FRAC, 1.0) * (1.0 - progress)


def context_at(progress: float) -> int:
    """Return the context after this part of the time."""
    return next(context for start, context in reversed(CONTEXT_FROM_PROGRESS) if progress >= start)


def build_model(n_symbols: int, *, seed: int) -> Transformer:
    """Build the Llama; what writes to the residual stream or to the logits begins at zero."""
    config = ModelConfig(
        vocab_size=n_symbols,
        dim=DIM,
        n_layers=N_LAYERS,
        n_heads=N_HEADS,
        n_kv_heads=N_HEADS,
        ffn_dim=FFN_DIM,
        rope_theta=10_000.0,
        max_context=CONTEXT_FROM_PROGRESS[-1][1],
    )
    model = Transformer(config)
    init_weights(model, seed=seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("attention.o.weight", "feed_forward.down.weight", "output.weight")):
                parameter.zero_()
    return model


def build_optimizer(model: Transformer) -> Muon:
    """Give the matrices inside the blocks to Muon and the rest to AdamW."""
    blocks = list(model.layers.parameters())
    norms_and_output = [model.norm.weight, model.output.weight, *(p for p in blocks if p.ndim < 2)]
    return Muon(
        [parameter for parameter in blocks if parameter.ndim == 2],
        [
            AdamWGroup(parameters=norms_and_output, lr_frac=ADAMW_LR_FRAC),
            AdamWGroup(parameters=[model.embedding.weight], lr_frac=EMBEDDING_LR_FRAC),
        ],
        momentum=MOMENTUM,
        adamw_betas=ADAMW_BETAS,
    )
