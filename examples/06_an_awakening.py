"""An awakening on purpose: the alarm, the log, its page, and the same run with the cold guard."""

import torch
from torch import nn

from herd.stability import AdamWatch, ColdGuard, StabilizedAdamW, WatchLog, write_stability_report

SWITCH, STEPS = 300, 340


class Net(nn.Module):
    """A layer behind a gain that is nearly 0 at first, beside one that learns all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.late = nn.Linear(64, 1, bias=False), nn.Linear(64, 1, bias=False)
        nn.init.zeros_(self.early.weight)  # it has nothing left to learn

    def forward(self, x_BD: torch.Tensor, y_BD: torch.Tensor, gain: float) -> torch.Tensor:
        return gain * self.early(x_BD) + self.late(y_BD)


def train(run: str, interventions: list[ColdGuard]) -> None:
    torch.manual_seed(0)
    net, target = Net(), torch.randn(64, 1) / 8
    optimizer = StabilizedAdamW(
        net.parameters(), lr=0.02, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0,
        interventions=interventions, named_parameters=net.named_parameters(),
    )  # fmt: skip
    watch = AdamWatch(optimizer, net)
    with WatchLog(f"{run}/stability.jsonl", watch) as log:
        optimizer.log = log.write_event
        for step in range(1, STEPS + 1):
            x_BD, y_BD = torch.randn(2, 256, 64)
            gain = 1e-6 if step <= SWITCH else 3.0
            noise = 0.5 * torch.randn(256, 1)
            loss = nn.functional.mse_loss(net(x_BD, y_BD, gain), y_BD @ target + noise)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            verdict = watch.step(loss=loss)
            log.write()
            if step in (SWITCH, SWITCH + 1, SWITCH + 4):
                print(f"step {step}: loss {loss.item():.2f}, {verdict.level}", *verdict.reasons)
    print("page:", write_stability_report(run))


if __name__ == "__main__":
    train("awakening", interventions=[])
    train("awakening-guarded", interventions=[ColdGuard()])
