"""Rules of thumb for what is worth reading.

In: documents. Out: those that break no rule. Never: a document dropped without the rule and the number.
"""

from herd.data.heuristics.heuristic_filter import HeuristicFilter
from herd.data.heuristics.outlier_filter import OutlierFilter
from herd.data.heuristics.rules import (
    CodeRule,
    LengthRule,
    PageRule,
    RatioRule,
    RepetitionRule,
    StopWordRule,
)

__all__ = [
    "CodeRule",
    "HeuristicFilter",
    "LengthRule",
    "OutlierFilter",
    "PageRule",
    "RatioRule",
    "RepetitionRule",
    "StopWordRule",
]
