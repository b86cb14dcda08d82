"""What an evaluation asks of a model: scores and continuations of token ids.

In: token ids. Out: log-probabilities and text, as they come. Never: the engine behind it; whoever
calls hands one in that has these methods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from herd.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class ToScore:
    """How likely is `continuation` after `prompt`? Token ids, neither empty."""

    prompt: tuple[int, ...]
    continuation: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ToContinue:
    """Continue `prompt`; `temperature` 0 is greedy. Sample i of `n_samples` draws from `seed + i`.

    `is_chat`: the prompt is a rendered dialog, which the format's own end tokens end, too.
    """

    prompt: tuple[int, ...]
    max_new_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    n_samples: int = 1
    is_chat: bool = False


class TokenScore(Protocol):
    """Natural log-probabilities of a continuation's tokens; whether each is the likeliest."""

    @property
    def logprobs(self) -> tuple[float, ...]: ...

    @property
    def is_greedy(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Continuation:
    """The text that followed, and why there is no more: stop, length, or error with its reason."""

    text: str
    n_tokens: int
    finish_reason: str
    error: str = ""


class EvaluatedModel(Protocol):
    """A model to be evaluated. `fingerprint` names its weights and tokenizer and how they run."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def max_context(self) -> int: ...

    def scores(self, asked: Sequence[ToScore]) -> Iterator[tuple[int, TokenScore]]:
        """Yield (index, score) as they come. Raises UserError for one that cannot be scored."""
        ...

    def continuations(
        self, asked: Sequence[ToContinue]
    ) -> Iterator[tuple[int, list[Continuation]]]:
        """Yield (index, samples) as they come."""
        ...

    def chat_ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Return the ids after which the model writes the next answer of a dialog.

        Raises UserError for a model that was not tuned for dialog.
        """
        ...
