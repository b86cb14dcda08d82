"""What a request changes of its logits before anything is drawn: bias, penalties, forbidden tokens.

In: a `SamplingConfig`, the tokens of a sequence so far, its logits. Out: changed logits.
Never: the caller's logits in place; log-probabilities are reported of those.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import torch

from herd.inference.request_checks import check_vocabulary
from herd.inference.sampling_config import SamplingConfig

Floats = npt.NDArray[np.float32]


class LogitChanges:
    """The changes that one sequence's config calls for; lives as long as the sequence.

    `new_tokens` is the sequence's own list and may only grow: what came since the last call is
    counted, nothing is counted again.
    """

    def __init__(
        self,
        config: SamplingConfig,
        *,
        prompt_tokens: Sequence[int],
        new_tokens: Sequence[int],
        vocab_size: int,
    ) -> None:
        """Raise UserError for a bias of a token that is not in the vocabulary."""
        check_vocabulary(vocab_size, config)
        self._config = config
        self._vocab_size = vocab_size
        self._bias_ids = np.array(list(config.logit_bias), dtype=np.intp)
        self._biases = np.array(list(config.logit_bias.values()), dtype=np.float32)
        self._repeats = config.repetition_penalty != 1.0
        self._counts = bool(config.frequency_penalty or config.presence_penalty)
        self._new_tokens = new_tokens
        self._n_counted = 0
        self._seen = _DistinctTokens()
        self._answer = _DistinctTokens()
        if self._repeats:
            self._count(self._seen, prompt_tokens)

    @property
    def any(self) -> bool:
        """Return whether the config calls for bias or penalties."""
        return bool(len(self._bias_ids) or self._repeats or self._counts)

    def apply(
        self, logits_V: Floats, banned_ids: Collection[int], allowed_mask_V: torch.Tensor | None
    ) -> Floats:
        """Return logits after bias, repetition, frequency and presence penalty, then mask and ban.

        Bias comes first, as in `transformers` and vLLM. The same array where nothing is to change.
        """
        changed_V = self._bias_and_penalties(logits_V)
        if allowed_mask_V is not None:
            allowed_V = allowed_mask_V[: len(logits_V)].cpu()
            kept_V = torch.where(allowed_V, torch.from_numpy(changed_V), -torch.inf)
            changed_V = kept_V.numpy()
        banned = [i for i in banned_ids if i < len(logits_V)]
        if banned:
            changed_V = changed_V.copy() if changed_V is logits_V else changed_V
            changed_V[banned] = -np.inf
        return changed_V

    def _bias_and_penalties(self, logits_V: Floats) -> Floats:
        if not self.any:
            return logits_V
        self._catch_up()
        changed_V = logits_V.copy()
        changed_V[self._bias_ids] += self._biases
        if self._repeats:
            seen = changed_V[self._seen.ids]
            penalty = np.float32(self._config.repetition_penalty)
            with np.errstate(over="ignore"):  # to infinity, which the sampler reports
                changed_V[self._seen.ids] = np.where(seen > 0, seen / penalty, seen * penalty)
        if self._counts:
            per_token = self._answer.counts * self._config.frequency_penalty
            per_token += self._config.presence_penalty
            changed_V[self._answer.ids] -= per_token.astype(np.float32)
        return changed_V

    def _catch_up(self) -> None:
        if len(self._new_tokens) < self._n_counted:
            raise ValueError(f"{self._n_counted} tokens counted, {len(self._new_tokens)} left")
        new = self._new_tokens[self._n_counted :]
        self._n_counted += len(new)
        if self._repeats:
            self._count(self._seen, new)
        if self._counts:
            self._count(self._answer, new)

    def _count(self, tally: _DistinctTokens, tokens: Sequence[int]) -> None:
        for token in tokens:
            if token < self._vocab_size:  # a prompt may hold padding, which has no logit here
                tally.add(token)


class _DistinctTokens:
    """Which tokens came and how often, as arrays that grow by doubling."""

    def __init__(self) -> None:
        self._place: dict[int, int] = {}
        self._ids = np.zeros(16, dtype=np.intp)
        self._counts = np.zeros(16, dtype=np.float64)

    def add(self, token: int) -> None:
        place = self._place.setdefault(token, len(self._place))
        if place == len(self._ids):
            self._ids = np.concatenate([self._ids, np.zeros_like(self._ids)])
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._ids[place] = token
        self._counts[place] += 1.0

    @property
    def ids(self) -> npt.NDArray[np.intp]:
        return self._ids[: len(self._place)]

    @property
    def counts(self) -> npt.NDArray[np.float64]:
        return self._counts[: len(self._place)]
