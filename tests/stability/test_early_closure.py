"""Step hooks behind `run_closures_early` see the gradients that the closure makes."""

import pytest
import torch

from herd.stability.early_closure import run_closures_early


@pytest.mark.parametrize("positional", [True, False])
def test_the_closure_runs_once_and_before_the_hooks(positional: bool) -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    seen, runs = [], []
    handle = run_closures_early(optimizer)
    optimizer.register_step_pre_hook(lambda *_: seen.append(weight.grad.clone()))

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (weight * len(runs)).sum()
        loss.backward()
        runs.append(loss)
        return loss

    with torch.no_grad():
        loss = optimizer.step(closure) if positional else optimizer.step(closure=closure)
    assert loss is runs[0] and len(runs) == 1
    assert torch.equal(seen[0], torch.zeros(3))
    optimizer.step()
    assert len(seen) == 2
    handle.remove()
    optimizer.step(closure)
    assert len(runs) == 2


def test_the_step_is_the_same_with_and_without_it() -> None:
    weights = [torch.nn.Parameter(torch.linspace(-1, 1, 7)) for _ in range(2)]
    for weight, early in zip(weights, (True, False), strict=True):
        optimizer = torch.optim.Adam([weight], lr=0.1)
        if early:
            run_closures_early(optimizer)

        def closure(
            weight: torch.Tensor = weight, optimizer: torch.optim.Optimizer = optimizer
        ) -> torch.Tensor:
            optimizer.zero_grad()
            loss = weight.cos().sum()
            loss.backward()
            return loss

        for _ in range(5):
            optimizer.step(closure)
    assert torch.equal(*weights)
