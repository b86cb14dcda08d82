"""The plain runner gives the logits of the contiguous model, however its work is cut and mixed."""

import itertools
import random

import pytest
import torch

from herd.inference.paged_cache import BLOCK_TOKENS
from herd.inference.runner import Chunk
from herd.inference.torch_runner import TorchRunner
from herd.model import ModelConfig, Transformer, init_weights

N_BLOCKS = 64


class Story:
    """A sequence with blocks of its own, fed to a runner piece by piece."""

    def __init__(self, tokens: list[int], blocks: list[int]) -> None:
        self.tokens, self.blocks, self.n_done = tokens, blocks, 0

    def chunk(self, n: int) -> Chunk:
        part = self.tokens[self.n_done : self.n_done + n]
        chunk = Chunk(tokens=part, start=self.n_done, blocks=self.blocks, n_logits=len(part))
        self.n_done += len(part)
        return chunk


def stories_of(lengths: list[int], seed: int, vocab_size: int) -> list[Story]:
    """Sequences whose blocks are scattered over the cache."""
    draw = random.Random(seed)
    free = draw.sample(range(N_BLOCKS), N_BLOCKS)
    stories = []
    for length in lengths:
        n_blocks = -(-length // BLOCK_TOKENS)
        blocks, free = free[:n_blocks], free[n_blocks:]
        stories.append(Story([draw.randrange(vocab_size) for _ in range(length)], blocks))
    return stories


def run_mixed(runner: TorchRunner, stories: list[Story], seed: int) -> list[torch.Tensor]:
    """Run all stories to their ends in random mixed steps; return each one's logits [T, V]."""
    draw = random.Random(seed)
    parts: list[list[torch.Tensor]] = [[] for _ in stories]
    while any(s.n_done < len(s.tokens) for s in stories):
        live = [i for i, s in enumerate(stories) if s.n_done < len(s.tokens)]
        chosen = draw.sample(live, draw.randint(1, len(live)))
        chunks = [stories[i].chunk(draw.choice([1, 1, 2, 7, 30, 90])) for i in chosen]
        logits = runner.run(chunks).split([chunk.n_logits for chunk in chunks])
        for i, rows in zip(chosen, logits, strict=True):
            parts[i].append(rows.clone())
    return [torch.cat(rows) for rows in parts]


@pytest.mark.parametrize("batch_invariant", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_random_mixed_steps_give_the_logits_of_the_whole(
    seed: int, batch_invariant: bool, tiny_model: Transformer
) -> None:
    stories = stories_of([1, 16, 17, 40, 150, 260], seed, 97)
    runner = TorchRunner(tiny_model, N_BLOCKS, batch_invariant=batch_invariant)
    for story, logits in zip(stories, run_mixed(runner, stories, seed), strict=True):
        whole = tiny_model(torch.tensor([story.tokens]))[0]
        torch.testing.assert_close(logits, whole, rtol=1e-4, atol=1e-4)


def test_logits_come_for_the_last_tokens_of_each_chunk_only(tiny_model: Transformer) -> None:
    first, second, third = stories_of([20, 5, 9], 0, 97)
    chunks = [
        Chunk(tokens=story.tokens, start=0, blocks=story.blocks, n_logits=n)
        for story, n in [(first, 2), (second, 0), (third, 1)]
    ]
    logits = TorchRunner(tiny_model, N_BLOCKS).run(chunks)
    expected = torch.cat(
        [tiny_model(torch.tensor([story.tokens]))[0, -n:] for story, n in [(first, 2), (third, 1)]]
    )
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("batch_invariant", [False, True])
def test_a_copied_block_holds_the_same_keys_and_values(
    batch_invariant: bool, tiny_model: Transformer
) -> None:
    runner = TorchRunner(tiny_model, N_BLOCKS, batch_invariant=batch_invariant)
    (story,) = stories_of([12], 1, 97)
    runner.run([story.chunk(11)])
    copy = next(block for block in range(N_BLOCKS) if block not in story.blocks)
    runner.copy_block(story.blocks[0], copy)
    last = story.tokens[11:]
    ours = runner.run([Chunk(tokens=last, start=11, blocks=[copy])]).clone()
    torch.testing.assert_close(ours, runner.run([story.chunk(1)]))


@pytest.mark.parametrize("batch_invariant", [False, True])
def test_not_a_number_in_one_sequence_reaches_no_other_that_runs_beside_or_after_it(
    batch_invariant: bool, tiny_model: Transformer
) -> None:
    runner = TorchRunner(tiny_model, N_BLOCKS, batch_invariant=batch_invariant)
    runner.cache.keys_NLKCP.fill_(torch.nan)  # what a former owner may have left anywhere
    runner.cache.values_NLKPC.fill_(torch.nan)
    stories = stories_of([3, 37, 130], 2, 97)
    for story, logits in zip(stories, run_mixed(runner, stories, 2), strict=True):
        whole = tiny_model(torch.tensor([story.tokens]))[0]
        torch.testing.assert_close(logits, whole, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=str)
def smallest_model(request: pytest.FixtureRequest) -> Transformer:
    """Small enough for bfloat16 on a processor that has no instructions for it."""
    config = ModelConfig(
        vocab_size=33, dim=48, n_layers=2, n_heads=4, n_kv_heads=2, ffn_dim=80, max_context=400
    )
    model = Transformer(config)
    init_weights(model, seed=1)
    return model.to(request.param).eval().requires_grad_(False)


@pytest.mark.parametrize("seed", range(2))
def test_batch_invariant_logits_are_those_of_the_sequence_alone_to_the_bit(
    seed: int, smallest_model: Transformer
) -> None:
    lengths = [1, 5, 18, 31, 140]
    runner = TorchRunner(smallest_model, N_BLOCKS, batch_invariant=True)
    stories = stories_of(lengths, seed, 33)
    mixed = run_mixed(runner, stories, seed)
    for story, together in zip(stories, mixed, strict=True):
        alone = TorchRunner(smallest_model, N_BLOCKS, batch_invariant=True)
        blocks = list(range(len(story.blocks)))
        whole = Chunk(tokens=story.tokens, start=0, blocks=blocks, n_logits=len(story.tokens))
        assert torch.equal(alone.run([whole]), together)


def test_batch_invariant_rows_do_not_hang_on_their_place_in_the_tile(
    smallest_model: Transformer,
) -> None:
    runner = TorchRunner(smallest_model, N_BLOCKS, batch_invariant=True)
    seen = []
    for n_before in range(17):
        others = stories_of([1] * n_before, n_before, 33)
        probe = Chunk(tokens=[7, 8], start=0, blocks=[N_BLOCKS - 1], n_logits=1)
        free = itertools.count()
        chunks = [Chunk(tokens=s.tokens, start=0, blocks=[next(free)]) for s in others]
        seen.append(runner.run([*chunks, probe])[-1].clone())
    assert all(torch.equal(seen[0], logits) for logits in seen)
