"""The engine: many requests at once over one paged cache, each as if it were alone.

In: a model, requests in token ids. Out: tokens, text as it comes, log-probabilities.
Never: HTTP, dialogs.
"""

from herd.inference.cache import GrowingCache
from herd.inference.engine import Engine, QueueFullError
from herd.inference.engine_config import EngineConfig, EngineCounters
from herd.inference.generate import SampledToken, check_prompt, generate, stream
from herd.inference.local_engine import open_engine, open_runner
from herd.inference.native.native_runner import NativeRunner, why_not_native
from herd.inference.offline import complete
from herd.inference.request import (
    Completion,
    Constraint,
    FinishReason,
    Output,
    Request,
    Score,
    ScoreRequest,
    TokenLogprob,
)
from herd.inference.runner import Chunk, Runner
from herd.inference.sampler import Sampler, next_token_probabilities
from herd.inference.sampling_config import SamplingConfig
from herd.inference.scoring import score
from herd.inference.stop_strings import StopStrings
from herd.inference.text_generation import TextGeneration
from herd.inference.torch_runner import TorchRunner

__all__ = [
    "Chunk",
    "Completion",
    "Constraint",
    "Engine",
    "EngineConfig",
    "EngineCounters",
    "FinishReason",
    "GrowingCache",
    "NativeRunner",
    "Output",
    "QueueFullError",
    "Request",
    "Runner",
    "SampledToken",
    "Sampler",
    "SamplingConfig",
    "Score",
    "ScoreRequest",
    "StopStrings",
    "TextGeneration",
    "TokenLogprob",
    "TorchRunner",
    "check_prompt",
    "complete",
    "generate",
    "next_token_probabilities",
    "open_engine",
    "open_runner",
    "score",
    "stream",
    "why_not_native",
]
