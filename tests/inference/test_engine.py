"""Whatever runs beside it, however it is cut, cached, interrupted or guessed: the same answer."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import pytest
import torch

from herd.foundation import UserError
from herd.inference import Request, SamplingConfig, generate
from herd.inference.engine import Engine, QueueFullError
from herd.inference.engine_config import EngineConfig
from herd.inference.offline import complete
from herd.inference.request import Completion, ScoreRequest
from herd.inference.speculation import ProposalQuery
from herd.inference.torch_runner import TorchRunner
from herd.model import Transformer

GREEDY = SamplingConfig(temperature=0.0)
WARM = SamplingConfig(temperature=1.0, top_p=0.95)
PENALISED = SamplingConfig(temperature=0.9, top_k=40, repetition_penalty=1.2, presence_penalty=0.4)
SAMPLINGS = [GREEDY, WARM, PENALISED]
SHARED = tuple(range(40, 80))


def requests_of_all_kinds() -> list[Request]:
    """Prompts short and long, with common beginnings, each with its own sampling and seed."""
    prompts = [(5,), (1, 2, 3), SHARED, (*SHARED, 7, 8), SHARED[:33], tuple(range(90)), (9,) * 64]
    return [
        Request(
            prompt=prompt, max_new_tokens=9 + i, sampling=SAMPLINGS[i % 3], seed=i, n_top_logprobs=i % 3
        )
        for i, prompt in enumerate(prompts)
    ]  # fmt: skip


Reference = Callable[[Request], list[Completion]]


@pytest.fixture(scope="module")
def alone(tiny_model: Transformer) -> Reference:
    """The reference: each sample of a request by the contiguous plain loop."""

    @functools.cache
    def one(prompt: tuple[int, ...], max_new_tokens: int, kind: int, seed: int) -> Completion:
        sampling = SAMPLINGS[kind]
        request = Request(
            prompt=prompt, max_new_tokens=max_new_tokens, sampling=sampling, seed=seed
        )
        return generate(tiny_model, request)

    def samples(request: Request) -> list[Completion]:
        kind, seed = SAMPLINGS.index(request.sampling), request.seed or 0
        return [
            one(request.prompt, request.max_new_tokens, kind, seed + i)
            for i in range(request.n_samples)
        ]

    return samples


def assert_same(found: Sequence[Completion], expected: Sequence[Completion]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.tokens == theirs.tokens
        assert ours.logprobs == pytest.approx(theirs.logprobs, abs=1e-4)
        assert ours.finish_reason == theirs.finish_reason


class HalfRight:
    """A proposer that knows the answers, and spoils some of its guesses."""

    def __init__(self, answers: dict[tuple[int, ...], tuple[int, ...]]) -> None:
        self._answers = answers
        self.released: list[int] = []

    def propose(self, queries: Sequence[ProposalQuery]) -> list[list[int]]:
        return [self._guess(query) for query in queries]

    def release(self, key: int) -> None:
        self.released.append(key)

    def _guess(self, query: ProposalQuery) -> list[int]:
        known = tuple(query.tokens)
        for prompt, answer in self._answers.items():
            whole = prompt + answer
            if len(known) >= len(prompt) and whole[: len(known)] == known:
                guess = list(whole[len(known) : len(known) + query.n_tokens])
                if len(known) % 3 == 0 and guess:
                    guess[-1] = (guess[-1] + 1) % 97
                return guess
        return [0, 97, -1][: len(known) % 5]


@pytest.mark.parametrize(
    "config",
    [
        EngineConfig(),
        EngineConfig(prefix_caching=False),
        EngineConfig(max_running=1, step_tokens=600),
        EngineConfig(step_tokens=7, max_running=3),
        EngineConfig(step_tokens=1, max_running=1),
    ],
    ids=["batched", "uncached", "one by one", "in small chunks", "token by token"],
)
def test_answers_are_those_of_the_contiguous_loop(
    config: EngineConfig, tiny_model: Transformer, alone: Reference
) -> None:
    engine = Engine(TorchRunner(tiny_model, 60), config)
    requests = requests_of_all_kinds()
    for request, found in zip(requests, complete(engine, requests), strict=True):
        assert_same(found, alone(request))
    assert engine.n_used_blocks == 0


def test_a_disturbed_answer_is_the_undisturbed_one(
    tiny_model: Transformer, alone: Reference
) -> None:
    engine = Engine(TorchRunner(tiny_model, 8), EngineConfig(step_tokens=32, max_running=7))
    requests = [
        Request(prompt=(i, 3), max_new_tokens=50, sampling=SAMPLINGS[i % 3], seed=i, n_samples=n)
        for i, n in enumerate([1, 2, 1, 3])
    ]
    for request, found in zip(requests, complete(engine, requests), strict=True):
        assert_same(found, alone(request))
    assert engine.counters.n_preemptions > 0
    assert engine.n_used_blocks == 0


def test_a_warm_prefix_gives_what_a_cold_one_gives(tiny_model: Transformer) -> None:
    engine = Engine(TorchRunner(tiny_model, 60))
    requests = requests_of_all_kinds()
    cold, warm = complete(engine, requests), complete(engine, requests)
    for ours, theirs in zip(warm, cold, strict=True):
        assert_same(ours, theirs)
    assert [samples[0].n_cached_tokens for samples in warm] == [0, 0, 32, 32, 32, 80, 48]


def test_a_second_turn_finds_the_keys_of_the_first_answer(
    tiny_model: Transformer, alone: Reference
) -> None:
    engine = Engine(TorchRunner(tiny_model, 60))
    first = Request(prompt=SHARED, max_new_tokens=40, sampling=GREEDY)
    (answer,) = complete(engine, [first])[0]
    second = Request(prompt=(*SHARED, *answer.tokens, 3), max_new_tokens=5, sampling=GREEDY)
    (again,) = complete(engine, [second])[0]
    assert again.n_cached_tokens == (len(SHARED) + 39) // 16 * 16
    assert_same([again], alone(second))


def test_requests_of_unlike_salt_share_nothing(tiny_model: Transformer) -> None:
    engine = Engine(TorchRunner(tiny_model, 60))
    request = Request(prompt=SHARED, max_new_tokens=2)
    salted = dataclasses.replace(request, cache_salt="adapter")
    found = complete(engine, [request, salted, salted])
    assert [samples[0].n_cached_tokens for samples in found] == [0, 0, 32]


@pytest.mark.parametrize("prompt", [SHARED, SHARED[:32], (4,)], ids=len)
@pytest.mark.parametrize("max_running", [2, 64])
def test_samples_are_those_of_single_requests_and_share_one_prefill(
    prompt: tuple[int, ...], max_running: int, tiny_model: Transformer, alone: Reference
) -> None:
    engine = Engine(TorchRunner(tiny_model, 60), EngineConfig(max_running=max_running))
    request = Request(prompt=prompt, max_new_tokens=20, sampling=WARM, seed=5, n_samples=5)
    engine.submit(request)
    first_outputs = engine.step()
    assert [output.sample for output in first_outputs] == [0, 1, 2, 3, 4]
    assert engine.counters.n_computed_tokens == len(prompt)
    engine.cancel(first_outputs[0].ticket)
    (found,) = complete(engine, [request])
    assert_same(found, alone(request))
    assert len({sample.tokens for sample in found}) == 5


def test_a_copy_is_made_only_of_the_block_that_samples_would_both_write(
    tiny_model: Transformer,
) -> None:
    engine = Engine(TorchRunner(tiny_model, 60))
    engine.submit(Request(prompt=SHARED, max_new_tokens=20, n_samples=4))
    engine.step()
    assert engine.n_used_blocks == 3
    engine.step()
    assert engine.n_used_blocks == 2 + 4  # two whole blocks of the prompt, a last one each


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=["greedy", "warm", "penalised"])
@pytest.mark.parametrize("n_proposals", [1, 4, 9])
def test_guessing_ahead_changes_nothing_but_the_number_of_steps(
    n_proposals: int, sampling: SamplingConfig, tiny_model: Transformer, alone: Reference
) -> None:
    requests = [
        dataclasses.replace(request, sampling=sampling) for request in requests_of_all_kinds()
    ]
    expected = [alone(request) for request in requests]
    proposer = HalfRight(
        {r.prompt: e[0].tokens for r, e in zip(requests, expected, strict=True)}
    )  # fmt: skip
    config = EngineConfig(n_proposals=n_proposals)
    engine = Engine(TorchRunner(tiny_model, 60), config, proposer=proposer)
    for ours, theirs in zip(complete(engine, requests), expected, strict=True):
        assert_same(ours, theirs)
    plain = Engine(TorchRunner(tiny_model, 60), config)
    complete(plain, requests)
    n_accepted, n_proposed = engine.counters.n_accepted_tokens, engine.counters.n_proposed_tokens
    n_computed = engine.counters.n_computed_tokens
    assert engine.counters.n_steps < plain.counters.n_steps
    assert 0 < n_accepted < n_proposed
    assert n_computed == plain.counters.n_computed_tokens + n_proposed - n_accepted
    assert sorted(proposer.released) == list(range(1, len(requests) + 1))
    assert engine.n_used_blocks == 0


def test_guessing_ahead_respects_a_constraint(tiny_model: Transformer) -> None:
    request = Request(
        prompt=(1,), max_new_tokens=30, sampling=GREEDY, constraint=Grammar((3, 4), 9)
    )
    (plain,) = complete(Engine(TorchRunner(tiny_model, 60)), [request])[0]
    proposer = HalfRight({request.prompt: plain.tokens})
    engine = Engine(TorchRunner(tiny_model, 60), proposer=proposer)
    assert_same(complete(engine, [request])[0], [plain])
    assert engine.counters.n_accepted_tokens > 0


def test_top_logprobs_are_the_likeliest_of_the_model(tiny_model: Transformer) -> None:
    engine = Engine(TorchRunner(tiny_model, 60))
    request = Request(prompt=(1, 2, 3), max_new_tokens=4, sampling=WARM, seed=1, n_top_logprobs=3)
    (found,) = complete(engine, [request])[0]
    for i, top in enumerate(found.top_logprobs):
        ids = torch.tensor([request.prompt + found.tokens[:i]])
        expected = tiny_model(ids)[0, -1].log_softmax(-1).topk(3)
        assert [each.id for each in top] == expected.indices.tolist()
        assert [each.logprob for each in top] == pytest.approx(expected.values.tolist(), abs=1e-4)


def test_a_batch_invariant_engine_gives_the_same_bits_in_any_company(
    tiny_model: Transformer,
) -> None:
    requests = requests_of_all_kinds()
    lonely = [
        complete(Engine(TorchRunner(tiny_model, 60, batch_invariant=True)), [request])[0]
        for request in requests
    ]
    config = EngineConfig(step_tokens=11, max_running=5)
    together = Engine(TorchRunner(tiny_model, 20, batch_invariant=True), config)
    for ours, theirs in zip(complete(together, requests), lonely, strict=True):
        assert [each.logprobs for each in ours] == [each.logprobs for each in theirs]


@pytest.mark.parametrize("n_min", [0, 9])
def test_stop_tokens_end_an_answer_but_not_before_its_minimum(
    n_min: int, tiny_model: Transformer
) -> None:
    request = Request(prompt=(1, 2, 3), max_new_tokens=30, sampling=WARM, seed=4)
    free = generate(tiny_model, request).tokens
    stopping = dataclasses.replace(request, stop_ids=frozenset(free[3:5]), min_new_tokens=n_min)
    (found,) = complete(Engine(TorchRunner(tiny_model, 60)), [stopping])[0]
    assert len(found.tokens) >= n_min
    assert not set(found.tokens) & stopping.stop_ids
    if n_min == 0:
        assert (found.tokens, found.finish_reason) == (free[:3], "stop")


def test_an_answer_ends_where_the_context_does(tiny_model: Transformer) -> None:
    engine = Engine(TorchRunner(tiny_model, 60))
    (found,) = complete(engine, [Request(prompt=(7,) * 595, max_new_tokens=50)])[0]
    assert (len(found.tokens), found.finish_reason) == (5, "length")


def test_no_budget_gives_no_tokens_and_costs_nothing(tiny_model: Transformer) -> None:
    engine = Engine(TorchRunner(tiny_model, 60))
    found = complete(engine, [Request(prompt=(1,), max_new_tokens=0, n_samples=2)])[0]
    assert [(each.tokens, each.finish_reason) for each in found] == [((), "length")] * 2
    assert engine.counters.n_steps == 0


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(prompt=(1,) * 600, max_new_tokens=1), r"600 tokens.*holds 600.*shorten it by 1"),
        (Request(prompt=(1,) * 90, max_new_tokens=200), r"289 tokens, 19 blocks.*has 18"),
        (Request(prompt=(1, 97), max_new_tokens=1), "token id 97 is not in the model's vocabulary"),
        (Request(prompt=(1,), max_new_tokens=1, stop=("a",)), "stop strings need a tokenizer"),
        (ScoreRequest(prompt=(1,) * 500, continuation=(2,) * 103), r"603 tokens.*by 2 or more"),
        (ScoreRequest(prompt=(1,), continuation=(2, 98)), "token id 98"),
        (ScoreRequest(prompt=(1,) * 200, continuation=(2,) * 103), r"302 tokens, 19 blocks"),
    ],
)
def test_what_can_never_be_served_is_refused_with_the_counts(
    request_: Request | ScoreRequest, message: str, tiny_model: Transformer
) -> None:
    engine = Engine(TorchRunner(tiny_model, 18))
    with pytest.raises(UserError, match=message):
        engine.submit(request_)
    assert not engine.has_work


def test_a_full_queue_refuses_and_accepts_again_later(tiny_model: Transformer) -> None:
    engine = Engine(TorchRunner(tiny_model, 60), EngineConfig(max_waiting=2, max_running=1))
    for _ in range(2):
        engine.submit(Request(prompt=(1,), max_new_tokens=1))
    with pytest.raises(QueueFullError, match=r"2 requests wait already, and max_waiting is 2"):
        engine.submit(Request(prompt=(1,), max_new_tokens=1))
    engine.step()
    engine.submit(Request(prompt=(1,), max_new_tokens=1))


def test_complete_serves_more_requests_than_may_wait(tiny_model: Transformer) -> None:
    engine = Engine(TorchRunner(tiny_model, 60), EngineConfig(max_waiting=2, max_running=2))
    found = complete(engine, [Request(prompt=(i,), max_new_tokens=3) for i in range(9)])
    assert all(samples[0].finish_reason == "length" for samples in found)


@pytest.mark.parametrize("n_steps", [0, 1, 2, 6])
def test_cancelling_frees_every_block_at_once(n_steps: int, tiny_model: Transformer) -> None:
    """Waiting, in the middle of the prompt, and while several samples are written."""
    engine = Engine(TorchRunner(tiny_model, 60), EngineConfig(step_tokens=20, max_running=8))
    ticket = engine.submit(Request(prompt=SHARED, max_new_tokens=20, n_samples=3))
    for _ in range(n_steps):
        engine.step()
    assert engine.cancel(ticket)
    assert engine.n_used_blocks == 0
    outputs = engine.step()
    assert [(o.sample, o.finish_reason) for o in outputs] == [(i, "cancelled") for i in range(3)]
    assert not engine.cancel(ticket)
    assert not engine.has_work


class Grammar:
    """A constraint that allows ever the same tokens, up to a length, and may break on the way."""

    def __init__(
        self,
        allowed: Sequence[int],
        length: int,
        *,
        breaks_at: int | None = None,
        n_vocabulary: int = 97,
    ) -> None:
        self.allowed, self.length, self.breaks_at = allowed, length, breaks_at
        self.n_vocabulary = n_vocabulary

    def start(self) -> "GrammarState":
        return GrammarState(self)


class GrammarState:
    def __init__(self, grammar: Grammar) -> None:
        self._grammar, self._n = grammar, 0

    @property
    def finished(self) -> bool:
        return self._n == self._grammar.length

    must_stop = finished

    def allowed_mask(self) -> torch.Tensor:
        mask = torch.zeros(self._grammar.n_vocabulary, dtype=torch.bool)
        mask[list(self._grammar.allowed)] = True
        return mask

    def accept(self, token_id: int) -> None:
        assert token_id in self._grammar.allowed
        if self._n == self._grammar.breaks_at:
            raise RuntimeError("the grammar is broken")
        self._n += 1


def test_a_constraint_decides_what_is_written_and_when_it_ends(tiny_model: Transformer) -> None:
    engine = Engine(TorchRunner(tiny_model, 60))
    request = Request(
        prompt=(1,), max_new_tokens=50, sampling=WARM, constraint=Grammar((3, 4, 5), 7), n_samples=3
    )
    for found in complete(engine, [request])[0]:
        assert set(found.tokens) <= {3, 4, 5}
        assert (len(found.tokens), found.finish_reason) == (7, "stop")


def nan_for_token_90(model: Transformer) -> Transformer:
    damaged = Transformer(model.config).eval().requires_grad_(False)
    damaged.load_state_dict(model.state_dict())
    damaged.embedding.weight[90] = torch.nan
    return damaged


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        (Request(prompt=(*SHARED, 90), max_new_tokens=4), "not numbers"),
        (
            Request(prompt=SHARED, max_new_tokens=9, constraint=Grammar((3,), 9, breaks_at=2)),
            "RuntimeError: the grammar is broken",
        ),
        (
            Request(prompt=SHARED, max_new_tokens=9, constraint=Grammar((), 9)),
            "no token is left to draw",
        ),
        (
            Request(prompt=SHARED, max_new_tokens=9, constraint=Grammar((3,), 9, n_vocabulary=60)),
            "ValueError: a mask of 60 for 97 tokens",
        ),
    ],
    ids=["nan", "constraint raises", "constraint allows nothing", "constraint of another model"],
)
@pytest.mark.parametrize("n_samples", [1, 3])
def test_a_request_that_fails_ends_alone(
    failing: Request, message: str, n_samples: int, tiny_model: Transformer, alone: Reference
) -> None:
    engine = Engine(TorchRunner(nan_for_token_90(tiny_model), 20), EngineConfig(step_tokens=64))
    healthy = [r for r in requests_of_all_kinds() if 90 not in r.prompt]
    failing = dataclasses.replace(failing, n_samples=n_samples)
    for _ in range(2):  # the second time in blocks that held what was damaged
        found = complete(engine, [failing, *healthy, failing])
        for samples in (found[0], found[-1]):
            assert [each.finish_reason for each in samples] == ["error"] * n_samples
            assert all(message in each.error for each in samples)
        for request, samples in zip(healthy, found[1:-1], strict=True):
            assert_same(samples, alone(request))
    assert engine.n_used_blocks == 0


def test_an_error_of_the_runner_leaves_the_engine_as_it_was(fake_runner: Callable) -> None:
    runner = fake_runner(20)
    engine = Engine(runner)
    engine.submit(Request(prompt=(1, 2), max_new_tokens=3, seed=1, n_samples=2))
    outputs = engine.step()
    runner.fails = True
    with pytest.raises(RuntimeError, match="on fire"):
        engine.step()
    runner.fails = False
    engine.check_books()
    while engine.has_work:
        outputs += engine.step()
    (expected,) = complete(
        Engine(fake_runner(20)), [Request(prompt=(1, 2), max_new_tokens=3, seed=1, n_samples=2)]
    )
    for sample in range(2):
        ids = [output.id for output in outputs if output.sample == sample]
        assert tuple(ids) == expected[sample].tokens


def test_outputs_of_other_requests_survive_complete(tiny_model: Transformer) -> None:
    engine = Engine(TorchRunner(tiny_model, 60))
    request = Request(prompt=(1, 2), max_new_tokens=3, seed=1)
    other = engine.submit(request)
    complete(engine, [Request(prompt=(3,), max_new_tokens=8)])
    outputs = engine.step()
    assert {output.ticket for output in outputs} == {other}
    assert tuple(output.id for output in outputs) == generate(tiny_model, request).tokens
