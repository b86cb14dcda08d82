"""The score of a group of tasks: the mean of theirs.

In: reports. Out: for each group its mean with an interval. Never: a mean over tasks that are not a group,
or over numbers that do not say the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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
        name: _macro(own)
        for name, own in groups.items()
        if len(own) > 1 and _say_the_same({one.metric for one in own})
    }


def _say_the_same(metrics: set[str]) -> bool:
    return len(metrics) == 1 or metrics <= SHARES_OF_RIGHT_ANSWERS


def _macro(reports: Sequence[EvalReport]) -> Interval:
    n_tasks = len(reports)
    mean = sum(one.score for one in reports) / n_tasks
    variance = sum(((one.ci_high - one.ci_low) / (2 * Z)) ** 2 for one in reports) / n_tasks**2
    half = Z * math.sqrt(variance)
    n = sum(one.n for one in reports)
    return Interval(mean, mean - half, mean + half, f"mean of {n_tasks} tasks", n, n)
