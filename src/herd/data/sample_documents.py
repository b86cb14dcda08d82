"""Some of the documents of a corpus, the same ones every time and in whatever order they come.

In: documents, a share. Out: about that share of them, chosen by their names.
"""

import hashlib
from collections.abc import Iterable, Iterator

from herd.data.document import Document


def sample_documents(documents: Iterable[Document], share: float) -> Iterator[Document]:
    """Yield about this share of the documents, chosen by their names: the same every time."""
    for document in documents:
        digest = hashlib.sha256(document.name.encode()).digest()
        if int.from_bytes(digest[:8], "big") < share * 2**64:
            yield document
