"""From ranks to a list of merges, which says the same to Hugging Face's and ggml's BPE.

In: tokens in rank order. Out: every way to split a token into two, in merging order.
Never: text.
Source: transformers' tiktoken converter. With the splits of a token tried in the order of their
parts' ranks, and whole words taken from the vocabulary first (`ignore_merges`), BPE by merges
gives the ids of BPE by ranks.
"""

from collections.abc import Sequence
from typing import AnyStr


def merges_of_ranks(tokens: Sequence[AnyStr]) -> list[tuple[AnyStr, AnyStr]]:
    """Return all pairs of tokens whose union is a token, by the union's rank, then the parts'.

    Tokens are bytes, or the same written in GPT-2's alphabet, which has a character for each byte.
    """
    ranks = {token: rank for rank, token in enumerate(tokens)}
    merges: list[tuple[AnyStr, AnyStr]] = []
    for token in tokens:
        splits = ((token[:cut], token[cut:]) for cut in range(1, len(token)))
        known = [(ranks[a], ranks[b], a, b) for a, b in splits if a in ranks and b in ranks]
        merges += [(a, b) for _, _, a, b in sorted(known)]
    return merges
