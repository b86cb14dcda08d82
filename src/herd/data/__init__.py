"""From sources to batches.

In: files, directories, packages; a tokenizer. Out: documents, packed shards, batches in a fixed order.
Never: models other than its classifiers; a batch that depends on anything but seed and position.
"""

from herd.data.batch import Batch
from herd.data.document import Document
from herd.data.loader import Loader
from herd.data.shard_index import ShardIndex
from herd.data.shard_reader import ShardReader
from herd.data.shard_writer import pack

__all__ = ["Batch", "Document", "Loader", "ShardIndex", "ShardReader", "pack"]
