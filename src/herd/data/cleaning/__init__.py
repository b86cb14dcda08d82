"""What is taken away before text is packed, and why.

In: documents. Out: fewer and shorter documents, and a decision for each one dropped or cut.
Never: a document dropped without being counted and named.
"""

from herd.data.cleaning.editions import Sketch, choose_editions, sketch
from herd.data.cleaning.held_out import Candidate, choose_held_out
from herd.data.cleaning.licence import strip_licence

__all__ = ["Candidate", "Sketch", "choose_editions", "choose_held_out", "sketch", "strip_licence"]
