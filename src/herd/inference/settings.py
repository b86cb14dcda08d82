"""What a caller may say of one generation, and the request that it makes.

In: keyword arguments of a front door. Out: a `Request`.
Never: text or dialogs; whoever calls has turned them into ids.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from herd.foundation import UserError
from herd.inference.constraints import Constraint, ConstraintCompiler
from herd.inference.request import Request
from herd.inference.sampling_config import SamplingConfig

DEFAULT_NEW_TOKENS = 256


class Settings(TypedDict, total=False):
    """How to generate.

    Ends at the model's stop token, before a `stop` string, after `max_new_tokens` (256; an answer
    in a chat: 1,024) or where the context is full; never before `min_new_tokens` (0). `temperature`
    (0.6) 0 is greedy; `top_p` (0.9), `top_k` (0: off), `min_p` (0: off) narrow the choice; the
    penalties and `logit_bias` are those of `SamplingConfig`; `seed` (None: another each time)
    replays it. `constraint` makes the text follow a JSON schema, a regular expression or a grammar.
    """

    max_new_tokens: int
    min_new_tokens: int
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    frequency_penalty: float
    presence_penalty: float
    logit_bias: Mapping[int, float]
    seed: int | None
    stop: str | Sequence[str]
    constraint: Constraint | None


def request_of(
    prompt: Sequence[int],
    settings: Settings,
    *,
    stop_ids: frozenset[int],
    vocab_size: int,
    compiler: Callable[[], ConstraintCompiler],
    continues: bool = True,
) -> Request:
    """Return the request, checked; a constraint is compiled now, by what `compiler` returns.

    Raises UserError for settings that make no sense, and for a constraint that cannot be met.
    """
    fields, constraint = _checked_fields(settings), _checked_constraint(settings)
    compiled = None
    if constraint is not None:
        compiled = compiler().compile(
            constraint, stop_ids=stop_ids, vocab_size=vocab_size, continues=continues
        )
    return Request(
        **fields,
        prompt=tuple(prompt),
        stop_ids=stop_ids,
        vocab_size=vocab_size,
        constraint=compiled,
        continues=continues,
    )


def check_settings(settings: Settings) -> None:
    """Raise UserError for settings that make no sense with any model, before one is loaded."""
    _checked_constraint(settings)
    Request(**_checked_fields(settings), prompt=(0,))


def _checked_fields(settings: Settings) -> dict[str, Any]:
    """Return what of a request the settings say themselves."""
    _check_names(settings)
    names = {field.name for field in dataclasses.fields(SamplingConfig)}
    sampling = {name: value for name, value in settings.items() if name in names}
    stop = settings.get("stop") or ()
    if not isinstance(stop, str | Sequence):
        raise UserError(f"stop is {stop!r}: give a string or a list of strings")
    return {
        "max_new_tokens": settings.get("max_new_tokens", DEFAULT_NEW_TOKENS),
        "min_new_tokens": settings.get("min_new_tokens", 0),
        "sampling": SamplingConfig(**sampling),  # type: ignore[arg-type]
        "seed": settings.get("seed"),
        "stop": (stop,) if isinstance(stop, str) else tuple(stop),
    }


def _checked_constraint(settings: Settings) -> Constraint | None:
    constraint = settings.get("constraint")
    if constraint is not None and not isinstance(constraint, Constraint):
        raise UserError(
            f"constraint is a {type(constraint).__name__}: make one with Constraint.json_schema, "
            ".regex or .grammar"
        )
    return constraint


def _check_names(settings: Settings) -> None:
    known = Settings.__annotations__
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise UserError(f"there is no setting {name}; {hint}")
