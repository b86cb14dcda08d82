"""From rows of logits to the next tokens, each row by its own settings and its own random numbers.

In: logits [R, V] and a `SamplingRow` for each. Out: a `Drawn` for each, or what is wrong with it.
Never: a global random state, or one row's influence on another: a row alone draws the same, to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from herd.foundation import UserError
from herd.inference.greedy_rows import take_likeliest
from herd.inference.logit_changes import LogitChanges
from herd.inference.request import TokenLogprob
from herd.inference.request_checks import check_seed
from herd.inference.sampling_config import SamplingConfig
from herd.inference.token_draw import draw, kept_weights

Floats = npt.NDArray[np.float32]

NOT_NUMBERS = (
    "the model's logits are not numbers (NaN): its weights are damaged, or its training went "
    "wrong; get the files again or take an earlier checkpoint"
)
NOTHING_LEFT = "no token is left to draw: constraint, logit_bias and min_new_tokens together forbid all of them"


class Drawn(NamedTuple):
    """A token and its natural log-probability at temperature 1 under the unchanged logits.

    `top_logprobs` are the likeliest under the same, best first. With an `error` (one line, for the
    user) there is no token: `id` is -1.
    """

    id: int
    logprob: float
    top_logprobs: tuple[TokenLogprob, ...] = ()
    error: str | None = None


class SamplingRow:
    """How one sequence draws; made with it, kept until it ends.

    `new_tokens` is the sequence's own list of answer tokens, which its owner appends to and never
    shortens: penalties count what is new in it at each draw. `banned_ids` (stop tokens before
    min_new_tokens) and `allowed_mask` (bool [V], a grammar's) hold for the next draw and may be set
    anew before each. Ids from `vocab_size` on are padding and never drawn. A `generator` gives one
    number per token drawn, none where temperature is 0; samples of one prompt need one each.
    Raises UserError for a bias of an unknown token.
    """

    __slots__ = (
        "allowed_mask", "banned_ids", "changes", "config", "generator", "n_top_logprobs", "vocab_size",
    )  # fmt: skip

    def __init__(
        self,
        *,
        config: SamplingConfig,
        generator: torch.Generator,
        prompt_tokens: Sequence[int],
        new_tokens: Sequence[int],
        vocab_size: int,
        banned_ids: Collection[int] = (),
        allowed_mask: torch.Tensor | None = None,
        n_top_logprobs: int = 0,
    ) -> None:
        self.config = config
        self.generator = generator
        self.vocab_size = vocab_size
        self.banned_ids = banned_ids
        self.allowed_mask = allowed_mask
        self.n_top_logprobs = n_top_logprobs
        self.changes = LogitChanges(
            config, prompt_tokens=prompt_tokens, new_tokens=new_tokens, vocab_size=vocab_size
        )

    @property
    def takes_the_likeliest(self) -> bool:
        """Return whether the next token is simply that of the highest logit, and no other matters."""
        changes = self.changes.any or self.banned_ids or self.allowed_mask is not None
        return not (changes or self.config.temperature or self.n_top_logprobs)


def sample_rows(logits_RV: torch.Tensor, rows: Sequence[SamplingRow]) -> list[Drawn]:
    """Draw one token for each row of `logits_RV` (float32, any device); nothing is appended.

    Order: logit bias, penalties, allowed mask and banned ids, temperature, top-k, top-p, min-p. A
    row without a usable logit gets an error and leaves the others alone.
    """
    if len(logits_RV) != len(rows):
        raise ValueError(f"{len(logits_RV)} rows of logits for {len(rows)} sequences")
    logits_RV = logits_RV.detach()
    drawn: dict[int, Drawn] = {}
    if logits_RV.device.type != "cpu":
        drawn = _sample_likeliest(logits_RV, rows)
    rest = [i for i in range(len(rows)) if i not in drawn]
    host_RV = (logits_RV[rest] if drawn else logits_RV).float().cpu()
    for i, logits_V in zip(rest, host_RV, strict=True):
        drawn[i] = _sample_row(logits_V[: rows[i].vocab_size], rows[i])
    return [drawn[i] for i in range(len(rows))]


def _sample_likeliest(logits_RV: torch.Tensor, rows: Sequence[SamplingRow]) -> dict[int, Drawn]:
    """Return what those rows draw that take the likeliest token as it comes, by place."""
    places = [i for i, row in enumerate(rows) if row.takes_the_likeliest]
    if not places:
        return {}
    ids, logprobs = take_likeliest(logits_RV[places], [rows[i].vocab_size for i in places])
    return {
        i: Drawn(-1, math.nan, error=NOT_NUMBERS) if math.isnan(logprob) else Drawn(token, logprob)
        for i, token, logprob in zip(places, ids, logprobs, strict=True)
    }


def _sample_row(logits_V: torch.Tensor, row: SamplingRow) -> Drawn:
    logprobs_V = logits_V.log_softmax(-1).numpy()
    if not math.isfinite(logits_V.numpy().max()):
        return Drawn(-1, math.nan, error=NOT_NUMBERS)
    changed_V = row.changes.apply(logits_V.numpy(), row.banned_ids, row.allowed_mask)
    likeliest = int(changed_V.argmax())
    if not math.isfinite(changed_V[likeliest]):
        nothing_left = changed_V[likeliest] < 0
        return Drawn(-1, math.nan, error=NOTHING_LEFT if nothing_left else NOT_NUMBERS)
    token = likeliest
    if row.config.temperature > 0.0:
        uniform = torch.rand((), generator=row.generator, dtype=torch.float64).item()
        token = draw(changed_V, row.config, uniform)
    top = _top_logprobs(logprobs_V, row.n_top_logprobs) if row.n_top_logprobs else ()
    return Drawn(token, float(logprobs_V[token]), top)


def _top_logprobs(logprobs_V: Floats, n: int) -> tuple[TokenLogprob, ...]:
    """Return the n likeliest, best first, equal ones by id."""
    n = min(n, len(logprobs_V))
    threshold = np.partition(logprobs_V, len(logprobs_V) - n)[len(logprobs_V) - n]
    ids = np.flatnonzero(logprobs_V >= threshold)
    best = ids[np.argsort(-logprobs_V[ids], kind="stable")][:n]
    return tuple(TokenLogprob(int(i), float(logprobs_V[i])) for i in best)


def seeded_generator(seed: int | None) -> torch.Generator:
    """Return a generator for one sequence; None seeds it from the system.

    On the CPU wherever the model is, so that a seed means the same on every device. Raises
    UserError for a seed beyond 64 bits.
    """
    check_seed(seed)
    generator = torch.Generator(device="cpu")
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


class Sampler:
    """Draws for the plain loop, as `sample_rows` does for the engine: same seed, same tokens.

    Remembers what it drew, so that penalties count it; `prompt_tokens` are for the same. It is one
    sequence: several rows at once are for settings without penalties.
    """

    def __init__(
        self, config: SamplingConfig, *, seed: int | None = None, prompt_tokens: Sequence[int] = ()
    ) -> None:
        self.config = config
        self._prompt_tokens = prompt_tokens
        self._new_tokens: list[int] = []
        self._generator = seeded_generator(seed)
        self._row: SamplingRow | None = None

    def sample(self, logits_BV: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the drawn ids and their log-probabilities under the unchanged logits, both [B].

        Log-probabilities are natural, at temperature 1 and without truncation: what training sees.
        Raises UserError for logits that are not numbers.
        """
        row = self._row_for(logits_BV.shape[-1])
        drawn = [sample_rows(logits_BV[i : i + 1], [row])[0] for i in range(len(logits_BV))]
        for one in drawn:
            if one.error:
                raise UserError(one.error)
        self._new_tokens.extend(one.id for one in drawn)
        device = logits_BV.device
        ids_B = torch.tensor([one.id for one in drawn], dtype=torch.long, device=device)
        return ids_B, torch.tensor([one.logprob for one in drawn], device=device)

    def _row_for(self, vocab_size: int) -> SamplingRow:
        if self._row is None or self._row.vocab_size != vocab_size:
            self._row = SamplingRow(
                config=self.config,
                generator=self._generator,
                prompt_tokens=self._prompt_tokens,
                new_tokens=self._new_tokens,
                vocab_size=vocab_size,
            )
        return self._row


def next_token_probabilities(logits_BV: torch.Tensor, config: SamplingConfig) -> torch.Tensor:
    """Return what the next token is drawn from, [B, V]; rows sum to 1. Needs temperature > 0.

    Top-k first, then top-p on what remains, renormalised, then min-p.
    """
    rows = [torch.from_numpy(kept_weights(row, config)) for row in logits_BV.float().cpu().numpy()]
    weights_BV = torch.stack(rows).to(logits_BV.device)
    return weights_BV / weights_BV.sum(-1, keepdim=True)
