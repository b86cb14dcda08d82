"""Quiet runs: trainings in which nothing of Adam's goes wrong, though they tempt a detector to say so.

In: a seed. Out: labelled runs without an awakening: a layer that learns, a layer that is cold and
stays so, gates that open slowly (the healthy awakening of the gated chain), embeddings of rare
tokens whose rows come back after long absence, and a change of the data halfway.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from herd.stability.reproduction.detector_runs import (
    GainProblem,
    LabelledRun,
    gain_run,
    label,
    watched_steps,
)

BETA2S = (0.95, 0.98, 0.999)
N_STEPS = 1200
N_TOKENS, DIM, BATCH = 500, 16, 128


def quiet_runs(seed: int) -> Iterator[LabelledRun]:
    """Yield every kind of quiet run, once for each beta2."""
    for beta2 in BETA2S:
        yield gain_run(_gain(f"learning, beta2 {beta2}", 1.0, beta2), seed)
        yield gain_run(_gain(f"cold, beta2 {beta2}", 1e-6, beta2), seed)
        yield model_run(f"gates, beta2 {beta2}", Gates, beta2, seed)
        yield model_run(f"rare tokens, beta2 {beta2}", Bigram, beta2, seed)
        yield model_run(f"new data, beta2 {beta2}", NewData, beta2, seed)


def _gain(name: str, gain: float, beta2: float) -> GainProblem:
    return GainProblem(
        name=name, before=gain, beta2=beta2, switch_step=None, n_steps=N_STEPS, learning_rate=0.01
    )


class Problem(nn.Module):
    """A model with data of its own."""

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Return the mean loss of a fresh batch in nats."""
        raise NotImplementedError


def model_run(
    name: str, make: Callable[[torch.Generator], Problem], beta2: float, seed: int
) -> LabelledRun:
    """Train a problem quietly."""
    generator = torch.Generator().manual_seed(seed)
    model = make(generator)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, beta2), eps=1e-8)
    steps = watched_steps(model, optimizer, lambda step: model.loss(step, generator), N_STEPS)
    return label(name, seed, steps, None)


class Gates(Problem):
    """Two gates in a row that open when a second target appears: large updates that go downhill."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.target_a, self.target_b = torch.randn(2, 64, generator=generator) / 8
        self.a = nn.Parameter(torch.randn(64, generator=generator) / 8)
        self.b = nn.Parameter(torch.zeros(64))
        self.gate_1, self.gate_2 = (nn.Parameter(torch.tensor(0.1)) for _ in range(2))

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Binary cross-entropy; the second target appears after 300 steps."""
        x, y = torch.randn(2, 1024, 64, generator=generator)
        second = 4.0 if step >= 300 else 0.0
        truth = 4 * y @ self.target_b + second * x @ self.target_a
        labels = torch.bernoulli(torch.sigmoid(truth), generator=generator)
        logits = y @ self.b + self.gate_1 * self.gate_2 * (x @ self.a)
        return functional.binary_cross_entropy_with_logits(logits, labels)


class Bigram(Problem):
    """The next token of a Zipf chain, from an embedding through a hidden layer."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.weights = 1 / torch.arange(1, N_TOKENS + 1)
        self.next_token = torch.randperm(N_TOKENS, generator=generator)
        self.embedding = nn.Parameter(torch.randn(N_TOKENS, DIM, generator=generator))
        self.hidden = nn.Parameter(torch.randn(DIM, 4 * DIM, generator=generator) / DIM**0.5)
        self.output = nn.Parameter(torch.randn(4 * DIM, N_TOKENS, generator=generator) / DIM)

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Cross-entropy of the successor, which is right four times in five."""
        tokens = torch.multinomial(self.weights, BATCH, replacement=True, generator=generator)
        noise = torch.multinomial(self.weights, BATCH, replacement=True, generator=generator)
        is_noise = torch.rand(BATCH, generator=generator) < 0.2
        targets = torch.where(is_noise, noise, self.next_token[tokens])
        logits = functional.gelu(self.embedding[tokens] @ self.hidden) @ self.output
        return functional.cross_entropy(logits, targets)


class NewData(Bigram):
    """The same, with other successors from half time on: the loss jumps, and nothing is wrong."""

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """As `Bigram`, with the successors turned round after 600 steps."""
        if step == N_STEPS // 2:
            self.next_token = self.next_token.flip(0)
        return super().loss(step, generator)
