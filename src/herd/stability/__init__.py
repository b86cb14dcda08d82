"""The instrument: what Adam's update looks like, when it goes wrong, what to do, and the theory shown.

In: any torch Adam or AdamW and its model. Out: verdicts, statistics, logs, interventions, reports.
Never: the training loop, or a word about Llama.
"""

from herd.stability.interventions.config import InterventionConfig
from herd.stability.interventions.qk_clip import QKClip, QKClipConfig
from herd.stability.interventions.response_policy import ResponseConfig, ResponsePolicy
from herd.stability.interventions.rollback import (
    Rollback,
    RollbackRule,
    decide_rollback,
    learning_rate_factor,
)
from herd.stability.interventions.skip_step import SkipStep
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from herd.stability.rolling_score import SPIKE_Z, RollingScore
from herd.stability.thresholds import Thresholds
from herd.stability.verdict import Level, Mechanism, WatchVerdict
from herd.stability.watch import AdamWatch, WatchConfig
from herd.stability.watch_log import LOG_NAME, WatchLog, read_watch_log

__all__ = [
    "AdamWatch",
    "InterventionConfig",
    "LOG_NAME",
    "Level",
    "Mechanism",
    "QKClip",
    "QKClipConfig",
    "ResponseConfig",
    "ResponsePolicy",
    "Rollback",
    "RollbackRule",
    "RollingScore",
    "SPIKE_Z",
    "SkipStep",
    "StabilizedAdamW",
    "Thresholds",
    "WatchConfig",
    "WatchLog",
    "WatchVerdict",
    "decide_rollback",
    "learning_rate_factor",
    "read_watch_log",
]
