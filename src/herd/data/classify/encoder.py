"""A small bidirectional transformer that labels texts, in the place of the paper's DistilRoBERTa (3.1.1).

Words are hashed, so that it needs no vocabulary; it reads the beginning of a text. It is trained on what
a teacher said (`distil`), or on labelled texts.
In: texts and labels. Out: probabilities. Never: weights by pickle; a text's label changed by its batch.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from herd.data.classify.classifier import FORMAT, SETTINGS, Probabilities, check_digest, softmax
from herd.data.word_hashes import word_hashes
from herd.foundation import UserError, progress_bar, sha256_file, write_json

if TYPE_CHECKING:
    import torch

WEIGHTS = "weights.safetensors"
CHARS_PER_WORD = 16
PADDING = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderConfig:
    """Its shape, and how it is trained. `bits`: 2^bits hashed words. `n_words`: read of each text."""

    bits: int = 15
    n_words: int = 256
    dim: int = 128
    n_layers: int = 2
    n_heads: int = 4
    epochs: int = 4
    batch_texts: int = 16
    peak_lr: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit together."""
        sizes = (self.n_words, self.dim, self.n_layers, self.n_heads, self.epochs, self.batch_texts)
        if min(sizes) < 1 or not 8 <= self.bits <= 20 or not self.peak_lr > 0:
            raise UserError("encoder: bits must be 8 to 20, and all other numbers positive")
        if self.dim > 4096 or self.n_layers > 48 or self.n_words > 8192:
            raise UserError("encoder: at most 4096 dim, 48 layers and 8192 words")
        if self.dim % self.n_heads:
            raise UserError(
                f"encoder.dim ({self.dim}) must be a multiple of n_heads ({self.n_heads})"
            )


@dataclass(frozen=True, slots=True)
class EncoderClassifier:
    """The encoder, its labels, and the temperature that logits are divided by."""

    labels: tuple[str, ...]
    config: EncoderConfig
    encoder: Any  # torch.nn.Module
    temperature: float = 1.0

    def probabilities_BK(self, texts: Sequence[str]) -> Probabilities:
        """Return probabilities [texts, labels], one text at a time: none depends on the others."""
        import torch

        self.encoder.eval()
        logits_BK = np.empty((len(texts), len(self.labels)))
        with torch.inference_mode(), _one_thread():
            for number, text in enumerate(texts):
                ids_1T = torch.from_numpy(word_ids(text, self.config)[None])
                logits_BK[number] = self.encoder(ids_1T)[0].double().numpy()
        return softmax(logits_BK / self.temperature)

    def save(self, directory: Path) -> None:
        """Write settings and weights into an existing directory."""
        from safetensors.torch import save_file

        save_file(
            {k: v.contiguous() for k, v in self.encoder.state_dict().items()}, directory / WEIGHTS
        )
        settings = {
            "format": FORMAT,
            "kind": "encoder",
            "labels": list(self.labels),
            "config": asdict(self.config),
            "temperature": self.temperature,
            "sha256": sha256_file(directory / WEIGHTS),
        }
        write_json(directory / SETTINGS, settings)

    @classmethod
    def load(cls, directory: Path, settings: dict[str, Any]) -> "EncoderClassifier":
        """Read what `save` wrote. Raises UserError or ValueError when it is damaged."""
        from safetensors.torch import load_file

        check_digest(directory / WEIGHTS, settings["sha256"])
        labels, config = tuple(settings["labels"]), EncoderConfig(**settings["config"])
        encoder = _new_encoder(config, len(labels))
        try:
            encoder.load_state_dict(load_file(directory / WEIGHTS))
        except RuntimeError as error:
            raise ValueError("weights of another shape") from error
        if not all(bool(values.isfinite().all()) for values in encoder.state_dict().values()):
            raise ValueError("weights that are no numbers")
        return cls(labels, config, encoder, float(settings["temperature"]))


def word_ids(text: str, config: EncoderConfig) -> NDArray[np.int64]:
    """Return the ids of a text's first words, shape [words], one at least; PADDING is none of them."""
    words = word_hashes(text[: config.n_words * CHARS_PER_WORD])[: config.n_words]
    if not words.size:
        return np.ones(1, dtype=np.int64)
    return (words >> np.uint64(64 - config.bits)).astype(np.int64) + 1


def train_encoder(
    texts: Sequence[str], labels: Sequence[str], config: EncoderConfig
) -> EncoderClassifier:
    """Train an encoder; the same for the same texts, in whatever order. Raises UserError for one label."""
    import torch

    names = tuple(sorted(set(labels)))
    if len(names) < 2:
        raise UserError("a classifier needs texts of two labels or more")
    order = sorted(range(len(texts)), key=lambda number: (texts[number], labels[number]))
    ids = [word_ids(texts[number], config) for number in order]
    targets_N = torch.tensor([names.index(labels[number]) for number in order])
    with torch.random.fork_rng(devices=[]), _one_thread():
        torch.manual_seed(config.seed)
        encoder = _new_encoder(config, len(names))
        _fit(encoder, ids, targets_N, len(names), config)
    return EncoderClassifier(names, config, encoder)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums over several threads differ in their last bits with the load of the machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fit(
    encoder: Any,
    ids: Sequence[NDArray[np.int64]],
    targets_N: "torch.Tensor",
    n_labels: int,
    config: EncoderConfig,
) -> None:
    """AdamW with a cosine, labels weighing alike however many texts they have."""
    import torch

    counts_K = torch.bincount(targets_N, minlength=n_labels)
    weight_K = len(ids) / (n_labels * counts_K.clamp(min=1))
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=config.peak_lr, weight_decay=0.01)
    n_steps = config.epochs * math.ceil(len(ids) / config.batch_texts)
    encoder.train()
    with progress_bar("training an encoder", n_steps, unit="steps") as progress:
        for step, chosen in enumerate(_batches(len(ids), config)):
            share = min(
                (step + 1) / max(n_steps // 10, 1), 0.5 * (1 + math.cos(math.pi * step / n_steps))
            )
            optimizer.param_groups[0]["lr"] = config.peak_lr * share
            logits_BK = encoder(_padded([ids[number] for number in chosen]))
            loss = torch.nn.functional.cross_entropy(logits_BK, targets_N[chosen], weight=weight_K)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimizer.step()
            progress.advance(1, loss_nats=f"{loss.item():.3f}")


def _batches(n_texts: int, config: EncoderConfig) -> Iterator[list[int]]:
    dice = np.random.default_rng(config.seed)
    for _ in range(config.epochs):
        order = dice.permutation(n_texts).tolist()
        for start in range(0, n_texts, config.batch_texts):
            yield order[start : start + config.batch_texts]


def _padded(ids: Sequence[NDArray[np.int64]]) -> "torch.Tensor":
    import torch

    ids_BT = np.full((len(ids), max(one.size for one in ids)), PADDING, dtype=np.int64)
    for row, one in zip(ids_BT, ids, strict=True):
        row[: one.size] = one
    return torch.from_numpy(ids_BT)


def _new_encoder(config: EncoderConfig, n_labels: int) -> Any:
    """Embeddings, layers with the norm before, the mean over words, a linear head."""
    import torch
    from torch import nn

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding((1 << config.bits) + 1, config.dim, padding_idx=PADDING)
            self.places = nn.Embedding(config.n_words, config.dim)
            nn.init.normal_(self.words.weight, std=0.02)
            nn.init.normal_(self.places.weight, std=0.02)
            layer = nn.TransformerEncoderLayer(
                config.dim,
                config.n_heads,
                4 * config.dim,
                0.1,
                "gelu",
                batch_first=True,
                norm_first=True,
            )
            self.layers = nn.TransformerEncoder(layer, config.n_layers, enable_nested_tensor=False)
            self.norm = nn.LayerNorm(config.dim)
            self.head = nn.Linear(config.dim, n_labels)

        def forward(self, ids_BT: torch.Tensor) -> torch.Tensor:
            is_word_BT1 = (ids_BT != PADDING).unsqueeze(-1)
            x_BTC = self.words(ids_BT) + self.places.weight[: ids_BT.shape[1]]
            x_BTC = self.norm(self.layers(x_BTC, src_key_padding_mask=ids_BT == PADDING))
            mean_BC = (x_BTC * is_word_BT1).sum(1) / is_word_BT1.sum(1)
            logits_BK: torch.Tensor = self.head(mean_BC)
            return logits_BK

    return Encoder()
