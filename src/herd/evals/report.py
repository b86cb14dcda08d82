"""The results of one task: the parcel that others read.

In: measures with their intervals, and how they came about. Out: an `EvalReport`, and as JSON.
Never: an item; those lie in a file beside it.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from herd.evals.intervals import Interval


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
        return _finite(dataclasses.asdict(self))  # type: ignore[no-any-return]


def report_of(values: dict[str, Any]) -> EvalReport:
    """Return the report that `to_json` wrote. Raises KeyError, TypeError or ValueError for something else."""
    _check_types(values)
    known = {field.name for field in dataclasses.fields(EvalReport)}
    measures = tuple(Measure(**_unbounded(one)) for one in values["measures"])
    fields = {name: value for name, value in _unbounded(values).items() if name in known}
    return EvalReport(**(fields | {"measures": measures, "notes": tuple(values["notes"])}))


def _check_types(values: dict[str, Any]) -> None:
    for holder in (values, *values["measures"]):
        for name in ("score", "ci_low", "ci_high"):
            is_open = holder[name] is None and name != "score"
            if not is_open and not isinstance(holder[name], int | float):
                raise ValueError(f"{name} is {holder[name]!r}")
    for name in (
        "task",
        "metric",
        "filter",
        "model",
        "fingerprint",
        "key",
        "prompt",
        "group",
        "about",
    ):
        if not isinstance(values[name], str):
            raise ValueError(f"{name} is {values[name]!r}")
    for name in ("n", "clusters", "shots", "seed"):
        if not isinstance(values[name], int):
            raise ValueError(f"{name} is {values[name]!r}")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def _unbounded(values: dict[str, Any]) -> dict[str, Any]:
    bounds = {"ci_low": -math.inf, "ci_high": math.inf}
    return {
        name: bounds[name] if value is None and name in bounds else value
        for name, value in values.items()
    }
