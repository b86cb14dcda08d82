"""The gradient norm against torch's own clipping."""

import torch

from herd.stability.integrations.gradient_norm import gradient_norm


def test_it_is_what_clipping_returns_and_changes_nothing() -> None:
    model = torch.nn.Linear(5, 3)
    assert gradient_norm(model.parameters()) is None
    model(torch.randn(2, 5)).square().sum().backward()
    before = [each.grad.clone() for each in model.parameters()]
    norm = gradient_norm(model.parameters())
    assert all(torch.equal(a, b.grad) for a, b in zip(before, model.parameters(), strict=True))
    assert torch.equal(norm, torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0))
