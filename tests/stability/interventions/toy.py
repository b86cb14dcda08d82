"""A small model whose gradients a test chooses, and naive AdamW in float64."""

import numpy as np
import torch


def parameters(seed=0, dtype=torch.float32, shapes=((5, 4), (4,), (0, 3))):
    generator = torch.Generator().manual_seed(seed)
    return [
        (f"layers.{i}.weight", torch.nn.Parameter(torch.randn(s, generator=generator).to(dtype)))
        for i, s in enumerate(shapes)
    ]


def gradients(n_steps, seed=1, scale=1.0, shapes=((5, 4), (4,), (0, 3))):
    generator = torch.Generator().manual_seed(seed)
    return [[scale * torch.randn(s, generator=generator) for s in shapes] for _ in range(n_steps)]


def groups(named, second_betas=(0.8, 0.99)):
    """Two groups with different betas and decay, named."""
    return [
        {"params": named[:1], "weight_decay": 0.1},
        {"params": named[1:], "weight_decay": 0.0, "betas": second_betas},
    ]


def train(optimizer, named, steps, **observed):
    """Step once for each list of gradients; None leaves a parameter without one."""
    for step in steps:
        for (_, parameter), gradient in zip(named, step, strict=True):
            parameter.grad = None if gradient is None else gradient.to(parameter.dtype).clone()
        if observed:
            optimizer.observe(**observed)
        optimizer.step()
    return [parameter.detach().clone() for _, parameter in named]


class NaiveAdamW:
    """One coordinate at a time in float64, with holes where a test puts a stage's formula."""

    def __init__(self, value, *, lr, betas, eps, weight_decay):
        self.value = value.detach().double().numpy().copy()
        self.first = np.zeros_like(self.value)
        self.second = np.zeros_like(self.value)
        self.lr, self.betas, self.eps, self.decay = lr, betas, eps, weight_decay
        self.n_steps = 0

    def step(self, gradient, *, second=None, epsilon=None, update=None, rate=None):
        gradient = gradient.double().numpy()
        beta1, beta2 = self.betas
        self.n_steps += 1
        before = self.second.copy()
        self.first = beta1 * self.first + (1 - beta1) * gradient
        self.second = beta2 * self.second + (1 - beta2) * gradient**2
        if second:
            self.second = second(before, self.second, gradient)
        corrected = self.second / (1 - beta2**self.n_steps)
        eps = epsilon(corrected) if epsilon else self.eps
        u = self.first / (1 - beta1**self.n_steps) / (np.sqrt(corrected) + eps)
        factor = rate(gradient, corrected, eps) if rate else 1.0
        u = update(u) if update else u
        self.value -= self.lr * factor * (u + self.decay * self.value)
        return u
