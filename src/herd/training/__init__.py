"""The one training loop, and what it needs: optimizer, schedule, checkpoints, hooks, report.

In: a model, a loss, a source of batches. Out: a trained model, metrics, checkpoints, a report.
Never: the name of any stage, modality or benchmark.
"""

from herd.training.batch_ramp import BatchStage, check_ramp, longest_context, stage_at
from herd.training.checkpoint import CheckpointStore, Trainee
from herd.training.course import Course
from herd.training.hooks import Hook, Verdict, every_tokens, sampling_hook
from herd.training.interrupt import stop_on_signals
from herd.training.loop import LoopConfig, NonFiniteLossError, Outcome, train
from herd.training.metrics import Speedometer, StepMetrics
from herd.training.optimizer import OptimizerConfig, build_optimizer
from herd.training.optimizer_stages import StagesState, count_calls
from herd.training.report import ReportContent, write_report
from herd.training.rollback import Rollbacks, cut_log, run_with_rollbacks
from herd.training.safeguards import Safeguards
from herd.training.saved_parts import SavedPart
from herd.training.schedule import Decay, ScheduleConfig, learning_rate
from herd.training.source import BatchSource
from herd.training.spike_trigger import SpikeTrigger
from herd.training.state import TrainState
from herd.training.step import LossFunction, Precision, is_bfloat16, train_step
from herd.training.step_skipper import StepSkipper
from herd.training.tensorboard import TensorBoardLog
from herd.training.validation import HeldOut, bits_per_byte, validate, validation_hook
from herd.training.watch_hook import WatchHook

__all__ = [
    "BatchSource",
    "BatchStage",
    "CheckpointStore",
    "Course",
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
    "Rollbacks",
    "Safeguards",
    "SavedPart",
    "ScheduleConfig",
    "Speedometer",
    "SpikeTrigger",
    "StagesState",
    "StepMetrics",
    "StepSkipper",
    "TensorBoardLog",
    "TrainState",
    "Trainee",
    "Verdict",
    "WatchHook",
    "bits_per_byte",
    "build_optimizer",
    "check_ramp",
    "count_calls",
    "cut_log",
    "every_tokens",
    "is_bfloat16",
    "learning_rate",
    "longest_context",
    "run_with_rollbacks",
    "sampling_hook",
    "stage_at",
    "stop_on_signals",
    "train",
    "train_step",
    "validate",
    "validation_hook",
    "write_report",
]
