"""Scores as people read them: numbers, intervals, names of metrics.

In: a number, two bounds. Out: text of a few characters. Never: a bound that is not known as a number.
"""

from __future__ import annotations

import math

LONGEST = 1e6  # beyond it the power of ten says more than the digits


def number_text(value: float, digits: int = 3) -> str:
    """Return `0.452`, or `8.0e+300`."""
    return f"{value:.{digits}f}" if abs(value) < LONGEST else f"{value:.{digits}g}"


def interval_text(low: float, high: float, digits: int = 3) -> str:
    """Return `0.401 to 0.512`, or that it is not known."""
    if math.isinf(low) or math.isinf(high):
        return "not known"
    return f"{number_text(low, digits)} to {number_text(high, digits)}"


def metric_text(metric: str, filter: str) -> str:
    """Return a metric's name, with the filter's if there is one."""
    return metric if filter == "none" else f"{metric}, {filter}"
