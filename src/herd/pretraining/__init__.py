"""Pre-training, from text to an exported model.

In: a plan or packed shards, a run directory. Out: tokenizer, shards, checkpoints, model, report.
Never: a loop of its own.
"""

from herd.pretraining.corpus import CorpusConfig, TokenizerConfig, curation_of, make_tokenizer
from herd.pretraining.initial import train_initial
from herd.pretraining.initial_config import InitialConfig, MakeGenerate, PackedText
from herd.pretraining.pipeline import (
    Plan,
    RunResult,
    open_packed_text,
    run_on_shards,
    run_pipeline,
)

__all__ = [
    "CorpusConfig",
    "InitialConfig",
    "MakeGenerate",
    "PackedText",
    "Plan",
    "RunResult",
    "TokenizerConfig",
    "curation_of",
    "make_tokenizer",
    "open_packed_text",
    "run_on_shards",
    "run_pipeline",
    "train_initial",
]
