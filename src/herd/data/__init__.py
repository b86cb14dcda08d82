"""From sources to batches.

In: files, directories, packages; a tokenizer. Out: documents, packed shards, batches in a fixed order.
Never: models other than its classifiers; a batch that depends on anything but seed and position.
"""

from herd.data.batch import Batch
from herd.data.classify import LanguageStage, identify
from herd.data.cleaning import EditionsStage, LicenceStage, MinCharsStage
from herd.data.cleaning_config import CleaningConfig, cleaning_stages
from herd.data.contamination import (
    BenchmarkGrams,
    ContaminationStage,
    Example,
    GainEstimate,
    ModelGain,
    TextOverlap,
    ThresholdGain,
    contamination_report,
    estimate_gain,
    example_score,
    read_examples,
    read_seen,
    show_contamination,
)
from herd.data.curation import (
    CurationRecipe,
    LimitsConfig,
    OneProcess,
    PackingConfig,
    ProcessWorkers,
    RayWorkers,
    Workers,
    corpus_text,
    curate,
    is_corpus,
    pack_corpus,
    pack_sources,
    read_corpus,
    require_documents,
    verify_corpus,
)
from herd.data.dedup import ExactDedup, LineDedup, MinHashDedup, SpanDedup, UrlDedup
from herd.data.document import Document
from herd.data.extract import ExtractStage, MainText, main_text
from herd.data.heuristics import (
    CodeRule,
    HeuristicFilter,
    LengthRule,
    OutlierFilter,
    PageRule,
    RatioRule,
    RepetitionRule,
    StopWordRule,
)
from herd.data.inspection import Fate, corpus_summary, show_corpus, why, write_corpus_page
from herd.data.loader import Loader
from herd.data.mix import HeldOutStage, MixStage, llama3_mix
from herd.data.privacy import DirtyWordFilter, DomainFilter, PiiRedactor, find_pii
from herd.data.shard_index import ShardIndex
from herd.data.shard_reader import ShardReader
from herd.data.shard_writer import pack
from herd.data.sources import SourceConfig, fetch_sources, read_documents
from herd.data.stage import BatchStage, CorpusStage, Decision, Outcome
from herd.data.tally import Tally

__all__ = [
    "Batch",
    "BatchStage",
    "BenchmarkGrams",
    "CleaningConfig",
    "CodeRule",
    "ContaminationStage",
    "CorpusStage",
    "CurationRecipe",
    "Decision",
    "DirtyWordFilter",
    "Document",
    "DomainFilter",
    "EditionsStage",
    "ExactDedup",
    "Example",
    "ExtractStage",
    "Fate",
    "GainEstimate",
    "HeldOutStage",
    "HeuristicFilter",
    "LanguageStage",
    "LengthRule",
    "LicenceStage",
    "LimitsConfig",
    "LineDedup",
    "Loader",
    "MainText",
    "MinCharsStage",
    "MinHashDedup",
    "MixStage",
    "ModelGain",
    "OneProcess",
    "Outcome",
    "OutlierFilter",
    "PackingConfig",
    "PageRule",
    "PiiRedactor",
    "ProcessWorkers",
    "RatioRule",
    "RayWorkers",
    "RepetitionRule",
    "ShardIndex",
    "ShardReader",
    "SourceConfig",
    "SpanDedup",
    "StopWordRule",
    "Tally",
    "TextOverlap",
    "ThresholdGain",
    "UrlDedup",
    "Workers",
    "cleaning_stages",
    "contamination_report",
    "corpus_summary",
    "corpus_text",
    "curate",
    "estimate_gain",
    "example_score",
    "fetch_sources",
    "find_pii",
    "identify",
    "is_corpus",
    "llama3_mix",
    "main_text",
    "pack",
    "pack_corpus",
    "pack_sources",
    "read_corpus",
    "read_documents",
    "read_examples",
    "read_seen",
    "require_documents",
    "show_contamination",
    "show_corpus",
    "verify_corpus",
    "why",
    "write_corpus_page",
]
