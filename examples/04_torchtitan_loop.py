"""Watch a torchtitan-style loop: model parts under an `OptimizersContainer`. Needs torchtitan."""

import torch
from torch import nn
from torchtitan.components.optimizer import default_adamw

from herd.stability.integrations import torchtitan_watch


class Part(nn.Module):
    """One stage of a pipeline; its layers keep the numbers they have in the whole model."""

    def __init__(self, numbers: range) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({str(i): nn.Linear(16, 16) for i in numbers})

    def forward(self, x_BD: torch.Tensor) -> torch.Tensor:
        for layer in self.layers.values():
            x_BD = x_BD + torch.tanh(layer(x_BD))
        return x_BD


def main() -> None:
    torch.manual_seed(0)
    model_parts = [Part(range(2)), Part(range(2, 4))]
    config = default_adamw(lr=1e-3)
    config.implementation = "foreach"
    optimizers = config.build(model_parts=model_parts)
    watch = torchtitan_watch(optimizers, model_parts)
    for _ in range(50):
        x_BD = torch.randn(32, 16)
        optimizers.zero_grad()
        loss = (model_parts[1](model_parts[0](x_BD)) - x_BD.flip(1)).square().mean()
        loss.backward()
        optimizers.step()
        verdict = watch.step(loss=loss)
    print(
        f"step {verdict.step}: {verdict.level}, {len(optimizers)} optimizers, loss {loss.item():.3f}"
    )
    for layer, found in watch.statistics.items():
        print(f"layer {layer}: update RMS {found.update_rms:.2f}, alignment {found.alignment:.2f}")
    checkpoint = {"optimizer": optimizers.state_dict(), "stability": watch.state_dict()}
    print(f"a checkpoint holds {', '.join(checkpoint)}")


if __name__ == "__main__":
    main()
