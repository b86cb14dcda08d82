"""A list of requests, served to the end: all answers in order, nothing left behind."""

import dataclasses
from collections.abc import Callable

import pytest

from herd.foundation import UserError
from herd.inference import Request
from herd.inference.engine import Engine
from herd.inference.engine_config import EngineConfig
from herd.inference.offline import complete, run_all

REQUEST = Request(prompt=(1, 2), max_new_tokens=5, seed=0)


class Counter:
    def __init__(self) -> None:
        self.done = 0.0

    def advance(self, amount: float = 1, **fields: object) -> None:
        self.done += amount


def test_answers_come_in_the_order_of_the_requests_and_progress_counts_them(
    fake_runner: Callable,
) -> None:
    requests = [dataclasses.replace(REQUEST, max_new_tokens=9 - i, n_samples=2) for i in range(8)]
    engine, progress = Engine(fake_runner(40)), Counter()
    found = complete(engine, requests, progress=progress)
    assert [[len(one.tokens) for one in samples] for samples in found] == [
        [9 - i] * 2 for i in range(8)
    ]
    assert progress.done == 8


def test_one_that_can_never_be_served_is_refused_before_any_work(fake_runner: Callable) -> None:
    runner = fake_runner(40)
    too_long = Request(prompt=(1,) * 120, max_new_tokens=1)
    with pytest.raises(UserError, match="120 tokens"):
        complete(Engine(runner), [REQUEST, too_long])
    assert runner.n_tokens_run == 0


def test_whoever_stops_listening_leaves_nothing_behind(fake_runner: Callable) -> None:
    engine = Engine(fake_runner(40), EngineConfig(max_running=2))
    outputs = run_all(engine, [REQUEST] * 6)
    next(outputs)
    outputs.close()
    assert (engine.n_used_blocks, engine.n_waiting, engine.has_work) == (0, 0, False)


def test_an_error_of_the_machine_leaves_nothing_behind(fake_runner: Callable) -> None:
    runner = fake_runner(40)
    engine = Engine(runner)
    runner.fails = True
    with pytest.raises(RuntimeError, match="on fire"):
        complete(engine, [REQUEST] * 3)
    assert (engine.n_used_blocks, engine.has_work) == (0, False)
