"""How much of which: the held-out split, and the weights of topics, languages and sources.

In: documents with their labels. Out: each marked with its split; fewer or more copies of them.
Never: a held-out document sampled, or a document in both splits.
"""

from herd.data.mix.held_out_stage import HeldOutStage
from herd.data.mix.mix_stage import MixStage, llama3_mix

__all__ = ["HeldOutStage", "MixStage", "llama3_mix"]
