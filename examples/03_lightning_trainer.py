"""Watch a Lightning `Trainer`: one callback. Needs `pip install lightning`."""

import tempfile

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from herd.stability import read_watch_log
from herd.stability.integrations import lightning_watch


class Regression(pl.LightningModule):
    """A small network that learns a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return nn.functional.mse_loss(self.layers(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, betas=(0.9, 0.95))


def main() -> None:
    torch.manual_seed(0)
    x_ND = torch.randn(512, 16)
    rows = torch.utils.data.TensorDataset(x_ND, x_ND.sum(dim=1, keepdim=True))
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            default_root_dir=folder, max_epochs=2, accelerator="cpu", devices=1, logger=False,
            accumulate_grad_batches=2, gradient_clip_val=1.0, enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False, callbacks=[lightning_watch()],
        )  # fmt: skip
        trainer.fit(Regression(), torch.utils.data.DataLoader(rows, batch_size=16))
        header, records = read_watch_log(f"{folder}/stability.jsonl")
    print(f"{len(records)} steps of {len(header['layers'])} layers in stability.jsonl")
    last = records[-1]
    print(f"step {last['step']}: {last['level']}, update RMS by layer {last['update_rms']}")


if __name__ == "__main__":
    main()
