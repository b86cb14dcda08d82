"""Speculation changes how fast tokens come, not which: equal text for a seed, equal distribution."""

import dataclasses
import random
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from herd.inference import Request, SamplingConfig, generate
from herd.inference.draft_model import DraftModel
from herd.inference.engine import Engine
from herd.inference.engine_config import EngineConfig
from herd.inference.prompt_lookup import PromptLookup
from herd.inference.request import TokenLogprob
from herd.inference.sampler import next_token_probabilities
from herd.inference.speculation import ProposalQuery, Proposer
from herd.inference.torch_runner import TorchRunner
from herd.model import ModelConfig, Transformer, init_weights

GREEDY = SamplingConfig(temperature=0.0)
HOT = SamplingConfig(temperature=1.5, top_p=0.95)
PENALISED = SamplingConfig(
    temperature=0.9, top_p=1.0, repetition_penalty=1.3, presence_penalty=0.4, logit_bias={4: 2.0}
)
# Whatever is drawn stands in it, and in this order look-up is right once in four times.
LOOKED_UP = tuple(random.Random(186).sample(range(23), 23))
PROMPTS = [tuple(range(1, 30)), (5, 6, 7) * 6, (8,)]


class Fixed:
    """Proposes the same tokens always: mostly wrong ones, never more than asked for."""

    def __init__(self, *tokens: int) -> None:
        self._tokens = list(tokens)

    def propose(self, queries: Sequence[ProposalQuery]) -> list[list[int]]:
        return [self._tokens[: query.n_tokens] for query in queries]

    def release(self, key: int) -> None:
        pass


def small_draft(config: ModelConfig) -> Proposer:
    draft = Transformer(
        ModelConfig(
            vocab_size=config.vocab_size, dim=16, n_layers=1, n_heads=2, n_kv_heads=1, ffn_dim=24,
            max_context=config.max_context,
        )
    )  # fmt: skip
    init_weights(draft, seed=8)
    return DraftModel(TorchRunner(draft.eval().requires_grad_(False), 40), target=config)


def same_model(model: Transformer) -> Proposer:
    """The perfect draft for greedy decoding: every proposal is right."""
    return DraftModel(TorchRunner(model, 40), target=model.config)


PROPOSERS: dict[str, Callable[[Transformer], Proposer]] = {
    "look-up": lambda model: PromptLookup(),
    "eager look-up": lambda model: PromptLookup(shortest=1),
    "draft": lambda model: small_draft(model.config),
    "itself": same_model,
    "fixed": lambda model: Fixed(3, 3, 4),
}


def run_all(
    engine: Engine, requests: Sequence[Request]
) -> dict[tuple[int, int], list[TokenLogprob]]:
    """Return tokens and log-probabilities by ticket and sample."""
    answers: dict[tuple[int, int], list[TokenLogprob]] = {}
    for request in requests:
        engine.submit(request)
    while engine.has_work:
        for output in engine.step():
            answer = answers.setdefault((output.ticket, output.sample), [])
            if output.id is not None:
                answer.append(TokenLogprob(output.id, output.logprob))
    return answers


@pytest.mark.parametrize("name", PROPOSERS)
@pytest.mark.parametrize("sampling", [GREEDY, HOT, PENALISED], ids=["greedy", "hot", "penalised"])
def test_a_seed_gives_the_text_it_gives_without_speculation(
    name: str, sampling: SamplingConfig, tiny_model: Transformer
) -> None:
    requests = [
        Request(prompt=prompt, max_new_tokens=20, sampling=sampling, seed=i, n_samples=2 - i % 2)
        for i, prompt in enumerate(PROMPTS)
    ]
    plain = run_all(Engine(TorchRunner(tiny_model, 60)), requests)
    engine = Engine(
        TorchRunner(tiny_model, 60),
        EngineConfig(n_proposals=3),
        proposer=PROPOSERS[name](tiny_model),
    )
    guessed = run_all(engine, requests)
    assert guessed.keys() == plain.keys()
    for key, answer in plain.items():
        assert [token.id for token in guessed[key]] == [token.id for token in answer]
        assert [token.logprob for token in guessed[key]] == pytest.approx(
            [token.logprob for token in answer], abs=1e-4
        )
    engine.check_books()
    assert engine.n_used_blocks == 0


@pytest.mark.parametrize("name", PROPOSERS)
def test_greedy_with_speculation_is_the_plain_loop(name: str, tiny_model: Transformer) -> None:
    requests = [Request(prompt=p, max_new_tokens=30, sampling=GREEDY) for p in PROMPTS]
    engine = Engine(TorchRunner(tiny_model, 60), proposer=PROPOSERS[name](tiny_model))
    answers = run_all(engine, requests)
    for ticket, request in enumerate(requests):
        found = tuple(token.id for token in answers[ticket, 0])
        assert found == generate(tiny_model, request).tokens


def test_a_perfect_draft_is_accepted_whole_and_saves_steps(tiny_model: Transformer) -> None:
    request = Request(prompt=PROMPTS[0], max_new_tokens=24, sampling=GREEDY)
    steps = {}
    for n_proposals in (0, 3):
        engine = Engine(
            TorchRunner(tiny_model, 60),
            EngineConfig(n_proposals=n_proposals),
            proposer=same_model(tiny_model),
        )
        run_all(engine, [request])
        steps[n_proposals] = engine.counters.n_steps
    assert engine.counters.n_accepted_tokens == engine.counters.n_proposed_tokens > 0
    # The prompt's step gives the first token, every later step four.
    assert steps == {0: 24, 3: 1 + 6}


@pytest.mark.parametrize(
    ("proposer", "prompt"),
    [
        (PromptLookup(shortest=1), LOOKED_UP),
        (Fixed(3, 9, 3), (9, 3, 9, 3, 9)),
        (Fixed(3, 3), (9, 3, 9, 3, 9)),
    ],
    ids=["look-up", "fixed", "other"],
)
def test_sampled_tokens_follow_the_model_with_speculation(
    proposer: Proposer, prompt: tuple[int, ...], fake_runner
) -> None:
    """Of three tokens after the prompt, all outcomes come as often as the chain rule says."""
    sampling = SamplingConfig(temperature=2.0, top_p=1.0, top_k=3)
    request = Request(prompt=prompt, max_new_tokens=3, sampling=sampling, n_samples=50)
    engine = Engine(
        fake_runner(400), EngineConfig(max_running=64, n_proposals=2), proposer=proposer
    )
    answers = run_all(
        engine, [dataclasses.replace(request, seed=1000 * i, n_samples=50) for i in range(30)]
    )
    assert engine.counters.n_accepted_tokens > 50
    counts = Counter(tuple(token.id for token in answer) for answer in answers.values())
    expected = probabilities_of_answers(fake_runner, prompt, sampling, 3)
    assert set(counts) <= set(expected)
    found = np.array([counts[answer] for answer in expected])
    share = np.array(list(expected.values()))
    assert chisquare(found, share / share.sum() * found.sum()).pvalue > 1e-3


def probabilities_of_answers(
    fake_runner, prompt: tuple[int, ...], sampling: SamplingConfig, n: int
) -> dict[tuple[int, ...], float]:
    """Every answer of n tokens and its probability."""
    answers: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(n):
        longer = {}
        for tokens, share in answers.items():
            logits_1V = torch.tensor([fake_runner.logits(bytes(prompt + tokens))])
            for token, p in enumerate(next_token_probabilities(logits_1V, sampling)[0].tolist()):
                if p > 0:
                    longer[(*tokens, token)] = share * p
        answers = longer
    return answers
