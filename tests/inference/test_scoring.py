"""Scores are those of the whole model, and what prompts share is computed once."""

from collections.abc import Callable

import pytest
import torch

from herd.foundation import UserError
from herd.inference.engine import Engine
from herd.inference.engine_config import EngineConfig
from herd.inference.request import Request, ScoreGroup, ScoreRequest
from herd.inference.scoring import groups_alike, score
from herd.inference.torch_runner import TorchRunner
from herd.model import Transformer

SHARED = tuple(range(30, 70))
PAIRS = [
    ((1,), (2,)),
    (SHARED, (5, 6, 7)),
    (SHARED, (8,)),
    ((*SHARED, 3), (5,) * 40),
    ((9,), tuple(range(90))),
    (SHARED[:16], (1, 2)),
]


def plain_score(
    model: Transformer, prompt: tuple[int, ...], after: tuple[int, ...]
) -> tuple[list[float], bool]:
    logits_TV = model(torch.tensor([prompt + after]))[0, len(prompt) - 1 : -1]
    picked_T1 = logits_TV.log_softmax(-1).gather(1, torch.tensor(after)[:, None])
    return picked_T1[:, 0].tolist(), logits_TV.argmax(-1).tolist() == list(after)


@pytest.mark.parametrize(
    ("n_blocks", "config"),
    [
        (60, EngineConfig()),
        (60, EngineConfig(prefix_caching=False)),
        (9, EngineConfig(step_tokens=13, max_running=4)),
    ],
    ids=["at once", "uncached", "in small chunks in a small cache"],
)
def test_scores_are_those_of_the_whole_model(
    n_blocks: int, config: EngineConfig, tiny_model: Transformer
) -> None:
    engine = Engine(TorchRunner(tiny_model, n_blocks), config)
    prompts, continuations = zip(*PAIRS, strict=True)
    for found, pair in zip(score(engine, prompts, continuations), PAIRS, strict=True):
        logprobs, is_greedy = plain_score(tiny_model, *pair)
        assert found.logprobs == pytest.approx(logprobs, abs=1e-4)
        assert found.is_greedy == is_greedy
    assert engine.n_used_blocks == 0


def test_a_greedy_continuation_is_known_as_such(tiny_model: Transformer) -> None:
    ids = list(SHARED)
    for _ in range(5):
        ids.append(int(tiny_model(torch.tensor([ids]))[0, -1].argmax()))
    greedy = tuple(ids[len(SHARED) :])
    other = (*greedy[:4], (greedy[4] + 1) % 97)
    found = score(Engine(TorchRunner(tiny_model, 60)), [SHARED] * 2, [greedy, other])
    assert [each.is_greedy for each in found] == [True, False]


def test_a_shared_beginning_is_computed_once_in_whatever_order_it_comes(
    fake_runner: Callable,
) -> None:
    runner = fake_runner(40)
    other = (3,) * 32
    prompts = [(*SHARED_FAKE, 1), other, (*SHARED_FAKE, 2), (*SHARED_FAKE, 1)]
    score(Engine(runner, EngineConfig(max_running=1)), prompts, [(4,)] * 4)
    assert runner.n_tokens_run == (32 + 1) + 32 + 1  # the first prompt comes twice


SHARED_FAKE = tuple(range(16)) * 2


def test_generation_goes_on_beside_scoring(tiny_model: Transformer) -> None:
    engine = Engine(TorchRunner(tiny_model, 60))
    ticket = engine.submit(Request(prompt=(1,), max_new_tokens=8, seed=0))
    score(engine, [SHARED], [tuple(range(40))])
    outputs = engine.step()
    while engine.has_work:
        outputs += engine.step()
    assert [output.ticket for output in outputs] == [ticket] * 8


def test_what_cannot_be_scored_is_one_clear_line(fake_runner: Callable) -> None:
    engine = Engine(fake_runner(40))
    with pytest.raises(UserError, match="2 prompts and 1 continuations"):
        score(engine, [(1,), (2,)], [(3,)])
    with pytest.raises(UserError, match="continuation is empty"):
        score(engine, [(1,)], [()])
    with pytest.raises(UserError, match=r"item 1 could not be scored: .*not numbers"):
        score(engine, [(1,), (fake_runner.POISON,)], [(3,), (3,)])
    assert engine.n_used_blocks == 0


def test_answers_to_one_question_read_it_once_to_the_token(fake_runner: Callable) -> None:
    runner = fake_runner(40)
    question, other = tuple(range(19)), (5,) * 21
    prompts = [question, other, question, question]
    score(Engine(runner), prompts, [(1, 2, 3), (4,), (1, 2, 4, 5), (7, 8)])
    assert runner.n_tokens_run == (19 + 2) + 21 + 1 + 1  # 1 2 | 4 after them | 7


def test_scores_do_not_depend_on_the_company_they_are_read_in(tiny_model: Transformer) -> None:
    requests = [ScoreRequest(prompt=prompt, continuation=after) for prompt, after in PAIRS]
    requests += [
        ScoreRequest(prompt=SHARED[:n], continuation=(*SHARED[n:37], 1, 2)) for n in (5, 20, 36)
    ]
    alone = [
        score(Engine(TorchRunner(tiny_model, 60)), [one.prompt], [one.continuation])[0]
        for one in requests
    ]
    together = score(
        Engine(TorchRunner(tiny_model, 60)),
        [one.prompt for one in requests],
        [one.continuation for one in requests],
    )
    for one, other in zip(alone, together, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)


def test_a_question_stays_with_its_answers_and_apart_from_others_after_the_same_examples() -> None:
    examples = tuple(range(50))
    pairs = [((*examples, 60, 61), (n, 9)) for n in (4, 2, 2, 3)]
    pairs += [((*examples, 70, n), (5,)) for n in (1, 2)]  # two prompts of one question
    requests = [ScoreRequest(prompt=prompt, continuation=after) for prompt, after in pairs]
    assert [sorted(group) for group in groups_alike(requests)] == [[0, 1, 2, 3], [4, 5]]
    assert len(groups_alike(requests, most=2)) == 3
    salted = [ScoreRequest(prompt=(1,), continuation=(2,), cache_salt=salt) for salt in "ab"]
    assert len(groups_alike(salted)) == 2


def test_a_group_without_members_or_of_unlike_salts_is_refused() -> None:
    with pytest.raises(UserError, match="group is empty"):
        ScoreGroup(members=())
    salted = tuple(ScoreRequest(prompt=(1,), continuation=(2,), cache_salt=one) for one in "ab")
    with pytest.raises(UserError, match="share nothing"):
        ScoreGroup(members=salted)
