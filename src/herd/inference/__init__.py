"""The engine: many requests at once over one paged cache, each as if it were alone.

In: a model, requests in token ids. Out: tokens, text as it comes, log-probabilities.
Never: HTTP, dialogs.
"""

from herd.inference.cache import GrowingCache
from herd.inference.constraints import Constraint, ConstraintCompiler, ConstraintLimits
from herd.inference.draft_model import DraftModel, check_draft
from herd.inference.engine import Engine, QueueFullError
from herd.inference.engine_config import EngineConfig, EngineCounters
from herd.inference.engine_thread import EngineThread
from herd.inference.fresh_engine import FreshEngine
from herd.inference.generate import SampledToken, check_prompt, generate, stream
from herd.inference.local_engine import open_engine, open_runner
from herd.inference.native.native_runner import NativeRunner, why_not_native
from herd.inference.offline import complete, completions
from herd.inference.prompt_lookup import PromptLookup
from herd.inference.request import (
    Completion,
    FinishReason,
    Output,
    Request,
    Score,
    ScoreRequest,
    TokenLogprob,
)
from herd.inference.request_checks import check_seed
from herd.inference.runner import Chunk, Runner
from herd.inference.sampler import Sampler, next_token_probabilities
from herd.inference.sampling_config import SamplingConfig
from herd.inference.scoring import score, scores
from herd.inference.settings import Settings, check_settings, request_of
from herd.inference.speculation import Proposer
from herd.inference.stop_strings import StopStrings
from herd.inference.text_generation import TextGeneration
from herd.inference.torch_runner import TorchRunner

__all__ = [
    "Chunk",
    "Completion",
    "Constraint",
    "ConstraintCompiler",
    "ConstraintLimits",
    "DraftModel",
    "Engine",
    "EngineConfig",
    "EngineCounters",
    "EngineThread",
    "FinishReason",
    "FreshEngine",
    "GrowingCache",
    "NativeRunner",
    "Output",
    "PromptLookup",
    "Proposer",
    "QueueFullError",
    "Request",
    "Runner",
    "SampledToken",
    "Sampler",
    "SamplingConfig",
    "Score",
    "ScoreRequest",
    "Settings",
    "StopStrings",
    "TextGeneration",
    "TokenLogprob",
    "TorchRunner",
    "check_draft",
    "check_prompt",
    "check_seed",
    "check_settings",
    "complete",
    "completions",
    "generate",
    "next_token_probabilities",
    "open_engine",
    "open_runner",
    "request_of",
    "score",
    "scores",
    "stream",
    "why_not_native",
]
