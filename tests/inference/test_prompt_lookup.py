"""Look-up proposes what a scan of the whole text finds, however the text grew."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.inference.prompt_lookup import PromptLookup
from herd.inference.speculation import ProposalQuery

STEPS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=8)


def look_up_plainly(tokens: Sequence[int], n: int, longest: int, shortest: int) -> list[int]:
    """Scan backwards for the end of the text, longest end first; go on token by token from there."""
    text = list(tokens)
    for size in range(longest, shortest - 1, -1):
        for start in range(len(text) - size - 1, -1, -1):
            if text[start : start + size] == text[-size:]:
                for i in range(n):
                    text.append(text[start + size + i])
                return text[len(tokens) :]
    return []


@given(steps=STEPS, n=st.integers(1, 6), shortest=st.integers(1, 3), more=st.integers(0, 2))
def test_proposals_equal_a_scan_of_the_whole_text_after_every_growth(
    steps: list[list[int]], n: int, shortest: int, more: int
) -> None:
    proposer = PromptLookup(longest=shortest + more, shortest=shortest)
    tokens: list[int] = []
    for new in steps:
        tokens.extend(new)
        assert proposer.propose([ProposalQuery(7, tokens, n)]) == [
            look_up_plainly(tokens, n, shortest + more, shortest)
        ]


def test_the_longest_match_wins_before_the_most_recent() -> None:
    tokens = [1, 2, 3, 8, 0, 2, 3, 9, 0, 1, 2, 3]
    assert PromptLookup().propose([ProposalQuery(0, tokens, 2)]) == [[8, 0]]
    assert PromptLookup(longest=2).propose([ProposalQuery(0, tokens, 2)]) == [[9, 0]]


def test_a_text_that_repeats_itself_goes_on_repeating() -> None:
    assert PromptLookup().propose([ProposalQuery(0, [5, 1, 2, 1, 2], 7)]) == [[1, 2, 1, 2, 1, 2, 1]]


def test_sequences_are_looked_up_in_their_own_tokens_only() -> None:
    proposer = PromptLookup()
    queries = [ProposalQuery(0, [1, 2, 3, 1, 2], 1), ProposalQuery(1, [4, 4, 1, 2], 1)]
    assert proposer.propose(queries) == [[3], []]


def test_a_released_key_begins_anew() -> None:
    proposer = PromptLookup()
    proposer.propose([ProposalQuery(0, [1, 2, 3, 1, 2, 3], 1)])
    proposer.release(0)
    proposer.release(99)
    assert proposer.propose([ProposalQuery(0, [9, 9, 1, 2, 9, 9, 9, 9], 1)]) == [[9]]


def test_the_tokens_of_the_engine_are_left_alone() -> None:
    tokens = [1, 2, 1, 2]
    PromptLookup().propose([ProposalQuery(0, tokens, 5)])
    assert tokens == [1, 2, 1, 2]


@pytest.mark.parametrize(("shortest", "longest"), [(0, 2), (3, 2)])
def test_lengths_out_of_order_are_refused(shortest: int, longest: int) -> None:
    with pytest.raises(UserError, match="give 1 or more, the longest last"):
        PromptLookup(longest=longest, shortest=shortest)
