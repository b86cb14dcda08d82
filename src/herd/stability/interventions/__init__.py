"""What can be done about an instability: off by default, logged, reversible, composable.

In: an optimizer, and what was asked for. Out: stages of the optimizer's step, a policy that
switches them, pure rules for the training loop.
Never: an action that nobody asked for.
"""

from herd.stability.interventions.adagc import AdaGC, AdaGCConfig
from herd.stability.interventions.cold_guard import ColdGuard, ColdGuardConfig
from herd.stability.interventions.config import InterventionConfig
from herd.stability.interventions.epsilon_advisor import (
    EpsilonAdvice,
    advise_epsilon,
    loss_scale_hint,
)
from herd.stability.interventions.learning_rate_damp import LearningRateDamp, LearningRateDampConfig
from herd.stability.interventions.moment_reset import MomentReset, MomentResetConfig
from herd.stability.interventions.qk_clip import QKClip, QKClipConfig
from herd.stability.interventions.relative_epsilon import RelativeEpsilon, RelativeEpsilonConfig
from herd.stability.interventions.response_policy import ResponseConfig, ResponsePolicy
from herd.stability.interventions.rollback import (
    Rollback,
    RollbackRule,
    decide_rollback,
    learning_rate_factor,
)
from herd.stability.interventions.skip_step import SkipStep, SkipStepConfig
from herd.stability.interventions.spike_clip import SpikeClip, SpikeClipConfig
from herd.stability.interventions.stabilized_adamw import StabilizedAdamW
from herd.stability.interventions.stable_adamw import StableAdamW, StableAdamWConfig
from herd.stability.interventions.stage import GradientStage, Stage
from herd.stability.interventions.update_clip import UpdateClip, UpdateClipConfig
from herd.stability.interventions.z_loss import z_loss
from herd.stability.interventions.zclip import ZClip, ZClipConfig

__all__ = [
    "AdaGC",
    "AdaGCConfig",
    "ColdGuard",
    "ColdGuardConfig",
    "EpsilonAdvice",
    "GradientStage",
    "InterventionConfig",
    "LearningRateDamp",
    "LearningRateDampConfig",
    "MomentReset",
    "MomentResetConfig",
    "QKClip",
    "QKClipConfig",
    "RelativeEpsilon",
    "RelativeEpsilonConfig",
    "ResponseConfig",
    "ResponsePolicy",
    "Rollback",
    "RollbackRule",
    "SkipStep",
    "SkipStepConfig",
    "SpikeClip",
    "SpikeClipConfig",
    "StabilizedAdamW",
    "StableAdamW",
    "StableAdamWConfig",
    "Stage",
    "UpdateClip",
    "UpdateClipConfig",
    "ZClip",
    "ZClipConfig",
    "advise_epsilon",
    "decide_rollback",
    "learning_rate_factor",
    "loss_scale_hint",
    "z_loss",
]
