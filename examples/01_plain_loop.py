"""Watch Adam in a plain PyTorch loop: an import, a line before the loop, a line in it."""

import torch
from torch import nn

from herd.stability import AdamWatch


def main() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95))
    watch = AdamWatch(optimizer, model)
    for step in range(200):
        x_BD = torch.randn(32, 16)
        loss = nn.functional.mse_loss(model(x_BD), x_BD.sum(dim=1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        grad_norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        verdict = watch.step(loss=loss, grad_norm=grad_norm)
        if step % 50 == 49:
            print(f"step {verdict.step}: loss {loss.item():.3f}, {verdict.level}", *verdict.reasons)
    for layer, found in watch.statistics.items():
        print(f"layer {layer}: update RMS {found.update_rms:.2f}, alignment {found.alignment:.2f}")


if __name__ == "__main__":
    main()
