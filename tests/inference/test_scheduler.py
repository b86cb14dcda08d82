"""Random arrivals, cancellations and tiny caches, for thousands of steps: the books stay right."""

import functools
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from herd.inference import Request, SamplingConfig
from herd.inference.engine import Engine
from herd.inference.engine_config import EngineConfig
from herd.inference.request import Output, ScoreGroup, ScoreRequest
from herd.inference.sampler import Sampler
from herd.inference.speculation import ProposalQuery
from herd.inference.torch_runner import TorchRunner
from herd.model import Transformer

Fake = Callable[..., Any]
SAMPLINGS = [SamplingConfig(temperature=t, top_p=0.9) for t in (0.0, 0.4, 1.0)]
BEGINNINGS = [tuple(random.Random(i).choices(range(22), k=50)) for i in range(3)]


class Guesser:
    """Proposes what is likeliest, so it is right often, but not always where draws are random."""

    def __init__(self, logits: Callable[[bytes], list[float]], draw: random.Random) -> None:
        self._logits, self._draw = logits, draw
        self.known: set[int] = set()

    def propose(self, queries: Sequence[ProposalQuery]) -> list[list[int]]:
        self.known |= {query.key for query in queries}
        return [self._guess(list(query.tokens), query.n_tokens) for query in queries]

    def release(self, key: int) -> None:
        self.known.discard(key)

    def _guess(self, tokens: list[int], n: int) -> list[int]:
        found = []
        for _ in range(self._draw.randint(0, n + 1)):  # one too many now and then
            logits = self._logits(bytes(tokens))
            token = max(range(len(logits)), key=logits.__getitem__)
            found.append(token if self._draw.random() < 0.8 else self._draw.randrange(22))
            tokens.append(found[-1])
        return found


class Schedule:
    """A day in the life of an engine: draws what happens next, and checks after every step."""

    def __init__(
        self, fake: Fake, seed: int, *, n_blocks: int, speculates: bool, longest: int = 30
    ) -> None:
        self.draw = random.Random(seed)
        self.longest = longest
        self.runner = fake(n_blocks)
        max_running = self.draw.randint(1, 6)
        self.config = EngineConfig(
            step_tokens=self.draw.randint(max_running, 40),
            max_running=max_running,
            max_waiting=self.draw.randint(1, 9),
            prefix_caching=self.draw.random() < 0.7,
            n_proposals=self.draw.randint(0, 5),
        )
        self.guesser = Guesser(self.runner.logits, self.draw) if speculates else None
        self.engine = Engine(self.runner, self.config, proposer=self.guesser)
        self.requests: dict[int, Request | ScoreRequest | ScoreGroup] = {}
        self.outputs: dict[int, list[Output]] = {}
        self.cancelled: set[int] = set()
        self.steps_as_oldest: dict[int, int] = {}

    def submit(self) -> None:
        draw = self.draw
        prompt = draw.choice(BEGINNINGS)[: draw.randint(0, 50)]
        prompt += tuple(draw.choices(range(22), k=draw.randint(1, 12)))
        n_new = draw.randint(0, self.longest)
        request: Request | ScoreRequest | ScoreGroup = Request(
            prompt=prompt,
            max_new_tokens=n_new,
            min_new_tokens=draw.randint(0, n_new),
            sampling=draw.choice(SAMPLINGS),
            seed=draw.randrange(1000),
            n_samples=draw.choice([1, 1, 1, 2, 3, 9]),
            stop_ids=frozenset(draw.choices(range(22), k=draw.randint(0, 2))),
        )
        if draw.random() < 0.15:
            request = ScoreRequest(prompt=prompt, continuation=prompt[: draw.randint(1, 20)])
        if draw.random() < 0.15:
            request = self.group(prompt)
        if draw.random() < 0.03:
            request = Request(prompt=(*prompt, self.runner.POISON), max_new_tokens=5)
        if self.engine.has_room:
            ticket = self.engine.submit(request)
            self.requests[ticket], self.outputs[ticket] = request, []

    def group(self, prompt: tuple[int, ...]) -> ScoreGroup:
        """Answers to one prompt, some alike, cut into prompt and answer in whatever place."""
        draw = self.draw
        answer = tuple(draw.choices(range(22), k=draw.randint(2, 20)))
        members = []
        for _ in range(draw.randint(1, 6)):
            whole = prompt + answer[: draw.randint(1, len(answer))]
            whole += tuple(draw.choices(range(22), k=draw.randint(0, 18)))
            cut = draw.randint(max(1, len(prompt) - 3), len(whole) - 1)
            members.append(ScoreRequest(prompt=whole[:cut], continuation=whole[cut:]))
        return ScoreGroup(members=tuple(members))

    def cancel(self) -> None:
        live = self.live()
        if live:
            ticket = self.draw.choice(live)
            self.engine.cancel(ticket)
            self.cancelled.add(ticket)

    def step(self) -> None:
        oldest = min(self.live(), default=None)
        if oldest is not None:
            self.steps_as_oldest[oldest] = self.steps_as_oldest.get(oldest, 0) + 1
        for output in self.engine.step():
            self.outputs[output.ticket].append(output)
        self.engine.check_books()

    def live(self) -> list[int]:
        return [ticket for ticket in self.requests if self.engine.is_live(ticket)]

    def run(self, n_steps: int, *, cancels: float) -> None:
        for _ in range(n_steps):
            for _ in range(self.draw.choice([0, 0, 0, 1, 2])):
                self.submit()
            if self.draw.random() < cancels:
                self.cancel()
            self.step()
        while self.engine.has_work:
            self.step()
        assert self.engine.n_used_blocks == 0
        assert self.guesser is None or not self.guesser.known

    def check_answers(self) -> None:
        for ticket, request in self.requests.items():
            outputs = self.outputs[ticket]
            if isinstance(request, ScoreRequest):
                check_score(self.runner.logits, request, outputs)
                continue
            if isinstance(request, ScoreGroup):
                for sample, member in enumerate(request.members):
                    own = [output for output in outputs if output.sample == sample]
                    check_score(self.runner.logits, member, own)
                continue
            for sample in range(request.n_samples):
                own = [output for output in outputs if output.sample == sample]
                check_sample(self.runner.logits, request, sample, own)

    def check_nobody_starved(self) -> None:
        """As the oldest, a request computes at least a token a step, each sample in its turn."""
        for ticket, n_steps in self.steps_as_oldest.items():
            request = self.requests[ticket]
            if isinstance(request, Request):
                n_tokens = len(request.prompt) + request.max_new_tokens
                assert n_steps <= request.n_samples * n_tokens + 1
            else:
                members = request.members if isinstance(request, ScoreGroup) else (request,)
                assert n_steps <= sum(len(one.read_tokens) + 1 for one in members) + 1


def check_sample(
    logits: Callable[[bytes], list[float]], request: Request, sample: int, outputs: list[Output]
) -> None:
    *_, last = outputs
    ids = [output.id for output in outputs if output.id is not None]
    expected, reason = plain_answer(logits, request, sample)
    assert [bool(output.finish_reason) for output in outputs] == [False] * (len(outputs) - 1) + [
        True
    ]
    if last.finish_reason == "cancelled":
        assert ids == expected[: len(ids)]
    else:
        assert (ids, last.finish_reason) == (expected, reason)


def plain_answer(
    logits: Callable[[bytes], list[float]], request: Request, sample: int
) -> tuple[list[int], str]:
    """The reference: one token after the other, nobody else there."""
    tokens, new = list(request.prompt), []
    sampler = Sampler(request.sampling, seed=(request.seed or 0) + sample)
    for _ in range(min(request.max_new_tokens, 120 - len(request.prompt))):
        row_V = torch.tensor([logits(bytes(tokens))])
        if row_V.isnan().any():
            return new, "error"
        if len(new) < request.min_new_tokens:
            row_V[:, list(request.stop_ids)] = -torch.inf
        token = int(sampler.sample(row_V)[0])
        if token in request.stop_ids:
            return new, "stop"
        tokens.append(token)
        new.append(token)
    return new, "length"


def check_score(
    logits: Callable[[bytes], list[float]], request: ScoreRequest, outputs: list[Output]
) -> None:
    (output,) = outputs
    if output.finish_reason == "cancelled":
        return
    whole, n_prompt = request.prompt + request.continuation, len(request.prompt)
    rows_TV = torch.tensor([logits(bytes(whole[:i])) for i in range(n_prompt, len(whole))])
    expected_T = rows_TV.log_softmax(-1).gather(1, torch.tensor(request.continuation)[:, None])
    assert output.score is not None
    assert output.score.logprobs == pytest.approx(expected_T[:, 0].tolist(), abs=1e-5)
    assert output.score.is_greedy == bool(
        (rows_TV.argmax(1) == torch.tensor(request.continuation)).all()
    )


@pytest.mark.parametrize("speculates", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_random_schedules_lose_nothing_starve_nobody_and_change_no_answer(
    seed: int, speculates: bool, fake_runner: Fake
) -> None:
    n_blocks = 8 + seed % 6  # 8 blocks hold the longest sequence and nothing else
    schedule = Schedule(fake_runner, seed, n_blocks=n_blocks, speculates=speculates)
    schedule.run(150, cancels=0.05)
    schedule.check_answers()
    schedule.check_nobody_starved()
    assert schedule.runner.largest_step <= schedule.config.step_tokens


def test_a_soak_of_2000_requests_with_cancellations_ends_with_no_block_in_use(
    fake_runner: Fake,
) -> None:
    schedule = Schedule(fake_runner, 7, n_blocks=40, speculates=True, longest=6)
    while len(schedule.requests) < 2_000:
        schedule.submit()
        schedule.submit()
        if schedule.draw.random() < 0.2:
            schedule.cancel()
        schedule.step()
    schedule.run(0, cancels=0.0)
    schedule.check_nobody_starved()
    assert len(schedule.cancelled) > 100
    assert all(outputs[-1].finish_reason for outputs in schedule.outputs.values())


@functools.cache
def common_beginning() -> tuple[int, ...]:
    return tuple(random.Random(9).choices(range(22), k=64))


def test_alike_prompts_that_come_together_compute_their_beginning_once(fake_runner: Fake) -> None:
    runner = fake_runner(100)
    engine = Engine(runner)
    for i in range(8):
        engine.submit(Request(prompt=(*common_beginning(), i), max_new_tokens=1))
    while engine.has_work:
        engine.step()
    assert runner.n_tokens_run == 64 + 8
    assert engine.counters.n_cached_tokens == 7 * 64


def test_who_waits_for_anothers_beginning_goes_on_when_that_one_is_cancelled(
    fake_runner: Fake,
) -> None:
    engine = Engine(fake_runner(100), EngineConfig(step_tokens=10, max_running=4))
    first = engine.submit(Request(prompt=(*common_beginning(), 1), max_new_tokens=1))
    engine.submit(Request(prompt=(*common_beginning(), 2), max_new_tokens=1))
    engine.step()
    assert (engine.n_running, engine.n_waiting) == (1, 1)
    engine.cancel(first)
    engine.step()
    assert (engine.n_running, engine.n_waiting) == (1, 0)


def test_decodes_go_on_while_a_long_prompt_is_read_in_chunks(fake_runner: Fake) -> None:
    engine = Engine(fake_runner(100, max_context=400), EngineConfig(step_tokens=16, max_running=4))
    writing = engine.submit(Request(prompt=(1,), max_new_tokens=60))
    engine.step()
    reading = engine.submit(Request(prompt=(2,) * 150, max_new_tokens=1))
    n_steps = 0
    while engine.is_live(reading):
        outputs = engine.step()
        assert writing in {output.ticket for output in outputs}
        n_steps += 1
    assert n_steps == 10  # 15 of 16 tokens a step


def test_the_newest_gives_way_and_is_finished_all_the_same(fake_runner: Fake) -> None:
    engine = Engine(fake_runner(6), EngineConfig(max_running=3))
    tickets = [engine.submit(Request(prompt=(i,), max_new_tokens=60)) for i in range(3)]
    ended = []
    while engine.has_work:
        ended += [output.ticket for output in engine.step() if output.finish_reason]
    assert ended == tickets
    assert engine.counters.n_preemptions > 0


@pytest.mark.slow
def test_a_soak_of_2000_requests_on_a_real_model_ends_with_no_block_in_use(
    tiny_model: Transformer,
) -> None:
    draw = random.Random(3)
    config = EngineConfig(step_tokens=64, max_running=8)
    engine = Engine(TorchRunner(tiny_model, 30), config)
    last: dict[int, Output] = {}
    tickets: list[int] = []
    while len(tickets) < 2_000 or engine.has_work:
        if len(tickets) < 2_000 and engine.has_room:
            prompt = (*draw.choice(BEGINNINGS)[: draw.randint(0, 50)], draw.randrange(97))
            n_samples = draw.choice([1, 1, 1, 2, 4])
            request = Request(
                prompt=prompt, max_new_tokens=draw.randint(0, 20), n_samples=n_samples
            )
            tickets.append(engine.submit(request))
        if draw.random() < 0.1:
            engine.cancel(draw.choice(tickets))
        last |= {output.ticket: output for output in engine.step()}
        engine.check_books()
    assert engine.n_used_blocks == 0
    assert all(last[ticket].finish_reason for ticket in tickets)
