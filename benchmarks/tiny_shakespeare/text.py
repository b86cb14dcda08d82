"""Tiny Shakespeare as characters: the standard split, training windows, the validation loss.

In: the gzipped text. Out: int64 ids, one per character; the symbols are numbered in code-point order.
The split is nanoGPT's: the first 90 % train, the last 10 % validate.
Never: a word about models; a loss is a function from tokens and targets to a sum of nats.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from herd.foundation import UserError

TRAIN_FRACTION = 0.9
EVALUATION_TOKENS = 16_384  # that go through the model at once

LossSumFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """Both parts of the text as ids, and how many symbols there are."""

    train_N: torch.Tensor
    validation_N: torch.Tensor
    n_symbols: int


def load(path: Path) -> Text:
    """Read and split the text. Raises UserError when the file is absent or not gzipped UTF-8."""
    try:
        characters = gzip.decompress(path.read_bytes()).decode()
    except FileNotFoundError:
        raise UserError(
            f"no file {path}; give tiny Shakespeare, gzipped, with --data PATH"
        ) from None
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{path} is not a gzipped text in UTF-8 ({error})") from None
    symbols = sorted(set(characters))
    number = {symbol: index for index, symbol in enumerate(symbols)}
    ids_N = torch.tensor([number[character] for character in characters])
    n_train = int(len(ids_N) * TRAIN_FRACTION)
    return Text(train_N=ids_N[:n_train], validation_N=ids_N[n_train:], n_symbols=len(symbols))


class Windows:
    """Training windows without replacement: each pass cuts the text anew, at another offset."""

    def __init__(self, ids_N: torch.Tensor, *, seed: int) -> None:
        self.ids_N = ids_N
        self.generator = torch.Generator().manual_seed(seed)
        self.context = 0
        self.starts = torch.empty(0, dtype=torch.int64)

    def next(self, n_windows: int, context: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return tokens and targets, both int64 [n_windows, context]."""
        if context != self.context or len(self.starts) < n_windows:
            self._cut(context)
        starts_B, self.starts = self.starts[:n_windows], self.starts[n_windows:]
        windows_BT1 = self.ids_N[starts_B[:, None] + torch.arange(context + 1)]
        return windows_BT1[:, :-1], windows_BT1[:, 1:]

    def _cut(self, context: int) -> None:
        offset = int(torch.randint(context, (), generator=self.generator))
        n_windows = (len(self.ids_N) - 1 - offset) // context
        order = torch.randperm(n_windows, generator=self.generator)
        self.context, self.starts = context, order * context + offset


@torch.no_grad()
def validation_loss(ids_N: torch.Tensor, loss_sum: LossSumFunction, *, context: int) -> float:
    """Return the mean loss in nats over every character but the first, which nothing predicts.

    Windows of `context` characters side by side, the last one shorter: the first character of a
    window is predicted from one character, the last from `context`.
    """
    tokens_N, targets_N = ids_N[:-1], ids_N[1:]
    whole = len(tokens_N) // context * context
    rows = max(EVALUATION_TOKENS // context, 1)
    parts = list(
        zip(
            tokens_N[:whole].view(-1, context).split(rows),
            targets_N[:whole].view(-1, context).split(rows),
            strict=True,
        )
    )
    if whole < len(tokens_N):
        parts.append((tokens_N[None, whole:], targets_N[None, whole:]))
    total_nats = sum(float(loss_sum(tokens_BT, targets_BT)) for tokens_BT, targets_BT in parts)
    return total_nats / len(tokens_N)
