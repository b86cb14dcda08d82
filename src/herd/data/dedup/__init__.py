"""The same text once: by URL, exactly, nearly, by line, within a document.

In: documents; for all but the last, surveys of the whole corpus. Out: fewer documents, fewer lines, and
for each that went the one that stays. Never: the whole corpus in memory.
"""

from herd.data.dedup.exact_stage import ExactDedup
from herd.data.dedup.lines_stage import LineDedup
from herd.data.dedup.minhash_stage import MinHashDedup
from herd.data.dedup.spans_stage import SpanDedup
from herd.data.dedup.url_stage import UrlDedup

__all__ = ["ExactDedup", "LineDedup", "MinHashDedup", "SpanDedup", "UrlDedup"]
