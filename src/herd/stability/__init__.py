"""The instrument: what Adam's update looks like, when it goes wrong, what to do, and the theory shown.

In: any torch Adam or AdamW and its model. Out: verdicts, statistics, logs, interventions, reports.
Never: the training loop, or a word about Llama.
"""

from herd.stability.follow import follow_run
from herd.stability.integrations import lightning_watch, torchtitan_watch, transformers_watch
from herd.stability.interventions import (
    AdaGC,
    AdaGCConfig,
    ColdGuard,
    ColdGuardConfig,
    EpsilonAdvice,
    InterventionConfig,
    LearningRateDamp,
    LearningRateDampConfig,
    MomentReset,
    MomentResetConfig,
    QKClip,
    QKClipConfig,
    RelativeEpsilon,
    RelativeEpsilonConfig,
    ResponseConfig,
    ResponsePolicy,
    Rollback,
    RollbackRule,
    SkipStep,
    SkipStepConfig,
    SpikeClip,
    SpikeClipConfig,
    StabilizedAdamW,
    StableAdamW,
    StableAdamWConfig,
    Stage,
    UpdateClip,
    UpdateClipConfig,
    ZClip,
    ZClipConfig,
    advise_epsilon,
    decide_rollback,
    learning_rate_factor,
    loss_scale_hint,
    z_loss,
)
from herd.stability.probes import (
    AttentionLogitProbe,
    OutputLogitProbe,
    attention_entropy,
    max_attention_logits,
    output_logits,
)
from herd.stability.report import stability_section, write_stability_report
from herd.stability.reproduction import EXPERIMENTS, reproduce
from herd.stability.rolling_score import SPIKE_Z, RollingScore
from herd.stability.sharpness import Sharpness, preconditioned_sharpness
from herd.stability.signal_prediction import predict_signal
from herd.stability.simulator import predict
from herd.stability.statistics import UpdateStatistics
from herd.stability.thresholds import Thresholds
from herd.stability.verdict import Level, Mechanism, WatchVerdict
from herd.stability.watch import AdamWatch
from herd.stability.watch_config import WatchConfig
from herd.stability.watch_log import LOG_NAME, WatchLog, read_watch_log

__all__ = [
    "AdaGC",
    "AdaGCConfig",
    "AdamWatch",
    "AttentionLogitProbe",
    "ColdGuard",
    "ColdGuardConfig",
    "EXPERIMENTS",
    "EpsilonAdvice",
    "InterventionConfig",
    "LOG_NAME",
    "LearningRateDamp",
    "LearningRateDampConfig",
    "Level",
    "Mechanism",
    "MomentReset",
    "MomentResetConfig",
    "OutputLogitProbe",
    "QKClip",
    "QKClipConfig",
    "RelativeEpsilon",
    "RelativeEpsilonConfig",
    "ResponseConfig",
    "ResponsePolicy",
    "Rollback",
    "RollbackRule",
    "RollingScore",
    "SPIKE_Z",
    "Sharpness",
    "SkipStep",
    "SkipStepConfig",
    "SpikeClip",
    "SpikeClipConfig",
    "StabilizedAdamW",
    "StableAdamW",
    "StableAdamWConfig",
    "Stage",
    "Thresholds",
    "UpdateClip",
    "UpdateClipConfig",
    "UpdateStatistics",
    "WatchConfig",
    "WatchLog",
    "WatchVerdict",
    "ZClip",
    "ZClipConfig",
    "advise_epsilon",
    "attention_entropy",
    "decide_rollback",
    "follow_run",
    "learning_rate_factor",
    "lightning_watch",
    "loss_scale_hint",
    "max_attention_logits",
    "output_logits",
    "preconditioned_sharpness",
    "predict",
    "predict_signal",
    "read_watch_log",
    "reproduce",
    "stability_section",
    "torchtitan_watch",
    "transformers_watch",
    "write_stability_report",
    "z_loss",
]
