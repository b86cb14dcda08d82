"""Weights in other people's formats: Hugging Face, Meta, GGUF.

In: a directory or file, or a model. Out: the other.
Never: code from a file; a model that is computed differently from what its file means.
"""

from herd.model.formats.gguf import GgufKind, save_gguf
from herd.model.formats.hf import save_hf
from herd.model.formats.load import detect_format, load_weights, read_config
from herd.model.formats.meta import save_meta
from herd.model.formats.vocabulary import check_vocabulary

__all__ = [
    "GgufKind",
    "check_vocabulary",
    "detect_format",
    "load_weights",
    "read_config",
    "save_gguf",
    "save_hf",
    "save_meta",
]
