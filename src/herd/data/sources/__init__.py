"""Where text comes from.

In: a location: directory, file, URL, package, standard library. Out: documents, read in bounded pieces.
Never: running what is read, following it outside its archive, or losing a bad file without naming it.
"""

from herd.data.sources.plan import ReadTask, plan_reading
from herd.data.sources.read import fetch_sources, read_documents, read_task
from herd.data.sources.source_config import SourceConfig

__all__ = [
    "ReadTask",
    "SourceConfig",
    "fetch_sources",
    "plan_reading",
    "read_documents",
    "read_task",
]
