"""What is taken away before text is packed, and why.

In: documents. Out: fewer and shorter documents, and a decision for each one dropped or cut.
Never: a document dropped without being counted and named.
"""

from herd.data.cleaning.editions import Sketch, choose_editions, sketch
from herd.data.cleaning.editions_stage import EditionsStage
from herd.data.cleaning.held_out import Candidate, choose_held_out
from herd.data.cleaning.licence import strip_licence
from herd.data.cleaning.licence_stage import LicenceStage
from herd.data.cleaning.min_chars_stage import MinCharsStage

__all__ = [
    "Candidate",
    "EditionsStage",
    "LicenceStage",
    "MinCharsStage",
    "Sketch",
    "choose_editions",
    "choose_held_out",
    "sketch",
    "strip_licence",
]
