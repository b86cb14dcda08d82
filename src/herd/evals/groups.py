"""The score of a group of tasks: the mean of theirs.

In: reports. Out: for each group its mean with an interval. Never: a mean over tasks that are not a group,
or over numbers that do not say the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from herd.evals.intervals import Interval, Z
from herd.evals.report import EvalReport

SHARES_OF_RIGHT_ANSWERS = {"acc", "acc_norm", "exact_match", "pass@1"}


def group_rows(reports: Sequence[EvalReport]) -> dict[str, Interval]:
    """Return for each group of several tasks the mean of their scores, each task weighing the same.

    The tasks' questions are other questions, so their errors add up as independent ones.
    """
    groups: dict[str, list[EvalReport]] = {}
    for report in reports:
        if report.group:
            groups.setdefault(report.group, []).append(report)
    return {
        name: mean_of([_interval(one) for one in own])
        for name, own in groups.items()
        if len(own) > 1 and say_the_same(one.metric for one in own)
    }


def say_the_same(metrics: Iterable[str]) -> bool:
    """Return whether a mean over numbers of these metrics says anything."""
    names = set(metrics)
    return len(names) == 1 or names <= SHARES_OF_RIGHT_ANSWERS


def mean_of(found: Sequence[Interval]) -> Interval:
    """Return the mean of independent numbers, each weighing the same."""
    n_tasks, n = len(found), sum(one.n for one in found)
    mean = sum(one.score for one in found) / n_tasks
    variance = sum(((one.high - one.low) / (2 * Z)) ** 2 for one in found) / n_tasks**2
    half = Z * math.sqrt(variance)
    return Interval(mean, mean - half, mean + half, f"mean of {n_tasks} tasks", n, n)


def _interval(one: EvalReport) -> Interval:
    return Interval(one.score, one.ci_low, one.ci_high, one.method, one.n, one.clusters)
