"""Generation: cache, sampler, loop.

In: a model and token ids. Out: token ids, or text as it comes. Never: HTTP, dialogs.
"""

from herd.inference.cache import GrowingCache
from herd.inference.generate import SampledToken, check_prompt, generate, stream
from herd.inference.request import Completion, FinishReason, Request
from herd.inference.sampler import Sampler, next_token_probabilities
from herd.inference.sampling_config import SamplingConfig
from herd.inference.text_generation import StopStrings, TextGeneration

__all__ = [
    "Completion",
    "FinishReason",
    "GrowingCache",
    "Request",
    "SampledToken",
    "Sampler",
    "SamplingConfig",
    "StopStrings",
    "TextGeneration",
    "check_prompt",
    "generate",
    "next_token_probabilities",
    "stream",
]
