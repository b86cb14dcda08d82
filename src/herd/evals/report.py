"""The results of one task: the parcel that others read.

In: measures with their intervals, and how they came about. Out: an `EvalReport`, and as JSON.
Never: an item; those lie in a file beside it.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, TypeVar

from herd.evals.intervals import Interval

KINDS: dict[str, Any] = {"str": str, "int": int, "float": int | float, "bool": bool}
Parcel = TypeVar("Parcel", "Measure", "EvalReport")


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a task: which metric, of which filter's answers, with its interval."""

    metric: str
    filter: str
    score: float
    ci_low: float
    ci_high: float
    n: int
    clusters: int
    method: str
    higher_is_better: bool = True

    @classmethod
    def of(cls, metric: str, filter: str, found: Interval, *, higher_is_better: bool) -> Measure:
        """Return an interval as the measure of a metric."""
        return cls(
            metric, filter, found.score, found.low, found.high, found.n, found.clusters,
            found.method, higher_is_better,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalReport:
    """One task on one model. `score` and its 95 % interval are those of the headline `metric`.

    `prompt` is one rendered prompt, `notes` are what a reader should know, `key` is what the result
    depends on: the same key, the same result.
    """

    task: str
    version: str
    score: float
    ci_low: float
    ci_high: float
    n: int
    metric: str
    filter: str
    method: str
    clusters: int
    model: str
    fingerprint: str
    key: str
    shots: int
    seed: int
    limit: int | None
    chat: bool
    chance: float
    group: str
    about: str
    prompt: str
    measures: tuple[Measure, ...]
    notes: tuple[str, ...]
    n_malformed: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values; an infinite bound is None."""
        return finite(dataclasses.asdict(self))  # type: ignore[no-any-return]


def report_of(values: dict[str, Any]) -> EvalReport:
    """Return the report that `to_json` wrote. Raises KeyError, TypeError or ValueError for something else."""
    known = {field.name for field in dataclasses.fields(EvalReport)}
    measures = tuple(_checked(Measure(**_unbounded(one))) for one in values["measures"])
    fields = {name: value for name, value in _unbounded(values).items() if name in known}
    report = EvalReport(**(fields | {"measures": measures, "notes": tuple(values["notes"])}))
    return _checked(report)


def _checked(value: Parcel) -> Parcel:
    """Raise ValueError where a field holds another kind of value than it is declared to."""
    for field in dataclasses.fields(value):
        kind, held = KINDS.get(str(field.type)), getattr(value, field.name)
        if kind is not None and not isinstance(held, kind):
            raise ValueError(f"{field.name} is {held!r}")
    return value


def finite(value: Any) -> Any:
    """Return plain values with None for what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return value


def _unbounded(values: dict[str, Any]) -> dict[str, Any]:
    """Put the infinity back that JSON has no number for; of scores only perplexities have one."""
    bounds = {"ci_low": -math.inf, "ci_high": math.inf, "score": math.inf}
    return {
        name: bounds[name] if value is None and name in bounds else value
        for name, value in values.items()
    }
