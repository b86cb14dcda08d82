"""From the harness's samples to measures: every metric of a task with its interval.

Means of scores between 0 and 1 have Wilson's interval or a clustered one, ratios of sums the bootstrap,
anything else the bootstrap of the harness's own aggregation.
In: samples, how a metric is aggregated. Out: `Measure`s. Never: a metric left out because it is unusual.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from herd.evals.intervals import LEVEL, Interval, bootstrap_ratio, mean_interval
from herd.evals.report import Measure

N_RESAMPLES = 500
LN2 = math.log(2)
Sample = Mapping[str, Any]
Aggregate = Callable[[list[Any]], float]


def measures_of(
    samples: Sequence[Sample],
    *,
    aggregations: Mapping[str, Aggregate],
    higher_is_better: Mapping[str, bool],
    cluster: str = "",
    seed: int = 0,
) -> tuple[Measure, ...]:
    """Return a measure for each metric and filter, in the order in which they come.

    `cluster` names the field of a document that questions on one passage share.
    """
    by_metric: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        for metric in sample["metrics"]:
            by_metric.setdefault((metric, sample["filter"]), []).append(sample)
    found = []
    for (metric, filter), own in by_metric.items():
        labels = [str(one["doc"][cluster]) for one in own] if cluster else None
        interval = _interval(
            metric, [one[metric] for one in own], labels, aggregations.get(metric), seed
        )
        if interval is not None:
            better = higher_is_better.get(metric, True)
            found.append(Measure.of(metric, filter, interval, higher_is_better=better))
    return tuple(found)


def _interval(
    metric: str,
    values: list[Any],
    labels: Sequence[Hashable] | None,
    aggregate: Aggregate | None,
    seed: int,
) -> Interval | None:
    if metric == "bypass":
        return None
    if metric in ("bits_per_byte", "byte_perplexity", "word_perplexity"):
        return _per_unit(metric, values, labels, seed)
    if all(isinstance(one, list | tuple) and _are_verdicts(one) for one in values):
        return _of_verdicts(values, labels)  # several verdicts a question: IFEval's instructions
    is_mean = aggregate is None or getattr(aggregate, "__name__", "") == "mean"
    if is_mean and all(isinstance(one, int | float | np.number | bool) for one in values):
        numbers = [float(one) for one in values]
        if all(0 <= one <= 1 for one in numbers):
            return mean_interval(numbers, labels)
        return bootstrap_ratio(numbers, [1.0] * len(numbers), labels, seed=seed)
    assert aggregate is not None, f"{metric}: neither numbers nor an aggregation"
    return _resampled(values, aggregate, labels, seed)


def _are_verdicts(values: Sequence[Any]) -> bool:
    return all(isinstance(one, bool | np.bool_) for one in values)


def _of_verdicts(values: Sequence[Sequence[bool]], labels: Sequence[Hashable] | None) -> Interval:
    own = labels or list(range(len(values)))
    flat = [float(one) for verdicts in values for one in verdicts]
    flat_labels = [label for verdicts, label in zip(values, own, strict=True) for _ in verdicts]
    return mean_interval(flat, flat_labels)


def _per_unit(
    metric: str, pairs: Sequence[tuple[float, int]], labels: Sequence[Hashable] | None, seed: int
) -> Interval:
    """Values are (log-likelihood in nats, bytes or words) of each text."""
    nats, units = [-pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = bootstrap_ratio(nats, units, labels, seed=seed)
    turn: Callable[[float], float] = (
        (lambda one: one / LN2) if metric == "bits_per_byte" else perplexity_of
    )
    low, high = turn(found.low), turn(found.high)
    return Interval(turn(found.score), low, high, found.method, found.n, found.clusters)


def perplexity_of(nats: float) -> float:
    """Return e to the nats of a unit; infinity where that is no float any more."""
    return math.exp(nats) if nats < 700 else math.inf


def _resampled(
    values: list[Any], aggregate: Aggregate, labels: Sequence[Hashable] | None, seed: int
) -> Interval:
    groups: dict[Hashable, list[Any]] = {}
    for value, label in zip(values, labels or range(len(values)), strict=True):
        groups.setdefault(label, []).append(value)
    clusters, score = list(groups.values()), float(aggregate(values))
    if len(clusters) == 1:
        return Interval(score, -math.inf, math.inf, "bootstrap", len(values), 1)
    rng = np.random.default_rng(seed)
    drawn = [
        float(aggregate([one for i in rng.integers(len(clusters), size=len(clusters)) for one in clusters[i]]))
        for _ in range(N_RESAMPLES)
    ]  # fmt: skip
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(score, float(low), float(high), "bootstrap", len(values), len(clusters))
