"""The one training loop, and what it needs: optimizer, schedule, checkpoints, hooks, report.

In: a model, a loss, a source of batches. Out: a trained model, metrics, checkpoints, a report.
Never: the name of any stage, modality or benchmark.
"""

from herd.training.batch_ramp import BatchStage, check_ramp, longest_context, stage_at
from herd.training.checkpoint import CheckpointStore, Trainee
from herd.training.hooks import Hook, Verdict, every_tokens, sampling_hook
from herd.training.interrupt import stop_on_signals
from herd.training.loop import LoopConfig, NonFiniteLossError, Outcome, train
from herd.training.metrics import Speedometer, StepMetrics
from herd.training.optimizer import OptimizerConfig, build_optimizer
from herd.training.report import ReportContent, write_report
from herd.training.schedule import Decay, ScheduleConfig, learning_rate
from herd.training.source import BatchSource
from herd.training.state import TrainState
from herd.training.step import LossFunction, Precision, train_step
from herd.training.tensorboard import TensorBoardLog
from herd.training.validation import HeldOut, bits_per_byte, validate, validation_hook

__all__ = [
    "BatchSource",
    "BatchStage",
    "CheckpointStore",
    "Decay",
    "HeldOut",
    "Hook",
    "LoopConfig",
    "LossFunction",
    "NonFiniteLossError",
    "OptimizerConfig",
    "Outcome",
    "Precision",
    "ReportContent",
    "ScheduleConfig",
    "Speedometer",
    "StepMetrics",
    "TensorBoardLog",
    "TrainState",
    "Trainee",
    "Verdict",
    "bits_per_byte",
    "build_optimizer",
    "check_ramp",
    "every_tokens",
    "learning_rate",
    "longest_context",
    "sampling_hook",
    "stage_at",
    "stop_on_signals",
    "train",
    "train_step",
    "validate",
    "validation_hook",
    "write_report",
]
