"""Exactness on a real model: SmolLM2 through the engine gives what the contiguous loop gives.

Needs `herd pull smollm2-135m`; skips without it.
"""

import pytest
import torch

import herd
from herd.inference import (
    Completion,
    Engine,
    EngineConfig,
    PromptLookup,
    Request,
    SamplingConfig,
    complete,
    generate,
    open_engine,
)
from herd.language_model import LanguageModel
from herd.model.hub import packaged_path

TEXTS = (
    "The capital of France is",
    "def fibonacci(n):\n    if n < 2:\n        return n\n",
    "Once upon a time there was a little girl who lived in a village near the forest. " * 4,
)
SAMPLINGS = {
    "greedy": SamplingConfig(temperature=0.0),
    "sampled": SamplingConfig(temperature=0.8, top_p=0.95),
}
N_NEW = 12


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    if not packaged_path("smollm2-135m").is_file():
        pytest.skip("needs `herd pull smollm2-135m`")
    return herd.load("smollm2-135m", dtype=torch.float32, device="cpu")


def requests_of(lm: LanguageModel, sampling: SamplingConfig) -> list[Request]:
    return [
        Request(
            prompt=tuple(lm.tokenizer.encode(text)), max_new_tokens=N_NEW, sampling=sampling, seed=i
        )
        for i, text in enumerate(TEXTS)
    ]


@pytest.fixture(scope="module", params=SAMPLINGS)
def asked(
    request: pytest.FixtureRequest, lm: LanguageModel
) -> tuple[list[Request], list[Completion]]:
    requests = requests_of(lm, SAMPLINGS[request.param])
    return requests, [generate(lm.model, each) for each in requests]


def assert_equal(actual: list[list[Completion]], expected: list[Completion]) -> None:
    for (one,), other in zip(actual, expected, strict=True):
        assert one.tokens == other.tokens
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@pytest.fixture(scope="module", params=["native", "torch"])
def is_native(request: pytest.FixtureRequest) -> bool:
    return request.param == "native"


def test_batched_and_paged_equals_alone_and_contiguous(
    lm: LanguageModel, asked: tuple[list[Request], list[Completion]], is_native: bool
) -> None:
    engine = open_engine(lm.model, lm.tokenizer, native=is_native)
    assert_equal(complete(engine, asked[0]), asked[1])
    assert_equal(complete(engine, asked[0]), asked[1])  # and again, from a warm prefix cache
    assert engine.n_used_blocks == 0


def test_a_prompt_read_in_chunks_and_guesses_ahead_change_nothing(
    lm: LanguageModel, asked: tuple[list[Request], list[Completion]], is_native: bool
) -> None:
    config = EngineConfig(step_tokens=11, max_running=3)
    engine = open_engine(
        lm.model, lm.tokenizer, config=config, native=is_native, proposer=PromptLookup()
    )
    assert_equal(complete(engine, asked[0]), asked[1])


def test_preempted_equals_undisturbed(
    lm: LanguageModel, asked: tuple[list[Request], list[Completion]], is_native: bool
) -> None:
    per_token = 2 * 30 * 3 * 64 * 4
    engine: Engine = open_engine(
        lm.model, lm.tokenizer, cache_bytes=16 * 16 * per_token, native=is_native
    )
    again = [each for each in asked[0] for _ in range(4)]
    expected = [each for each in asked[1] for _ in range(4)]
    assert_equal(complete(engine, again), expected)
    assert engine.n_used_blocks == 0


def test_native_answers_hang_on_nothing_to_the_last_bit(lm: LanguageModel) -> None:
    requests = requests_of(lm, SAMPLINGS["sampled"])
    engine = open_engine(lm.model, lm.tokenizer, native=True)
    alone = [complete(engine, [each])[0][0].logprobs for each in requests]
    small_steps = open_engine(
        lm.model, native=True, config=EngineConfig(step_tokens=7, max_running=3)
    )
    together = [samples[0].logprobs for samples in complete(small_steps, requests)]
    assert together == alone


def test_scores_equal_the_models_own_logprobs(lm: LanguageModel) -> None:
    prompts = ["The capital of France is"] * 3
    continuations = [" Paris.", " a city", " Rome, of course."]
    scores = lm.score(prompts, continuations)
    for prompt, continuation, scored in zip(prompts, continuations, scores, strict=True):
        ids = lm.tokenizer.encode(prompt + continuation)
        n_prompt = len(lm.tokenizer.encode(prompt))
        logprobs = lm.logits(ids).log_softmax(-1)
        expected = [float(logprobs[i - 1, ids[i]]) for i in range(n_prompt, len(ids))]
        assert scored.logprobs == pytest.approx(expected, abs=1e-4)
    assert scores[0].is_greedy
