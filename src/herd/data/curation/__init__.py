"""The pipeline of curation: stages run over a corpus of any size, on one core or on a cluster.

In: a recipe of sources and stages. Out: a directory with the documents that stay, a decision for each
that does not, the funnel, and shards. Never: what a stage does.
"""

from herd.data.curation.curate import curate
from herd.data.curation.damage import explain_damage
from herd.data.curation.layout import CurationDirectory
from herd.data.curation.manifest import read_manifest
from herd.data.curation.nothing_left import nothing_left
from herd.data.curation.pack_corpus import (
    corpus_text,
    pack_corpus,
    pack_sources,
    require_documents,
)
from herd.data.curation.read_corpus import is_corpus, read_corpus, verify_corpus
from herd.data.curation.recipe import CurationRecipe, LimitsConfig, PackingConfig
from herd.data.curation.workers import OneProcess, ProcessWorkers, RayWorkers, Workers

__all__ = [
    "CurationDirectory",
    "CurationRecipe",
    "LimitsConfig",
    "OneProcess",
    "PackingConfig",
    "ProcessWorkers",
    "RayWorkers",
    "Workers",
    "corpus_text",
    "curate",
    "explain_damage",
    "is_corpus",
    "nothing_left",
    "pack_corpus",
    "pack_sources",
    "read_corpus",
    "read_manifest",
    "require_documents",
    "verify_corpus",
]
