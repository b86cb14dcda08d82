"""The loop gives what a loop without a cache gives, and ends when it should."""

import dataclasses

import pytest
import torch

from herd.foundation import UserError
from herd.inference import Request, Sampler, SamplingConfig, generate, stream
from herd.model import Transformer

GREEDY = SamplingConfig(temperature=0.0)
PROMPTS = [(5,), (1, 2, 3), tuple(range(60))]


def generate_plainly(model: Transformer, request: Request) -> tuple[list[int], list[float]]:
    """The reference: run the whole sequence again for every token."""
    sampler = Sampler(request.sampling, seed=request.seed)
    ids, tokens, logprobs = list(request.prompt), [], []
    for _ in range(request.max_new_tokens):
        drawn, logprob = sampler.sample(model(torch.tensor([ids]))[:, -1, : request.vocab_size])
        if drawn.item() in request.stop_ids:
            break
        tokens.append(drawn.item())
        logprobs.append(logprob.item())
        ids.append(drawn.item())
    return tokens, logprobs


@pytest.mark.parametrize("prompt", PROMPTS, ids=len)
@pytest.mark.parametrize("sampling", [GREEDY, SamplingConfig(temperature=1.0, top_p=0.95)])
def test_cached_generation_equals_the_plain_loop(
    prompt: tuple[int, ...], sampling: SamplingConfig, tiny_model: Transformer
) -> None:
    request = Request(prompt=prompt, max_new_tokens=24, sampling=sampling, seed=11)
    completion = generate(tiny_model, request)
    tokens, logprobs = generate_plainly(tiny_model, request)
    assert list(completion.tokens) == tokens
    assert completion.logprobs == pytest.approx(logprobs, abs=1e-4)
    assert completion.finish_reason == "length"


def test_a_prompt_read_in_parts_equals_one_read_whole(tiny_model: Transformer) -> None:
    prompt = tuple(torch.randint(97, (590,), generator=torch.Generator().manual_seed(2)).tolist())
    request = Request(prompt=prompt, max_new_tokens=4, sampling=GREEDY)
    assert list(generate(tiny_model, request).tokens) == generate_plainly(tiny_model, request)[0]


def test_streamed_tokens_are_those_of_the_whole(tiny_model: Transformer) -> None:
    request = Request(prompt=(1, 2), max_new_tokens=16, seed=3)
    completion = generate(tiny_model, request)
    streamed = list(stream(tiny_model, request))
    assert tuple(token.id for token in streamed) == completion.tokens
    assert tuple(token.logprob for token in streamed) == completion.logprobs


def test_generation_ends_before_a_stop_token(tiny_model: Transformer) -> None:
    request = Request(prompt=(1, 2, 3), max_new_tokens=20, seed=4)
    free = generate(tiny_model, request).tokens
    stopped = generate(tiny_model, dataclasses.replace(request, stop_ids=frozenset({free[6]})))
    assert stopped.tokens == free[: free.index(free[6])]
    assert stopped.finish_reason == "stop"


def test_generation_ends_where_the_context_does(tiny_model: Transformer) -> None:
    request = Request(prompt=(7,) * 595, max_new_tokens=50, seed=4)
    completion = generate(tiny_model, request)
    assert len(completion.tokens) == 5
    assert completion.finish_reason == "length"


def test_no_budget_gives_no_tokens(tiny_model: Transformer) -> None:
    completion = generate(tiny_model, Request(prompt=(1,), max_new_tokens=0))
    assert (completion.tokens, completion.finish_reason) == ((), "length")


def test_padding_rows_of_the_output_are_never_drawn(tiny_model: Transformer) -> None:
    hot = SamplingConfig(temperature=50.0, top_p=1.0)
    request = Request(prompt=(1,), max_new_tokens=300, sampling=hot, seed=0, vocab_size=5)
    assert set(generate(tiny_model, request).tokens) == {0, 1, 2, 3, 4}


def test_the_caller_may_train_between_two_tokens(tiny_model: Transformer) -> None:
    """Inference mode must not leak out of the generator while it is suspended."""
    steps = stream(tiny_model, Request(prompt=(1,), max_new_tokens=3))
    next(steps)
    assert not torch.is_inference_mode_enabled()
    weight = torch.ones(2, requires_grad=True)
    (weight * 2).sum().backward()
    assert weight.grad is not None


def test_a_prompt_that_does_not_fit_is_refused_at_once_with_counts(tiny_model: Transformer) -> None:
    with pytest.raises(UserError, match=r"600 tokens.*holds 600.*shorten it by 1 or more"):
        stream(tiny_model, Request(prompt=(1,) * 600, max_new_tokens=1))


@pytest.mark.parametrize("unknown", [97, -1])
def test_an_id_outside_the_vocabulary_is_refused(unknown: int, tiny_model: Transformer) -> None:
    with pytest.raises(UserError, match=f"token id {unknown} is not in the model's vocabulary"):
        generate(tiny_model, Request(prompt=(1, unknown), max_new_tokens=1))


def test_an_empty_prompt_and_a_negative_budget_are_refused() -> None:
    with pytest.raises(UserError, match="prompt is empty"):
        Request(prompt=(), max_new_tokens=1)
    with pytest.raises(UserError, match="max_new_tokens is -1"):
        Request(prompt=(1,), max_new_tokens=-1)
