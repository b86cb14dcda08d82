"""A draft model proposes its own greedy continuation, however often it was wrong before."""

import random
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.foundation import UserError
from herd.inference import Request, SamplingConfig, generate
from herd.inference.draft_model import DraftModel, check_draft
from herd.inference.runner import Chunk
from herd.inference.speculation import ProposalQuery
from herd.inference.torch_runner import TorchRunner
from herd.model import ModelConfig, Transformer, init_weights

GREEDY = SamplingConfig(temperature=0.0)


@pytest.fixture(scope="module")
def draft() -> Transformer:
    config = ModelConfig(
        vocab_size=97, dim=16, n_layers=2, n_heads=2, n_kv_heads=1, ffn_dim=24, max_context=600
    )
    model = Transformer(config)
    init_weights(model, seed=5)
    for parameter in model.parameters():
        parameter.data.mul_(3.0 if parameter.ndim == 2 else 1.0)
    return model.eval().requires_grad_(False)


def proposer_of(draft: Transformer, n_blocks: int = 100) -> DraftModel:
    return DraftModel(TorchRunner(draft, n_blocks), target=draft.config)


def continue_greedily(draft: Transformer, tokens: Sequence[int], n: int) -> list[int]:
    request = Request(prompt=tuple(tokens), max_new_tokens=n, sampling=GREEDY)
    return list(generate(draft, request).tokens)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_proposals_are_greedy_continuations_whatever_was_accepted_before(
    seed: int, draft: Transformer
) -> None:
    dice = random.Random(seed)
    proposer = proposer_of(draft, n_blocks=12)
    texts = {key: [dice.randrange(97) for _ in range(dice.randint(1, 30))] for key in range(3)}
    for _ in range(5):
        asked = [key for key in texts if dice.random() < 0.7]
        queries = [ProposalQuery(key, texts[key], dice.randint(1, 4)) for key in asked]
        guesses = proposer.propose(queries)
        for query, guess in zip(queries, guesses, strict=True):
            assert guess == continue_greedily(draft, query.tokens, query.n_tokens)
            n_accepted = dice.randint(0, len(guess))
            texts[query.key] += [*guess[:n_accepted], dice.randrange(97)]
    for key in texts:
        proposer.release(key)
    assert proposer.n_used_blocks == 0


def test_a_long_prompt_is_caught_up_with_in_pieces(draft: Transformer) -> None:
    tokens = torch.randint(97, (590,), generator=torch.Generator().manual_seed(1)).tolist()
    guess = proposer_of(draft).propose([ProposalQuery(0, tokens, 4)])
    assert guess == [continue_greedily(draft, tokens, 4)]


def test_proposals_end_where_the_context_of_the_draft_does(draft: Transformer) -> None:
    proposer = proposer_of(draft)
    tokens = [3] * 598
    assert [len(g) for g in proposer.propose([ProposalQuery(0, tokens, 9)])] == [3]
    assert proposer.propose([ProposalQuery(0, [3] * 601, 9)]) == [[]]


def test_idle_sequences_give_way_and_who_finds_no_room_gets_no_proposal(draft: Transformer) -> None:
    proposer = proposer_of(draft, n_blocks=4)
    first, second = ProposalQuery(0, [1] * 30, 3), ProposalQuery(1, [2] * 40, 3)
    assert proposer.propose([first]) == [continue_greedily(draft, first.tokens, 3)]
    assert proposer.propose([second]) == [continue_greedily(draft, second.tokens, 3)]
    assert proposer.propose([first]) == [continue_greedily(draft, first.tokens, 3)]
    both = proposer.propose([first, second])
    assert both == [continue_greedily(draft, first.tokens, 3), []]
    assert proposer.propose([ProposalQuery(2, [1] * 90, 1)]) == [[]]


class CountingRunner(TorchRunner):
    """A runner that counts tokens, and fails when told to."""

    n_tokens_run = 0
    fails = False

    def run(self, chunks: Sequence[Chunk]) -> torch.Tensor:
        self.n_tokens_run += sum(len(chunk.tokens) for chunk in chunks)
        if self.fails:
            raise RuntimeError("out of memory")
        return super().run(chunks)


def test_only_what_is_new_is_read(draft: Transformer) -> None:
    runner = CountingRunner(draft, 20)
    proposer = DraftModel(runner, target=draft.config)
    tokens = list(range(40))
    guess = proposer.propose([ProposalQuery(0, tokens, 3)])[0]
    assert runner.n_tokens_run == 40 + 2  # the last guess is never read
    tokens += [*guess[:2], (guess[2] + 1) % 97]
    proposer.propose([ProposalQuery(0, tokens, 3)])
    assert runner.n_tokens_run == 42 + 1 + 2


def test_after_a_broken_run_everything_is_read_again(draft: Transformer) -> None:
    runner = CountingRunner(draft, 20)
    proposer = DraftModel(runner, target=draft.config)
    tokens = list(range(20))
    proposer.propose([ProposalQuery(0, tokens, 2)])
    runner.fails = True
    with pytest.raises(RuntimeError, match="out of memory"):
        proposer.propose([ProposalQuery(0, [*tokens, 5], 2)])
    runner.fails = False
    tokens.append(5)
    assert proposer.propose([ProposalQuery(0, tokens, 2)])[0] == continue_greedily(draft, tokens, 2)


def test_another_vocabulary_is_refused_with_both_sizes(draft: Transformer) -> None:
    other = ModelConfig(
        vocab_size=128, dim=8, n_layers=1, n_heads=1, n_kv_heads=1, ffn_dim=8, max_context=9
    )
    with pytest.raises(UserError, match="draft model has 97 token ids, the model 128"):
        DraftModel(TorchRunner(draft, 4), target=other)


class NamedTokenizer:
    """All of a tokenizer that the check looks at."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint


def test_equal_sizes_of_unlike_tokenizers_are_refused(draft: Transformer) -> None:
    config = draft.config
    first, second = NamedTokenizer("a"), NamedTokenizer("b")
    check_draft(config, config, draft_tokenizer=first, target_tokenizer=first)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="tokenizer differs"):
        check_draft(config, config, draft_tokenizer=first, target_tokenizer=second)  # type: ignore[arg-type]
