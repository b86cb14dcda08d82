"""What should not be learned: private data, domains and words that are not wanted.

In: documents. Out: fewer, and shorter by what is private. Never: private data in a log of decisions.
"""

from herd.data.privacy.dirty_words_stage import DirtyWordFilter
from herd.data.privacy.domain_stage import DomainFilter
from herd.data.privacy.find import Span, find_pii, find_pii_in_each
from herd.data.privacy.pii_domains_stage import PiiDomainFilter
from herd.data.privacy.pii_stage import PiiRedactor, redacted

__all__ = [
    "DirtyWordFilter",
    "DomainFilter",
    "PiiDomainFilter",
    "PiiRedactor",
    "Span",
    "find_pii",
    "find_pii_in_each",
    "redacted",
]
