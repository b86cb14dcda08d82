"""The plain peer: `transformers`' Llama in float32 under AdamW at a constant rate, untuned.

Width 128, 4 layers, batch 16 x 128, learning rate 4e-3: what one writes in ten minutes.
In: the text, a seed. Out: a learner for `timed.run`.
"""

import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from tiny_shakespeare.text import Text, Windows, validation_loss

BATCH, CONTEXT, LEARNING_RATE = 16, 128, 4e-3


class Peer:
    """`LlamaForCausalLM` with torch's AdamW."""

    def __init__(self, text: Text, *, seed: int) -> None:
        torch.manual_seed(seed)
        self.text = text
        self.windows = Windows(text.train_N, seed=seed)
        self.model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=text.n_symbols,
                hidden_size=128,
                intermediate_size=352,
                num_hidden_layers=4,
                num_attention_heads=4,
                max_position_embeddings=CONTEXT,
            )
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING_RATE)

    def step(self, progress: float) -> None:
        """Do one step; the learning rate is constant."""
        loss = self._loss_sum(*self.windows.next(BATCH, CONTEXT)) / (BATCH * CONTEXT)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def validate(self) -> float:
        """Return the validation loss over windows of the training context."""
        return validation_loss(self.text.validation_N, self._loss_sum, context=CONTEXT)

    def _loss_sum(self, tokens_BT: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
        logits_BTV = self.model(tokens_BT, use_cache=False).logits
        return functional.cross_entropy(
            logits_BTV.flatten(0, 1), targets_BT.flatten(), reduction="sum"
        )
