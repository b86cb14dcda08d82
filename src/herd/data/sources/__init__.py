"""Where text comes from.

In: a location: directory, file, package, standard library. Out: documents, read in bounded pieces.
Never: running what is read, following it outside its archive, or losing a bad file without naming it.
"""

from herd.data.sources.read import SourceConfig, fetch_sources, read_documents

__all__ = ["SourceConfig", "fetch_sources", "read_documents"]
