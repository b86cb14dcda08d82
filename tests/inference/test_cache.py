"""Reading through the cache gives what reading everything at once gives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from herd.inference import GrowingCache
from herd.model import Transformer

QUICK = settings(max_examples=25, deadline=None)


def read_in_parts(model: Transformer, tokens_BT: torch.Tensor, cuts: list[int]) -> torch.Tensor:
    cache = GrowingCache(model.config, batch_size=tokens_BT.shape[0])
    edges = sorted({0, *cuts, tokens_BT.shape[1]})
    logits = []
    for start, stop in zip(edges, edges[1:], strict=False):
        position_1T = torch.arange(start, stop)[None]
        logits.append(model(tokens_BT[:, start:stop], position_BT=position_1T, cache=cache))
    assert cache.n_tokens == tokens_BT.shape[1]
    return torch.cat(logits, dim=1)


@QUICK
@given(n_tokens=st.integers(1, 40), cuts=st.lists(st.integers(1, 39), max_size=6))
def test_logits_do_not_depend_on_how_the_prompt_is_cut(
    n_tokens: int, cuts: list[int], tiny_model: Transformer
) -> None:
    tokens_BT = torch.randint(97, (2, n_tokens), generator=torch.Generator().manual_seed(n_tokens))
    cuts = [cut for cut in cuts if cut < n_tokens]
    torch.testing.assert_close(
        read_in_parts(tiny_model, tokens_BT, cuts), tiny_model(tokens_BT), atol=1e-4, rtol=1e-4
    )


def test_token_by_token_past_every_growth_equals_the_full_forward(tiny_model: Transformer) -> None:
    tokens_BT = torch.randint(97, (1, 530), generator=torch.Generator().manual_seed(0))
    by_token = read_in_parts(tiny_model, tokens_BT, list(range(1, 530)))
    torch.testing.assert_close(by_token, tiny_model(tokens_BT), atol=2e-4, rtol=2e-4)


def test_truncating_forgets_and_rereading_gives_the_same(tiny_model: Transformer) -> None:
    tokens_BT = torch.randint(97, (1, 20), generator=torch.Generator().manual_seed(1))
    cache = GrowingCache(tiny_model.config)
    positions_BT = torch.arange(20)[None]
    tiny_model(tokens_BT, position_BT=positions_BT, cache=cache)
    cache.truncate(12)
    again = tiny_model(tokens_BT[:, 12:], position_BT=positions_BT[:, 12:], cache=cache)
    torch.testing.assert_close(again, tiny_model(tokens_BT)[:, 12:], atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="cannot keep 21 of 20"):
        cache.truncate(21)


def test_the_cache_refuses_what_does_not_fit(tiny_model: Transformer) -> None:
    cache = GrowingCache(tiny_model.config)
    with pytest.raises(ValueError, match="601 tokens do not fit a context of 600"):
        cache.update(0, torch.zeros(1, 601, 2, 8), torch.zeros(1, 601, 2, 8))
    with pytest.raises(ValueError, match="a cache of 1 rows got 2"):
        cache.update(0, torch.zeros(2, 1, 2, 8), torch.zeros(2, 1, 2, 8))


def test_memory_grows_with_use_up_to_the_context(tiny_model: Transformer) -> None:
    cache = GrowingCache(tiny_model.config)
    capacities = []
    for n_tokens in (1, 255, 1, 300, 43):
        new_BTKC = torch.zeros(1, n_tokens, 2, 8)
        held_BSKC, _ = cache.update(0, new_BTKC, new_BTKC)
        capacities.append(held_BSKC.untyped_storage().nbytes() // (2 * 8 * 4))
    assert capacities == [256, 256, 512, 600, 600]
