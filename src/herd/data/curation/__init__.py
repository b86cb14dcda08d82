"""The pipeline of curation: stages run over a corpus of any size, on one core or on a cluster.

In: a recipe of sources and stages. Out: a directory with the documents that stay, a decision for each
that does not, the funnel, and shards. Never: what a stage does.
"""

from herd.data.curation.curate import curate
from herd.data.curation.layout import CurationDirectory
from herd.data.curation.manifest import read_manifest
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
    "curate",
    "is_corpus",
    "read_corpus",
    "read_manifest",
    "verify_corpus",
]
