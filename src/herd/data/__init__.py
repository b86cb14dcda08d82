"""From sources to batches.

In: files, directories, packages; a tokenizer. Out: documents, packed shards, batches in a fixed order.
Never: models other than its classifiers; a batch that depends on anything but seed and position.
"""

from herd.data.batch import Batch
from herd.data.corpus import CleaningConfig, Corpus, prepare
from herd.data.document import Document
from herd.data.loader import Loader
from herd.data.pack_corpus import pack_corpus
from herd.data.sample_documents import sample_documents
from herd.data.shard_index import ShardIndex
from herd.data.shard_reader import ShardReader
from herd.data.shard_writer import pack
from herd.data.sources import SourceConfig, fetch_sources, read_documents
from herd.data.tally import Tally

__all__ = [
    "Batch",
    "CleaningConfig",
    "Corpus",
    "Document",
    "Loader",
    "ShardIndex",
    "ShardReader",
    "SourceConfig",
    "Tally",
    "fetch_sources",
    "pack",
    "pack_corpus",
    "prepare",
    "read_documents",
    "sample_documents",
]
